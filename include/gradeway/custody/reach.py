"""Whether the assessment system can be reached, as whatever is asked of it shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import select

from gradeway import clock
from gradeway.custody import ledger
from gradeway.errors import VendorAnswerError, VendorAwayError, VendorError
from gradeway.store.custody import ASSESSMENTQ, Reach
from gradeway.store.engine import Store


@contextmanager
def noted(store: Store) -> Iterator[None]:
    """Note how the calls in here end; a refusal is an answer too.

    Raises:
        VendorAwayError: the system asked before to be left alone until later.
    """
    if wait := quiet(store):
        msg = f"asked to be left alone for {wait:.0f} seconds more"
        raise VendorAwayError(ASSESSMENTQ, msg, wait=wait)
    try:
        yield
    except VendorError as error:
        answered = error.status is not None and not isinstance(error, VendorAwayError)
        online = answered or isinstance(error, VendorAnswerError)
        ledger.reach(store, online=online, detail=str(error), wait=0 if online else error.wait or 0)
        raise
    ledger.reach(store, online=True)


def quiet(store: Store) -> float:
    """Return for how many seconds more the system asked to be left alone."""
    with store.session() as session:
        until = session.scalar(select(Reach.quiet_until).where(Reach.system == ASSESSMENTQ))
    left = (until - clock.now()).total_seconds() if until else 0
    return left if 0 < left <= ledger.LONGEST_ASKED else 0  # more is of a clock that was set back


def is_away(store: Store, since: datetime) -> bool:
    """Return whether the system was found away, or asked to be left alone, since an instant."""
    with store.session() as session:
        found = session.get(Reach, ASSESSMENTQ)
        return found is not None and not found.online and found.seen_at >= since
