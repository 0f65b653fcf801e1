"""The gradebook of a course as the store has it, and where each value came from.

Everything is sorted by name and never by the store's own ids, which depend on the order in which
files arrived: two stores with the same content give the same gradebook.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from typing import Any

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.orm import Session

from gradeway.store import ledger
from gradeway.store.models import (
    Batch,
    Change,
    ColumnKind,
    Course,
    Grade,
    GradeColumn,
    GradeHistory,
    GradeSchema,
    Learner,
)


@dataclass(frozen=True)
class CourseLine:
    """One course in the list of courses."""

    course: str
    columns: int
    grades: int


@dataclass(frozen=True)
class Earlier:
    """A value that a later row replaced, or an undo took back."""

    value: str
    batch: int
    line: int
    replaced_by_batch: int
    replaced_by_line: int


@dataclass(frozen=True)
class Entry:
    """A learner's value in a column, the batch and line that gave it, and what it was before, newest first.

    What is not there any more has no value, batch and line, and stands in histories only.
    """

    value: str | None = None
    batch: int | None = None
    line: int | None = None
    before: tuple[Earlier, ...] = ()


@dataclass(frozen=True)
class ColumnLine:
    """A column; ``label`` is its name, made unique where a course has several columns of one name."""

    label: str
    record: GradeColumn
    schema: str | None
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Gradebook:
    """A course's columns, the schemas they use, and each learner's values by the column's label.

    A history also has the batches' file names, and which batch each undo took back.
    """

    course: str
    columns: Sequence[ColumnLine]
    schemas: Sequence[GradeSchema]
    learners: dict[str, dict[str, Entry]]
    files: dict[int, str] = field(default_factory=dict)
    undos: dict[int, int] = field(default_factory=dict)


def courses(session: Session) -> list[CourseLine]:
    """Return every course that has columns, with the number of them and of its grades."""
    grades = select(Grade.column_id, func.count().label("n")).group_by(Grade.column_id).subquery()
    wanted = (
        select(Course.source_id, func.count(GradeColumn.id), func.coalesce(func.sum(grades.c.n), 0))
        .join(GradeColumn, GradeColumn.course_id == Course.id)
        .outerjoin(grades, grades.c.column_id == GradeColumn.id)
        .group_by(Course.source_id)
    )
    return sorted((CourseLine(name, columns, int(n)) for name, columns, n in session.execute(wanted)), key=_by_course)


def _by_course(line: CourseLine) -> str:
    return line.course


def gradebook(session: Session, course: str, *, learner: str | None = None, history: bool = False) -> Gradebook | None:
    """Return a course's gradebook, or None if the store has no column of such a course.

    Args:
        session: an open session on the store.
        course: the course's identifier as its source uses it.
        learner: only this learner's values, if given.
        history: also read the earlier values, the columns' changes and the batches' file names.
    """
    columns = select(GradeColumn).join(Course, Course.id == GradeColumn.course_id).where(Course.source_id == course)
    records = sorted(session.scalars(columns), key=_place)
    if not records:
        return None
    schemas = _schemas(session, records)
    changes = _changes(session, records) if history else {}
    titles = {schema.id: schema.title for schema in schemas}
    labels = dict(zip((record.id for record in records), _labels(records), strict=True))
    return Gradebook(
        course,
        [
            ColumnLine(labels[record.id], record, titles.get(record.schema_id or 0), changes.get(record.id, ()))
            for record in records
        ],
        schemas,
        _learners(session, labels, learner, history=history),
        _files(session) if history else {},
        {undo: batch for batch, undo in ledger.undone(session).items()} if history else {},
    )


def _place(record: GradeColumn) -> tuple[str, str, str, int]:
    return record.name, record.kind, record.match_key, record.id


def _labels(records: Iterable[GradeColumn]) -> list[str]:
    names = [record.name for record in records]
    labels: dict[str, None] = {}
    for name in names:
        further = (f"{name} ({number})" for number in count(2))
        labels[name if name not in labels else next(label for label in further if label not in {*labels, *names})] = (
            None
        )
    return list(labels)


def _schemas(session: Session, records: Iterable[GradeColumn]) -> list[GradeSchema]:
    ids = {record.schema_id for record in records if record.schema_id}
    found = session.scalars(select(GradeSchema).where(GradeSchema.id.in_(ids)))
    return sorted(found, key=lambda schema: schema.title)


def _changes(session: Session, records: Iterable[GradeColumn]) -> dict[int, tuple[Change, ...]]:
    wanted = select(Change).where(
        Change.entity == GradeColumn.__tablename__, Change.entity_id.in_([record.id for record in records])
    )
    changes: dict[int, tuple[Change, ...]] = defaultdict(tuple)
    for change in session.scalars(wanted.order_by(Change.id.desc())):
        changes[change.entity_id] += (change,)
    return changes


def _learners(
    session: Session, labels: dict[int, str], learner: str | None, *, history: bool
) -> dict[str, dict[str, Entry]]:
    named = true() if learner is None else Learner.source_id == learner
    earlier = _earlier(session, list(labels), named) if history else {}
    found: dict[str, dict[str, Entry]] = defaultdict(dict)
    for (column, name), before in earlier.items():
        found[name][labels[column]] = Entry(before=tuple(before))
    wanted = select(Learner.source_id, Grade).join(Learner, Learner.id == Grade.learner_id)
    for name, grade in session.execute(wanted.where(Grade.column_id.in_(list(labels)), named)).tuples():
        before = earlier.get((grade.column_id, name), [])
        found[name][labels[grade.column_id]] = Entry(grade.value, grade.batch_id, grade.line, tuple(before))
    order = list(labels.values())
    return {name: dict(sorted(found[name].items(), key=lambda pair: order.index(pair[0]))) for name in sorted(found)}


def _earlier(session: Session, columns: list[int], named: ColumnElement[bool]) -> dict[tuple[int, str], list[Earlier]]:
    earlier: dict[tuple[int, str], list[Earlier]] = defaultdict(list)
    wanted = select(Learner.source_id, GradeHistory).join(Learner, Learner.id == GradeHistory.learner_id)
    wanted = wanted.where(GradeHistory.column_id.in_(columns), named).order_by(GradeHistory.id.desc())
    for name, old in session.execute(wanted).tuples():
        value = Earlier(old.value, old.batch_id, old.line, old.replaced_by_batch, old.replaced_by_line)
        earlier[old.column_id, name].append(value)
    return earlier


def _files(session: Session) -> dict[int, str]:
    return dict(session.execute(select(Batch.id, Batch.file_name)).tuples().all())


def as_data(book: Gradebook, *, history: bool = False) -> dict[str, Any]:
    """Return a gradebook as plain data for JSON; numbers are text.

    The shape, on which other programs rely::

        {"course": "GJTEST1",
         "schemas": {"Schema1": {"symbols": [{"symbol": "A", "lower_bound": "90"}, ...], "optional_data": {}}},
         "columns": [{"label": "GC Final Grade", "name": "GC Final Grade", "kind": "manual", "description": "",
                      "points": "100", "schema": "Schema1", "external": true, "due_date": "2023-12-30",
                      "optional_data": {"SESSION": "8W1"}}, ...],
         "learners": [{"learner": "User001", "grades": {"GC Final Grade": "90"}}, ...]}

    ``kind`` is assignment, calculated or manual; assignments have the further fields instructions,
    anonymous, group, content_area, available, colour, attempts (-1: unlimited), tracked,
    start_date and end_date. ``grades`` goes by the column's ``label``: its name, or ``name (2)``
    and so on where the course has several columns of one name.

    With history each column has ``batch``, ``line``, ``external_batch`` and ``changes``, and each
    learner has ``history``: by label the value's batch, line and file, and ``before``: the values
    it had, newest first, each with its own batch, line and file and what replaced it; an undo there
    names in ``undo_of`` the batch that it took back. Of what is not there any more, the value is null.
    """
    return {
        "course": book.course,
        "schemas": {schema.title: _schema(schema) for schema in book.schemas},
        "columns": [_column(line, history=history) for line in book.columns],
        "learners": [_learner(name, entries, book, history=history) for name, entries in book.learners.items()],
    }


def _schema(schema: GradeSchema) -> dict[str, Any]:
    symbols = [{"symbol": text, "lower_bound": lower} for text, lower in schema.symbols]
    return {"symbols": symbols, "optional_data": dict(sorted(schema.optional_data.items()))}


def points(record: GradeColumn) -> str:
    """Return a column's points without trailing zeros."""
    return format(record.points.normalize(), "f")


def _column(line: ColumnLine, *, history: bool) -> dict[str, Any]:
    record = line.record
    data: dict[str, Any] = {
        "label": line.label,
        "name": record.name,
        "kind": record.kind,
        "description": record.description,
        "points": points(record),
        "schema": line.schema,
        "external": record.external,
        "due_date": _day(record.due_date),
        "optional_data": dict(sorted(record.optional_data.items())),
    }
    if record.kind == ColumnKind.ASSIGNMENT:
        data |= _assignment(record)
    if history:
        data |= {"batch": record.batch_id, "line": record.line, "external_batch": record.external_batch_id}
        data["changes"] = [{"batch": c.batch_id, "line": c.line, "before": c.before} for c in line.changes]
    return data


def _assignment(record: GradeColumn) -> dict[str, Any]:
    return {
        "instructions": record.instructions,
        "anonymous": record.anonymous,
        "group": record.group_work,
        "content_area": record.content_area,
        "available": record.available,
        "colour": record.colour,
        "attempts": record.attempts,
        "tracked": record.tracked,
        "start_date": _day(record.start_date),
        "end_date": _day(record.end_date),
    }


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _learner(name: str, entries: dict[str, Entry], book: Gradebook, *, history: bool) -> dict[str, Any]:
    grades = {label: entry.value for label, entry in entries.items() if entry.value is not None}
    data: dict[str, Any] = {"learner": name, "grades": grades}
    if history:
        data["history"] = {label: _entry(entry, book) for label, entry in entries.items()}
    return data


def _entry(entry: Entry, book: Gradebook) -> dict[str, Any]:
    return {
        "value": entry.value,
        "batch": entry.batch,
        "line": entry.line,
        "file": book.files.get(entry.batch or 0),
        "before": [
            {
                "value": old.value,
                "batch": old.batch,
                "line": old.line,
                "file": book.files.get(old.batch),
                "replaced_by": _replaced_by(old, book.undos),
            }
            for old in entry.before
        ],
    }


def _replaced_by(old: Earlier, undos: dict[int, int]) -> dict[str, int]:
    by = {"batch": old.replaced_by_batch, "line": old.replaced_by_line}
    undone = undos.get(old.replaced_by_batch)
    return by | {"undo_of": undone} if undone else by
