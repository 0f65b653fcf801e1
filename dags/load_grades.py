"""Load the grade files that landed.

**What it does.** Takes the settled files out of `inbox/grades`, loads them into the store in the
order schemas, columns, external columns, grades, and writes a report for each. A row whose schema
or column is not there yet is parked, and loaded by itself when that arrives.

**When it runs.** Seconds after a file landed (the doorbell in the triggerer), and every five
minutes in case a ring was lost. When nothing landed, all that follows `claim` is skipped.

**When it fails.** No file is lost and nothing is half loaded. A batch whose load failed stays
claimed and is tried again by the next run; the others went on. One that fails `GRADEWAY_ATTEMPTS`
times is refused, with a report. Rejected rows are no failure: they stand in the batch's report
and reject file.

**What to do.** The alert and the log of the red task name the error. `SettingsError`: correct the
variable it names. `StoreNotReadyError`: run `gradeway db upgrade`. `StoreError`: see whether the
database is up; the next run catches up by itself. Clearing tasks is safe at any time.

**What may hang on it.** The assets `gradeway_schemas`, `gradeway_columns` and `gradeway_grades` get
an event when rows of that kind were created or changed, and none otherwise.
"""

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, TaskGroup, dag, task

from gradeway.orchestration import steps
from gradeway.orchestration.assets import GRADES_INBOX
from gradeway.orchestration.policy import COMMON


@dag(
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("*/5 * * * *", timezone="UTC"), assets=[GRADES_INBOX]),
    dagrun_timeout=timedelta(hours=6),
    doc_md=__doc__,
    tags=["gradeway", "grades"],
    **COMMON,
)
def load_grades() -> None:
    """Claim, load stage after stage, announce what changed, report."""
    # A batch that failed keeps no other from loading, in its own stage or in a later one.
    load = task(
        steps.load, trigger_rule="all_done", execution_timeout=timedelta(hours=2), map_index_template="{{ batches }}"
    )
    # Skipped until some stage loaded something.
    release = task(steps.release, trigger_rule="none_failed_min_one_success")
    loaded = EmptyOperator(task_id="loaded", trigger_rule="all_done")
    # The run shows what failed anywhere, although the rest went on.
    done = EmptyOperator(task_id="done", trigger_rule="none_failed")

    claimed = task.short_circuit(steps.claim, multiple_outputs=False)()
    before: list[Any] = []
    for stage in steps.STAGES:
        with TaskGroup(stage.title):
            waiting = task(steps.waiting)(claimed, stage.title)
            loads = load.override(max_active_tis_per_dagrun=stage.abreast).expand(batches=waiting)
            released = release(stage.number)
        before >> loads >> released
        before[1:] >> released
        before = [loads, released]
        before >> done
    before >> loaded
    changed, finished = task(steps.changes)(claimed), task(steps.finish)()
    [claimed, loaded] >> changed >> finished >> done
    for asset in steps.ASSETS:
        task(steps.announce, task_id=f"announce_{asset.name}", outlets=[asset])(changed, asset.name) >> done


load_grades()
