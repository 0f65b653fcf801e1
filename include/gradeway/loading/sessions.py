"""Exam sessions into the store, found by name, which is unique in the whole of a TAO account."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from gradeway.feeds.cells import CellError
from gradeway.feeds.sessions import BATTERY, DATES, DELIVERY, END, START, SUBMISSION, WAITING, ZONE
from gradeway.feeds.tao import localise
from gradeway.loading.base import Row
from gradeway.loading.groups import GroupRows
from gradeway.reasons import Reason
from gradeway.store.exams import Attempt, ExamSession, SessionGroup, SessionSchedule

FIELDS = {
    DELIVERY: "delivery",
    BATTERY: "battery",
    ZONE: "time_zone",
    START: "start_at",
    END: "end_at",
    SUBMISSION: "submission_at",
    WAITING: "waiting_at",
    "session_securitySettings": "security",
    "session_reviewSettings": "review",
    "session_testRunnerAccessibilityPlugins": "accessibility",
    "session_testRunnerSessionPlugins": "plugins",
    "session_reportSettings": "report",
    "session_readAloud": "read_aloud",
}


class _Fixed:
    """What can no longer change of some sessions: the group of all, the delivery of those somebody began to take."""

    def __init__(self, session: Session, known: Collection[ExamSession]) -> None:
        groups = select(SessionGroup.id, SessionGroup.name).where(SessionGroup.id.in_({one.group_id for one in known}))
        self.groups = dict(session.execute(groups).tuples().all())
        begun = exists().where(Attempt.schedule_id == SessionSchedule.schedule_id)
        wanted = select(SessionSchedule.session_id).where(begun)
        self.begun = set(session.scalars(wanted.where(SessionSchedule.session_id.in_({one.id for one in known}))))


class SessionLoader(GroupRows):
    """Loads the rows of the session templates."""

    def apply(self, session: Session, rows: Sequence[Row]) -> None:
        """Create or update the sessions of some rows, and the groups that they describe."""
        names = [row.values["session_name"] for row in rows]
        known = {found.name: found for found in session.scalars(select(ExamSession).where(ExamSession.name.in_(names)))}
        fixed = _Fixed(session, known.values())
        good = [row for row in rows if self._may(row, known.get(row.values["session_name"]), fixed)]
        groups = self.bring(session, good)
        for row in good:
            group = groups.get(row.values.get("group_name", ""))
            if group:
                self.bring_to(group, self.group_fields(row), row)
            self._place(session, row, known.get(row.values["session_name"]), group)

    def _may(self, row: Row, found: ExamSession | None, fixed: _Fixed) -> bool:
        """Reject what a session can no longer become."""
        if found is None and "group_name" not in row.values:
            self.reject(row, Reason.GROUP_MISSING, "group_name")
            return False
        try:
            row.values |= _instants(row, found, self.job.settings.sessions_zone)
        except CellError as error:
            self.reject(row, error.reason)
            return False
        if (reason := _order(row, found)) is not None:
            self.reject(row, reason, "", "with the dates that the session has already" if found else "")
            return False
        return found is None or self._may_become(row, found, fixed)

    def _may_become(self, row: Row, found: ExamSession, fixed: _Fixed) -> bool:
        taken = [(row.values.get(name) or "", getattr(found, FIELDS[name])) for name in (DELIVERY, BATTERY)]
        if row.values.get("group_name", fixed.groups[found.group_id]) != fixed.groups[found.group_id]:
            self.reject(row, Reason.GROUP_FIXED, "group_name")
        elif found.id in fixed.begun and any(new != old for new, old in taken):
            self.reject(row, Reason.DELIVERY_FIXED)
        else:
            return True
        return False

    def _place(self, session: Session, row: Row, found: ExamSession | None, group: SessionGroup | None) -> None:
        wanted = _fields(row.values)
        if found is None and group is not None:
            made = ExamSession(
                name=row.values["session_name"],
                group_id=group.id,
                withdrawn=False,
                **_fields(self.complete(row.values)),
            )
            self.create(session, made, wanted, row)
        elif found is not None:
            self.revise(found, wanted, row)


def _fields(values: dict[str, Any]) -> dict[str, Any]:
    fields = {
        field: list(value) if isinstance(value := values[name], tuple) else value
        for name, field in FIELDS.items()
        if name in values
    }
    # a session takes a delivery or a battery: the one that is named replaces the other
    return {"delivery": "", "battery": ""} | fields


def _instants(row: Row, found: ExamSession | None, default: ZoneInfo) -> dict[str, datetime | None]:
    """Return a row's dates as instants, in the row's zone, or the session's, or the default."""
    name = row.values.get(ZONE) or (found.time_zone if found and ZONE not in row.values else "")
    zone = ZoneInfo(name) if name else default
    dates = {name: row.values[name] for name in DATES if name in row.values}
    return {name: localise(date, zone) if date else None for name, date in dates.items()}


def _order(row: Row, found: ExamSession | None) -> Reason | None:
    """Return what is wrong with the dates once those of the row stand beside those that are there."""
    start, end, submission = (
        row.values.get(name, getattr(found, FIELDS[name], None)) for name in (START, END, SUBMISSION)
    )
    if start and end and end < start:
        return Reason.DATE_ORDER
    if start and submission and submission < start:
        return Reason.SUBMISSION_ORDER
    return None
