"""Creating and changing schedules and their metadata, and what is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fixtures.sandboxes import Sandbox
from gradeway.sandbox.questionmark.edm import ticks
from gradeway.sandbox.questionmark.start import assessment_id

QUIZ, SECURE, UNSAVED, OTHER = (assessment_id(number) for number in (1004, 1002, 1007, 1005))
GROUP, CENTER, PARTICIPANT = 410001, 71, 510001
GOOD = {"Name": "Quiz", "AssessmentID": QUIZ, "GroupID": GROUP, "MonitoringTypeID": 1}


def test_a_schedule_is_echoed_with_everything(faculty: Sandbox) -> None:
    answer = faculty.call("POST", "Schedules", GOOD | {"ID": 9_999, "ExternalID": "é-1", "CreatedBy": "me"})
    assert answer.status_code == 201
    made = answer.json()
    assert made.pop("odata.metadata") == "$metadata#Schedules/@Element"
    assert made["ID"] != 9_999
    assert answer.headers["Location"] == f"{faculty.url}Schedules({made['ID']})"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z", made["Created"])
    assert made["Created"] == made["Modified"]
    given = GOOD | {"ExternalID": "é-1", "CreatedBy": "sandbox", "ModifiedBy": "sandbox", "ReportedResult": "Last"}
    flags = dict.fromkeys(("Hidden", "Disabled", "ResumeAllowed", "ObserverInitiated"), False)
    expected = dict.fromkeys(made) | given | flags
    assert {name: made[name] for name in made if name not in {"ID", "Created", "Modified"}} == {
        name: value for name, value in expected.items() if name not in {"ID", "Created", "Modified"}
    }
    assert faculty.get(f"Schedules({made['ID']})") == answer.json()


def test_times_are_kept_to_the_seventh_digit_and_in_utc(faculty: Sandbox) -> None:
    made = faculty.schedule(
        **GOOD,
        StartFrom="2026-05-01T09:00:00.1234567Z",
        StartTo="2026-05-01T11:00:00+02:00",
        ResumeTo="2026-05-01T09:30",
        ReportFrom="2026-05-02T00:00:00.500Z",
        ReportTo="0001-01-01T00:00:00Z",
    )
    assert made["StartFrom"] == "2026-05-01T09:00:00.1234567Z"
    assert made["StartTo"] == "2026-05-01T09:00:00Z"
    assert made["ResumeTo"] == "2026-05-01T09:30:00Z"
    assert made["ReportFrom"] == "2026-05-02T00:00:00.5Z"
    assert made["ReportTo"] == "0001-01-01T00:00:00Z"
    assert ticks(made["StartFrom"]) - ticks(made["StartTo"]) == 1_234_567


def test_the_service_prints_a_seventh_digit_itself(faculty: Sandbox) -> None:
    faculty.act("clock", {"now": "2026-05-01T09:00:00.000123Z"})
    assert faculty.schedule(**GOOD)["Created"] == "2026-05-01T09:00:00.0001237Z"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Name": None}, "Name"),
        ({"Name": ""}, "Name"),
        ({"Name": 5}, "Name"),
        ({"AssessmentID": None}, "AssessmentID"),
        ({"AssessmentID": int(QUIZ)}, "AssessmentID"),
        ({"AssessmentID": "x"}, "AssessmentID"),
        ({"AssessmentID": "12"}, "existing Assessment"),
        ({"AssessmentID": UNSAVED}, "does not save answers"),
        ({"MonitoringTypeID": None}, "MonitoringTypeID"),
        ({"MonitoringTypeID": "1"}, "MonitoringTypeID"),
        ({"MonitoringTypeID": 99}, "existing MonitoringType"),
        ({"MonitoringTypeID": 4}, "requires a TestCenterID"),
        ({"GroupID": None}, "'GroupID' and 'ParticipantID'"),
        ({"GroupID": 1}, "existing Group"),
        ({"GroupID": True}, "GroupID"),
        ({"GroupID": 2**31}, "GroupID"),
        ({"ParticipantID": 1}, "existing Participant"),
        ({"TestCenterID": 1}, "existing TestCenter"),
        ({"ObserverID": 1}, "existing Observer"),
        ({"ParentScheduleID": 10**6}, "existing ParentSchedule"),
        ({"Disabled": None}, "Disabled"),
        ({"Disabled": 1}, "Disabled"),
        ({"StartFrom": "2026-02-30T00:00:00Z"}, "StartFrom"),
        ({"StartFrom": "tomorrow"}, "StartFrom"),
        ({"StartFrom": "0001-01-01T00:00:00+14:00"}, "StartFrom"),
        ({"StartFrom": "9999-12-31T23:59:59-14:00"}, "StartFrom"),
        ({"ReportedResult": "Mean"}, "ReportedResult"),
        ({"Nonsense": 1}, "Nonsense"),
        ({"ScheduleMetadata": []}, "ScheduleMetadata"),
    ],
)
def test_a_wrong_schedule_is_refused(changes: dict[str, object], reason: str, faculty: Sandbox) -> None:
    before = faculty.call("GET", "Schedules/$count").text
    assert reason in faculty.message("POST", "Schedules", 400, GOOD | changes)
    assert faculty.call("GET", "Schedules/$count").text == before


@pytest.mark.parametrize(
    "changes",
    [
        {"AssessmentID": SECURE},
        {"MonitoringTypeID": 4, "TestCenterID": CENTER},
        {"MonitoringTypeID": 5},
        {"GroupID": None, "ParticipantID": PARTICIPANT},
        {"ParticipantID": PARTICIPANT},
    ],
)
def test_what_the_documents_do_not_refuse_is_taken(changes: dict[str, object], faculty: Sandbox) -> None:
    assert faculty.post("Schedules", GOOD | changes, 201)["Name"] == "Quiz"


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        ("{", "application/json", 400),
        ("[]", "application/json", 400),
        ("", "application/json", 400),
        ('{"Name": "\\ud800"}', "application/json", 400),
        ("Name=x", "application/x-www-form-urlencoded", 415),
    ],
)
def test_a_body_must_be_a_json_object(data: str, content_type: str, status: int, faculty: Sandbox) -> None:
    answer = faculty.call("POST", "Schedules", data=data, headers={"Content-Type": content_type})
    assert answer.status_code == status


def test_a_change_changes_only_what_it_names(faculty: Sandbox) -> None:
    made = faculty.schedule(**GOOD, StartTo="2027-01-01T00:00:00Z", MaxAttempts=2)
    answer = faculty.patch(f"Schedules({made['ID']})", {"ResumeAllowed": True, "StartTo": None, "ID": 5})
    assert answer.content == b""
    after = faculty.get(f"Schedules({made['ID']})")
    assert {name for name in made if made[name] != after[name]} == {"ResumeAllowed", "StartTo", "Modified"}
    faculty.patch(f"Schedules({made['ID']})", {})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"AssessmentID": OTHER}, "AssessmentID"),
        ({"GroupID": 420001}, "GroupID"),
        ({"ParticipantID": PARTICIPANT}, "ParticipantID"),
        ({"MonitoringTypeID": 4}, "TestCenterID"),
        ({"ReportedResult": "x"}, "ReportedResult"),
        ({"Hidden": None}, "Hidden"),
        ({"Nonsense": 1}, "Nonsense"),
    ],
)
def test_a_wrong_change_is_refused_and_changes_nothing(
    changes: dict[str, object], reason: str, faculty: Sandbox
) -> None:
    path = f"Schedules({faculty.schedule(**GOOD)['ID']})"
    before = faculty.get(path)
    assert reason in faculty.message("PATCH", path, 400, {"Name": "New"} | changes)
    assert faculty.get(path) == before


def test_the_same_assessment_is_no_change(faculty: Sandbox) -> None:
    made = faculty.schedule(**GOOD)
    faculty.patch(f"Schedules({made['ID']})", {"AssessmentID": QUIZ, "GroupID": GROUP, "Name": "New"})
    faculty.message("PATCH", "Schedules(1000000)", 404, {"Name": "New"})


def test_exceptions_belong_to_a_schedule_of_a_group(faculty: Sandbox) -> None:
    parent = faculty.schedule(**GOOD)["ID"]
    exception = GOOD | {"ParentScheduleID": parent, "GroupID": None, "ParticipantID": PARTICIPANT}
    made = faculty.post("Schedules", exception, 201)
    assert [found["ID"] for found in faculty.get(f"Schedules({parent})/ExceptionSchedules")["value"]] == [made["ID"]]
    assert faculty.get(f"Schedules({made['ID']})/ParentSchedule")["ID"] == parent
    refused: list[tuple[dict[str, Any], str]] = [
        ({"ParentScheduleID": made["ID"]}, "parent must be"),
        ({"ParticipantID": None, "GroupID": GROUP}, "needs a ParticipantID"),
        ({"AssessmentID": OTHER}, "Assessment of its parent"),
    ]
    for changes, reason in refused:
        assert reason in faculty.message("POST", "Schedules", 400, exception | changes)


def test_metadata(faculty: Sandbox) -> None:
    number = faculty.schedule(**GOOD)["ID"]
    made = faculty.post("ScheduleMetadata", {"ScheduleID": number, "Key": "k" * 200, "Value": "é" * 4000}, 201)
    assert made.pop("odata.metadata") == "$metadata#ScheduleMetadata/@Element"
    assert faculty.get(f"Schedules({number})/ScheduleMetadata")["value"] == [made]
    assert faculty.get(f"Schedules({number})?$expand=ScheduleMetadata")["ScheduleMetadata"] == [made]
    assert faculty.get(f"ScheduleMetadata({made['ID']})/Schedule")["ID"] == number


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"Key": "k" * 201, "Value": "v"}, 400),
        ({"Key": "k", "Value": "v" * 4001}, 400),
        ({"Key": "k"}, 400),
        ({"Key": "k", "Value": None}, 400),
        ({"Key": "k", "Value": "v", "ScheduleID": 10**6}, 400),
        ({"Key": "k", "Value": "v", "ScheduleID": None}, 400),
        ({"Key": "there", "Value": "again"}, 409),
    ],
)
def test_wrong_metadata_is_refused(body: dict[str, object], status: int, faculty: Sandbox) -> None:
    number = faculty.schedule(**GOOD)["ID"]
    faculty.post("ScheduleMetadata", {"ScheduleID": number, "Key": "there", "Value": "v"}, 201)
    faculty.message("POST", "ScheduleMetadata", status, {"ScheduleID": number} | body)
    assert len(faculty.get(f"Schedules({number})/ScheduleMetadata")["value"]) == 1
