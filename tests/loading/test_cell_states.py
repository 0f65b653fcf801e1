"""ABSENT keeps, CLEAR restores the documented default, VALUE replaces: for every field of every feed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from gradeway.store.models import Change, GradeColumn
from loading.world import World

# header name, a cell, the field it sets, its value, and the documented default
COLUMN_FIELDS = [
    ("description", "text", "description", "text", ""),
    ("duedate", "2024-01-31", "due_date", date(2024, 1, 31), None),
    ("points", "12.5", "points", Decimal("12.5"), Decimal(100)),
    ("optionalData", "A=1:B=2", "optional_data", {"A": "1", "B": "2"}, {}),
]
ASSIGNMENT_FIELDS = [
    ("instructions", "do it", "instructions", "do it", ""),
    ("anonymous", "Y", "anonymous", True, False),
    ("group", "true", "group_work", True, False),
    ("contentAreaName", "Week 1", "content_area", "Week 1", "Assignments"),
    ("available", "Y", "available", True, False),
    ("colour", "red", "colour", "red", ""),
    ("attempts", "2", "attempts", 2, -1),
    ("tracked", "Y", "tracked", True, False),
    ("startDate", "2024-01-30", "start_date", date(2024, 1, 30), None),
    ("endDate", "2024-02-01", "end_date", date(2024, 2, 1), None),
    ("dueDate", "2024-01-31", "due_date", date(2024, 1, 31), None),
    ("points", "12.5", "points", Decimal("12.5"), Decimal(100)),
    ("optionalData", "A=1", "optional_data", {"A": "1"}, {}),
]
FEEDS = [("colnc", COLUMN_FIELDS), ("col", COLUMN_FIELDS), ("asg", ASSIGNMENT_FIELDS)]


def values(column: GradeColumn, fields: list[tuple[Any, ...]]) -> list[object]:
    return [getattr(column, field) for _, _, field, _, _ in fields]


def fill(world: World, feed: str, fields: list[tuple[Any, ...]]) -> None:
    names, cells = zip(*[(name, cell) for name, cell, *_ in fields], strict=True)
    world.land(f"full.{feed}", "|".join(("courseId", "name", *names)), "|".join(("C1", "X", *cells)))


@pytest.mark.parametrize(("feed", "fields"), FEEDS)
def test_a_value_replaces_and_an_absent_column_keeps(world: World, feed: str, fields: list[tuple[Any, ...]]) -> None:
    world.land(f"least.{feed}", "courseId|name", "C1|X")
    assert values(world.column("X"), fields) == [default for *_, default in fields]
    fill(world, feed, fields)
    assert values(world.column("X"), fields) == [value for *_, value, _ in fields]
    batch = world.land(f"again.{feed}", "courseId|name", "C1|X", "")
    assert values(world.column("X"), fields) == [value for *_, value, _ in fields]
    assert (batch.unchanged, batch.updated) == (1, 0)


@pytest.mark.parametrize(("feed", "fields"), FEEDS)
def test_a_blank_cell_restores_the_default(world: World, feed: str, fields: list[tuple[Any, ...]]) -> None:
    fill(world, feed, fields)
    names = "|".join(name for name, *_ in fields)
    batch = world.land(f"blank.{feed}", f"courseId|name|{names}", "C1|X" + "|" * len(fields))
    assert values(world.column("X"), fields) == [default for *_, default in fields]
    assert batch.updated == 1


def test_one_blank_cell_leaves_the_other_fields_alone(world: World) -> None:
    fill(world, "colnc", COLUMN_FIELDS)
    world.land("one.colnc", "courseId|name|description", "C1|X|")
    column = world.column("X")
    assert (column.description, column.points) == ("", Decimal("12.5"))


def test_the_schema_of_a_column_is_set_kept_and_taken_away(world: World) -> None:
    world.land("s.sch", "title|symbols", "S|A=90:F=0")
    world.land("a.colnc", "courseId|name|gradeSchema", "C1|X|S")
    assert world.column("X").schema_id is not None
    world.land("b.colnc", "courseId|name|points", "C1|X|50")
    assert world.column("X").schema_id is not None
    world.land("c.colnc", "courseId|name|gradeSchema", "C1|X|")
    assert world.column("X").schema_id is None


def test_the_data_of_a_schema_is_set_kept_and_cleared(world: World) -> None:
    def data() -> object:
        return world.gradebook()["schemas"]["S"][1]

    world.land("a.sch", "title|symbols|optionalData", "S|A=90:F=0|K=1")
    assert data() == {"K": "1"}
    world.land("b.sch", "title|symbols", "S|A=91:F=0")
    assert data() == {"K": "1"}
    world.land("c.sch", "title|symbols|optionalData", "S|A=91:F=0|")
    assert data() == {}


@pytest.mark.parametrize("spelling", ["100", "100.0", "100.000"])
def test_the_same_points_in_another_spelling_are_unchanged(world: World, spelling: str) -> None:
    world.land("a.colnc", "courseId|name|points", "C1|X|100")
    batch = world.land("b.colnc", "courseId|name|points", f"C1|X|{spelling}", "")
    assert (batch.unchanged, batch.updated) == (1, 0)


def test_every_change_keeps_what_was_there_before(world: World) -> None:
    first = world.land("a.colnc", "courseId|name|points|description", "C1|X|100|old")
    second = world.land("b.colnc", "courseId|name|points|description", "C1|Y|1|", "C1|X|50|old")
    with world.intake.store.session() as session:
        changes = session.execute(
            select(Change.entity_id, Change.batch_id, Change.line, Change.before).order_by(Change.id)
        ).all()
    x, y = world.column("X").id, world.column("Y").id
    # a number is kept as its text, and a new record has nothing before it
    assert sorted(map(tuple, changes), key=repr) == sorted(
        [(x, first.id, 2, None), (y, second.id, 2, None), (x, second.id, 3, {"points": "100"})], key=repr
    )


def test_a_row_that_changes_nothing_leaves_no_change(world: World) -> None:
    world.land("a.colnc", "courseId|name|points", "C1|X|100")
    before = world.dump()["change"]
    world.land("b.colnc", "courseId|name|points", "C1|X|100", "")
    assert world.dump()["change"] == before
