"""From files to a gradebook, by the DAG and against a running sandbox of Learn."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.models import DagRun
from airflow.sdk.exceptions import AirflowSkipException
from airflow.utils.session import create_session
from sqlalchemy import func, select, update

from fixtures.dagruns import Ran
from fixtures.sandboxes import Site, running_site
from gradeway import clock
from gradeway.errors import BrakeError, ReasonMissingError
from gradeway.intake import Intake
from gradeway.orchestration import publish
from gradeway.publish import run as publisher
from gradeway.sandbox.learn.start import courses
from gradeway.store.lock import SEND, alone
from gradeway.store.publish import ComparedCourse, GradeConflict, GradeReceipt, PublishIntent

Run = Callable[..., Ran]
LEARNERS = [f"learner{number:02d}" for number in range(40)]
CANARY = "learner07"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The sandbox, as the Connection names it."""
    with running_site(tmp_path, courses({"ART1": "Classic"}, {"ART1": LEARNERS})) as made:
        place = {"conn_type": "http", "host": made.url, "login": "sandbox", "password": "sandbox"}
        monkeypatch.setenv("AIRFLOW_CONN_GRADEWAY_LEARN", json.dumps(place | {"extra": {"calls_per_second": 100}}))
        made.log_in()
        yield made


def drop(intake: Intake, name: str, *rows: str) -> None:
    (intake.zone.inbox("grades") / name).write_text("".join(f"{row}\n" for row in rows))


def land(intake: Intake, scores: dict[str, object]) -> None:
    """Load a column and grades in it."""
    drop(intake, "c.colnc", "courseId|name|points", "ART1|Oral|20")
    values = (f"ART1|{learner}|Oral|{score}" for learner, score in scores.items())
    drop(intake, "v.colncval", "courseId|userId|name|value", *values)
    intake.sweep()


def grades(site: Site) -> dict[str, str]:
    columns = site.every("v2/courses/courseId:ART1/gradebook/columns")
    [oral] = [column["id"] for column in columns if column["name"] == "Oral"]
    users = {
        each["userId"]: each["user"]["userName"] for each in site.every("v1/courses/courseId:ART1/users?expand=user")
    }
    found = site.every(f"v2/courses/courseId:ART1/gradebook/columns/{oral}/users")
    return {users[each["userId"]]: f"{each['score'].normalize():f}" for each in found if "score" in each}


def writes(site: Site) -> int:
    return sum(entry["method"] in {"POST", "PATCH"} and "oauth2" not in entry["path"] for entry in site.log())


def asked() -> list[dict[str, str]]:
    with create_session() as session:
        wanted = select(DagRun).where(DagRun.dag_id == publish.APPROVE).order_by(DagRun.id)
        return [run.conf for run in session.scalars(wanted)]


def test_a_run_by_hand_is_dry_unless_told_otherwise(intake: Intake, site: Site, run: Run) -> None:
    land(intake, dict.fromkeys(LEARNERS[:10], 7))
    dry = run("publish_gradebook")
    assert (dry.run.state, dry.states["apply"], dry.states["ask"]) == ("success", "skipped", "skipped")
    assert dry.result("plan") == {"courses": 1, "calls": 11, "held": 0, "paused": False}
    assert writes(site) == 0


def test_grades_are_published_once(intake: Intake, site: Site, run: Run) -> None:
    scores = {learner: number / 2 for number, learner in enumerate(LEARNERS, 1)}
    land(intake, scores)
    first = run("publish_gradebook", dry_run=False)
    assert first.run.state == "success"
    assert first.result("apply")["outcomes"] == {"CREATED": 41}
    assert grades(site) == {learner: f"{score:g}" for learner, score in scores.items()}
    before = writes(site)
    again = run("publish_gradebook", dry_run=False, everything=True)
    assert (again.run.state, again.result("apply")["outcomes"], writes(site)) == ("success", {}, before)
    with intake.store.session() as session:
        assert len(session.scalars(select(GradeReceipt)).all()) == 40
    assert CANARY not in first.results + again.results


def test_what_is_too_much_waits_for_a_person_and_keeps_nothing_else_back(intake: Intake, site: Site, run: Run) -> None:
    land(intake, dict.fromkeys(LEARNERS[:30], 15))
    run("publish_gradebook", dry_run=False)
    land(intake, dict.fromkeys(LEARNERS[:20], 3) | dict.fromkeys(LEARNERS[30:], 12))
    before = len(asked())
    held = run("publish_gradebook", dry_run=False)
    assert (held.run.state, held.states["apply"]) == ("success", "success")
    assert held.result("plan") == {"courses": 1, "calls": 10, "held": 20, "paused": False}
    assert sorted(grades(site).values()).count("15") == 30
    question = asked()[-1]
    assert len(asked()) == before + 1
    assert question["told"].startswith("Course ART1: 20 grade update\n\n- 20 of 30 decreases in Oral")
    assert CANARY not in held.results + question["told"]
    run("publish_gradebook", dry_run=False)
    assert len(asked()) == before + 1, "the same calls are asked about once a day"

    publish.approve(question["plan"], {"responded_by_user": {"name": "admin"}, "params_input": {"reason": "regraded"}})
    assert publish.apply(question["plan"])["outcomes"] == {"UPDATED": 20}
    assert sorted(grades(site).values()).count("3") == 20
    with intake.store.session() as session:
        done = session.scalars(select(PublishIntent.approved_by).where(PublishIntent.approved_by != "")).all()
        assert done == ["admin"] * 20


@pytest.mark.parametrize("given", [{}, {"params_input": None}, {"params_input": {"reason": "  "}}])
def test_an_approval_without_a_reason_is_none_and_is_asked_for_again(
    intake: Intake, site: Site, run: Run, monkeypatch: pytest.MonkeyPatch, given: dict[str, object]
) -> None:
    land(intake, dict.fromkeys(LEARNERS[:10], 15))
    run("publish_gradebook", dry_run=False)
    land(intake, dict.fromkeys(LEARNERS[:10], 3))
    run("publish_gradebook", dry_run=False)
    before, plan = len(asked()), asked()[-1]["plan"]
    with pytest.raises(ReasonMissingError, match="the next run asks again"):
        publish.approve(plan, {"responded_by_user": {"name": "admin"}} | given)
    with pytest.raises(BrakeError):
        publish.apply(plan)
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(hours=1))
    run("publish_gradebook", dry_run=False)
    assert (len(asked()), asked()[-1]["plan"]) == (before + 1, plan)


def test_a_question_leads_to_the_page_with_every_call(
    intake: Intake, site: Site, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.school.example/air/")
    land(intake, dict.fromkeys(LEARNERS[:10], 15))
    run("publish_gradebook", dry_run=False)
    land(intake, dict.fromkeys(LEARNERS[:10], 3))
    run("publish_gradebook", dry_run=False)
    question = asked()[-1]
    page = f"https://airflow.school.example/air/gradeway/gradebook/plans/{question['plan']}"
    assert f"]({page})" in question["told"]


def test_without_a_connection_nothing_is_done(intake: Intake, run: Run) -> None:
    ran = run("publish_gradebook", dry_run=False)
    assert (ran.run.state, ran.states["plan"], ran.states["apply"]) == ("success", "skipped", "skipped")


def test_a_refused_call_is_told_and_keeps_no_other_back(intake: Intake, site: Site, run: Run) -> None:
    land(intake, dict.fromkeys(LEARNERS[:5], 7))
    site.act("faults", [{"match": "PATCH */users/*", "kind": "status", "status": 400}])
    ran = run("publish_gradebook", dry_run=False)
    assert (ran.run.state, ran.states["apply"], ran.states["done"]) == ("failed", "failed", "upstream_failed")
    assert len(grades(site)) == 4


def test_what_a_teacher_changed_meanwhile_is_no_failure(intake: Intake, site: Site, run: Run) -> None:
    land(intake, {LEARNERS[0]: 7, LEARNERS[1]: 8})
    run("publish_gradebook", dry_run=False)
    land(intake, {LEARNERS[0]: 17, LEARNERS[1]: 18})
    run("publish_gradebook", dry_run=True)
    site.play("ART1", "grade", column="Oral", user=LEARNERS[0], score=5)
    ran = run("publish_gradebook", dry_run=False)
    assert (ran.run.state, ran.result("apply")["outcomes"]) == ("success", {"CONFLICT": 1, "UPDATED": 1})
    assert grades(site) == {LEARNERS[0]: "5", LEARNERS[1]: "18"}


def test_what_a_teacher_changed_is_found_the_next_night_though_nothing_changed_here(
    intake: Intake, site: Site, run: Run
) -> None:
    land(intake, {LEARNERS[0]: 7})
    assert run("publish_gradebook", dry_run=False).result("compare_all")["courses"] == 0, "it was compared just now"
    site.play("ART1", "grade", column="Oral", user=LEARNERS[0], score=5)
    conflicts = select(func.count()).select_from(GradeConflict)
    with intake.store.writing() as session:
        session.execute(update(ComparedCourse).values(whole_at=clock.now() - timedelta(days=1)))
        assert session.scalar(conflicts) == 0
    assert run("publish_gradebook", dry_run=False).result("compare_all")["courses"] == 1
    with intake.store.session() as session:
        assert session.scalar(conflicts) == 1
    assert grades(site) == {LEARNERS[0]: "5"}


def test_what_is_approved_while_another_run_sends_is_left_to_the_next(
    intake: Intake, site: Site, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "alone", lambda store, what, _patience: alone(store, what))
    land(intake, dict.fromkeys(LEARNERS[:20], 15))
    run("publish_gradebook", dry_run=False)
    land(intake, dict.fromkeys(LEARNERS[:20], 3))
    run("publish_gradebook", dry_run=False)
    plan = asked()[-1]["plan"]
    publish.approve(plan, {"responded_by_user": {"name": "admin"}, "params_input": {"reason": "regraded"}})
    with alone(intake.store, SEND), pytest.raises(AirflowSkipException, match="the next run of publish_gradebook"):
        publish.apply(plan)
    assert run("publish_gradebook", dry_run=False).result("apply")["outcomes"] == {"UPDATED": 20}


@pytest.fixture
def outgoing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an importer of flat files, as the settings name it."""
    folder = tmp_path / "outgoing"
    folder.mkdir()
    monkeypatch.setenv("GRADEWAY_PUBLISH_TARGET", "files")
    monkeypatch.setenv("GRADEWAY_PUBLISH_FILES_FOLDER", str(folder))
    return folder


def taken(folder: Path) -> dict[str, int]:
    """Take the files away; return how many rows there were, by kind."""
    found = {}
    for path in folder.glob("gradeway_*"):
        found[path.suffix] = len(path.read_text().splitlines()) - 1
        path.unlink()
    return found


def test_files_are_written_stage_by_stage_without_a_connection(outgoing: Path, intake: Intake, run: Run) -> None:
    land(intake, dict.fromkeys(LEARNERS[:30], 15))
    dry = run("publish_gradebook")
    assert (dry.states["apply"], dry.result("plan")["calls"], taken(outgoing)) == ("skipped", 31, {})
    first = run("publish_gradebook", dry_run=False)
    assert first.run.state == "success"
    assert first.result("apply") == {"outcomes": {"CREATED": 1}, "paused": True}
    assert taken(outgoing) == {".colnc": 1}
    second = run("publish_gradebook", dry_run=False)
    assert second.result("apply") == {"outcomes": {"CREATED": 30}, "paused": False}
    assert taken(outgoing) == {".colncval": 30}
    land(intake, dict.fromkeys(LEARNERS[:20], 3))
    before = len(asked())
    held = run("publish_gradebook", dry_run=False)
    assert (held.run.state, held.result("plan")["held"], taken(outgoing)) == ("success", 20, {})
    assert len(asked()) == before + 1
    question = asked()[-1]
    assert question["told"].startswith("Course ART1: 20 grade update\n\n- 20 of 30 decreases in Oral")
    assert CANARY not in dry.results + first.results + second.results + held.results + question["told"]
    publish.approve(question["plan"], {"responded_by_user": {"name": "admin"}, "params_input": {"reason": "regraded"}})
    assert publish.apply(question["plan"])["outcomes"] == {"UPDATED": 20}
    assert taken(outgoing) == {".colncval": 20}


def test_a_folder_in_trouble_fails_the_task_and_the_next_run_goes_on(outgoing: Path, intake: Intake, run: Run) -> None:
    land(intake, dict.fromkeys(LEARNERS[:5], 7))
    outgoing.rmdir()
    ran = run("publish_gradebook", dry_run=False)
    assert (ran.run.state, ran.states["plan"], ran.states["apply"]) == ("failed", "failed", "success")
    outgoing.mkdir()
    assert run("publish_gradebook", dry_run=False).run.state == "success"
    assert taken(outgoing) == {".colnc": 1}
