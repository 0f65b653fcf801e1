"""Questionmark's tutorial on scheduled delivery, call by call, and what failures leave behind."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fixtures.sandboxes import Sandbox, running
from gradeway.errors import UnknownOutcomeError, VendorAwayError, VendorRefusedError
from gradeway.vendors.connection import from_environment
from gradeway.vendors.delivery import MonitoringType, Schedule, ScheduleValues
from gradeway.vendors.odata import Int64, rows
from gradeway.vendors.questionmark import CONNECTION, Questionmark
from gradeway.vendors.transport import Manners

SEED = json.loads((Path(__file__).parent / "scheduled_delivery.json").read_text())
ADMINISTRATOR, GROUP, LEARNER, TEST = 12345, 587413784, 1459320309, Int64("92761000092761")
NEW: ScheduleValues = {"Name": "Demo Schedule", "AssessmentID": TEST, "GroupID": GROUP, "MonitoringTypeID": 1}
PRINTED_ASSESSMENT = SEED["Administrators"][0]["Groups"][0]["SchedulableAssessments"][0]
UNSET = """ParentScheduleID ExternalID Language ParticipantID StartFrom StartTo ResumeTo ReportFrom ReportTo ExtraTime
    MaxAttempts ObserverID TestCenterID"""
PRINTED_SCHEDULE = dict.fromkeys(UNSET.split()) | {
    **NEW,
    "ID": 1,
    "Hidden": False,
    "Disabled": False,
    "ResumeAllowed": False,
    "ObserverInitiated": False,
}


@contextmanager
def client_of(sandbox: Sandbox) -> Iterator[Questionmark]:
    uri = sandbox.url.replace("://", "://sandbox:sandbox@")
    endpoint = from_environment(CONNECTION, {"AIRFLOW_CONN_GRADEWAY_QUESTIONMARK": uri})
    with Questionmark(endpoint, manners=Manners(read=0.4, interval=0, sleep=lambda _: None)) as made:
        yield made


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox in the state in which the tutorial begins."""
    with running(tmp_path, SEED) as process:
        yield process


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The same, for tests that make schedules of their own."""
    with running(tmp_path_factory.mktemp("tutorial"), SEED) as process:
        yield process


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Questionmark]:
    with client_of(sandbox) as made:
        yield made


@pytest.fixture
def mark() -> str:
    """An ExternalID of the test's own."""
    return str(uuid.uuid4())


def test_the_tutorial_call_by_call(fresh: Sandbox) -> None:
    with client_of(fresh) as client:
        check_permission(client)
        schedule(client)
        launch_and_finish(fresh, client)
        check_results(client)


def check_permission(client: Questionmark) -> None:
    [permission] = client.schedulable(ADMINISTRATOR)
    assert (permission.group.id, permission.group.root_group_id, permission.group.name) == (GROUP, GROUP, "Test_Group")
    assessment = permission.assessment
    assert (assessment.id, assessment.revision, assessment.name, assessment.language) == (TEST, 1, "Sample Test", "-")
    [membership] = client.reachable(ADMINISTRATOR)
    assert (membership.group.id, membership.participant.id) == (GROUP, LEARNER)


def schedule(client: Questionmark) -> None:
    [monitoring] = client.find(MonitoringType)
    made = client.create_schedule(NEW | {"MonitoringTypeID": monitoring.id})
    assert {name: made[name] for name in PRINTED_SCHEDULE} == PRINTED_SCHEDULE
    assert isinstance(made.created, datetime)
    assert made.created.tzinfo is UTC


def launch_and_finish(sandbox: Sandbox, client: Questionmark) -> None:
    [actionable] = client.actionable(LEARNER)
    assert (actionable.schedule_id, actionable.participant_id, actionable.name) == (1, LEARNER, "Demo Schedule")
    assert (actionable.participant_name, actionable.hidden) == ("Adrian Hurst", False)
    assert (actionable.attempts_remaining, actionable.actions) == (None, ("start",))
    link = client.invoke(1, "start", LEARNER).reveal()
    assert {"timestamp", "role", "signature"} <= {pair.split("=")[0] for pair in link.partition("?")[2].split("&")}
    assert sandbox.call("GET", link).ok

    client.patch_schedule(1, {"ResumeAllowed": True})
    sandbox.play(1, LEARNER, "abandon")
    [resumable] = client.actionable(LEARNER)
    assert resumable.actions == ("resume",)
    sandbox.play(1, LEARNER, "resume")
    sandbox.play(1, LEARNER, "finish", score=3, max=3)


def check_results(client: Questionmark) -> None:
    [attempt] = client.attempts(1)
    assert (attempt.participant_id, attempt.assessment_id, attempt.schedule_id) == (LEARNER, TEST, 1)
    assert (attempt.attempt_number, attempt.monitoring_type_id) == (1, 1)
    result = attempt.result
    assert result is not None
    assert (result.id, result.status, result.participant_name) == (attempt.result_id, 2, "a.hurst")
    assert (result.max_score, result.total_score, result.percentage_score) == (Decimal(3), Decimal(3), Decimal(100))
    assert result.score_band_title == "Pass"
    assert client.reported_result(1, LEARNER) == result


def printed(answer: dict[str, Any], as_printed: dict[str, Any]) -> dict[str, Any]:
    """Return of an answer what the tutorial prints; later releases answer more."""
    return {name: answer[name] for name in as_printed}


def test_the_answers_are_those_that_are_printed(fresh: Sandbox) -> None:
    with client_of(fresh) as client:
        call = client.transport.call
        query = {"$expand": "SchedulableAssessments"}
        answer = call("GET", "Administrators({id})/Groups", {"id": ADMINISTRATOR}, query=query)
        assert answer.data["odata.metadata"].endswith("$metadata#Groups")
        [assessment] = answer.data["value"][0]["SchedulableAssessments"]
        as_printed = {name: value for name, value in PRINTED_ASSESSMENT.items() if name != "SaveAnswers"}
        assert printed(assessment, as_printed) == as_printed
        made = call("POST", "Schedules", body=NEW)
        assert made.status == 201
        assert made.data["odata.metadata"].endswith("$metadata#Schedules/@Element")
        assert printed(made.data, PRINTED_SCHEDULE) == PRINTED_SCHEDULE
        assert call("PATCH", "Schedules({id})", {"id": 1}, body={"ResumeAllowed": True}).status == 204


def test_the_schedule_report_in_either_shape(sandbox: Sandbox, client: Questionmark) -> None:
    number = client.create_schedule(NEW).id
    sandbox.play(number, LEARNER, "start")
    sandbox.play(number, LEARNER, "finish", score=3, max=3)
    answer = client.transport.call("GET", "Schedules({id})", {"id": number}, query={"$expand": "Attempts/Result"})
    as_feed = {"odata.metadata": "$metadata#Attempts", "value": rows(answer.data, "Attempts")}
    for data in (answer.data, as_feed):
        [row] = rows(data, "Attempts") or []
        assert client.attempt(row) == next(client.attempts(number))


def marked(client: Questionmark, mark: str) -> list[Schedule]:
    """Find schedules as one must: by the group, and then by what they say."""
    return [each for each in client.find(Schedule, ("GroupID", "eq", GROUP)) if each.external_id == mark]


@pytest.mark.parametrize(
    ("kind", "left"), [("timeout_before", 0), ("timeout_after", 1), ("drop", 0), ("drop_after", 1), ("status_after", 1)]
)
def test_a_lost_creation_is_found_by_reading(
    sandbox: Sandbox, client: Questionmark, mark: str, kind: str, left: int
) -> None:
    sandbox.act("faults", [{"match": "POST */Schedules", "kind": kind, "status": 500, "seconds": 2}])
    with pytest.raises(UnknownOutcomeError):
        client.create_schedule(NEW | {"ExternalID": mark})
    assert len(marked(client, mark)) == left


@pytest.mark.parametrize("kind", ["timeout_before", "timeout_after", "drop", "drop_after", "status"])
def test_a_lost_change_is_made_again(sandbox: Sandbox, client: Questionmark, mark: str, kind: str) -> None:
    made = client.create_schedule(NEW | {"ExternalID": mark})
    sandbox.act("faults", [{"match": "PATCH *", "kind": kind, "seconds": 2}])
    client.patch_schedule(made.id, {"Hidden": True})
    assert [each.hidden for each in marked(client, mark)] == [True]
    assert client.transport.counters.retries == 1


def test_a_busy_service_gets_one_schedule(sandbox: Sandbox, client: Questionmark, mark: str) -> None:
    sandbox.act("faults", [{"match": "* *", "kind": "status", "status": 429, "retry_after": 5, "times": 2}])
    client.create_schedule(NEW | {"ExternalID": mark})
    assert len(marked(client, mark)) == 1
    assert client.transport.counters.waits == 10


def test_a_read_survives_what_passes(sandbox: Sandbox, client: Questionmark, mark: str) -> None:
    for kind in ("drop", "timeout_before", "status"):
        sandbox.act("faults", [{"match": "GET *", "kind": kind, "seconds": 2}])
        assert marked(client, mark) == []
    assert client.transport.counters.retries == 3
    sandbox.act("faults", [{"match": "GET *", "kind": "status", "status": 503, "times": 4}])
    with pytest.raises(VendorAwayError):
        marked(client, mark)


@pytest.mark.parametrize("shape", ["", "odata.error", "error", "error_text", "xml", "text"])
def test_a_refusal_is_told_in_every_shape(sandbox: Sandbox, client: Questionmark, shape: str) -> None:
    if shape:
        sandbox.act("faults", [{"match": "GET *", "kind": "shape", "body": shape}])
    with pytest.raises(VendorRefusedError, match=r"answered 400.*Unrecognized 'Edm\.Int32' literal"):
        client.transport.call("GET", "Assessments", query={"$filter": f"ID eq {TEST}"})


def test_nothing_signed_is_logged(client: Questionmark, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    link = client.invoke(client.create_schedule(NEW).id, "start", LEARNER).reveal()
    query = link.partition("?")[2]
    assert "signature" in query
    assert not [word for word in ("signature", "nonce", "Hurst", "hurst", *query.split("&")) if word in caplog.text]
    assert "POST Schedules({id})/InvokeAction answered 200" in caplog.text
