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
from datetime import datetime
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gradeway import clock
from gradeway.redact import trail
from gradeway.sandbox.documents import Document, Documents
from gradeway.sandbox.faults import Fault, Faults
from gradeway.sandbox.journal import Entry, Journal

log = logging.getLogger(__name__)

SLOW_SECONDS, HOLD_SECONDS = 1, 60

Shape = Callable[[int, str], tuple[str, bytes]]
Control = Callable[[Document, datetime], Document]


@dataclass(frozen=True)
class Call:
    """One request; ``origin`` is the scheme and host that the client used, ``now`` the sandbox's time."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    origin: str
    now: datetime


@dataclass(frozen=True)
class Answer:
    """What is answered."""

    status: int = 200
    body: bytes = b""
    media_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):  # noqa: N818  (an answer, no error of ours)
    """The vendor refuses a request; becomes an error in the vendor's shape."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


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
        # Set by the server: drops the connection of a client.
        self.hang_up: Callable[[Any], None] = lambda client: None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or do what its fault says."""
        request = Request(scope, receive)
        call = await self._call(request)
        fault = self.faults.take(call.method, call.path)
        if fault and fault.kind == "slow":
            await asyncio.sleep(SLOW_SECONDS if fault.seconds is None else fault.seconds)
        answer = self._answer(call, fault)
        if answer:
            await _response(answer)(scope, receive, send)
            return
        if fault and fault.holds:
            await _hold(receive, HOLD_SECONDS if fault.seconds is None else fault.seconds)
        self.hang_up(scope["client"])

    async def _call(self, request: Request) -> Call:
        headers = dict(request.headers)
        origin = f"http://{headers.get('host', '')}"
        query = request.url.query
        path = str(request.scope["path"])
        return Call(request.method, path, query, headers, await request.body(), origin, self.clock.now())

    def _answer(self, call: Call, fault: Fault | None) -> Answer | None:
        shape = self._shape(fault)
        answer, changed = (Answer(), False) if fault and fault.before else self._done(call, shape)
        if fault and fault.answers:
            answer = _fault_answer(fault, shape)
        silent = fault is not None and (fault.holds or fault.drops)
        status = None if silent else answer.status
        self.journal.add(_entry(call, self.journal.count + 1, status, fault, took_effect=changed))
        return None if silent else answer

    def _shape(self, fault: Fault | None) -> Shape:
        name = fault.body if fault else ""
        return self.vendor.shapes[name or next(iter(self.vendor.shapes))]

    def _done(self, call: Call, shape: Shape) -> tuple[Answer, bool]:
        try:
            return self.vendor.documents.run(lambda: self.vendor.answer(call))
        except Refused as refused:
            media_type, body = shape(refused.status, refused.message)
            return Answer(refused.status, body, media_type, refused.headers), False
        except Exception as error:  # noqa: BLE001  (a server goes on; its client sees a 500)
            log.error("a request failed: %s", trail(error))
            media_type, body = shape(500, "An error has occurred.")
            return Answer(500, body, media_type), False


def _fault_answer(fault: Fault, shape: Shape) -> Answer:
    media_type, body = shape(fault.status, fault.message)
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return Answer(fault.status, body, media_type, headers)


def _entry(call: Call, number: int, status: int | None, fault: Fault | None, *, took_effect: bool) -> Entry:
    # A signature is the last thing that may be written down, whichever path it came on.
    query = "" if "signature=" in call.query else call.query
    at = clock.now().isoformat(timespec="milliseconds")
    kind = fault.kind if fault else None
    return Entry(number, at, call.method, call.path, query, _names(call.body), status, took_effect, kind)


def _names(body: bytes) -> list[str]:
    with suppress(ValueError):
        content = json.loads(body)
        return sorted(content) if isinstance(content, dict) else []
    return []


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers), answer.media_type)


async def _hold(receive: Receive, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
