"""Ask a person about what would change too much of a gradebook at once.

**What it does.** Waits at `approve` for an answer in *Required Actions*; approved, it makes exactly the
calls that were asked about. Who approved, and why, is kept with the plan and with each grade.

**When it runs.** `publish_gradebook` starts it, with the plan's hash and what is too much. By hand,
give the hash that `gradeway publish status` prints. Several can wait at once and nothing else waits
for them.

**When it fails.** `UnknownPlanError`: by now other calls would be made than those that were asked
about; nothing was sent, look for the newer question. A grade that somebody changed in the gradebook
meanwhile is kept. All else is as in `publish_gradebook`.

**When no reason is given.** `ReasonMissingError`: nothing was approved, and the next run of
`publish_gradebook` asks again.

**When nobody says yes.** Rejected, or not answered within 20 hours: `publish_gradebook` asks again
the next day as long as there is something to ask.
"""

from airflow.sdk import dag

from gradeway.orchestration import publish
from gradeway.orchestration.asking import ASKING, ask_then_apply

# For somebody who was never told of any of it.
QUESTION = """\
Files that came in would change more of a gradebook than is done without asking. Nothing of what is listed here was
sent yet. *Approve* sends exactly that. *Reject*, or no answer, sends nothing of it, and the question comes again the
next day; the gradebook then stays as it is.

{{ params.told }}

*deletions* are columns that would be deleted and grades that would be cleared, *decreases* grades that would become
lower, *blanks* grades that would become blank or zero, *changes* grades that would change, *unmatched* grades of
learners who are not in the course; each as so many of how many grades.
"""


@dag(schedule=None, doc_md=__doc__, tags=["gradeway", "gradebook"], **ASKING)
def approve_publication() -> None:
    """Ask, remember the answer, apply."""
    ask_then_apply(publish.approve, publish.apply, subject="Change so much of a gradebook?", body=QUESTION)


approve_publication()
