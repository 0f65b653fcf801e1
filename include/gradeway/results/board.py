"""All sessions at a glance: where each stands, and how many of its learners are done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from gradeway.settings import Settings
from gradeway.store.exams import QUESTIONMARK, Attempt, ExamSession, SessionGroup, SessionSchedule


@dataclass(frozen=True)
class SessionLine:
    """A session, its schedule if it has one, and its attempts by what has become of them."""

    name: str
    group: str
    start: datetime | None
    end: datetime | None
    withdrawn: bool
    schedule: int | None
    attempts: int
    finished: int
    review: int


def board(session: Session, settings: Settings, limit: int) -> list[SessionLine]:
    """Return the sessions, those that start last first."""
    counts = (
        select(
            Attempt.schedule_id,
            func.count().label("attempts"),
            _count(settings.results_publish).label("finished"),
            _count(settings.results_review).label("review"),
        )
        .where(Attempt.system == QUESTIONMARK)
        .group_by(Attempt.schedule_id)
        .subquery()
    )
    numbers = [func.coalesce(counts.c[name], 0) for name in ("attempts", "finished", "review")]
    facts = (ExamSession.name, SessionGroup.name, ExamSession.start_at, ExamSession.end_at, ExamSession.withdrawn)
    wanted = (
        select(*facts, SessionSchedule.schedule_id, *numbers)
        .join(SessionGroup, SessionGroup.id == ExamSession.group_id)
        .outerjoin(SessionSchedule, SessionSchedule.session_id == ExamSession.id)
        .outerjoin(counts, counts.c.schedule_id == SessionSchedule.schedule_id)
        .order_by(ExamSession.start_at.desc().nulls_last(), ExamSession.name)
        .limit(limit)
    )
    return [SessionLine(*row) for row in session.execute(wanted).tuples()]


def count(session: Session) -> int:
    """Return how many sessions there are."""
    return session.scalar(select(func.count()).select_from(ExamSession)) or 0


def _count(statuses: frozenset[str]) -> ColumnElement[int]:
    return func.sum(case((Attempt.status.in_(map(int, statuses)), 1), else_=0))
