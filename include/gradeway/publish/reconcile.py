"""Store against gradebook: every difference in a course, each with the reason for it; nothing is kept or sent."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from gradeway.errors import UnknownCourseError
from gradeway.publish.calls import count_calls
from gradeway.publish.compare import compare_with
from gradeway.publish.due import due_courses
from gradeway.publish.holds import key_of
from gradeway.publish.ours import UNDER_WAY, About, Ours, read_ours
from gradeway.publish.plan import LineKey, Made, readable
from gradeway.publish.reasons import SENDING, PublishReason
from gradeway.publish.survey import Survey, There
from gradeway.publish.wanted import RefusedError, plain
from gradeway.settings import Settings
from gradeway.store.engine import Store
from gradeway.store.exams import Plan
from gradeway.store.models import Course
from gradeway.store.publish import LEARN, Kind, PublishIntent, PublishProblem, State
from gradeway.vendors.learn import Learn

NEXT_RUN = "the next run does it"
NOT_ENDED = "a call about it has not ended: the next run finds out"
EACH_NIGHT = "the look at whole courses does it, each night, or at once `gradeway publish plan --everything`"


@dataclass(frozen=True)
class Difference:
    """Something that is not there as we have it; ``learner`` is blank for schemas and columns."""

    kind: str
    name: str
    learner: str
    ours: str
    theirs: str
    why: str


@dataclass
class Reconciled:
    """What comparing a whole course came to: its differences, and how many grades are the same."""

    course: str
    differences: list[Difference]
    same: int


def reconcile(store: Store, client: Learn, settings: Settings, course: str) -> Reconciled:
    """Compare all of a course; as a person waits for it, it may use the reserve of the budget.

    Raises:
        UnknownCourseError: the store has no such course.
        VendorError: Learn could not be asked.
    """
    with store.session() as session:
        found = session.scalar(select(Course).where(Course.source_id == course))
        if found is None:
            raise UnknownCourseError(course)
        ours = read_ours(session, LEARN, found, everything=True)
        held, soon, begun = _held(session, found.id), _soon(session, found), list(_begun(session, found.id))
        session.expunge_all()
    calls_before = client.transport.pace.calls
    try:
        with client.sibling(urgent=True) as asking:
            done = _compared(asking, ours, held, soon, settings)
    finally:
        count_calls(store, LEARN, client.transport.pace.calls - calls_before)
    done.differences += begun
    return done


def _compared(
    client: Learn, ours: Ours, held: dict[LineKey, str], soon: Collection[About], settings: Settings
) -> Reconciled:
    made = Made(ours.course.id, ours.course.source_id)
    course = made.course
    try:
        survey = Survey.of(client, course, settings)
        compare_with(survey, ours, made, settings)
    except RefusedError as refused:
        why = f"{refused.reason.meaning}: {refused.reason.remedy}"
        return Reconciled(course, [Difference("course", course, "", "", "", why)], 0)
    listed = [*_planned(made, held, soon), *_in_the_way(made, ours), *_kept(made, ours), *_on_their_way(ours)]
    listed += _only_there(ours, survey)
    return Reconciled(course, listed, made.unchanged)


def _held(session: Session, course_id: int) -> dict[LineKey, str]:
    """Return the calls that wait for a person, and why."""
    wanted = select(PublishIntent, Plan.content).join(Plan, Plan.id == PublishIntent.plan_id)
    planned = (PublishIntent.course_id == course_id, PublishIntent.state == State.PLANNED)
    rows = session.execute(wanted.where(Plan.system == LEARN, Plan.held_at.is_not(None), *planned)).tuples()
    return {key_of(intent): "; ".join(content["brakes"]) for intent, content in rows}


def _begun(session: Session, course_id: int) -> Iterator[Difference]:
    """Yield the schemas, folders and columns about which a call was begun and has not ended."""
    about = (PublishIntent.kind, PublishIntent.entity_id)
    wanted = select(*about, PublishIntent.name).distinct().join(Plan, Plan.id == PublishIntent.plan_id)
    wanted = wanted.where(Plan.system == LEARN, PublishIntent.course_id == course_id, PublishIntent.kind != Kind.GRADE)
    sending = (PublishProblem.target == LEARN, PublishProblem.course_id == course_id, PublishProblem.code.in_(SENDING))
    problems = {(each.kind, each.entity_id): each for each in session.scalars(select(PublishProblem).where(*sending))}
    rows = session.execute(wanted.where(PublishIntent.state.in_(UNDER_WAY)).order_by(*about)).tuples()
    for kind, entity_id, name in rows:
        problem = problems.get((kind, entity_id))
        yield Difference(kind, name, "", "", "", _why(problem) if problem else NOT_ENDED)


def _why(problem: PublishProblem) -> str:
    """Tell a problem with its meaning and its remedy."""
    reason = PublishReason[problem.code]
    return f"{': '.join(filter(None, (reason.value, problem.detail, reason.meaning)))}; {reason.remedy}"


def _soon(session: Session, course: Course) -> set[About]:
    """Return what the next run sends, or looks at: what is planned or begun, and what is due."""
    about = select(PublishIntent.kind, PublishIntent.entity_id, PublishIntent.learner_id)
    states = PublishIntent.state.in_([State.PLANNED, *UNDER_WAY])
    wanted = about.join(Plan, Plan.id == PublishIntent.plan_id).where(Plan.system == LEARN, states)
    soon = set(session.execute(wanted.where(PublishIntent.course_id == course.id)).tuples())
    if course.id in due_courses(session, LEARN):
        ours = read_ours(session, LEARN, course)
        items = {*ours.schemas, *(column.id for column in ours.columns), *(key for _, key in ours.items)}
        soon |= {(kind, key, 0) for kind in Kind for key in items}
        soon |= {(Kind.GRADE, column, grade.learner_id) for column, due in ours.due.items() for grade in due}
    return soon


def _planned(made: Made, held: dict[LineKey, str], soon: Collection[About]) -> Iterator[Difference]:
    for line in made.lines:
        before = ", ".join(f"{name} {readable(value)}" for name, value in (line.before or {}).items()) or "nothing"
        after = ", ".join(f"{name} {readable(value)}" for name, value in line.after.items())
        waits = held.get(line.key)
        when = NEXT_RUN if (line.kind, line.entity_id, line.learner_id) in soon else EACH_NIGHT
        why = f"waits for approval: {waits}" if waits else f"not published yet: {when}"
        yield Difference(line.kind, line.name, line.learner, after, before, why)


def _in_the_way(made: Made, ours: Ours) -> Iterator[Difference]:
    names = {grade.learner_id: grade.learner for due in ours.due.values() for grade in due}
    for each in made.problems:
        value = each.value if each.learner_id else ""
        yield Difference(each.kind, each.name, names.get(each.learner_id, ""), value, "", _why(each))


def _on_their_way(ours: Ours) -> Iterator[Difference]:
    """Yield the grades about which a call was begun and has not ended: what stands there is not known yet."""
    names = {column.id: column.name for column in ours.columns}
    for column_id, due in ours.due.items():
        for grade in due:
            if (Kind.GRADE, column_id, grade.learner_id) in ours.under_way:
                name = names.get(column_id, "")
                yield Difference(Kind.GRADE, name, grade.learner, grade.value or "nothing", "", NOT_ENDED)


def _kept(made: Made, ours: Ours) -> Iterator[Difference]:
    """Yield the grades that somebody changed there, whether that was known before or not."""
    names = {column.id: column.name for column in ours.columns}
    new = {(each.column_id, each.learner_id): each for each in made.conflicts}
    told = {(line.entity_id, line.learner_id) for line in made.lines}
    told |= {(each.column_id, each.learner_id) for each in made.found}
    told |= {(each.entity_id, each.learner_id) for each in made.problems}
    for column_id, due in ours.due.items():
        for grade in due:
            conflict = new.get((column_id, grade.learner_id), grade.conflict)
            if conflict is None or (column_id, grade.learner_id) in told:
                continue
            theirs = There(conflict.theirs_score, conflict.theirs_text)
            shown = plain(theirs.score) if theirs.score is not None else theirs.text or "nothing"
            decided = f"; {conflict.resolved_by} kept it: {conflict.reason}" if conflict.resolution else ""
            shown = ", ".join(filter(None, (shown, conflict.theirs_marks)))
            name = names.get(column_id, "")
            yield Difference(Kind.GRADE, name, grade.learner, grade.value or "none", shown, f"{conflict.what}{decided}")


def _only_there(ours: Ours, survey: Survey) -> Iterator[Difference]:
    """Yield the grades that only the gradebook has."""
    for column in ours.columns:
        item = ours.items.get((Kind.COLUMN, column.id))
        if item is None or item.remote_id not in survey.columns:
            continue
        known = {survey.folded(grade.learner) for grade in ours.due.get(column.id, ())}
        for user_id, there in survey.grades(item.remote_id).items():
            name = survey.name_of(user_id)
            if name and survey.folded(name) not in known and not there.is_empty:
                shown = plain(there.score) if there.score is not None else there.text or ", ".join(there.marks)
                yield Difference(Kind.GRADE, column.name, name, "none", shown, "only the gradebook has it")
