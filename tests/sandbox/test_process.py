"""The process: what it keeps, how it starts and ends, what it writes down."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from fixtures.sandboxes import Sandbox, running
from gradeway.cli import main
from gradeway.sandbox.questionmark.start import assessment_id

GOOD = {"Name": "Quiz", "AssessmentID": assessment_id(1004), "GroupID": 410001, "MonitoringTypeID": 1}
SECRET = "correct-horse"


def test_what_was_answered_outlives_the_process(questionmark_sandbox: Sandbox) -> None:
    qm = questionmark_sandbox
    made = [qm.schedule(**GOOD)["ID"] for _ in range(3)]
    qm.patch(f"Schedules({made[1]})", {"Hidden": True})
    qm.play(made[2], 510001, "start")
    link = qm.post(f"Schedules({made[0]})/InvokeAction", {"Action": "start", "ParticipantID": 510001})["value"]
    before = {path: qm.get(path) for path in ("Schedules", "Attempts", "Results", "Groups?$expand=Participants")}
    host = qm.control.split("/")[2]
    for number, status in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 0)):
        assert qm.stop(number) == status
        qm.start()
        assert {path: qm.get(path) for path in before} == before
    assert qm.schedule(**GOOD)["ID"] == made[-1] + 1
    assert requests.get(link.replace(host, qm.control.split("/")[2]), timeout=5).status_code == 200


def test_a_held_connection_does_not_keep_it_from_ending(questionmark_sandbox: Sandbox) -> None:
    questionmark_sandbox.act("faults", [{"match": "* *", "kind": "timeout_before"}])
    host, port = questionmark_sandbox.control.split("/")[2].split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while questionmark_sandbox.act("faults", method="GET"):
            pass
        assert questionmark_sandbox.stop() == 0


def test_it_listens_on_loopback_only(faculty: Sandbox) -> None:
    port = int(faculty.control.split("/")[2].split(":")[1])
    listening = [
        fields[1].split(":")[0]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if (fields := line.split())[3] == "0A" and int(fields[1].split(":")[1], 16) == port
    ]
    assert listening == ["0100007F"]


def test_its_own_data_has_every_case_that_a_client_meets(faculty: Sandbox) -> None:
    names = ("Assessments", "MonitoringTypes", "Participants", "Groups")
    entities = {name: faculty.get(name)["value"] for name in names}
    assert {(found["SaveAnswers"], found["IsSecure"]) for found in entities["Assessments"]} >= {
        (True, False),
        (False, False),
        (True, True),
    }
    types = entities["MonitoringTypes"]
    assert "UNMONITORED" in [found["Name"] for found in types]
    for flag in ("RequireQSB", "RequireTestCenter", "Disabled"):
        assert {found[flag] for found in types} == {True, False}
    assert len(entities["Participants"]) == 30
    assert [found["ID"] for found in entities["Groups"] if found["RootGroupID"] != found["ID"]]
    for path in ("Administrators(101)/Groups", "TestCenters", "Groups(410002)/SchedulableAssessments"):
        assert faculty.get(path)["value"]


def seed_of_the_tutorial() -> dict[str, Any]:
    return {
        "Administrators": [
            {
                "ID": 12345,
                "Name": "manager",
                "Groups": [
                    {
                        "ID": 587413784,
                        "Name": "Test_Group",
                        "Description": "",
                        "SchedulableAssessments": [
                            {
                                "ID": "92761000092761",
                                "Revision": 1,
                                "Name": "Sample Test",
                                "Language": "-",
                                "Author": "Manager",
                                "CreatedDateTime": "2017-03-14T18:04:39Z",
                                "Editor": "Manager",
                                "ModifiedDateTime": "2017-04-06T09:16:22Z",
                                "Base": True,
                                "SaveAnswers": True,
                            }
                        ],
                        "Participants": [
                            {"ID": 1459320309, "Name": "a.hurst", "FirstName": "Adrian", "LastName": "Hurst"}
                        ],
                    }
                ],
            }
        ],
        "MonitoringTypes": [{"ID": 1, "Name": "UNMONITORED"}],
    }


def test_permission_is_answered_as_the_tutorial_prints_it(tmp_path: Path) -> None:
    with running(tmp_path, seed_of_the_tutorial()) as qm:
        answer = qm.get("Administrators(12345)/Groups?$expand=SchedulableAssessments")
        [group] = answer["value"]
        [assessment] = group.pop("SchedulableAssessments")
        assert answer["odata.metadata"] == "$metadata#Groups"
        assert list(answer["value"][0]) == ["ID", "Name", "Description", "RootGroupID", "DefaultTestCenterId"]
        assert list(group.values())[:4] == [587413784, "Test_Group", "", 587413784]
        # What was printed in 2017, and behind it what later versions documented.
        printed = ["92761000092761", 1, "Sample Test", "-", None, "Manager", "2017-03-14T18:04:39Z", "Manager"]
        assert list(assessment.values())[:10] == [*printed, "2017-04-06T09:16:22Z", True]
        assert list(assessment)[10:] == ["TimeLimit", "IsSecure", "SaveAnswers", "RulesOfConductID", "Type"]
        [again] = qm.get("Administrators(12345)/Groups?$expand=Participants")["value"]
        assert [person["Name"] for person in again["Participants"]] == ["a.hurst"]
        made = qm.post(
            "Schedules",
            {"Name": "Demo Schedule", "AssessmentID": "92761000092761", "GroupID": 587413784, "MonitoringTypeID": 1},
            201,
        )
        assert made["ID"] == 1
        listed = qm.post("Participants(1459320309)/ActionableSchedules", {})["value"]
        assert listed == [
            {
                "ScheduleID": 1,
                "Name": "Demo Schedule",
                "ParticipantID": 1459320309,
                "ParticipantName": "Adrian Hurst",
                "Hidden": False,
                "AttemptsRemaining": None,
                "Actions": ["start"],
            }
        ]


def test_an_answer_can_be_a_seed(tmp_path: Path, faculty: Sandbox) -> None:
    names = ("Assessments", "MonitoringTypes", "Participants", "TestCenters")
    seed = {name: faculty.get(name)["value"] for name in names}
    seed["Groups"] = faculty.get("Groups?$expand=Participants,SchedulableAssessments,SubGroups")["value"]
    seed["Administrators"] = faculty.get("Administrators?$expand=Groups,TestCenters")["value"]
    with running(tmp_path, seed) as qm:
        for path in (*names, "Groups?$expand=Participants,SchedulableAssessments", "Administrators?$expand=Groups"):
            assert qm.get(path)["value"] == faculty.get(path)["value"]


def test_a_seed_can_hold_what_has_happened(tmp_path: Path) -> None:
    seed = seed_of_the_tutorial()
    result = {"ID": 390765738, "AssessmentID": "92761000092761", "Status": 2, "WhenStarted": "2017-08-21T13:48:20.123"}
    attempt = {"ID": 17897, "ExternalAttemptID": "72f2", "AssessmentID": "92761000092761", "Result": result}
    schedule = {"ID": 11887, "Name": "Old", "AssessmentID": "92761000092761", "GroupID": 587413784}
    attempts = [attempt | {"ParticipantID": 1459320309, "AttemptNumber": 1}]
    metadata = [{"Key": "k", "Value": "v"}]
    seed["Schedules"] = [schedule | {"MonitoringTypeID": 1, "Attempts": attempts, "ScheduleMetadata": metadata}]
    with running(tmp_path, seed) as qm:
        found = qm.get("Schedules(11887)?$expand=Attempts/Result,ScheduleMetadata")
        [kept] = found["Attempts"]
        assert (kept["ScheduleID"], kept["ResultID"], kept["Result"]["Status"]) == (11887, 390765738, 2)
        assert kept["Result"]["WhenStarted"] == "2017-08-21T13:48:20.123"
        assert [record["Key"] for record in found["ScheduleMetadata"]] == ["k"]


def test_a_seed_is_for_an_empty_folder_only(tmp_path: Path) -> None:
    with running(tmp_path, {"TestCenters": [{"ID": 5, "Name": "Old"}]}) as qm:
        qm.stop()
        qm.seed = {"TestCenters": [{"ID": 6, "Name": "New"}]}
        qm.start()
        assert [found["ID"] for found in qm.get("TestCenters")["value"]] == [5]


def refused(tmp_path: Path, *arguments: object) -> str:
    """Start a sandbox that must not start; return the one line it says."""
    words = ["sandbox", "questionmark", "--port", "0", "--data", str(tmp_path / "data"), *map(str, arguments)]
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("seed", "reason"),
    [
        ("[", "not JSON"),
        ("[]", "lists of entities"),
        ('{"Groups": {}}', "lists of entities"),
        ('{"Rooms": []}', "Rooms"),
        ('{"Groups": [{"ID": 1, "Colour": 1}]}', "Groups[1].Colour"),
        ('{"Groups": [{"ID": "1"}]}', "Groups[1].ID"),
        ('{"Groups": [{"ID": 1, "Participants": [7]}]}', "Participants(7)"),
        ('{"Groups": [{"ID": 1, "SubGroups": [2]}, {"ID": 2, "SubGroups": [1]}]}', "top-level"),
        (
            '{"Groups": [{"ID": 1, "SubGroups": [2]}, {"ID": 2}], "Administrators": [{"ID": 1, "Groups": [2]}]}',
            "group 2",
        ),
        ('{"Schedules": [{"ID": 1, "AssessmentID": "5", "MonitoringTypeID": 1}]}', "Assessments(5)"),
    ],
)
def test_a_wrong_seed_is_named_and_leaves_the_folder_empty(seed: str, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "seed.json"
    file.write_text(seed)
    assert reason in refused(tmp_path, "--seed", file)
    if reason == "Participants(7)":
        file.write_text('{"TestCenters": [{"ID": 5}]}')
        with running(tmp_path, arguments=("--seed", str(file))) as qm:
            assert [found["ID"] for found in qm.get("TestCenters")["value"]] == [5]


def test_what_cannot_be_used_is_named(tmp_path: Path, questionmark_sandbox: Sandbox) -> None:
    port = questionmark_sandbox.control.split("/")[2].split(":")[1]
    assert f"port {port}" in refused(tmp_path / "other", "--port", port)
    assert "another sandbox" in refused(tmp_path)
    assert "the area 'a/b'" in refused(tmp_path / "other", "--area", "a/b")
    assert "cannot be read" in refused(tmp_path / "third", "--seed", tmp_path / "none")
    assert "cannot be written" in refused(tmp_path / "fourth", "--log", tmp_path)
    (tmp_path / "file").write_text("")
    assert "cannot be used" in refused(tmp_path / "file")


def test_area_and_login_can_be_chosen(tmp_path: Path) -> None:
    login = ("--area", "ab12", "--user", "svc", "--password", SECRET)
    with running(tmp_path, arguments=login) as qm:
        assert qm.url.endswith("/deliveryodata/ab12/")
        assert qm.call("GET", "Groups").status_code == 401
        assert qm.call("GET", "Groups", auth=("svc", SECRET)).status_code == 200
        qm.session.auth = ("svc", SECRET)
        assert qm.schedule(**GOOD)["CreatedBy"] == "svc"


def test_the_log_tells_every_request_and_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    with running(tmp_path, log=file, arguments=("--password", SECRET)) as qm:
        qm.session.auth = ("sandbox", SECRET)
        made = qm.schedule(**GOOD, ExternalID="do not write me down")["ID"]
        qm.patch(f"Schedules({made})", {"Hidden": True})
        qm.call("PATCH", f"Schedules({made})", {"Nonsense": 1})
        qm.get("Schedules?$filter=GroupID eq 410001")
        link = qm.post(f"Schedules({made})/InvokeAction", {"Action": "start", "ParticipantID": 510001})["value"]
        requests.get(link, timeout=5)
        qm.act("faults", [{"match": "GET */Groups", "kind": "status", "status": 503}])
        qm.call("GET", "Groups")
        # Written when it was answered, not when the process ends.
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        assert qm.log() == lines
        assert qm.act("log?after=5", method="GET") == lines[5:]
        qm.stop(signal.SIGKILL)
    told = [(line["method"], line["path"], line["status"], line["took_effect"], line["fault"]) for line in lines]
    root = "/deliveryodata/123456/"
    assert told == [
        ("POST", f"{root}Schedules", 201, True, None),
        ("PATCH", f"{root}Schedules({made})", 204, True, None),
        ("PATCH", f"{root}Schedules({made})", 400, False, None),
        ("GET", f"{root}Schedules", 200, False, None),
        ("POST", f"{root}Schedules({made})/InvokeAction", 200, True, None),
        ("GET", "/lobby/123456", 200, True, None),
        ("GET", f"{root}Groups", 503, False, "status"),
    ]
    assert [line["number"] for line in lines] == [1, 2, 3, 4, 5, 6, 7]
    assert lines[1]["properties"] == ["Hidden"]
    assert "GroupID" in lines[3]["query"]
    signature = link.rpartition("signature=")[2]
    for secret in (SECRET, signature, "nonce", "do not write me down", "Basic"):
        assert secret not in file.read_text()
