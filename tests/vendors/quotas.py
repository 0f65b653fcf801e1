"""Services with quotas, and threads that call them, in a time that the test makes pass."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from gradeway.errors import VendorAwayError
from gradeway.vendors.ending import End
from gradeway.vendors.pace import Pace

START = 1_790_000_000


class Time:
    """Seconds since the test began."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(START + self.time, UTC)


class Service(Protocol):
    """Says how a call that arrives at a time ends."""

    def answer(self, time: float) -> End: ...


@dataclass
class Bucket:
    """Gives ``refill`` calls a second back, up to ``limit``; others use ``others`` calls a second."""

    limit: int
    refill: float
    others: float = 0
    level: float = field(init=False)
    _at: float = 0

    def __post_init__(self) -> None:
        self.level = self.limit

    def answer(self, time: float) -> End:
        change = (self.refill - self.others) * (time - self._at)
        self.level, self._at = min(self.limit, max(0, self.level + change)), time
        if self.level < 1:
            wait = math.ceil((1 - self.level) / self.refill)
            return End(429, self._headers() | {"Retry-After": str(wait)})
        self.level -= 1
        return End(200, self._headers())

    def _headers(self) -> dict[str, str]:
        return {"X-Rate-Limit-Limit": str(self.limit), "X-Rate-Limit-Remaining": str(int(self.level))}


@dataclass
class Window:
    """Allows ``limit`` calls in every ``length`` seconds, and tells in whole seconds when the next ones begin."""

    limit: int
    length: int
    left: int = 0
    _number: int = -1

    def answer(self, time: float) -> End:
        number = int(time // self.length)
        if number != self._number:
            self.left, self._number = self.limit, number
        reset = START + (number + 1) * self.length
        headers = {"X-Rate-Limit-Limit": str(self.limit), "X-Rate-Limit-Reset": str(reset)}
        if not self.left:
            return End(429, headers | {"X-Rate-Limit-Remaining": "0"})
        self.left -= 1
        return End(200, headers | {"X-Rate-Limit-Remaining": str(self.left)})


@dataclass
class Run:
    """What came of some time of work: when calls started, how they ended, what stopped a thread."""

    started: list[float] = field(default_factory=list)
    made: int = 0
    put_off: int = 0
    stops: list[VendorAwayError] = field(default_factory=list)

    @property
    def shortest(self) -> float:
        """The shortest time between the starts of two calls."""
        return min(later - earlier for earlier, later in itertools.pairwise(self.started))


@dataclass
class Threads:
    """Threads that call all the time, as fast as they may; a call is under way for ``latency`` seconds.

    By ``jitter``, a part of it, the ways there and back are longer or shorter. With ``resume`` a
    thread that was stopped goes on when it was told to.
    """

    time: Time
    pace: Pace
    service: Service
    latency: float = 0.1
    jitter: float = 0
    resume: bool = False
    run: Run = field(default_factory=Run)
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=itertools.count)
    _chance: random.Random = field(default_factory=lambda: random.Random(7))

    def work(self, count: int, seconds: float) -> Run:
        for _ in range(count):
            self._later(0, self._ask)
        until = self.time.time + seconds
        while self._events and self._events[0][0] <= until:
            self.time.time, _, step = heapq.heappop(self._events)
            step()
        return self.run

    def _later(self, seconds: float, step: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.time.time + seconds, next(self._order), step))

    def _way(self) -> float:
        return self.latency / 2 * self._chance.uniform(1 - self.jitter, 1 + self.jitter)

    def _ask(self) -> None:
        try:
            turn = self.pace.ask("a call", self.time.time)
        except VendorAwayError as error:
            self.run.stops.append(error)
            if self.resume and error.wait:
                self._later(error.wait, self._ask)
            return
        if turn.wait:
            self._later(turn.wait, self._ask)
        else:
            self.run.started.append(self.time.time)
            self._later(self._way(), lambda: self._arrive(turn.ticket))

    def _arrive(self, ticket: int) -> None:
        end = self.service.answer(self.time.time)
        self.run.made += end.succeeded
        self.run.put_off += end.status == 429
        self._later(self._way(), lambda: self._come_back(ticket, end))

    def _come_back(self, ticket: int, end: End) -> None:
        self.pace.told(ticket, end, self.time.time)
        self._ask()


def work(time: Time, pace: Pace, service: Service, seconds: float, *, threads: int = 1, **options: float) -> Run:
    """Let so many threads work for some time, and return what came of it."""
    return Threads(time, pace, service, **options).work(threads, seconds)
