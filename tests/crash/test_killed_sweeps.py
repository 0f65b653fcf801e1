"""A kill -9 between any two steps of a sweep leaves what the next sweep completes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from crash.kill import Step, kill_at, put_back
from crash.scene import digests, litter, prepare
from gradeway.intake import Intake
from gradeway.store.models import Base
from loading.installations import fast_folder
from loading.world import World, own_engine

CLAIM = [
    Step("gradeway.landing.claim:_take"),
    Step("gradeway.landing.claim:_take", "after"),
    Step("gradeway.landing.claim:_take", "after", 3),
    Step("gradeway.landing.claim:sync", "after", 2),
    Step("gradeway.landing.claim:fingerprint", "after"),
    Step("gradeway.store.ledger:enter"),
    Step("gradeway.store.ledger:enter", "after"),
    Step("gradeway.store.ledger:enter", "after", 4),
    Step("gradeway.store.ledger:_insert", "before", 7),  # the duplicate's second try
    Step("gradeway.landing.claim:claim_all", "after"),
]
LOAD = [
    Step("gradeway.loading.batch:load"),
    Step("gradeway.loading.batch:_take", "after"),
    Step("gradeway.loading.values:ValueLoader._make_learners", "after"),
    Step("gradeway.store.engine:Store.exclusive", "before", 2),
    Step("gradeway.loading.schemas:SchemaLoader.finish", "after"),
    Step("gradeway.loading.columns:ColumnLoader._create", "after"),
    Step("gradeway.loading.columns:ColumnLoader.finish", "after"),
    Step("gradeway.loading.base:park", "after", 2),
    Step("gradeway.store.bulk:GradeWriter.add", "after"),
    Step("gradeway.store.bulk:GradeWriter.finish"),
    Step("gradeway.store.bulk:GradeWriter.finish", "after"),
    Step("gradeway.store.bulk:GradeWriter.finish", "after", 2),
    Step("gradeway.loading.values:ValueLoader._park", "after"),
    *(Step("gradeway.store.ledger:commit_load", when, call) for call in (1, 2, 3) for when in ("before", "after")),
    *(Step("gradeway.loading.batch:load", "after", call) for call in (1, 2, 3, 4)),
    Step("gradeway.store.ledger:refuse"),
    Step("gradeway.store.ledger:refuse", "after"),
]
RELEASE = [
    Step("gradeway.store.ledger:forget_parked"),
    Step("gradeway.store.ledger:forget_parked", "after"),
    Step("gradeway.loading.external:ExternalLoader.finish", "after"),
    Step("gradeway.store.ledger:forget_parked", "after", 2),
    Step("gradeway.loading.batch:_release_some", "after"),
    Step("gradeway.loading.batch:release", "after", 2),
]
FINISH = [
    *(Step("gradeway.landing.keep:keep", when, call) for call in (1, 4) for when in ("before", "after")),
    Step("gradeway.landing.keep:sync"),  # renamed, the claimed folder is still there
    Step("gradeway.intake:write_report"),
    Step("gradeway.checks.report:page"),  # the JSON is written, the page is not
    Step("gradeway.intake:write_report", "after", 3),
    Step("gradeway.checks.files:os.fsync"),  # a draft is written, not yet under its name
    Step("gradeway.intake:write_rejects", "before"),
    Step("gradeway.intake:write_rejects", "after"),
    Step("gradeway.store.ledger:reported"),
    Step("gradeway.store.ledger:reported", "after"),
    Step("gradeway.store.ledger:reported", "after", 6),
]
COMMIT = "sqlalchemy.engine.default:DefaultDialect.do_commit"
IN_THE_DATABASE = [*LOAD, *RELEASE, Step("gradeway.store.ledger:enter", "after"), *FINISH[-3:]]
EVERY = [*CLAIM, *LOAD, *RELEASE, *FINISH]

Killed = Callable[[Step], bool]


@dataclass
class Stage:
    """An installation at the start of the day, and how an undisturbed day ends there."""

    world: World
    saved: Path
    reset_store: Callable[[], None]
    end: dict[str, Any]
    bytes_: set[str]

    def reset(self) -> None:
        """Start the day again."""
        self.world.intake.store.engine.dispose()
        put_back(self.saved, self.world.home)
        self.reset_store()

    def play(self, step: Step) -> bool:
        """Kill a sweep at a step, and hold that the next one ends as an undisturbed one would."""
        self.reset()
        killed = kill_at(step, self.world.intake, lambda intake: intake.sweep(lambda _: None))
        assert self.bytes_ <= digests(self.world), "landed bytes are gone"
        self.world.sweep()
        assert told(self.world) == self.end
        assert litter(self.world.zone.root) == []
        before = self.world.dump(), self.world.files()
        assert self.world.sweep().batches == []
        assert (self.world.dump(), self.world.files()) == before
        return killed


def told(world: World) -> dict[str, Any]:
    """Return all that a day left behind, but for drafts, which are nobody's file."""
    story = world.story()
    return story | {"reports": [report for report in story["reports"] if not isinstance(report, str)]}


def stage(home: Path, url: str, reset_store: Callable[[], None]) -> Stage:
    world = World(home, url)
    prepare(world)
    saved = home.with_name("saved")
    world.intake.store.engine.dispose()
    shutil.copytree(home, saved)
    return Stage(world, saved, reset_store, {}, digests(world))


def with_end(made: Stage) -> Stage:
    made.reset()
    made.world.sweep()
    made.end = told(made.world)
    # the day has everything in it that can be interrupted
    batches = made.world.batches()
    assert {batch.state for batch in batches} == {"loaded", "refused", "duplicate"}
    totals = {name: sum(getattr(batch, name) for batch in batches) for name in ("updated", "rejected", "parked")}
    assert all(totals.values())
    return made


@pytest.fixture(scope="module")
def on_sqlite() -> Iterator[Stage]:
    with fast_folder() as folder:
        # the store is a file in the home, and so comes back with it
        home = folder / "home"
        yield with_end(stage(home, f"sqlite:///{home}/store.db", lambda: None))


@pytest.fixture(scope="module")
def on_postgresql(shared_postgres_store: str) -> Iterator[Stage]:
    engine = own_engine(shared_postgres_store)
    tables = Base.metadata.sorted_tables
    names = ", ".join(f'"{table.name}"' for table in tables)
    rows: dict[str, list[Any]] = {}

    def empty() -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"TRUNCATE {names} RESTART IDENTITY")

    def put_rows_back() -> None:
        empty()
        with engine.begin() as connection:
            for table in tables:
                if rows[table.name]:
                    connection.execute(table.insert(), rows[table.name])
                if "id" in table.c:
                    connection.exec_driver_sql(
                        f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'),"  # noqa: S608
                        f' (SELECT coalesce(max(id), 0) + 1 FROM "{table.name}"), false)'
                    )

    empty()
    with fast_folder() as folder:
        made = stage(folder / "home", shared_postgres_store, put_rows_back)
        with engine.connect() as connection:
            for table in tables:
                rows[table.name] = [dict(row) for row in connection.execute(select(table)).mappings()]
        yield with_end(made)
    engine.dispose()


@pytest.mark.parametrize("step", EVERY, ids=str)
def test_a_killed_sweep_is_completed_by_the_next(on_sqlite: Stage, step: Step) -> None:
    assert on_sqlite.play(step), "the sweep never came to this step"


@pytest.mark.parametrize("step", IN_THE_DATABASE, ids=str)
def test_a_killed_sweep_is_completed_by_the_next_on_postgresql(on_postgresql: Stage, step: Step) -> None:
    assert on_postgresql.play(step), "the sweep never came to this step"


def test_a_sweep_killed_after_each_of_its_commits_is_completed_by_the_next(on_sqlite: Stage) -> None:
    commits = 0
    while on_sqlite.play(Step(COMMIT, "after", commits + 1)):
        commits += 1
    assert commits > 20


@pytest.mark.parametrize("call", range(1, 22, 4))
def test_a_sweep_killed_before_some_of_its_commits_is_completed_by_the_next(on_sqlite: Stage, call: int) -> None:
    assert on_sqlite.play(Step(COMMIT, "before", call))


def test_a_sweep_killed_again_and_again_ends_as_one_that_was_not(on_sqlite: Stage) -> None:
    on_sqlite.reset()
    kills = 0
    for call in range(1, 40):
        step = Step(COMMIT, "after" if call % 2 else "before", 1 + call % 3)
        kills += kill_at(step, on_sqlite.world.intake, lambda intake: intake.sweep(lambda _: None))
    assert kills > 10
    on_sqlite.world.sweep()
    assert told(on_sqlite.world) == on_sqlite.end


def test_two_workers_killed_at_different_steps_leave_what_a_third_completes(on_sqlite: Stage) -> None:
    on_sqlite.reset()
    for step in (
        Step("gradeway.landing.claim:_take", "after", 2),
        Step("gradeway.store.bulk:GradeWriter.finish", "after"),
    ):
        assert kill_at(step, on_sqlite.world.intake, Intake.sweep)
    on_sqlite.world.sweep()
    assert told(on_sqlite.world) == on_sqlite.end
