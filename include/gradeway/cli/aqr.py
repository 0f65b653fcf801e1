"""`gradeway aqr`: watch, upload, status and verify."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from gradeway import clock
from gradeway.cli import out
from gradeway.cli.out import Field
from gradeway.cli.shell import DONE, FOUND
from gradeway.custody import expected, ledger, overview
from gradeway.custody.custody import Custody, Pass
from gradeway.custody.keep import Keeper, LeftAlone
from gradeway.custody.watch import ready_store, watch
from gradeway.errors import SettingsError, VendorError
from gradeway.settings import Settings, load
from gradeway.store.custody import ExpectedSitting, FileState, ResultFile
from gradeway.store.engine import Store
from gradeway.vendors.assessmentq import CONNECTION, AssessmentQ
from gradeway.vendors.connection import from_environment, is_set

MISSING = (
    Field("number", number=True),
    *map(Field, ("exam", "learner", "access code", "sitting", "state", "since", "reason")),
)
TROUBLES = (Field("file", number=True), Field("state", whole=True), Field("place"), Field("what"))
DISMISSING = "`gradeway aqr dismiss NUMBER` takes a file off this list, with --again it is sent once more"


def watch_folder(folder: Path, seconds: float, output: str) -> int:
    """Watch a folder until a signal; return the exit code."""
    settings = load()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())

    def say(what: str) -> None:
        if output == "json":
            click.echo(json.dumps({"at": out.iso(clock.now()), "said": what}))
        else:
            click.echo(f"{clock.now().astimezone():%Y-%m-%d %H:%M:%S}  {what}")

    with AssessmentQ(from_environment(CONNECTION)) as client:
        _refuse_endless(client)
        store = ready_store(settings.database_url, stop, say)
        if store is None:
            return DONE
        folder = _named(folder)
        custody = Custody(store, client, settings, folder, Keeper.as_backup())
        say(f"watching {folder}")
        watch(custody, folder, max(seconds, settings.aqr_settle_seconds), stop, say)
    say("ended")
    return DONE


def _named(folder: Path) -> Path:
    """Return a folder by the one name that it has however it was written."""
    return Path(os.path.normcase(folder.resolve()))


def _refuse_endless(client: AssessmentQ) -> None:
    """Refuse a profile by which no exam would ever be known to have ended.

    Raises:
        SettingsError: it is one.
    """
    if not client.profile.tells_ends:
        msg = (
            f"connection {CONNECTION}: correct the profile in its extra: give final_key or sitting_key, else no exam "
            "would ever be known to have ended, and no file put away"
        )
        raise SettingsError(msg)


def upload_folders(folders: Sequence[Path], output: str) -> int:
    """Send what folders hold, or the inbox; return the exit code."""
    settings = load()
    store = Store(settings.database_url).ready()
    with AssessmentQ(from_environment(CONNECTION)) as client, out.spinner("sending"):
        every = [Custody(store, client, settings, _named(folder), LeftAlone()) for folder in folders]
        done = {each.folder: each.once() for each in every or [Custody.of_inbox(store, client, settings)]}
    waiting = {folder: len(ledger.files(store, folder, FileState.WAITING)) for folder in done}
    with store.session() as session:
        needed = {each.folder for each in overview.standing(session, settings).troubles} & done.keys()
    if output == "json":
        out.print_json({folder: _document(each, waiting[folder]) for folder, each in done.items()})
    else:
        for folder, each in done.items():
            out.say(*_told(folder, each, waiting[folder]))
        if needed:
            out.say("files need a person: `gradeway aqr status` lists them")
    left = any(waiting.values()) or any(not each.online or each.moving or each.troubles for each in done.values())
    return FOUND if left or needed else DONE


def _document(done: Pass, waiting: int) -> dict[str, Any]:
    return {
        "online": done.online,
        "found": done.found,
        "uploads": dict(sorted(done.outcomes.items())),
        "waiting": waiting,
        "still_written": done.moving,
        "put_away": done.kept,
        "deleted": done.purged,
        "others": done.others,
        "troubles": done.troubles,
    }


def _told(folder: str, done: Pass, waiting: int) -> list[str]:
    ends = [f"{count:,} {what}" for what, count in sorted(done.outcomes.items())]
    ends += [f"{waiting:,} still to send"] if waiting else []
    ends += [f"{done.moving:,} still being written"] if done.moving else []
    away = (
        "" if done.online else "; the server cannot be reached (`gradeway aqr status` says why), what waits goes later"
    )
    told = f"{', '.join(ends) or 'nothing to send'}; {done.kept:,} put away{away}"
    others = [_others(done.others, folder)] if done.others else []
    return [f"{folder}: {out.count(done.found, 'result file')}: {told}", *others, *done.troubles]


def _others(count: int, where: str) -> str:
    return f"{out.count(count, 'other file')} in {where}: only .aqr is sent, and no link, so rename .bak files to that"


def show_status(output: str) -> int:
    """Print where the files stand; return the exit code."""
    settings = load()
    with Store.to_read(settings.database_url).session() as session:
        found = overview.standing(session, settings)
        session.expunge_all()
    if output == "json":
        out.print_json(
            {
                "files": dict(sorted(found.states.items())),
                "waiting_since": out.iso(found.waiting_since),
                "late": found.late,
                "online": found.reach and found.reach.online,
                "since": out.iso(found.reach.since) if found.reach else None,
                "seen_at": out.iso(found.reach.seen_at) if found.reach else None,
                "detail": found.reach.detail if found.reach else "",
                "expected": dict(sorted(found.expected.items())),
                "overdue": found.overdue,
                "compared_at": out.iso(found.compared_at),
                "unreadable": found.unreadable,
                "others": found.others,
                "troubles": _documents(TROUBLES, map(_row, found.troubles)),
            }
        )
    else:
        out.say(*_standing_text(found, settings))
    return FOUND if found.late or found.overdue or found.unreadable or found.troubles else DONE


def _standing_text(found: overview.Standing, settings: Settings) -> list[Any]:
    states = ", ".join(f"{count:,} {state}" for state, count in sorted(found.states.items())) or "none yet"
    lines: list[Any] = [f"result files: {states}"]
    if found.waiting_since:
        told = f", longer than {settings.aqr_alert_days} days" if found.late else ""
        lines.append(f"the oldest unsent bytes wait since {out.when(found.waiting_since, settings.zone)}{told}")
    if found.unreadable:
        lines.append(f"{out.count(found.unreadable, 'folder')} in the inbox cannot be read: let Gradeway read them")
    if found.others:
        lines.append(_others(found.others, "the inbox"))
    if reach := found.reach:
        online = "online" if reach.online else "offline"
        since, seen_at = (out.when(moment, settings.zone) for moment in (reach.since, reach.seen_at))
        detail = f": {reach.detail}" if reach.detail else ""
        lines.append(f"{online} since {since}, as last seen {seen_at}{detail}")
    if found.expected:
        told = ", ".join(f"{count:,} {state}" for state, count in sorted(found.expected.items()))
        overdue = f"; {found.overdue:,} for longer than {settings.aqr_alert_days} days" if found.overdue else ""
        lacking = any(found.expected[state] for state in expected.LACKING)
        whose = "; `gradeway aqr missing` names who is missing or unfinished" if lacking else ""
        compared = f"as compared on {out.when(found.compared_at, settings.zone)}"
        lines.append(f"sittings: {told}{overdue}, {compared}{whose}")
    if found.troubles:
        lines += [out.heading("Look at"), out.table(TROUBLES, map(_row, found.troubles)), DISMISSING]
    return lines


def _row(file: ResultFile) -> list[object]:
    return [file.id, file.state, file.place, file.detail]


def _documents(fields: Sequence[Field], rows: Iterable[Sequence[object]]) -> list[dict[str, object]]:
    return [{field.title: cell for field, cell in zip(fields, row, strict=True)} for row in rows]


@contextmanager
def _client_if_any() -> Iterator[AssessmentQ | None]:
    if not is_set(CONNECTION):
        yield None
        return
    with AssessmentQ(from_environment(CONNECTION)) as client:
        yield client


def show_missing(output: str, *, every: bool) -> int:
    """Compare what is expected with what came, and print what is missing; return the exit code."""
    settings = load()
    store = Store(settings.database_url).ready()
    with _client_if_any() as client, out.spinner("comparing"):
        counts = expected.compare(store, client, settings)
    with store.session() as session:
        lacking = expected.lacking(session, settings, states=expected.ENDLESS if every else expected.LACKING)
    if output == "json":
        rows = [_sitting(each, state, out.iso(each.since)) for each, state in lacking]
        out.print_json({"sittings": dict(sorted(counts.items())), "missing": _documents(MISSING, rows)})
    else:
        told = ", ".join(f"{count:,} {state}" for state, count in sorted(counts.items())) or "nobody is expected"
        rows = [_sitting(each, state, out.when(each.since, settings.zone)) for each, state in lacking]
        out.say(f"sittings: {told}", *([out.table(MISSING, rows)] if rows else []))
    return FOUND if any(counts[state] for state in expected.LACKING) else DONE


def _sitting(each: ExpectedSitting, state: str, since: str | None) -> list[object]:
    return [each.id, each.exam, each.learner, each.access_code, each.sitting, state, since, each.reason]


def verify_files(output: str) -> int:
    """Print what is not as it should be; return the exit code."""
    store = Store(load().database_url).ready()
    found: list[list[object]] = []
    unasked = ""
    with _client_if_any() as client, out.spinner("looking"):
        try:
            for doubt in overview.doubts(store, client):
                found.append([*_row(doubt.file)[:-1], doubt.what])
        except VendorError as error:
            unasked = str(error)
        if client is None:
            unasked = f"there is no connection {CONNECTION}"
        elif not client.can_ask:
            unasked = f"received_path is not set in the profile of the Connection {CONNECTION}"
    if output == "json":
        out.print_json({"wrong": _documents(TROUBLES, found), "unasked": unasked})
    else:
        good = "the files are here" if unasked else "all files that are done with are as they should be"
        out.say(*([out.table(TROUBLES, found)] if found else [good]))
        out.say(*([f"what the server has is not known: {unasked}"] if unasked else []))
    return FOUND if found or unasked else DONE


def dismiss_files(numbers: Sequence[int], output: str, *, again: bool) -> int:
    """Take files off the list of those to look at; return the exit code."""
    store = Store(load().database_url).ready()
    unknown = [number for number in numbers if not ledger.dismiss(store, number, again=again)]
    return _tell_dismissed(numbers, unknown, ("result file", "to be sent again", "status"), output, again=again)


def dismiss_sittings(numbers: Sequence[int], reason: str, output: str) -> int:
    """Await no more of sittings, or by no reason expect them again; return the exit code."""
    store = Store(load().database_url).ready()
    unknown = [number for number in numbers if not expected.dismiss(store, number, reason)]
    return _tell_dismissed(numbers, unknown, ("sitting", "expected again", "missing"), output, again=not reason)


def _tell_dismissed(
    numbers: Sequence[int], unknown: Sequence[int], words: tuple[str, str, str], output: str, *, again: bool
) -> int:
    thing, undone, command = words
    done = len(numbers) - len(unknown)
    if output == "json":
        out.print_json({"dismissed": done, "unknown": unknown})
    else:
        remedy = f"`gradeway aqr {command}` numbers them"
        told = [f"there is no {thing.split()[-1]} {number}; {remedy}" for number in unknown]
        out.say(f"{out.count(done, thing)} {undone if again else 'dismissed'}", *told)
    return FOUND if unknown else DONE
