"""When the next call to a service may start: one pace for all the threads that share its quota.

Three things hold a call back. The ceiling is how many calls a second we allow ourselves. A service
that puts one caller off is left alone by all. And its quota is never asked for more than it has:
with each answer the service tells how many calls are left, and from one answer to the next shows
how fast it gives them back. So all that is left is used at the ceiling, and then each call starts
when the service has given the next one back. We can allow ourselves fewer: those of a day are counted.

Source: Blackboard, Developer Groups, Site Quotas, and Rate Limits: ``X-Rate-Limit-Limit`` and
``-Remaining`` describe a bucket that refills all the time; with ``X-Rate-Limit-Reset`` (epoch
seconds), as it was before, a window that is full again at that time.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from gradeway import clock
from gradeway.errors import BudgetSpentError, VendorAwayError
from gradeway.vendors.connection import CALLS_PER_SECOND
from gradeway.vendors.ending import End, whole

DAY = 86400.0
GRAIN = 1e-6  # seconds; less is no wait
SLOWEST = 0.5  # calls a second; a day's quota that gives fewer back is worth no waiting, call by call
MEMORY = 300.0  # seconds; what was seen longer ago counts half
EVIDENCE = 10  # calls; fewer that came back prove no speed
PART = 20  # of a limit one such part is kept in hand, or worth coming back for


@dataclass(frozen=True)
class Manners:
    """How patient and how polite we are; all in seconds but ``tries``.

    ``stall`` is how long a service may take nothing more of a file that is being sent.
    """

    connect: float = 10
    read: float = 60
    stall: float = 30
    interval: float = 1 / CALLS_PER_SECOND
    tries: int = 4
    backoff: float = 1
    longest_wait: float = 120
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    random: Callable[[], float] = random.random


class Turn(NamedTuple):
    """Whether a call may start: if ``wait`` is no time, as number ``ticket``; else ask again after these seconds."""

    wait: float
    ticket: int = 0


@dataclass
class _Quota:
    """What the service told last of our quota: to the call ``ticket``, at the time ``at``.

    ``full_at`` is when a window is full again; a bucket has none. ``gained`` is how many calls came
    back in the ``seen`` seconds that we looked, less what others used.
    """

    limit: int
    remaining: int
    ticket: int
    at: float
    full_at: float | None = None
    gained: float = 0
    seen: float = 0

    def follow(self, older: _Quota, *, is_measure: bool) -> None:
        """Take over what was seen before, and add what came back since then if that can be said."""
        self.gained, self.seen = older.gained, older.seen
        used = self.ticket - older.ticket
        if is_measure and self.remaining + used < self.limit:  # else it may have been full for some time
            self.gained += self.remaining + used - older.remaining
            self.seen += self.at - older.at
        if self.seen > MEMORY:
            self.gained, self.seen = self.gained / 2, self.seen / 2

    def left(self, calls: int, now: float, speed: float) -> float:
        """Return how many calls are left after ``calls`` tickets, if ``speed`` come back each second."""
        left = self.remaining - (calls - self.ticket)
        return left + speed * (now - self.at) if self.full_at is None else left

    def wait(self, lack: float, now: float, speed: float) -> float:
        """Return in how many seconds so many calls more are left."""
        return lack / speed if self.full_at is None else self.full_at - now


class Pace:
    """Says when each call may start, to any number of threads; the waiting is theirs, and so is the clock."""

    def __init__(
        self, manners: Manners, *, daily_calls: int | None = None, reserve: int = 0, used_today: int = 0
    ) -> None:
        """Prepare for calls at the interval of ``manners``, with none before.

        The last ``reserve`` calls of the quota are left to others and to what is urgent.
        ``daily_calls`` is how many we allow ourselves in a day (UTC), whatever the service tells;
        ``used_today`` of these are gone.
        """
        self._manners = manners
        self._daily_calls, self._reserve, self._used_today = daily_calls, reserve, used_today
        self._lock = threading.Lock()
        self._day = _today()
        self._calls = 0
        self._next_at = self._closed_until = -math.inf
        self._quota: _Quota | None = None

    @property
    def calls(self) -> int:
        """How many calls were started so far."""
        return self._calls

    def used(self, today: int, *, of_them: int) -> None:
        """Take in how many calls were made today by anybody, ``of_them`` at this pace since it began."""
        with self._lock:
            self._used_today = today - of_them

    @property
    def told_quota(self) -> tuple[int, int] | None:
        """How many calls of how many are left, as the service told last; None if it does not tell."""
        quota = self._quota
        return (quota.remaining, quota.limit) if quota else None

    @property
    def daily_calls(self) -> int | None:
        """How many calls we allow ourselves in a day."""
        return self._daily_calls

    def ask(self, call: str, now: float, *, urgent: bool = False) -> Turn:
        """Ask whether a call may start now; if so it counts as started, and ``told`` must follow.

        Raises:
            BudgetSpentError: the quota has no call for us, and will have none for longer than we wait.
            VendorAwayError: the service asked to be left alone for longer than we wait.
        """
        with self._lock:
            wait = max(self._next_at - now, self._closed(call, now), self._short(call, now, urgent=urgent))
            if wait > GRAIN:
                return Turn(wait)
            self._next_at = now + self._manners.interval
            self._calls += 1
            return Turn(0, self._calls)

    def told(self, ticket: int, end: End, now: float) -> None:
        """Take in what the end of a call tells about the next ones."""
        limit, remaining = (whole(end.headers.get(f"X-Rate-Limit-{name}", "")) for name in ("Limit", "Remaining"))
        with self._lock:
            if end.puts_off and end.wait:
                self._closed_until = max(self._closed_until, now + end.wait)
            if limit is None or remaining is None:
                return
            full_at = None if end.full_in is None else now + end.full_in
            told, known = _Quota(limit, remaining, ticket, now, full_at), self._quota
            if known is None or ticket > known.ticket:  # answers overtake one another
                if known and known.limit == limit:
                    told.follow(known, is_measure=not end.puts_off)  # such a call uses none
                self._quota = told

    def _closed(self, call: str, now: float) -> float:
        """Return for how many seconds more the service asked to be left alone."""
        wait = self._closed_until - now
        if wait > self._manners.longest_wait:
            raise VendorAwayError(call, f"not sent: the service asks to be left alone for {wait:.0f} s more", wait=wait)
        return wait

    def _short(self, call: str, now: float, *, urgent: bool) -> float:
        """Return for how many seconds the quota has no call for us."""
        self._check_count(call, urgent=urgent)
        quota = self._quota
        if quota is None:
            return 0
        speed, kept = self._speed(quota), self._kept(quota, urgent=urgent)
        left = quota.left(self._calls, now, speed)
        lack = kept + 1 - left
        if lack <= GRAIN:
            return 0
        wait = quota.wait(lack, now, speed)
        if wait <= self._manners.longest_wait and (urgent or not self._is_slow(quota, speed)):
            return wait
        wait = quota.wait(lack + quota.limit / PART, now, speed)
        what = f"not sent: {max(left, 0):.0f} of our {quota.limit} calls are left, and {kept} are kept back"
        raise BudgetSpentError(call, f"{what}; go on later", wait=wait, resume_at=clock.now() + timedelta(seconds=wait))

    def _has_budget(self, quota: _Quota) -> bool:
        """Whether a quota is that of a day: one that the reserve would eat up is for a shorter time."""
        return 0 < 2 * self._reserve <= quota.limit

    def _is_slow(self, quota: _Quota, speed: float) -> bool:
        """Whether a quota gives so few calls back that it is better to come again when there are more."""
        return quota.full_at is None and self._has_budget(quota) and speed < SLOWEST

    def _kept(self, quota: _Quota, *, urgent: bool) -> int:
        """Return how many calls of a quota are not for us."""
        if urgent:
            return 0
        if self._has_budget(quota):
            return self._reserve
        # Near the end of a bucket there is a part that is never used, against wrong guesses at its speed.
        return 0 if quota.full_at is not None else min(quota.limit // PART + 1, quota.limit - 1)

    def _speed(self, quota: _Quota) -> float:
        """Return how many calls a second come back, as far as that was seen."""
        if self._has_budget(quota) and quota.gained < EVIDENCE:
            return quota.limit / DAY
        return max(quota.gained, 1) / quota.seen if quota.seen else 1 / max(self._manners.interval, GRAIN)

    def _check_count(self, call: str, *, urgent: bool) -> None:
        today = _today()
        if today > self._day:
            self._day, self._used_today = today, -self._calls
        used, kept = self._used_today + self._calls, 0 if urgent else self._reserve
        if self._daily_calls is not None and used >= self._daily_calls - kept:
            what = f"not sent: {used} of {self._daily_calls} calls a day are used, and {kept} are kept back"
            raise BudgetSpentError(call, what, resume_at=today + timedelta(days=1))


def _today() -> datetime:
    """Return when this day began; the days of a count of calls are those of UTC."""
    return clock.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
