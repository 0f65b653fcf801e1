"""Replay a batch, or try out a file.

**What it does.** First a rehearsal: what loading these bytes would do now, row by row, with
nothing changed. Its counts and reason codes stand in the log and in the XCom of `rehearse`. Unless
it is a dry run, the batch's kept bytes then go in again as a new batch with a report of its own,
which the next run of `load_grades` loads; that run starts by itself.

**When to use it.** After a fix of a setting or of Gradeway itself, or when somebody asks "what
would this file do?". The newest batch wins: replaying an old batch puts its values back.

**The form.** Give the number of a batch, as the reports and `gradeway batches` show it; or, for a
dry run only, the path of a file below the landing zone. To load a file, drop it into the inbox.

**When it fails.** The log names the reason: no such batch, its bytes are past their retention, no
such file. Nothing was changed; correct the form and start it again. A file that would be refused
is no failure: the result names the reason code.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from gradeway.orchestration import steps
from gradeway.orchestration.assets import GRADES_INBOX
from gradeway.orchestration.policy import COMMON


@dag(
    schedule=None,
    dagrun_timeout=timedelta(hours=3),
    doc_md=__doc__,
    tags=["gradeway", "grades", "manual"],
    params={
        "batch": Param(None, type=["null", "integer"], minimum=1, title="Batch", description="Its number"),
        "file": Param(
            None,
            type=["null", "string"],
            title="File",
            description="Instead of a batch, for a dry run: path below the landing zone, like drafts/term.colncval",
        ),
        "dry_run": Param(True, type="boolean", title="Dry run", description="Only tell what would happen"),
    },
    **COMMON,
)
def replay() -> None:
    """Rehearse, then enter the batch again unless it is a dry run."""

    @task(multiple_outputs=False, execution_timeout=timedelta(hours=2))
    def rehearse(params: dict[str, Any]) -> dict[str, int | str]:
        return steps.rehearse(params["batch"], params["file"])

    # Its asset event rings the doorbell of load_grades, which takes the new batch up.
    @task(outlets=[GRADES_INBOX])
    def enter(params: dict[str, Any]) -> int:
        return steps.replay(params["batch"], dry_run=params["dry_run"])

    rehearse() >> enter()


replay()
