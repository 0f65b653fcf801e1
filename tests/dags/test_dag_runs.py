"""The DAGs run, in this process, against a store and a landing zone of their own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.connection import Connection
from airflow.utils.session import create_session
from sqlalchemy import select

from fixtures.dagruns import Ran
from fixtures.small_term import TERM
from gradeway.intake import Intake
from gradeway.orchestration import steps
from gradeway.store.models import Batch, Grade, GradeColumn, GradeSchema

STORE_ASSETS = {"gradeway_schemas", "gradeway_columns", "gradeway_grades"}


@pytest.fixture
def drop(intake: Intake) -> Callable[..., None]:
    """Put files into the inbox."""

    def put(**files: str) -> None:
        for name, text in files.items():
            (intake.zone.inbox("grades") / name).write_text(text)

    return put


def grades(intake: Intake) -> list[str]:
    with intake.store.session() as session:
        return list(session.scalars(select(Grade.value)))


def test_six_files_stand_in_the_store_after_one_run_and_the_next_has_nothing_to_do(
    intake: Intake, drop: Callable[..., None], run: Callable[..., Ran], capfd: pytest.CaptureFixture[str]
) -> None:
    drop(**TERM)
    first = run("load_grades")
    assert first.run.state == "success"
    assert set(first.states.values()) == {"success"}
    with intake.store.session() as session:
        names = {batch.feed: f"B{batch.id:06d}-{batch.file_name}" for batch in session.scalars(select(Batch))}
        assert len(session.scalars(select(GradeSchema)).one().symbols) == 5
        external = session.scalars(select(GradeColumn).where(GradeColumn.external)).one()
        assert external.name == "Final Grade"
    labels = {key for key in first.states if ".load[" in key}
    assert labels == {
        f"schemas.load[{names['sch']}]",
        f"columns.load[{names['asg']}]",
        f"columns.load[{names['col']}]",
        f"columns.load[{names['colnc']}]",
        f"external.load[{names['colext']}]",
        f"grades.load[{names['colncval']}]",
    }
    assert grades(intake) == ["90"]
    assert first.events == STORE_ASSETS
    assert len(list(intake.zone.reports.rglob("report.json"))) == 6
    said = first.results + "".join(capfd.readouterr())
    assert "gradeway_grades" in said
    assert not [data for data in ("User001", "HIST1", "Final Grade", "Letters") if data in said]

    second = run("load_grades")
    assert second.run.state == "success"
    assert [task for task, state in second.states.items() if state != "skipped"] == ["claim"]
    assert second.events == set()


def test_what_changes_nothing_announces_nothing(
    intake: Intake, drop: Callable[..., None], run: Callable[..., Ran]
) -> None:
    drop(**TERM)
    intake.sweep()
    same = TERM["term.sch"].rstrip("\n")  # other bytes, same row
    drop(**{"again.sch": same, "broken.colncval": "not a header\n"})
    ran = run("load_grades")
    assert ran.run.state == "success"
    assert ran.states["finish"] == "success"
    assert ran.events == set()
    assert len(list(intake.zone.reports.rglob("report.json"))) == 8


def test_rows_that_waited_are_loaded_by_the_run_that_brings_their_parent(
    intake: Intake, drop: Callable[..., None], run: Callable[..., Ran]
) -> None:
    drop(**{name: text for name, text in TERM.items() if name != "term.sch"})
    intake.sweep()
    assert grades(intake) == []
    drop(**{"term.sch": TERM["term.sch"]})
    ran = run("load_grades")
    assert ran.run.state == "success"
    assert ran.states["columns.release"] == ran.states["grades.release"] == "success"
    assert grades(intake) == ["90"]
    assert ran.events == STORE_ASSETS


def test_a_run_ends_what_a_killed_one_left_although_nothing_new_landed(
    intake: Intake, drop: Callable[..., None], run: Callable[..., Ran]
) -> None:
    drop(**TERM)
    intake.claim()
    for stage in (4, 1, 2, 3):  # the value is parked, its column comes, and then the worker dies
        for batch in intake.waiting(stage):
            intake.process(batch)
    assert grades(intake) == []
    ran = run("load_grades")
    assert ran.run.state == "success"
    assert grades(intake) == ["90"]
    assert ran.events == STORE_ASSETS
    assert len(list(intake.zone.reports.rglob("report.json"))) == 6


class Hook(ThreadingHTTPServer):
    """A web hook on loopback that keeps the alerts it gets."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.alerts: list[dict[str, Any]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        self.server.alerts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    """A running web hook that the alerts' Connection names."""
    with Hook() as server:
        monkeypatch.setenv("AIRFLOW_CONN_GRADEWAY_ALERTS", f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_batch_that_fails_shows_and_keeps_no_other_from_loading(
    intake: Intake, drop: Callable[..., None], run: Callable[..., Ran], dagbag: DagBag, hook: Hook
) -> None:
    drop(**{"lost.sch": "title|symbols\nPass|P=50:F=0\n"})
    (lost,) = intake.claim()
    for place in intake.zone.claimed.rglob("lost.sch"):
        place.unlink()  # what a broken disk does to a claimed file
    drop(**TERM)
    for task in dagbag.dags["load_grades"].tasks:
        task.retries = 0
    ran = run("load_grades")
    assert ran.run.state == "failed"
    assert ran.states[f"schemas.load[B{lost:06d}-lost.sch]"] == "failed"
    assert ran.states["finish"] == "success"
    assert [key for key, state in ran.states.items() if state == "failed"] == [f"schemas.load[B{lost:06d}-lost.sch]"]
    assert grades(intake) == ["90"]
    assert ran.events == STORE_ASSETS
    assert len(list(intake.zone.reports.rglob("report.json"))) == 6
    assert hook.alerts == [
        {
            "dag": "load_grades",
            "task": "schemas.load",
            "label": f"B{lost:06d}-lost.sch",
            "run": ran.run.run_id,
            "try": 1,
            "error": "BatchFailedError",
        }
    ]


def test_wrong_settings_fail_at_once_and_alert_once(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, hook: Hook
) -> None:
    monkeypatch.setenv("GRADEWAY_SETTLE_SECONDS", "soon")
    ran = run("load_grades")
    assert ran.run.state == "failed"
    assert ran.states["claim"] == "failed"
    assert ran.tries["claim"] == 1
    assert set(ran.states.values()) == {"failed", "upstream_failed", "success"}
    assert [key for key, state in ran.states.items() if state == "success"] == ["loaded"]
    assert [alert["error"] for alert in hook.alerts] == ["SettingsError"]


def test_a_dry_run_tells_and_changes_nothing(
    intake: Intake, drop: Callable[..., None], run: Callable[..., Ran]
) -> None:
    drop(**TERM)
    intake.sweep()
    with intake.store.session() as session:
        batch = session.scalars(select(Batch.id).where(Batch.feed == "colncval")).one()
    ran = run("replay", batch=batch)
    assert ran.run.state == "success"
    assert ran.states == {"rehearse": "success", "enter": "skipped"}
    assert ran.events == set()
    told = ran.result("rehearse")
    assert (told["in"], told["unchanged"], told["rejected"]) == (1, 1, 0)
    assert intake.waiting(4) == []


def test_a_file_is_tried_out_before_it_is_dropped(
    intake: Intake, drop: Callable[..., None], run: Callable[..., Ran]
) -> None:
    drop(**TERM)
    intake.sweep()
    drafts = intake.zone.root / "drafts"
    drafts.mkdir()
    rows = "HIST1|User002|Final Grade|70\nHIST1|User003|Final Grade|Z\nHIST1|User004|No Such|1\n"
    (drafts / "new.colncval").write_text("courseId|userId|name|value\n" + rows)
    (drafts / "bad.sch").write_text("title|title\n")
    told = run("replay", file="drafts/new.colncval").result("rehearse")
    assert (told["created"], told["rejected"], told["parked"], told["SYMBOL_UNKNOWN"]) == (1, 1, 1, 1)
    assert run("replay", file="drafts/bad.sch").result("rehearse") == {"refused": "HEADER_DUPLICATE"}
    assert grades(intake) == ["90"]


@pytest.mark.parametrize("conf", [{}, {"file": "../../etc/passwd"}, {"file": "drafts/none.sch"}, {"batch": 77}])
def test_a_form_without_batch_or_file_fails_at_once(
    conf: dict[str, object], intake: Intake, run: Callable[..., Ran]
) -> None:
    ran = run("replay", **conf)
    assert ran.run.state == "failed"
    assert ran.tries["rehearse"] == 1
    assert ran.states == {"rehearse": "failed", "enter": "upstream_failed"}


def test_a_replay_puts_the_old_values_back_and_rings(
    intake: Intake, drop: Callable[..., None], run: Callable[..., Ran]
) -> None:
    drop(**TERM)
    intake.sweep()
    drop(**{"later.colncval": TERM["term.colncval"].replace("|90", "|55")})
    intake.sweep()
    assert grades(intake) == ["55"]
    with intake.store.session() as session:
        batch = session.scalars(select(Batch.id).where(Batch.file_name == "term.colncval")).one()
    ran = run("replay", batch=batch, dry_run=False)
    assert ran.run.state == "success"
    assert ran.events == {"gradeway_inbox_grades"}
    assert ran.result("enter") in intake.waiting(4)
    intake.sweep()
    assert grades(intake) == ["90"]


def test_housekeeping_deletes_what_is_past_its_time(intake: Intake, run: Callable[..., Ran]) -> None:
    old = intake.zone.root / "archive" / "2001-02-03" / "B000001-old.sch"
    old.parent.mkdir(parents=True)
    old.write_text("title|symbols\n")
    ran = run("housekeeping")
    assert ran.run.state == "success"
    assert ran.result("tidy") == {
        **{"expired": 0, "intents": 0, "calls": 0, "problems": 0, "conflicts": 0, "days_of_calls": 0},
        **{"result_files": 0, "uploads": 0},
        **{"archive": 1, "quarantine": 0, "reports": 0},
    }
    assert not old.parent.exists()


def test_the_store_is_that_of_the_connection_unless_the_variable_names_one(
    home: Path, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    with create_session() as session:
        session.add(Connection("gradeway_store", "sqlite", host=str(home / "connection.db")))
    try:
        assert run("housekeeping").run.state == "success"
        monkeypatch.setenv("GRADEWAY_DATABASE_URL", f"sqlite:///{home / 'variable.db'}")
        assert run("housekeeping").run.state == "success"
    finally:
        with create_session() as session:
            session.delete(session.scalars(select(Connection).where(Connection.conn_id == "gradeway_store")).one())
    assert {path.name for path in home.glob("*.db")} == {"connection.db", "variable.db"}


def test_a_change_is_announced_although_somebody_else_wrote_the_reports(
    intake: Intake, drop: Callable[..., None]
) -> None:
    drop(**TERM)
    claimed = steps.claim()
    intake.sweep()
    assert steps.changes(claimed) == [asset.name for asset in steps.ASSETS]
