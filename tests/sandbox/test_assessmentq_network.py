"""The network and other faults: nobody gets through, little gets through, half of a file arrives."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from fixtures.sandboxes import Hall

POST = "POST */offline-results"


def uploads(hall: Hall) -> int:
    return len(hall.every("offline-results"))


def logged(hall: Hall) -> list[tuple[Any, ...]]:
    """Return status, effect and fault of the uploads in the log."""
    uploaded = [entry for entry in hall.log() if entry["method"] == "POST"]
    return [(entry["status"], entry["took_effect"], entry["fault"]) for entry in uploaded]


def last(hall: Hall) -> tuple[Any, ...]:
    """Return status, effect and fault of the last upload in the log."""
    return logged(hall)[-1]


def test_offline_connections_are_refused(hall: Hall, sitting: str) -> None:
    content = hall.play(sitting, "start")
    assert hall.upload(content).status_code == 201  # this connection stays open
    before, logged = uploads(hall), len(hall.log())
    hall.network(online=False)
    for session in (hall.session, requests.Session()):
        with pytest.raises(requests.ConnectionError, match=r"refused|reset|aborted"):
            session.post(f"{hall.url}offline-results", files={"file": ("exam.aqr", content)}, timeout=5)
    assert hall.act("network", method="GET") == {"online": False, "bytes_per_second": None}
    hall.network(online=False)
    final = hall.play(sitting, "finish")
    hall.network()
    assert len(hall.log()) == logged
    assert uploads(hall) == before
    assert hall.upload(final).status_code == 201


def test_the_control_port_is_no_way_around(hall: Hall) -> None:
    hall.network(online=False)
    with pytest.raises(requests.ConnectionError):
        requests.get(hall.control.replace("_sandbox", "api") + "exams", auth=("sandbox", "sandbox"), timeout=5)


def test_the_network_goes_up_and_down(hall: Hall, sitting: str) -> None:
    content = hall.play(sitting, "start")
    for _ in range(10):
        hall.network(online=False)
        with pytest.raises(requests.ConnectionError):
            hall.upload(content)
        hall.network()
        assert hall.upload(content).status_code == 201


def test_it_can_be_ended_while_offline(assessmentq_sandbox: Hall) -> None:
    assessmentq_sandbox.network(online=False)
    assert assessmentq_sandbox.stop() == 0
    assessmentq_sandbox.start()
    assert assessmentq_sandbox.get("exams")["value"]


def test_whoever_switches_it_off_on_the_same_port_gets_an_answer(hall: Hall) -> None:
    control = hall.url.replace("/api/", "/_sandbox/network")
    assert requests.post(control, json={"online": False}, timeout=5).json()["online"] is False
    with pytest.raises(requests.ConnectionError):
        requests.get(control, timeout=5)


def test_a_slow_link(hall: Hall, sitting: str) -> None:
    content = hall.play(sitting, "start", size=100_000)
    hall.network(bytes_per_second=200_000)
    since = time.monotonic()
    assert hall.upload(content).status_code == 201
    assert time.monotonic() - since >= 0.5


def test_whoever_gives_up_on_a_slow_link_has_uploaded_nothing(hall: Hall, sitting: str) -> None:
    content, before = hall.play(sitting, "start", size=30_000), uploads(hall)
    hall.network(bytes_per_second=30_000)
    with pytest.raises(requests.Timeout):
        hall.upload(content, timeout=0.2)
    wait_for_entry(hall, (None, False, None))
    hall.network()
    assert uploads(hall) == before


def wait_for_entry(hall: Hall, expected: tuple[Any, ...]) -> None:
    """Wait until the last upload is in the log, which is when the sandbox knows that the client is gone."""
    deadline = time.monotonic() + 10
    while last(hall) != expected:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_upload_that_the_network_breaks_off_has_no_effect(hall: Hall, sitting: str) -> None:
    content, before = hall.play(sitting, "start", size=300_000), uploads(hall)
    hall.network(bytes_per_second=100_000)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(hall.upload, content)
        time.sleep(0.5)
        hall.network(online=False)
        with pytest.raises(requests.ConnectionError):
            waiting.result()
    hall.network()
    wait_for_entry(hall, (None, False, None))
    assert uploads(hall) == before


def test_a_client_that_dies_while_it_sends_has_uploaded_nothing(hall: Hall, sitting: str) -> None:
    content, before = hall.play(sitting, "start"), uploads(hall)
    asked = requests.Request("POST", f"{hall.url}offline-results", files={"file": ("exam.aqr", content)})
    prepared = asked.prepare()
    assert isinstance(prepared.body, bytes)
    host, port = hall.url.split("/")[2].split(":")
    with socket.create_connection((host, int(port))) as client:
        head = "".join(f"{name}: {value}\r\n" for name, value in prepared.headers.items())
        client.sendall(f"POST /api/offline-results HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode() + prepared.body[:9000])
    wait_for_entry(hall, (None, False, None))
    assert uploads(hall) == before


@pytest.mark.parametrize("share", [None, 0, 100, 10_000_000])
def test_half_of_a_file_arrives_and_the_connection_breaks(share: int | None, hall: Hall, sitting: str) -> None:
    content, before = hall.play(sitting, "start", size=300_000), uploads(hall)
    hall.act("faults", [{"match": POST, "kind": "cut", "bytes": share}])
    if share == 10_000_000:  # more than there is: nothing is cut
        assert hall.upload(content).status_code == 201
        return
    with pytest.raises(requests.ConnectionError):
        hall.upload(content)
    assert last(hall) == (None, False, "cut")
    assert uploads(hall) == before
    assert hall.upload(content).status_code == 201


def test_half_of_a_file_arrives_and_the_server_notices(hall: Hall, sitting: str) -> None:
    content, before = hall.play(sitting, "start"), uploads(hall)
    hall.act("faults", [{"match": POST, "kind": "short"}])
    answer = hall.upload(content)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "Incomplete")
    assert last(hall) == (400, False, "short")
    assert uploads(hall) == before


@pytest.mark.parametrize(
    ("kind", "effect"), [("timeout_before", False), ("timeout_after", True), ("drop", False), ("drop_after", True)]
)
def test_no_answer(kind: str, effect: bool, hall: Hall, sitting: str) -> None:
    content, before = hall.play(sitting, "start"), uploads(hall)
    hall.play(sitting, "finish")
    hall.act("faults", [{"match": POST, "kind": kind}])
    with pytest.raises((requests.ConnectionError, requests.ReadTimeout)):
        hall.upload(content, timeout=1.5)
    # it is written down when the sandbox has seen that nobody listens any more
    deadline = time.monotonic() + 10
    while (None, effect, kind) not in logged(hall) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (None, effect, kind) in logged(hall)
    assert uploads(hall) == before + effect


@pytest.mark.parametrize("retry_after", [None, 2])
def test_too_many_requests(retry_after: int | None, hall: Hall, sitting: str) -> None:
    content = hall.play(sitting, "start")
    hall.act("faults", [{"match": POST, "kind": "status", "status": 429, "retry_after": retry_after}])
    answer = hall.upload(content)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (429, retry_after and str(retry_after))
    assert answer.json()["error"]["code"] == "TooManyRequests"
    assert hall.upload(content).status_code == 201


@pytest.mark.parametrize(
    ("shape", "text"),
    [("", '{"error": {"code": "Odd", "message": "m"}}'), ("html", "<html>"), ("text", "m"), ("empty", "")],
)
def test_errors_in_other_shapes(shape: str, text: str, hall: Hall) -> None:
    fault = {"match": "GET *", "kind": "status", "status": 500, "body": shape, "message": "m", "code": "Odd"}
    hall.act("faults", [fault])
    answer = hall.call("GET", "exams")
    assert answer.status_code == 500
    assert text in answer.text
    assert bool(answer.text) == bool(text)


@pytest.mark.parametrize("state", [{"bytes_per_second": 0}, {"online": None}, {"speed": 1}])
def test_a_wrong_network_is_refused(state: dict[str, Any], hall: Hall) -> None:
    hall.act("network", state, status=422)
    assert hall.act("network", method="GET") == {"online": True, "bytes_per_second": None}
