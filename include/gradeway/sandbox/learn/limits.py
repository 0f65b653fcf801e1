"""How many calls a site takes: a bucket of them that is refilled, or so many in a window of time.

Source: the vendor's documents "Rate limit migration" and "Developer groups, site quotas, and
rate limits": since 2024 a bucket, with ``Retry-After`` in seconds; before, a fixed window, with
``X-Rate-Limit-Reset`` in seconds since 1970 instead. A call that is refused costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gradeway.sandbox.documents import Document
from gradeway.sandbox.frame import Refused

SECOND = 1_000_000  # in microseconds


class Limit(BaseModel):
    """So many calls in so many seconds; ``size`` is what the bucket holds, as many as the calls unless said."""

    model_config = ConfigDict(extra="forbid", strict=True)

    style: Literal["bucket", "window"]
    calls: int = Field(ge=1)
    seconds: int = Field(ge=1)
    size: int | None = Field(None, ge=1)


class Limits:
    """The limit of a site; none at the start."""

    def __init__(self) -> None:
        self._take: Callable[[datetime], dict[str, str]] | None = None

    def set(self, body: Document, now: datetime) -> Document:
        """Set the limit anew, with nothing used of it; an empty body takes it away.

        Raises:
            Refused: it is no limit.
        """
        if not body:
            self._take = None
            return {}
        try:
            limit = Limit.model_validate(body)
        except ValidationError as error:
            first = error.errors()[0]
            raise Refused(422, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        self._take = (_Bucket if limit.style == "bucket" else _Window)(limit, now).take
        return limit.model_dump(exclude_none=True)

    def take(self, now: datetime) -> dict[str, str]:
        """Count a call; return the headers that tell what is left.

        Raises:
            Refused: nothing is left.
        """
        return self._take(now) if self._take else {}


class _Bucket:
    """Counts in units of which each microsecond brings ``calls``, so that nothing is rounded."""

    def __init__(self, limit: Limit, now: datetime) -> None:
        self._limit = limit
        self._size = limit.size or limit.calls
        self._cost = limit.seconds * SECOND
        self._level = self._size * self._cost
        self._at = now

    def take(self, now: datetime) -> dict[str, str]:
        """Take one call out of the bucket."""
        passed = max(0, (now - self._at) // timedelta(microseconds=1))
        self._level = min(self._size * self._cost, self._level + passed * self._limit.calls)
        self._at = now
        if self._level < self._cost:
            wait = math.ceil((self._cost - self._level) / (self._limit.calls * SECOND))
            raise _too_many(self._headers() | {"Retry-After": str(wait)})
        self._level -= self._cost
        return self._headers()

    def _headers(self) -> dict[str, str]:
        return {"X-Rate-Limit-Limit": str(self._size), "X-Rate-Limit-Remaining": str(self._level // self._cost)}


class _Window:
    """Begins when it is set, and again when its time is over."""

    def __init__(self, limit: Limit, now: datetime) -> None:
        self._limit = limit
        self._left = limit.calls
        self._end = now + timedelta(seconds=limit.seconds)

    def take(self, now: datetime) -> dict[str, str]:
        """Take one call of the window."""
        if now >= self._end:
            self._left = self._limit.calls
            self._end = now + timedelta(seconds=self._limit.seconds)
        if not self._left:
            raise _too_many(self._headers())
        self._left -= 1
        return self._headers()

    def _headers(self) -> dict[str, str]:
        return {
            "X-Rate-Limit-Limit": str(self._limit.calls),
            "X-Rate-Limit-Remaining": str(self._left),
            "X-Rate-Limit-Reset": str(math.ceil(self._end.timestamp())),
        }


def _too_many(headers: dict[str, str]) -> Refused:
    refused = Refused(429, "The rate limit of the application is exceeded.")
    refused.headers |= headers
    return refused
