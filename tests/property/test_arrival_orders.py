"""The six sample files, in every order in which they can arrive, end in the same store, also with one undone."""

from __future__ import annotations

import os
import random
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
# For each feed a file that gives other values for what the samples are about, and something new.
WRONG = {
    "wrong.sch": "title|symbols|optionalData\nSchema1|A=95:F=0|W=1\nWrong|A=90:F=0|\n",
    "wrong.asg": "courseId|name|instructions|points|optionalData\nGJTEST1|Assignment 2|wrong|5|W=1\nGJTEST1|Wrong|||\n",
    "wrong.col": "courseId|name|description|points|optionalData\nGJTEST1|GC Calculated Grade|wrong|5|W=1\nC2|W|||\n",
    "wrong.colnc": "courseId|name|description|points|optionalData\nGJTEST1|GC Final Grade|wrong|5|W=1\nC2|Wrong|||\n",
    "wrong.colext": "courseId|name\nGJTEST1|GC Calculated Grade\n",
    "wrong.colncval": "courseId|userId|name|value\n"
    "GJTEST1|User001|GC Final Grade|10\nGJTEST1|User002|GC Final Grade|20\nGJTEST1|User002|Wrong|30\n",
}
UNDO = "undo"


def shown(order: tuple[str, ...]) -> str:
    return " ".join(name.rpartition(".")[2] for name in order)


def drop(world: World, name: str, place: int = 0) -> None:
    path = world.zone.inbox("grades") / name
    path.write_text((SAMPLES | WRONG)[name])
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


def with_undo(wrong: str, some: int) -> list[tuple[str, ...]]:
    """Return some orders of the sample files, a wrong file and its undo, the same ones in every run."""
    order, chance = [*SAMPLES, wrong], random.Random(wrong)
    found = []
    for _ in range(some):
        chance.shuffle(order)
        place = chance.randint(order.index(wrong) + 1, len(order))
        found.append((*order[:place], UNDO, *order[place:]))
    return found


def play(world: World, order: Sequence[str], wrong: str) -> None:
    """Let files arrive one a sweep, and undo the wrong one when its time has come."""
    for event in order:
        if event == UNDO:
            number = next(batch.id for batch in world.batches() if batch.file_name == wrong)
            world.undo(number)
            world.sweep("grades")
        else:
            land(world, event)
    assert all(batch.balanced and not batch.parked for batch in world.batches())
    assert not any(batch.rejected for batch in world.batches())


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_file_and_its_undo_leave_no_trace_in_many_orders(start: Bookmarks, wrong: str) -> None:
    for name in SAMPLES:
        land(start.world, name)
    end = start.world.gradebook()
    orders = with_undo(wrong, 15)
    assert len(set(orders)) > 10
    for order in orders:
        start.back("start")
        play(start.world, order, wrong)
        assert start.world.gradebook() == end, order


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_file_and_its_undo_leave_no_trace_on_postgresql(folder: Path, postgres_store: str, wrong: str) -> None:
    world = World(folder / "home", postgres_store)
    (order,) = with_undo(wrong, 1)
    play(world, order, wrong)
    expected(world.gradebook())
    world.intake.store.engine.dispose()
