"""What the store has no more: earlier values come back, and what a person changed since stays."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import select

from gradeway.errors import UnknownPlanError
from gradeway.publish.grades import CLEARED
from gradeway.publish.why import lives
from gradeway.store.models import GradeColumn
from gradeway.store.publish import LEARN, GradeConflict, GradeReceipt, PublishedItem
from publish.scene import MakeScene, Scene
from publish.trouble import spoil

KINDS = pytest.mark.parametrize("kind", ["Classic", "Ultra"])


def undo(scene: Scene, *, column: str = "Oral", **values: object) -> None:
    """Let the store have other values again, or none."""
    scene.remove_grades(column, *[name for name, value in values.items() if value is None])
    if back := {name: value for name, value in values.items() if value is not None}:
        scene.grades(column=column, **back)


@KINDS
def test_an_earlier_value_comes_back_and_a_grade_that_is_gone_is_cleared(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind)
    scene.column()
    scene.grades(ann=7)
    scene.publish()
    scene.grades(ann=8, bob=9)
    scene.publish()
    undo(scene, ann=7.0, bob=None)
    planned = scene.plan()
    assert [line.in_words for line in planned.free.lines] == ["score 8 -> 7"]
    assert [(line.after, line.before) for line in planned.held.lines] == [(CLEARED, {"score": "9", "text": "9"})]
    scene.approve(planned.held.digest)
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "7"}}
    assert (scene.count(GradeReceipt), scene.due()) == (1, [])
    before = scene.mark()
    scene.publish(everything=True)
    assert scene.writes(before) == []


@KINDS
def test_an_undone_batch_is_undone_there_and_what_a_person_changed_since_is_listed_as_kept(
    make_scene: MakeScene, kind: str
) -> None:
    scene = make_scene(kind)
    scene.column()
    scene.column("Essay", points=100)
    scene.grades(ann=7, bob=8)
    scene.publish()
    right = scene.there()
    scene.grades(ann=17, bob=18, cy=19)
    scene.world.land("wrong.colnc", "courseId|name|points", f"{scene.course}|Essay|10", f"{scene.course}|Wrong|10")
    scene.publish()
    scene.play("grade", user="bob", score=5)
    wrong_grades, wrong_columns = (batch.id for batch in scene.world.batches()[-2:])
    for batch in (wrong_columns, wrong_grades):
        scene.world.undo(batch)
    scene.publish_all()
    assert scene.there() == {**right, "Oral": {"ann": "7", "bob": "5"}}
    assert scene.remote_column("Essay")["score"]["possible"] == 100
    assert scene.conflicts() == [("8", "5", "")]
    assert (scene.problems(), scene.due()) == ([], [])
    scene.decide_all("take")
    scene.publish()
    assert scene.there() == right
    with scene.world.intake.store.session() as session:
        told = [(event.what, event.detail) for event in lives(session, LEARN, scene.course, "ann", "Oral")[0].events]
    assert ("undone", f"batch {wrong_grades} (f.colncval) was undone by batch {wrong_grades + 3}") in told


def test_what_stood_there_before_us_comes_back(scene: Scene) -> None:
    scene.site.play(scene.course, "add", name="Oral", possible=20)
    scene.play("grade", user="ann", score=5)
    scene.column()
    scene.grades(ann=7, bob=8)
    scene.publish()
    scene.decide_all()
    scene.publish()
    scene.grades(ann=9)
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "9", "bob": "8"}}
    undo(scene, ann=None, bob=None)
    scene.publish_all()
    assert (scene.there(), scene.count(GradeReceipt)) == ({"Oral": {"ann": "5"}}, 0)


@pytest.mark.parametrize("first", [5, 8])
def test_where_an_attempt_was_graded_before_us_attempts_count_again(scene: Scene, first: int) -> None:
    scene.assignment()
    scene.publish()
    scene.play("attempt", "Project", "ann", score=first)
    scene.grades(column="Project", ann=8)  # which may be what is there already
    scene.publish()
    scene.decide_all() if first != 8 else None
    scene.publish()
    scene.grades(column="Project", ann=9)
    scene.publish()
    assert scene.there() == {"Project": {"ann": "9"}}
    undo(scene, column="Project", ann=None)
    scene.publish_all()
    assert (scene.there(), scene.count(GradeReceipt)) == ({"Project": {"ann": str(first)}}, 0)
    scene.play("attempt", "Project", "ann", score=15)
    assert scene.there() == {"Project": {"ann": "15"}}


def test_where_somebody_let_an_attempt_count_again_there_is_nothing_to_take_back(scene: Scene) -> None:
    scene.assignment()
    scene.grades(column="Project", ann=8)
    scene.publish()
    scene.play("attempt", "Project", "ann", score=5)
    scene.play("clear", "Project", "ann")
    undo(scene, column="Project", ann=None)
    scene.publish()
    assert (scene.there(), scene.conflicts()) == ({"Project": {"ann": "5"}}, [])
    assert (scene.count(GradeReceipt), scene.due()) == (0, [])


def test_what_we_only_found_there_is_left_when_it_is_ours_no_more(scene: Scene) -> None:
    scene.site.play(scene.course, "add", name="Oral", possible=20)
    scene.play("grade", user="ann", score=7)
    scene.column()
    scene.grades(ann=7)
    scene.publish()
    undo(scene, ann=None)
    before = scene.mark()
    scene.publish()
    assert (scene.writes(before), scene.there()) == ([], {"Oral": {"ann": "7"}})
    assert (scene.count(GradeReceipt), scene.due()) == (0, [])


@KINDS
def test_a_grade_that_a_person_changed_since_stays_and_is_listed(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind)
    scene.column()
    scene.grades(ann=7, bob=8)
    scene.publish()
    scene.play("grade", user="ann", score=5)
    scene.play("clear", user="bob")
    undo(scene, ann=None, bob=None)
    scene.publish()
    assert (scene.there(), scene.conflicts()) == ({"Oral": {"ann": "5"}}, [(None, "5", "")])
    assert scene.due() == []
    scene.publish(again=True)
    assert scene.there() == {"Oral": {"ann": "5"}}


def test_a_person_decides_about_a_grade_that_is_ours_no_more(scene: Scene) -> None:
    scene.column()
    scene.grades(ann=7, bob=8)
    scene.publish()
    for user in ("ann", "bob"):
        scene.play("grade", user=user, score=5)
    undo(scene, ann=None, bob=None)
    scene.publish()
    scene.decide_all("keep", "ann")
    scene.decide_all("take", "bob")
    scene.publish_all()
    assert scene.there() == {"Oral": {"ann": "5"}}
    assert scene.due(again=True) == []


def test_a_symbol_comes_back_as_what_it_counted(scene: Scene) -> None:
    scene.schemas("Letters|A=90:F=0")
    scene.site.play(scene.course, "add", name="Oral", possible=20)
    scene.column(schema="Letters")
    scene.publish()
    scene.play("grade", user="ann", score=19)
    scene.grades(ann="F")
    scene.publish()
    scene.decide_all()
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "9"}}
    undo(scene, ann=None)
    scene.publish_all()
    assert scene.there() == {"Oral": {"ann": "19"}}


# columns


@KINDS
def test_a_column_that_we_made_is_deleted_once_it_was_approved(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind)
    scene.column()
    scene.grades(ann=7, bob=8)
    scene.publish()
    scene.remove_column("Oral")
    planned = scene.plan()
    assert [brake.in_words for brake in planned.brakes] == ["2 of 2 deletions in Oral", "2 of 2 deletions"]
    scene.publish()
    assert (scene.there(), scene.due()) == ({"Oral": {"ann": "7", "bob": "8"}}, [])
    scene.approve(planned.held.digest)
    scene.publish()
    assert (scene.there(), scene.due()) == ({}, [])
    assert (scene.count(GradeReceipt), scene.count(PublishedItem)) == (0, 0)


@KINDS
def test_a_column_in_which_a_person_gave_grades_stays_with_just_those(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind)
    scene.column()
    scene.grades(ann=7, bob=8)
    scene.publish()
    scene.play("grade", user="cy", score=9)
    scene.play("grade", user="bob", score=5)
    scene.remove_column("Oral")
    scene.publish_all()
    assert scene.there() == {"Oral": {"bob": "5", "cy": "9"}}
    assert scene.problems() == [("COLUMN_IN_USE", "Oral")]
    assert (scene.conflicts(), scene.due()) == ([(None, "5", "")], [])


@KINDS
def test_a_column_stays_that_has_a_persons_grade_of_somebody_who_is_disabled(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind)
    scene.column()
    scene.grades(bob=8)
    scene.publish()
    scene.play("grade", user="ann", score=5)
    scene.play("disable", user="ann")
    scene.remove_column("Oral")
    scene.publish_all()
    assert scene.problems() == [("COLUMN_IN_USE", "Oral")]
    scene.play("enable", user="ann")
    assert scene.there() == {"Oral": {"ann": "5"}}


def test_a_column_is_deleted_with_our_own_grade_of_somebody_who_is_disabled(scene: Scene) -> None:
    scene.column()
    scene.grades(ann=7)
    scene.publish()
    scene.play("disable", user="ann")
    scene.remove_column("Oral")
    scene.publish_all()
    assert (scene.there(), scene.problems(), scene.due()) == ({}, [], [])


def test_a_column_stays_if_we_may_not_see_what_somebody_who_is_disabled_has_in_it(scene: Scene) -> None:
    scene.column()
    scene.publish()
    scene.play("disable", user="ann")
    scene.remove_column("Oral")
    spoil(scene, "GET gradebook/columns/*/users", kind="status", status=403)
    scene.publish_all()
    assert [(each.code, each.detail[:7]) for each in scene.all_problems()] == [("COLUMN_IN_USE", "perhaps")]
    scene.publish(again=True)
    scene.publish_all()
    assert scene.there() == {}


def test_a_column_in_which_a_person_gives_a_grade_while_its_end_waits_for_approval_stays(scene: Scene) -> None:
    scene.column()
    scene.publish()
    scene.remove_column("Oral")
    planned = scene.plan()
    scene.play("grade", user="ann", score=5)
    scene.approve(planned.held.digest)
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "5"}}


def test_a_teachers_column_stays_without_our_grades(scene: Scene) -> None:
    scene.site.play(scene.course, "add", name="Oral", possible=20)
    scene.play("grade", user="ann", score=5)
    scene.column()
    scene.grades(bob=8)
    scene.publish()
    scene.remove_column("Oral")
    scene.publish_all()
    assert (scene.there(), scene.due()) == ({"Oral": {"ann": "5"}}, [])
    scene.publish(everything=True)
    assert scene.count(PublishedItem) == 0


def test_a_column_that_somebody_deleted_there_too_is_forgotten(scene: Scene) -> None:
    scene.column()
    scene.grades(ann=7)
    scene.publish()
    scene.play("delete")
    scene.remove_column("Oral")
    scene.publish()
    assert (scene.count(GradeReceipt), scene.count(PublishedItem), scene.due()) == (0, 0, [])


@KINDS
def test_a_column_that_somebody_deleted_there_is_not_made_again_because_it_went_and_came_back_here(
    make_scene: MakeScene, kind: str
) -> None:
    scene = make_scene(kind)
    scene.column()
    scene.grades(ann=7)
    scene.publish()
    scene.play("delete")
    scene.remove_column("Oral")
    scene.column(points=21)
    scene.grades(ann=8)
    scene.publish_all()
    assert (scene.there(), scene.problems()) == ({}, [("COLUMN_GONE", "Oral"), ("COLUMN_WAITED_FOR", "Oral")])
    scene.insist("Oral")
    scene.publish()
    assert (scene.there(), scene.problems(), scene.due()) == ({"Oral": {"ann": "8"}}, [], [])


def test_a_column_that_comes_back_goes_on_with_what_was_told_of_it(scene: Scene) -> None:
    scene.column()
    scene.grades(ann=7, bob=7, cy=7, dee=7)
    scene.publish()
    scene.play("grade", user="cy", score=5)
    scene.publish(everything=True)
    scene.decide_all("keep")
    scene.remove_column("Oral")
    assert {line.action for line in scene.plan().held.lines} == {"clear"}  # as there is a grade that is not ours
    scene.publish_all()
    assert scene.there() == {"Oral": {"cy": "5"}}
    scene.column(points=21)
    scene.grades(ann=8, cy="7.0")
    before = scene.mark()
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "8", "cy": "5"}}
    assert len(scene.writes(before)) == 2
    assert (scene.conflicts(), scene.problems(), scene.due()) == ([("7", "5", "")], [], [])


def test_what_is_left_of_an_older_column_gives_way_to_what_was_told_of_one_that_comes_back(scene: Scene) -> None:
    scene.column()
    scene.grades(ann=7)
    scene.publish()
    [told] = scene.rows(GradeReceipt)
    scene.column("Essay")  # so that the number of the first one is not given again
    scene.remove_column("Oral")
    scene.column(points=21)
    scene.grades(ann=8)
    with scene.world.intake.store.writing() as session:
        new = session.scalars(select(GradeColumn.id).where(GradeColumn.name == "Oral")).one()
        assert new != told.column_id
        key = {"target": LEARN, "column_id": new, "learner_id": told.learner_id}
        session.add(GradeReceipt(**key, value="1", score=Decimal(1), text="1", change_index=1, at=told.at))
        of_conflict = {"course_id": 1, "ours": "8", "what": "long ago", "found_at": told.at}
        session.add(GradeConflict(**key, **of_conflict))
    scene.publish()
    assert (scene.there(), scene.conflicts()) == ({"Oral": {"ann": "8"}, "Essay": {}}, [])
    [receipt] = scene.rows(GradeReceipt)
    assert (receipt.column_id, receipt.value) == (new, "8")


def test_a_column_that_comes_back_before_its_end_was_approved_is_not_deleted(scene: Scene) -> None:
    scene.column()
    scene.grades(ann=7, bob=7)
    scene.publish()
    scene.remove_column("Oral")
    held = scene.plan().held
    assert [line.action for line in held.lines] == ["delete"]
    scene.column(points=21)
    scene.grades(ann=8)
    before = scene.mark()
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "8", "bob": "7"}}
    assert len(scene.writes(before)) == 2
    [item] = scene.rows(PublishedItem)
    assert (item.made, scene.count(GradeReceipt)) == (True, 2)
    with pytest.raises(UnknownPlanError):
        scene.approve(held.digest)
    scene.publish_all()
    assert scene.there() == {"Oral": {"ann": "8"}}
    assert (scene.conflicts(), scene.problems()) == ([], [])
