"""The one way to call an outside system over HTTP.

What may be repeated is repeated, politely; what may not ends in ``UnknownOutcomeError``, so that
the caller reads before it sends again. Nothing that is logged or raised here holds a query, a
body, a credential or any other value of a call: the path's template stands for it.

A transport belongs to one thread; several may share a pace. It keeps to its service: no redirect
is followed, and a link in an answer only if it leads to the same origin.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, NoReturn, Self
from urllib.parse import quote, urlencode, urljoin, urlsplit

import requests
from requests.auth import AuthBase

from gradeway import __version__
from gradeway.errors import (
    UnknownOutcomeError,
    VendorAnswerError,
    VendorAwayError,
    VendorError,
    VendorRefusedError,
)
from gradeway.vendors.bodies import encoded
from gradeway.vendors.connection import Endpoint, calls_per_second
from gradeway.vendors.ending import End, trouble_of
from gradeway.vendors.faults import fault, tellable, tellable_code
from gradeway.vendors.pace import Manners, Pace
from gradeway.vendors.upload import FileBody

log = logging.getLogger(__name__)

CHUNK = 65536
LARGEST = 32 * 1024 * 1024
READ_OF_ERROR = 65536
KEPT_OF_ERROR = 2048
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


@dataclass
class Counters:
    """What a transport did: requests sent, those that may change data, repeats, and seconds waited."""

    calls: int = 0
    writes: int = 0
    retries: int = 0
    waits: float = 0


@dataclass(frozen=True)
class Answer:
    """A successful answer; ``data`` is its JSON, with numbers as int or Decimal, or None.

    ``told_at`` is when it was given, by the clock of whoever gave it.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    data: Any = field(repr=False)
    told_at: datetime | None = None


@dataclass(frozen=True)
class _Call:
    name: str
    request: requests.PreparedRequest
    effect: Effect
    deadline: float | None


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
        pace: Pace | None = None,
        urgent: bool = False,
        renew: Callable[[], None] | None = None,
    ) -> None:
        """Prepare for calls; ``names`` are the service's own words that may be told from its errors.

        ``pace`` is shared with other transports, whose threads have the same quota, and what is
        ``urgent`` may use the last of it. ``renew`` gets ``auth`` new credentials: it is called when a
        call is answered 401, which then is sent once more.

        Raises:
            SettingsError: the Connection names a pace that is none.
        """
        self.endpoint = endpoint
        self.manners = manners or Manners(interval=1 / calls_per_second(endpoint))
        self.pace = pace or Pace(self.manners)
        self.counters = Counters()
        self._names = names
        self._urgent, self._auth, self._renew = urgent, auth, renew
        self._rested_until = 0.0
        self._deadline: float | None = None
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
        tries: int | None = None,
    ) -> Answer:
        """Call the service: ``template`` is the path below its root, ``keys`` fill it.

        Unless told otherwise, GET only reads, and any other method must not happen twice.

        Raises:
            VendorAwayError: the service is away or busy, and nothing was changed.
            VendorRefusedError: the service said no.
            VendorAnswerError: the answer to a call that only reads is not usable.
            UnknownOutcomeError: a write may have taken effect or not.
        """
        url = self.endpoint.url + _filled(template, keys or {}, query or {})
        effect = effect or (Effect.READ if method == "GET" else Effect.ONCE)
        return self._run(self._call(method, template, url, effect, body), tries or self.manners.tries)

    def upload(self, method: str, template: str, body: FileBody) -> Answer:
        """Send a file as the body of one request; it is tried once, whatever happens.

        Raises:
            FileChangedError: the file is not what it should be; the service got no whole request.
            VendorAwayError: the service cannot have got the whole file, or puts us off.
            VendorRefusedError: the service said no.
            UnknownOutcomeError: it may have taken the file or not.
        """
        call = self._call(method, template, self.endpoint.url + template, Effect.ONCE, body)
        end = self._try(call)
        end = end if body.is_complete else end.cut_short()
        if end.succeeded:
            return self._answer(call, end)
        raise self._error(call, end, is_open=end.is_open)

    def follow(self, link: object, template: str) -> Answer:
        """Get the continuation that an answer links to.

        Raises:
            VendorAnswerError: the link leads away from the service; then nothing is sent.
            VendorError: as for ``call``.
        """
        url = self._inside(link)
        if url is None:
            raise VendorAnswerError(self.name("GET", template), "a link in the answer leads to another origin")
        return self._run(self._call("GET", template, url, Effect.READ), self.manners.tries)

    @property
    def _where(self) -> str:
        """Say where we looked in vain, and what to do."""
        host = urlsplit(self.endpoint.url).netloc  # in which there is no account
        return f" at {host}: see that this host of connection {self.endpoint.connection} is right and its service runs"

    def _inside(self, link: object) -> str | None:
        try:
            url = urljoin(self.endpoint.url, link) if isinstance(link, str) and link else ""
            return url if _origin(url) == _origin(self.endpoint.url) else None
        except ValueError:
            return None

    def name(self, method: str, template: str) -> str:
        """Return how a call is named in logs and errors."""
        return f"{self.endpoint.connection}: {method} {template.partition('?')[0]}"

    @contextmanager
    def sending_until(self, deadline: float) -> Iterator[None]:
        """Let no call in here be sent after a time of our clock, for what it was decided by is too old then.

        Nor is one repeated that the service put off to a time, however soon that is. Both end in
        ``VendorAwayError``, whose ``wait`` says when to look and to call again.
        """
        self._deadline = deadline
        try:
            yield
        finally:
            self._deadline = None

    def _call(self, method: str, template: str, url: str, effect: Effect, body: object = None) -> _Call:
        content, kind = encoded(body)
        headers = {"Content-Type": kind} if kind else {}
        request = self._session.prepare_request(requests.Request(method, url, headers=headers, data=content))
        return _Call(self.name(method, template), request, effect, self._deadline)

    def _run(self, call: _Call, tries: int) -> Answer:
        is_open = False
        for number in range(1, tries + 1):
            try:
                end = self._try(call)
            except VendorError as error:  # it was not sent this time
                if not is_open:
                    raise
                end = End(trouble=str(error).removeprefix(f"{error.call}: "), sent=False)
                break
            if end.succeeded:
                return self._answer(call, end)
            is_open = is_open or (end.is_open and call.effect is not Effect.READ)
            pause = self._pause(call, end, number) if number < tries else None
            if pause is None:
                break
            log.info("%s %s; again in %.1f s", call.name, end.what, pause)
            self.wait(pause)
            self.counters.retries += 1
        raise self._error(call, end, is_open=is_open)

    def _try(self, call: _Call) -> End:
        end = self._turn(call)
        if end.status == 401 and self._renew:
            self._renew()
            self._auth(call.request)
            end = self._turn(call)
        return end

    def _turn(self, call: _Call) -> End:
        ticket = self._ticket(call)
        self.counters.calls += 1
        self.counters.writes += call.effect is not Effect.READ
        with _quiet():
            end = self._send(call.request)
        self.pace.told(ticket, end, self.now())
        log.debug("%s %s", call.name, end.what)
        return end

    def _ticket(self, call: _Call) -> int:
        """Wait for a call's turn, as long as it is not too late then."""
        wait = 0.0
        while wait <= self.manners.longest_wait and (call.deadline is None or self.now() + wait <= call.deadline):
            self.wait(wait)
            wait, ticket = self.pace.ask(call.name, self.now(), urgent=self._urgent)
            if not wait:
                return ticket
        raise VendorAwayError(call.name, f"not sent: put off for {wait:.0f} s", wait=wait)

    def _send(self, request: requests.PreparedRequest) -> End:
        environment = self._session.merge_environment_settings(request.url, {}, True, True, None)
        # A body is sent under the timeout of connecting, which a slow link may need longer than.
        patience = self.manners.stall if isinstance(request.body, FileBody) else self.manners.connect
        timeout = (patience, self.manners.read)
        try:
            response = self._session.send(request, timeout=timeout, allow_redirects=False, **environment)
        except requests.RequestException as error:
            return trouble_of(error)
        with response:
            return _read(response)

    def now(self) -> float:
        """Return the time of our clock, in seconds."""
        return max(self.manners.monotonic(), self._rested_until)

    def wait(self, seconds: float) -> None:
        """Wait before the next call."""
        if seconds > 0:
            # What was slept counts as what was meant, however coarse the clock.
            self._rested_until = self.now() + seconds
            self.counters.waits += seconds
            self.manners.sleep(seconds)

    def _pause(self, call: _Call, end: End, number: int) -> float | None:
        """Return how long to wait before the next try, or None if there is to be none."""
        harmless = call.effect is not Effect.ONCE or not end.is_open
        if not end.may_pass or not harmless:
            return None
        asked = end.wait
        if asked is not None:
            return asked if asked <= self.manners.longest_wait and call.deadline is None else None
        longest = min(self.manners.longest_wait, self.manners.backoff * 2.0 ** (number - 1))
        return longest * (0.5 + self.manners.random() / 2)

    def _answer(self, call: _Call, end: End) -> Answer:
        try:
            # Nothing passes through float.
            data = json.loads(end.body, parse_float=Decimal, parse_constant=_refuse) if end.body.strip() else None
        except (ValueError, RecursionError):
            kind = VendorAnswerError if call.effect is Effect.READ else UnknownOutcomeError
        else:
            return Answer(end.status or 0, end.headers, data, end.told_at)
        # Raised out here, because the parser's error would carry the whole body along.
        raise kind(call.name, f"answered {end.status} with something that is not JSON", status=end.status)

    def _error(self, call: _Call, end: End, *, is_open: bool) -> VendorError:
        said = fault(end.body)
        told, code = tellable(said.message, self._names), tellable_code(said.code)
        what = end.what + (f" ({code})" if code else "") + (f": {told}" if told else "")
        what += self._where if end.is_unreached else ""
        kind: type[VendorError] = VendorRefusedError
        if is_open:
            kind, what = UnknownOutcomeError, f"{what}; it may have taken effect, so read before sending it again"
        elif end.may_pass:
            kind = VendorAwayError
        elif end.trouble and end.sent:
            kind = VendorAnswerError
        kept = end.body[:KEPT_OF_ERROR].decode("utf-8", "replace")
        return kind(call.name, what, status=end.status, code=code, body=kept, wait=end.wait, sent=end.sent)


@contextmanager
def _quiet() -> Iterator[None]:
    token = _calling.set(True)
    try:
        yield
    finally:
        _calling.reset(token)


def _filled(template: str, keys: Mapping[str, object], query: Mapping[str, str]) -> str:
    """Return the path and query of a template, which may have a query of its own."""
    path = template.format_map({name: quote(str(value), safe=":") for name, value in keys.items()})
    text = urlencode(query, quote_via=quote, safe="$")
    return path + ("&" if "?" in path else "?") + text if text else path


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        msg = "credentials in a link"
        raise ValueError(msg)
    return parts.scheme, parts.hostname or "", parts.port or PORTS.get(parts.scheme)


def _refuse(_constant: str) -> NoReturn:
    msg = "NaN and Infinity are no JSON"
    raise ValueError(msg)


def _read(response: requests.Response) -> End:
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
            return End(headers=headers, trouble="broke off in the middle of its answer")
    if status < 300 and len(body) > limit:
        return End(headers=headers, trouble=f"answered with more than {LARGEST} bytes", passing=False)
    return End(status, headers, bytes(body[:limit]))
