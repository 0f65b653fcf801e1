"""The external grade: one column of a course at a time, and the newest row decides which."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gradeway.store.models import Change
from loading.world import World

HEADER = "courseId|name"


@pytest.fixture
def course(world: World) -> World:
    """An installation with two columns of one course, and one of another."""
    world.land("c.colnc", HEADER, "C1|X", "C1|Y", "C2|X")
    return world


def externals(world: World) -> list[tuple[str, str]]:
    return [(row["course"], row["name"]) for row in world.gradebook()["columns"] if row["external"]]


def test_a_row_marks_its_column(course: World) -> None:
    batch = course.land("e.colext", HEADER, "C1|X", "C2|X")
    assert externals(course) == [("C1", "X"), ("C2", "X")]
    assert batch.updated == 2


def test_the_mark_moves_and_both_columns_remember_it(course: World) -> None:
    course.land("e.colext", HEADER, "C1|X")
    batch = course.land("f.colext", HEADER, "C1|Y")
    assert externals(course) == [("C1", "Y")]
    with course.intake.store.session() as session:
        changes = session.execute(
            select(Change.entity_id, Change.before).where(Change.batch_id == batch.id).order_by(Change.entity_id)
        ).all()
    x, y = course.column("X").id, course.column("Y").id
    assert list(map(tuple, changes)) == [(x, {"external": True}), (y, {"external": False})]


def test_the_same_mark_again_changes_nothing(course: World) -> None:
    course.land("e.colext", HEADER, "C1|X")
    before = course.dump()["change"]
    batch = course.land("f.colext", HEADER, "C1|X", "")
    assert batch.unchanged == 1
    assert course.dump()["change"] == before


def test_two_columns_of_one_course_in_one_file_contradict_each_other(course: World) -> None:
    batch = course.land("e.colext", HEADER, "C1|X", "C1|Y", "C2|X")
    assert externals(course) == [("C2", "X")]
    assert course.codes(batch.id) == [(2, "DUPLICATE_CONFLICT"), (3, "DUPLICATE_CONFLICT")]


def test_an_older_row_whose_column_comes_late_does_not_take_the_mark_back(course: World) -> None:
    course.land("e.colext", HEADER, "C1|Late")
    course.land("f.colext", HEADER, "C1|X")
    course.land("late.colnc", HEADER, "C1|Late")
    assert externals(course) == [("C1", "X")]
    older = course.batches()[1]
    assert (older.parked, older.superseded, older.balanced) == (0, 1, True)


def test_a_newer_row_whose_column_comes_late_takes_the_mark_then(course: World) -> None:
    course.land("f.colext", HEADER, "C1|X")
    course.land("e.colext", HEADER, "C1|Late")
    assert externals(course) == [("C1", "X")]
    course.land("late.colnc", HEADER, "C1|Late")
    assert externals(course) == [("C1", "Late")]
