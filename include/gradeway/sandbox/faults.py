"""Faults on purpose: what a test asks a sandbox to do wrong, and how often.

A fault is a JSON object:

- ``match``: method and path pattern, for instance ``"POST */Schedules"`` or ``"* */Schedules(*)"``
- ``kind``: see ``Fault.kind``
- ``times`` (1): how many matching requests it spoils; ``after`` (0): how many it lets pass before
- ``status`` (503), ``retry_after`` (none; a number of seconds, or an HTTP date as text),
  ``code``, ``message`` and ``body`` (the shape of the error, see the vendor's package) for kinds with a status
- ``seconds``: how long to wait (slow: 1) or to hold the connection at most (timeout: 60)
- ``bytes``: how much of the request's body arrives (cut, short: half of it)
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal[
    "timeout_before", "timeout_after", "status", "status_after", "drop", "drop_after", "cut", "short", "slow", "shape"
]  # fmt: skip


class Fault(BaseModel):
    """One thing to do wrong.

    Kinds: ``timeout_*`` holds the connection until the client goes away, ``status`` answers an
    error, ``drop`` drops the connection; each of them instead of doing the request, or with
    ``_after`` once it is done and committed. ``cut`` drops it while the body is on its way; ``short``
    does the request with as much of its body as arrived. ``slow`` waits and then does the request as usual;
    ``shape`` does it as usual, and an error of its own comes in the shape named by ``body``.
    """

    model_config = ConfigDict(extra="forbid")

    match: str = Field(pattern=r"^\S+ \S+$")
    kind: Kind
    times: int = Field(1, ge=1)
    after: int = Field(0, ge=0)
    status: int = Field(503, ge=400, le=599)
    retry_after: int | str | None = None
    code: str = ""
    message: str = "A fault was asked for."
    body: str = ""
    seconds: float | None = Field(None, ge=0, le=600)
    bytes: int | None = Field(None, ge=0)

    @property
    def before(self) -> bool:
        """Whether the request is not done at all."""
        return self.kind in {"timeout_before", "status", "drop"}

    @property
    def holds(self) -> bool:
        """Whether the connection is held without an answer."""
        return self.kind.startswith("timeout")

    @property
    def drops(self) -> bool:
        """Whether the connection is dropped without an answer."""
        return self.kind.startswith("drop")

    @property
    def answers(self) -> bool:
        """Whether an error is answered in place of the vendor's answer."""
        return self.kind.startswith("status")

    def hits(self, method: str, path: str) -> bool:
        """Return whether a request matches."""
        verb, _, pattern = self.match.partition(" ")
        return verb in {"*", method} and fnmatchcase(path, pattern)


class Faults:
    """The faults that are left."""

    def __init__(self) -> None:
        self.left: list[Fault] = []

    def take(self, method: str, path: str) -> Fault | None:
        """Return the first fault that hits a request, used up by one; every matching one counts it as passed."""
        matching = [fault for fault in self.left if fault.hits(method, path)]
        due = next((fault for fault in matching if not fault.after), None)
        for fault in matching:
            fault.after = max(0, fault.after - 1)
        if due:
            due.times -= 1
            self.left = [fault for fault in self.left if fault.times]
        return due
