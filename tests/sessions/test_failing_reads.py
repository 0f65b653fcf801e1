"""When the tenant cannot be read, nothing is written on a guess: the error is clear, and the next run goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from fixtures.sandboxes import Sandbox, running
from gradeway.outcomes import Outcome
from gradeway.sessions.sync import Sync
from gradeway.sessions.wanted import external_id
from gradeway.store.engine import Store
from gradeway.store.exams import Intent, Plan, SessionSchedule
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.questionmark import Questionmark
from sessions.exams import Clock, change, hours, put, session, settings
from sessions.failing import FAILURES, MANNERS, Failure

GROUP, GROUP_ID, ASSESSMENT = "Nursing 1A", 410002, "100100001001"
CROWD = 205  # schedules of others in that group: their list has three pages
LISTS = {
    "Schedules": ("*/Schedules", 0),
    "Schedules, page 2": ("*/Schedules", 1),
    "Groups": ("*/Groups", 0),
    "Assessments": ("*/Assessments", 0),
    "MonitoringTypes": ("*/MonitoringTypes", 0),
    "TestCenters": ("*/TestCenters", 0),
    "Administrators({id})/Groups": ("*/Administrators(101)/Groups", 0),
}
any_failure = pytest.mark.parametrize("failure", FAILURES, ids=str)


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running(tmp_path_factory.mktemp("sandbox")) as sandbox:
        for number in range(CROWD):
            sandbox.schedule(Name=f"Theirs {number}", AssessmentID=ASSESSMENT, GroupID=GROUP_ID)
        yield sandbox


@pytest.fixture
def client(vendor: Sandbox) -> Iterator[Questionmark]:
    vendor.act("faults", method="DELETE", status=204)
    endpoint = Endpoint("gradeway_questionmark", vendor.url, "sandbox", "sandbox", {"administrator": 101})
    with Questionmark(endpoint, manners=MANNERS) as made:
        yield made


@pytest.fixture
def sync(store: Store, client: Questionmark, tmp_path: Path) -> Sync:
    return Sync(store, client, settings(tmp_path))


def writes(vendor: Sandbox, seen: int) -> list[str]:
    """Return the writes after so many requests, with those that had no effect."""
    return [each["method"] for each in vendor.log()[seen:] if each["method"] != "GET"]


def fails(failure: Failure, sync: Sync, template: str, *, plan_only: bool = False) -> str:
    """Run, and make sure that the error says which call failed, and how."""
    with pytest.raises(failure.error, match=failure.says) as caught:
        _ = sync.plan() if plan_only else sync.apply_now()
    assert str(caught.value).startswith(f"gradeway_questionmark: GET {template.partition(',')[0]}: ")
    return str(caught.value)


def intents(store: Store) -> list[tuple[str, str]]:
    with store.session() as reading:
        return [(each.action, each.state) for each in reading.scalars(select(Intent).order_by(Intent.id))]


def there(vendor: Sandbox, name: str) -> list[dict[str, Any]]:
    rows = [row for page in vendor.pages("Schedules") for row in page["value"]]
    return [row for row in rows if row["ExternalID"] == external_id(name)]


@any_failure
@pytest.mark.parametrize("part", LISTS)
def test_a_plan_of_half_the_tenant_is_no_plan(
    store: Store, vendor: Sandbox, sync: Sync, part: str, failure: Failure
) -> None:
    name = f"{part} {failure}"
    put(store, session(name, delivery="Anatomy midterm"), of=GROUP)
    seen = len(vendor.log())
    for plan_only in (True, False):
        heal = failure.arm(vendor, sync.client, *LISTS[part])
        fails(failure, sync, part, plan_only=plan_only)
        assert vendor.act("faults", method="GET") == [], "the fault was met"
        heal()
    with store.session() as reading:
        assert reading.scalar(select(func.count()).select_from(Plan)) == 0
    assert (writes(vendor, seen), intents(store)) == ([], [])
    assert sync.apply_now().outcomes == {Outcome.CREATED: 1}
    assert (sync.plan().changes, len(there(vendor, name))) == ((), 1)


@any_failure
@pytest.mark.parametrize("part", ["Schedules", "Schedules, page 2"])
def test_a_schedule_that_is_on_a_page_that_fails_is_not_made_again(
    store: Store, vendor: Sandbox, sync: Sync, part: str, failure: Failure
) -> None:
    name = f"Known {part} {failure}"
    put(store, session(name, delivery="Anatomy midterm"), of=GROUP)
    sync.apply_now()
    with store.writing() as writing:
        writing.delete(writing.scalars(select(SessionSchedule)).one())  # as after an older backup came back
    seen = len(vendor.log())
    heal = failure.arm(vendor, sync.client, *LISTS[part])
    fails(failure, sync, part)
    heal()
    assert sync.apply_now().plan.unchanged == 1
    assert (writes(vendor, seen), len(there(vendor, name))) == ([], 1)


@any_failure
def test_metadata_that_cannot_be_read_is_not_added_again(
    store: Store, vendor: Sandbox, sync: Sync, failure: Failure
) -> None:
    name = f"Noted {failure}"
    put(store, session(name, delivery="Anatomy midterm", plugins=["print"]), of=GROUP)
    sync.apply_now()
    with store.writing() as writing:
        writing.delete(writing.scalars(select(SessionSchedule)).one())
    seen = len(vendor.log())
    heal = failure.arm(vendor, sync.client, "*/Schedules(*)/ScheduleMetadata")
    fails(failure, sync, "Schedules({id})/ScheduleMetadata")
    heal()
    assert sync.apply_now().plan.unchanged == 1
    assert writes(vendor, seen) == []


@any_failure
@pytest.mark.parametrize("page", [0, 2])
@pytest.mark.parametrize("took_effect", [True, False])
def test_a_creation_without_an_answer_waits_until_it_can_be_looked_for(
    store: Store, vendor: Sandbox, sync: Sync, passing: Clock, took_effect: bool, page: int, failure: Failure
) -> None:
    name = f"Lost {took_effect} {page} {failure}"
    put(store, session(name, delivery="Anatomy midterm"), of=GROUP)
    pages = len(list(vendor.pages("Schedules")))
    assert len(list(vendor.pages(f"Schedules?$filter=GroupID eq {GROUP_ID}"))) > page
    seen = len(vendor.log())
    vendor.act("faults", [{"match": "POST */Schedules", "kind": "drop_after" if took_effect else "drop"}])
    heal = failure.arm(vendor, sync.client, "*/Schedules", after=pages + page)
    fails(failure, sync, "Schedules")
    heal()
    assert (writes(vendor, seen), intents(store)) == (["POST"], [("create", "unknown")])
    for _ in range(2):  # also when no time is left to wait for it
        passing.pass_by(61)
        heal = failure.arm(vendor, sync.client, "*/Schedules", after=page)
        fails(failure, sync, "Schedules")
        heal()
        assert (writes(vendor, seen), intents(store)) == (["POST"], [("create", "unknown")])
    sync.apply_now()
    assert writes(vendor, seen) == ["POST"] * (1 if took_effect else 2)
    assert len(there(vendor, name)) == 1
    assert sync.plan().unchanged == 1


@any_failure
@pytest.mark.parametrize("took_effect", [True, False])
@pytest.mark.parametrize("what", ["PATCH */Schedules(*)", "POST */ScheduleMetadata"])
def test_a_change_without_an_answer_is_told_by_reading_alone(
    store: Store, vendor: Sandbox, sync: Sync, passing: Clock, what: str, took_effect: bool, failure: Failure
) -> None:
    name = f"Changed {what} {took_effect} {failure}"
    put(store, session(name, delivery="Anatomy midterm"), of=GROUP)
    sync.apply_now()
    change(store, name, **({"end_at": hours(5)} if what.startswith("PATCH") else {"plugins": ["print"]}))
    reads = "*/Schedules(*)" if what.startswith("PATCH") else "*/Schedules(*)/ScheduleMetadata"
    template = "Schedules({id})" + ("" if what.startswith("PATCH") else "/ScheduleMetadata")
    seen = len(vendor.log())
    # a change of values is repeated by the client itself, as many times as it tries
    kind = {"kind": "drop_after" if took_effect else "drop", "times": MANNERS.tries if "PATCH" in what else 1}
    vendor.act("faults", [{"match": what} | kind])
    heal = failure.arm(vendor, sync.client, reads)
    fails(failure, sync, template)
    heal()
    sent = writes(vendor, seen)
    state = [(what.partition(" ")[0].replace("PATCH", "update").replace("POST", "metadata"), "unknown")]
    assert intents(store)[1:] == state
    passing.pass_by(61)
    heal = failure.arm(vendor, sync.client, reads)
    fails(failure, sync, template)
    heal()
    assert (writes(vendor, seen), intents(store)[1:]) == (sent, state)
    sync.apply_now()
    assert len(writes(vendor, seen)) == len(sent) + (not took_effect)
    assert sync.plan().unchanged == 1
    [row] = there(vendor, name)
    notes = vendor.get(f"Schedules({row['ID']})/ScheduleMetadata")["value"]
    assert len(notes) == ("POST" in what)
