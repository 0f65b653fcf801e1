"""The Questionmark client: what it sends, and how it reads what the documents show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fixtures.scripted_server import Reply, Script
from gradeway.errors import SettingsError, UnknownOutcomeError, VendorAnswerError, VendorError, VendorRefusedError
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.delivery import Assessment, Group, Schedule, ScheduleValues
from gradeway.vendors.odata import Int64
from gradeway.vendors.questionmark import Questionmark, service_root
from gradeway.vendors.transport import Manners

ROOT = "/deliveryodata/123456/"
NEW: ScheduleValues = {"Name": "Demo", "AssessmentID": Int64("92761000092761"), "GroupID": 5, "MonitoringTypeID": 1}
SCHEDULE = {"ID": 1, "AssessmentID": "92761000092761", "MonitoringTypeID": 1, "Name": "Demo", "GroupID": 5}
TEST = {"ID": "92761000092761", "Revision": 1, "Name": "Sample Test"}


def schedules(*numbers: int) -> list[dict[str, Any]]:
    return [SCHEDULE | {"ID": number} for number in numbers]


@pytest.mark.parametrize(
    ("url", "extra", "root"),
    [
        ("https://h/deliveryodata/123456/", {}, "https://h/deliveryodata/123456/"),
        ("https://h/proxy/deliveryodata/a1/", {"area": "zz"}, "https://h/proxy/deliveryodata/a1/"),
        ("https://h/", {"area": "123456"}, "https://h/deliveryodata/123456/"),
        ("https://h/", {"area": 123456}, "https://h/deliveryodata/123456/"),
        ("https://h/proxy/", {"area": "a" * 32}, f"https://h/proxy/deliveryodata/{'a' * 32}/"),
    ],
)
def test_the_area_comes_from_the_path_or_the_extra(url: str, extra: dict[str, object], root: str) -> None:
    assert service_root(Endpoint("c", url, extra=extra)).url == root


@pytest.mark.parametrize(
    ("url", "area"),
    [
        ("https://h/", ""),
        ("https://h/", "../x"),
        ("https://h/", "a" * 33),
        ("https://h/", "é"),
        ("https://h/", "12\n"),
        ("https://h/deliveryodata/", "5"),
        ("https://h/deliveryodata/1/2/", "5"),
    ],
)
def test_a_wrong_area_is_refused(url: str, area: str) -> None:
    with pytest.raises(SettingsError, match="connection c: the area"):
        service_root(Endpoint("c", url, extra={"area": area}))


def test_a_client_without_a_login_is_not_made(endpoint: Endpoint) -> None:
    with pytest.raises(SettingsError, match="login"):
        Questionmark(replace(endpoint, login=""))


def test_lists_are_streamed_along_their_links(script: Script, client: Questionmark) -> None:
    script.say_json(
        {"value": schedules(1, 2), "odata.nextLink": f"{script.url}{ROOT}Schedules?$skiptoken=2"},
        {"value": schedules(3), "@odata.nextLink": "Schedules?$skiptoken=3"},
        {"value": []},
    )
    found = client.find(Schedule, ("GroupID", "eq", 5))
    assert script.asked == []
    assert next(found).id == 1
    assert len(script.asked) == 1
    assert [schedule.id for schedule in found] == [2, 3]
    assert script.asked[0].query == {"$filter": "GroupID eq 5"}
    assert [asked.query.get("$skiptoken") for asked in script.asked] == [None, "2", "3"]


@pytest.mark.parametrize("link", ["Schedules?$skiptoken=1", 5, "https://example.org/Schedules"])
def test_links_that_lead_nowhere_end_in_an_error(script: Script, client: Questionmark, link: object) -> None:
    script.say_json(*[{"value": [], "odata.nextLink": link}] * 3)
    with pytest.raises(VendorAnswerError, match="GET Schedules"):
        list(client.find(Schedule))
    assert len(script.asked) <= 2


@pytest.mark.parametrize("answer", [{}, [], {"value": {}}, None, '"x"'])
def test_an_answer_without_a_list_is_an_error(script: Script, client: Questionmark, answer: object) -> None:
    script.say_json(answer)
    with pytest.raises(VendorAnswerError, match="holds no list"):
        list(client.find(Schedule))


def test_an_undocumented_filter_is_not_even_sent(script: Script, client: Questionmark) -> None:
    with pytest.raises(ValueError, match="cannot be filtered"):
        client.find(Schedule, ("ExternalID", "eq", "x"))
    assert script.asked == []


def test_one_entity_by_its_key(script: Script, client: Questionmark) -> None:
    script.say(Reply(body=SCHEDULE), Reply(404), Reply(403))
    found = client.get(Schedule, 1)
    assert found is not None
    assert (found.id, found.name) == (1, "Demo")
    assert client.get(Schedule, 2) is None
    with pytest.raises(VendorRefusedError, match="rights of the account"):
        client.get(Schedule, 3)
    assert [asked.path for asked in script.asked] == [f"{ROOT}Schedules({n})" for n in (1, 2, 3)]


def test_an_assessment_is_looked_up_by_a_64_bit_filter(script: Script, client: Questionmark) -> None:
    script.say_json({"value": [TEST]}, {"value": []})
    found = client.get(Assessment, "92761000092761")
    assert found is not None
    assert found.id == "92761000092761"
    assert client.get(Assessment, "5") is None
    assert script.asked[0].query == {"$filter": "ID eq 92761000092761L"}


def test_members_of_a_group(script: Script, client: Questionmark) -> None:
    script.say_json({"value": [{"ID": 1, "Name": "a.hurst"}]})
    assert [each.name for each in client.members(7)] == ["a.hurst"]
    assert script.asked[0].path == f"{ROOT}Groups(7)/Participants"


def group(number: int, **more: object) -> dict[str, object]:
    return {"ID": number, "RootGroupID": number, "Name": f"G{number}"} | more


def test_permission_is_flat_and_without_duplicates(script: Script, client: Questionmark) -> None:
    other = TEST | {"ID": "5"}
    script.say_json(
        {"value": [group(1, SchedulableAssessments=[TEST, other, TEST])], "odata.nextLink": "Next"},
        {"value": [group(2, SchedulableAssessments=[TEST]), group(1, SchedulableAssessments=[other])]},
    )
    found = client.schedulable(12345)
    assert [(each.group.id, each.assessment.id) for each in found] == [(1, TEST["ID"]), (1, "5"), (2, TEST["ID"])]
    assert script.asked[0].path == f"{ROOT}Administrators(12345)/Groups"
    assert script.asked[0].query == {"$expand": "SchedulableAssessments"}


def people(*numbers: int) -> list[dict[str, int]]:
    return [{"ID": number} for number in numbers]


def test_a_cut_expansion_is_completed_by_its_link(script: Script, client: Questionmark) -> None:
    link = "Groups(1)/Participants?$skiptoken=2"
    script.say_json(
        {"value": [group(1, Participants=people(1, 2), **{"Participants@odata.nextLink": link})]},
        {"value": people(3), "odata.nextLink": "Groups(1)/Participants?$skiptoken=3"},
        {"value": people(4)},
    )
    assert [each.participant.id for each in client.reachable(1)] == [1, 2, 3, 4]


def test_a_cut_expansion_without_a_link_is_read_as_a_feed(script: Script, client: Questionmark) -> None:
    script.say_json(
        {"value": [group(8, Participants=people(*range(100)))]},
        {"value": people(*range(100)), "odata.nextLink": "More"},
        {"value": people(100)},
    )
    assert len(client.reachable(1)) == 101
    assert [asked.path.removeprefix(ROOT) for asked in script.asked] == [
        "Administrators(1)/Groups",
        "Groups(8)/Participants",
        "More",
    ]


def test_a_missing_expansion_is_not_taken_for_an_empty_one(script: Script, client: Questionmark) -> None:
    script.say_json({"value": [group(1)]})
    with pytest.raises(VendorAnswerError, match="holds no list"):
        client.schedulable(1)


def test_a_schedule_is_created(script: Script, client: Questionmark) -> None:
    script.say(Reply(201, SCHEDULE))
    start = datetime(2026, 1, 31, 10, tzinfo=ZoneInfo("Europe/Brussels"))
    made = client.create_schedule(NEW | {"StartFrom": start, "ExternalID": None})
    assert made.id == 1
    assert script.asked[0].json == {
        "Name": "Demo",
        "AssessmentID": "92761000092761",
        "GroupID": 5,
        "MonitoringTypeID": 1,
        "StartFrom": "2026-01-31T09:00:00Z",
        "ExternalID": None,
    }


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"AssessmentID": "1", "GroupID": 5, "MonitoringTypeID": 1}, "needs Name"),
        (NEW | {"GroupID": None}, "GroupID or ParticipantID"),
        (NEW | {"AssessmentID": "0012"}, "64-bit"),
        (NEW | {"ID": 5}, "no property ID"),
        (NEW | {"StartFrom": datetime(2026, 1, 1)}, "without a zone"),  # noqa: DTZ001 - the mistake to find
    ],
)
def test_a_schedule_that_cannot_be_is_not_sent(
    script: Script, client: Questionmark, values: ScheduleValues, told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        client.create_schedule(values)
    assert script.asked == []


@pytest.mark.parametrize("echo", [None, {}, {"ID": "Zebra"}, []])
def test_a_creation_without_a_usable_echo_has_to_be_read(script: Script, client: Questionmark, echo: object) -> None:
    script.say(Reply(201, echo))
    with pytest.raises(UnknownOutcomeError) as caught:
        client.create_schedule(NEW)
    assert caught.value.status == 201
    assert "Zebra" not in str(caught.value)


def test_a_patch_holds_only_what_changes(script: Script, client: Questionmark) -> None:
    script.say(Reply(204), Reply(503), Reply(204))
    client.patch_schedule(1, {"ResumeAllowed": True})
    client.patch_schedule(1, {"StartTo": None})
    assert [(asked.method, asked.path, asked.json) for asked in script.asked] == [
        ("PATCH", f"{ROOT}Schedules(1)", {"ResumeAllowed": True}),
        ("PATCH", f"{ROOT}Schedules(1)", {"StartTo": None}),
        ("PATCH", f"{ROOT}Schedules(1)", {"StartTo": None}),
    ]


@pytest.mark.parametrize("values", [{}, {"AssessmentID": "1"}, {"GroupID": 1, "Name": "x"}, {"Created": None}])
def test_a_patch_that_cannot_be_is_not_sent(script: Script, client: Questionmark, values: ScheduleValues) -> None:
    with pytest.raises(ValueError, match=r"fixed|no property"):
        client.patch_schedule(1, values)
    assert script.asked == []


def test_metadata(script: Script, client: Questionmark) -> None:
    entry = {"ID": 9, "ScheduleID": 1, "Key": "S1", "Value": "x"}
    script.say(Reply(body={"value": [entry]}), Reply(201, entry))
    assert [each.value for each in client.metadata(1)] == ["x"]
    assert client.add_metadata(1, "S1", "x").id == 9
    assert script.asked[1].path == f"{ROOT}ScheduleMetadata"
    assert script.asked[1].json == {"ScheduleID": 1, "Key": "S1", "Value": "x"}


@pytest.mark.parametrize(("key", "value"), [("", "x"), ("k" * 201, "x"), ("k", ""), ("k", "x" * 4001)])
def test_metadata_has_its_limits(script: Script, client: Questionmark, key: str, value: str) -> None:
    with pytest.raises(ValueError, match="characters"):
        client.add_metadata(1, key, value)
    assert script.asked == []


RESULT = {"ID": 3, "AssessmentID": "92761000092761", "WhenStarted": "2017-08-21T13:48:20.123", "Status": 2}
ATTEMPT = {
    "ID": 17897,
    "ParticipantID": 4,
    "AssessmentID": "92761000092761",
    "ScheduleID": 1,
    "LastModifiedDateTime": "2017-08-21T12:48:20.157Z",
    "ParticipantSystemCheckUrl": "null",
    "Result": RESULT,
}


def test_attempts_come_with_their_results(script: Script, client: Questionmark) -> None:
    script.say_json({"value": [ATTEMPT], "odata.nextLink": "N"}, {"value": [ATTEMPT | {"ID": 5, "Result": None}]})
    first, second = client.attempts(1)
    assert first.result is not None
    assert (first.id, first.result.status, second.result) == (17897, 2, None)
    assert script.asked[0].query == {"$filter": "ScheduleID eq 1", "$expand": "Result"}


def test_another_zone_is_told_once(
    script: Script, endpoint: Endpoint, manners: Manners, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[int] = []
    script.say_json(*[{"value": [ATTEMPT, ATTEMPT]}] * 3)
    list(Questionmark(endpoint, manners=manners, doubt_zone=told.append).attempts(1))
    assert told == [1]
    list(Questionmark(endpoint, manners=manners).attempts(1))
    assert "results start +1 hours off" in caplog.text
    right = Questionmark(endpoint, manners=manners, zone=ZoneInfo("Europe/London"), doubt_zone=told.append)
    (attempt, _) = right.attempts(1)
    assert attempt.result is not None
    assert attempt.result.when_started == datetime(2017, 8, 21, 12, 48, 20, 123000, tzinfo=UTC)
    assert told == [1]


def test_the_reported_result(script: Script, client: Questionmark) -> None:
    script.say(Reply(body=RESULT), Reply(404))
    found = client.reported_result(1, 4)
    assert found is not None
    assert found.id == 3
    assert client.reported_result(1, 5) is None
    assert [(asked.method, asked.path, asked.json) for asked in script.asked] == [
        ("POST", f"{ROOT}Schedules(1)/GetReportedResult", {"ParticipantID": 4}),
        ("POST", f"{ROOT}Schedules(1)/GetReportedResult", {"ParticipantID": 5}),
    ]


ACTIONABLE = {"ScheduleID": 1, "ParticipantID": 4, "Hidden": False, "AttemptsRemaining": None, "Actions": ["start"]}


@pytest.mark.parametrize(("show", "body"), [(None, {}), (True, {"ShowHidden": True}), (False, {"ShowHidden": False})])
def test_what_a_participant_may_do(
    script: Script, client: Questionmark, show: bool | None, body: dict[str, object]
) -> None:
    script.say_json({"value": [ACTIONABLE]})
    (found,) = client.actionable(4, show_hidden=show)
    assert (found.actions, found.attempts_remaining) == (("start",), None)
    assert (script.asked[0].method, script.asked[0].path) == ("POST", f"{ROOT}Participants(4)/ActionableSchedules")
    assert script.asked[0].json == body


def test_what_a_participant_may_do_with_one_schedule(script: Script, client: Questionmark) -> None:
    script.say(Reply(body=ACTIONABLE | {"ScheduleID": 9}), Reply(404))
    found = client.actionable_schedule(4, 1)
    assert found is not None
    assert found.schedule_id == 9
    assert client.actionable_schedule(4, 2) is None
    assert script.asked[0].json == {"ScheduleID": 1}


def test_a_launch_link_is_handed_over_and_shown_nowhere(script: Script, client: Questionmark) -> None:
    url = "https://ondemand.example.com/lobby?id=1&timestamp=2017&nonce=Zebra&signature=Zebra"
    script.say(Reply(503), Reply(body={"value": url}))
    found = client.invoke(1, "start", 4, {"Device": "LAB"})
    assert found.reveal() == url
    assert repr(found) == str(found) == f"{found}" == "LaunchUrl()"
    assert script.asked[1].json == {
        "Action": "start",
        "ParticipantID": 4,
        "AttemptMetadata": [{"Key": "Device", "Value": "LAB"}],
    }


@pytest.mark.parametrize("answer", [{"value": "javascript:alert(1)"}, {"value": None}, {}, ["https://x"]])
def test_what_is_no_link_is_not_handed_over(script: Script, client: Questionmark, answer: object) -> None:
    script.say_json(answer)
    with pytest.raises(VendorAnswerError, match="no link"):
        client.invoke(1, "start", 4)


CALLS: dict[str, Callable[[Questionmark], object]] = {
    "find": lambda client: list(client.find(Group, ("Name", "eq", "x"))),
    "get": lambda client: client.get(Schedule, 1),
    "members": lambda client: list(client.members(1)),
    "schedulable": lambda client: client.schedulable(1),
    "reachable": lambda client: client.reachable(1),
    "create": lambda client: client.create_schedule(NEW),
    "patch": lambda client: client.patch_schedule(1, {"Hidden": True}),
    "metadata": lambda client: list(client.metadata(1)),
    "add": lambda client: client.add_metadata(1, "a", "b"),
    "attempts": lambda client: list(client.attempts(1)),
    "reported": lambda client: client.reported_result(1, 1),
    "actionable": lambda client: client.actionable(1),
    "one": lambda client: client.actionable_schedule(1, 1),
    "invoke": lambda client: client.invoke(1, "start", 1),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_no_call_asks_for_what_the_service_does_not_support(
    script: Script, client: Questionmark, call: Callable[[Questionmark], object]
) -> None:
    script.say(Reply(400))
    with pytest.raises(VendorError):
        call(client)
    (asked,) = script.asked
    assert not {"$select", "$format", "$orderby", "$top", "$skip"} & asked.query.keys()
    assert (asked.headers["Accept"], asked.headers["MaxDataServiceVersion"]) == ("application/json", "3.0")
