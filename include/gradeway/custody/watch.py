"""Service mode: one small process on an exam's computer that watches one folder until it is told to end.

What goes wrong is said once, and tried again: a network that is away, a full disk, a locked file. Only
what a person must correct before anything can work ends it, at the start.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from gradeway.custody import files, ledger
from gradeway.custody.custody import Custody, Pass
from gradeway.errors import CustodyError, GradewayError, StoreAwayError, StoreNotReadyError
from gradeway.store.engine import Store, is_damaged
from gradeway.store.lock import take

LOCK = ".gradeway-watch"
HEARING = 1.0  # seconds at most without hearing a signal, which on Windows waits for the end of a wait
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
        if not take(stream.fileno()):
            msg = f"another process watches {folder} already; end it first, or name another folder"
            raise CustodyError(msg)
        yield


def ready_store(url: str, stop: threading.Event, say: Say) -> Store | None:
    """Return the store as soon as it can be used; None if told to stop before.

    A SQLite file of an older version is brought to that of this program: there is nobody on an exam's computer.

    Raises:
        SettingsError, StoreNotReadyError: see `Store.ready`.
    """
    teller, wait = _Teller(say), FIRST_WAIT
    while True:
        try:
            return _ready(Store(url))
        except StoreAwayError as error:
            teller.trouble(_in_words(error))
        if _rest(stop, wait):
            return None
        wait = min(wait * 2, LONGEST_WAIT)


def _ready(store: Store) -> Store:
    try:
        return store.ready()
    except StoreNotReadyError:
        if not store.is_sqlite or not store.is_older():
            raise
    store.upgrade()
    return store


def _rest(stop: threading.Event, seconds: float) -> bool:
    """Wait so long, or until told to stop; return whether that was so."""
    until = time.monotonic() + seconds
    while not stop.is_set() and (left := until - time.monotonic()) > 0:
        stop.wait(min(left, HEARING))
    return stop.is_set()


def watch(custody: Custody, folder: Path, seconds: float, stop: threading.Event, say: Say) -> None:
    """Take what stands still between two looks, so many seconds apart, until told to stop.

    A folder that is not there yet is waited for: an exam player may not have made it.

    Raises:
        CustodyError: see `only_watcher`.
    """
    if not folder.exists():
        say(f"{folder} is not there yet: waiting for it")
    while not folder.exists():
        if _rest(stop, seconds or FIRST_WAIT):
            return
    with only_watcher(folder):
        teller, wait = _Teller(say), FIRST_WAIT
        before: list[files.Seen] = []
        while not _rest(stop, seconds):
            try:
                done = custody.go_on(before)
                teller.tell(done)
                wait, pause = (FIRST_WAIT, 0.0) if done.online else (min(wait * 2, LONGEST_WAIT), wait)
                pause = max(pause, min(done.wait, ledger.LONGEST_ASKED))
                before = files.look(folder)
            except Exception as error:  # noqa: BLE001  there is nobody to start it again
                teller.trouble(_in_words(error))
                wait, pause = min(wait * 2, LONGEST_WAIT), wait
            _rest(stop, pause)


def _in_words(error: Exception) -> str:
    if isinstance(error, DBAPIError) and is_damaged(error):
        return (
            "the store is damaged: move its file away and start again; no result file is in it, nothing is lost, "
            "but Gradeway no longer deletes the .bak files that are there by then"
        )
    if isinstance(error, DBAPIError):
        return (
            f"the store cannot be used ({type(error.orig).__name__}: is the disk full?); nothing is lost, trying again"
        )
    if isinstance(error, GradewayError):
        return f"{error}; trying again"
    # Of an error that nobody thought of, only the kind is fit to be told.
    told = f": {error}" if isinstance(error, OSError) else ""
    return f"{type(error).__name__}{told}; trying again"


class _Teller:
    """Says what changed since it was last said."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._online = True
        self._troubles: set[str] = set()

    def tell(self, done: Pass) -> None:
        """Say what a pass did."""
        if done.online != self._online:
            offline = f"offline: {done.offline}; what waits is sent as soon as the server answers"
            self._say("online again" if done.online else offline)
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
