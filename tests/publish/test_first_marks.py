"""What stood there before us and is set again: an exemption too; and how it is found out that a grade is cleared."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gradeway.publish.why import lives
from gradeway.store.publish import LEARN, GradeConflict, GradeReceipt, PublishIntent
from gradeway.vendors.learn import Learn
from gradeway.vendors.learn_records import Grade
from publish.scene import Scene
from publish.test_undone_batches import undo
from publish.trouble import spoil
from sessions.exams import Clock


@pytest.fixture
def given(scene: Scene) -> Scene:
    """A column in which a teacher gave grades before us."""
    scene.site.play(scene.course, "add", name="Oral", possible=20)
    scene.play("grade", user="ann", score=5)
    scene.column()
    return scene


def raw(scene: Scene, user: str, name: str = "Oral") -> tuple[bool, Decimal | None]:
    """Whether a learner is exempt in a column, and the score that was set."""
    key = scene.remote_column(name)["id"]
    grades = scene.site.every(f"v2/courses/courseId:{scene.course}/gradebook/columns/{key}/users")
    [member] = [each["userId"] for each in scene.members() if each["user"]["userName"] == user]
    [found] = [each for each in grades if each["userId"] == member]
    score = found.get("score")
    return found["exempt"], None if score is None else Decimal(str(score))


def take_ours(scene: Scene) -> None:
    scene.publish()
    scene.decide_all()
    scene.publish()


@pytest.mark.parametrize("first", [5, None])
def test_an_exemption_that_a_person_let_us_replace_comes_back(given: Scene, first: int | None) -> None:
    if first is None:
        given.play("clear", user="ann")
    given.play("exempt", user="ann")
    given.grades(ann=7)
    take_ours(given)
    assert raw(given, "ann") == (False, Decimal(7))
    given.grades(ann=9)
    given.publish()
    undo(given, ann=None)
    given.publish_all()
    assert raw(given, "ann") == (True, first and Decimal(first))
    assert (given.count(GradeReceipt), given.count(GradeConflict), given.due()) == (0, 0, [])
    with given.world.intake.store.session() as session:
        sent = [each.detail for each in lives(session, LEARN, given.course, "ann", "Oral")[0].events if each.plan]
    assert sent[-1].split(" -> ")[1].startswith("5, exempt" if first else "exempt")


def test_an_exemption_that_came_after_us_comes_back_too(given: Scene) -> None:
    given.grades(bob=7)
    given.publish()
    given.play("exempt", user="bob")
    given.publish(everything=True)
    given.grades(bob=8)
    take_ours(given)
    assert raw(given, "bob") == (False, Decimal(8))
    undo(given, bob=None)
    given.publish_all()
    assert raw(given, "bob") == (True, None)


def test_an_exemption_over_an_attempt_comes_back(scene: Scene) -> None:
    scene.assignment()
    scene.publish()
    scene.play("attempt", "Project", "ann", score=5)
    scene.play("exempt", "Project", "ann")
    scene.grades(column="Project", ann=8)
    take_ours(scene)
    undo(scene, column="Project", ann=None)
    scene.publish_all()
    assert raw(scene, "ann", "Project") == (True, None)
    assert (scene.count(GradeReceipt), scene.count(GradeConflict)) == (0, 0)


@pytest.mark.parametrize("found_at_once", [True, False])
def test_a_lost_answer_to_a_clear_over_an_attempt_is_no_change_of_somebodys(
    scene: Scene, passing: Clock, *, found_at_once: bool
) -> None:
    scene.assignment()
    scene.publish()
    scene.play("attempt", "Project", "ann", score=5)
    scene.grades(column="Project", ann=8)
    take_ours(scene)
    undo(scene, column="Project", ann=None)
    scene.approve(scene.plan().held.digest)
    spoil(scene, "PATCH */users/*", kind="drop_after")
    if not found_at_once:
        spoil(scene, "GET */users", kind="status", status=500, after=1, times=100)
    scene.publish()
    scene.site.act("faults", method="DELETE", status=204)
    passing.pass_by(3600)
    scene.publish()
    assert {intent.state for intent in scene.rows(PublishIntent)} == {"done"}
    assert (scene.there(), scene.count(GradeConflict), scene.count(GradeReceipt)) == ({"Project": {"ann": "5"}}, 0, 0)


def test_an_answer_that_still_shows_what_was_to_be_cleared_is_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.column()
    scene.grades(ann=7)
    scene.publish()
    undo(scene, ann=None)
    scene.approve(scene.plan().held.digest)
    monkeypatch.setattr(Learn, "patch_grade", lambda *_, **__: Grade("_1_1", score=Decimal(7), change_index=99))
    assert [each.detail for each in scene.publish().failures] == ["ANSWER_DIFFERS"]
