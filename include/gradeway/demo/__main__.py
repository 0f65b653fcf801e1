"""The demo: sample files and a made-up term through a real Airflow into the store, with reports.

Everything happens in ``demo`` below Gradeway's home, which is emptied first, so that each run is
the same. Nothing of it touches another installation.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click
from sqlalchemy import select

from gradeway import settings
from gradeway.demo import samples, term
from gradeway.errors import GradewayError
from gradeway.orchestration.runtime import LocalAirflow
from gradeway.settings import Settings
from gradeway.store.engine import Store
from gradeway.store.models import Batch, BatchState

PATIENCE = 180.0
LOOK_EVERY = 0.5
DAG = "load_grades"
COURSE = "GJTEST1"


class DemoError(GradewayError):
    """The demo did not end as it must."""


class Demo:
    """One run of the demo against a started Airflow."""

    def __init__(self, airflow: LocalAirflow, config: Settings) -> None:
        self._airflow = airflow
        self._config = config
        self._store = Store(config.database_url).ready()
        self._inbox = config.landing / "inbox" / "grades"
        self._inbox.mkdir(parents=True, exist_ok=True)

    def run(self) -> None:
        """Drop the files, wait for the DAG runs, print what came of it."""
        files = samples.drop(self._inbox) + term.write_term(self._inbox, term.Term(), mistakes=True)
        self._load("the six sample files and a made-up term with a few mistakes in it", files)
        self._gradeway("grades", COURSE)
        self._load("the sample files once more: the same bytes change nothing", samples.drop(self._inbox))
        self._gradeway("batches")
        self._runs()
        self._farewell()

    def _load(self, what: str, files: list[Path]) -> None:
        _say(f"\n==> Dropped {what}")
        start, before, shown = time.monotonic(), len(self._batches()), ""
        while len(self._finished()) < before + len(files):
            if time.monotonic() - start > PATIENCE:
                msg = f"after {PATIENCE:.0f} s not all files were loaded; logs: {self._airflow.logs}"
                raise DemoError(msg)
            self._airflow.check()
            shown = self._show_step(shown, time.monotonic() - start)
            time.sleep(LOOK_EVERY)
        rows = sum(batch.rows_in for batch in self._batches()[before:])
        _say(f"    {len(files)} files with {rows} rows went through Airflow in {time.monotonic() - start:.0f} s")

    def _show_step(self, shown: str, seconds: float) -> str:
        """Say which tasks Airflow is at, if they are others than those shown last."""
        running = [run["dag_run_id"] for run in self._airflow.api.runs(DAG) if run["state"] == "running"]
        tasks = [task for run in running for task in self._airflow.api.task_instances(DAG, run)]
        now = ", ".join(sorted({task["task_id"] for task in tasks if task["state"] == "running"}))
        if now and now != shown:
            _say(f"    {seconds:4.0f} s  {now}")
        return now or shown

    def _batches(self) -> list[Batch]:
        with self._store.session() as session:
            return list(session.scalars(select(Batch).order_by(Batch.id)))

    def _finished(self) -> list[Batch]:
        return [batch for batch in self._batches() if batch.state != BatchState.CLAIMED and not batch.report_due]

    def _runs(self) -> None:
        while any(run["state"] in {"queued", "running"} for run in self._airflow.api.runs(DAG)):
            time.sleep(LOOK_EVERY)
        runs = self._airflow.api.runs(DAG)
        _say(f"\n==> Airflow ran {DAG} {len(runs)} times: {', '.join(sorted({run['state'] for run in runs}))}")

    def _farewell(self) -> None:
        worst = max(self._batches(), key=lambda batch: (batch.state == BatchState.LOADED, batch.rejected))
        self._gradeway("show", str(worst.id))
        _say("\nThe reports:")
        for report in sorted((self._config.landing / "reports").rglob("report.html")):
            _say(f"  {report}")
        _say(f"See it in Airflow:           GRADEWAY_HOME={self._config.home} make run")

    def _gradeway(self, *words: str) -> None:
        _say(f"\n$ gradeway {' '.join(words)}")
        environment = os.environ | {"GRADEWAY_HOME": str(self._config.home)}
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
    for name in [name for name in os.environ if name.startswith(settings.PREFIX)]:
        del os.environ[name]  # the demo is the same everywhere
    config = settings.load({"GRADEWAY_HOME": str(home)})
    if _is_used(home / "airflow"):
        click.echo(f"An Airflow runs on {home}; stop it first.", err=True)
        return 1
    shutil.rmtree(home, ignore_errors=True)
    _say("Starting Airflow (first start: about 20 seconds)")
    try:
        with LocalAirflow(home / "airflow", settings.PROJECT, env={"GRADEWAY_HOME": str(home)}, say=_say) as airflow:
            Demo(airflow, config).run()
    except GradewayError as error:
        click.echo(f"The demo failed: {error}", err=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
