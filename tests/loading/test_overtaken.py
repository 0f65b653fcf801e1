"""A batch that compared itself with the store while another one was about to change it."""

from __future__ import annotations

import pytest

from gradeway.intake import Intake
from gradeway.loading import batch as loading
from gradeway.store.bulk import GradeStage
from gradeway.store.grades import Grades, Mask
from loading.world import World

COLUMNS = ("x.colnc", "courseId|name|points", "C1|X|100", "C1|Y|100")
VALUES = "courseId|userId|name|value"
Patch = pytest.MonkeyPatch


def load_between(world: World, patch: Patch, first: int, between: int) -> None:
    """Load a batch while another one is staged and waits for the store's lock."""
    stage = loading._stage

    def overtaken(*given: object) -> object:
        staged = stage(*given)  # type: ignore[arg-type]
        patch.undo()
        other = Intake(world.settings)
        assert other.process(between)
        other.store.engine.dispose()
        return staged

    patch.setattr(loading, "_stage", overtaken)
    assert world.intake.process(first)


def claim(world: World, *files: tuple[str, ...]) -> list[int]:
    found = []
    for file in files:
        world.drop(*file)
        found += world.intake.claim()
    return found


def test_a_grade_that_was_right_is_set_again_when_an_older_batch_changed_it_meanwhile(
    world: World, monkeypatch: Patch
) -> None:
    world.land(*COLUMNS)
    world.land("v1.colncval", VALUES, "C1|u1|X|50", "C1|u2|X|60")
    older, newer = claim(
        world, ("v2.colncval", VALUES, "C1|u1|X|70"), ("v3.colncval", VALUES, "C1|u1|X|50", "C1|u2|X|60", "")
    )
    load_between(world, monkeypatch, newer, older)
    assert world.grades() == {("C1", "X", "u1"): "50", ("C1", "X", "u2"): "60"}
    batch = world.batches()[newer - 1]
    assert (batch.updated, batch.unchanged, batch.balanced) == (1, 1, True)


def test_a_column_that_was_empty_and_is_filled_meanwhile(world: World, monkeypatch: Patch) -> None:
    world.land(*COLUMNS)
    older, newer = claim(
        world,
        ("v1.colncval", VALUES, "C1|u1|X|70", "C1|u2|X|80"),
        ("v2.colncval", VALUES, "C1|u1|X|50", "C1|u2|X|80", "C1|u3|X|90", "C1|u1|Y|10"),
    )
    load_between(world, monkeypatch, newer, older)
    assert world.grades() == {
        ("C1", "X", "u1"): "50",
        ("C1", "X", "u2"): "80",
        ("C1", "X", "u3"): "90",
        ("C1", "Y", "u1"): "10",
    }
    batch = world.batches()[newer - 1]
    assert (batch.created, batch.updated, batch.unchanged) == (2, 1, 1)


def test_an_older_batch_that_found_its_grades_there_does_not_win_over_a_newer_one(
    world: World, monkeypatch: Patch
) -> None:
    world.land(*COLUMNS)
    world.land("v1.colncval", VALUES, "C1|u1|X|50")
    older, newer = claim(world, ("v2.colncval", VALUES, "C1|u1|X|50", ""), ("v3.colncval", VALUES, "C1|u1|X|70"))
    load_between(world, monkeypatch, older, newer)
    assert world.grades() == {("C1", "X", "u1"): "70"}
    assert world.codes(older) == [(2, "SUPERSEDED")]


def test_what_stands_in_the_store_is_looked_at_once_unless_somebody_wrote(world: World, monkeypatch: Patch) -> None:
    world.land(*COLUMNS)
    world.land("v1.colncval", VALUES, "C1|u1|X|50")
    looks: list[int] = []
    same = GradeStage._same

    def watched(stage: GradeStage, grades: Grades) -> Mask:
        looks.append(len(grades))
        return same(stage, grades)

    monkeypatch.setattr(GradeStage, "_same", watched)
    assert world.land("v2.colncval", VALUES, "C1|u1|X|50", "C1|u2|X|60").created == 1
    assert looks == [2]
