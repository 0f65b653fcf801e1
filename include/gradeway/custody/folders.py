"""What is remembered of the folders that result files are in, whatever process looks at them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from gradeway import clock
from gradeway.custody.ledger import TAKEN_AWAY
from gradeway.store.custody import ASSESSMENTQ, FileState, ResultFile, ResultFolder, ResultUpload
from gradeway.store.engine import Store


def saw(store: Store, folder: str, unreadable: Sequence[str]) -> None:
    """Note which folders within one could not be read."""
    now = "\n".join(sorted(unreadable))
    with store.session() as session:
        known = session.get(ResultFolder, folder)
    if known is not None and known.unreadable == now:
        return
    try:
        with store.writing() as session:
            row = session.get(ResultFolder, folder)
            if row is None:
                session.add(row := ResultFolder(folder=folder))
            row.unreadable, row.told = now, False
    except IntegrityError:
        saw(store, folder, unreadable)  # another worker noted the folder first


def unreadable(store: Store, folder: str) -> tuple[int, bool]:
    """Return how many folders within one cannot be read, and whether that is told for the first time now."""
    with store.session() as session:
        row = session.get(ResultFolder, folder)
    if row is None or not row.unreadable:
        return 0, False
    if not row.told:
        with store.writing() as session:
            session.get_one(ResultFolder, folder).told = True
    return len(row.unreadable.splitlines()), not row.told


def is_to_compare(store: Store, folder: str, every: timedelta) -> bool:
    """Return whether it is so long since what was sent was compared with a folder, and note that it is now."""
    now = clock.now()
    with store.session() as session:
        row = session.get(ResultFolder, folder)
    if row is None or (row.compared_at and abs(now - row.compared_at) < every):  # a clock may be set back
        return False
    with store.writing() as session:
        session.get_one(ResultFolder, folder).compared_at = now
    return True


def lost(store: Store, folder: str) -> list[ResultFile]:
    """Return the files of a folder that were never sent and are gone, unless a person has looked at them.

    One that was only moved in it is not gone.
    """
    other = aliased(ResultFile)
    moved = select(other.id).where(
        other.folder == folder,
        other.state != FileState.GONE,
        other.size == ResultFile.size,
        other.modified_ns == ResultFile.modified_ns,
    )
    waits = (ResultFile.state == FileState.GONE, ResultFile.waiting_since.is_not(None), ResultFile.size > 0)
    open_ones = (ResultFile.detail != TAKEN_AWAY, ResultFile.dismissed_at.is_(None))
    unsent = ResultFile.sha256.not_in(select(ResultUpload.sha256).where(ResultUpload.system == ASSESSMENTQ))
    wanted = select(ResultFile).where(ResultFile.folder == folder, *waits, *open_ones, unsent, ~moved.exists())
    with store.session() as session:
        return list(session.scalars(wanted.order_by(ResultFile.id)))
