"""Publish the store's schemas, columns and grades in the gradebook.

**What it does.** Compares every course that changed with its course in Blackboard Learn, plans the
calls that make the gradebook what the store says, and makes them: schemas first, then columns, then
grades by the date that they are due. A grade that somebody changed in the gradebook is kept, and
listed as a conflict.

**When it runs.** When schemas, columns or grades changed, and every hour. By hand it is a dry run
unless told otherwise: it plans, and sends nothing. From 02:00 UTC on, `compare_all` compares each
course as a whole once a night, after what changed here was sent, and as long as comparing took less
than a quarter of the calls of a day; the courses that are left come first the next time.

**When it asks.** Where a plan would delete, lower, blank or change more grades of a course or column
than the settings allow, that part waits, and `ask` starts the DAG `approve_publication` for it. The
rest is published. The same calls are asked about once a day.

**When it fails.** Nothing is written twice: each call stands in the store before it is made, and
after a timeout the next run reads before it sends again. `VendorAwayError`: Learn is away; the next
run goes on. `WritesFailedError`: Learn refused some calls; the log and `gradeway publish status`
say which. `SettingsError` names what to correct in the Connection `gradeway_learn`. When the calls
of the day are used up the run ends well, and the next goes on. Clearing tasks is safe at any time.

**With `GRADEWAY_PUBLISH_TARGET=files`** it writes flat files for an importer, and a run ends well while
later files wait until earlier ones are taken away. `OutgoingError` names what to see to in the folder.
"""

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, Param, dag, task

from gradeway.orchestration import publish
from gradeway.orchestration.assets import COLUMNS, GRADES, SCHEMAS
from gradeway.orchestration.policy import COMMON


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("20 * * * *", timezone="UTC"), assets=SCHEMAS | COLUMNS | GRADES
    ),
    dagrun_timeout=timedelta(hours=20),
    doc_md=__doc__,
    tags=["gradeway", "gradebook"],
    params={
        "dry_run": Param(True, type="boolean", title="Dry run", description="Only plan; the next run sends that"),
        "everything": Param(False, type="boolean", title="Everything", description="Compare all courses"),
    },
    **COMMON,
)
def publish_gradebook() -> None:
    """Plan, send what may be sent, ask about the rest."""

    @task(multiple_outputs=False, execution_timeout=timedelta(hours=2))
    def plan(params: dict[str, Any]) -> dict[str, Any]:
        return publish.plan(everything=params["everything"])

    planned = plan()
    # Sent although planning failed: what was begun before, and what was planned till then.
    sending = {"task_id": "apply", "multiple_outputs": False, "execution_timeout": timedelta(hours=8)}
    applied = task(publish.apply_free, trigger_rule="all_done", **sending)()
    looking = {"task_id": "compare_all", "multiple_outputs": False, "execution_timeout": timedelta(hours=2)}
    looked = task(publish.look, trigger_rule="all_done", **looking)()
    # Asked although a call failed, which is another matter.
    asked = task(publish.questions, trigger_rule="all_done")()
    ask = TriggerDagRunOperator.partial(
        task_id="ask", trigger_dag_id=publish.APPROVE, skip_when_already_exists=True
    ).expand_kwargs(asked)
    done = EmptyOperator(task_id="done", trigger_rule="none_failed")
    planned >> applied >> looked >> asked >> ask
    [planned, applied, looked, asked, ask] >> done


publish_gradebook()
