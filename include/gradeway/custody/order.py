"""Which copy of an exam the server has in the end: of several with other bytes the newest, whatever came last.

The order is that of a count in the store: clocks are set back. Bytes that others sent have no place
in it, but cannot have come before they were written.
Source: Televic, Uploading the result files: while its exam goes on, a file replaces what was uploaded before.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, and_, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from gradeway import clock
from gradeway.store.custody import ASSESSMENTQ, FileState, ResultFile, ResultUpload, UploadState
from gradeway.store.engine import Store

REPLACED = "an older copy of its exam replaced it on the server"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TAKEN = (UploadState.IN_PROGRESS, UploadState.OVERTAKEN)


def tick(session: Session) -> int:
    """Return the number of what begins or ends now, which is above all that were before."""
    highest = (select(func.max(column)).scalar_subquery() for column in (ResultUpload.began, ResultUpload.ended))
    return max(filter(None, session.execute(select(*highest)).one()), default=0) + 1


def earliest(session: Session, modified_ns: int) -> int:
    """Return from when on bytes that others sent may have come, by the date at which they were written."""
    written = EPOCH + timedelta(microseconds=modified_ns // 1000)
    return (session.scalar(select(func.max(ResultUpload.ended)).where(ResultUpload.ended_at <= written)) or 0) + 1


def overtaken(store: Store) -> list[int]:
    """Have the newest copies sent again that older ones may have replaced; return the files that wait for that now."""
    with store.session() as session:
        if session.scalar(_overtaken().limit(1)) is None:
            return []
    with store.writing() as session:
        uploads = set(session.scalars(_overtaken().with_for_update(of=ResultUpload)))
        for upload in uploads:
            upload.state = UploadState.OVERTAKEN
        session.flush()
        again = ResultFile.sha256.in_({upload.sha256 for upload in uploads}), ResultFile.state == FileState.SENT
        files = list(session.scalars(select(ResultFile.id).where(*again)))
        waiting = {"state": FileState.WAITING, "waiting_since": clock.now(), "tried_at": None}
        session.execute(update(ResultFile).where(*again).values(waiting))
        return files


def _overtaken() -> Select[tuple[ResultUpload]]:
    """Select the uploads of the newest copies before whose begin not all older ones that we sent had ended."""
    older, its = aliased(ResultUpload), aliased(ResultUpload)
    other, last = aliased(ResultFile), aliased(ResultFile)
    came_later = select(older.sha256).where(
        older.system == ASSESSMENTQ,
        older.sitting == ResultUpload.sitting,
        older.state.in_(TAKEN),
        older.tries > 0,
        older.modified_ns < ResultUpload.modified_ns,
        older.ended >= ResultUpload.began,
    )
    newer = (
        select(other.id)
        .outerjoin(its, and_(its.system == ASSESSMENTQ, its.sha256 == other.sha256))
        .where(
            other.sitting == ResultUpload.sitting,
            or_(
                other.state == FileState.SENT,
                and_(other.state == FileState.WAITING, other.folder == ResultFile.folder),
            ),
            func.coalesce(its.modified_ns, other.modified_ns) > ResultUpload.modified_ns,
        )
    )
    has_ended = select(last.id).where(
        last.sitting == ResultUpload.sitting, last.state.in_([FileState.FINAL, FileState.KEPT])
    )
    return (
        select(ResultUpload)
        .join(ResultFile, ResultFile.sha256 == ResultUpload.sha256)
        .where(
            ResultFile.state.in_([FileState.SENT, FileState.GONE]),
            ResultUpload.system == ASSESSMENTQ,
            ResultUpload.state == UploadState.IN_PROGRESS,
            ResultUpload.sitting != "",
            came_later.exists(),
            ~newer.exists(),
            ~has_ended.exists(),
        )
    )


def replaced(store: Store, folder: str) -> list[ResultFile]:
    """Return the files whose bytes are to be sent again, and which are not in a folder, so that nobody does it now."""
    here = aliased(ResultFile)
    at_hand = select(here.id).where(
        here.sha256 == ResultFile.sha256, here.folder == folder, here.state == FileState.WAITING
    )
    wanted = (
        select(ResultFile)
        .join(ResultUpload, ResultUpload.sha256 == ResultFile.sha256)
        .where(
            ResultUpload.system == ASSESSMENTQ,
            ResultUpload.state == UploadState.OVERTAKEN,
            ResultFile.state.in_([FileState.WAITING, FileState.GONE]),
            ResultFile.dismissed_at.is_(None),
            ~at_hand.exists(),
        )
    )
    with store.session() as session:
        return list(session.scalars(wanted.order_by(ResultFile.id)))


def put_back(session: Session, upload: ResultUpload) -> None:
    """Note that bytes are on the server again: other files with the same have nothing to wait for any more."""
    same = update(ResultFile).where(ResultFile.sha256 == upload.sha256, ResultFile.sitting == upload.sitting)
    session.execute(same.where(ResultFile.detail == REPLACED).values(detail=""))
    waiting = same.where(ResultFile.state == FileState.WAITING)
    session.execute(waiting.values(state=FileState.SENT, waiting_since=None))


def end(session: Session, sitting: str) -> list[str]:
    """Note that an exam has ended, by whichever of its uploads: none is sent again, and no copy waits for its end.

    Returns:
        The digests of those that waited only because an older copy had come after them.
    """
    taken = (ResultUpload.system == ASSESSMENTQ, ResultUpload.sitting == sitting, ResultUpload.state.in_(TAKEN))
    uploads = list(session.scalars(select(ResultUpload).where(*taken).order_by(ResultUpload.sha256).with_for_update()))
    overtaken = [upload.sha256 for upload in uploads if upload.state == UploadState.OVERTAKEN]
    for upload in uploads:
        upload.state = UploadState.FINAL
    session.flush()
    return overtaken
