"""Taking a batch of grades back: what was before comes back, what is newer stays, and the ledger tells."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from gradeway.errors import LandingError, UndoRefusedError, UnknownBatchError
from gradeway.loading.undo import Undone
from gradeway.store.bulk import TakenBack
from gradeway.store.models import Grade, GradeHistory
from loading.world import World

COLUMNS = ("x.colnc", "courseId|name|points", "C1|X|100", "C1|Y|100")
VALUES = "courseId|userId|name|value"
RESULTS = "system|session|assessment|learner|state|score|maximum"
Told = list[tuple[str, int, int, int, int]]


@pytest.fixture
def course(world: World) -> World:
    """An installation with two columns; it is batch 1."""
    world.land(*COLUMNS)
    return world


def history(world: World) -> Told:
    """Return the values that were replaced, oldest first: value, batch and line, batch and line that replaced them."""
    columns = (GradeHistory.value, GradeHistory.batch_id, GradeHistory.line)
    by = (GradeHistory.replaced_by_batch, GradeHistory.replaced_by_line)
    with world.intake.store.session() as session:
        return [tuple(row) for row in session.execute(select(*columns, *by).order_by(GradeHistory.id))]


def standing(world: World) -> set[tuple[str, int, int]]:
    """Return the grades with the batch and line that gave each."""
    with world.intake.store.session() as session:
        return {tuple(row) for row in session.execute(select(Grade.value, Grade.batch_id, Grade.line))}


def rows_of(done: Undone) -> tuple[int, int, int, int]:
    """Return the accounting of an undo: in, applied, unchanged, and of these the overtaken."""
    return done.tally.rows_in, done.tally.updated, done.tally.unchanged, done.tally.superseded


def claim(world: World, *files: tuple[str, ...]) -> list[int]:
    found = []
    for file in files:
        world.drop(*file)
        found += world.intake.claim()
    return found


# grades


def test_a_grade_that_was_new_is_removed_and_one_that_was_changed_comes_back(course: World) -> None:
    first = course.land("v.colncval", VALUES, "C1|u1|X|80")
    before = course.gradebook()
    wrong = course.land("w.colncval", VALUES, "C1|u1|X|90", "C1|u2|X|70")
    done = course.undo(wrong.id)
    assert done.parts["grade"] == TakenBack(restored=1, removed=1, kept=0)
    assert course.gradebook() == before
    assert standing(course) == {("80", first.id, 2)}


def test_what_is_taken_back_is_kept_as_replaced_by_the_undo(course: World) -> None:
    first = course.land("v.colncval", VALUES, "C1|u1|X|80")
    wrong = course.land("w.colncval", VALUES, "C1|u1|X|90", "C1|u2|X|70")
    undo = course.undo(wrong.id).undo_id
    replaced = ("80", first.id, 2, wrong.id, 2)
    assert history(course) == [replaced, ("90", wrong.id, 2, undo, 2), ("70", wrong.id, 3, undo, 3)]


def test_a_grade_that_a_newer_batch_gave_since_is_kept_and_counted(course: World) -> None:
    wrong = course.land("v.colncval", VALUES, "C1|u1|X|10", "C1|u2|X|20", "C1|u3|X|30")
    newer = course.land("w.colncval", VALUES, "C1|u1|X|90")
    done = course.undo(wrong.id)
    assert done.parts["grade"] == TakenBack(restored=0, removed=2, kept=1)
    assert rows_of(done) == (3, 2, 1, 1)
    assert standing(course) == {("90", newer.id, 2)}


def test_an_undone_batch_is_not_what_another_undo_brings_back(course: World) -> None:
    first = course.land("a.colncval", VALUES, "C1|u1|X|10")
    second = course.land("b.colncval", VALUES, "C1|u1|X|20")
    third = course.land("c.colncval", VALUES, "C1|u1|X|30")
    assert course.undo(second.id).parts["grade"] == TakenBack(0, 0, 1)
    course.undo(third.id)
    assert standing(course) == {("10", first.id, 2)}
    course.undo(first.id)
    assert standing(course) == set()


def test_batches_undone_from_the_newest_on_leave_what_each_had_met(course: World) -> None:
    seen = [course.grades()]
    for value in ("10", "20", "30"):
        course.land(f"{value}.colncval", VALUES, f"C1|u1|X|{value}", f"C1|u{value}|Y|1")
        seen.append(course.grades())
    for number, before in ((4, seen[2]), (3, seen[1]), (2, seen[0])):
        course.undo(number)
        assert course.grades() == before


def test_a_row_that_only_confirmed_a_grade_takes_no_value_away(course: World) -> None:
    first = course.land("v.colncval", VALUES, "C1|u1|X|50", "C1|u2|X|60")
    _, newer = claim(
        course, ("o.colncval", VALUES, "C1|u3|X|1"), ("n.colncval", VALUES, "C1|u1|X|50", "C1|u2|X|61", "")
    )
    course.intake.process(newer)
    assert ("50", newer, 2) in standing(course)  # marked, because an older batch is to come
    done = course.undo(newer)
    assert done.parts["grade"] == TakenBack(restored=2, removed=0, kept=0)
    assert standing(course) == {("50", first.id, 2), ("60", first.id, 3)}


def test_an_older_batch_that_comes_after_the_undo_finds_nothing_newer(course: World) -> None:
    older, newer = claim(
        course,
        ("o.colncval", VALUES, "C1|u1|X|70", "C1|u2|X|80"),
        ("n.colncval", VALUES, "C1|u1|X|50", "C1|u2|X|80", ""),
    )
    course.intake.process(newer)
    course.undo(newer)
    course.intake.process(older)
    assert standing(course) == {("70", older, 2), ("80", older, 3)}
    assert course.codes(older) == []


def test_what_came_too_late_to_stand_comes_back_when_the_newer_batch_is_undone(course: World) -> None:
    older, newer = claim(
        course,
        ("o.colncval", VALUES, "C1|u1|X|70", "C1|u2|X|80"),
        ("n.colncval", VALUES, "C1|u1|X|50", "C1|u2|X|80", "C1|u3|X|90"),
    )
    course.intake.process(newer)
    course.intake.process(older)
    assert course.codes(older) == [(2, "SUPERSEDED")]
    done = course.undo(newer)
    assert done.parts["grade"] == TakenBack(restored=2, removed=1, kept=0)
    assert standing(course) == {("70", older, 2), ("80", older, 3)}


def test_a_batch_between_two_others_is_neither_brought_back_nor_lost(course: World) -> None:
    first, second, third = claim(course, *((f"{n}.colncval", VALUES, f"C1|u1|X|{n}0") for n in (1, 2, 3)))
    for batch in (first, third, second):
        course.intake.process(batch)
    course.undo(third)
    assert standing(course) == {("20", second, 2)}
    course.undo(second)
    assert standing(course) == {("10", first, 2)}


def test_a_value_of_two_rows_of_one_batch_goes_back_to_what_was_before_both(course: World) -> None:
    course.land("v.colncval", VALUES, "C1|u1|X|80")
    course.land("s.colnc", "courseId|name|optionalData", "C1|X|ASSESSMENT=7")
    inbox = course.zone.inbox("results")
    (inbox / "r.results").write_text(f"{RESULTS}\nqm|Late|7|u1|final|90|100\n")
    course.sweep()
    (batch,) = [one for one in course.batches() if one.feed == "results"]
    assert course.grades() == {("C1", "X", "u1"): "90"}
    course.undo(batch.id)
    assert course.grades() == {("C1", "X", "u1"): "80"}


def test_a_grade_given_in_parts_by_one_batch_goes_back_to_what_was_before_it(course: World) -> None:
    course.land("t.colnc", "courseId|name|optionalData", "C1|X|SESSION=One")
    course.land("v.colncval", VALUES, "C1|u1|X|80")
    inbox = course.zone.inbox("results")
    (inbox / "r.results").write_text(f"{RESULTS}\nqm|One|1|u1|final|90|100\nqm|Two|2|u1|final|95|100\n")
    course.sweep()
    # the second row finds its column later, and replaces what the first one gave
    course.land("u.colnc", "courseId|name|optionalData", "C1|X|SESSION=Two")
    assert course.grades() == {("C1", "X", "u1"): "95"}
    batch = next(one for one in course.batches() if one.feed == "results")
    assert course.undo(batch.id).parts["grade"] == TakenBack(1, 0, 0)
    assert course.grades() == {("C1", "X", "u1"): "80"}


def test_rows_that_wait_are_forgotten_and_never_load(course: World) -> None:
    batch = course.land("v.colncval", VALUES, "C1|u1|X|80", "C1|u1|Late|7", "C1|u2|X|bad")
    done = course.undo(batch.id)
    assert (done.forgotten, rows_of(done)) == (1, (3, 2, 1, 0))
    assert course.gradebook()["parked"] == []
    now = course.batches()[batch.id - 1]
    assert (now.created, now.unchanged, now.rejected, now.parked, now.balanced) == (1, 1, 1, 0, True)
    assert course.codes(batch.id) == [(4, "SYMBOL_UNKNOWN")]
    course.land("late.colnc", "courseId|name", "C1|Late")
    assert course.grades() == {}


def test_results_are_undone_like_values(course: World) -> None:
    course.land("s.colnc", "courseId|name|points|optionalData", "C1|X|100|SESSION=Exam")
    path = course.zone.inbox("results") / "r.results"
    path.write_text(f"{RESULTS}\nqm|Exam|1|u1|final|9|10\nqm|Other|2|u1|final|9|10\n")
    course.sweep()
    batch = next(one for one in course.batches() if one.feed == "results")
    assert course.grades() == {("C1", "X", "u1"): "90"}
    done = course.undo(batch.id)
    assert (course.grades(), done.forgotten, rows_of(done)) == ({}, 1, (2, 2, 0, 0))


def test_a_newer_batch_that_found_rows_unchanged_is_named(course: World) -> None:
    wrong = course.land("v.colncval", VALUES, "C1|u1|X|80", "C1|u2|X|70")
    same = course.land("w.colncval", VALUES, "C1|u1|X|80", "C1|u3|X|60")
    done = course.undo(wrong.id)
    assert [(found.reason.value, found.detail) for found in done.tally.findings] == [
        ("UNDO_SAID_AGAIN", f"batch {same.id}")
    ]
    # the remedy is what it says
    course.intake.replay(same.id)
    course.sweep()
    assert course.grades() == {("C1", "X", "u1"): "80", ("C1", "X", "u3"): "60"}


# the ledger


def test_an_undo_is_a_batch_of_its_own_that_adds_up(course: World) -> None:
    wrong = course.land("v.colncval", VALUES, "C1|u1|X|80", "C1|u2|X|bad")
    number = course.undo(wrong.id).undo_id
    first, undone, undo = course.batches()
    assert (undo.id, undo.undo_of, undo.undone_by, undo.state) == (number, wrong.id, None, "loaded")
    assert (undo.feed, undo.file_name, undo.sha256, undo.place) == (wrong.feed, wrong.file_name, wrong.sha256, "")
    assert (undo.rows_in, undo.applied, undo.unchanged, undo.rejected, undo.balanced) == (2, 1, 1, 0, True)
    assert (undone.undo_of, undone.undone_by, undone.created, undone.rejected) == (None, undo.id, 1, 1)
    assert (first.undo_of, first.undone_by) == (None, None)


def test_both_reports_tell_of_the_undo(course: World) -> None:
    wrong = course.land("v.colncval", VALUES, "C1|u1|X|80", "C1|u2|X|bad")
    course.undo(wrong.id)
    _, undone, undo = course.batches()
    assert (course.report(undo)["undo_of"], course.report(undo)["undone_by"]) == (wrong.id, None)
    assert (course.report(undone)["undo_of"], course.report(undone)["undone_by"]) == (None, undo.id)
    assert course.report(undone)["reject_file"] == f"rejects-{wrong.id}.colncval"
    assert course.report(undo)["reject_file"] is None
    assert not any(batch.report_due for batch in course.batches())


def test_an_undo_before_the_first_report_leaves_the_bytes_to_their_batch(course: World) -> None:
    (wrong,) = claim(course, ("v.colncval", VALUES, "C1|u1|X|80"))
    course.intake.process(wrong)
    course.intake.undo(wrong)
    course.sweep()
    batch = course.batches()[wrong - 1]
    assert batch.place.startswith("archive/")
    assert course.intake.bytes_of(batch).is_file()
    assert list(course.zone.claimed.iterdir()) == []


def test_a_dry_run_tells_the_same_and_changes_nothing(course: World) -> None:
    course.land("v.colncval", VALUES, "C1|u1|X|80")
    wrong = course.land("w.colncval", VALUES, "C1|u1|X|90", "C1|u2|X|70", "C1|u3|Late|1")
    before, files = course.dump(), course.files()
    told = course.intake.undo(wrong.id, dry_run=True)
    assert (course.dump(), course.files()) == (before, files)
    assert told.undo_id is None
    done = course.undo(wrong.id)
    assert (told.parts, told.forgotten, told.kept, told.tally) == (done.parts, done.forgotten, done.kept, done.tally)
    assert done.undo_id == wrong.id + 1  # the dry run took no number


def test_the_same_bytes_are_still_known_after_an_undo_and_are_told_so(course: World) -> None:
    wrong = course.land("v.colncval", VALUES, "C1|u1|X|80")
    undo = course.undo(wrong.id).undo_id
    again = course.land("again.colncval", VALUES, "C1|u1|X|80")
    assert (again.state, again.duplicate_of, again.undone_by) == ("duplicate", wrong.id, undo)
    assert course.grades() == {}


def test_an_undone_batch_is_loaded_again_by_a_replay_which_can_be_undone_too(course: World) -> None:
    course.land("v.colncval", VALUES, "C1|u1|X|80")
    batch = course.land("w.colncval", VALUES, "C1|u1|X|90", "C1|u2|X|70")
    course.undo(batch.id)
    again = course.intake.replay(batch.id)
    course.sweep()
    assert course.grades() == {("C1", "X", "u1"): "90", ("C1", "X", "u2"): "70"}
    assert course.undo(again).parts["grade"] == TakenBack(1, 1, 0)
    assert course.grades() == {("C1", "X", "u1"): "80"}
    # and once more
    course.intake.replay(batch.id)
    course.sweep()
    assert course.grades() == {("C1", "X", "u1"): "90", ("C1", "X", "u2"): "70"}


def test_two_undos_of_one_feed_and_many_of_the_same_bytes_get_along(course: World) -> None:
    batch = course.land("v.colncval", VALUES, "C1|u1|X|80")
    other = course.land("w.colncval", VALUES, "C1|u2|X|80")
    for number in (batch.id, other.id):
        course.undo(number)
    for _ in range(2):
        again = course.intake.replay(batch.id)
        course.sweep()
        course.undo(again)
    assert course.grades() == {}
    assert all(one.balanced for one in course.batches())


def test_house_keeping_and_sweeps_pass_an_undo_by(course: World) -> None:
    wrong = course.land("v.colncval", VALUES, "C1|u1|X|80")
    course.undo(wrong.id)
    before = course.dump(), course.files()
    course.sweep()
    course.intake.tidy()
    assert (course.dump(), course.files()) == before


# what cannot be undone


def test_a_batch_that_is_not_there_cannot_be_undone(course: World) -> None:
    with pytest.raises(UnknownBatchError):
        course.intake.undo(99)


def undone_batch(world: World) -> int:
    batch = world.land("v.colncval", VALUES, "C1|u1|X|80")
    world.undo(batch.id)
    return batch.id


def the_undo(world: World) -> int:
    undone_batch(world)
    return world.batches()[-1].id


def claimed_batch(world: World) -> int:
    return claim(world, ("v.colncval", VALUES, "C1|u1|X|80"))[0]


def refused_batch(world: World) -> int:
    return world.land("v.colncval", "courseId|userId", "C1|u1").id


def duplicate_batch(world: World) -> int:
    return world.land("again.colnc", *COLUMNS[1:]).id


def batch_of_no_feed(world: World) -> int:
    return world.land("v.foo", "anything").id


def batch_of_groups(world: World) -> int:
    (world.zone.inbox("sessions") / "g.csv").write_text("group_name,group_description\nG,D\n")
    world.sweep()
    return world.batches()[-1].id


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (undone_batch, "batch 2 was undone by batch 3; `gradeway replay 2` loads it again"),
        (the_undo, "batch 3 is itself an undo; `gradeway replay 2` loads batch 2 again"),
        (claimed_batch, "batch 2 is not loaded yet; `gradeway show 2` tells where it stands"),
        (refused_batch, "batch 2 was refused as a whole and changed nothing, so there is nothing to undo"),
        (batch_of_no_feed, "batch 2 was refused as a whole and changed nothing, so there is nothing to undo"),
        (duplicate_batch, "batch {} has the same bytes as batch 1 and changed nothing; undo batch 1"),
        (
            batch_of_groups,
            "batch 2 is about exam sessions, which cannot be undone; `gradeway sessions withdraw NAME` takes one back",
        ),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_what_cannot_be_undone_is_refused_with_a_remedy(
    course: World, make: Callable[[World], int], why: str, dry_run: bool
) -> None:
    number = make(course)
    before = course.dump()
    with pytest.raises(UndoRefusedError) as refusal:
        course.intake.undo(number, dry_run=dry_run)
    assert str(refusal.value) == why.format(number)
    assert course.dump() == before


def test_an_undo_has_no_bytes_to_be_replayed(course: World) -> None:
    number = the_undo(course)
    with pytest.raises(LandingError, match="batch 3 is the undo of batch 2 and has no bytes: replay batch 2"):
        course.intake.replay(number)
    assert list(course.zone.claimed.iterdir()) == []
