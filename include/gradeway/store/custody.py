"""The store's tables of result files: where each one is, and what the assessment system has received.

``result_upload`` is the outbox of the uploads: a row stands there before its bytes are sent, so that
the same bytes are never sent twice, whoever has them and however a run ends.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Boolean, Index, String, Text, TypeDecorator, false, text
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
    """How an upload stands, or ended; each but the first two is what the server said.

    After it an older copy of its exam may have taken its place, so that it is to be sent again.
    """

    SENDING = "sending"
    UNKNOWN = "unknown"
    IN_PROGRESS = "in progress"
    FINAL = "final"
    ALREADY_FINAL = "already final"
    REFUSED = "refused"
    OVERTAKEN = "overtaken"


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

    ``place`` is the path within the folder, with ``/``; ``kept_as`` the path where it was put away;
    ``tried_at`` when it was last tried in vain; ``dismissed_at`` when a person had looked at these bytes.
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
    tried_at: Mapped[datetime | None] = mapped_column(Instant)
    dismissed_at: Mapped[datetime | None] = mapped_column(Instant)
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    final_at: Mapped[datetime | None] = mapped_column(Instant)
    kept_at: Mapped[datetime | None] = mapped_column(Instant)
    purged_at: Mapped[datetime | None] = mapped_column(Instant)


class ResultFolder(Base):
    """A folder of result files: what in it could not be read, and when what was sent was last compared with it.

    ``unreadable`` are the places of folders within it, one a line; ``told`` whether a person was told.
    """

    __tablename__ = "result_folder"

    folder: Mapped[str] = mapped_column(PathText, primary_key=True)
    unreadable: Mapped[str] = mapped_column(PathText, server_default="")
    told: Mapped[bool] = mapped_column(Boolean, server_default=false())
    compared_at: Mapped[datetime | None] = mapped_column(Instant)


class ResultUpload(Base):
    """Some bytes that were sent to a system, by their digest, and what it said.

    ``tries`` is how often we sent them, 0 if others did; ``modified_ns`` the oldest date that a file
    with them had. ``began`` and ``ended`` are instants by a count of the store's own, in which what
    reached the server reached it: clocks are set back.
    """

    __tablename__ = "result_upload"
    __table_args__ = (
        Index("ix_result_upload_sitting", "sitting"),
        Index("ix_result_upload_began", "began"),
        Index("ix_result_upload_ended", "ended"),
    )

    system: Mapped[str] = mapped_column(String(32), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    modified_ns: Mapped[int] = mapped_column(BigInteger, server_default="0")
    state: Mapped[str] = mapped_column(String(16))
    sitting: Mapped[str] = mapped_column(String(255), server_default="")
    detail: Mapped[str] = mapped_column(Text, server_default="")
    tries: Mapped[int]
    began: Mapped[int] = mapped_column(BigInteger, server_default="0")
    ended: Mapped[int] = mapped_column(BigInteger, server_default="0")
    sent_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)


class SittingState(StrEnum):
    """What came of a sitting that is expected.

    The finished exam; something, but not its end; nothing, although others of the exam came or its
    time is over or nobody knows it; or nothing yet. The last two are never stored, they are told of
    a sitting without an end: that is long ago, or a person awaits no more of it.
    """

    RECEIVED = "received"
    UNFINISHED = "unfinished"
    MISSING = "missing"
    EXPECTED = "expected"
    PAST = "past"
    DISMISSED = "dismissed"


class ExpectedSitting(Base):
    """One participant's sitting of one exam of which a result is expected.

    ``since`` is when it became missing, or will be, or was left unfinished; ``reason`` is why a person
    dismissed it.
    """

    __tablename__ = "expected_sitting"

    id: Mapped[int] = mapped_column(primary_key=True)
    exam: Mapped[str] = mapped_column(String(255))
    learner: Mapped[str] = mapped_column(String(333))
    sitting: Mapped[str] = mapped_column(String(255), server_default="")
    access_code: Mapped[str] = mapped_column(String(255), server_default="")
    state: Mapped[str] = mapped_column(String(16), index=True)
    since: Mapped[datetime | None] = mapped_column(Instant)
    listed_at: Mapped[datetime] = mapped_column(Instant)
    dismissed_at: Mapped[datetime | None] = mapped_column(Instant)
    reason: Mapped[str] = mapped_column(Text, server_default="")
    compared_at: Mapped[datetime] = mapped_column(Instant)


class Reach(Base):
    """Whether an outside system can be reached, since when, and when that was last seen.

    ``quiet_until`` is until when it asked to be left alone.
    """

    __tablename__ = "reach"

    system: Mapped[str] = mapped_column(String(32), primary_key=True)
    online: Mapped[bool] = mapped_column(Boolean)
    since: Mapped[datetime] = mapped_column(Instant)
    seen_at: Mapped[datetime] = mapped_column(Instant)
    quiet_until: Mapped[datetime | None] = mapped_column(Instant)
    detail: Mapped[str] = mapped_column(Text, server_default="")
