"""The steps of the DAGs around the gradebook: what a task calls, one function a task.

What goes through XComs, logs and questions names courses and columns, never learners or grades.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowSkipException

from gradeway.orchestration.connections import learn
from gradeway.orchestration.steps import opened_intake

if TYPE_CHECKING:
    from gradeway.publish.overview import Waiting
    from gradeway.publish.run import Planning, Publisher, Sent
    from gradeway.settings import Settings
    from gradeway.store.engine import Store
    from gradeway.vendors.connection import Endpoint

log = logging.getLogger(__name__)

NIGHT = 2  # the hour (UTC) from which on each course is compared as a whole once more
ASKED_HOURS = 21  # longer than a question waits for its answer
MOST_QUESTIONS = 50  # in one run
APPROVE = "approve_publication"  # the DAG that asks


@contextmanager
def _publisher() -> Iterator[tuple[Publisher, Store, Settings]]:
    """Open store and gradebook; where no Connection names one, there is nothing to do."""
    from gradeway.publish.target import open_publisher

    with (
        opened_intake() as opened,
        open_publisher(opened.store, opened.settings, _endpoint) as publisher,
    ):
        yield publisher, opened.store, opened.settings


def _endpoint() -> Endpoint:
    endpoint = learn()
    if endpoint is None:
        msg = "no Connection gradeway_learn: the grades stay in the store"
        raise AirflowSkipException(msg)
    return endpoint


def plan(*, everything: bool) -> dict[str, Any]:
    """Plan what is due, or everything; return how many calls there are to make.

    Raises:
        GradewayError: Learn is away; what was planned till then is kept.
    """
    with _publisher() as (publisher, _, _):
        return _planned(publisher.plan(everything=everything))


def look() -> dict[str, Any]:
    """Plan what a look at everything finds, once a night for each course; return how many calls there are to make.

    The next run sends them.

    Raises:
        AirflowSkipException: a dry run was asked for.
        GradewayError: Learn is away; what was planned till then is kept.
    """
    from gradeway.store.tenants import last_night

    _skip_if_dry()
    with _publisher() as (publisher, _, _):
        return _planned(publisher.look(last_night(NIGHT)))


def _planned(done: Planning) -> dict[str, Any]:
    if done.paused:
        log.warning("not all courses were planned: %s", done.paused)
    for each in done.planned:
        counts = f"{len(each.free.lines)} calls, {len(each.held.lines)} held, {each.conflicts} conflicts"
        log.info("course %r: %s, %d problems", each.course, counts, each.problems)
    return {
        "courses": len(done.planned),
        "calls": sum(len(each.free.lines) for each in done.planned),
        "held": sum(len(each.held.lines) for each in done.planned),
        "paused": bool(done.paused),
    }


def apply_free() -> dict[str, Any]:
    """Send what was planned and needs no approval; return how many calls ended how.

    Raises:
        AirflowSkipException: a dry run was asked for.
        GradewayError: some calls failed, or Learn refuses or is away; the next run goes on.
    """
    _skip_if_dry()
    with _publisher() as (publisher, _, _):
        return _told(publisher.apply_free())


def _skip_if_dry() -> None:
    if _is_dry():
        msg = "a dry run: the gradebook stays as it is"
        raise AirflowSkipException(msg)


def _is_dry() -> bool:
    context = get_current_context()
    return context["dag_run"].run_type == "manual" and bool(context["params"]["dry_run"])


def _told(done: Sent) -> dict[str, Any]:
    from gradeway.errors import WritesFailedError
    from gradeway.outcomes import Outcome

    for failure in done.failures:
        log.warning("%s %r ended %s: %s", failure.kind, failure.name, failure.outcome, failure.detail)
    if done.paused:
        log.warning("paused, the next run goes on: %s", done.paused)
    # What somebody changed there meanwhile is for the next plan, or for a person: nothing went wrong.
    if failed := done.outcomes[Outcome.REJECTED] + done.outcomes[Outcome.UNKNOWN]:
        raise WritesFailedError(failed)
    return {"outcomes": {str(outcome): count for outcome, count in done.outcomes.items()}, "paused": bool(done.paused)}


def questions() -> list[dict[str, Any]]:
    """Return what a person is asked: a run of the DAG that asks for each plan that waits, at most once a day.

    What else needs a person is told in the log.
    """
    from gradeway.publish import overview
    from gradeway.store.questions import asked_at

    if _is_dry():
        return []
    with opened_intake() as opened:
        target = opened.settings.publish_target
        with opened.store.session() as session:
            waiting = overview.waiting(session, target, opened.settings)
            for need in overview.needs(session, target, opened.settings):
                log.warning("%s; %s", need.what, need.remedy)
        asked = overview.to_ask(waiting, MOST_QUESTIONS)
        return [
            {
                "trigger_run_id": f"{each.digest}__{asked_at(opened.store, target, each.digest, ASKED_HOURS)}",
                "conf": {"plan": each.digest, "told": _question(each)},
            }
            for each in asked
        ]


def _question(each: Waiting) -> str:
    """Return what a person is asked, in Markdown."""
    from gradeway.orchestration.exams import plain

    lines = [f"- {plain(brake)}" for brake in each.brakes]
    what = ", ".join(f"{count} {kind}" for kind, count in each.counts.items())
    page = f"{conf.get('api', 'base_url', fallback='').rstrip('/')}/gradeway/gradebook/plans/{each.digest}"
    look = (
        f"[Every call, with what is there before and after it]({page}), for those who may see learners' grades; "
        f"`gradeway publish show {each.digest[:12]}` lists the same. To approve, give a reason: it is kept."
    )
    return "\n".join([f"Course {plain(each.course)}: {what}", "", *lines, "", look])


def approve(digest: str, answer: dict[str, Any]) -> None:
    """Keep who approved a plan, and why.

    Raises:
        ReasonMissingError: no reason was given; the next run asks again.
    """
    from gradeway.orchestration.exams import who_and_why
    from gradeway.publish import outbox

    with opened_intake() as opened:
        target = opened.settings.publish_target
        outbox.approve(opened.store, target, digest, *who_and_why(opened.store, target, digest, answer))


def apply(digest: str) -> dict[str, Any]:
    """Send exactly the calls of a plan; return how many ended how.

    Raises:
        AirflowSkipException: another run is publishing; as this plan is approved, the next run sends it.
        GradewayError: some calls failed, or Learn refuses or is away; the next run goes on.
    """
    from gradeway.errors import SyncBusyError

    with _publisher() as (publisher, _, _):
        try:
            return _told(publisher.apply(digest))
        except SyncBusyError as error:
            msg = f"{error}; it is approved, and the next run of publish_gradebook sends it"
            raise AirflowSkipException(msg) from None
