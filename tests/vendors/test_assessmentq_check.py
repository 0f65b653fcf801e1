"""`gradeway vendors check` on an assessmentQ: which field of the profile to correct."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fixtures.scripted_server import PASSWORD, Reply, Script
from gradeway.cli import main
from gradeway.vendors import transport
from gradeway.vendors.transport import Manners
from vendors.profiles import DROPPED, profile
from vendors.test_assessmentq_client import EXPECTED, RESULT

Check = Callable[..., Result]
VARIABLE = "AIRFLOW_CONN_GRADEWAY_ASSESSMENTQ"
EMPTY, RESULTS, SITTINGS = Reply(body={"value": []}), Reply(body={"value": [RESULT]}), Reply(body={"value": [EXPECTED]})
GOOD = (EMPTY, RESULTS, EMPTY, SITTINGS)


@pytest.fixture
def check(script: Script, manners: Manners, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Run the check with a changed profile of the sandbox."""
    monkeypatch.setattr(transport, "Manners", lambda **_: manners)
    monkeypatch.delenv("AIRFLOW_CONN_GRADEWAY_QUESTIONMARK", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*arguments: str, host: str = "", **changed: object) -> Result:
        fields = {"conn_type": "http", "host": host or f"{script.url}/api", "login": "a", "password": PASSWORD}
        monkeypatch.setenv(VARIABLE, json.dumps(fields | {"extra": profile(**changed)}))
        return CliRunner().invoke(main, ["vendors", "check", *arguments])

    return run


def data(result: Result) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_a_right_profile_is_well(script: Script, check: Check) -> None:
    script.say(*GOOD, *GOOD)
    result = check("--format", "json")
    assert result.exit_code == 0, result.output
    found = data(result)
    assert (found["ok"], found["problems"], found["connection"]) == (True, [], None)
    told = found["assessmentq"]
    assert (told["ok"], told["auth"], told["can_ask"]) == (True, "basic", True)
    assert told["reads"] == ["results_path", "result_fields", "received_path", "sittings_path"]
    assert script.methods() == ["GET"] * 4
    text = check().stdout
    for part in ("gradeway_assessmentq", "the server is asked", "results_path, result_fields", "All is well"):
        assert part in text


def test_what_the_profile_leaves_out_is_not_read(script: Script, check: Check) -> None:
    script.say(EMPTY, RESULTS)
    result = check(received_path="", sittings_path="")
    assert result.exit_code == 0, result.output
    assert "the same bytes are sent again" in result.stdout
    assert "there is no sittings_path" in result.stdout


def test_all_fields_that_are_unset_or_wrong_are_named(script: Script, check: Check) -> None:
    result = check("--format", "json", final_key=DROPPED, auth="Zebra")
    assert result.exit_code == 1
    (problem,) = data(result)["problems"]
    assert problem["connection"] == "gradeway_assessmentq"
    assert "final_key is not set (give " in problem["remedy"]
    assert "auth is wrong (give none, basic, bearer or header)" in problem["remedy"]
    assert "Zebra" not in result.output
    assert script.asked == []


@pytest.mark.parametrize(
    ("replies", "remedies"),
    [
        ([Reply(401)], ["correct auth "]),
        ([Reply(403)], ["the right to read results"]),
        ([Reply(503)], ["try again later"]),
        ([Reply(404), Reply(404), *GOOD[2:]], ["correct results_path in", "correct result_fields in"]),
        ([EMPTY, RESULTS, Reply(400), SITTINGS], ["correct received_path in"]),
        ([EMPTY, RESULTS, EMPTY, Reply(404)], ["correct sittings_path in"]),
        ([EMPTY, Reply(body={"value": [{"id": 5}]}), *GOOD[2:]], ["correct result_fields in"]),
        ([EMPTY, RESULTS, RESULTS, SITTINGS], ["correct received_path in"]),
        ([Reply(200, "<html>")] * 4, ["correct results_path in"]),
    ],
)
def test_the_field_to_correct_is_named(script: Script, check: Check, replies: list[Reply], remedies: list[str]) -> None:
    script.say(*replies)
    result = check("--format", "json")
    assert result.exit_code == 1
    told = [problem["remedy"] for problem in data(result)["problems"]]
    for remedy in remedies:
        assert any(remedy in each for each in told), told
    assert PASSWORD not in result.output
    script.replies[:] = replies
    assert remedies[0] in check().stdout


def test_the_key_that_finds_nothing_is_named(script: Script, check: Check) -> None:
    script.say(EMPTY, Reply(body={"value": [RESULT]}), *GOOD[2:])
    assert "result_fields.learner of the profile is not in the answer" in check(result_fields__learner="person").stdout


def test_a_service_that_is_away_is_asked_once(check: Check) -> None:
    result = check("--format", "json", host="http://127.0.0.1:1/api")
    assert result.exit_code == 1
    (problem,) = data(result)["problems"]
    assert "host and port" in problem["remedy"]


def test_each_system_that_is_set_is_checked(script: Script, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"conn_type": "http", "host": f"{script.url}/deliveryodata/123456", "login": "a", "password": PASSWORD}
    monkeypatch.setenv("AIRFLOW_CONN_GRADEWAY_QUESTIONMARK", json.dumps(fields))
    script.say(*GOOD, Reply(401))
    result = check("--format", "json")
    assert result.exit_code == 1
    found = data(result)
    assert [problem["connection"] for problem in found["problems"]] == ["gradeway_questionmark"]
    assert (found["connection"], found["ok"], found["assessmentq"]["ok"]) == ("gradeway_questionmark", False, True)
    script.say(*GOOD, Reply(401))
    text = check().stdout
    assert text.index("gradeway_questionmark") < text.index("gradeway_assessmentq") < text.index("Problems")
