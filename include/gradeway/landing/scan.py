"""Looking at an inbox: what is there, and which files have stopped changing.

A file is settled when nothing about it changed for the settle time: by the inode's change time,
which a sender cannot set, or by looking twice. A file whose last line has no end yet looks like
a transfer that stalled and is given several times as long. Senders that rename a finished file
into place (``.part`` or a leading dot before) are never caught half-way.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 5
TRANSFER_ENDINGS = (".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload", ".swp", "~")


@dataclass(frozen=True)
class Entry:
    """One thing in an inbox; two equal entries mean that nothing changed between two looks."""

    path: Path
    inode: int
    size: int
    modified_ns: int
    changed_ns: int
    plain: bool

    @property
    def name(self) -> str:
        """The name the sender gave."""
        return self.path.name


def look(inbox: Path) -> list[Entry]:
    """Return what is in an inbox in order of arrival, without folders and running transfers."""
    entries = []
    with os.scandir(inbox) as found:
        for item in found:
            if item.name.startswith(".") or item.name.lower().endswith(TRANSFER_ENDINGS):
                continue
            try:
                status = item.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if not stat.S_ISDIR(status.st_mode):
                entries.append(_entry(Path(item.path), status))
    return sorted(entries, key=lambda entry: (entry.modified_ns, entry.name))


def _entry(path: Path, status: os.stat_result) -> Entry:
    plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    return Entry(path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, plain)


def settled(
    inbox: Path,
    seconds: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.time,
) -> list[Entry]:
    """Return the entries that stopped changing, waiting the settle time for fresh ones.

    Entries that are still changing after that are left for the next look.
    """
    first = look(inbox)
    waits = {entry: _wait(entry, seconds) for entry in first}
    young = [entry for entry in first if not 0 <= waits[entry] <= clock() - entry.changed_ns / 1e9]
    if not young:
        return first
    sleep(max(waits[entry] for entry in young))
    still = set(look(inbox))
    return [entry for entry in first if entry in still]


def _wait(entry: Entry, seconds: float) -> float:
    return seconds if not entry.plain or _is_ended(entry) else seconds * PATIENCE


def _is_ended(entry: Entry) -> bool:
    if not entry.size:
        return False
    try:
        descriptor = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return os.pread(descriptor, 1, entry.size - 1) in {b"\n", b"\r"}
    finally:
        os.close(descriptor)
