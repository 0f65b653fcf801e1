"""The Connection leads to another site: nothing is published until the first is forgotten, and nothing is lost then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.sandboxes import running_site
from gradeway.errors import TenantChangedError, UnknownPlanError
from gradeway.sandbox.learn.start import courses
from gradeway.store import tenants
from gradeway.store.publish import LEARN, GradeReceipt, PublishIntent, Resolution
from publish.conftest import LEARNERS
from publish.scene import MakeScene, Scene


@pytest.fixture
def first(make_scene: MakeScene) -> Scene:
    """A course in which ann's 7, bob's 8 and cy's 9 are published, and some of it was changed there since."""
    scene = make_scene()
    scene.schemas("Letters|A=90:B=80:F=0")
    scene.column()
    scene.column("Essay", schema="Letters")
    scene.assignment(points=50)
    scene.grades(ann=7, bob=8, cy=9)
    scene.grades(column="Essay", ann="A")
    scene.publish()
    scene.play("grade", user="ann", score=5)
    scene.play("grade", user="dee", score=19)
    return scene


@pytest.fixture
def other(first: Scene, tmp_path: Path) -> Iterator[Scene]:
    """The same store, and another site with the same course."""
    with running_site(tmp_path, courses({first.course: "Classic"}, {first.course: LEARNERS})) as site:
        site.url = site.url.replace("127.0.0.1", "localhost")
        site.log_in()
        yield Scene(first.world, site, first.course)


def forget(scene: Scene) -> tenants.Known | None:
    return tenants.forget(scene.world.intake.store, LEARN)


def test_to_another_site_and_back_nothing_is_lost_and_nothing_written_twice(first: Scene, other: Scene) -> None:
    at_first = {"Oral": {"ann": "5", "bob": "8", "cy": "9", "dee": "19"}, "Essay": {"ann": "20"}, "Project": {}}
    assert first.there() == at_first
    with pytest.raises(TenantChangedError, match="gradeway publish forget"):
        other.publish()
    first.grades(bob="8.5")
    assert forget(first) == tenants.Known("127.0.0.1/learn/api/public", 4)

    other.publish()
    assert other.there() == {"Oral": {"ann": "7", "bob": "8.5", "cy": "9"}, "Essay": {"ann": "20"}, "Project": {}}
    assert (other.due(), other.problems(), other.conflicts(), other.count(GradeReceipt)) == ([], [], [], 4)
    other.play("grade", user="cy", score=3)
    at_other = other.there()

    forget(other)
    since, since_other = first.mark(), other.mark()
    first.publish()
    first.publish(everything=True)
    assert first.writes(since) == []
    assert first.there() == at_first
    assert first.conflicts() == [("7", "5", Resolution.OPEN), ("8.5", "8", Resolution.OPEN)]
    assert (first.due(), first.count(GradeReceipt)) == ([], 2)
    assert first.problems() == [("NOT_CARRIED", "Project")], "what it was made with is not known any more"
    first.decide(Resolution.TAKE, "Oral", "bob")
    first.grades(cy=10)
    first.publish()
    assert first.there() == at_first | {"Oral": {"ann": "5", "bob": "8.5", "cy": "10", "dee": "19"}}
    assert (other.there(), other.writes(since_other)) == (at_other, [])


def test_what_was_planned_and_under_way_there_is_not_sent_to_the_other_site(first: Scene, other: Scene) -> None:
    first.grades(bob=9, cy=10)
    digest = first.plan().free.digest
    forget(first)
    assert first.count(PublishIntent) == 0
    with other.publisher() as publisher:
        with pytest.raises(UnknownPlanError):
            publisher.apply(digest)
        assert publisher.apply_free().outcomes == {}
    assert other.there() == {}


def test_a_run_that_began_before_does_not_go_on_in_the_former_site(first: Scene, other: Scene) -> None:
    first.grades(bob=9)
    with first.publisher() as late:
        forget(first)
        other.plan()
        for go_on in (late.plan, late.apply_free):
            with pytest.raises(TenantChangedError):
                go_on()
    assert first.there()["Oral"]["bob"] == "8"
    other.publish()
    assert other.there()["Oral"] == {"ann": "7", "bob": "9", "cy": "9"}
