"""One run at a time: a lock that frees itself when its process dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.engine import make_url

from gradeway.store.engine import Store

LOCK = 0x47575359  # "GWSY": the advisory lock's number on PostgreSQL
PAUSE = 0.2  # seconds between two tries


@contextmanager
def alone(store: Store, patience: float = 0) -> Iterator[bool]:
    """Try to be the only run on a store, for as many seconds; yields whether this one is, until the end."""
    with _on_file(store, patience) if store.is_sqlite else _on_server(store, patience) as held:
        yield held


@contextmanager
def _on_file(store: Store, patience: float) -> Iterator[bool]:
    descriptor = os.open(f"{make_url(store.url).database}.sync", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _try(lambda: _flock(descriptor), patience)
    finally:
        os.close(descriptor)


def _flock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _on_server(store: Store, patience: float) -> Iterator[bool]:
    number = {"number": LOCK}
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        take, give = text("SELECT pg_try_advisory_lock(:number)"), text("SELECT pg_advisory_unlock(:number)")
        held = _try(lambda: bool(connection.scalar(take, number)), patience)
        try:
            yield held
        finally:
            if held and not connection.invalidated:
                connection.execute(give, number)


def _try(take: Callable[[], bool], patience: float) -> bool:
    deadline = time.monotonic() + patience
    while not (taken := take()) and time.monotonic() < deadline:
        time.sleep(PAUSE)
    return taken
