"""Fixtures that make installations for tests, on each kind of database."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

import pytest
from sqlalchemy import text

import postgres
from gradeway.store.engine import Store
from gradeway.store.models import Base
from loading.world import World, own_engine

MEMORY = Path("/dev/shm")  # noqa: S108  only the name of a folder, in which we make one of our own
MakeWorld = Callable[..., World]
KINDS = ("sqlite", "postgresql")
# For tests that otherwise run on either kind.
BOTH_KINDS = pytest.mark.parametrize("empty_store", KINDS, indirect=True)


@contextmanager
def fast_folder() -> Iterator[Path]:
    """Make a folder that is in memory where the system has such: half of a sweep's time is waiting for disks."""
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place, prefix="gw-test-") as folder:
        yield Path(folder)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A fast folder for one test."""
    with fast_folder() as made:
        yield made


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store with tables and nothing in them, to be copied."""
    path = tmp_path_factory.mktemp("store") / "empty.db"
    Store(f"sqlite:///{path}").ready().engine.dispose()
    return path


@pytest.fixture(scope="session")
def shared_postgres_store(postgres_url: str) -> Iterator[str]:
    """A PostgreSQL store that tests use one after the other."""
    with postgres.database(postgres_url) as url:
        Store(url).ready().engine.dispose()
        yield url


@pytest.fixture
def postgres_store(shared_postgres_store: str) -> str:
    """A PostgreSQL store with tables and nothing in them; emptying one is faster than making one."""
    tables = ", ".join(f'"{table.name}"' for table in Base.metadata.sorted_tables)
    with own_engine(shared_postgres_store).begin() as connection:
        connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY"))
    return shared_postgres_store


@pytest.fixture
def sqlite_store(sqlite_template: Path, folder: Path) -> str:
    """A SQLite store with tables and nothing in them."""
    path = folder / "store.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


def of_kind(request: pytest.FixtureRequest, kind: str) -> str:
    """The URL of a store with tables and nothing in them, on a kind of database."""
    return str(request.getfixturevalue("sqlite_store" if kind == "sqlite" else "postgres_store"))


def of_either_kind(request: pytest.FixtureRequest) -> str:
    """As ``of_kind``: of the kind that a test is marked with, else by its name, so that each sees half of them."""
    by_name = KINDS[crc32(request.node.nodeid.encode()) % len(KINDS)]
    return of_kind(request, getattr(request, "param", by_name))


@pytest.fixture(params=KINDS)
def empty_store(request: pytest.FixtureRequest) -> str:
    """The URL of a store with tables and nothing in them; once on each kind of database."""
    return of_kind(request, request.param)


@pytest.fixture
def make_world(folder: Path, empty_store: str) -> Iterator[MakeWorld]:
    """Make an installation with settings of its own; all that one test makes share a store."""
    made: list[World] = []

    def make(**given: object) -> World:
        made.append(World(folder / "home", empty_store, **given))
        return made[-1]

    yield make
    for world in made:
        world.intake.store.engine.dispose()


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """An installation with default settings; once on each kind of database."""
    return make_world()
