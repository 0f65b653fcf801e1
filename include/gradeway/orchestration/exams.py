"""The steps of the DAGs around exam sessions: what a task calls, one function a task.

Like the steps of the grade files, they return what fits into an XCom and import nothing heavy
before a task runs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from gradeway.orchestration.assets import GRADES
from gradeway.orchestration.connections import questionmark
from gradeway.orchestration.steps import opened_intake

if TYPE_CHECKING:
    from gradeway.intake import Intake
    from gradeway.sessions.plan import Plan
    from gradeway.sessions.sync import Applied, Sync
    from gradeway.vendors.questionmark import Questionmark

log = logging.getLogger(__name__)

SHOWN = 20
APPROVE, APPROVED = "approve_sessions", "approve"  # the DAG that asks, and its task


def take(inbox: str) -> list[int]:
    """Take what landed in an inbox, load it and write the reports; return the batches.

    Raises:
        GradewayError: a batch or a report failed; the others did not.
    """
    with opened_intake() as opened:
        done = opened.sweep(inbox=inbox)
    if done.failed:
        raise done.failed[0]
    return done.batches


@contextmanager
def _questionmark() -> Iterator[tuple[Intake, Questionmark]]:
    """Open store and delivery system; where no Connection names one, there is nothing to do."""
    from gradeway.vendors.questionmark import Questionmark

    endpoint = questionmark()
    if endpoint is None:
        msg = "no Connection gradeway_questionmark: the sessions stay in the store"
        raise AirflowSkipException(msg)
    with opened_intake() as opened, Questionmark(endpoint, zone=opened.settings.results_zone) as client:
        yield opened, client


@contextmanager
def _sync() -> Iterator[Sync]:
    from gradeway.sessions.sync import Sync

    with _questionmark() as (opened, client):
        yield Sync(opened.store, client, opened.settings)


def plan() -> dict[str, Any]:
    """Work out what would be written to Questionmark; return the hash of what goes now and of what a person decides."""
    with _sync() as sync:
        found = sync.plan()
        held = sync.is_held(found)
    for problem in found.problems:
        log.warning("session %r: %s (%s)", problem.session, problem.reason.meaning, problem.reason.value)
    now = found.harmless if held else found
    return {
        "hash": now.digest if now.changes else "",
        "held": found.risky.digest if held else "",
        "told": _told(found),
        "counts": found.counts,
    }


def _told(found: Plan) -> str:
    names = list(dict.fromkeys(change.session for change in found.risky.changes))
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    risky, existing = found.brake.risky, found.brake.existing
    return f"{risky} of {existing} exams would be disabled, moved or given back: {', '.join(names[:SHOWN])}{more}"


def is_held(digest: str) -> bool:
    """Return whether there is a part of a plan that a person must decide about."""
    return bool(digest)


def approve(digest: str, answer: dict[str, Any]) -> None:
    """Keep who approved a plan, and why."""
    from gradeway.sessions import outbox

    who = (answer.get("responded_by_user") or {}).get("name") or "somebody in Airflow"
    reason = (answer.get("params_input") or {}).get("reason") or "approved in Airflow"
    with opened_intake() as opened:
        outbox.approve(opened.store, digest, who, reason)


def apply(digest: str) -> dict[str, int]:
    """Carry out exactly the plan of a hash, if there is one; return how many writes ended how.

    Raises:
        GradewayError: some writes failed, or the plan is no longer what there is to do; the next
            run plans again.
    """
    if not digest:
        msg = "nothing is to be written"
        raise AirflowSkipException(msg)
    with _sync() as sync:
        done = sync.apply(digest)
    _tell(done)
    return {str(outcome): count for outcome, count in done.outcomes.items()}


def _tell(done: Applied) -> None:
    from gradeway.errors import WritesFailedError

    for failure in done.failures:
        log.error("session %r: %s ended %s: %s", failure.session, failure.action, failure.outcome, failure.detail)
    if done.failures:
        raise WritesFailedError(len(done.failures))


def collect(*, full: bool = False) -> dict[str, Any]:
    """Read what became of our schedules and hand changed results over as a file; return the counts.

    Raises:
        GradewayError: the delivery system is away; what was read is handed over.
    """
    from dataclasses import asdict

    from gradeway.results.collect import collect as read

    with _questionmark() as (opened, client):
        done = asdict(read(opened.store, client, opened.settings, full=full))
    for failure in done.pop("failed"):
        log.error("not read: %s", failure)
    return done


def load_results() -> list[str]:
    """Load the results that were handed over; return the assets whose rows changed."""
    from gradeway.store import overview

    batches = take("results")
    with opened_intake() as opened, opened.store.session() as session:
        changed = any(batch.applied for batch in overview.by_number(session, batches))
    return [GRADES.name] if changed else []
