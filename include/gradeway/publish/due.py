"""Which courses a target must be told something of: found in the store alone, without any call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, false, func, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import SQLCoreOperations

from gradeway import clock
from gradeway.publish.ours import DIFFERS, IS_KEPT, IS_TO_BE_SEEN, UNDER_WAY, gone, mark, told
from gradeway.publish.reasons import NOTES, PASSING, PublishReason
from gradeway.store.exams import Plan
from gradeway.store.models import Course, Grade, GradeColumn, GradeSchema
from gradeway.store.publish import (
    COURSE,
    ComparedCourse,
    GradeConflict,
    GradeReceipt,
    Kind,
    PublishedItem,
    PublishIntent,
    PublishProblem,
    Resolution,
    State,
)

ItemKey = tuple[int, str, int]  # course, kind, and our id


def due_courses(session: Session, target: str, *, again: bool = False) -> list[int]:
    """Return the ids of the courses with something to tell, those first that were not compared for longest.

    Those come last in which calls failed. What is known to be in the way (a problem, an open conflict), and
    what is planned already, counts only once our side of it has changed, or if ``again``.
    """
    has = _read(session, target, again=again)
    found = {*_by_items(has), *_by_grades(session, target, has, again=again)} - has.blocked_courses
    found |= has.overtaken | set(session.scalars(_overtaken_grades(target)))
    order = (Course.id.in_(failed_courses(target)), *_longest_ago(ComparedCourse.at), Course.source_id)
    return [key for key in session.scalars(_courses(target).order_by(*order)) if key in found]


def failed_courses(target: str) -> Select[tuple[int]]:
    """Select the courses in which calls went wrong the last time."""
    return select(PublishProblem.course_id).where(PublishProblem.target == target, PublishProblem.code.in_(PASSING))


def _courses(target: str) -> Select[tuple[int]]:
    compared = and_(ComparedCourse.target == target, ComparedCourse.course_id == Course.id)
    return select(Course.id).outerjoin(ComparedCourse, compared)


def _longest_ago(moment: SQLCoreOperations[datetime]) -> tuple[SQLCoreOperations[Any], ...]:
    return moment.is_not(None), moment


def unseen_courses(session: Session, target: str, since: datetime) -> list[int]:
    """Return the ids of the courses with something of ours, here or there, not compared as a whole since a time.

    Those come first that never were, or longest ago. A time that is still to come was that of a clock that
    was wrong, and does not count.
    """
    has = _read(session, target, again=True)
    found = {course for course, kind, _ in [*has.wanted, *has.items] if kind == Kind.COLUMN}
    seen = case((ComparedCourse.whole_at <= clock.now(), ComparedCourse.whole_at))
    wanted = _courses(target).where(or_(seen.is_(None), seen < since))
    return [key for key in session.scalars(wanted.order_by(*_longest_ago(seen), Course.source_id)) if key in found]


@dataclass(frozen=True)
class _Has:
    """What there is of schemas and columns, but no grade.

    ``wanted`` is the state of ours, ``items`` what was last compared of it, and whether we made what
    is there. ``known`` are the states that are in somebody's hands: a problem, or a plan. ``overtaken``
    are courses with a plan that follows from another state than there is now.
    """

    wanted: Mapping[ItemKey, str]
    items: Mapping[ItemKey, tuple[str, bool]]
    known: Mapping[ItemKey, Collection[str]]
    blocked_courses: AbstractSet[int]
    blocked_columns: AbstractSet[int]
    overtaken: AbstractSet[int]


def _read(session: Session, target: str, *, again: bool) -> _Has:
    item = select(PublishedItem.course_id, PublishedItem.kind, PublishedItem.entity_id, PublishedItem.stamp)
    rows = session.execute(item.add_columns(PublishedItem.made).where(PublishedItem.target == target)).tuples()
    items = {(course, kind, entity): (stamp, made) for course, kind, entity, stamp, made in rows}
    wanted, overtaken = _wanted(session), set()
    known: dict[ItemKey, set[str]] = defaultdict(set)
    for course, kind, entity, value, state in _planned(session, target):
        key = (course, _column_or_schema(kind), entity)
        if state == State.PLANNED and wanted.get(key) != value:
            overtaken.add(course)
        if state != State.PLANNED or not again:
            known[key].add(value or "")
    courses: set[int] = set()
    columns = {
        entity for _, kind, entity in known.keys() - wanted.keys() if kind == Kind.COLUMN
    }  # their end is planned
    for course, kind, entity, code, value in [] if again else _problems(session, target):
        key = (course, _column_or_schema(kind), entity)
        known[key].add(value)
        if kind == COURSE:
            courses.add(course)
        elif kind == Kind.COLUMN and not (code == PublishReason.REFUSED.value and key in items):
            columns.add(entity)
    return _Has(wanted, items, known, courses, columns, overtaken)


def _column_or_schema(kind: str) -> str:
    return Kind.COLUMN if kind == Kind.FOLDER else kind  # a folder is made for a column


def _wanted(session: Session) -> dict[ItemKey, str]:
    schema = select(GradeSchema.id, GradeSchema.batch_id, GradeSchema.line)
    schemas = {key: mark(*row) for key, *row in session.execute(schema)}
    column = select(GradeColumn.course_id, GradeColumn.id, GradeColumn.schema_id)
    changed = (GradeColumn.batch_id, GradeColumn.line, GradeColumn.external_batch_id, GradeColumn.external)
    wanted: dict[ItemKey, str] = {}
    for course, key, schema_id, *row in session.execute(column.add_columns(*changed)):
        wanted[course, Kind.COLUMN, key] = mark(*row)
        if schema_id:
            wanted[course, Kind.SCHEMA, schema_id] = schemas[schema_id]
    return wanted


def _planned(session: Session, target: str) -> Iterator[tuple[int, str, int, str | None, str]]:
    about = (PublishIntent.course_id, PublishIntent.kind, PublishIntent.entity_id, PublishIntent.value)
    wanted = select(*about, PublishIntent.state).join(Plan, Plan.id == PublishIntent.plan_id)
    live = (PublishIntent.kind != Kind.GRADE, PublishIntent.state.in_((State.PLANNED, *UNDER_WAY)))
    yield from session.execute(wanted.where(Plan.system == target, *live)).tuples()


def _overtaken_grades(target: str) -> Select[tuple[int]]:
    """Select the courses with a planned call that follows from another value than there is now."""
    wanted = select(PublishIntent.course_id).distinct().join(Plan, Plan.id == PublishIntent.plan_id)
    same = and_(Grade.column_id == PublishIntent.entity_id, Grade.learner_id == PublishIntent.learner_id)
    planned = (PublishIntent.kind == Kind.GRADE, PublishIntent.state == State.PLANNED, Plan.system == target)
    return wanted.outerjoin(Grade, same).where(*planned, PublishIntent.value.is_distinct_from(Grade.value))


def _problems(session: Session, target: str) -> Iterator[tuple[int, str, int, str, str]]:
    about = (PublishProblem.course_id, PublishProblem.kind, PublishProblem.entity_id)
    wanted = select(*about, PublishProblem.code, PublishProblem.value).where(PublishProblem.target == target)
    blocking = (PublishProblem.learner_id == 0, PublishProblem.code.not_in([*NOTES, *PASSING]))
    yield from session.execute(wanted.where(*blocking)).tuples()


def _by_items(has: _Has) -> Iterator[int]:
    for key, stamp in has.wanted.items():
        if has.items.get(key, ("", False))[0] != stamp and stamp not in has.known.get(key, ()):
            yield key[0]
    for key, (_, made) in has.items.items():
        if made and key[1] == Kind.COLUMN and key not in has.wanted and key not in has.known:
            yield key[0]


def _by_grades(session: Session, target: str, has: _Has, *, again: bool) -> Iterator[int]:
    courses = {entity: course for course, kind, entity in [*has.items, *has.wanted] if kind == Kind.COLUMN}
    grades = told(select(Grade.column_id).distinct().select_from(Grade), target)
    left = gone(select(GradeReceipt.column_id).distinct().select_from(GradeReceipt), target)
    # Apart, as there are many grades and few conflicts.
    different, decided = grades.where(DIFFERS, ~IS_KEPT), grades.where(GradeConflict.target == target, IS_TO_BE_SEEN)
    for wanted, of in ((different, Grade), (decided, Grade), (left, GradeReceipt)):
        for column in session.scalars(_unknown(wanted, of, target, again=again)):
            if column in courses and column not in has.blocked_columns:
                yield courses[column]


def _unknown(
    wanted: Select[tuple[int]], of: type[Grade | GradeReceipt], target: str, *, again: bool
) -> Select[tuple[int]]:
    """Leave out the grades that are on their way, or, as they are, planned or in somebody's hands."""
    has_value = of is Grade
    same_value = PublishIntent.value == Grade.value if has_value else PublishIntent.value.is_(None)
    is_pending = and_(PublishIntent.state == State.PLANNED, same_value)
    states = PublishIntent.state.in_(UNDER_WAY) if again else or_(PublishIntent.state.in_(UNDER_WAY), is_pending)
    same = (PublishIntent.entity_id == of.column_id, PublishIntent.learner_id == of.learner_id)
    on_its_way = exists().where(PublishIntent.kind == Kind.GRADE, *same, states, PublishIntent.plan_id == Plan.id)
    wanted = wanted.where(~on_its_way.where(Plan.system == target))
    if again:
        return wanted
    ours = GradeConflict.ours == Grade.value if has_value else GradeConflict.ours.is_(None)
    is_open = and_(GradeConflict.column_id.is_not(None), GradeConflict.resolution == Resolution.OPEN, ours)
    return wanted.where(~_has_problem(of, target), ~func.coalesce(is_open, false()))


def _has_problem(of: type[Grade | GradeReceipt], target: str) -> ColumnElement[bool]:
    value = PublishProblem.value == (Grade.value if of is Grade else "")
    same = (PublishProblem.entity_id == of.column_id, PublishProblem.learner_id == of.learner_id)
    about = (PublishProblem.target == target, PublishProblem.kind == Kind.GRADE, PublishProblem.code.not_in(NOTES))
    return exists().where(*about, *same, value)
