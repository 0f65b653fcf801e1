"""Whatever came before, between and after: what a batch brought is gone when it is undone, and only that."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gradeway.errors import UndoRefusedError
from gradeway.loading.undo import Undone
from gradeway.reasons import Level, Reason
from loading.world import World
from property.test_any_files import CUTS, FILES, File, drop, fresh, hold_rules, land

SETTINGS = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,  # the same files in every run: a chance find would stop somebody else's work
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
NOTHING = {"schemas": {}, "columns": [], "grades": {}, "parked": []}


def without(gradebook: dict[str, Any], done: Undone, other: dict[str, Any]) -> dict[str, Any]:
    """Return a gradebook without what an undo kept and what hangs on it: there others could go on building."""
    schemas = {one.name for one in done.kept if one.kind == "schema"}
    names = {one.name for one in done.kept if one.kind == "column"}
    names |= {row["name"] for book in (gradebook, other) for row in book["columns"] if row["schema"] in schemas}
    hidden = {"external": None} if names else {}
    return {
        "schemas": {title: content for title, content in gradebook["schemas"].items() if title not in schemas},
        "columns": [row | hidden for row in gradebook["columns"] if row["name"] not in names],
        "grades": {key: value for key, value in gradebook["grades"].items() if key[1] not in names},
        "parked": [
            row for row in gradebook["parked"] if row[4] not in {*schemas, *names} and row[5].get("name") not in names
        ],
    }


def rejected(world: World) -> set[tuple[str, int | None]]:
    """Return the rows that were rejected, by file and line."""
    row = {reason.value for reason in Reason if reason.level is Level.ROW}
    return {(batch.file_name, line) for batch in world.batches() for line, code in world.codes(batch.id) if code in row}


def hold_that_it_never_came(world: World, never: World, done: Undone | None) -> None:
    """Hold that two stores say the same, but for what an undo kept and for rows that were judged by what it took."""
    found, wanted = world.gradebook(), never.gradebook()
    judged = rejected(world)
    wanted["parked"] = [row for row in wanted["parked"] if (row[0][0], row[1]) not in judged]
    if done and done.kept:
        assert without(found, done, wanted) == without(wanted, done, found)
    else:
        assert found == wanted


def arrive(world: World, files: Mapping[int, File], cuts: Sequence[bool]) -> None:
    """Let numbered files arrive, with a sweep after each cut and at the end."""
    for number, file in files.items():
        drop(world, [file], number)
        if cuts[number % len(cuts)]:
            world.sweep("grades")
    world.sweep("grades")


def undo(world: World, name: str) -> Undone | None:
    """Undo the batch of a file; None if it has nothing to be undone."""
    batch = next(batch for batch in world.batches() if batch.file_name == name)
    try:
        return world.undo(batch.id)
    except UndoRefusedError:
        assert batch.state != "loaded"
        return None


def hold_that_no_undone_batch_speaks(world: World) -> None:
    """Hold that what stands was given by batches that stand, but for what undos had to leave."""
    undone = {batch.id for batch in world.batches() if batch.undone_by}
    lineage = world.lineage()
    assert not undone & {batch for batch, _ in lineage["grades"].values()}
    assert not undone & set(lineage["marks"].values())


@SETTINGS
@given(files=FILES, cuts=CUTS)
def test_an_undo_of_the_last_batch_gives_the_store_as_if_it_had_never_come(
    sqlite_template: Path, files: list[File], cuts: list[bool]
) -> None:
    with fresh(sqlite_template) as world, fresh(sqlite_template) as never:
        land(world, files, cuts)
        land(never, files[:-1], cuts)
        done = undo(world, f"{len(files) - 1}.{files[-1][0]}")
        world.sweep("grades")
        hold_rules(world)
        hold_that_no_undone_batch_speaks(world)
        hold_that_it_never_came(world, never, done)
        assert (done and done.kept) or world.lineage() == never.lineage()


@SETTINGS
@given(files=FILES, order=st.randoms(use_true_random=False))
def test_an_undo_of_the_last_batch_does_so_in_whatever_order_batches_were_loaded(
    sqlite_template: Path, files: list[File], order: random.Random
) -> None:
    """Claimed in their order and loaded in any: what came too late to stand comes back with its batch."""
    with fresh(sqlite_template) as world, fresh(sqlite_template) as never:
        drop(world, files)
        drop(never, files[:-1])
        numbers = world.intake.claim("grades")
        if files[:-1]:
            assert never.intake.claim("grades") == numbers[:-1]
        shuffled = order.sample(numbers, len(numbers))
        for number in shuffled:
            world.intake.process(number)
            if number != numbers[-1]:
                never.intake.process(number)
        done = undo(world, f"{len(files) - 1}.{files[-1][0]}")
        for each in (world, never):
            each.sweep("grades")
        hold_rules(world)
        hold_that_no_undone_batch_speaks(world)
        hold_that_it_never_came(world, never, done)


@SETTINGS
@given(files=FILES, later=FILES, place=st.integers(0, 6), cuts=CUTS)
def test_an_undo_of_any_batch_gives_what_comes_later_a_store_that_never_had_it(
    sqlite_template: Path, files: list[File], later: list[File], place: int, cuts: list[bool]
) -> None:
    numbered = dict(enumerate(files))
    wrong = place % len(files)
    others = {number: file for number, file in numbered.items() if file != files[wrong]}
    assume(len(others) == len(files) - 1)  # or the same bytes would be taken another time
    with fresh(sqlite_template) as world, fresh(sqlite_template) as never:
        arrive(world, numbered, cuts)
        arrive(never, others, cuts)
        done = undo(world, f"{wrong}.{files[wrong][0]}")
        # a row that a newer batch found unchanged leaves no trace, but that there were some is told
        assume(not done or Reason.UNDO_SAID_AGAIN not in {finding.reason for finding in done.tally.findings})
        for each in (world, never):
            each.sweep("grades")
            arrive(each, {number: file for number, file in enumerate(later, 10) if file != files[wrong]}, cuts)
        hold_rules(world)
        hold_that_no_undone_batch_speaks(world)
        hold_that_it_never_came(world, never, done)


@SETTINGS
@given(files=FILES, cuts=CUTS, order=st.randoms(use_true_random=False))
def test_all_batches_undone_in_any_order_leave_nothing(
    sqlite_template: Path, files: list[File], cuts: list[bool], order: random.Random
) -> None:
    with fresh(sqlite_template) as world:
        land(world, files, cuts)
        loaded = [batch.id for batch in world.batches() if batch.state == "loaded"]
        for number in order.sample(loaded, len(loaded)):
            done = world.undo(number)
            assert done.tally.rows_in == done.tally.updated + done.tally.unchanged
            assert 0 <= done.tally.superseded <= done.tally.unchanged
            world.sweep("grades")
            hold_rules(world)
            hold_that_no_undone_batch_speaks(world)
        assert world.gradebook() == NOTHING
