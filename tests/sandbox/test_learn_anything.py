"""Whatever is asked of Learn's sandbox: its answers, and the requests that it takes, are those of the contract."""

from __future__ import annotations

import json
import random
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from fixtures.learn_api import check_answer, check_request
from gradeway.sandbox.documents import Document, Documents
from gradeway.sandbox.frame import Answer, Call, Refused
from gradeway.sandbox.learn.model import COLLECTIONS, Where, key_of
from gradeway.sandbox.learn.persons import DEEDS
from gradeway.sandbox.learn.service import ROOT, ROUTES, SHAPES, TOKEN, Learn, Route
from gradeway.sandbox.learn.start import load, start
from sandbox.gradebooks import LEARNER

NOON = datetime.fromisoformat("2026-03-03T12:00:00+00:00")
NUMBERS = (0, 1, -1, 5, 49.5, 87.5, 100, 110, 0.00001, 1e-9, 99.0005, 1e11, 1e12, 1e308, 10**40, -0.0)
WORDS = (
    *(
        "",
        "A",
        "B+",
        "-",
        "85",
        "x" * 800,
        "é",
        "\x00",
        "\uff11\uff12",
        "1_0",
        " 1",
        "9" * 30,
        "1e5",
        "Complete",
        "Yes",
        "No",
    ),
    *("2026-01-01T00:00:00Z", "2026-01-01T00:00:00+14:00", "0001-01-01T00:00:00+12:00", "9999-12-31T23:59:59-12:00"),
    *("true", "false", "user", "lessThan", "_1_1", "externalId:x", "id", "displayGrade.text,score", "a..b,,", "200"),
)
MANUAL, NAMES = {"type": "Manual", "anonymousGrading": {"type": "None"}}, ("name", "title", "score", "grading", "id")


class Anybody:
    """Somebody who asks for anything, by dice; objects are mostly those of the course that is named."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._dice = random.Random(seed)
        self._documents = Documents(folder / "learn.db", COLLECTIONS)
        self._documents.run(lambda: load(self._documents, start(), NOON))
        self._site = Learn(self._documents, "k", "s")
        self._authorization = "Basic azpz"
        grant = self._answer("POST", f"{ROOT}{TOKEN}", "grant_type=client_credentials", b"")
        self._authorization = f"Bearer {json.loads(grant.body)['access_token']}"

    def play(self) -> int:
        """Do something that a person does; return the status."""
        course = self._pick("Courses")
        words: Document = {name: self._dice.choice(WORDS) for name in ("name", "text", "user")}
        body = words | {"do": self._dice.choice([*DEEDS]), "course": course["id"], "schema": "Letter"}
        body |= {"column": self._pick("Columns", course)["id"], "score": self._number(), "possible": self._number()}
        body |= {"user": f"userName:{LEARNER}"} if self._dice.random() < 0.8 else {}
        try:
            self._documents.run(lambda: self._site.controls["play"](body, NOON))
        except Refused as refused:
            return refused.status
        return 200

    def ask(self) -> tuple[str, int]:
        """Ask for something, and check what comes; return the operation and the status."""
        route, course = self._dice.choice(ROUTES), self._pick("Courses")
        path = ROOT + "/".join(self._segment(part, course) for part in route.path.split("/"))
        names = [name for name in sorted(route.parameters) if self._dice.random() < 0.15]
        query = urlencode({name: self._dice.choice(WORDS) for name in names})
        body = json.dumps(self._body(route, course)) if route.method in {"POST", "PATCH"} else ""
        answer = self._answer(route.method, path, query, body.encode())
        url = f"http://x{path}?{query}"
        check_answer(route.method, url, answer.status, answer.body)
        if answer.status < 400 and "fields" not in names:  # a field that is not there is no harm
            check_request(route.method, url, body)
        return f"{route.method} {route.path}", answer.status

    def _answer(self, method: str, path: str, query: str, body: bytes) -> Answer:
        headers = {"content-type": "application/json", "authorization": self._authorization}
        call = Call(method, path, path, query, headers, body, "http://x", NOON)
        try:
            return self._documents.run(lambda: self._site.answer(call))[0]
        except Refused as refused:
            return Answer(refused.status, SHAPES["rest"](refused)[1])

    def _pick(self, collection: str, course: Document | None = None) -> Document:
        where = Where('"_course" = ?', (key_of(course["id"]),)) if course else Where()
        found = self._documents.find(collection, where)
        return self._dice.choice(found) if found else {"id": "_1_1"}

    def _segment(self, part: str, course: Document) -> str:
        kinds = {"{column}": "Columns", "{schema}": "Schemas", "{content}": "Contents"}
        if part == "{course}":
            return str(course["id"])
        if part == "{user}":
            return self._dice.choice([f"userName:{LEARNER}", self._pick("Users")["id"]])
        if part == "{attempt}":
            return str(self._pick("Attempts")["id"])
        if part not in kinds:
            return part
        odd = quote(self._dice.choice(["finalGrade", "root", "externalId:x"]))
        return str(self._pick(kinds[part], course)["id"]) if self._dice.random() < 0.9 else odd

    def _number(self) -> Any:  # noqa: ANN401  (JSON)
        return self._dice.choice(NUMBERS)

    def _body(self, route: Route, course: Document) -> object:
        word, number, schema = self._dice.choice(WORDS), self._number(), self._pick("Schemas", course)["id"]
        folder = {"title": "F", "contentHandler": {"id": "resource/x-bb-folder"}, "position": number}
        sensible: dict[str, list[object]] = {
            "{user}": [{"score": number}, {"text": word}, {"notes": word, "exempt": True}, {"score": None}],
            "columns": [{"name": "n", "externalId": word, "grading": MANUAL | {"schemaId": schema}}],
            "{column}": [{"score": {"possible": number}, "grading": {"schemaId": schema}}, {"externalGrade": True}],
            "{schema}": [{"title": word}, {"symbols": self._symbols()}],
            "schemas": [{"title": "S", "externalId": word, "symbols": self._symbols()}],
            "contents": [folder, folder | {"parentId": self._pick("Contents", course)["id"]}],
            "children": [folder],
            "{content}": [{"position": 1}, {"title": word, "parentId": self._pick("Contents", course)["id"]}],
            "createAssignment": [
                {"title": "t", "parentId": self._pick("Contents", course)["id"], "grading": {"gradeSchemaId": schema}},
                {"title": "t", "score": {"possible": number}, "grading": {"attemptsAllowed": number, "due": word}},
            ],
        }
        senseless = {self._dice.choice(NAMES): self._dice.choice([word, number, None, [], {word: number}])}
        return self._dice.choice(sensible[route.path.rpartition("/")[2]] * 3 + [senseless, [senseless], word])

    def _symbols(self) -> list[Document]:
        edge, value = self._dice.choice([0.001, 49.5, 50]), self._dice.choice(NUMBERS)
        return [
            {"text": "P", "lowerBound": edge, "upperBound": 100, "absoluteValue": value},
            {"text": "F", "lowerBound": 0, "upperBound": edge, "absoluteValue": 1},
        ]


@pytest.fixture
def contract() -> None:
    """Nothing goes over the network here."""


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_anything_gets_an_answer_of_the_contract(seed: int, tmp_path: Path) -> None:
    anybody, statuses = Anybody(tmp_path, seed), {}
    for number in range(2500):
        if number % 5 == 0:
            assert anybody.play() < 500
        else:
            name, status = anybody.ask()
            assert status != 500
            statuses.setdefault(name, set()).add(status)
    succeeded = {name for name, found in statuses.items() if min(found) < 300}
    # an attempt is to be found by a lucky throw only
    assert {f"{route.method} {route.path}" for route in ROUTES} - succeeded <= {
        "GET v2/courses/{course}/gradebook/columns/{column}/attempts/{attempt}"
    }
