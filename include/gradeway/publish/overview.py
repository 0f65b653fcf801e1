"""What the store knows of publishing, for people to look at: what is due, waits, failed, and what somebody changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from gradeway import clock
from gradeway.errors import UnknownPlanError
from gradeway.publish.due import due_courses
from gradeway.publish.ours import UNDER_WAY
from gradeway.publish.plan import grade_in_words, in_words
from gradeway.publish.reasons import SENDING, PublishReason
from gradeway.settings import Settings
from gradeway.store.exams import Plan
from gradeway.store.models import Course, Grade, GradeColumn, Learner
from gradeway.store.publish import (
    DayOfCalls,
    GradeConflict,
    GradeReceipt,
    Kind,
    PublishIntent,
    PublishProblem,
    Resolution,
    State,
)

# Told where publishing is looked at; there is nothing that anybody could do about them.
NOBODYS = [
    each.value
    for each in (PublishReason.OUTCOME_UNKNOWN, PublishReason.NOT_CARRIED, PublishReason.EXTERNAL_UNSUPPORTED)
]
LONG_SENT = timedelta(hours=1)  # after which nobody waits for the answer to a call any more


@dataclass(frozen=True)
class Waiting:
    """A plan that waits for a person, and why."""

    digest: str
    course: str
    brakes: Sequence[str]
    counts: dict[str, int]
    since: datetime
    approved: bool
    asked_at: datetime | None = None


@dataclass(frozen=True)
class ProblemLine:
    """Something that is in the way, told with its remedy; ``learner`` is blank if it is about no single one."""

    course: str
    kind: str
    name: str
    learner: str
    reason: PublishReason
    detail: str
    tries: int
    since: datetime


@dataclass(frozen=True)
class ConflictLine:
    """A grade that somebody changed in the gradebook: ours, theirs, and what was decided."""

    course: str
    column: str
    learner: str
    record: GradeConflict

    @property
    def theirs(self) -> str:
        """What stands there, as people write it."""
        score, text = self.record.theirs_score, self.record.theirs_text
        shown = text if score is None else format(score.normalize(), "f")
        return ", ".join(filter(None, (shown, self.record.theirs_marks))) or "nothing"


@dataclass
class Standing:
    """How publishing stands: courses with something to tell, and the rest by counts."""

    due: int = 0
    receipts: int = 0
    intents: Counter[str] = field(default_factory=Counter)
    waiting: Sequence[Waiting] = ()
    problems: Counter[PublishReason] = field(default_factory=Counter)
    conflicts: int = 0
    calls_today: int = 0
    last: datetime | None = None


def standing(session: Session, target: str, settings: Settings) -> Standing:
    """Return how publishing stands."""
    counted = select(PublishIntent.state, func.count()).where(PublishIntent.state.in_(UNDER_WAY), _of(target))
    found = Standing(due=len(due_courses(session, target)), waiting=waiting(session, target, settings))
    found.intents.update(dict(session.execute(counted.group_by(PublishIntent.state)).tuples().all()))
    told = select(func.count(), func.max(GradeReceipt.at)).where(GradeReceipt.target == target)
    found.receipts, found.last = session.execute(told).one()
    codes = select(PublishProblem.code, func.count()).where(PublishProblem.target == target)
    for code, number in session.execute(codes.group_by(PublishProblem.code)):
        found.problems[PublishReason[code]] = number
    found.conflicts = _open_conflicts(session, target)
    day = session.get(DayOfCalls, (target, clock.now().date()))
    found.calls_today = day.calls if day else 0
    return found


class Need(NamedTuple):
    """Something that a person should see to, in words that name nobody, and what to do about it."""

    what: str
    remedy: str


HELD = Need(
    "changes of the gradebook that wait for approval",
    "answer in Airflow (Required Actions of approve_publication), or look with `gradeway publish status`",
)
CHANGED = Need(
    "grades that somebody changed in the gradebook, and nobody decided about",
    "`gradeway publish status` lists them, `gradeway publish resolve` decides",
)
HINDERED = Need("problems of publishing", "`gradeway publish status` lists them, each with its remedy")
UNANSWERED = Need(
    "calls to the gradebook without an answer",
    "the next run finds out, once GRADEWAY_PUBLISH_GRACE_SECONDS are over: see that publish_gradebook runs; "
    "`gradeway publish status` tells more",
)


def needs(session: Session, target: str, settings: Settings) -> Iterator[Need]:
    """Yield what of publishing needs a person: a line for each kind."""
    held = [each for each in waiting(session, target, settings) if not each.approved]
    yield from _need(HELD, sum(sum(each.counts.values()) for each in held))
    yield from left_over(session, target)


def left_over(session: Session, target: str) -> Iterator[Need]:
    """Yield what needs a person or is not done yet, but for plans that wait: a line for each kind."""
    yield from _need(CHANGED, _open_conflicts(session, target))
    codes = _problems(session, target)
    yield from _need(HINDERED, codes.total(), f" ({', '.join(code for code, _ in codes.most_common())})")
    yield from unanswered(session, target)


def unanswered(session: Session, target: str) -> Iterator[Need]:
    """Yield that calls got no answer, if some did not; but for those of which it is told what is in the way."""
    left_behind = and_(PublishIntent.state == State.SENT, PublishIntent.sent_at < clock.now() - LONG_SENT)
    is_unknown = or_(and_(PublishIntent.state == State.UNKNOWN, ~_is_told(target)), left_behind)
    found = session.scalar(select(func.count()).select_from(PublishIntent).where(is_unknown, _of(target)))
    yield from _need(UNANSWERED, found or 0)


def _is_told(target: str) -> ColumnElement[bool]:
    """Whether a call has a problem that sending found, and that a person can mend."""
    names = ("course_id", "kind", "entity_id", "learner_id")
    same = (getattr(PublishProblem, name) == getattr(PublishIntent, name) for name in names)
    is_to_mend = (PublishProblem.code.in_(SENDING), PublishProblem.code.not_in(NOBODYS))
    return exists().where(PublishProblem.target == target, *same, *is_to_mend)


def _need(need: Need, number: int, more: str = "") -> Iterator[Need]:
    if number:
        yield need._replace(what=f"{need.what}: {number:,}{more}")


def _problems(session: Session, target: str) -> Counter[str]:
    """Return how many problems a person can mend, by code; calls without an answer are told as such."""
    of_target = (PublishProblem.target == target, PublishProblem.code.not_in(NOBODYS))
    counted = select(PublishProblem.code, func.count()).where(*of_target).group_by(PublishProblem.code)
    return Counter(dict(session.execute(counted.order_by(PublishProblem.code)).tuples().all()))


def _open_conflicts(session: Session, target: str) -> int:
    is_open = (GradeConflict.target == target, GradeConflict.resolution == Resolution.OPEN)
    return session.scalar(select(func.count()).select_from(GradeConflict).where(*is_open)) or 0


def _of(target: str) -> ColumnElement[bool]:
    return PublishIntent.plan_id.in_(select(Plan.id).where(Plan.system == target))


def waiting(session: Session, target: str, settings: Settings) -> list[Waiting]:
    """Return the plans that wait for a person, or that one allowed and that are not begun; the oldest first."""
    planned = exists().where(PublishIntent.plan_id == Plan.id, PublishIntent.state == State.PLANNED)
    held = select(Plan).where(Plan.system == target, Plan.held_at.is_not(None), planned)
    since = clock.now() - timedelta(hours=settings.publish_approval_hours)
    return [
        Waiting(
            plan.digest,
            plan.content["course"],
            plan.content["brakes"],
            plan.content["counts"],
            plan.held_at or plan.made_at,
            bool(plan.approved_at and plan.approved_at > since),
            plan.asked_at,
        )
        for plan in session.scalars(held.order_by(Plan.held_at, Plan.id))
    ]


def to_ask(waiting: Iterable[Waiting], most: int) -> list[Waiting]:
    """Return which of many plans a person is asked about: first those that nobody was, then those of longest ago."""
    never = datetime.min.replace(tzinfo=UTC)
    return sorted((each for each in waiting if not each.approved), key=lambda each: each.asked_at or never)[:most]


def problems(session: Session, target: str, course: str = "", limit: int | None = None) -> list[ProblemLine]:
    """Return what is in the way, by course; of one course, if it is named."""
    wanted = (
        select(PublishProblem, Course.source_id, Learner.source_id)
        .join(Course, Course.id == PublishProblem.course_id)
        .outerjoin(Learner, Learner.id == PublishProblem.learner_id)
        .where(PublishProblem.target == target)
        .order_by(Course.source_id, PublishProblem.kind, PublishProblem.name, Learner.source_id, PublishProblem.code)
    )
    wanted = wanted.where(Course.source_id == course) if course else wanted
    return [
        ProblemLine(
            course_id,
            each.kind,
            each.name,
            learner or "",
            PublishReason[each.code],
            each.detail,
            each.tries,
            each.found_at,
        )
        for each, course_id, learner in session.execute(wanted.limit(limit)).tuples()
    ]


def conflicts(
    session: Session, target: str, course: str = "", *, resolved: bool = False, limit: int | None = None
) -> list[ConflictLine]:
    """Return the grades that somebody changed in the gradebook: the open ones, or also those that were decided."""
    wanted = (
        select(GradeConflict, Course.source_id, GradeColumn.name, Learner.source_id)
        .join(Course, Course.id == GradeConflict.course_id)
        .join(Learner, Learner.id == GradeConflict.learner_id)
        .outerjoin(GradeColumn, GradeColumn.id == GradeConflict.column_id)
        .where(GradeConflict.target == target)
        .order_by(Course.source_id, GradeColumn.name, Learner.source_id)
    )
    wanted = wanted.where(Course.source_id == course) if course else wanted
    wanted = wanted if resolved else wanted.where(GradeConflict.resolution == Resolution.OPEN)
    rows = session.execute(wanted.limit(limit)).tuples()
    return [ConflictLine(of, column or "", learner, each) for each, of, column, learner in rows]


@dataclass(frozen=True)
class CourseLine:
    """A course: how many columns and grades it has, how many are published, and what keeps others back."""

    id: int
    course: str
    columns: int
    grades: int
    published: int
    problems: int
    conflicts: int


def courses(session: Session, target: str) -> list[CourseLine]:
    """Return every course, by its identifier."""
    of_column = select(GradeColumn.course_id, func.count(GradeColumn.id.distinct()), func.count(Grade.column_id))
    of_column = of_column.outerjoin(Grade, Grade.column_id == GradeColumn.id).group_by(GradeColumn.course_id)
    sizes = {key: (columns, grades) for key, columns, grades in session.execute(of_column).tuples()}
    told = select(GradeColumn.course_id, func.count()).join(GradeReceipt, GradeReceipt.column_id == GradeColumn.id)
    told = told.where(GradeReceipt.target == target).group_by(GradeColumn.course_id)
    published = dict(session.execute(told).tuples().all())
    hindered = select(PublishProblem.course_id, func.count()).where(PublishProblem.target == target)
    problems = dict(session.execute(hindered.group_by(PublishProblem.course_id)).tuples().all())
    changed = select(GradeConflict.course_id, func.count()).where(
        GradeConflict.target == target, GradeConflict.resolution == Resolution.OPEN
    )
    open_ones = dict(session.execute(changed.group_by(GradeConflict.course_id)).tuples().all())
    return [
        CourseLine(
            course.id,
            course.source_id,
            *sizes.get(course.id, (0, 0)),
            published.get(course.id, 0),
            problems.get(course.id, 0),
            open_ones.get(course.id, 0),
        )
        for course in session.scalars(select(Course).order_by(Course.source_id))
    ]


def learner_ids(session: Session, names: Sequence[str]) -> dict[str, int]:
    """Return the ids of learners by their identifiers."""
    wanted = select(Learner.source_id, Learner.id).where(Learner.source_id.in_(names))
    return dict(session.execute(wanted).tuples().all())


def digest_of(session: Session, target: str, start: str) -> str:
    """Return the digest that begins so.

    Raises:
        UnknownPlanError: there is none, or more than one.
    """
    wanted = select(Plan.digest).where(Plan.system == target, Plan.digest.startswith(start, autoescape=True))
    found = list(session.scalars(wanted.limit(2)))
    if len(found) != 1:
        raise UnknownPlanError(start, is_ambiguous=bool(found))
    return found[0]


def under_way(session: Session, target: str) -> int:
    """Return how many calls were begun and have not ended."""
    counted = select(func.count()).select_from(PublishIntent).where(PublishIntent.state.in_(UNDER_WAY), _of(target))
    return session.scalar(counted) or 0


def names_of(session: Session, table: type[Course | Learner], ids: Collection[int]) -> dict[int, str]:
    """Return the identifiers of courses or learners by our ids."""
    wanted = select(table.id, table.source_id).where(table.id.in_(ids))
    return dict(session.execute(wanted).tuples().all())


def lines(
    session: Session, target: str, digest: str, limit: int | None = None, *, start: int = 0
) -> list[tuple[PublishIntent, str]]:
    """Return the calls of a plan, in their order from some place on, each with the identifier of its learner."""
    plan = select(Plan.id).where(Plan.system == target, Plan.digest == digest).scalar_subquery()
    wanted = (
        select(PublishIntent, func.coalesce(Learner.source_id, ""))
        .outerjoin(Learner, Learner.id == PublishIntent.learner_id)
        .where(PublishIntent.plan_id == plan)
        .order_by(PublishIntent.id)
    )
    return list(session.execute(wanted.offset(start).limit(limit)).tuples())


@dataclass(frozen=True)
class CallLine:
    """A call of a plan, with what is there before and after it as people read it, and where it stands."""

    what: str
    name: str
    learner: str
    before: str
    after: str
    state: str

    @classmethod
    def of(cls, call: PublishIntent, learner: str) -> CallLine:
        """Return a call."""
        before, after = call.before or {}, call.after
        if call.kind == Kind.GRADE:
            was, becomes = grade_in_words(before), grade_in_words(after)
        else:
            was = in_words(None, {name: before.get(name) for name in after or before})
            becomes = in_words(None, after)
        return cls(f"{call.kind} {call.action}", call.name, learner, was or "nothing", becomes or "nothing", call.state)


@dataclass(frozen=True)
class PlanPage:
    """Some calls of a plan, ``total`` in all, with why it waits and who approved it."""

    digest: str
    course: str
    brakes: Sequence[str]
    held_at: datetime | None
    approval: str
    total: int
    calls: Sequence[CallLine]


def plan_page(session: Session, target: str, digest: str, start: int, limit: int) -> PlanPage | None:
    """Return the calls of a plan from some place on, or None if it was replaced or never made."""
    plan = session.scalar(select(Plan).where(Plan.system == target, Plan.digest == digest))
    if plan is None:
        return None
    total = session.scalar(select(func.count()).select_from(PublishIntent).where(PublishIntent.plan_id == plan.id))
    return PlanPage(
        digest,
        plan.content["course"],
        plan.content["brakes"],
        plan.held_at,
        f"{plan.approved_by}: {plan.reason}" if plan.approved_at else "",
        total or 0,
        [CallLine.of(*call) for call in lines(session, target, digest, limit, start=start)],
    )
