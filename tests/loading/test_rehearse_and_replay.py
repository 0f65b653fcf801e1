"""Loading a file without leaving anything behind, and taking a batch's bytes in again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gradeway.checks import decode
from gradeway.errors import FileDefectError, LandingError, UnknownBatchError
from gradeway.loading import values
from loading.world import World

SCHEMA = ("s.sch", "title|symbols", "S|A=90:F=0")
COLUMN = ("x.colnc", "courseId|name|points", "C1|X|100")
VALUES = "courseId|userId|name|value"


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Write a file that is in no inbox."""

    def write(name: str, *lines: str) -> Path:
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return write


def test_a_rehearsal_tells_what_would_happen_and_changes_nothing(world: World, file: Callable[..., Path]) -> None:
    for some in (SCHEMA, COLUMN):
        world.land(*some)
    world.land("v.colncval", VALUES, "C1|u1|X|80", "C1|u2|X|80")
    before, files = world.dump(), world.files()
    path = file(
        "w.colncval",
        *(VALUES, "C1|u1|X|80", "C1|u2|X|81", "C1|u3|X|82", "C1|u4|X|bad", "C1|u5|None|1", "C1|u3|X|82"),
    )
    tally = world.intake.rehearse(path, "colncval")
    assert (tally.rows_in, tally.created, tally.updated, tally.unchanged) == (6, 1, 1, 2)
    assert (tally.rejected, tally.parked, tally.duplicates) == (1, 1, 1)
    assert world.dump() == before
    assert world.files() == files
    assert path.exists()


@pytest.mark.parametrize(
    ("feed", "lines", "created"),
    [
        ("sch", ("title|symbols", "New|A=90:F=0"), 1),
        ("asg", ("courseId|name", "C9|New"), 1),
        ("col", ("courseId|name", "C9|New"), 1),
        ("colnc", ("courseId|name", "C9|New"), 1),
        ("colext", ("courseId|name", "C1|X"), 0),
        ("colncval", (VALUES, "C1|new|X|1"), 1),
    ],
)
def test_a_rehearsal_of_every_feed_changes_nothing(
    world: World, file: Callable[..., Path], feed: str, lines: tuple[str, ...], created: int
) -> None:
    world.land(*COLUMN)
    before = world.dump()
    assert world.intake.rehearse(file(f"f.{feed}", *lines), feed).created == created
    assert world.dump() == before
    # and the real load then does what was told
    assert world.land(f"f.{feed}", *lines).created == created


def test_a_rehearsal_counts_rows_that_would_wait(world: World, file: Callable[..., Path]) -> None:
    before = world.dump()
    assert world.intake.rehearse(file("v.colncval", VALUES, "C1|u1|X|90"), "colncval").parked == 1
    assert world.intake.rehearse(file("c.colnc", "courseId|name|gradeSchema", "C1|X|S"), "colnc").parked == 1
    assert world.dump() == before


def test_a_rehearsal_of_a_whole_file_feed_refuses_it_whole(world: World, file: Callable[..., Path]) -> None:
    tally = world.intake.rehearse(file("s.sch", "title|symbols", "S|A=90:F=0", "T|A=90:F=1"), "sch")
    assert (tally.rows_in, tally.rejected, tally.created) == (2, 2, 0)


def test_a_rehearsal_names_the_defect_of_a_file(world: World, file: Callable[..., Path]) -> None:
    with pytest.raises(FileDefectError, match="HEADER_INCOMPLETE"):
        world.intake.rehearse(file("v.colncval", "courseId|userId", "C1|u1"), "colncval")


def test_a_rehearsal_with_more_learners_than_are_remembered(
    world: World, file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "REMEMBERED", 2)
    monkeypatch.setattr(decode, "BLOCK", 40)
    world.land(*COLUMN)
    path = file("v.colncval", VALUES, *(f"C1|u{place}|X|90" for place in range(50)))
    assert world.intake.rehearse(path, "colncval").created == 50


def test_a_replay_is_a_new_batch_with_the_same_bytes(world: World) -> None:
    world.land(*COLUMN)
    first = world.land("v.colncval", VALUES, "C1|u1|X|90", "C1|u2|X|bad")
    before = world.gradebook()
    again = world.intake.replay(first.id)
    world.sweep()
    second = world.batches()[-1]
    assert (second.id, second.replay_of, second.sha256, second.state) == (again, first.id, first.sha256, "loaded")
    assert (second.unchanged, second.rejected, second.created) == (1, 1, 0)
    assert world.gradebook() == before
    assert world.intake.bytes_of(first).read_bytes() == world.intake.bytes_of(second).read_bytes()


def test_a_replay_is_the_newest_and_sets_what_was_changed_since(world: World) -> None:
    world.land(*COLUMN)
    first = world.land("v.colncval", VALUES, "C1|u1|X|90")
    world.land("w.colncval", VALUES, "C1|u1|X|10")
    world.intake.replay(first.id)
    world.sweep()
    assert world.grades() == {("C1", "X", "u1"): "90"}


def test_a_refused_file_can_be_replayed(world: World) -> None:
    batch = world.land("v.colncval", "courseId|userId", "C1|u1")
    assert batch.state == "refused"
    world.intake.replay(batch.id)
    world.sweep()
    assert world.batches()[-1].state == "refused"


def test_a_claimed_batch_can_be_replayed(world: World) -> None:
    world.drop(*COLUMN)
    world.intake.claim()
    world.intake.replay(1)
    world.sweep()
    assert [batch.state for batch in world.batches()] == ["loaded", "loaded"]
    assert world.column("X").points == 100


def test_a_batch_of_no_feed_cannot_be_replayed(world: World) -> None:
    batch = world.land("x.foo", "anything")
    with pytest.raises(LandingError):
        world.intake.replay(batch.id)


def test_a_batch_whose_bytes_are_gone_cannot_be_replayed(world: World) -> None:
    batch = world.land(*COLUMN)
    world.intake.bytes_of(batch).unlink()
    with pytest.raises(LandingError):
        world.intake.replay(batch.id)
    assert list(world.zone.claimed.iterdir()) == []


def test_a_batch_that_is_not_there_cannot_be_replayed(world: World) -> None:
    with pytest.raises(UnknownBatchError):
        world.intake.replay(99)
