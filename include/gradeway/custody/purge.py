"""What custody need not remember for ever: files that are no more, and the uploads of their bytes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Delete, and_, delete, func, or_, select
from sqlalchemy.orm import Session

from gradeway.store.custody import FileState, ResultFile, ResultUpload
from gradeway.store.engine import Store


def purge(store: Store, before: datetime) -> dict[str, int]:
    """Forget files that were done with before an instant, and uploads of bytes that no file has; return the counts.

    What is gone and needs a person to look at it stays. Should the same bytes come again after all, the server
    says that it has them.
    """
    over = or_(
        ResultFile.purged_at < before,
        and_(ResultFile.state == FileState.FINAL, ResultFile.final_at < before),
        and_(ResultFile.state == FileState.GONE, ResultFile.found_at < before, ResultFile.detail == ""),
    )
    last = func.coalesce(ResultUpload.ended_at, ResultUpload.sent_at)
    orphans = (last < before, ResultUpload.sha256.not_in(select(ResultFile.sha256)))
    with store.writing() as session:
        files = _count(session, delete(ResultFile).where(over))
        return {"result_files": files, "uploads": _count(session, delete(ResultUpload).where(*orphans))}


def _count(session: Session, deleting: Delete) -> int:
    return int(session.execute(deleting).rowcount)  # type: ignore[attr-defined]
