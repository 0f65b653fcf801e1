"""The store's tables of result files: where each one is, and what the assessment system has received.

``result_upload`` is the outbox of the uploads: a row stands there before its bytes are sent, so that
the same bytes are never sent twice, whoever has them and however a run ends.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Boolean, Index, String, Text, TypeDecorator, text
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Mapped, mapped_column

from gradeway.store.models import Base, Instant

LONE = re.compile("[\ud800-\udfff]")
NUMBER = re.compile("//(d[89a-f][0-9a-f]{2})")
ASSESSMENTQ = "assessmentq"  # as a system's name


class FileState(StrEnum):
    """Where a result file stands.

    It waits to be sent; the server has its bytes, of an exam that goes on; the server has the
    finished exam; it is put away; the server refused it; or somebody else took it away.
    """

    WAITING = "waiting"
    SENT = "sent"
    FINAL = "final"
    KEPT = "kept"
    REFUSED = "refused"
    GONE = "gone"


class UploadState(StrEnum):
    """How an upload stands, or ended; each but the first two is what the server said."""

    SENDING = "sending"
    UNKNOWN = "unknown"
    IN_PROGRESS = "in progress"
    FINAL = "final"
    ALREADY_FINAL = "already final"
    REFUSED = "refused"


class PathText(TypeDecorator[str]):
    """A path, also with names that are no Unicode: databases take no lone surrogates, and no path has ``//``."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Write lone surrogates as their numbers."""
        return value and LONE.sub(lambda found: f"//{ord(found[0]):04x}", value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Read them back."""
        return value and NUMBER.sub(lambda found: chr(int(found[1], 16)), value)


class ResultFile(Base):
    """A result file in a folder: its bytes as last seen, and how far its custody is; sizes are in bytes.

    ``place`` is the path within the folder, with ``/``; ``kept_as`` the path where it was put away.
    """

    __tablename__ = "result_file"
    __table_args__ = (
        # A file that is put away leaves its place to the next one.
        Index(
            "ux_result_file_place",
            "folder",
            "place",
            unique=True,
            sqlite_where=text("kept_as = ''"),
            postgresql_where=text("kept_as = ''"),
        ),
        Index("ix_result_file_state", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    folder: Mapped[str] = mapped_column(PathText)
    place: Mapped[str] = mapped_column(PathText)
    size: Mapped[int] = mapped_column(BigInteger)
    modified_ns: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64), server_default="")
    state: Mapped[str] = mapped_column(String(16))
    sitting: Mapped[str] = mapped_column(String(255), server_default="")
    detail: Mapped[str] = mapped_column(Text, server_default="")
    kept_as: Mapped[str] = mapped_column(PathText, server_default="")
    found_at: Mapped[datetime] = mapped_column(Instant)
    waiting_since: Mapped[datetime | None] = mapped_column(Instant)
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    final_at: Mapped[datetime | None] = mapped_column(Instant)
    kept_at: Mapped[datetime | None] = mapped_column(Instant)
    purged_at: Mapped[datetime | None] = mapped_column(Instant)


class ResultUpload(Base):
    """Some bytes that were sent to a system, by their digest, and what it said."""

    __tablename__ = "result_upload"

    system: Mapped[str] = mapped_column(String(32), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    sitting: Mapped[str] = mapped_column(String(255), server_default="")
    detail: Mapped[str] = mapped_column(Text, server_default="")
    tries: Mapped[int]
    sent_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)


class Reach(Base):
    """Whether an outside system can be reached, since when, and when that was last seen."""

    __tablename__ = "reach"

    system: Mapped[str] = mapped_column(String(32), primary_key=True)
    online: Mapped[bool] = mapped_column(Boolean)
    since: Mapped[datetime] = mapped_column(Instant)
    seen_at: Mapped[datetime] = mapped_column(Instant)
    detail: Mapped[str] = mapped_column(Text, server_default="")
