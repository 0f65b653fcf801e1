"""The calls that are made in a day: counted in the store, so that each run knows of those before it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import IntegrityError

from gradeway import clock
from gradeway.errors import BudgetSpentError
from gradeway.store.engine import Store
from gradeway.store.publish import LEARN, DayOfCalls
from gradeway.vendors.pace import Pace

COMPARING = "comparing courses"

Limit = Callable[[], None]  # called before a course is compared


class Calls:
    """The calls that are made to Learn at one pace."""

    def __init__(self, store: Store, pace: Pace) -> None:
        self._store, self._pace = store, pace
        self._counted = 0

    def count(self, least: int = 1, *, are_comparing: bool = False) -> None:
        """Add the calls that were made since the last time to those of the day, if they are so many.

        With them come those that other processes have made since.
        """
        made = self._pace.calls - self._counted
        if made >= least:
            today = count_calls(self._store, LEARN, made, comparing=made if are_comparing else 0)
            self._counted += made
            self._pace.used(today, of_them=self._counted)

    def limit(self, part: int) -> Limit:
        """Return what makes comparing pause once it took such a part of the calls of a day.

        It raises a BudgetSpentError then.
        """
        if self._pace.daily_calls is None:
            return unlimited
        most, day = self._pace.daily_calls // part, _day(self._store, LEARN)
        last = self._pace.calls + most - (day.comparing if day else 0)

        def limit() -> None:
            if self._pace.calls >= last:
                what = f"took the {most} calls a day that it may; the courses that are left come first the next time"
                raise BudgetSpentError(COMPARING, what, resume_at=_midnight() + timedelta(days=1))

        return limit


def unlimited() -> None:
    """Let all be compared."""


def count_calls(store: Store, system: str, calls: int, *, comparing: int = 0) -> int:
    """Add to the calls that were made to a system today, of them so many to compare courses; return their number."""
    key = (system, _midnight().date())
    try:
        with store.writing() as session:
            day = session.get(DayOfCalls, key, with_for_update=True)
            if day is None:
                day = DayOfCalls(system=system, day=key[1], calls=0, comparing=0)
                session.add(day)
            day.calls += calls
            day.comparing += comparing
            return day.calls
    except IntegrityError:
        return count_calls(store, system, calls, comparing=comparing)  # another run was the first of the day


def calls_today(store: Store, system: str) -> int:
    """Return how many calls were made to a system today (UTC)."""
    day = _day(store, system)
    return day.calls if day else 0


def _day(store: Store, system: str) -> DayOfCalls | None:
    with store.session() as session:
        return session.get(DayOfCalls, (system, _midnight().date()))


def _midnight() -> datetime:
    return clock.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
