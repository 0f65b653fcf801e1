"""`gradeway undo`: what a batch gave goes back to what was there before, and what stays is listed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from gradeway.checks.report import rows_of
from gradeway.cli import out
from gradeway.cli.batches import identity
from gradeway.cli.out import Field
from gradeway.cli.shell import DONE, FOUND
from gradeway.errors import ReportsDueError
from gradeway.intake import Intake
from gradeway.loading.takeback import Kept
from gradeway.loading.undo import Undone
from gradeway.reasons import Finding
from gradeway.settings import load

PARTS = (
    Field("what"),
    Field("brought back", number=True),
    Field("removed", number=True),
    Field("kept", number=True),
)
KEPT = (
    Field("line", number=True),
    Field("what"),
    Field("name"),
    Field("course"),
    Field("why"),
)
SHOWN = 20


def undo_batch(batch_id: int, output: str, *, dry_run: bool) -> int:
    """Take a batch back, or only tell what that would do; return the exit code."""
    intake = Intake(load())
    with out.spinner(f"undoing batch {batch_id}" + (", to see what that would do" if dry_run else "")):
        done = intake.undo(batch_id, dry_run=dry_run)
        failed = "" if dry_run else _finish(intake)
    if output == "json":
        out.print_json(_data(done, failed))
    else:
        _print(done, failed)
    return FOUND if failed else DONE


def _finish(intake: Intake) -> str:
    """Write the reports that are due; return what went wrong."""
    try:
        intake.finish()
    except ReportsDueError as error:
        return str(error)
    return ""


def _data(done: Undone, failed: str) -> dict[str, Any]:
    return {
        "batch": done.batch_id,
        "file": done.file_name,
        "undone_by": done.undo_id,
        "dry_run": done.undo_id is None,
        "rows": rows_of(done.tally),
        "forgotten": done.forgotten,
        **{f"{kind}s": asdict(part) for kind, part in done.parts.items()},
        "kept": [_kept(one) | {"code": one.reason.value} for one in done.kept],
        "notes": [finding.told() for finding in _notes(done)],
        "failed": failed or None,
    }


def _kept(one: Kept) -> dict[str, Any]:
    return {"line": one.line, "what": one.kind, "name": one.name, "course": one.course, "why": one.why}


def _notes(done: Undone) -> list[Finding]:
    """Return what else is to be known: what is told of the things kept is told with their names."""
    told = {one.reason for one in done.kept}
    return [finding for finding in done.tally.findings if finding.reason not in told]


def _print(done: Undone, failed: str) -> None:
    batch = f"batch {done.batch_id} ({done.file_name})"
    by = f"is undone by batch {done.undo_id}" if done.undo_id else "would be undone like this; nothing was changed now"
    out.say(f"{batch} {by}", f"rows: {identity(rows_of(done.tally))}")
    parts = [(f"{kind}s", part.restored, part.removed, part.kept) for kind, part in done.parts.items()]
    if some := [row for row in parts if any(row[1:])]:
        out.say(out.table(PARTS, some))
    if done.forgotten:
        out.say(f"{out.count(done.forgotten, 'row')} that waited: forgotten")
    if done.kept:
        out.say(out.heading("Kept"), out.table(KEPT, [list(_kept(one).values()) for one in done.kept[:SHOWN]]))
    if len(done.kept) > SHOWN:
        out.say(f"... and {len(done.kept) - SHOWN:,} more (--format json lists all)")
    for finding in _notes(done):
        out.say(f"{finding.reason.meaning}; {finding.remedy}")
    out.say(*([failed] if failed else []), *_after(done))


def _after(done: Undone) -> list[str]:
    return [f"`gradeway replay {done.batch_id}` loads it again"] if done.undo_id else []
