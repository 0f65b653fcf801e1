"""Whatever small files land, in whatever portions, the rules that always hold hold."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from crash.kill import at_once
from crash.scene import digests, litter
from gradeway.store.models import Base
from loading.installations import fast_folder
from loading.world import World, own_engine

File = tuple[str, str]  # the ending, the content

# A column keeps its kind and its schema through all files: whether a symbol is right is judged when
# the row is loaded, and would else depend on which of two contradicting columns was there then.
COLUMNS = {"colnc": ("Free", "Marked"), "asg": ("Task",), "col": ("Total",)}
NAMES = ("Free", "Marked", "Task", "Total", "Never")
SCHEMAS = {"Marked": ("S", "T")}
SETTINGS = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,  # the same files in every run: a chance find would stop somebody else's work
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def lines(header: Sequence[str], rows: list[dict[str, str]]) -> str:
    cells = ["|".join(row.get(name, "") for name in header) for row in rows]
    return "".join(f"{line}\n" for line in ("|".join(header), *cells))


@st.composite
def schema_files(draw: st.DrawFn) -> File:
    header = ["title", "symbols", *draw(st.sampled_from([[], ["optionalData"]]))]
    row = st.fixed_dictionaries(
        {
            "title": st.sampled_from(["S", "T"]),
            "symbols": st.sampled_from(["A=90:F=0", "A=80:F=0", "A=80:F=5"]),
            "optionalData": st.sampled_from(["", "K=1"]),
        }
    )
    return "sch", lines(header, draw(st.lists(row, min_size=1, max_size=2)))


@st.composite
def column_files(draw: st.DrawFn) -> File:
    feed = draw(st.sampled_from(sorted(COLUMNS)))
    optional = draw(st.sets(st.sampled_from(["points", "optionalData"])))
    names = draw(st.lists(st.sampled_from(COLUMNS[feed]), min_size=1, max_size=3))
    with_schema = any(name in SCHEMAS for name in names)
    header = ["courseId", "name", *sorted(optional), *(["gradeSchema"] if with_schema else [])]
    rows = [
        {
            "courseId": "C",
            "name": name,
            "points": draw(st.sampled_from(["", "10", "10.0", "100", "none"])),
            "optionalData": draw(st.sampled_from(["", "K=1", "K=2"])),
            "gradeSchema": draw(st.sampled_from(SCHEMAS.get(name, ("",)))),
        }
        for name in names
    ]
    return feed, lines(header, rows)


@st.composite
def external_files(draw: st.DrawFn) -> File:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2))
    return "colext", lines(["courseId", "name"], [{"courseId": "C", "name": name} for name in names])


@st.composite
def value_files(draw: st.DrawFn) -> File:
    row = st.fixed_dictionaries(
        {
            "courseId": st.just("C"),
            "userId": st.sampled_from(["u1", "u2"]),
            "name": st.sampled_from(NAMES),
            "value": st.sampled_from(["90", "90.0", "50", "A", "bad", "", "500"]),
        }
    )
    return "colncval", lines(["courseId", "userId", "name", "value"], draw(st.lists(row, min_size=1, max_size=4)))


FILES = st.lists(
    st.one_of(schema_files(), column_files(), external_files(), value_files(), value_files()), min_size=1, max_size=7
)
CUTS = st.lists(st.booleans(), min_size=7, max_size=7)


@contextmanager
def fresh(template: Path) -> Iterator[World]:
    """Make a new installation on SQLite."""
    with fast_folder() as folder:
        shutil.copy(template, folder / "store.db")
        world = World(folder, f"sqlite:///{folder}/store.db")
        yield world
        world.intake.store.engine.dispose()


def drop(world: World, files: Sequence[File], start: int = 0) -> None:
    for place, (ending, content) in enumerate(files, start):
        path = world.zone.inbox("grades") / f"{place}.{ending}"
        path.write_text(content)
        os.utime(path, (1_700_000_000 + place, 1_700_000_000 + place))


def land(world: World, files: Sequence[File], cuts: Sequence[bool]) -> None:
    """Let files arrive in order, with a sweep after each cut and at the end."""
    for place, file in enumerate(files):
        drop(world, [file], place)
        if cuts[place]:
            world.sweep("grades")
    world.sweep("grades")


def hold_rules(world: World) -> None:
    """Hold what is true of an installation between any two sweeps."""
    for batch in world.batches():
        assert batch.balanced, batch.file_name
        assert batch.rows_in >= 0 <= batch.parked
        rows = world.report(batch)["rows"]
        assert rows["in"] == rows["applied"] + rows["unchanged"] + rows["rejected"] + rows["parked"]
        assert rows["in"] == batch.rows_in
        assert len(world.codes(batch.id)) >= batch.rejected
    assert litter(world.zone.root) == []
    assert sum(batch.parked for batch in world.batches()) == len(world.gradebook()["parked"])


@SETTINGS
@given(files=FILES, cuts=CUTS)
def test_any_files_in_any_portions_keep_the_rules(sqlite_template: Path, files: list[File], cuts: list[bool]) -> None:
    with fresh(sqlite_template) as at_once, fresh(sqlite_template) as in_portions:
        land(at_once, files, [False] * 7)
        land(in_portions, files, cuts)
        for world in (at_once, in_portions):
            hold_rules(world)
        assert at_once.gradebook() == in_portions.gradebook()
        hold_that_the_same_bytes_change_nothing(at_once, files)


def hold_that_the_same_bytes_change_nothing(world: World, files: list[File]) -> None:
    before, landed, known = world.dump(), digests(world), world.batches()
    drop(world, files, 10)
    world.sweep("grades")
    after = world.dump()
    refused = {batch.sha256 for batch in known if batch.state == "refused"}
    # what was refused is judged again, and refused again
    assert {table for table in before if before[table] != after[table]} == {"batch", *(["finding"] if refused else [])}
    assert all(row in after[table] for table in ("batch", "finding") for row in before[table])
    for batch in world.batches()[len(known) :]:
        assert batch.state == ("refused" if batch.sha256 in refused else "duplicate")
    assert digests(world) == landed
    hold_rules(world)


def by_hand(world: World, files: Sequence[File], cuts: Sequence[bool]) -> None:
    """Empty a PostgreSQL store and land files on it."""
    tables = ", ".join(f'"{table.name}"' for table in Base.metadata.sorted_tables)
    with own_engine(world.url).begin() as connection:
        connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY"))
    for folder in ("archive", "quarantine", "reports", "claimed"):
        shutil.rmtree(world.zone.root / folder, ignore_errors=True)
    world.zone.prepare(("grades",))
    land(world, files, cuts)


@settings(SETTINGS, max_examples=5)
@given(files=FILES, cuts=CUTS)
def test_both_databases_tell_the_same_story(
    sqlite_template: Path, postgres_store: str, folder: Path, files: list[File], cuts: list[bool]
) -> None:
    world = World(folder / "postgresql", postgres_store)
    with fresh(sqlite_template) as other:
        land(other, files, cuts)
        by_hand(world, files, cuts)
        hold_rules(world)
        assert world.story() == other.story()
    world.intake.store.engine.dispose()


def together(world: World, workers: int) -> None:
    """Sweep with several processes at once, and once more when they are done."""
    world.intake.store.engine.dispose()  # no connection may be shared with the forks

    def sweep() -> None:
        for _ in range(2):
            assert world.sweep("grades").failed == []

    at_once(workers, sweep)
    world.sweep("grades")


DAY: list[File] = [
    ("colncval", "courseId|userId|name|value\n" + "".join(f"C|u{n}|X{n % 5}|{n % 100}\n" for n in range(300))),
    ("sch", "title|symbols\nS|A=90:F=0\n"),
    *(("colnc", f"courseId|name|gradeSchema\nC|X{n}|S\n") for n in range(5)),
    ("colext", "courseId|name\nC|X1\n"),
    ("colext", "courseId|name\nC|X2\n"),
    *(("colncval", f"courseId|userId|name|value\nC|u{n}|X{n % 5}|9{n}\nC|new{n}|X1|A\n") for n in range(5)),
    ("asg", "courseId|name|points\nC|Task|5\n"),
    ("asg", "courseId|name|points\nC|Task|6\n"),
    ("foo", "not ours\n"),
]


def test_processes_that_sweep_one_zone_at_once_end_like_one(world: World, sqlite_template: Path) -> None:
    with fresh(sqlite_template) as alone:
        drop(alone, DAY)
        alone.sweep("grades")
        end = alone.gradebook()
        states = sorted(batch.state for batch in alone.batches())
    # several rounds on their own ground, because what they meet is chance
    drop(world, DAY)
    landed = {str(path.name) for path in world.zone.inbox("grades").iterdir()}
    together(world, 3)
    hold_rules(world)
    assert sorted(batch.state for batch in world.batches()) == states
    assert {batch.file_name for batch in world.batches()} == landed
    assert len(digests(world)) == len(DAY)
    before = world.dump(), world.files()
    world.sweep("grades")
    assert (world.dump(), world.files()) == before
    found = world.gradebook()
    assert found["grades"].keys() == end["grades"].keys()
    assert (found["schemas"], found["parked"]) == (end["schemas"], end["parked"])


def test_processes_that_meet_the_same_bytes_load_them_once(world: World) -> None:
    drop(world, [("colnc", "courseId|name\nC|X\n")] * 6)
    together(world, 3)
    assert sorted(batch.state for batch in world.batches()) == ["duplicate"] * 5 + ["loaded"]
    assert [row["name"] for row in world.gradebook()["columns"]] == ["X"]
    hold_rules(world)


@pytest.mark.parametrize("round_", range(4))
def test_processes_that_share_files_in_a_known_order_end_exactly_like_one(
    world: World, sqlite_template: Path, round_: int
) -> None:
    """Claimed by one, so that the numbers are known, and loaded by all: the newest must win whoever is faster."""
    values = [(f"C|u{n}|X|{round_}{place}\n" for n in range(50)) for place in range(6)]
    files: list[File] = [
        ("colnc", "courseId|name\nC|X\n"),
        *(("colncval", "courseId|userId|name|value\n" + "".join(rows)) for rows in values),
        ("colnc", "courseId|name|points\nC|X|7\n"),
        ("colnc", "courseId|name|points|description\nC|X|8|text\n"),
    ]
    with fresh(sqlite_template) as alone:
        drop(alone, files)
        alone.sweep("grades")
        end = alone.gradebook()
    drop(world, files)
    world.intake.claim()
    together(world, 3)
    hold_rules(world)
    assert world.gradebook() == end
