"""The connection to the store: one engine, its transactions, its lock and its version.

Both databases are used the same way. ``Store.exclusive`` serialises the transactions that change
grades, columns and schemas: whoever holds it sees what stays true until the end.
"""

from __future__ import annotations

import errno
import logging
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from gradeway.errors import SettingsError, StoreAwayError, StoreNotReadyError

log = logging.getLogger(__name__)

LOCK = 0x47574159  # "GWAY": the advisory lock's number on PostgreSQL
BUSY_SECONDS = 120
IN_MEMORY = ":memory:"
WAL_TRIES = 20  # a second
LEAST_SPACE = 1 << 20  # bytes on a disk, below which a new SQLite file with its log has no room
VERSION_TABLE = "gradeway_version"
# PostgreSQL: connection lost, server going down, locks and deadlocks. SQLite: busy, locked, cannot open.
AWAY_STATES = ("08", "57P", "40", "55P03", "53300")
DAMAGED_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
AWAY_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN}
MIGRATIONS = Path(__file__).parent / "migrations"


class Store:
    """One store, by its SQLAlchemy URL (PostgreSQL through psycopg, or SQLite).

    Raises:
        SettingsError: the URL is not one of a database we support.
    """

    def __init__(self, url: str) -> None:
        self.url = _checked(url)
        self.engine = _sqlite(self.url) if self.is_sqlite else _postgresql(self.url)

    @classmethod
    def to_read(cls, url: str) -> Store:
        """Return a store fit for reading; where there is no SQLite file yet, an empty one that leaves none behind.

        Raises:
            StoreNotReadyError, StoreAwayError: see `ready`.
        """
        store = cls(url)
        path = Path(make_url(store.url).database or "")
        if store.is_sqlite and not path.exists() and not path.parent.is_file():
            store = cls(f"sqlite:///{IN_MEMORY}")
        return store.ready()

    @property
    def is_sqlite(self) -> bool:
        """Whether this store is a SQLite file."""
        return self.url.startswith("sqlite")

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open a session for reading."""
        with Session(self.engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a session whose work is committed at the end, or rolled back on an error."""
        with self.engine.connect() as connection:
            # SQLite refuses at once what reads first and writes later if somebody wrote between
            connection.execution_options(gradeway_begin="IMMEDIATE")
            with connection.begin(), Session(bind=connection) as session:
                yield session
                session.flush()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Open a connection whose temporary tables end with it."""
        with self.engine.connect() as connection:
            try:
                yield connection
            finally:
                connection.invalidate()  # its tables must not meet the pool's next user

    @contextmanager
    def exclusive(self, connection: Connection | None = None) -> Iterator[Session]:
        """Open a transaction that is the only one changing grades, columns and schemas until it ends.

        It runs on the given connection, if one is given.
        """
        with nullcontext(connection) if connection else self.engine.connect() as own:
            own.execution_options(gradeway_begin="IMMEDIATE")
            with own.begin():
                if not self.is_sqlite:
                    own.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK})
                with Session(bind=own) as session:
                    yield session
                    session.flush()

    def version(self) -> tuple[str | None, str]:
        """Return the database's revision (None when it has no tables) and the one this code needs."""
        head = ScriptDirectory(str(MIGRATIONS)).get_current_head() or ""
        with self.engine.connect() as connection:
            return MigrationContext.configure(
                connection, opts={"version_table": VERSION_TABLE}
            ).get_current_revision(), head

    def is_older(self) -> bool:
        """Return whether the tables are of a version before that of this code, and not of one after."""
        current, _ = self.version()
        known = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
        return current in known

    def ready(self) -> Store:
        """Return this store if its tables fit this code; an empty database is set up.

        Raises:
            StoreNotReadyError: the tables are of another version.
            StoreAwayError: the database cannot be reached, or its disk is full.
        """
        self._make_file()
        try:
            current, head = self.version()
        except DatabaseError as error:
            raise StoreAwayError(self._away(error)) from None
        if current is None:
            self._set_up()
        elif current != head:
            msg = f"the store is at version {current}, this program needs {head}: run `gradeway db upgrade`"
            raise StoreNotReadyError(msg)
        return self

    def _set_up(self) -> None:
        try:
            self.upgrade()
        except OperationalError as error:
            raise StoreAwayError(self._away(error)) from None

    def _away(self, error: DatabaseError) -> str:
        """Say why the database cannot be used; a full disk makes SQLite say many things."""
        folder = Path(make_url(self.url).database or "").parent
        if self.is_sqlite and folder.exists() and shutil.disk_usage(folder).free < LEAST_SPACE:
            return _full(folder)
        if is_damaged(error):
            return f"the store {make_url(self.url).database} is damaged: put a backup in its place, or move it away"
        where = make_url(self.url).set(query={}).render_as_string()
        return f"the store {where} cannot be reached ({type(error.orig).__name__}); check GRADEWAY_DATABASE_URL"

    def _make_file(self) -> None:
        """Make the file of a SQLite store, which nobody else may read: there are grades in it."""
        if self.is_sqlite:
            path = Path(make_url(self.url).database or "")
            folder = path.parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
                if path.name != IN_MEMORY and not path.exists():
                    path.touch(mode=0o600)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    raise StoreAwayError(_full(folder)) from None
                msg = f"no folder for the store: {folder}: {error.strerror}; check GRADEWAY_HOME, GRADEWAY_DATABASE_URL"
                raise SettingsError(msg) from None

    def upgrade(self) -> None:
        """Bring the tables to this code's version; two at once wait for each other."""
        self._make_file()
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self.exclusive() as session:
            config.attributes["connection"] = session.connection()
            command.upgrade(config, "head")


def _full(folder: Path) -> str:
    return f"the disk of the store is full: make room for {folder}"


def is_damaged(error: DBAPIError) -> bool:
    """Return whether an error says that the file of a SQLite store is none, or a broken one."""
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in DAMAGED_CODES


def is_away(error: DBAPIError) -> bool:
    """Return whether an error says that the database is away or busy, whatever was asked of it."""
    state = getattr(error.orig, "sqlstate", None)
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    unknown = isinstance(error, (OperationalError, InterfaceError)) and state is None and not code
    return error.connection_invalidated or unknown or code in AWAY_CODES or str(state).startswith(AWAY_STATES)


def _checked(url: str) -> str:
    try:
        parsed = make_url(url)
    except ArgumentError:
        msg = "GRADEWAY_DATABASE_URL is wrong: not a SQLAlchemy URL"
        raise SettingsError(msg) from None
    if parsed.drivername in {"postgresql", "postgres"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in {"postgresql+psycopg", "sqlite"}:
        msg = f"GRADEWAY_DATABASE_URL is wrong: {parsed.drivername} is neither postgresql nor sqlite"
        raise SettingsError(msg)
    return parsed.render_as_string(hide_password=False)


def _postgresql(url: str) -> Engine:
    return create_engine(url, hide_parameters=True, pool_pre_ping=True)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging; the first switch of a file does not wait for writers by itself."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(1 / WAL_TRIES)
        else:
            return


def _sqlite(url: str) -> Engine:
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where we say, not where sqlite3 guesses
        _use_wal(connection)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get('gradeway_begin', 'DEFERRED')}")

    return engine
