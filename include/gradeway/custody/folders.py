"""What is remembered of the folders that result files are in, whatever process looks at them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.exc import IntegrityError

from gradeway import clock
from gradeway.store.custody import ResultFolder
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
