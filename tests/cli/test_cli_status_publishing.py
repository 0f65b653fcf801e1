"""`gradeway status` on what of plans needs a person: of exams and of the gradebook, each by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gradeway import clock
from gradeway.errors import UnknownPlanError
from gradeway.publish import outbox as publishing
from gradeway.sessions import outbox as sessions
from gradeway.settings import load
from gradeway.store import overview
from gradeway.store.engine import Store
from gradeway.store.exams import QUESTIONMARK, Plan
from gradeway.store.models import Base
from gradeway.store.publish import FILES, LEARN, GradeConflict, PublishIntent, PublishProblem, Resolution, State

Data = Callable[..., dict[str, Any]]
Put = Callable[..., None]
EXAMS, GRADES = "e" * 64, "f" * 64
NOW = datetime(2026, 5, 4, 8, tzinfo=UTC)
CALLS = "changes of the gradebook that wait for approval"
UNANSWERED = "calls to the gradebook without an answer"


@pytest.fixture
def store(home: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    made = Store(load().database_url).ready()
    yield made
    made.engine.dispose()


def put(store: Store, *records: Base) -> None:
    with store.writing() as session:
        session.add_all(records)


def exams(*, made_at: datetime = NOW) -> Plan:
    content = {"changes": [{}, {}], "risky": []}
    return Plan(system=QUESTIONMARK, digest=EXAMS, content=content, made_at=made_at, held_at=made_at)


def grades(target: str = LEARN, *, made_at: datetime = NOW, **more: Any) -> Plan:  # noqa: ANN401
    content = {"course": "ART1", "course_id": 1, "brakes": ["3 of 3 decreases"], "counts": {"grade update": 3}}
    return Plan(system=target, digest=GRADES, content=content, made_at=made_at, held_at=made_at, **more)


def call(plan: int, state: State, sent_at: datetime | None = None) -> PublishIntent:
    about = {"course_id": 1, "kind": "grade", "action": "update", "name": "Oral", "entity_id": 1, "after": {}}
    return PublishIntent(plan_id=plan, state=state, sent_at=sent_at, **about)


def conflict(learner: int, resolution: Resolution = Resolution.OPEN, target: str = LEARN) -> GradeConflict:
    key = {"target": target, "column_id": 1, "learner_id": learner, "course_id": 1}
    return GradeConflict(**key, what="", found_at=NOW, resolution=resolution)


def problem(learner: int, code: str, target: str = LEARN) -> PublishProblem:
    about = {"course_id": 1, "kind": "grade", "entity_id": 1, "learner_id": learner}
    return PublishProblem(target=target, code=code, found_at=NOW, **about)


def attention(data: Data) -> dict[str, str]:
    return {each["what"]: each["remedy"] for each in data("status")["attention"]}


def test_what_waits_of_exams_and_of_grades_is_told_apart(store: Store, data: Data) -> None:
    put(store, exams(made_at=NOW - timedelta(hours=1)))
    assert [*attention(data)] == ["2 changes of exams wait for approval"]
    put(store, grades())
    put(store, call(2, State.PLANNED))
    found = attention(data)
    assert [*found] == ["2 changes of exams wait for approval", f"{CALLS}: 3"]
    assert "approve_sessions" in found["2 changes of exams wait for approval"]
    assert "approve_publication" in found[f"{CALLS}: 3"]
    with store.session() as session:
        assert [plan.digest for plan in overview.waiting_plans(session)] == [EXAMS]


def test_no_plan_is_approved_as_one_of_another_system(store: Store) -> None:
    put(store, exams(), grades())
    put(store, call(2, State.PLANNED))
    with pytest.raises(UnknownPlanError):
        sessions.approve(store, GRADES, "Eva", "is right")
    for target in (LEARN, FILES):
        with pytest.raises(UnknownPlanError):
            publishing.approve(store, target, EXAMS, "Eva", "is right")
    with pytest.raises(UnknownPlanError):
        publishing.approve(store, FILES, GRADES, "Eva", "is right")
    publishing.approve(store, LEARN, GRADES, "Eva", "is right")


def test_what_was_approved_or_decided_needs_nobody(store: Store, data: Data) -> None:
    put(store, grades(approved_at=NOW, approved_by="Eva"))
    put(store, call(1, State.PLANNED), call(1, State.DONE), call(1, State.SENT, NOW), conflict(1, Resolution.KEEP))
    assert attention(data) == {}


def test_conflicts_problems_and_calls_without_an_answer_are_a_line_each(store: Store, data: Data) -> None:
    put(store, grades(), Plan(system=FILES, digest=GRADES, content={}, made_at=NOW))
    put(store, call(1, State.UNKNOWN), call(1, State.SENT, NOW - timedelta(hours=2)), call(2, State.UNKNOWN))
    put(store, conflict(1), conflict(2), conflict(3, Resolution.TAKE), conflict(1, target=FILES))
    put(store, *[problem(learner, "LEARNER_UNKNOWN") for learner in range(1, 4)], problem(4, "OUTCOME_UNKNOWN"))
    put(store, problem(5, "NOT_CARRIED"))
    put(store, problem(1, "REFUSED", FILES))
    found = attention(data)
    assert [*found] == [
        "grades that somebody changed in the gradebook, and nobody decided about: 2",
        "problems of publishing: 3 (LEARNER_UNKNOWN)",
        f"{UNANSWERED}: 2",
    ]
    assert all("`gradeway publish status`" in remedy for remedy in found.values())


def test_a_gradebook_of_files_is_told_of_where_that_is_the_target(
    store: Store, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, problem(1, "LEARNER_UNKNOWN"), problem(1, "REFUSED", FILES), problem(2, "REFUSED", FILES))
    monkeypatch.setenv("GRADEWAY_PUBLISH_TARGET", "files")
    monkeypatch.setenv("GRADEWAY_PUBLISH_FILES_FOLDER", "/outgoing")
    assert [*attention(data)] == ["problems of publishing: 2 (REFUSED)"]
