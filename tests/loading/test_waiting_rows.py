"""Rows whose schema or column is not there yet: seen, released by themselves, or given back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from gradeway import clock
from gradeway.store import overview
from loading.world import World

Patch = pytest.MonkeyPatch
SCHEMA = ("s.sch", "title|symbols", "S|A=90:F=0")
COLUMN = ("c.colnc", "courseId|name|gradeSchema", "C1|X|S")
EXTERNAL = ("e.colext", "courseId|name", "C1|X")
VALUES = ("v.colncval", "courseId|userId|name|value", "C1|u1|X|A", "C1|u2|X|80", "C1|u3|Other|1")


def after(days: int, monkeypatch: Patch) -> None:
    """Let some days go by."""
    then = clock.now() + timedelta(days=days)
    monkeypatch.setattr(clock, "now", lambda: then)


def test_what_waits_is_seen_in_the_batch_the_ledger_and_the_report(world: World) -> None:
    batch = world.land(*VALUES)
    assert (batch.rows_in, batch.parked, batch.balanced, batch.state) == (3, 3, True, "loaded")
    with world.intake.store.session() as session:
        groups = [(group.parent, group.course, group.name, group.rows) for group in overview.waiting(session)]
    assert groups == [("column", "C1", "Other", 1), ("column", "C1", "X", 2)]
    report = world.report(batch)
    assert report["rows"]["parked"] == 3
    assert [(row["for"], row["course"], row["name"], row["rows"]) for row in report["waiting"]] == [
        ("column", "C1", "Other", 1),
        ("column", "C1", "X", 2),
    ]


def test_rows_are_released_by_themselves_when_their_parents_land(world: World) -> None:
    values, column, external = (world.land(*file) for file in (VALUES, COLUMN, EXTERNAL))
    assert [batch.parked for batch in world.batches()] == [3, 1, 1]
    assert world.gradebook()["columns"] == []
    world.land(*SCHEMA)
    # one schema lands, and in its sweep the column, its mark and its values follow
    assert world.grades() == {("C1", "X", "u1"): "A", ("C1", "X", "u2"): "80"}
    assert world.column("X").external
    assert [batch.parked for batch in world.batches()] == [1, 0, 0, 0]
    assert all(batch.balanced for batch in world.batches())
    assert world.report(values)["rows"] | {"applied": 2, "parked": 1} == world.report(values)["rows"]
    assert world.report(column)["waiting"] == world.report(external)["waiting"] == []


def test_a_sweep_tells_how_many_rows_it_released(world: World) -> None:
    for file in (VALUES, COLUMN, EXTERNAL):
        assert (world.drop(*file), world.sweep().released)[1] == 0
    world.drop(*SCHEMA)
    assert world.sweep().released == 4


def test_a_released_row_is_judged_by_the_column_that_came(world: World) -> None:
    batch = world.land("v.colncval", VALUES[1], "C1|u1|X|A", "C1|u2|X|B", "C1|u3|X|500")
    world.drop(*SCHEMA)
    world.drop(*COLUMN)
    world.sweep()
    assert world.grades() == {("C1", "X", "u1"): "A", ("C1", "X", "u3"): "500"}
    assert world.codes(batch.id) == [(3, "SYMBOL_UNKNOWN"), (4, "VALUE_ABOVE")]
    rows = world.report(batch)["rows"]
    assert (rows["in"], rows["applied"], rows["rejected"], rows["parked"]) == (3, 2, 1, 0)
    rejects = world.intake.report_folder(batch) / f"rejects-{batch.id}.colncval"
    assert rejects.read_text().splitlines()[1].endswith("C1|u2|X|B")


def test_a_row_waits_for_a_column_of_its_own_course(world: World) -> None:
    world.land(*VALUES)
    world.land("c.colnc", "courseId|name", "C2|X", "C1|x")
    assert world.grades() == {}
    assert world.batches()[0].parked == 3


def test_only_the_rows_of_a_file_that_lack_their_schema_wait(world: World) -> None:
    batch = world.land("c.colnc", "courseId|name|gradeSchema", "C1|X|S", "C1|Y|")
    assert (batch.created, batch.parked) == (1, 1)
    assert [row["name"] for row in world.gradebook()["columns"]] == ["Y"]


def test_the_missing_cells_of_a_waiting_row_are_still_absent_when_it_is_released(world: World) -> None:
    world.land("a.colnc", "courseId|name|points", "C1|X|50")
    world.land(*COLUMN)
    world.land(*SCHEMA)
    assert world.column("X").points == 50


def test_a_row_that_waited_too_long_is_given_back(world: World, monkeypatch: Patch) -> None:
    batch = world.land("v.colncval", VALUES[1], "C1|u1|X|80", "C1|u2|Y|90")
    column = world.land(*COLUMN)
    world.land("y.colnc", "courseId|name", "C1|Y")
    after(31, monkeypatch)
    assert world.intake.tidy()["expired"] == 2
    assert world.codes(batch.id) == [(2, "COLUMN_NEVER_CAME")]
    assert world.codes(column.id) == [(2, "SCHEMA_NEVER_CAME")]
    for given in (batch, column):
        report = world.report(given)
        assert (report["rows"]["rejected"], report["rows"]["parked"], report["balanced"]) == (1, 0, True)
        assert report["waiting"] == []
    rejects = world.intake.report_folder(batch) / world.report(batch)["reject_file"]
    assert rejects.read_text().splitlines()[1].endswith("C1|u1|X|80")
    # dropped back as it is, the reject file waits again: nothing is lost
    (world.zone.inbox("grades") / "again.colncval").write_bytes(rejects.read_bytes())
    world.sweep()
    assert world.batches()[-1].parked == 1


def test_a_row_whose_time_is_not_over_stays(world: World, monkeypatch: Patch) -> None:
    world.land(*VALUES)
    after(29, monkeypatch)
    assert world.intake.tidy()["expired"] == 0
    assert world.batches()[0].parked == 3


def test_the_time_to_wait_is_a_setting(make_world: Callable[..., World], monkeypatch: Patch) -> None:
    world = make_world(parked_days=2)
    world.land(*VALUES)
    after(3, monkeypatch)
    assert world.intake.tidy()["expired"] == 3


def test_a_row_that_expires_after_somebody_removed_its_file_does_not_stop_the_sweeps(
    world: World, monkeypatch: Patch
) -> None:
    batch = world.land(*VALUES)
    world.intake.bytes_of(batch).unlink()
    after(31, monkeypatch)
    world.intake.tidy()
    assert world.report(batch)["rows"]["rejected"] == 3
    assert [path.name for path in world.intake.report_folder(batch).glob("rejects*")] == []
    assert world.land("c.colnc", "courseId|name", "C1|X").created == 1


def test_a_waiting_row_outlives_the_retention_of_reports(make_world: Callable[..., World], monkeypatch: Patch) -> None:
    world = make_world(report_days=1)
    batch = world.land(*VALUES)
    after(10, monkeypatch)
    world.intake.tidy()
    assert not world.intake.report_folder(batch).exists()
    world.land("c.colnc", "courseId|name|gradeSchema", "C1|X|")
    assert world.grades() == {("C1", "X", "u2"): "80"}
    assert world.report(batch)["rows"]["applied"] == 1


def test_a_row_that_cannot_be_released_keeps_no_other_back_and_is_given_back(world: World, monkeypatch: Patch) -> None:
    bad = world.land("bad.colnc", "courseId|name|gradeSchema", "C1|Bad|S")
    good = world.land("good.colext", "courseId|name", "C2|Y")
    with monkeypatch.context() as patch:
        patch.setattr("gradeway.loading.columns.ColumnLoader.apply", None)
        world.land(*SCHEMA)
        seen = {batch.id: (batch.failures, batch.last_failure) for batch in world.batches()}
        assert seen[bad.id] == (2, "TypeError")  # before and after its stage
        patch.undo()
    with monkeypatch.context() as patch:
        patch.setattr("gradeway.loading.columns.columns_by_course", None)
        world.land("y.sch", "title|symbols", "Other|A=90:F=0")
    assert world.codes(bad.id) == [(2, "RELEASE_FAILED")]
    (now,) = [batch for batch in world.batches() if batch.id == bad.id]
    assert (now.rejected, now.parked, now.failures, now.balanced) == (1, 0, 0, True)
    assert "C1|Bad|S" in (world.intake.report_folder(now) / f"rejects-{bad.id}.colnc").read_text()
    world.land("y.colnc", "courseId|name", "C2|Y")
    assert world.column("Y", "C2").external
    assert [batch.parked for batch in world.batches() if batch.id == good.id] == [0]
