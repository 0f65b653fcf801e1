"""Ask a person about changes that would disable or move many exams in Questionmark.

**What it does.** Waits at `approve` for an answer in *Required Actions*; approved, it writes exactly
the changes that were asked about. Who approved, and why, is kept with the plan.

**When it runs.** `sync_sessions` starts it, with the changes' hash and a list of the exams. By hand,
give the hash that `gradeway sessions plan` prints. Several can wait at once and nothing else waits
for them.

**When it fails.** `PlanStaleError`: by now other changes would be written than those that were
approved; nothing was written, look for the newer question. All else is as in `sync_sessions`.

**When no reason is given.** `ReasonMissingError`: nothing was approved, and the next run of
`sync_sessions` asks again.

**When nobody says yes.** Rejected, or not answered within 20 hours; the nightly
`sync_sessions` asks again as long as there is something to ask.
"""

from airflow.sdk import dag

from gradeway.orchestration import exams
from gradeway.orchestration.asking import ASKING, ask_then_apply


@dag(schedule=None, doc_md=__doc__, tags=["gradeway", "sessions"], **ASKING)
def approve_sessions() -> None:
    """Ask, remember the answer, apply."""
    ask_then_apply(exams.approve, exams.apply, subject="Change many exams in Questionmark?", body="{{ params.told }}")


approve_sessions()
