"""Feeds, entities and query options, as the vendor documents them, and the documented refusals."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any
from urllib.parse import unquote

import pytest
import requests

from fixtures.sandboxes import Sandbox, running
from gradeway.sandbox.questionmark.entities import SETS

MEMBERS, SCHEDULES = 250, 5000
ASSESSMENT = "92761000092761"


def crowd() -> dict[str, Any]:
    """Many participants in one group and many schedules, half of them of each of two groups."""
    return {
        "MonitoringTypes": [{"ID": 1, "Name": "UNMONITORED"}],
        "Assessments": [{"ID": ASSESSMENT, "Name": "Sample Test", "SaveAnswers": True, "Groups": [11, 12]}],
        "Groups": [
            {"ID": 11, "Name": "Large", "Participants": list(range(1, MEMBERS + 1)), "SubGroups": [12]},
            {"ID": 12, "Name": "O'Neill", "Description": "", "SubGroups": [{"ID": 13, "Name": "Deep"}]},
            {"ID": 14, "Name": "Other"},
        ],
        "Participants": [
            {"ID": number, "Name": f"p{number:03}", "Password": "hunter2"} for number in range(1, MEMBERS + 1)
        ],
        "Administrators": [{"ID": 9, "Name": "boss", "Password": "hunter2", "Groups": [11, 14]}],
        "Schedules": [
            {
                "ID": number,
                "Name": f"S{number}",
                "AssessmentID": ASSESSMENT,
                "GroupID": 11 + number % 2,
                "MonitoringTypeID": 1,
                "StartFrom": f"2026-03-01T09:{number % 60:02}:00.{number % 10}Z",
                "ReportedResult": "Best",
            }
            for number in range(1, SCHEDULES + 1)
        ],
    }


@pytest.fixture(scope="module")
def qm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running(tmp_path_factory.mktemp("crowd"), crowd()) as sandbox:
        yield sandbox


def ids(page: dict[str, Any]) -> list[int]:
    return [entity["ID"] for entity in page["value"]]


def test_a_stranger_is_told_to_log_in(qm: Sandbox) -> None:
    for login in (None, ("sandbox", "wrong"), ("", "")):
        answer = requests.get(qm.url + "Groups", auth=login, timeout=5)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    odd = requests.get(qm.url + "Groups", headers={"Authorization": "Basic ~~~"}, timeout=5)
    assert odd.status_code == 401


def test_the_root_names_the_feeds(qm: Sandbox) -> None:
    assert {feed["url"] for feed in qm.get("")["value"]} == set(SETS)
    assert qm.call("GET", qm.url.rstrip("/")).status_code == 200


@pytest.mark.parametrize("name", SETS)
def test_every_feed_answers_all_its_documented_properties(name: str, qm: Sandbox) -> None:
    page = qm.get(name)
    assert page["odata.metadata"] == f"$metadata#{name}"
    for entity in page["value"]:
        assert list(entity) == list(SETS[name].properties)


def test_answers_are_json_light_of_version_3(qm: Sandbox) -> None:
    answer = qm.call("GET", "Groups")
    assert answer.headers["Content-Type"].startswith("application/json;odata=minimalmetadata")
    assert answer.headers["DataServiceVersion"] == "3.0;"
    assert qm.call("GET", "Groups", headers={"Accept": "application/atom+xml"}).status_code == 406


def test_long_integers_are_text_and_passwords_null(qm: Sandbox) -> None:
    assert qm.get("Assessments")["value"][0]["ID"] == ASSESSMENT
    assert qm.get(f"Assessments({ASSESSMENT}L)")["Name"] == "Sample Test"
    assert qm.get("Participants(1)")["Password"] is None
    assert "hunter2" not in qm.call("GET", "Administrators?$expand=Groups/Participants").text


def test_pages_have_a_hundred_and_a_link_to_the_next(qm: Sandbox) -> None:
    pages = list(qm.pages("Participants"))
    assert [len(page["value"]) for page in pages] == [100, 100, 50]
    assert [number for page in pages for number in ids(page)] == list(range(1, MEMBERS + 1))
    assert pages[0]["odata.nextLink"].startswith(f"{qm.url}Participants?$skiptoken=")


def test_thousands_of_schedules_are_listed_quickly(qm: Sandbox) -> None:
    since = perf_counter()
    found = [number for page in qm.pages("Schedules") for number in ids(page)]
    assert found == list(range(1, SCHEDULES + 1))
    assert perf_counter() - since < 5


def test_a_filter_stays_in_the_link(qm: Sandbox) -> None:
    pages = list(qm.pages("Schedules?$filter=GroupID eq 12 and ID le 500&$expand=Group"))
    assert [number for page in pages for number in ids(page)] == list(range(1, 501, 2))
    assert "GroupID eq 12" in unquote(pages[0]["odata.nextLink"])
    assert pages[-1]["value"][-1]["Group"]["Name"] == "O'Neill"


def test_top_and_skip(qm: Sandbox) -> None:
    assert ids(qm.get("Schedules?$top=3&$skip=10")) == [11, 12, 13]
    assert "odata.nextLink" not in qm.get("Schedules?$top=100")
    assert [len(page["value"]) for page in qm.pages("Schedules?$top=230&$skip=5")] == [100, 100, 30]
    assert qm.get("Schedules?$top=0")["value"] == []


def test_orderby_is_followed_over_pages(qm: Sandbox) -> None:
    names = [entity["Name"] for page in qm.pages("Participants?$orderby=Name desc") for entity in page["value"]]
    assert names == [f"p{number:03}" for number in range(MEMBERS, 0, -1)]


def test_expansions_are_cut_at_a_hundred_with_a_link(qm: Sandbox) -> None:
    group = qm.get("Administrators(9)/Groups?$expand=Participants/Groups")["value"][0]
    assert len(group["Participants"]) == 100
    rest = list(qm.pages(group["Participants@odata.nextLink"]))
    assert [len(page["value"]) for page in rest] == [100, 50]
    assert rest[0]["value"][0]["Groups"][0]["ID"] == 11
    members = [entity["ID"] for entity in group["Participants"]] + [number for page in rest for number in ids(page)]
    assert members == list(range(1, MEMBERS + 1))


def test_navigation_after_a_key(qm: Sandbox) -> None:
    assert ids(qm.get("Administrators(9)/Groups")) == [11, 14]
    assert ids(qm.get("Groups(11)/SchedulableAssessments")) == [ASSESSMENT]
    assert ids(qm.get("Groups(11)/Participants(7)/Groups")) == [11]
    assert ids(qm.get("Groups(13)/AncestorGroups")) == [11, 12, 13]
    assert ids(qm.get("Groups(11)/DescendantGroups?$filter=ID gt 11")) == [12, 13]
    assert qm.get("Groups(13)/ParentGroup")["ID"] == 12
    assert qm.get("Groups(13)")["RootGroupID"] == 11
    assert qm.get("Schedules(1)/Assessment")["ID"] == ASSESSMENT
    assert qm.get("Schedules(1)/Attempts")["value"] == []
    assert qm.get("Groups(11)?$expand=ParentGroup")["ParentGroup"] is None


def test_counts(qm: Sandbox) -> None:
    assert qm.call("GET", "Schedules/$count").text == str(SCHEDULES)
    assert qm.call("GET", "Schedules/$count?$filter=GroupID eq 11").text == str(SCHEDULES // 2)
    assert "base feeds" in qm.message("GET", "Groups(11)/Participants/$count", 400)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ID eq 3", [3]),
        ("ID lt 3", [1, 2]),
        ("ID le 2 or ID eq 4", [1, 2, 4]),
        ("(ID eq 1 or ID eq 2) and GroupID eq 11", [2]),
        ("ID eq 1 or ID eq 2 and GroupID eq 12", [1]),
        ("ID gt 2 and ID ge 3 and ID lt 5 and ID ne 4", [3]),
        ("ID le 3 and ParticipantID eq null", [1, 2, 3]),
        ("ID le 3 and ParticipantID ne 7", [1, 2, 3]),
        ("ID le 3 and ParticipantID ne null", []),
        ("ID le 3 and GroupID eq 11L", [2]),
        ("ID le 61 and StartFrom eq datetime'2026-03-01T09:01:00.1'", [1, 61]),
        ("ID le 3 and StartFrom gt datetime'2026-03-01T09:01:00.1000001Z'", [2, 3]),
        ("ID le 3 and Assessment/ID eq 92761000092761L", [1, 2, 3]),
        ("ID le 3 and Assessment/ID ne 92761000092761L", []),
        ("ID le 3 and Group/Name eq 'O''Neill'", [1, 3]),
        ("ID eq -1", []),
    ],
)
def test_filters(text: str, found: list[int], qm: Sandbox) -> None:
    assert ids(qm.get(f"Schedules?$filter={text}")) == found


def test_a_filter_of_a_long_key(qm: Sandbox) -> None:
    assert ids(qm.get(f"Assessments?$filter=ID eq {ASSESSMENT}L")) == [ASSESSMENT]
    assert ids(qm.get("Assessments?$filter=Name eq 'Sample Test'")) == [ASSESSMENT]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("Schedules?$filter=ExternalID eq 'x'", "ExternalID"),
        ("Schedules?$filter=Name eq 'x'", "Name"),
        (f"Schedules?$filter=AssessmentID eq {ASSESSMENT}L", "AssessmentID"),
        ("Schedules?$filter=Nonsense eq 1", "Nonsense"),
        ("ScheduleMetadata?$filter=ScheduleID eq 1", "ScheduleID"),
        (f"Assessments?$filter=ID eq {ASSESSMENT}", "Unrecognized 'Edm.Int32' literal"),
        ("Assessments?$filter=ID eq 5", "Unrecognized 'Edm.Int32' literal"),
        ("Schedules?$filter=Assessment/ID eq 5", "Unrecognized 'Edm.Int32' literal"),
        ("Schedules?$filter=GroupID eq 2147483648", "Unrecognized 'Edm.Int32' literal"),
        ("Schedules?$filter=GroupID eq 'x'", "Incompatible types"),
        ("Groups?$filter=Name eq 5", "Incompatible types"),
        ("Schedules?$filter=StartFrom eq datetime'soon'", "Unrecognized 'Edm.DateTime' literal"),
        ("Schedules?$filter=startswith(Name,'x')", "Syntax error"),
        ("Schedules?$filter=ID eq 1 and", "Syntax error"),
        ("Schedules?$filter=(ID eq 1", "Syntax error"),
        ("Schedules?$filter=ID eq 1)", "Syntax error"),
        ("Schedules?$filter=ID like 1", "Syntax error"),
        ("Schedules?$filter=1 eq ID", "Syntax error"),
        ("Schedules?$filter=", "Syntax error"),
        ("Schedules?$filter=" + "(" * 500 + "ID eq 1", "Syntax error"),
        ("Groups?$filter=ParentGroup/ID eq 1", "ParentGroup"),
        ("Schedules?$orderby=ID", "not supported on Schedules"),
        ("Attempts?$orderby=ID", "not supported on Attempts"),
        ("Participants?$orderby=LastName", "LastName"),
        ("Participants?$orderby=Name down", "Syntax error"),
        ("Participants?$select=Name", "$select"),
        ("Participants?$format=json", "$format"),
        ("Participants?$inlinecount=allpages", "$inlinecount"),
        ("Participants?$top=-1", "$top"),
        ("Participants?$skip=x", "$skip"),
        ("Participants(1)?$filter=ID eq 1", "$filter"),
        ("Participants?$expand=Nonsense", "Nonsense"),
        ("Administrators?$expand=Groups/Participants/Groups", "deeper"),
        ("Assessments(92761000092761)", "Unrecognized 'Edm.Int64' literal"),
        ("Groups('x')", "Unrecognized 'Edm.Int32' literal"),
    ],
)
def test_what_is_not_documented_is_refused(path: str, reason: str, qm: Sandbox) -> None:
    assert reason in qm.message("GET", path, 400)


@pytest.mark.parametrize(
    "path",
    [
        "Nonsense",
        "$batch",
        "Schedule(1)",
        "Schedules(99999)",
        "Schedules(1)/Participant",
        "Groups/Participants",
        "Groups(11)/Nonsense",
        "Groups(11)/Groups(12)",
        "Groups(11)/ParentGroup",
        "Groups(11)//Participants",
        "Groups(11)/Participants(999)",
    ],
)
def test_what_is_not_there_is_404(path: str, qm: Sandbox) -> None:
    qm.message("GET", path, 404)


def test_another_area_is_404(qm: Sandbox) -> None:
    assert qm.call("GET", qm.url.replace("123456", "654321") + "Groups").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("DELETE", "Schedules(1)", 405),
        ("PUT", "Schedules(1)", 405),
        ("POST", "Schedules(1)", 405),
        ("PATCH", "Schedules", 405),
        ("POST", "Schedules(1)/ScheduleMetadata", 405),
        ("POST", "MonitoringTypes", 405),
        ("GET", "Schedules(1)/InvokeAction", 405),
        ("PATCH", "ScheduleMetadata(1)", 404),
        ("POST", "Schedules/$count", 405),
        ("POST", "", 405),
        # Documented by the vendor, and not part of the sandbox.
        ("POST", "Participants", 501),
        ("DELETE", "Groups(11)", 501),
        ("POST", "Participants(1)/CheckPassword", 501),
        ("POST", "Administrators/Upsert", 501),
        ("GET", "Answers", 501),
        ("GET", "Groups?$expand=PrintBatches", 501),
        ("GET", "$metadata", 501),
    ],
)
def test_methods(method: str, path: str, status: int, qm: Sandbox) -> None:
    qm.message(method, path, status, {})


def test_a_method_that_is_not_allowed_is_told_which_are(qm: Sandbox) -> None:
    assert qm.call("DELETE", "Schedules(1)").headers["Allow"] == "GET, PATCH"
    assert qm.call("PUT", "Schedules").headers["Allow"] == "GET, POST"
    assert qm.call("PUT", "MonitoringTypes").headers["Allow"] == "GET"
