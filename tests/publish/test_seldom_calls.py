"""Calls that are allowed so seldom that each waits for long: each write follows soon on a look, and all are made."""

from __future__ import annotations

from dataclasses import replace

import pytest
from requests import PreparedRequest

from gradeway.publish import in_time
from gradeway.vendors.ending import End
from gradeway.vendors.transport import Transport
from publish import term
from publish.filling import fill, set_grades
from publish.scene import Scene

LEARNERS = ("ann", "bob", "cy", "dee", "eve", "fay")
MOST_CALLS = 100


class Times:
    """A time that passes only by waiting, and while a column is read; when looks began, and what was written when."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, reading: float = 0) -> None:
        self.time, self.look, self.looks = 0.0, 0.0, 0
        self.ages: list[float] = []
        real = Transport._send

        def send(transport: Transport, request: PreparedRequest) -> End:
            path = (request.url or "").partition("?")[0]
            if request.method == "GET" and path.endswith("/users"):
                self.look, self.looks = self.time, self.looks + 1
                self.sleep(reading)
            elif request.method == "PATCH":
                self.ages.append(self.time - self.look)
            assert self.looks + len(self.ages) < MOST_CALLS, "it does not come to an end"
            return real(transport, request)

        monkeypatch.setattr(Transport, "_send", send)

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def send(scene: Scene, times: Times, interval: float) -> dict[str, int]:
    """Send other grades with one call in an interval."""
    fill(scene.world.intake.store, {scene.course: {"Oral": dict.fromkeys(LEARNERS, "7")}})
    scene.publish()
    set_grades(scene.world.intake.store, {"Oral": dict.fromkeys(LEARNERS, "17")})
    scene.plan()
    times.ages, times.looks = [], 0
    manners = replace(term.QUICK, interval=interval, sleep=times.sleep, monotonic=lambda: times.time)
    with scene.publisher(manners) as publisher:
        return dict(publisher.apply_free().outcomes)


@pytest.mark.parametrize(("interval", "looks"), [(0.2, 1), (4, 1), (6, 2), (9, 3), (20, 7)])
def test_each_grade_is_written_soon_after_a_look_that_serves_several(
    plain_scene: Scene, monkeypatch: pytest.MonkeyPatch, interval: float, looks: int
) -> None:
    times = Times(monkeypatch)
    assert send(plain_scene, times, interval) == {"UPDATED": len(LEARNERS)}
    assert (len(times.ages), times.looks) == (len(LEARNERS), looks)
    assert max(times.ages) <= in_time.LOOK_LASTS


def test_where_no_call_can_be_in_time_each_grade_is_written_after_some_looks(
    plain_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = Times(monkeypatch)
    assert send(plain_scene, times, 40) == {"UPDATED": len(LEARNERS)}
    assert times.ages == [40] * len(LEARNERS)
    assert times.looks <= in_time.MOST_LOOKS * len(LEARNERS)


@pytest.mark.parametrize("interval", [0.2, 6])
def test_a_column_that_takes_long_to_read_is_not_read_for_each_grade(
    plain_scene: Scene, monkeypatch: pytest.MonkeyPatch, interval: float
) -> None:
    times = Times(monkeypatch, reading=in_time.LOOK_LASTS + 10)
    assert send(plain_scene, times, interval) == {"UPDATED": len(LEARNERS)}
    assert times.looks <= len(LEARNERS) / 2
    assert max(times.ages) <= in_time.LOOK_LASTS + 10 + in_time.USABLE


def test_calls_of_several_threads_that_are_seldom_come_to_an_end(
    one_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = Times(monkeypatch)
    assert send(one_scene, times, 9) == {"UPDATED": len(LEARNERS)}
    assert len(times.ages) == len(LEARNERS)
