"""Filling a store with courses, columns and grades, as files would, but at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from gradeway.store.engine import Store
from gradeway.store.models import ColumnKind, Course, Grade, GradeColumn, Learner

Grades = Mapping[str, Mapping[str, str]]  # by column and learner
GIVEN: dict[str, Any] = {"optional_data": {}, "given": {}, "batch_id": 1, "line": 1}


def fill(store: Store, courses: Mapping[str, Grades], due: Mapping[str, date] | None = None) -> None:
    """Put courses with manual columns and their grades into a store; ``due`` is by column."""
    with store.writing() as session:
        learners = _learners(
            session, {name for grades in courses.values() for each in grades.values() for name in each}
        )
        for source_id, grades in courses.items():
            course = Course(source_id=source_id)
            session.add(course)
            session.flush()
            for name in grades:
                column = GradeColumn(course_id=course.id, name=name, match_key=name, **GIVEN)
                column.points, column.kind, column.description = Decimal(100), ColumnKind.MANUAL, ""
                column.due_date = (due or {}).get(name)
                session.add(column)
                session.flush()
                rows = [{"learner_id": learners[each], "value": value} for each, value in grades[name].items()]
                of_column = {"column_id": column.id, "batch_id": 1, "line": 1}
                session.execute(insert(Grade), [of_column | row for row in rows])


def set_grades(store: Store, grades: Grades) -> None:
    """Give grades in columns that are there, whose names are unique, to learners who are."""
    with store.writing() as session:
        columns = dict(session.execute(select(GradeColumn.name, GradeColumn.id)).tuples().all())
        learners = dict(session.execute(select(Learner.source_id, Learner.id)).tuples().all())
        for name, values in grades.items():
            for learner, value in values.items():
                key = {"column_id": columns[name], "learner_id": learners[learner]}
                session.merge(Grade(**key, value=value, batch_id=1, line=1))


def _learners(session: Session, names: Iterable[str]) -> dict[str, int]:
    known = select(Learner.source_id, Learner.id)
    new = [{"source_id": name} for name in sorted({*names} - dict(session.execute(known).tuples().all()).keys())]
    if new:
        session.execute(insert(Learner), new)
    return dict(session.execute(known).tuples().all())
