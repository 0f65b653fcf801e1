"""`gradeway aqr`: watch, upload, status and verify."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from gradeway import clock
from gradeway.cli import out
from gradeway.cli.out import Field
from gradeway.cli.shell import DONE, FOUND
from gradeway.custody import overview
from gradeway.custody.custody import Custody, Pass
from gradeway.custody.keep import Keeper, LeftAlone
from gradeway.custody.watch import watch
from gradeway.landing.zone import Zone
from gradeway.settings import Settings, load
from gradeway.store.custody import ResultFile
from gradeway.store.engine import Store
from gradeway.vendors.assessmentq import CONNECTION, AssessmentQ
from gradeway.vendors.connection import from_environment

INBOX = "aqr"
TROUBLES = (Field("file", number=True), Field("state", whole=True), Field("place"), Field("what"))


def watch_folder(folder: Path, seconds: float, output: str) -> int:
    """Watch a folder until a signal; return the exit code."""
    settings = load()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())

    def say(what: str) -> None:
        if output == "json":
            out.print_json({"at": out.iso(clock.now()), "said": what})
        else:
            click.echo(f"{clock.now().astimezone():%Y-%m-%d %H:%M:%S}  {what}")

    with AssessmentQ(from_environment(CONNECTION)) as client:
        custody = Custody(Store(settings.database_url).ready(), client, settings, folder.absolute(), Keeper.as_backup())
        say(f"watching {folder.absolute()}")
        watch(custody, folder.absolute(), max(seconds, settings.aqr_settle_seconds), stop, say)
    say("ended")
    return DONE


def upload_folders(folders: Sequence[Path], output: str) -> int:
    """Send what folders hold, or the inbox; return the exit code."""
    settings = load()
    store = Store(settings.database_url).ready()
    with AssessmentQ(from_environment(CONNECTION)) as client, out.spinner("sending"):
        done = {
            str(folder): Custody(store, client, settings, folder, keeper).once()
            for folder, keeper in _places(folders, settings)
        }
    if output == "json":
        out.print_json({folder: _document(each) for folder, each in done.items()})
    else:
        for folder, each in done.items():
            out.say(*_told(folder, each))
    return DONE if all(each.online and not each.troubles for each in done.values()) else FOUND


def _places(folders: Sequence[Path], settings: Settings) -> list[tuple[Path, Keeper]]:
    if folders:
        return [(folder.absolute(), LeftAlone()) for folder in folders]
    inbox = Zone(settings.landing).inbox(INBOX)
    inbox.mkdir(parents=True, exist_ok=True)
    return [(inbox, Keeper.as_archive(settings.landing / "archive" / INBOX))]


def _document(done: Pass) -> dict[str, Any]:
    return {
        "online": done.online,
        "found": done.found,
        "uploads": dict(sorted(done.outcomes.items())),
        "put_away": done.kept,
        "deleted": done.purged,
        "troubles": done.troubles,
    }


def _told(folder: str, done: Pass) -> list[str]:
    ends = ", ".join(f"{count:,} {what}" for what, count in sorted(done.outcomes.items())) or "nothing to send"
    away = "" if done.online else "; the server cannot be reached: what waits is sent the next time"
    return [f"{folder}: {out.count(done.found, 'result file')}: {ends}; {done.kept:,} put away{away}", *done.troubles]


def show_status(output: str) -> int:
    """Print where the files stand; return the exit code."""
    settings = load()
    with Store.to_read(settings.database_url).session() as session:
        found = overview.standing(session)
        session.expunge_all()
    limit = timedelta(days=settings.aqr_alert_days)
    late = bool(found.waiting_since and clock.now() - found.waiting_since > limit)
    if output == "json":
        out.print_json(
            {
                "files": dict(sorted(found.states.items())),
                "waiting_since": out.iso(found.waiting_since) if found.waiting_since else None,
                "late": late,
                "online": found.online,
                "since": out.iso(found.since) if found.since else None,
                "troubles": [
                    dict(zip((field.title for field in TROUBLES), _row(file), strict=True)) for file in found.troubles
                ],
            }
        )
    else:
        out.say(*_standing_text(found, settings, late=late))
    return FOUND if late or found.troubles else DONE


def _standing_text(found: overview.Standing, settings: Settings, *, late: bool) -> list[Any]:
    states = ", ".join(f"{count:,} {state}" for state, count in sorted(found.states.items())) or "none yet"
    lines: list[Any] = [f"result files: {states}"]
    if found.waiting_since:
        told = f", longer than {settings.aqr_alert_days} days" if late else ""
        lines.append(f"the oldest unsent bytes wait since {out.when(found.waiting_since, settings.zone)}{told}")
    if found.online is not None and found.since:
        lines.append(f"{'online' if found.online else 'offline'} since {out.when(found.since, settings.zone)}")
    if found.troubles:
        lines += [out.heading("Look at"), out.table(TROUBLES, map(_row, found.troubles))]
    return lines


def _row(file: ResultFile) -> list[object]:
    return [file.id, file.state, file.place, file.detail]


def _documents(rows: Iterable[Sequence[object]]) -> list[dict[str, object]]:
    return [{field.title: cell for field, cell in zip(TROUBLES, row, strict=True)} for row in rows]


def verify_files(output: str) -> int:
    """Print what is not as it should be; return the exit code."""
    store = Store(load().database_url).ready()
    with AssessmentQ(from_environment(CONNECTION)) as client, out.spinner("looking"):
        found = [
            [doubt.file.id, doubt.file.state, doubt.file.place, doubt.what] for doubt in overview.doubts(store, client)
        ]
    if output == "json":
        out.print_json({"wrong": _documents(found)})
    else:
        out.say(*([out.table(TROUBLES, found)] if found else ["all files that are done with are as they should be"]))
    return FOUND if found else DONE
