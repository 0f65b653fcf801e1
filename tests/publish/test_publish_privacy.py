"""Nothing of publishing tells a learner or a grade, but to the store, the gradebook, and who asks for it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixtures.sandboxes import running_site
from gradeway.errors import (
    BrakeError,
    GradewayError,
    NothingToResolveError,
    SyncBusyError,
    UnknownCourseError,
    UnknownGradeError,
)
from gradeway.publish.overview import waiting
from gradeway.publish.reconcile import reconcile
from gradeway.publish.why import lives
from gradeway.sandbox.learn.start import courses
from gradeway.store.lock import SEND, alone
from gradeway.store.publish import LEARN, GradeConflict, GradeReceipt, PublishIntent, Resolution
from loading.world import World
from publish import term
from publish.scene import Scene
from vendors.test_vendor_privacy import everything_told

NAMES = ("Zebra", "Okapi", "Gnu", "Kudu", "Eland", "Oryx", "Nyala", "Tapir", "Coati", "Dhole")
LEARNERS = [f"{name}.Quagga" for name in NAMES]
STRANGER = "Bongo.Quagga"
SCORES = {learner: f"47.11{number}" for number, learner in enumerate(LEARNERS)}
TEXT = "Dikdik"  # a symbol
SAID = f"the grade 47.113 of {LEARNERS[0]} is not {TEXT}"
PLANTED = ("Quagga", "47.11", TEXT, "3.1415")
HASTY = replace(term.QUICK, read=0.3, tries=1)
FAULTS: dict[str, dict[str, Any]] = {
    "no answer": {"kind": "timeout_after"},
    "dropped": {"kind": "drop_after"},
    "away": {"kind": "status", "status": 503, "message": SAID},
    "broken": {"kind": "status", "status": 500, "message": SAID},
    "refused": {"kind": "status", "status": 400, "message": SAID, "code": SAID},
    "forbidden": {"kind": "status", "status": 403, "message": SAID},
    "missing": {"kind": "status", "status": 404, "message": SAID},
    "in the way": {"kind": "status", "status": 409, "message": SAID},
}


class Ear:
    """Hears all that is logged, and the texts of errors, while Gradeway works."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog
        self.errors: list[type[BaseException]] = []
        self.heard = ""

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen; an error of ours is heard, and over."""
        self._caplog.clear()  # of what the test itself has done
        error: BaseException | None = None
        try:
            yield
        except GradewayError as raised:
            error = raised
            self.errors.append(type(raised))
        self.heard += everything_told(self._caplog, error)
        self._caplog.clear()

    def check(self) -> None:
        """See that nothing was told."""
        assert [planted for planted in PLANTED if planted in self.heard] == []
        assert "gradeway_learn: GET" in self.heard, "calls are logged"


@pytest.fixture
def ear(caplog: pytest.LogCaptureFixture) -> Ear:
    caplog.set_level(logging.DEBUG)
    return Ear(caplog)


@pytest.fixture
def zoo(sqlite_store: str, folder: Path, tmp_path: Path) -> Iterator[Scene]:
    """A course, and a store that knows its learners and one more, and their grades."""
    world = World(folder / "home", sqlite_store)
    with running_site(tmp_path, courses({"ZOO1": "Classic"}, {"ZOO1": LEARNERS})) as site:
        yield Scene(world, site, "ZOO1")
    world.intake.store.engine.dispose()


def land(scene: Scene, scores: dict[str, str]) -> None:
    scene.schemas(f"Zoo|{TEXT}=50:F=0")
    scene.column(points=100)
    scene.column("Essay", points=100, schema="Zoo")
    scene.grades(**scores)
    scene.grades(column="Essay", **{LEARNERS[0]: TEXT, LEARNERS[1]: "3.1415"})


def run(scene: Scene, ear: Ear, **how: bool) -> None:
    """Plan and apply; what is told of a run is heard too, plans apart, which are for those who ask."""
    with ear.listening(), scene.publisher(HASTY) as publisher:
        publisher._progress = logging.getLogger("told").info
        publisher.plan(**how)
        sent = publisher.apply_free()
        ear.heard += repr(sent.failures) + repr(sent.outcomes) + sent.paused


def test_plans_sending_people_between_and_decisions_tell_nothing(zoo: Scene, ear: Ear) -> None:
    store = zoo.world.intake.store
    with ear.listening():
        land(zoo, SCORES | {STRANGER: "47.119"})
    run(zoo, ear)
    assert zoo.count(GradeReceipt) == len(SCORES) + 2
    assert ("LEARNER_UNKNOWN", "Oral") in zoo.problems()

    for learner in LEARNERS[:2]:
        zoo.play("grade", user=learner, score=31)
    with ear.listening():
        zoo.grades(**{learner: "3.1415" for learner in LEARNERS})
    run(zoo, ear, everything=True)
    assert zoo.count(GradeConflict) == 2
    with store.session() as session:
        [digest] = [each.digest for each in waiting(session, LEARN, zoo.settings)]
    with ear.listening(), zoo.publisher() as publisher:
        publisher.apply(digest)
    with ear.listening(), zoo.client() as client:
        assert any(LEARNERS[0] == each.learner for each in reconcile(store, client, zoo.settings, "ZOO1").differences)
    with ear.listening():
        assert zoo.decide(Resolution.TAKE, "Oral", LEARNERS[0]) == 1
    with ear.listening():
        zoo.decide(Resolution.KEEP, "Oral", LEARNERS[2])
    with ear.listening(), store.session() as session:
        lives(session, LEARN, "ZOO1", STRANGER, "Essay")
    zoo.approve(digest)
    run(zoo, ear)
    with ear.listening():
        zoo.world.undo(zoo.world.batches()[-1].id)
    run(zoo, ear, everything=True)
    with ear.listening(), alone(store, SEND), zoo.publisher() as publisher:
        publisher.apply_free()
    with ear.listening(), zoo.publisher() as publisher:
        publisher.plan(["nowhere"])
    assert ear.errors == [BrakeError, NothingToResolveError, UnknownGradeError, SyncBusyError, UnknownCourseError]
    ear.check()


CALLS = {
    "the learners": "GET */courses/_*_1/users",
    "the grades": "GET */columns/*/users",
    "a column": "POST */columns",
    "a grade": "PATCH */users/*",
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_no_call_that_goes_wrong_tells_anything(zoo: Scene, ear: Ear, call: str) -> None:
    land(zoo, SCORES)
    found: list[object] = []
    for number, (name, fault) in enumerate(FAULTS.items()):
        with ear.listening():
            zoo.column(f"Column {number}", points=100)
            zoo.grades(column=f"Column {number}", **SCORES)
        zoo.site.act("faults", [{"match": call, **fault}])
        run(zoo, ear, everything=True)
        assert zoo.site.act("faults", method="GET") == [], f"{name} was not met"
        found += zoo.problems()
    assert len(ear.errors + found) >= len(FAULTS) / 2
    for row in [*zoo.rows(PublishIntent), *zoo.all_problems()]:
        assert [planted for planted in PLANTED if planted in row.detail] == []
    ear.check()
