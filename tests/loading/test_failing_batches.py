"""Batches that fail in an unexpected way, and files that were left half-way."""

from __future__ import annotations

import pytest

from gradeway.errors import BatchFailedError
from gradeway.landing import claim
from gradeway.store import ledger
from loading.world import World

COLUMN = ("x.colnc", "courseId|name|points", "C1|X|100")
VALUES = "courseId|userId|name|value"
Patch = pytest.MonkeyPatch


def test_a_failed_batch_leaves_no_staged_grade_to_the_next_ones(world: World, monkeypatch: Patch) -> None:
    world.land(*COLUMN)
    world.drop("failing.colncval", VALUES, "C1|failing|X|90")
    world.intake.claim()
    with monkeypatch.context() as patch:
        patch.delattr(ledger, "commit_load")
        with pytest.raises(BatchFailedError):
            world.intake.process(2)
    # as many as the pool has connections, whichever of them the failed batch had
    for number in range(5):
        world.drop(f"{number}.colncval", VALUES, f"C1|u{number}|X|50")
        (batch,) = world.intake.claim()
        world.intake.process(batch)
    assert world.grades() == {("C1", "X", f"u{number}"): "50" for number in range(5)}
    assert all(batch.balanced for batch in world.batches())


def test_a_batch_that_failed_once_is_loaded_by_the_next_sweep(world: World, monkeypatch: Patch) -> None:
    world.drop(*COLUMN)
    with monkeypatch.context() as patch:
        patch.delattr(ledger, "commit_load")
        assert len(world.sweep().failed) == 1
    (batch,) = world.batches()
    assert (batch.state, batch.failures, batch.last_failure) == ("claimed", 1, "AttributeError")
    world.sweep()
    (batch,) = world.batches()
    assert (batch.state, batch.created, batch.last_failure) == ("loaded", 1, "")


def test_a_batch_that_fails_again_and_again_goes_to_quarantine(world: World, monkeypatch: Patch) -> None:
    world.drop(*COLUMN)
    world.drop("v.colncval", VALUES, "C1|u1|Other|1")
    with monkeypatch.context() as patch:
        patch.delattr("gradeway.loading.columns.schemas_by_title")
        for _ in range(3):
            world.sweep()
    bad, good = world.batches()
    assert (bad.state, bad.place.split("/")[0], good.state) == ("refused", "quarantine", "loaded")
    assert world.codes(bad.id) == [(None, "PROCESSING_FAILED")]
    # after a repair, the kept bytes are taken in again
    world.intake.replay(bad.id)
    world.sweep()
    assert world.column("X").points == 100


def test_half_a_copy_is_never_taken_for_the_file(world: World) -> None:
    world.land(*COLUMN)
    # what a kill while copying across file systems leaves: the file in the inbox, a part of it claimed
    half = world.zone.claimed / f"grades-{'0' * 32}"
    half.mkdir()
    (half / ".copy").write_text(f"{VALUES}\nC1|u1|X|9")
    world.land("v.colncval", VALUES, "C1|u1|X|90")
    assert [batch.file_name for batch in world.batches()] == ["x.colnc", "v.colncval"]
    assert world.grades() == {("C1", "X", "u1"): "90"}
    assert not half.exists()


def test_bytes_added_after_the_claim_are_reported_and_kept(world: World) -> None:
    path = world.drop(*COLUMN)
    with path.open("a") as late:
        world.intake.claim()
        world.intake.process(1)
        late.write("C1|Y|100\n")
        late.flush()
        world.sweep()
        late.write("C1|Z|100\n")
    (batch,) = world.batches()
    assert (batch.state, batch.created, world.codes(batch.id)) == ("loaded", 1, [(None, "FILE_GREW")])
    assert world.intake.bytes_of(batch).read_text().endswith("C1|Z|100\n")
    assert "FILE_GREW" in [finding["code"] for finding in world.report(batch)["findings"]]


def test_a_batch_that_somebody_else_finished_is_left_alone(world: World) -> None:
    batch = world.land(*COLUMN)
    assert world.intake.process(batch.id) is False
    with claim.own(world.zone.root / batch.place) as owned:
        assert not owned
