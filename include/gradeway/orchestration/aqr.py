"""The steps of the DAG around result files: what a task calls, one function a task.

That assessmentQ cannot be reached is no failure: what waits goes on waiting, and the next run begins there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from gradeway.orchestration.connections import assessmentq
from gradeway.orchestration.steps import in_slices, opened_intake

if TYPE_CHECKING:
    from gradeway.custody.custody import Custody, Pass
    from gradeway.intake import Intake
    from gradeway.vendors.assessmentq import AssessmentQ

log = logging.getLogger(__name__)


@contextmanager
def _client() -> Iterator[AssessmentQ | None]:
    from gradeway.vendors.assessmentq import AssessmentQ

    endpoint = assessmentq()
    if endpoint is None:
        yield None
        return
    with AssessmentQ(endpoint) as client:
        yield client


@contextmanager
def _assessmentq() -> Iterator[tuple[Intake, AssessmentQ]]:
    with _client() as client:
        if client is None:
            msg = "no Connection gradeway_assessmentq: the result files stay where they are"
            raise AirflowSkipException(msg)
        with opened_intake() as opened:
            yield opened, client


@contextmanager
def _custody() -> Iterator[Custody]:
    from gradeway.custody.custody import Custody

    with _assessmentq() as (opened, client):
        yield Custody.of_inbox(opened.store, client, opened.settings)


def find() -> list[list[int]]:
    """Note what landed, and return what is to be sent, in slices."""
    with _custody() as custody:
        return in_slices(custody.find())


def send(files: list[int], began: str = "") -> dict[str, Any]:
    """Send some files; return how the uploads ended.

    Nothing is sent if the server was found away since the run ``began``: it may have asked to be left alone.

    Raises:
        FilesNeedPersonError: a person has to look at some, and was not told before.
        GradewayError: the server does not take our account, or answers what the profile does not explain.
    """
    from gradeway.custody import reach
    from gradeway.custody.custody import Custody, Pass

    done = Pass()
    with _assessmentq() as (opened, client):
        if began and reach.is_away(opened.store, datetime.fromisoformat(began)):
            done.online = False
        else:
            Custody.of_inbox(opened.store, client, opened.settings).send_waiting(done, files)
    if not done.online:
        log.warning("assessmentQ cannot be reached; what waits is sent by the next run")
    _tell(done)
    return {"online": done.online, "uploads": dict(done.outcomes)}


def _tell(done: Pass) -> None:
    """Log what needs a person, and fail if somebody has to be told: once for each trouble with a file."""
    from gradeway.errors import FilesNeedPersonError

    for trouble in done.troubles:
        log.error("%s", trouble)
    if done.fresh:
        raise FilesNeedPersonError(done.fresh)


def put_away() -> dict[str, int]:
    """Archive the files whose exam has ended and was received.

    Raises:
        FilesNeedPersonError: something stands in the way that a person was not told of before.
    """
    from gradeway.custody.custody import Pass

    done = Pass()
    with _custody() as custody:
        custody.put_away(done)
    _tell(done)
    return {"archived": done.kept, "deleted": done.purged, "troubles": len(done.troubles)}


def compare() -> dict[str, int]:
    """Compare what is expected with what came in; return how many sittings there are of each state.

    What was last compared is judged while assessmentQ is away too, and files that wait too long without a Connection.

    Raises:
        ResultsMissingError: something lacks, or waits to be sent, or was not compared, for too long.
        FilesNeedPersonError: folders in the inbox cannot be read.
        GradewayError: the roster cannot be read, or assessmentQ refuses to tell.
    """
    from gradeway.custody import expected, overview
    from gradeway.errors import FilesNeedPersonError, ResultsMissingError, VendorAwayError

    with opened_intake() as opened, _client() as client:
        if can_compare := expected.can_compare(client, opened.settings):
            try:
                expected.compare(opened.store, client, opened.settings)
            except VendorAwayError as error:
                log.warning("not compared: %s", error)
        else:
            log.info("%s", expected.NOBODY)
        with opened.store.session() as session:
            found = overview.standing(session, opened.settings)
    unknown = can_compare and found.stale
    if found.overdue or found.late or unknown:
        raise ResultsMissingError(found.overdue, opened.settings.aqr_alert_days, unsent=found.late, unknown=unknown)
    if found.unreadable:
        raise FilesNeedPersonError(found.unreadable)
    return dict(found.expected)


def collect(*, full: bool = False) -> dict[str, Any]:
    """Read the results that changed and hand them over as a file; return the counts.

    Raises:
        GradewayError: assessmentQ answers what the profile does not explain.
    """
    from gradeway.custody import ledger, reach
    from gradeway.errors import VendorAwayError
    from gradeway.results.offline import collect as read

    with _assessmentq() as (opened, client):
        try:
            with reach.noted(opened.store):
                done = read(opened.store, client, opened.settings, full=full)
        except VendorAwayError:
            msg = "assessmentQ cannot be reached; the next run reads on"
            raise AirflowSkipException(msg) from None
        ledger.sittings_ended(opened.store, done.ended)
    return {"results": done.results, "handed_over": done.handed_over, "file": done.file}
