"""Learn's access: one token for an hour, what an account may do, and the IDs by which things are named."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from fixtures.learn_api import Contract
from fixtures.sandboxes import Site, running_site
from gradeway.sandbox.learn.access import ENTITLEMENTS
from gradeway.sandbox.learn.start import courses
from sandbox.gradebooks import CLASSIC, LEARNER, MANUAL, Book

NOON = datetime.fromisoformat("2031-03-03T12:00:00+00:00")
COURSE = f"v3/courses/courseId:{CLASSIC}"


def at(site: Site, seconds: float) -> None:
    site.act("clock", {"now": (NOON + timedelta(seconds=seconds)).isoformat()})


def test_a_token_is_good_for_an_hour_and_asked_again_the_same_with_what_is_left(learn_sandbox: Site) -> None:
    site = learn_sandbox
    at(site, 0)
    first = site.token()
    assert (first["token_type"], first["expires_in"], first["scope"]) == ("bearer", 3600, "*")
    at(site, 3539.5)
    assert site.token() == first | {"expires_in": 61}
    site.kill()
    site.start()
    at(site, 3599)
    assert site.token() == first | {"expires_in": 1}
    site.session.headers["Authorization"] = f"Bearer {first['access_token']}"
    site.ask("GET", COURSE)
    at(site, 3600)
    assert site.message("GET", COURSE, 401) == "API request is not authenticated."
    second = site.token()
    assert second["access_token"] != first["access_token"]
    assert second["expires_in"] == 3600


@pytest.mark.parametrize("header", [None, "Bearer nonsense", "Bearer", "Basic c2FuZGJveDpzYW5kYm94"])
def test_without_a_living_token_nothing_is_answered(header: str | None, site: Site, contract: Contract) -> None:
    for method, path in (("GET", COURSE), ("PATCH", COURSE), ("GET", "v9/nothing")):
        with contract.paused():
            answer = requests.request(method, site.url + path, headers={"Authorization": header}, timeout=5)
        assert (answer.status_code, answer.json()["status"]) == (401, 401)


def test_the_version_is_told_to_anybody(site: Site) -> None:
    told = requests.get(f"{site.url}v1/system/version", timeout=5).json()
    assert [told["learn"][name] for name in ("major", "minor", "patch")] == [3900, 123, 0]


@pytest.mark.parametrize(
    ("options", "status", "error"),
    [
        ({"auth": ("sandbox", "wrong")}, 401, "invalid_client"),
        ({"auth": ("wrong", "sandbox")}, 401, "invalid_client"),
        ({"auth": None}, 401, "invalid_client"),
        ({"auth": None, "headers": {"Authorization": "Basic %%%"}}, 401, "invalid_client"),
        ({"data": None}, 400, "invalid_request"),
        ({"data": {"grant_type": "password"}}, 400, "unsupported_grant_type"),
    ],
)
def test_the_token_endpoint_has_errors_of_its_own_shape(
    options: dict[str, Any], status: int, error: str, site: Site
) -> None:
    refused = site.token(status, **options)
    assert refused["error"] == error
    assert refused["error_description"]
    assert refused.keys() == {"error", "error_description"}


def test_the_kind_of_grant_may_stand_in_the_query(site: Site) -> None:
    assert site.token(data=None, params={"grant_type": "client_credentials"})["access_token"]


def test_key_and_secret_can_be_chosen(tmp_path: Path) -> None:
    with running_site(tmp_path) as site:
        site.stop()
        site.arguments, site.login = ("--key", "k1", "--secret", "s:1"), ("k1", "s:1")
        site.start()
        assert site.token(401, auth=("sandbox", "sandbox"))["error"] == "invalid_client"
        site.ask("GET", COURSE)


SEED = {
    "Accounts": [{"entitlements": list(ENTITLEMENTS)}],
    "Courses": [
        {"courseId": "B/1 & 2", "externalId": "b=1:x ü", "entitlements": []},
        {"courseId": "D1", "availability": {"available": "Disabled"}},
        {"courseId": "E1", "closedComplete": True},
    ],
    "Users": [{"userName": "a+b@c", "externalId": "x/y", "studentId": "00 7"}, {"userName": "plain"}],
    "Memberships": [{"courseId": course, "userName": "a+b@c"} for course in ("B/1 & 2", "E1")],
}


@pytest.fixture(scope="module")
def odd_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("odd"), SEED) as site:
        yield site


def test_things_are_named_by_any_of_their_ids_percent_encoded(odd_site: Site) -> None:
    whole = odd_site.ask("GET", f"v3/courses/courseId:{quote('E1')}")
    assert odd_site.ask("GET", f"v2/courses/{whole['id']}") == whole
    assert odd_site.ask("GET", f"v3/courses/uuid:{whole['uuid']}") == whole
    for kind, text in (("courseId", "B/1 & 2"), ("externalId", "b=1:x ü")):
        assert odd_site.ask("GET", f"v3/courses/{kind}:{quote(text, safe='')}")["courseId"] == "B/1 & 2"
    user = odd_site.ask("GET", "v1/users/userName:a%2Bb%40c")
    for text in (user["id"], "externalId:x%2Fy", "studentId:00%207", f"uuid:{user['uuid']}"):
        assert odd_site.ask("GET", f"v1/users/{text}") == user
    assert odd_site.ask("GET", "v1/users/userName:plain")["externalId"] == "plain"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("v3/courses/E1", 400),
        ("v3/courses/name:E1", 400),
        ("v3/courses/courseId:e1", 404),
        ("v3/courses/_999_1", 404),
        ("v3/courses/userName:plain", 400),
        ("v1/users/plain", 400),
        ("v1/users/email:a@b", 400),
        ("v1/users/_1_1", 404),
        ("v2/courses/courseId:E1/gradebook/columns/Total", 400),
        ("v2/courses/courseId:E1/gradebook/columns/externalId:", 404),
        ("v1/courses/courseId:E1/gradebook/schemas/Letter", 400),
        ("v1/courses/courseId:E1/contents/_1_2", 400),
    ],
)
def test_what_is_no_id_is_wrong_and_what_is_nobodys_is_not_found(path: str, status: int, odd_site: Site) -> None:
    assert odd_site.message("GET", path, status)


def test_an_id_of_one_kind_is_none_of_another(odd_site: Site) -> None:
    kinds = {
        "Courses": odd_site.ask("GET", "v3/courses/courseId:E1")["id"],
        "Users": odd_site.ask("GET", "v1/users/userName:plain")["id"],
        "Schemas": odd_site.every("v1/courses/courseId:E1/gradebook/schemas")[0]["id"],
        "Columns": odd_site.every("v2/courses/courseId:E1/gradebook/columns")[0]["id"],
    }
    for kind, path in (("Courses", "v3/courses/"), ("Users", "v1/users/")):
        for other, number in kinds.items():
            assert odd_site.call("GET", path + number).status_code == (200 if other == kind else 404)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "v1/courses/courseId:E1", 404),
        ("GET", "v2/courses/courseId:E1/gradebook", 404),
        ("GET", "v1/courses/courseId:E1/gradebook/columns", 404),
        ("DELETE", "v3/courses/courseId:E1", 405),
        ("GET", "v1/oauth2/token", 405),
        ("PUT", "v1/courses/courseId:E1/users/userName:plain", 405),
    ],
)
def test_what_is_not_part_of_it(method: str, path: str, status: int, odd_site: Site, contract: Contract) -> None:
    with contract.paused():
        answer = odd_site.call(method, path)
    assert answer.status_code == status
    assert ("Allow" in answer.headers) == (status == 405)
    assert answer.json()["message"]


@pytest.mark.parametrize(
    ("query", "status"), [("nonsense=1", 400), ("Fields=id", 400), ("includePermissions=true", 501), ("limit=x", 400)]
)
def test_unknown_parameters_are_refused(query: str, status: int, odd_site: Site) -> None:
    assert odd_site.message("GET", f"v1/courses/courseId:E1/users?{query}", status)


def test_a_disabled_course_is_seen_with_an_entitlement_only(tmp_path: Path, odd_site: Site) -> None:
    assert odd_site.ask("GET", "v3/courses/courseId:D1")["availability"]["available"] == "Disabled"
    seed = SEED | {"Accounts": [{"entitlements": [name for name in ENTITLEMENTS if name != "system.course.VIEW"]}]}
    with running_site(tmp_path, seed) as site:
        site.ask("GET", "v3/courses/courseId:D1", status=404)
        site.ask("GET", "v3/courses/courseId:E1")


def test_nothing_is_changed_in_a_course_that_is_complete(odd_site: Site) -> None:
    book = Book(odd_site, "E1")
    book.column(status=403)
    total = f"{book.path}/columns/finalGrade"
    odd_site.ask("PATCH", total, {"name": "x"}, 403)
    odd_site.ask("DELETE", total, status=403)
    odd_site.ask("PATCH", f"{total}/users/userName:a%2Bb%40c", {"score": 1}, 403)
    odd_site.ask("POST", book.contents, {"title": "x", "contentHandler": {"id": "resource/x-bb-folder"}}, 403)
    odd_site.ask("PATCH", f"{book.schemas}/{book.schema('Letter')}", {"title": "x"}, 403)
    odd_site.ask("DELETE", f"{book.schemas}/{book.schema('Letter')}", status=403)


BOOK, FOLDER = "course.gradebook.MODIFY", {"title": "F", "contentHandler": {"id": "resource/x-bb-folder"}}
DISABLED = {BOOK, "course.gradebook-grades.VIEW", "course.gradebook-grades.EXECUTE"}
ULTRA = {BOOK, "course.content.CREATE", "course.assessment.CREATE", "course.content.assessment.deploy.EXECUTE"}
COLUMN = "v2/courses/C/gradebook/columns/finalGrade"
# What is asked of a course C, and the sets of entitlements of which each is just enough for it.
NEEDED: list[tuple[str, str, object, list[set[str]]]] = [
    ("GET", "v1/courses/C/users", None, [{"course.user.VIEW"}, {"system.courseuserlist.VIEW"}]),
    ("GET", "v1/courses/C/users/userName:u", None, [{"course.user.VIEW"}, {"system.user.course.enrollment.VIEW"}]),
    ("GET", "v1/courses/C/users/studentId:7", None, [{"course.user.VIEW", "system.user.properties.MODIFY"}]),
    ("GET", "v1/courses/C/contents", None, [{"course.content.MODIFY"}, {"course.content.DELETE"}]),
    ("POST", "v1/courses/C/contents", FOLDER, [{"course.content.CREATE"}]),
    ("GET", "v1/courses/C/gradebook/schemas", None, [{BOOK}, {"course.user.grades.VIEW"}]),
    ("GET", "v1/courses/C/gradebook/gradeNotations", None, [{BOOK}]),
    ("GET", "v2/courses/C/gradebook/columns", None, [{BOOK}]),
    ("POST", "v2/courses/C/gradebook/columns", {"name": "N", "grading": MANUAL}, [{BOOK}]),
    ("GET", COLUMN, None, [{BOOK}]),
    ("GET", f"{COLUMN}/attempts", None, [{BOOK}]),
    ("GET", f"{COLUMN}/users", None, [{BOOK}]),
    ("GET", f"{COLUMN}/users?includeDisabledMemberships=true", None, [DISABLED]),
    ("GET", f"{COLUMN}/users/lastChanged", None, [{BOOK}]),
    ("GET", f"{COLUMN}/users/userName:u", None, [{BOOK}]),
    ("GET", "v2/courses/C/gradebook/users/userName:u", None, [{BOOK}]),
    ("POST", "v1/courses/C/contents/createAssignment", {"title": "A"}, [ULTRA]),
    (
        "POST",
        "v1/courses/C/contents/createAssignment?fields=contentId",
        {"title": "A", "instructions": "Do it."},
        [ULTRA | {"course.assessment.MODIFY"}],
    ),
]
CASES = [
    (method, path, body, needed, missing)
    for method, path, body, sets in NEEDED
    for needed in sets
    for missing in ("", *sorted(needed))
]


@pytest.fixture(scope="module")
def barred_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with a course for each case, in which the account may do just what the case says."""
    kinds = {f"C{number}": "Ultra" for number in range(len(CASES))}
    seed = courses(kinds, {course: ["u"] for course in kinds})
    seed["Users"][0]["studentId"] = "7"
    for course, (*_, needed, missing) in zip(seed["Courses"], CASES, strict=True):
        course["entitlements"] = sorted(needed - {missing})
    with running_site(tmp_path_factory.mktemp("barred"), seed) as site:
        yield site


@pytest.mark.parametrize("number", range(len(CASES)))
def test_each_operation_needs_its_entitlements(number: int, barred_site: Site) -> None:
    method, path, body, _, missing = CASES[number]
    status = 403 if missing else 201 if method == "POST" else 200
    answer = barred_site.ask(method, path.replace("/C/", f"/courseId:C{number}/"), body, status)
    assert missing in answer.get("message", "")


def test_entitlements_of_a_course_stand_for_those_of_the_account(odd_site: Site) -> None:
    barred = f"v2/courses/courseId:{quote('B/1 & 2', safe='')}/gradebook/columns"
    assert "course.gradebook.MODIFY" in odd_site.message("GET", barred, 403)
    odd_site.ask("GET", "v2/courses/courseId:E1/gradebook/columns")


def test_who_may_see_little_sees_little(tmp_path: Path) -> None:
    seed = SEED | {"Accounts": [{"entitlements": ["user.VIEW", "course.user.VIEW", "course.user.grades.VIEW"]}]}
    with running_site(tmp_path, seed) as site:
        course = site.ask("GET", "v3/courses/courseId:E1")
        assert course.keys() == {"id", "courseId", "name", "organization", "closedComplete", "availability"}
        user = site.ask("GET", "v1/users/userName:plain")
        site.message("GET", "v1/users/studentId:00%207", 403)
        assert user.keys() == {"id", "userName", "name", "systemRoleIds"}
        [member] = site.every("v1/courses/courseId:E1/users?expand=user")
        assert not {"externalId", "dataSourceId"} & (member.keys() | member["user"].keys())
        assert member["user"]["userName"] == "a+b@c"
        for schema in site.every("v1/courses/courseId:E1/gradebook/schemas"):
            assert schema.keys() == {"id", "scaleType"}


@pytest.mark.parametrize(
    "body", ["{", "[1]", '"x"', "null", '{"score": NaN}', '{"text": "\\ud800"}', '{"score": 1e400}']
)
def test_what_is_no_body_is_refused(body: str, site: Site) -> None:
    url = site.url + Book(site).url(Book(site).column())
    headers = {**site.session.headers, "Content-Type": "application/json"}
    answer = requests.patch(url, data=body, headers=headers, timeout=5)
    assert answer.status_code == 400, answer.text
    assert requests.patch(url, data="score=1", headers=site.session.headers, timeout=5).status_code == 415


def test_fields_leave_just_what_they_name(site: Site) -> None:
    book = Book(site)
    column = book.column("Letter", description="d")
    path = f"{book.path}/columns/{column['id']}"
    assert site.ask("GET", f"{path}?fields=id,score.possible,grading") == {
        "id": column["id"],
        "score": {"possible": 100},
        "grading": column["grading"],
    }
    book.patch(column, score=91)
    [grade] = book.grades(column, "?fields=userId,displayGrade.text,displayGrade.score")
    assert grade.keys() == {"userId", "displayGrade"}
    assert grade["displayGrade"] == {"text": "A-", "score": 91}
    schemas = site.every(f"{book.schemas}?fields=symbols.text")
    assert {tuple(symbol) for found in schemas for symbol in found.get("symbols", [])} == {("text",)}
    member = site.ask("GET", f"v1/courses/courseId:{CLASSIC}/users/userName:{LEARNER}?expand=user&fields=user.userName")
    assert member == {"user": {"userName": LEARNER}}
    assert site.ask("PATCH", f"{path}?fields=name", {"description": None}) == {"name": column["name"]}
