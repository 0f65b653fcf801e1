"""The store against the gradebook: each difference is listed with its reason, and nothing is kept or sent."""

from __future__ import annotations

import pytest

from gradeway.errors import BudgetSpentError, UnknownCourseError
from gradeway.publish.calls import calls_today, count_calls
from gradeway.publish.outbox import begin
from gradeway.publish.reconcile import NOT_ENDED, Difference, Reconciled, reconcile
from gradeway.store.publish import LEARN, GradeConflict, PublishIntent
from publish.conftest import MakeCourse
from publish.scene import Scene
from publish.trouble import heal, spoil

NEXT_RUN = "not published yet: the next run does it"
EACH_NIGHT = "not published yet: the look at whole courses does it, each night, or at once `gradeway publish plan"


def compared(scene: Scene, course: str = "") -> Reconciled:
    """Reconcile a course, and see that nothing came of it but an answer."""
    since, known = scene.mark(), [scene.count(table) for table in (PublishIntent, GradeConflict)]
    with scene.client() as client:
        found = reconcile(scene.world.intake.store, client, scene.settings, course or scene.course)
    assert scene.writes(since) == []
    assert [scene.count(table) for table in (PublishIntent, GradeConflict)] == known
    return found


def about(found: Reconciled, *names: str) -> list[tuple[str, ...]]:
    return [tuple(getattr(each, name) for name in names) for each in found.differences]


@pytest.fixture
def published(one_scene: Scene) -> Scene:
    """A course in which two learners have 7."""
    one_scene.column()
    one_scene.grades(ann=7, bob=7)
    one_scene.publish()
    return one_scene


def test_what_is_published_is_the_same(published: Scene) -> None:
    assert compared(published) == Reconciled(published.course, [], 2)


def test_what_the_next_run_does_is_told_from_what_to_what(published: Scene) -> None:
    published.grades(ann=8)
    found = compared(published)
    assert found.differences == [Difference("grade", "Oral", "ann", "score 8", "score 7, text 7", NEXT_RUN)]
    assert found.same == 1


def test_what_waits_for_approval_is_told_with_what_is_too_much(published: Scene) -> None:
    published.remove_grades("Oral", "ann")
    published.plan()
    [(learner, theirs, why)] = about(compared(published), "learner", "theirs", "why")
    assert (learner, theirs) == ("ann", "score 7, text 7")
    assert why.startswith("waits for approval: 1 of 2 deletions in Oral")


def test_a_grade_of_which_a_call_got_no_answer_is_told_and_not_passed_over(published: Scene) -> None:
    published.grades(ann=8)
    spoil(published, "PATCH */users/*", kind="drop")
    published.publish()
    heal(published)
    [(learner, why)] = about(compared(published), "learner", "why")
    assert (learner, why) == ("ann", "a call about it has not ended: the next run finds out")


@pytest.mark.parametrize(("call", "kind"), [("POST gradebook/schemas", "schema"), ("POST gradebook/columns", "column")])
def test_a_schema_or_column_of_which_a_call_got_no_answer_is_told_with_its_remedy(
    one_scene: Scene, call: str, kind: str
) -> None:
    one_scene.schemas("Letters|A=90:F=0")
    one_scene.column(schema="Letters")
    spoil(one_scene, call, kind="drop")
    one_scene.publish()
    heal(one_scene)
    [(name, why)] = [each[1:] for each in about(compared(one_scene), "kind", "name", "why") if each[0] == kind]
    assert name == {"schema": "Letters", "column": "Oral"}[kind]
    assert why.startswith("OUTCOME_UNKNOWN: ")
    assert why.endswith("nothing is sent twice before")


def test_what_was_begun_and_not_sent_is_told(one_scene: Scene) -> None:
    one_scene.column()
    planned = one_scene.plan()
    begin(one_scene.world.intake.store, LEARN, planned.free.digest, one_scene.settings)
    assert about(compared(one_scene), "kind", "why") == [("column", NOT_ENDED)]


def test_a_column_does_not_wait_because_a_schema_of_the_same_number_does(one_scene: Scene) -> None:
    one_scene.schemas("Letters|A=90:F=0")
    one_scene.column(schema="Letters")
    one_scene.grades(ann="A")
    one_scene.publish()
    one_scene.schemas("Letters|A=80:F=0")
    assert [line.kind for line in one_scene.plan().held.lines] == ["schema"]
    one_scene.column(schema="Letters", due="2026-12-01")
    [schema, column] = about(compared(one_scene), "kind", "why")
    assert schema[0] == "schema"
    assert schema[1].startswith("waits for approval: ")
    assert column == ("column", NEXT_RUN)


@pytest.fixture
def lettered(one_scene: Scene) -> Scene:
    """A course in which one learner has an A."""
    one_scene.schemas("Letters|A=90:F=0")
    one_scene.column(points=20, schema="Letters")
    one_scene.grades(ann="A")
    one_scene.publish()
    return one_scene


def test_what_our_own_change_of_points_made_another_symbol_is_for_the_next_run(lettered: Scene) -> None:
    lettered.column(points=40, schema="Letters")
    lettered.publish()
    assert about(compared(lettered), "learner", "theirs", "why") == [("ann", "score 20, text F", NEXT_RUN)]


def test_what_only_the_look_at_whole_courses_finds_is_for_the_night(lettered: Scene) -> None:
    lettered.play("points", possible=40)
    [grade, column] = about(compared(lettered), "kind", "theirs", "why")
    assert column[0] == "column"
    assert grade[:2] == ("grade", "score 20, text F")
    assert grade[2].startswith(EACH_NIGHT)
    lettered.plan(everything=True)
    assert about(compared(lettered), "kind", "why")[0] == ("grade", NEXT_RUN)


def test_what_is_in_the_way_is_told_with_its_remedy(published: Scene) -> None:
    published.grades(nobody=9)
    [(learner, ours, why)] = about(compared(published), "learner", "ours", "why")
    assert (learner, ours) == ("nobody", "9")
    assert why.startswith("LEARNER_UNKNOWN: ")
    assert "enrol the learner" in why


def test_what_somebody_changed_there_is_kept_whether_it_was_known_or_not(published: Scene) -> None:
    published.play("grade", user="ann", score=19)
    expected = [("ann", "7", "19", "somebody changed it there")]
    shown = ("learner", "ours", "theirs", "why")
    assert about(compared(published), *shown) == expected
    published.publish(everything=True)
    assert about(compared(published), *shown) == expected
    published.decide_all("keep")
    assert about(compared(published), *shown) == [
        ("ann", "7", "19", "somebody changed it there; Eva kept it: asked the teacher")
    ]


def test_what_only_the_gradebook_has_is_listed(published: Scene) -> None:
    published.play("grade", user="cy", score=11)
    assert about(compared(published), "learner", "ours", "theirs", "why") == [
        ("cy", "none", "11", "only the gradebook has it")
    ]


def test_its_calls_come_out_of_the_reserve_and_are_counted_whatever_comes_of_it(published: Scene) -> None:
    store = published.world.intake.store
    count_calls(store, LEARN, 20 - calls_today(store, LEARN))
    since = published.mark()
    with published.client(daily_calls=30, reserve=10) as client:
        assert reconcile(store, client, published.settings, published.course).same == 2
    assert calls_today(store, LEARN) == 20 + len(published.calls(since)) > 20
    with published.client(daily_calls=calls_today(store, LEARN) + 2, reserve=1) as client:
        with pytest.raises(BudgetSpentError):
            reconcile(store, client, published.settings, published.course)
        assert calls_today(store, LEARN) == 20 + len(published.calls(since))


def test_a_course_that_is_not_there_is_one_difference(one_scene: Scene, new_course: MakeCourse) -> None:
    site, _ = new_course()
    lost = Scene(one_scene.world, site, "NOSUCH")
    lost.column()
    [(kind, why)] = about(compared(lost), "kind", "why")
    assert kind == "course"
    assert why.startswith("no course there has this identifier: create the course there")


def test_a_course_that_the_store_does_not_have_is_refused(plain_scene: Scene) -> None:
    with pytest.raises(UnknownCourseError):
        compared(plain_scene, "UNHEARD")
