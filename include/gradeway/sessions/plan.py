"""The plan: what the delivery system would be told, worked out from two sides without any call.

Its digest stands for exactly these writes; a person approves, and a run applies, a digest.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from gradeway.outcomes import Outcome
from gradeway.sessions.deliveries import Deliveries
from gradeway.sessions.reasons import Action, SyncReason
from gradeway.sessions.tenant import Tenant
from gradeway.sessions.wanted import Note, RefusedError, Subject, Wanted, schedule_of, wanted
from gradeway.settings import Settings
from gradeway.vendors.delivery import Schedule
from gradeway.vendors.odata import wire

MOVING = frozenset({"StartFrom", "StartTo", "ResumeTo"})
# What a new schedule is where nothing is said, other than null.
INITIAL = {"Disabled": False, "ResumeAllowed": False}


@dataclass(frozen=True)
class Change:
    """One write: what it changes, from what to what, by the vendor's names or metadata keys.

    ``drifted`` are the properties that somebody else changed since we last told them; it is the ID
    where somebody deleted the schedule.
    """

    session: str
    action: Action
    schedule_id: int | None
    values: Mapping[str, tuple[object, object]]
    drifted: tuple[str, ...] = ()

    @property
    def body(self) -> dict[str, Any]:
        """The new values."""
        return {name: after for name, (_, after) in self.values.items()}

    @property
    def is_risky(self) -> bool:
        """Whether it takes an existing exam away, moves it, or gives back what somebody took away there."""
        given_back = self.action in {Action.CREATE, Action.ENABLE} and bool({"ID", "Disabled"} & set(self.drifted))
        moved = self.action is not Action.CREATE and bool(MOVING & self.values.keys())
        ended = self.action is not Action.CREATE and self.body.get("ResumeAllowed") is False
        return self.action is Action.DISABLE or given_back or moved or ended

    @property
    def in_words(self) -> str:
        """What it changes, from what to what."""
        return ", ".join(self._in_words(name) for name in self.values)

    def _in_words(self, name: str) -> str:
        before, after = (_shown(value) for value in self.values[name])
        is_new = self.schedule_id is None or self.action is Action.METADATA
        there = " (changed there)" if name in self.drifted else ""
        return f"{name} {after}" if is_new else f"{name} {before} -> {after}{there}"

    @property
    def mark(self) -> str:
        """What it does, as text: the same for the same write, whichever schedule a session has got meanwhile."""
        return json.dumps([self.session, self.action, self.write["values"]], ensure_ascii=False)

    @property
    def write(self) -> dict[str, Any]:
        """The write itself, for JSON."""
        values = {name: list(self.values[name]) for name in sorted(self.values)}
        return {"session": self.session, "action": str(self.action), "schedule": self.schedule_id, "values": values}

    def document(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return self.write | {"drifted": list(self.drifted)}


def _shown(value: object) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class Problem:
    """A session that is not told, or not all of it, and why."""

    session: str
    reason: SyncReason
    detail: str = ""


@dataclass(frozen=True)
class Brake:
    """How many exams a plan takes away or moves, of how many, and whether that is too much without approval."""

    risky: int
    existing: int
    percent: int
    count: int

    @property
    def is_on(self) -> bool:
        """Whether both limits are crossed."""
        return self.risky > self.count and self.risky * 100 > self.percent * self.existing


@dataclass(frozen=True)
class Plan:
    """All writes that make the delivery system what the store says, and what stands in their way."""

    changes: tuple[Change, ...]
    problems: tuple[Problem, ...]
    notes: tuple[Note, ...]
    unchanged: int
    brake: Brake

    @cached_property
    def digest(self) -> str:
        """The sha256 of the writes."""
        listed = [change.write for change in self.changes]
        text = json.dumps(listed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each kind of change and of problem, and how many sessions stay as they are."""
        found = Counter(str(change.action) for change in self.changes)
        found += Counter(problem.reason.outcome.lower() for problem in self.problems)
        kinds = (*Action, *(outcome.lower() for outcome in (Outcome.REJECTED, Outcome.CONFLICT, Outcome.UNKNOWN)))
        return {str(kind): found[kind] for kind in kinds} | {"unchanged": self.unchanged}

    @property
    def risky(self) -> Plan:
        """The part that the brake counts."""
        return self.part(change for change in self.changes if change.is_risky)

    def but(self, other: Plan | None) -> Plan:
        """The part that is not another part."""
        marks = {change.mark for change in other.changes} if other else set()
        return self.part(change for change in self.changes if change.mark not in marks)

    def part(self, some: Iterable[Change]) -> Plan:
        """The part that has only some of the changes."""
        changes = tuple(some)
        brake = replace(self.brake, risky=sum(change.is_risky for change in changes))
        return replace(self, changes=changes, brake=brake)


def make_plan(subjects: Iterable[Subject], tenant: Tenant, settings: Settings, deliveries: Deliveries) -> Plan:
    """Compare the store's sessions with the delivery system, in order of their names."""
    made = _Planner(tenant, settings, deliveries)
    for subject in sorted(subjects, key=lambda subject: subject.session.name):
        made.add(subject)
    return made.plan()


class _Planner:
    def __init__(self, tenant: Tenant, settings: Settings, deliveries: Deliveries) -> None:
        self._tenant, self._settings, self._deliveries = tenant, settings, deliveries
        self._changes: list[Change] = []
        self._problems: list[Problem] = []
        self._notes: list[Note] = []
        self._unchanged = self._existing = 0

    def plan(self) -> Plan:
        limits = self._settings.sessions_brake_percent, self._settings.sessions_brake_count
        brake = Brake(sum(change.is_risky for change in self._changes), self._existing, *limits)
        return Plan(tuple(self._changes), tuple(self._problems), tuple(self._notes), self._unchanged, brake)

    def add(self, subject: Subject) -> None:
        try:
            if Action.CREATE in subject.pending:
                raise RefusedError(SyncReason.OUTCOME_UNKNOWN)
            schedule = schedule_of(subject, self._tenant)
            self._existing += bool(schedule or subject.link)
            found = wanted(subject, schedule, self._tenant, self._settings, self._deliveries)
        except RefusedError as refused:
            self._refuse(subject, refused.reason, refused.detail)
            return
        self._notes += found.notes
        changes = [*_change(subject, schedule, found), *self._metadata(subject, schedule, found)]
        self._changes += changes
        self._unchanged += not changes and Action.METADATA not in subject.pending

    def _refuse(self, subject: Subject, reason: SyncReason, detail: str) -> None:
        self._problems.append(Problem(subject.session.name, reason, detail))

    def _metadata(self, subject: Subject, schedule: Schedule | None, found: Wanted) -> Iterator[Change]:
        if Action.METADATA in subject.pending:
            self._refuse(subject, SyncReason.OUTCOME_UNKNOWN, "its metadata")
            return
        key = schedule.id if schedule else None
        for name, text in sorted(found.metadata.items()):
            yield Change(subject.session.name, Action.METADATA, key, {name: (None, text)})


def _change(subject: Subject, schedule: Schedule | None, found: Wanted) -> Iterator[Change]:
    now = {name: wire(schedule[name]) if schedule else INITIAL.get(name) for name in found.values}
    values = {name: (now[name], value) for name, value in found.values.items() if now[name] != value}
    if not values:
        return
    told = subject.told(schedule, "schedule")
    drifted = tuple(sorted(name for name in values if name in told and told[name] != now[name]))
    if subject.link and not schedule:
        drifted = ("ID",)
    yield Change(subject.session.name, _action(schedule, values), schedule.id if schedule else None, values, drifted)


def _action(schedule: Schedule | None, values: Mapping[str, tuple[object, object]]) -> Action:
    if not schedule:
        return Action.CREATE
    if "Disabled" in values:
        return Action.DISABLE if values["Disabled"][1] else Action.ENABLE
    return Action.UPDATE
