"""The request log: what was asked, what was answered, and whether it took effect."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from gradeway.errors import SettingsError

KEPT = 100_000


@dataclass(frozen=True)
class Entry:
    """One request; ``properties`` are the names in its body, never the values; ``sha256`` is a file's digest."""

    number: int
    at: str
    method: str
    path: str
    query: str
    properties: list[str]
    status: int | None
    took_effect: bool
    fault: str | None
    sha256: str | None


class Journal:
    """The last requests, and a file of all of them if one is named.

    Raises:
        SettingsError: the file cannot be written.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.count = 0
        self._entries: deque[dict[str, Any]] = deque(maxlen=KEPT)
        try:
            self._file = file.open("a", encoding="utf-8") if file else None
        except OSError as error:
            msg = f"the log {file} cannot be written: {error.strerror}"
            raise SettingsError(msg) from None

    def add(self, entry: Entry) -> None:
        """Write an entry down; it is in the file when this returns."""
        self.count = entry.number
        line = asdict(entry)
        self._entries.append(line)
        if self._file:
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._file.flush()

    def after(self, number: int) -> list[dict[str, Any]]:
        """Return the entries after a number, oldest first."""
        oldest = self.count - len(self._entries)
        return list(islice(self._entries, max(0, number - oldest), None))
