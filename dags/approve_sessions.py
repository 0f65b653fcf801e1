"""Ask a person about changes that would disable or move many exams in Questionmark.

**What it does.** Waits at `approve` for an answer in *Required Actions*; approved, it writes exactly
the changes that were asked about. Who approved, and why, is kept with the plan.

**When it runs.** `sync_sessions` starts it, with the changes' hash and a list of the exams. By hand,
give the hash that `gradeway sessions plan` prints. Several can wait at once and nothing else waits
for them.

**When it fails.** `PlanStaleError`: by now other changes would be written than those that were
approved; nothing was written, look for the newer question. All else is as in `sync_sessions`.

**When nobody says yes.** Rejected, or not answered within 20 hours; the nightly
`sync_sessions` asks again as long as there is something to ask.
"""

from datetime import timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param, dag, task

from gradeway.orchestration import exams
from gradeway.orchestration.policy import COMMON

PLAN = "{{ params.plan }}"


@dag(
    schedule=None,
    dagrun_timeout=timedelta(hours=30),
    doc_md=__doc__,
    tags=["gradeway", "sessions"],
    params={
        "plan": Param(type="string", pattern="^[0-9a-f]{64}$", title="Hash", description="Of what would be written"),
        "told": Param("", type="string", title="Question", description="What the person who decides is told"),
    },
    **(COMMON | {"max_active_runs": 16}),
)
def approve_sessions() -> None:
    """Ask, remember the answer, apply."""
    ask = ApprovalOperator(
        task_id=exams.APPROVED,
        subject="Change many exams in Questionmark?",
        body="{{ params.told }}",
        params={"reason": Param("", type="string", title="Reason", description="Kept with the plan")},
        defaults=["Reject"],
        response_timeout=timedelta(hours=20),
        execution_timeout=None,
    )
    approved = task(exams.approve, task_id="keep_approval")(PLAN, ask.output)
    applied = task(exams.apply, multiple_outputs=False, execution_timeout=timedelta(hours=8))(PLAN)
    ask >> approved >> applied


approve_sessions()
