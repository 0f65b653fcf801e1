"""The steps of the DAGs around exam sessions: what a task calls, one function a task.

Like the steps of the grade files, they return what fits into an XCom and import nothing heavy
before a task runs.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
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
    from gradeway.store.engine import Store
    from gradeway.vendors.questionmark import Questionmark

log = logging.getLogger(__name__)

SHOWN = 20
ASKED_HOURS = 21  # longer than a question waits for its answer
APPROVE = "approve_sessions"  # the DAG that asks


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
    from gradeway.store.exams import QUESTIONMARK
    from gradeway.store.questions import asked_at

    with _sync() as sync:
        found = sync.plan()
        held = sync.held(found)
        asked = asked_at(sync.store, QUESTIONMARK, held.digest, ASKED_HOURS) if held else ""
    for problem in found.problems:
        log.warning("session %r: %s (%s)", problem.session, problem.reason.meaning, problem.reason.value)
    now = found.but(held)
    return {
        "hash": now.digest if now.changes else "",
        "held": held.digest if held else "",
        "asked": asked,
        "told": _told(held) if held else "",
        "counts": found.counts,
    }


def _told(held: Plan) -> str:
    """Return what a person is asked, in Markdown."""
    kinds = Counter(str(change.action) for change in held.changes)
    lines = [f"- {plain(change.session)}: {plain(change.in_words)}" for change in held.changes[:SHOWN]]
    if len(held.changes) > SHOWN:
        lines.append(f"- and {len(held.changes) - SHOWN} more: `gradeway sessions plan --limit 0` shows all")
    what = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return "\n".join([f"{what}, of {held.brake.existing} exams:", "", *lines])


def plain(text: str) -> str:
    """Return text that Markdown takes as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~&])", r"\\\1", " ".join(text.split()))


def is_held(digest: str) -> bool:
    """Return whether there is a part of a plan that a person must decide about."""
    return bool(digest)


def approve(digest: str, answer: dict[str, Any]) -> None:
    """Keep who approved a plan, and why.

    Raises:
        ReasonMissingError: no reason was given; the next run asks again.
    """
    from gradeway.sessions import outbox
    from gradeway.store.exams import QUESTIONMARK

    with opened_intake() as opened:
        outbox.approve(opened.store, digest, *who_and_why(opened.store, QUESTIONMARK, digest, answer))


def who_and_why(store: Store, system: str, digest: str, answer: dict[str, Any]) -> tuple[str, str]:
    """Return who approved a plan in Airflow, and the reason that was given.

    Airflow's form cannot ask for a reason only of those who approve, so this is found out here.

    Raises:
        ReasonMissingError: none was given; the next run asks again.
    """
    from gradeway.errors import ReasonMissingError
    from gradeway.store.questions import ask_again

    who = (answer.get("responded_by_user") or {}).get("name") or "somebody in Airflow"
    reason = ((answer.get("params_input") or {}).get("reason") or "").strip()
    if not reason:
        ask_again(store, system, digest)
        raise ReasonMissingError(digest)
    return who, reason


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
