"""A tenant of the delivery system in memory, or in a file that survives a kill, with faults at chosen writes.

It has the client's methods, so that a sync talks to it as to the client. It is for what a real
sandbox process is too slow for: thousands of runs, and a service that acts late.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gradeway import clock
from gradeway.errors import UnknownOutcomeError, VendorAwayError, VendorRefusedError
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.delivery import (
    Assessment,
    Group,
    MonitoringType,
    Permission,
    Schedule,
    ScheduleMetadata,
    TestCenter,
)
from gradeway.vendors.odata import Int64

ADMINISTRATOR = 101
MIDTERM, SECURE, UNSAVED, FOREIGN, TWIN_A, TWIN_B = (Int64(str(number)) for number in range(9001, 9007))
GROUPS = [
    Group(1, 1, "Faculty", default_test_center_id=71),
    Group(2, 1, "Class A", default_test_center_id=71),
    Group(3, 1, "Class B"),
    Group(4, 4, "Strangers"),
    Group(5, 1, "Twins"),
    Group(6, 1, "Twins"),
    Group(7, 1, "Class C", default_test_center_id=72),
]
ASSESSMENTS = [
    Assessment(MIDTERM, 1, "Midterm", is_secure=False, save_answers=True),
    Assessment(SECURE, 1, "Final", is_secure=True, save_answers=True),
    Assessment(UNSAVED, 1, "Practice", is_secure=False, save_answers=False),
    Assessment(FOREIGN, 1, "Foreign", is_secure=False, save_answers=True),
    Assessment(TWIN_A, 1, "Twin", is_secure=False, save_answers=True),
    Assessment(TWIN_B, 1, "Twin", is_secure=False, save_answers=True),
]
TYPES = [
    MonitoringType(1, "UNMONITORED", False, False, False, False),
    MonitoringType(2, "QSB", True, False, False, False),
    MonitoringType(3, "PROCTORED", False, False, True, False),
    MonitoringType(4, "RETIRED", False, False, False, True),
]
CENTERS = [TestCenter(71, "A", "Hall", True), TestCenter(72, "B", "Closed", False)]
PERMITTED = [(1, MIDTERM), (1, SECURE), (1, UNSAVED), (1, TWIN_A), (1, TWIN_B)]
CALL = "POST Schedules"

Fault = Callable[[], None]


@dataclass
class MemoryTenant:
    """A tenant; ``faults`` says for the n-th write (from 1) what goes wrong with it.

    lost: not done, no answer. unheard: done, no answer. late: done when the time comes, no answer.
    refused: not done, and told so. away: not done, the service is away.
    """

    file: Path | None = None
    faults: dict[int, str] = field(default_factory=dict)
    late_by: float = 45
    permitted: list[tuple[int, Int64]] = field(default_factory=lambda: list(PERMITTED))
    types: list[MonitoringType] = field(default_factory=lambda: list(TYPES))
    schedules: dict[int, dict[str, Any]] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    reads: int = 0
    last: int = 0
    _late: list[tuple[datetime, Fault]] = field(default_factory=list)

    def __post_init__(self) -> None:
        endpoint = Endpoint("gradeway_questionmark", "https://qm.example/", extra={"administrator": ADMINISTRATOR})
        self.transport = SimpleNamespace(endpoint=endpoint)

    # what the client has

    def find(self, kind: type, *clauses: tuple[str, str, object]) -> Iterator[Any]:
        self._look()
        plain = {Group: GROUPS, Assessment: ASSESSMENTS, MonitoringType: self.types, TestCenter: CENTERS}
        if kind in plain:
            return iter(plain[kind])
        rows = [row for row in self.schedules.values() if all(row.get(name) == value for name, _, value in clauses)]
        return iter([Schedule.read(row) for row in rows])

    def get(self, kind: type, key: int) -> Any:  # noqa: ANN401  as the client
        self._look()
        assert kind is Schedule
        return Schedule.read(self.schedules[key]) if key in self.schedules else None

    def schedulable(self, administrator: int) -> list[Permission]:
        assert administrator == ADMINISTRATOR
        groups, assessments = ({each.id: each for each in those} for those in (GROUPS, ASSESSMENTS))
        return [Permission(groups[group], assessments[each]) for group, each in self.permitted]

    def metadata(self, schedule_id: int) -> Iterator[ScheduleMetadata]:
        self._look()
        return iter([ScheduleMetadata.read(row) for row in self.notes if row["ScheduleID"] == schedule_id])

    def create_schedule(self, values: Mapping[str, Any]) -> Schedule:
        return Schedule.read(self._write("POST", values, lambda: self._create(values)))

    def patch_schedule(self, schedule_id: int, values: Mapping[str, Any]) -> None:
        assert values
        assert not values.keys() & {"AssessmentID", "GroupID"}
        self._write(f"PATCH {schedule_id}", values, lambda: self._one(schedule_id).update(values))

    def add_metadata(self, schedule_id: int, key: str, value: str) -> ScheduleMetadata:
        row = {"ScheduleID": schedule_id, "Key": key, "Value": value}
        return ScheduleMetadata.read(self._write(f"META {schedule_id}", row, lambda: self._note(row)))

    # what a test does

    @property
    def writes(self) -> int:
        """How many writes were asked for."""
        return len(self.asked)

    def forget(self) -> None:
        """Forget what was asked for so far, and the faults."""
        self.asked.clear()
        self.faults.clear()

    def of(self, external_id: str) -> list[dict[str, Any]]:
        """Return the schedules of an ExternalID."""
        return [row for row in self.schedules.values() if row.get("ExternalID") == external_id]

    def load(self) -> MemoryTenant:
        """Take the state from the file."""
        if self.file and self.file.exists():
            state = json.loads(self.file.read_text())
            self.schedules = {int(key): row for key, row in state["schedules"].items()}
            self.notes = state["notes"]
        return self

    def _look(self) -> None:
        self.reads += 1
        due = [act for at, act in self._late if at <= clock.now()]
        self._late = [(at, act) for at, act in self._late if at > clock.now()]
        for act in due:
            with suppress(VendorRefusedError):
                act()

    def _create(self, values: Mapping[str, Any]) -> dict[str, Any]:
        assert values["Name"]
        key = self.last = max(self.last, *self.schedules, 0) + 1  # no key is given out again
        self.schedules[key] = {"ID": key, "Disabled": False, "ResumeAllowed": False} | dict(values)
        return self.schedules[key]

    def _one(self, schedule_id: int) -> dict[str, Any]:
        if schedule_id not in self.schedules:
            raise VendorRefusedError(CALL, "answered 404", status=404)
        return self.schedules[schedule_id]

    def _note(self, row: dict[str, Any]) -> dict[str, Any]:
        self._one(row["ScheduleID"])
        assert not any(note["Key"] == row["Key"] and note["ScheduleID"] == row["ScheduleID"] for note in self.notes)
        self.notes.append({"ID": len(self.notes) + 1} | row)
        return self.notes[-1]

    def _write(self, what: str, values: Mapping[str, Any], act: Callable[[], Any]) -> Any:  # noqa: ANN401
        self.asked.append((what, dict(values)))
        fault = self.faults.pop(self.writes, "")
        if fault == "refused":
            raise VendorRefusedError(CALL, "answered 400", status=400)
        if fault == "away":
            raise VendorAwayError(CALL, "cannot be reached")
        if fault == "late":
            self._late.append((clock.now() + timedelta(seconds=self.late_by), act))
        done = act() if fault in {"", "unheard"} else None
        self._save()
        if fault:
            raise UnknownOutcomeError(CALL, "gave no answer in time")
        return done

    def _save(self) -> None:
        if self.file:
            draft = self.file.with_suffix(".new")
            draft.write_text(json.dumps({"schedules": self.schedules, "notes": self.notes}))
            draft.replace(self.file)
