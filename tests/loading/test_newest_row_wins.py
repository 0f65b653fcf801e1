"""A newer batch wins over an older one, field by field, in whatever order they are loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from gradeway.store.exams import SessionGroup
from gradeway.store.models import Change, Grade
from loading.world import World

COLUMN = ("x.colnc", "courseId|name|points", "C1|X|100")
VALUES = "courseId|userId|name|value"


def claim_both(world: World, older: tuple[str, ...], newer: tuple[str, ...]) -> list[int]:
    found = []
    for file in (older, newer):
        world.drop(*file)
        found += world.intake.claim()
    return found


@pytest.mark.parametrize("newer", ["85", "80"], ids=["changed", "confirmed"])
def test_an_older_batch_never_replaces_a_grade_that_a_newer_one_gave(world: World, newer: str) -> None:
    world.land(*COLUMN)
    world.land("v1.colncval", VALUES, "C1|u1|X|80")
    first, second = claim_both(
        world, ("older.colncval", VALUES, "C1|u1|X|90"), ("newer.colncval", VALUES, f"C1|u1|X|{newer}", "")
    )
    world.intake.process(second)
    world.intake.process(first)
    assert world.grades() == {("C1", "X", "u1"): newer}
    assert world.codes(first) == [(2, "SUPERSEDED")]
    older = world.batches()[first - 1]
    assert (older.unchanged, older.superseded, older.balanced) == (1, 1, True)


@pytest.mark.parametrize("newer", ["70", "100"], ids=["changed", "confirmed"])
def test_an_older_batch_never_replaces_a_column_that_a_newer_one_gave(world: World, newer: str) -> None:
    world.land(*COLUMN)
    first, second = claim_both(
        world, ("older.colnc", COLUMN[1], "C1|X|50"), ("newer.colnc", COLUMN[1], f"C1|X|{newer}", "")
    )
    world.intake.process(second)
    world.intake.process(first)
    assert world.column("X").points == int(newer)
    assert world.codes(first) == [(2, "SUPERSEDED")]
    assert world.batches()[first - 1].superseded == 1


def test_an_older_batch_never_replaces_a_schema_that_a_newer_one_gave(world: World) -> None:
    header = "title|symbols"
    first, second = claim_both(world, ("older.sch", header, "S|A=90:F=0"), ("newer.sch", header, "S|A=80:F=0"))
    world.intake.process(second)
    world.intake.process(first)
    assert world.gradebook()["schemas"] == {"S": ([["A", "80"], ["F", "0"]], {})}
    assert world.codes(first) == [(2, "SUPERSEDED")]


def test_an_older_batch_never_moves_the_external_grade_back(world: World) -> None:
    world.land("x.colnc", "courseId|name", "C1|X", "C1|Y")
    header = "courseId|name"
    first, second = claim_both(world, ("older.colext", header, "C1|X"), ("newer.colext", header, "C1|Y"))
    world.intake.process(second)
    world.intake.process(first)
    assert (world.column("X").external, world.column("Y").external) == (False, True)
    assert world.codes(first) == [(2, "SUPERSEDED")]


def test_a_newer_row_that_names_fewer_fields_leaves_the_others_to_the_older_one(world: World) -> None:
    first, second = claim_both(
        world,
        ("older.colnc", "courseId|name|points|description", "C1|X|50|older"),
        ("newer.colnc", "courseId|name|points", "C1|X|70"),
    )
    world.intake.process(second)
    world.intake.process(first)
    column = world.column("X")
    assert (column.points, column.description) == (70, "older")
    assert world.batches()[first - 1].updated == 1


def test_partial_rows_of_one_column_end_the_same_whenever_the_schema_lands(folder: Path) -> None:
    files = {
        "schema": ("s.sch", "title|symbols", "S|A=90:F=0"),
        "text": ("a.colnc", "courseId|name|description|gradeSchema", "C1|X|hello|S"),
        "points": ("b.colnc", "courseId|name|points", "C1|X|10"),
    }
    ends = []
    for place, order in enumerate((["schema", "text", "points"], ["text", "points", "schema"])):
        world = World(folder / str(place), f"sqlite:///{folder}/{place}.db")
        for name in order:
            world.land(*files[name])
        ends.append(world.gradebook())
    assert ends[0] == ends[1]
    assert ends[0]["columns"][0]["description"] == "hello"


def test_a_waiting_row_does_not_replace_what_a_newer_file_gave_meanwhile(world: World) -> None:
    world.land(*COLUMN)
    older = world.land("older.colnc", "courseId|name|points|gradeSchema", "C1|X|50|S")
    world.land("newer.colnc", "courseId|name|points", "C1|X|100", "")
    assert older.parked == 1
    world.land("s.sch", "title|symbols", "S|A=90:F=0")
    column = world.column("X")
    assert column.points == 100
    assert column.schema_id is not None


def test_a_row_that_waits_for_another_column_makes_no_grade_be_written_again(world: World) -> None:
    header = "courseId|userId|name|value"
    world.land("c.colnc", "courseId|name|points", "C1|X|100")
    world.land("waits.colncval", header, "C1|u1|Other|1")
    first = world.land("v.colncval", header, "C1|u1|X|90")
    batch = world.land("again.colncval", header, "C1|u1|X|90", "C1|u2|X|80")
    assert (batch.created, batch.unchanged) == (1, 1)
    with world.intake.store.session() as session:
        assert sorted(session.scalars(select(Grade.batch_id))) == [first.id, batch.id]


def changes(world: World, batch_id: int) -> list[tuple[int, dict[str, object] | None, dict[str, int]]]:
    """Return what a batch changed: the line, what was before, and who had given that."""
    wanted = select(Change.line, Change.before, Change.given).where(Change.batch_id == batch_id)
    with world.intake.store.session() as session:
        return [tuple(row) for row in session.execute(wanted.order_by(Change.id))]


def test_what_an_older_row_says_too_late_is_kept_as_replaced_by_the_newer_one(world: World) -> None:
    first, second = claim_both(
        world,
        ("older.colnc", "courseId|name|points|description", "C1|X|50|older"),
        ("newer.colnc", "courseId|name|points", "C0|Z|1", "C1|X|70"),
    )
    world.intake.process(second)
    world.intake.process(first)
    assert changes(world, second) == [
        (2, None, {}),
        (3, None, {}),
        (3, {"name": "X", "points": "50"}, {"name": first, "points": first}),
    ]
    by_newer = {"name": second, "points": second}
    assert changes(world, first) == [(2, {"name": "X", "points": "70", "description": ""}, by_newer)]


def test_a_row_that_confirms_remembers_who_gave_it_before(world: World) -> None:
    column = world.land(*COLUMN)
    first, second = claim_both(world, ("older.colnc", COLUMN[1], "C1|X|50"), ("newer.colnc", COLUMN[1], "C1|X|100", ""))
    world.intake.process(second)
    assert changes(world, second) == [(2, {"name": "X", "points": "100"}, {"name": column.id, "points": column.id})]
    world.intake.process(first)
    assert world.column("X").points == 100


def test_a_mark_that_comes_too_late_is_kept_as_replaced_by_the_newer_one(world: World) -> None:
    world.land("x.colnc", "courseId|name", "C1|X", "C1|Y")
    header = "courseId|name"
    first, second = claim_both(world, ("older.colext", header, "C1|X"), ("newer.colext", header, "C0|No", "C1|Y"))
    world.intake.process(second)
    world.intake.process(first)
    assert changes(world, second) == [(3, {"external": False}, {}), (3, {"external": True}, {"external": first})]
    assert changes(world, first) == [(2, {"external": False}, {})]


def test_a_value_and_a_result_for_the_same_grade_are_judged_by_their_batches(world: World) -> None:
    world.land("x.colnc", "courseId|name|points|optionalData", "C1|X|100|SESSION=s")
    world.land("v.colncval", VALUES, "C1|u1|X|90")
    result = "system|session|assessment|learner|state|score|maximum\nq|s||u1|final|70|100\n"
    (world.zone.inbox("results") / "r.results").write_text(result)
    older = world.intake.claim("results")[0]
    world.drop("w.colncval", VALUES, "C1|u1|X|90", "")
    newer = world.intake.claim("grades")[0]
    world.intake.process(newer)
    world.intake.process(older)
    assert world.grades() == {("C1", "X", "u1"): "90"}
    assert world.codes(older) == [(2, "SUPERSEDED")]


def test_files_of_groups_and_of_sessions_that_name_a_group_are_judged_by_their_batches(world: World) -> None:
    inbox = world.zone.inbox("sessions")

    def claim(name: str, *lines: str) -> int:
        (inbox / name).write_text("".join(f"{line}\n" for line in lines))
        return world.intake.claim("sessions")[0]

    world.intake.process(claim("0.csv", "group_name,group_description", "G,old"))
    older = claim(
        "1.csv",
        "session_deliveryId,group_name,group_description,session_name,session_startDate",
        "D,G,late,N,2026-01-10T08:00:00Z",
    )
    newer = claim("2.csv", "group_name,group_description", "G,old", "")
    world.intake.process(newer)
    world.intake.process(older)
    with world.intake.store.session() as session:
        assert session.scalars(select(SessionGroup.description)).one() == "old"
