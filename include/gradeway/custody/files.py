"""Result files as the exam player writes them: opaque bytes that are found, read and put away, never looked into.

Source: Televic, Uploading the result files: the files end in ``.aqr`` and are encrypted; one is there
while its exam goes on, and changes as it does.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO

from gradeway.errors import CustodyError

ENDING, PUT_AWAY, DRAFT = ".aqr", ".bak", ".part"
BLOCK = 1 << 20
COPY_TRIES = 3
LARGEST_TIME = (1 << 63) - 1  # what a database takes; some file systems have dates beyond
# What operating systems make for themselves on a disk; no exam player writes there.
SYSTEM_FOLDERS = {"System Volume Information", "lost+found", "$RECYCLE.BIN"}
FLAGS = ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")


class ChangedError(Exception):
    """A file is no longer what it was when it was last looked at; the next look takes it up."""


@dataclass(frozen=True)
class Seen:
    """A result file at one look; two that are equal mean that nothing changed between two looks."""

    place: str
    size: int
    modified_ns: int


@dataclass
class Aside:
    """What a look passes over, besides what operating systems and Gradeway make for themselves.

    ``unreadable`` are the places of the folders that cannot be read, ``left`` those of the files that got a
    name of Gradeway's own while they are moved, ``others`` how many files end otherwise, or are links.
    """

    unreadable: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    others: int = 0

    def note(self, place: Path, name: str) -> None:
        """Note a file that is no result file."""
        if name.endswith(DRAFT):
            self.left.append((place / name).as_posix())
        elif not name.startswith("."):
            self.others += 1


def look(folder: Path, aside: Aside | None = None) -> list[Seen]:
    """Return the result files below a folder, by place; links are not followed.

    What is passed over is noted in ``aside``.

    Raises:
        CustodyError: the folder itself cannot be read.
    """
    found: list[Seen] = []
    passed = aside or Aside()

    def skip(error: OSError, place: Path) -> None:
        if place == folder:
            _refuse(error, folder)
        passed.unreadable.append(place.relative_to(folder).as_posix())

    for root, folders, names in os.walk(folder, onerror=lambda error: skip(error, Path(error.filename))):
        folders[:] = sorted(set(folders) - SYSTEM_FOLDERS)
        place = Path(root)
        ours = [name for name in names if name.lower().endswith(ENDING)]
        for name in set(names).difference(ours):
            passed.note(place.relative_to(folder), name)
        try:
            for name in ours:
                if seen := see(folder, place / name):
                    found.append(seen)
                else:
                    passed.others += (place / name).is_symlink()
        except OSError as error:  # it may be listed, but not entered
            skip(error, place)
    return sorted(found, key=lambda seen: seen.place)


def _refuse(error: OSError, folder: Path) -> None:
    msg = f"the folder {folder} cannot be read: {error.strerror}; let Gradeway read it, or name another folder"
    raise CustodyError(msg) from None


def see(folder: Path, path: Path) -> Seen | None:
    """Return what one look shows of a file; None if there is none, or something else."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    modified = max(-LARGEST_TIME, min(status.st_mtime_ns, LARGEST_TIME))
    return Seen(path.relative_to(folder).as_posix(), status.st_size, modified)


def open_file(path: Path) -> BinaryIO:
    """Open a result file for reading; what took its place and is no file is not opened.

    Raises:
        ChangedError: it is gone, or no file any more.
        OSError: it cannot be opened now.
    """
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise ChangedError(path.name)
        # Should anything else take its place now: no link is followed, and a pipe is not waited for.
        number = os.open(path, os.O_RDONLY | sum(getattr(os, flag, 0) for flag in FLAGS))
    except FileNotFoundError:
        raise ChangedError(path.name) from None
    return os.fdopen(number, "rb")


def has(path: Path, sha256: str) -> bool:
    """Return whether a file is there and has some bytes."""
    try:
        seen = see(path.parent, path)
        return seen is not None and digest(path.parent, seen) == sha256
    except ChangedError:
        return False


def digest(folder: Path, seen: Seen, into: IO[bytes] | None = None) -> str:
    """Return the sha256 of a file's bytes, which are also written into another file if one is given.

    Raises:
        ChangedError: the file is gone, or changed since it was seen or while it was read.
        OSError: it cannot be read now.
    """
    found = hashlib.sha256()
    size = 0
    with open_file(folder / seen.place) as stream:
        while block := stream.read(BLOCK):
            found.update(block)
            size += len(block)
            if into:
                into.write(block)
    if size != seen.size or see(folder, folder / seen.place) != seen:
        raise ChangedError(seen.place)
    return found.hexdigest()


def copy(folder: Path, place: str, into: IO[bytes]) -> tuple[Seen, str]:
    """Copy a file that is written to again and again, as it is between two writes; return what it was, and its sha256.

    Raises:
        ChangedError: it is gone or empty, or changed at each try.
        OSError: it cannot be read, or not be copied, now.
    """
    for _ in range(COPY_TRIES):
        seen = see(folder, folder / place)
        if seen is None or not seen.size:
            break
        into.seek(0)
        into.truncate()
        try:
            sha256 = digest(folder, seen, into)
            # Read twice: a write may leave the size as it was, and the date of a coarse clock.
            if digest(folder, seen) == sha256:
                return seen, sha256
        except ChangedError:
            continue
    raise ChangedError(place)
