"""The frame around a vendor's service: one request, one transaction, one line in the log, its fault.

A vendor answers a ``Call`` with an ``Answer`` or raises ``Refused``; it knows nothing of faults,
transactions and the log.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cached_property
from typing import Protocol

from starlette.datastructures import Address
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gradeway import clock
from gradeway.redact import trail
from gradeway.sandbox.documents import Document, Documents
from gradeway.sandbox.faults import Fault, Faults
from gradeway.sandbox.journal import Entry, Journal
from gradeway.sandbox.network import Line, Network
from gradeway.sandbox.uploads import Part, parts

log = logging.getLogger(__name__)

SLOW_SECONDS, HOLD_SECONDS = 1, 60


@dataclass(frozen=True)
class Call:
    """One request; ``origin`` is the scheme and host that the client used, ``now`` the sandbox's time.

    ``raw_path`` is the path as it came, percent-encoded.
    """

    method: str
    path: str
    raw_path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    origin: str
    now: datetime

    @cached_property
    def parts(self) -> list[Part]:
        """The parts of the form in the body.

        Raises:
            ValueError: it has a form that cannot be read.
        """
        return parts(self.headers.get("content-type", ""), self.body)


@dataclass(frozen=True)
class Answer:
    """What is answered."""

    status: int = 200
    body: bytes = b""
    media_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):  # noqa: N818  (an answer, no error of ours)
    """The vendor refuses a request; becomes an error in the vendor's shape."""

    def __init__(self, status: int, message: str, *, code: str = "", **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


Shape = Callable[[Refused], tuple[str, bytes]]
Control = Callable[[Document, datetime], Document | bytes]


class Vendor(Protocol):
    """A vendor's service; the first shape is how its errors look unless a fault says otherwise."""

    documents: Documents
    shapes: Mapping[str, Shape]
    controls: Mapping[str, Control]

    def answer(self, call: Call) -> Answer:
        """Answer a request.

        Raises:
            Refused: the vendor would answer an error.
        """
        ...


class Clock:
    """The sandbox's time: the real one, unless it was set."""

    def __init__(self) -> None:
        self.fixed: datetime | None = None

    def now(self) -> datetime:
        """Return the present instant."""
        return self.fixed or clock.now()


class Frame:
    """The ASGI application around a vendor's service."""

    def __init__(self, vendor: Vendor, journal: Journal) -> None:
        self.vendor = vendor
        self.journal = journal
        self.faults = Faults()
        self.clock = Clock()
        self.network = Network()
        self.line: Line | None = None  # set by the server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or do what its fault says."""
        request = Request(scope, receive)
        answer = await self._served(request, receive) if self.network.online else None
        if answer:
            await self.network.carry(len(answer.body))
            await _response(answer, self.clock.now())(scope, receive, send)
        elif self.line:
            self.line.hang_up(request.client)
            await asyncio.sleep(0)  # for the server to notice: it would answer a 500 of its own

    async def connect(self, network: Network, asker: Address | None) -> None:
        """Change the state of the network; the connection of whoever asks for it is spared."""
        before, self.network = self.network, network
        if self.line and before.online and not network.online:
            self.line.unplug(asker)
        if self.line and network.online and not before.online:
            await self.line.plug_in()

    async def _served(self, request: Request, receive: Receive) -> Answer | None:
        fault = self.faults.take(request.method, request.scope["path"])
        body, arrived = await self._body(request, fault)
        call = self._call(request, body)
        if not arrived:
            self._note(call, None, fault, took_effect=False)
            return None
        if fault and fault.kind == "slow":
            await asyncio.sleep(SLOW_SECONDS if fault.seconds is None else fault.seconds)
        answer = self._answer(call, fault)
        if fault and fault.holds:
            await _hold(receive, HOLD_SECONDS if fault.seconds is None else fault.seconds)
        return answer

    async def _body(self, request: Request, fault: Fault | None) -> tuple[bytes, bool]:
        """Return what arrives of a body, and whether the connection lasted until then."""
        body, share, network = bytearray(), _share(request, fault), self.network
        with suppress(ClientDisconnect):
            async for chunk in request.stream():
                body += chunk
                await network.carry(len(chunk))
                if fault and fault.kind == "cut" and len(body) >= (share or 0):
                    return bytes(body[:share]), False
            # What a slow link was still carrying when the client went away has not arrived.
            gone = network.bytes_per_second and await request.is_disconnected()
            return bytes(body[:share]), not gone
        return bytes(body), False

    def _call(self, request: Request, body: bytes) -> Call:
        headers = dict(request.headers)
        origin = f"http://{headers.get('host', '')}"
        path, raw_path = str(request.scope["path"]), request.scope["raw_path"].decode("latin-1")
        return Call(request.method, path, raw_path, request.url.query, headers, body, origin, self.clock.now())

    def _answer(self, call: Call, fault: Fault | None) -> Answer | None:
        shape = self._shape(fault)
        answer, changed = (Answer(), False) if fault and fault.before else self._done(call, shape)
        if fault and fault.answers:
            answer = _fault_answer(fault, shape)
        silent = fault is not None and (fault.holds or fault.drops)
        self._note(call, None if silent else answer.status, fault, took_effect=changed)
        return None if silent else answer

    def _note(self, call: Call, status: int | None, fault: Fault | None, *, took_effect: bool) -> None:
        self.journal.add(_entry(call, self.journal.count + 1, status, fault, took_effect=took_effect))

    def _shape(self, fault: Fault | None) -> Shape:
        name = fault.body if fault else ""
        return self.vendor.shapes[name or next(iter(self.vendor.shapes))]

    def _done(self, call: Call, shape: Shape) -> tuple[Answer, bool]:
        try:
            return self.vendor.documents.run(lambda: self.vendor.answer(call))
        except Refused as refused:
            return _error(refused, shape), False
        except Exception as error:  # noqa: BLE001  (a server goes on; its client sees a 500)
            log.error("a request failed: %s", trail(error))
            return _error(Refused(500, "An error has occurred."), shape), False


def _fault_answer(fault: Fault, shape: Shape) -> Answer:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return _error(Refused(fault.status, fault.message, code=fault.code, **headers), shape)


def _error(refused: Refused, shape: Shape) -> Answer:
    media_type, body = shape(refused)
    return Answer(refused.status, body, media_type, refused.headers)


def _share(request: Request, fault: Fault | None) -> int | None:
    """Return how many bytes of a body a fault lets through, None for all."""
    if fault is None or fault.kind not in {"cut", "short"}:
        return None
    return int(request.headers.get("content-length", "0")) // 2 if fault.bytes is None else fault.bytes


def _entry(call: Call, number: int, status: int | None, fault: Fault | None, *, took_effect: bool) -> Entry:
    # A signature is the last thing that may be written down, whichever path it came on.
    query = "" if "signature=" in call.query else call.query
    at = clock.now().isoformat(timespec="milliseconds")
    kind = fault.kind if fault else None
    names, digest = _content(call)
    return Entry(number, at, call.method, call.path, query, names, status, took_effect, kind, digest)


def _content(call: Call) -> tuple[list[str], str | None]:
    """Return the names in a body, and the digest of the file in it."""
    with suppress(ValueError):
        if call.parts:
            files = [part.sha256 for part in call.parts if part.filename is not None]
            return sorted(part.name for part in call.parts), next(iter(files), None)
        content = json.loads(call.body)
        return sorted(content) if isinstance(content, dict) else [], None
    return [], None


def _response(answer: Answer, now: datetime) -> Response:
    headers = {"Date": format_datetime(now.astimezone(UTC), usegmt=True)} | dict(answer.headers)
    return Response(answer.body, answer.status, headers, answer.media_type)


async def _hold(receive: Receive, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
