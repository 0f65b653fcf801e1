"""A run that is killed at any step leaves a state from which the next one ends well, and nothing is there twice."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from crash.kill import Step, in_a_process
from gradeway.sessions.wanted import external_id
from gradeway.store.engine import Store
from sessions.exams import Clock, change, hours, put, session, syncing
from sessions.tenants import MemoryTenant

OUTBOX = "gradeway.sessions.outbox:"
WRITE = "sessions.tenants:MemoryTenant._write"
STEPS = [
    *(Step(f"{OUTBOX}{name}", when) for name in ("keep", "begin", "applied") for when in ("before", "after")),
    *(
        Step(where, when, number)
        for where in (f"{OUTBOX}sent", WRITE, f"{OUTBOX}done")
        for when in ("before", "after")
        for number in (1, 2, 4)
    ),
]


def scene(store: Store, folder: Path) -> MemoryTenant:
    """A store with a session to change, and two to make with metadata."""
    tenant = MemoryTenant(folder / "tenant.json")
    put(store, session("Old"))
    syncing(store, tenant, folder).apply_now()
    put(store, session("New 1", plugins=["print"]), session("New 2", plugins=["print"]))
    change(store, "Old", start_at=hours(1))
    store.engine.dispose()
    return tenant


def kill(store: Store, tenant: MemoryTenant, folder: Path, step: Step) -> bool:
    """Apply in a process that is killed at a step; returns whether it came to that step."""

    def work() -> None:
        step.arm()
        syncing(store, tenant, folder).apply_now()

    return in_a_process(work) == signal.SIGKILL


def check(store: Store, tenant: MemoryTenant, folder: Path) -> None:
    plan = syncing(store, tenant, folder).plan()
    assert (plan.changes, plan.problems, plan.unchanged) == ((), (), 3)
    assert [len(tenant.of(external_id(name))) for name in ("Old", "New 1", "New 2")] == [1, 1, 1]
    assert len(tenant.schedules) == 3
    assert len(tenant.notes) == 2


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_the_next_run_ends_well(sqlite_store: str, folder: Path, passing: Clock, step: Step) -> None:
    store = Store(sqlite_store)
    tenant = scene(store, folder)
    assert kill(store, tenant, folder, step)
    tenant.load()
    for _ in range(2):
        syncing(store, tenant, folder).apply_now()  # not kept out by the dead run's lock
        passing.pass_by(61)
    syncing(store, tenant, folder).apply_now()
    check(store, tenant, folder)
    store.engine.dispose()


def test_the_lock_on_postgresql_dies_with_its_run(postgres_store: str, folder: Path, passing: Clock) -> None:
    store = Store(postgres_store)
    tenant = scene(store, folder)
    assert kill(store, tenant, folder, Step(WRITE, "after", 2))
    tenant.load()
    sync = syncing(store, tenant, folder)
    sync._patience = 20
    sync.apply_now()
    passing.pass_by(61)
    sync.apply_now()
    check(store, tenant, folder)
    store.engine.dispose()
