"""`gradeway publish` and `gradeway why`: what a person sees and gets, against a sandbox."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from fixtures.sandboxes import Site
from gradeway import clock
from gradeway.cli import main
from gradeway.publish.run import LearnPublisher, Planning
from gradeway.settings import Settings
from gradeway.store.exams import Plan
from gradeway.store.publish import PublishIntent
from loading.world import World
from publish.scene import Scene
from publish.trouble import heal, spoil

pytestmark = pytest.mark.usefixtures("in_haste")
Run = Callable[..., Result]


@pytest.fixture
def run(one_scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Run:
    return made(monkeypatch, one_scene.settings, one_scene.site)


def made(monkeypatch: pytest.MonkeyPatch, settings: Settings, site: Site) -> Run:
    connection = {"conn_type": "http", "host": site.url.partition("learn/api")[0]}
    login = {"login": "sandbox", "password": "sandbox"}
    monkeypatch.setenv("AIRFLOW_CONN_GRADEWAY_LEARN", json.dumps(connection | login))
    monkeypatch.setenv("GRADEWAY_HOME", str(settings.home))
    monkeypatch.setenv("GRADEWAY_DATABASE_URL", settings.database_url)
    return lambda *words: CliRunner().invoke(main, list(words))


def document(result: Result) -> dict[str, Any]:
    assert result.stderr == ""
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def land(scene: Scene, **grades: object) -> None:
    scene.columns("{c}|Oral|20||")
    scene.grades(**grades)


def test_plan_then_apply_its_hash(run: Run, one_scene: Scene) -> None:
    land(one_scene, ann=7, bob=12.5)
    shown = run("publish", "plan", one_scene.course)
    assert shown.exit_code == 0, shown.output
    [planned] = document(run("publish", "plan", "--format", "json"))["courses"]
    assert f"to do it: gradeway publish apply {planned['hash']}" in shown.stdout
    assert [(call["kind"], call["action"], call["learner"]) for call in planned["calls"]] == [
        ("column", "create", ""),
        ("grade", "create", "ann"),
        ("grade", "create", "bob"),
    ]
    assert "Oral" not in one_scene.there()
    calls = document(run("publish", "show", planned["hash"][:12], "--format", "json"))["calls"]
    assert {call["state"] for call in calls} == {"planned"}
    applied = document(run("publish", "apply", planned["hash"], "--format", "json"))
    assert (applied["outcomes"], applied["failures"]) == ({"CREATED": 3}, [])
    assert one_scene.there()["Oral"] == {"ann": "7", "bob": "12.5"}
    again = run("publish", "apply", "--now")
    assert (again.exit_code, again.stdout) == (0, "nothing was to be published\n")


def test_what_a_brake_holds_is_approved_with_a_reason_and_told_by_why(run: Run, one_scene: Scene) -> None:
    people = ("ann", "bob", "cy", "dee", "eve", "fay")
    land(one_scene, **dict.fromkeys(people, 15))
    run("publish", "apply", "--now")
    one_scene.grades(**dict.fromkeys(people, 2))
    held = run("publish", "apply", "--now")
    assert held.exit_code == 1
    assert "--approve" in held.stdout
    assert set(one_scene.there()["Oral"].values()) == {"15"}
    status = document(run("publish", "status", "--format", "json"))
    [waiting] = status["waiting"]
    assert any("decreases" in brake or "lower" in brake for brake in waiting["brakes"]), waiting
    refused = run("publish", "apply", waiting["digest"])
    assert refused.exit_code == 1
    assert "approv" in refused.stderr
    done = document(run("publish", "apply", "--approve", waiting["digest"], "--reason", "regraded", "--format", "json"))
    assert done["outcomes"] == {"UPDATED": 6}
    assert set(one_scene.there()["Oral"].values()) == {"2"}
    life = document(run("why", one_scene.course, "ann", "Oral", "--format", "json"))
    assert (life["value"], life["published"]) == ("2", "2")
    told = " ".join(f"{event['what']} {event['detail']}" for event in life["events"])
    assert "f.colncval" in told
    assert "regraded" in told
    lines = run("why", one_scene.course, "ann", "Oral").stdout.splitlines()
    assert max(map(len, lines)) < 140
    assert any(line.endswith("f.colncval, line 2") for line in lines)
    assert not re.search("[0-9a-f]{13}", "\n".join(lines))


def test_what_is_in_the_way_is_told_with_a_remedy(run: Run, one_scene: Scene) -> None:
    land(one_scene, ann=7, nobody=9)
    assert run("publish", "apply", "--now").exit_code in {0, 1}
    status = run("publish", "status", "--limit", "0")
    assert status.exit_code == 1
    assert "LEARNER_UNKNOWN" in status.stdout
    assert "enrol the learner" in " ".join(status.stdout.split())
    [problem] = document(run("publish", "status", one_scene.course, "--format", "json"))["problems"]
    assert (problem["learner"], problem["code"], problem["name"]) == ("nobody", "LEARNER_UNKNOWN", "Oral")


def test_a_plan_lists_what_is_in_the_way_with_its_remedy_and_conflicts(run: Run, one_scene: Scene) -> None:
    one_scene.play("add", name="Oral", possible=20)
    one_scene.play("grade", user="bob", score=5)
    land(one_scene, bob=7, nobody=9, who=8)
    told = run("publish", "plan", "--limit", "1")
    assert told.exit_code == 1
    words = " ".join(told.stdout.split())
    for part in ("In the way", "LEARNER_UNKNOWN", "and 1 more; --limit 0 shows all", "enrol the learner there, or"):
        assert part in words
    assert words.count("Changed by somebody in the gradebook") == 1
    found = document(run("publish", "plan", "--format", "json"))
    assert [each["learner"] for each in found["problems"]] == ["nobody", "who"]
    assert [(each["learner"], each["theirs"]) for each in found["conflicts"]] == [("bob", "5")]


def test_what_a_person_changed_there_is_kept_until_somebody_decides(run: Run, one_scene: Scene) -> None:
    land(one_scene, ann=7, bob=8)
    run("publish", "apply", "--now")
    one_scene.site.play(one_scene.course, "grade", column="Oral", user="ann", score=19)
    one_scene.grades(ann=9, bob=9)
    run("publish", "apply", "--now")
    assert one_scene.there()["Oral"] == {"ann": "19", "bob": "9"}
    [conflict] = document(run("publish", "status", "--format", "json"))["conflicts"]
    assert (conflict["learner"], conflict["ours"], conflict["theirs"]) == ("ann", "9", "19")
    differences = run("publish", "reconcile", one_scene.course, "--format", "csv")
    assert differences.exit_code == 1
    [row] = csv.DictReader(io.StringIO(differences.stdout))
    assert (row["learner"], row["ours"], row["theirs"]) == ("ann", "9", "19")
    words = ("publish", "resolve", one_scene.course, "--column", "Oral", "--learner", "ann")
    assert run(*words, "--take").exit_code == 2
    assert run(*words, "--take", "--keep", "--reason", "either").exit_code == 2
    decided = run(*words, "--take", "--reason", "a slip of the pen")
    assert decided.exit_code == 0, decided.output
    run("publish", "apply", "--now")
    assert one_scene.there()["Oral"] == {"ann": "9", "bob": "9"}
    assert run("publish", "reconcile", one_scene.course).exit_code == 0


def test_the_status_of_a_course_tells_of_no_other(run: Run, one_scene: Scene) -> None:
    people = ("ann", "bob", "cy", "dee", "eve", "fay")
    land(one_scene, **dict.fromkeys(people, 15))
    run("publish", "apply", "--now")
    one_scene.grades(**dict.fromkeys(people, 2))
    run("publish", "plan")
    one_scene.world.land("o.colnc", "courseId|name|points", "OTHER1|Oral|20")
    [waiting] = document(run("publish", "status", one_scene.course, "--format", "json"))["waiting"]
    assert waiting["course"] == one_scene.course
    assert document(run("publish", "status", "OTHER1", "--format", "json"))["waiting"] == []
    unknown = run("publish", "status", "NOPE")
    assert (unknown.exit_code, "NOPE" in unknown.stderr) == (1, True)


def test_a_gradebook_is_forgotten_only_when_that_is_said(run: Run, one_scene: Scene) -> None:
    land(one_scene, ann=7, bob=8)
    run("publish", "apply", "--now")
    told = run("publish", "forget")
    assert told.exit_code == 1
    would = (
        "2 published grades of 127.0.0.1/learn/api/public would be forgotten; to do it: gradeway publish forget --yes"
    )
    assert " ".join(told.stdout.split()) == would
    assert document(run("publish", "status", "--format", "json"))["receipts"] == 2
    done = run("publish", "forget", "--yes", "--format", "json")
    assert done.exit_code == 0
    assert document(done) == {"place": "127.0.0.1/learn/api/public", "published_grades": 2, "forgotten": True}
    assert document(run("publish", "status", "--format", "json"))["receipts"] == 0
    again = run("publish", "forget")
    assert (again.exit_code, again.stdout) == (0, "nothing is known that could be forgotten\n")
    run("publish", "apply", "--now")
    assert document(run("publish", "status", "--format", "json"))["receipts"] == 2


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, folder: Path, sqlite_store: str, site: Site) -> Run:
    """The commands of an installation without any data."""
    return made(monkeypatch, World(folder / "home", sqlite_store).settings, site)


def test_words_that_do_not_belong_together_are_told_apart(alone: Run) -> None:
    assert alone("publish", "apply").exit_code == 2
    assert alone("publish", "apply", "abc", "--now").exit_code == 2
    assert alone("publish", "apply", "--approve", "abc").exit_code == 2
    unknown = alone("publish", "show", "abc")
    assert unknown.exit_code == 1
    assert "abc" in unknown.stderr
    nowhere = alone("publish", "plan", "NOSUCH")
    assert nowhere.exit_code == 1
    assert "NOSUCH" in nowhere.stderr


def test_without_a_connection_it_says_how_to_give_one(alone: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_GRADEWAY_LEARN")
    refused = alone("publish", "plan")
    assert refused.exit_code == 2
    assert "AIRFLOW_CONN_GRADEWAY_LEARN" in refused.stderr


# --- what is left when nothing was sent


def left(result: Result) -> list[str]:
    """The lines of a run that sent nothing and is not done."""
    assert result.exit_code == 1, result.output
    first, *lines = result.stdout.splitlines()
    assert first == "nothing was sent"
    return lines


def test_a_conflict_that_only_planning_finds_is_no_nothing(run: Run, one_scene: Scene) -> None:
    one_scene.play("add", name="Oral", possible=20)
    one_scene.play("grade", user="ann", score=5)
    land(one_scene, ann=7)
    run("publish", "apply", "--now")
    [line] = left(run("publish", "apply", "--now"))
    assert line.startswith("grades that somebody changed in the gradebook, and nobody decided about: 1; ")
    assert "`gradeway publish resolve`" in line


def test_what_was_overtaken_since_the_plan_is_no_nothing(run: Run, one_scene: Scene) -> None:
    land(one_scene, ann=7)
    [planned] = document(run("publish", "plan", "--format", "json"))["courses"]
    one_scene.play("add", name="Oral", possible=20)
    done = run("publish", "apply", planned["hash"])
    assert (done.exit_code, "has changed since the plan; gradeway publish plan says" in done.stdout) == (1, True)
    assert run("publish", "apply", "--now").exit_code == 0


def test_grades_that_a_deleted_column_keeps_waiting_are_no_nothing(run: Run, one_scene: Scene) -> None:
    land(one_scene, ann=7)
    run("publish", "apply", "--now")
    one_scene.play("delete")
    one_scene.grades(ann=9)
    assert "COLUMN_GONE" in "".join(left(run("publish", "apply", "--now")))


def test_a_call_that_got_no_answer_is_no_nothing(run: Run, one_scene: Scene) -> None:
    land(one_scene, ann=7, bob=8)
    [planned] = document(run("publish", "plan", "--format", "json"))["courses"]
    spoil(one_scene, "PATCH */users/*", kind="drop")
    run("publish", "apply", planned["hash"])
    heal(one_scene)
    for words in (["--now"], [planned["hash"]]):
        assert "calls to the gradebook without an answer" in left(run("publish", "apply", *words))[-1]
    told = document(run("publish", "apply", "--now", "--format", "json"))["needs"]
    assert "GRADEWAY_PUBLISH_GRACE_SECONDS" in told[-1]["remedy"]


def test_what_another_run_did_meanwhile_is_told(run: Run, one_scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    land(one_scene, ann=7)
    one_scene.plan()
    real = LearnPublisher.plan

    def plan_while_another_sends(publisher: LearnPublisher, *given: Any, **named: Any) -> Planning:  # noqa: ANN401
        planning = real(publisher, *given, **named)
        with one_scene.publisher() as another:
            another.apply_free()
        return planning

    with one_scene.world.intake.store.writing() as session:  # as it is once the other one began
        session.execute(update(PublishIntent).values(state="open"))
    monkeypatch.setattr(LearnPublisher, "plan", plan_while_another_sends)
    done = run("publish", "apply", "--now")
    assert (done.exit_code, done.stdout) == (0, "another run was at work meanwhile, and did what was under way\n")


def test_what_failed_is_told_with_its_learner_and_course(run: Run, one_scene: Scene) -> None:
    land(one_scene, ann=7)
    spoil(one_scene, "PATCH */users/*", kind="status", status=400)
    failed = run("publish", "apply", "--now", "--format", "json")
    heal(one_scene)
    assert failed.exit_code == 1
    [failure] = json.loads(failed.stdout)["failures"]
    assert (failure["course"], failure["learner"]) == (one_scene.course, "ann")
    one_scene.grades(ann=9)
    spoil(one_scene, "PATCH */users/*", kind="status", status=400)
    table = run("publish", "apply", "--now").stdout.split("Failed")[1].splitlines()
    heal(one_scene)
    assert table[1].split()[:5] == ["course", "what", "name", "learner", "outcome"]
    assert table[3].split()[:5] == [one_scene.course, "grade", "Oral", "ann", "REJECTED"]


def test_a_plan_is_applied_and_approved_by_the_beginning_of_its_hash(run: Run, one_scene: Scene) -> None:
    people = ("ann", "bob", "cy", "dee", "eve", "fay")
    land(one_scene, **dict.fromkeys(people, 15))
    [planned] = document(run("publish", "plan", "--format", "json"))["courses"]
    applied = document(run("publish", "apply", planned["hash"][:8], "--format", "json"))
    assert applied["outcomes"] == {"CREATED": 7}
    one_scene.grades(**dict.fromkeys(people, 2))
    [planned] = document(run("publish", "plan", "--format", "json"))["courses"]
    start = planned["held"]["hash"][:8]
    done = run("publish", "apply", "--approve", start, "--reason", "regraded", "--format", "json")
    assert document(done)["outcomes"] == {"UPDATED": 6}


def test_a_beginning_that_several_plans_have_is_refused(plain_scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(monkeypatch, plain_scene.settings, plain_scene.site)
    with plain_scene.world.intake.store.writing() as session:
        for end in "ab":
            session.add(Plan(system="learn", digest=f"5f70{end * 60}", content={}, made_at=clock.now()))
    for words in (["5f70"], ["--approve", "5f70", "--reason", "either"]):
        refused = run("publish", "apply", *words)
        assert (refused.exit_code, refused.stderr) == (
            1,
            "gradeway: several plans begin with 5f70; give more of the hash\n",
        )
