"""Many grades at once: exact counts, exact texts, on both databases."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import numpy as np
import pytest
from sqlalchemy import select

from gradeway.store.bulk import GradeWriter, Merged
from gradeway.store.dialects import listed
from gradeway.store.engine import Store
from gradeway.store.grades import Grades
from gradeway.store.models import Grade, GradeHistory
from loading.world import World

Key = tuple[int, int]
TEXTS = ["9", "87.5", "A", "Ä+", "優", "🎓", "x" * 2000, "é" * 999, "𐍈𐍉", "A b", 'q"uo\\te', "a\tb", "0"]


@pytest.fixture
def store(empty_store: str) -> Iterator[Store]:
    """An empty store, once on each kind of database."""
    made = Store(empty_store)
    yield made
    made.engine.dispose()


def merge(
    store: Store,
    batch: int,
    grades: Mapping[Key, str],
    *,
    confirm: bool = False,
    late: bool = False,
    slices: int = 1,
) -> Merged:
    """Merge grades, by column and learner; the lines are counted from 2."""
    items = list(grades.items())
    with store.connection() as connection, store.exclusive(connection):
        writer = GradeWriter(connection, batch, confirm=confirm, late=late)
        for some in np.array_split(np.arange(len(items)), slices):
            keys = np.array([items[place][0] for place in some], dtype=np.int32).reshape(-1, 2)
            lines = (some + 2).astype(np.int32)
            writer.add(
                Grades.of(keys[:, 0], keys[:, 1], lines, np.arange(len(some)), [items[place][1] for place in some])
            )
        return writer.finish()


def grades(store: Store) -> dict[Key, tuple[str, int, int]]:
    with store.session() as session:
        rows = session.execute(select(Grade.column_id, Grade.learner_id, Grade.value, Grade.batch_id, Grade.line))
        return {(column, learner): (value, batch, line) for column, learner, value, batch, line in rows}


def history(store: Store) -> list[tuple[int, str, int, int, int, int]]:
    """Return the history in its order: learner, value, batch and line, and the batch and line that replaced it."""
    columns = (GradeHistory.learner_id, GradeHistory.value, GradeHistory.batch_id, GradeHistory.line)
    by = (GradeHistory.replaced_by_batch, GradeHistory.replaced_by_line)
    with store.session() as session:
        return [tuple(row) for row in session.execute(select(*columns, *by).order_by(GradeHistory.id))]


def test_a_merge_counts_what_it_did(store: Store) -> None:
    assert merge(store, 1, {(1, 1): "a", (1, 2): "b", (2, 1): "c"}) == Merged(3, 0, 0, [])
    assert merge(store, 2, {(1, 1): "a", (1, 2): "B", (3, 1): "d"}) == Merged(1, 1, 1, [])
    assert grades(store) == {(1, 1): ("a", 1, 2), (1, 2): ("B", 2, 3), (2, 1): ("c", 1, 4), (3, 1): ("d", 2, 4)}
    with store.session() as session:
        (old,) = session.scalars(select(GradeHistory))
    assert (old.column_id, old.learner_id, old.value, old.batch_id, old.line) == (1, 2, "b", 1, 3)
    assert (old.replaced_by_batch, old.replaced_by_line) == (2, 3)


def test_an_older_batch_replaces_nothing_and_names_its_lines(store: Store) -> None:
    merge(store, 5, {(1, 1): "new", (1, 2): "same"})
    assert merge(store, 4, {(1, 2): "same", (1, 1): "old", (1, 3): "other"}) == Merged(1, 0, 2, [3])
    assert grades(store) == {(1, 1): ("new", 5, 2), (1, 2): ("same", 5, 3), (1, 3): ("other", 4, 4)}


def test_a_row_of_the_same_batch_that_waited_replaces_what_came_before_it(store: Store) -> None:
    merge(store, 5, {(1, 1): "50", (1, 2): "60"})
    assert merge(store, 5, {(1, 1): "70", (1, 2): "60", (1, 3): "80"}) == Merged(1, 1, 1, [])
    assert grades(store)[1, 1] == ("70", 5, 2)
    with store.session() as session:
        (old,) = session.scalars(select(GradeHistory))
    assert (old.value, old.batch_id, old.replaced_by_batch) == ("50", 5, 5)


def test_a_confirmed_grade_is_given_by_the_newer_batch(store: Store) -> None:
    merge(store, 1, {(1, 1): "a", (1, 2): "b"})
    assert merge(store, 3, {(1, 1): "a"}, confirm=True) == Merged(0, 0, 1, [])
    assert grades(store) == {(1, 1): ("a", 3, 2), (1, 2): ("b", 1, 3)}
    assert merge(store, 2, {(1, 1): "A", (1, 2): "B"}) == Merged(0, 1, 1, [2])


def test_a_confirmed_grade_remembers_who_gave_it_before(store: Store) -> None:
    merge(store, 1, {(1, 1): "a", (1, 2): "b"})
    merge(store, 3, {(1, 1): "a", (1, 2): "B"}, confirm=True)
    assert sorted(history(store)) == [(1, "a", 1, 2, 3, 2), (2, "b", 1, 3, 3, 3)]


def test_what_came_too_late_to_stand_is_kept_as_replaced_by_the_newer_batch(store: Store) -> None:
    merge(store, 5, {(1, 1): "new", (1, 2): "same", (2, 1): "other"})
    late = {(1, 1): "old", (1, 2): "same", (1, 3): "mine"}
    assert merge(store, 4, late, late=True) == Merged(1, 0, 2, [2])
    assert sorted(history(store)) == [(1, "old", 4, 2, 5, 2), (2, "same", 4, 3, 5, 3)]


def test_dropped_lines_are_not_merged(store: Store) -> None:
    ids = np.arange(12_000, dtype=np.int32)
    merge(store, 1, {(5000, 5000): "1", (10, 10): "1", (11, 11): "1", (12, 12): "2"})
    with store.connection() as connection, store.exclusive(connection):
        writer = GradeWriter(connection, 2, confirm=False)
        writer.add(Grades.of(ids, ids, ids + 2, np.zeros(len(ids)), ["1"]))
        writer.drop({*range(13, 11_013), 99_999})
        writer.drop(())
        assert writer.finish() == Merged(999, 0, 1, [])
    assert grades(store)[12, 12] == ("2", 1, 5)


def test_texts_of_all_widths_stay_what_they_are(store: Store) -> None:
    given = {(1, place): value for place, value in enumerate(TEXTS)}
    assert merge(store, 1, given).created == len(TEXTS)
    assert {key: value for key, (value, _, _) in grades(store).items()} == given
    assert merge(store, 2, given, slices=4).unchanged == len(TEXTS)


def test_a_slice_of_one_row_and_slices_of_different_widths(store: Store) -> None:
    given = {(1, place): "x" * (place % 40 + 1) for place in range(200)}
    assert merge(store, 1, given, slices=150).created == 200
    assert {key: value for key, (value, _, _) in grades(store).items()} == given


def test_the_largest_ids_and_lines(store: Store) -> None:
    largest = 2**31 - 1
    with store.connection() as connection, store.exclusive(connection):
        writer = GradeWriter(connection, largest, confirm=False)
        ids = np.array([largest], dtype=np.int32)
        writer.add(Grades.of(ids, ids, ids, np.zeros(1), ["1"]))
        writer.finish()
    assert grades(store) == {(largest, largest): ("1", largest, largest)}


def test_texts_as_a_list_of_any_length_and_content(store: Store) -> None:
    texts = [*TEXTS, "", "it's", "null", *(f"u{place}" for place in range(70_000))]
    with store.engine.connect() as connection:
        assert sorted(connection.scalars(listed(connection, texts))) == sorted(texts)
        assert list(connection.scalars(listed(connection, []))) == []


def test_many_rows_take_seconds(tmp_path_factory: pytest.TempPathFactory, postgres_store: str) -> None:
    world = World(tmp_path_factory.mktemp("many"), postgres_store)
    many, columns = 200_000, 50
    world.land("c.colnc", "courseId|name", *(f"C{place}|X" for place in range(columns)))
    rows = [f"C{place % columns}|u{place // columns}|X|{place % 101}" for place in range(many)]
    started = time.process_time()
    batch = world.land("v.colncval", "courseId|userId|name|value", *rows)
    used = time.process_time() - started
    assert (batch.rows_in, batch.created, batch.rejected, batch.balanced) == (many, many, 0, True)
    rows[7] = rows[7].rpartition("|")[0] + "|55.5"
    batch = world.land("w.colncval", "courseId|userId|name|value", *rows)
    assert (batch.updated, batch.unchanged) == (1, many - 1)
    # own processor time, so that a busy machine does not matter: a row costs microseconds, not statements
    assert used < 10
    world.intake.store.engine.dispose()
