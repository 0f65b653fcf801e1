"""`gradeway results`, `gradeway sessions report` and `gradeway launch`."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import click

from gradeway.cli import out
from gradeway.cli.batches import FIELDS, batch_data, batch_row
from gradeway.cli.out import Field
from gradeway.cli.shell import DONE, FOUND, Refusal
from gradeway.errors import LaunchError
from gradeway.results import overview
from gradeway.results.launch import launch
from gradeway.results.overview import Line, State
from gradeway.settings import Settings, load
from gradeway.store.engine import Store
from gradeway.vendors.connection import from_environment
from gradeway.vendors.questionmark import CONNECTION, Questionmark

log = logging.getLogger(__name__)

ID_DIGITS = 9
STATUSES = {
    None: "no result yet",
    0: "begun",
    1: "in progress",
    2: "finished",
    3: "finished after a limit",
    4: "submitted at the limit",
    5: "quit",
    6: "paused by the proctor",
    7: "ended by the proctor",
    9: "scanned",
}
ATTENTION = (
    Field("session"),
    Field("schedule", number=True),
    Field("attempt", number=True),
    Field("status"),
    Field("since"),
)
UNMAPPED = (Field("session"), Field("assessment"), Field("results", number=True), Field("since"), Field("expires"))
REPORT = (
    Field("learner"),
    Field("attempt", number=True),
    Field("status"),
    Field("state"),
    Field("score", number=True),
    Field("maximum", number=True),
    Field("band"),
    Field("finished"),
    Field("counts"),
)
QUEUES = {
    "review": "Wait for a decision (see the reject files of the batches of results)",
    "stale": "Have not ended for days (the delivery system may never hear of them again)",
    "withdrawn": "Count no longer, but their grades are there (see to these grades by hand)",
}


@contextmanager
def questionmark(settings: Settings) -> Iterator[Questionmark]:
    """Open the delivery system of the connection."""
    with Questionmark(from_environment(CONNECTION), zone=settings.results_zone) as client:
        yield client


def collect_results(output: str, *, full: bool, sweep: bool) -> int:
    """Collect once, sweep if asked to, and print what was done; return the exit code."""
    from gradeway.results.collect import collect

    settings = load()
    store = Store(settings.database_url).ready()
    with questionmark(settings) as client, out.spinner("reading attempts"):
        done = collect(store, client, settings, full=full)
    batches, failures = swept(settings) if sweep else ([], [])
    document = asdict(done) | ({"batches": batches, "failures": failures} if sweep else {})
    if output == "json":
        out.print_json(document)
    else:
        _print_collected(document)
    bad = done.failed or done.without_learner or failures
    return FOUND if bad or any(map(has_rejects, batches)) else DONE


def has_rejects(batch: Mapping[str, Any]) -> bool:
    """Return whether something of a batch was rejected, or all of it refused."""
    return bool(batch["rows"]["rejected"]) or batch["state"] == "refused"


def swept(settings: Settings) -> tuple[list[dict[str, Any]], list[str]]:
    """Take in what lies in the inbox of results; return the batches, and what failed."""
    from gradeway.intake import Intake
    from gradeway.store import overview as batches

    intake = Intake(settings)
    done = intake.sweep(log.info, "results")
    with intake.store.session() as session:
        found = [batch_data(batch, settings) for batch in batches.by_number(session, done.batches)]
    return found, [str(error) for error in done.failed]


def _print_collected(done: dict[str, Any]) -> None:
    read = f"{out.count(done['attempts'], 'attempt')} on {out.count(done['schedules'], 'schedule')} read"
    out.say(f"{read}; {done['changed']:,} new or changed")
    handed = f"{out.count(done['handed_over'], 'result')} handed over"
    for_review = f", {done['for_review']:,} of them for review" if done["for_review"] else ""
    out.say(f"{handed}{for_review}: {done['file']}" if done["file"] else "no result to hand over")
    for line in _remarks(done):
        out.say(line)
    if done.get("batches"):
        out.say(out.table(FIELDS, map(batch_row, done["batches"])))


def _remarks(done: dict[str, Any]) -> Iterator[str]:
    if done["without_learner"]:
        yield (
            f"{out.count(done['without_learner'], 'result')} of participants without an identifier will be rejected: "
            "fill it there, or set GRADEWAY_QUESTIONMARK_LEARNER, then collect with --full"
        )
    if done["withdrawn"]:
        yield f"{out.count(done['withdrawn'], 'result')} no longer counted: `gradeway results status` lists them"
    if done["hours_off"]:
        yield (f"results seem to be {done['hours_off']:+d} hours off: check GRADEWAY_QUESTIONMARK_RESULTS_TIME_ZONE")
    yield from (f"not read: {failure}" for failure in done["failed"])
    yield from done.get("failures", ())


def show_status(limit: int, output: str) -> int:
    """Print where attempts stand; return the exit code."""
    settings = load()
    with Store.to_read(settings.database_url).session() as session:
        document = _status(overview.lines(session, settings), settings)
        waiting = timedelta(days=settings.parked_days)
        document["unmapped"] = [
            {
                "session": each.session,
                "assessment": each.assessment,
                "results": each.rows,
                "since": out.iso(each.since),
                "expires": out.iso(each.since + waiting),
            }
            for each in overview.unmapped(session)
        ]
    if output == "json":
        out.print_json(document)
    else:
        _print_status(document, limit, settings)
    return DONE


def _status(lines: Iterable[Line], settings: Settings) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    queues: dict[str, list[dict[str, Any]]] = {name: [] for name in QUEUES}
    for line in lines:
        counts[line.state] += 1
        if queue := _queue(line):
            queues[queue].append(_attention(line))
    return {"attempts": {str(state): counts[state] for state in State}, **queues}


def _queue(line: Line) -> str:
    if line.is_withdrawn:
        return "withdrawn"
    if line.state is State.REVIEW and line.counts:
        return "review"
    return "stale" if line.state is State.STALE else ""


def _attention(line: Line) -> dict[str, Any]:
    attempt = line.attempt
    return {
        "session": line.session,
        "schedule": attempt.schedule_id,
        "attempt": attempt.attempt,
        "status": attempt.status,
        "since": out.iso(attempt.finished_at or attempt.started_at or attempt.seen_at),
    }


def _print_status(document: dict[str, Any], limit: int, settings: Settings) -> None:
    states = ", ".join(f"{count:,} {state}" for state, count in document["attempts"].items() if count)
    out.say(f"attempts: {states or 'none yet'}")
    for name, title in QUEUES.items():
        _print_list(title, ATTENTION, [_attention_row(item, settings) for item in document[name]], limit)
    rows = [
        [
            item["session"],
            item["assessment"],
            item["results"],
            *(_local(item[name], settings) for name in ("since", "expires")),
        ]
        for item in document["unmapped"]
    ]
    keys = f"{settings.results_session_key}= or {settings.results_assessment_key}="
    _print_list(f"No column takes them (declare {keys} in a column's optionalData)", UNMAPPED, rows, limit)


def _attention_row(item: dict[str, Any], settings: Settings) -> list[object]:
    status = STATUSES.get(item["status"], item["status"])
    return [item["session"], item["schedule"], item["attempt"], status, _local(item["since"], settings)]


def _print_list(title: str, fields: tuple[Field, ...], rows: list[list[object]], limit: int) -> None:
    if rows:
        shown = rows[: limit or None]
        out.say(out.heading(title), out.table(fields, shown))
        if len(shown) < len(rows):
            out.say(f"... and {len(rows) - len(shown):,} more (--limit 0 shows all)")


def _local(text: str | None, settings: Settings) -> str:
    return out.when(datetime.fromisoformat(text), settings.zone) if text else ""


def report_sessions(name: str, schedule: int | None, output: str) -> int:
    """Print the attempts on each schedule; return the exit code."""
    settings = load()
    with Store.to_read(settings.database_url).session() as session:
        found: dict[int, dict[str, Any]] = {
            key: {"session": of, "schedule": key, "attempts": []}
            for of, key in overview.schedules(session, name=name, schedule=schedule)
        }
        for line in overview.lines(session, settings, name=name, schedule=schedule):
            found[line.attempt.schedule_id]["attempts"].append(_told(line))
    if not found and (name or schedule is not None):
        msg = "no session of that name has a schedule" if name else f"schedule {schedule} is none of ours"
        raise Refusal(msg)
    if output == "json":
        out.print_json({"schedules": list(found.values())})
    else:
        _print_report(found.values(), settings)
    return DONE


def _told(line: Line) -> dict[str, Any]:
    attempt = line.attempt
    return {
        "learner": attempt.learner,
        "attempt": attempt.attempt,
        "number": attempt.number,
        "status": attempt.status,
        "state": str(line.state),
        "score": attempt.total,
        "maximum": attempt.maximum,
        "band": attempt.band,
        "started": out.iso(attempt.started_at),
        "finished": out.iso(attempt.finished_at),
        "counts": line.counts,
    }


def _print_report(schedules: Iterable[dict[str, Any]], settings: Settings) -> None:
    for item in schedules:
        attempts = item["attempts"]
        title = f"{item['session']} (schedule {item['schedule']}): {out.count(len(attempts), 'attempt')}"
        out.say(out.heading(title))
        if attempts:
            out.say(out.table(REPORT, [_report_row(attempt, settings) for attempt in attempts]))
    if not schedules:
        out.say("no session has a schedule yet: `gradeway sessions apply` makes them")


def _report_row(attempt: dict[str, Any], settings: Settings) -> list[object]:
    plain = [attempt[name] for name in ("state", "score", "maximum", "band")]
    status = STATUSES.get(attempt["status"], attempt["status"])
    counts = "yes" if attempt["counts"] else ""
    return [attempt["learner"], attempt["number"], status, *plain, _local(attempt["finished"], settings), counts]


def print_launch(schedule: str, learner: str, output: str) -> int:
    """Print a participant's link and nothing else; return the exit code."""
    settings = load()
    number = _schedule_id(schedule, settings)
    with questionmark(settings) as client:
        try:
            link = launch(client, number, learner).reveal()
        except LaunchError as error:
            raise Refusal(str(error)) from None
    if output == "json":
        out.print_json({"url": link})
    else:
        click.echo(link)
    return DONE


def _schedule_id(schedule: str, settings: Settings) -> int:
    with Store.to_read(settings.database_url).session() as session:
        found = overview.schedules(session, name=schedule)
    if found:
        return found[0][1]
    if schedule.isascii() and schedule.isdecimal() and len(schedule) <= ID_DIGITS:
        return int(schedule)
    msg = "no session of that name has a schedule"
    raise Refusal(msg)
