"""The report of a batch: one document for machines, one page for people, both from the ledger."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gradeway.checks.files import whole
from gradeway.checks.page import page
from gradeway.feeds import FEEDS, suffix_of
from gradeway.reasons import Level, Reason
from gradeway.settings import Settings
from gradeway.store import ledger
from gradeway.store.ledger import Tally
from gradeway.store.models import Batch, ParkedRow

SHOWN = 1000
LEVELS = (Level.FILE, Level.ROW, Level.WARNING)


def report(session: Session, batch: Batch) -> dict[str, Any]:
    """Return a batch's report as plain data; it holds no cell of any row."""
    findings = ledger.findings_of(session, batch.id, SHOWN)
    return {
        "batch": batch.id,
        "file": batch.file_name,
        "feed": batch.feed,
        "title": FEEDS[batch.feed].title if batch.feed in FEEDS else "Unknown feed",
        "state": batch.state,
        "sha256": batch.sha256,
        "bytes": batch.size,
        "claimed_at": _iso(batch.claimed_at),
        "loaded_at": _iso(batch.loaded_at),
        "duplicate_of": batch.duplicate_of,
        "replay_of": batch.replay_of,
        "undo_of": batch.undo_of,
        "undone_by": batch.undone_by,
        "failures": batch.failures,
        "last_failure": batch.last_failure,
        "rows": rows_of(batch),
        "balanced": batch.balanced,
        "reasons": _reasons(batch),
        "waiting": _waiting(session, batch.id),
        "findings": [finding.told() for finding in findings],
        "findings_total": sum((batch.reasons or {}).values()),
        "ending": suffix_of(batch.feed),
        "reject_file": f"rejects-{batch.id}{suffix_of(batch.feed)}" if batch.rejected else None,
    }


def rows_of(counted: Batch | Tally) -> dict[str, int]:
    """Return the accounting of rows: in = applied + unchanged + rejected + parked."""
    names = ("created", "updated", "unchanged", "duplicates", "superseded", "rejected", "parked")
    counts = {name: getattr(counted, name) for name in names}
    return {"in": counted.rows_in, "applied": counted.created + counted.updated} | counts


def _reasons(batch: Batch) -> list[dict[str, Any]]:
    known = [(Reason[code], count) for code, count in (batch.reasons or {}).items()]
    known.sort(key=lambda pair: (LEVELS.index(pair[0].level), -pair[1], pair[0].value))
    return [
        {
            "code": reason.value,
            "level": reason.level.value,
            "rows": count,
            "meaning": reason.meaning,
            "remedy": reason.remedy,
        }
        for reason, count in known
    ]


def _waiting(session: Session, batch_id: int) -> list[dict[str, Any]]:
    groups = (ParkedRow.parent, ParkedRow.course, ParkedRow.name)
    wanted = select(*groups, func.count(), func.min(ParkedRow.parked_at)).where(ParkedRow.batch_id == batch_id)
    return [
        {"for": parent, "course": course, "name": name, "rows": count, "since": _iso(since)}
        for parent, course, name, count, since in session.execute(wanted.group_by(*groups).order_by(*groups))
    ]


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat(timespec="seconds")


def write_report(folder: Path, content: dict[str, Any], settings: Settings) -> None:
    """Write report.json and report.html; each appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    with whole(folder / "report.json") as out:
        out.write((json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
    with whole(folder / "report.html") as out:
        out.write(page(content, settings).encode())
