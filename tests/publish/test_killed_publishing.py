"""A run that is killed at any step leaves what the next ones end well: nothing is lost, and nothing made twice.

The steps are all transactions, and all calls but those that only read. Between two of them nothing
is kept anywhere, so that dying after one is dying before the next.
"""

from __future__ import annotations

import signal

import pytest

from crash.kill import Step, in_a_process
from gradeway.store.exams import Plan
from gradeway.store.publish import PublishIntent
from publish import term
from publish.scene import MakeScene, Scene
from publish.trouble import Doom
from sessions.exams import Clock

FIRST_STEPS, SECOND_STEPS = range(1, 38), range(1, 28)
GRADE = "gradeway.vendors.learn:Learn.patch_grade"
INTENTS = "gradeway.publish.intents:"
SENDING = [
    *(Step(GRADE, when, number) for when in ("before", "after") for number in (1, 2, 5)),
    *(Step(f"{INTENTS}{name}", when) for name in ("send", "grades_ended") for when in ("before", "after")),
]


def kill(scene: Scene, doom: Doom | Step) -> bool:
    """Publish in a process that is killed at a step; returns whether it came to that step."""
    scene.world.intake.store.engine.dispose()  # no connection may be shared with the fork

    def work() -> None:
        doom.arm()
        term.run(scene)

    return in_a_process(work) == signal.SIGKILL


@pytest.mark.parametrize("step", FIRST_STEPS)
def test_the_first_day_ends_well(plain_scene: Scene, passing: Clock, step: int) -> None:
    term.begin(plain_scene)
    since = plain_scene.mark()
    assert kill(plain_scene, Doom(step))
    term.end_well(plain_scene, passing)
    term.check(plain_scene, term.FIRST_THERE)
    assert term.effects(plain_scene, since) == term.FIRST_WRITES


@pytest.mark.parametrize("step", SECOND_STEPS)
def test_the_second_day_ends_well(plain_scene: Scene, passing: Clock, step: int) -> None:
    term.begin(plain_scene)
    term.run(plain_scene)
    term.go_on(plain_scene)
    since = plain_scene.mark()
    assert kill(plain_scene, Doom(step))
    term.end_well(plain_scene, passing)
    term.check(plain_scene, term.SECOND_THERE)
    assert term.effects(plain_scene, since) == term.SECOND_WRITES


def test_there_are_no_further_steps(plain_scene: Scene) -> None:
    term.begin(plain_scene)
    assert not kill(plain_scene, Doom(FIRST_STEPS[-1] + 1))
    term.go_on(plain_scene)
    assert not kill(plain_scene, Doom(SECOND_STEPS[-1] + 1))
    term.check(plain_scene, term.SECOND_THERE)


def test_nothing_is_kept_of_a_planning_that_is_killed_while_it_reads(plain_scene: Scene, passing: Clock) -> None:
    term.begin(plain_scene)
    for number in range(1, 7):
        assert kill(plain_scene, Step("gradeway.vendors.transport:Transport._send", "after", number))
    assert (plain_scene.count(PublishIntent), plain_scene.count(Plan)) == (0, 0)
    term.end_well(plain_scene, passing)
    term.check(plain_scene, term.FIRST_THERE)


@pytest.mark.parametrize("step", SENDING, ids=str)
def test_a_run_with_several_threads_ends_well(make_scene: MakeScene, passing: Clock, step: Step) -> None:
    scene = make_scene(publish_threads=3)
    term.begin(scene)
    since = scene.mark()
    assert kill(scene, step)
    term.end_well(scene, passing)
    term.check(scene, term.FIRST_THERE)
    assert term.effects(scene, since) == term.FIRST_WRITES


def test_killed_again_and_again(plain_scene: Scene, passing: Clock) -> None:
    term.begin(plain_scene)
    since = plain_scene.mark()
    for step in FIRST_STEPS:
        kill(plain_scene, Doom(step))
        passing.pass_by(term.GRACE)
    term.end_well(plain_scene, passing)
    term.check(plain_scene, term.FIRST_THERE)
    assert term.effects(plain_scene, since) == term.FIRST_WRITES
