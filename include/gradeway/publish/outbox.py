"""The store's side of publishing: plans with their approvals, intents, and what is learnt from their outcomes.

A plan's intents are committed with the plan, and with what comparing found out. Each ends in one
transaction with what follows from it: the receipt of a grade, or what stands there for a column.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, insert, inspect, or_, select, tuple_, update
from sqlalchemy.orm import Session

from gradeway import clock
from gradeway.errors import BrakeError, UnknownPlanError
from gradeway.publish import holds
from gradeway.publish.brakes import too_much
from gradeway.publish.holds import NOT_APPROVED, Approval
from gradeway.publish.ours import Ours, begun_calls
from gradeway.publish.plan import Brake, Hold, Line, LineKey, Made, Part, Risk
from gradeway.publish.reasons import PASSING, UNANSWERED, UNMATCHED, PublishReason
from gradeway.settings import Settings
from gradeway.store.engine import Store
from gradeway.store.exams import Plan
from gradeway.store.models import Course, Grade
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

SLICE = 500


@dataclass(frozen=True)
class Planned:
    """A course's plan as it was kept: what may go now, what waits for a person, and why; both can be empty.

    ``brakes`` are what is too much now, ``reasons`` say this, and what else is waited for since an earlier plan.
    """

    course: str
    free: Part
    held: Part
    brakes: Sequence[Brake]
    reasons: Sequence[str]
    problems: int
    conflicts: int
    unchanged: int


def keep(store: Store, target: str, made: Made, ours: Ours, settings: Settings) -> Planned | None:
    """Keep what comparing a course came to, in place of what was planned before and not begun.

    Returns None, and keeps nothing, if calls of an earlier plan were begun since the store was read:
    what they do is not known yet, and they must not be made twice.
    """
    brakes, held_now = too_much(made, ours, settings.publish_brakes)
    since = clock.now() - timedelta(hours=settings.publish_approval_hours)
    with store.writing() as session:
        _one_at_a_time(session, made.course_id)
        if begun_calls(session, target, made.course_id) != ours.begun:
            return None
        approved, waiting = holds.decided(session, target, made.course_id, since)
        allowed = approved.keys() | holds.allowed(session, target, made.course_id)
        held = holds.held_lines(made, held_now, waiting, allowed, settings.publish_brakes)
        free, waits = _split(made, held)
        _learn(session, target, made, is_whole=ours.is_whole)
        _note_compared(session, target, ours)
        reasons = holds.reasons_of(brakes, held)
        pending = _clear_away(session, target, made.course_id, {free.digest, waits.digest})
        for part, why in ((free, []), (waits, reasons)):
            if part.lines:
                _keep_part(session, target, made, part, why, approved, held, is_pending=part.digest in pending)
    return Planned(made.course, free, waits, brakes, reasons, len(made.problems), len(made.conflicts), made.unchanged)


def _one_at_a_time(session: Session, course_id: int) -> None:
    """Let plans of a course be kept and begun one after the other."""
    session.execute(select(Course.id).where(Course.id == course_id).with_for_update())


def _split(made: Made, held: Collection[int]) -> tuple[Part, Part]:
    """Split a plan into what may go, and what waits."""
    parts: tuple[list[Line], list[Line]] = ([], [])
    for place, line in enumerate(made.lines):
        parts[place in held].append(line)
    return Part(made.course, parts[0]), Part(made.course, parts[1])


def _learn(session: Session, target: str, made: Made, *, is_whole: bool) -> None:
    """Write down what comparing found out: what stands there already, what is in the way, what somebody changed."""
    for old, new in made.inherited.items():
        _hand_down(session, target, old, new)
    for link in made.links:
        session.merge(link)
    for kind, entity_id in made.forgotten_items:
        session.execute(delete(PublishedItem).where(*_item(target, made.course_id, kind, entity_id)))
    settled = [(each.column_id, each.learner_id) for each in made.found] + made.settled + made.forgotten_grades
    for some in _slices(settled):
        session.execute(delete(GradeConflict).where(*_grades_in(GradeConflict, target, some)))
    written = [(line.entity_id, line.learner_id) for line in made.lines if line.learner_id]
    for some in _slices(written):  # but a decision to write stays until it is carried out
        is_open = GradeConflict.resolution == Resolution.OPEN
        session.execute(delete(GradeConflict).where(*_grades_in(GradeConflict, target, some), is_open))
    for conflict in made.conflicts:
        session.merge(conflict)
    put_receipts(session, target, made.found)
    for some in _slices(made.forgotten_grades):
        session.execute(delete(GradeReceipt).where(*_grades_in(GradeReceipt, target, some)))
    made.problems += [] if is_whole else _of_others(session, target, made, {*settled, *written})
    _tell_problems(session, target, made)


def note_failure(store: Store, target: str, made: Made, ours: Ours) -> Planned:
    """Note that a course could not be compared; all else that is known of it stays."""
    with store.writing() as session:
        _note_compared(session, target, ours)
        for each in made.problems:
            each.target = target
            _note_again(session, each)
    nothing = Part(made.course, [])
    return Planned(made.course, nothing, nothing, [], [], len(made.problems), 0, 0)


def note_away(store: Store, target: str, course_id: int, reason: PublishReason, detail: str) -> str:
    """Note that nothing more is sent to a course for now; return its identifier."""
    with store.writing() as session:
        name = session.get_one(Course, course_id).source_id
        about = {"target": target, "course_id": course_id, "kind": COURSE, "entity_id": 0, "learner_id": 0}
        _note_again(session, PublishProblem(**about, code=reason.value, name=name, detail=detail))
    return name


def forget_away(store: Store, target: str, courses: Collection[int]) -> None:
    """Forget what went wrong in courses in which it goes well again."""
    passed = (PublishProblem.target == target, PublishProblem.code.in_(PASSING), PublishProblem.course_id.in_(courses))
    with store.writing() as session:
        session.execute(delete(PublishProblem).where(*passed))


def _note_again(session: Session, problem: PublishProblem) -> None:
    """Note a problem, and how often it was found."""
    known = session.get(PublishProblem, inspect(PublishProblem).primary_key_from_instance(problem))
    problem.found_at, problem.tries = clock.now(), known.tries + 1 if known else 1
    session.merge(problem)


def _note_compared(session: Session, target: str, ours: Ours) -> None:
    """Note that a course was compared; the first time, what is due is all."""
    now, known = clock.now(), session.get(ComparedCourse, (target, ours.course.id))
    whole_at = known.whole_at if known and not ours.is_whole else now
    session.merge(ComparedCourse(target=target, course_id=ours.course.id, at=now, whole_at=whole_at))


def forget_conflicts(store: Store, target: str) -> None:
    """Forget what there was to decide about grades that we have no more and never told."""
    same = (Grade.column_id == GradeConflict.column_id, Grade.learner_id == GradeConflict.learner_id)
    told = (GradeReceipt.column_id == GradeConflict.column_id, GradeReceipt.learner_id == GradeConflict.learner_id)
    is_left = or_(exists().where(*same), exists().where(GradeReceipt.target == target, *told))
    with store.writing() as session:
        session.execute(delete(GradeConflict).where(GradeConflict.target == target, ~is_left))


def _hand_down(session: Session, target: str, old: int, new: int) -> None:
    """Let a column have what stood there for another one."""
    of_column = (PublishedItem.kind == Kind.COLUMN, PublishedItem.entity_id == old)
    session.execute(update(PublishedItem).where(PublishedItem.target == target, *of_column).values(entity_id=new))
    for table in (GradeReceipt, GradeConflict):
        session.execute(delete(table).where(table.target == target, table.column_id == new))
        session.execute(update(table).where(table.target == target, table.column_id == old).values(column_id=new))


def _item(target: str, course_id: int, kind: str, entity_id: int) -> tuple[ColumnElement[bool], ...]:
    of_course = (PublishedItem.target == target, PublishedItem.course_id == course_id)
    return *of_course, PublishedItem.kind == kind, PublishedItem.entity_id == entity_id


def _grades_in(
    table: type[GradeReceipt | GradeConflict], target: str, grades: Sequence[tuple[int, int]]
) -> tuple[ColumnElement[bool], ...]:
    return table.target == target, tuple_(table.column_id, table.learner_id).in_(grades)


def _slices(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (items[start : start + SLICE] for start in range(0, len(items), SLICE))


def put_receipts(session: Session, target: str, receipts: Sequence[GradeReceipt]) -> None:
    """Write receipts, in place of those that there are of the same grades."""
    for some in _slices(receipts):
        grades = [(each.column_id, each.learner_id) for each in some]
        session.execute(delete(GradeReceipt).where(*_grades_in(GradeReceipt, target, grades)))
        session.execute(insert(GradeReceipt), [_values(each) for each in some])


def _values(record: GradeReceipt | PublishProblem) -> dict[str, Any]:
    return {column.key: getattr(record, column.key) for column in type(record).__mapper__.column_attrs}


def _of_others(session: Session, target: str, made: Made, compared: set[tuple[int, int]]) -> list[PublishProblem]:
    """Return what the gradebook made of grades that are not due, and so were not compared now."""
    compared |= {(each.entity_id, each.learner_id) for each in made.problems}
    of_course = (PublishProblem.target == target, PublishProblem.course_id == made.course_id)
    differing = select(PublishProblem).where(*of_course, PublishProblem.code == PublishReason.GRADE_DIFFERS.value)
    found = [each for each in session.scalars(differing) if (each.entity_id, each.learner_id) not in compared]
    for each in found:
        session.expunge(each)
    return found


def _tell_problems(session: Session, target: str, made: Made) -> None:
    """Replace what was in the way of a course; what stays in the way counts how often it was found.

    What is not known of a call is found out by sending alone.
    """
    is_told_here = PublishProblem.code.not_in(UNANSWERED)
    of_course = (PublishProblem.target == target, PublishProblem.course_id == made.course_id, is_told_here)
    about = (PublishProblem.kind, PublishProblem.entity_id, PublishProblem.learner_id, PublishProblem.code)
    known = select(*about, PublishProblem.value, PublishProblem.tries, PublishProblem.accepted).where(*of_course)
    before = {tuple(row[:4]): tuple(row[4:]) for row in session.execute(known)}
    session.execute(delete(PublishProblem).where(*of_course))
    now = clock.now()
    for each in made.problems:
        value, tries, accepted = before.get((each.kind, each.entity_id, each.learner_id, each.code), ("", 0, False))
        each.target, each.found_at, each.accepted = target, now, accepted
        each.tries = tries + 1 if value == each.value else 1
    for some in _slices(made.problems):
        session.execute(insert(PublishProblem), [_values(each) for each in some])


def _clear_away(session: Session, target: str, course_id: int, stay: Collection[str]) -> set[str]:
    """Forget what was planned for a course and never begun; return the digests of those plans.

    Of the plans of some digests, only the calls are forgotten.
    """
    of_course = (PublishIntent.course_id == course_id, PublishIntent.state == State.PLANNED, Plan.system == target)
    planned = select(Plan.id, Plan.digest).join(PublishIntent, PublishIntent.plan_id == Plan.id).distinct()
    plans = dict(session.execute(planned.where(*of_course)).tuples().all())
    pending = (PublishIntent.plan_id.in_(list(plans)), PublishIntent.state == State.PLANNED)
    session.execute(delete(PublishIntent).where(*pending))
    over = [plan_id for plan_id, digest in plans.items() if digest not in stay]
    is_begun = exists().where(PublishIntent.plan_id == Plan.id)
    session.execute(delete(Plan).where(Plan.id.in_(over), ~is_begun))
    return set(plans.values())


def _keep_part(
    session: Session,
    target: str,
    made: Made,
    part: Part,
    reasons: Sequence[str],
    approved: Mapping[LineKey, Approval],
    held: Mapping[int, Sequence[Hold]],
    *,
    is_pending: bool,
) -> None:
    """Keep a part of a plan under its digest, held if there are reasons.

    The same calls, still planned, are the same plan: who was asked and who approved stays so.
    """
    row = session.scalar(select(Plan).where(Plan.system == target, Plan.digest == part.digest))
    if row is None:
        row = Plan(system=target, digest=part.digest)
        session.add(row)
    row.content = {
        "course": made.course,
        "course_id": made.course_id,
        "remote_id": made.remote_id,
        "is_ultra": made.is_ultra,
        "lines": len(part.lines),
        "counts": part.counts,
        "brakes": list(reasons),
        "risks": sorted({hold.risk for holds in held.values() for hold in holds}) if reasons else [],
    }
    if not is_pending:
        row.made_at = clock.now()
        row.approved_at = row.held_at = row.asked_at = row.applied_at = None
        row.approved_by = row.reason = ""
    row.held_at = (row.held_at or clock.now()) if reasons else None
    session.flush()
    of_plan = {"plan_id": row.id, "course_id": made.course_id, "state": State.PLANNED}
    first = {made.lines[place].key: [asdict(hold) for hold in each] for place, each in held.items()}
    for some in _slices(part.lines):
        rows = [_intent(line, approved.get(line.key)) | {"holds": first.get(line.key)} for line in some]
        session.execute(insert(PublishIntent), [of_plan | row for row in rows])


def _intent(line: Line, approval: Approval | None) -> dict[str, Any]:
    names = ("kind", "action", "name", "entity_id", "learner_id", "remote_id", "user_id")
    said = {name: getattr(line, name) for name in (*names, "seen_index", "value", "before", "after", "due")}
    return said | (approval or NOT_APPROVED)._asdict()


def _has_planned(session: Session, plan_id: int) -> bool:
    planned = exists().where(PublishIntent.plan_id == plan_id, PublishIntent.state == State.PLANNED)
    return bool(session.scalar(select(planned)))


def approve(store: Store, target: str, digest: str, who: str, reason: str) -> None:
    """Approve a plan that waits; once it was begun, there is nothing more to approve.

    Whoever approves what waited because learners are missing knows of these: they hold nothing any more.

    Raises:
        UnknownPlanError: there is no plan of that digest.
    """
    with store.writing() as session:
        row = _plan(session, target, digest)
        if _has_planned(session, row.id):
            row.approved_at, row.approved_by, row.reason = clock.now(), who, reason
            if Risk.UNMATCHED in row.content.get("risks", ()):
                _accept_missing(session, target, row.content["course_id"])


def _accept_missing(session: Session, target: str, course_id: int) -> None:
    of_grades = (PublishProblem.target == target, PublishProblem.course_id == course_id)
    missing = (PublishProblem.kind == Kind.GRADE, PublishProblem.code.in_(UNMATCHED))
    session.execute(update(PublishProblem).where(*of_grades, *missing).values(accepted=True))


def _plan(session: Session, target: str, digest: str) -> Plan:
    row = session.scalar(select(Plan).where(Plan.system == target, Plan.digest == digest))
    if row is None:
        raise UnknownPlanError(digest)
    return row


def begin(store: Store, target: str, digest: str, settings: Settings) -> None:
    """Let the calls of a plan be sent.

    Raises:
        UnknownPlanError: there is no plan of that digest.
        BrakeError: it needs a person's approval, and has none that still holds.
    """
    with store.writing() as session:
        _one_at_a_time(session, _plan(session, target, digest).content["course_id"])
        session.expire_all()
        row = _plan(session, target, digest)
        if row.held_at and not _is_approved(row, settings) and _has_planned(session, row.id):
            raise BrakeError(digest, f"does too much at once ({'; '.join(row.content['brakes'])})")
        opened: dict[str, Any] = {"state": State.OPEN}
        opened |= Approval.of(row)._asdict() if row.approved_at else {}
        planned = (PublishIntent.plan_id == row.id, PublishIntent.state == State.PLANNED)
        session.execute(update(PublishIntent).where(*planned).values(opened))


def _is_approved(row: Plan, settings: Settings) -> bool:
    since = clock.now() - timedelta(hours=settings.publish_approval_hours)
    return row.approved_at is not None and row.approved_at > since


def begin_free(store: Store, target: str, settings: Settings) -> None:
    """Let the calls be sent of all plans that need no approval, or have it."""
    planned = exists().where(PublishIntent.plan_id == Plan.id, PublishIntent.state == State.PLANNED)
    with store.session() as session:
        rows = list(session.scalars(select(Plan).where(Plan.system == target, planned).order_by(Plan.id)))
    for row in rows:
        if not row.held_at or _is_approved(row, settings):
            with suppress(UnknownPlanError, BrakeError):  # it was planned anew meanwhile
                begin(store, target, row.digest, settings)
