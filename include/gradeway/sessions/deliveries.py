"""Which assessment stands for a delivery or a battery, from a file that an installation may keep."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from gradeway.errors import SettingsError

KINDS = ("delivery", "battery")
TARGET = "assessment"


@dataclass(frozen=True)
class Deliveries:
    """An assessment's ID or name for each delivery and each battery that is set."""

    delivery: Mapping[str, str] = field(default_factory=dict)
    battery: Mapping[str, str] = field(default_factory=dict)


def read_deliveries(path: str) -> Deliveries:
    """Read the CSV file: ``delivery,assessment``, ``battery,assessment`` or all three columns; no path, no entries.

    Raises:
        SettingsError: it cannot be read; the message names the line.
    """
    if not path:
        return Deliveries()
    try:
        with Path(path).expanduser().open(encoding="utf-8-sig", newline="") as stream:
            return _read(csv.DictReader(stream, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        _refuse(getattr(error, "strerror", None) or "it is no CSV file in UTF-8")


def _read(rows: csv.DictReader[str]) -> Deliveries:
    names = set(rows.fieldnames or ())
    if TARGET not in names or not names & set(KINDS) or names - {TARGET, *KINDS}:
        _refuse("its first line must name the columns delivery or battery (or both), and assessment")
    found: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    for row in rows:
        cells = {name: (row.get(name) or "").strip() for name in (TARGET, *KINDS)}
        kinds = [kind for kind in KINDS if cells[kind]]
        if None in row or len(kinds) != 1 or not cells[TARGET] or cells[kinds[0]] in found[kinds[0]]:
            _refuse(f"line {rows.line_num} must name one delivery or battery, not named before, and its assessment")
        found[kinds[0]][cells[kinds[0]]] = cells[TARGET]
    return Deliveries(**found)


def _refuse(why: str) -> NoReturn:
    msg = f"GRADEWAY_SESSIONS_DELIVERIES_FILE cannot be used: {why}"
    raise SettingsError(msg)
