"""Which tenant of an outside system the store knows: ids of one tenant mean nothing in another."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from gradeway.errors import SyncBusyError, TenantChangedError
from gradeway.store.engine import Store
from gradeway.store.exams import Attempt, Intent, Plan, SessionSchedule, Tenant
from gradeway.store.lock import COLLECT, SYNC, alone


def hold(store: Store, system: str, url: str) -> None:
    """Remember the tenant at the first time, and make sure ever after that it is the same.

    Raises:
        TenantChangedError: the store knows schedules of another one.
    """
    parts = urlsplit(url)
    place = f"{parts.hostname}{parts.path.rstrip('/')}".lower()  # a port says nothing about who is there
    try:
        with store.session() as session:
            found = session.get(Tenant, system)
        if found is None:
            with store.writing() as session:
                session.add(Tenant(system=system, place=place))
    except IntegrityError:
        hold(store, system, url)  # another run was first
    else:
        if found is not None and found.place != place:
            raise TenantChangedError(system, found.place, place)


def read_at(store: Store, system: str) -> datetime | None:
    """Return when all attempts of a system were last read."""
    with store.session() as session:
        return session.scalar(select(Tenant.read_at).where(Tenant.system == system))


def note_read(store: Store, system: str, moment: datetime) -> None:
    """Note that all attempts of a system were read."""
    with store.writing() as session:
        session.execute(update(Tenant).where(Tenant.system == system).values(read_at=moment))


def forget(store: Store, system: str) -> int:
    """Forget a system's tenant with all that was known of it but the grades; return how many schedules that were.

    Raises:
        SyncBusyError: a run is under way, which would go on with what it knows.
    """
    with alone(store, SYNC) as no_sync, alone(store, COLLECT) as no_collect:
        if not (no_sync and no_collect):
            msg = "a run with the tenant of now is under way; try again when it is done"
            raise SyncBusyError(msg)
        return _forget(store, system)


def _forget(store: Store, system: str) -> int:
    with store.writing() as session:
        gone = session.execute(delete(SessionSchedule)).rowcount  # type: ignore[attr-defined]
        for table in (Attempt, Intent, Plan, Tenant):
            session.execute(delete(table).where(table.system == system))
    return int(gone)
