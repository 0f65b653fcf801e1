"""`gradeway sessions`: plan, apply and withdraw."""

from __future__ import annotations

import getpass
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import RenderableType

from gradeway.cli import out
from gradeway.cli.out import Field
from gradeway.cli.shell import DONE, FOUND, Refusal
from gradeway.errors import VendorError
from gradeway.sessions import outbox
from gradeway.sessions.plan import Plan
from gradeway.sessions.sync import Applied, Sync
from gradeway.settings import load
from gradeway.store.engine import Store
from gradeway.vendors.connection import from_environment
from gradeway.vendors.questionmark import CONNECTION, Questionmark

CHANGES = (Field("session"), Field("does", whole=True), Field("schedule", number=True), Field("what"))
PROBLEMS = (Field("session"), Field("code", whole=True), Field("detail"))
REMEDIES = (Field("code", whole=True), Field("sessions", number=True), Field("meaning"), Field("remedy"))
NOTES = (Field("code", whole=True), Field("setting"), Field("sessions", number=True), Field("meaning"))
FAILURES = (Field("session"), Field("does", whole=True), Field("outcome", whole=True), Field("detail"))


@contextmanager
def _sync(doing: str) -> Iterator[Sync]:
    settings = load()
    with Questionmark(from_environment(CONNECTION)) as client, out.spinner(doing) as say:
        yield Sync(Store(settings.database_url).ready(), client, settings, progress=say)


def show_plan(limit: int, output: str) -> int:
    """Print what applying would do; return the exit code."""
    with _sync("comparing sessions and schedules") as sync:
        plan = sync.plan()
        held = sync.held(plan)
    if output == "json":
        out.print_json(_document(plan, held))
    else:
        out.say(*_plan_text(plan, limit or len(plan.changes) + len(plan.problems)), _what_next(plan, held))
    return FOUND if plan.problems or held else DONE


def _document(plan: Plan, held: Plan | None) -> dict[str, Any]:
    brake = plan.brake
    return {
        "hash": plan.digest,
        "counts": plan.counts,
        "brake": {
            "held": held.digest if held else None,
            "disabled_or_moved": brake.risky,
            "existing": brake.existing,
            "percent": brake.percent,
            "count": brake.count,
        },
        "changes": [change.document() for change in plan.changes],
        "problems": _problems(plan),
        "not_enforced": [
            {"session": note.session, "code": note.reason.value, "setting": note.key, "value": note.value}
            for note in plan.notes
        ],
    }


def _problems(plan: Plan) -> list[dict[str, str]]:
    return [
        {
            "session": problem.session,
            "outcome": problem.reason.outcome,
            "code": problem.reason.value,
            "detail": problem.detail,
            "meaning": problem.reason.meaning,
            "remedy": problem.reason.remedy,
        }
        for problem in plan.problems
    ]


def _plan_text(plan: Plan, limit: int) -> Iterator[RenderableType]:
    yield from _listed("Changes", CHANGES, _changes(plan), limit)
    problems = [(problem.session, problem.reason.value, problem.detail) for problem in plan.problems]
    yield from _listed("Not told", PROBLEMS, problems, limit)
    reasons = Counter(problem.reason for problem in plan.problems).most_common()
    remedies = [(reason.value, number, reason.meaning, reason.remedy) for reason, number in reasons]
    yield from _listed("What to do", REMEDIES, remedies, len(remedies))
    kinds = Counter((note.reason, note.key) for note in plan.notes).most_common()
    notes = [(reason.value, key, number, reason.meaning) for (reason, key), number in kinds]
    yield from _listed("Not enforced", NOTES, notes, len(notes))
    yield out.heading("Plan")
    yield out.facts([*plan.counts.items(), ("hash", plan.digest)])


def _listed(
    title: str, fields: Sequence[Field], rows: Sequence[Sequence[object]], limit: int
) -> Iterator[RenderableType]:
    if rows:
        yield out.heading(title)
        yield out.table(fields, rows[:limit])
    if len(rows) > limit:
        yield f"and {len(rows) - limit:,} more; --limit 0 shows all"


def _changes(plan: Plan) -> list[tuple[object, ...]]:
    """Return the rows of the changes; the metadata of a session is one row."""
    rows: dict[tuple[str, str], tuple[object, list[str]]] = {}
    for change in plan.changes:
        rows.setdefault((change.session, change.action), (change.schedule_id, []))[1].append(change.in_words)
    return [(session, action, schedule, ", ".join(what)) for (session, action), (schedule, what) in rows.items()]


def _what_next(plan: Plan, held: Plan | None) -> str:
    rest = plan.but(held)
    if held:
        more = f"; the other changes: gradeway sessions apply {rest.digest}" if rest.changes else ""
        return _held_text(held) + more
    if plan.brake.is_on:
        return f"to do it, as was approved: gradeway sessions apply {plan.digest}"
    return f"to do it: gradeway sessions apply {plan.digest}" if plan.changes else "nothing is to be done"


def _held_text(held: Plan) -> str:
    what = (
        f"{held.brake.risky:,} of {out.count(held.brake.existing, 'schedule')} would be disabled, moved or given back"
    )
    return f"{what}: it needs approval: gradeway sessions apply --approve {held.digest} --reason TEXT"


def approve_plan(digest: str, reason: str) -> None:
    """Approve a plan in the name of who runs this program."""
    outbox.approve(Store(load().database_url).ready(), digest, getpass.getuser(), reason)


def apply_plan(digest: str, output: str) -> int:
    """Carry out the plan of a digest, or of none the one of now; return the exit code."""
    with _sync("comparing sessions and schedules") as sync:
        try:
            applied = sync.apply(digest) if digest else sync.apply_now()
        except VendorError as error:
            msg = f"{error}; what was written is remembered, `gradeway sessions plan` has the rest"
            raise Refusal(msg) from None
    if output == "json":
        out.print_json(_applied_document(applied))
    else:
        out.say(*_applied_text(applied))
    return FOUND if applied.failures or applied.plan.problems or applied.held else DONE


def _applied_document(applied: Applied) -> dict[str, Any]:
    return {
        "hash": applied.plan.digest,
        "outcomes": {outcome.value: number for outcome, number in sorted(applied.outcomes.items())},
        "unchanged": applied.plan.unchanged,
        "held": applied.held.digest if applied.held else None,
        "failures": [failure._asdict() for failure in applied.failures],
        "problems": _problems(applied.plan),
    }


def _applied_text(applied: Applied) -> Iterator[RenderableType]:
    if applied.failures:
        yield out.heading("Failed")
        yield out.table(FAILURES, applied.failures)
    yield from (
        f"{out.count(number, 'write')} {outcome.lower()}" for outcome, number in sorted(applied.outcomes.items())
    )
    yield f"{out.count(applied.plan.unchanged, 'session')} unchanged"
    if applied.held:
        yield _held_text(applied.held)
    if applied.plan.problems:
        yield f"{out.count(len(applied.plan.problems), 'session')} not told: gradeway sessions plan"


def withdraw_session(name: str, output: str, *, undo: bool) -> int:
    """Take a session back, or undo that; return the exit code."""
    outbox.withdraw(Store(load().database_url).ready(), name, undo=undo)
    if output == "json":
        out.print_json({"session": name, "withdrawn": not undo})
    else:
        out.say(f"session {name} is {'no longer ' if undo else ''}withdrawn; gradeway sessions apply --now tells it")
    return DONE
