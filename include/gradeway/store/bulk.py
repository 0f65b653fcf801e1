"""Writing many grades at once: staged by connection, merged by one set of statements.

Staging is the only part that differs between the databases. PostgreSQL gets fixed-width records
in COPY's binary format, built as one array per slice; SQLite gets prepared inserts. The merge
writes only rows that differ, and keeps the replaced values in ``grade_history``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from psycopg import Copy, Cursor
from sqlalchemy import Connection, Select, Text, bindparam, func, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from gradeway.store.models import Instant

Ints = npt.NDArray[np.int32]

COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
COPY_TAIL = b"\xff\xff"
FIXED_WIDTH = 30  # bytes of a binary record before its value
DELETE_SLICE = 5_000

STAGED_GRADE = """
CREATE TEMPORARY TABLE staged_grade (
    column_id integer NOT NULL, learner_id integer NOT NULL, line integer NOT NULL, value text NOT NULL)
"""
STAGED_PARKED = """
CREATE TEMPORARY TABLE staged_parked (
    line integer NOT NULL, course text NOT NULL, name text NOT NULL, cells text NOT NULL)
"""
TOUCHED = """
SELECT EXISTS (SELECT 1 FROM (SELECT DISTINCT column_id FROM staged_grade) s
               JOIN grade g ON g.column_id = s.column_id)
"""
INSERT_ALL = """
INSERT INTO grade (column_id, learner_id, batch_id, line, value)
SELECT column_id, learner_id, :batch, line, value FROM staged_grade ORDER BY column_id, learner_id
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


def listed(connection: Connection, texts: Sequence[str]) -> Select[tuple[str]]:
    """Return a query that yields the given texts, sent as one parameter however many they are."""
    if connection.dialect.name == "sqlite":
        return select(func.json_each(json.dumps(list(texts))).table_valued("value").c.value)
    return select(func.unnest(literal(list(texts), ARRAY(Text))).column_valued("value"))


@dataclass(frozen=True)
class Merged:
    """Rows that a merge wrote, and the lines that a newer batch had overtaken."""

    created: int
    updated: int
    unchanged: int
    superseded: list[int]


class GradeStage:
    """The staged grades of one batch, in temporary tables of one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"
        self._staged = 0
        self._parked = 0
        for table in (STAGED_GRADE, STAGED_PARKED):
            connection.execute(text(table))

    def add(self, columns: Ints, learners: Ints, lines: Ints, values: npt.NDArray[np.bytes_]) -> None:
        """Stage grades: ids, lines and UTF-8 values, one entry a row."""
        self._staged += len(lines)
        if self._is_sqlite:
            texts = (value.decode() for value in values.tolist())
            rows = list(zip(columns.tolist(), learners.tolist(), lines.tolist(), texts, strict=True))
            self._insert("INSERT INTO staged_grade VALUES (?, ?, ?, ?)", rows)
        else:
            with self._copy("COPY staged_grade FROM STDIN (FORMAT binary)") as copy:
                copy.write(COPY_HEAD + _records(columns, learners, lines, values) + COPY_TAIL)

    def park(self, rows: Sequence[tuple[int, str, str, dict[str, Any]]]) -> None:
        """Stage rows that wait for their column: line, course, name of the column, cells."""
        self._parked += len(rows)
        encoded = [(line, course, name, json.dumps(cells)) for line, course, name, cells in rows]
        if self._is_sqlite:
            self._insert("INSERT INTO staged_parked VALUES (?, ?, ?, ?)", encoded)
        else:
            with self._copy("COPY staged_parked FROM STDIN") as copy:
                for row in encoded:
                    copy.write_row(row)

    def drop(self, lines: Collection[int]) -> None:
        """Forget staged rows by their lines."""
        every = sorted(lines)
        for start in range(0, len(every), DELETE_SLICE):
            some = every[start : start + DELETE_SLICE]
            self._staged -= self._delete("staged_grade", some)
            self._parked -= self._delete("staged_parked", some)

    def _delete(self, table: str, lines: list[int]) -> int:
        statement = text(f"DELETE FROM {table} WHERE line IN :lines")  # noqa: S608  one of two tables of ours
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
        if not self._is_sqlite:
            self._connection.execute(text("SET LOCAL work_mem = '64MB'"))
            self._connection.execute(text("SET LOCAL jit = off"))
            # a small difference is looked up by index, whatever disks cost when the default was chosen
            self._connection.execute(text("SET LOCAL random_page_cost = 1.1"))
            self._connection.execute(text("ANALYZE staged_grade (column_id, learner_id)"))
        batch = {"batch": batch_id}
        if not self._connection.scalar(text(TOUCHED)):
            return Merged(self._connection.execute(text(INSERT_ALL), batch).rowcount, 0, 0, [])
        self._connection.execute(text(DIFFERING))
        if not self._is_sqlite:
            self._connection.execute(text("ANALYZE differing"))
        created = self._connection.execute(text(INSERT_NEW), batch).rowcount
        self._connection.execute(text(KEEP_OLD), batch)
        updated = self._connection.execute(text(UPDATE_CHANGED), batch).rowcount
        if confirm:
            self._connection.execute(text(CONFIRM), batch)
        older = list(self._connection.scalars(text(OLDER), batch))
        return Merged(created, updated, self._staged - created - updated, older)

    def merge_parked(self, batch_id: int, feed: str, parent: str, since: object) -> None:
        """Write the rows that wait."""
        if self._parked:
            statement = text(PARK.format(cells="cells" if self._is_sqlite else "CAST(cells AS jsonb)"))
            statement = statement.bindparams(bindparam("since", type_=Instant()))
            self._connection.execute(statement, {"batch": batch_id, "feed": feed, "parent": parent, "since": since})

    def _insert(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        self._connection.connection.cursor().executemany(statement, rows)

    def _copy(self, statement: str) -> AbstractContextManager[Copy]:
        cursor: Cursor = self._connection.connection.cursor()  # type: ignore[assignment]
        return cursor.copy(statement)


def _records(columns: Ints, learners: Ints, lines: Ints, values: npt.NDArray[np.bytes_]) -> bytes:
    """Return the rows in COPY's binary format.

    All records are laid out at the width of the longest value; a mask then drops the padding.
    """
    lengths = np.char.str_len(values)
    width = max(values.dtype.itemsize, 1)
    head = [("fields", ">i2"), ("n1", ">i4"), ("column", ">i4"), ("n2", ">i4"), ("learner", ">i4")]
    tail = [("n3", ">i4"), ("line", ">i4"), ("n4", ">i4"), ("value", f"S{width}")]
    records = np.empty(len(lines), dtype=head + tail)
    records["fields"], records["n4"] = 4, lengths
    records["n1"] = records["n2"] = records["n3"] = 4
    records["column"], records["learner"], records["line"], records["value"] = columns, learners, lines, values
    flat = records.view(np.uint8).reshape(len(lines), -1)
    wanted: npt.NDArray[np.bool_] = np.arange(flat.shape[1]) < (FIXED_WIDTH + lengths)[:, None]
    return flat[wanted].tobytes()
