"""`gradeway vendors check` on Blackboard Learn: does the site take us, and may we change the gradebook of a course."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fixtures.scripted_server import PASSWORD, Reply, Script
from gradeway.cli import main
from gradeway.vendors import learn as module
from gradeway.vendors import transport
from gradeway.vendors.pace import Manners
from vendors.conftest import TOKEN
from vendors.learn_site import API, SEEN_COLUMN, SEEN_MEMBER, SEEN_SCHEMA, results

Check = Callable[..., Result]
VARIABLE = "AIRFLOW_CONN_GRADEWAY_LEARN"
LEFT = {"X-Rate-Limit-Limit": "10000", "X-Rate-Limit-Remaining": "321"}
VERSION = Reply(body={"learn": {"major": 3900, "minor": 123, "patch": 0}}, headers=LEFT)
SEEN_COURSE = {"id": "_1_1", "courseId": "BIO", "externalId": "BIO-101", "ultraStatus": "Classic"}
COURSE, COLUMNS = Reply(body=SEEN_COURSE), Reply(body=results(SEEN_COLUMN))
SCHEMAS, MEMBERS = Reply(body=results(SEEN_SCHEMA)), Reply(body=results(SEEN_MEMBER))
GOOD = (TOKEN, VERSION, COURSE, COLUMNS, SCHEMAS, MEMBERS)


@pytest.fixture
def check(script: Script, manners: Manners, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Run the check on the scripted site."""
    monkeypatch.setattr(transport, "Manners", lambda **_: manners)
    monkeypatch.setattr(module, "Manners", lambda **_: manners)
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*arguments: str, host: str = "", **changed: object) -> Result:
        fields = {"conn_type": "http", "host": host or script.url, "login": "key-Zebra", "password": PASSWORD}
        monkeypatch.setenv(VARIABLE, json.dumps(fields | changed))
        return CliRunner().invoke(main, ["vendors", "check", *arguments])

    return run


def found(result: Result) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_a_right_connection_is_well(script: Script, check: Check) -> None:
    script.say(TOKEN, VERSION, TOKEN, VERSION)
    result = check("--format", "json")
    assert result.exit_code == 0, result.output
    told = found(result)
    assert (told["ok"], told["problems"], told["connection"], told["assessmentq"]) == (True, [], None, None)
    learn = told["learn"]
    assert (learn["ok"], learn["version"], learn["left"], learn["quota"]) == (True, "3900.123.0", 321, 10_000)
    assert (learn["url"], learn["course"]) == (f"{script.url}{API}", None)
    text = check().stdout
    for part in ("gradeway_learn", "3900.123.0", "321 of 10,000", "All is well"):
        assert part in text
    assert script.methods() == ["POST", "GET"] * 2


def test_what_the_site_does_not_tell_is_told(script: Script, check: Check) -> None:
    script.say(TOKEN, Reply(404))
    result = check()
    assert result.exit_code == 0, result.output
    assert result.stdout.count("not told") == 2


@pytest.mark.parametrize(("status", "view"), [("Classic", "Classic"), ("Ultra", "Ultra")])
def test_a_course_whose_gradebook_may_be_changed(script: Script, check: Check, status: str, view: str) -> None:
    course = Reply(body=SEEN_COURSE | {"ultraStatus": status, "parentId": "_8_1"})
    replies = (*GOOD[:2], course, *GOOD[3:])
    script.say(*replies, *replies)
    result = check("--course", "BIO-101", "--format", "json")
    assert result.exit_code == 0, result.output
    told = found(result)["learn"]["course"]
    assert (told["course_id"], told["is_ultra"], told["parent_id"]) == ("BIO", status == "Ultra", "_8_1")
    assert (told["may_modify"], told["columns"]) == (True, 1)
    assert script.asked[2].path == f"{API}v3/courses/externalId:BIO-101"
    assert set(script.methods()[1:]) == {"GET"}
    text = check("--course", "courseId:BIO").stdout
    for part in (f"BIO (_1_1), {view}", "may be changed, 1 column", "under _8_1"):
        assert part in text


NO_TITLE = Reply(body=results(SEEN_SCHEMA, {"id": "_4_1", "scaleType": "Score"}))
NO_LOGIN = Reply(body=results(SEEN_MEMBER | {"user": {}}))
COMPLETE = Reply(body=SEEN_COURSE | {"closedComplete": True})


@pytest.mark.parametrize(
    ("replies", "remedy"),
    [
        ((Reply(401, {"error": "invalid_client"}),), "the key and the secret of an application"),
        ((Reply(400, {"error": "invalid_client"}),), "the key and the secret of an application"),
        ((Reply(404, "<html>"),), "see that the host is that of the site"),
        ((Reply(302, headers={"Location": "/x"}),), "see that the host is that of the site"),
        ((Reply(503),) * 4, "try again later"),
        ((Reply(200, "<html>"),), "nothing stands between"),
        ((TOKEN, Reply(401), TOKEN, Reply(401)), "the key and the secret of an application"),
        ((*GOOD[:2], Reply(404)), "courseId:"),
        ((*GOOD[:2], Reply(403)), "the right to see courses"),
        ((*GOOD[:2], COMPLETE, *GOOD[3:]), "open it in Learn again"),
        ((*GOOD[:3], Reply(403), MEMBERS), "course.gradebook.MODIFY"),
        ((*GOOD[:4], Reply(403), MEMBERS), "course.gradebook.MODIFY"),
        ((*GOOD[:4], NO_TITLE, MEMBERS), "course.gradebook.MODIFY"),
        ((*GOOD[:5], Reply(403)), "course.user.VIEW"),
        ((*GOOD[:5], NO_LOGIN), "system.courseuserlist.VIEW"),
    ],
)
def test_what_to_correct_is_told(script: Script, check: Check, replies: tuple[Reply, ...], remedy: str) -> None:
    script.say(*replies)
    result = check("--course", "BIO-101", "--format", "json")
    assert result.exit_code == 1, result.output
    (problem,) = found(result)["problems"]
    assert problem["connection"] == "gradeway_learn"
    assert remedy in problem["remedy"]
    assert found(result)["learn"]["ok"] is False
    assert script.replies == []
    script.say(*replies)
    text = check("--course", "BIO-101").output
    assert remedy in text.replace("\n", " ")
    for secret in (PASSWORD, "Zebra"):
        assert secret not in result.output + text


def test_a_gradebook_that_may_only_be_read_is_told_as_such(script: Script, check: Check) -> None:
    script.say(*GOOD[:4], NO_TITLE, MEMBERS)
    assert "may not be changed, 1 column" in check("--course", "BIO-101").stdout


def test_a_site_that_is_away_is_told(check: Check) -> None:
    result = check("--format", "json", host="http://127.0.0.1:1")
    assert result.exit_code == 1
    assert "host and port" in found(result)["problems"][0]["remedy"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"login": ""}, "login"), ({"extra": {"reserve": "x"}}, "reserve"), ({"host": "http://example.org"}, "schema")],
)
def test_a_connection_that_is_wrong_names_the_field(
    script: Script, check: Check, changed: dict[str, object], field: str
) -> None:
    result = check("--format", "json", **changed)
    assert result.exit_code == 1
    (problem,) = found(result)["problems"]
    assert f"the {field} is missing or wrong" in problem["remedy"]
    assert script.asked == []


def test_a_course_needs_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    result = CliRunner().invoke(main, ["vendors", "check", "--course", "BIO-101"])
    assert result.exit_code == 1
    assert VARIABLE in result.stdout.replace("\n", "")


def test_the_reserve_is_no_hindrance_to_a_person(script: Script, check: Check) -> None:
    spent = {"X-Rate-Limit-Limit": "10000", "X-Rate-Limit-Remaining": "3"}
    script.say(Reply(body=TOKEN.body, headers=spent), *GOOD[1:])
    assert check("--course", "BIO-101").exit_code == 0
