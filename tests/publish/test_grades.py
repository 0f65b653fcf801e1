"""Grades: each with a receipt, to just the learner that the file means, and told where that is not possible."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gradeway.publish.survey import There
from gradeway.store.models import Learner
from gradeway.store.publish import GradeReceipt
from gradeway.vendors.learn_records import DisplayGrade, Grade
from publish.scene import MakeScene, Scene

KINDS = pytest.mark.parametrize("kind", ["Classic", "Ultra"])


def receipts(scene: Scene) -> dict[str, GradeReceipt]:
    with scene.world.intake.store.session() as session:
        names = {learner.id: learner.source_id for learner in session.query(Learner)}
    return {names[receipt.learner_id]: receipt for receipt in scene.rows(GradeReceipt)}


@KINDS
def test_each_grade_has_a_receipt_of_what_the_gradebook_answered(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind)
    scene.schemas("Letter|P=50:F=0")
    scene.column(schema="Letter")
    scene.grades(ann=7, bob="P", cy="0.1234567")
    scene.publish()
    found = receipts(scene)
    said = {name: (each.value, each.score, each.text) for name, each in found.items()}
    assert said == {
        "ann": ("7", Decimal(7), "F"),
        "bob": ("P", Decimal(20), "P"),
        "cy": ("0.1234567", Decimal("0.12346"), "F"),
    }
    assert all(each.change_index > 0 and each.intent_id and each.first_score is None for each in found.values())
    assert scene.due() == []


@KINDS
def test_a_grade_of_more_decimals_than_a_gradebook_keeps_is_told_once(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind)
    scene.column()
    scene.grades(ann="0.1234567")
    scene.publish()
    before = scene.mark()
    scene.publish(everything=True)
    assert scene.writes(before) == []


def test_a_value_that_the_gradebook_has_already_is_noted_and_not_sent(scene: Scene) -> None:
    scene.site.play(scene.course, "add", name="Oral", possible=20)
    scene.play("grade", user="ann", score=7)
    scene.column()
    scene.grades(ann=7)
    before = scene.mark()
    scene.publish()
    assert [call for call in scene.writes(before) if "/users/" in call] == []
    found = receipts(scene)["ann"]
    assert (found.value, found.intent_id, found.first_score) == ("7", None, Decimal(7))
    scene.grades(ann=8)  # it was agreed, so ours goes on from there
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "8"}}
    assert receipts(scene)["ann"].first_score == Decimal(7)


@KINDS
def test_grades_of_a_new_column_go_with_it_in_one_run(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind)
    scene.column()
    scene.grades(ann=7)
    column, grade = scene.plan().free.lines
    named = column.after["external_id"]
    assert (column.action, column.in_words) == (
        "create", f"name Oral, possible 20, external_id {named}, available yes"
    )  # fmt: skip
    assert (grade.action, grade.in_words) == ("create", "score 7")
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "7"}}


def test_columns_that_are_due_first_get_their_grades_first(scene: Scene) -> None:
    for name, due in (("Late", "2026-12-01"), ("Never", ""), ("Soon", "2026-11-01")):
        scene.column(name, due=due)
        scene.grades(column=name, ann=7)
    lines = [line for line in scene.plan().free.lines if line.kind == "grade"]
    assert [line.name for line in lines] == ["Soon", "Late", "Never"]


# learners


def test_who_cannot_be_graded_is_told_and_the_others_are_graded(scene: Scene) -> None:
    scene.play("enrol", user="tom", role="Instructor")
    scene.play("disable", user="bob")
    scene.column()
    scene.grades(ann=7, bob=8, tom=9, nobody=10)
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "7"}}
    codes = {(code, name) for code, name in scene.problems()}
    assert codes == {("LEARNER_DISABLED", "Oral"), ("LEARNER_ROLE", "Oral"), ("LEARNER_UNKNOWN", "Oral")}
    assert all(each.value and each.learner_id for each in scene.all_problems())


def test_who_could_not_be_graded_is_graded_by_the_next_run_that_looks_again(scene: Scene) -> None:
    scene.play("disable", user="bob")
    scene.column()
    scene.grades(ann=7, bob=8, new=9)
    scene.publish()
    scene.play("enable", user="bob")
    scene.play("enrol", user="new")
    assert (scene.due(), scene.due(again=True)) == ([], [scene.course])
    scene.publish(again=True)
    assert scene.there() == {"Oral": {"ann": "7", "bob": "8", "new": "9"}}
    assert (scene.problems(), scene.due(again=True)) == ([], [])


def test_a_learner_who_is_written_in_another_case_is_found(scene: Scene) -> None:
    scene.column()
    scene.grades(ANN=7)
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "7"}}


def test_who_differs_by_case_only_is_found_when_written_just_so(scene: Scene) -> None:
    scene.play("enrol", user="Ann")
    scene.column()
    scene.grades(ann=7, ANN=8)
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "7"}}
    assert scene.problems() == [("LEARNER_AMBIGUOUS", "Oral")]


@KINDS
def test_learners_can_be_known_by_their_batch_uid(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind, publish_learner_id="externalId")
    scene.column()
    scene.land("colncval", "courseId|userId|name|value", "{c}|S-ann|Oral|7", "{c}|ann|Oral|8")
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "7"}}
    assert scene.problems() == [("LEARNER_UNKNOWN", "Oral")]


def test_of_a_batch_uid_the_case_counts_and_of_a_login_it_does_not(make_scene: MakeScene) -> None:
    by_uid = make_scene(publish_learner_id="externalId")
    by_uid.column()
    by_uid.land("colncval", "courseId|userId|name|value", "{c}|s-ann|Oral|7", "{c}|S-bob|Oral|8")
    by_uid.publish()
    assert by_uid.there() == {"Oral": {"bob": "8"}}
    assert by_uid.problems() == [("LEARNER_UNKNOWN", "Oral")]
    by_login = make_scene()
    by_login.column()
    by_login.grades(ANN=7)
    by_login.publish()
    assert by_login.there() == {"Oral": {"ann": "7"}}


def test_a_learner_without_a_place_for_grades_yet_is_tried_only_when_it_is_looked_again(scene: Scene) -> None:
    scene.play("enrol", user="new", populated=False)
    scene.column()
    scene.grades(new=7, ann=8)
    scene.publish()
    assert (scene.there(), scene.problems()) == ({"Oral": {"ann": "8"}}, [("NOT_POPULATED", "Oral")])
    scene.grades(ann=9)
    before = scene.mark()
    scene.publish()
    assert len(scene.writes(before)) == 1
    assert (scene.there(), scene.problems()) == ({"Oral": {"ann": "9"}}, [("NOT_POPULATED", "Oral")])
    scene.play("populate", user="new")
    scene.publish(again=True)
    assert (scene.there(), scene.problems()) == ({"Oral": {"ann": "9", "new": "7"}}, [])


def test_a_grade_of_more_decimals_than_are_kept_is_told_and_sent_once(scene: Scene) -> None:
    scene.column()
    scene.grades(ann="0.000001", bob="7.123455", cy="7.50")
    said = {line.learner: line.in_words for line in scene.plan().free.lines if line.learner}
    assert said == {
        "ann": "score 0, rounded from 0.000001",
        "bob": "score 7.12346, rounded from 7.123455",
        "cy": "score 7.5",
    }
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "0", "bob": "7.12346", "cy": "7.5"}}
    before = scene.mark()
    scene.publish(everything=True)
    assert (scene.writes(before), scene.due()) == ([], [])


# what a gradebook refuses


def test_a_refused_grade_is_not_sent_again_before_it_changed(scene: Scene) -> None:
    scene.schemas("Letters|A=90:F=0")
    scene.column(schema="Letters")
    scene.publish()
    scene.play("schema", schema="Score")  # in which no symbol is a grade
    scene.grades(ann="A", bob=7)
    scene.publish()
    refused = [("CHANGED_THERE", "Oral"), ("GRADE_REFUSED", "Oral")]
    assert (scene.there(), scene.problems()) == ({"Oral": {"bob": "7"}}, refused)
    scene.grades(bob=8)
    before = scene.mark()
    scene.publish()
    assert (len(scene.writes(before)), scene.problems()) == (1, refused)
    scene.grades(ann=9)
    scene.publish()
    assert (scene.there(), scene.problems()) == ({"Oral": {"ann": "9", "bob": "8"}}, refused[:1])


def test_a_symbol_that_would_clear_the_grade_is_not_sent(scene: Scene) -> None:
    scene.schemas("Letters|A=90:-=0")
    scene.column(schema="Letters")
    scene.grades(ann="A", bob="-")
    scene.publish()
    assert (scene.there(), scene.problems()) == ({"Oral": {"ann": "20"}}, [("GRADE_REFUSED", "Oral")])


def test_a_refused_change_of_a_column_keeps_no_grade_back(scene: Scene) -> None:
    scene.column()
    scene.publish()
    scene.site.act("faults", [{"match": "PATCH */columns/*", "kind": "status", "status": 400}])
    scene.column(points=30)
    scene.publish()
    assert scene.problems() == [("REFUSED", "Oral")]
    scene.grades(ann=7)
    assert scene.due() == [scene.course]
    before = scene.mark()
    scene.publish()
    assert len(scene.writes(before)) == 1
    assert (scene.there(), scene.problems(), scene.due()) == ({"Oral": {"ann": "7"}}, [("REFUSED", "Oral")], [])
    scene.publish(again=True)
    assert (scene.remote_column("Oral")["score"]["possible"], scene.problems()) == (30, [])


# what stands there, read


def test_a_percentage_that_is_shown_is_read_as_points() -> None:
    shown = DisplayGrade(scale_type="Percent", score=Decimal(80), possible=Decimal(50), text="80%")
    assert There.of(Grade(user_id="_1_1", display_grade=shown)).score == 40


def test_a_dash_is_no_grade() -> None:
    assert There.of(Grade(user_id="_1_1", text="-", display_grade=DisplayGrade(text="-"))).is_empty
