"""Several runs at once: one works and the others are told; and who plans may do so while another run sends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from crash.kill import at_once
from gradeway.errors import SyncBusyError, UnknownCourseError
from gradeway.publish import outbox, run
from gradeway.store.lock import PLAN, SEND, alone
from gradeway.store.publish import LEARN, PublishIntent
from publish import term
from publish.filling import fill, set_grades
from publish.scene import Scene
from sessions.exams import Clock

ORAL = {"Oral": {"ann": "7", "bob": "8", "cy": "9"}}


@contextmanager
def held(scene: Scene, what: str) -> Iterator[None]:
    """Another run of a kind is under way."""
    with alone(scene.world.intake.store, what) as is_held:
        assert is_held
        yield


@pytest.mark.parametrize("what", [PLAN, SEND])
def test_a_second_run_is_told_that_another_is_under_way(scene: Scene, what: str) -> None:
    fill(scene.world.intake.store, {scene.course: ORAL})
    with scene.publisher() as publisher:
        with held(scene, what), pytest.raises(SyncBusyError, match="another run is publishing"):
            publisher.plan() if what == PLAN else publisher.apply_free()
        publisher.plan()
        publisher.apply_free()
    assert scene.there() == ORAL


def test_runs_that_begin_together_send_everything_once(plain_scene: Scene, passing: Clock) -> None:
    term.begin(plain_scene)
    since = plain_scene.mark()
    plain_scene.world.intake.store.engine.dispose()

    def work() -> None:
        while True:
            try:
                term.run(plain_scene)
            except SyncBusyError:
                continue
            return

    at_once(3, work)
    term.end_well(plain_scene, passing)
    term.check(plain_scene, term.FIRST_THERE)
    assert term.effects(plain_scene, since) == term.FIRST_WRITES


def test_an_unknown_course_is_an_error_that_names_it(plain_scene: Scene) -> None:
    with plain_scene.publisher() as publisher:
        with pytest.raises(UnknownCourseError, match="the store has no course C9"):
            publisher.plan(["C9"])
        assert publisher._client.transport.pace.calls == 0


# --- planning while another run sends


def meanwhile(monkeypatch: pytest.MonkeyPatch, place: object, name: str, work: Callable[[], object]) -> None:
    """Do some work before something is done for the first time."""
    real, todo = getattr(place, name), [work]

    def wrapped(*given: object, **named: object) -> object:
        while todo:
            todo.pop()()
        return real(*given, **named)

    monkeypatch.setattr(place, name, wrapped)


def test_what_is_begun_while_it_is_planned_again_is_not_planned_twice(
    scene: Scene, passing: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    term.begin(scene)
    since = scene.mark()
    scene.plan()
    with scene.publisher(term.QUICK) as sender:
        store = scene.world.intake.store
        meanwhile(monkeypatch, outbox, "keep", lambda: outbox.begin_free(store, LEARN, scene.settings))
        planned = scene.plan()
        assert planned.free.lines == []
        sender.apply_free()
    assert term.effects(scene, since) == term.FIRST_WRITES
    term.end_well(scene, passing)
    term.check(scene, term.FIRST_THERE)
    assert term.effects(scene, since) == term.FIRST_WRITES


def test_what_is_sent_while_it_is_planned_again_is_not_sent_twice(
    scene: Scene, passing: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    term.begin(scene)
    since = scene.mark()
    scene.plan()
    with scene.publisher(term.QUICK) as sender:
        meanwhile(monkeypatch, run, "compare", sender.apply_free)
        scene.plan()
        sender.apply_free()
    term.end_well(scene, passing)
    term.check(scene, term.FIRST_THERE)
    assert term.effects(scene, since) == term.FIRST_WRITES


def test_a_file_that_lands_while_grades_are_sent_is_planned_beside_them(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(scene.world.intake.store, {scene.course: ORAL})
    scene.publish()
    set_grades(scene.world.intake.store, {"Oral": {"ann": "17"}})
    scene.plan()

    def land_and_plan() -> None:
        set_grades(scene.world.intake.store, {"Oral": {"ann": "18", "bob": "19"}})
        lines = scene.plan().free.lines
        assert [line.after for line in lines] == [{"score": "19"}], "that of ann is under way"

    meanwhile(monkeypatch, run.GradeSender, "send_all", land_and_plan)
    with scene.publisher() as publisher:
        assert dict(publisher.apply_free().outcomes) == {"SKIPPED": 1}
    assert dict(scene.publish().outcomes) == {"UPDATED": 2}
    assert scene.there()["Oral"] == {"ann": "18", "bob": "19", "cy": "9"}


def test_a_plan_that_is_replaced_before_it_is_begun_is_sent_as_it_is_now(scene: Scene) -> None:
    fill(scene.world.intake.store, {scene.course: ORAL})
    scene.plan()
    set_grades(scene.world.intake.store, {"Oral": {"ann": "17"}})
    scene.plan()
    with scene.publisher() as publisher:
        assert dict(publisher.apply_free().outcomes) == {"CREATED": 4}
    assert len(scene.rows(PublishIntent)) == 4
    assert scene.there()["Oral"]["ann"] == "17"


def test_a_run_that_has_nothing_to_do_makes_no_call(plain_scene: Scene) -> None:
    with plain_scene.publisher() as publisher:
        assert publisher.plan().planned == []
        assert publisher.apply_free().outcomes == {}
        assert publisher._client.transport.pace.calls == 0
