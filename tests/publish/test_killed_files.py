"""A run that is killed at any step: no file is lost, none is placed twice, and the next run goes on.

The steps are all transactions, and all that is done to the folder.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, update

from crash.kill import die, in_a_process
from gradeway.store.models import GradeColumn, GradeSchema
from publish import filling
from publish.file_scene import FileScene

FIRST_STEPS, SECOND_STEPS = range(1, 43), range(1, 24)
FIRST = [
    "sch: Letters|A=90:F=0|",
    "colnc: ANA101|Oral|||100||",
    "colnc: ANA101|Essay|||100|Letters|",
    "colext: ANA101|Oral",
    "colncval: ANA101|ann|Oral|7",
    "colncval: ANA101|bob|Oral|8",
    "colncval: ANA101|ann|Essay|A",
]
SECOND = ["colnc: ANA101|Oral|||25||", "colncval: ANA101|ann|Oral|9"]


def fill(scene: FileScene) -> None:
    """Fill the store for the first day."""
    store = scene.world.intake.store
    filling.fill(store, {scene.course: {"Oral": {"ann": "7", "bob": "8"}, "Essay": {"ann": "A"}}})
    with store.writing() as session:
        schema = GradeSchema(title="Letters", symbols=[["A", "90"], ["F", "0"]], **filling.GIVEN)
        session.add(schema)
        session.flush()
        session.execute(update(GradeColumn).where(GradeColumn.name == "Essay").values(schema_id=schema.id))
        session.execute(update(GradeColumn).where(GradeColumn.name == "Oral").values(external=True))


def change(scene: FileScene) -> None:
    """Change the store to what it is on the second day."""
    store = scene.world.intake.store
    with store.writing() as session:
        session.execute(update(GradeColumn).where(GradeColumn.name == "Oral").values(points=Decimal(25), line=12))
    filling.set_grades(store, {"Oral": {"ann": "9"}})


class Doom:
    """Ends this process after so many steps."""

    def __init__(self, step: int) -> None:
        self._step, self._steps = step, count(1)

    def arm(self) -> None:
        def dying(real: Callable[..., Any]) -> Callable[..., Any]:
            def then_die(*args: Any, **named: Any) -> Any:  # noqa: ANN401
                done = real(*args, **named)
                if next(self._steps) == self._step:
                    die()
                return done

            return then_die

        Connection._commit_impl = dying(Connection._commit_impl)  # type: ignore[method-assign]
        os.fsync = dying(os.fsync)
        Path.rename = dying(Path.rename)  # type: ignore[method-assign]
        os.fdopen = dying(os.fdopen)  # with nothing in it yet


def kill(scene: FileScene, step: int) -> bool:
    """Publish in a process that is killed at a step; returns whether it came to that step."""
    scene.world.intake.store.engine.dispose()  # no connection may be shared with the fork

    def work() -> None:
        Doom(step).arm()
        scene.publish()

    return in_a_process(work) == signal.SIGKILL


def end_well(scene: FileScene, rows: list[str], expected: list[str]) -> None:
    """Publish until nothing is left: every row came once."""
    assert not scene.publish().paused
    rows += scene.carry_away()
    assert sorted(rows) == sorted(expected)
    assert scene.publish(everything=True).outcomes == {}
    assert scene.names() == scene.hidden() == scene.due() == []


@pytest.fixture
def first_day(plain_files: FileScene) -> FileScene:
    """A store in which a term has landed."""
    fill(plain_files)
    return plain_files


@pytest.fixture
def second_day(first_day: FileScene) -> FileScene:
    """The same, published and changed."""
    first_day.publish()
    assert first_day.carry_away() == FIRST
    change(first_day)
    return first_day


@pytest.mark.parametrize("is_taken", [False, True], ids=["stays", "is taken"])
@pytest.mark.parametrize("step", FIRST_STEPS)
def test_the_first_day_ends_well(first_day: FileScene, step: int, is_taken: bool) -> None:
    assert kill(first_day, step)
    end_well(first_day, first_day.carry_away() if is_taken else [], FIRST)


@pytest.mark.parametrize("step", SECOND_STEPS)
def test_the_second_day_ends_well(second_day: FileScene, step: int) -> None:
    assert kill(second_day, step)
    end_well(second_day, second_day.carry_away(), SECOND)


def test_there_are_no_further_steps(first_day: FileScene) -> None:
    assert not kill(first_day, FIRST_STEPS[-1] + 1)
    assert first_day.carry_away() == FIRST
    change(first_day)
    assert not kill(first_day, SECOND_STEPS[-1] + 1)
    assert first_day.carry_away() == SECOND


def test_killed_again_and_again(first_day: FileScene) -> None:
    rows = []
    for step in FIRST_STEPS:
        kill(first_day, step)
        rows += first_day.carry_away()
    end_well(first_day, rows, FIRST)
