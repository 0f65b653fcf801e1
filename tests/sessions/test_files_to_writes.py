"""What a changed file makes the sync write: exactly what was changed, counted in the tenant's own log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fixtures.sandboxes import Sandbox, running
from gradeway.sessions.plan import Plan
from gradeway.sessions.sync import Sync
from gradeway.store.models import Batch
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.questionmark import Questionmark
from gradeway.vendors.transport import Manners
from loading.world import World

FULL = {
    "session_deliveryId": "Anatomy midterm",
    "group_name": "Nursing 1A",
    "group_description": "First years",
    "group_active": "TRUE",
    "group_organizationId": "root",
    "session_timezone": "Asia/Tokyo",
    "session_startDate": "2031-01-10T08:00:00",
    "session_endDate": "2031-01-10T11:00:00",
    "session_submissionDate": "2031-01-10T12:00:00",
    "session_waitingPageDate": "2031-01-10T09:00:00",
    "session_securitySettings": '"requireFullscreen,preventScreenshot"',
    "session_reviewSettings": "enableTTReview",
    "session_testRunnerAccessibilityPlugins": '"zoom,font"',
    "session_testRunnerSessionPlugins": "print",
    "session_reportSettings": "studentReport",
    "session_readAloud": "always-enabled",
}
OPTIONAL = [name for name in FULL if name != "session_deliveryId"]
GIVEN = {"questionmark_monitoring_secure": "QSB", "sessions_brake_percent": 100}


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@dataclass
class Desk:
    """An installation whose clerk drops one file after the other, each about all its exams."""

    world: World
    sync: Sync
    vendor: Sandbox
    names: list[str]

    def send(self, *rows: dict[str, str]) -> Batch:
        """Drop a file with a row for each exam; the first row says which columns there are."""
        columns = list(rows[0])
        lines = [",".join(["session_name", *columns])]
        lines += [",".join([name, *row.values()]) for name, row in zip(self.names, rows, strict=False)]
        (self.world.zone.inbox("sessions") / "exams.csv").write_text("".join(f"{line}\n" for line in lines))
        assert self.world.sweep("sessions").failed == []
        return self.world.batches()[-1]

    def apply(self) -> tuple[Plan, list[tuple[str, list[str]]]]:
        """Plan and apply; return the plan, and the writes by what they are and the properties they name."""
        seen = len(self.vendor.log())
        plan = self.sync.apply_now().plan
        writes = [each for each in self.vendor.log()[seen:] if each["method"] != "GET"]
        return plan, [(each["method"], each["properties"]) for each in writes]

    def schedules(self) -> list[dict[str, Any]]:
        rows = [row for page in self.vendor.pages("Schedules") for row in page["value"]]
        return [row for name in self.names for row in rows if row["Name"] == name]


@contextmanager
def at_work(folder: Path, url: str, vendor: Sandbox, *names: str) -> Iterator[Desk]:
    endpoint = Endpoint("gradeway_questionmark", vendor.url, "sandbox", "sandbox", {"administrator": 101})
    world = World(folder / "home", url, **GIVEN)
    with Questionmark(endpoint, manners=Manners(interval=0)) as client:
        yield Desk(world, Sync(world.intake.store, client, world.settings), vendor, list(names))
    world.intake.store.engine.dispose()


def test_a_column_that_is_missing_makes_no_write(folder: Path, sqlite_store: str, vendor: Sandbox) -> None:
    with at_work(folder, sqlite_store, vendor, "Column 1", "Column 2") as desk:
        desk.send(FULL, FULL)
        assert [method for method, _ in desk.apply()[1]] == ["POST"] * 18
        for missing in OPTIONAL:
            row = {name: text for name, text in FULL.items() if name != missing}
            assert (desk.send(row, row).unchanged, missing) == (2, missing)
            plan, writes = desk.apply()
            assert (missing, writes, plan.unchanged, plan.problems) == (missing, [], 2, ())
        only = {"session_deliveryId": FULL["session_deliveryId"]}
        assert desk.send(only, only).unchanged == 2
        assert desk.apply()[1] == []


def test_a_changed_cell_is_one_patch_of_what_it_changes(folder: Path, sqlite_store: str, vendor: Sandbox) -> None:
    with at_work(folder, sqlite_store, vendor, *(f"Cell {number}" for number in range(5))) as desk:
        desk.send(*[FULL] * 5)
        desk.apply()
        before = desk.schedules()
        desk.send(
            FULL,
            FULL | {"session_startDate": "2031-01-10T08:30:00"},
            FULL | {"session_endDate": ""},
            FULL | {"session_securitySettings": "preventScreenshot"},
            FULL,
        )
        plan, writes = desk.apply()
        assert plan.unchanged == 2
        assert writes == [("PATCH", ["StartFrom"]), ("PATCH", ["StartTo"]), ("PATCH", ["MonitoringTypeID"])]
        expected = [{}, {"StartFrom": "2031-01-09T23:30:00"}, {"StartTo": None}, {"MonitoringTypeID": 1}, {}]
        for old, new, changed in zip(before, desk.schedules(), expected, strict=True):
            stays = {name: value for name, value in old.items() if name not in {*changed, "Modified"}}
            assert {name: new[name] for name in stays} == stays
            assert {name: str(new[name])[: len(str(value))] for name, value in changed.items()} == {
                name: str(value) for name, value in changed.items()
            }
        assert desk.apply()[1] == []


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("session_startDate", {"StartFrom": None}),
        ("session_endDate", {"StartTo": None}),
        ("session_submissionDate", {"ResumeAllowed": False, "ResumeTo": None}),
        ("session_securitySettings", {"MonitoringTypeID": 1}),
    ],
)
def test_a_blank_cell_takes_away_what_a_missing_column_keeps(
    folder: Path, sqlite_store: str, vendor: Sandbox, cell: str, told: dict[str, object]
) -> None:
    with at_work(folder, sqlite_store, vendor, f"Blank {cell}") as desk:
        desk.send(FULL)
        desk.apply()
        desk.send({name: text for name, text in FULL.items() if name != cell})
        assert desk.apply()[1] == []
        desk.send(FULL | {cell: ""})
        assert desk.apply()[1] == [("PATCH", sorted(told))]
        [row] = desk.schedules()
        assert {name: row[name] for name in told} == told


@pytest.mark.parametrize("cell", ["session_deliveryId", "group_name"])
def test_a_blank_cell_where_a_value_must_be_changes_nothing(
    folder: Path, sqlite_store: str, vendor: Sandbox, cell: str
) -> None:
    with at_work(folder, sqlite_store, vendor, f"Must {cell}") as desk:
        desk.send(FULL)
        desk.apply()
        assert desk.send(FULL | {cell: "", "session_endDate": ""}).rejected == 1
        assert desk.apply()[1] == []


def test_a_date_without_a_zone_is_judged_in_the_session_s_own(folder: Path, sqlite_store: str, vendor: Sandbox) -> None:
    with at_work(folder, sqlite_store, vendor, "Far") as desk:
        desk.send(FULL | {"session_timezone": "America/New_York", "session_submissionDate": ""})
        desk.apply()
        # 13:00 in UTC is 08:00 there: before the end, which in UTC it would not be
        again = {
            "session_deliveryId": FULL["session_deliveryId"],
            "session_startDate": "2031-01-10T13:00:00Z",
            "session_endDate": "2031-01-10T11:30:00",
        }
        batch = desk.send(again)
        assert (batch.rejected, batch.updated) == (0, 1)
        assert desk.apply()[1] == [("PATCH", ["StartTo"])]
        assert desk.schedules()[0]["StartTo"].startswith("2031-01-10T16:30:00")
        assert desk.send(again | {"session_endDate": "2031-01-10T07:30:00"}).rejected == 1


def test_a_new_session_s_dates_without_a_zone_are_in_order_too(
    folder: Path, sqlite_store: str, vendor: Sandbox
) -> None:
    with at_work(folder, sqlite_store, vendor, "Backwards") as desk:
        row = {name: FULL[name] for name in ("session_deliveryId", "group_name")}
        row |= {"session_startDate": "2031-01-10T08:00:00", "session_endDate": "2031-01-10T07:00:00"}
        assert desk.send(row).rejected == 1
        assert desk.apply()[1] == []


def test_the_order_of_rows_and_columns_says_nothing(folder: Path, sqlite_store: str, vendor: Sandbox) -> None:
    with at_work(folder, sqlite_store, vendor, "Order 1", "Order 2") as desk:
        desk.send(FULL, FULL)
        desk.apply()
        desk.names.reverse()
        backwards = dict(reversed(FULL.items()))
        batch = desk.send(backwards, backwards)
        assert (batch.state, batch.unchanged) == ("loaded", 2)
        assert desk.apply()[1] == []
        assert desk.send(backwards, backwards).state == "duplicate"
        assert desk.apply()[1] == []
