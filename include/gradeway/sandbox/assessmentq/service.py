"""The server: who may ask, what an upload does, and the forms of answers and errors."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from http import HTTPStatus

from gradeway.sandbox.assessmentq.entities import State, stamp
from gradeway.sandbox.assessmentq.lists import LISTS, page
from gradeway.sandbox.assessmentq.player import Player
from gradeway.sandbox.documents import Document, Documents, Where
from gradeway.sandbox.frame import Answer, Call, Control, Refused, Shape
from gradeway.sandbox.uploads import CutShortError, Part

JSON = "application/json; charset=utf-8"
UPLOADS, FIELD = "offline-results", "file"
# What a result takes from a file.
TOLD = ("state", "score", "maxScore", "startedAt", "finishedAt")


def _dump(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def _error(refused: Refused) -> tuple[str, bytes]:
    code = refused.code or HTTPStatus(refused.status).phrase.title().replace(" ", "")
    return JSON, _dump({"error": {"code": code, "message": refused.message}})


SHAPES: Mapping[str, Shape] = {
    "error": _error,
    # What a proxy before the server may answer.
    "html": lambda refused: ("text/html; charset=utf-8", f"<html><h1>{refused.status}</h1></html>".encode()),
    "text": lambda refused: ("text/plain; charset=utf-8", refused.message.encode()),
    "empty": lambda _refused: ("text/plain; charset=utf-8", b""),
}


class AssessmentQ:
    """The server of one organisation, for one account."""

    shapes = SHAPES
    path = "/api/"

    def __init__(self, documents: Documents, login: str, password: str) -> None:
        self.documents = documents
        self._player = Player(documents)
        self.controls: Mapping[str, Control] = {"play": self._player.play}
        self._login = login
        self._password = password

    def answer(self, call: Call) -> Answer:
        """Answer a request.

        Raises:
            Refused: the server would answer an error.
        """
        if not call.path.startswith(self.path):
            raise Refused(404, "There is nothing here.")
        self._authenticate(call)
        name = call.path.removeprefix(self.path).rstrip("/")
        if name == UPLOADS and call.method == "POST":
            return Answer(201, _dump(self._receive(call)), JSON)
        if name not in LISTS:
            raise Refused(404, "There is nothing here.")
        if call.method != "GET":
            raise Refused(405, "That cannot be done here.", Allow="GET, POST" if name == UPLOADS else "GET")
        return Answer(200, _dump(page(self.documents, LISTS[name], call)), JSON)

    def _authenticate(self, call: Call) -> None:
        scheme, _, given = call.headers.get("authorization", "").partition(" ")
        basic = base64.b64encode(f"{self._login}:{self._password}".encode()).decode()
        secrets = {"basic": basic, "bearer": self._password}
        pairs = [(given, secrets.get(scheme.lower(), "")), (call.headers.get("x-api-key", ""), self._password)]
        if not any(right and hmac.compare_digest(said.encode(), right.encode()) for said, right in pairs):
            raise Refused(401, "The login is wrong.", WWW_Authenticate='Basic realm="assessmentq"')

    def _receive(self, call: Call) -> Document:
        file = _file(call)
        told = self._player.read(file.content)
        sitting = self.documents.get("Sittings", told["sitting"]) if told else None
        if told is None or sitting is None:
            raise Refused(422, "The file is no result file of this server.", code="NotAResultFile")
        if sitting["state"] == State.FINISHED:
            raise Refused(409, "The finished exam has been uploaded already.", code="AlreadyFinished")
        now = stamp(call.now)
        self.documents.put("Sittings", sitting["id"], sitting | {"state": told["state"], "lastUploadAt": now})
        self._put_result(sitting, told, now)
        key = self.documents.next_key("Uploads")
        upload = {"id": key, "sha256": file.sha256, "size": len(file.content), "sitting": sitting["id"]}
        return self.documents.put("Uploads", key, upload | {"state": told["state"], "receivedAt": now})

    def _put_result(self, sitting: Document, told: Document, now: str) -> None:
        before = self.documents.find("Results", Where("sitting = ?", (sitting["id"],)), limit=1)
        key = before[0]["id"] if before else self.documents.next_key("Results")
        whose = {"id": key, "sitting": sitting["id"], "exam": sitting["exam"], "participant": sitting["participant"]}
        self.documents.put("Results", key, whose | {name: told[name] for name in TOLD} | {"modifiedAt": now})


def _file(call: Call) -> Part:
    """Return the file of an upload.

    Raises:
        Refused: it did not arrive whole, or there is not one file.
    """
    try:
        parts = call.parts
    except CutShortError:
        raise Refused(400, "The body ends before its end.", code="Incomplete") from None
    except ValueError:
        raise Refused(400, "The body is no form.", code="InvalidForm") from None
    if not parts:
        raise Refused(415, "The body must be multipart/form-data.")
    files = [part for part in parts if part.name == FIELD and part.filename]
    if len(files) != 1:
        raise Refused(400, f"The form must have one file '{FIELD}' with a name.", code="NoFile")
    return files[0]
