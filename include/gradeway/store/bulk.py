"""Writing many grades at once, under the lock that lets one transaction at a time change the store.

Before the lock is taken, grades are resolved, compared with what the store holds and set aside in
a file. Under it those that differ are written: straight into ``grade`` where a column had none yet,
by way of a temporary table elsewhere. Only rows that differ are written, and the values that they
replace are kept in ``grade_history``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, bindparam, text

from gradeway.store.dialects import dialect
from gradeway.store.grades import Grades, Mask, Spool
from gradeway.store.models import Instant

DELETE_SLICE = 5_000
HELD_A_ROW = 4  # grades read to compare a slice with, for each of its rows

STAGED_GRADE = """
CREATE TEMPORARY TABLE staged_grade (
    column_id integer NOT NULL, learner_id integer NOT NULL, line integer NOT NULL, value text NOT NULL)
"""
STAGED_PARKED = """
CREATE TEMPORARY TABLE staged_parked (
    line integer NOT NULL, course text NOT NULL, name text NOT NULL, cells text NOT NULL)
"""
# A number that grows in each transaction that changes a grade: all of them count what they change.
CHANGES = "SELECT coalesce(sum(created + updated), 0) FROM batch"
DIFFERING = """
CREATE TEMPORARY TABLE differing AS
SELECT s.column_id, s.learner_id, s.line, s.value,
       g.batch_id AS old_batch, g.line AS old_line, g.value AS old_value
FROM staged_grade s LEFT JOIN grade g ON g.column_id = s.column_id AND g.learner_id = s.learner_id
WHERE g.value IS NULL OR g.value <> s.value
"""
INSERT_NEW = """
INSERT INTO grade (column_id, learner_id, batch_id, line, value)
SELECT column_id, learner_id, :batch, line, value FROM differing WHERE old_batch IS NULL
ORDER BY column_id, learner_id
"""
KEEP_OLD = """
INSERT INTO grade_history (column_id, learner_id, batch_id, line, value, replaced_by_batch, replaced_by_line)
SELECT column_id, learner_id, old_batch, old_line, old_value, :batch, line FROM differing WHERE old_batch < :batch
"""
UPDATE_CHANGED = """
UPDATE grade SET value = d.value, batch_id = :batch, line = d.line FROM differing d
WHERE d.old_batch < :batch AND grade.column_id = d.column_id AND grade.learner_id = d.learner_id
"""
CONFIRM = """
UPDATE grade SET batch_id = :batch, line = s.line FROM staged_grade s
WHERE grade.column_id = s.column_id AND grade.learner_id = s.learner_id
  AND grade.value = s.value AND grade.batch_id < :batch
"""
OLDER = "SELECT line FROM differing WHERE old_batch > :batch ORDER BY line"
PARK = """
INSERT INTO parked_row (batch_id, line, feed, parent, course, name, cells, parked_at)
SELECT :batch, line, :feed, :parent, course, name, {cells}, :since FROM staged_parked
"""


@dataclass(frozen=True)
class Merged:
    """Rows that a merge wrote, and the lines that a newer batch had overtaken."""

    created: int
    updated: int
    unchanged: int
    superseded: list[int]


class GradeStage:
    """The grades of one batch on their way into the store, over one connection.

    What was found the same as in the store before the lock was taken is passed over under it, if
    no other batch changed a grade since.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._dialect = dialect(connection)
        self._spool = Spool()
        self._columns = np.empty(0, dtype=np.int32)
        self._dropped = np.empty(0, dtype=np.int32)
        self._parked = 0
        self._comparing = True
        self._seen = self._changes()
        for table in (STAGED_GRADE, STAGED_PARKED):
            connection.execute(text(table))

    def add(self, grades: Grades) -> None:
        """Take a slice of grades."""
        grades = grades.sorted()
        self._columns = np.union1d(self._columns, grades.rows["column"])
        self._spool.put(grades, self._same(grades))

    def park(self, rows: Sequence[tuple[int, str, str, dict[str, Any]]]) -> None:
        """Stage rows that wait for their column: line, course, name of the column, cells."""
        self._parked += len(rows)
        encoded = ((line, course, name, json.dumps(cells)) for line, course, name, cells in rows)
        self._dialect.append_rows("staged_parked", ("line", "course", "name", "cells"), encoded)

    def drop(self, lines: Collection[int]) -> None:
        """Forget rows by their lines."""
        every = sorted(lines)
        self._dropped = np.union1d(self._dropped, np.array(every, dtype=np.int32))
        for start in range(0, len(every) if self._parked else 0, DELETE_SLICE):
            self._parked -= self._unpark(every[start : start + DELETE_SLICE])

    def _unpark(self, lines: list[int]) -> int:
        statement = text("DELETE FROM staged_parked WHERE line IN :lines")
        return self._connection.execute(
            statement.bindparams(bindparam("lines", expanding=True)), {"lines": lines}
        ).rowcount

    @property
    def parked(self) -> int:
        """How many staged rows wait."""
        return self._parked

    def merge(self, batch_id: int, *, confirm: bool) -> Merged:
        """Write what differs from the store; a row never replaces what a newer batch gave.

        With ``confirm``, grades found unchanged are marked as given by this batch too, so that an
        older batch which is still to come cannot replace them.
        """
        total = copied = staged = 0
        filled = self._dialect.filled(self._columns)
        for grades, same in self._pending(confirm=confirm):
            total += len(grades)
            changed = grades.where(~same)
            is_new = ~np.isin(changed.rows["column"], filled)
            copied += self._append("grade", changed.where(is_new), batch_id=batch_id)
            staged += self._append("staged_grade", changed.where(~is_new))
        created, updated, older = self._merge_staged(batch_id, confirm=confirm) if staged else (0, 0, [])
        created += copied
        return Merged(created, updated, total - created - updated, older)

    def _pending(self, *, confirm: bool) -> Iterator[tuple[Grades, Mask]]:
        """Yield the grades that were not dropped, and which of them need not be looked at again."""
        is_true = self._changes() == self._seen
        for grades, same in self._spool:
            kept = np.isin(grades.rows["line"], self._dropped, invert=True)
            grades, same = grades.where(kept), same[kept]
            if confirm:
                same[:] = False
            yield grades, same if is_true or confirm else self._same(grades)

    def _append(self, table: str, grades: Grades, **numbers: int) -> int:
        if len(grades):
            self._dialect.append(table, grades, **numbers)
        return len(grades)

    def _merge_staged(self, batch_id: int, *, confirm: bool) -> tuple[int, int, list[int]]:
        batch = {"batch": batch_id}
        self._dialect.plan("staged_grade (column_id, learner_id)")
        self._connection.execute(text(DIFFERING))
        self._dialect.plan("differing")
        created = self._connection.execute(text(INSERT_NEW), batch).rowcount
        self._connection.execute(text(KEEP_OLD), batch)
        updated = self._connection.execute(text(UPDATE_CHANGED), batch).rowcount
        if confirm:
            self._connection.execute(text(CONFIRM), batch)
        return created, updated, list(self._connection.scalars(text(OLDER), batch))

    def merge_parked(self, batch_id: int, feed: str, parent: str, since: object) -> None:
        """Write the rows that wait."""
        if self._parked:
            statement = text(PARK.format(cells=self._dialect.json))
            statement = statement.bindparams(bindparam("since", type_=Instant()))
            self._connection.execute(statement, {"batch": batch_id, "feed": feed, "parent": parent, "since": since})

    def _changes(self) -> int:
        return int(self._connection.scalar(text(CHANGES)) or 0)

    def _same(self, grades: Grades) -> Mask:
        """Tell which grades the store holds just so; none where finding out costs more than it saves."""
        if not self._comparing:
            return np.zeros(len(grades), dtype=np.bool_)
        limit = HELD_A_ROW * len(grades)
        keys, values = self._dialect.held(np.unique(grades.rows["column"]), limit)
        self._comparing = len(keys) < limit
        return grades.same_as(keys, values) if len(keys) else np.zeros(len(grades), dtype=np.bool_)
