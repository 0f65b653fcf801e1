"""The one way to call an outside system over HTTP.

What may be repeated is repeated, politely; what may not ends in ``UnknownOutcomeError``, so that
the caller reads before it sends again. Nothing that is logged or raised here holds a query, a
body, a credential or any other value of a call: the path's template stands for it.

A transport belongs to one thread. It keeps to its service: no redirect is followed, and a link
in an answer only if it leads to the same origin.
"""

from __future__ import annotations

import json
import logging
import random
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any, NoReturn, Self
from urllib.parse import quote, urlencode, urljoin, urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from gradeway import __version__, clock
from gradeway.errors import (
    UnknownOutcomeError,
    VendorAnswerError,
    VendorAwayError,
    VendorError,
    VendorRefusedError,
)
from gradeway.vendors.connection import CALLS_PER_SECOND, Endpoint, pace
from gradeway.vendors.faults import fault, tellable, tellable_code

log = logging.getLogger(__name__)

CHUNK = 65536
LARGEST = 32 * 1024 * 1024
READ_OF_ERROR = 65536
KEPT_OF_ERROR = 2048
TOO_MANY = 429
PASSING = {TOO_MANY, 500, 502, 503, 504}
REMEDIES = {401: "check the login and password", 403: "check the rights of the account"}
PORTS = {"http": 80, "https": 443}

_calling: ContextVar[bool] = ContextVar("_calling", default=False)


def _is_not_ours(_record: logging.LogRecord) -> bool:
    return not _calling.get()


# urllib3 writes whole URLs, with their queries, into its own logs.
for _name in ("urllib3.connectionpool", "urllib3.connection", "urllib3.response", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_is_not_ours)


class Effect(Enum):
    """What a call does to the service's data, and so whether it may be repeated."""

    READ = "reads only"
    ABSOLUTE = "sets values; twice is the same as once"
    ONCE = "adds something; never repeated blindly"


@dataclass(frozen=True)
class Manners:
    """How patient and how polite we are; all in seconds but ``tries``."""

    connect: float = 10
    read: float = 60
    interval: float = 1 / CALLS_PER_SECOND
    tries: int = 4
    backoff: float = 1
    longest_wait: float = 120
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    random: Callable[[], float] = random.random


@dataclass
class Counters:
    """What a transport did: requests sent, those that may change data, repeats, and seconds waited."""

    calls: int = 0
    writes: int = 0
    retries: int = 0
    waits: float = 0


@dataclass(frozen=True)
class Answer:
    """A successful answer; ``data`` is its JSON, with numbers as int or Decimal, or None."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    data: Any = field(repr=False)


@dataclass(frozen=True)
class _Call:
    name: str
    request: requests.PreparedRequest
    effect: Effect


@dataclass(frozen=True)
class _End:
    """How one try ended: with a status, or with a trouble; ``sent`` if the service may have acted."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    trouble: str = ""
    sent: bool = True
    passing: bool = True

    @property
    def succeeded(self) -> bool:
        return not self.trouble and self.status is not None and 200 <= self.status < 300

    @property
    def is_open(self) -> bool:
        """Whether a write that ended so may or may not have taken effect."""
        return self.sent and (self.status is None or self.status < 300 or self.status >= 500)

    @property
    def may_pass(self) -> bool:
        return self.passing if self.status is None else self.status in PASSING


class _Session(requests.Session):
    """A session that follows no redirect, whoever asks."""

    def get_redirect_target(self, _response: requests.Response) -> None:
        return None


class Transport:
    """Calls to one outside system, one at a time."""

    def __init__(
        self,
        endpoint: Endpoint,
        auth: AuthBase,
        *,
        manners: Manners | None = None,
        headers: Mapping[str, str] | None = None,
        names: Set[str] = frozenset(),
    ) -> None:
        """Prepare for calls; ``names`` are the service's own words that may be told from its errors.

        Raises:
            SettingsError: the Connection names a pace that is none.
        """
        self.endpoint = endpoint
        self.manners = manners or Manners(interval=1 / pace(endpoint))
        self.counters = Counters()
        self._names = names
        self._free_at = self.manners.monotonic()
        self._session = _Session()
        self._session.auth = auth
        self._session.headers.update({"User-Agent": f"gradeway/{__version__}", "Accept": "application/json"})
        self._session.headers.update(headers or {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def call(
        self,
        method: str,
        template: str,
        keys: Mapping[str, object] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        effect: Effect | None = None,
    ) -> Answer:
        """Call the service: ``template`` is the path below its root, ``keys`` fill it.

        Unless told otherwise, GET only reads, and any other method must not happen twice.

        Raises:
            VendorAwayError: the service is away or busy, and nothing was changed.
            VendorRefusedError: the service said no.
            VendorAnswerError: the answer to a call that only reads is not usable.
            UnknownOutcomeError: a write may have taken effect or not.
        """
        path = template.format_map({name: quote(str(value), safe="") for name, value in (keys or {}).items()})
        url = self.endpoint.url + path + (f"?{_encoded(query)}" if query else "")
        effect = effect or (Effect.READ if method == "GET" else Effect.ONCE)
        return self._run(self._call(method, template, url, effect, body))

    def follow(self, link: object, template: str) -> Answer:
        """Get the continuation that an answer links to.

        Raises:
            VendorAnswerError: the link leads away from the service; then nothing is sent.
            VendorError: as for ``call``.
        """
        url = self._inside(link)
        if url is None:
            raise VendorAnswerError(self.name("GET", template), "a link in the answer leads to another origin")
        return self._run(self._call("GET", template, url, Effect.READ))

    def _inside(self, link: object) -> str | None:
        try:
            url = urljoin(self.endpoint.url, link) if isinstance(link, str) and link else ""
            return url if _origin(url) == _origin(self.endpoint.url) else None
        except ValueError:
            return None

    def name(self, method: str, template: str) -> str:
        """Return how a call is named in logs and errors."""
        return f"{self.endpoint.connection}: {method} {template}"

    def _call(self, method: str, template: str, url: str, effect: Effect, body: object = None) -> _Call:
        content = None if body is None else json.dumps(body, allow_nan=False).encode()
        headers = {} if content is None else {"Content-Type": "application/json"}
        request = self._session.prepare_request(requests.Request(method, url, headers=headers, data=content))
        return _Call(self.name(method, template), request, effect)

    def _run(self, call: _Call) -> Answer:
        is_open = False
        for number in range(1, self.manners.tries + 1):
            end = self._try(call)
            if end.succeeded:
                return self._answer(call, end)
            is_open = is_open or (end.is_open and call.effect is not Effect.READ)
            pause = self._pause(call, end, number)
            if pause is None:
                break
            log.info("%s %s; again in %.1f s", call.name, _what(end), pause)
            self._wait(pause)
            self.counters.retries += 1
        raise self._error(call, end, is_open=is_open)

    def _try(self, call: _Call) -> _End:
        self._wait(self._free_at - self.manners.monotonic())
        self._free_at = self.manners.monotonic() + self.manners.interval
        self.counters.calls += 1
        self.counters.writes += call.effect is not Effect.READ
        with _quiet():
            end = self._send(call.request)
        log.debug("%s %s", call.name, _what(end))
        return end

    def _send(self, request: requests.PreparedRequest) -> _End:
        environment = self._session.merge_environment_settings(request.url, {}, True, True, None)
        timeout = (self.manners.connect, self.manners.read)
        try:
            response = self._session.send(request, timeout=timeout, allow_redirects=False, **environment)
        except requests.RequestException as error:
            return _trouble(error)
        with response:
            return _read(response)

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self.counters.waits += seconds
            self.manners.sleep(seconds)

    def _pause(self, call: _Call, end: _End, number: int) -> float | None:
        """Return how long to wait before the next try, or None if there is to be none."""
        harmless = call.effect is not Effect.ONCE or not end.is_open
        if number >= self.manners.tries or not end.may_pass or not harmless:
            return None
        asked = _retry_after(end.headers)
        if asked is not None:
            return asked if asked <= self.manners.longest_wait else None
        longest = min(self.manners.longest_wait, self.manners.backoff * 2.0 ** (number - 1))
        return longest * (0.5 + self.manners.random() / 2)

    def _answer(self, call: _Call, end: _End) -> Answer:
        try:
            # Nothing passes through float.
            data = json.loads(end.body, parse_float=Decimal, parse_constant=_refuse) if end.body.strip() else None
        except (ValueError, RecursionError):
            kind = VendorAnswerError if call.effect is Effect.READ else UnknownOutcomeError
        else:
            return Answer(end.status or 0, end.headers, data)
        # Raised out here, because the parser's error would carry the whole body along.
        raise kind(call.name, f"answered {end.status} with something that is not JSON", status=end.status)

    def _error(self, call: _Call, end: _End, *, is_open: bool) -> VendorError:
        said = fault(end.body)
        told, code = tellable(said.message, self._names), tellable_code(said.code)
        what = _what(end) + (f" ({code})" if code else "") + (f": {told}" if told else "")
        kind: type[VendorError] = VendorRefusedError
        if is_open:
            kind, what = UnknownOutcomeError, f"{what}; it may have taken effect, so read before sending it again"
        elif end.may_pass:
            kind = VendorAwayError
        elif end.trouble and end.sent:
            kind = VendorAnswerError
        kept = end.body[:KEPT_OF_ERROR].decode("utf-8", "replace")
        return kind(call.name, what, status=end.status, code=code, body=kept, wait=_retry_after(end.headers))


@contextmanager
def _quiet() -> Iterator[None]:
    token = _calling.set(True)
    try:
        yield
    finally:
        _calling.reset(token)


def _encoded(query: Mapping[str, str]) -> str:
    return urlencode(query, quote_via=quote, safe="$")


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        msg = "credentials in a link"
        raise ValueError(msg)
    return parts.scheme, parts.hostname or "", parts.port or PORTS.get(parts.scheme)


def _refuse(_constant: str) -> NoReturn:
    msg = "NaN and Infinity are no JSON"
    raise ValueError(msg)


def _read(response: requests.Response) -> _End:
    """Read an answer's body, within limits; of a refusal whatever can be had."""
    status, headers = response.status_code, response.headers
    limit = LARGEST if status < 300 else READ_OF_ERROR
    body = bytearray()
    try:
        for chunk in response.iter_content(CHUNK):
            body += chunk
            if len(body) > limit:
                break
    except requests.RequestException:
        if status < 300:
            return _End(headers=headers, trouble="broke off in the middle of its answer")
    if status < 300 and len(body) > limit:
        return _End(headers=headers, trouble=f"answered with more than {LARGEST} bytes", passing=False)
    return _End(status, headers, bytes(body[:limit]))


def _trouble(error: requests.RequestException) -> _End:
    """Judge a failed try: can the service have got the request?"""
    if _comes_from(error, ssl.SSLCertVerificationError):
        return _End(trouble="has a certificate that cannot be verified", sent=False, passing=False)
    unreached = (ConnectTimeoutError, NewConnectionError)
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError) or _comes_from(error, *unreached):
        return _End(trouble="cannot be reached", sent=False)
    if isinstance(error, requests.Timeout):
        return _End(trouble="gave no answer in time")
    return _End(trouble="broke the connection")


def _comes_from(error: BaseException, *kinds: type[BaseException]) -> bool:
    """Whether an error was wrapped around one of these kinds; libraries hide it in their arguments."""
    # Not by __context__: that may be an unrelated error which our caller is handling.
    inner = [getattr(error, "reason", None), *error.args]
    return isinstance(error, kinds) or any(
        _comes_from(each, *kinds) for each in inner if isinstance(each, BaseException)
    )


def _what(end: _End) -> str:
    if end.trouble:
        return end.trouble
    remedy = REMEDIES.get(end.status or 0, "it has moved: correct the host" if 300 <= (end.status or 0) < 400 else "")
    return f"answered {end.status}" + (f" ({remedy} of the connection)" if remedy else "")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a Retry-After header asks for; it may hold seconds or a date."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        seconds: float = (parsedate_to_datetime(text) - clock.now()).total_seconds()
    except (ValueError, TypeError):
        return None
    return max(0.0, seconds)
