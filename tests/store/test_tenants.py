"""A store knows one tenant of a system: the ids of another mean nothing to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import literal, select

from gradeway import clock
from gradeway.errors import SyncBusyError, TenantChangedError
from gradeway.store import tenants
from gradeway.store.custody import ASSESSMENTQ, FileState, Reach, ResultFile, ResultUpload
from gradeway.store.engine import Store
from gradeway.store.exams import QUESTIONMARK, Attempt, ExamSession, Intent, Plan, SessionGroup, SessionSchedule, Tenant
from gradeway.store.lock import COLLECT, PLAN, SEND, SYNC, alone
from gradeway.store.models import Base
from gradeway.store.publish import (
    FILES,
    LEARN,
    ComparedCourse,
    DayOfCalls,
    GradeConflict,
    GradeReceipt,
    PublishedItem,
    PublishIntent,
    PublishProblem,
)

GIVEN: dict[str, Any] = {"given": {}, "batch_id": 1, "line": 1}
COMMANDS = {
    QUESTIONMARK: "`gradeway sessions forget`",
    ASSESSMENTQ: "`gradeway aqr forget`",
    LEARN: "`gradeway publish forget`",
    FILES: "`gradeway publish forget`",
}
RUNS = [
    (QUESTIONMARK, SYNC),
    (QUESTIONMARK, COLLECT),
    (ASSESSMENTQ, f"{COLLECT}-{ASSESSMENTQ}"),
    (LEARN, PLAN),
    (LEARN, SEND),
    (FILES, PLAN),
    (FILES, SEND),
]
# Whose the rows of a table are.
WHOSE: dict[type[Base], Any] = {
    **{table: select(table.system) for table in (Tenant, Attempt, Intent, Plan, ResultUpload, Reach, DayOfCalls)},
    **{
        table: select(table.target)
        for table in (GradeReceipt, GradeConflict, PublishedItem, PublishProblem, ComparedCourse)
    },
    PublishIntent: select(Plan.system).join(PublishIntent, PublishIntent.plan_id == Plan.id),
    SessionSchedule: select(literal(QUESTIONMARK)).select_from(SessionSchedule),
}


LEFT = {"result_row"}  # says where a grade came from, which stays


@pytest.fixture
def store(empty_store: str) -> Iterator[Store]:
    made = Store(empty_store)
    yield made
    made.engine.dispose()


@pytest.mark.parametrize("system", COMMANDS)
def test_another_tenant_is_refused_until_the_first_is_forgotten(store: Store, system: str) -> None:
    tenants.hold(store, system, "https://one.example/deliveryodata/123456/")
    tenants.hold(store, system, "https://ONE.example:443/deliveryodata/123456")
    with pytest.raises(TenantChangedError, match=COMMANDS[system]) as refused:
        tenants.hold(store, system, "https://one.example/deliveryodata/654321/")
    assert "one.example/deliveryodata/123456" in str(refused.value)
    assert tenants.known(store, system) == tenants.Known("one.example/deliveryodata/123456", 0)
    tenants.forget(store, system)
    assert tenants.known(store, system) is None
    assert tenants.forget(store, system) is None
    tenants.hold(store, system, "https://one.example/deliveryodata/654321/")


@pytest.mark.parametrize(("system", "run"), RUNS)
def test_a_tenant_is_not_forgotten_under_a_run(store: Store, empty_store: str, system: str, run: str) -> None:
    tenants.hold(store, system, "https://one.example/")
    with alone(Store(empty_store), run), pytest.raises(SyncBusyError):
        tenants.forget(store, system)
    with pytest.raises(TenantChangedError):
        tenants.hold(store, system, "https://other.example/")
    tenants.forget(store, system)


def test_no_table_that_knows_tenants_is_left_out() -> None:
    knowing = {table.name for table in Base.metadata.sorted_tables if {"system", "target"} & {*table.columns.keys()}}
    assert knowing - LEFT == {table.__tablename__ for table in WHOSE} & knowing


def fill(store: Store) -> None:
    """Let the store know something of every tenant, in every table that knows anything of one."""
    now = clock.now()
    known: list[Base] = [Tenant(system=system, place="one.example") for system in COMMANDS]
    known.append(SessionSchedule(session_id=1, schedule_id=7, told={}, synced_at=now))
    for system in (QUESTIONMARK, ASSESSMENTQ):
        known.append(Attempt(system=system, attempt="1", schedule_id=1, participant="1", seen_at=now))
    sent = {"sha256": "0" * 64, "size": 1, "state": "final", "tries": 1, "sent_at": now}
    known.append(ResultUpload(system=ASSESSMENTQ, **sent))
    known.append(Reach(system=ASSESSMENTQ, online=True, since=now, seen_at=now))
    plans = [Plan(system=system, digest="0" * 64, content={}, made_at=now) for system in (QUESTIONMARK, LEARN, FILES)]
    with store.writing() as session:
        for some in ([SessionGroup(id=1, name="G", **GIVEN)], [_session()], plans):
            session.add_all(some)
            session.flush()
        same = {"action": "create", "state": "done"}
        known.append(Intent(plan_id=plans[0].id, system=QUESTIONMARK, subject="S", body={}, **same))
        for plan in plans[1:]:
            about = {"course_id": 1, "kind": "grade", "name": "Oral", "entity_id": 1, "after": {}}
            known.append(PublishIntent(plan_id=plan.id, **about, **same))
            known += _published(plan.system)
        session.add_all(known)


def _session() -> ExamSession:
    lists: dict[str, Any] = {name: [] for name in ("security", "review", "accessibility", "plugins", "report")}
    return ExamSession(id=1, name="S", group_id=1, **lists, **GIVEN)


def _published(target: str) -> list[Base]:
    now = clock.now()
    key: dict[str, Any] = {"target": target, "column_id": 1, "learner_id": 1}
    about: dict[str, Any] = {"target": target, "course_id": 1, "kind": "column", "entity_id": 1}
    return [
        DayOfCalls(system=target, day=now.date(), calls=3),
        ComparedCourse(target=target, course_id=1, at=now, whole_at=now),
        GradeReceipt(**key, value="7", change_index=1, at=now),
        GradeConflict(**key, course_id=1, what="", found_at=now),
        PublishedItem(**about, remote_id="_1_1", told={}, stamp="", told_at=now),
        PublishProblem(**about, learner_id=0, code="REFUSED", found_at=now),
    ]


def rows(store: Store) -> set[tuple[str, str]]:
    """Return of which systems there are rows in which table."""
    with store.session() as session:
        return {(table.__tablename__, whose) for table, query in WHOSE.items() for whose in session.scalars(query)}


@pytest.mark.parametrize("system", COMMANDS)
def test_all_of_a_system_is_forgotten_and_nothing_of_the_others(store: Store, system: str) -> None:
    fill(store)
    before = rows(store)
    assert {whose for _, whose in before} == {*COMMANDS}
    assert {table for table, _ in before} == {table.__tablename__ for table in WHOSE}
    assert tenants.forget(store, system) == tenants.Known("one.example", 1)
    assert rows(store) == {row for row in before if row[1] != system}
    with store.session() as session:
        assert session.get(ExamSession, 1), "sessions are ours"


def test_files_that_are_not_put_away_wait_for_the_new_server(store: Store) -> None:
    seen = {"folder": "/inbox", "size": 1, "modified_ns": 1, "found_at": clock.now()}
    with store.writing() as session:
        session.add_all(ResultFile(place=state, state=state, detail="said", **seen) for state in FileState)
    tenants.forget(store, ASSESSMENTQ)
    with store.session() as session:
        now = {row.place: (row.state, row.detail) for row in session.scalars(select(ResultFile))}
    again = {FileState.SENT, FileState.REFUSED}
    assert now == {state: (FileState.WAITING, "") if state in again else (state, "said") for state in FileState}
