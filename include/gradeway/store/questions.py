"""When a person was asked about a plan that waits for approval: the same question is asked once in a while only."""

from __future__ import annotations

from datetime import UTC, timedelta

from sqlalchemy import select, update

from gradeway import clock
from gradeway.errors import UnknownPlanError
from gradeway.store.engine import Store
from gradeway.store.exams import Plan


def asked_at(store: Store, system: str, digest: str, hours: int) -> str:
    """Return when a person was asked about a plan: the same for so many hours, then anew.

    Raises:
        UnknownPlanError: there is no plan of that digest.
    """
    now = clock.now()
    with store.writing() as session:
        row = session.scalar(select(Plan).where(Plan.system == system, Plan.digest == digest))
        if row is None:
            raise UnknownPlanError(digest)
        if row.asked_at is None or row.asked_at < now - timedelta(hours=hours):
            row.asked_at = now
        return row.asked_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ask_again(store: Store, system: str, digest: str) -> None:
    """Let the next run ask about a plan, as what was answered is no answer."""
    with store.writing() as session:
        session.execute(update(Plan).where(Plan.system == system, Plan.digest == digest).values(asked_at=None))
