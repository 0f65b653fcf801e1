"""Feeds that are taken whole or not at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from loading.world import World

HEADER = "title|symbols"
GOOD = "Good|A=90:F=0"


@pytest.mark.parametrize(
    ("rows", "codes"),
    [
        ((GOOD, "Bad|A=90:F=10", "More|P=50:F=0"), [(2, "FILE_REJECTED"), (3, "SYMBOL_BOUNDS"), (4, "FILE_REJECTED")]),
        ((GOOD, "Bad"), [(2, "FILE_REJECTED"), (3, "ROW_SHORT")]),
        (
            (GOOD, "Twice|A=90:F=0", "Twice|A=80:F=0"),
            [(2, "FILE_REJECTED"), (3, "DUPLICATE_CONFLICT"), (4, "DUPLICATE_CONFLICT")],
        ),
    ],
    ids=["contract", "unreadable", "contradiction"],
)
def test_one_bad_row_refuses_the_whole_file(world: World, rows: tuple[str, ...], codes: list[tuple[int, str]]) -> None:
    batch = world.land("s.sch", HEADER, *rows)
    assert world.gradebook()["schemas"] == {}
    assert world.codes(batch.id) == codes
    assert (batch.rows_in, batch.rejected, batch.created, batch.balanced) == (len(rows), len(rows), 0, True)
    assert (batch.state, batch.place.split("/")[0]) == ("refused", "quarantine")


def test_the_same_bytes_are_judged_again_under_other_settings(make_world: Callable[..., World]) -> None:
    rows = (HEADER, GOOD, "Bad|A=90:F=10")
    assert make_world().land("s.sch", *rows).state == "refused"
    assert make_world(whole_file_feeds="colnc").land("s.sch", *rows).created == 1


def test_the_corrected_file_is_taken(world: World) -> None:
    batch = world.land("s.sch", HEADER, GOOD, "Bad|A=90:F=10")
    rejects = (world.intake.report_folder(batch) / f"rejects-{batch.id}.sch").read_text()
    assert len(rejects.splitlines()) == 3
    (world.zone.inbox("grades") / "again.sch").write_text(rejects.replace("F=10", "F=0"))
    world.sweep()
    assert sorted(world.gradebook()["schemas"]) == ["Bad", "Good"]


def test_a_good_file_with_a_repeated_row_is_taken(world: World) -> None:
    batch = world.land("s.sch", HEADER, GOOD, GOOD)
    assert (batch.created, batch.unchanged, batch.duplicates, batch.rejected) == (1, 1, 1, 0)


def test_other_feeds_reject_the_row_alone(world: World) -> None:
    batch = world.land("c.colnc", "courseId|name|points", "C1|X|50", "C1|Y|many")
    assert (batch.created, batch.rejected) == (1, 1)


def test_which_feeds_are_taken_whole_is_a_setting(make_world: Callable[..., World]) -> None:
    world = make_world(whole_file_feeds="colnc,colncval")
    world.land("s.sch", HEADER, GOOD, "Bad|A=90:F=10")
    assert sorted(world.gradebook()["schemas"]) == ["Good"]
    world.land("c.colnc", "courseId|name|points", "C1|X|50", "C1|Y|many")
    assert world.gradebook()["columns"] == []


def test_what_only_the_store_can_tell_refuses_the_whole_file_too(make_world: Callable[..., World]) -> None:
    world = make_world(whole_file_feeds="colncval")
    world.land("d.colnc", "courseId|name|points", "C1|X|50")
    batch = world.land("v.colncval", "courseId|userId|name|value", "C1|u1|X|50", "C1|u2|X|bad", "C1|u3|None|1")
    assert world.codes(batch.id) == [(2, "FILE_REJECTED"), (3, "SYMBOL_UNKNOWN"), (4, "FILE_REJECTED")]
    assert (batch.rejected, batch.parked, batch.balanced) == (3, 0, True)
    assert world.gradebook()["parked"] == []
    assert world.grades() == {}
