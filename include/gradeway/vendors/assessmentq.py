"""A client of assessmentQ as far as Gradeway uses it: result files go there, results come back.

Every detail of the API is in the profile of the Connection. An *exam* is what is taken, a
*sitting* is one participant's session of it, opened with an *access code*.
Source: Televic, Uploading the result files; Using the assessmentQ API.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, BinaryIO, Self

from requests import PreparedRequest
from requests.auth import AuthBase, HTTPBasicAuth

from gradeway import clock
from gradeway.errors import (
    FileChangedError,
    FileRefusedError,
    VendorAnswerError,
    VendorAwayError,
    VendorError,
    VendorRefusedError,
)
from gradeway.vendors.connection import Endpoint, wrong
from gradeway.vendors.odata import rows, wire
from gradeway.vendors.pace import Manners
from gradeway.vendors.profile import Profile, Row, holds, read_profile, text
from gradeway.vendors.transport import Answer, Transport
from gradeway.vendors.upload import FileBody, opened

__all__ = [
    "CONNECTION",
    "SANDBOX_PROFILE",
    "AssessmentQ",
    "FileChangedError",
    "FileRefusedError",
    "OfflineResult",
    "Received",
    "ReceivedState",
    "Sitting",
]

CONNECTION = "gradeway_assessmentq"
# Which field of the profile to look at first when an upload is refused in an unexpected way.
SUSPECTS = {404: "upload_path", 405: "upload_method", 406: "upload_path"}

SANDBOX_PROFILE: Mapping[str, Any] = {
    "auth": "basic",
    "upload_path": "offline-results",
    "upload_method": "POST",
    "upload_field": "file",
    "final_key": "state",
    "final_values": ["finished"],
    "sitting_key": "sitting",
    "already_final_status": [409],
    "already_final_pattern": '"AlreadyFinished"',
    "refused_status": [413, 415, 422],
    "incomplete_pattern": '"Incomplete"',
    "received_path": "offline-results?sha256={sha256}",
    "results_path": "results",
    "results_since": "modifiedAfter",
    "result_fields": {
        "id": "id",
        "sitting": "sitting",
        "exam": "exam",
        "learner": "participant",
        "state": "state",
        "score": "score",
        "maximum": "maxScore",
        "finished_at": "finishedAt",
        "modified_at": "modifiedAt",
    },
    "result_final_values": ["finished"],
    "sittings_path": "sittings",
    "sitting_fields": {
        "id": "id",
        "access_code": "accessCode",
        "exam": "exam",
        "learner": "participant",
        "state": "state",
        "due_at": "availableTo",
        "last_upload_at": "lastUploadAt",
    },
}
"""The profile of Gradeway's own sandbox, below its ``/api/``."""


class ReceivedState(Enum):
    """What the service knows of an exam after an upload."""

    IN_PROGRESS = "received, and the exam may go on"
    FINAL = "received with the exam finished"
    ALREADY_FINAL = "not taken: the finished exam had been received before"


@dataclass(frozen=True)
class Received:
    """What the service said of an upload; ``sitting`` is empty if it names none."""

    state: ReceivedState
    sitting: str = field(default="", repr=False)


@dataclass(frozen=True)
class OfflineResult:
    """One result; ``score`` is None as long as there is none."""

    id: str
    sitting: str = field(repr=False)
    exam: str = field(repr=False)
    learner: str = field(repr=False)
    is_final: bool
    score: Decimal | None = field(default=None, repr=False)
    maximum: Decimal | None = field(default=None, repr=False)
    finished_at: datetime | None = field(default=None, repr=False)
    modified_at: datetime | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Sitting:
    """One participant's session of one exam; ``state`` is the service's own word, ``due_at`` when it must be over."""

    id: str = field(repr=False)
    exam: str = field(repr=False)
    learner: str = field(repr=False)
    access_code: str = field(default="", repr=False)
    state: str = ""
    due_at: datetime | None = None
    last_upload_at: datetime | None = None


def _nothing() -> None:
    """Do nothing."""


class _Header(AuthBase):
    """Adds one header, or none; with it the session looks for no login elsewhere."""

    def __init__(self, name: str = "", value: str = "") -> None:
        self._name, self._value = name, value

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        if self._name:
            request.headers[self._name] = self._value
        return request


def _auth(endpoint: Endpoint, profile: Profile) -> AuthBase:
    if profile.auth == "none":
        return _Header()
    if profile.auth == "basic":
        return HTTPBasicAuth(*endpoint.basic())
    secret = endpoint.password
    if not secret or not secret.isascii() or not secret.isprintable() or secret != secret.strip():
        raise wrong(endpoint.connection, "password", "give the key for the API, which is plain ASCII")
    return (
        _Header("Authorization", f"Bearer {secret}")
        if profile.auth == "bearer"
        else _Header(profile.auth_header, secret)
    )


class AssessmentQ:
    """The assessmentQ of one organisation; for one thread."""

    def __init__(self, endpoint: Endpoint, *, manners: Manners | None = None) -> None:
        """Prepare for calls; nothing is sent yet.

        Raises:
            SettingsError: the Connection or its profile lacks something.
        """
        self.profile = read_profile(endpoint)
        self.transport = Transport(endpoint, _auth(endpoint, self.profile), manners=manners)
        self._paging = self.profile.paging
        self._told: tuple[datetime, float] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.transport.__exit__(*details)

    @property
    def service_time(self) -> datetime | None:
        """The time by the service's clock, whatever becomes of ours, or None while it has not told it.

        Only answers that the profile explains count: others may be of something between it and us.
        """
        if self._told is None:
            return None
        told, at = self._told
        return told + timedelta(seconds=self.transport.manners.monotonic() - at)

    def _believe(self, answer: Answer) -> None:
        if answer.told_at:
            self._told = answer.told_at, self.transport.manners.monotonic()

    @property
    def can_ask(self) -> bool:
        """Whether the service can tell what it has received."""
        return bool(self.profile.received_path)

    @property
    def can_list_sittings(self) -> bool:
        """Whether the service can tell who is expected."""
        return bool(self.profile.sittings_path)

    def upload(
        self, open_file: Callable[[], BinaryIO], name: str, size: int, sha256: str, beat: Callable[[], None] = _nothing
    ) -> Received:
        """Send a file once, streamed; only a file of this size and hash is ever sent to its end.

        ``beat`` is called with every piece of it.

        Raises:
            FileChangedError: the file is gone or another; the service got no whole request.
            VendorAwayError: the service cannot have got the whole file, or puts us off.
            FileRefusedError: the service will never take this file.
            VendorRefusedError: the service does not take our account.
            VendorAnswerError: the profile does not explain the answer; the file may have been taken.
            UnknownOutcomeError: the file may have been taken or not; ask, or send the same bytes again.
        """
        with opened(open_file) as file:
            body = FileBody(file, name, size, sha256, self.profile.upload_field, beat)
            try:
                answer = self.transport.upload(self.profile.upload_method, self.profile.upload_path, body)
            except VendorError as error:
                judged = self._judged(error)
            else:
                judged = self._received(answer.data, self._name(self.profile.upload_method, self.profile.upload_path))
                if self.profile.final_key or judged.sitting:
                    self._believe(answer)
        if isinstance(judged, Received):
            return judged
        raise judged

    def received(self, sha256: str) -> Received | None:
        """Return what became of exactly these bytes, or None if the service has not got them.

        Raises:
            SettingsError: the profile does not say how to ask.
            VendorAnswerError: the answer is about other bytes, or the profile does not explain it.
            VendorError: as the transport's ``call``.
        """
        path = self._path("received_path")
        call = self._name("GET", path)
        found = None
        for row in self._pages(path, {"sha256": sha256}):
            # A service that does not know the parameter may well list all that it has.
            if not holds(row, sha256.lower()):
                raise VendorAnswerError(call, "the answer is not about that hash: correct received_path of the profile")
            told = self._received(row, call)
            found = told if found is None or told.state is ReceivedState.FINAL else found
        return found

    def results(self, since: datetime | None = None) -> Iterator[OfflineResult]:
        """Yield the results, those changed since then if the profile says how to ask for these.

        Raises:
            VendorError: as the transport's ``call``.
        """
        return map(self._result, self._pages(self.profile.results_path, query=self._since(since)))

    def sittings(self) -> Iterator[Sitting]:
        """Yield the sittings that the service expects.

        Raises:
            SettingsError: the profile does not say how to ask.
            VendorError: as the transport's ``call``.
        """
        return map(self._sitting, self._pages(self._path("sittings_path")))

    def probe(self) -> None:
        """See that the service answers and takes our account, with one try of a small read.

        Raises:
            VendorError: as the transport's ``call``.
        """
        path = self.profile.results_path
        answer = self.transport.call("GET", path, query=self._since(clock.now()), tries=1)
        if rows(answer.data, value=self._paging.value) is None:
            raise VendorAnswerError(
                self._name("GET", path), "the answer holds no list: correct results_path or value_key of the profile"
            )
        self._believe(answer)

    def _name(self, method: str, path: str) -> str:
        return self.transport.name(method, path)

    def _path(self, name: str) -> str:
        path: str = getattr(self.profile, name)
        if not path:
            raise wrong(self.transport.endpoint.connection, name, "add it to the profile in the extra")
        return path

    def _since(self, since: datetime | None) -> dict[str, str]:
        name = self.profile.results_since
        return {name: str(wire(since))} if name and since else {}

    def _pages(
        self, path: str, keys: Mapping[str, object] | None = None, query: Mapping[str, str] | None = None
    ) -> Iterator[Any]:
        answer = self.transport.call("GET", path, keys, query=query)
        yield from self._paging.unfold(self.transport, answer.data, path)
        self._believe(answer)

    def _judged(self, error: VendorError) -> VendorError | Received:
        """Say what a failed upload means by the profile."""
        status, profile = error.status, self.profile
        if status in profile.already_final_status and re.search(profile.already_final_pattern, error.body):
            return Received(ReceivedState.ALREADY_FINAL)
        if status == 403 and profile.forbidden_pattern and re.search(profile.forbidden_pattern, error.body):
            what = "answered 403, which is about this file by forbidden_pattern of the profile"
            return FileRefusedError(error.call, what, status=status, code=error.code, body=error.body)
        if not isinstance(error, VendorRefusedError) or status in {None, 401, 403}:
            return error
        what = str(error).removeprefix(f"{error.call}: ")
        kind: type[VendorError] = FileRefusedError
        if profile.incomplete_pattern and re.search(profile.incomplete_pattern, error.body):
            kind = VendorAwayError
        elif status not in profile.refused_status:
            kind = VendorAnswerError
            suspect = SUSPECTS.get(status or 0, "already_final_status, already_final_pattern or refused_status")
            what = f"{what}; if that is right, correct {suspect} of the profile"
        return kind(error.call, what, status=status, code=error.code, body=error.body, wait=error.wait)

    def _received(self, row: object, call: str) -> Received:
        """Read the answer to an upload, or one row of what was received."""
        profile = self.profile
        told = Row(row, call, {"final_key": profile.final_key, "sitting_key": profile.sitting_key})
        state = told.text("final_key", needed=bool(profile.final_key))
        # An answer in which neither stands may be of anything between the service and us.
        sitting = told.text("sitting_key", needed=bool(profile.sitting_key and not profile.final_key))
        is_final = bool(state) and state in map(text, profile.final_values)
        return Received(ReceivedState.FINAL if is_final else ReceivedState.IN_PROGRESS, sitting)

    def _result(self, row: object) -> OfflineResult:
        call = self._name("GET", self.profile.results_path)
        told = Row(row, call, self.profile.result_fields.model_dump(), "result_fields.")
        return OfflineResult(
            id=told.text("id", needed=True),
            sitting=told.text("sitting", needed=True),
            exam=told.text("exam", needed=True),
            learner=told.text("learner", needed=True),
            is_final=told.text("state", needed=True) in map(text, self.profile.result_final_values),
            score=told.number("score"),
            maximum=told.number("maximum"),
            finished_at=told.time("finished_at"),
            modified_at=told.time("modified_at"),
        )

    def _sitting(self, row: object) -> Sitting:
        call, fields = self._name("GET", self.profile.sittings_path), self.profile.sitting_fields
        told = Row(row, call, fields.model_dump() if fields else {}, "sitting_fields.")
        return Sitting(
            id=told.text("id", needed=True),
            exam=told.text("exam", needed=True),
            learner=told.text("learner", needed=True),
            access_code=told.text("access_code"),
            state=told.text("state"),
            due_at=told.time("due_at"),
            last_upload_at=told.time("last_upload_at"),
        )
