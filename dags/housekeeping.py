"""Keep house.

**What it does.** Once a night, at 03:17 UTC: rows that waited longer than `GRADEWAY_PARKED_DAYS` for
their schema or column are rejected, so that they show up in their batch's report; files in archive
and quarantine and reports are deleted when their days (`GRADEWAY_ARCHIVE_DAYS`,
`GRADEWAY_QUARANTINE_DAYS`, `GRADEWAY_REPORT_DAYS`) are over. So are, with the reports' days, ended
calls to the delivery system and the gradebook and their plans, but for the call that last wrote a
grade which stands there. Problems and conflicts of columns that are no more are deleted. The counts
stand in the log.

**When it fails.** Nothing is lost and nothing is late by more than a night: the next run does what
this one did not. `SettingsError`: correct the variable it names. `LandingError` or `OSError`: see
whether the landing zone is mounted and writable.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from gradeway.orchestration import steps
from gradeway.orchestration.policy import COMMON


@dag(
    schedule=CronTriggerTimetable("17 3 * * *", timezone="UTC"),
    dagrun_timeout=timedelta(hours=3),
    doc_md=__doc__,
    tags=["gradeway", "maintenance"],
    **COMMON,
)
def housekeeping() -> None:
    """Reject what waited too long, delete what is past its retention."""
    task(steps.tidy, multiple_outputs=False, execution_timeout=timedelta(hours=2))()


housekeeping()
