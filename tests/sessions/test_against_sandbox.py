"""The sync against a running sandbox, over HTTP with the real client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fixtures.sandboxes import Sandbox, running
from gradeway.outcomes import Outcome
from gradeway.sessions.reasons import SyncReason
from gradeway.sessions.sync import Sync
from gradeway.sessions.wanted import external_id
from gradeway.store.engine import Store
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.questionmark import Questionmark
from gradeway.vendors.transport import Manners
from sessions.exams import Clock, change, hours, put, session, settings

MANNERS = Manners(interval=0, read=0.5, backoff=0.01)
MANY = 2000
GROUP = "Nursing 1A"


@contextmanager
def syncing(store: Store, sandbox: Sandbox, folder: Path, **given: object) -> Iterator[Sync]:
    endpoint = Endpoint("gradeway_questionmark", sandbox.url, "sandbox", "sandbox", {"administrator": 101})
    with Questionmark(endpoint, manners=MANNERS) as client:
        yield Sync(store, client, settings(folder, **given))


def schedules(sandbox: Sandbox, name: str) -> list[dict[str, Any]]:
    return [each for page in sandbox.pages("Schedules") for each in page["value"] if each["Name"] == name]


@pytest.fixture(scope="module")
def questionmark_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One sandbox for all tests here: what other tests made there is none of a test's business."""
    with running(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
def named(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Make a session's name the test's own."""
    return lambda name: f"{name} of {request.node.name}"


@pytest.fixture
def writes(questionmark_sandbox: Sandbox) -> Callable[[], list[tuple[str, str]]]:
    """Tell the writes that took effect since the test began or last asked."""
    seen = len(questionmark_sandbox.log())

    def since() -> list[tuple[str, str]]:
        nonlocal seen
        log = questionmark_sandbox.log()
        fresh, seen = log[seen:], len(log)
        return [(each["method"], each["path"].rpartition("/")[2]) for each in fresh if each["method"] != "GET"]

    return since


def test_what_is_there_is_what_the_session_says(tmp_path: Path, store: Store, questionmark_sandbox: Sandbox) -> None:
    put(
        store, session("Secured", delivery="Anatomy final", security=["requireFullscreen"], plugins=["print"]), of=GROUP
    )
    with syncing(store, questionmark_sandbox, tmp_path, questionmark_monitoring_secure="QSB") as sync:
        sync.apply_now()
    (found,) = schedules(questionmark_sandbox, "Secured")
    expected = {
        "Name": "Secured",
        "ExternalID": external_id("Secured"),
        "GroupID": 410002,
        "AssessmentID": "100200001002",
        "MonitoringTypeID": 2,
        "Disabled": False,
    }
    assert {name: found[name] for name in expected} == expected
    assert found["StartFrom"].startswith("2026-05-04T08:00:00")
    notes = questionmark_sandbox.get(f"Schedules({found['ID']})/ScheduleMetadata")["value"]
    assert {note["Key"]: note["Value"] for note in notes} == {
        "tao.securitySettings": "requireFullscreen",
        "tao.testRunnerSessionPlugins": "print",
    }


def test_what_may_not_be_scheduled_is_never_asked_for(
    tmp_path: Path, store: Store, questionmark_sandbox: Sandbox, writes: Callable[[], list[tuple[str, str]]]
) -> None:
    put(store, session("Theirs", delivery="Fire safety for staff"), of=GROUP)
    put(store, session("Elsewhere", delivery="Fire safety for staff"), of="Staff training")
    with syncing(store, questionmark_sandbox, tmp_path) as sync:
        plan = sync.apply_now().plan
    assert {problem.reason for problem in plan.problems} == {SyncReason.NOT_PERMITTED}
    assert writes() == []


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "timeout_before"},
        {"kind": "timeout_after"},
        {"kind": "drop"},
        {"kind": "drop_after"},
        {"kind": "status_after", "status": 500},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 429, "retry_after": 0},
        {"kind": "status", "status": 400},
    ],
    ids=str,
)
@pytest.mark.parametrize("match", ["POST */Schedules", "POST */ScheduleMetadata", "PATCH *"])
def test_a_fault_at_any_write_leaves_nothing_twice(
    tmp_path: Path,
    store: Store,
    questionmark_sandbox: Sandbox,
    passing: Clock,
    named: Callable[[str], str],
    fault: dict[str, Any],
    match: str,
) -> None:
    old, new = named("Old"), named("New")
    put(store, session(old, delivery="Anatomy midterm"), of=GROUP)
    with syncing(store, questionmark_sandbox, tmp_path) as sync:
        sync.apply_now()
        put(store, session(new, delivery="Anatomy midterm", plugins=["print"]), of=GROUP)
        change(store, old, end_at=hours(3))
        questionmark_sandbox.act("faults", [{"match": match} | fault])
        sync.apply_now()
        assert questionmark_sandbox.act("faults", method="GET") == [], "the fault was met"
        passing.pass_by(61)
        sync.apply_now()
        plan = sync.plan()
    assert (plan.changes, plan.problems, plan.unchanged) == ((), (), 2)
    assert [len(schedules(questionmark_sandbox, name)) for name in (old, new)] == [1, 1]
    (made,) = schedules(questionmark_sandbox, new)
    assert len(questionmark_sandbox.get(f"Schedules({made['ID']})/ScheduleMetadata")["value"]) == 1


def test_two_thousand_sessions(
    tmp_path: Path, store: Store, questionmark_sandbox: Sandbox, writes: Callable[[], list[tuple[str, str]]]
) -> None:
    put(store, *(session(f"Exam {n:04}", delivery="Anatomy midterm", start_at=hours(n)) for n in range(MANY)), of=GROUP)
    with syncing(store, questionmark_sandbox, tmp_path) as sync:
        plan = sync.plan()
        assert plan.counts["create"] == MANY
        assert sync.apply(plan.digest).outcomes == {Outcome.CREATED: MANY}
        assert Counter(writes()) == {("POST", "Schedules"): MANY}

        assert sync.apply_now().plan.unchanged == MANY
        assert writes() == []

        change(store, "Exam 0001", start_at=hours(5000))
        change(store, "Exam 0002", end_at=None)
        change(store, "Exam 0003", submission_at=hours(9))
        plan = sync.plan()
        assert [change.body for change in plan.changes] == [
            {"StartFrom": "2026-11-28T16:00:00Z"},
            {"StartTo": None},
            {"ResumeAllowed": True, "ResumeTo": "2026-05-04T17:00:00Z"},
        ]
        assert sync.apply(plan.digest).outcomes == {Outcome.UPDATED: 3}
        assert [method for method, _ in writes()] == ["PATCH"] * 3

        assert sync.apply_now().plan.unchanged == MANY
        assert writes() == []
