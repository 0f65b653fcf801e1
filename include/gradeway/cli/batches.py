"""`gradeway batches` and `gradeway show`; how a batch is told in every command."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import click

from gradeway.checks.verdict import verdict
from gradeway.cli import out
from gradeway.cli.out import Field
from gradeway.cli.shell import DONE
from gradeway.feeds import FEEDS, suffix_of
from gradeway.landing.zone import Zone
from gradeway.settings import Settings, load
from gradeway.store import ledger, overview
from gradeway.store.engine import Store
from gradeway.store.models import Batch

COUNTS = ("in", "applied", "unchanged", "rejected", "parked")
FIELDS = (
    Field("batch", number=True),
    Field("file"),
    Field("feed", wide_only=True),
    Field("state"),
    *(Field(name, number=True) for name in COUNTS),
)
REASONS = (
    Field("code", whole=True),
    Field("level"),
    Field("rows", number=True),
    Field("meaning", wide_only=True),
    Field("remedy"),
)
NOTES = {
    "duplicate_of": "the same bytes as batch",
    "replay_of": "once more the bytes of batch",
    "undo_of": "undo of batch",
    "undone_by": "undone by batch",
}
MORE = "--limit 0 shows the first 1,000; the reject file has every rejected row"
WAITING = (Field("waits for"), Field("name"), Field("course"), Field("rows", number=True), Field("since"))


def batch_data(batch: Batch, settings: Settings) -> dict[str, Any]:
    """Return a batch as plain data for JSON."""
    paths = paths_of(batch, settings)
    return {
        "batch": batch.id,
        "file": batch.file_name,
        "feed": batch.feed,
        "state": batch.state,
        "claimed_at": out.iso(batch.claimed_at),
        "loaded_at": out.iso(batch.loaded_at),
        "rows": {"in": batch.rows_in} | {name: getattr(batch, name) for name in COUNTS[1:]},
        "balanced": batch.balanced,
        "reasons": dict(sorted(batch.reasons.items())),
        "duplicate_of": batch.duplicate_of,
        "replay_of": batch.replay_of,
        "undo_of": batch.undo_of,
        "undone_by": batch.undone_by,
        "failures": batch.failures,
        "report": paths["report"],
        "reject_file": paths["reject_file"],
    }


def paths_of(batch: Batch, settings: Settings) -> dict[str, str | None]:
    """Return where a batch's outputs and its landed bytes are, None for what is not there."""
    folder = Zone(settings.landing).report(batch.id, batch.file_name, batch.claimed_at.date())
    paths = {
        "report": folder / "report.html",
        "report_json": folder / "report.json",
        "reject_file": folder / f"rejects-{batch.id}{suffix_of(batch.feed)}",
        "landed_bytes": settings.landing / batch.place,
    }
    there = {name: str(path) if path.exists() else None for name, path in paths.items()}
    return there | {"landed_bytes": None} if batch.undo_of else there


def batch_row(item: dict[str, Any]) -> list[object]:
    """Return the cells of a batch's row in a table of `FIELDS`."""
    return [item["batch"], item["file"], item["feed"], _standing(item), *(item["rows"][name] for name in COUNTS)]


def _standing(item: dict[str, Any]) -> str:
    """Say in the table how a batch stands: its state, or that it is an undo or was undone."""
    if item["undo_of"]:
        return f"undo of batch {item['undo_of']}"
    if item["undone_by"] and not item["duplicate_of"]:
        return f"undone by batch {item['undone_by']}"
    return str(item["state"])


def list_batches(limit: int, feed: str | None, state: str | None, output: str, *, rejects: bool) -> int:
    """Print the newest batches; return the exit code."""
    settings = load()
    if feed is not None and feed not in FEEDS:
        msg = f"there is no feed {feed!r}; the feeds are {', '.join(FEEDS)}"
        raise click.BadParameter(msg, param_hint="--feed")
    with Store.to_read(settings.database_url).session() as session:
        found = overview.batches(session, limit, feed=feed, state=state, rejects=rejects)
        items = [batch_data(batch, settings) for batch in found]
        landed = [out.when(batch.claimed_at, settings.zone) for batch in found]
    if output == "json":
        out.print_json({"batches": items})
    elif not items:
        out.say("no such batch" if feed or state or rejects else "no batch yet: drop files and run `gradeway sweep`")
    else:
        rows = [[*batch_row(item), since] for item, since in zip(items, landed, strict=True)]
        out.say(out.table((*FIELDS, Field("landed", wide_only=True)), rows))
    return DONE


def show_batch(batch_id: int, limit: int, output: str) -> int:
    """Print the report of one batch; return the exit code."""
    from gradeway.checks.report import report  # brings pandas, which the list of batches needs not

    settings = load()
    with Store.to_read(settings.database_url).session() as session:
        batch = ledger.get(session, batch_id)
        content = report(session, batch) | {"paths": paths_of(batch, settings)}
    content["findings"] = content["findings"][: limit or None]
    if output == "json":
        out.print_json(content)
    else:
        _print(content, settings)
    return DONE


def _print(content: dict[str, Any], settings: Settings) -> None:
    found = verdict(content)
    out.say(found.sentence, *(f"- {step}" for step in found.steps), "")
    out.say(out.facts(list(_facts(content, settings))))
    if content["reasons"]:
        rows = [[item[field.title] for field in REASONS] for item in content["reasons"]]
        out.say(out.heading("Reasons"), out.table(REASONS, rows))
    if content["waiting"]:
        out.say(out.heading("Parked"), out.table(WAITING, _waiting(content["waiting"], settings)))
    if content["findings"]:
        from gradeway.cli.checking import print_findings

        out.say(out.heading("Findings"))
        print_findings(content["findings"], content["findings_total"], MORE)


def _facts(content: dict[str, Any], settings: Settings) -> Iterable[tuple[str, object]]:
    rows = content["rows"]
    yield "batch", f"{content['batch']}  {content['state']}"
    yield "file", f"{content['file']}  ({content['title']}, {out.count(content['bytes'], 'byte')})"
    yield "sha256", content["sha256"]
    yield "landed", _local(content["claimed_at"], settings)
    yield "loaded", _local(content["loaded_at"], settings) or "no"
    for name, text in NOTES.items():
        if content[name]:
            yield "note", f"{text} {content[name]}"
    if content["failures"]:
        yield "failures", f"{content['failures']} ({content['last_failure'] or 'over'})"
    yield "rows", identity(rows) + ("" if content["balanced"] else "  DOES NOT ADD UP: tell the administrator")
    yield "applied", f"{rows['created']:,} created, {rows['updated']:,} updated"
    yield "unchanged", f"{rows['duplicates']:,} of them repeated, {rows['superseded']:,} overtaken by a newer batch"
    for name, path in content["paths"].items():
        yield name.replace("_", " "), path or "none"


def identity(rows: dict[str, int]) -> str:
    """Return the accounting of rows as one sum."""
    return f"in {rows['in']:,} = " + " + ".join(f"{name} {rows[name]:,}" for name in COUNTS[1:])


def _local(text: str | None, settings: Settings) -> str:
    return out.when(datetime.fromisoformat(text), settings.zone) if text else ""


def _waiting(groups: Iterable[dict[str, Any]], settings: Settings) -> Iterable[list[object]]:
    names = ("for", "name", "course", "rows")
    return ([*(item[name] for name in names), _local(item["since"], settings)] for item in groups)
