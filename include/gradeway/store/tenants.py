"""Which tenant of an outside system the store knows: ids of one tenant mean nothing in another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gradeway import clock
from gradeway.errors import SyncBusyError, TenantChangedError
from gradeway.store.custody import ASSESSMENTQ, FileState, Reach, ResultFile, ResultUpload
from gradeway.store.engine import Store
from gradeway.store.exams import QUESTIONMARK, Attempt, Intent, Plan, SessionSchedule, Tenant
from gradeway.store.lock import COLLECT, PLAN, SEND, SYNC, alone
from gradeway.store.publish import (
    FILES,
    LEARN,
    ComparedCourse,
    DayOfCalls,
    GradeConflict,
    GradeReceipt,
    PublishedItem,
    PublishIntent,
    PublishProblem,
)


@dataclass(frozen=True)
class Known:
    """What the store knows of a tenant: where it is, and how many schedules, uploads or grades are there for us."""

    place: str
    count: int


def hold(store: Store, system: str, url: str) -> None:
    """Remember the tenant at the first time, and make sure ever after that it is the same.

    Raises:
        TenantChangedError: the store knows another one.
    """
    try:
        if not check(store, system, url):
            with store.writing() as session:
                session.add(Tenant(system=system, place=_place(url)))
    except IntegrityError:
        hold(store, system, url)  # another run was first


def check(store: Store, system: str, url: str) -> bool:
    """Make sure that the store knows no other tenant; return whether it knows this one.

    Raises:
        TenantChangedError: the store knows another one.
    """
    with store.session() as session:
        known, place = session.scalar(select(Tenant.place).where(Tenant.system == system)), _place(url)
    if known is not None and known != place:
        of = SYSTEMS[system]
        raise TenantChangedError(system, of.shown(known), of.shown(place), of.command, of.named_by)
    return known is not None


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname or ''}{parts.path.rstrip('/')}".lower()  # a port says nothing about who is there


def read_at(store: Store, system: str) -> datetime | None:
    """Return when all of a system was last read."""
    with store.session() as session:
        return session.scalar(select(Tenant.read_at).where(Tenant.system == system))


def is_due(store: Store, system: str, hour: int) -> bool:
    """Return whether all of a system is to be read: at the first time after an hour (UTC) of each day.

    A last time that is still to come is of a clock that was wrong, and does not count.
    """
    last = read_at(store, system)
    return last is None or last > clock.now() or last < last_night(hour)


def last_night(hour: int) -> datetime:
    """Return when it was last this hour (UTC)."""
    now = clock.now().astimezone(UTC)
    night = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    return night if night <= now else night - timedelta(days=1)


def note_read(store: Store, system: str, moment: datetime) -> None:
    """Note that all of a system was read."""
    with store.writing() as session:
        session.execute(update(Tenant).where(Tenant.system == system).values(read_at=moment))


def known(store: Store, system: str) -> Known | None:
    """Return what is known of a system's tenant, None if that is nothing."""
    with store.session() as session:
        return _known(session, system)


def _known(session: Session, system: str) -> Known | None:
    place, of = session.scalar(select(Tenant.place).where(Tenant.system == system)), SYSTEMS[system]
    return None if place is None else Known(of.shown(place), of.count(session, system))


def forget(store: Store, system: str) -> Known | None:
    """Forget a system's tenant with all that was known of it; return what that was.

    Sessions, files and grades of our own are kept, and so is all that stands there.

    Raises:
        SyncBusyError: a run is under way, which would go on with what it knows.
    """
    with ExitStack() as locks:
        if not all(locks.enter_context(alone(store, run)) for run in SYSTEMS[system].runs):
            msg = "a run with the tenant of now is under way; try again when it is done"
            raise SyncBusyError(msg)
        with store.writing() as session:
            found = _known(session, system)
            SYSTEMS[system].forget(session, system)
            session.execute(delete(Tenant).where(Tenant.system == system))
    return found


def _count_schedules(session: Session, _system: str) -> int:
    return session.scalar(select(func.count()).select_from(SessionSchedule)) or 0


def _forget_schedules(session: Session, system: str) -> None:
    session.execute(delete(SessionSchedule))
    for table in (Attempt, Intent, Plan):
        session.execute(delete(table).where(table.system == system))


def _count_uploads(session: Session, system: str) -> int:
    return session.scalar(select(func.count()).where(ResultUpload.system == system)) or 0


def _forget_uploads(session: Session, system: str) -> None:
    """Forget what was sent: what is not finished there, or was refused, waits to be sent anew."""
    again = update(ResultFile).where(ResultFile.state.in_([FileState.SENT, FileState.REFUSED]))
    session.execute(
        again.values(state=FileState.WAITING, waiting_since=clock.now(), tried_at=None, sent_at=None, detail="")
    )
    for table in (Attempt, ResultUpload, Reach):
        session.execute(delete(table).where(table.system == system))


def _count_grades(session: Session, target: str) -> int:
    return session.scalar(select(func.count()).where(GradeReceipt.target == target)) or 0


def _forget_gradebook(session: Session, target: str) -> None:
    for table in (GradeReceipt, GradeConflict, PublishProblem, PublishedItem, ComparedCourse):
        session.execute(delete(table).where(table.target == target))
    plans = select(Plan.id).where(Plan.system == target)
    session.execute(delete(PublishIntent).where(PublishIntent.plan_id.in_(plans)))
    session.execute(delete(Plan).where(Plan.system == target))
    session.execute(delete(DayOfCalls).where(DayOfCalls.system == target))


@dataclass(frozen=True)
class _System:
    """How a system is forgotten: by which command, while none of which runs is under way, and what there is of it.

    ``named_by`` says where its tenant is named; ``prefix`` is what stands before its place in the store only.
    """

    command: str
    runs: Sequence[str]
    count: Callable[[Session, str], int]
    forget: Callable[[Session, str], None]
    named_by: str = "the Connection"
    prefix: str = ""

    def shown(self, place: str) -> str:
        """Return a place as people know it."""
        return place.removeprefix(self.prefix)


_GRADEBOOK = _System("gradeway publish forget", (PLAN, SEND), _count_grades, _forget_gradebook)
SYSTEMS: Mapping[str, _System] = {
    QUESTIONMARK: _System("gradeway sessions forget", (SYNC, COLLECT), _count_schedules, _forget_schedules),
    ASSESSMENTQ: _System("gradeway aqr forget", (f"{COLLECT}-{ASSESSMENTQ}",), _count_uploads, _forget_uploads),
    LEARN: _GRADEBOOK,
    FILES: replace(_GRADEBOOK, named_by="GRADEWAY_PUBLISH_FILES_FOLDER", prefix=FILES),
}
