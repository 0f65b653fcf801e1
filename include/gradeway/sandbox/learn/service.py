"""The REST service: who may ask, what a request means, and the forms of answers and errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

from gradeway.sandbox.documents import Document, Documents
from gradeway.sandbox.frame import Answer, Call, Control, Refused, Shape
from gradeway.sandbox.learn import columns, contents, grades, people, persons, schemas
from gradeway.sandbox.learn.access import Access, TokenRefused
from gradeway.sandbox.learn.asked import PAGING, Asked, dated
from gradeway.sandbox.learn.forms import dump, picked
from gradeway.sandbox.learn.limits import Limits

ROOT = "/learn/api/public/"
TOKEN = "v1/oauth2/token"  # noqa: S105  (a path)
VERSION = "v1/system/version"
RELEASE = {"major": 3900, "minor": 123, "patch": 0, "build": "sandbox"}
JSON = "application/json;charset=UTF-8"
FIELDS = frozenset({"fields"})
LIST = PAGING | FIELDS
# Parameters that the vendor has, and this sandbox has not.
ABSENT = (
    dated("attemptDate", "firstRelevantDate", "lastAccessed", "lastRelevantDate")
    | {"dataSourceId", "gradebookCategoryId", "includePermissions", "reviewable"}
)  # fmt: skip


@dataclass(frozen=True)
class Route:
    """An operation: its method, its path below the root, what does it, and how it is asked and answered."""

    method: str
    path: str
    run: Callable[[Asked], Document | None]
    parameters: frozenset[str] = FIELDS
    status: int = 200

    def ids(self, segments: list[str]) -> dict[str, str] | None:
        """Return the IDs in a path, None if it is not this operation's."""
        parts = self.path.split("/")
        if len(parts) != len(segments):
            return None
        pairs = list(zip(parts, segments, strict=True))
        if any(part != segment for part, segment in pairs if not part.startswith("{")):
            return None
        return {part.strip("{}"): segment for part, segment in pairs if part.startswith("{")}


COURSE = "v1/courses/{course}"
BOOK = "v2/courses/{course}/gradebook"
CHILD = frozenset({"allowChildCourseContent"})
FOUND = LIST | dated("created", "modified")
CONTENTS = FOUND | {"recursive", "title", "contentHandler"}
GRADES = LIST | {"changeIndex", "includeUnpostedGrades", "includeDisabledMemberships"}
# A word stands before an ID in the same place.
ROUTES = (
    Route("GET", "v2/courses/{course}", people.get_course),
    Route("GET", "v3/courses/{course}", people.get_course),
    Route("GET", "v1/users/{user}", people.get_user),
    Route(
        "GET",
        f"{COURSE}/users",
        people.list_memberships,
        FOUND | {"availability.available", "expand", "role", "sort"},
    ),
    Route("GET", f"{COURSE}/users/{{user}}", people.get_membership, FIELDS | {"expand"}),
    Route("GET", f"{COURSE}/contents", contents.list_contents, CONTENTS),
    Route("POST", f"{COURSE}/contents", contents.create_content, FIELDS | CHILD, 201),
    Route("POST", f"{COURSE}/contents/createAssignment", contents.create_assignment, FIELDS | CHILD, 201),
    Route("GET", f"{COURSE}/contents/{{content}}", contents.get_content),
    Route("PATCH", f"{COURSE}/contents/{{content}}", contents.change_content, FIELDS | CHILD),
    Route("DELETE", f"{COURSE}/contents/{{content}}", contents.delete_content, CHILD | {"deleteGrades"}, 204),
    Route("GET", f"{COURSE}/contents/{{content}}/children", contents.list_children, CONTENTS),
    Route("POST", f"{COURSE}/contents/{{content}}/children", contents.create_child, FIELDS | CHILD, 201),
    Route("GET", f"{COURSE}/gradebook/gradeNotations", grades.list_notations, LIST),
    Route("GET", f"{COURSE}/gradebook/schemas", schemas.list_schemas, LIST),
    Route("POST", f"{COURSE}/gradebook/schemas", schemas.create_schema, status=201),
    Route("GET", f"{COURSE}/gradebook/schemas/{{schema}}", schemas.get_schema),
    Route("PATCH", f"{COURSE}/gradebook/schemas/{{schema}}", schemas.change_schema),
    Route("DELETE", f"{COURSE}/gradebook/schemas/{{schema}}", schemas.delete_schema, frozenset()),
    Route("GET", f"{BOOK}/columns", columns.list_columns, FOUND | {"contentId", "displayName", "name"}),
    Route("POST", f"{BOOK}/columns", columns.create_column, status=201),
    Route("GET", f"{BOOK}/columns/{{column}}", columns.get_column),
    Route("PATCH", f"{BOOK}/columns/{{column}}", columns.change_column),
    Route("DELETE", f"{BOOK}/columns/{{column}}", columns.delete_column, frozenset(), 204),
    Route("GET", f"{BOOK}/columns/{{column}}/attempts", grades.list_attempts, LIST | {"attemptStatuses", "userId"}),
    Route("GET", f"{BOOK}/columns/{{column}}/attempts/{{attempt}}", grades.get_attempt),
    Route("GET", f"{BOOK}/columns/{{column}}/users", grades.list_grades, GRADES),
    Route("GET", f"{BOOK}/columns/{{column}}/users/lastChanged", grades.last_changed),
    Route("GET", f"{BOOK}/columns/{{column}}/users/{{user}}", grades.get_grade),
    Route("PATCH", f"{BOOK}/columns/{{column}}/users/{{user}}", grades.change_grade),
    Route("GET", f"{BOOK}/users/{{user}}", grades.list_user_grades, LIST),
)


def _exception(refused: Refused, status: int | str) -> tuple[str, bytes]:
    phrase = HTTPStatus(refused.status).phrase
    shown = {"status": status, "code": refused.code or None, "message": refused.message, "developerMessage": phrase}
    return JSON, dump(shown | {"extraInfo": uuid4().hex}).encode()


SHAPES: Mapping[str, Shape] = {
    # Real sites answer the status as a number, the vendor's description says text.
    "rest": lambda refused: _exception(refused, refused.status),
    "rest_text": lambda refused: _exception(refused, str(refused.status)),
    "oauth": lambda refused: (
        JSON,
        dump({"error": refused.code or "invalid_request", "error_description": refused.message}).encode(),
    ),
    # What a proxy before the site may answer.
    "html": lambda refused: ("text/html;charset=UTF-8", f"<html><h1>{refused.status}</h1></html>".encode()),
    "empty": lambda _refused: ("text/plain;charset=UTF-8", b""),
}


class Learn:
    """One site, for one application."""

    shapes = SHAPES
    path = "/"

    def __init__(self, documents: Documents, key: str, secret: str) -> None:
        self.documents = documents
        self._access = Access(documents, key, secret)
        self._limits = Limits()
        self.controls: Mapping[str, Control] = {
            "limit": self._limits.set,
            "play": lambda body, now: persons.play(documents, body, now),
        }

    def answer(self, call: Call) -> Answer:
        """Answer a request.

        Raises:
            Refused: the site would answer an error.
        """
        below = call.raw_path.removeprefix(ROOT).rstrip("/")
        if below == TOKEN:
            return self._token(call)
        if (call.method, below) == ("GET", VERSION):  # anybody may ask
            return Answer(200, dump({"learn": RELEASE}).encode(), JSON)
        account = self._access.check(call)
        headers = self._limits.take(call.now)
        try:
            answer = self._serve(call, account, [unquote(segment) for segment in below.split("/")])
        except Refused as refused:
            refused.headers |= headers
            raise
        return replace(answer, headers=headers)

    def _token(self, call: Call) -> Answer:
        if call.method != "POST":
            raise Refused(405, "A token is asked for by POST.", Allow="POST")
        try:
            return Answer(200, dump(self._access.token(call)).encode(), JSON)
        except TokenRefused as refused:
            return Answer(refused.status, dump(refused.document).encode(), JSON)

    def _serve(self, call: Call, account: Document, segments: list[str]) -> Answer:
        route, ids = _route(call, segments)
        query = dict(parse_qsl(call.query, keep_blank_values=True))
        for name in query.keys() - route.parameters:
            if name in ABSENT:
                raise Refused(501, f"The parameter {name} is documented, but not part of this sandbox.")
            raise Refused(400, f"There is no parameter {name}.")
        body = _body(call) if call.method in {"POST", "PATCH"} else None
        asked = Asked(self.documents, account, call.raw_path, ids, query, body, call.now, call.origin)
        done = route.run(asked)
        if done is None:
            return Answer(route.status)
        # A page has done it item by item.
        shown = done if route.parameters >= PAGING else picked(done, asked.fields)
        return Answer(route.status, dump(shown).encode(), JSON)


def _route(call: Call, segments: list[str]) -> tuple[Route, dict[str, str]]:
    found = [(route, ids) for route in ROUTES if (ids := route.ids(segments)) is not None]
    if not found or not call.raw_path.startswith(ROOT):
        raise Refused(404, "There is nothing here.")
    for route, ids in found:
        if route.method == call.method:
            return route, ids
    raise Refused(405, "That cannot be done here.", Allow=", ".join(sorted({route.method for route, _ in found})))


def _body(call: Call) -> Any:  # noqa: ANN401  (JSON)
    if "json" not in call.headers.get("content-type", ""):
        raise Refused(415, "The body must be application/json.")
    try:
        body = json.loads(call.body, parse_float=Decimal, parse_constant=_no_number)
        json.dumps(body, ensure_ascii=False, default=str).encode()  # an unpaired surrogate cannot be kept
    except (ValueError, RecursionError, ArithmeticError):
        raise Refused(400, "The body is not valid JSON.") from None
    return body


def _no_number(text: str) -> None:
    raise ValueError(text)
