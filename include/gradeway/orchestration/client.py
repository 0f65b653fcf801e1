"""A small client of Airflow's REST API: what a script or a test asks of a running Airflow."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Literal
from urllib.parse import quote

import requests

from gradeway.errors import GradewayError

# Airflow's answers are decoded and not modelled: a caller takes the two fields it knows.
Json = Any
Param = str | int | bool

POLL_SECONDS = 0.2
PAGE = 100
FINAL_STATES = frozenset({"success", "failed"})


class AirflowApiError(GradewayError):
    """Airflow's API refused a request; carries its HTTP status."""

    def __init__(self, path: str, response: requests.Response) -> None:
        method = response.request.method
        super().__init__(f"{method} {path} -> {response.status_code}: {response.text[:500]}")
        self.status = response.status_code


class AirflowTimeoutError(GradewayError):
    """Airflow did not get there in time."""


class AirflowApi:
    """The REST API of one Airflow, as one user.

    ``check`` is called at every poll and may raise to end a wait early.
    """

    def __init__(self, url: str, user: str, password: str, *, check: Callable[[], None] = lambda: None) -> None:
        self.url = url.rstrip("/")
        self._user = user
        self._password = password
        self._check = check
        self._http = requests.Session()
        # The address is the caller's own; a proxy or a .netrc of the machine has no say.
        self._http.trust_env = False

    def answers(self, path: str) -> bool:
        """Say whether the server answers on ``path``, which is below its root and needs no login."""
        try:
            return self._http.get(f"{self.url}{path}", timeout=30).ok
        except requests.RequestException:
            return False

    def token(self) -> str:
        """Log in and return a fresh bearer token."""
        login = {"username": self._user, "password": self._password}
        url = f"{self.url}/auth/token"
        answer = self._http.post(url, json=login, timeout=30)
        if not answer.ok:
            raise AirflowApiError(url, answer)
        return str(answer.json()["access_token"])

    @cached_property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token()}"}

    def _call(
        self,
        method: Literal["GET", "POST", "PATCH"],
        path: str,
        body: Mapping[str, Json] | None = None,
        params: Mapping[str, Param] | None = None,
    ) -> Json:
        url = f"{self.url}/api/v2{path}"
        try:
            answer = self._http.request(method, url, headers=self._headers, timeout=60, json=body, params=params)
        except requests.ConnectionError:
            # A server that died says more than a refused connection.
            self._check()
            raise
        if not answer.ok:
            raise AirflowApiError(path, answer)
        return answer.json() if answer.content else None

    def get(self, path: str, **params: Param) -> Json:
        """Read ``path``, which is below /api/v2 here and everywhere.

        Raises:
            AirflowApiError: Airflow refused.
        """
        return self._call("GET", path, params=params)

    def post(self, path: str, body: Mapping[str, Json]) -> Json:
        """Send ``body`` to ``path``; raises as ``get`` does."""
        return self._call("POST", path, body)

    def patch(self, path: str, body: Mapping[str, Json]) -> Json:
        """Change ``path`` by ``body``; raises as ``get`` does."""
        return self._call("PATCH", path, body)

    def listing(self, path: str, key: str, **params: Param) -> list[dict[str, Json]]:
        """Read every page of a listing."""
        rows: list[dict[str, Json]] = []
        while True:
            page = self.get(path, limit=PAGE, offset=len(rows), **params)
            rows += page[key]
            if not page[key] or len(rows) >= page["total_entries"]:
                return rows

    def trigger(self, dag_id: str, conf: Mapping[str, Json] | None = None) -> str:
        """Start a run and return its id."""
        body = {"logical_date": None, "conf": dict(conf or {})}
        return str(self.post(f"/dags/{quote(dag_id)}/dagRuns", body)["dag_run_id"])

    def wait(self, dag_id: str, run_id: str, timeout: float = 120) -> str:
        """Wait until a run has ended, for at most ``timeout`` seconds, and return its state.

        Raises:
            AirflowTimeoutError: it still runs.
        """
        path = f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id, safe='')}"
        deadline = time.monotonic() + timeout
        while (state := str(self.get(path)["state"])) not in FINAL_STATES:
            if time.monotonic() > deadline:
                msg = f"run {run_id} of {dag_id} is still {state} after {timeout:.0f} s"
                raise AirflowTimeoutError(msg)
            self._check()
            time.sleep(POLL_SECONDS)
        return state

    def runs(self, dag_id: str) -> list[dict[str, Json]]:
        """Return the runs of a DAG, oldest first."""
        return self.listing(f"/dags/{quote(dag_id)}/dagRuns", "dag_runs", order_by="run_after")

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Json]]:
        """Return the task instances of a run, the mapped ones each."""
        return self.listing(f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id, safe='')}/taskInstances", "task_instances")
