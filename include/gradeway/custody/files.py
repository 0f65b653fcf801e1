"""Result files as the exam player writes them: opaque bytes that are found, read and put away, never looked into.

Source: Televic, Uploading the result files: the files end in ``.aqr`` and are encrypted; one is there
while its exam goes on, and changes as it does.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gradeway.errors import CustodyError

ENDING, PUT_AWAY = ".aqr", ".bak"
BLOCK = 1 << 20
FLAGS = ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")


class ChangedError(Exception):
    """A file is no longer what it was when it was last looked at; the next look takes it up."""


@dataclass(frozen=True)
class Seen:
    """A result file at one look; two that are equal mean that nothing changed between two looks."""

    place: str
    size: int
    modified_ns: int


def look(folder: Path) -> list[Seen]:
    """Return the result files below a folder, by place; links are not followed.

    Raises:
        CustodyError: the folder, or one in it, cannot be read.
    """
    found: list[Seen] = []
    for root, folders, names in os.walk(folder, onerror=_unreadable):
        folders.sort()
        for name in names:
            if name.lower().endswith(ENDING) and (seen := _seen(folder, Path(root, name))):
                found.append(seen)
    return sorted(found, key=lambda seen: seen.place)


def _unreadable(error: OSError) -> None:
    msg = f"the folder {error.filename} cannot be read: {error.strerror}; let Gradeway read it, or name another folder"
    raise CustodyError(msg) from None


def _seen(folder: Path, path: Path) -> Seen | None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Seen(path.relative_to(folder).as_posix(), status.st_size, status.st_mtime_ns)


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


def digest(folder: Path, seen: Seen) -> str:
    """Return the sha256 of a file's bytes.

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
    if size != seen.size or _seen(folder, folder / seen.place) != seen:
        raise ChangedError(seen.place)
    return found.hexdigest()
