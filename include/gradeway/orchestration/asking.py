"""What the DAGs share that ask a person about a plan, and then carry out just that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param, task

from gradeway.orchestration.policy import COMMON

PLAN = "{{ params.plan }}"
ASKING: dict[str, Any] = COMMON | {
    "max_active_runs": 64,  # they only wait
    "dagrun_timeout": timedelta(hours=30),
    "params": {
        "plan": Param(type="string", pattern="^[0-9a-f]{64}$", title="Hash", description="Of the plan"),
        "told": Param("", type="string", title="Question", description="What the person who decides is told"),
    },
}


def ask_then_apply(keep: Callable[..., None], apply: Callable[..., Any], *, subject: str, body: str) -> None:
    """Lay out the tasks: ask, keep the answer, apply; both are given the plan's hash."""
    approve = ApprovalOperator(
        task_id="approve",
        subject=subject,
        body=body,
        params={"reason": Param("", type="string", title="Reason", description="To approve; kept with the plan")},
        defaults=["Reject"],
        response_timeout=timedelta(hours=20),
        execution_timeout=None,
    )
    kept = task(task_id="keep_approval")(keep)(PLAN, approve.output)
    applied = task(task_id="apply", multiple_outputs=False, execution_timeout=timedelta(hours=8))(apply)(PLAN)
    approve >> kept >> applied
