"""Grades that a person changed: kept, listed, and written over only when a person decided so, about just that."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gradeway.errors import NothingToResolveError, UnknownCourseError
from gradeway.store.publish import GradeConflict, GradeReceipt, Resolution
from publish.scene import MakeScene, Scene

KINDS = pytest.mark.parametrize("kind", ["Classic", "Ultra"])
KEEP, TAKE = Resolution.KEEP, Resolution.TAKE

# What a person can do with a grade of 7, and what is there then.
DEEDS: dict[str, tuple[Callable[[Scene], None], str | None, str]] = {
    "changed": (lambda scene: scene.play("grade", user="ann", score=5), "5", "somebody changed it there"),
    "exempted": (lambda scene: scene.play("exempt", user="ann"), "exempt", "somebody changed it there"),
    "cleared": (lambda scene: scene.play("clear", user="ann"), None, "somebody cleared it there"),
}
DONE = pytest.mark.parametrize("deed", DEEDS)


@pytest.fixture
def told(scene: Scene) -> Scene:
    """A course in which ann's 7 and bob's 8 are published."""
    return tell(scene)


def tell(scene: Scene) -> Scene:
    scene.column()
    scene.grades(ann=7, bob=8)
    scene.publish()
    return scene


def at_ann(scene: Scene) -> str | None:
    found: dict[str, str] = scene.there()["Oral"]
    return found.get("ann")


@KINDS
@DONE
def test_what_a_person_did_stays_and_is_listed(make_scene: MakeScene, kind: str, deed: str) -> None:
    scene = tell(make_scene(kind))
    do, there, what = DEEDS[deed]
    do(scene)
    scene.grades(ann=9, bob=9)
    scene.publish()
    scene.publish(again=True)
    scene.publish(everything=True)
    assert (at_ann(scene), scene.there()["Oral"]["bob"]) == (there, "9")
    [conflict] = scene.rows(GradeConflict)
    assert (conflict.ours, conflict.what, conflict.resolution) == ("9", what, Resolution.OPEN)
    assert scene.due() == []


@KINDS
def test_what_a_person_gave_first_stays_and_is_listed(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind)
    scene.site.play(scene.course, "add", name="Oral", possible=20)
    scene.play("grade", user="ann", score=5)
    scene.column()
    scene.grades(ann=7, bob=8)
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "5", "bob": "8"}}
    [conflict] = scene.rows(GradeConflict)
    assert (conflict.ours, conflict.theirs_score, conflict.what) == ("7", 5, "somebody gave it there before us")
    assert scene.count(GradeReceipt) == 1


@DONE
def test_what_a_person_did_is_found_by_a_look_at_everything_though_ours_did_not_change(told: Scene, deed: str) -> None:
    do, there, _ = DEEDS[deed]
    do(told)
    assert told.due() == []
    before = told.mark()
    told.publish(everything=True)
    assert (told.writes(before), at_ann(told)) == ([], there)
    assert [ours for ours, _, _ in told.conflicts()] == ["7"]


def test_a_symbol_that_now_stands_for_another_score_was_changed_too(scene: Scene) -> None:
    scene.schemas("Letters|A=90:F=0")
    scene.column(schema="Letters")
    scene.grades(ann="A")
    scene.publish()
    scene.play("grade", user="ann", score=19)  # which is an A as well
    scene.publish(everything=True)
    scene.grades(ann="F")
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "19"}}
    assert [ours for ours, _, _ in scene.conflicts()] == ["F"]


def test_a_schema_that_shows_grades_otherwise_makes_no_conflict(scene: Scene) -> None:
    scene.schemas("Letters|A=90:F=0")
    scene.column(schema="Letters")
    scene.grades(ann="A", bob=7)
    scene.publish()
    scene.play("schema", schema="Percentage")
    scene.grades(ann=3, bob=8)
    scene.publish()
    assert (scene.there(), scene.conflicts()) == ({"Oral": {"ann": "3", "bob": "8"}}, [])


def test_feedback_is_no_change_of_a_grade(told: Scene) -> None:
    told.play("feedback", user="ann", text="well done")
    told.grades(ann=9)
    told.publish()
    assert (at_ann(told), told.conflicts()) == ("9", [])


def test_what_a_person_took_back_is_no_conflict_any_more(told: Scene) -> None:
    told.play("grade", user="ann", score=5)
    told.publish(everything=True)
    assert len(told.conflicts()) == 1
    told.play("grade", user="ann", score=7)
    told.publish(everything=True)
    assert told.conflicts() == []
    told.grades(ann=9)
    told.publish()
    assert at_ann(told) == "9"


def test_where_a_person_and_the_file_came_to_the_same_there_is_no_conflict(told: Scene) -> None:
    told.play("grade", user="ann", score=9)
    told.publish(everything=True)
    told.grades(ann=9)
    told.publish()
    assert told.conflicts() == []
    told.grades(ann=10)
    told.publish()
    assert at_ann(told) == "10"


def test_a_conflict_about_a_value_that_ours_is_no_more_is_looked_at_again(told: Scene) -> None:
    told.play("grade", user="ann", score=5)
    told.grades(ann=9)
    told.publish()
    told.grades(ann="7.0")  # as it was told
    assert told.due() == [told.course]
    told.publish()
    assert (told.conflicts(), told.due()) == ([("7", "5", Resolution.OPEN)], [])
    told.play("grade", user="ann", score=7)
    told.grades(ann="9.0")
    told.publish()
    assert (told.conflicts(), at_ann(told)) == ([], "9")


def test_a_conflict_about_a_grade_that_we_have_no_more_and_never_told_is_forgotten(scene: Scene) -> None:
    scene.site.play(scene.course, "add", name="Oral", possible=20)
    scene.play("grade", user="ann", score=5)
    scene.column()
    scene.grades(ann=7)
    scene.publish()
    assert len(scene.conflicts()) == 1
    scene.remove_grades("Oral", "ann")
    before = scene.mark()
    scene.publish()
    assert (scene.conflicts(), scene.calls(before), scene.there()) == ([], [], {"Oral": {"ann": "5"}})


# what is decided


@DONE
def test_theirs_is_kept_for_just_these_two_values(told: Scene, deed: str) -> None:
    do, there, _ = DEEDS[deed]
    do(told)
    told.grades(ann=9)
    told.publish()
    assert told.decide(KEEP, "Oral", "ann") == 1
    for how in ({}, {"again": True}, {"everything": True}):
        told.publish(**how)
    assert (at_ann(told), told.due(again=True)) == (there, [])
    assert [resolution for *_, resolution in told.conflicts()] == [KEEP]
    told.grades(ann=10)  # ours changed: it has to be decided again
    told.publish()
    assert (at_ann(told), [resolution for *_, resolution in told.conflicts()]) == (there, [Resolution.OPEN])
    [conflict] = told.rows(GradeConflict)
    assert (conflict.resolved_by, conflict.reason, conflict.resolved_at) == ("", "", None)


def test_a_kept_grade_that_a_person_changed_once_more_is_a_conflict_again(told: Scene) -> None:
    told.play("grade", user="ann", score=5)
    told.publish(everything=True)
    told.decide(KEEP)
    told.play("grade", user="ann", score=6)
    told.publish(everything=True)
    assert (at_ann(told), told.conflicts()) == ("6", [("7", "6", Resolution.OPEN)])


@KINDS
@DONE
def test_ours_is_taken_for_just_these_two_values(make_scene: MakeScene, kind: str, deed: str) -> None:
    scene = tell(make_scene(kind))
    do, _, _ = DEEDS[deed]
    do(scene)
    scene.grades(ann=9)
    scene.publish()
    scene.decide(TAKE, "Oral", "ann")
    assert scene.due() == [scene.course]
    scene.publish()
    assert (at_ann(scene), scene.conflicts(), scene.due()) == ("9", [], [])
    do(scene)  # the decision was carried out, so this is another matter
    scene.publish(everything=True)
    assert at_ann(scene) != "9"
    assert [resolution for *_, resolution in scene.conflicts()] == [Resolution.OPEN]


@DONE
def test_ours_can_be_taken_though_it_did_not_change(told: Scene, deed: str) -> None:
    do, _, _ = DEEDS[deed]
    do(told)
    told.publish(everything=True)
    told.decide(TAKE)
    told.publish()
    assert (at_ann(told), told.conflicts(), told.due()) == ("7", [], [])


def test_a_decision_to_take_ours_is_void_once_theirs_has_changed(told: Scene) -> None:
    told.play("grade", user="ann", score=5)
    told.publish(everything=True)
    told.decide(TAKE)
    told.play("grade", user="ann", score=6)
    told.publish()
    assert (at_ann(told), told.conflicts()) == ("6", [("7", "6", Resolution.OPEN)])


def test_a_decision_to_take_ours_is_void_once_ours_has_changed(told: Scene) -> None:
    told.play("grade", user="ann", score=5)
    told.publish(everything=True)
    told.decide(TAKE)
    told.grades(ann=8)
    told.publish()
    assert (at_ann(told), told.conflicts()) == ("5", [("8", "5", Resolution.OPEN)])


def test_a_decision_survives_that_the_course_is_planned_before_it_is_carried_out(told: Scene) -> None:
    told.play("grade", user="ann", score=5)
    told.publish(everything=True)
    told.decide(TAKE)
    for _ in range(2):
        assert [line.after for line in told.plan(everything=True).free.lines] == [{"score": "7"}]
    told.publish()
    assert at_ann(told) == "7"


def test_a_decision_can_be_taken_back_until_it_was_carried_out(told: Scene) -> None:
    told.play("grade", user="ann", score=5)
    told.publish(everything=True)
    told.decide(TAKE, "Oral", "ann")
    told.decide(KEEP, "Oral", "ann")
    told.publish()
    assert at_ann(told) == "5"


def test_a_wrong_decision_about_a_column_is_changed_by_another(told: Scene) -> None:
    for user in ("ann", "bob"):
        told.play("grade", user=user, score=5)
    told.grades(ann=9, bob=10)
    told.publish()
    assert told.decide(KEEP, "Oral") == 2
    told.publish(everything=True)
    assert told.there()["Oral"] == {"ann": "5", "bob": "5"}
    assert told.decide(TAKE, "Oral", "bob") == 1
    assert told.decide(TAKE, "Oral") == 1  # bob's is decided so already
    told.publish()
    assert told.there()["Oral"] == {"ann": "9", "bob": "10"}
    with pytest.raises(NothingToResolveError):  # it is carried out
        told.decide(KEEP, "Oral")


def test_all_conflicts_of_a_column_or_of_a_course_are_decided_at_once(scene: Scene) -> None:
    for column in ("Oral", "Essay"):
        scene.column(column)
        scene.grades(column=column, ann=7, bob=8)
    scene.publish()
    for column in ("Oral", "Essay"):
        for user in ("ann", "bob"):
            scene.play("grade", column, user, score=5)
    scene.publish(everything=True)
    assert scene.decide(TAKE, "Essay") == 2
    assert scene.decide(KEEP) == 2  # but for what is decided
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "5", "bob": "5"}, "Essay": {"ann": "7", "bob": "8"}}
    assert {(each.resolved_by, each.reason) for each in scene.rows(GradeConflict)} == {("Eva", "asked the teacher")}


def test_only_what_is_a_conflict_can_be_decided(told: Scene) -> None:
    with pytest.raises(NothingToResolveError, match="Oral") as error:
        told.decide(KEEP, "Oral", "ann")
    assert "ann" not in str(error.value)
    told.play("grade", user="ann", score=5)
    told.publish(everything=True)
    for column, learner in (("Essay", ""), ("Oral", "bob")):
        with pytest.raises(NothingToResolveError):
            told.decide(KEEP, column, learner)
    told.course = "nowhere"
    with pytest.raises(UnknownCourseError):
        told.decide(KEEP)
