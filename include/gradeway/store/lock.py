"""One run of a kind at a time: a lock that frees itself when its process dies, however it dies."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from zlib import crc32

from sqlalchemy import text
from sqlalchemy.engine import make_url

from gradeway.store.engine import Store

# On PostgreSQL an advisory lock has two numbers: this one, "GWAY", says that it is ours.
OURS = 0x47574159
TRIES = 5  # a second
# What there are runs of: of exam sessions and their results, and of publishing.
SYNC, COLLECT = "sync", "collect"
PLAN, SEND = "publish-plan", "publish-send"


@contextmanager
def alone(store: Store, what: str, patience: int = 0) -> Iterator[bool]:
    """Try to be a store's only run of a kind, for as many seconds; yields whether this one is, until the end."""
    with _on_file(store, what, patience) if store.is_sqlite else _on_server(store, what, patience) as held:
        yield held


@contextmanager
def _on_file(store: Store, what: str, patience: int) -> Iterator[bool]:
    # What is opened is not handed on to other programs, with or without the flag.
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(f"{make_url(store.url).database}.{what}", flags, 0o600)
    try:
        yield _try(lambda: take(descriptor), patience)
    finally:
        os.close(descriptor)


def take(descriptor: int) -> bool:
    """Try to lock an open file, which its end unlocks; return whether it is ours now."""
    try:
        if os.name == "nt":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def _on_server(store: Store, what: str, patience: int) -> Iterator[bool]:
    numbers = {"ours": OURS, "what": crc32(what.encode()) >> 1}
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        take, give = (text(f"SELECT {name}(:ours, :what)") for name in ("pg_try_advisory_lock", "pg_advisory_unlock"))
        held = _try(lambda: bool(connection.scalar(take, numbers)), patience)
        try:
            yield held
        finally:
            if held and not connection.invalidated:
                connection.execute(give, numbers)


def _try(take: Callable[[], bool], patience: int) -> bool:
    deadline = time.monotonic() + patience
    while not (taken := take()) and time.monotonic() < deadline:
        time.sleep(1 / TRIES)
    return taken
