"""What waits for approval, and what does no more: over plans that are made anew, and after a person has looked."""

from __future__ import annotations

import re

import pytest

from gradeway.publish.plan import Hold
from gradeway.store.models import Learner
from gradeway.store.publish import PublishIntent
from publish.scene import MakeScene, Scene
from sessions.exams import Clock

ALL = ("ann", "bob", "cy", "dee", "eve", "fay")
TIGHT = "decreases=1/10 blanks=1/10 changes=20/50 unmatched=1/20"


@pytest.fixture
def published(make_scene: MakeScene) -> Scene:
    """A course in which all learners have 7, and brakes that are easily on."""
    return with_sevens(make_scene(publish_brakes=TIGHT))


def with_sevens(scene: Scene) -> Scene:
    scene.column()
    scene.grades(**dict.fromkeys(ALL, 7))
    scene.publish()
    return scene


def under(scene: Scene, make_scene: MakeScene, brakes: str) -> Scene:
    """The same course under other brakes."""
    other = make_scene(publish_brakes=brakes)
    other.course = scene.course
    return other


def told(words: str) -> str:
    return rf"some of it waits for approval since \d{{4}}-\d\d-\d\d \d\d:\d\d UTC, when this was too much: {words}"


# loosened limits


def test_loosened_brakes_let_go_what_they_would_not_have_held(published: Scene, make_scene: MakeScene) -> None:
    published.grades(ann=3, bob=4, cy=5)
    published.publish()
    assert under(published, make_scene, "decreases=2/10").plan(again=True).free.lines == []
    loose = under(published, make_scene, "decreases=3/10")
    assert loose.plan(again=True).held.lines == []
    loose.publish()
    assert loose.there()["Oral"] == dict.fromkeys(ALL, "7") | {"ann": "3", "bob": "4", "cy": "5"}


def test_one_loosened_brake_lets_nothing_go_that_another_holds(published: Scene, make_scene: MakeScene) -> None:
    published.grades(ann=3, bob=0, cy=0)
    published.plan()
    planned = under(published, make_scene, "decreases=6/10 blanks=1/10").plan(again=True)
    assert [line.learner for line in planned.free.lines] == ["ann"]
    assert planned.reasons == ["2 of 6 blanks in Oral", "2 of 6 blanks"]


def test_a_limit_is_not_loosened_by_a_plan_that_got_smaller(published: Scene, make_scene: MakeScene) -> None:
    published.grades(ann=3, bob=4, cy=5)
    published.plan()
    published.grades(bob=7, cy=7)
    planned = under(published, make_scene, "decreases=2/10").plan(again=True)
    assert [line.after for line in planned.held.lines] == [{"score": "3"}]


def test_what_waits_says_since_when_and_for_what(published: Scene) -> None:
    published.grades(ann=3, bob=4)
    published.plan()
    published.grades(bob=7)
    [course, column] = sorted(published.plan().reasons, key=len)
    assert re.fullmatch(told("2 of 6 decreases"), course)
    assert re.fullmatch(told("2 of 6 decreases in Oral"), column)


def test_what_waited_before_calls_said_for_what_still_waits(published: Scene) -> None:
    published.grades(ann=3, bob=4)
    published.plan()
    with published.world.intake.store.writing() as session:
        for intent in session.query(PublishIntent).where(PublishIntent.state == "planned"):
            intent.holds = None
    published.grades(bob=7)
    planned = published.plan()
    assert [line.after for line in planned.held.lines] == [{"score": "3"}]
    assert re.fullmatch(told("2 of 6 decreases in Oral; 2 of 6 decreases"), planned.reasons[0])


def test_a_call_keeps_what_held_it_first_while_it_waits(published: Scene, passing: Clock) -> None:
    published.grades(ann=3, bob=4)
    published.plan()
    passing.pass_by(3600)
    published.grades(cy=5)
    published.plan()
    assert first_hold(published, "3").since < first_hold(published, "5").since
    assert (first_hold(published, "3").words, first_hold(published, "5").words) == (
        "2 of 6 decreases in Oral",
        "3 of 6 decreases in Oral",
    )


def first_hold(scene: Scene, score: str) -> Hold:
    [intent] = [each for each in scene.rows(PublishIntent) if each.after == {"score": score}]
    return Hold(**intent.holds[0])


# missing learners


def test_missing_learners_hold_nothing_more_once_a_person_knows_of_them(published: Scene) -> None:
    published.play("enrol", user="gil")
    published.grades(gil=7, nobody=7, noone=7)
    held = published.plan().held
    assert [line.learner for line in held.lines] == ["gil"]
    published.approve(held.digest)
    published.publish()
    published.grades(ann=8, nobody=9)
    assert [line.learner for line in published.plan(again=True).free.lines] == ["ann"]
    published.grades(noone_else=7, not_her=7)
    planned = published.plan(again=True)
    assert [line.learner for line in planned.free.lines] == []
    assert planned.reasons == ["2 of 9 unmatched in Oral"]


def test_what_was_approved_though_learners_are_missing_stays_so_as_long_as_it_waits(
    published: Scene, passing: Clock
) -> None:
    published.play("enrol", user="gil")
    published.grades(gil=7, nobody=7, noone=7)
    published.approve(published.plan().held.digest)
    passing.pass_by(25 * 3600)
    assert [line.learner for line in published.plan().free.lines] == ["gil"]


def test_what_waited_for_missing_learners_goes_once_they_are_there(published: Scene) -> None:
    published.grades(ann=8, gil=7, hal=7)
    assert [line.learner for line in published.plan().held.lines] == ["ann"]
    published.play("enrol", user="gil")
    assert [line.learner for line in published.plan(again=True).held.lines] == ["ann"]
    published.play("enrol", user="hal")
    assert [line.learner for line in published.plan(again=True).free.lines] == ["ann", "gil", "hal"]


def test_learners_who_left_after_their_grade_was_told_hold_nothing(published: Scene) -> None:
    for learner in ("ann", "bob", "cy"):
        published.play("disable", user=learner)
    published.grades(dee=8)
    assert [line.learner for line in published.plan(everything=True, again=True).free.lines] == ["dee"]


def test_a_grade_without_a_place_there_yet_is_approved_once(published: Scene, passing: Clock) -> None:
    for learner in ("gil", "hal"):
        published.play("enrol", user=learner, populated=False)
    published.grades(gil=0, hal=0)
    published.approve(published.plan().held.digest)
    for _ in range(2):
        sent = published.publish(everything=True, again=True)
        assert dict(sent.outcomes) == {"PARKED": 2}
        passing.pass_by(25 * 3600)
    published.play("populate", user="gil")
    published.grades(hal=1)
    planned = published.plan(everything=True, again=True)
    assert {line.learner: line.after["score"] for line in planned.free.lines} == {"gil": "0", "hal": "1"}
    published.publish()
    [gil] = [each.id for each in published.rows(Learner) if each.source_id == "gil"]
    approved = [each.approved_by for each in published.rows(PublishIntent) if each.learner_id == gil]
    assert (approved[0], published.there()["Oral"]["gil"]) == ("Eva", "0")
