"""Bring the exam sessions that landed to Questionmark.

**What it does.** Loads the session, group and member files in `inbox/sessions` into the store,
compares the store's sessions with the schedules in Questionmark, and writes exactly what differs.
Sessions that cannot be written (no permission, no such assessment, a group that cannot change) are
listed in the log of `plan` with what to do; the others go on.

**When it runs.** Seconds after a file landed, and every night in case something was changed in
Questionmark itself.

**When it stops and asks.** A plan that disables or moves more exams than the settings allow waits
at `approve` for a person, who sees which ones. Rejected, or not answered within 20 hours, nothing
is written; the next run plans anew. An approval holds for that plan only.

**When it fails.** Nothing is written twice: each write stands in the store before it is sent, and
after a timeout the next run reads before it sends again. `SettingsError` names what to correct in
the Connection `gradeway_questionmark` or the settings. `PlanStaleError`: something changed between
plan and apply; the next run takes it up. Clearing tasks is safe at any time.
"""

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, Param, dag, task

from gradeway.orchestration import exams
from gradeway.orchestration.assets import SESSIONS_INBOX
from gradeway.orchestration.policy import COMMON


@dag(
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("30 1 * * *", timezone="UTC"), assets=[SESSIONS_INBOX]),
    dagrun_timeout=timedelta(hours=24),
    doc_md=__doc__,
    tags=["gradeway", "sessions"],
    **COMMON,
)
def sync_sessions() -> None:
    """Load, plan, ask if need be, apply."""
    taken = task(exams.take)("sessions")
    # A file that failed keeps no session from Questionmark that is in the store.
    planned = task(exams.plan, trigger_rule="all_done", multiple_outputs=False)()
    next_one = task.branch(exams.decide)(planned)
    ask = ApprovalOperator(
        task_id=exams.HOLD,
        subject="Change many exams in Questionmark?",
        body="{{ ti.xcom_pull(task_ids='plan')['told'] }}",
        params={"reason": Param("", type="string", title="Reason", description="Kept with the plan")},
        defaults=["Reject"],
        response_timeout=timedelta(hours=20),
        execution_timeout=None,
    )
    approved = task(exams.approve, task_id="keep_approval")(planned, ask.output)
    # Two, because a rejection skips only what hangs on the answer alone.
    apply = task(exams.apply, multiple_outputs=False, execution_timeout=timedelta(hours=8))
    applied, applied_approved = apply(planned), apply.override(task_id="apply_approved")(planned)
    done = EmptyOperator(task_id=exams.NOTHING, trigger_rule="none_failed")
    taken >> planned >> next_one >> [ask, applied, done]
    ask >> approved >> applied_approved
    [taken, applied, applied_approved] >> done


sync_sessions()
