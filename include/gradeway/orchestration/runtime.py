"""A real Airflow on this machine as plain processes: for development, the demo and end-to-end tests.

``python -m gradeway.orchestration.run`` leaves one running until Ctrl-C. In code::

    with LocalAirflow(home, project) as airflow:
        run = airflow.api.trigger("some_dag")
        airflow.api.wait("some_dag", run)

Airflow's own ``standalone`` is not used because a SIGTERM to it orphans its children.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn, Self

from gradeway.errors import GradewayError
from gradeway.orchestration.client import AirflowApi
from gradeway.orchestration.processes import HOST, born, free_port, kill_sessions, signals_as_exit, write_private

USER = "admin"
POLL_SECONDS = 0.1
START_SECONDS = 120
STOP_SECONDS = 10
TAIL_LINES = 25
POOLS = Path(__file__).with_name("pools.json")

COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "api-server": ("api-server", "--host", HOST),
    "dag-processor": ("dag-processor",),
    # Nobody but the API server reads the logs here, and it does so from the disk.
    "triggerer": ("triggerer", "--skip-serve-logs"),
    "scheduler": ("scheduler", "--skip-serve-logs"),
}

# Seconds where there is a unit. What a laptop wants, which is not what a cluster wants.
FAST = {
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
    "AIRFLOW__API__HOST": HOST,
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
    # A finished task keeps its slot until its next heartbeat.
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    # The first call of a task builds the whole execution API, which can take longer than the usual 5 s.
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}


class LocalAirflowError(GradewayError):
    """The local Airflow did not start, or lost a component."""


def _quiet(_text: str) -> None:
    """Say nothing."""


class LocalAirflow:
    """Airflow's API server, scheduler, DAG processor and triggerer, from ``start`` to ``stop``.

    ``home`` keeps the metadata database, secrets and logs between starts. ``project`` holds
    ``dags``, ``plugins`` and ``include``. ``env`` is added to the environment of every process
    and wins over everything else. ``beside`` are commands, by name, that run as long as Airflow
    does. ``say`` gets one line at each step that takes time.
    """

    def __init__(
        self,
        home: Path,
        project: Path,
        *,
        port: int | None = None,
        database_url: str | None = None,
        env: Mapping[str, str] | None = None,
        beside: Mapping[str, Sequence[str]] | None = None,
        parallelism: int = 8,
        say: Callable[[str], None] = _quiet,
    ) -> None:
        self.home = home.absolute()
        self.project = project.absolute()
        self.port = port or free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.logs = self.home / "logs"
        self.password_file = self.home / "passwords.json"
        self._database_url = database_url or f"sqlite:///{self.home / 'airflow.db'}"
        self._extra = dict(env or {})
        self._beside = dict(beside or {})
        self._parallelism = parallelism
        self._say = say
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._births: dict[int, float] = {}
        self._lock: int | None = None
        self._restore_signals: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @cached_property
    def api(self) -> AirflowApi:
        """The REST API, as the admin."""
        return AirflowApi(self.url, USER, self.password, check=self.check)

    @property
    def password(self) -> str:
        """The admin's password; made at the first start."""
        return str(json.loads(self.password_file.read_text())[USER])

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every component, and of any ``airflow`` command about this home."""
        # An Airflow configured in the caller's shell, its database above all, is not this one.
        foreign = ("AIRFLOW__", "AIRFLOW_HOME")
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        places = {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.project / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.project / "plugins"),
            "AIRFLOW__CORE__PARALLELISM": str(self._parallelism),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.password_file),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self._database_url,
            "AIRFLOW__API__PORT": str(self.port),
            # The port alone would leave the tasks calling the usual one.
            "AIRFLOW__API__BASE_URL": self.url,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(self.project / "include"), os.environ.get("PYTHONPATH")])),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        }
        for name in ("NO_PROXY", "no_proxy"):
            places[name] = ",".join(filter(None, [os.environ.get(name), HOST]))
        return inherited | FAST | places | _secrets(self.home) | self._extra

    def start(self) -> None:
        """Start every component and return when all of them work and every DAG is listed.

        Raises:
            LocalAirflowError: a component ended or did not get ready; shows the end of its log.
        """
        began = time.monotonic()
        self._restore_signals = signals_as_exit()
        try:
            self._prepare()
            self._migrate()
            self._bring_up()
        except BaseException:
            self.stop()
            raise
        self._say(f"Airflow is ready after {time.monotonic() - began:.1f} s")

    def stop(self) -> None:
        """End exactly the processes that ``start`` started; harmless when there are none."""
        if self._processes:
            self._say("stopping Airflow")
        try:
            # Running tasks end with the scheduler, and report to the API server until they do.
            # The others hold nothing worth the seconds that they take to end.
            self._end("scheduler", STOP_SECONDS)
        finally:
            kill_sessions(self._births)
            for process in self._processes.values():
                process.wait()
            self._processes.clear()
            self._births.clear()
            self._unlock()
            self._restore_signals()

    def check(self) -> None:
        """Make sure that every component runs.

        Raises:
            LocalAirflowError: one ended; shows the end of its log.
        """
        for name, process in self._processes.items():
            if process.poll() is not None:
                self._fail(f"{name} ended with code {process.returncode}", name)

    def watch(self) -> NoReturn:
        """Wait until a signal ends the program.

        Raises:
            LocalAirflowError: a component ended.
        """
        while True:
            self.check()
            time.sleep(1)

    def _prepare(self) -> None:
        if free_port(self.port) != self.port:
            msg = f"port {self.port} is taken by another program"
            raise LocalAirflowError(msg)
        for folder in (self.home, self.logs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._take_lock()
        record = self._record
        if record.exists():
            kill_sessions({int(pid): birth for pid, birth in json.loads(record.read_text()).items()})
            record.unlink()
        if not self.password_file.exists():
            write_private(self.password_file, {USER: secrets.token_urlsafe(12)})

    @property
    def _record(self) -> Path:
        """Where the process ids stand, for the next start if this one dies without stopping."""
        return self.home / "processes.json"

    def _take_lock(self) -> None:
        self._lock = os.open(self.home / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            self._lock = None
            msg = f"another Airflow runs on {self.home}; stop it first"
            raise LocalAirflowError(msg) from None

    def _unlock(self) -> None:
        if self._lock is not None:
            self._record.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def _migrate(self) -> None:
        """Bring the metadata database up to date, which costs seconds even when it is."""
        done = self.home / "migrated"
        mine = self._database_url == f"sqlite:///{self.home / 'airflow.db'}"
        if mine and (self.home / "airflow.db").exists() and done.exists() and done.read_text() == _airflow_version():
            return
        self._say("preparing Airflow's metadata database")
        with (self.logs / "migrate.log").open("wb") as log:
            command = [sys.executable, "-m", "airflow", "db", "migrate"]
            ended = subprocess.run(command, env=self.environment, stdout=log, stderr=log, check=False)
        if ended.returncode:
            self._fail(f"airflow db migrate ended with code {ended.returncode}", "migrate")
        done.write_text(_airflow_version())

    def _bring_up(self) -> None:
        began = datetime.now(UTC)
        for name, command in self._beside.items():
            self._spawn(name, command)
        for name in ("api-server", "dag-processor", "triggerer"):
            self._spawn(name, _airflow(name))
        self._wait_for(f"the API server on {self.url}", lambda: not self.api.answers("/api/v2/version"))
        self._make_pools()
        # A task that starts before the API server answers fails, so the scheduler comes last.
        self._spawn("scheduler", _airflow("scheduler"))
        # Builds the API for the tasks, meanwhile, so that the first task need not wait for it.
        self._wait_for("the execution API", lambda: not self.api.answers("/execution/health"))
        self._wait_for("the DAG files to be parsed", lambda: self._missing_dag_files(began))
        self._wait_for("the scheduler and the triggerer", lambda: self._without_heartbeat(began))

    def _make_pools(self) -> None:
        there = {pool["name"] for pool in self.api.listing("/pools", "pools")}
        for name, pool in json.loads(POOLS.read_text()).items():
            if name not in there:
                self.api.post("/pools", {"name": name, **pool})

    def _spawn(self, name: str, command: Sequence[str]) -> None:
        with (self.logs / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                command,
                cwd=self.home,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # An own session: Ctrl-C in the terminal is ours to hand on, and its members can be told apart.
                start_new_session=True,
            )
        pid = self._processes[name].pid
        self._births[pid] = born(pid)
        write_private(self._record, self._births)

    def _end(self, name: str, seconds: float) -> None:
        if process := self._processes.get(name):
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)

    def _wait_for(self, what: str, missing: Callable[[], list[str] | bool]) -> None:
        """Wait until ``missing`` returns nothing."""
        self._say(f"waiting for {what}")
        deadline = time.monotonic() + START_SECONDS
        while lacking := missing():
            self.check()
            if time.monotonic() > deadline:
                names = ", ".join(lacking) if isinstance(lacking, list) else ""
                msg = f"waited {START_SECONDS} s in vain for {what} {names}; the logs are in {self.logs}"
                raise LocalAirflowError(msg)
            time.sleep(POLL_SECONDS)

    def _missing_dag_files(self, since: datetime) -> list[str]:
        """Name the DAG files that were neither parsed nor refused since then."""
        folder = self.project / "dags"
        dags = self.api.listing("/dags", "dags")
        parsed = {folder / dag["fileloc"] for dag in dags if _after(dag["last_parsed_time"], since)}
        errors = self.api.listing("/importErrors", "import_errors")
        refused = {folder / error["filename"]: error for error in errors if _after(error["timestamp"], since)}
        missing = _dag_files(folder) - parsed - refused.keys()
        if not missing:
            for path, error in refused.items():
                self._say(f"{path} cannot be imported:\n{error['stack_trace']}")
        return sorted(path.name for path in missing)

    def _without_heartbeat(self, since: datetime) -> list[str]:
        health = self.api.get("/monitor/health")
        names = ("scheduler", "dag_processor", "triggerer")
        return [name for name in names if not _after(health[name][f"latest_{name}_heartbeat"], since)]

    def _fail(self, what: str, component: str) -> NoReturn:
        log = self.logs / f"{component}.log"
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-TAIL_LINES:])
        msg = f"{what}; the end of {log}:\n{tail}"
        raise LocalAirflowError(msg)


def _airflow(component: str) -> list[str]:
    return [sys.executable, "-m", "airflow", *COMPONENTS[component]]


def _after(moment: str | None, since: datetime) -> bool:
    return moment is not None and datetime.fromisoformat(moment) >= since


def _dag_files(folder: Path) -> set[Path]:
    """Return the files that Airflow looks into; it skips those that do not mention it."""
    texts = {path: path.read_bytes().lower() for path in folder.rglob("*.py")}
    return {path for path, text in texts.items() if b"airflow" in text and (b"dag" in text or b"asset" in text)}


def _airflow_version() -> str:
    return version("apache-airflow-core")


def _secrets(home: Path) -> dict[str, str]:
    """Return this home's own secrets, made at random at its first start."""
    file = home / "secrets.json"
    if not file.exists():
        made = {
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
            "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
            "AIRFLOW__CORE__FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        }
        write_private(file, made)
    kept: dict[str, str] = json.loads(file.read_text())
    return kept
