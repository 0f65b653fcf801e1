"""The store's tables.

Numbers are kept as canonical decimal text, never as binary floats, and are the same on
PostgreSQL and SQLite. ``grade`` and ``grade_history`` carry no foreign keys: their ids are looked
up in the transaction that writes them, and key checks per row would triple the cost of a load.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class DecimalText(TypeDecorator[Decimal]):
    """A decimal number kept as its text, exact on every database."""

    impl = String(60)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        """Write the number in plain notation."""
        return None if value is None else format(value, "f")

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        """Read the number back unchanged."""
        return None if value is None else Decimal(value)


class Instant(TypeDecorator[datetime]):
    """An aware instant, kept in UTC on every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Write UTC; SQLite keeps it without a zone."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read UTC back as an aware instant."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMES)


class BatchState(StrEnum):
    """Where a batch stands."""

    CLAIMED = "claimed"
    LOADED = "loaded"
    REFUSED = "refused"
    DUPLICATE = "duplicate"


class ColumnKind(StrEnum):
    """What made a column, and so what it takes."""

    ASSIGNMENT = "assignment"
    CALCULATED = "calculated"
    MANUAL = "manual"


# the same bytes of a feed are taken once; what was refused may come again, a replay is sanctioned, an undo has none
ORIGINAL = "state NOT IN ('duplicate', 'refused') AND replay_of IS NULL AND undo_of IS NULL"


class Batch(Base):
    """One landed file: its bytes, its state and its counts.

    ``rows_in = created + updated + unchanged + rejected + parked``; ``duplicates`` and
    ``superseded`` are those of the unchanged rows that stood in the file twice or were older
    than what the store has. Ids grow in the order of claiming: a newer batch wins.

    A batch with ``undo_of`` is no file: it took another batch back, whose rows it counts, as
    updated those that it took back and as superseded those that newer batches had overtaken.
    """

    __tablename__ = "batch"
    __table_args__ = (
        Index(
            "uq_batch_bytes",
            "feed",
            "sha256",
            unique=True,
            postgresql_where=text(ORIGINAL),
            sqlite_where=text(ORIGINAL),
        ),
        Index("ix_batch_state", "state"),
        Index("uq_batch_undo_of", "undo_of", unique=True),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    feed: Mapped[str] = mapped_column(String(32))
    file_name: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    place: Mapped[str] = mapped_column(Text)
    claimed_at: Mapped[datetime] = mapped_column(Instant)
    loaded_at: Mapped[datetime | None] = mapped_column(Instant)
    report_due: Mapped[bool] = mapped_column(Boolean, server_default=false())
    failures: Mapped[int] = mapped_column(server_default="0")
    last_failure: Mapped[str] = mapped_column(Text, server_default="")
    duplicate_of: Mapped[int | None] = mapped_column(ForeignKey("batch.id"))
    replay_of: Mapped[int | None] = mapped_column(ForeignKey("batch.id"))
    undo_of: Mapped[int | None] = mapped_column(ForeignKey("batch.id"))
    rows_in: Mapped[int] = mapped_column(server_default="0")
    created: Mapped[int] = mapped_column(server_default="0")
    updated: Mapped[int] = mapped_column(server_default="0")
    unchanged: Mapped[int] = mapped_column(server_default="0")
    duplicates: Mapped[int] = mapped_column(server_default="0")
    superseded: Mapped[int] = mapped_column(server_default="0")
    rejected: Mapped[int] = mapped_column(server_default="0")
    parked: Mapped[int] = mapped_column(server_default="0")
    reasons: Mapped[dict[str, int]] = mapped_column(Json, default=dict)
    if TYPE_CHECKING:
        undone_by: Mapped[int | None]  # the batch that took this one back, or the one whose bytes it repeats

    @property
    def applied(self) -> int:
        """Rows that made or changed something."""
        return self.created + self.updated

    @property
    def balanced(self) -> bool:
        """Whether every row that came in is accounted for."""
        return self.rows_in == self.applied + self.unchanged + self.rejected + self.parked


UNDOING = Batch.__table__.alias("undoing")
Batch.undone_by = column_property(
    select(UNDOING.c.id).where(UNDOING.c.undo_of == func.coalesce(Batch.duplicate_of, Batch.id)).scalar_subquery()
)


class FindingRow(Base):
    """One finding on one line of a batch; rejects all, warnings up to a limit per reason."""

    __tablename__ = "finding"
    __table_args__ = (Index("ix_finding_batch", "batch_id", "line"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("batch.id"))
    line: Mapped[int | None]
    column: Mapped[str] = mapped_column(String(64), server_default="")
    reason: Mapped[str] = mapped_column(String(32))
    detail: Mapped[str] = mapped_column(Text, server_default="")


# What a row can wait for.
SCHEMA, COLUMN, RESULT = "schema", "column", "result"


class ParkedRow(Base):
    """A valid row that waits for its schema or column; ``cells`` are those its file had."""

    __tablename__ = "parked_row"
    __table_args__ = (Index("ix_parked_row_parent", "parent", "course", "name"),)

    batch_id: Mapped[int] = mapped_column(ForeignKey("batch.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    feed: Mapped[str] = mapped_column(String(32))
    parent: Mapped[str] = mapped_column(String(8))
    course: Mapped[str] = mapped_column(String(256))
    name: Mapped[str] = mapped_column(String(333))
    cells: Mapped[dict[str, str]] = mapped_column(Json)
    parked_at: Mapped[datetime] = mapped_column(Instant)


class Course(Base):
    """A course, by the identifier its SIS uses."""

    __tablename__ = "course"

    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[str] = mapped_column(String(256), unique=True)


class Learner(Base):
    """A learner, by the identifier its SIS uses."""

    __tablename__ = "learner"

    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[str] = mapped_column(String(333), unique=True)


class GradeSchema(Base):
    """A grade schema; ``symbols`` is a list of ``[text, lower bound or null]`` as given.

    ``batch_id`` and ``line`` are the row that last changed it; ``given`` says for each field which
    batch gave it last. The id of one that was removed is never given again: its history stays.
    """

    __tablename__ = "grade_schema"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(333), unique=True)
    symbols: Mapped[list[list[str | None]]] = mapped_column(Json)
    optional_data: Mapped[dict[str, str]] = mapped_column(Json)
    given: Mapped[dict[str, int]] = mapped_column(Json)
    batch_id: Mapped[int]
    line: Mapped[int]


class GradeColumn(Base):
    """A column of a course's gradebook; assignments have the fields from ``instructions`` on.

    ``batch_id`` and ``line`` are the row that last changed it; ``given`` says for each field which
    batch gave it last. ``match_key`` makes concurrent creation of one column impossible: the name, or the metadata
    value, or the row itself, by the provisioning rule under which the column was made.
    """

    __tablename__ = "grade_column"
    __table_args__ = (
        UniqueConstraint("course_id", "match_key"),
        Index("ix_grade_column_name", "course_id", "name"),
        Index(
            "uq_grade_column_external",
            "course_id",
            unique=True,
            postgresql_where=text("external"),
            sqlite_where=text("external"),
        ),
        {"sqlite_autoincrement": True},  # as for schemas
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"))
    name: Mapped[str] = mapped_column(String(333))
    match_key: Mapped[str] = mapped_column(String(333))
    kind: Mapped[str] = mapped_column(String(16))
    description: Mapped[str] = mapped_column(Text, server_default="")
    due_date: Mapped[date | None] = mapped_column(Date)
    points: Mapped[Decimal] = mapped_column(DecimalText)
    schema_id: Mapped[int | None] = mapped_column(ForeignKey("grade_schema.id"), index=True)
    external: Mapped[bool] = mapped_column(Boolean, server_default=false())
    optional_data: Mapped[dict[str, str]] = mapped_column(Json)
    given: Mapped[dict[str, int]] = mapped_column(Json)
    batch_id: Mapped[int]
    line: Mapped[int]
    external_batch_id: Mapped[int | None]
    instructions: Mapped[str | None] = mapped_column(Text)
    anonymous: Mapped[bool | None]
    group_work: Mapped[bool | None]
    content_area: Mapped[str | None] = mapped_column(Text)
    available: Mapped[bool | None]
    colour: Mapped[str | None] = mapped_column(String(10))
    attempts: Mapped[int | None]
    tracked: Mapped[bool | None]
    start_date: Mapped[date | None] = mapped_column(Date)
    end_date: Mapped[date | None] = mapped_column(Date)


class Change(Base):
    """What fields of a schema or column were before a row changed them; ``before`` is null for a new one.

    ``given`` says which batch had given each of them; what a batch only gave once more stands here
    too. A row that came after a newer one had overtaken it is kept as what that one replaced.
    """

    __tablename__ = "change"
    __table_args__ = (Index("ix_change_entity", "entity", "entity_id"), Index("ix_change_batch", "batch_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    entity: Mapped[str] = mapped_column(String(16))
    entity_id: Mapped[int]
    batch_id: Mapped[int]
    line: Mapped[int]
    before: Mapped[dict[str, Any] | None] = mapped_column(Json)
    given: Mapped[dict[str, int]] = mapped_column(Json, server_default=text("'{}'"))


class Grade(Base):
    """A learner's value in a column, with the batch and line that gave it.

    ``value`` is a number in canonical decimal text, or a symbol of the column's schema.
    """

    __tablename__ = "grade"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012

    column_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    learner_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    batch_id: Mapped[int]
    line: Mapped[int]
    value: Mapped[str] = mapped_column(Text)


class GradeHistory(Base):
    """A value that a newer row replaced or only gave once more, or that an undo took back: who gave it, who did so."""

    __tablename__ = "grade_history"
    __table_args__ = (Index("ix_grade_history_grade", "column_id", "learner_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    column_id: Mapped[int]
    learner_id: Mapped[int]
    batch_id: Mapped[int]
    line: Mapped[int]
    value: Mapped[str] = mapped_column(Text)
    replaced_by_batch: Mapped[int]
    replaced_by_line: Mapped[int]
