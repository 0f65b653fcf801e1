"""Sessions in a store, as the feed leaves them, and the time a test is in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from gradeway.sessions.sync import Sync
from gradeway.settings import Settings
from gradeway.store.engine import Store
from gradeway.store.exams import ExamSession, SessionGroup
from sessions.tenants import MemoryTenant

START = datetime(2026, 5, 4, 8, tzinfo=UTC)
GIVEN = ("delivery", "start_at", "end_at")
LISTS = ("security", "review", "accessibility", "plugins", "report")


def settings(folder: Path, **given: object) -> Settings:
    """Settings of a test's own."""
    return Settings.model_validate({"home": folder} | given)


def hours(number: float) -> datetime:
    """A time so many hours after the first exam begins."""
    return START + timedelta(hours=number)


def group(name: str = "Class A", **fields: object) -> SessionGroup:
    """A group as a file leaves it."""
    return SessionGroup(**{"name": name, "active": True, "given": {}, "batch_id": 1, "line": 2} | fields)


def session(name: str = "Exam", **fields: Any) -> ExamSession:  # noqa: ANN401  the fields of a session
    """A session as a file leaves it; the fields that are named were given by that file."""
    values: dict[str, Any] = {"delivery": "Midterm", "start_at": START, "end_at": hours(2)} | fields
    given = values.pop("given", [*GIVEN, *fields])
    blank = {name: [] for name in LISTS} | {"withdrawn": False, "battery": "", "time_zone": "", "read_aloud": ""}
    return ExamSession(**blank | values, name=name, given=dict.fromkeys(given, 1), batch_id=1, line=2)


def put(store: Store, *sessions: ExamSession, of: str = "Class A", **fields: object) -> None:
    """Put sessions of a group into a store."""
    with store.writing() as writing:
        found = writing.scalar(select(SessionGroup).where(SessionGroup.name == of))
        if found is None:
            found = group(of, **fields)
            writing.add(found)
            writing.flush()
        for each in sessions:
            each.group_id = found.id
        writing.add_all(sessions)


def change(store: Store, name: str, **fields: object) -> None:
    """Change a session as another file would."""
    with store.writing() as writing:
        found = writing.scalars(select(ExamSession).where(ExamSession.name == name)).one()
        for field, value in fields.items():
            setattr(found, field, value)
        found.given = found.given | dict.fromkeys(fields, 2)


def syncing(store: Store, tenant: MemoryTenant, folder: Path, **given: object) -> Sync:
    """A sync of a store with a tenant in memory."""
    return Sync(store, tenant, settings(folder, **given), patience=0)  # type: ignore[arg-type]


class Clock:
    """A time that passes only when a test says so."""

    def __init__(self) -> None:
        self.time = datetime(2026, 5, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def pass_by(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
