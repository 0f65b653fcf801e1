"""The life of intents: which are next, that they are on their way, and how they ended with what follows from it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, delete, exists, func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from gradeway import clock
from gradeway.outcomes import Outcome
from gradeway.publish.ours import UNDER_WAY, stamp
from gradeway.publish.outbox import put_receipts
from gradeway.publish.plan import REGRADING
from gradeway.publish.reasons import SENDING, UNANSWERED, PublishReason
from gradeway.publish.survey import There
from gradeway.store.engine import Store
from gradeway.store.exams import Plan
from gradeway.store.models import Grade, GradeColumn, GradeSchema
from gradeway.store.publish import (
    Action,
    GradeConflict,
    GradeReceipt,
    Kind,
    PublishIntent,
    PublishProblem,
    Resolution,
    State,
)

CHANGED_HERE = "what we have has changed since the plan"
EXPIRED = "its approval does not hold any more"
KILLED = "the run ended before it had the answer"
OUTCOMES = {Action.CREATE: Outcome.CREATED, Action.ASSIGN: Outcome.CREATED}
# What was sent, and had no effect as was found out then: it keeps nothing back that was never sent.
IN_VAIN = PublishIntent.sent_at.is_not(None)
RANK = case({kind: rank for rank, kind in enumerate(Kind)}, value=PublishIntent.kind)


@dataclass(frozen=True)
class Target:
    """A course in the target, as its plan knew it."""

    course_id: int
    remote_id: str
    is_ultra: bool


@dataclass(frozen=True)
class Ended:
    """How an intent ended: its state, what the gradebook says now, and what to tell."""

    intent: PublishIntent
    state: State
    there: There | None = None
    reason: PublishReason | None = None
    detail: str = ""
    was_there: bool = False

    @property
    def outcome(self) -> Outcome:
        """Its outcome."""
        if self.state == State.UNKNOWN:
            return Outcome.UNKNOWN
        if self.reason:
            return self.reason.outcome
        if self.state != State.DONE:
            return Outcome.SKIPPED
        return Outcome.UNCHANGED if self.was_there else OUTCOMES.get(Action(self.intent.action), Outcome.UPDATED)


def targets(store: Store, system: str) -> dict[int, Target]:
    """Return the courses that have intents under way, by the ids of their plans."""
    under_way = exists().where(PublishIntent.plan_id == Plan.id, PublishIntent.state.in_(UNDER_WAY))
    with store.session() as session:
        plans = session.scalars(select(Plan).where(Plan.system == system, under_way))
        return {
            plan.id: Target(plan.content["course_id"], plan.content["remote_id"], plan.content["is_ultra"])
            for plan in plans
        }


def of_items(store: Store, plans: Collection[int], *states: State) -> list[PublishIntent]:
    """Return the intents about schemas, folders and columns: of all courses first what others need."""
    wanted = select(PublishIntent).where(
        PublishIntent.plan_id.in_(plans), PublishIntent.state.in_(states), PublishIntent.kind != Kind.GRADE
    )
    order = (RANK, PublishIntent.action == Action.DELETE, IN_VAIN, PublishIntent.id)
    with store.session() as session:
        return list(session.scalars(wanted.order_by(*order)))


def columns_of_grades(store: Store, plans: Collection[int], *states: State) -> list[tuple[int, int, bool]]:
    """Return plan and column of the grades that have intents in some states: those that are due first come first.

    After all of them come those that were sent in vain before, as the last of the three says.
    """
    due = func.min(func.coalesce(PublishIntent.due, date.max))
    columns = (PublishIntent.plan_id, PublishIntent.entity_id, IN_VAIN)
    wanted = (
        select(*columns)
        .where(PublishIntent.plan_id.in_(plans), PublishIntent.state.in_(states), PublishIntent.kind == Kind.GRADE)
        .group_by(*columns)
        .order_by(IN_VAIN, due, func.min(PublishIntent.id))
    )
    with store.session() as session:
        return list(session.execute(wanted).tuples())


def of_grades(store: Store, column: tuple[int, int, bool], *states: State) -> list[PublishIntent]:
    """Return the intents about grades in one of the ``columns_of_grades``, in their order."""
    plan_id, column_id, in_vain = column
    same = (PublishIntent.plan_id == plan_id, PublishIntent.entity_id == column_id, PublishIntent.kind == Kind.GRADE)
    with store.session() as session:
        wanted = select(PublishIntent).where(*same, IN_VAIN if in_vain else ~IN_VAIN, PublishIntent.state.in_(states))
        return list(session.scalars(wanted.order_by(PublishIntent.id)))


def regrading(store: Store, plans: Collection[int], plan_id: int, column_id: int) -> set[str]:
    """Return the states of the calls that change how a column shows its grades: the plan's own, and any under way."""
    column = select(GradeColumn.course_id, GradeColumn.schema_id).where(GradeColumn.id == column_id)
    with store.session() as session:
        course_id, schema_id = session.execute(column).tuples().one_or_none() or (0, None)
        about = [(Kind.COLUMN, column_id), (Kind.SCHEMA, schema_id or 0)]
        wanted = select(PublishIntent).where(
            PublishIntent.plan_id.in_(plans),
            PublishIntent.course_id == course_id,
            tuple_(PublishIntent.kind, PublishIntent.entity_id).in_(about),
            or_(PublishIntent.plan_id == plan_id, PublishIntent.state.in_(UNDER_WAY)),
            PublishIntent.state != State.PLANNED,
        )
        # A plan that was carried out may have been made anew, with the same calls: the last ones count.
        found = session.scalars(wanted.order_by(PublishIntent.id))
        last = {(each.plan_id, each.kind, each.action): each for each in found}
    return {each.state for each in last.values() if not REGRADING.isdisjoint(each.after)}


def send(
    store: Store, target: str, intents: Sequence[PublishIntent], approval_hours: int
) -> tuple[list[PublishIntent], list[Ended]]:
    """Note that intents are about to be sent; return them, and those that come too late.

    These are those that what we have now has overtaken, and those whose approval does not hold any more.
    """
    with store.writing() as session:
        late = too_late(session, intents, approval_hours)
        left = {each.intent.id for each in late}
        sending = [intent for intent in intents if intent.id not in left]
        _set(session, sending, state=State.SENT, sent_at=clock.now())
        end(session, target, late)
    return sending, late


def too_late(session: Session, intents: Sequence[PublishIntent], approval_hours: int) -> list[Ended]:
    """Return how those of some intents end that are not to be sent any more."""
    ours, since = ours_now(session, intents), expired_by(approval_hours)
    late = []
    for intent in intents:
        if ours.get(intent.id) != intent.value:
            late.append(Ended(intent, State.DROPPED, detail=CHANGED_HERE))
        elif intent.approved_at and intent.approved_at <= since:
            late.append(Ended(intent, State.DROPPED, detail=EXPIRED))
    return late


def expired_by(approval_hours: int) -> datetime:
    """Return by when an approval was given that holds no more."""
    return clock.now() - timedelta(hours=approval_hours)


def ours_now(session: Session, intents: Iterable[PublishIntent]) -> dict[int, str]:
    """Return what we have now of what intents follow from, by their ids."""
    return _grades_now(session, intents) | _items_now(session, intents)


def _grades_now(session: Session, intents: Iterable[PublishIntent]) -> dict[int, str]:
    ids = {(each.entity_id, each.learner_id): each.id for each in intents if each.kind == Kind.GRADE}
    wanted = select(Grade.column_id, Grade.learner_id, Grade.value)
    found = session.execute(wanted.where(tuple_(Grade.column_id, Grade.learner_id).in_(ids))).tuples()
    return {ids[column_id, learner_id]: value for column_id, learner_id, value in found}


def _items_now(session: Session, intents: Iterable[PublishIntent]) -> dict[int, str]:
    found: dict[int, str] = {}
    for each in intents:
        record: GradeColumn | GradeSchema | None = None
        if each.kind == Kind.SCHEMA:
            record = session.get(GradeSchema, each.entity_id)
        elif each.kind != Kind.GRADE:
            record = session.get(GradeColumn, each.entity_id)
        if record:
            found[each.id] = stamp(record)
    return found


def _set(session: Session, intents: Iterable[PublishIntent], **values: object) -> None:
    """Set some values of intents, and keep what they themselves say of when they were sent, and what was there then."""
    rows = [{"id": each.id, "before": each.before, "sent_at": each.sent_at} | values for each in intents]
    if rows:
        session.execute(update(PublishIntent), rows)


def not_sent(store: Store, target: str, intents: Sequence[PublishIntent]) -> None:
    """Note that intents had no effect: they wait for their turn again.

    Each keeps what it knows of when it was sent: nothing, unless that is what was found out about.
    """
    if intents:
        with store.writing() as session:
            _set(session, intents, state=State.OPEN, outcome="", detail="", ended_at=None)
            session.execute(delete(PublishProblem).where(*_problems(target, intents)))


def is_over(intent: PublishIntent, grace_seconds: float) -> bool:
    """Return whether a call that got no answer can take effect no more.

    The time counts from when the end of the call was missed: for that of a run that was killed, this
    is the first look of the next run.
    """
    since = _unknown_since(intent)
    return since is not None and clock.now() - since >= timedelta(seconds=grace_seconds)


def _unknown_since(intent: PublishIntent) -> datetime | None:
    return intent.ended_at if intent.state == State.UNKNOWN else None


def end(session: Session, target: str, ended: Sequence[Ended]) -> None:
    """Note how intents ended, and replace what was in the way of what they were about."""
    now = clock.now()
    rows = [
        {"id": each.intent.id, "state": each.state, "outcome": each.outcome, "detail": each.detail, "ended_at": at}
        for each in ended
        for at in [(each.state == State.UNKNOWN and _unknown_since(each.intent)) or now]
    ]
    if rows:
        session.execute(update(PublishIntent), rows)
        _tell(session, target, ended)


def stay_unknown(
    store: Store, target: str, intents: Sequence[PublishIntent], reason: PublishReason, detail: str
) -> list[Ended]:
    """Note why it is still not known what became of calls; return those of which just that was not told before.

    The time in which they can still take effect goes on as it was.
    """
    stay = [Ended(each, State.UNKNOWN, reason=reason, detail=detail) for each in intents]
    with store.writing() as session:
        end(session, target, stay)
    return [each for each in stay if (each.intent.state, each.intent.detail) != (State.UNKNOWN, detail)]


def grades_ended(store: Store, target: str, ended: Sequence[Ended]) -> None:
    """Note how the intents of some grades ended: with their receipts, or with what is in their way.

    What the gradebook made of a grade by itself is ours as well: it goes when ours does.
    """
    done = [each for each in ended if each.state == State.DONE or each.reason is PublishReason.GRADE_DIFFERS]
    with store.writing() as session:
        end(session, target, ended)
        known = _receipts(session, target, done)
        stay = [_receipt(target, each, known) for each in done if each.intent.value is not None]
        put_receipts(session, target, stay)
        for each in done:
            if each.intent.value is None and (left := known.get(_grade(each))):
                session.delete(left)
        same = tuple_(GradeConflict.column_id, GradeConflict.learner_id).in_([_grade(each) for each in done])
        decided = session.scalars(select(GradeConflict).where(GradeConflict.target == target, same))
        _say_who_decided(session, done, decided)
        session.execute(delete(GradeConflict).where(GradeConflict.target == target, same))


def _say_who_decided(session: Session, done: Iterable[Ended], decided: Iterable[GradeConflict]) -> None:
    """Let the calls say what a person decided about their grades, now that it is carried out."""
    words = {
        (each.column_id, each.learner_id): decision(each.resolved_by, each.reason)
        for each in decided
        if each.resolution == Resolution.TAKE
    }
    rows = [{"id": each.intent.id, "detail": words[_grade(each)]} for each in done if _grade(each) in words]
    if rows:
        session.execute(update(PublishIntent), rows)


def decision(who: str, reason: str) -> str:
    """Say who decided that ours replaces what somebody changed in the target, and why."""
    return f"{who} took ours: {reason}"


def _grade(ended: Ended) -> tuple[int, int]:
    return ended.intent.entity_id, ended.intent.learner_id


def _receipts(session: Session, target: str, ended: Iterable[Ended]) -> dict[tuple[int, int], GradeReceipt]:
    same = tuple_(GradeReceipt.column_id, GradeReceipt.learner_id).in_([_grade(each) for each in ended])
    found = session.scalars(select(GradeReceipt).where(GradeReceipt.target == target, same))
    return {(each.column_id, each.learner_id): each for each in found}


def _receipt(target: str, ended: Ended, known: Mapping[tuple[int, int], GradeReceipt]) -> GradeReceipt:
    """Return the receipt of a grade; of one that somebody else gave just so meanwhile, the write stays theirs."""
    intent, there = ended.intent, ended.there or There()
    earlier, before = known.get(_grade(ended)), There.of_values(intent.before or {}).as_set
    taken_away = ", ".join(intent.after.get("without", ()))
    return GradeReceipt(
        target=target,
        column_id=intent.entity_id,
        learner_id=intent.learner_id,
        value=intent.value,
        score=there.score,
        text=there.text,
        change_index=there.change_index,
        first_score=earlier.first_score if earlier else before.score,
        first_text=earlier.first_text if earlier else before.text,
        first_marks=taken_away or (earlier and earlier.first_marks),
        intent_id=(earlier and earlier.intent_id) if ended.was_there else intent.id,
        at=clock.now(),
    )


def _tell(session: Session, target: str, ended: Sequence[Ended]) -> None:
    same = _problems(target, [each.intent for each in ended])
    tries = {_about(each): each.tries for each in session.scalars(select(PublishProblem).where(*same))}
    session.expunge_all()
    session.execute(delete(PublishProblem).where(*same, ~_is_of_another(ended)))
    for each in ended:
        if each.reason is PublishReason.CHANGED_THERE and each.there:
            session.merge(_conflict(target, each.intent, each.there))
        elif each.reason:
            problem = _problem(target, each, each.reason)
            problem.tries = tries.get(_about(problem), 0) + 1
            session.merge(problem)


def _is_of_another(ended: Iterable[Ended]) -> ColumnElement[bool]:
    """Whether a problem tells that another call about the same got no answer: what follows on that is dropped."""
    names = ("course_id", "kind", "entity_id", "learner_id")
    same = (getattr(PublishIntent, name) == getattr(PublishProblem, name) for name in names)
    is_another = (PublishIntent.state == State.UNKNOWN, PublishIntent.id.not_in([each.intent.id for each in ended]))
    return and_(PublishProblem.code.in_(UNANSWERED), exists().where(*same, *is_another))


def _problems(target: str, intents: Iterable[PublishIntent]) -> tuple[ColumnElement[bool], ...]:
    about = tuple_(PublishProblem.course_id, PublishProblem.kind, PublishProblem.entity_id, PublishProblem.learner_id)
    same = about.in_([(each.course_id, each.kind, each.entity_id, each.learner_id) for each in intents])
    return PublishProblem.target == target, PublishProblem.code.in_(SENDING), same


def _about(problem: PublishProblem) -> tuple[object, ...]:
    return problem.kind, problem.entity_id, problem.learner_id, problem.code, problem.value


def _conflict(target: str, intent: PublishIntent, there: There) -> GradeConflict:
    """Return what a person has to decide about; what was decided about other values holds no more."""
    return GradeConflict(
        target=target,
        column_id=intent.entity_id,
        learner_id=intent.learner_id,
        course_id=intent.course_id,
        ours=intent.value,
        theirs_score=there.score,
        theirs_text=there.text,
        theirs_marks=", ".join(there.marks),
        what=f"somebody {'cleared' if there.is_empty else 'changed'} it there",
        found_at=clock.now(),
        resolution=Resolution.OPEN,
        resolved_by="",
        reason="",
        resolved_at=None,
    )


def _problem(target: str, ended: Ended, reason: PublishReason) -> PublishProblem:
    intent = ended.intent
    return PublishProblem(
        target=target,
        course_id=intent.course_id,
        kind=intent.kind,
        entity_id=intent.entity_id,
        learner_id=intent.learner_id,
        code=reason.value,
        name=intent.name,
        value=intent.value or "",
        detail=ended.detail,
        found_at=clock.now(),
    )


def applied(store: Store, system: str) -> None:
    """Note which begun plans were carried out to their end."""
    of_plan = PublishIntent.plan_id == Plan.id
    unended = exists().where(of_plan, PublishIntent.state.in_([State.PLANNED, *UNDER_WAY]))
    over = (Plan.system == system, Plan.applied_at.is_(None), exists().where(of_plan), ~unended)
    with store.writing() as session:
        session.execute(update(Plan).where(*over).values(applied_at=clock.now()))
