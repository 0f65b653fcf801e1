"""What participants may do: actions, launches, attempts and results."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from fixtures.sandboxes import Sandbox
from gradeway.sandbox.questionmark.start import assessment_id

QUIZ = assessment_id(1004)
# A sub-group of the second one; the participants are of the first, of a sibling and of another faculty.
NURSING, HEALTH = 410002, 410001
INSIDE, SIBLING, OUTSIDE = 510001, 510002, 510004
NOON = "2026-06-01T12:00:00Z"
EARLIER, LATER = "2026-06-01T11:59:59Z", "2026-06-01T12:00:01Z"


def at(faculty: Sandbox, instant: str) -> None:
    faculty.act("clock", {"now": instant})


def made(faculty: Sandbox, **properties: object) -> int:
    """Make a schedule for a group (or as told); return its ID."""
    whom = {} if "ParticipantID" in properties else {"GroupID": HEALTH}
    number = faculty.schedule(**{"AssessmentID": QUIZ} | whom | properties)["ID"]
    assert isinstance(number, int)
    return number


@pytest.mark.parametrize(
    ("properties", "actions"),
    [
        ({}, ["start"]),
        ({"StartFrom": NOON}, ["start"]),
        ({"StartFrom": LATER}, []),
        ({"StartTo": NOON}, ["start"]),
        ({"StartTo": EARLIER}, []),
        ({"StartFrom": EARLIER, "StartTo": LATER}, ["start"]),
        ({"Disabled": True}, []),
        ({"Hidden": True}, ["start"]),
        ({"ObserverInitiated": True}, []),
        ({"MonitoringTypeID": 5}, []),
        ({"MaxAttempts": 1}, ["start"]),
        ({"MaxAttempts": 0}, []),
        ({"ResumeAllowed": True}, ["start"]),
    ],
)
def test_before_the_first_attempt(properties: dict[str, object], actions: list[str], faculty: Sandbox) -> None:
    at(faculty, NOON)
    assert faculty.actions(made(faculty, **properties), INSIDE) == actions


@pytest.mark.parametrize(
    ("properties", "actions"),
    [
        # Not resumable: the next attempt may start while there is one left.
        ({}, ["start"]),
        ({"MaxAttempts": 2}, ["start"]),
        ({"MaxAttempts": 1}, []),
        ({"StartTo": EARLIER}, []),
        ({"ResumeTo": LATER, "MaxAttempts": 1}, []),
        # Resumable: only that, even when no attempt may start any more.
        ({"ResumeAllowed": True}, ["resume"]),
        ({"ResumeAllowed": True, "MaxAttempts": 1}, ["resume"]),
        ({"ResumeAllowed": True, "StartTo": EARLIER}, ["resume"]),
        ({"ResumeAllowed": True, "ResumeTo": NOON}, ["resume"]),
        ({"ResumeAllowed": True, "ResumeTo": EARLIER}, ["start"]),
        ({"ResumeAllowed": True, "ResumeTo": EARLIER, "MaxAttempts": 1}, []),
        ({"ResumeAllowed": True, "Disabled": True}, []),
    ],
)
def test_after_an_abandoned_attempt(properties: dict[str, object], actions: list[str], faculty: Sandbox) -> None:
    at(faculty, NOON)
    number = made(faculty)
    faculty.play(number, INSIDE, "start")
    faculty.play(number, INSIDE, "abandon")
    faculty.patch(f"Schedules({number})", properties)
    assert faculty.actions(number, INSIDE) == actions
    for action in ("start", "resume"):
        faculty.play(number, INSIDE, action, 200 if actions == [action] else 409)
        if actions == [action]:
            break


@pytest.mark.parametrize(("limit", "actions", "remaining"), [(None, ["start"], None), (2, ["start"], 1), (1, [], 0)])
def test_after_a_finished_attempt(
    limit: int | None, actions: list[str], remaining: int | None, faculty: Sandbox
) -> None:
    number = made(faculty, MaxAttempts=limit, ResumeAllowed=True)
    faculty.play(number, INSIDE, "start")
    faculty.play(number, INSIDE, "finish", score=1, max=2)
    assert faculty.actions(number, INSIDE) == actions
    answer = faculty.call("POST", f"Participants({INSIDE})/ActionableSchedule", {"ScheduleID": number})
    assert answer.status_code == (200 if actions else 404)
    if actions:
        assert answer.json()["AttemptsRemaining"] == remaining


def test_a_paused_attempt_cannot_be_resumed(faculty: Sandbox) -> None:
    number = made(faculty, ResumeAllowed=True)
    faculty.play(number, INSIDE, "start")
    faculty.play(number, INSIDE, "finish", status=6)
    assert faculty.actions(number, INSIDE) == []


def test_schedules_reach_the_members_of_a_group_and_of_those_below(faculty: Sandbox) -> None:
    upper, lower = made(faculty), made(faculty, GroupID=NURSING)
    whom = (INSIDE, SIBLING, OUTSIDE)
    assert [faculty.actions(upper, person) for person in whom] == [["start"], ["start"], []]
    assert [faculty.actions(lower, person) for person in whom] == [["start"], [], []]
    alone = made(faculty, ParticipantID=OUTSIDE)
    assert [faculty.actions(alone, person) for person in whom] == [[], [], ["start"]]
    within = made(faculty, ParticipantID=INSIDE, GroupID=HEALTH)
    assert [faculty.actions(within, person) for person in whom] == [["start"], [], []]


def test_hidden_schedules_are_listed_unless_that_is_declined(faculty: Sandbox) -> None:
    number = made(faculty, Hidden=True)
    path = f"Participants({INSIDE})/ActionableSchedules"
    shown = {hidden: faculty.post(path, {"ShowHidden": hidden})["value"] for hidden in (True, False)}
    assert number in [item["ScheduleID"] for item in shown[True]]
    assert number not in [item["ScheduleID"] for item in shown[False]]
    assert launched(faculty, number).status_code == 200


def test_an_actionable_schedule_looks_as_documented(faculty: Sandbox) -> None:
    number = made(faculty, Name="Demo")
    person = faculty.get(f"Participants({INSIDE})")
    expected = {
        "ScheduleID": number,
        "Name": "Demo",
        "ParticipantID": INSIDE,
        "ParticipantName": f"{person['FirstName']} {person['LastName']}",
        "Hidden": False,
        "AttemptsRemaining": None,
        "Actions": ["start"],
    }
    listed = faculty.post(f"Participants({INSIDE})/ActionableSchedules", {})
    kind = "QM.DeliveryODataService.DTO.ActionableSchedule"
    assert listed["odata.metadata"] == f"$metadata#Collection({kind})"
    assert expected in listed["value"]
    one = faculty.post(f"Participants({INSIDE})/ActionableSchedule", {"ScheduleID": number})
    assert one == {"odata.metadata": f"$metadata#{kind}"} | expected
    assert faculty.post("Schedules/ActionableSchedulesForParticipant", {"ParticipantID": INSIDE}) == listed


def test_an_exception_replaces_its_parent_for_one_participant(faculty: Sandbox) -> None:
    at(faculty, NOON)
    parent = made(faculty, StartTo=EARLIER, MaxAttempts=2)
    exception = made(faculty, ParentScheduleID=parent, ParticipantID=INSIDE, MaxAttempts=2, ExtraTime=15)
    assert (faculty.actions(parent, INSIDE), faculty.actions(parent, SIBLING)) == ([], [])
    assert (faculty.actions(exception, INSIDE), faculty.actions(exception, SIBLING)) == (["start"], [])
    asked = faculty.post(f"Participants({INSIDE})/ActionableSchedule", {"ScheduleID": parent})
    assert asked["ScheduleID"] == exception
    played = faculty.play(parent, INSIDE, "start")
    assert (played["Attempt"]["ScheduleID"], played["Result"]["ExtraTime"]) == (exception, 15)


def test_attempts_of_parent_and_exception_count_together(faculty: Sandbox) -> None:
    parent = made(faculty)
    faculty.play(parent, INSIDE, "start")
    exception = made(faculty, ParentScheduleID=parent, ParticipantID=INSIDE, MaxAttempts=1, ResumeAllowed=True)
    assert faculty.actions(exception, INSIDE) == ["resume"]
    faculty.play(exception, INSIDE, "finish", score=1)
    assert faculty.actions(exception, INSIDE) == []


def invoke(faculty: Sandbox, schedule: int, status: int = 200, **more: object) -> dict[str, Any]:
    body = {"Action": "start", "ParticipantID": INSIDE} | more
    answer: dict[str, Any] = faculty.post(f"Schedules({schedule})/InvokeAction", body, status)
    return answer


def launched(faculty: Sandbox, schedule: int, **more: object) -> requests.Response:
    return requests.get(invoke(faculty, schedule, **more)["value"], timeout=5)


def test_a_launch_url_starts_once(faculty: Sandbox) -> None:
    number = made(faculty)
    answer = invoke(faculty, number)
    assert answer["odata.metadata"] == "$metadata#Edm.String"
    assert faculty.get(f"Schedules({number})/Attempts")["value"] == []
    assert [requests.get(answer["value"], timeout=5).status_code for _ in range(2)] == [200, 403]
    [attempt] = faculty.get(f"Schedules({number})/Attempts?$expand=Result")["value"]
    assert (attempt["AttemptNumber"], attempt["ParticipantID"], attempt["Result"]["Status"]) == (1, INSIDE, 1)
    assert attempt["ParticipantFacingQMLobbyUrl"] is None


def test_a_launch_url_cannot_be_changed_or_kept(faculty: Sandbox) -> None:
    at(faculty, NOON)
    number = made(faculty)
    url = invoke(faculty, number)["value"]
    for wrong in (
        url.replace(f"participantid={INSIDE}", f"participantid={SIBLING}"),
        url[:-1] + ("0" if url[-1] != "0" else "1"),
        url.partition("&signature=")[0],
        url.partition("?")[0],
    ):
        assert requests.get(wrong, timeout=5).status_code == 403
    assert requests.post(url, timeout=5).status_code == 405
    at(faculty, "2026-06-01T12:05:01Z")
    assert "expired" in requests.get(url, timeout=5).text
    at(faculty, "2026-06-01T12:05:00Z")
    assert requests.get(url, timeout=5).status_code == 200


def test_a_second_link_is_of_no_use_when_the_action_is_gone(faculty: Sandbox) -> None:
    number = made(faculty, MaxAttempts=1)
    first, second = (invoke(faculty, number)["value"] for _ in range(2))
    assert requests.get(first, timeout=5).status_code == 200
    assert requests.get(second, timeout=5).status_code == 409
    assert len(faculty.get(f"Schedules({number})/Attempts")["value"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"Action": "resume"},
        {"Action": "dance"},
        {"Action": None},
        {"ParticipantID": OUTSIDE},
        {"ParticipantID": 1},
        {"ParticipantID": "x"},
        {"ParticipantID": 10**30},
        {"ObserverID": 1},
        {"AttemptMetadata": [{"Key": "k"}]},
        {"AttemptMetadata": [{"Key": "k" * 201, "Value": "v"}]},
        {"AttemptMetadata": "x"},
    ],
)
def test_an_action_that_is_not_available_is_refused(body: dict[str, object], faculty: Sandbox) -> None:
    number = made(faculty)
    asked = {"Action": "start", "ParticipantID": INSIDE} | body
    faculty.message("POST", f"Schedules({number})/InvokeAction", 400, asked)


def test_actions_are_bound_to_their_feeds(faculty: Sandbox) -> None:
    for path in ("Groups(410001)/ActionableSchedules", "Schedules/InvokeAction", "Participants(1)/ActionableSchedules"):
        faculty.message("POST", path, 404, {})


def test_an_observer_starts_what_a_participant_cannot(faculty: Sandbox) -> None:
    number = made(faculty, ObserverInitiated=True)
    invoke(faculty, number, 400)
    assert launched(faculty, number, ObserverID=101).status_code == 200


def test_metadata_goes_to_the_attempt_and_its_special_fields(faculty: Sandbox) -> None:
    number = made(faculty)
    values = {"S1": "term", "S2": "%Participant.Primary_Country%/%Participant.Nothing%", "Source": "x", "Device": "old"}
    for key, value in values.items():
        faculty.post("ScheduleMetadata", {"ScheduleID": number, "Key": key, "Value": value}, 201)
    launched(faculty, number, AttemptMetadata=[{"Key": "Device", "Value": "PC34"}, {"Key": "S10", "Value": "ten"}])
    [attempt] = faculty.get(f"Schedules({number})/Attempts?$expand=Result,AttemptMetadata")["value"]
    found = {record["Key"]: record["Value"] for record in attempt["AttemptMetadata"]}
    assert found == {"S1": "term", "S2": "BE/", "Source": "x", "Device": "PC34", "S10": "ten"}
    assert [attempt["Result"][f"Special{n}"] for n in (1, 2, 3, 10)] == ["term", "BE/", None, "ten"]
    by_filter = faculty.get(f"AttemptMetadata?$filter=AttemptID eq {attempt['ID']}")["value"]
    assert by_filter == attempt["AttemptMetadata"]


def test_resuming_goes_on_with_the_same_attempt(faculty: Sandbox) -> None:
    number = made(faculty, ResumeAllowed=True)
    begun = faculty.play(number, INSIDE, "start")
    assert invoke(faculty, number, 400)
    assert launched(faculty, number, Action="resume", AttemptMetadata=[{"Key": "S1", "Value": "x"}]).status_code == 200
    [attempt] = faculty.get(f"Schedules({number})/Attempts?$expand=Result")["value"]
    assert (attempt["ID"], attempt["Result"]["Special1"]) == (begun["Attempt"]["ID"], "x")
    ended = faculty.play(number, INSIDE, "quit", score=1, max=8)
    assert (ended["Result"]["ID"], ended["Result"]["Status"]) == (begun["Result"]["ID"], 5)
    faculty.play(number, INSIDE, "finish", 409)


def test_a_result_tells_what_happened(faculty: Sandbox) -> None:
    at(faculty, "2026-06-01T12:00:00.123456Z")
    number = made(faculty, Name="Exam", GroupID=NURSING, ExtraTime=-5, TestCenterID=71)
    begun = faculty.play(number, INSIDE, "start")["Result"]
    names = ("Status", "WhenStarted", "WhenFinished", "TotalScore", "ScoreBandTitle", "StillGoing")
    assert [begun[name] for name in names] == [1, "2026-06-01T12:00:00.123", None, None, None, True]
    at(faculty, "2026-06-01T12:10:00Z")
    result = faculty.play(number, INSIDE, "finish", score=5, max=8)["Result"]
    person = faculty.get(f"Participants({INSIDE})")
    expected = {
        "Status": 2,
        "TotalScore": 5,
        "MaxScore": 8,
        "PercentageScore": 63,
        "ScoreBandTitle": "Pass",
        "WhenFinished": "2026-06-01T12:10:00",
        "TimeTaken": 599,
        "StillGoing": False,
        "ParticipantName": person["Name"],
        "GroupName": "Health Sciences",
        "TestCenterName": "North campus hall",
        "ScheduleName": "Exam",
        "ExtraTime": -5,
        "AssessmentID": QUIZ,
    }
    assert {name: result[name] for name in expected} == expected
    finished = (
        f"Results?$filter=WhenFinished ge datetime'2026-06-01T12:10:00' and ParticipantName eq '{person['Name']}'"
    )
    assert result in faculty.get(f"{finished}&$orderby=WhenFinished desc")["value"]
    assert faculty.get(f"Results({result['ID']})/Attempt")["ScheduleID"] == number


@pytest.mark.parametrize(("score", "maximum", "percent"), [(1, 200, 1), (-1, 200, -1), (1, 201, 0), (0, 0, 0)])
def test_percentages_are_rounded_half_away_from_zero(score: int, maximum: int, percent: int, faculty: Sandbox) -> None:
    number = made(faculty)
    faculty.play(number, INSIDE, "start")
    played = faculty.play(number, INSIDE, "finish", score=score, max=maximum)
    assert played["Result"]["PercentageScore"] == percent


@pytest.mark.parametrize(
    ("rule", "score"), [("First", 40), ("Last", 60), ("Best", 90), ("Worst", 10), (None, 60)]
)  # fmt: skip
def test_the_reported_result_follows_the_rule(rule: str | None, score: int, faculty: Sandbox) -> None:
    number = made(faculty, ReportedResult=rule)
    path, whom = f"Schedules({number})/GetReportedResult", {"ParticipantID": INSIDE}
    faculty.message("POST", path, 404, whom)
    for points in (40, 90, 10, 60):
        faculty.play(number, INSIDE, "start")
        assert faculty.call("POST", path, whom).status_code == (404 if points == 40 else 200)
        faculty.play(number, INSIDE, "finish", score=points)
    faculty.play(number, INSIDE, "start")  # not finished: never the one that is reported
    answer = faculty.post(path, whom)
    assert answer.pop("odata.metadata") == "$metadata#Results/@Element"
    assert answer["TotalScore"] == score
    faculty.message("POST", path, 404, {"ParticipantID": SIBLING})


def test_attempts_are_found_by_schedule(faculty: Sandbox) -> None:
    number = made(faculty)
    for person in (INSIDE, SIBLING):
        faculty.play(number, person, "start")
    page = faculty.get(f"Attempts?$filter=ScheduleID eq {number}&$expand=Result,MonitoringType")
    assert [attempt["ParticipantID"] for attempt in page["value"]] == [INSIDE, SIBLING]
    assert page["value"][0]["MonitoringType"]["Name"] == "UNMONITORED"
    # As the vendor's tutorial prints it, the schedule report has the word.
    assert page["value"][0]["ParticipantSystemCheckUrl"] == "null"
    report = faculty.get(f"Schedules({number})?$expand=Attempts/Result")
    assert report["odata.metadata"] == "$metadata#Schedules/@Element"
    assert [attempt["Result"]["Status"] for attempt in report["Attempts"]] == [1, 1]


def test_an_attempt_has_its_links_only_by_itself(faculty: Sandbox) -> None:
    number = made(faculty)
    attempt = faculty.play(number, INSIDE, "start")["Attempt"]["ID"]
    alone = faculty.get(f"Attempts({attempt})")
    for name in ("ParticipantFacingQMLobbyUrl", "ProctorFacingQMControlsWidgetUrl"):
        assert requests.get(alone[name], timeout=5).status_code == 200
    assert faculty.get(f"Attempts?$filter=ID eq {attempt}")["value"][0]["ParticipantFacingQMLobbyUrl"] is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"do": "dance"}, 400),
        ({"do": None}, 400),
        ({"ScheduleID": 10**6, "do": "start"}, 404),
        ({"ParticipantID": OUTSIDE, "do": "start"}, 404),
        ({"do": "finish"}, 409),
        ({"do": "resume"}, 409),
    ],
)
def test_playing_what_cannot_be_is_refused(body: dict[str, object], status: int, faculty: Sandbox) -> None:
    faculty.act("play", {"ScheduleID": made(faculty), "ParticipantID": INSIDE} | body, status=status)
