"""Housekeeping of publishing: what is over goes, what stands in the gradebook can be told for ever."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from gradeway import clock
from gradeway.publish.purge import purge
from gradeway.publish.why import lives
from gradeway.store.exams import Plan
from gradeway.store.lock import PLAN, alone
from gradeway.store.publish import (
    LEARN,
    DayOfCalls,
    GradeConflict,
    GradeReceipt,
    PublishIntent,
    PublishProblem,
    State,
)
from loading.installations import BOTH_KINDS
from loading.world import World
from publish.conftest import LEARNERS
from publish.scene import Scene
from sessions.exams import Clock

pytestmark = BOTH_KINDS
DAY = 86_400
NOTHING = {"calls": 0, "problems": 0, "conflicts": 0, "days_of_calls": 0}


def tidy(scene: Scene, days: int = 400) -> dict[str, int]:
    return purge(scene.world.intake.store, clock.now() - timedelta(days=days))


def why(scene: Scene, learner: str) -> list[str]:
    """What is told of a grade's way into the gradebook."""
    with scene.world.intake.store.session() as session:
        events = lives(session, LEARN, scene.course, learner, "Oral")[0].events
    return [f"{event.what}: {event.detail}" for event in events if event.what.startswith(("sent", "the gradebook"))]


def test_the_call_that_a_receipt_names_stays_as_long_as_what_it_wrote_stands(scene: Scene, passing: Clock) -> None:
    scene.column()
    scene.grades(**dict.fromkeys(LEARNERS, 15))
    scene.publish()
    scene.grades(**dict.fromkeys(LEARNERS, 2))
    scene.approve(scene.plan().held.digest)
    scene.publish()
    before = why(scene, "ann")
    assert [each.split(":")[0] for each in before] == ["sent, CREATED", "sent, UPDATED", "the gradebook has"]
    passing.pass_by(DAY)
    scene.grades(bob=9)
    scene.publish()
    passing.pass_by(400 * DAY - 1)
    assert tidy(scene) == NOTHING | {"calls": 1 + 6 + 1, "days_of_calls": 2}
    told = {each.intent_id for each in scene.rows(GradeReceipt)}
    assert {each.id for each in scene.rows(PublishIntent)} == told
    assert {each.id for each in scene.rows(Plan)} == {each.plan_id for each in scene.rows(PublishIntent)}
    assert why(scene, "ann") == before[1:]
    assert "approved by Eva: is right" in before[1]
    since = scene.mark()
    scene.publish(everything=True)
    assert (scene.writes(since), scene.due(), tidy(scene)) == ([], [], NOTHING)


def test_what_has_not_ended_stays_however_old_it_is(scene: Scene, passing: Clock) -> None:
    scene.column()
    scene.grades(ann=7)
    scene.publish()
    scene.grades(ann=8, bob=9, cy=10, dee=11)
    digest = scene.plan().free.digest
    with scene.world.intake.store.writing() as session:
        planned = list(session.scalars(select(PublishIntent).where(PublishIntent.state == State.PLANNED)))
        for intent, state in zip(planned, (State.OPEN, State.SENT, State.UNKNOWN), strict=False):
            intent.state, intent.ended_at = state, clock.now()
    passing.pass_by(500 * DAY)
    assert tidy(scene)["calls"] == 1
    states = [each.state for each in scene.rows(PublishIntent)]
    assert sorted(states) == ["done", "open", "planned", "sent", "unknown"]
    assert digest in {each.digest for each in scene.rows(Plan)}


def test_nothing_is_deleted_under_a_run_that_plans(scene: Scene, passing: Clock) -> None:
    scene.column()
    scene.publish()
    passing.pass_by(500 * DAY)
    with alone(scene.world.intake.store, PLAN):
        assert tidy(scene) == NOTHING
    assert tidy(scene)["calls"] == 1
    assert scene.count(Plan) == 0


def test_days_of_calls_stay_for_a_week(world: World, passing: Clock) -> None:
    store, today = world.intake.store, passing.now().date()
    days = [today - timedelta(days=number) for number in (0, 7, 8, 30)]
    with store.writing() as session:
        session.add_all(DayOfCalls(system=LEARN, day=day, calls=1) for day in days)
    assert purge(store, passing.now()) == NOTHING | {"days_of_calls": 2}
    with store.session() as session:
        assert set(session.scalars(select(DayOfCalls.day))) == set(days[:2])


def test_troubles_of_columns_that_are_no_more_go_and_those_of_columns_that_stand_there_stay(scene: Scene) -> None:
    for name in ("Oral", "Essay"):
        scene.column(name)
        scene.grades(column=name, ann=7)
    scene.columns("{c}|Sum|20||", suffix="col")
    scene.land("colnc", "courseId|name", "nowhere|Oral", "elsewhere|Oral")
    scene.publish()
    scene.play("grade", user="bob", score=19)
    scene.play("grade", user="ann", score=5)
    scene.remove_column("Oral")
    scene.publish()
    known = [("COLUMN_IN_USE", "Oral"), ("COURSE_UNKNOWN", "elsewhere"), ("COURSE_UNKNOWN", "nowhere")]
    assert scene.problems() == [*known, ("UNSUPPORTED_CALCULATED", "Sum")]
    assert scene.conflicts() == [(None, "5", "")]
    assert tidy(scene) == NOTHING

    scene.remove_column("Sum")
    nowhere = Scene(scene.world, scene.site, "nowhere")
    nowhere.remove_column("Oral")
    gone = {"target": LEARN, "learner_id": 1, "course_id": 1, "found_at": clock.now()}
    with scene.world.intake.store.writing() as session:
        session.add(GradeConflict(column_id=999, what="somebody changed it there", **gone))
        for kind in ("schema", "folder", "grade"):
            session.add(PublishProblem(kind=kind, entity_id=999, code="REFUSED", **gone))
    assert tidy(scene) == NOTHING | {"problems": 2 + 3, "conflicts": 1}
    assert scene.problems() == known[:2]
    assert scene.conflicts() == [(None, "5", "")]
