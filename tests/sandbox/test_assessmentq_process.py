"""The process of the sandbox of assessmentQ: what it keeps, how it starts, what it writes down, what it stands."""

from __future__ import annotations

import json
import random
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from fixtures.sandboxes import Hall, running_hall
from gradeway.cli import main

PATIENCE = 600  # seconds; nothing here depends on how fast the machine is
SEED = {
    "Exams": [{"id": "E1", "name": "Law I"}],
    "Participants": [{"id": "p1", "name": "k.ito"}, {"id": "p2"}],
    "Sittings": [
        {"exam": "E1", "participant": "p1"},
        {"id": "s2", "exam": "E1", "participant": "p2", "accessCode": "A"},
    ],
}
LISTS = ("exams", "participants", "sittings", "results", "offline-results")


def test_what_was_answered_outlives_the_process(assessmentq_sandbox: Hall) -> None:
    hall = assessmentq_sandbox
    hall.upload(hall.play("510001-1", "start"))
    hall.upload(hall.play("510001-1", "finish", score=1.5))
    running = hall.play("510002-1", "start")
    hall.upload(running)
    saved = hall.play("510003-1", "start")
    before = {path: hall.every(path) for path in LISTS}
    urls = hall.url, hall.control
    for number, status in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 0)):
        assert hall.stop(number) == status
        hall.start()
        assert (hall.url, hall.control) == urls
        assert {path: hall.every(path) for path in LISTS} == before
    assert hall.upload(saved).status_code == 201  # a file outlives the process, too
    assert hall.upload(hall.play("510002-1", "finish")).json()["id"] == len(before["offline-results"]) + 2


def test_a_kill_in_the_middle_of_uploads_leaves_each_whole_or_undone(assessmentq_sandbox: Hall) -> None:
    hall = assessmentq_sandbox
    chance = random.Random(4)
    for round_ in range(3):
        first = 510001 + 8 * round_
        sittings = [f"{number}-1" for number in range(first, first + 8)]
        files = [(hall.play(sitting, "start", size=200_000), hall.play(sitting, "finish")) for sitting in sittings]
        with ThreadPoolExecutor(8) as pool:
            waiting = [pool.submit(keep_uploading, hall.url, *pair) for pair in files]
            time.sleep(chance.uniform(0.1, 0.6))
            hall.kill()
            answered = [digest for found in waiting for digest in found.result()]
        hall.start()
        received = hall.every("offline-results")
        assert {one["sha256"] for one in received} >= set(answered)
        newest = {one["sitting"]: (one["state"], one["receivedAt"]) for one in received}
        assert newest == {one["sitting"]: (one["state"], one["modifiedAt"]) for one in hall.every("results")}
        touched = {one["id"]: (one["state"], one["lastUploadAt"]) for one in hall.every("sittings?exam=1")}
        assert newest == {sitting: state for sitting, state in touched.items() if state[1]}
    assert answered


def test_a_kill_after_the_commit_and_before_the_answer_leaves_the_upload_done(assessmentq_sandbox: Hall) -> None:
    hall = assessmentq_sandbox
    contents = {sitting: hall.play(sitting, "start") for sitting in ("510001-1", "510002-1")}
    for kind, content in zip(("timeout_before", "timeout_after"), contents.values(), strict=True):
        hall.act("faults", [{"match": "POST *", "kind": kind}])
        with pytest.raises(requests.ReadTimeout):
            hall.upload(content, timeout=0.5)
    hall.kill()
    hall.start()
    states = {
        sitting: hall.every(f"offline-results?sha256={sha256(contents[sitting]).hexdigest()}") for sitting in contents
    }
    assert [len(found) for found in states.values()] == [0, 1]
    assert [found["sitting"] for found in hall.every("results")] == ["510002-1"]


def keep_uploading(url: str, running: bytes, final: bytes) -> list[str]:
    """Upload one after the other until the server is gone; return what it took by its own word."""
    taken = []
    with requests.Session() as session, suppress(requests.RequestException):
        for content in (*[running] * 20, final):
            answer = session.post(
                f"{url}offline-results", files={"file": ("x.aqr", content)}, auth=("sandbox", "sandbox"), timeout=20
            )
            taken.append(answer.json()["sha256"])
    return taken


def test_300_machines_upload_at_once(assessmentq_sandbox: Hall) -> None:
    hall = assessmentq_sandbox
    barrier, url, account = Barrier(300), f"{hall.url}offline-results", ("sandbox", "sandbox")
    written = [
        [hall.play(f"{510001 + number}-1", do, score=number) for do in ("start", "save", "finish")]
        for number in range(300)
    ]

    def machine(number: int) -> list[tuple[int, str]]:
        barrier.wait(PATIENCE)
        # each by a new connection: one that is kept open while the machine is busy may be closed by the server
        return [
            (answer.status_code, answer.json().get("state"))
            for content in [*written[number], written[number][-1]]
            for answer in [requests.post(url, files={"file": ("x.aqr", content)}, auth=account, timeout=PATIENCE)]
        ]

    with ThreadPoolExecutor(300) as pool:
        outcomes = list(pool.map(machine, range(300)))
    assert outcomes == [[(201, "inProgress"), (201, "inProgress"), (201, "finished"), (409, None)]] * 300
    results = {found["sitting"]: (found["state"], found["score"]) for found in hall.every("results")}
    assert results == {f"{510001 + number}-1": ("finished", float(number)) for number in range(300)}
    assert len(hall.every("offline-results")) == 900


def test_its_own_data_fills_a_hall(hall: Hall) -> None:
    sittings = hall.every("sittings")
    assert len({found["accessCode"] for found in sittings}) == len(sittings) == 432
    assert {found["exam"] for found in sittings} == {found["id"] for found in hall.every("exams")}
    names = [found["name"] for found in hall.every("participants")]
    assert len(set(names)) == 300


def test_a_seed(tmp_path: Path) -> None:
    with running_hall(tmp_path, SEED) as hall:
        first, second = hall.every("sittings?exam=E1")
        assert first["id"] == "p1-E1"
        assert first["accessCode"]
        assert second == {
            "id": "s2",
            "accessCode": "A",
            "availableTo": None,
            "exam": "E1",
            "participant": "p2",
            "state": "notStarted",
            "lastUploadAt": None,
        }
        assert hall.every("participants") == [{"id": "p1", "name": "k.ito"}, {"id": "p2", "name": ""}]
        hall.upload(hall.play("s2", "start"))
        hall.stop()
        hall.seed = {"Exams": [{"id": "E2"}]}
        hall.start()
        assert [found["id"] for found in hall.every("exams")] == ["E1"]
        assert [found["sitting"] for found in hall.every("results")] == ["s2"]


def refused(tmp_path: Path, *arguments: object) -> str:
    """Start a sandbox that must not start; return the one line it says."""
    words = ["sandbox", "assessmentq", "--data", str(tmp_path / "hall"), *map(str, arguments)]
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("seed", "reason"),
    [
        ({"Rooms": []}, "Rooms"),
        ({"Exams": [{"id": "1", "colour": 1}]}, "Exams[1].colour"),
        ({"Exams": [{"id": 1}]}, "Exams[1].id"),
        ({"Exams": [{"name": "x"}]}, "Exams[1].id"),
        ({"Exams": [{"id": "1"}, {"id": "1"}]}, "Exams(1) twice"),
        ({"Sittings": [{"exam": "1", "participant": "2"}]}, "Exams(1), which is missing"),
        (SEED | {"Participants": []}, "Participants(p1), which is missing"),
    ],
)
def test_a_wrong_seed_is_named(seed: dict[str, Any], reason: str, tmp_path: Path) -> None:
    file = tmp_path / "seed.json"
    file.write_text(json.dumps(seed))
    assert reason in refused(tmp_path, "--port", 0, "--control-port", 0, "--seed", file)


def test_a_port_that_is_taken_is_named(tmp_path: Path, hall: Hall) -> None:
    port, control_port = (url.split("/")[2].split(":")[1] for url in (hall.url, hall.control))
    assert f"port {port}" in refused(tmp_path, "--port", port, "--control-port", 0)
    assert f"port {control_port}" in refused(tmp_path, "--port", 0, "--control-port", control_port)
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        free = probe.getsockname()[1]
    assert f"port {free}" in refused(tmp_path, "--port", free, "--control-port", free)


def test_the_log_tells_every_request_and_no_content(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    with running_hall(tmp_path, log=file) as hall:
        content = hall.play("510001-1", "finish") if hall.play("510001-1", "start") else b""
        hall.upload(content)
        hall.upload(content)
        hall.act("faults", [{"match": "POST *", "kind": "drop"}])
        with pytest.raises(requests.ConnectionError):
            hall.upload(content)
        hall.get("sittings?exam=1")
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        assert hall.log() == lines
        hall.stop(signal.SIGKILL)
    digest = sha256(content).hexdigest()
    told = [tuple(line[name] for name in ("method", "path", "status", "took_effect", "sha256")) for line in lines]
    assert told == [
        ("POST", "/api/offline-results", 201, True, digest),
        ("POST", "/api/offline-results", 409, False, digest),
        ("POST", "/api/offline-results", None, False, digest),
        ("GET", "/api/sittings", 200, False, None),
    ]
    assert lines[0]["properties"] == ["file"]
    for secret in ("510001", "sandbox:sandbox", "Basic"):
        assert secret not in file.read_text()
