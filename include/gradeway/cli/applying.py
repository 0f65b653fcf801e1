"""`gradeway publish apply`: what was sent, what was not, and what needs a person."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType

from gradeway.cli import out
from gradeway.cli.out import Field
from gradeway.cli.publish import publishing
from gradeway.cli.shell import DONE, FOUND, Refusal
from gradeway.errors import VendorError
from gradeway.outcomes import Outcome
from gradeway.publish import outbox, overview
from gradeway.publish.overview import Need, Waiting
from gradeway.publish.run import Planning, Publisher, Sent
from gradeway.publish.target import unit
from gradeway.settings import Settings, load
from gradeway.store.engine import Store
from gradeway.store.models import Course, Learner

FAILURES = (
    Field("course"),
    Field("what", whole=True),
    Field("name"),
    Field("learner"),
    Field("outcome", whole=True),
    Field("detail"),
)
BY_ANOTHER = "another run was at work meanwhile, and did what was under way"


@dataclass(frozen=True)
class _Applied:
    """What came of it: what was planned first, sent, failed (with names), waits for approval, and needs a person.

    ``by_another``: calls that were under way before were ended by another run.
    """

    planning: Planning
    sent: Sent
    failures: Sequence[dict[str, Any]]
    held: Sequence[Waiting]
    needs: Sequence[Need]
    by_another: bool

    @property
    def overtaken(self) -> int:
        """How many calls were not made, since what is here or there has changed after they were planned."""
        return self.sent.outcomes[Outcome.SKIPPED]

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do, for the next run or for a person."""
        paused = self.sent.paused or self.planning.paused
        return not (self.failures or paused or self.held or self.needs or self.overtaken)


def approve_plan(digest: str, reason: str) -> None:
    """Approve a plan, named by the beginning of its hash, in the name of who runs this program."""
    settings = load()
    store = Store(settings.database_url).ready()
    outbox.approve(store, settings.publish_target, _whole(store, settings, digest), getpass.getuser(), reason)


def apply_plan(digest: str, output: str) -> int:
    """Make the calls of a plan, or without one all that is due and needs no approval; return the exit code."""
    with publishing("publishing") as (publisher, store, settings):
        applied = _apply(publisher, store, settings, digest)
    if output == "json":
        out.print_json(_document(applied))
    else:
        out.say(*_text(applied, settings))
    return DONE if applied.is_done else FOUND


def _whole(store: Store, settings: Settings, digest: str) -> str:
    with store.session() as session:
        return overview.digest_of(session, settings.publish_target, digest)


def _apply(publisher: Publisher, store: Store, settings: Settings, digest: str) -> _Applied:
    target, planning = settings.publish_target.value, Planning()
    with store.session() as session:
        under_way = overview.under_way(session, target)
    try:
        if digest:
            sent = publisher.apply(_whole(store, settings, digest))
        else:
            planning = publisher.plan()
            sent = publisher.apply_free()
    except VendorError as error:
        msg = f"{error}; what was written is remembered, `gradeway publish apply --now` goes on"
        raise Refusal(msg) from None
    with store.session() as session:
        held = [] if digest else overview.waiting(session, target, settings)
        needs = list(overview.unanswered(session, target) if digest else overview.left_over(session, target))
        by_another = under_way > 0 and not sent.outcomes and not overview.under_way(session, target)
        courses = overview.names_of(session, Course, {each.course_id for each in sent.failures})
        learners = overview.names_of(session, Learner, {each.learner_id for each in sent.failures})
    named = [
        vars(each) | {"course": courses.get(each.course_id, ""), "learner": learners.get(each.learner_id, "")}
        for each in sent.failures
    ]
    return _Applied(planning, sent, named, held, needs, by_another)


def _document(applied: _Applied) -> dict[str, Any]:
    sent = applied.sent
    return {
        "outcomes": {str(outcome): count for outcome, count in sorted(sent.outcomes.items())},
        "held": [each.digest for each in applied.held],
        "failures": applied.failures,
        "needs": [each._asdict() for each in applied.needs],
        "paused": sent.paused or applied.planning.paused or None,
        "resume_at": out.iso(sent.resume_at or applied.planning.resume_at),
    }


def _text(applied: _Applied, settings: Settings) -> Iterator[RenderableType]:
    sent, names = applied.sent, ("course", "kind", "name", "learner", "outcome", "detail")
    yield from out.listed("Failed", FAILURES, [[each[name] for name in names] for each in applied.failures], 0)
    ended = sorted(sent.outcomes.items())
    yield from (f"{out.count(count, unit(settings))} {outcome.lower()}" for outcome, count in ended)
    if applied.by_another:
        yield BY_ANOTHER
    elif not ended:
        yield "nothing was to be published" if applied.is_done else "nothing was sent"
    if applied.overtaken:
        yield "what is here or there has changed since the plan; gradeway publish plan says what is to be done now"
    for each in applied.held:
        yield f"{each.course}: {'; '.join(each.brakes)}: gradeway publish apply --approve {each.digest} --reason TEXT"
    for need in applied.needs:
        yield f"{need.what}; {need.remedy}"
    if paused := sent.paused or applied.planning.paused:
        yield f"paused: {paused}; gradeway publish apply --now goes on"
