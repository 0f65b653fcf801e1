"""What every Gradeway DAG has in common: owner, one run at a time, tries, time limits, alerts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from gradeway.errors import (
    BatchFailedError,
    FileDefectError,
    FilesNeedPersonError,
    PlanError,
    ResultsMissingError,
    SettingsError,
    StoreNotReadyError,
    SyncBusyError,
    TenantChangedError,
    UnknownBatchError,
    VendorAnswerError,
    VendorRefusedError,
    WritesFailedError,
)
from gradeway.orchestration.alerts import run_failed, task_failed

# Another try cannot help these; whatever else happens may be over in a minute.
HOPELESS = [SettingsError, StoreNotReadyError, UnknownBatchError, FileDefectError, ResultsMissingError]
HOPELESS += [FilesNeedPersonError]
# A plan is made anew by the next run; trying an old one again would only hide what went wrong.
HOPELESS += [PlanError, TenantChangedError, VendorAnswerError, VendorRefusedError, WritesFailedError]

# The tries bridge a restart of the database; for a longer outage the next sweep is the retry.
_DEFAULTS: dict[str, Any] = {
    "owner": "gradeway",
    "retries": 3,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=5),
    "retry_policy": ExceptionRetryPolicy(
        [
            RetryRule([SyncBusyError], RetryAction.RETRY, timedelta(minutes=5), "another run is at it"),
            RetryRule(list(HOPELESS), RetryAction.FAIL, reason="another try cannot help"),
            # counted, and refused after some: the tries must not all fall into one bad minute
            RetryRule([BatchFailedError], RetryAction.FAIL, reason="the next sweep tries the batch again"),
        ]
    ),
    "execution_timeout": timedelta(minutes=30),
    "on_failure_callback": [task_failed],
}

# What may be done to an outside system at a time, all runs together; ``airflow pools import`` takes the file of slots.
ASSESSMENTQ_POOL = "gradeway_assessmentq"

# To be spread into every DAG.
COMMON: dict[str, Any] = {
    "catchup": False,
    "max_active_runs": 1,
    "default_args": _DEFAULTS,
    "on_failure_callback": [run_failed],
}
