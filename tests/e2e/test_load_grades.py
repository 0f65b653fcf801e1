"""Files dropped into the inboxes of a real Airflow: grades stand in the store seconds later, sessions become exams.

Once on the embedded defaults, once as docker-compose.yaml lays it out: Airflow's metadata and the
store in two databases of one PostgreSQL, the sandbox started and made known by its commands.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests
import yaml
from sqlalchemy import text as sql_text
from sqlalchemy.exc import DBAPIError

import postgres
from gradeway.orchestration.processes import HOST, free_port
from gradeway.orchestration.runtime import LocalAirflow
from gradeway.orchestration.stand_ins import StandIns, stand_ins
from gradeway.store.engine import Store
from gradeway.vendors.connection import variable
from gradeway.vendors.questionmark import CONNECTION

pytestmark = pytest.mark.e2e

PROJECT = Path(__file__).resolve().parents[2]

# Values first, their schema last: the order of arrival must not matter.
TERM = {
    "term.colncval": "courseId|userId|name|value\nHIST1|User001|Final Grade|90\n",
    "term.colext": "courseId|name\nHIST1|Final Grade\n",
    "term.colnc": "courseId|name|description|duedate|points|gradeSchema|optionalData\n"
    "HIST1|Final Grade||2026-12-30|100|Letters|\n",
    "term.col": "courseId|name|description|duedate|points|gradeSchema|optionalData\n"
    "HIST1|Running Total||2026-10-30|10.0|Letters|\n",
    "term.asg": "courseId|name|instructions|points|gradeSchema\nHIST1|Essay|Write one.|100.0|Letters\n",
    "term.sch": "title|symbols|optionalData\nLetters|A=90:B=80:C=70:D=60:F=0|\n",
}
GRADES = "SELECT learner.source_id, value FROM grade JOIN learner ON learner.id = learner_id ORDER BY 1"
REPORTED = "SELECT count(*) FROM batch WHERE state = 'loaded' AND NOT report_due"


class World:
    """A running Airflow with its own landing zone and store."""

    def __init__(self, airflow: LocalAirflow, home: Path, store: str, questionmark: str) -> None:
        self.airflow = airflow
        self.questionmark = questionmark
        self.store = Store(store)
        self.api = airflow.api
        self.home = home
        self.inbox = home / "landing/inbox/grades"

    def drop(self, name: str, text: str, inbox: str = "grades") -> None:
        """Put a whole file into an inbox."""
        folder = self.inbox.with_name(inbox)
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{name}.part"
        part.write_text(text)
        part.rename(folder / name)

    def play(self, **said: object) -> None:
        """Do what a participant does in the exam."""
        answer = requests.post(f"{self.questionmark}/_sandbox/play", json=said, timeout=30)
        assert answer.status_code == 200, answer.text

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        """Ask the store, which may not be there yet."""
        try:
            with self.store.engine.connect() as connection:
                return [tuple(row) for row in connection.execute(sql_text(sql))]
        except DBAPIError:
            return []

    def until(self, sql: str, answer: list[tuple[object, ...]], seconds: float = 120) -> None:
        """Wait until the store gives an answer."""
        deadline = time.monotonic() + seconds
        while (last := self.ask(sql)) != answer:
            self.airflow.check()
            assert time.monotonic() < deadline, f"after {seconds} s the store says {last}"
            time.sleep(0.1)

    def rest(self, dag: str = "load_grades", seconds: float = 90) -> None:
        """Wait until no run of a DAG is open."""
        deadline = time.monotonic() + seconds
        while any(run["state"] in {"queued", "running"} for run in self.api.runs(dag)):
            assert time.monotonic() < deadline
            time.sleep(0.2)


class Compose:
    """The sandbox as docker-compose.yaml has it, as plain processes on a port and in folders of ours."""

    def __init__(self, home: Path) -> None:
        self.content = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text())
        self.home = home
        self.port = str(free_port())

    def stand_ins(self) -> StandIns:
        """The service that stays."""
        service = self.content["services"]["sandbox"]
        here = {"python": sys.executable, "8411": self.port, "/opt/airflow/sandbox": str(self.home / "sandbox")}
        command = [here.get(word, word) for word in service["entrypoint"] + service["command"]]
        return StandIns(f"http://{HOST}:{self.port}", {"sandbox": command}, {}, [])

    def introduce(self, airflow: LocalAirflow) -> None:
        """Make the Connection, as the service does that runs once."""
        file = self.home / "sandbox.json"
        file.write_text(self.content["configs"]["sandbox"]["content"].replace("8411", self.port))
        line = self.content["services"]["sandbox-init"]["command"][0].splitlines()[-1]
        command = shlex.split(line.replace("/sandbox.json", str(file)))
        # Twice, as it runs at every `docker compose up`.
        for _ in range(2):
            subprocess.run(command, env=airflow.environment, check=True, capture_output=True)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_url: str
) -> Iterator[World]:
    """An Airflow on a fresh home."""
    home = tmp_path_factory.mktemp("gradeway")
    # Whatever tenant the developer's shell names, it is none of this.
    env = {"GRADEWAY_HOME": str(home), "GRADEWAY_SETTLE_SECONDS": "1", variable(CONNECTION): ""}
    with postgres.database(postgres_url) as metadata, postgres.database(postgres_url) as store:
        on_postgres = request.param == "postgresql"
        url = store if on_postgres else f"sqlite:///{home}/gradeway.db"
        env["GRADEWAY_DATABASE_URL"] = url
        database_url = metadata.replace("+psycopg", "+psycopg2") if on_postgres else None
        compose = Compose(home) if on_postgres else None
        vendors = compose.stand_ins() if compose else stand_ins(home)
        start = {"env": env | vendors.env, "beside": vendors.commands, "database_url": database_url}
        with LocalAirflow(home / "airflow", PROJECT, **start) as airflow:  # type: ignore[arg-type]
            if compose:
                compose.introduce(airflow)
            yield World(airflow, home, url, vendors.questionmark)


def test_what_lands_is_loaded(world: World) -> None:
    for name, text in TERM.items():
        world.drop(name, text)
    world.until(GRADES, [("User001", "90")])
    world.until(REPORTED, [(6,)])
    world.rest()

    burst = {f"User{number:03d}": str(number) for number in range(100, 105)}
    for learner, value in burst.items():
        world.drop(f"{learner}.colncval", f"courseId|userId|name|value\nHIST1|{learner}|Final Grade|{value}\n")
        time.sleep(0.1)
    world.until(GRADES, [("User001", "90"), *burst.items()])
    world.until(REPORTED, [(11,)])
    world.rest()

    (first,) = world.ask("SELECT id FROM batch WHERE file_name = 'term.colncval'")[0]
    run = world.api.trigger("replay", {"batch": first})
    assert world.api.wait("replay", run) == "success"
    told = world.api.get(f"/dags/replay/dagRuns/{run}/taskInstances/rehearse/xcomEntries/return_value")["value"]
    assert (told["in"], told["unchanged"], told["rejected"]) == (1, 1, 0)
    states = {each["task_id"]: each["state"] for each in world.api.task_instances("replay", run)}
    assert states == {"rehearse": "success", "enter": "skipped"}

    runs = world.api.runs("load_grades")
    assert {run["state"] for run in runs} == {"success"}
    assert "asset_triggered" in {run["run_type"] for run in runs}
    assert not list(world.inbox.iterdir())
    assert not list((world.home / "landing/claimed").iterdir())
    assert len(list((world.home / "landing/archive").rglob("*.*"))) == 11
    assert len(list((world.home / "landing/reports").rglob("report.json"))) == 11


def test_a_killed_worker_loses_and_doubles_nothing(world: World) -> None:
    learners = 40_000
    rows = "".join(f"KILL1|K{number:05d}|Exam|{number % 100}\n" for number in range(learners))
    world.drop("kill.colnc", "courseId|name|points\nKILL1|Exam|100\n")
    world.until("SELECT count(*) FROM grade_column WHERE name = 'Exam'", [(1,)])
    world.rest()
    world.drop("kill.colncval", f"courseId|userId|name|value\n{rows}")
    world.until("SELECT state FROM batch WHERE file_name = 'kill.colncval'", [("claimed",)])
    kill_a_load(world)
    world.until("SELECT state, report_due FROM batch WHERE file_name = 'kill.colncval'", LOADED, 240)
    world.rest()
    killed = "SELECT count(*) FROM grade JOIN learner ON learner.id = learner_id WHERE source_id LIKE 'K%'"
    assert world.ask(killed) == [(learners,)]
    assert world.ask("SELECT created, rejected, parked FROM batch WHERE file_name = 'kill.colncval'") == [
        (learners, 0, 0)
    ]
    assert not list((world.home / "landing/claimed").iterdir())


LOADED = [("loaded", False)]


def kill_a_load(world: World) -> None:
    """Kill the process that runs a task which loads grades, as the kernel would for lack of memory."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        running = [
            each
            for run in world.api.runs("load_grades")
            if run["state"] == "running"
            for each in world.api.task_instances("load_grades", run["dag_run_id"])
            if each["task_id"] == "grades.load" and each["state"] == "running" and each["pid"]
        ]
        for each in running:
            with suppress(ProcessLookupError):
                os.kill(each["pid"], signal.SIGKILL)
                return
        time.sleep(0.05)
    pytest.fail("no load was seen running")


SESSIONS = """session_deliveryId,group_name,session_name,session_startDate,session_endDate
Anatomy midterm,Nursing 1A,Anatomy morning,2020-01-10T08:00:00Z,2040-01-10T10:00:00Z
Statics final,Statics 2026,Statics,2020-01-10T08:00:00Z,2040-01-10T10:00:00Z
"""
SCHEDULES = "SELECT name, schedule_id FROM session_schedule JOIN exam_session ON exam_session.id = session_id"
MIDTERM = """
SELECT value FROM grade JOIN grade_column ON grade_column.id = column_id WHERE grade_column.name = 'Midterm'
"""


def test_an_exam_comes_full_circle(world: World) -> None:
    world.drop("anatomy.colnc", "courseId|name|points|optionalData\nANAT1|Midterm|20|SESSION=Anatomy morning\n")
    world.drop("week.csv", SESSIONS, "sessions")
    world.until("SELECT count(*) FROM session_schedule", [(2,)])
    world.rest("sync_sessions")
    schedules = {str(name): number for name, number in world.ask(SCHEDULES)}
    for do, said in (("start", {}), ("finish", {"score": 9, "max": 12})):
        world.play(ScheduleID=schedules["Anatomy morning"], ParticipantID=510001, do=do, **said)
    run = world.api.trigger("collect_results")
    assert world.api.wait("collect_results", run) == "success"
    world.until(MIDTERM, [("15",)])

    world.drop("later.csv", SESSIONS.replace("Anatomy morning,2020-01-10", "Anatomy morning,2021-01-10"), "sessions")
    world.until("SELECT count(*) FROM intent WHERE action <> 'create' AND state = 'done'", [(1,)])
    world.rest("sync_sessions")
    assert {run["state"] for run in world.api.runs("sync_sessions")} == {"success"}
