"""The store's tables of exam sessions, of what outside systems were told, and of what came back.

``plan`` and ``intent`` are the outbox: what is to be written to an outside system is committed
here before it is sent, so that a run that died can find out what became of it.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, String, Text, UniqueConstraint, false, true
from sqlalchemy.orm import Mapped, mapped_column

from gradeway.store.models import Base, Instant, Json

QUESTIONMARK = "questionmark"  # as a system's name


class SessionGroup(Base):
    """A group of learners as the session files name it; ``given`` says which batch gave each field last."""

    __tablename__ = "session_group"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    description: Mapped[str] = mapped_column(Text, server_default="")
    active: Mapped[bool] = mapped_column(Boolean, server_default=true())
    organization: Mapped[str] = mapped_column(String(255), server_default="")
    given: Mapped[dict[str, int]] = mapped_column(Json)
    batch_id: Mapped[int]
    line: Mapped[int]


class SessionMember(Base):
    """A user's link to a group, with the role it has there."""

    __tablename__ = "session_member"
    __table_args__ = (UniqueConstraint("group_id", "username", "role"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("session_group.id"))
    username: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(64))
    batch_id: Mapped[int]
    line: Mapped[int]


class ExamSession(Base):
    """An exam session: a group takes a delivery (or a battery) in a window of time.

    Only fields in ``given`` were ever said by a file; an outside system is not told the others.
    """

    __tablename__ = "exam_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("session_group.id"), index=True)
    delivery: Mapped[str] = mapped_column(String(255), server_default="")
    battery: Mapped[str] = mapped_column(String(255), server_default="")
    time_zone: Mapped[str] = mapped_column(String(64), server_default="")
    start_at: Mapped[datetime | None] = mapped_column(Instant)
    end_at: Mapped[datetime | None] = mapped_column(Instant)
    submission_at: Mapped[datetime | None] = mapped_column(Instant)
    waiting_at: Mapped[datetime | None] = mapped_column(Instant)
    security: Mapped[list[str]] = mapped_column(Json)
    review: Mapped[list[str]] = mapped_column(Json)
    accessibility: Mapped[list[str]] = mapped_column(Json)
    plugins: Mapped[list[str]] = mapped_column(Json)
    report: Mapped[list[str]] = mapped_column(Json)
    read_aloud: Mapped[str] = mapped_column(String(32), server_default="")
    withdrawn: Mapped[bool] = mapped_column(Boolean, server_default=false())
    given: Mapped[dict[str, int]] = mapped_column(Json)
    batch_id: Mapped[int]
    line: Mapped[int]


class Tenant(Base):
    """Where a system's schedules, intents and attempts are: host and path of its service.

    ``read_at`` is when all its attempts were last read.
    """

    __tablename__ = "tenant"

    system: Mapped[str] = mapped_column(String(32), primary_key=True)
    place: Mapped[str] = mapped_column(Text)
    read_at: Mapped[datetime | None] = mapped_column(Instant)


class SessionSchedule(Base):
    """Which schedule of the delivery system stands for a session, and what it was last told."""

    __tablename__ = "session_schedule"

    session_id: Mapped[int] = mapped_column(ForeignKey("exam_session.id"), primary_key=True)
    schedule_id: Mapped[int] = mapped_column(unique=True)
    told: Mapped[dict[str, Any]] = mapped_column(Json)
    synced_at: Mapped[datetime] = mapped_column(Instant)


class Plan(Base):
    """A list of changes that an outside system would get, by the hash of its content.

    ``held_at`` is when it first had to wait for a person, ``asked_at`` when one was last asked.
    """

    __tablename__ = "plan"
    __table_args__ = (UniqueConstraint("system", "digest"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    system: Mapped[str] = mapped_column(String(32))
    digest: Mapped[str] = mapped_column(String(64))
    content: Mapped[dict[str, Any]] = mapped_column(Json)
    made_at: Mapped[datetime] = mapped_column(Instant)
    approved_at: Mapped[datetime | None] = mapped_column(Instant)
    approved_by: Mapped[str] = mapped_column(Text, server_default="")
    reason: Mapped[str] = mapped_column(Text, server_default="")
    held_at: Mapped[datetime | None] = mapped_column(Instant)
    asked_at: Mapped[datetime | None] = mapped_column(Instant)
    applied_at: Mapped[datetime | None] = mapped_column(Instant)


class IntentState(StrEnum):
    """Where an intent stands: to be sent, on its way, or how it ended."""

    OPEN = "open"
    SENT = "sent"
    DONE = "done"
    UNKNOWN = "unknown"
    FAILED = "failed"
    DROPPED = "dropped"


class Intent(Base):
    """One write to an outside system, committed before it is sent; ``target`` is the system's own id."""

    __tablename__ = "intent"
    __table_args__ = (Index("ix_intent_state", "system", "state"), Index("ix_intent_subject", "system", "subject"))

    id: Mapped[int] = mapped_column(primary_key=True)
    system: Mapped[str] = mapped_column(String(32))
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id"), index=True)
    subject: Mapped[str] = mapped_column(String(255))
    action: Mapped[str] = mapped_column(String(16))
    target: Mapped[str] = mapped_column(String(64), server_default="")
    body: Mapped[dict[str, Any]] = mapped_column(Json)
    state: Mapped[str] = mapped_column(String(16))
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    outcome: Mapped[str] = mapped_column(String(16), server_default="")
    detail: Mapped[str] = mapped_column(Text, server_default="")


class ResultRow(Base):
    """Which attempt a row of a batch of results told, that gave a learner's value in a column.

    ``rule`` says by what it counts where there are several: the schedule's first, last, best or worst;
    blank where the system has no such rule.
    """

    __tablename__ = "result_row"

    batch_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    line: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    system: Mapped[str] = mapped_column(String(32))
    session: Mapped[str] = mapped_column(String(255), server_default="")
    assessment: Mapped[str] = mapped_column(String(255), server_default="")
    schedule: Mapped[str] = mapped_column(String(64), server_default="")
    attempt: Mapped[str] = mapped_column(String(64), server_default="")
    rule: Mapped[str] = mapped_column(String(16), server_default="")


class Attempt(Base):
    """A learner's attempt as an outside system last told it; scores are decimal text.

    ``exported`` is the digest of what was last handed to the gradebook for it, so that only what
    changed is handed over again; ``disabled`` says that somebody disabled the attempt there.
    ``exam`` and ``sitting`` are what assessmentQ calls what it belongs to.
    """

    __tablename__ = "attempt"

    system: Mapped[str] = mapped_column(String(32), primary_key=True)
    attempt: Mapped[str] = mapped_column(String(64), primary_key=True)
    schedule_id: Mapped[int] = mapped_column(index=True)
    exam: Mapped[str] = mapped_column(String(255), server_default="")
    sitting: Mapped[str] = mapped_column(String(255), server_default="")
    participant: Mapped[str] = mapped_column(String(64))
    learner: Mapped[str] = mapped_column(String(333), server_default="")
    number: Mapped[int | None]
    status: Mapped[int | None]
    total: Mapped[str | None] = mapped_column(String(60))
    maximum: Mapped[str | None] = mapped_column(String(60))
    band: Mapped[str] = mapped_column(Text, server_default="")
    started_at: Mapped[datetime | None] = mapped_column(Instant)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
    seen_at: Mapped[datetime] = mapped_column(Instant)
    disabled: Mapped[bool] = mapped_column(Boolean, server_default=false())
    exported: Mapped[str] = mapped_column(String(64), server_default="")
