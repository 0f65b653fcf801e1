"""Bring the results of finished exams home as grades.

**What it does.** Reads the attempts on the schedules that stand for our sessions, decides which
attempt of a learner counts (the schedule's own rule), and hands results that are new or changed
over as a file in `inbox/results`. That file is checked and loaded like any other: each grade knows
its batch and line. A result whose column is not declared yet waits and loads by itself; one that a
person must look at first is rejected with the reason, and goes in when its row is dropped back.

**When it runs.** Every quarter of an hour for schedules that can still change, the first run after
03:00 UTC for all of them, and when a file of results lands.

**When it fails.** Nothing is lost: what could not be read is read by the next run, and what was
handed over is loaded by it. `VendorAwayError`: Questionmark cannot be reached. `SettingsError`
names what to correct in the Connection `gradeway_questionmark` or the settings. Clearing tasks is
safe at any time.
"""

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, Param, dag, task

from gradeway.orchestration import exams, steps
from gradeway.orchestration.assets import GRADES, RESULTS_INBOX
from gradeway.orchestration.policy import COMMON


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("*/15 * * * *", timezone="UTC"), assets=[RESULTS_INBOX]
    ),
    dagrun_timeout=timedelta(hours=3),
    doc_md=__doc__,
    tags=["gradeway", "results"],
    params={"full": Param(False, type="boolean", title="Full", description="Read all schedules, old ones too")},
    **COMMON,
)
def collect_results() -> None:
    """Collect, load, announce."""

    @task(multiple_outputs=False, execution_timeout=timedelta(hours=2))
    def collect(params: dict[str, Any]) -> dict[str, Any]:
        return exams.collect(full=params["full"])

    collected = collect()
    # What was handed over before loads although Questionmark is away.
    loaded = task(exams.load_results, trigger_rule="all_done")()
    announced = task(steps.announce, task_id=f"announce_{GRADES.name}", outlets=[GRADES])(loaded, GRADES.name)
    # The run is red if nothing could be read, although what was handed over went on.
    done = EmptyOperator(task_id="done", trigger_rule="none_failed")
    collected >> loaded >> announced
    [collected, announced] >> done


collect_results()
