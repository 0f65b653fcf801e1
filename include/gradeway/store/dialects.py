"""What the two databases do differently when many rows go in or come out at once.

PostgreSQL takes rows by COPY and gives them as arrays; SQLite takes prepared inserts and gives
joined text. All else about them is the same SQL.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
from psycopg import Copy, Cursor
from sqlalchemy import ColumnElement, Connection, Select, Text, any_, func, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY, JSON
from sqlalchemy.orm import InstrumentedAttribute

from gradeway.store.grades import KEY, Grades, Ints, Keys
from gradeway.store.models import Base

COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
COPY_TAIL = b"\xff\xff"
HELD_SQLITE = """
SELECT group_concat(column_id * ? + learner_id, ' '), group_concat(value, char(10)) || char(10)
FROM (SELECT column_id, learner_id, value FROM grade WHERE column_id IN (SELECT value FROM json_each(?)) LIMIT ?)
"""
HELD_POSTGRESQL = """
SELECT string_agg(int8send(column_id * %s::bigint + learner_id), ''),
       convert_to(string_agg(value, chr(10)) || chr(10), 'UTF8')
FROM (SELECT column_id, learner_id, value FROM grade WHERE column_id = ANY(%s) LIMIT %s) held
"""
FILLED_SQLITE = "SELECT value FROM json_each(?) c WHERE EXISTS (SELECT 1 FROM grade WHERE column_id = c.value)"
# the columns are named so that the grades are found by their key
DROP_SQLITE = """
DELETE FROM grade WHERE batch_id = ? AND column_id IN (SELECT value FROM json_each(?))
  AND line IN (SELECT value FROM json_each(?))
"""
DROP_POSTGRESQL = "DELETE FROM grade WHERE batch_id = %s AND column_id = ANY(%s) AND line = ANY(%s)"
FILLED_POSTGRESQL = "SELECT c FROM unnest(%s::int[]) c WHERE EXISTS (SELECT 1 FROM grade WHERE column_id = c)"
# A small difference is looked up by index, whatever disks cost when the default was chosen.
FOR_JOINS = ("work_mem = '64MB'", "jit = off", "random_page_cost = 1.1")


def listed(connection: Connection, texts: Sequence[str]) -> Select[tuple[str]]:
    """Return a query that yields the given texts, sent as one parameter however many they are."""
    every = json.dumps(list(texts))
    if connection.dialect.name == "sqlite":
        return select(func.json_each(every).table_valued("value").c.value)
    return select(func.json_array_elements_text(literal(every, Text).cast(JSON)).column_valued("value"))


def among(connection: Connection, column: InstrumentedAttribute[str], texts: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a column has one of the given texts."""
    every = listed(connection, texts)
    if connection.dialect.name == "sqlite":
        return column.in_(every)
    # as an array they are hashed or looked up by index; as a query they would be joined on a bad guess
    return column == any_(func.array(every.scalar_subquery(), type_=ARRAY(Text)))


class Dialect(Protocol):
    """How grades go into and come out of one kind of database, over one connection."""

    def held(self, columns: Ints, limit: int) -> tuple[Keys, bytes]:
        """Return the keys and, as lines, the values of at most so many grades of some columns."""

    def filled(self, columns: Ints) -> Ints:
        """Return which of the columns have grades."""

    def append(self, table: str, grades: Grades, **numbers: int) -> None:
        """Append grades to a table, each with the given numbers in the columns of these names."""

    def drop(self, batch_id: int, columns: Ints, lines: Ints) -> int:
        """Delete the grades in some columns that some lines of a batch gave; return how many."""

    def append_rows(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Append plain rows to a table."""

    def plan(self, table: str) -> None:
        """Let what is now in a temporary table decide how it is joined."""


def dialect(connection: Connection) -> Dialect:
    """Return the dialect of a connection's database."""
    return _Sqlite(connection) if connection.dialect.name == "sqlite" else _Postgresql(connection)


def append_records(connection: Connection, model: type[Base], records: Iterable[Mapping[str, Any]]) -> None:
    """Append records to a model's table, each with a value for every column."""
    kind, columns = connection.dialect, model.__table__.columns
    put = [(name, column.type.dialect_impl(kind).bind_processor(kind)) for name, column in columns.items()]
    rows = ([write(record[name]) if write else record[name] for name, write in put] for record in records)
    dialect(connection).append_rows(model.__tablename__, columns.keys(), rows)


class _Sqlite:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def held(self, columns: Ints, limit: int) -> tuple[Keys, bytes]:
        ((keys, values),) = self._run(HELD_SQLITE, KEY, json.dumps(columns.tolist()), limit)
        return np.array((keys or "").split(), dtype=np.int64), (values or "").encode()

    def filled(self, columns: Ints) -> Ints:
        return _ids(self._run(FILLED_SQLITE, json.dumps(columns.tolist())))

    def append(self, table: str, grades: Grades, **numbers: int) -> None:
        parts = [grades.rows["column"].tolist(), grades.rows["learner"].tolist()]
        parts += [[number] * len(grades) for number in numbers.values()]
        parts.append(grades.rows["line"].tolist())
        self.append_rows(table, _columns(numbers), zip(*parts, grades.values(), strict=True))

    def append_rows(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        values = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"  # noqa: S608  names of ours
        self._connection.connection.cursor().executemany(statement, rows)  # type: ignore[arg-type]  # takes any iterable

    def plan(self, table: str) -> None:
        """Leave it to SQLite, which joins by the index of what is joined to."""

    def drop(self, batch_id: int, columns: Ints, lines: Ints) -> int:
        cursor = self._connection.connection.cursor()
        cursor.execute(DROP_SQLITE, (batch_id, json.dumps(columns.tolist()), json.dumps(lines.tolist())))
        return cursor.rowcount

    def _run(self, statement: str, *given: object) -> list[tuple[Any, ...]]:
        cursor = self._connection.connection.cursor()
        cursor.execute(statement, given)
        return list(cursor.fetchall())


class _Postgresql:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def held(self, columns: Ints, limit: int) -> tuple[Keys, bytes]:
        ((keys, values),) = self._run(HELD_POSTGRESQL, KEY, columns.tolist(), limit)
        return np.frombuffer(keys or b"", dtype=">i8").astype(np.int64), values or b""

    def filled(self, columns: Ints) -> Ints:
        return _ids(self._run(FILLED_POSTGRESQL, columns.tolist()))

    def append(self, table: str, grades: Grades, **numbers: int) -> None:
        with self._copy(f"COPY {table} ({', '.join(_columns(numbers))}) FROM STDIN (FORMAT binary)") as copy:
            copy.write(COPY_HEAD)
            for records in grades.records(*numbers.values()):
                copy.write(records)
            copy.write(COPY_TAIL)

    def append_rows(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        with self._copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def plan(self, table: str) -> None:
        for setting in FOR_JOINS:
            self._connection.execute(text(f"SET LOCAL {setting}"))
        self._connection.execute(text(f"ANALYZE {table}"))

    def drop(self, batch_id: int, columns: Ints, lines: Ints) -> int:
        cursor: Cursor = self._connection.connection.cursor()  # type: ignore[assignment]
        return cursor.execute(DROP_POSTGRESQL, (batch_id, columns.tolist(), lines.tolist())).rowcount

    def _run(self, statement: str, *given: object) -> list[tuple[Any, ...]]:
        cursor: Cursor = self._connection.connection.cursor(binary=True)  # type: ignore[assignment]
        return cursor.execute(statement, given).fetchall()

    def _copy(self, statement: str) -> AbstractContextManager[Copy]:
        cursor: Cursor = self._connection.connection.cursor()  # type: ignore[assignment]
        return cursor.copy(statement)


def _columns(numbers: Iterable[str]) -> list[str]:
    return ["column_id", "learner_id", *numbers, "line", "value"]


def _ids(found: list[tuple[Any, ...]]) -> Ints:
    return np.array([number for (number,) in found], dtype=np.int32)
