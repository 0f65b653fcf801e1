"""The doorbell: tells the scheduler that something landed, without holding a worker.

It runs in the triggerer and only looks at an inbox. An event says that there is something to
take, never what: the run that it starts lists the inbox itself, so a lost or a second event does
no harm. It rings again, ever more seldom, as long as nobody has taken what is there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Sequence
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from gradeway import settings
from gradeway.custody import files
from gradeway.errors import GradewayError
from gradeway.landing.scan import look
from gradeway.landing.zone import RESULT_FILES, Zone

log = logging.getLogger(__name__)

# Seconds.
LOOK_EVERY = 1.0
RING_AGAIN_AFTER = 15.0
RING_AT_LEAST_EVERY = 300.0


class Bell:
    """Decides when to ring, from what was seen in an inbox at one look after the other.

    A file counts once it was seen unchanged for ``settle`` seconds of our own clock; the clocks of
    file servers have no say. Unless told to ring ``again``, it rings for news only.
    """

    def __init__(self, settle: float, clock: Callable[[], float] = time.monotonic, *, again: bool = True) -> None:
        self._settle = settle
        self._clock = clock
        self._again = again
        self._since: dict[Hashable, float] = {}
        self._rung: frozenset[Hashable] = frozenset()
        self._pause = RING_AGAIN_AFTER
        self._again_at = 0.0

    def hear(self, entries: Iterable[Hashable]) -> int:
        """Take in one look; return the number of settled files if it is time to ring, else 0."""
        now = self._clock()
        self._since = {entry: self._since.get(entry, now) for entry in entries}
        ready = frozenset(entry for entry, since in self._since.items() if now - since >= self._settle)
        news = bool(ready - self._rung)
        if not news and (not ready or not self._again or now < self._again_at):
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
                bell = bell or self._bell()
                rings = bell.hear(await asyncio.to_thread(self._look))
                trouble = self._tell(trouble, "")
            except (OSError, GradewayError) as error:
                rings, trouble = 0, self._tell(trouble, f"{type(error).__name__}: {error}")
            if rings:
                yield TriggerEvent({"family": self.family, "files": rings})  # type: ignore[no-untyped-call]
            await asyncio.sleep(self.look_every)

    def _bell(self) -> Bell:
        chosen = settings.load()
        # A result file stays where it is until its exam has ended.
        if self.family == RESULT_FILES:
            return Bell(chosen.aqr_settle_seconds, again=False)
        return Bell(chosen.settle_seconds)

    def _look(self) -> Sequence[Hashable]:
        inbox = Zone(settings.load().landing).inbox(self.family)
        return files.look(inbox) if self.family == RESULT_FILES else look(inbox)

    def _tell(self, before: str, now: str) -> str:
        """Log a trouble when it begins and when it ends, not at every look."""
        if now and now != before:
            log.warning("the inbox %s cannot be looked at, trying on: %s", self.family, now)
        if before and not now:
            log.info("the inbox %s can be looked at again", self.family)
        return now
