"""Which assessment stands for a delivery or a battery, from a file that an installation may keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gradeway.mappings import MappingFile

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
    file = MappingFile("sessions_deliveries_file", path)
    found: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    for cells in file.rows("the columns delivery or battery (or both), and assessment", [TARGET], KINDS):
        kinds = [kind for kind in KINDS if cells[kind]]
        if len(kinds) != 1 or not cells[TARGET] or cells[kinds[0]] in found[kinds[0]]:
            file.refuse(f"line {cells['line']} must name one delivery or battery, not named before, and its assessment")
        found[kinds[0]][cells[kinds[0]]] = cells[TARGET]
    return Deliveries(**found)
