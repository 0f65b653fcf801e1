"""The term that other tests spoil: that it takes every kind of call, and what becomes of it undisturbed."""

from __future__ import annotations

from publish import term
from publish.scene import Scene
from sessions.exams import Clock


def test_two_days(scene: Scene, passing: Clock) -> None:
    term.begin(scene)
    since = scene.mark()
    term.end_well(scene, passing)
    term.check(scene, term.FIRST_THERE)
    assert term.effects(scene, since) == term.FIRST_WRITES
    term.go_on(scene)
    since = scene.mark()
    term.end_well(scene, passing)
    term.check(scene, term.SECOND_THERE)
    assert term.effects(scene, since) == term.SECOND_WRITES
