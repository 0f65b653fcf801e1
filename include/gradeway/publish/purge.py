"""What publishing need not remember for ever: calls that ended long ago, days gone by, troubles of what is no more."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Delete, and_, delete, exists, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from gradeway import clock
from gradeway.store.engine import Store
from gradeway.store.exams import Plan
from gradeway.store.lock import PLAN, alone
from gradeway.store.models import GradeColumn, GradeSchema
from gradeway.store.publish import (
    COURSE,
    FILES,
    LEARN,
    DayOfCalls,
    GradeConflict,
    GradeReceipt,
    Kind,
    PublishedItem,
    PublishIntent,
    PublishProblem,
    State,
)

log = logging.getLogger(__name__)

ENDED = (State.DONE, State.FAILED, State.DROPPED)
DAYS_OF_CALLS = timedelta(days=7)


def purge(store: Store, before: datetime) -> dict[str, int]:
    """Delete calls that ended before an instant, and what is about nothing that there is; return the counts.

    A call that a grade's receipt names stays as long as the receipt: it says who approved what stands
    there. While a run is planning nothing is deleted, as it counts the calls that were begun.
    """
    counts = dict.fromkeys(("calls", "problems", "conflicts", "days_of_calls"), 0)
    with alone(store, PLAN) as held:
        if not held:
            log.info("a run is planning: what publishing need not remember is left to the next night")
            return counts
        with store.writing() as session:
            counts["calls"] = _count(session, delete(PublishIntent).where(PublishIntent.id.in_(_over(before))))
            session.execute(delete(Plan).where(*_done_with(before)))
            counts["problems"] = _count(session, delete(PublishProblem).where(_is_about_nothing()))
            gone = delete(GradeConflict).where(~_is_column(GradeConflict.target, GradeConflict.column_id))
            counts["conflicts"] = _count(session, gone)
            past = (clock.now() - DAYS_OF_CALLS).astimezone(UTC).date()
            counts["days_of_calls"] = _count(session, delete(DayOfCalls).where(DayOfCalls.day < past))
    return counts


def _count(session: Session, deleting: Delete) -> int:
    return int(session.execute(deleting).rowcount)  # type: ignore[attr-defined]


def _over(before: datetime) -> ColumnElement[int]:
    """Select the calls that ended and that no receipt names; joined, for which databases need no index."""
    ended = (PublishIntent.state.in_(ENDED), PublishIntent.ended_at < before)
    joined = select(PublishIntent.id).outerjoin(GradeReceipt, GradeReceipt.intent_id == PublishIntent.id)
    return joined.where(*ended, GradeReceipt.intent_id.is_(None)).scalar_subquery()


def _done_with(before: datetime) -> tuple[ColumnElement[bool], ...]:
    has_calls = exists().where(PublishIntent.plan_id == Plan.id)
    return Plan.system.in_((LEARN, FILES)), Plan.made_at < before, ~has_calls


def _is_about_nothing() -> ColumnElement[bool]:
    """Whether a problem is about what we have no more, and what does not stand in the target for us either."""
    kind, target, entity = PublishProblem.kind, PublishProblem.target, PublishProblem.entity_id
    is_schema = or_(exists().where(GradeSchema.id == entity), _stands(target, Kind.SCHEMA, entity))
    of_course = (PublishedItem.target == target, PublishedItem.course_id == PublishProblem.course_id)
    has_columns = or_(exists().where(GradeColumn.course_id == PublishProblem.course_id), exists().where(*of_course))
    return or_(
        and_(kind.in_([Kind.COLUMN, Kind.FOLDER, Kind.GRADE]), ~_is_column(target, entity)),
        and_(kind == Kind.SCHEMA, ~is_schema),
        and_(kind == COURSE, ~has_columns),
    )


def _is_column(target: InstrumentedAttribute[str], entity: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    return or_(exists().where(GradeColumn.id == entity), _stands(target, Kind.COLUMN, entity))


def _stands(target: InstrumentedAttribute[str], kind: Kind, entity: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    same = (PublishedItem.target == target, PublishedItem.kind == kind, PublishedItem.entity_id == entity)
    return exists().where(*same)
