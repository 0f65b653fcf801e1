"""Results of offline exams: what is new or changed is handed over, once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from fixtures.sandboxes import Hall
from gradeway import clock
from gradeway.results.offline import NIGHT, Collected, collect
from gradeway.store import tenants
from gradeway.store.custody import ASSESSMENTQ
from gradeway.store.exams import Attempt
from gradeway.vendors.assessmentq import SANDBOX_PROFILE, AssessmentQ
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.transport import Manners
from loading.world import World

MANNERS = Manners(connect=2, read=2, interval=0, tries=2, backoff=0)


class Scene:
    """An installation, a hall, and a client between them."""

    def __init__(self, world: World, hall: Hall, client: AssessmentQ) -> None:
        self.world, self.hall, self.client = world, hall, client

    def take(self, sitting: str, score: float | None, *, do: str = "finish") -> None:
        self.hall.play(sitting, "start")
        more = {} if score is None else {"score": score, "max": 10}
        assert self.hall.upload(self.hall.play(sitting, do, **more)).status_code == 201

    def collect(self, *, full: bool = False) -> Collected:
        return collect(self.world.intake.store, self.client, self.world.settings, full=full)

    def rows(self) -> list[list[str]]:
        """Return learner, assessment, state, score and maximum of what is in the inbox, and take it away."""
        found = []
        for path in sorted(self.world.zone.inbox("results").glob("*.results")):
            header, *lines = (line.split("|") for line in path.read_text().splitlines())
            places = [header.index(name) for name in ("learner", "assessment", "state", "score", "maximum")]
            found += [[cells[place] for place in places] for cells in lines]
            path.unlink()
        return found


@pytest.fixture
def scene(tmp_path: Path, empty_store: str, assessmentq_sandbox: Hall) -> Iterator[Scene]:
    """A scene on each kind of database."""
    extra = dict(SANDBOX_PROFILE)
    endpoint = Endpoint("gradeway_assessmentq", assessmentq_sandbox.url, "sandbox", "sandbox", extra)
    world = World(tmp_path / "home", empty_store)
    with AssessmentQ(endpoint, manners=MANNERS) as client:
        yield Scene(world, assessmentq_sandbox, client)
    world.intake.store.engine.dispose()


def test_finished_results_are_handed_over_once(scene: Scene) -> None:
    scene.take("510001-1", 7.5)
    scene.take("510002-1", None, do="save")
    done = scene.collect()
    assert (done.results, done.handed_over, done.ended) == (2, 1, frozenset({"510001-1"}))
    assert scene.rows() == [["510001", "1", "final", "7.5", "10"]]
    for full in (False, True):
        assert (scene.collect(full=full).handed_over, scene.rows()) == (0, [])
    assert scene.hall.upload(scene.hall.play("510002-1", "finish", score=3, max=10)).status_code == 201
    assert (scene.collect().handed_over, scene.rows()) == (1, [["510002", "1", "final", "3", "10"]])


def test_only_what_changed_is_read(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.take("510001-1", 7.5)
    scene.collect()
    later = clock.now() + timedelta(days=365)
    monkeypatch.setattr(clock, "now", lambda: later)
    scene.hall.act("clock", {"now": later.isoformat()})
    assert scene.collect().results == 1
    assert scene.collect().results == 0
    assert scene.collect(full=True).results == 1


def test_a_result_that_changed_is_handed_over_again(scene: Scene) -> None:
    scene.take("510001-1", 7.5)
    scene.collect()
    scene.rows()
    with scene.world.intake.store.writing() as session:
        before = session.get(Attempt, ("assessmentq", str(scene.hall.every("results")[0]["id"])))
        assert before is not None
        before.exported, before.total = "of another score", "6"
    assert (scene.collect(full=True).handed_over, scene.rows()) == (1, [["510001", "1", "final", "7.5", "10"]])


def test_more_than_a_page(scene: Scene) -> None:
    for number in range(1, 121):
        scene.take(f"{510000 + number}-1", 5)
    assert (scene.collect().handed_over, len(scene.rows())) == (120, 120)


@pytest.mark.parametrize("ahead", [timedelta(hours=3), timedelta(hours=-3)], ids=str)
def test_nothing_is_lost_while_our_clock_is_hours_off(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + ahead)
    scene.take("510001-1", 7.5)
    assert scene.collect().handed_over == 1
    scene.take("510002-1", 6)
    assert scene.collect().handed_over == 1
    monkeypatch.setattr(clock, "now", now)
    scene.take("510003-1", 5)
    assert scene.collect().handed_over == 1


def test_all_is_read_once_a_night_also_if_a_clock_was_days_ahead(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.take("510001-1", 7.5)
    scene.collect()
    night = clock.now().replace(hour=NIGHT, minute=30) + timedelta(days=1)
    tenants.note_read(scene.world.intake.store, ASSESSMENTQ, night + timedelta(days=9))
    monkeypatch.setattr(clock, "now", lambda: night)
    scene.hall.act("clock", {"now": night.isoformat()})
    assert scene.collect().results == 1
    assert scene.collect().results == 0
    monkeypatch.setattr(clock, "now", lambda: night + timedelta(hours=23))
    assert scene.collect().results == 0
    monkeypatch.setattr(clock, "now", lambda: night + timedelta(days=1))
    assert scene.collect().results == 1
