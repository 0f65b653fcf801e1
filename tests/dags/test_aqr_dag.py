"""Result files of offline exams: from the landing zone to assessmentQ, and home as grades, by the DAG."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update

from custody.pcs import forbid
from fixtures.dagruns import Ran
from fixtures.sandboxes import Hall
from gradeway import clock
from gradeway.intake import Intake
from gradeway.store.custody import ASSESSMENTQ, ExpectedSitting, Reach
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


def put(path: Path, content: bytes, *, days: float) -> None:
    path.write_bytes(content)
    then = (clock.now() - timedelta(days=days)).timestamp()
    os.utime(path, (then, then))


def online(intake: Intake) -> bool:
    with intake.store.session() as session:
        return session.get_one(Reach, ASSESSMENTQ).online


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
    assert not online(intake)
    hall.network()
    back = run("collect_aqr")
    assert back.run.state == "success"
    assert not (inbox / "a.aqr").exists()
    assert online(intake)


def test_whoever_reads_results_or_sittings_notes_whether_the_server_can_be_reached(
    intake: Intake, hall: Hall, run: Run
) -> None:
    for dag in ("collect_aqr", "check_aqr"):
        hall.network(online=False)
        run(dag)
        assert not online(intake)
        hall.network()
        run(dag)
        assert online(intake)


def test_a_server_that_asks_to_be_left_alone_is_asked_once_a_run(intake: Intake, hall: Hall, run: Run) -> None:
    inbox = intake.zone.inbox("aqr")
    inbox.mkdir(parents=True, exist_ok=True)
    for number in range(1, 6):
        hall.play(f"51000{number}-1", "start")
        (inbox / f"{number}.aqr").write_bytes(hall.play(f"51000{number}-1", "save"))
    busy = {"match": "POST */offline-results", "kind": "status", "status": 429, "retry_after": 600}
    hall.act("faults", [busy | {"times": 100}])
    assert run("collect_aqr").run.state == "success"
    assert uploads(hall) == 1
    hall.act("faults", method="DELETE", status=204)
    run("collect_aqr")
    assert uploads(hall) == 1
    with intake.store.writing() as session:
        session.get_one(Reach, ASSESSMENTQ).quiet_until = clock.now()
    run("collect_aqr")
    assert uploads(hall) == 6


def test_a_file_that_needs_a_person_makes_one_run_red_and_holds_up_no_other(
    intake: Intake, hall: Hall, run: Run
) -> None:
    inbox = intake.zone.inbox("aqr")
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / "holiday.aqr").write_bytes(b"no result file")
    hall.play("510001-1", "start")
    (inbox / "z.aqr").write_bytes(hall.play("510001-1", "finish", score=9, max=10))
    red = run("collect_aqr")
    assert (red.run.state, red.result("put_away")["archived"]) == ("failed", 1)
    assert [path.name for path in inbox.iterdir()] == ["holiday.aqr"]
    assert run("collect_aqr").run.state == "success"


def test_a_file_that_is_not_taken_and_a_folder_that_cannot_be_read_make_one_run_red_each(
    intake: Intake, hall: Hall, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = intake.zone.inbox("aqr")
    inbox.mkdir(parents=True, exist_ok=True)
    hall.play("510001-1", "start")
    (inbox / "a.aqr").write_bytes(hall.play("510001-1", "save"))
    hall.act("faults", [{"match": "POST */offline-results", "kind": "status", "status": 403, "times": 100}])
    assert [run("collect_aqr").run.state for _ in range(3)] == ["failed", "success", "success"]
    (inbox / "room").mkdir()
    forbid(monkeypatch, lambda folder: folder == inbox / "room")
    assert [run("collect_aqr").run.state for _ in range(2)] == ["failed", "success"]
    assert run("check_aqr").run.state == "failed"


def test_a_file_that_is_gone_and_was_never_sent_makes_one_run_red_and_holds_up_no_other(
    intake: Intake, hall: Hall, run: Run
) -> None:
    inbox = intake.zone.inbox("aqr")
    inbox.mkdir(parents=True, exist_ok=True)
    for number in (1, 2):
        hall.play(f"51000{number}-1", "start")
        (inbox / f"{number}.aqr").write_bytes(hall.play(f"51000{number}-1", "finish", score=9, max=10))
    hall.network(online=False)
    run("collect_aqr")
    (inbox / "1.aqr").unlink()
    hall.network()
    assert [run("collect_aqr").run.state for _ in range(2)] == ["failed", "success"]
    assert (list(inbox.iterdir()), uploads(hall)) == ([], 1)


def test_without_a_connection_the_files_stay(intake: Intake, run: Run) -> None:
    inbox = intake.zone.inbox("aqr")
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / "a.aqr").write_bytes(b"x")
    ran = run("collect_aqr")
    assert (ran.run.state, ran.states["find"], ran.states["collect"]) == ("success", "skipped", "skipped")
    assert (inbox / "a.aqr").exists()


def test_files_that_nobody_can_send_are_an_alert_without_a_connection_too(intake: Intake, run: Run) -> None:
    inbox = intake.zone.inbox("aqr") / "room 1"
    inbox.mkdir(parents=True)
    put(inbox / "a.aqr", b"x", days=9)
    run("collect_aqr")
    quiet = run("check_aqr")
    assert (quiet.run.state, quiet.states) == ("success", {"compare": "success"})
    put(inbox / "b.aqr", b"y", days=11)
    assert run("check_aqr").run.state == "failed"


def test_a_roster_is_compared_without_a_connection(
    intake: Intake, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roster = tmp_path / "roster.csv"
    roster.write_text(f"exam,learner,until\n1,510001,{clock.now() - timedelta(days=13):%Y-%m-%d}\n")
    monkeypatch.setenv("GRADEWAY_AQR_ROSTER_FILE", str(roster))
    assert run("check_aqr").run.state == "failed"


def test_missing_results_are_an_alert_well_before_the_files_are_deleted(
    intake: Intake, hall: Hall, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roster = tmp_path / "roster.csv"
    monkeypatch.setenv("GRADEWAY_AQR_ROSTER_FILE", str(roster))
    ended = clock.now() - timedelta(days=9)
    roster.write_text(f"exam,learner,until\n1,510001,{ended:%Y-%m-%d}\n")
    quiet = run("check_aqr")
    assert (quiet.run.state, quiet.result("compare")) == ("success", {"missing": 1})
    roster.write_text(f"exam,learner,until\n1,510001,{ended - timedelta(days=3):%Y-%m-%d}\n")
    told = run("check_aqr")
    assert told.run.state == "failed"
    hall.play("510001-1", "start")
    (intake.zone.inbox("aqr")).mkdir(parents=True, exist_ok=True)
    (intake.zone.inbox("aqr") / "found.aqr").write_bytes(hall.play("510001-1", "finish", score=9, max=10))
    run("collect_aqr")
    found = run("check_aqr")
    assert (found.run.state, found.result("compare")) == ("success", {"received": 1})


def test_nothing_is_compared_while_the_server_is_away(intake: Intake, hall: Hall, run: Run) -> None:
    before = run("check_aqr").result("compare")
    assert before["expected"] > 1
    hall.play("510001-1", "start")
    assert hall.upload(hall.play("510001-1", "finish", score=9, max=10)).status_code == 201
    hall.network(online=False)
    away = run("check_aqr")
    assert (away.run.state, away.result("compare")) == ("success", before)
    hall.network()
    assert run("check_aqr").result("compare") != before


def test_who_is_expected_is_told_though_the_server_is_away_each_morning(
    intake: Intake, hall: Hall, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("check_aqr")
    hall.network(online=False)

    def compared(days: float, **values: object) -> str:
        past = clock.now() - timedelta(days=days)
        with intake.store.writing() as session:
            session.execute(update(ExpectedSitting).values(compared_at=past, **values))
        return str(run("check_aqr").run.state)

    assert compared(2) == "success"
    assert compared(4) == "failed"
    assert compared(2, since=clock.now() - timedelta(days=11)) == "failed"  # it was due since
    assert compared(2, since=clock.now() - timedelta(days=91)) == "success"
    monkeypatch.delenv("AIRFLOW_CONN_GRADEWAY_ASSESSMENTQ")
    assert compared(4) == "success"  # nobody wants to know any more


def test_a_file_whose_exam_ended_by_another_route_is_archived(intake: Intake, hall: Hall, run: Run) -> None:
    hall.play("510001-1", "start")
    inbox = intake.zone.inbox("aqr")
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / "a.aqr").write_bytes(hall.play("510001-1", "save"))
    run("collect_aqr")
    assert (inbox / "a.aqr").exists()
    assert hall.upload(hall.play("510001-1", "finish", score=9, max=10)).status_code == 201
    for _ in range(2):  # one learns of it, the next puts the file away
        run("collect_aqr")
    assert not (inbox / "a.aqr").exists()
    assert uploads(hall) == 2


def test_each_task_sends_its_own_files(intake: Intake, hall: Hall, run: Run) -> None:
    inbox = intake.zone.inbox("aqr")
    inbox.mkdir(parents=True, exist_ok=True)
    for number in range(1, 4):
        hall.play(f"51000{number}-1", "start")
        (inbox / f"{number}.aqr").write_bytes(hall.play(f"51000{number}-1", "save"))
    assert [sent["uploads"] for sent in run("collect_aqr").each("send")] == [{"in progress": 1}] * 3
