"""What every loader is, and what the loaders of small feeds share.

A loader is given the good rows of one batch slice by slice, in the one transaction that may change
grades, columns and schemas, and writes what differs: as they come, or all at the end.
"""

from __future__ import annotations

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import pandas as pd
from sqlalchemy import Connection, insert, select
from sqlalchemy.orm import Session

from gradeway import clock
from gradeway.feeds.spec import FeedSpec
from gradeway.reasons import Finding, Reason
from gradeway.settings import Settings
from gradeway.store import ledger
from gradeway.store.dialects import append_records
from gradeway.store.exams import ExamSession, SessionGroup
from gradeway.store.ledger import Tally
from gradeway.store.models import Change, GradeColumn, GradeSchema, ParkedRow

Item = TypeVar("Item")
Record = GradeSchema | GradeColumn | SessionGroup | ExamSession

CHUNK = 1000


@dataclass(frozen=True)
class Job:
    """The batch whose rows are loaded, and the session that holds the store's lock.

    With ``confirm``, what is found unchanged is marked as given by this batch too: an older batch
    is still to come and must not replace it. With ``late``, a newer batch came before.
    """

    settings: Settings
    spec: FeedSpec
    batch_id: int
    session: Session
    confirm: bool = False
    late: bool = False

    @property
    def connection(self) -> Connection:
        """The session's connection."""
        return self.session.connection()


class Loader(Protocol):
    """Loads the rows of one batch of one feed."""

    def __init__(self, job: Job) -> None:
        """Prepare for a batch."""

    def add(self, frame: pd.DataFrame) -> None:
        """Take a slice of good rows; the index is their lines."""

    def drop(self, lines: Collection[int]) -> None:
        """Take back rows that turned out not to be good."""

    def finish(self) -> Tally:
        """Write what is not written yet, and return what became of the rows."""


def loader_of(job: Job) -> Loader:
    """Return the loader that the job's feed names."""
    loader: Loader = pkgutil.resolve_name(job.spec.loader)(job)
    return loader


@dataclass
class Row:
    """One row of a small feed: its line, its text cells, and the values they stand for."""

    line: int
    cells: dict[str, str]
    values: dict[str, Any] = field(default_factory=dict)


class RowLoader(ABC):
    """Base of the loaders that compare row by row with what the store has."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.contract = job.spec.build(job.settings)
        self.tally = Tally()
        self._rows: dict[int, Row] = {}
        self._parked: list[Waiting] = []
        self._changes: list[Past] = []
        self._undone = ledger.undone(job.session)

    def add(self, frame: pd.DataFrame) -> None:
        """Take a slice of good rows and parse their cells."""
        for line, cells in frame.to_dict("index").items():
            number, text = int(str(line)), {str(name): str(cell) for name, cell in cells.items()}
            self._rows[number] = Row(number, text, self._parse(text))

    def _parse(self, cells: dict[str, str]) -> dict[str, Any]:
        columns = self.contract.columns
        return {
            name: columns[name].metadata["parser"](cell) if cell else columns[name].metadata["default"]
            for name, cell in cells.items()
        }

    def drop(self, lines: Collection[int]) -> None:
        """Forget rows."""
        for line in lines:
            self._rows.pop(line, None)

    def finish(self) -> Tally:
        """Write what differs from the store."""
        session = self.job.session
        for rows in chunks(list(self._rows.values())):
            self.apply(session, rows)
            self._write_changes(session)
            session.expunge_all()
        park(self.job, self._parked)
        return self.tally

    @abstractmethod
    def apply(self, session: Session, rows: Sequence[Row]) -> None:
        """Write some rows."""

    def complete(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return a new record's values: the row's, and the documented defaults for absent columns."""
        return {name: column.metadata["default"] for name, column in self.contract.columns.items()} | values

    def reject(self, row: Row, reason: Reason, column: str = "", detail: str = "") -> None:
        """Count a row as rejected."""
        self.tally.rejected += 1
        self.tally.findings.append(Finding(reason, row.line, column, detail))

    def park(self, row: Row, parent: str, name: str, course: str = "") -> None:
        """Set a row aside until its parent is there."""
        self.tally.parked += 1
        self._parked.append(Waiting(row.line, row.cells, parent, name, course))

    def revise(self, record: Record, wanted: dict[str, Any], row: Row) -> None:
        """Bring a record to the wanted values and count the outcome.

        Each field keeps the batch that last gave it, and an older batch never replaces it.
        """
        if self.bring_to(record, wanted, row):
            self.tally.updated += 1
        elif any(getattr(record, name) != value for name, value in wanted.items()):
            self.supersede(row)
        else:
            self.tally.unchanged += 1

    def bring_to(self, record: Record, wanted: dict[str, Any], row: Row) -> bool:
        """Bring a record to the wanted values as `revise` does, but count nothing; return whether it changed."""
        # what an undone batch gave and others need is there for any batch to give
        givers = {name: batch for name, batch in record.given.items() if batch not in self._undone}
        fresh = {name: value for name, value in wanted.items() if givers.get(name, 0) <= self.job.batch_id}
        changed = [name for name, value in fresh.items() if getattr(record, name) != value]
        said = [name for name in fresh if self.job.confirm or name in changed or name not in givers]
        late = {name: value for name, value in wanted.items() if name not in fresh}
        if said or late:
            self.remember(record, row, {name: getattr(record, name) for name in (*said, *late)})
        self._keep_overtaken(record, late)
        if said:
            record.given = record.given | dict.fromkeys(said, self.job.batch_id)
        for name in changed:
            setattr(record, name, wanted[name])
        if changed:
            record.batch_id, record.line = self.job.batch_id, row.line
        return bool(changed)

    def _keep_overtaken(self, record: Record, values: dict[str, Any]) -> None:
        for newer in sorted({record.given[name] for name in values}):
            overtaken = {name: value for name, value in values.items() if record.given[name] == newer}
            self.overtaken(record, overtaken, newer, self.line_of(record, newer))

    def supersede(self, row: Row) -> None:
        """Count a row that a newer batch has overtaken."""
        self.tally.unchanged += 1
        self.tally.superseded += 1
        self.tally.findings.append(Finding(Reason.SUPERSEDED, row.line))

    def create(self, session: Session, record: Record, given: Iterable[str], row: Row) -> None:
        """Add a new record, remember which fields its row gave, and count it."""
        record.batch_id, record.line = self.job.batch_id, row.line
        record.given = dict.fromkeys(given, self.job.batch_id)
        session.add(record)
        self.tally.created += 1
        self.remember(record, row, None)

    def remember(
        self, record: Record, row: Row, before: dict[str, Any] | None, given: Mapping[str, int] | None = None
    ) -> None:
        """Keep the history of a record: what it was, or None if it is new.

        Args:
            record: as it was, unless ``given`` says which batches gave those fields.
            row: what changes it.
            before: its fields.
            given: by field, the batch that gave it.
        """
        self._changes.append(Past(record, self.job.batch_id, row.line, before, given or record.given))

    def overtaken(self, record: Record, values: dict[str, Any], newer: int, line: int) -> None:
        """Keep what a row says and a line of a newer batch has overtaken: an undo of that batch brings it back.

        It goes into the history as what the newer batch replaced.
        """
        self._changes.append(Past(record, newer, line, values, dict.fromkeys(values, self.job.batch_id)))

    def line_of(self, record: Record, batch_id: int) -> int:
        """Return the line of a batch that last said something of a record."""
        wanted = select(Change.line).where(
            Change.entity == record.__tablename__, Change.entity_id == record.id, Change.batch_id == batch_id
        )
        found = self.job.session.scalar(wanted.order_by(Change.id.desc()).limit(1))
        return record.line if found is None else found

    def _write_changes(self, session: Session) -> None:
        session.flush()  # new records get their ids
        write_changes(session, self._changes)
        self._changes.clear()


@dataclass(frozen=True)
class Past:
    """What fields of a record were before a row of a batch changed them, and the batches that had given them."""

    record: Record
    batch_id: int
    line: int
    before: dict[str, Any] | None
    given: Mapping[str, int]


def write_changes(session: Session, changes: Iterable[Past]) -> None:
    """Write the history of records that the database knows."""
    rows = [
        {
            "entity": past.record.__tablename__,
            "entity_id": past.record.id,
            "batch_id": past.batch_id,
            "line": past.line,
            "before": None if past.before is None else {name: _plain(value) for name, value in past.before.items()},
            "given": {name: past.given[name] for name in past.before or () if name in past.given},
        }
        for past in changes
    ]
    if rows:
        session.execute(insert(Change), rows)


def _plain(value: object) -> object:
    return value if isinstance(value, (dict, list, bool, int, type(None))) else str(value)


@dataclass(frozen=True)
class Waiting:
    """A row that waits: for the ``name`` of something of the kind ``parent``."""

    line: int
    cells: dict[str, str]
    parent: str
    name: str
    course: str = ""


def park(job: Job, rows: Iterable[Waiting]) -> None:
    """Write a batch's rows that wait."""
    given = {"batch_id": job.batch_id, "feed": job.spec.name, "parked_at": clock.now()}
    append_records(job.connection, ParkedRow, ({**given, **vars(row)} for row in rows))


def chunks(items: Sequence[Item], size: int = CHUNK) -> Iterator[Sequence[Item]]:
    """Yield a sequence in pieces that fit a query's parameters."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
