"""Assignments and columns into the store, each found by the configured provisioning rule."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from gradeway.loading.base import Job, Row, RowLoader
from gradeway.reasons import Reason
from gradeway.settings import Provisioning
from gradeway.store.models import SCHEMA, ColumnKind, Course, GradeColumn, GradeSchema

FIELDS = {
    "name": "name",
    "description": "description",
    "duedate": "due_date",
    "dueDate": "due_date",
    "points": "points",
    "optionalData": "optional_data",
    "instructions": "instructions",
    "anonymous": "anonymous",
    "group": "group_work",
    "contentAreaName": "content_area",
    "available": "available",
    "colour": "colour",
    "attempts": "attempts",
    "tracked": "tracked",
    "startDate": "start_date",
    "endDate": "end_date",
}


class ColumnLoader(RowLoader):
    """What the loaders of all kinds of columns share."""

    kind: ClassVar[ColumnKind]

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._courses: dict[str, int] = {}
        settings = job.settings
        is_assignment = self.kind is ColumnKind.ASSIGNMENT
        self._rule = settings.assignment_provisioning if is_assignment else settings.column_provisioning

    def apply(self, session: Session, rows: Sequence[Row]) -> None:
        """Create or update the columns of some rows; rows without their schema wait."""
        schemas = schemas_by_title(session, {row.values.get("gradeSchema", "") for row in rows})
        columns = columns_by_course(session, {row.values["courseId"] for row in rows})
        known = select(Course.source_id, Course.id).where(
            Course.source_id.in_({row.values["courseId"] for row in rows})
        )
        self._courses |= dict(session.execute(known).tuples().all())
        for row in rows:
            title = row.values.get("gradeSchema", "")
            if title and title not in schemas:
                self.park(row, SCHEMA, title)
            else:
                self._place(session, row, columns, schemas.get(title))

    def _place(self, session: Session, row: Row, columns: dict[str, list[GradeColumn]], schema_id: int | None) -> None:
        mates = columns[row.values["courseId"]]
        key = self._match_key(row)
        if key is None:
            self.reject(row, Reason.METADATA_MISSING, "optionalData", f"the key is {self.job.settings.metadata_key}")
            return
        found = [column for column in mates if self._is_match(column, row, key)]
        if len(found) > 1:
            self.reject(row, Reason.COLUMN_AMBIGUOUS, "name")
        elif found and found[0].kind != self.kind:
            self.reject(row, Reason.COLUMN_KIND, "name", f"there it is of kind {found[0].kind}")
        elif not found:
            mates.append(self._create(session, row, key, schema_id))
        elif self._rule is Provisioning.ONCE:
            self.tally.unchanged += 1
        else:
            self._revise(found[0], row, key, schema_id)

    def _revise(self, column: GradeColumn, row: Row, key: str, schema_id: int | None) -> None:
        wanted = self._wanted(row.values, schema_id)
        start, end = (wanted.get(name, getattr(column, name)) for name in ("start_date", "end_date"))
        if start and end and end < start:
            self.reject(row, Reason.DATE_ORDER, "", "with the date that the assignment has already")
        else:
            column.match_key = key
            self.revise(column, wanted, row)

    def _match_key(self, row: Row) -> str | None:
        if self._rule is Provisioning.ALWAYS:
            return f"{self.job.batch_id}:{row.line}"
        if self._rule is Provisioning.METADATA:
            value = row.values.get("optionalData", {}).get(self.job.settings.metadata_key)
            return _metadata_key(value) if value else None
        return str(row.values["name"])

    def _is_match(self, column: GradeColumn, row: Row, key: str) -> bool:
        if self._rule is Provisioning.METADATA:
            value = column.optional_data.get(self.job.settings.metadata_key)
            return value is not None and _metadata_key(value) == key
        return self._rule is not Provisioning.ALWAYS and column.name == row.values["name"]

    def _wanted(self, values: dict[str, Any], schema_id: int | None) -> dict[str, Any]:
        wanted = {FIELDS[name]: value for name, value in values.items() if name in FIELDS}
        return wanted | ({"schema_id": schema_id} if "gradeSchema" in values else {})

    def _create(self, session: Session, row: Row, key: str, schema_id: int | None) -> GradeColumn:
        column = GradeColumn(
            course_id=self._course_id(session, row.values["courseId"]),
            match_key=key,
            kind=self.kind,
            external=False,
            **self._wanted(self.complete(row.values), schema_id),
        )
        self.create(session, column, self._wanted(row.values, schema_id), row)
        return column

    def _course_id(self, session: Session, source_id: str) -> int:
        if source_id not in self._courses:
            course = Course(source_id=source_id)
            session.add(course)
            session.flush()
            self._courses[source_id] = course.id
        return self._courses[source_id]


class AssignmentLoader(ColumnLoader):
    """Loads .asg rows."""

    kind = ColumnKind.ASSIGNMENT


class CalculatedLoader(ColumnLoader):
    """Loads .col rows."""

    kind = ColumnKind.CALCULATED


class ManualLoader(ColumnLoader):
    """Loads .colnc rows."""

    kind = ColumnKind.MANUAL


def _metadata_key(value: str) -> str:
    return f"={hashlib.sha256(value.encode()).hexdigest()}"  # a value may be longer than an index takes


def schemas_by_title(session: Session, titles: Iterable[str]) -> dict[str, int]:
    """Return the ids of the schemas with these titles."""
    wanted = select(GradeSchema.title, GradeSchema.id).where(GradeSchema.title.in_(list(titles)))
    return {title: schema_id for title, schema_id in session.execute(wanted)}


def columns_by_course(session: Session, courses: Iterable[str]) -> dict[str, list[GradeColumn]]:
    """Return the columns of these courses, by the course's identifier."""
    wanted = select(Course.source_id, GradeColumn).join(GradeColumn, GradeColumn.course_id == Course.id)
    columns: dict[str, list[GradeColumn]] = defaultdict(list)
    for course, column in session.execute(wanted.where(Course.source_id.in_(list(courses)))):
        columns[course].append(column)
    return columns
