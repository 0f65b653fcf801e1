"""Look for results of offline exams that did not come in.

**What it does.** Compares whose results are expected (the file of `GRADEWAY_AQR_ROSTER_FILE`, else
assessmentQ's own list of sittings) with what came in, and looks whether a file waits to be sent.

**When it runs.** Every morning at 05:45 UTC.

**When it fails.** `ResultsMissingError`: a result is missing, or a file unsent, for longer than
`GRADEWAY_AQR_ALERT_DAYS`, or for three days assessmentQ could not be asked whose results are expected
(`gradeway aqr status` says why). `gradeway aqr missing` names learners and access codes. Look on the
exams' own computers for their `.aqr` and `.bak` files now: these are deleted there two weeks after they were
sent. Rename `.bak` to `.aqr`, for only these are sent, and drop what is found into `inbox/aqr`: what
assessmentQ has is not sent again. Of whom nothing more is to come, such as somebody who stayed away,
`gradeway aqr dismiss --sittings NUMBER --reason WHY`. After `GRADEWAY_AQR_PAST_DAYS` a missing result is
told no more. `SettingsError` names what to correct.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from gradeway.orchestration import aqr
from gradeway.orchestration.policy import COMMON


@dag(
    schedule=CronTriggerTimetable("45 5 * * *", timezone="UTC"),
    dagrun_timeout=timedelta(hours=2),
    doc_md=__doc__,
    tags=["gradeway", "results"],
    **COMMON,
)
def check_aqr() -> None:
    """Compare, and tell what is missing for too long."""
    task(aqr.compare, multiple_outputs=False)()


check_aqr()
