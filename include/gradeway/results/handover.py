"""Handing results over: as a file of the feed ``results``, dropped into its inbox like anybody's."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from gradeway.feeds.results import COLUMNS, SEPARATOR, SPEC
from gradeway.landing.zone import sync

DRAFT = ".handover.part"  # no inbox yields a name with a leading dot; one name, so that a dead run leaves one at most


class Row(NamedTuple):
    """One result as it is handed over, but for when it was collected."""

    system: str
    session: str
    assessment: str
    schedule: str
    attempt: str
    learner: str
    state: str
    score: str
    maximum: str
    band: str
    rule: str
    finished_at: str

    @property
    def digest(self) -> str:
        """What tells whether it is the one that was handed over last, by whichever rule it was chosen."""
        said = [cell for name, cell in zip(self._fields, self, strict=True) if name != "rule"]
        return hashlib.sha256("\n".join(said).encode()).hexdigest()


def instant(moment: datetime | None) -> str:
    """Return an instant as a file has it."""
    return "" if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def hand_over(folder: Path, rows: Sequence[Row], collected_at: datetime) -> str:
    """Put rows into an inbox as one file, whole and durable under its name; return that name."""
    draft = folder / DRAFT
    with draft.open("w", encoding="utf-8", errors="replace", newline="") as out:
        out.write(_text(rows, collected_at))
        out.flush()
        os.fsync(out.fileno())
    target = _free(folder, f"{rows[0].system}-{collected_at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}")
    draft.rename(target)
    sync(folder)
    return target.name


def _text(rows: Sequence[Row], collected_at: datetime) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=SEPARATOR, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([*map(_on_one_line, row), instant(collected_at)] for row in rows)
    return text.getvalue()


def _on_one_line(cell: str) -> str:
    """Return a cell with a sign that no identifier has in place of what a line cannot hold."""
    return "".join("\ufffd" if mark < " " or mark == "\x7f" else mark for mark in cell)


def _free(folder: Path, stem: str) -> Path:
    target, number = folder / f"{stem}{SPEC.suffix}", 1
    while target.exists():
        number += 1
        target = folder / f"{stem}-{number}{SPEC.suffix}"
    return target
