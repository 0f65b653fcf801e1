"""The commands on results, as a person or a scheduler runs them, against a sandbox."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result

from gradeway import clock
from gradeway.cli import main
from gradeway.results.launch import launch
from gradeway.sandbox.questionmark.start import assessment_id
from gradeway.vendors import transport
from results.scene import AMARA, ASSESSMENT, FENNA, MANNERS, NAMES, Scene, later

Run = Callable[..., Result]
CONNECTION = "AIRFLOW_CONN_GRADEWAY_QUESTIONMARK"


def connection(scene: Scene, **changed: object) -> str:
    fields = {"conn_type": "http", "host": scene.vendor.url, "login": "sandbox", "password": "sandbox"}
    return json.dumps(fields | {"extra": {"administrator": 101}} | changed)


@pytest.fixture
def run(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("GRADEWAY_HOME", str(scene.world.home))
    monkeypatch.setenv("GRADEWAY_DATABASE_URL", scene.world.url)
    monkeypatch.setenv("GRADEWAY_SETTLE_SECONDS", "0")
    monkeypatch.setenv(CONNECTION, connection(scene))
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(transport, "Manners", lambda **_: MANNERS)
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


def data(result: Result) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(result.stdout)
    return document


# --- collect


def test_collect_and_sweep_make_a_grade(scene: Scene, run: Run) -> None:
    scene.world.land("c.colnc", "courseId|name|points|optionalData", "C1|Midterm|20|SESSION=Anatomy 1A")
    scene.take(scene.session("Anatomy 1A"))
    result = run("results", "collect", "--sweep", "--format", "json")
    assert result.exit_code == 0, result.output
    found = data(result)
    assert (found["attempts"], found["handed_over"], found["failed"], found["failures"]) == (1, 1, [], [])
    assert [batch["rows"]["applied"] for batch in found["batches"]] == [1]
    assert scene.world.grades() == {("C1", "Midterm", NAMES[AMARA]): "14"}


def test_collect_says_what_it_did(scene: Scene, run: Run) -> None:
    scene.take(scene.session(), status=5)
    result = run("results", "collect")
    assert result.exit_code == 0, result.output
    assert "1 attempt on 1 schedule read; 1 new or changed" in result.stdout
    assert "1 result handed over, 1 of them for review: questionmark-" in result.stdout
    assert "no result to hand over" in run("results", "collect").stdout


def test_collect_fails_where_a_schedule_could_not_be_read(scene: Scene, run: Run) -> None:
    scene.session()
    scene.vendor.act("faults", [{"match": "GET */Attempts", "kind": "status", "status": 400}])
    result = run("results", "collect")
    assert result.exit_code == 1
    assert "not read: schedule " in result.stdout


def test_collect_tells_of_learners_without_identifier(scene: Scene, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.take(scene.session())
    monkeypatch.setenv("GRADEWAY_QUESTIONMARK_LEARNER", "Details7")
    result = run("results", "collect")
    assert result.exit_code == 1
    assert "without an identifier" in result.stdout


def test_a_wrong_setting_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "QUESTIONMARK_LEARNER": "Email",
        "RESULTS_PUBLISH": "2,x",
        "RESULTS_SESSION_KEY": "a=b",
        "QUESTIONMARK_RESULTS_TIME_ZONE": "Nowhere",
    }.items():
        with monkeypatch.context() as patch:
            patch.setenv(f"GRADEWAY_{name}", value)
            result = run("results", "collect")
        assert (result.exit_code, f"GRADEWAY_{name} is wrong" in result.stderr) == (2, True), result.output


def test_settings_lists_them_all(run: Run) -> None:
    listed = {item["variable"]: item["value"] for item in data(run("settings", "--format", "json"))["settings"]}
    assert listed["GRADEWAY_RESULTS_PUBLISH"] == "2, 4, 9"
    assert listed["GRADEWAY_QUESTIONMARK_LEARNER"] == "Name"


# --- status and report


def test_status_shows_who_waits_for_what(scene: Scene, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = scene.session("Anatomy 1A")
    scene.take(schedule, AMARA)
    stopped = scene.take(schedule, FENNA, status=7)
    scene.vendor.play(schedule, AMARA, "start")
    run("results", "collect", "--sweep")
    found = data(run("results", "status", "--format", "json"))
    assert found["attempts"] == {"final": 1, "review": 1, "in progress": 1, "stale": 0, "ignored": 0}
    assert [(item["attempt"], item["status"]) for item in found["review"]] == [(str(stopped), 7)]
    unmapped = [(item["session"], item["assessment"], item["results"]) for item in found["unmapped"]]
    assert unmapped == [("Anatomy 1A", ASSESSMENT, 1)]
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + timedelta(days=9))
    assert [item["session"] for item in data(run("results", "status", "--format", "json"))["stale"]] == ["Anatomy 1A"]
    text = run("results", "status").stdout
    for part in ("1 stale", "ended by the proctor", "No column takes them", "SESSION= or ASSESSMENT="):
        assert part in text
    for name in (*NAMES.values(), "Okafor"):
        assert name not in text + json.dumps(found)


def test_status_of_an_installation_without_any_attempt(run: Run) -> None:
    result = run("results", "status")
    assert (result.exit_code, result.stdout.strip()) == (0, "attempts: none yet")


def test_the_report_shows_each_schedule_with_its_attempts(scene: Scene, run: Run) -> None:
    first, second = scene.session("Anatomy 1A"), scene.session("Anatomy 1B")
    scene.take(first, AMARA, 30)
    scene.take(first, AMARA, 54)
    run("results", "collect")
    found = {item["session"]: item for item in data(run("sessions", "report", "--format", "json"))["schedules"]}
    assert (found["Anatomy 1A"]["schedule"], found["Anatomy 1B"]) == (
        first,
        {"session": "Anatomy 1B", "schedule": second, "attempts": []},
    )
    told = [(each["learner"], each["score"], each["band"], each["counts"]) for each in found["Anatomy 1A"]["attempts"]]
    assert told == [(NAMES[AMARA], "30", "Pass", False), (NAMES[AMARA], "54", "Pass", True)]
    text = run("sessions", "report", "Anatomy 1A").stdout
    assert f"Anatomy 1A (schedule {first}): 2 attempts" in text
    assert "Anatomy 1B" not in text
    assert "finished" in text
    of_schedule = data(run("sessions", "report", "--schedule", second, "--format", "json"))["schedules"]
    assert [item["session"] for item in of_schedule] == ["Anatomy 1B"]


@pytest.mark.parametrize("arguments", [("No such",), ("--schedule", "999999")])
def test_the_report_of_what_is_not_there_is_refused(run: Run, arguments: tuple[str, ...]) -> None:
    result = run("sessions", "report", *arguments)
    assert (result.exit_code, result.stdout) == (1, "")


# --- launch


@pytest.mark.parametrize("who", [NAMES[AMARA], str(AMARA)])
def test_launch_prints_the_link_and_nothing_else(scene: Scene, run: Run, who: str) -> None:
    schedule = scene.session("Anatomy 1A")
    result = run("launch", "Anatomy 1A", who)
    assert (result.exit_code, result.stderr) == (0, "")
    [link] = result.stdout.splitlines()
    assert requests.get(link, timeout=5).text == "Attempt 1: start."
    assert data(run("launch", schedule, who, "--format", "json")).keys() == {"url"}


def test_launch_resumes_what_was_begun(scene: Scene, run: Run) -> None:
    schedule = scene.session(ResumeAllowed=True)
    scene.vendor.play(schedule, AMARA, "start")
    link = run("launch", schedule, AMARA).stdout.strip()
    assert requests.get(link, timeout=5).text == "Attempt 1: resume."


def test_launch_goes_to_the_participants_exception(scene: Scene, run: Run) -> None:
    schedule = scene.session(StartTo=later(-1), StartFrom=later(-2))
    person: dict[str, Any] = {"ParticipantID": AMARA, "ParentScheduleID": schedule}
    extra = scene.vendor.schedule(AssessmentID=ASSESSMENT, StartTo=later(1), **person)
    assert f"scheduleid={extra['ID']}" in run("launch", schedule, AMARA).stdout


@pytest.mark.parametrize(
    ("properties", "who", "why"),
    [
        ({"Disabled": True}, AMARA, "disabled"),
        ({"StartFrom": later(1)}, AMARA, "not opened yet"),
        ({"StartFrom": later(-2), "StartTo": later(-1)}, AMARA, "over"),
        ({"ObserverInitiated": True}, AMARA, "observer"),
        ({}, 510002, "not for this participant"),
        ({}, "nobody.canary", "no participant"),
        ({}, 999999999, "no participant"),
    ],
)
def test_launch_says_why_there_is_no_link(
    scene: Scene, run: Run, properties: dict[str, object], who: object, why: str
) -> None:
    schedule = scene.session(**properties)
    result = run("launch", schedule, who)
    assert (result.exit_code, result.stdout) == (1, "")
    assert why in result.stderr
    assert "canary" not in result.stderr


def test_launch_of_what_is_not_there_is_refused(run: Run) -> None:
    for schedule, why in (("No such session", "no session"), (99999999, "no such schedule")):
        result = run("launch", schedule, AMARA)
        assert (result.exit_code, result.stdout) == (1, "")
        assert why in result.stderr


def test_a_link_is_neither_logged_nor_shown(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    link = launch(scene.client, scene.session(), NAMES[AMARA])
    told = caplog.text + "".join(f"{record.__dict__}" for record in caplog.records) + repr(link)
    assert "InvokeAction" in told
    for secret in ("signature", "nonce", NAMES[AMARA]):
        assert secret not in told


# --- vendors check


def test_check_tells_what_the_connection_may_do(scene: Scene, run: Run) -> None:
    result = run("vendors", "check", "--format", "json")
    assert result.exit_code == 0, result.output
    found = data(result)
    assert (found["ok"], found["problems"], found["administrator"]) == (True, [], {"id": 101, "name": "scheduler"})
    # of the seven that its groups have, one does not save its answers
    assert (found["groups"], found["schedulable"], found["unsaved"]) == (8, 6, 1)
    types = {item["name"]: item for item in found["monitoring_types"]}
    assert types["UNMONITORED"]["set_by"] == "GRADEWAY_QUESTIONMARK_MONITORING"
    assert types["TEST_CENTER_PROCTORED"]["test_center"]
    assert types["QSB"]["secure_browser"]
    text = run("vendors", "check").stdout
    for part in ("scheduler (101)", "6 assessments", "RECORD_AND_REVIEW", "device events, disabled", "All is well"):
        assert part in text


def test_check_only_reads(scene: Scene, run: Run) -> None:
    before = len(scene.vendor.log())
    run("vendors", "check")
    assert {entry["method"] for entry in scene.vendor.log()[before:]} == {"GET"}


@pytest.mark.parametrize(
    ("changed", "remedy"),
    [
        ({"password": "wrong-Zebra"}, "correct login and password"),
        ({"area": "999999"}, "correct the area"),
        ({"port": 1}, "host and port"),
        ({"extra": {}}, "GRADEWAY_QUESTIONMARK_ADMINISTRATOR"),
        ({"extra": {"administrator": 999}}, "correct GRADEWAY_QUESTIONMARK_ADMINISTRATOR"),
    ],
)
def test_check_says_what_to_correct(
    scene: Scene, run: Run, monkeypatch: pytest.MonkeyPatch, changed: dict[str, object], remedy: str
) -> None:
    url = scene.vendor.url
    if area := changed.pop("area", None):
        changed["host"] = url.replace("123456", str(area))
    if port := changed.pop("port", None):
        changed["host"] = f"http://127.0.0.1:{port}/deliveryodata/123456"
    monkeypatch.setenv(CONNECTION, connection(scene, **changed))
    result = run("vendors", "check", "--format", "json")
    assert result.exit_code == 1, result.output
    assert any(remedy in item["remedy"] for item in data(result)["problems"]), result.stdout
    assert "Zebra" not in result.output
    assert remedy in run("vendors", "check").stdout


def test_check_says_that_a_certificate_cannot_be_trusted(
    scene: Scene, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ssl

    import requests.sessions

    def distrust(*_: object, **__: object) -> None:
        raise requests.exceptions.SSLError(ssl.SSLCertVerificationError("self-signed"))

    monkeypatch.setattr(requests.sessions.Session, "send", distrust)
    result = run("vendors", "check")
    assert result.exit_code == 1
    assert "REQUESTS_CA_BUNDLE" in result.stdout


@pytest.mark.parametrize(
    ("name", "why"), [("NO_SUCH", "is not there"), ("RECORD_AND_REVIEW", "RECORD_AND_REVIEW is disabled")]
)
def test_check_looks_at_the_monitoring_types_that_are_set(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, why: str
) -> None:
    monkeypatch.setenv("GRADEWAY_QUESTIONMARK_MONITORING", name)
    result = run("vendors", "check")
    assert result.exit_code == 1
    assert why in result.stdout


def test_without_a_connection_every_command_says_where_it_goes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONNECTION)
    for command in (("results", "collect"), ("vendors", "check"), ("launch", "1", "2")):
        result = run(*command)
        assert (result.exit_code, CONNECTION in result.stderr) == (2, True)


def test_another_assessments_score_is_not_ours(scene: Scene, run: Run) -> None:
    other = scene.vendor.schedule(AssessmentID=assessment_id(1004), GroupID=410002)
    scene.take(other["ID"])
    scene.session()
    assert data(run("results", "collect", "--format", "json"))["attempts"] == 0
