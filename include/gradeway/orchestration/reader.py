"""One installation opened for reading: its settings, landing zone and store, and nothing made in them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import make_url
from sqlalchemy.orm import Session

from gradeway import feeds
from gradeway.errors import GradewayError, LandingError, StoreNotReadyError
from gradeway.landing import claim, scan
from gradeway.landing.zone import Zone
from gradeway.settings import Settings
from gradeway.store import browse
from gradeway.store.engine import Store
from gradeway.store.models import Batch

# Somebody waits for the page: a database that does not answer is reported, not waited for.
CONNECT_SECONDS = 5
GRADES_SECONDS = 60


class NothingYetError(GradewayError):
    """The store has no tables yet, because nothing has ever been taken in."""


class Reader:
    """Settings, landing zone and store, each opened at its first use.

    Until the store could be opened, the settings are read anew each time, so that what an admin
    corrects meanwhile is seen.

    Raises:
        SettingsError: from everything, while a setting is wrong.
    """

    def __init__(self, load: Callable[[], Settings]) -> None:
        self._load = load
        self._opened: tuple[Settings, Store] | None = None
        self._grades = 0
        self._grades_due = 0.0

    @property
    def settings(self) -> Settings:
        """The settings of this installation."""
        return self._opened[0] if self._opened else self._load()

    @property
    def zone(self) -> Zone:
        """The landing zone, which may not be there yet."""
        return Zone(self.settings.landing)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open a session for reading.

        Raises:
            NothingYetError: there are no tables.
            StoreNotReadyError: the tables are of another version.
        """
        if self._opened is None:
            settings = self._load()
            self._opened = settings, _ready(settings)
        with self._opened[1].session() as session:
            yield session

    def inbox(self) -> int | None:
        """Return how many files lie in the inboxes; None if these cannot be seen from here."""
        try:
            return sum(len(scan.look(self.zone.inbox(family))) for family in feeds.INBOXES)
        except OSError:
            return None

    def grades(self, session: Session) -> int:
        """Return how many grades the store has, counted once a minute."""
        if time.monotonic() >= self._grades_due:
            self._grades = browse.grades(session)
            self._grades_due = time.monotonic() + GRADES_SECONDS
        return self._grades

    def output(self, batch: Batch, name: str) -> Path:
        """Return where an output of a batch is, or was until its retention ended."""
        return self.zone.report(batch.id, batch.file_name, batch.claimed_at.date()) / name

    def has(self, batch: Batch, name: str | None) -> bool:
        """Return whether a batch has an output of this name that can be read."""
        return bool(name) and os.access(self.output(batch, name or ""), os.R_OK)

    def open(self, batch: Batch, name: str) -> BinaryIO | None:
        """Open an output of a batch; None if it is not there.

        Raises:
            LandingError: something else was put in its place.
        """
        try:
            return claim.open_plain(self.output(batch, name))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            msg = f"the reports cannot be read: {error.strerror}"
            raise LandingError(msg) from None


def _ready(settings: Settings) -> Store:
    store = Store(_impatient(settings.database_url))
    current, head = (None, "") if _is_missing_file(store) else store.version()
    if current is None:
        raise NothingYetError
    if current != head:
        msg = f"the store is at version {current}, this program needs {head}: run `gradeway db upgrade`"
        raise StoreNotReadyError(msg)
    return store


def _impatient(url: str) -> str:
    parsed = make_url(url)
    if parsed.get_backend_name() != "postgresql" or "connect_timeout" in parsed.query:
        return url
    limited = parsed.update_query_dict({"connect_timeout": str(CONNECT_SECONDS)})
    return limited.render_as_string(hide_password=False)


def _is_missing_file(store: Store) -> bool:
    """Tell whether opening this SQLite store would make an empty one."""
    return store.is_sqlite and not Path(make_url(store.url).database or "").exists()
