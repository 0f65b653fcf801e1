"""What the store knows about result files, for people to look at; and whether it is true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gradeway import clock
from gradeway.custody import expected, files
from gradeway.custody.expected import LACKING
from gradeway.custody.sending import ELSEWHERE
from gradeway.landing.zone import RESULT_FILES, Zone
from gradeway.settings import Settings
from gradeway.store.custody import (
    ASSESSMENTQ,
    ExpectedSitting,
    FileState,
    Reach,
    ResultFile,
    ResultUpload,
    UploadState,
)
from gradeway.store.engine import Store
from gradeway.vendors.assessmentq import AssessmentQ

STALE = timedelta(days=3)  # since who is expected was last compared, which is done every day


@dataclass
class Standing:
    """How many files stand where, and what needs a person.

    ``waiting_since`` is when the oldest unsent bytes came, ``late`` whether that is too long ago;
    ``untaken_since`` is the same of those in the inbox that no run has taken up, which wait too;
    ``expected`` counts the sittings by what came of them, ``overdue`` those that lack their end for too long;
    ``compared_at`` is when that was last compared, ``stale`` whether too long ago for new ones to be known;
    ``unreadable`` are the folders in the inbox that cannot be read, ``others`` the files in it that end otherwise
    than result files, and so are not sent.
    """

    states: Counter[str] = field(default_factory=Counter)
    waiting_since: datetime | None = None
    untaken_since: datetime | None = None
    reach: Reach | None = None
    troubles: list[ResultFile] = field(default_factory=list)
    expected: Counter[str] = field(default_factory=Counter)
    late: bool = False
    overdue: int = 0
    compared_at: datetime | None = None
    stale: bool = False
    unreadable: int = 0
    others: int = 0


def standing(session: Session, settings: Settings) -> Standing:
    """Return where the files stand."""
    limit = clock.now() - timedelta(days=settings.aqr_alert_days)
    found = Standing()
    counted = select(ResultFile.state, func.count()).group_by(ResultFile.state)
    found.states.update(dict(session.execute(counted).tuples().all()))
    oldest = select(func.min(ResultFile.waiting_since)).where(ResultFile.state == FileState.WAITING)
    untaken, aside = _untaken(session, settings)
    found.unreadable, found.others = len(aside.unreadable), aside.others
    if untaken:
        found.states[FileState.WAITING] += len(untaken)
    found.untaken_since = min(untaken, default=None)
    found.waiting_since = min(filter(None, (session.scalar(oldest), *untaken)), default=None)
    found.late = bool(found.waiting_since and found.waiting_since < limit)
    found.reach = session.get(Reach, ASSESSMENTQ)
    found.expected = expected.counts(session, settings)
    overdue = select(func.count()).where(expected.state_now(settings).in_(LACKING), ExpectedSitting.since < limit)
    found.overdue = session.scalar(overdue) or 0
    found.compared_at = session.scalar(select(func.max(ExpectedSitting.compared_at)))
    away_since = found.reach.since if found.reach and not found.reach.online else None
    known = found.compared_at or away_since
    found.stale = bool(known and known < clock.now() - STALE)
    found.troubles = list(session.scalars(select(ResultFile).where(ResultFile.detail != "").order_by(ResultFile.id)))
    return found


def _untaken(session: Session, settings: Settings) -> tuple[list[datetime], files.Aside]:
    """Return since when those files wait in the inbox that no run has taken up as they are.

    And what is passed over there.
    """
    inbox, aside = Zone(settings.landing).inbox(RESULT_FILES), files.Aside()
    if not inbox.is_dir():
        return [], aside
    here = (ResultFile.folder == str(inbox), ResultFile.kept_as == "", ResultFile.state != FileState.GONE)
    known = {(row.place, row.size, row.modified_ns) for row in session.scalars(select(ResultFile).where(*here))}
    looked = files.look(inbox, aside)
    new = (seen for seen in looked if (seen.place, seen.size, seen.modified_ns) not in known and seen.size)
    return list(filter(None, (_since(inbox / seen.place) for seen in new))), aside


def _since(path: Path) -> datetime | None:
    """Return since when a file is as it is; a date to come is of another computer's clock."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return datetime.fromtimestamp(int(min(status.st_mtime, status.st_ctime)), UTC)


@dataclass(frozen=True)
class Doubt:
    """Something about a file that is not as the store has it."""

    file: ResultFile
    what: str


def doubts(store: Store, client: AssessmentQ | None) -> Iterator[Doubt]:
    """Yield what is wrong with files that are done with: here, then, if there is a client that can ask, there.

    Raises:
        VendorError: the server could not be asked.
    """
    done = select(ResultFile).where(ResultFile.state.in_([FileState.FINAL, FileState.KEPT]))
    with store.session() as session:
        kept = list(session.scalars(done.order_by(ResultFile.id)))
    for file in kept:
        if file.kept_as and not file.purged_at and not files.has(Path(file.kept_as), file.sha256):
            yield Doubt(file, f"{file.kept_as} is gone, or has other bytes")
    if client is None or not client.can_ask:
        return
    for file in kept:
        if file.purged_at or client.received(file.sha256):
            continue
        if not _ended_elsewhere(store, file):
            yield Doubt(file, "the server does not know these bytes")
        elif not file.dismissed_at:
            yield Doubt(file, ELSEWHERE)


def _ended_elsewhere(store: Store, file: ResultFile) -> bool:
    """Whether the server had the finished exam before, by another route, and so never took these bytes."""
    with store.session() as session:
        upload = session.get(ResultUpload, (ASSESSMENTQ, file.sha256))
        return upload is not None and upload.state == UploadState.ALREADY_FINAL
