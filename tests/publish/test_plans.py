"""Plans: every call with before and after, the same calls under the same digest, none of them begun twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gradeway.errors import UnknownPlanError
from gradeway.publish import outbox
from gradeway.publish.compare import compare
from gradeway.publish.ours import Ours, read_ours
from gradeway.publish.overview import Waiting, to_ask
from gradeway.publish.plan import Line, Made, Part
from gradeway.store.exams import Plan
from gradeway.store.models import Course
from gradeway.store.publish import LEARN, Action, Kind, PublishIntent, State
from publish.scene import MakeScene, Scene

NOW = datetime(2026, 11, 2, tzinfo=UTC)
LINE = Line(Kind.GRADE, Action.UPDATE, "Oral", 1, {"score": "8"}, {"score": "7"}, "_1_1", learner="ann", learner_id=3)


def test_the_same_calls_have_the_same_digest_in_whichever_store_they_are_planned() -> None:
    twin = replace(LINE, entity_id=5, learner_id=6, seen_index=9, value="8.0")
    assert Part("C", [LINE]).digest == Part("C", [twin]).digest


@pytest.mark.parametrize(
    "other",
    [
        replace(LINE, after={"score": "9"}),
        replace(LINE, before={"score": "6"}),
        replace(LINE, before=None),
        replace(LINE, learner="bob"),
        replace(LINE, name="Essay"),
        replace(LINE, remote_id="_2_1"),
        replace(LINE, action=Action.CREATE),
    ],
)
def test_another_call_has_another_digest(other: Line) -> None:
    assert Part("C", [LINE]).digest != Part("C", [other]).digest
    assert Part("C", [LINE]).digest != Part("C", [LINE, other]).digest


def test_order_and_course_count_too() -> None:
    one, two = LINE, replace(LINE, learner="bob")
    assert len({Part(course, lines).digest for course in "CD" for lines in ([one, two], [two, one])}) == 4


def test_a_line_names_nobody_when_it_is_shown() -> None:
    assert "ann" not in repr(LINE)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"score": "7"}, {"score": "8"}, "score 7 -> 8"),
        (None, {"text": "A"}, "text A"),
        ({"due": "2026-12-01T23:59:00Z"}, {"due": None}, "due 2026-12-01T23:59:00Z -> none"),
        ({"anonymous": True}, {"anonymous": False}, "anonymous yes -> no"),
        (None, {"name": "Oral", "due": None, "description": ""}, "name Oral"),
        ({"symbols": [["A", "90", "100", "100"], ["F", "0", "90", "45"]]},
         {"symbols": [["P", "0", "100", "100"]]}, "symbols A=90/F=0 -> P=0"),
        (None, {"title": "Week 1", "folder": ["Tasks", "Old"]}, "title Week 1, folder Tasks/Old"),
    ],
)  # fmt: skip
def test_what_a_call_changes_in_words(before: dict[str, object] | None, after: dict[str, object], words: str) -> None:
    assert replace(LINE, before=before, after=after).in_words == words


# kept in the store


@pytest.fixture
def due(scene: Scene) -> Scene:
    """A course with a column, an assignment and a grade that are due."""
    scene.column()
    scene.assignment()
    scene.grades(ann=7)
    return scene


def look(scene: Scene) -> tuple[Made, Ours]:
    """Compare the course, and keep nothing."""
    store = scene.world.intake.store
    with store.session() as session, scene.client() as client:
        course = session.query(Course).filter_by(source_id=scene.course).one()
        ours = read_ours(session, LEARN, course)
        session.expunge_all()
        return compare(ours, client, scene.settings), ours


def keep(scene: Scene, made: Made, ours: Ours) -> outbox.Planned | None:
    return outbox.keep(scene.world.intake.store, LEARN, made, ours, scene.settings)


def test_planning_twice_is_planning_once(due: Scene) -> None:
    first, second = due.plan(), due.plan()
    assert first.free.digest == second.free.digest
    assert (due.count(Plan), due.count(PublishIntent)) == (1, len(first.free.lines))


def test_a_plan_tells_how_many_calls_of_which_kind_it_has(due: Scene) -> None:
    assert due.plan().free.counts == {
        "column assign": 1, "column create": 1, "column update": 1, "folder create": 1, "grade create": 1,
    }  # fmt: skip


def test_what_was_begun_after_the_look_is_not_planned_twice(due: Scene) -> None:
    due.plan()
    made, ours = look(due)
    before = due.mark()
    due.publish()  # which begins and ends just these calls
    assert keep(due, made, ours) is None
    due.publish()
    writes = due.writes(before)
    assert len(writes) == len(set(writes)) == 5
    assert len(due.remote_columns()) == 3


def test_what_was_planned_after_the_look_is_replaced(due: Scene) -> None:
    made, ours = look(due)
    due.grades(ann=8)
    old = due.plan().free.digest
    kept = keep(due, made, ours)
    assert kept is not None
    assert {plan.digest for plan in due.rows(Plan)} == {kept.free.digest} != {old}
    due.publish()  # where what was overtaken is not sent
    due.publish()
    assert due.there() == {"Oral": {"ann": "8"}, "Project": {}}


def test_a_plan_that_was_replaced_cannot_be_begun(due: Scene) -> None:
    digest = due.plan().free.digest
    due.column("Essay")
    due.plan()
    with pytest.raises(UnknownPlanError):
        outbox.begin(due.world.intake.store, LEARN, digest, due.settings)


def test_what_is_under_way_is_planned_by_nobody(due: Scene) -> None:
    digest = due.plan().free.digest
    outbox.begin(due.world.intake.store, LEARN, digest, due.settings)
    assert {each.state for each in due.rows(PublishIntent)} == {State.OPEN}
    assert due.due() == due.due(again=True) == []
    due.column("Essay")
    planned = due.plan()
    assert [line.name for line in planned.free.lines] == ["Essay"]
    due.publish()
    assert due.there() == {"Oral": {"ann": "7"}, "Project": {}, "Essay": {}}


def test_the_same_calls_later_are_a_plan_anew(make_scene: MakeScene) -> None:
    scene = make_scene(publish_brakes="changes=0/0")
    scene.column()
    scene.grades(ann=7)
    scene.publish()
    digests = []
    for value in ("8", "7.0", "8.0"):  # the same bytes would be no new file
        scene.grades(ann=value)
        held = scene.plan().held
        digests.append(held.digest)
        assert scene.publish().outcomes == {}
        scene.approve(held.digest)
        scene.publish()
    assert digests[0] == digests[2] != digests[1]
    assert scene.there() == {"Oral": {"ann": "8"}}


def test_of_many_plans_those_are_asked_about_first_that_nobody_was() -> None:
    days = {"a": 2, "b": None, "c": 1, "d": 3, "e": None}
    plans = [
        Waiting(name, "C", [], {}, NOW, approved=name == "e", asked_at=NOW + timedelta(days=day) if day else None)
        for name, day in days.items()
    ]
    assert [each.digest for each in to_ask(plans, 3)] == ["b", "c", "a"]
