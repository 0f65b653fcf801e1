"""What stands in the store at a glance: batches by state, rows that wait, what a person should look at."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from gradeway.store.exams import QUESTIONMARK, Plan
from gradeway.store.models import Batch, BatchState, ParkedRow

MOMENT = timedelta(minutes=1)  # in which one look keeps its plan and the parts of it


@dataclass(frozen=True)
class Waiting:
    """Rows that wait for the same schema or column, since the oldest of them was parked."""

    parent: str
    course: str
    name: str
    rows: int
    since: datetime


@dataclass(frozen=True)
class Recent:
    """What went wrong since an instant: files refused whole; rows rejected, and in how many batches."""

    refused: int
    rejected_rows: int
    rejected_batches: int


def batches(
    session: Session, limit: int, *, feed: str | None = None, state: str | None = None, rejects: bool = False
) -> list[Batch]:
    """Return the newest batches first; with ``rejects`` only those with rejected rows or refused whole."""
    wanted = select(Batch).order_by(Batch.id.desc()).limit(limit)
    wanted = wanted.where(Batch.feed == feed) if feed else wanted
    wanted = wanted.where(Batch.state == state) if state else wanted
    wanted = wanted.where((Batch.rejected > 0) | (Batch.state == BatchState.REFUSED)) if rejects else wanted
    return list(session.scalars(wanted))


def by_number(session: Session, ids: Collection[int]) -> list[Batch]:
    """Return some batches in the order of their numbers."""
    return list(session.scalars(select(Batch).where(Batch.id.in_(ids)).order_by(Batch.id)))


def waiting_plans(session: Session) -> list[Plan]:
    """Return the plans of exams that wait for a person's approval, as the newest look found them."""
    of_exams = Plan.system == QUESTIONMARK
    last = session.scalar(select(func.max(Plan.made_at)).where(of_exams))
    held = session.scalars(select(Plan).where(of_exams, Plan.held_at.is_not(None)))
    return [plan for plan in held if last and plan.made_at >= last - MOMENT and not _is_answered(plan)]


def _is_answered(plan: Plan) -> bool:
    return any(moment and moment >= plan.made_at for moment in (plan.approved_at, plan.applied_at))


def states(session: Session) -> dict[str, int]:
    """Return the number of batches in every state."""
    found = dict(session.execute(select(Batch.state, func.count()).group_by(Batch.state)).tuples().all())
    return {state.value: found.get(state.value, 0) for state in BatchState}


def waiting(session: Session) -> list[Waiting]:
    """Return the rows that wait, grouped by what they wait for, longest waiting first."""
    groups = (ParkedRow.parent, ParkedRow.course, ParkedRow.name)
    since = func.min(ParkedRow.parked_at)
    wanted = select(*groups, func.count(), since).group_by(*groups).order_by(since, *groups)
    return [Waiting(*row) for row in session.execute(wanted).tuples()]


def unfinished(session: Session) -> list[Batch]:
    """Return the batches that were claimed and not yet loaded, or whose waiting rows fail, oldest first."""
    open_ = or_(Batch.state == BatchState.CLAIMED, (Batch.state == BatchState.LOADED) & (Batch.failures > 0))
    return list(session.scalars(select(Batch).where(open_).order_by(Batch.id)))


def unbalanced(session: Session) -> list[int]:
    """Return the numbers of batches that lost count of a row; there must be none."""
    accounted = Batch.created + Batch.updated + Batch.unchanged + Batch.rejected + Batch.parked
    return list(session.scalars(select(Batch.id).where(Batch.rows_in != accounted).order_by(Batch.id)))


def recent(session: Session, since: datetime) -> Recent:
    """Return what went wrong in the batches claimed since an instant."""
    fresh = Batch.claimed_at >= since
    refused = session.scalar(select(func.count()).where(fresh, Batch.state == BatchState.REFUSED)) or 0
    bad = select(func.coalesce(func.sum(Batch.rejected), 0), func.count()).where(fresh, Batch.rejected > 0)
    rows, among = session.execute(bad).tuples().one()
    return Recent(refused, int(rows), among)


def rejected_so_far(session: Session) -> dict[int, int]:
    """Return the rejected rows of the batches whose count can still grow because rows of them wait."""
    return dict(session.execute(select(Batch.id, Batch.rejected).where(Batch.parked > 0)).tuples().all())
