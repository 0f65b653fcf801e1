"""The steps of the DAG around result files: what a task calls, one function a task.

That assessmentQ cannot be reached is no failure: what waits goes on waiting, and the next run begins there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from gradeway.orchestration.connections import assessmentq
from gradeway.orchestration.steps import opened_intake

if TYPE_CHECKING:
    from gradeway.custody.custody import Custody
    from gradeway.intake import Intake
    from gradeway.vendors.assessmentq import AssessmentQ

log = logging.getLogger(__name__)

MOST_SLICES = 8
INBOX = "aqr"


@contextmanager
def _assessmentq() -> Iterator[tuple[Intake, AssessmentQ]]:
    from gradeway.vendors.assessmentq import AssessmentQ

    endpoint = assessmentq()
    if endpoint is None:
        msg = "no Connection gradeway_assessmentq: the result files stay where they are"
        raise AirflowSkipException(msg)
    with opened_intake() as opened, AssessmentQ(endpoint) as client:
        yield opened, client


@contextmanager
def _custody() -> Iterator[Custody]:
    from gradeway.custody.custody import Custody
    from gradeway.custody.keep import Keeper

    with _assessmentq() as (opened, client):
        inbox = opened.zone.inbox(INBOX)
        inbox.mkdir(parents=True, exist_ok=True)
        keeper = Keeper.as_archive(opened.settings.landing / "archive" / INBOX)
        yield Custody(opened.store, client, opened.settings, inbox, keeper)


def find() -> list[list[int]]:
    """Note what landed, and return what is to be sent, in slices."""
    with _custody() as custody:
        waiting = custody.find()
    slices = min(len(waiting), MOST_SLICES)
    return [waiting[number::slices] for number in range(slices)]


def send(files: list[int]) -> dict[str, Any]:
    """Send some files; return how the uploads ended.

    Raises:
        GradewayError: the server does not take our account, or answers what the profile does not explain.
    """
    with _custody() as custody:
        done = custody.send_some(files)
    for trouble in done.troubles:
        log.error("%s", trouble)
    if not done.online:
        log.warning("assessmentQ cannot be reached; what waits is sent by the next run")
    return {"online": done.online, "uploads": dict(done.outcomes)}


def put_away() -> dict[str, int]:
    """Archive the files whose exam has ended and was received."""
    from gradeway.custody.custody import Pass

    done = Pass()
    with _custody() as custody:
        custody.put_away(done)
    for trouble in done.troubles:
        log.error("%s", trouble)
    return {"archived": done.kept, "deleted": done.purged, "troubles": len(done.troubles)}


def collect(*, full: bool = False) -> dict[str, Any]:
    """Read the results that changed and hand them over as a file; return the counts.

    Raises:
        GradewayError: assessmentQ answers what the profile does not explain.
    """
    from gradeway.custody import ledger
    from gradeway.errors import VendorAwayError
    from gradeway.results.offline import collect as read

    with _assessmentq() as (opened, client):
        try:
            done = read(opened.store, client, opened.settings, full=full)
        except VendorAwayError as error:
            ledger.reach(opened.store, online=False, detail=str(error))
            msg = "assessmentQ cannot be reached; the next run reads on"
            raise AirflowSkipException(msg) from None
        ledger.sittings_ended(opened.store, done.ended)
    return {"results": done.results, "handed_over": done.handed_over, "file": done.file}
