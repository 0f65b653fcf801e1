"""Tests here use a sandbox that they share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.sandboxes import Sandbox, running
from loading.world import World
from results.scene import Scene


@pytest.fixture(scope="session")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox; each test has schedules of its own in it."""
    with running(tmp_path_factory.mktemp("vendor")) as sandbox:
        yield sandbox


@pytest.fixture
def scene(vendor: Sandbox, folder: Path, sqlite_store: str) -> Iterator[Scene]:
    """An installation on SQLite with schedules in the sandbox."""
    vendor.act("faults", method="DELETE", status=204)
    with Scene.open(World(folder / "home", sqlite_store), vendor) as made:
        yield made


@pytest.fixture
def any_scene(vendor: Sandbox, world: World) -> Iterator[Scene]:
    """The same, once on each kind of database."""
    vendor.act("faults", method="DELETE", status=204)
    with Scene.open(world, vendor) as made:
        yield made
