"""How one call to an outside system ended, and what that says about the service's data."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Self

import requests
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from gradeway import clock

# A service that answers 408 has not got the whole request.
PASSING = {408, 429, 500, 502, 503, 504}
PUTTING_OFF = {429, 503}
LONGEST_NUMBER = 12  # digits
REMEDIES = {401: "check the login and password", 403: "check the rights of the account"}
UNREACHED = "cannot be reached"


@dataclass(frozen=True)
class End:
    """How one try ended: with a status, or with a trouble; ``sent`` if the service may have acted."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    trouble: str = ""
    sent: bool = True
    passing: bool = True

    @property
    def succeeded(self) -> bool:
        """Whether the service did what was asked."""
        return not self.trouble and self.status is not None and 200 <= self.status < 300

    @property
    def is_open(self) -> bool:
        """Whether a write that ended so may or may not have taken effect."""
        return self.sent and (self.status is None or self.status < 300 or self.status >= 500)

    @property
    def is_unreached(self) -> bool:
        """Whether nobody answers at the address at all."""
        return self.trouble.startswith(UNREACHED)

    @property
    def may_pass(self) -> bool:
        """Whether asking again later may end better."""
        return self.passing if self.status is None else self.status in PASSING

    @property
    def what(self) -> str:
        """How it is told, without anything that the service said."""
        if self.trouble:
            return self.trouble
        moved = "it has moved: correct the host" if 300 <= (self.status or 0) < 400 else ""
        remedy = REMEDIES.get(self.status or 0, moved)
        return f"answered {self.status}" + (f" ({remedy} of the connection)" if remedy else "")

    @property
    def puts_off(self) -> bool:
        """Whether the service has too much to do, or we have asked too much of it."""
        return self.status in PUTTING_OFF

    @property
    def wait(self) -> float | None:
        """The seconds that the service asks to be left alone.

        A Retry-After header holds seconds or a date; who puts us off may name the time when our
        quota is full again instead.
        """
        text = self.headers.get("Retry-After", "").strip()
        seconds, moment = whole(text), _moment(text)
        if seconds is not None:
            return float(seconds)
        if moment is None:
            return (self.full_in or None) if self.puts_off else None
        return max(0.0, (moment - clock.now()).total_seconds())

    @property
    def told_at(self) -> datetime | None:
        """When it answered, by the service's own clock."""
        return _moment(self.headers.get("Date", ""))

    @property
    def full_in(self) -> float | None:
        """The seconds until our quota is full again, if the service names the time, in whole epoch seconds."""
        at = whole(self.headers.get("X-Rate-Limit-Reset", ""))
        # The second that is named may have to pass.
        return None if at is None else max(0.0, at + 1 - clock.now().timestamp())

    def cut_short(self) -> Self:
        """Return how it ended for a request of which the service cannot have got the whole."""
        if self.succeeded:
            return replace(self, trouble="said yes before it had the whole file", status=None)
        return replace(self, sent=False)


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def whole(text: str) -> int | None:
    """Return the whole number in a header, or None if it holds none that can be meant."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER else None


def trouble_of(error: requests.RequestException) -> End:
    """Judge a failed try: can the service have got the request?"""
    if _comes_from(error, ssl.SSLCertVerificationError):
        return End(trouble="has a certificate that cannot be verified", sent=False, passing=False)
    unreached = (ConnectTimeoutError, NewConnectionError)
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError) or _comes_from(error, *unreached):
        unknown = " (nobody here knows its name)" if _comes_from(error, NameResolutionError) else ""
        return End(trouble=f"{UNREACHED}{unknown}", sent=False)
    if isinstance(error, requests.Timeout):
        return End(trouble="gave no answer in time")
    return End(trouble="broke the connection")


def _comes_from(error: BaseException, *kinds: type[BaseException]) -> bool:
    """Whether an error was wrapped around one of these kinds; libraries hide it in their arguments."""
    # Not by __context__: that may be an unrelated error which our caller is handling.
    inner = [getattr(error, "reason", None), *error.args]
    return isinstance(error, kinds) or any(
        _comes_from(each, *kinds) for each in inner if isinstance(each, BaseException)
    )
