"""Files dropped into the inboxes of a real Airflow: grades stand in store and gradebook, sessions become exams.

Once on the embedded defaults, once as docker-compose.yaml lays it out: Airflow's metadata and the
store in two databases of one PostgreSQL, the sandboxes started and made known by their commands.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import requests
import yaml
from sqlalchemy import text as sql_text
from sqlalchemy.exc import DBAPIError

import postgres
from fixtures.small_term import TERM
from gradeway.orchestration.processes import HOST, free_port
from gradeway.orchestration.runtime import LocalAirflow
from gradeway.orchestration.stand_ins import StandIns, stand_ins, vendors
from gradeway.store.engine import Store
from gradeway.vendors.assessmentq import CONNECTION as ASSESSMENTQ
from gradeway.vendors.connection import Endpoint, variable
from gradeway.vendors.learn import CONNECTION as LEARN
from gradeway.vendors.learn import Learn, make_pace
from gradeway.vendors.learn_values import ColumnKey, CourseKey
from gradeway.vendors.questionmark import CONNECTION as QUESTIONMARK

pytestmark = pytest.mark.e2e

PROJECT = Path(__file__).resolve().parents[2]

NOBODY = {variable(name): "" for name in (QUESTIONMARK, ASSESSMENTQ, LEARN)}
GRADES = "SELECT learner.source_id, value FROM grade JOIN learner ON learner.id = learner_id ORDER BY 1"
# What is the same whatever stands below is seen once.
ONCE = pytest.mark.parametrize("world", ["postgresql"], indirect=True, scope="module")
REPORTED = "SELECT count(*) FROM batch WHERE state = 'loaded' AND NOT report_due"


class World:
    """A running Airflow with its own landing zone and store."""

    def __init__(self, airflow: LocalAirflow, home: Path, store: str, origins: Mapping[str, str]) -> None:
        self.airflow = airflow
        self.origins = origins
        self.store = Store(store)
        self.api = airflow.api
        self.home = home
        self.inbox = home / "landing/inbox/grades"

    def drop(self, name: str, content: str | bytes, inbox: str = "grades") -> None:
        """Put a whole file into an inbox."""
        folder = self.inbox.with_name(inbox)
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{name}.part"
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        part.rename(folder / name)

    def play(self, vendor: str, **said: object) -> bytes:
        """Do what a participant does in an exam."""
        answer = requests.post(f"{self.origins[vendor]}/_sandbox/play", json=said, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.content

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
    """The sandboxes as docker-compose.yaml has them, as plain processes on ports and in folders of ours."""

    def __init__(self, home: Path) -> None:
        self.services = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text())["services"]
        self.home = home
        self.ports = {each.vendor: (str(each.port), str(free_port())) for each in vendors()}

    def stand_ins(self) -> StandIns:
        """The services that stay."""
        found = StandIns({}, {}, {}, [])
        for vendor, (usual, port) in self.ports.items():
            service = self.services[f"sandbox-{vendor}"]
            here = {"python": sys.executable, usual: port, "/opt/airflow/sandbox": str(self.home / "sandbox")}
            found.commands[vendor] = [here.get(word, word) for word in service["entrypoint"] + service["command"]]
            found.origins[vendor] = f"http://{HOST}:{port}"
        return found

    def introduce(self, airflow: LocalAirflow) -> None:
        """Make the Connections, as the service does that runs once."""
        [makes, imports] = self.services["sandbox-init"]["command"][0].splitlines()[-2:]
        file = self.home / "sandbox.json"
        words = makes.partition(" > ")[0].split()
        made = subprocess.run(words, env=airflow.environment, check=True, capture_output=True, text=True).stdout
        for usual, port in self.ports.values():
            made = made.replace(f'"port": {usual}', f'"port": {port}')
        file.write_text(made)
        # Twice, as it runs at every `docker compose up`.
        for _ in range(2):
            command = shlex.split(imports.replace("/tmp/sandbox.json", str(file)))  # noqa: S108  (the file's own words)
            subprocess.run(command, env=airflow.environment, check=True, capture_output=True)


@pytest.fixture(scope="module", params=["postgresql", "sqlite"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_url: str
) -> Iterator[World]:
    """An Airflow on a fresh home."""
    home = tmp_path_factory.mktemp("gradeway")
    # Whatever tenants the developer's shell names, they are none of this.
    env = {"GRADEWAY_HOME": str(home), "GRADEWAY_SETTLE_SECONDS": "1", **NOBODY}
    with postgres.database(postgres_url) as metadata, postgres.database(postgres_url) as store:
        on_postgres = request.param == "postgresql"
        url = store if on_postgres else f"sqlite:///{home}/gradeway.db"
        env["GRADEWAY_DATABASE_URL"] = url
        database_url = metadata.replace("+psycopg", "+psycopg2") if on_postgres else None
        compose = Compose(home) if on_postgres else None
        sandboxes = compose.stand_ins() if compose else stand_ins(home)
        start = {"env": env | sandboxes.env, "beside": sandboxes.commands, "database_url": database_url}
        with LocalAirflow(home / "airflow", PROJECT, **start) as airflow:  # type: ignore[arg-type]
            if compose:
                compose.introduce(airflow)
            yield World(airflow, home, url, sandboxes.origins)


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


SESSIONS = """session_deliveryId,group_name,session_name,session_startDate,session_endDate
Anatomy midterm,Nursing 1A,Anatomy morning,2020-01-10T08:00:00Z,2040-01-10T10:00:00Z
Statics final,Statics 2026,Statics,2020-01-10T08:00:00Z,2040-01-10T10:00:00Z
"""
SCHEDULES = "SELECT name, schedule_id FROM session_schedule JOIN exam_session ON exam_session.id = session_id"
MIDTERM = """
SELECT value FROM grade JOIN grade_column ON grade_column.id = column_id WHERE grade_column.name = 'Midterm'
"""


def test_an_exam_comes_full_circle(world: World) -> None:
    world.drop("anatomy.colnc", "courseId|name|points|optionalData\nANA101|Midterm|20|SESSION=Anatomy morning\n")
    world.drop("week.csv", SESSIONS, "sessions")
    world.until("SELECT count(*) FROM session_schedule", [(2,)])
    world.rest("sync_sessions")
    schedules = {str(name): number for name, number in world.ask(SCHEDULES)}
    for do, said in (("start", {}), ("finish", {"score": 9, "max": 12})):
        world.play("questionmark", ScheduleID=schedules["Anatomy morning"], ParticipantID=510001, do=do, **said)
    run = world.api.trigger("collect_results")
    assert world.api.wait("collect_results", run) == "success"
    world.until(MIDTERM, [("15",)])

    world.drop("later.csv", SESSIONS.replace("Anatomy morning,2020-01-10", "Anatomy morning,2021-01-10"), "sessions")
    world.until("SELECT count(*) FROM intent WHERE action <> 'create' AND state = 'done'", [(1,)])
    world.rest("sync_sessions")
    assert {run["state"] for run in world.api.runs("sync_sessions")} == {"success"}

    world.until("SELECT CAST(score AS float) FROM grade_receipt", [(15,)])
    assert gradebook(world, "Midterm") == [15]


@ONCE
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


PRACTICAL = "courseId|name|points|optionalData\nANA101|Practical|20|ASSESSMENT=1\n"
TOLD = "SELECT code, value FROM publish_problem WHERE name = 'Practical' AND learner_id > 0"


@ONCE
def test_an_offline_exam_comes_home_and_who_is_not_in_the_course_is_told(world: World) -> None:
    world.drop("practical.colnc", PRACTICAL)
    for do, said in (("start", {}), ("finish", {"score": 7, "max": 10})):
        content = world.play("assessmentq", sitting="510001-1", do=do, **said)
    world.drop("result.aqr", content, "aqr")
    world.until(TOLD, [("LEARNER_UNKNOWN", "14")])
    world.rest("collect_aqr")
    assert not list((world.home / "landing/inbox/aqr").rglob("*.aqr"))
    assert len(list((world.home / "landing/archive/aqr").rglob("*.aqr"))) == 1


@ONCE
def test_what_is_published_is_not_sent_twice(world: World) -> None:
    world.drop("oral.colnc", "courseId|name|points\nSTA201|Oral|20\n")
    world.drop("oral.colncval", "courseId|userId|name|value\nSTA201|a.tanaka20|Oral|12.5\nSTA201|b.okafor21|Oral|9\n")
    world.until("SELECT count(*) FROM grade_receipt WHERE CAST(score AS float) IN (12.5, 9)", [(2,)])
    world.rest("publish_gradebook")
    before = writes(world)
    run = world.api.trigger("publish_gradebook", {"dry_run": False, "everything": True})
    assert world.api.wait("publish_gradebook", run) == "success"
    assert sorted(gradebook(world, "Oral", "STA201")) == [9, 12.5]
    assert writes(world) == before > 0
    assert {run["state"] for run in world.api.runs("publish_gradebook")} == {"success"}


def gradebook(world: World, column: str, course: str = "ANA101") -> list[float]:
    """The grades in a column of the gradebook."""
    endpoint = Endpoint(LEARN, f"{world.origins['learn']}/", "sandbox", "sandbox")
    key = CourseKey("courseId", course)
    with Learn(endpoint, pace=make_pace(endpoint)) as client:
        [found] = [each for each in client.columns(key) if each.name == column]
        grades = client.grades(key, ColumnKey("id", found.id))
        return [float(grade.score) for grade in grades if grade.score is not None]


def writes(world: World) -> int:
    """How many calls that change something the gradebook got."""
    log = requests.get(f"{world.origins['learn']}/_sandbox/log", timeout=30).json()
    return sum(entry["method"] != "GET" and "oauth2" not in entry["path"] for entry in log)
