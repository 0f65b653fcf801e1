"""Result files of offline exams: from the landing zone to assessmentQ, and home as grades, by the DAG."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from sqlalchemy import text

from fixtures.dagruns import Ran
from fixtures.sandboxes import Hall
from gradeway.intake import Intake
from gradeway.vendors.assessmentq import SANDBOX_PROFILE

Run = Callable[..., Ran]
COLUMNS = "courseId|name|points|optionalData\nANAT1|Offline exam|20|ASSESSMENT=1\n"
GRADES = "SELECT learner.source_id, grade.value FROM grade JOIN learner ON learner.id = grade.learner_id ORDER BY 1"


@pytest.fixture
def hall(assessmentq_sandbox: Hall, monkeypatch: pytest.MonkeyPatch) -> Hall:
    """The sandbox, as the Connection names it."""
    connection = {"conn_type": "http", "host": assessmentq_sandbox.url, "login": "sandbox", "password": "sandbox"}
    monkeypatch.setenv("AIRFLOW_CONN_GRADEWAY_ASSESSMENTQ", json.dumps(connection | {"extra": dict(SANDBOX_PROFILE)}))
    monkeypatch.setenv("GRADEWAY_AQR_SETTLE_SECONDS", "0")
    return assessmentq_sandbox


def grades(intake: Intake) -> list[tuple[str, str]]:
    with intake.store.session() as session:
        return [(str(learner), str(value)) for learner, value in session.execute(text(GRADES))]


def uploads(hall: Hall) -> int:
    return sum(entry["method"] == "POST" and "offline-results" in entry["path"] for entry in hall.log())


def test_collected_files_become_grades_once(intake: Intake, hall: Hall, run: Run) -> None:
    (intake.zone.inbox("grades") / "c.colnc").write_text(COLUMNS)
    run("load_grades")
    inbox = intake.zone.inbox("aqr")
    for number in range(3):
        folder = inbox / f"pc{number}"
        folder.mkdir(parents=True)
        hall.play(f"51000{number + 1}-1", "start")
        do = {"do": "finish", "score": 5 + number, "max": 10} if number else {"do": "save"}
        (folder / "result.aqr").write_bytes(hall.play(f"51000{number + 1}-1", **do))
    first = run("collect_aqr")
    assert first.run.state == "success"
    assert (first.result("put_away")["archived"], first.events) == (2, {"gradeway_grades"})
    assert grades(intake) == [("510002", "12"), ("510003", "14")]
    assert [path.parent.name for path in sorted(inbox.rglob("*.aqr"))] == ["pc0"]
    assert len(list((intake.settings.landing / "archive" / "aqr").rglob("*.aqr"))) == 2

    before = uploads(hall)
    again = run("collect_aqr")
    assert (again.run.state, again.events, grades(intake)) == ("success", set(), [("510002", "12"), ("510003", "14")])
    assert uploads(hall) == before == 3


def test_without_a_network_files_wait_and_nothing_fails(intake: Intake, hall: Hall, run: Run) -> None:
    hall.play("510001-1", "start")
    inbox = intake.zone.inbox("aqr")
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / "a.aqr").write_bytes(hall.play("510001-1", "finish", score=9, max=10))
    hall.network(online=False)
    away = run("collect_aqr")
    assert (away.run.state, away.states["collect"]) == ("success", "skipped")
    assert (inbox / "a.aqr").exists()
    hall.network()
    back = run("collect_aqr")
    assert back.run.state == "success"
    assert not (inbox / "a.aqr").exists()


def test_without_a_connection_the_files_stay(intake: Intake, run: Run) -> None:
    inbox = intake.zone.inbox("aqr")
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / "a.aqr").write_bytes(b"x")
    ran = run("collect_aqr")
    assert (ran.run.state, ran.states["find"], ran.states["collect"]) == ("success", "skipped", "skipped")
    assert (inbox / "a.aqr").exists()
