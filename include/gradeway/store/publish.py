"""The store's tables of what gradebooks were told: what stands there for us, intents, receipts, conflicts, problems.

What is to be told follows from these tables and the grades themselves: a grade is due as long as its
receipt says another value, or is not there. So loading a grade makes it due in the same
transaction, and nothing can be forgotten. An intent is committed with the plan that it is of, before
it is sent.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Boolean, Date, ForeignKey, Index, Integer, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from gradeway.store.models import Base, DecimalText, Instant, Json

LEARN, FILES = "learn", "files"  # as names of systems
COURSE = "course"  # the kind of a problem that is about a whole one


class Kind(StrEnum):
    """What an intent is about; what comes later here may need what comes before."""

    SCHEMA = "schema"
    FOLDER = "folder"
    COLUMN = "column"
    GRADE = "grade"


class Action(StrEnum):
    """What an intent does; an assignment is a column that is made together with its content."""

    CREATE = "create"
    ASSIGN = "assign"
    UPDATE = "update"
    DELETE = "delete"
    CLEAR = "clear"


class State(StrEnum):
    """Where an intent stands: part of a plan, to be sent, on its way, or how it ended."""

    PLANNED = "planned"
    OPEN = "open"
    SENT = "sent"
    UNKNOWN = "unknown"
    DONE = "done"
    FAILED = "failed"
    DROPPED = "dropped"


class PublishIntent(Base):
    """One call of a plan: what it is about, what is there before it, and after it.

    ``entity_id`` is our schema's or column's, ``remote_id`` the target's own of the same, if it is
    there. ``before`` and ``after`` are values by the names of the plan. ``value`` is our grade's, null
    where we have none any more; of schemas and columns it is which row of ours it follows from.
    ``seen_index`` is the change index of what was there. ``due`` is when what is graded is due.
    ``approved_at`` is when a person approved the call, in whichever plan it was then, and ``approved_for``
    for what reason. ``holds`` is what held it first, while it waits for that. Of what was written into a
    file, ``remote_id`` is the file's name and ``seen_index`` the line in it.
    """

    __tablename__ = "publish_intent"
    __table_args__ = (
        Index("ix_publish_intent_plan", "plan_id", "state"),
        Index("ix_publish_intent_course", "course_id", "state"),
        Index("ix_publish_intent_state", "state"),
        Index("ix_publish_intent_grade", "entity_id", "learner_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id"))
    course_id: Mapped[int]
    kind: Mapped[str] = mapped_column(String(8))
    action: Mapped[str] = mapped_column(String(8))
    name: Mapped[str] = mapped_column(Text)
    entity_id: Mapped[int]
    learner_id: Mapped[int] = mapped_column(server_default="0")
    remote_id: Mapped[str] = mapped_column(String(64), server_default="")
    user_id: Mapped[str] = mapped_column(String(64), server_default="")
    seen_index: Mapped[int] = mapped_column(BigInteger, server_default="0")
    value: Mapped[str | None] = mapped_column(Text)
    before: Mapped[dict[str, Any] | None] = mapped_column(Json)
    after: Mapped[dict[str, Any]] = mapped_column(Json)
    due: Mapped[date | None] = mapped_column(Date)
    state: Mapped[str] = mapped_column(String(8))
    outcome: Mapped[str] = mapped_column(String(16), server_default="")
    detail: Mapped[str] = mapped_column(Text, server_default="")
    approved_by: Mapped[str] = mapped_column(Text, server_default="")
    approved_for: Mapped[str] = mapped_column(Text, server_default="")
    approved_at: Mapped[datetime | None] = mapped_column(Instant)
    holds: Mapped[list[dict[str, Any]] | None] = mapped_column(Json)
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)


class PublishedItem(Base):
    """What stands in a target's course for a schema or column of ours.

    ``remote_id`` is the target's own id, blank once a person decided that what somebody deleted there
    is made anew; ``content_id`` is that of an assignment's content. ``told`` are the values it was
    last told, by the names of the plan, and ``stamp`` which row of ours it was last compared with.
    ``made`` is whether we made it. ``insist``: a person, ``decided_by``, decided that what somebody
    changed there gives way to ours. Flat files put a schema into no course, which is number 0; what
    courses have of it there is only the stamp.
    """

    __tablename__ = "published_item"

    target: Mapped[str] = mapped_column(String(16), primary_key=True)
    course_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    entity_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    remote_id: Mapped[str] = mapped_column(String(64))
    content_id: Mapped[str] = mapped_column(String(64), server_default="")
    told: Mapped[dict[str, Any]] = mapped_column(Json)
    stamp: Mapped[str] = mapped_column(String(64))
    made: Mapped[bool] = mapped_column(Boolean, server_default=false())
    insist: Mapped[bool] = mapped_column(Boolean, server_default=false())
    decided_by: Mapped[str] = mapped_column(Text, server_default="")
    reason: Mapped[str] = mapped_column(Text, server_default="")
    told_at: Mapped[datetime] = mapped_column(Instant)


class GradeReceipt(Base):
    """What a target has of a grade of ours, as it said itself when it was told, or was found to have it.

    ``value`` is ours; ``score``, ``text`` and ``change_index`` are the target's. ``text`` is blank once we
    changed what decides how the score is shown, as long as nobody has looked again. ``first_score`` and
    ``first_text`` are what stood there before we ever wrote, ``first_marks`` what our writes took away
    beside it. ``intent_id`` is our write, or null where the target had the same by itself. Of what was
    written into a file only ``value`` is known, blank once a person was asked to take it away there, and
    ``change_index`` is its line.
    """

    __tablename__ = "grade_receipt"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012

    target: Mapped[str] = mapped_column(String(16), primary_key=True)
    column_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    learner_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    value: Mapped[str] = mapped_column(Text)
    score: Mapped[Decimal | None] = mapped_column(DecimalText)
    text: Mapped[str | None] = mapped_column(Text)
    change_index: Mapped[int] = mapped_column(BigInteger)
    first_score: Mapped[Decimal | None] = mapped_column(DecimalText)
    first_text: Mapped[str | None] = mapped_column(Text)
    first_marks: Mapped[str | None] = mapped_column(Text)
    intent_id: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(Instant)


class Resolution(StrEnum):
    """What a person decided about a grade that somebody changed in the gradebook."""

    OPEN = ""
    KEEP = "keep"
    TAKE = "take"


class GradeConflict(Base):
    """A grade that somebody changed in the gradebook: ours, theirs, and what a person decided.

    ``theirs_marks`` is what else somebody set, such as that the learner is exempt. A decision holds
    for just these two values: should either change, it is an open conflict again.
    """

    __tablename__ = "grade_conflict"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012

    target: Mapped[str] = mapped_column(String(16), primary_key=True)
    column_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    learner_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    course_id: Mapped[int] = mapped_column(Integer, index=True)
    ours: Mapped[str | None] = mapped_column(Text)
    theirs_score: Mapped[Decimal | None] = mapped_column(DecimalText)
    theirs_text: Mapped[str | None] = mapped_column(Text)
    theirs_marks: Mapped[str] = mapped_column(Text, server_default="")
    what: Mapped[str] = mapped_column(Text)
    found_at: Mapped[datetime] = mapped_column(Instant)
    resolution: Mapped[str] = mapped_column(String(8), server_default="")
    resolved_by: Mapped[str] = mapped_column(Text, server_default="")
    reason: Mapped[str] = mapped_column(Text, server_default="")
    resolved_at: Mapped[datetime | None] = mapped_column(Instant)


class PublishProblem(Base):
    """Something that was not published, or not all of it, and why.

    ``kind`` and ``entity_id`` say what it is about: a schema, a column, a learner's grade in a
    column, or with 0 the whole course. ``value`` is our side of it (a grade's value, or the row that
    last changed a schema or column), so that it can be told whether that has changed since;
    ``tries`` is how often it was found. ``accepted``: a person approved calls that waited because of it.
    """

    __tablename__ = "publish_problem"
    __table_args__ = (Index("ix_publish_problem_grade", "entity_id", "learner_id"),)

    target: Mapped[str] = mapped_column(String(16), primary_key=True)
    course_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    entity_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    learner_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    code: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(Text, server_default="")
    value: Mapped[str] = mapped_column(Text, server_default="")
    detail: Mapped[str] = mapped_column(Text, server_default="")
    tries: Mapped[int] = mapped_column(server_default="1")
    accepted: Mapped[bool] = mapped_column(Boolean, server_default=false())
    found_at: Mapped[datetime] = mapped_column(Instant)


class ComparedCourse(Base):
    """When a course was last compared with a target, or that was tried: what was due, and all that we have."""

    __tablename__ = "compared_course"

    target: Mapped[str] = mapped_column(String(16), primary_key=True)
    course_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(Instant)
    whole_at: Mapped[datetime] = mapped_column(Instant)


class DayOfCalls(Base):
    """How many calls were made to a system on one day (UTC), and how many of them to compare courses."""

    __tablename__ = "day_of_calls"

    system: Mapped[str] = mapped_column(String(16), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    calls: Mapped[int]
    comparing: Mapped[int] = mapped_column(server_default="0")
