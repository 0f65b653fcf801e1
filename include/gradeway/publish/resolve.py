"""What a person decides about what somebody changed in a gradebook: theirs is kept, or ours is taken."""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from gradeway import clock
from gradeway.errors import NothingToResolveError, UnknownCourseError
from gradeway.publish.reasons import GONE, INSISTED, LOST
from gradeway.store.engine import Store
from gradeway.store.exams import Plan
from gradeway.store.models import Course, GradeColumn, Learner
from gradeway.store.publish import (
    Action,
    GradeConflict,
    GradeReceipt,
    Kind,
    PublishedItem,
    PublishIntent,
    PublishProblem,
    Resolution,
    State,
)


def resolve(
    store: Store,
    target: str,
    resolution: Resolution,
    who: str,
    reason: str,
    *,
    course: str,
    column: str = "",
    learner: str = "",
) -> int:
    """Decide about grades that somebody changed in the gradebook; return how many.

    Those are the open conflicts of a course, or of all columns of a name in it, or that of one learner
    there. A decision is changed by another one that names its column or its learner, until it was
    carried out or either value has changed.

    Raises:
        UnknownCourseError: the store has no such course.
        NothingToResolveError: there is no such conflict.
    """
    with store.writing() as session:
        course_id = _course_id(session, course)
        wanted = select(GradeConflict).where(GradeConflict.target == target, GradeConflict.course_id == course_id)
        if column:
            wanted = wanted.where(GradeConflict.column_id.in_(columns_named(session, target, course_id, column)))
        if learner:
            wanted = wanted.join(Learner, Learner.id == GradeConflict.learner_id).where(Learner.source_id == learner)
        elif column:
            wanted = wanted.where(GradeConflict.resolution != resolution)
        else:  # what was decided about one column or learner is not changed by a word about all
            wanted = wanted.where(GradeConflict.resolution == Resolution.OPEN)
        conflicts = list(session.scalars(wanted))
        if not conflicts:
            raise NothingToResolveError(course, column)
        for conflict in conflicts:
            conflict.resolution, conflict.resolved_by, conflict.reason = resolution, who, reason
            conflict.resolved_at = clock.now()
    return len(conflicts)


def _course_id(session: Session, course: str) -> int:
    found = session.scalar(select(Course.id).where(Course.source_id == course))
    if found is None:
        raise UnknownCourseError(course)
    return found


def columns_named(session: Session, target: str, course_id: int, name: str) -> set[int]:
    """Return the ids of the columns of a name, with those that only the target has any more."""
    ours = select(GradeColumn.id).where(GradeColumn.course_id == course_id, GradeColumn.name == name)
    of_course = (PublishedItem.target == target, PublishedItem.course_id == course_id)
    there = session.scalars(select(PublishedItem).where(*of_course, PublishedItem.kind == Kind.COLUMN))
    return {*session.scalars(ours), *(item.entity_id for item in there if item.told.get("name") == name)}


def insist(
    store: Store, target: str, who: str, reason: str, *, course: str, column: str = "", schema: str = ""
) -> None:
    """Bring back what somebody changed or deleted of a column or a schema in the gradebook.

    One that was deleted is made anew, a column with all its grades. So is an assignment that was lost.

    Raises:
        UnknownCourseError: the store has no such course.
        NothingToResolveError: nobody changed or deleted it, as far as is known.
    """
    kind, name = (Kind.COLUMN, column) if column else (Kind.SCHEMA, schema)
    with store.writing() as session:
        course_id = _course_id(session, course)
        of_course = (PublishProblem.target == target, PublishProblem.course_id == course_id)
        of_name = (PublishProblem.kind == kind, PublishProblem.name == name)
        problems = list(
            session.scalars(
                select(PublishProblem).where(*of_course, *of_name, PublishProblem.code.in_([*INSISTED, LOST]))
            )
        )
        if not problems:
            raise NothingToResolveError(course, name)
        for problem in problems:
            session.delete(problem)
            if problem.code == LOST:
                _make_again(session, problem, who, reason)
                continue
            item = session.get_one(PublishedItem, (target, course_id, kind, problem.entity_id))
            item.insist, item.stamp, item.decided_by, item.reason = True, "", who, reason
            if problem.code in GONE:
                _begin_anew(session, item)


def _make_again(session: Session, lost: PublishProblem, who: str, reason: str) -> None:
    """Let a call be made again that got no answer, as a person decided who knows that it had no effect."""
    of_target = PublishIntent.plan_id.in_(select(Plan.id).where(Plan.system == lost.target))
    about = (PublishIntent.course_id == lost.course_id, PublishIntent.entity_id == lost.entity_id)
    is_lost = (PublishIntent.action == Action.ASSIGN, PublishIntent.state == State.UNKNOWN)
    again = {"state": State.OPEN, "outcome": "", "detail": "", "ended_at": None}
    allowed = {"approved_by": who, "approved_for": reason, "approved_at": clock.now()}
    session.execute(update(PublishIntent).where(of_target, *about, *is_lost).values(again | allowed))


def _begin_anew(session: Session, item: PublishedItem) -> None:
    """Forget what stood there for something of ours."""
    item.remote_id = item.content_id = ""
    item.told = {}
    if item.kind == Kind.COLUMN:
        for table in (GradeReceipt, GradeConflict):
            session.execute(delete(table).where(table.target == item.target, table.column_id == item.entity_id))
