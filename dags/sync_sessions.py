"""Bring the exam sessions that landed to Questionmark.

**What it does.** Loads the session, group and member files in `inbox/sessions` into the store,
compares the store's sessions with the schedules in Questionmark, and writes exactly what differs.
Sessions that cannot be written (no permission, no such assessment, a group that cannot change) are
listed in the log of `plan` with what to do; the others go on.

**When it runs.** Seconds after a file landed, and every night in case something was changed in
Questionmark itself.

**When it asks.** Where more exams would be disabled or moved than the settings allow, all other
changes are written, and `ask` starts the DAG `approve_sessions`, which waits for a person. The same
changes are asked about once a day.

**When it fails.** Nothing is written twice: each write stands in the store before it is sent, and
after a timeout the next run reads before it sends again. `SettingsError` names what to correct in
the Connection `gradeway_questionmark` or the settings. `PlanStaleError`: something changed between
plan and apply; the next run takes it up. Clearing tasks is safe at any time.
"""

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag, task

from gradeway.orchestration import exams
from gradeway.orchestration.assets import SESSIONS_INBOX
from gradeway.orchestration.policy import COMMON

PLANNED = "(ti.xcom_pull(task_ids='plan') or {})"
NOW, HELD, ASKED, TOLD = (f"{{{{ {PLANNED}.get('{name}', '') }}}}" for name in ("hash", "held", "asked", "told"))


@dag(
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("30 1 * * *", timezone="UTC"), assets=[SESSIONS_INBOX]),
    dagrun_timeout=timedelta(hours=12),
    doc_md=__doc__,
    tags=["gradeway", "sessions"],
    **COMMON,
)
def sync_sessions() -> None:
    """Load, plan, apply what may be applied, ask about the rest."""
    taken = task(exams.take)("sessions")
    # A file that failed keeps no session from Questionmark that is in the store.
    planned = task(exams.plan, trigger_rule="all_done", multiple_outputs=False)()
    applied = task(exams.apply, multiple_outputs=False, execution_timeout=timedelta(hours=8))(NOW)
    # Asked although a write failed, which is another matter.
    held = task.short_circuit(exams.is_held, trigger_rule="all_done", ignore_downstream_trigger_rules=False)(HELD)
    ask = TriggerDagRunOperator(
        task_id="ask",
        trigger_dag_id=exams.APPROVE,
        trigger_run_id=f"{HELD}__{ASKED}",
        conf={"plan": HELD, "told": TOLD},
        skip_when_already_exists=True,
    )
    # The run is red if a file failed, although the sessions went on.
    done = EmptyOperator(task_id="done", trigger_rule="none_failed")
    taken >> planned >> applied >> held >> ask
    [taken, applied, ask] >> done


sync_sessions()
