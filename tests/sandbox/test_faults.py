"""Faults on purpose: each kind, how often, and whether the change took effect."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import requests

from fixtures.sandboxes import Sandbox
from gradeway.sandbox.questionmark.start import assessment_id

GOOD = {"Name": "Quiz", "AssessmentID": assessment_id(1004), "GroupID": 410001, "MonitoringTypeID": 1}
POST = "POST */Schedules"


def count(faculty: Sandbox) -> int:
    return int(faculty.call("GET", "Schedules/$count").text)


@pytest.fixture
def effect(faculty: Sandbox) -> Callable[[], tuple[int, object, object, object]]:
    """Tell how many schedules are new, and the last logged POST's status, effect and fault."""
    before = count(faculty)

    def tell() -> tuple[int, object, object, object]:
        entry = next(entry for entry in reversed(faculty.log()) if entry["method"] == "POST")
        return count(faculty) - before, entry["status"], entry["took_effect"], entry["fault"]

    return tell


Effect = Callable[[], tuple[int, object, object, object]]


@pytest.mark.parametrize(("kind", "made"), [("timeout_before", 0), ("timeout_after", 1)])
def test_timeouts(kind: str, made: int, faculty: Sandbox, effect: Effect) -> None:
    faculty.act("faults", [{"match": POST, "kind": kind}])
    with pytest.raises(requests.ReadTimeout):
        faculty.call("POST", "Schedules", GOOD, timeout=0.2)
    assert effect() == (made, None, bool(made), kind)


@pytest.mark.parametrize(("kind", "made"), [("drop", 0), ("drop_after", 1)])
def test_dropped_connections(kind: str, made: int, faculty: Sandbox, effect: Effect) -> None:
    faculty.act("faults", [{"match": POST, "kind": kind}])
    with pytest.raises(requests.ConnectionError):
        faculty.call("POST", "Schedules", GOOD)
    assert effect() == (made, None, bool(made), kind)


def test_a_held_connection_is_dropped_in_the_end(faculty: Sandbox, effect: Effect) -> None:
    faculty.act("faults", [{"match": POST, "kind": "timeout_before", "seconds": 0.1}])
    with pytest.raises(requests.ConnectionError):
        faculty.call("POST", "Schedules", GOOD)
    assert effect() == (0, None, False, "timeout_before")


def test_a_held_connection_holds_nobody_else(faculty: Sandbox) -> None:
    faculty.act("faults", [{"match": "GET */Groups", "kind": "timeout_before"}])
    with pytest.raises(requests.ReadTimeout):
        faculty.call("GET", "Groups", timeout=0.2)
    assert faculty.get("Groups")["value"]


@pytest.mark.parametrize(("kind", "made"), [("status", 0), ("status_after", 1)])
@pytest.mark.parametrize(
    ("retry_after", "header"),
    [(None, None), (3, "3"), ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT")],
)
def test_statuses(
    kind: str, made: int, retry_after: object, header: str | None, faculty: Sandbox, effect: Effect
) -> None:
    faculty.act("faults", [{"match": POST, "kind": kind, "status": 429, "retry_after": retry_after}])
    answer = faculty.call("POST", "Schedules", GOOD)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (429, header)
    assert effect() == (made, 429, bool(made), kind)


def test_slow(faculty: Sandbox, effect: Effect) -> None:
    faculty.act("faults", [{"match": POST, "kind": "slow", "seconds": 0.3}])
    since = time.monotonic()
    faculty.post("Schedules", GOOD, 201)
    assert time.monotonic() - since >= 0.3
    assert effect() == (1, 201, True, "slow")


SHAPES = {
    "": '{"odata.error": {"code": "", "message": {"lang": "en-US", "value": "a < b"}}}',
    "odata.error": '{"odata.error": {"code": "", "message": {"lang": "en-US", "value": "a < b"}}}',
    "error": '{"error": {"code": "", "message": {"lang": "en-US", "value": "a < b"}}}',
    "error_text": '{"error": {"code": "", "message": "a < b"}}',
    "xml": '<m:message xml:lang="en-US">a &lt; b</m:message>',
    "text": "a < b",
    "empty": "",
}


@pytest.mark.parametrize("body", SHAPES)
def test_shapes_of_an_error_asked_for(body: str, faculty: Sandbox) -> None:
    faculty.act("faults", [{"match": "* *", "kind": "status", "status": 500, "body": body, "message": "a < b"}])
    answer = faculty.call("GET", "Groups")
    assert answer.status_code == 500
    assert SHAPES[body] in answer.text
    assert bool(answer.text) == bool(SHAPES[body])
    assert ("xml" in answer.headers["Content-Type"]) == (body == "xml")


def test_shapes_of_the_services_own_errors(faculty: Sandbox) -> None:
    faculty.act("faults", [{"match": "GET *", "kind": "shape", "body": "xml", "times": 2}])
    answer = faculty.call("GET", "Groups(1)")
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (404, "application/xml")
    assert faculty.get("Groups")["value"]
    faculty.message("GET", "Groups(1)", 404)


def test_a_fault_is_used_up_and_can_wait(faculty: Sandbox) -> None:
    fault = {"match": "GET */Groups", "kind": "status", "status": 500, "times": 2, "after": 1}
    faculty.act("faults", [fault])
    assert [faculty.call("GET", "Groups").status_code for _ in range(5)] == [200, 500, 500, 200, 200]
    assert faculty.act("faults", method="GET") == []


def test_faults_are_told_and_removed(faculty: Sandbox) -> None:
    faults = [{"match": "GET */Groups", "kind": "drop"}, {"match": "PATCH *", "kind": "slow", "times": 3}]
    faculty.act("faults", faults)
    left = faculty.act("faults", method="GET")
    assert [(fault["match"], fault["kind"], fault["times"]) for fault in left] == [
        ("GET */Groups", "drop", 1),
        ("PATCH *", "slow", 3),
    ]
    faculty.get("Participants?$top=1")
    assert faculty.act("faults", method="GET") == left
    faculty.act("faults", method="DELETE", status=204)
    assert faculty.act("faults", method="GET") == []


def test_a_key_in_a_path_can_be_matched(faculty: Sandbox) -> None:
    faculty.act("faults", [{"match": "GET */Groups(410002)", "kind": "status"}])
    assert [faculty.call("GET", f"Groups({number})").status_code for number in (410001, 410002)] == [200, 503]


@pytest.mark.parametrize(
    "fault",
    [
        {"match": "POST */Schedules", "kind": "explode"},
        {"match": "everything", "kind": "drop"},
        {"match": "* *", "kind": "drop", "times": 0},
        {"match": "* *", "kind": "status", "status": 200},
        {"match": "* *", "kind": "status", "body": "nonsense"},
        {"match": "* *", "kind": "drop", "nonsense": 1},
    ],
)
def test_a_wrong_fault_is_refused(fault: dict[str, object], faculty: Sandbox) -> None:
    faculty.act("faults", [fault], status=422)
    assert faculty.act("faults", method="GET") == []


def test_the_clock_stands_until_it_is_moved(faculty: Sandbox) -> None:
    faculty.act("clock", {"now": "2030-01-01T00:00:00+01:00"})
    assert faculty.schedule(**GOOD)["Created"] == "2029-12-31T23:00:00Z"
    assert faculty.act("clock", method="GET") == {"now": "2030-01-01T00:00:00+01:00"}
    faculty.act("clock", {"now": None})
    assert faculty.schedule(**GOOD)["Created"] != "2029-12-31T23:00:00Z"
    faculty.act("clock", {"now": "2030-01-01T00:00:00"}, status=422)
