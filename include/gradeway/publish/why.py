"""The life of one grade: from the file and line that gave it to the call that published it, and who allowed that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from gradeway.errors import UnknownGradeError
from gradeway.feeds import FEEDS
from gradeway.publish.plan import grade_in_words, in_words
from gradeway.publish.reasons import NOTES, PublishReason
from gradeway.publish.resolve import columns_named
from gradeway.store.custody import ASSESSMENTQ
from gradeway.store.exams import QUESTIONMARK, Plan, ResultRow
from gradeway.store.models import Batch, Course, Grade, GradeColumn, GradeHistory, Learner
from gradeway.store.publish import (
    FILES,
    GradeConflict,
    GradeReceipt,
    Kind,
    PublishIntent,
    PublishProblem,
    Resolution,
    State,
)

SYSTEMS = {QUESTIONMARK: "Questionmark Delivery", ASSESSMENTQ: "assessmentQ"}
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Event:
    """Something that happened to a grade: when, what, and where it can be looked up.

    ``batch`` and ``line`` are set for what a file said; ``plan`` is the digest of the plan of a call.
    """

    at: datetime | None
    what: str
    detail: str
    batch: int | None = None
    line: int | None = None
    plan: str = ""


@dataclass(frozen=True)
class Life:
    """A grade as it is now, and what led to it, the oldest first.

    ``published`` is what the gradebook had when we last knew it, which was at ``published_at``.
    """

    course: str
    column: str
    learner: str
    value: str | None
    published: str | None
    published_at: datetime | None
    events: list[Event]


def lives(session: Session, target: str, course: str, learner: str, column: str) -> list[Life]:
    """Return the lives of a learner's grades in all columns of a name, also in those that we have no more.

    Raises:
        UnknownGradeError: there is no such course, column or learner, or never was a value.
    """
    where = session.scalar(select(Course).where(Course.source_id == course))
    person = session.scalar(select(Learner).where(Learner.source_id == learner))
    if where is None or person is None:
        raise UnknownGradeError(course, column)
    ids = columns_named(session, target, where.id, column) | _columns_sent(session, target, where.id, column)
    found = [_life(session, target, where, column, each, person) for each in sorted(ids)]
    if not any(each.events for each in found):
        raise UnknownGradeError(course, column)
    return [each for each in found if each.events]


def _columns_sent(session: Session, target: str, course_id: int, name: str) -> set[int]:
    """Return the ids of the columns of a name that grades were ever planned for."""
    wanted = select(PublishIntent.entity_id).join(Plan, Plan.id == PublishIntent.plan_id).distinct()
    of_name = (PublishIntent.course_id == course_id, PublishIntent.kind == Kind.GRADE, PublishIntent.name == name)
    return set(session.scalars(wanted.where(Plan.system == target, *of_name)))


def life_of(session: Session, target: str, column: GradeColumn, learner: Learner) -> Life:
    """Return the life of a learner's grade in a column; without events there never was one."""
    course = session.get_one(Course, column.course_id)
    return _life(session, target, course, column.name, column.id, learner)


def _life(session: Session, target: str, course: Course, name: str, column_id: int, learner: Learner) -> Life:
    found = _Life(session, target, column_id, learner.id)
    published = (found.published, found.published_at)
    return Life(course.source_id, name, learner.source_id, found.value, *published, found.events)


class _Life:
    def __init__(self, session: Session, target: str, column_id: int, learner_id: int) -> None:
        self._session, self._target = session, target
        self._key = (column_id, learner_id)
        grade = session.get(Grade, self._key)
        receipt = session.get(GradeReceipt, (target, *self._key))
        self.value = grade.value if grade else None
        self.published = self._told(receipt) if receipt else None
        self.published_at = receipt.at if receipt else None
        conflict = session.get(GradeConflict, (target, *self._key))
        if conflict:  # which was found since
            self.published, self.published_at = _theirs(conflict), conflict.found_at
        told = [*self._said(grade), *self._sent(), *self._insisted()]
        found = [*told, *self._found(receipt), *self._changed(conflict), *self._hindered()]
        self.events = sorted(found, key=lambda event: event.at or LONG_AGO)

    def _told(self, receipt: GradeReceipt) -> str | None:
        """Return what stands there: what the gradebook said, or where only a file was written, what that says."""
        if self._target == FILES:
            return receipt.value or None
        return grade_in_words({"score": receipt.score, "text": receipt.text})

    def _said(self, grade: Grade | None) -> Iterator[Event]:
        """Yield what files said: the values that were, and the one that is."""
        column_id, learner_id = self._key
        wanted = select(GradeHistory).where(GradeHistory.column_id == column_id, GradeHistory.learner_id == learner_id)
        rows: list[GradeHistory | Grade] = list(self._session.scalars(wanted.order_by(GradeHistory.id)))
        said: set[tuple[int, int]] = set()  # what an undo brought back was said before
        for row in [*rows, *([grade] if grade else [])]:
            batch = self._session.get(Batch, row.batch_id)
            if batch is None:
                continue
            if (batch.id, row.line) not in said:
                said.add((batch.id, row.line))
                rule = FEEDS[batch.feed].source if batch.feed in FEEDS else ""
                attempt = _of_attempt(self._session.get(ResultRow, (batch.id, row.line)))
                detail = f"{row.value} by {batch.file_name}, line {row.line}{attempt}; {rule}; sha256 {batch.sha256}"
                yield Event(batch.loaded_at, "a file said", detail, batch.id, row.line)
            if isinstance(row, GradeHistory):
                yield from self._undone(batch, row.replaced_by_batch)

    def _undone(self, batch: Batch, by: int) -> Iterator[Event]:
        undo = self._session.get_one(Batch, by)
        if undo.undo_of == batch.id:
            said = f"batch {batch.id} ({batch.file_name}) was undone by batch {undo.id}"
            yield Event(undo.loaded_at, "undone", said, undo.id)

    def _sent(self) -> Iterator[Event]:
        column_id, learner_id = self._key
        wanted = (
            select(PublishIntent, Plan.digest, Plan.made_at)
            .join(Plan, Plan.id == PublishIntent.plan_id)
            .where(
                Plan.system == self._target,
                PublishIntent.kind == Kind.GRADE,
                PublishIntent.entity_id == column_id,
                PublishIntent.learner_id == learner_id,
            )
        )
        for intent, digest, made_at in self._session.execute(wanted.order_by(PublishIntent.id)).tuples():
            before, after = grade_in_words(intent.before or {}) or "nothing", grade_in_words(intent.after) or "nothing"
            what = (
                "planned" if intent.state in {State.PLANNED, State.OPEN} else f"sent, {intent.outcome or intent.state}"
            )
            approved = f"; approved by {intent.approved_by}: {intent.approved_for}" if intent.approved_by else ""
            said = f"; {intent.detail}" if intent.detail else ""
            at = intent.ended_at or intent.sent_at or made_at
            yield Event(at, what, f"{before} -> {after}{approved}{said}", plan=digest)

    def _insisted(self) -> Iterator[Event]:
        """Yield what a person decided about what somebody changed of the column itself."""
        wanted = select(PublishIntent, Plan.digest).join(Plan, Plan.id == PublishIntent.plan_id)
        of_column = (PublishIntent.kind == Kind.COLUMN, PublishIntent.entity_id == self._key[0])
        decided = (PublishIntent.state == State.DONE, PublishIntent.detail != "")
        rows = self._session.execute(wanted.where(Plan.system == self._target, *of_column, *decided)).tuples()
        for intent, digest in rows:
            changed = in_words(intent.before, intent.after)
            yield Event(intent.ended_at, "column changed", f"{changed}; {intent.detail}", plan=digest)

    def _found(self, receipt: GradeReceipt | None) -> Iterator[Event]:
        if receipt:
            intent = self._session.get(PublishIntent, receipt.intent_id) if receipt.intent_id else None
            how = "written" if receipt.intent_id else "found there"
            what, detail = "the gradebook has", f"{self._told(receipt)} ({how}), change index {receipt.change_index}"
            if self._target == FILES:
                name = intent.remote_id if intent else "a file"
                what, detail = "a file has", f"{self.published} written to {name}, line {receipt.change_index}"
            ended = intent.ended_at if intent and intent.ended_at else receipt.at
            yield Event(max(receipt.at, ended), what, detail)

    def _changed(self, conflict: GradeConflict | None) -> Iterator[Event]:
        if conflict is None:
            return
        theirs = _theirs(conflict) or "nothing"
        yield Event(conflict.found_at, "conflict", f"{conflict.what}: {theirs}; ours is {conflict.ours or 'none'}")
        if conflict.resolution != Resolution.OPEN:
            decided = "kept theirs" if conflict.resolution == Resolution.KEEP else "took ours"
            yield Event(conflict.resolved_at, "decided", f"{conflict.resolved_by} {decided}: {conflict.reason}")

    def _hindered(self) -> Iterator[Event]:
        """Yield what is in the way of the grade, or of its column."""
        column_id, learner_id = self._key
        of_grade = and_(PublishProblem.kind == Kind.GRADE, PublishProblem.learner_id.in_([0, learner_id]))
        of_column = and_(PublishProblem.kind.in_([Kind.FOLDER, Kind.COLUMN]), PublishProblem.code.not_in(NOTES))
        about = (PublishProblem.target == self._target, PublishProblem.entity_id == column_id)
        for problem in self._session.scalars(select(PublishProblem).where(*about, or_(of_grade, of_column))):
            reason = PublishReason[problem.code]
            detail = problem.detail if problem.kind != Kind.GRADE else ""
            why = ": ".join(filter(None, (reason.value, detail, reason.meaning)))
            yield Event(problem.found_at, "not published", f"{why}; {reason.remedy}")


def _of_attempt(row: ResultRow | None) -> str:
    """Say of which attempt of an exam a value is, and why that one counts."""
    if row is None:
        return ""
    named = (("attempt", row.attempt), ("schedule", row.schedule), ("session", row.session), ("exam", row.assessment))
    where = ", ".join(f"{what} {name}" for what, name in named if name)
    why = f"by the schedule's rule {row.rule}" if row.rule else "as the final result that was told last"
    return f"; {SYSTEMS.get(row.system, row.system)}: {where}, which counts {why}"


def _theirs(conflict: GradeConflict) -> str | None:
    """Return what somebody gave in the gradebook; None if that is nothing."""
    given = grade_in_words({"score": conflict.theirs_score, "text": conflict.theirs_text})
    return ", ".join(filter(None, (given, conflict.theirs_marks))) or None
