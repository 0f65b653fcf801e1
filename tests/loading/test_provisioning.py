"""How a row finds its column or assignment, under each of the four rules."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from loading.world import World

Make = Callable[..., World]
HEADER = "courseId|name|points|optionalData"
FEEDS = [("colnc", "column_provisioning"), ("col", "column_provisioning"), ("asg", "assignment_provisioning")]
each_feed = pytest.mark.parametrize(("feed", "setting"), FEEDS)


def shown(world: World) -> list[tuple[str, int]]:
    """Return the name and points of every column."""
    return [(row["name"], int(row["points"])) for row in world.gradebook()["columns"]]


@each_feed
def test_by_name_the_column_of_that_name_is_updated(make_world: Make, feed: str, setting: str) -> None:
    world = make_world(**{setting: "name"})
    world.land(f"a.{feed}", HEADER, "C1|X|10|", "C2|X|30|")
    batch = world.land(f"b.{feed}", HEADER, "C1|X|20|")
    assert shown(world) == [("X", 20), ("X", 30)]
    assert (batch.updated, batch.created) == (1, 0)


@each_feed
def test_once_a_column_that_is_there_is_never_touched(make_world: Make, feed: str, setting: str) -> None:
    world = make_world(**{setting: "once"})
    world.land(f"a.{feed}", HEADER, "C1|X|10|")
    batch = world.land(f"b.{feed}", HEADER, "C1|X|20|", "C1|Y|5|")
    assert shown(world) == [("X", 10), ("Y", 5)]
    assert (batch.unchanged, batch.created, batch.updated) == (1, 1, 0)


@each_feed
def test_always_every_row_makes_a_column(make_world: Make, feed: str, setting: str) -> None:
    world = make_world(**{setting: "always"})
    world.land(f"a.{feed}", HEADER, "C1|X|10|")
    world.land(f"b.{feed}", HEADER, "C1|X|20|")
    assert shown(world) == [("X", 10), ("X", 20)]


@each_feed
def test_always_the_same_bytes_still_make_a_column_once(make_world: Make, feed: str, setting: str) -> None:
    world = make_world(**{setting: "always"})
    world.land(f"a.{feed}", HEADER, "C1|X|10|")
    world.land(f"b.{feed}", HEADER, "C1|X|10|")
    assert shown(world) == [("X", 10)]


@each_feed
def test_by_metadata_a_column_may_change_its_name(make_world: Make, feed: str, setting: str) -> None:
    world = make_world(**{setting: "metadata"})
    world.land(f"a.{feed}", HEADER, "C1|X|10|Type=t1", "C1|Z|10|Type=t2:Other=1")
    batch = world.land(f"b.{feed}", HEADER, "C1|Y|20|Type=t1")
    assert shown(world) == [("Y", 20), ("Z", 10)]
    assert batch.updated == 1


@each_feed
def test_by_metadata_a_row_without_the_key_is_refused(make_world: Make, feed: str, setting: str) -> None:
    world = make_world(**{setting: "metadata"})
    batch = world.land(f"a.{feed}", HEADER, "C1|X|10|Other=1", "C1|Y|10|", "C1|Z|10|Type=t")
    assert shown(world) == [("Z", 10)]
    assert world.codes(batch.id) == [(2, "METADATA_MISSING"), (3, "METADATA_MISSING")]
    assert (batch.rejected, batch.created, batch.balanced) == (2, 1, True)


def test_the_metadata_key_is_a_setting(make_world: Make) -> None:
    world = make_world(column_provisioning="metadata", metadata_key="MOD_CODE")
    world.land("a.colnc", HEADER, "C1|X|10|MOD_CODE=m:Type=1")
    world.land("b.colnc", HEADER, "C1|Y|20|MOD_CODE=m:Type=2")
    assert shown(world) == [("Y", 20)]


def test_a_long_metadata_value_finds_its_column(make_world: Make) -> None:
    world = make_world(column_provisioning="metadata")
    # every character another, or the database would compress it
    value = "".join(chr(0x4E00 + place * 7 % 20_000) for place in range(1900))
    assert world.land("a.colnc", HEADER, f"C1|X|10|Type={value}").created == 1
    assert world.land("b.colnc", HEADER, f"C1|X|20|Type={value}").updated == 1


def test_the_rules_of_columns_and_assignments_are_set_apart(make_world: Make) -> None:
    world = make_world(column_provisioning="name", assignment_provisioning="once")
    for place, points in enumerate((10, 20)):
        world.drop(f"{place}.asg", HEADER, f"C1|A|{points}|")
        world.drop(f"{place}.colnc", HEADER, f"C1|C|{points}|")
        world.sweep()
    assert shown(world) == [("A", 10), ("C", 20)]


def test_by_name_after_always_a_name_that_two_columns_have_is_refused(make_world: Make) -> None:
    world = make_world(column_provisioning="always")
    world.land("a.colnc", HEADER, "C1|X|10|")
    world.land("b.colnc", HEADER, "C1|X|20|")
    world = make_world(column_provisioning="name")
    batch = world.land("c.colnc", HEADER, "C1|X|30|")
    assert shown(world) == [("X", 10), ("X", 20)]
    assert world.codes(batch.id) == [(2, "COLUMN_AMBIGUOUS")]


@pytest.mark.parametrize(("first", "second"), [("colnc", "col"), ("col", "asg"), ("asg", "colnc")])
def test_a_name_keeps_the_kind_that_it_was_made_with(world: World, first: str, second: str) -> None:
    world.land(f"a.{first}", HEADER, "C1|X|10|")
    batch = world.land(f"b.{second}", HEADER, "C1|X|20|", "C2|X|20|")
    assert shown(world) == [("X", 10), ("X", 20)]
    assert world.codes(batch.id) == [(2, "COLUMN_KIND")]
    assert (batch.rejected, batch.created) == (1, 1)


def test_an_end_before_the_start_that_is_there_already_is_rejected(world: World) -> None:
    world.land("a.asg", "courseId|name|startDate|endDate", "C1|A|2026-09-01|2026-12-01")
    batch = world.land("b.asg", "courseId|name|endDate", "C1|A|2026-08-01")
    assert world.codes(batch.id) == [(2, "DATE_ORDER")]
    assert str(world.column("A").end_date) == "2026-12-01"
    assert world.land("c.asg", "courseId|name|endDate", "C1|A|").updated == 1
