"""Grade values: what a column takes, what counts as a change, and what each grade remembers."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from gradeway.store.models import Grade, GradeHistory
from loading.world import World

COLUMNS = ("c.colnc", "courseId|name|points|gradeSchema", "C1|Number|100|", "C1|Symbol|100|S")
SCHEMA = ("s.sch", "title|symbols", "S|A=90:B+=80:F=0")
VALUES = "courseId|userId|name|value"


@pytest.fixture
def course(world: World) -> World:
    """An installation with a column for numbers, and one with a schema."""
    world.drop(*SCHEMA)
    world.drop(*COLUMNS)
    world.sweep()
    return world


TAKEN = [
    ("Number", "0", "0"),
    ("Number", "100", "100"),
    ("Number", "87.50", "87.5"),
    ("Number", "0.1", "0.1"),
    ("Number", "99.99999", "99.99999"),
    ("Symbol", "A", "A"),
    ("Symbol", "B+", "B+"),
    ("Symbol", "87.5", "87.5"),
]
REFUSED = [
    ("Number", "A", "SYMBOL_UNKNOWN"),
    ("Symbol", "C", "SYMBOL_UNKNOWN"),
    ("Symbol", "a", "SYMBOL_UNKNOWN"),
    ("Number", "-1", "VALUE_NEGATIVE"),
    ("Number", "87,5", "NUMBER_COMMA"),
    ("Symbol", "NaN", "SYMBOL_UNKNOWN"),
    ("Number", "Infinity", "SYMBOL_UNKNOWN"),
]


def test_values_that_their_columns_take(course: World) -> None:
    rows = [f"C1|u{place}|{column}|{value}" for place, (column, value, _) in enumerate(TAKEN)]
    batch = course.land("v.colncval", VALUES, *rows)
    assert course.grades() == {("C1", column, f"u{place}"): kept for place, (column, _, kept) in enumerate(TAKEN)}
    assert (batch.created, batch.rejected, course.codes(batch.id)) == (len(TAKEN), 0, [])


def test_values_that_their_columns_refuse(course: World) -> None:
    rows = [f"C1|u{place}|{column}|{value}" for place, (column, value, _) in enumerate(REFUSED)]
    batch = course.land("v.colncval", VALUES, *rows, "C1|good|Number|50")
    assert course.grades() == {("C1", "Number", "good"): "50"}
    assert course.codes(batch.id) == [(line, code) for line, (_, _, code) in enumerate(REFUSED, start=2)]
    assert (batch.rows_in, batch.created, batch.rejected) == (len(REFUSED) + 1, 1, len(REFUSED))
    assert batch.balanced


def test_a_file_of_refused_values_on_sqlite(folder: Path, sqlite_store: str) -> None:
    load_refused(World(folder, sqlite_store))


def test_a_file_of_refused_values_on_postgresql(folder: Path, postgres_store: str) -> None:
    load_refused(World(folder, postgres_store))


def load_refused(world: World) -> None:
    world.land("c.colnc", "courseId|name", "C1|X")
    batch = world.land("v.colncval", VALUES, "C1|u1|X|bad")
    assert (batch.state, batch.failures, batch.rejected) == ("loaded", 0, 1)


def test_a_value_above_the_points_is_taken_with_a_warning(course: World) -> None:
    batch = course.land("v.colncval", VALUES, "C1|u1|Number|100.01")
    assert course.grades() == {("C1", "Number", "u1"): "100.01"}
    assert course.codes(batch.id) == [(2, "VALUE_ABOVE")]
    assert (batch.created, batch.rejected) == (1, 0)


def test_a_refused_value_does_not_remove_the_grade_that_was_there(course: World) -> None:
    course.land("v1.colncval", VALUES, "C1|u1|Number|80")
    course.land("v2.colncval", VALUES, "C1|u1|Number|eighty")
    assert course.grades() == {("C1", "Number", "u1"): "80"}


def test_a_calculated_column_takes_no_values(world: World) -> None:
    world.land("x.col", "courseId|name", "C1|Total")
    world.land("x.colnc", "courseId|name", "C1|Exam")
    batch = world.land("v.colncval", VALUES, "C1|u1|Total|80", "C1|u1|Exam|80")
    assert world.grades() == {("C1", "Exam", "u1"): "80"}
    assert world.codes(batch.id) == [(2, "COLUMN_CALCULATED")]


def test_the_column_of_an_assignment_takes_values(world: World) -> None:
    world.land("x.asg", "courseId|name|points", "C1|Essay|20")
    world.land("v.colncval", VALUES, "C1|u1|Essay|18")
    assert world.grades() == {("C1", "Essay", "u1"): "18"}


def test_a_name_that_two_columns_have_takes_no_values(make_world: Callable[..., World]) -> None:
    world = make_world(column_provisioning="always")
    world.land("x.colnc", "courseId|name", "C1|X", "C1|Y")
    world.land("y.colnc", "courseId|name", "C1|X")
    batch = world.land("v.colncval", VALUES, "C1|u1|X|80", "C1|u1|Y|80")
    assert world.grades() == {("C1", "Y", "u1"): "80"}
    assert world.codes(batch.id) == [(2, "COLUMN_AMBIGUOUS")]


@pytest.mark.parametrize("again", ["90", "90.0", "090", "90.000"])
def test_the_same_number_in_another_spelling_is_unchanged(course: World, again: str) -> None:
    course.land("v1.colncval", VALUES, "C1|u1|Number|90")
    before = course.dump()
    batch = course.land("v2.colncval", VALUES, f"C1|u1|Number|{again}", "")
    assert (batch.unchanged, batch.updated, batch.superseded) == (1, 0, 0)
    assert course.dump()["grade"] == before["grade"]
    assert course.dump()["grade_history"] == []


def test_a_grade_remembers_every_value_it_had_and_the_rows_that_gave_them(course: World) -> None:
    batches = [
        course.land(f"v{place}.colncval", VALUES, "C1|u0|Number|1", f"C1|u1|Number|{value}")
        for place, value in enumerate(["80", "85", "85.0", "A", "90"])
    ]
    first, second, _, _, last = (batch.id for batch in batches)
    with course.intake.store.session() as session:
        history = session.execute(
            select(
                GradeHistory.value,
                GradeHistory.batch_id,
                GradeHistory.line,
                GradeHistory.replaced_by_batch,
                GradeHistory.replaced_by_line,
            ).order_by(GradeHistory.id)
        ).all()
        now = session.execute(select(Grade.value, Grade.batch_id, Grade.line).where(Grade.value != "1")).one()
    assert [tuple(row) for row in history] == [("80", first, 3, second, 3), ("85", second, 3, last, 3)]
    assert tuple(now) == ("90", last, 3)


def test_the_same_row_twice_in_a_file_is_taken_once(course: World) -> None:
    batch = course.land("v.colncval", VALUES, "C1|u1|Number|90", "C1|u1|Number|90")
    assert (batch.rows_in, batch.created, batch.unchanged, batch.duplicates) == (2, 1, 1, 1)


def test_rows_that_contradict_each_other_are_refused_all_and_change_nothing(course: World) -> None:
    course.land("v1.colncval", VALUES, "C1|u1|Number|70")
    batch = course.land("v2.colncval", VALUES, "C1|u1|Number|90", "C1|u2|Number|1", "C1|u1|Number|80")
    assert course.grades() == {("C1", "Number", "u1"): "70", ("C1", "Number", "u2"): "1"}
    assert course.codes(batch.id) == [(2, "DUPLICATE_CONFLICT"), (4, "DUPLICATE_CONFLICT")]
    assert (batch.rejected, batch.created) == (2, 1)


def test_a_file_with_very_many_repeated_rows_is_loaded(folder: Path, postgres_store: str) -> None:
    world = World(folder, postgres_store)
    many = 66_000  # more than a statement takes parameters
    world.land("x.colnc", "courseId|name", "C1|X")
    batch = world.land("v.colncval", VALUES, *(f"C1|u{row % 100}|X|90" for row in range(many)))
    assert (batch.rows_in, batch.created, batch.duplicates) == (many, 100, many - 100)


def test_one_long_cell_does_not_multiply_the_memory_of_its_slice(folder: Path) -> None:
    world = World(folder, f"sqlite:///{folder}/store.db")
    world.land("x.colnc", "courseId|name", "C1|X")
    world.drop("v.colncval", VALUES, *(f"C1|u{row}|X|90" for row in range(20_000)), "C1|u|X|" + "x" * 2000)
    tracemalloc.start()
    world.sweep()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6


def test_a_schema_that_drops_a_symbol_in_use_says_so(course: World) -> None:
    course.land("v.colncval", VALUES, "C1|u1|Symbol|B+", "C1|u2|Symbol|A")
    batch = course.land("new.sch", "title|symbols", "S|A=90:C=80:F=0")
    assert (batch.updated, course.codes(batch.id)) == (1, [(2, "SYMBOL_IN_USE")])
    assert "it is B+" in course.report(batch)["findings"][-1]["remedy"]
    assert course.codes(course.land("other.sch", "title|symbols", "S|A=85:C=80:F=0").id) == []
