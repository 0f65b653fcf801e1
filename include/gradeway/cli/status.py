"""`gradeway status`: one screen of what is there, what waits, and what a person should do."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import starmap
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from gradeway import clock, feeds
from gradeway.cli import out
from gradeway.cli.admin import hidden
from gradeway.cli.batches import FIELDS, batch_data, batch_row
from gradeway.cli.out import Field
from gradeway.cli.shell import DONE
from gradeway.custody import overview as custody
from gradeway.landing.scan import look
from gradeway.landing.zone import RESULT_FILES, Zone
from gradeway.publish import overview as publishing
from gradeway.settings import Settings, load
from gradeway.store import overview
from gradeway.store.engine import Store
from gradeway.store.overview import Waiting

LAST = 5
GROUPS = 8
RECENT = timedelta(days=7)
EXPIRES_SOON = timedelta(days=7)
SWEEP_OVERDUE = timedelta(minutes=15)
TRANSFER_OVERDUE = timedelta(hours=1)
PARKED = (
    Field("waits for"),
    Field("name"),
    Field("course"),
    Field("rows", number=True),
    Field("since"),
    Field("expires"),
)


@dataclass(frozen=True)
class Inbox:
    """What stands in one inbox: files to take, transfers that are left alone until they end, folders never taken."""

    name: str
    files: int
    oldest: datetime | None
    transfers: int
    oldest_transfer: datetime | None
    folders: int


@dataclass(frozen=True)
class Attention:
    """Something a person should know, and what to do about it."""

    what: str
    remedy: str


def show_status(output: str) -> int:
    """Print the status; return the exit code."""
    settings = load()
    feeds.check(settings)
    store = Store.to_read(settings.database_url)
    inboxes = [_look(path) for path in _folders(settings)]
    with store.session() as session:
        document = _document(session, settings, inboxes)
    if output == "json":
        out.print_json(document)
    else:
        _print(document, settings)
    return DONE


def _folders(settings: Settings) -> list[Path]:
    root = Zone(settings.landing).inbox("grades").parent
    # what lies in that of the result files, `gradeway aqr status` tells
    return (
        sorted(path for path in root.iterdir() if path.is_dir() and path.name != RESULT_FILES) if root.is_dir() else []
    )


def _look(inbox: Path) -> Inbox:
    entries = look(inbox)
    seen = {entry.name for entry in entries}
    with os.scandir(inbox) as found:
        unseen = [entry for entry in found if entry.name not in seen]
    others = [entry for entry in unseen if not entry.is_dir(follow_symlinks=False)]
    times = [changed for entry in others if (changed := _changed(entry)) is not None]
    return Inbox(
        inbox.name,
        len(entries),
        min((_instant(entry.changed_ns) for entry in entries), default=None),
        len(others),
        min(times, default=None),
        sum(1 for entry in unseen if entry.is_dir(follow_symlinks=False)),
    )


def _changed(entry: os.DirEntry[str]) -> datetime | None:
    try:
        return _instant(entry.stat(follow_symlinks=False).st_ctime_ns)
    except FileNotFoundError:
        return None


def _instant(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)


def _document(session: Session, settings: Settings, inboxes: list[Inbox]) -> dict[str, Any]:
    waiting = overview.waiting(session)
    attention = [*_of_landing(inboxes), *_of_batches(session), *_of_waiting(waiting, settings)]
    attention += [*_of_plans(session), *_of_result_files(session, settings)]
    attention += starmap(Attention, publishing.needs(session, settings.publish_target.value, settings))
    return {
        "store": hidden(settings.database_url),
        "landing": str(settings.landing),
        "inbox": [_inbox(inbox) for inbox in inboxes],
        "batches": overview.states(session),
        "parked": {
            "rows": sum(group.rows for group in waiting),
            "groups": [_group(group, settings) for group in waiting],
        },
        "last": [batch_data(batch, settings) for batch in overview.batches(session, LAST)],
        "attention": [{"what": item.what, "remedy": item.remedy} for item in attention],
    }


def _of_plans(session: Session) -> Iterator[Attention]:
    for plan in overview.waiting_plans(session):
        yield Attention(
            f"{out.count(len(plan.content['changes']), 'change')} of exams wait for approval",
            "answer in Airflow (Required Actions of approve_sessions), or look with `gradeway sessions plan`",
        )


def _of_result_files(session: Session, settings: Settings) -> Iterator[Attention]:
    found = custody.standing(session, settings)
    if found.untaken_since and clock.now() - found.untaken_since > SWEEP_OVERDUE:
        yield Attention(
            f"result files of offline exams in inbox {RESULT_FILES}, not taken up for {out.age(found.untaken_since)}",
            "see that Airflow is running and has a Connection gradeway_assessmentq, or run `gradeway aqr upload`",
        )
    if found.late and found.waiting_since:
        yield Attention(
            f"a result file of an offline exam is unsent for {out.age(found.waiting_since)}",
            "see that assessmentQ can be reached; `gradeway aqr status` tells more",
        )
    if found.overdue:
        yield Attention(
            f"{out.count(found.overdue, 'result')} of offline exams missing for over {settings.aqr_alert_days} days",
            "`gradeway aqr missing` names them; look on the exams' own computers before the files are deleted there",
        )
    if found.unreadable:
        yield Attention(
            f"{out.count(found.unreadable, 'folder')} of result files in inbox {RESULT_FILES} cannot be read",
            "let Gradeway read them, or take them away: what is in them is not sent",
        )
    if found.troubles:
        yield Attention(
            f"{out.count(len(found.troubles), 'result file')} of offline exams to look at",
            "`gradeway aqr status` says which, and why",
        )


def _inbox(inbox: Inbox) -> dict[str, Any]:
    return {
        "inbox": inbox.name,
        "files": inbox.files,
        "oldest": out.iso(inbox.oldest),
        "transfers": inbox.transfers,
        "oldest_transfer": out.iso(inbox.oldest_transfer),
        "folders": inbox.folders,
    }


def _group(group: Waiting, settings: Settings) -> dict[str, Any]:
    return {
        "for": group.parent,
        "course": group.course,
        "name": group.name,
        "rows": group.rows,
        "since": out.iso(group.since),
        "expires": out.iso(_expiry(group, settings)),
    }


def _expiry(group: Waiting, settings: Settings) -> datetime:
    return group.since + timedelta(days=settings.parked_days)


def _of_landing(inboxes: Iterable[Inbox]) -> Iterator[Attention]:
    now = clock.now()
    for inbox in inboxes:
        if inbox.oldest and now - inbox.oldest > SWEEP_OVERDUE:
            yield Attention(
                f"{out.count(inbox.files, 'file')} in inbox {inbox.name}, the oldest for {out.age(inbox.oldest)}",
                "see that Airflow is running, or run `gradeway sweep`",
            )
        if inbox.oldest_transfer and now - inbox.oldest_transfer > TRANSFER_OVERDUE:
            yield Attention(
                f"a transfer into inbox {inbox.name} has not ended for {out.age(inbox.oldest_transfer)}",
                "ask the sender to send the file again; hidden files and .part, .tmp are never taken",
            )

        if inbox.folders:
            yield Attention(
                f"{out.count(inbox.folders, 'folder')} in inbox {inbox.name}",
                "folders are never taken: move the files in them into the inbox itself",
            )


def _of_batches(session: Session) -> Iterator[Attention]:
    for batch in overview.unfinished(session):
        if batch.failures:
            yield Attention(
                f"batch {batch.id} failed {out.count(batch.failures, 'time')} ({batch.last_failure})",
                "it is tried again; the log of its run tells more",
            )
        elif clock.now() - batch.claimed_at > SWEEP_OVERDUE:
            yield Attention(
                f"batch {batch.id} is claimed and not loaded for {out.age(batch.claimed_at)}",
                "a sweep takes it up again: see that Airflow is running, or run `gradeway sweep`",
            )
    if wrong := overview.unbalanced(session):
        yield Attention(f"batches that do not add up: {', '.join(map(str, wrong))}", "tell the administrator")
    yield from _of_recent(session)


def _of_recent(session: Session) -> Iterator[Attention]:
    recent = overview.recent(session, clock.now() - RECENT)
    if recent.refused:
        yield Attention(
            f"{out.count(recent.refused, 'file')} refused in the last {RECENT.days} days",
            "`gradeway batches --state refused` lists them, `gradeway show BATCH` says why",
        )
    if recent.rejected_rows:
        among = out.count(recent.rejected_batches, "batch", "batches")
        yield Attention(
            f"{out.count(recent.rejected_rows, 'row')} rejected in {among} in the last {RECENT.days} days",
            "correct their reject files and drop them back; `gradeway batches --rejects` lists them",
        )


def _of_waiting(waiting: Iterable[Waiting], settings: Settings) -> Iterator[Attention]:
    soon = [group for group in waiting if _expiry(group, settings) - clock.now() < EXPIRES_SOON]
    if soon:
        yield Attention(
            f"{out.count(sum(group.rows for group in soon), 'parked row')} will expire within {EXPIRES_SOON.days} days",
            "send the schemas (.sch) and columns (.colnc, .col, .asg) they wait for",
        )


def _print(document: dict[str, Any], settings: Settings) -> None:
    states = ", ".join(f"{count:,} {state}" for state, count in document["batches"].items() if count)
    pairs: list[tuple[str, object]] = [("store", document["store"]), ("landing zone", document["landing"])]
    pairs += [(f"inbox {item['inbox']}", _inbox_line(item)) for item in document["inbox"]]
    pairs += [("batches", states or "none yet"), ("parked", _parked_line(document["parked"]))]
    out.say(out.facts(pairs))
    if groups := document["parked"]["groups"]:
        rows = [_parked_row(group, settings) for group in groups[:GROUPS]]
        out.say(out.heading("Parked rows"), out.table(PARKED, rows))
        if len(groups) > GROUPS:
            out.say(f"... and {len(groups) - GROUPS:,} more (--format json lists all)")
    if document["last"]:
        out.say(out.heading("Last batches"), out.table(FIELDS, map(batch_row, document["last"])))
    out.say(out.heading("Needs attention"))
    for item in document["attention"]:
        out.say(f"- {item['what']}\n  {item['remedy']}")
    if not document["attention"]:
        out.say("nothing")


def _inbox_line(item: dict[str, Any]) -> str:
    files = out.count(item["files"], "file")
    oldest = f", the oldest for {out.age(datetime.fromisoformat(item['oldest']))}" if item["oldest"] else ""
    transfers = f"; {out.count(item['transfers'], 'transfer')} under way" if item["transfers"] else ""
    return f"{files}{oldest}{transfers}"


def _parked_line(parked: dict[str, Any]) -> str:
    return out.count(parked["rows"], "row") if parked["rows"] else "none"


def _parked_row(group: dict[str, Any], settings: Settings) -> list[object]:
    since, expires = (out.when(datetime.fromisoformat(group[name]), settings.zone) for name in ("since", "expires"))
    return [group["for"], group["name"], group["course"], group["rows"], since, expires]
