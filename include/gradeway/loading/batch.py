"""One batch from its landed bytes to the store, and the rows that waited for it.

All is written in one transaction, which holds the rows, their history, the findings and the batch's
new state: a batch is loaded wholly or not at all, however its worker ends. Only one such transaction
is open at a time; it reads the file as it writes, so that both go on at once.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pandas as pd
from sqlalchemy import ColumnElement, exists, or_, select, true
from sqlalchemy.orm import Session

from gradeway import clock
from gradeway.checks.read import CheckedFile
from gradeway.checks.validate import validate
from gradeway.errors import FileDefectError
from gradeway.feeds import FEEDS
from gradeway.feeds.spec import FeedSpec, RejectPolicy
from gradeway.landing.claim import open_plain
from gradeway.loading.base import Job, loader_of
from gradeway.loading.declared import has_taker
from gradeway.reasons import Finding, Level, Reason
from gradeway.settings import Settings
from gradeway.store import ledger
from gradeway.store.engine import Store
from gradeway.store.ledger import Tally
from gradeway.store.models import COLUMN, RESULT, SCHEMA, Batch, BatchState, Course, GradeColumn, GradeSchema, ParkedRow

REHEARSAL = 2**31 - 1  # its batch number
RELEASE_SLICE = 100_000
SLICES_AHEAD = 3


def load(store: Store, settings: Settings, batch_id: int, path: Path) -> None:
    """Load a claimed batch from its file; a file that cannot be used is refused.

    Raises:
        LostClaimError: another worker loaded the batch meanwhile; nothing was written.
    """
    try:
        with _imports_at_rest():
            _load(store, settings, batch_id, path)
    except FileDefectError as defect:
        ledger.refuse(store, batch_id, Finding(defect.reason, defect.line, defect.column, defect.detail))


@contextmanager
def _imports_at_rest() -> Iterator[None]:
    """Keep the garbage collector from looking at all that was imported, each time many rows pass by."""
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _load(store: Store, settings: Settings, batch_id: int, path: Path) -> None:
    with store.connection() as connection, store.exclusive(connection) as session:
        batch = ledger.claimed(session, batch_id)
        spec, sha256 = FEEDS[batch.feed], batch.sha256
        checked = CheckedFile(lambda: open_plain(path), spec, settings)
        tally = _take(_job(session, settings, batch_id, spec), checked)
        if checked.sha256 != sha256:
            raise FileDefectError(Reason.FILE_CHANGED)
        ledger.commit_load(session, batch_id, tally)


def _job(session: Session, settings: Settings, batch_id: int, spec: FeedSpec) -> Job:
    confirm = _older_to_come(session, settings, batch_id, spec)
    late = ledger.newer_loaded(session, batch_id, (spec.name, *spec.rivals))
    return Job(settings, spec, batch_id, session, confirm, late)


def rehearse(store: Store, settings: Settings, spec: FeedSpec, path: Path) -> Tally:
    """Return what loading a file would do now, and change nothing.

    Raises:
        FileDefectError: the file cannot be used as a whole.
    """
    checked = CheckedFile(lambda: open_plain(path), spec, settings)
    with (
        store.connection() as connection,
        store.exclusive(connection) as session,
        # asked of the session, which else would open a savepoint of its own in this one
        session.connection().begin_nested() as trial,
    ):
        session.add(_rehearsed(spec, path))
        session.flush()
        tally = _take(Job(settings, spec, REHEARSAL, session), checked)
        session.expunge_all()
        trial.rollback()
    return tally


def _rehearsed(spec: FeedSpec, path: Path) -> Batch:
    """Return the batch that a rehearsal pretends to load, the newest there can be; waiting rows refer to it."""
    return Batch(
        id=REHEARSAL,
        feed=spec.name,
        file_name=path.name,
        sha256="rehearsal",
        size=0,
        state=BatchState.CLAIMED,
        place="",
        claimed_at=clock.now(),
        reasons={},
    )


def _ahead(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Read a few slices ahead in a thread, while the database takes those before."""
    with ThreadPoolExecutor(1) as reader:
        coming = deque(reader.submit(next, frames, None) for _ in range(SLICES_AHEAD))
        while (frame := coming.popleft().result()) is not None:
            coming.append(reader.submit(next, frames, None))
            yield frame


def _take(job: Job, checked: CheckedFile) -> Tally:
    """Load a file's good rows and return the outcome of every row."""
    whole = job.spec.policy(job.settings) is RejectPolicy.FILE
    lines: list[int] = []
    # the connection's savepoint: loaders write past the session
    with job.connection.begin_nested() as attempt:
        loader, tally = loader_of(job), Tally()
        for frame in _ahead(checked.slices()):
            loader.add(frame)
            if whole:
                lines += [int(line) for line in frame.index]
        loader.drop(checked.excluded)
        if not (whole and checked.rejected):
            tally = loader.finish()
        tally.findings = checked.findings + tally.findings
        tally.rejected += len(checked.rejected)
        if whole and tally.rejected:
            attempt.rollback()
            tally = _refused(checked, tally.findings, {*lines, *checked.repeated})
    tally.rows_in = checked.rows
    if not tally.refused:
        repeated = len(checked.repeated)
        tally.duplicates, tally.unchanged = tally.duplicates + repeated, tally.unchanged + repeated
    return tally


def _refused(checked: CheckedFile, findings: list[Finding], lines: set[int]) -> Tally:
    rejected = {finding.line for finding in findings if finding.reason.level is Level.ROW}
    others = [Finding(Reason.FILE_REJECTED, line) for line in sorted(lines) if line not in rejected]
    return Tally(rejected=checked.rows, findings=findings + others, refused=True)


def releasable(store: Store, settings: Settings, stage: int) -> list[int]:
    """Return the batches of a stage with waiting rows whose schema or column is there now, oldest first."""
    names = [spec.name for spec in FEEDS.values() if spec.stage == stage]
    waiting = ParkedRow.feed.in_(names)
    with store.session() as session:
        if not session.scalar(select(exists().where(waiting))):
            return []
        ready = select(ParkedRow.batch_id).where(waiting, _parent_is_there(session, settings)).distinct()
        return list(session.scalars(ready.order_by(ParkedRow.batch_id)))


def release(store: Store, settings: Settings, batch_id: int) -> int:
    """Load a batch's waiting rows whose schema or column is there now; return how many."""
    released = 0
    while count := _release_some(store, settings, batch_id):
        released += count
    return released


def give_up(store: Store, settings: Settings, batch_id: int, what: str) -> None:
    """Reject a batch's waiting rows that could not be loaded although what they waited for is there."""
    with store.exclusive() as session:
        ready = select(ParkedRow.line).where(ParkedRow.batch_id == batch_id, _parent_is_there(session, settings))
        lines = list(session.scalars(ready.order_by(ParkedRow.line)))
        ledger.forget_parked(session, batch_id, lines)
        findings = [Finding(Reason.RELEASE_FAILED, line, "", what) for line in lines]
        ledger.add(session, batch_id, Tally(rejected=len(lines), parked=-len(lines), findings=findings))


def _older_to_come(session: Session, settings: Settings, batch_id: int, spec: FeedSpec) -> bool:
    """Return whether an older batch can still say something about what a batch's rows are about.

    Where all rows about one thing wait for the same parent, a newer one cannot have loaded before it.
    """
    reachable = _parent_is_there(session, settings) if spec.waits_together else true()
    return ledger.older_to_come(session, batch_id, (spec.name, *spec.rivals), reachable)


def _parent_is_there(session: Session, settings: Settings) -> ColumnElement[bool]:
    schema = exists().where(ParkedRow.parent == SCHEMA, GradeSchema.title == ParkedRow.name)
    column = exists().where(
        ParkedRow.parent == COLUMN,
        Course.source_id == ParkedRow.course,
        GradeColumn.course_id == Course.id,
        GradeColumn.name == ParkedRow.name,
    )
    return or_(schema, column, has_taker(session, settings))


def _release_some(store: Store, settings: Settings, batch_id: int) -> int:
    with store.connection() as connection, store.exclusive(connection) as session:
        is_there = _parent_is_there(session, settings)
        ready = select(ParkedRow.line, ParkedRow.cells).where(ParkedRow.batch_id == batch_id, is_there)
        cells = {line: text for line, text in session.execute(ready.order_by(ParkedRow.line).limit(RELEASE_SLICE))}
        if not cells:
            return 0
        spec = FEEDS[ledger.get(session, batch_id).feed]
        ledger.forget_parked(session, batch_id, list(cells))
        frame = pd.DataFrame.from_dict(cells, orient="index", dtype=str)
        good, findings = validate(frame, spec.build(settings))
        loader = loader_of(_job(session, settings, batch_id, spec))
        loader.add(good)
        tally = loader.finish()
        tally.findings += [finding for finding in findings if finding.reason.level is Level.ROW]
        tally.rejected += len(frame) - len(good)
        released = len(cells) - tally.parked
        tally.parked -= len(cells)
        ledger.add(session, batch_id, tally)
        return released


def expire(store: Store, settings: Settings) -> dict[int, int]:
    """Reject the rows that waited longer than allowed; return how many, by batch."""
    reasons = {
        SCHEMA: Reason.SCHEMA_NEVER_CAME,
        COLUMN: Reason.COLUMN_NEVER_CAME,
        RESULT: Reason.RESULT_UNMAPPED,
    }
    expired = {}
    with store.exclusive() as session:
        limit = clock.now() - timedelta(days=settings.parked_days)
        for batch_id, rows in ledger.parked_before(session, limit).items():
            findings = [Finding(reasons[parent], line) for line, parent in rows]
            ledger.forget_parked(session, batch_id, [line for line, _ in rows])
            ledger.add(session, batch_id, Tally(rejected=len(rows), parked=-len(rows), findings=findings))
            expired[batch_id] = len(rows)
    return expired
