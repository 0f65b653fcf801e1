"""Paging through the ledger: stable pages, whatever lands meanwhile, and what the pages show beside it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, func, or_, select, tuple_
from sqlalchemy.orm import Session

from gradeway.store.models import Batch, BatchState, Grade, ParkedRow
from gradeway.store.overview import Waiting


class Show(StrEnum):
    """Which batches to show: those a person should look at, or those in one state."""

    ATTENTION = "attention"
    LOADED = BatchState.LOADED.value
    REFUSED = BatchState.REFUSED.value
    DUPLICATE = BatchState.DUPLICATE.value
    CLAIMED = BatchState.CLAIMED.value


@dataclass(frozen=True)
class Place:
    """A place in the list of batches: older than one, newer than one, or its newest end."""

    before: int | None = None
    after: int | None = None


@dataclass(frozen=True)
class Page:
    """Batches, newest first, and the places of the pages next to them, if there are any."""

    batches: Sequence[Batch]
    newer: Place | None
    older: Place | None


def page(session: Session, place: Place, size: int, *, show: Show | None = None, feed: str | None = None) -> Page:
    """Return at most ``size`` batches at a place; the same place shows the same batches tomorrow."""
    wanted = _wanted(show, feed)
    if place.after is not None:
        rows = wanted.where(Batch.id > place.after).order_by(Batch.id).limit(size)
        batches = list(session.scalars(rows))[::-1]
    else:
        rows = wanted.where(Batch.id < place.before) if place.before is not None else wanted
        batches = list(session.scalars(rows.order_by(Batch.id.desc()).limit(size)))
    if not batches:
        return Page((), None, None)
    newest, oldest = batches[0].id, batches[-1].id
    return Page(
        batches,
        Place(after=newest) if _any(session, wanted.where(Batch.id > newest)) else None,
        Place(before=oldest) if _any(session, wanted.where(Batch.id < oldest)) else None,
    )


def _wanted(show: Show | None, feed: str | None) -> Select[tuple[Batch]]:
    wanted = select(Batch)
    if show is not None:
        wanted = wanted.where(_needs_attention() if show is Show.ATTENTION else Batch.state == show.value)
    return wanted if feed is None else wanted.where(Batch.feed == feed)


def _needs_attention() -> ColumnElement[bool]:
    failing = (Batch.state == BatchState.CLAIMED) & (Batch.failures > 0)
    return or_(Batch.state == BatchState.REFUSED, Batch.rejected > 0, Batch.parked > 0, failing)


def _any(session: Session, wanted: Select[tuple[Batch]]) -> bool:
    return bool(session.scalar(select(wanted.exists())))


def attention(session: Session) -> int:
    """Return how many batches a person should look at."""
    return session.scalar(select(func.count()).select_from(Batch).where(_needs_attention())) or 0


def grades(session: Session) -> int:
    """Return how many grades the store has; reads the whole index of grades."""
    return session.scalar(select(func.count()).select_from(Grade)) or 0


def senders(session: Session, groups: Sequence[Waiting]) -> dict[Waiting, list[int]]:
    """Return the batches that the rows of each waiting group came in."""
    keys = (ParkedRow.parent, ParkedRow.course, ParkedRow.name)
    by_key = {(group.parent, group.course, group.name): group for group in groups}
    wanted = select(*keys, ParkedRow.batch_id).distinct().where(tuple_(*keys).in_(list(by_key)))
    found: dict[Waiting, list[int]] = defaultdict(list)
    for parent, course, name, batch_id in session.execute(wanted.order_by(ParkedRow.batch_id)):
        found[by_key[parent, course, name]].append(batch_id)
    return dict(found)
