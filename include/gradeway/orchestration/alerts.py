"""Alerts: one clear line in the log for each failure, and a message to a web hook if there is one.

The hook is the Airflow Connection ``gradeway_alerts`` of type http: its host may be a whole URL,
or scheme (the schema field), host, port and ``{"path": ...}`` in the extra; login and password go
along as basic authentication. Nothing here raises: a failing alert must not hide the failure.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.sdk import Connection

from gradeway.orchestration.connections import find
from gradeway.redact import trail

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

ALERTS_CONNECTION = "gradeway_alerts"
TIMEOUT_SECONDS = 10

Alert = dict[str, str | int]


def task_failed(context: Context) -> None:
    """Tell that a task failed for good: where, and the class of the error; never its text."""
    try:
        _tell(_of_task(context))
    except Exception as error:  # noqa: BLE001  whatever it is, the task's own failure is what counts
        log.error("the alert could not be sent: %s", trail(error))


def run_failed(context: Context) -> None:
    """Tell that a run failed for another reason than a task that told already: its time was over."""
    reason = context.get("reason", "")
    if reason == "task_failure":
        return
    try:
        _tell({"dag": context["dag"].dag_id, "run": context["run_id"], "error": str(reason)})
    except Exception as error:  # noqa: BLE001  whatever it is, the run's own failure is what counts
        log.error("the alert could not be sent: %s", trail(error))


def _of_task(context: Context) -> Alert:
    instance, error = context["ti"], context.get("exception")
    return {
        "dag": instance.dag_id,
        "task": instance.task_id,
        "label": getattr(instance, "rendered_map_index", None) or "",
        "run": instance.run_id,
        "try": instance.try_number,
        # Airflow knows of no exception when the process of a task was killed.
        "error": type(error).__name__ if error else "unknown",
    }


def _tell(alert: Alert) -> None:
    log.error("gradeway alert: %s", ", ".join(f"{key} {value}" for key, value in alert.items() if value))
    if hook := find(ALERTS_CONNECTION):
        _send(hook, alert)


def _send(hook: Connection, alert: Alert) -> None:
    import requests

    login = (hook.login, hook.password or "") if hook.login else None
    answer = requests.post(_url(hook), json=alert, auth=login, timeout=TIMEOUT_SECONDS, allow_redirects=False)
    if not answer.ok or answer.is_redirect:
        log.error("the alert was refused with status %d", answer.status_code)


def _url(hook: Connection) -> str:
    host = hook.host or ""
    path = str(hook.extra_dejson.get("path", ""))
    if "://" not in host:
        host = f"{hook.schema or 'http'}://{host}" + (f":{hook.port}" if hook.port else "")
    return f"{host.rstrip('/')}/{path.lstrip('/')}" if path else host
