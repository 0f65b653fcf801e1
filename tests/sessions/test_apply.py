"""Carrying a plan out: exactly that plan, every write once, and what happens when something goes wrong."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gradeway.errors import (
    BrakeError,
    PlanStaleError,
    SettingsError,
    SyncBusyError,
    UnknownOutcomeError,
    UnknownPlanError,
    UnknownSessionError,
    VendorAwayError,
    VendorRefusedError,
)
from gradeway.outcomes import Outcome
from gradeway.sessions import outbox
from gradeway.sessions.reasons import SyncReason
from gradeway.sessions.sync import Applied
from gradeway.sessions.wanted import external_id
from gradeway.store import exams
from gradeway.store.engine import Store
from gradeway.store.exams import Intent, SessionSchedule
from gradeway.store.lock import alone
from gradeway.vendors.connection import Endpoint
from sessions.exams import Clock, change, hours, put, session, syncing
from sessions.tenants import CALL, MemoryTenant

HOUR = 3600


def intents(store: Store) -> list[tuple[str, str, str]]:
    with store.session() as reading:
        found = reading.scalars(select(Intent).order_by(Intent.id))
        return [(each.action, each.state, each.outcome) for each in found]


def links(store: Store) -> dict[int, dict[str, Any]]:
    with store.session() as reading:
        return {each.schedule_id: each.told for each in reading.scalars(select(SessionSchedule))}


def test_applying_makes_the_schedule_and_remembers_it(
    tmp_path: Path, each_store: Store, tenant: MemoryTenant, passing: Clock
) -> None:
    put(each_store, session(plugins=["print"]))
    sync = syncing(each_store, tenant, tmp_path)
    plan = sync.plan()
    assert tenant.writes == 0
    applied = sync.apply(plan.digest)
    assert applied.outcomes == {Outcome.CREATED: 2}
    assert [what for what, _ in tenant.asked] == ["POST", "META 1"]
    assert tenant.schedules[1]["StartFrom"] == "2026-05-04T08:00:00Z"
    assert intents(each_store) == [("create", "done", "CREATED"), ("metadata", "done", "CREATED")]
    assert links(each_store) == {
        1: {"schedule": tenant.asked[0][1], "metadata": {"tao.testRunnerSessionPlugins": "print"}}
    }
    with each_store.session() as reading:
        (kept,) = reading.scalars(select(exams.Plan))
        assert (kept.digest, kept.applied_at, kept.content["counts"]["create"]) == (plan.digest, passing.now(), 1)


def test_a_second_time_there_is_nothing_to_do(tmp_path: Path, store: Store, tenant: MemoryTenant) -> None:
    put(store, *(session(f"Exam {number}", plugins=["print"]) for number in range(3)))
    syncing(store, tenant, tmp_path).apply_now()
    tenant.forget()
    plan = syncing(store, tenant, tmp_path).plan()
    assert (plan.changes, plan.problems, plan.unchanged) == ((), (), 3)
    assert syncing(store, tenant, tmp_path).apply(plan.digest).outcomes == {}
    assert tenant.writes == 0


def test_a_changed_cell_is_one_patch_of_one_property(tmp_path: Path, store: Store, tenant: MemoryTenant) -> None:
    put(store, session("One"), session("Two"))
    syncing(store, tenant, tmp_path).apply_now()
    tenant.forget()
    change(store, "Two", start_at=hours(1))
    assert syncing(store, tenant, tmp_path).apply_now().outcomes == {Outcome.UPDATED: 1}
    assert tenant.asked == [("PATCH 2", {"StartFrom": "2026-05-04T09:00:00Z"})]
    assert links(store)[2]["schedule"]["StartFrom"] == "2026-05-04T09:00:00Z"
    assert links(store)[2]["schedule"]["StartTo"] == "2026-05-04T10:00:00Z"


@pytest.mark.parametrize("side", ["store", "tenant"])
def test_a_plan_that_is_not_the_plan_of_now_is_refused(
    tmp_path: Path, store: Store, tenant: MemoryTenant, side: str
) -> None:
    put(store, session())
    sync = syncing(store, tenant, tmp_path)
    sync.apply_now()
    tenant.forget()
    change(store, "Exam", start_at=hours(1))
    plan = sync.plan()
    if side == "store":
        change(store, "Exam", start_at=hours(1.5))
    else:
        tenant.schedules[1]["StartTo"] = None
    with pytest.raises(PlanStaleError) as stale:
        sync.apply(plan.digest)
    assert tenant.writes == 0
    assert stale.value.digest == sync.plan().digest
    assert sync.apply(stale.value.digest).outcomes == {Outcome.UPDATED: 1}


def test_a_session_that_may_not_be_scheduled_makes_no_call(tmp_path: Path, store: Store, tenant: MemoryTenant) -> None:
    put(store, session("Not ours"), of="Strangers")
    put(store, session("Ours"))
    applied = syncing(store, tenant, tmp_path).apply_now()
    assert [problem.reason for problem in applied.plan.problems] == [SyncReason.NOT_PERMITTED]
    assert [body["Name"] for _, body in tenant.asked] == ["Ours"]


def test_one_refused_write_does_not_stop_the_others(tmp_path: Path, store: Store, tenant: MemoryTenant) -> None:
    put(store, *(session(f"Exam {number}", plugins=["print"]) for number in range(3)))
    tenant.faults = {2: "refused"}
    applied = syncing(store, tenant, tmp_path).apply_now()
    assert applied.outcomes == {Outcome.CREATED: 4, Outcome.REJECTED: 1, Outcome.SKIPPED: 1}
    assert [(failure.session, failure.action) for failure in applied.failures] == [
        ("Exam 1", "create"),
        ("Exam 1", "metadata"),
    ]
    assert syncing(store, tenant, tmp_path).apply_now().outcomes == {Outcome.CREATED: 2}
    assert len(tenant.schedules) == 3


@pytest.mark.parametrize("status", [None, 302, 401, 403, 405])
def test_a_refused_account_stops_the_run(
    tmp_path: Path, store: Store, tenant: MemoryTenant, monkeypatch: pytest.MonkeyPatch, status: int | None
) -> None:
    put(store, session("One"), session("Two"))

    def refuse(_values: object) -> None:
        tenant.asked.append(("POST", {}))
        raise VendorRefusedError(CALL, "answered no", status=status)

    with monkeypatch.context() as patched:
        patched.setattr(tenant, "create_schedule", refuse)
        with pytest.raises(VendorRefusedError):
            syncing(store, tenant, tmp_path).apply_now()
    assert tenant.writes == 1
    assert syncing(store, tenant, tmp_path).apply_now().outcomes == {Outcome.CREATED: 2}


def test_a_service_that_is_away_stops_the_run_and_the_next_goes_on(
    tmp_path: Path, store: Store, tenant: MemoryTenant, passing: Clock
) -> None:
    put(store, *(session(f"Exam {number}") for number in range(3)))
    tenant.faults = {2: "away"}
    with pytest.raises(VendorAwayError):
        syncing(store, tenant, tmp_path).apply_now()
    assert tenant.writes == 2
    assert syncing(store, tenant, tmp_path).apply_now().outcomes == {Outcome.CREATED: 2}
    assert len(tenant.schedules) == 3


def test_a_creation_without_an_answer_that_took_effect_is_found(
    tmp_path: Path, each_store: Store, tenant: MemoryTenant
) -> None:
    put(each_store, session(plugins=["print"]))
    tenant.faults = {1: "unheard", 2: "unheard"}
    assert syncing(each_store, tenant, tmp_path).apply_now().outcomes == {Outcome.CREATED: 2}
    assert [what for what, _ in tenant.asked] == ["POST", "META 1"]
    assert syncing(each_store, tenant, tmp_path).plan().changes == ()


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("fault", ["lost", "late"])
def test_what_adds_and_got_no_answer_is_not_sent_again_before_its_time(
    tmp_path: Path, store: Store, tenant: MemoryTenant, passing: Clock, fault: str, number: int
) -> None:
    put(store, session(plugins=["print"]))
    tenant.faults = {number: fault}
    applied = syncing(store, tenant, tmp_path).apply_now()
    assert applied.outcomes[Outcome.UNKNOWN] == 1
    sent = tenant.writes
    passing.pass_by(30)
    again = syncing(store, tenant, tmp_path).apply_now()
    assert [problem.reason for problem in again.plan.problems] == [SyncReason.OUTCOME_UNKNOWN]
    assert tenant.writes == sent
    passing.pass_by(31)
    last = syncing(store, tenant, tmp_path).apply_now()
    assert last.plan.problems == ()
    assert tenant.writes == {("lost", 1): 3, ("late", 1): 2, ("lost", 2): 3, ("late", 2): 2}[fault, number]
    assert len(tenant.of(external_id("Exam"))) == len(tenant.notes) == 1
    assert syncing(store, tenant, tmp_path).plan().unchanged == 1


def test_the_grace_is_counted_from_when_the_client_gave_up(
    tmp_path: Path, store: Store, tenant: MemoryTenant, passing: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, session())
    real = tenant.create_schedule

    def slow(values: Any) -> Any:  # noqa: ANN401
        passing.pass_by(60)
        return real(values)

    monkeypatch.setattr(tenant, "create_schedule", slow)
    tenant.faults = {1: "late"}
    syncing(store, tenant, tmp_path).apply_now()
    passing.pass_by(30)
    assert syncing(store, tenant, tmp_path).apply_now().outcomes == {}
    passing.pass_by(31)
    syncing(store, tenant, tmp_path).apply_now()
    assert len(tenant.schedules) == 1


@pytest.mark.parametrize("fault", ["lost", "unheard"])
def test_a_change_without_an_answer_is_settled_by_reading(
    tmp_path: Path, store: Store, tenant: MemoryTenant, passing: Clock, fault: str
) -> None:
    put(store, session())
    sync = syncing(store, tenant, tmp_path)
    sync.apply_now()
    change(store, "Exam", start_at=hours(1))
    tenant.forget()
    tenant.faults = {1: fault}
    assert sync.apply_now().outcomes == {Outcome.UPDATED if fault == "unheard" else Outcome.UNKNOWN: 1}
    sync.apply_now()
    assert tenant.writes == (1 if fault == "unheard" else 2)
    assert sync.plan().unchanged == 1


def test_a_service_that_answers_nothing_any_more_stops_the_run(
    tmp_path: Path, store: Store, tenant: MemoryTenant, passing: Clock
) -> None:
    put(store, *(session(f"Exam {number}") for number in range(9)))
    tenant.faults = {2: "lost", 3: "unheard", 4: "lost", 5: "lost", 6: "lost", 7: "lost"}
    with pytest.raises(UnknownOutcomeError):
        syncing(store, tenant, tmp_path).apply_now()
    assert tenant.writes == 6
    passing.pass_by(61)
    tenant.forget()
    syncing(store, tenant, tmp_path).apply_now()
    assert len(tenant.schedules) == 9


def test_a_schedule_of_ours_that_the_store_does_not_know_is_taken_over(
    tmp_path: Path, store: Store, tenant: MemoryTenant
) -> None:
    put(store, session(plugins=["print"]))
    syncing(store, tenant, tmp_path).apply_now()
    with store.writing() as writing:
        writing.delete(writing.scalars(select(SessionSchedule)).one())
    tenant.forget()
    assert syncing(store, tenant, tmp_path).apply_now().plan.unchanged == 1
    assert links(store) == {1: {"metadata": {"tao.testRunnerSessionPlugins": "print"}}}
    assert tenant.writes == 0


def test_a_schedule_that_moved_to_another_session_is_linked_once(
    tmp_path: Path, each_store: Store, tenant: MemoryTenant
) -> None:
    put(each_store, session("One"), session("Two"))
    syncing(each_store, tenant, tmp_path).apply_now()
    tenant.schedules[1] |= {"ExternalID": external_id("Two")}
    del tenant.schedules[2]
    syncing(each_store, tenant, tmp_path).apply_now()
    assert sorted(row["Name"] for row in tenant.schedules.values()) == ["One", "Two"]
    assert sorted(links(each_store)) == sorted(tenant.schedules) == [1, 3]
    assert syncing(each_store, tenant, tmp_path).plan().unchanged == 2


def risky(tmp_path: Path, store: Store, tenant: MemoryTenant) -> str:
    """Make four schedules, move three of them in the store, and return the digest of that plan."""
    put(store, *(session(f"Exam {number}") for number in range(4)))
    syncing(store, tenant, tmp_path).apply_now()
    tenant.forget()
    for number in range(3):
        change(store, f"Exam {number}", start_at=hours(1))
    return syncing(store, tenant, tmp_path, **BRAKE).plan().digest


BRAKE = {"sessions_brake_count": 2, "sessions_brake_percent": 50}


def test_the_brake_holds_until_somebody_approves(
    tmp_path: Path, store: Store, tenant: MemoryTenant, passing: Clock
) -> None:
    digest = risky(tmp_path, store, tenant)
    sync = syncing(store, tenant, tmp_path, **BRAKE)
    with pytest.raises(BrakeError, match="3 of 4"):
        sync.apply(digest)
    applied = sync.apply_now()
    assert (applied.outcomes, applied.held and applied.held.digest) == ({}, digest)
    assert tenant.writes == 0
    assert sync.held(sync.plan())
    outbox.approve(store, digest, "someone", "exam week moved")
    assert not sync.held(sync.plan())
    assert sync.apply(digest).outcomes == {Outcome.UPDATED: 3}
    with store.session() as reading:
        kept = reading.scalars(select(exams.Plan).where(exams.Plan.digest == digest)).one()
        assert (kept.approved_by, kept.reason, kept.approved_at) == ("someone", "exam week moved", passing.now())


def test_the_brake_keeps_nothing_harmless_back(
    tmp_path: Path, store: Store, tenant: MemoryTenant, passing: Clock
) -> None:
    digest = risky(tmp_path, store, tenant)
    put(store, session("Exam 9"))
    sync = syncing(store, tenant, tmp_path, **BRAKE)
    plan = sync.plan()
    held = sync.held(plan)
    assert held
    assert (held.digest, len(plan.changes)) == (digest, 4)
    for digest in (plan.digest, held.digest):
        with pytest.raises(BrakeError):
            sync.apply(digest)
    assert tenant.writes == 0
    sync.apply(plan.but(held).digest)
    assert "Exam 9" in {each["Name"] for each in tenant.schedules.values()}
    assert [change.document() for change in sync.plan().changes] == [change.document() for change in held.changes]


def test_what_is_held_is_not_let_go_by_what_is_added(
    tmp_path: Path, each_store: Store, tenant: MemoryTenant, passing: Clock
) -> None:
    digest = risky(tmp_path, each_store, tenant)
    sync = syncing(each_store, tenant, tmp_path, **BRAKE)
    put(each_store, *(session(f"More {number}") for number in range(40)))
    assert sync.apply_now().outcomes == {Outcome.CREATED: 40}
    for _ in range(2):
        again = sync.apply_now()
        assert (again.outcomes, again.held and again.held.digest) == ({}, digest)
        assert not again.plan.brake.is_on
    change(each_store, "Exam 0", delivery="Nothing")  # one of them cannot be told any more
    again = sync.apply_now()
    assert (again.outcomes, again.held and len(again.held.changes)) == ({}, 2)
    change(each_store, "Exam 0", delivery="Midterm")
    outbox.approve(each_store, digest, "someone", "exam week moved")
    assert sync.apply(digest).outcomes == {Outcome.UPDATED: 3}
    # made and approved, it is no longer looked at: the brake alone decides
    tenant.schedules[1]["StartFrom"] = "2026-05-04T08:00:00Z"
    passing.pass_by(1)
    assert sync.apply_now().outcomes == {Outcome.UPDATED: 1}


def test_a_digest_stands_for_what_a_run_left_over(
    tmp_path: Path, each_store: Store, tenant: MemoryTenant, passing: Clock
) -> None:
    put(each_store, *(session(f"Exam {number}", plugins=["print"]) for number in range(3)))
    sync = syncing(each_store, tenant, tmp_path)
    digest = sync.plan().digest
    tenant.faults = {4: "away"}
    with pytest.raises(VendorAwayError):
        sync.apply(digest)
    put(each_store, session("Another"))
    assert sync.apply(digest).outcomes == {Outcome.CREATED: 3}
    assert sync.apply(digest).outcomes == {}
    assert (len(tenant.schedules), len(tenant.notes)) == (3, 3)
    assert [change.session for change in sync.plan().changes] == ["Another"]


def test_to_approve_again_what_was_carried_out_approves_nothing(
    tmp_path: Path, each_store: Store, tenant: MemoryTenant, passing: Clock
) -> None:
    digest = risky(tmp_path, each_store, tenant)
    sync = syncing(each_store, tenant, tmp_path, **BRAKE)
    outbox.approve(each_store, digest, "someone", "exam week moved")
    sync.apply(digest)
    passing.pass_by(1)
    outbox.approve(each_store, digest, "another", "late")
    for number in range(3):
        tenant.schedules[number + 1]["StartFrom"] = "2026-05-04T08:00:00Z"
    passing.pass_by(1)
    again = sync.apply_now()
    assert (again.outcomes, again.held and again.held.digest) == ({}, digest)


def test_an_approval_ends(tmp_path: Path, store: Store, tenant: MemoryTenant, passing: Clock) -> None:
    digest = risky(tmp_path, store, tenant)
    outbox.approve(store, digest, "someone", "why")
    passing.pass_by(24 * HOUR)
    with pytest.raises(BrakeError):
        syncing(store, tenant, tmp_path, **BRAKE).apply(digest)
    assert tenant.writes == 0


def test_an_approval_holds_for_what_a_run_left_over(
    tmp_path: Path, each_store: Store, tenant: MemoryTenant, passing: Clock
) -> None:
    digest = risky(tmp_path, each_store, tenant)
    outbox.approve(each_store, digest, "someone", "why")
    tenant.faults = {2: "away"}
    with pytest.raises(VendorAwayError):
        syncing(each_store, tenant, tmp_path, **BRAKE).apply(digest)
    tight = {"sessions_brake_count": 0, "sessions_brake_percent": 0}
    assert syncing(each_store, tenant, tmp_path, **tight).apply_now().outcomes == {Outcome.UPDATED: 2}


def test_an_approval_is_for_those_changes_only_and_once(
    tmp_path: Path, store: Store, tenant: MemoryTenant, passing: Clock
) -> None:
    digest = risky(tmp_path, store, tenant)
    outbox.approve(store, digest, "someone", "why")
    change(store, "Exam 3", end_at=None)
    sync = syncing(store, tenant, tmp_path, **BRAKE)
    done = sync.apply_now()
    assert (done.outcomes, done.held and [each.session for each in done.held.changes]) == (
        {Outcome.UPDATED: 3},
        ["Exam 3"],
    )
    change(store, "Exam 3", end_at=hours(2))
    assert sync.apply(digest).outcomes == {}
    for number in range(3):
        tenant.schedules[number + 1]["StartFrom"] = "2026-05-04T08:00:00Z"
    passing.pass_by(1)
    assert sync.plan().digest == digest, "the same changes as were approved, and made"
    with pytest.raises(BrakeError):
        sync.apply(digest)


def test_only_a_plan_that_was_made_can_be_approved(store: Store) -> None:
    with pytest.raises(UnknownPlanError):
        outbox.approve(store, "0" * 64, "someone", "why")


def test_a_session_is_withdrawn_and_taken_back(tmp_path: Path, each_store: Store, tenant: MemoryTenant) -> None:
    put(each_store, session())
    sync = syncing(each_store, tenant, tmp_path)
    sync.apply_now()
    tenant.forget()
    outbox.withdraw(each_store, "Exam")
    sync.apply_now()
    sync.apply_now()
    outbox.withdraw(each_store, "Exam", undo=True)
    sync.apply_now()
    assert tenant.asked == [("PATCH 1", {"Disabled": True}), ("PATCH 1", {"Disabled": False})]
    with pytest.raises(UnknownSessionError):
        outbox.withdraw(each_store, "Another")


def test_only_one_run_applies_at_a_time(tmp_path: Path, each_store: Store, tenant: MemoryTenant) -> None:
    put(each_store, session())
    sync = syncing(each_store, tenant, tmp_path)
    with alone(each_store, "sync") as held:
        assert held
        with alone(Store(each_store.url), "sync") as second:
            assert not second
        with pytest.raises(SyncBusyError):
            sync.apply_now()
        assert sync.plan().counts["create"] == 1
    assert tenant.writes == 0
    assert sync.apply_now().outcomes == {Outcome.CREATED: 1}


def test_two_runs_at_once_send_everything_once(tmp_path: Path, each_store: Store, tenant: MemoryTenant) -> None:
    put(each_store, *(session(f"Exam {number}") for number in range(20)))
    digest = syncing(each_store, tenant, tmp_path).plan().digest
    ends: list[Applied] = []

    def run() -> None:
        sync = syncing(each_store, tenant, tmp_path)
        sync._patience = 20
        ends.append(sync.apply(digest))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert tenant.writes == len(tenant.schedules) == 20
    assert sorted(sum(end.outcomes.values()) for end in ends) == [0, 0, 20]


def test_what_a_running_run_has_on_its_way_is_not_settled_by_a_plan(
    tmp_path: Path, store: Store, tenant: MemoryTenant, passing: Clock
) -> None:
    put(store, session())
    tenant.faults = {1: "lost"}
    syncing(store, tenant, tmp_path).apply_now()
    passing.pass_by(HOUR)
    with alone(store, "sync") as held:
        assert held
        plan = syncing(store, tenant, tmp_path).plan()
    assert [problem.reason for problem in plan.problems] == [SyncReason.OUTCOME_UNKNOWN]
    assert intents(store) == [("create", "unknown", "UNKNOWN")]


@pytest.mark.parametrize("extra", [{}, {"administrator": ""}, {"administrator": "x"}, {"administrator": 0}])
def test_an_administrator_must_be_named(
    tmp_path: Path, store: Store, tenant: MemoryTenant, extra: dict[str, object]
) -> None:
    tenant.transport.endpoint = Endpoint("gradeway_questionmark", "https://qm.example/", extra=extra)
    with pytest.raises(SettingsError, match="GRADEWAY_QUESTIONMARK_ADMINISTRATOR"):
        syncing(store, tenant, tmp_path)
    assert syncing(store, tenant, tmp_path, questionmark_administrator=101).plan().changes == ()


def test_the_log_names_sessions_and_no_more(
    tmp_path: Path, store: Store, tenant: MemoryTenant, caplog: pytest.LogCaptureFixture
) -> None:
    put(store, session())
    with caplog.at_level("DEBUG", "gradeway.sessions"):
        syncing(store, tenant, tmp_path).apply_now()
    assert caplog.messages == ["session Exam: create: CREATED"]


def test_what_ended_long_ago_is_forgotten(tmp_path: Path, store: Store, tenant: MemoryTenant, passing: Clock) -> None:
    put(store, session())
    syncing(store, tenant, tmp_path).apply_now()
    assert outbox.purge(store, passing.now()) == 0
    passing.pass_by(48 * HOUR)
    assert outbox.purge(store, passing.now() - timedelta(days=1)) == 1
    assert intents(store) == []
    assert syncing(store, tenant, tmp_path).plan().changes == ()
