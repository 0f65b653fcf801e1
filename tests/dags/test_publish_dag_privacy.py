"""Nothing that publishing leaves in Airflow, in a log or in an alert tells a learner or a grade."""

from __future__ import annotations

import json
import logging
import os
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fixtures.dagruns import Ran
from fixtures.sandboxes import Site, running_site
from gradeway.errors import StoreError
from gradeway.intake import Intake
from gradeway.orchestration import publish
from gradeway.sandbox.learn.start import courses
from orchestration.test_alerts import Hook
from vendors.test_vendor_privacy import everything_told

Run = Callable[..., Ran]
LEARNERS = [f"Zebra{number:02d}.Quagga" for number in range(30)]
COURSE = "ZOO4711"
PLANTED = ("Quagga", "13.577")
SAID = f"the grade 13.577 of {LEARNERS[0]} is refused"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A sandbox, as the Connection names it."""
    with running_site(tmp_path, courses({COURSE: "Classic"}, {COURSE: LEARNERS})) as made:
        place = {"conn_type": "http", "host": made.url, "login": "sandbox", "password": "sandbox"}
        monkeypatch.setenv("AIRFLOW_CONN_GRADEWAY_LEARN", json.dumps(place | {"extra": {"calls_per_second": 100}}))
        made.log_in()
        yield made


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    """The web hook of the alerts."""
    with Hook() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        fields = {"conn_type": "http", "host": "127.0.0.1", "port": server.server_port}
        monkeypatch.setenv("AIRFLOW_CONN_GRADEWAY_ALERTS", json.dumps(fields))
        yield server
        server.shutdown()
        thread.join()


def land(intake: Intake, run: Run, score: str, *more: str) -> None:
    inbox = intake.zone.inbox("grades")
    (inbox / "c.colnc").write_text(f"courseId|name|points\n{COURSE}|Oral|20\n")
    values = [f"{COURSE}|{learner}|Oral|{score}{number}\n" for number, learner in enumerate([*LEARNERS, *more])]
    (inbox / "v.colncval").write_text("".join(["courseId|userId|name|value\n", *values]))
    assert run("load_grades").run.state == "success"


def kept_by_airflow() -> bytes:
    """Everything in Airflow's home: its database with XComs, run configurations and logs, and its log files."""
    home = Path(os.environ["AIRFLOW_HOME"])
    return b"\n".join(path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file())


def test_nothing_of_publishing_is_told_to_airflow_to_logs_or_to_alerts(
    intake: Intake,
    site: Site,
    hook: Hook,
    run: Run,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    land(intake, run, "13.577", "Stranger.Quagga")
    refused = {"match": "PATCH */users/*", "kind": "status", "status": 400, "message": SAID}
    site.act("faults", [refused])
    failed = run("publish_gradebook", dry_run=False)
    assert failed.states["apply"] == "failed"
    assert [alert.body["error"] for alert in hook.got] == ["WritesFailedError"]
    site.play(COURSE, "grade", column="Oral", user=LEARNERS[1], score=3)

    land(intake, run, "3.5")
    held = run("publish_gradebook", dry_run=False, everything=True)
    assert held.result("plan")["held"] > 20
    [question] = held.result("questions")
    assert question["conf"]["told"].startswith(f"Course {COURSE}: ")
    publish.approve(question["conf"]["plan"], {"params_input": {"reason": "regraded"}})
    assert publish.apply(question["conf"]["plan"])["outcomes"] == {"UPDATED": held.result("plan")["held"]}

    assert run("housekeeping").run.state == "success"

    with intake.store.engine.begin() as connection:
        refuse = "CREATE TRIGGER broken BEFORE INSERT ON publish_intent BEGIN SELECT RAISE(ABORT, 'broken'); END"
        connection.exec_driver_sql(refuse)
    land(intake, run, "13.577")
    with pytest.raises(StoreError) as broken:
        publish.plan(everything=True)

    told = "".join([everything_told(caplog, None), *traceback.format_exception(broken.value), *capfd.readouterr()])
    told += json.dumps([alert.body for alert in hook.got])
    kept = kept_by_airflow()
    assert f"course '{COURSE}'" in told, "logs are heard"
    assert question["conf"]["plan"].encode() in kept, "what Airflow keeps is found"
    assert [planted for planted in PLANTED if planted in told or planted.encode() in kept] == []
