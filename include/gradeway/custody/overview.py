"""What the store knows about result files, for people to look at; and whether it is true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gradeway.custody import files
from gradeway.custody.files import ChangedError, Seen
from gradeway.store.custody import ASSESSMENTQ, FileState, Reach, ResultFile, ResultUpload, UploadState
from gradeway.store.engine import Store
from gradeway.vendors.assessmentq import AssessmentQ


@dataclass
class Standing:
    """How many files stand where, and what needs a person; ``waiting_since`` is when the oldest unsent bytes came."""

    states: Counter[str] = field(default_factory=Counter)
    waiting_since: datetime | None = None
    online: bool | None = None
    since: datetime | None = None
    seen_at: datetime | None = None
    detail: str = ""
    troubles: list[ResultFile] = field(default_factory=list)


def standing(session: Session) -> Standing:
    """Return where the files stand."""
    found = Standing()
    counted = select(ResultFile.state, func.count()).group_by(ResultFile.state)
    found.states.update(dict(session.execute(counted).tuples().all()))
    oldest = select(func.min(ResultFile.waiting_since)).where(ResultFile.state == FileState.WAITING)
    found.waiting_since = session.scalar(oldest)
    if reach := session.get(Reach, ASSESSMENTQ):
        found.online, found.since, found.seen_at, found.detail = (
            reach.online,
            reach.since,
            reach.seen_at,
            reach.detail,
        )
    needs_somebody = ResultFile.state.in_([FileState.REFUSED, FileState.GONE]) | (ResultFile.detail != "")
    found.troubles = list(session.scalars(select(ResultFile).where(needs_somebody).order_by(ResultFile.id)))
    return found


@dataclass(frozen=True)
class Doubt:
    """Something about a file that is not as the store has it."""

    file: ResultFile
    what: str


def doubts(store: Store, client: AssessmentQ | None) -> Iterator[Doubt]:
    """Yield what is wrong with files that are done with: here, and, if there is a client that can ask, there."""
    done = select(ResultFile).where(ResultFile.state.in_([FileState.FINAL, FileState.KEPT]))
    with store.session() as session:
        kept = list(session.scalars(done.order_by(ResultFile.id)))
    for file in kept:
        if file.kept_as and not file.purged_at and not _is_there(Path(file.kept_as), file.sha256):
            yield Doubt(file, f"{file.kept_as} is gone, or has other bytes")
        if client and client.can_ask and not client.received(file.sha256) and not _ended_elsewhere(store, file):
            yield Doubt(file, "the server does not know these bytes")


def _ended_elsewhere(store: Store, file: ResultFile) -> bool:
    """Whether the server had the finished exam before, by another route, and so never took these bytes."""
    with store.session() as session:
        upload = session.get(ResultUpload, (ASSESSMENTQ, file.sha256))
        return upload is not None and upload.state == UploadState.ALREADY_FINAL


def _is_there(path: Path, sha256: str) -> bool:
    try:
        status = path.lstat()
        return files.digest(path.parent, Seen(path.name, status.st_size, status.st_mtime_ns)) == sha256
    except (OSError, ChangedError):
        return False
