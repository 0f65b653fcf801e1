"""`gradeway publish` and `gradeway why`."""

from __future__ import annotations

import getpass
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import RenderableType
from sqlalchemy import select

from gradeway.cli import out
from gradeway.cli.out import Field
from gradeway.cli.shell import DONE, FOUND
from gradeway.errors import NothingToResolveError, UnknownCourseError
from gradeway.publish import overview
from gradeway.publish.outbox import Planned
from gradeway.publish.plan import Line, Part, in_words
from gradeway.publish.reconcile import reconcile
from gradeway.publish.resolve import insist, resolve
from gradeway.publish.run import Planning, Publisher, open_learn
from gradeway.publish.target import need_learn, open_publisher, unit
from gradeway.settings import Settings, Target, load
from gradeway.store.engine import Store
from gradeway.store.models import Course
from gradeway.store.publish import Resolution
from gradeway.vendors.connection import from_environment
from gradeway.vendors.learn import CONNECTION

CALLS = (Field("course"), Field("what", whole=True), Field("name"), Field("learner"), Field("changes"))
SHOWN = (Field("what", whole=True), Field("name"), Field("learner"), Field("changes"), Field("state", whole=True))
PROBLEMS = (Field("course"), Field("name"), Field("learner"), Field("code", whole=True), Field("detail"))
REMEDIES = (Field("code", whole=True), Field("times", number=True), Field("meaning"), Field("remedy"))
CONFLICTS = (Field("course"), Field("column"), Field("learner"), Field("ours"), Field("theirs"), Field("what"))
WAITING = (Field("course"), Field("what"), Field("too much"), Field("since", whole=True), Field("hash"))
DIFFERENCES = tuple(map(Field, ("kind", "name", "learner", "ours", "theirs", "why")))


@contextmanager
def publishing(doing: str) -> Iterator[tuple[Publisher, Store, Settings]]:
    """Open publishing as the settings say, and show on a terminal what is being done."""
    settings = load()
    store = Store(settings.database_url).ready()
    with (
        out.spinner(doing) as say,
        open_publisher(store, settings, lambda: from_environment(CONNECTION), say or _silent) as publisher,
    ):
        yield publisher, store, settings


def show_plan(courses: Sequence[str], limit: int, output: str, *, everything: bool) -> int:
    """Print what would be written; return the exit code."""
    with publishing("comparing courses") as (publisher, store, settings):
        done = publisher.plan(courses, again=True, everything=everything)
    planned = {each.course for each in done.planned}
    with store.session() as session:
        problems = [each for each in overview.problems(session, publisher.target) if each.course in planned]
        conflicts = [each for each in overview.conflicts(session, publisher.target) if each.course in planned]
        session.expunge_all()
    waits = any(each.held.lines or each.conflicts or each.problems for each in done.planned)
    if output == "json":
        told = {"problems": [*map(_problem, problems)], "conflicts": [*map(_conflict_document, conflicts)]}
        out.print_json({"courses": [_document(each) for each in done.planned], "paused": done.paused or None} | told)
    else:
        out.say(*_plan_text(done, unit(settings), _hindrances(problems, conflicts, limit), limit))
    return FOUND if waits or done.paused else DONE


def _silent(_text: str) -> None:
    """Say nothing."""


def _document(each: Planned) -> dict[str, Any]:
    return {
        "course": each.course,
        "hash": each.free.digest if each.free.lines else None,
        "calls": [_call(line) for line in each.free.lines],
        "held": {
            "hash": each.held.digest,
            "calls": [_call(line) for line in each.held.lines],
            "brakes": list(each.reasons),
        }
        if each.held.lines
        else None,
        "problems": each.problems,
        "conflicts": each.conflicts,
        "unchanged": each.unchanged,
    }


def _call(line: Line) -> dict[str, Any]:
    names = ("kind", "action", "name", "learner", "before", "after")
    return {name: getattr(line, name) for name in names}


def _plan_text(done: Planning, one: str, hindrances: Iterable[RenderableType], limit: int) -> Iterator[RenderableType]:
    for title, parts in (
        (f"{one.title()}s", [each.free for each in done.planned]),
        ("Waits for approval", [each.held for each in done.planned]),
    ):
        rows = [_row(part, line) for part in parts for line in part.lines]
        yield from out.listed(title, CALLS, rows, limit)
    yield from hindrances
    for each in done.planned:
        yield from _what_next(each, one)
    if not done.planned:
        yield "nothing is to be published"
    if done.paused:
        yield f"not all courses were planned: {done.paused}"


def _row(part: Part, line: Line) -> tuple[object, ...]:
    return part.course, f"{line.kind} {line.action}", line.name, line.learner, line.in_words


def _what_next(each: Planned, one: str) -> Iterator[RenderableType]:
    yield out.heading(each.course)
    told = [
        out.count(len(each.free.lines), one),
        f"{len(each.held.lines):,} held" if each.held.lines else "",
        out.count(each.problems, "problem") if each.problems else "",
        out.count(each.conflicts, "new conflict") if each.conflicts else "",
    ]
    yield ", ".join(filter(None, told))
    if each.free.lines:
        yield f"to do it: gradeway publish apply {each.free.digest}"
    if each.held.lines:
        why = "; ".join(each.reasons)
        yield f"{why}: it needs approval: gradeway publish apply --approve {each.held.digest} --reason TEXT"


def show_calls(digest: str, limit: int, output: str) -> int:
    """Print the calls of a plan; return the exit code."""
    settings = load()
    with Store.to_read(settings.database_url).session() as session:
        whole = overview.digest_of(session, settings.publish_target, digest)
        lines = overview.lines(session, settings.publish_target, whole)
        session.expunge_all()
    if output == "json":
        names = ("kind", "action", "name", "before", "after", "state", "outcome", "detail")
        calls = [{name: getattr(each, name) for name in names} | {"learner": learner} for each, learner in lines]
        out.print_json({"hash": whole, "calls": calls})
    else:
        rows = [
            (
                f"{each.kind} {each.action}",
                each.name,
                learner,
                in_words(each.before, each.after, each.value),
                each.state,
            )
            for each, learner in lines
        ]
        out.say(*out.listed(f"Plan {whole}", SHOWN, rows, limit))
    return DONE


def decide(course: str, column: str, learner: str, schema: str, choice: Resolution, reason: str, output: str) -> int:
    """Keep what a person decided about what somebody changed in the gradebook; return the exit code."""
    settings, who = load(), getpass.getuser()
    need_learn(settings, "`gradeway publish resolve`")
    store, target = Store(settings.database_url).ready(), settings.publish_target
    decided = 0
    if not schema:
        with suppress(NothingToResolveError):
            decided = resolve(store, target, choice, who, reason, course=course, column=column, learner=learner)
    if choice is Resolution.TAKE and (schema or (column and not learner)):
        try:
            insist(store, target, who, reason, course=course, column=column, schema=schema)
            decided += 1
        except NothingToResolveError:
            if not decided:
                raise
    if not decided:
        raise NothingToResolveError(course, column)
    if output == "json":
        out.print_json({"decided": decided})
    else:
        out.say(f"{out.count(decided, 'decision')} kept; the next run does what was decided")
    return DONE


def show_status(course: str, limit: int, output: str) -> int:
    """Print how publishing stands; return the exit code.

    Raises:
        UnknownCourseError: the store has no such course.
    """
    settings = load()
    with Store.to_read(settings.database_url).session() as session:
        if course and session.scalar(select(Course.id).where(Course.source_id == course)) is None:
            raise UnknownCourseError(course)
        standing = overview.standing(session, settings.publish_target, settings)
        standing.waiting = [each for each in standing.waiting if course in {"", each.course}]
        problems = overview.problems(session, settings.publish_target, course)
        conflicts = overview.conflicts(session, settings.publish_target, course)
        session.expunge_all()
    if output == "json":
        out.print_json(_standing_document(standing, problems, conflicts))
    else:
        out.say(*_standing_text(standing, problems, conflicts, settings, limit))
    return FOUND if standing.waiting or problems or conflicts else DONE


def _standing_document(
    standing: overview.Standing, problems: Sequence[overview.ProblemLine], conflicts: Sequence[overview.ConflictLine]
) -> dict[str, Any]:
    return {
        "due_courses": standing.due,
        "receipts": standing.receipts,
        "last_receipt": out.iso(standing.last),
        "under_way": dict(sorted(standing.intents.items())),
        "calls_today": standing.calls_today,
        "waiting": [vars(each) | {"since": out.iso(each.since)} for each in standing.waiting],
        "problems": [*map(_problem, problems)],
        "conflicts": [*map(_conflict_document, conflicts)],
    }


def _problem(each: overview.ProblemLine) -> dict[str, Any]:
    return {
        "course": each.course,
        "kind": each.kind,
        "name": each.name,
        "learner": each.learner,
        "code": each.reason.value,
        "detail": each.detail,
        "meaning": each.reason.meaning,
        "remedy": each.reason.remedy,
        "since": out.iso(each.since),
    }


def _conflict_document(each: overview.ConflictLine) -> dict[str, str]:
    return dict(zip((field.title for field in CONFLICTS), _conflict(each), strict=True))


def _conflict(each: overview.ConflictLine) -> tuple[str, ...]:
    return each.course, each.column, each.learner, each.record.ours or "none", each.theirs, each.record.what


def _standing_text(
    standing: overview.Standing,
    problems: Sequence[overview.ProblemLine],
    conflicts: Sequence[overview.ConflictLine],
    settings: Settings,
    limit: int,
) -> Iterator[RenderableType]:
    under_way = ", ".join(f"{count:,} {state}" for state, count in sorted(standing.intents.items()))
    is_by_files = settings.publish_target is Target.FILES
    yield out.facts(
        [
            ("courses with changes that are not planned yet", f"{standing.due:,}"),
            ("grades with a receipt", f"{standing.receipts:,}"),
            ("last receipt", out.when(standing.last, settings.zone) or "none yet"),
            (f"{unit(settings)}s under way", under_way or "none"),
            (f"{'files' if is_by_files else 'calls'} made today", f"{standing.calls_today:,}"),
        ]
    )
    waiting = [
        (
            each.course,
            ", ".join(f"{count} {kind}" for kind, count in each.counts.items()),
            "; ".join(each.brakes),
            out.when(each.since, settings.zone),
            each.digest,
        )
        for each in standing.waiting
    ]
    yield from out.listed("Waits for approval", WAITING, waiting, limit)
    yield from _hindrances(problems, conflicts, limit)


def _hindrances(
    problems: Sequence[overview.ProblemLine], conflicts: Sequence[overview.ConflictLine], limit: int
) -> Iterator[RenderableType]:
    rows = [(each.course, each.name, each.learner, each.reason.value, each.detail) for each in problems]
    yield from out.listed("In the way", PROBLEMS, rows, limit)
    reasons = Counter(each.reason for each in problems).most_common()
    remedies = [(reason.value, number, reason.meaning, reason.remedy) for reason, number in reasons]
    yield from out.listed("What to do", REMEDIES, remedies, 0)
    yield from out.listed("Changed by somebody in the gradebook", CONFLICTS, [*map(_conflict, conflicts)], limit)


def show_differences(course: str, output: str) -> int:
    """Print how a course differs from its gradebook; return the exit code."""
    settings = load()
    need_learn(settings, "`gradeway publish reconcile`")
    store = Store(settings.database_url).ready()
    with open_learn(store, from_environment(CONNECTION)) as client, out.spinner("comparing"):
        found = reconcile(store, client, settings, course)
    names = [field.title for field in DIFFERENCES]
    rows = [[getattr(each, name) for name in names] for each in found.differences]
    if output == "json":
        listed = [dict(zip(names, row, strict=True)) for row in rows]
        out.print_json({"course": course, "same": found.same, "differences": listed})
    elif output == "csv":
        out.print_csv(names, rows)
    else:
        out.say(*out.listed("Differences", DIFFERENCES, rows, 0), f"{out.count(found.same, 'grade')} the same")
    return FOUND if rows else DONE
