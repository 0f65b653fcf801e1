"""Bring the result files of offline exams to assessmentQ, and their results home as grades.

**What it does.** Sends the `.aqr` files in `inbox/aqr` of the landing zone, folders below it too, each
once and again only if it changed; moves those whose exam has ended and was received to the archive;
then reads the results that changed and hands them over as a file in `inbox/results`, which is loaded
like any other. A file is never looked into; whether its exam has ended, the server says.

**When it runs.** Seconds after a file landed or changed, and every quarter of an hour. `gradeway
aqr watch` does the same on an exam's own computer. As many tasks send side by side as the pool
`gradeway_assessmentq` has slots; without that pool they would never start.

**When it fails.** That assessmentQ cannot be reached is no failure: files wait, and the next run goes
on. `SettingsError` names the field of the Connection `gradeway_assessmentq` to correct. An upload
without an answer is asked about before it is sent again. `gradeway aqr status` shows what waits and
what needs a person: a file that is refused, not taken, or gone unsent, or a folder that cannot be read, makes one run
fail. Clearing tasks is safe at any time.
"""

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, Param, dag, task

from gradeway.orchestration import aqr, exams, steps
from gradeway.orchestration.assets import AQR_INBOX, GRADES
from gradeway.orchestration.policy import ASSESSMENTQ_POOL, COMMON


@dag(
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("*/15 * * * *", timezone="UTC"), assets=[AQR_INBOX]),
    dagrun_timeout=timedelta(hours=3),
    doc_md=__doc__,
    tags=["gradeway", "results"],
    params={"full": Param(False, type="boolean", title="Full", description="Read all results, old ones too")},
    **COMMON,
)
def collect_aqr() -> None:
    """Send, archive, collect, load, announce."""

    @task(multiple_outputs=False, trigger_rule="all_done")
    def collect(params: dict[str, Any]) -> dict[str, Any]:
        return aqr.collect(full=params["full"])

    found = task(aqr.find)()
    send = task(aqr.send, multiple_outputs=False, pool=ASSESSMENTQ_POOL).partial(began="{{ dag_run.start_date }}")
    sent = send.expand(files=found)
    kept = task(aqr.put_away, multiple_outputs=False, trigger_rule="all_done")()
    collected = collect()
    loaded = task(exams.load_results, trigger_rule="all_done")()
    announced = task(steps.announce, task_id=f"announce_{GRADES.name}", outlets=[GRADES])(loaded, GRADES.name)
    # The run is red if a step failed, although the others went on.
    done = EmptyOperator(task_id="done", trigger_rule="none_failed")
    sent >> kept >> collected >> loaded >> announced
    [found, sent, kept, collected, announced] >> done


collect_aqr()
