"""Alerts: what they say, where they go, and that they never make things worse."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Connection

from gradeway.errors import BatchFailedError
from gradeway.orchestration import alerts

SECRET_ROW = "User001 got 90"


class Hook(ThreadingHTTPServer):
    """A web hook on loopback that keeps what it gets."""

    def __init__(self, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = status
        self.got: list[SimpleNamespace] = []


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.append(SimpleNamespace(path=self.path, body=body, headers=self.headers))
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A running web hook."""
    with Hook() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Define the alerts' Connection."""

    def define(**fields: object) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_GRADEWAY_ALERTS", json.dumps({"conn_type": "http", **fields}))

    return define


def context(error: BaseException | None = None) -> Any:  # noqa: ANN401
    instance = SimpleNamespace(
        dag_id="load_grades",
        task_id="grades.load",
        run_id="manual__1",
        map_index=0,
        rendered_map_index="B000012-term.colncval",
        try_number=4,
    )
    return {"ti": instance, "exception": error}


def test_sends_where_it_failed_and_the_kind_of_error(hook: Hook, connect: Callable[..., None]) -> None:
    connect(host="127.0.0.1", port=hook.server_port, extra={"path": "/alerts"})
    alerts.task_failed(context(BatchFailedError(12, "KeyError")))
    (got,) = hook.got
    assert got.path == "/alerts"
    assert got.body == {
        "dag": "load_grades",
        "task": "grades.load",
        "label": "B000012-term.colncval",
        "run": "manual__1",
        "try": 4,
        "error": "BatchFailedError",
    }


def test_sends_login_and_password(hook: Hook, connect: Callable[..., None]) -> None:
    connect(host=f"http://127.0.0.1:{hook.server_port}/hook", login="clerk", password="s3cret")
    alerts.task_failed(context())
    (got,) = hook.got
    assert got.path == "/hook"
    assert got.headers["Authorization"] == "Basic " + base64.b64encode(b"clerk:s3cret").decode()


def test_neither_log_nor_message_quotes_the_error(
    hook: Hook, connect: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    connect(host=f"http://127.0.0.1:{hook.server_port}")
    alerts.task_failed(context(ValueError(SECRET_ROW)))
    (record,) = caplog.records
    assert record.getMessage() == (
        "gradeway alert: dag load_grades, task grades.load, label B000012-term.colncval, "
        "run manual__1, try 4, error ValueError"
    )
    assert "User001" not in json.dumps(hook.got[0].body)


def test_a_killed_process_leaves_no_exception(caplog: pytest.LogCaptureFixture) -> None:
    alerts.task_failed(context(None))
    assert caplog.messages[0].endswith("error unknown")


def test_without_a_hook_there_is_the_log(caplog: pytest.LogCaptureFixture) -> None:
    alerts.task_failed(context(KeyError("x")))
    assert len(caplog.records) == 1


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_refusal_is_logged_and_not_followed(
    status: int, hook: Hook, connect: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    hook.status = status
    connect(host=f"http://127.0.0.1:{hook.server_port}")
    alerts.task_failed(context())
    assert f"refused with status {status}" in caplog.text
    assert len(hook.got) == 1


def test_a_hook_that_is_away_is_survived(connect: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    with Hook() as gone:
        port = gone.server_port
    connect(host="127.0.0.1", port=port, password="s3cret", login="clerk")
    alerts.task_failed(context())
    assert "the alert could not be sent: ConnectionError" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_broken_context_is_survived(caplog: pytest.LogCaptureFixture) -> None:
    alerts.task_failed({})  # type: ignore[typeddict-item]
    assert "the alert could not be sent: KeyError" in caplog.text


def test_a_run_whose_time_is_over_is_told(hook: Hook, connect: Callable[..., None]) -> None:
    connect(host=f"http://127.0.0.1:{hook.server_port}")
    late: Any = {"dag": SimpleNamespace(dag_id="load_grades"), "run_id": "manual__1", "reason": "timed_out"}
    alerts.run_failed(late)
    assert [got.body for got in hook.got] == [{"dag": "load_grades", "run": "manual__1", "error": "timed_out"}]


def test_a_run_with_a_failed_task_is_not_told_twice(caplog: pytest.LogCaptureFixture) -> None:
    alerts.run_failed({"reason": "task_failure"})  # type: ignore[typeddict-item]
    assert not caplog.records


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "h"}, "http://h"),
        ({"host": "h", "schema": "https", "port": 8443}, "https://h:8443"),
        ({"host": "h", "extra": '{"path": "a/b"}'}, "http://h/a/b"),
        ({"host": "https://h/x/", "port": 1, "extra": '{"path": "/a"}'}, "https://h/x/a"),
    ],
)
def test_the_address_of_the_hook(fields: dict[str, Any], url: str) -> None:
    assert alerts._url(Connection(conn_id="gradeway_alerts", conn_type="http", **fields)) == url
