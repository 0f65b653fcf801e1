"""The contract of Learn's API itself: that it finds what is wrong, and lets pass what is right."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator

from fixtures.learn_api import API, Contract, ContractError, check_answer, check_request
from fixtures.sandboxes import Site

ROOT = "https://learn.example.org/learn/api/public/"
COURSE, COLUMN = f"{ROOT}v3/courses/courseId:A%201", f"{ROOT}v2/courses/_1_1/gradebook/columns"
GRADE = f"{COLUMN}/externalId:x/users/userName:u"
NEW_COLUMN: dict[str, Any] = {"name": "n", "grading": {"type": "Manual", "anonymousGrading": {"type": "None"}}}
ERROR = {"status": 404, "message": "m"}


def body(document: object) -> str:
    return json.dumps(document)


def test_the_contract_is_a_schema_whose_names_all_lead_somewhere() -> None:
    for name, schema in {**API["parameters"], **API["$defs"]}.items():
        Draft202012Validator.check_schema(schema)
        assert name
    definitions = set(API["$defs"])
    for operation in API["operations"].values():
        names = {operation.get("body", ""), *operation["answers"].values()}
        assert {name.removesuffix("[]") for name in names} - {""} <= definitions
        assert set(operation.get("query", "").split()) <= API["parameters"].keys()


RIGHT: list[tuple[str, str, object]] = [
    ("GET", COURSE, None),
    ("GET", f"{COURSE}?fields=id,availability.available", None),
    ("GET", f"{COLUMN}?offset=100&limit=100&name=a%26b&fields=grading.schemaId", None),
    ("GET", f"{COLUMN}/finalGrade/users?changeIndex=7&includeDisabledMemberships=true", None),
    ("GET", f"{COLUMN}/_1_1/users/lastChanged", None),
    ("GET", f"{ROOT}v1/courses/_1_1/gradebook/schemas?fields=symbols.text", None),
    ("GET", f"{ROOT}v1/courses/_1_1/users?expand=user&fields=user.userName", None),
    ("POST", COLUMN, NEW_COLUMN),
    ("PATCH", GRADE, {"score": 87.5}),
    ("PATCH", GRADE, {"score": None, "notes": None}),
    ("DELETE", f"{COLUMN}/_1_1", None),
    ("DELETE", f"{ROOT}v1/courses/_1_1/contents/_2_1?deleteGrades=false", None),
    ("POST", f"{ROOT}v1/courses/_1_1/contents/createAssignment", {"title": "t", "score": {"possible": 10}}),
]


@pytest.mark.parametrize(("method", "url", "content"), RIGHT)
def test_a_right_request_passes(method: str, url: str, content: object) -> None:
    check_request(method, url, None if content is None else body(content))


def test_a_token_is_asked_for_by_a_form() -> None:
    check_request("POST", f"{ROOT}v1/oauth2/token", "grant_type=client_credentials")
    check_request("POST", f"{ROOT}v1/oauth2/token?grant_type=client_credentials")
    with pytest.raises(ContractError, match="password"):
        check_request("POST", f"{ROOT}v1/oauth2/token", "grant_type=client_credentials&password=x")


# Method, URL and body of a request, and what is said of it.
WRONG: list[tuple[str, str, object, str]] = [
    ("GET", f"{ROOT}v1/courses/_1_1", None, "no such operation"),
    ("GET", f"{ROOT}v1/courses/_1_1/gradebook/columns", None, "no such operation"),
    ("PUT", COURSE, None, "no such operation"),
    ("GET", "https://learn.example.org/v3/courses/_1_1", None, "no such operation"),
    ("GET", f"{ROOT}v3/courses/A1", None, "courseId"),
    ("GET", f"{ROOT}v3/courses/userName:A1", None, "courseId"),
    ("GET", f"{COLUMN}/Total", None, "columnId"),
    ("GET", f"{COLUMN}/_1_1/users/u", None, "userId"),
    ("GET", f"{COURSE}?expand=user", None, "no parameter expand"),
    ("GET", f"{COLUMN}?limit=all", None, "limit"),
    ("GET", f"{COLUMN}?limit=0", None, "limit"),
    ("GET", f"{COLUMN}?offset=-1", None, "offset"),
    ("GET", f"{COLUMN}?created=2026-01-01", None, "created"),
    ("GET", f"{COLUMN}?fields=id,grade", None, "no field grade"),
    ("GET", f"{COLUMN}?fields=grading.schema", None, "no field grading.schema"),
    ("GET", f"{COLUMN}/_1_1/users?includeDisabledMemberships=1", None, "includeDisabledMemberships"),
    ("GET", COURSE, {}, "no body"),
    ("POST", COLUMN, None, "not JSON"),
    ("POST", COLUMN, [], "is not of type"),
    ("POST", COLUMN, {"name": "n"}, "grading"),
    ("POST", COLUMN, NEW_COLUMN | {"grading": {"type": "Manual"}}, "anonymousGrading"),
    ("POST", COLUMN, NEW_COLUMN | {"grading": NEW_COLUMN["grading"] | {"type": "manual"}}, "grading.type"),
    ("POST", COLUMN, NEW_COLUMN | {"colour": "red"}, "colour"),
    ("POST", COLUMN, NEW_COLUMN | {"id": "_1_1"}, "id"),
    ("POST", COLUMN, NEW_COLUMN | {"score": {"possible": "10"}}, "score.possible"),
    ("POST", COLUMN, NEW_COLUMN | {"score": {"points": 10}}, "points"),
    ("PATCH", f"{COLUMN}/_1_1", {"grading": {"type": "Manual"}}, "grading: .*type"),
    ("PATCH", f"{COLUMN}/_1_1", {"grading": {"due": "2026-01-31"}}, "grading.due"),
    ("PATCH", GRADE, {"score": "87.5"}, "score"),
    ("PATCH", GRADE, {"score": True}, "score"),
    ("PATCH", GRADE, {"displayGrade": {"score": 1}}, "displayGrade"),
    ("PATCH", GRADE, {"changeIndex": 1}, "changeIndex"),
    ("DELETE", GRADE, None, "no such operation"),
    ("POST", f"{ROOT}v1/courses/_1_1/contents/createAssignment", {"parentId": "_1_1"}, "title"),
    ("POST", f"{ROOT}v1/courses/_1_1/gradebook/schemas", {"title": "t", "symbols": [{"text": "A"}]}, "symbols.0"),
    ("PATCH", f"{ROOT}v1/courses/_1_1/gradebook/schemas/_1_1", {"scaleType": "Tabular"}, "scaleType"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "url", "content", "what"), WRONG)
def test_a_wrong_request_is_found(method: str, url: str, content: object, what: str) -> None:
    with pytest.raises(ContractError, match=what):
        check_request(method, url, None if content is None else body(content))


@pytest.mark.parametrize(
    ("method", "url", "status", "content"),
    [
        ("GET", COURSE, 200, {"id": "_1_1", "ultraStatus": "Ultrapreview"}),
        ("GET", COURSE, 404, ERROR),
        ("GET", COURSE, 404, ERROR | {"status": "404", "code": "c", "developerMessage": "", "extraInfo": ""}),
        ("GET", COURSE, 429, ERROR),
        ("GET", COURSE, 503, ERROR),
        ("GET", COLUMN, 200, {"results": [{"id": "_1_1"}], "paging": {"nextPage": "/learn/api/public/v2/x?offset=1"}}),
        ("POST", COLUMN, 201, {"id": "_1_1", "score": {"possible": 10.5}}),
        ("POST", COLUMN, 409, ERROR),
        ("DELETE", f"{COLUMN}/_1_1", 204, None),
        ("PATCH", GRADE, 200, {"userId": "_1_1", "columnId": "_2_1", "score": 5, "changeIndex": 0}),
        ("POST", f"{ROOT}v1/oauth2/token", 200, {"access_token": "x", "expires_in": 3600}),
        ("POST", f"{ROOT}v1/oauth2/token", 401, {"error": "invalid_client", "error_description": "d"}),
    ],
)
def test_a_right_answer_passes(method: str, url: str, status: int, content: object) -> None:
    check_answer(method, url, status, None if content is None else body(content))


@pytest.mark.parametrize(
    ("method", "url", "status", "content", "what"),
    [
        ("GET", COURSE, 200, ERROR, "Additional properties"),
        ("GET", COURSE, 200, {"id": "1"}, "id"),
        ("GET", COURSE, 200, {"ultraStatus": "UltraPreview"}, "ultraStatus"),
        ("GET", COURSE, 200, {"created": "2026-01-01"}, "created"),
        ("GET", COURSE, 200, None, "not JSON"),
        ("GET", COURSE, 201, {"id": "_1_1"}, "no such status"),
        ("GET", COURSE, 409, ERROR, "no such status"),
        ("GET", COURSE, 404, {"status": 404}, "message"),
        ("GET", COURSE, 404, ERROR | {"error": "x"}, "error"),
        ("GET", COLUMN, 200, [], "is not of type"),
        ("GET", COLUMN, 200, {"results": [{"id": "_1_1", "colour": "red"}]}, "results.0"),
        ("GET", COLUMN, 200, {"results": [], "paging": {"nextPage": "https://x/learn/api/public/v2/"}}, "nextPage"),
        ("GET", COLUMN, 200, {"results": [{"score": {"possible": "10"}}]}, "results.0.score.possible"),
        ("PATCH", GRADE, 200, {"displayGrade": {"scaleType": "CompleteIncomplete"}}, "displayGrade.scaleType"),
        ("PATCH", GRADE, 200, {"changeIndex": "1"}, "changeIndex"),
        ("DELETE", f"{COLUMN}/_1_1", 204, {}, "no body"),
        ("POST", f"{ROOT}v1/oauth2/token", 401, ERROR, "'message', 'status' were unexpected"),
        ("POST", f"{ROOT}v1/oauth2/token", 200, {"access_token": "x"}, "expires_in"),
    ],
)
def test_a_wrong_answer_is_found(method: str, url: str, status: int, content: object, what: str) -> None:
    with pytest.raises(ContractError, match=what):
        check_answer(method, url, status, None if content is None else body(content))


def test_a_watcher_sees_every_thread_and_what_was_wrong(learn_sandbox: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(path: str, **options: Any) -> None:  # noqa: ANN401
        learn_sandbox.call("GET", path, **options)

    with ExitStack() as stack:
        contract = stack.enter_context(Contract().watching(monkeypatch))
        ask("v3/courses/courseId:ANA101")
        learn_sandbox.act("clock", method="GET")
        worker = threading.Thread(target=ask, args=("v3/courses/courseId:ANA101?limit=1",))
        worker.start()
        worker.join()
        with contract.paused():
            ask("v3/courses/ANA101")
        with pytest.raises(AssertionError):
            stack.close()
    [problem] = contract.problems
    assert "there is no parameter limit" in problem
    assert contract.seen == 2


def test_a_watcher_of_a_sandbox_minds_only_the_requests_that_it_took(
    learn_sandbox: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Contract(accepted_only=True).watching(monkeypatch) as contract:
        learn_sandbox.message("GET", "v3/courses/courseId:ANA101?limit=1", 400)
        assert contract.problems == []


@pytest.mark.usefixtures("learn_contract")
def test_the_fixture_lets_a_right_conversation_pass(learn_sandbox: Site) -> None:
    with requests.Session() as session:
        session.headers.update(learn_sandbox.session.headers)
        assert session.get(f"{learn_sandbox.url}v3/courses/courseId:ANA101", timeout=5, stream=True).json()["id"]
