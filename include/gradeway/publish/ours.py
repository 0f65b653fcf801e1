"""What the store has of a course, and what of that a target was told: one half of every comparison."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, or_, select
from sqlalchemy.orm import Session

from gradeway.publish.reasons import REFUSALS, PublishReason
from gradeway.publish.wanted import RefusedError
from gradeway.store.exams import Plan
from gradeway.store.models import Batch, Change, Course, Grade, GradeColumn, GradeSchema, Learner
from gradeway.store.publish import (
    GradeConflict,
    GradeReceipt,
    Kind,
    PublishedItem,
    PublishIntent,
    PublishProblem,
    Resolution,
    State,
)

T = TypeVar("T", bound=tuple[Any, ...])
R = TypeVar("R", PublishedItem, GradeReceipt)

About = tuple[str, int, int]  # kind, our id, and the learner's or 0

UNDER_WAY = (State.OPEN, State.SENT, State.UNKNOWN)
UNSEEN = ""  # the text of a receipt, once we changed how the grade is shown


@dataclass(frozen=True)
class DueGrade:
    """A grade that a target was not told as it is now; ``value`` is None where we have it no more."""

    learner_id: int
    learner: str
    value: str | None
    receipt: GradeReceipt | None = None
    conflict: GradeConflict | None = None

    @property
    def is_unseen(self) -> bool:
        """Whether the target was told just this, and we changed since how it is shown there."""
        return self.receipt is not None and (self.receipt.value, self.receipt.text) == (self.value, UNSEEN)


@dataclass
class Ours:
    """A course as the store has it, and as a target knows it.

    ``keys`` are what columns are recognised by in the target, whatever store they are in.
    ``published`` counts the receipts of each column; ``under_way`` are things that have an intent
    which has not ended: kind and our id, and for grades the learner's. ``refused`` are the values
    that the target refused when it was sent them, in the same way. ``begun`` is how many calls were
    ever begun: once it has grown, somebody is sending what was planned. ``missing`` are the grades, by column
    and learner, of learners whom a person knows not to be there. ``alike`` are the learners with a grade in a
    column who differ by upper and lower case only, by column and folded name.
    """

    course: Course
    begun: int
    columns: Sequence[GradeColumn]
    keys: Mapping[int, str]
    schemas: Mapping[int, GradeSchema]
    items: dict[tuple[str, int], PublishedItem]
    due: dict[int, list[DueGrade]]
    published: dict[int, int]
    under_way: Collection[About]
    refused: Mapping[About, PublishProblem]
    missing: Collection[tuple[int, int]]
    alike: Mapping[tuple[int, str], Collection[str]]
    is_whole: bool

    def spellings(self, column_id: int, learner: str) -> list[str]:
        """Return the other learners with a grade in a column whose names differ by upper and lower case only."""
        return [name for name in self.alike.get((column_id, learner.casefold()), ()) if name != learner]

    def refusal(self, kind: Kind, entity_id: int, value: str, learner_id: int = 0) -> RefusedError | None:
        """Return why the target refused what it would be sent again."""
        known = self.refused.get((kind, entity_id, learner_id))
        return RefusedError(PublishReason[known.code], known.detail) if known and known.value == value else None

    @property
    def orphans(self) -> list[PublishedItem]:
        """What stands there for a column that we have no more."""
        ids = {column.id for column in self.columns}
        kinds = [item for (kind, entity), item in self.items.items() if kind == Kind.COLUMN and entity not in ids]
        return sorted(kinds, key=lambda item: item.entity_id)

    def inherit(self, item: PublishedItem, column: GradeColumn) -> None:
        """Let a column stand for what stood there for one that we have no more, with all that was told."""
        old, new = item.entity_id, column.id
        del self.items[item.kind, old]
        self.items[item.kind, new] = copied(item, entity_id=new, stamp="")
        self.published[new] = self.published.pop(old, 0)
        told = {grade.learner_id: grade for grade in self.due.pop(old, [])}
        due = [
            replace(grade, receipt=before.receipt, conflict=before.conflict) if before else grade
            for grade in self.due.get(new, [])
            for before in [told.pop(grade.learner_id, None)]
        ]
        self.due[new] = [*due, *told.values()]


def copied(record: R, **changes: object) -> R:
    """Return a record with some values changed."""
    known = {each.key: getattr(record, each.key) for each in type(record).__mapper__.column_attrs}
    return type(record)(**known | changes)


def told_twice(names: Sequence[str]) -> str:
    """Say as whom the files name one learner."""
    return f"your files name this learner as {' and '.join(names)}"


def stamp(record: GradeColumn | GradeSchema) -> str:
    """Return which row of which batch last changed a record of ours."""
    external = (record.external_batch_id, record.external) if isinstance(record, GradeColumn) else ()
    return mark(record.batch_id, record.line, *external)


def mark(*changed: object) -> str:
    """Return the stamp of a record, of the numbers that it is made of."""
    return ":".join(map(str, changed))


def read_ours(session: Session, target: str, course: Course, *, again: bool = False, everything: bool = False) -> Ours:
    """Read a course: the grades that are due, or all of them if ``everything``.

    If ``again``, what the target refused is sent once more.
    """
    # First, so that whatever is sent meanwhile counts as under way.
    begun, under_way = begun_calls(session, target, course.id), _under_way(session, target, course.id)
    columns = list(
        session.scalars(select(GradeColumn).where(GradeColumn.course_id == course.id).order_by(GradeColumn.id))
    )
    of_course = (PublishedItem.target == target, PublishedItem.course_id == course.id)
    items = {(item.kind, item.entity_id): item for item in session.scalars(select(PublishedItem).where(*of_course))}
    wanted = {column.schema_id for column in columns if column.schema_id}
    wanted |= {entity for kind, entity in items if kind == Kind.SCHEMA}
    schemas = {each.id: each for each in session.scalars(select(GradeSchema).where(GradeSchema.id.in_(wanted)))}
    ids = {column.id for column in columns} | {entity for kind, entity in items if kind == Kind.COLUMN}
    counted = select(GradeReceipt.column_id, func.count()).where(GradeReceipt.target == target)
    published = session.execute(counted.where(GradeReceipt.column_id.in_(ids)).group_by(GradeReceipt.column_id))
    due = _due(session, target, ids, everything=everything)
    return Ours(
        course=course,
        begun=begun,
        columns=columns,
        keys=_keys(session, columns),
        schemas=schemas,
        items=items,
        due=due,
        published=dict(published.tuples().all()),
        under_way=under_way,
        refused={} if again else _refused(session, target, course.id),
        missing=_missing(session, target, course.id),
        alike=_alike(session, due),
        is_whole=everything,
    )


def begun_calls(session: Session, target: str, course_id: int) -> int:
    """Return how many calls of plans of a course were ever begun."""
    begun = select(func.count()).select_from(PublishIntent).join(Plan, Plan.id == PublishIntent.plan_id)
    of_course = (Plan.system == target, PublishIntent.course_id == course_id)
    return session.scalar(begun.where(*of_course, PublishIntent.state != State.PLANNED)) or 0


def _under_way(session: Session, target: str, course_id: int) -> frozenset[About]:
    about = select(PublishIntent.kind, PublishIntent.entity_id, PublishIntent.learner_id)
    of_course = (Plan.system == target, PublishIntent.course_id == course_id, PublishIntent.state.in_(UNDER_WAY))
    wanted = about.join(Plan, Plan.id == PublishIntent.plan_id).where(*of_course)
    return frozenset(session.execute(wanted).tuples().all())


def _refused(session: Session, target: str, course_id: int) -> dict[About, PublishProblem]:
    of_course = (PublishProblem.target == target, PublishProblem.course_id == course_id)
    found = session.scalars(select(PublishProblem).where(*of_course, PublishProblem.code.in_(REFUSALS)))
    return {(each.kind, each.entity_id, each.learner_id): each for each in found}


def _missing(session: Session, target: str, course_id: int) -> set[tuple[int, int]]:
    about = select(PublishProblem.entity_id, PublishProblem.learner_id)
    of_course = (PublishProblem.target == target, PublishProblem.course_id == course_id)
    return set(session.execute(about.where(*of_course, PublishProblem.accepted)).tuples())


def _keys(session: Session, columns: Sequence[GradeColumn]) -> dict[int, str]:
    """Return what columns are recognised by: their match keys, but no numbers that only this store has.

    Where each row makes a column, the key is its batch and line: instead of the batch, the file is named.
    """
    keys = {column.id: column.match_key for column in columns}
    made = select(Change.entity_id, Change.batch_id, Change.line, Batch.sha256, Batch.replay_of)
    made = made.join(Batch, Batch.id == Change.batch_id).where(
        Change.entity == GradeColumn.__tablename__, Change.entity_id.in_(list(keys)), Change.before.is_(None)
    )
    for column_id, batch_id, line, sha256, replay_of in session.execute(made).tuples():
        if keys[column_id] == f"{batch_id}:{line}":
            keys[column_id] = f"{sha256}:{line}" + (f":{batch_id}" if replay_of else "")
    return keys


def _due(session: Session, target: str, columns: Collection[int], *, everything: bool) -> dict[int, list[DueGrade]]:
    found: dict[int, list[DueGrade]] = defaultdict(list)
    there = select(Learner, Grade.column_id, Grade.value, GradeReceipt, GradeConflict).select_from(Grade)
    there = told(there, target).join(Learner, Learner.id == Grade.learner_id).where(Grade.column_id.in_(columns))
    there = there if everything else there.where(IS_DUE)
    for learner, column_id, value, receipt, conflict in session.execute(there.order_by(Learner.source_id)).tuples():
        found[column_id].append(DueGrade(learner.id, learner.source_id, value, receipt, conflict))
    left = gone(select(Learner, GradeReceipt, GradeConflict), target).join(
        Learner, Learner.id == GradeReceipt.learner_id
    )
    left = left.where(GradeReceipt.column_id.in_(columns)).order_by(Learner.source_id)
    for learner, receipt, conflict in session.execute(left).tuples():
        found[receipt.column_id].append(DueGrade(learner.id, learner.source_id, None, receipt, conflict))
    return dict(found)


def _alike(session: Session, due: Mapping[int, Sequence[DueGrade]]) -> dict[tuple[int, str], list[str]]:
    of_columns = Grade.column_id.in_(due)
    names = select(Learner.source_id, Learner.id).join(Grade, Grade.learner_id == Learner.id).where(of_columns)
    known = dict(session.execute(names.distinct()).tuples().all())
    known |= {grade.learner: grade.learner_id for grades in due.values() for grade in grades}
    ids: dict[str, list[int]] = defaultdict(list)
    for name, key in known.items():
        ids[name.casefold()].append(key)
    several = [key for some in ids.values() if len(some) > 1 for key in some]
    found: dict[tuple[int, str], list[str]] = defaultdict(list)
    if several:
        wanted = select(Grade.column_id, Learner.source_id).join(Learner, Learner.id == Grade.learner_id)
        wanted = wanted.where(of_columns, Learner.id.in_(several)).order_by(Learner.source_id)
        for column_id, name in session.execute(wanted).tuples():
            found[column_id, name.casefold()].append(name)
    return found


def told(wanted: Select[T], target: str) -> Select[T]:
    """Join what a target was told of each grade, and what somebody changed of it there."""
    return wanted.outerjoin(GradeReceipt, _same(GradeReceipt, Grade, target)).outerjoin(
        GradeConflict, _same(GradeConflict, Grade, target)
    )


def gone(wanted: Select[T], target: str) -> Select[T]:
    """Take what a target was told and we have no more, unless a person decided to keep it there."""
    has_grade = exists().where(Grade.column_id == GradeReceipt.column_id, Grade.learner_id == GradeReceipt.learner_id)
    is_kept = and_(GradeConflict.resolution == Resolution.KEEP, GradeConflict.ours.is_(None))
    return wanted.outerjoin(GradeConflict, _same(GradeConflict, GradeReceipt, target)).where(
        GradeReceipt.target == target, ~has_grade, ~func.coalesce(is_kept, false())
    )


def _same(
    table: type[GradeReceipt | GradeConflict], as_of: type[Grade | GradeReceipt], target: str
) -> ColumnElement[bool]:
    same = (table.column_id == as_of.column_id, table.learner_id == as_of.learner_id)
    return and_(table.target == target, *same)


# Of a grade joined with what a target was told of it: that this is something else, or may be shown as something else,
DIFFERS = or_(GradeReceipt.value.is_(None), GradeReceipt.value != Grade.value, GradeReceipt.text == UNSEEN)
# that a person decided to leave it so,
IS_KEPT = func.coalesce(and_(GradeConflict.resolution == Resolution.KEEP, GradeConflict.ours == Grade.value), false())
# or decided to write ours, or has to decide about a value that ours is no more.
IS_TO_BE_SEEN = or_(
    and_(GradeConflict.resolution == Resolution.TAKE, GradeConflict.ours == Grade.value),
    and_(GradeConflict.resolution == Resolution.OPEN, GradeConflict.ours.is_distinct_from(Grade.value)),
)
IS_DUE = or_(and_(DIFFERS, ~IS_KEPT), IS_TO_BE_SEEN)
