"""The doorbell: tells the scheduler that something landed, without holding a worker.

It runs in the triggerer and only looks at an inbox. An event says that there is something to
take, never what: the run that it starts lists the inbox itself, so a lost or a second event does
no harm. It rings again, ever more seldom, as long as nobody has taken what is there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from gradeway import settings
from gradeway.errors import GradewayError
from gradeway.landing.scan import Entry, look
from gradeway.landing.zone import Zone

log = logging.getLogger(__name__)

# Seconds.
LOOK_EVERY = 1.0
RING_AGAIN_AFTER = 15.0
RING_AT_LEAST_EVERY = 300.0


class Bell:
    """Decides when to ring, from what was seen in an inbox at one look after the other.

    A file counts once it was seen unchanged for ``settle`` seconds of our own clock; the clocks of
    file servers have no say.
    """

    def __init__(self, settle: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._settle = settle
        self._clock = clock
        self._since: dict[Entry, float] = {}
        self._rung: frozenset[Entry] = frozenset()
        self._pause = RING_AGAIN_AFTER
        self._again_at = 0.0

    def hear(self, entries: Iterable[Entry]) -> int:
        """Take in one look; return the number of settled files if it is time to ring, else 0."""
        now = self._clock()
        self._since = {entry: self._since.get(entry, now) for entry in entries}
        ready = frozenset(entry for entry, since in self._since.items() if now - since >= self._settle)
        news = bool(ready - self._rung)
        if not news and (not ready or now < self._again_at):
            self._rung = ready
            return 0
        self._pause = RING_AGAIN_AFTER if news else min(self._pause * 2, RING_AT_LEAST_EVERY)
        self._rung, self._again_at = ready, now + self._pause
        return len(ready)


class Doorbell(BaseEventTrigger):
    """Rings for the inbox of a family of feeds."""

    def __init__(self, family: str, look_every: float = LOOK_EVERY) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.family = family
        self.look_every = look_every

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what Airflow makes this trigger anew from."""
        arguments = {"family": self.family, "look_every": self.look_every}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look at the inbox again and again; an event holds the family and a count."""
        bell: Bell | None = None
        trouble = ""
        while True:
            try:
                bell = bell or Bell(settings.load().settle_seconds)
                rings = bell.hear(await asyncio.to_thread(self._look))
                trouble = self._tell(trouble, "")
            except (OSError, GradewayError) as error:
                rings, trouble = 0, self._tell(trouble, f"{type(error).__name__}: {error}")
            if rings:
                yield TriggerEvent({"family": self.family, "files": rings})  # type: ignore[no-untyped-call]
            await asyncio.sleep(self.look_every)

    def _look(self) -> list[Entry]:
        return look(Zone(settings.load().landing).inbox(self.family))

    def _tell(self, before: str, now: str) -> str:
        """Log a trouble when it begins and when it ends, not at every look."""
        if now and now != before:
            log.warning("the inbox %s cannot be looked at, trying on: %s", self.family, now)
        if before and not now:
            log.info("the inbox %s can be looked at again", self.family)
        return now
