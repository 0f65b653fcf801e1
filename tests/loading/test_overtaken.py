"""Two batches at once: one waits for the other, and the order of their numbers decides, not that of their ends."""

from __future__ import annotations

import threading

import pandas as pd
import pytest

from gradeway.intake import Intake
from gradeway.loading.values import ValueLoader
from loading.world import World

COLUMNS = ("x.colnc", "courseId|name|points", "C1|X|100", "C1|Y|100")
VALUES = "courseId|userId|name|value"
Patch = pytest.MonkeyPatch


def load_meanwhile(world: World, patch: Patch, first: int, meanwhile: int) -> None:
    """Load a batch; while its rows are written, another worker begins to load another one, and waits."""
    add = ValueLoader.add
    ended = threading.Event()

    def load_other() -> None:
        other = Intake(world.settings)
        assert other.process(meanwhile)
        other.store.engine.dispose()
        ended.set()

    worker = threading.Thread(target=load_other)

    def slowly(loader: ValueLoader, frame: pd.DataFrame) -> None:
        patch.undo()
        add(loader, frame)
        worker.start()
        assert not ended.wait(0.5), "two batches were loaded at once"

    patch.setattr(ValueLoader, "add", slowly)
    assert world.intake.process(first)
    worker.join()


def claim(world: World, *files: tuple[str, ...]) -> list[int]:
    found = []
    for file in files:
        world.drop(*file)
        found += world.intake.claim()
    return found


def test_a_newer_batch_confirms_what_an_older_one_would_change(world: World, monkeypatch: Patch) -> None:
    world.land(*COLUMNS)
    world.land("v1.colncval", VALUES, "C1|u1|X|50", "C1|u2|X|60")
    older, newer = claim(
        world, ("v2.colncval", VALUES, "C1|u1|X|70"), ("v3.colncval", VALUES, "C1|u1|X|50", "C1|u2|X|60", "")
    )
    load_meanwhile(world, monkeypatch, newer, older)
    assert world.grades() == {("C1", "X", "u1"): "50", ("C1", "X", "u2"): "60"}
    batch = world.batches()[newer - 1]
    assert (batch.updated, batch.unchanged, batch.balanced) == (0, 2, True)
    assert world.codes(older) == [(2, "SUPERSEDED")]


def test_an_older_batch_adds_what_a_newer_one_left_empty(world: World, monkeypatch: Patch) -> None:
    world.land(*COLUMNS)
    older, newer = claim(
        world,
        ("v1.colncval", VALUES, "C1|u1|X|70", "C1|u2|X|80", "C1|u4|X|95"),
        ("v2.colncval", VALUES, "C1|u1|X|50", "C1|u2|X|80", "C1|u3|X|90", "C1|u1|Y|10"),
    )
    load_meanwhile(world, monkeypatch, newer, older)
    assert world.grades() == {
        ("C1", "X", "u1"): "50",
        ("C1", "X", "u2"): "80",
        ("C1", "X", "u3"): "90",
        ("C1", "X", "u4"): "95",
        ("C1", "Y", "u1"): "10",
    }
    first, second = world.batches()[older - 1], world.batches()[newer - 1]
    assert (second.created, second.updated, second.unchanged) == (4, 0, 0)
    assert (first.created, first.updated, first.unchanged) == (1, 0, 2)
    assert world.codes(older) == [(2, "SUPERSEDED")]


def test_in_the_order_of_their_numbers_the_newer_wins(world: World, monkeypatch: Patch) -> None:
    world.land(*COLUMNS)
    world.land("v1.colncval", VALUES, "C1|u1|X|50")
    older, newer = claim(world, ("v2.colncval", VALUES, "C1|u1|X|50", ""), ("v3.colncval", VALUES, "C1|u1|X|70"))
    load_meanwhile(world, monkeypatch, older, newer)
    assert world.grades() == {("C1", "X", "u1"): "70"}
    assert world.codes(older) == world.codes(newer) == []
