"""What still needs a schema or column, though nobody who stands by it is left."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from gradeway.loading.declared import Place, read_file
from gradeway.settings import Settings
from gradeway.store.models import COLUMN, SCHEMA, Change, Course, Grade, GradeColumn, GradeSchema, ParkedRow

Why = dict[int, str]


def columns(session: Session, settings: Settings, ids: Sequence[int]) -> Why:
    """Return why some columns are needed, by their ids: for grades, for rows that wait, for results.

    Raises:
        SettingsError: the installation's own file of columns for results cannot be read.
    """
    named = and_(ParkedRow.parent == COLUMN, ParkedRow.course == Course.source_id, ParkedRow.name == GradeColumn.name)
    waiting = select(GradeColumn.id, func.max(ParkedRow.batch_id)).join(Course).join(ParkedRow, named)
    waiting = waiting.where(GradeColumn.id.in_(ids)).group_by(GradeColumn.id)
    grades = select(Grade.column_id, func.max(Grade.batch_id)).where(Grade.column_id.in_(ids)).group_by(Grade.column_id)
    return (
        _takers(session, settings, ids)
        | {column: f"rows of batch {batch} wait for it" for column, batch in session.execute(waiting)}
        | {column: f"grades of batch {batch} are there" for column, batch in session.execute(grades)}
    )


def _takers(session: Session, settings: Settings, ids: Sequence[int]) -> Why:
    places = set(read_file(settings.results_file).values())
    keys = {settings.results_session_key, settings.results_assessment_key}
    facts = select(GradeColumn.id, Course.source_id, GradeColumn.name, GradeColumn.optional_data).join(Course)
    return {
        column: "it takes results of exams"
        for column, course, name, data in session.execute(facts.where(GradeColumn.id.in_(ids)))
        if keys & data.keys() or Place(course, name) in places
    }


def schemas(session: Session, undone: Collection[int], ids: Sequence[int]) -> Why:
    """Return why some schemas are needed, by their ids: for columns, now or after an undo, or for rows that wait."""
    waiting = select(GradeSchema.id, func.max(ParkedRow.batch_id)).join(
        ParkedRow, and_(ParkedRow.parent == SCHEMA, ParkedRow.name == GradeSchema.title)
    )
    waiting = waiting.where(GradeSchema.id.in_(ids)).group_by(GradeSchema.id)
    users = select(GradeColumn.schema_id).where(GradeColumn.schema_id.in_(ids))
    return (
        {schema: f"rows of batch {batch} wait for it" for schema, batch in session.execute(waiting)}
        | dict.fromkeys(_remembered(session, undone, ids), "an undo can give it back to a column")
        | dict.fromkeys(filter(None, session.scalars(users)), "columns use it")
    )


def _remembered(session: Session, undone: Collection[int], ids: Sequence[int]) -> set[int]:
    """Return the schemas that columns had before, and would have again if a batch were undone."""
    schema: ColumnElement[int] = Change.before["schema_id"].as_integer()
    past = select(schema, Change.given["schema_id"].as_integer())
    past = past.join(GradeColumn, GradeColumn.id == Change.entity_id)
    past = past.where(Change.entity == GradeColumn.__tablename__, schema.in_(ids))
    return {schema_id for schema_id, giver in session.execute(past) if giver not in undone}
