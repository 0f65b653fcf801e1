"""Taking a batch back: the store returns to what it was before, as far as no newer batch has spoken since.

All is one transaction, the only one that is open at a time: a batch is undone wholly or not at all,
however its worker ends. What an undo did is in the ledger, as a batch of its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from gradeway import clock
from gradeway.errors import UndoRefusedError
from gradeway.feeds import FEEDS, sessions
from gradeway.loading import marks, records
from gradeway.loading.batch import REHEARSAL
from gradeway.loading.takeback import Kept, Takeback
from gradeway.reasons import Finding, Reason
from gradeway.settings import Settings
from gradeway.store import ledger
from gradeway.store.bulk import TakenBack, take_back
from gradeway.store.engine import Store
from gradeway.store.ledger import Tally
from gradeway.store.models import COLUMN, SCHEMA, Batch, BatchState, ParkedRow

GRADE = "grade"


@dataclass(frozen=True)
class Undone:
    """What an undo did, or would do.

    Attributes:
        batch_id: the batch that was taken back.
        file_name: that of its file.
        undo_id: the batch that took it back; none if it was only tried.
        parts: what became of grades, schemas, columns and marks of external grades, by these words.
        forgotten: rows that waited and do so no more.
        kept: schemas, columns and marks that stay, and why.
        tally: what became of the batch's rows.
    """

    batch_id: int
    file_name: str
    undo_id: int | None
    parts: dict[str, TakenBack]
    forgotten: int
    kept: list[Kept]
    tally: Tally


def undo(store: Store, settings: Settings, batch_id: int, *, dry_run: bool = False) -> Undone:
    """Take a batch back; in a dry run only tell what that would do.

    Raises:
        UnknownBatchError: there is no such batch.
        UndoRefusedError: it cannot be undone; nothing was changed.
    """
    with (
        store.connection() as connection,
        store.exclusive(connection) as session,
        # asked of the session, which else would open a savepoint of its own in this one
        session.connection().begin_nested() as trial,
    ):
        batch = _undoable(session, batch_id)
        undo_id = _enter(session, batch, REHEARSAL if dry_run else None)
        done = _take_back(session, settings, batch, undo_id)
        ledger.add(session, undo_id, done.tally)
        ledger.add(session, batch_id, Tally(unchanged=done.forgotten, parked=-done.forgotten))
        session.flush()
        session.expunge_all()
        if dry_run:
            trial.rollback()
    return done


def _undoable(session: Session, batch_id: int) -> Batch:
    batch = ledger.get(session, batch_id, to_change=True)
    if why := _refusal(batch):
        msg = f"batch {batch_id} {why}"
        raise UndoRefusedError(msg)
    return batch


def _refusal(batch: Batch) -> str:
    """Return why a batch cannot be undone, and what to do; nothing if it can."""
    if batch.undo_of:
        return f"is itself an undo; `gradeway replay {batch.undo_of}` loads batch {batch.undo_of} again"
    if batch.state == BatchState.CLAIMED:
        return f"is not loaded yet; `gradeway show {batch.id}` tells where it stands"
    if batch.state == BatchState.REFUSED:
        return "was refused as a whole and changed nothing, so there is nothing to undo"
    if batch.state == BatchState.DUPLICATE:
        return f"has the same bytes as batch {batch.duplicate_of} and changed nothing; undo batch {batch.duplicate_of}"
    if batch.undone_by:
        return f"was undone by batch {batch.undone_by}; `gradeway replay {batch.id}` loads it again"
    if FEEDS[batch.feed].inbox == sessions.SPEC.inbox:
        return "is about exam sessions, which cannot be undone; `gradeway sessions withdraw NAME` takes one back"
    return ""


def _enter(session: Session, batch: Batch, undo_id: int | None) -> int:
    """Write the undo into the ledger, as a batch without bytes of its own, and return its number."""
    now = clock.now()
    undoing = Batch(
        id=undo_id,
        feed=batch.feed,
        file_name=batch.file_name,
        sha256=batch.sha256,
        size=batch.size,
        state=BatchState.LOADED,
        place="",
        claimed_at=now,
        loaded_at=now,
        undo_of=batch.id,
        reasons={},
    )
    session.add(undoing)
    session.flush()
    return undoing.id


def _take_back(session: Session, settings: Settings, batch: Batch, undo_id: int) -> Undone:
    batch_id, file_name, rows_in = batch.id, batch.file_name, batch.rows_in
    again = _said_again(session, batch)
    waiting = session.execute(delete(ParkedRow).where(ParkedRow.batch_id == batch_id))
    forgotten = waiting.rowcount  # type: ignore[attr-defined]
    grades = take_back(session.connection(), batch_id, undo_id)
    others = Takeback(session, settings, batch_id, undo_id)
    marks.take_back(others)
    records.take_back(others)
    kept = Counter(one.kind for one in others.kept)
    parts = {GRADE: grades} | {
        kind: TakenBack(others.restored[kind], others.removed[kind], kept[kind])
        for kind in (SCHEMA, COLUMN, marks.MARK)
    }
    taken = grades.restored + grades.removed + len(others.taken)
    stayed = grades.kept + len(others.touched - others.taken)
    tally = Tally(
        rows_in=rows_in,
        updated=taken + forgotten,
        unchanged=rows_in - taken - forgotten,
        superseded=stayed,
        findings=[one.finding for one in others.kept] + others.findings + (again if taken else []),
    )
    return Undone(batch_id, file_name, None if undo_id == REHEARSAL else undo_id, parts, forgotten, others.kept, tally)


def _said_again(session: Session, batch: Batch) -> list[Finding]:
    """Tell which newer batch may have said once more what a batch had: unchanged rows leave no other trace."""
    spec = FEEDS[batch.feed]
    newer = select(func.max(Batch.id)).where(
        Batch.feed.in_((spec.name, *spec.rivals)),
        Batch.id > batch.id,
        Batch.undo_of.is_(None),
        Batch.undone_by.is_(None),
        Batch.unchanged > Batch.duplicates + Batch.superseded,
    )
    found = session.scalar(newer)
    return [Finding(Reason.UNDO_SAID_AGAIN, None, "", f"batch {found}")] if found else []
