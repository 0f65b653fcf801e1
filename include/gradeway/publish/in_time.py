"""Writes that follow soon on a look at what stands there: the API has no write that depends on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gradeway.errors import BudgetSpentError, VendorAwayError
from gradeway.vendors.transport import Transport

LOOK_LASTS = 30.0  # seconds; no look at what people did began earlier when something is written
USABLE = 15.0  # seconds for which a look is used after it ended, however long it took
MOST_LOOKS = 4  # before one write

T = TypeVar("T")


def good_until(began: float, ended: float) -> float:
    """Return until when, by a transport's clock, something may be written that follows from a look."""
    return max(began + LOOK_LASTS, ended + USABLE)


def in_time(transport: Transport, attempt: Callable[[bool], T], forget: Callable[[], object]) -> T:
    """Look and write; where the write is put off for too long, ``forget`` what was seen, wait, and look again.

    ``attempt`` does both. It is told whether it is the last one: that takes the time it needs, since
    calls may be allowed so seldom that none is ever in time.

    Raises:
        VendorAwayError: the service is away, or asks to be left alone for longer than we wait.
        Exception: as ``attempt``.
    """
    for _ in range(MOST_LOOKS - 1):
        try:
            return attempt(False)
        except BudgetSpentError:
            raise
        except VendorAwayError as error:
            if error.wait is None or error.wait > transport.manners.longest_wait:
                raise
            forget()
            transport.wait(error.wait)
    return attempt(True)
