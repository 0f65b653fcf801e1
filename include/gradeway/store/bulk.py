"""Writing many grades at once, and taking them back, in the one transaction that may change grades.

Each slice is compared with what the store holds. What differs is written: at once, straight into
``grade``, where a column had no grade before; at the end, by way of a temporary table, elsewhere.
The values that are replaced are kept in ``grade_history``; so are those that came too late to stand.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, bindparam, text

from gradeway.store.dialects import dialect
from gradeway.store.grades import KEY, Grades, Ints, Keys

DELETE_SLICE = 5_000
NO_KEYS: Keys = np.empty(0, dtype=np.int64)
HELD_A_ROW = 4  # grades read to compare a slice with, for each of its rows

STAGED_GRADE = """
CREATE TEMPORARY TABLE staged_grade (
    column_id integer NOT NULL, learner_id integer NOT NULL, line integer NOT NULL, value text NOT NULL)
"""
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
SELECT column_id, learner_id, old_batch, old_line, old_value, :batch, line FROM differing WHERE old_batch <= :batch
"""
UPDATE_CHANGED = """
UPDATE grade SET value = d.value, batch_id = :batch, line = d.line FROM differing d
WHERE d.old_batch <= :batch AND grade.column_id = d.column_id AND grade.learner_id = d.learner_id
"""
CONFIRM = """
UPDATE grade SET batch_id = :batch, line = s.line FROM staged_grade s
WHERE grade.column_id = s.column_id AND grade.learner_id = s.learner_id
  AND grade.value = s.value AND grade.batch_id < :batch
"""
KEEP_CONFIRMED = """
INSERT INTO grade_history (column_id, learner_id, batch_id, line, value, replaced_by_batch, replaced_by_line)
SELECT g.column_id, g.learner_id, g.batch_id, g.line, g.value, :batch, s.line
FROM staged_grade s JOIN grade g ON g.column_id = s.column_id AND g.learner_id = s.learner_id
WHERE g.value = s.value AND g.batch_id < :batch
"""
KEEP_OVERTAKEN = """
INSERT INTO grade_history (column_id, learner_id, batch_id, line, value, replaced_by_batch, replaced_by_line)
SELECT g.column_id, g.learner_id, :batch, s.line, s.value, g.batch_id, g.line
FROM staged_grade s JOIN grade g ON g.column_id = s.column_id AND g.learner_id = s.learner_id
WHERE g.batch_id > :batch
"""
OLDER = "SELECT line FROM differing WHERE old_batch > :batch ORDER BY line"

# Of what undone batches gave, nothing comes back. The newest batch, not the newest row of history, gave what does:
# what came too late to stand was written last.
EARLIER = """
CREATE TEMPORARY TABLE earlier AS
SELECT column_id, learner_id, batch_id, line, value FROM (
    SELECT h.column_id, h.learner_id, h.batch_id, h.line, h.value,
           row_number() OVER (PARTITION BY h.column_id, h.learner_id ORDER BY h.batch_id DESC, h.id DESC) AS place
    FROM grade g JOIN grade_history h ON h.column_id = g.column_id AND h.learner_id = g.learner_id
    WHERE g.batch_id = :batch AND h.batch_id NOT IN (SELECT undo_of FROM batch WHERE undo_of IS NOT NULL)) ranked
WHERE place = 1
"""
REPLACED_SINCE = """
SELECT count(*) FROM (
    SELECT DISTINCT h.column_id, h.learner_id FROM grade_history h
    JOIN grade g ON g.column_id = h.column_id AND g.learner_id = h.learner_id
    WHERE h.batch_id = :batch AND g.batch_id <> :batch) replaced
"""
KEEP_TAKEN = """
INSERT INTO grade_history (column_id, learner_id, batch_id, line, value, replaced_by_batch, replaced_by_line)
SELECT column_id, learner_id, batch_id, line, value, :undo, line FROM grade WHERE batch_id = :batch
ORDER BY column_id, learner_id
"""
BRING_BACK = """
UPDATE grade SET value = e.value, batch_id = e.batch_id, line = e.line FROM earlier e
WHERE grade.column_id = e.column_id AND grade.learner_id = e.learner_id
"""
REMOVE = "DELETE FROM grade WHERE batch_id = :batch"


@dataclass(frozen=True)
class Merged:
    """Rows that a merge wrote, and the lines that a newer batch had overtaken."""

    created: int
    updated: int
    unchanged: int
    superseded: list[int]


class GradeWriter:
    """Writes the grades of one batch; a row never replaces what a newer batch gave.

    With ``confirm``, grades found unchanged are marked as given by this batch too, so that an older
    batch which is still to come cannot replace them. With ``late``, a newer batch came before: what
    it gave is kept as given by this one before.
    """

    def __init__(self, connection: Connection, batch_id: int, *, confirm: bool, late: bool = False) -> None:
        self._connection = connection
        self._dialect = dialect(connection)
        self._batch = {"batch": batch_id}
        self._confirm = confirm
        self._lines: list[Ints] = []
        self._empty = np.empty(0, dtype=np.int32)  # columns that had no grade before this batch
        self._copied = self._staged = self._dropped = 0
        self._comparing = not (confirm or late)
        connection.execute(text(STAGED_GRADE))

    def add(self, grades: Grades) -> None:
        """Take a slice of grades, no two of one key in all slices."""
        grades = grades.sorted()
        self._lines.append(grades.rows["line"].copy())
        columns = np.setdiff1d(grades.rows["column"], self._empty)
        keys, values = self._held(columns, HELD_A_ROW * len(grades))
        is_new = np.isin(grades.rows["column"], self._empty)
        self._copied += self._append("grade", grades.where(is_new), batch_id=self._batch["batch"])
        others = grades.where(~is_new)
        self._staged += self._append("staged_grade", others.where(~others.same_as(keys, values)))

    def drop(self, lines: Collection[int]) -> None:
        """Take rows back by their lines."""
        if not lines:
            return
        ours = np.concatenate([*self._lines, self._empty[:0]])
        dropped = np.intersect1d(ours, np.array(list(lines), dtype=np.int32))
        self._dropped += len(dropped)
        statement = text("DELETE FROM staged_grade WHERE line IN :lines")
        for start in range(0, len(dropped), DELETE_SLICE):
            some = dropped[start : start + DELETE_SLICE]
            staged = self._connection.execute(
                statement.bindparams(bindparam("lines", expanding=True)), {"lines": some.tolist()}
            )
            self._staged -= staged.rowcount
            self._copied -= self._dialect.drop(self._batch["batch"], self._empty, some)

    def finish(self) -> Merged:
        """Write what is not written yet, and return what became of all rows."""
        total = sum(map(len, self._lines)) - self._dropped
        created, updated, older = self._merge_staged() if self._staged else (0, 0, [])
        created += self._copied
        return Merged(created, updated, total - created - updated, older)

    def _append(self, table: str, grades: Grades, **numbers: int) -> int:
        if len(grades):
            self._dialect.append(table, grades, **numbers)
        return len(grades)

    def _held(self, columns: Ints, limit: int) -> tuple[Keys, bytes]:
        """Return the keys and values that some columns hold; none once that proved to cost more than it saves."""
        keys, values = self._dialect.held(columns, limit) if self._comparing else (NO_KEYS, b"")
        self._comparing = self._comparing and len(keys) < limit
        filled = keys // KEY if self._comparing else self._dialect.filled(columns)
        self._empty = np.union1d(self._empty, np.setdiff1d(columns, filled))
        return keys, values

    def _merge_staged(self) -> tuple[int, int, list[int]]:
        self._dialect.plan("staged_grade (column_id, learner_id)")
        self._connection.execute(text(DIFFERING))
        self._dialect.plan("differing")
        created = self._connection.execute(text(INSERT_NEW), self._batch).rowcount
        self._connection.execute(text(KEEP_OLD), self._batch)
        updated = self._connection.execute(text(UPDATE_CHANGED), self._batch).rowcount
        self._connection.execute(text(KEEP_OVERTAKEN), self._batch)
        if self._confirm:
            self._connection.execute(text(KEEP_CONFIRMED), self._batch)
            self._connection.execute(text(CONFIRM), self._batch)
        return created, updated, list(self._connection.scalars(text(OLDER), self._batch))


@dataclass(frozen=True)
class TakenBack:
    """What an undo brought back to what it was, what it removed, and what it kept: newer batches had given it."""

    restored: int
    removed: int
    kept: int


def take_back(connection: Connection, batch_id: int, undo_id: int) -> TakenBack:
    """Take the grades of a batch back that still stand, once the ledger knows which batch undoes it.

    What a grade was before is the value of the newest batch that was not undone; a grade that no
    such batch gave is removed. The values that are taken back are kept as replaced by the undo.
    """
    batch = {"batch": batch_id}
    kept = connection.scalar(text(REPLACED_SINCE), batch) or 0
    connection.execute(text(EARLIER), batch)
    dialect(connection).plan("earlier")
    connection.execute(text(KEEP_TAKEN), batch | {"undo": undo_id})
    restored = connection.execute(text(BRING_BACK)).rowcount
    removed = connection.execute(text(REMOVE), batch).rowcount
    return TakenBack(restored, removed, kept)
