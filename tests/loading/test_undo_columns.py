"""Taking back what a batch said of schemas, columns and external grades; what others need or gave since stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from gradeway.loading.takeback import Kept
from gradeway.loading.undo import Undone
from gradeway.store.bulk import TakenBack
from gradeway.store.models import Change, GradeColumn, GradeSchema
from loading.world import World

SCHEMA = "title|symbols|optionalData"
COLUMN = "courseId|name|points|gradeSchema|description"
VALUES = "courseId|userId|name|value"
EXTERNAL = "courseId|name"
Stays = list[tuple[str, int, str, str, str, str]]


def stays(done: Undone) -> Stays:
    """Return what an undo kept: the code, the line, what it is, its name and course, and why."""
    return [(one.reason.value, one.line, one.kind, one.name, one.course, one.why) for one in done.kept]


def claim(world: World, *files: tuple[str, ...]) -> list[int]:
    found = []
    for file in files:
        world.drop(*file)
        found += world.intake.claim()
    return found


def externals(world: World) -> list[tuple[str, str]]:
    return [(row["course"], row["name"]) for row in world.gradebook()["columns"] if row["external"]]


def rows_of(done: Undone) -> tuple[int, int, int, int]:
    """Return the accounting of an undo: in, applied, unchanged, and of these the overtaken."""
    return done.tally.rows_in, done.tally.updated, done.tally.unchanged, done.tally.superseded


# what only this batch made


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        (("s.sch", SCHEMA, "S|A=90:F=0|", "T|A=90:F=0|"), "schema"),
        (("a.asg", "courseId|name", "C1|A", "C2|B"), "column"),
        (("c.col", "courseId|name", "C1|A", "C2|B"), "column"),
        (("m.colnc", "courseId|name", "C1|A", "C2|B"), "column"),
    ],
)
def test_what_a_batch_made_and_nothing_needs_is_removed(world: World, file: tuple[str, ...], kind: str) -> None:
    before = world.gradebook()
    batch = world.land(*file)
    done = world.undo(batch.id)
    assert done.parts[kind] == TakenBack(restored=0, removed=2, kept=0)
    assert rows_of(done) == (2, 2, 0, 0)
    assert world.gradebook() == before
    # and it loads again, as if for the first time
    world.intake.replay(batch.id)
    world.sweep()
    assert world.batches()[-1].created == 2


def test_a_removed_column_leaves_its_history_and_lends_it_to_no_other(world: World) -> None:
    batch = world.land("m.colnc", COLUMN, "C1|A|50||text")
    column = world.column("A")
    undo = world.undo(batch.id).undo_id
    world.land("n.colnc", COLUMN, "C1|A|60||")
    assert world.column("A").id != column.id
    with world.intake.store.session() as session:
        wanted = select(Change.batch_id, Change.line, Change.before).where(Change.entity_id == column.id)
        found = [tuple(row) for row in session.execute(wanted.order_by(Change.id))]
    was = {"name": "A", "points": "50", "description": "text", "schema_id": None}
    assert found == [(batch.id, 2, None), (undo, 2, was)]


@pytest.mark.parametrize("chunk", [1, 2])
def test_more_columns_than_are_handled_at_once(world: World, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world.land("a.colnc", COLUMN, *(f"C{n}|X|1||" for n in range(5)))
    before = world.gradebook()
    monkeypatch.setattr("gradeway.loading.base.chunks.__defaults__", (chunk,))
    batch = world.land("b.colnc", COLUMN, *(f"C{n}|X|{n + 2}||" for n in range(3)), *(f"C{n}|Y|1||" for n in range(5)))
    done = world.undo(batch.id)
    assert done.parts["column"] == TakenBack(restored=3, removed=5, kept=0)
    assert world.gradebook() == before


# what others need


def with_grades(world: World) -> None:
    world.land("v.colncval", VALUES, "C1|u1|X|50")


def with_a_change(world: World) -> None:
    world.land("d.colnc", COLUMN, "C1|X|100|S|other")


def with_a_mark(world: World) -> None:
    world.land("e.colext", EXTERNAL, "C1|X")


@pytest.mark.parametrize(
    ("need", "why"),
    [
        (with_grades, "grades of batch 3 are there"),
        (with_a_change, "batch 3 says something of it, too"),
        (with_a_mark, "batch 3 says something of it, too"),
    ],
)
def test_a_column_that_others_need_stays_until_what_needs_it_is_undone(
    world: World, need: Callable[[World], None], why: str
) -> None:
    world.land("s.sch", SCHEMA, "S|A=90:F=0|")
    before = world.gradebook()
    batch = world.land("c.colnc", COLUMN, "C1|X|100|S|text", "C1|Y|100||")
    need(world)
    with_need = world.gradebook()
    done = world.undo(batch.id)
    assert done.parts["column"] == TakenBack(restored=0, removed=1, kept=1)
    assert stays(done) == [("UNDO_KEPT", 2, "column", "X", "C1", why)]
    assert rows_of(done) == (2, 1, 1, 1)
    assert world.gradebook() == with_need | {"columns": with_need["columns"][:1]}
    assert world.codes(done.undo_id or 0) == [(2, "UNDO_KEPT")]
    again = world.undo(3)
    assert again.parts["column"].removed == 1
    assert world.gradebook() == before


def test_a_schema_that_columns_use_stays_until_they_are_undone(world: World) -> None:
    schema = world.land("s.sch", SCHEMA, "S|A=90:F=0|", "T|A=90:F=0|")
    column = world.land("c.colnc", COLUMN, "C1|X|100|S|")
    done = world.undo(schema.id)
    assert stays(done) == [("UNDO_KEPT", 2, "schema", "S", "", "columns use it")]
    assert list(world.gradebook()["schemas"]) == ["S"]
    assert world.undo(column.id).parts["schema"] == TakenBack(restored=0, removed=1, kept=0)
    assert world.gradebook()["schemas"] == {}


def test_a_schema_that_a_column_would_get_back_stays(world: World) -> None:
    schema = world.land("s.sch", SCHEMA, "S|A=90:F=0|")
    world.land("c.colnc", COLUMN, "C1|X|100|S|")
    none = world.land("d.colnc", COLUMN, "C1|X|100||")
    done = world.undo(schema.id)
    assert stays(done) == [("UNDO_KEPT", 2, "schema", "S", "", "an undo can give it back to a column")]
    world.undo(none.id)
    assert world.gradebook()["columns"][0]["schema"] == "S"


def test_a_schema_that_only_undone_batches_gave_a_column_goes(world: World) -> None:
    world.land("c.colnc", COLUMN, "C1|X|100||")
    schema = world.land("s.sch", SCHEMA, "S|A=90:F=0|")
    column = world.land("d.colnc", COLUMN, "C1|X|100|S|")
    world.undo(column.id)
    assert world.undo(schema.id).parts["schema"] == TakenBack(restored=0, removed=1, kept=0)


@pytest.mark.parametrize("data", ["SESSION=Exam", "ASSESSMENT=77"])
def test_a_column_that_takes_results_stays(world: World, data: str) -> None:
    batch = world.land("c.colnc", "courseId|name|optionalData", f"C1|X|{data}", "C1|Y|Other=1")
    done = world.undo(batch.id)
    assert stays(done) == [("UNDO_KEPT", 2, "column", "X", "C1", "it takes results of exams")]
    assert [row["name"] for row in world.gradebook()["columns"]] == ["X"]


def test_a_column_that_the_file_of_an_installation_names_for_results_stays(
    make_world: Callable[..., World], folder: object
) -> None:
    path = f"{folder}/takers.csv"
    with open(path, "w") as out:  # noqa: PTH123  a plain text is given
        out.write("session,assessment,courseId,name\nExam,,C1,X\n")
    world = make_world(results_file=path)
    batch = world.land("c.colnc", "courseId|name", "C1|X", "C1|Y", "C2|X")
    assert [one.why for one in world.undo(batch.id).kept] == ["it takes results of exams"]


def test_a_parent_that_rows_wait_for_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.land("v.colncval", VALUES, "C1|u1|X|50")
    world.land("c.colnc", COLUMN, "C1|Z|100|S|")
    # a release that has not come yet
    with monkeypatch.context() as patch:
        patch.setattr("gradeway.loading.batch.releasable", lambda *_: [])
        column = world.land("x.colnc", COLUMN, "C1|X|100||")
        schema = world.land("s.sch", SCHEMA, "S|A=90:F=0|")
    assert [one.why for one in world.undo(column.id).kept] == ["rows of batch 1 wait for it"]
    assert [one.why for one in world.undo(schema.id).kept] == ["rows of batch 2 wait for it"]


def test_a_column_that_newer_files_go_on_naming_is_theirs_after_an_undo(world: World) -> None:
    """Rows that change nothing leave no trace; but one that speaks of what an undo had to leave does."""
    batch = world.land("c.colnc", COLUMN, "C1|X|50||")
    grades = world.land("v.colncval", VALUES, "C1|u1|X|7")
    world.undo(batch.id)
    world.land("again.colnc", COLUMN, "C1|X|50||", "")
    world.undo(grades.id)
    assert [row["name"] for row in world.gradebook()["columns"]] == ["X"]


# fields


def test_every_kind_of_field_comes_back_as_it_was(world: World) -> None:
    header = (
        "courseId|name|points|instructions|dueDate|startDate|endDate|anonymous|attempts|colour|optionalData|gradeSchema"
    )
    world.land("s.sch", SCHEMA, "S|A=90:F=0|", "T|A=90:F=0|")
    world.land("a.asg", header, "C1|A|87.50|first|2026-05-01|2026-01-01|2026-02-01|Y|3|#ff0000|K=1:L=2|S")
    before = world.gradebook()
    batch = world.land("b.asg", header, "C1|A|12|second||2027-01-01|2027-02-01|N|-1||M=1|T")
    assert world.gradebook() != before
    assert world.undo(batch.id).parts["column"] == TakenBack(restored=1, removed=0, kept=0)
    assert world.gradebook() == before
    column = world.column("A")
    assert (column.points, column.due_date) == (Decimal("87.50"), date(2026, 5, 1))


def test_a_schema_comes_back_and_symbols_that_grades_use_are_told(world: World) -> None:
    world.land("s.sch", SCHEMA, "S|A=90:F=0|K=1")
    world.land("c.colnc", COLUMN, "C1|X|100|S|")
    before = world.gradebook()["schemas"]
    batch = world.land("t.sch", SCHEMA, "S|A=90:B=50:F=0|K=2")
    world.land("v.colncval", VALUES, "C1|u1|X|B")
    done = world.undo(batch.id)
    assert done.parts["schema"] == TakenBack(restored=1, removed=0, kept=0)
    assert world.gradebook()["schemas"] == before
    assert [(one.reason.value, one.line, one.detail) for one in done.tally.findings] == [
        ("SYMBOL_IN_USE", 2, "it is B")
    ]


def test_fields_that_a_newer_batch_gave_since_stay_and_are_told(world: World) -> None:
    world.land("a.colnc", COLUMN, "C1|X|10||first", "C1|Y|10||first")
    batch = world.land("b.colnc", COLUMN, "C1|X|20||second", "C1|Y|20||second")
    newer = world.land("c.colnc", "courseId|name|points", "C1|X|30", "C1|Y|20")
    done = world.undo(batch.id)
    assert done.parts["column"] == TakenBack(restored=2, removed=0, kept=1)
    why = f"batch {newer.id} gave it since (points)"
    assert stays(done) == [("UNDO_OVERTAKEN", 2, "column", "X", "C1", why)]
    x, y = world.column("X"), world.column("Y")
    assert (x.points, x.description, y.points, y.description) == (30, "first", 10, "first")
    assert x.given == {"name": 1, "points": newer.id, "description": 1, "schema_id": 1}
    assert rows_of(done) == (2, 2, 0, 0)


def test_a_row_all_of_which_was_given_since_counts_as_overtaken(world: World) -> None:
    world.land("a.colnc", COLUMN, "C1|X|10||first")
    batch = world.land("b.colnc", "courseId|name|points", "C1|X|20")
    world.land("c.colnc", "courseId|name|points", "C1|X|30")
    done = world.undo(batch.id)
    assert rows_of(done) == (1, 0, 1, 1)
    assert done.parts["column"] == TakenBack(restored=0, removed=0, kept=1)
    assert world.column("X").points == 30


def test_a_column_again_says_which_row_last_changed_it(world: World) -> None:
    world.land("a.colnc", COLUMN, "C0|Z|1||", "C1|X|10||first")
    first = world.column("X")
    batch = world.land("b.colnc", COLUMN, "C1|X|20||second")
    undo = world.undo(batch.id).undo_id
    column = world.column("X")
    assert (column.batch_id, column.line, column.given) == (first.batch_id, first.line, first.given)
    with world.intake.store.session() as session:
        last = session.scalars(select(Change).order_by(Change.id.desc())).first()
        assert last is not None
        assert (last.batch_id, last.line, last.before) == (undo, 2, {"points": "20", "description": "second"})
        assert last.given == {"points": batch.id, "description": batch.id}


def test_an_undone_batch_is_not_what_another_undo_brings_back(world: World) -> None:
    for points in (10, 20, 30):
        world.land(f"{points}.colnc", "courseId|name|points", f"C1|X|{points}")
    world.undo(2)
    assert world.column("X").points == 30
    world.undo(3)
    assert world.column("X").points == 10
    world.undo(1)
    assert world.gradebook()["columns"] == []


def test_a_field_that_was_never_given_is_open_to_an_older_batch_again(world: World) -> None:
    world.land("a.colnc", "courseId|name", "C1|X")
    older, newer = claim(
        world,
        ("o.colnc", "courseId|name|points|description", "C1|X|50|older"),
        ("n.colnc", "courseId|name|points|description", "C1|X|100|newer"),
    )
    world.intake.process(newer)
    assert world.column("X").given["points"] == newer
    world.undo(newer)
    assert world.column("X").given == {"name": 1}
    world.intake.process(older)
    column = world.column("X")
    assert (column.points, column.description) == (50, "older")
    assert world.codes(older) == []


def test_a_field_goes_back_under_the_batch_that_gave_it_and_stays_closed_to_older_ones(world: World) -> None:
    world.land("a.colnc", "courseId|name", "C1|X")
    older, middle, newer = claim(world, *((f"{n}.colnc", "courseId|name|points", f"C1|X|{n}") for n in (10, 20, 30)))
    world.intake.process(middle)
    world.intake.process(newer)
    world.undo(newer)
    world.intake.process(older)
    column = world.column("X")
    assert (column.points, column.given["points"]) == (20, middle)
    assert world.codes(older) == [(2, "SUPERSEDED")]
    world.undo(middle)
    assert world.column("X").points == 10


def test_what_an_older_row_said_too_late_comes_back_when_the_newer_batch_is_undone(world: World) -> None:
    older, newer = claim(
        world,
        ("o.colnc", "courseId|name|points|description", "C1|X|50|"),
        ("n.colnc", "courseId|name|points|description", "C1|X|70|newer", "C1|Y|1|"),
    )
    world.intake.process(newer)
    world.intake.process(older)
    assert world.codes(older) == [(2, "SUPERSEDED")]
    done = world.undo(newer)
    # the older batch speaks of the column, too
    assert done.parts["column"] == TakenBack(restored=1, removed=1, kept=1)
    column = world.column("X")
    assert (column.points, column.description) == (50, "")
    assert column.given == dict.fromkeys(("name", "points", "description"), older)
    assert [row["name"] for row in world.gradebook()["columns"]] == ["X"]
    world.undo(older)
    assert world.gradebook()["columns"] == []


def test_what_an_older_row_said_too_late_can_be_undone_after_it_came_back(world: World) -> None:
    world.land("a.colnc", "courseId|name|points", "C1|X|10")
    older, newer = claim(world, *((f"{n}.colnc", "courseId|name|points", f"C1|X|{n}") for n in (20, 30)))
    world.intake.process(newer)
    world.intake.process(older)
    world.undo(newer)
    assert world.column("X").points == 20
    assert world.undo(older).parts["column"] == TakenBack(restored=1, removed=0, kept=0)
    assert world.column("X").points == 10


def test_an_overtaken_row_is_told_when_its_own_batch_is_undone(world: World) -> None:
    world.land("a.colnc", "courseId|name|points", "C1|X|10")
    older, newer = claim(world, *((f"{n}.colnc", "courseId|name|points", f"C1|X|{n}") for n in (20, 30)))
    world.intake.process(newer)
    world.intake.process(older)
    done = world.undo(older)
    assert stays(done) == [("UNDO_OVERTAKEN", 2, "column", "X", "C1", f"batch {newer} gave it since (name, points)")]
    world.undo(newer)
    assert world.column("X").points == 10


def test_a_row_that_only_confirmed_fields_takes_nothing_away(world: World) -> None:
    first = world.land("a.colnc", "courseId|name|points", "C1|X|100")
    before = world.lineage()
    _, newer = claim(
        world,
        ("o.colnc", "courseId|name|points", "C1|Z|1"),
        ("n.colnc", "courseId|name|points|description", "C1|X|100|", ""),
    )
    world.intake.process(newer)
    assert set(world.column("X").given.values()) == {newer}
    world.undo(newer)
    assert world.lineage() == before
    assert world.column("X").given == {"name": first.id, "points": first.id}


def test_a_column_that_changed_its_name_gets_the_old_one_back(make_world: Callable[..., World]) -> None:
    world = make_world(column_provisioning="metadata")
    world.land("a.colnc", "courseId|name|optionalData", "C1|Old|Type=t")
    world.land("v.colncval", VALUES, "C1|u1|Old|7")
    before = world.gradebook()
    batch = world.land("b.colnc", "courseId|name|optionalData", "C1|New|Type=t")
    world.undo(batch.id)
    assert world.gradebook() == before
    # and is found by its key as ever
    assert world.land("c.colnc", "courseId|name|optionalData", "C1|Third|Type=t").updated == 1


# external grades


@pytest.fixture
def course(world: World) -> World:
    """An installation with two columns of one course, and one of another; it is batch 1."""
    world.land("c.colnc", EXTERNAL, "C1|X", "C1|Y", "C2|X")
    return world


def test_a_mark_goes_back_to_where_it_was_or_is_taken_away(course: World) -> None:
    first = course.land("e.colext", EXTERNAL, "C1|X")
    batch = course.land("f.colext", EXTERNAL, "C1|Y", "C2|X")
    done = course.undo(batch.id)
    assert done.parts["mark"] == TakenBack(restored=1, removed=1, kept=0)
    assert externals(course) == [("C1", "X")]
    assert course.column("X").external_batch_id == first.id
    assert course.column("Y").external_batch_id is None
    assert rows_of(done) == (2, 2, 0, 0)
    course.undo(first.id)
    assert externals(course) == []


def test_a_mark_that_moved_on_since_stays_and_is_told(course: World) -> None:
    batch = course.land("e.colext", EXTERNAL, "C1|X", "C2|X")
    newer = course.land("f.colext", EXTERNAL, "C1|Y")
    done = course.undo(batch.id)
    assert stays(done) == [("UNDO_OVERTAKEN", 2, "mark", "X", "C1", f"batch {newer.id} marked a column since")]
    assert done.parts["mark"] == TakenBack(restored=0, removed=1, kept=1)
    assert rows_of(done) == (2, 1, 1, 1)
    assert externals(course) == [("C1", "Y")]
    course.undo(newer.id)
    assert externals(course) == []


def test_marks_undone_in_any_order_leave_the_one_that_stands(course: World) -> None:
    for number, name in enumerate("XYXY", 2):
        course.land(f"{number}.colext", EXTERNAL, f"C1|{name}", *[""] * number)
    for number, left in ((4, "Y"), (5, "Y"), (2, "Y"), (3, None)):
        course.undo(number)
        assert externals(course) == ([("C1", left)] if left else [])


def test_a_mark_that_came_too_late_comes_back_when_the_newer_is_undone(course: World) -> None:
    older, newer = claim(course, ("o.colext", EXTERNAL, "C1|X", "C2|X"), ("n.colext", EXTERNAL, "C1|Y", "C2|X"))
    course.intake.process(newer)
    course.intake.process(older)
    assert externals(course) == [("C1", "Y"), ("C2", "X")]
    course.undo(newer)
    assert externals(course) == [("C1", "X"), ("C2", "X")]
    assert course.column("X").external_batch_id == older
    course.undo(older)
    assert externals(course) == []


def test_a_mark_that_was_only_confirmed_stays_where_it_was(course: World) -> None:
    first = course.land("e.colext", EXTERNAL, "C1|X")
    older, newer = claim(course, ("o.colext", EXTERNAL, "C1|Y"), ("n.colext", EXTERNAL, "C1|X", ""))
    course.intake.process(newer)
    assert course.column("X").external_batch_id == newer
    course.undo(newer)
    assert course.column("X").external_batch_id == first.id
    course.intake.process(older)
    assert externals(course) == [("C1", "Y")]


# all


def test_everything_undone_in_any_order_leaves_nothing(world: World) -> None:
    files = [
        ("s.sch", SCHEMA, "S|A=90:F=0|"),
        ("c.colnc", COLUMN, "C1|X|100|S|", "C1|Y|100||"),
        ("e.colext", EXTERNAL, "C1|X"),
        ("v.colncval", VALUES, "C1|u1|X|A", "C1|u2|Y|7"),
        ("t.sch", SCHEMA, "S|A=80:F=0|", "T|A=90:F=0|"),
        ("d.colnc", COLUMN, "C1|X|50|T|"),
    ]
    for file in files:
        world.land(*file)
    for number in (1, 2, 5, 4, 6, 3):
        world.undo(number)
    assert world.gradebook() == {"schemas": {}, "columns": [], "grades": {}, "parked": []}
    with world.intake.store.session() as session:
        assert session.scalars(select(GradeColumn.id)).all() == session.scalars(select(GradeSchema.id)).all() == []


def test_names_stand_in_what_is_told_and_not_in_what_the_ledger_keeps(world: World) -> None:
    batch = world.land("c.colnc", "courseId|name|optionalData", "C1|Secret name|SESSION=Exam")
    (kept,) = world.undo(batch.id).kept
    assert isinstance(kept, Kept)
    assert (kept.name, kept.finding.remedy) == (
        "Secret name",
        "it takes results of exams: undo what needs it, and it goes as well",
    )
