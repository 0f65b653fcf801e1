"""Tests here use stores on each kind of database, a tenant in memory, and a time of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gradeway import clock
from gradeway.store.engine import Store
from sessions.exams import Clock
from sessions.tenants import MemoryTenant


@pytest.fixture
def store(sqlite_store: str) -> Iterator[Store]:
    """An empty store."""
    made = Store(sqlite_store)
    yield made
    made.engine.dispose()


@pytest.fixture
def each_store(empty_store: str) -> Iterator[Store]:
    """An empty store, once on each kind of database."""
    made = Store(empty_store)
    yield made
    made.engine.dispose()


@pytest.fixture
def tenant() -> MemoryTenant:
    """A tenant in memory."""
    return MemoryTenant()


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A time that passes only when the test says so."""
    made = Clock()
    monkeypatch.setattr(clock, "now", made.now)
    return made
