"""A kill -9 between any two steps of an undo leaves a batch wholly undone or not at all; a sweep then reports it."""

from __future__ import annotations

from typing import Any

import pytest

from crash.kill import Step, kill_at
from crash.scene import litter
from gradeway.errors import UndoRefusedError
from gradeway.intake import Intake
from loading.world import World

VALUES = "courseId|userId|name|value"
COLUMNS = "courseId|name|points|gradeSchema"
FILES = (
    ("s.sch", "title|symbols", "S|A=90:F=0"),
    ("c.colnc", COLUMNS, "C1|X|100|S", "C1|Y|100|"),
    ("e.colext", "courseId|name", "C1|X"),
    ("v.colncval", VALUES, "C1|u1|X|80", "C1|u2|X|70"),
)
WRONG = {
    "grades": ("w.colncval", VALUES, "C1|u1|X|90", "C1|u3|X|A", "C1|u4|Late|1", "C1|u5|X|bad"),
    "columns": ("w.colnc", COLUMNS, "C1|X|50|", "C1|Z|1|S", "C1|Y|7|", "C1|Late|1|Missing"),
    "marks": ("w.colext", "courseId|name", "C1|Y"),
    "schemas": ("w.sch", "title|symbols", "S|A=80:F=0", "T|A=90:F=0"),
}
COMMIT = "sqlalchemy.engine.default:DefaultDialect.do_commit"
ALWAYS = [
    Step("gradeway.loading.undo:undo"),
    Step("gradeway.loading.undo:_enter", "after"),
    Step("gradeway.loading.undo:_take_back", "after"),
    *(Step("gradeway.store.ledger:add", "after", call) for call in (1, 2)),
    Step(COMMIT),
    Step(COMMIT, "after"),
    Step("gradeway.loading.undo:undo", "after"),
    *(Step("gradeway.intake:write_report", when, call) for call in (1, 2) for when in ("before", "after")),
    *(Step("gradeway.store.ledger:reported", "after", call) for call in (1, 2)),
]
SOMETIMES = {
    "grades": [Step("gradeway.loading.undo:take_back", "after"), Step("gradeway.intake:write_rejects", "after")],
    "columns": [
        Step("gradeway.loading.records:_remove", "after"),
        Step("gradeway.loading.records:_Record.bring_back", "after", 2),
        Step("gradeway.loading.takeback:Takeback.write", "after", 2),
        Step("gradeway.loading.records:take_back", "after"),
    ],
    "marks": [
        Step("gradeway.loading.marks:_mark"),
        Step("gradeway.loading.marks:take_back", "after"),
    ],
    "schemas": [
        Step("gradeway.loading.records:_Record.bring_back", "after"),
        Step("gradeway.loading.records:_remove", "after", 2),
    ],
}
STEPS = [("grades", step) for step in ALWAYS] + [(what, step) for what, some in SOMETIMES.items() for step in some]


def said(world: World) -> tuple[dict[str, Any], dict[str, dict[Any, Any]]]:
    """Return what the store says, and by which batches."""
    return world.gradebook(), world.lineage()


@pytest.mark.parametrize(("what", "step"), STEPS, ids=str)
def test_a_killed_undo_has_done_nothing_or_all(world: World, what: str, step: Step) -> None:
    for file in FILES:
        world.land(*file)
    before = said(world)
    wrong = world.land(*WRONG[what])
    loaded = said(world)
    assert loaded != before

    def work(intake: Intake) -> None:
        intake.undo(wrong.id)
        intake.finish()

    assert kill_at(step, world.intake, work), "the undo never came to this step"
    assert said(world) in (before, loaded)
    if said(world) == loaded:
        assert world.batches()[-1].id == wrong.id
        world.undo(wrong.id)
    with pytest.raises(UndoRefusedError, match=f"batch {wrong.id} was undone by batch"):
        world.intake.undo(wrong.id)
    world.sweep()
    assert said(world) == before
    undone, undo = world.batches()[-2:]
    assert (world.report(undone)["undone_by"], world.report(undo)["undo_of"]) == (undo.id, wrong.id)
    assert all(batch.balanced and not batch.report_due for batch in world.batches())
    assert litter(world.zone.root) == []
    end = world.dump(), world.files()
    world.sweep()
    assert (world.dump(), world.files()) == end
