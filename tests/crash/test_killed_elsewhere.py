"""A kill -9 while bytes cross file systems, while a batch is replayed, and while the house is tidied."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from crash.kill import Step, in_a_process, kill_at
from crash.scene import digests, litter
from gradeway import clock
from loading.world import World

COLUMN = ("x.colnc", "courseId|name|points", "C1|X|100")
VALUES = ("v.colncval", "courseId|userId|name|value", "C1|u1|X|90", "C1|u2|X|bad", "C1|u3|Other|1")
ACROSS = [
    Step("gradeway.landing.claim:shutil.copyfile", "before"),
    Step("gradeway.landing.claim:shutil.copyfile", "halfway"),
    Step("gradeway.landing.claim:shutil.copyfile", "after"),
    Step("gradeway.landing.claim:copy", "after"),
    Step("pathlib:Path.unlink", "before"),
    Step("pathlib:Path.unlink", "after"),
    Step("gradeway.landing.claim:_take_across", "after"),
    Step("gradeway.store.ledger:enter", "before"),
    Step("gradeway.store.ledger:enter", "after"),
]
REPLAY = [
    Step("gradeway.landing.claim:copy", "before"),
    Step("gradeway.landing.claim:shutil.copyfile", "halfway"),
    Step("gradeway.landing.claim:copy", "after"),
    Step("gradeway.store.ledger:_insert", "before"),
    Step("gradeway.store.ledger:_insert", "after"),
]
COMMIT = "sqlalchemy.engine.default:DefaultDialect.do_commit"
EXPIRE = [
    Step("gradeway.store.ledger:forget_parked", "after"),
    Step("gradeway.store.ledger:add", "after"),
    Step(COMMIT, "before"),
    Step(COMMIT, "after"),
    Step("gradeway.loading.batch:expire", "after"),
    Step("gradeway.intake:write_report", "before"),
    Step("gradeway.intake:write_rejects", "after"),
    Step("gradeway.store.ledger:reported", "after"),
]
PURGE = [
    *(Step("gradeway.landing.keep:shutil.rmtree", when, call) for call in (1, 2, 3) for when in ("before", "after")),
    *(Step("os:unlink", "after", call) for call in (1, 4)),  # a part of a day's folder is gone
]


def later(days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let some days go by."""
    then = clock.now() + timedelta(days=days)
    monkeypatch.setattr(clock, "now", lambda: then)


@pytest.fixture
def far_inbox(world: World, tmp_path: Path) -> World:
    """An installation whose inbox is on another file system than its other folders."""
    inbox = world.zone.inbox("grades")
    if tmp_path.stat().st_dev == inbox.stat().st_dev:
        pytest.skip("this machine has no second file system to write to")
    inbox.rmdir()
    inbox.symlink_to(tmp_path)
    return world


@pytest.mark.parametrize("step", ACROSS, ids=str)
@pytest.mark.parametrize("empty_store", ["sqlite"], indirect=True)
def test_a_file_that_crosses_file_systems_is_taken_whole_and_once(far_inbox: World, step: Step) -> None:
    world = far_inbox
    world.land(*COLUMN)
    path = world.drop(*VALUES)
    landed = digests(world)
    assert kill_at(step, world.intake, lambda intake: intake.sweep(lambda _: None))
    assert landed <= digests(world)
    world.sweep()
    assert not path.exists()
    assert litter(world.zone.root) == []
    assert world.grades() == {("C1", "X", "u1"): "90"}
    # a kill between the copy and the removal leaves the file twice: the second is known as such
    assert [batch.state for batch in world.batches()[1:]] in (["loaded"], ["loaded", "duplicate"])
    before = world.dump(), world.files()
    world.sweep()
    assert (world.dump(), world.files()) == before


@pytest.mark.parametrize("step", REPLAY, ids=str)
@pytest.mark.parametrize("empty_store", ["sqlite"], indirect=True)
def test_a_killed_replay_changes_nothing_or_is_completed(world: World, step: Step) -> None:
    world.land(*COLUMN)
    batch = world.land(*VALUES)
    before, landed = world.gradebook(), digests(world)
    assert kill_at(step, world.intake, lambda intake: intake.replay(batch.id))
    world.sweep()
    assert landed <= digests(world)
    assert litter(world.zone.root) == []
    seen = world.gradebook()
    assert [row[2:] for row in seen.pop("parked")][:1] == [row[2:] for row in before.pop("parked")]
    assert seen == before
    assert all(found.balanced for found in world.batches())
    # a second try is not in the way of the first
    world.intake.replay(batch.id)
    world.sweep()
    assert world.batches()[-1].state == "loaded"
    assert world.grades() == {("C1", "X", "u1"): "90"}


@pytest.mark.parametrize("step", EXPIRE, ids=str)
def test_a_kill_while_rows_expire_gives_them_back_once(
    world: World, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.land(*COLUMN)
    batch = world.land(*VALUES)
    later(31, monkeypatch)
    assert kill_at(step, world.intake, lambda intake: intake.tidy())
    world.intake.tidy()
    world.sweep()  # writes what the killed process left due
    assert world.codes(batch.id) == [(3, "SYMBOL_UNKNOWN"), (4, "COLUMN_NEVER_CAME")]
    report = world.report(batch)
    assert (report["rows"]["rejected"], report["rows"]["parked"], report["balanced"]) == (2, 0, True)
    rejects = (world.intake.report_folder(batch) / report["reject_file"]).read_text().splitlines()
    assert [row.split("|")[0] for row in rejects[1:]] == ["3", "4"]
    before = world.dump(), world.files()
    assert world.intake.tidy()["expired"] == 0
    assert (world.dump(), world.files()) == before


@pytest.mark.parametrize("step", PURGE, ids=str)
@pytest.mark.parametrize("empty_store", ["sqlite"], indirect=True)
def test_a_kill_while_old_files_are_deleted_is_completed(
    world: World, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in (COLUMN, VALUES, ("x.foo", "not ours")):
        world.land(*file)
    later(500, monkeypatch)
    world.intake.tidy()  # gives the waiting row back, and writes its report into the folder of its day
    for file in (COLUMN, VALUES, ("y.foo", "not ours")):
        world.land(file[0], *file[1:], "")
    fresh = {name for name in world.files() if clock.now().date().isoformat() in name}
    later(500, monkeypatch)
    assert fresh
    assert kill_at(step, world.intake, lambda intake: intake.tidy())
    world.intake.tidy()
    assert world.grades() == {("C1", "X", "u1"): "90"}
    kept = [folder for folder in ("archive", "quarantine", "reports") for _ in (world.zone.root / folder).iterdir()]
    assert kept == [] or set(kept) == {"reports"}


def test_a_forked_worker_that_ends_by_itself_is_told_from_a_killed_one() -> None:
    assert in_a_process(lambda: None) == 0
    assert in_a_process(lambda: os.kill(os.getpid(), 9)) == 9
