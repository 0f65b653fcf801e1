"""The six sample files, in every order in which they can arrive, end in the same store."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from gradeway.demo.samples import SAMPLES
from loading.world import World
from property.orders import Bookmarks, walk

ORDERS = list(permutations(SAMPLES))
MANY = ORDERS[::23]


def shown(order: tuple[str, ...]) -> str:
    return " ".join(name.rpartition(".")[2] for name in order)


def drop(world: World, name: str, place: int = 0) -> None:
    path = world.zone.inbox("grades") / name
    path.write_text(SAMPLES[name])
    os.utime(path, (1_700_000_000 + place, 1_700_000_000 + place))


def land(world: World, name: str) -> None:
    drop(world, name)
    world.sweep("grades")


def land_at_once(world: World, order: Sequence[str]) -> None:
    for place, name in enumerate(order):
        drop(world, name, place)
    world.sweep("grades")
    assert [batch.file_name for batch in world.batches()] == list(order)


def expected(gradebook: dict[str, Any]) -> None:
    """Hold that a gradebook is the one of the sample files."""
    assert list(gradebook["schemas"]) == ["Schema1"]
    assert [text for text, _ in gradebook["schemas"]["Schema1"][0]] == ["A", "B", "C", "D", "F"]
    kinds = [(row["name"], row["kind"], row["external"], row["schema"]) for row in gradebook["columns"]]
    assert kinds == [
        ("Assignment 2", "assignment", False, "Schema1"),
        ("GC Calculated Grade", "calculated", False, "Schema1"),
        ("GC Final Grade", "manual", True, "Schema1"),
    ]
    assert gradebook["grades"] == {("GJTEST1", "GC Final Grade", "User001"): "90"}
    assert gradebook["parked"] == []


@pytest.fixture
def start(folder: Path) -> Iterator[Bookmarks]:
    """An installation before anything landed; the state is kept as "start"."""
    home = folder / "home"
    bookmarks = Bookmarks(World(home, f"sqlite:///{home}/store.db"), folder)
    bookmarks.keep("start")
    yield bookmarks
    bookmarks.world.intake.store.engine.dispose()


def hold(world: World, end: dict[str, Any]) -> None:
    """Hold that an installation ended like another, with every row accounted for."""
    assert world.gradebook() == end
    assert [(batch.state, batch.applied, batch.parked) for batch in world.batches()] == [("loaded", 1, 0)] * 6


@pytest.mark.parametrize("first", SAMPLES, ids=lambda name: name.rpartition(".")[2])
def test_one_file_a_sweep_in_every_order(start: Bookmarks, first: str) -> None:
    world, ends = start.world, set()
    for name in SAMPLES:
        land(world, name)
    end = world.gradebook()
    expected(end)

    def look(world: World, order: tuple[str, ...]) -> None:
        hold(world, end)
        ends.add(order)

    start.back("start")
    land(world, first)
    walk(start, [name for name in SAMPLES if name != first], land, look, (first,))
    assert ends == {order for order in ORDERS if order[0] == first}


@pytest.mark.parametrize("some", range(3))
def test_one_sweep_with_the_files_in_many_orders(start: Bookmarks, some: int) -> None:
    ends = []
    for order in MANY[some::3]:
        start.back("start")
        land_at_once(start.world, order)
        ends.append(start.world.gradebook())
        hold(start.world, ends[0])
    expected(ends[0])


def test_the_many_orders_have_every_two_files_both_ways() -> None:
    pairs = {(a, b) for order in MANY for place, a in enumerate(order) for b in order[place + 1 :]}
    assert pairs == set(permutations(SAMPLES, 2))


@pytest.mark.parametrize("order", ORDERS[::71], ids=shown)
def test_some_orders_on_postgresql(folder: Path, postgres_store: str, order: tuple[str, ...]) -> None:
    world = World(folder / "home", postgres_store)
    for name in order:
        land(world, name)
    expected(world.gradebook())
    hold(world, world.gradebook())
    world.intake.store.engine.dispose()


@pytest.mark.parametrize("order", ORDERS[30::143], ids=shown)
def test_some_orders_in_one_sweep_on_postgresql(folder: Path, postgres_store: str, order: tuple[str, ...]) -> None:
    world = World(folder / "home", postgres_store)
    land_at_once(world, order)
    expected(world.gradebook())
    hold(world, world.gradebook())
    world.intake.store.engine.dispose()
