"""From a session file to schedules in Questionmark, by the DAG and against a running sandbox."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.models import DagRun
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.utils.session import create_session
from sqlalchemy import select, text

from fixtures.dagruns import Ran
from fixtures.sandboxes import Sandbox
from gradeway import clock
from gradeway.errors import ReasonMissingError
from gradeway.intake import Intake
from gradeway.orchestration import exams
from gradeway.store.exams import Intent, Plan, SessionSchedule
from gradeway.store.models import Batch

HEADER = "session_deliveryId,group_name,session_name,session_startDate,session_endDate\n"
Run = Callable[..., Ran]


def session(number: int, day: int = 10) -> str:
    return f"Anatomy midterm,Nursing 1A,Anatomy {number},2031-01-{day}T08:00:00Z,2031-01-{day}T10:00:00Z\n"


@pytest.fixture
def tenant(questionmark_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The sandbox, as the Connection names it."""
    place = questionmark_sandbox.url.removeprefix("http://").rstrip("/")
    monkeypatch.setenv("AIRFLOW_CONN_GRADEWAY_QUESTIONMARK", f"http://sandbox:sandbox@{place}?administrator=101")
    return questionmark_sandbox


@pytest.fixture
def drop(intake: Intake) -> Callable[[str, str], Path]:
    """Put a file into the inbox of the sessions."""

    def put(name: str, rows: str) -> Path:
        path = intake.zone.inbox("sessions") / name
        path.write_text(HEADER + rows)
        return path

    return put


def schedules(tenant: Sandbox) -> dict[str, str]:
    return {item["Name"]: item["StartFrom"] for page in tenant.pages("Schedules") for item in page["value"]}


def writes(tenant: Sandbox) -> list[dict[str, object]]:
    return [entry for entry in tenant.log() if entry["method"] in {"POST", "PATCH"} and entry["took_effect"]]


def test_a_session_file_becomes_schedules_and_a_changed_one_exactly_the_changes(
    intake: Intake, tenant: Sandbox, drop: Callable[[str, str], Path], run: Run
) -> None:
    drop("a.csv", "".join(map(session, range(10))))
    first = run("sync_sessions")
    assert first.run.state == "success"
    assert (first.states["apply"], first.states["ask"]) == ("success", "skipped")
    assert len(schedules(tenant)) == 10
    with intake.store.session() as store:
        assert len(store.scalars(select(SessionSchedule)).all()) == 10
    before = len(writes(tenant))

    drop("b.csv", session(3, day=11) + "".join(map(session, (4, 5))))
    run("sync_sessions")
    (change,) = writes(tenant)[before:]
    assert (change["method"], sorted(change["properties"])) == ("PATCH", ["StartFrom", "StartTo"])  # type: ignore[call-overload]

    again = run("sync_sessions")
    assert again.run.state == "success"
    assert (again.states["apply"], again.states["done"]) == ("skipped", "success")
    assert len(writes(tenant)) == before + 1


def test_what_moves_many_exams_waits_for_a_person_and_keeps_nothing_else_back(
    intake: Intake, tenant: Sandbox, drop: Callable[[str, str], Path], run: Run
) -> None:
    drop("a.csv", "".join(map(session, range(10))))
    run("sync_sessions")
    drop("b.csv", "".join(session(number, day=12) for number in range(8)) + session(10))
    before = len(asked())
    held = run("sync_sessions")
    assert (held.run.state, held.states["apply"], held.states["ask"]) == ("success", "success", "success")
    assert (held.result("apply"), len(schedules(tenant)), moved(tenant)) == ({"CREATED": 1}, 11, 0)
    question = asked()[-1]
    assert len(asked()) == before + 1
    assert question["told"].startswith(
        "8 update, of 10 exams:\n\n- Anatomy 0: StartFrom 2031-01-10T08:00:00Z -\\> 2031-01-12"
    )

    drop("c.csv", session(11))
    again = run("sync_sessions")
    assert (again.states["apply"], len(schedules(tenant)), moved(tenant)) == ("success", 12, 0)
    assert len(asked()) == before + 1, "the same changes are asked about once a day"

    exams.approve(question["plan"], {"responded_by_user": {"name": "admin"}, "params_input": {"reason": "snow"}})
    assert exams.apply(question["plan"]) == {"UPDATED": 8}
    assert moved(tenant) == 8
    with intake.store.session() as store:
        kept = store.scalars(select(Plan).where(Plan.digest == question["plan"])).one()
        assert (kept.approved_by, kept.reason, kept.applied_at is None) == ("admin", "snow", False)


def test_an_approval_without_a_reason_is_none_and_is_asked_for_again(
    intake: Intake,
    tenant: Sandbox,
    drop: Callable[[str, str], Path],
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drop("a.csv", "".join(map(session, range(10))))
    run("sync_sessions")
    drop("b.csv", "".join(session(number, day=12) for number in range(8)))
    run("sync_sessions")
    before, plan = len(asked()), asked()[-1]["plan"]
    with pytest.raises(ReasonMissingError, match="the next run asks again"):
        exams.approve(plan, {"responded_by_user": {"name": "admin"}, "params_input": {"reason": ""}})
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(hours=1))
    run("sync_sessions")
    assert (len(asked()), asked()[-1]["plan"], moved(tenant)) == (before + 1, plan, 0)


def test_a_write_that_fails_keeps_no_question_back(
    intake: Intake, tenant: Sandbox, drop: Callable[[str, str], Path], run: Run
) -> None:
    drop("a.csv", "".join(map(session, range(10))))
    run("sync_sessions")
    drop("b.csv", "".join(session(number, day=12) for number in range(8)) + session(10))
    tenant.act("faults", [{"match": "POST */Schedules", "kind": "status", "status": 400, "times": 99}])
    before = len(asked())
    ran = run("sync_sessions")
    assert (ran.run.state, ran.states["apply"], ran.states["ask"]) == ("failed", "failed", "success")
    assert len(asked()) == before + 1


def moved(tenant: Sandbox) -> int:
    return sum("-12T" in start for start in schedules(tenant).values())


def asked() -> list[dict[str, str]]:
    """Return what runs that ask were given."""
    with create_session() as session:
        triggered = DagRun.dag_id == exams.APPROVE, DagRun.run_id.not_like("manual__%")
        return [dict(run.conf) for run in session.scalars(select(DagRun).where(*triggered).order_by(DagRun.id))]


@pytest.mark.parametrize(("answer", "outcome", "moves"), [("Approve", "success", 8), ("Reject", "skipped", 0)])
def test_the_answer_decides(
    intake: Intake,
    tenant: Sandbox,
    drop: Callable[[str, str], Path],
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    outcome: str,
    moves: int,
) -> None:
    drop("a.csv", "".join(map(session, range(10))))
    run("sync_sessions")
    drop("b.csv", "".join(session(number, day=12) for number in range(8)))
    intake.sweep(inbox="sessions")
    planned = exams.plan()
    assert planned["hash"] == ""

    def answered(self: ApprovalOperator, context: Any) -> dict[str, Any]:  # noqa: ANN401
        event = {"chosen_options": [answer], "params_input": {"reason": "snow"}, "timedout": False}
        event |= {"responded_at": datetime.now(UTC), "responded_by_user": {"id": "1", "name": "admin"}}
        result: dict[str, Any] = self.execute_complete(context=context, event=event)
        return result

    monkeypatch.setattr(ApprovalOperator, "execute", answered)
    ran = run("approve_sessions", plan=planned["held"], told=planned["told"])
    assert ran.run.state == "success"
    assert (ran.states["apply"], moved(tenant)) == (outcome, moves)


def test_a_tenant_that_is_away_fails_the_run_and_the_next_one_does_it_all(
    intake: Intake, tenant: Sandbox, drop: Callable[[str, str], Path], run: Run
) -> None:
    drop("a.csv", "".join(map(session, range(3))))
    tenant.act("faults", [{"match": "POST */Schedules", "kind": "drop_after"}])
    run("sync_sessions")
    ran = run("sync_sessions")
    assert ran.run.state == "success"
    assert len(schedules(tenant)) == 3
    with intake.store.session() as store:
        assert {intent.state for intent in store.scalars(select(Intent))} <= {"done", "dropped"}


COLUMNS = "courseId|name|points|optionalData\nANAT1|Midterm|100|SESSION=Anatomy 1\n"
GRADES = """
SELECT learner.source_id, grade.value FROM grade JOIN learner ON learner.id = grade.learner_id ORDER BY 1
"""


def test_results_come_home_as_grades(
    intake: Intake, tenant: Sandbox, drop: Callable[[str, str], Path], run: Run
) -> None:
    drop("a.csv", "".join(map(session, range(3))).replace("2031", "2020").replace("2020-01-10T10", "2040-01-10T10"))
    run("sync_sessions")
    with intake.store.session() as store:
        names = dict(store.execute(text(SCHEDULES)).tuples().all())
    learners = [each["ID"] for each in tenant.get("Groups(410002)/Participants")["value"][:3]]
    for learner, score in zip(learners[:2], (30, 45), strict=True):
        tenant.play(names["Anatomy 1"], learner, "start")
        tenant.play(names["Anatomy 1"], learner, "finish", score=score, max=50)
    tenant.play(names["Anatomy 1"], learners[2], "start")
    first = run("collect_results")
    assert first.run.state == "success"
    with intake.store.session() as store:
        assert store.execute(text(GRADES)).all() == []  # the column is not there yet
    (intake.zone.inbox("grades") / "c.colnc").write_text(COLUMNS)
    assert run("load_grades").events == {"gradeway_columns", "gradeway_grades"}
    with intake.store.session() as store:
        grades = [tuple(row) for row in store.execute(text(GRADES))]
    assert sorted(value for _, value in grades) == ["60", "90"]

    tenant.play(names["Anatomy 1"], learners[2], "finish", score=50, max=50)
    second = run("collect_results")
    assert second.events == {"gradeway_grades"}
    with intake.store.session() as store:
        assert sorted(value for _, value in store.execute(text(GRADES)).tuples()) == ["100", "60", "90"]
    third = run("collect_results")
    assert (third.events, third.states["announce_gradeway_grades"]) == (set(), "skipped")
    said = first.results + second.results
    assert not [name for name, _ in grades if name in said]


SCHEDULES = "SELECT name, schedule_id FROM session_schedule JOIN exam_session ON exam_session.id = session_id"


def test_without_a_connection_there_is_nothing_to_do(
    intake: Intake, drop: Callable[[str, str], Path], run: Run
) -> None:
    drop("a.csv", session(1))
    ran = run("sync_sessions")
    assert ran.run.state == "success"
    assert (ran.states["take"], ran.states["plan"], ran.states["apply"]) == ("success", "skipped", "skipped")
    assert run("collect_results").states["collect"] == "skipped"
    assert [batch.state for batch in batches(intake)] == ["loaded"]


def batches(intake: Intake) -> list[Batch]:
    with intake.store.session() as store:
        return list(store.scalars(select(Batch)))
