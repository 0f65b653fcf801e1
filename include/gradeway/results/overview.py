"""What the store knows about attempts and results, for people to look at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from gradeway import clock
from gradeway.results.rule import NOT_ENDED, is_final, is_finished
from gradeway.settings import Settings
from gradeway.store.exams import QUESTIONMARK, Attempt, ExamSession, SessionSchedule
from gradeway.store.models import RESULT, ParkedRow


class State(StrEnum):
    """Where an attempt stands, as the settings have it."""

    FINAL = "final"
    REVIEW = "review"
    OPEN = "in progress"
    STALE = "stale"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Line:
    """An attempt with the session that it is on; ``counts`` if it was handed over to the gradebook."""

    session: str
    attempt: Attempt
    state: State

    @property
    def counts(self) -> bool:
        """Whether it is the participant's attempt that was handed over last."""
        return bool(self.attempt.exported)

    @property
    def is_withdrawn(self) -> bool:
        """Whether it was handed over and would not be now."""
        return self.counts and self.state not in {State.FINAL, State.REVIEW}


@dataclass(frozen=True)
class Unmapped:
    """Results that wait for a column, and for what they are."""

    session: str
    assessment: str
    rows: int
    since: datetime


def _begun() -> ColumnElement[datetime]:
    return func.coalesce(Attempt.started_at, Attempt.seen_at)


def _not_ended() -> ColumnElement[bool]:
    codes = [code for code in NOT_ENDED if code is not None]
    return or_(Attempt.status.is_(None), Attempt.status.in_(codes))


def may_still_end(settings: Settings) -> Select[tuple[int]]:
    """Return a query for the schedules with attempts that have not ended, and are not stale."""
    limit = clock.now() - timedelta(days=settings.results_stale_days)
    return select(Attempt.schedule_id).where(Attempt.system == QUESTIONMARK, _not_ended(), _begun() >= limit).distinct()


def state_of(attempt: Attempt, settings: Settings) -> State:
    """Return where an attempt stands."""
    if is_final(attempt.status, settings) and not attempt.disabled:
        return State.FINAL
    if is_finished(attempt.status, settings):
        return State.REVIEW
    if attempt.status not in NOT_ENDED:
        return State.IGNORED
    begun = attempt.started_at or attempt.seen_at
    return State.STALE if clock.now() - begun > timedelta(days=settings.results_stale_days) else State.OPEN


def attempts_on(session: Session, schedule: int) -> int:
    """Return how many attempts there are on a schedule."""
    counted = select(func.count()).where(Attempt.system == QUESTIONMARK, Attempt.schedule_id == schedule)
    return session.scalar(counted) or 0


def lines(
    session: Session, settings: Settings, *, name: str = "", schedule: int | None = None, limit: int | None = None
) -> Iterable[Line]:
    """Yield the attempts, of one session or schedule if it is named, by session, learner and number."""
    wanted = select(ExamSession.name, Attempt).join(SessionSchedule, SessionSchedule.session_id == ExamSession.id)
    wanted = wanted.join(Attempt, Attempt.schedule_id == SessionSchedule.schedule_id).where(
        Attempt.system == QUESTIONMARK
    )
    wanted = wanted.where(ExamSession.name == name) if name else wanted
    wanted = wanted.where(SessionSchedule.schedule_id == schedule) if schedule is not None else wanted
    order = (ExamSession.name, Attempt.learner, Attempt.participant, Attempt.started_at, Attempt.attempt)
    for of, attempt in session.execute(wanted.order_by(*order).limit(limit)).tuples():
        yield Line(of, attempt, state_of(attempt, settings))


def schedules(session: Session, *, name: str = "", schedule: int | None = None) -> list[tuple[str, int]]:
    """Return the sessions and their schedules, or the one that is named."""
    wanted = select(ExamSession.name, SessionSchedule.schedule_id).join(SessionSchedule)
    wanted = wanted.where(ExamSession.name == name) if name else wanted
    wanted = wanted.where(SessionSchedule.schedule_id == schedule) if schedule is not None else wanted
    return list(session.execute(wanted.order_by(ExamSession.name)).tuples())


def unmapped(session: Session) -> list[Unmapped]:
    """Return the results that wait for a column, by what they are of, longest waiting first."""
    names = ("session", "assessment")
    parts = [func.coalesce(ParkedRow.cells[name].as_string(), "").label(name) for name in names]
    rows = select(*parts, ParkedRow.parked_at).where(ParkedRow.parent == RESULT).subquery()
    groups = [rows.c[name] for name in names]
    wanted = select(*groups, func.count(), func.min(rows.c.parked_at)).group_by(*groups)
    found = [Unmapped(*row) for row in session.execute(wanted).tuples()]
    return sorted(found, key=lambda each: (each.since, each.session, each.assessment))
