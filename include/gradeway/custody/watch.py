"""Service mode: one small process on an exam's computer that watches one folder until it is told to end.

What goes wrong is said once, and tried again: a network that is away, a full disk, a locked file. Only
what a person must correct before anything can work ends it, at the start.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.exc import DBAPIError

from gradeway.custody import files
from gradeway.custody.custody import Custody, Pass
from gradeway.errors import CustodyError, GradewayError

LOCK = ".gradeway-watch"
FIRST_WAIT, LONGEST_WAIT = 5.0, 60.0

Say = Callable[[str], None]


@contextmanager
def only_watcher(folder: Path) -> Iterator[None]:
    """Be a folder's only watcher; a watcher that died, however it died, does not count.

    Raises:
        CustodyError: another one is at it, or the folder is none that files can be renamed in.
    """
    try:
        stream = (folder / LOCK).open("a+b")
    except OSError as error:
        msg = (
            f"{folder} cannot be watched: {error.strerror}; name a folder that is there and in which Gradeway may "
            "rename files, or use `gradeway aqr upload`, which changes nothing in it"
        )
        raise CustodyError(msg) from None
    with stream:
        if not _lock(stream):
            msg = f"another process watches {folder} already; end it first, or name another folder"
            raise CustodyError(msg)
        yield


def _lock(stream: BinaryIO) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            stream.seek(0)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def watch(custody: Custody, folder: Path, seconds: float, stop: threading.Event, say: Say) -> None:
    """Take what stands still between two looks, so many seconds apart, until told to stop.

    Raises:
        CustodyError: see `only_watcher`.
    """
    with only_watcher(folder):
        teller, wait = _Teller(say), FIRST_WAIT
        before = files.look(folder)
        while not stop.wait(seconds):
            try:
                done = custody.go_on(before)
                teller.tell(done)
                wait, pause = (FIRST_WAIT, 0.0) if done.online else (min(wait * 2, LONGEST_WAIT), wait)
                before = files.look(folder)
            except (GradewayError, DBAPIError, OSError) as error:
                teller.trouble(_in_words(error))
                wait, pause = min(wait * 2, LONGEST_WAIT), wait
            stop.wait(pause)


def _in_words(error: Exception) -> str:
    if isinstance(error, DBAPIError):
        return (
            f"the store cannot be used ({type(error.orig).__name__}: is the disk full?); nothing is lost, trying again"
        )
    return f"{error}; trying again" if isinstance(error, GradewayError) else f"{type(error).__name__}: {error}"


class _Teller:
    """Says what changed since it was last said."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._online = True
        self._troubles: set[str] = set()

    def tell(self, done: Pass) -> None:
        """Say what a pass did."""
        if done.online != self._online:
            self._say("online again" if done.online else "offline: what waits is sent as soon as the server answers")
        self._online = done.online
        for what, count in sorted(done.outcomes.items()):
            self._say(f"{count} {what}")
        if done.kept:
            self._say(f"{done.kept} put away")
        if done.purged:
            self._say(f"{done.purged} deleted, their time being over")
        for trouble in done.troubles:
            self.trouble(trouble)
        if not done.troubles:
            self._troubles.clear()

    def trouble(self, what: str) -> None:
        """Say what is wrong, once."""
        if what not in self._troubles:
            self._say(what)
        self._troubles.add(what)
