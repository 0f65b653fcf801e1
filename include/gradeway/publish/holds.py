"""What of a plan waits for a person's approval, and since when, also over plans that are made anew."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from gradeway import clock
from gradeway.publish.brakes import still_holds
from gradeway.publish.plan import Brake, Hold, LineKey, Made, as_text, moment
from gradeway.publish.reasons import PublishReason
from gradeway.settings import Limit
from gradeway.store.exams import Plan
from gradeway.store.publish import Kind, PublishIntent, PublishProblem, State


class Approval(NamedTuple):
    """That a person approved a call, when and why."""

    approved_at: datetime | None
    approved_by: str
    approved_for: str

    @classmethod
    def of(cls, approved: Plan | PublishIntent) -> Approval:
        """Return that of a plan, or of a call in whichever plan it was."""
        reason = approved.reason if isinstance(approved, Plan) else approved.approved_for
        return cls(approved.approved_at, approved.approved_by, reason)


NOT_APPROVED = Approval(None, "", "")


def decided(
    session: Session, target: str, course_id: int, since: datetime
) -> tuple[dict[LineKey, Approval], dict[LineKey, list[Hold]]]:
    """Return the calls that were planned and not begun: those that a person approved, and those that wait for one."""
    wanted = select(PublishIntent, Plan).join(Plan, Plan.id == PublishIntent.plan_id)
    planned = (PublishIntent.course_id == course_id, PublishIntent.state == State.PLANNED)
    approved: dict[LineKey, Approval] = {}
    waiting: dict[LineKey, list[Hold]] = {}
    for intent, plan in session.execute(wanted.where(Plan.system == target, *planned)).tuples():
        found = Approval.of(plan if plan.approved_at else intent)
        if found.approved_at and found.approved_at > since:
            approved[key_of(intent)] = found
        elif plan.held_at:
            waiting[key_of(intent)] = [Hold(**each) for each in intent.holds or ()] or [_once_held(plan)]
    return approved, waiting


def _once_held(plan: Plan) -> Hold:
    """Return what held the calls of a plan that was kept before each of them said so; no limit lifts it."""
    return Hold("", 0, 0, 0, "; ".join(plan.content["brakes"]), moment(plan.held_at or plan.made_at))


def allowed(session: Session, target: str, course_id: int) -> set[LineKey]:
    """Return the calls that a person approved once, and that only wait for the learner's place for grades there."""
    wanted = select(PublishIntent).join(Plan, Plan.id == PublishIntent.plan_id)
    waits = exists().where(
        PublishProblem.target == target,
        PublishProblem.course_id == course_id,
        PublishProblem.kind == Kind.GRADE,
        PublishProblem.code == PublishReason.NOT_POPULATED.value,
        PublishProblem.entity_id == PublishIntent.entity_id,
        PublishProblem.learner_id == PublishIntent.learner_id,
    )
    dropped = (PublishIntent.kind == Kind.GRADE, PublishIntent.state == State.DROPPED)
    of_course = (Plan.system == target, PublishIntent.course_id == course_id)
    approved = PublishIntent.approved_at.is_not(None)
    return {key_of(intent) for intent in session.scalars(wanted.where(*of_course, *dropped, approved, waits))}


def key_of(intent: PublishIntent) -> LineKey:
    """Return what an intent does, as its line says it."""
    return intent.kind, intent.action, intent.entity_id, intent.learner_id, as_text(intent.after)


def held_lines(
    made: Made,
    now: Mapping[int, Sequence[Brake]],
    waiting: Mapping[LineKey, Sequence[Hold]],
    allowed: Collection[LineKey],
    limits: Mapping[str, Limit],
) -> dict[int, list[Hold]]:
    """Return the places of the lines that wait, with what held each first.

    What waited once goes on waiting though no brake is on now, unless the limits were loosened so far
    that it would not have been held.
    """
    since, held = clock.now(), {}
    for place, line in enumerate(made.lines):
        if line.key in allowed:
            continue
        holds = [hold for hold in waiting.get(line.key, ()) if still_holds(hold, made, limits)]
        known = {(hold.risk, hold.column) for hold in holds}
        holds += [Hold.by(brake, since) for brake in now.get(place, ()) if (brake.risk, brake.column) not in known]
        if holds:
            held[place] = holds
    return held


def reasons_of(brakes: Sequence[Brake], held: Mapping[int, Sequence[Hold]]) -> list[str]:
    """Say for what lines wait: what is too much now, and what was when they were held first."""
    waited_for = {(hold.risk, hold.column): hold for holds in held.values() for hold in holds}
    now = [brake for brake in brakes if (brake.risk, brake.column) in waited_for]
    over = waited_for.keys() - {(brake.risk, brake.column) for brake in now}
    return [*(brake.in_words for brake in now), *sorted(waited_for[key].in_words for key in over)]
