"""The ledger of batches: who came in, where each stands, what was found.

Every change of a batch's state is one transaction, and a commit of its rows is a compare-and-set
on its state, so that two workers who believe they own a batch cannot both load it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Select, delete, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gradeway import clock
from gradeway.errors import LostClaimError, UnknownBatchError
from gradeway.reasons import Finding, Level, Reason
from gradeway.store.engine import Store
from gradeway.store.models import Batch, BatchState, FindingRow, ParkedRow

# Warnings are counted in full; this many per reason and batch are kept with their line.
KEPT_WARNINGS = 1000
INSERT_SLICE = 5000
FINDING_COLUMNS = ("batch_id", "line", '"column"', "reason", "detail")


@dataclass
class Tally:
    """What became of rows of one batch; every number is one of rows.

    ``refused`` says that the feed is taken whole or not at all, and that a row kept it from being taken.
    """

    rows_in: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    duplicates: int = 0
    superseded: int = 0
    rejected: int = 0
    parked: int = 0
    findings: list[Finding] = field(default_factory=list)
    refused: bool = False


def enter(store: Store, batch: Batch, findings: Sequence[Finding] = ()) -> int:
    """Write a claimed file into the ledger and return its batch number.

    A file with findings is refused. Bytes that the ledger knows become a duplicate.
    """
    batch.state = BatchState.REFUSED if findings else batch.state
    batch.report_due = bool(findings)
    values = {name: getattr(batch, name) for name in ("feed", "file_name", "sha256", "size", "place", "claimed_at")}
    values |= {"state": batch.state, "report_due": batch.report_due, "replay_of": batch.replay_of, "reasons": {}}
    try:
        return _insert(store, values, findings)
    except IntegrityError:
        with store.session() as session:
            first = session.scalar(_same_bytes(batch))
        return _insert(store, values | {"state": BatchState.DUPLICATE, "report_due": True, "duplicate_of": first}, ())


def _same_bytes(batch: Batch) -> Select[tuple[int]]:
    known = Batch.state.not_in([BatchState.DUPLICATE, BatchState.REFUSED])
    return select(func.min(Batch.id)).where(Batch.feed == batch.feed, Batch.sha256 == batch.sha256, known)


def _insert(store: Store, values: dict[str, object], findings: Sequence[Finding]) -> int:
    with store.writing() as session:
        batch = Batch(**values)
        session.add(batch)
        session.flush()
        record(session, batch, findings)
        return batch.id


def knows_place(store: Store, place: str) -> bool:
    """Return whether a batch's bytes are at this place."""
    with store.session() as session:
        return session.scalar(select(func.count()).where(Batch.place == place)) == 1


def get(session: Session, batch_id: int, *, to_change: bool = False) -> Batch:
    """Return a batch; one that is to be changed is locked until the transaction ends.

    Raises:
        UnknownBatchError: there is none of that number.
    """
    batch = session.get(Batch, batch_id, with_for_update=to_change, populate_existing=to_change)
    if batch is None:
        raise UnknownBatchError(batch_id)
    return batch


def claimed(session: Session, batch_id: int) -> Batch:
    """Return a batch that is still to be loaded.

    Raises:
        LostClaimError: another worker loaded it.
    """
    batch = get(session, batch_id)
    if batch.state != BatchState.CLAIMED:
        raise LostClaimError(batch_id)
    return batch


def open_batches(store: Store, feeds: Iterable[str]) -> list[int]:
    """Return the claimed batches of some feeds, oldest first."""
    with store.session() as session:
        wanted = select(Batch.id).where(Batch.state == BatchState.CLAIMED, Batch.feed.in_(list(feeds)))
        return list(session.scalars(wanted.order_by(Batch.id)))


def due_reports(store: Store) -> list[int]:
    """Return the batches whose outputs must be written, or written again."""
    with store.session() as session:
        return list(session.scalars(select(Batch.id).where(Batch.report_due).order_by(Batch.id)))


def commit_load(session: Session, batch_id: int, tally: Tally) -> None:
    """Write a load's outcome in the transaction of its rows.

    Raises:
        LostClaimError: another worker was first; the caller's transaction must not commit.
    """
    claimed = update(Batch).where(Batch.id == batch_id, Batch.state == BatchState.CLAIMED)
    outcome = {"state": BatchState.REFUSED} if tally.refused else {"state": BatchState.LOADED, "loaded_at": clock.now()}
    done = session.execute(claimed.values(outcome))
    if done.rowcount != 1:  # type: ignore[attr-defined]
        raise LostClaimError(batch_id)
    add(session, batch_id, tally)


def older_to_come(session: Session, batch_id: int, feeds: Collection[str], waiting_rows: ColumnElement[bool]) -> bool:
    """Return whether rows of an older batch of the feeds are still to be loaded: claimed, or of some waiting ones."""
    claimed = exists().where(Batch.feed.in_(feeds), Batch.state == BatchState.CLAIMED, Batch.id < batch_id)
    waiting = exists().where(ParkedRow.feed.in_(feeds), ParkedRow.batch_id < batch_id, waiting_rows)
    return bool(session.scalar(select(or_(claimed, waiting))))


def newer_loaded(session: Session, batch_id: int, feeds: Collection[str]) -> bool:
    """Return whether a newer batch of the feeds was loaded already."""
    newer = exists().where(Batch.feed.in_(feeds), Batch.state == BatchState.LOADED, Batch.id > batch_id)
    return bool(session.scalar(select(newer.where(Batch.undo_of.is_(None)))))


def undone(session: Session) -> dict[int, int]:
    """Return the batches that were undone, and by which batch each was."""
    wanted = select(Batch.undo_of, Batch.id).where(Batch.undo_of.is_not(None))
    return {batch_id: by for batch_id, by in session.execute(wanted).tuples() if batch_id}


def add(session: Session, batch_id: int, tally: Tally) -> None:
    """Add rows' outcomes to a batch, which forgets its failures, and mark its outputs as due."""
    batch = get(session, batch_id, to_change=True)
    for name in ("rows_in", "created", "updated", "unchanged", "duplicates", "superseded", "rejected", "parked"):
        setattr(batch, name, getattr(batch, name) + getattr(tally, name))
    batch.report_due = True
    batch.failures, batch.last_failure = 0, ""
    record(session, batch, tally.findings)


def record(session: Session, batch: Batch, findings: Sequence[Finding]) -> None:
    """Count findings on the batch and keep them: rejects all, warnings up to the limit."""
    counts = Counter(batch.reasons or {})
    kept = []
    for finding in findings:
        code = finding.reason.value
        counts[code] += 1
        if finding.reason.level is not Level.WARNING or counts[code] <= KEPT_WARNINGS:
            kept.append(finding)
    batch.reasons = dict(counts)
    session.flush()
    rows = ((batch.id, found.line, found.column, found.reason.value, found.detail) for found in kept)
    if kept:
        from gradeway.store.dialects import dialect  # brings numpy, which those who only read need not

        dialect(session.connection()).append_rows("finding", FINDING_COLUMNS, rows)


def refuse(store: Store, batch_id: int, finding: Finding) -> None:
    """Refuse a claimed file as a whole."""
    with store.writing() as session:
        batch = get(session, batch_id, to_change=True)
        if batch.state == BatchState.CLAIMED:
            batch.state, batch.report_due = BatchState.REFUSED, True
            record(session, batch, [finding])


def note_failure(store: Store, batch_id: int, what: str) -> int:
    """Count an unexpected failure of a batch, by its error's class name; return how many there were."""
    with store.writing() as session:
        batch = get(session, batch_id, to_change=True)
        batch.failures, batch.last_failure = batch.failures + 1, what
        return batch.failures


def note_growth(store: Store, batch_id: int) -> None:
    """Remember that bytes were added to a batch's file after it was read."""
    with store.writing() as session:
        batch = get(session, batch_id, to_change=True)
        if Reason.FILE_GREW.value not in (batch.reasons or {}):
            record(session, batch, [Finding(Reason.FILE_GREW, None)])


def reported(store: Store, batch_id: int, place: str, counts: tuple[int, ...]) -> None:
    """Mark a batch's outputs as written, unless its counts changed meanwhile."""
    with store.writing() as session:
        batch = get(session, batch_id, to_change=True)
        batch.place = place
        batch.report_due = counts != outcome(batch)


def outcome(batch: Batch) -> tuple[int, ...]:
    """Return the counts that a report shows, to tell whether it is still true."""
    return (batch.applied, batch.unchanged, batch.rejected, batch.parked)


def findings_of(session: Session, batch_id: int, limit: int | None = None) -> list[Finding]:
    """Return a batch's kept findings: those on the file, then rejects, then warnings, by line."""
    columns = (FindingRow.reason, FindingRow.line, FindingRow.column, FindingRow.detail)
    odd = FindingRow.reason.in_([reason.value for reason in Reason if reason.level is Level.WARNING])
    wanted = select(*columns).where(FindingRow.batch_id == batch_id)
    rows = session.execute(wanted.order_by(odd, FindingRow.line.nulls_first(), FindingRow.id).limit(limit))
    known = dict(Reason.__members__)
    return [Finding(known[reason], line, column, detail) for reason, line, column, detail in rows]


def forget_parked(session: Session, batch_id: int, lines: Sequence[int]) -> int:
    """Take rows out of the waiting room; return how many were there."""
    gone = 0
    for start in range(0, len(lines), INSERT_SLICE):
        some = list(lines[start : start + INSERT_SLICE])
        taken = session.execute(delete(ParkedRow).where(ParkedRow.batch_id == batch_id, ParkedRow.line.in_(some)))
        gone += taken.rowcount  # type: ignore[attr-defined]
    return gone


def parked_before(session: Session, limit: datetime) -> dict[int, list[tuple[int, str]]]:
    """Return the rows that wait since before an instant: line and kind of parent, by batch."""
    expired: dict[int, list[tuple[int, str]]] = {}
    wanted = select(ParkedRow.batch_id, ParkedRow.line, ParkedRow.parent).where(ParkedRow.parked_at < limit)
    for batch_id, line, parent in session.execute(wanted.order_by(ParkedRow.batch_id, ParkedRow.line)):
        expired.setdefault(batch_id, []).append((line, parent))
    return expired
