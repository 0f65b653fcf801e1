"""The demo: files and exam results go in, the gradebook fills, and each grade has a receipt.

A real Airflow on embedded defaults, with the stand-ins of all vendors beside it. Everything happens
in ``demo`` below Gradeway's home, which is emptied first, so that each run is the same. Nothing of
it touches another installation.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
from sqlalchemy import select

from gradeway import settings
from gradeway.demo import samples, term
from gradeway.demo.exams import COLUMNS, COURSE, LEARNERS, ONLINE, SESSIONS, Exams, write_seeds
from gradeway.errors import GradewayError
from gradeway.landing.zone import Zone
from gradeway.orchestration.runtime import LocalAirflow
from gradeway.orchestration.stand_ins import StandIns, stand_ins
from gradeway.publish import overview
from gradeway.settings import Settings
from gradeway.store.engine import Store
from gradeway.store.exams import SessionSchedule
from gradeway.store.models import Batch, BatchState
from gradeway.store.publish import LEARN

PATIENCE = 240.0
LOOK_EVERY = 0.5
TERM = term.Term(courses=6, learners=20)
DAGS = ("load_grades", "sync_sessions", "collect_results", "collect_aqr", "publish_gradebook")


class DemoError(GradewayError):
    """The demo did not end as it must."""


class Demo:
    """One run of the demo against a started Airflow."""

    def __init__(self, airflow: LocalAirflow, config: Settings, vendors: StandIns) -> None:
        self._airflow = airflow
        self._config = config
        self._env = vendors.env
        self._exams = Exams(vendors.origins)
        self._store = Store(config.database_url).ready()
        self._inbox = Zone(config.landing).inbox

    def run(self) -> None:
        """Bring files and exam results, wait for the DAG runs, print what came of it."""
        inbox = self._inbox("grades")
        files = [*samples.drop(inbox), *term.write_term(inbox, TERM, mistakes=True)]
        files.append(samples.write(inbox / "anatomy.colnc", [COLUMNS]))
        self._load("the six sample files, the columns of two exams, a made-up term with a few mistakes in it", files)
        self._sit_exams()
        self._publish()
        self._gradeway("grades", COURSE)
        self._gradeway("publish", "status")
        self._gradeway("why", COURSE, LEARNERS[0], ONLINE)
        self._once_more()
        self._farewell()

    def _load(self, what: str, files: list[Path]) -> None:
        _say(f"\n==> Dropped {what}")
        start, before = time.monotonic(), len(self._batches())
        self._until("all files are loaded", lambda: len(self._finished()) >= before + len(files))
        rows = sum(batch.rows_in for batch in self._batches()[before:])
        _say(f"    {len(files)} files with {rows} rows went through Airflow in {time.monotonic() - start:.0f} s")

    def _sit_exams(self) -> None:
        _say("\n==> Dropped an exam session; it becomes a schedule in Questionmark")
        samples.write(self._inbox("sessions") / "week.csv", [SESSIONS])
        self._until("the session is scheduled", lambda: bool(self._schedules()))
        _say(f"\n==> {len(LEARNERS)} learners sit that exam; their results are collected")
        self._exams.sit_online(self._schedules()[0])
        self._trigger("collect_results")
        _say(f"\n==> {len(LEARNERS)} learners sat an exam offline; their .aqr files land, and go to assessmentQ")
        waiting = self._exams.sit_offline(self._inbox("aqr"))
        self._until("the result files are in the archive", lambda: not any(path.exists() for path in waiting))

    def _publish(self) -> None:
        _say("\n==> All of it appears in the gradebook: schemas, then columns, then grades")
        self._until("everything is published", lambda: self._is_idle() and not self._is_due())
        with self._store.session() as session:
            receipts = overview.standing(session, LEARN, self._config).receipts
        _say(f"    {receipts} grades have a receipt")

    def _once_more(self) -> None:
        before = self._exams.writes()
        self._load("the sample files once more: the same bytes change nothing", samples.drop(self._inbox("grades")))
        _say("\n==> Everything is compared with the gradebook once more")
        self._trigger("publish_gradebook", dry_run=False, everything=True)
        self._until("Airflow rests", self._is_idle)
        if sent := self._exams.writes() - before:
            msg = f"a second run sent {sent} calls to the gradebook"
            raise DemoError(msg)
        _say("    nothing was sent")

    def _trigger(self, dag: str, **conf: bool) -> None:
        run = self._airflow.api.trigger(dag, conf)
        if (state := self._airflow.api.wait(dag, run, timeout=PATIENCE)) != "success":
            msg = f"a run of {dag} ended as {state}; logs: {self._airflow.logs}"
            raise DemoError(msg)

    def _until(self, what: str, reached: Callable[[], bool]) -> None:
        """Wait for something, as long as it goes on, and say meanwhile which tasks Airflow is at."""
        start, shown = time.monotonic(), ""
        moved = start
        while not reached():
            now = time.monotonic()
            if now - moved > PATIENCE:
                msg = f"nothing went on for {PATIENCE:.0f} s, and it is not so that {what}; logs: {self._airflow.logs}"
                raise DemoError(msg)
            self._airflow.check()
            step = self._show_step(shown, now - start)
            moved, shown = (now, step) if step != shown else (moved, shown)
            time.sleep(LOOK_EVERY)

    def _show_step(self, shown: str, seconds: float) -> str:
        """Say which tasks Airflow is at, if they are others than those shown last."""
        running = {
            f"{dag}.{task['task_id']}"
            for dag in DAGS
            for run in self._airflow.api.runs(dag)
            if run["state"] == "running"
            for task in self._airflow.api.task_instances(dag, run["dag_run_id"])
            if task["state"] == "running"
        }
        now = ", ".join(sorted(running))
        if now and now != shown:
            _say(f"    {seconds:4.0f} s  {now}")
        return now or shown

    def _batches(self) -> list[Batch]:
        with self._store.session() as session:
            return list(session.scalars(select(Batch).order_by(Batch.id)))

    def _finished(self) -> list[Batch]:
        return [batch for batch in self._batches() if batch.state != BatchState.CLAIMED and not batch.report_due]

    def _schedules(self) -> list[int]:
        with self._store.session() as session:
            return list(session.scalars(select(SessionSchedule.schedule_id)))

    def _is_due(self) -> bool:
        with self._store.session() as session:
            standing = overview.standing(session, LEARN, self._config)
        return bool(standing.due or standing.intents)

    def _is_idle(self) -> bool:
        return not any(run["state"] in {"queued", "running"} for dag in DAGS for run in self._airflow.api.runs(dag))

    def _farewell(self) -> None:
        for dag in DAGS:
            runs = self._airflow.api.runs(dag)
            _say(f"Airflow ran {dag} {len(runs)} times: {', '.join(sorted({run['state'] for run in runs}))}")
        self._gradeway("batches")
        worst = max(self._batches(), key=lambda batch: (batch.state == BatchState.LOADED, batch.rejected))
        self._gradeway("show", str(worst.id))
        _say(f"\nReports of all files:  {self._config.landing / 'reports'}")
        _say(f"See it in Airflow:     GRADEWAY_HOME={self._config.home} make run")

    def _gradeway(self, *words: str) -> None:
        _say(f"\n$ gradeway {' '.join(words)}")
        environment = os.environ | self._env | {"GRADEWAY_HOME": str(self._config.home)}
        done = subprocess.run([sys.executable, "-m", "gradeway.cli", *words], env=environment, check=False)
        if done.returncode > 1:
            msg = f"gradeway {words[0]} ended with {done.returncode}"
            raise DemoError(msg)


def _say(text: str) -> None:
    click.echo(text)
    sys.stdout.flush()


def _is_used(home: Path) -> bool:
    """Return whether an Airflow holds the lock of its home."""
    try:
        with (home / "lock").open("rb+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def main() -> int:
    """Run the demo; return the exit code."""
    home = settings.load().home / "demo"
    for name in [name for name in os.environ if name.startswith((settings.PREFIX, "AIRFLOW_CONN_GRADEWAY"))]:
        del os.environ[name]  # the demo is the same everywhere
    config = settings.load({"GRADEWAY_HOME": str(home)})
    if _is_used(home / "airflow"):
        click.echo(f"An Airflow runs on {home}; stop it first.", err=True)
        return 1
    shutil.rmtree(home, ignore_errors=True)
    vendors = stand_ins(home, write_seeds(home / "seeds", TERM))
    environment = vendors.env | {"GRADEWAY_HOME": str(home)}
    _say("Starting Airflow (first start: about 20 seconds)")
    try:
        with LocalAirflow(
            home / "airflow", settings.PROJECT, env=environment, beside=vendors.commands, say=_say
        ) as airflow:
            Demo(airflow, config, vendors).run()
    except GradewayError as error:
        click.echo(f"The demo failed: {error}", err=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
