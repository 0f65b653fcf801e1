"""When results cannot be read to their end, none of them is taken or withdrawn, and the next run goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.sandboxes import Sandbox, running
from gradeway import clock
from gradeway.errors import VendorAnswerError
from gradeway.store import tenants
from gradeway.store.exams import QUESTIONMARK, ExamSession, SessionGroup, SessionSchedule
from loading.world import World
from results.scene import AMARA, ASSESSMENT, GROUP, LISTS, NAMES, Scene
from sessions.failing import FAILURES, MANNERS, Failure

ATTEMPTS = 105  # by one learner: their list has two pages
OTHERS = 205  # schedules, so that ours, the last one, is on the third page
PARTS = {
    "Schedules": ("*/Schedules", 0),
    "Schedules, page 3": ("*/Schedules", 2),
    "Attempts": ("*/Attempts", 0),
    "Attempts, page 2": ("*/Attempts", 1),
    "Participants({id})": ("*/Participants(*)", 0),
}
any_failure = pytest.mark.parametrize("failure", FAILURES, ids=str)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, int]]:
    """A sandbox with many schedules, and the one of ours with many attempts."""
    with running(tmp_path_factory.mktemp("crowded")) as sandbox:
        for _ in range(OTHERS):
            schedule = sandbox.schedule(AssessmentID=ASSESSMENT, GroupID=GROUP)["ID"]
        for number in range(ATTEMPTS):
            sandbox.play(schedule, AMARA, "start")
            sandbox.play(schedule, AMARA, "finish", score=number % 60, max=60)
        yield sandbox, schedule


@pytest.fixture
def scene(crowded: tuple[Sandbox, int], folder: Path, sqlite_store: str) -> Iterator[Scene]:
    sandbox, schedule = crowded
    sandbox.act("faults", method="DELETE", status=204)
    with Scene.open(World(folder / "home", sqlite_store), sandbox) as made:
        made.client.transport.manners = MANNERS
        know(made, schedule)
        yield made


def know(scene: Scene, schedule: int) -> None:
    """Make a session in the store that has a schedule already."""
    with scene.world.intake.store.writing() as session:
        group = SessionGroup(name="G", given={}, batch_id=1, line=2)
        session.add(group)
        session.flush()
        blank = {field: [] for field in LISTS} | {"given": {}, "batch_id": 1, "line": 2}
        exam = ExamSession(name="Anatomy", group_id=group.id, delivery="D", **blank)
        session.add(exam)
        session.flush()
        session.add(SessionSchedule(session_id=exam.id, schedule_id=schedule, told={}, synced_at=clock.now()))


def collect_badly(scene: Scene, part: str, failure: Failure) -> bool:
    """Collect while a read fails; make sure that this is said, and nothing sent. Return whether the run was stopped."""
    path, after = PARTS[part]
    seen = len(scene.vendor.log())
    heal = failure.arm(scene.vendor, scene.client, path, after)
    call = f"gradeway_questionmark: GET {part.partition(',')[0]}: "
    is_stopped = failure.error is not VendorAnswerError or part.startswith("Schedules")
    if not is_stopped:
        done = scene.collect(night=True, full=True)
        [said] = done.failed
        assert (done.schedules, done.attempts, done.handed_over, done.withdrawn) == (0, 0, 0, 0)
    else:
        with pytest.raises(failure.error) as caught:
            scene.collect(night=True, full=True)
        said = str(caught.value)
    heal()
    assert call in said
    assert failure.says in said
    assert {each["method"] for each in scene.vendor.log()[seen:]} == {"GET"}
    return is_stopped


@any_failure
@pytest.mark.parametrize("part", PARTS)
def test_half_of_the_results_is_none(scene: Scene, part: str, failure: Failure) -> None:
    is_stopped = collect_badly(scene, part, failure)
    assert (scene.attempts(), scene.files()) == ([], [])
    if is_stopped:  # the night's reading of everything is still due
        assert tenants.read_at(scene.world.intake.store, QUESTIONMARK) is None
    done = scene.collect(night=True)
    assert (done.attempts, done.changed, done.handed_over, done.failed) == (ATTEMPTS, ATTEMPTS, 1, [])
    assert [row["learner"] for row in scene.rows()] == [NAMES[AMARA]]
    assert {attempt.learner for attempt in scene.attempts()} == {NAMES[AMARA]}


@any_failure
@pytest.mark.parametrize("part", PARTS)
def test_what_was_collected_before_stays(scene: Scene, part: str, failure: Failure) -> None:
    scene.collect(night=True)
    scene.rows()
    before = scene.world.dump()
    is_stopped = collect_badly(scene, part, failure)
    after = scene.world.dump()
    assert after | {"tenant": None} == before | {"tenant": None}
    assert not is_stopped or after["tenant"] == before["tenant"]
    again = scene.collect(night=True, full=True)
    assert (again.attempts, again.changed, again.handed_over, again.withdrawn) == (ATTEMPTS, 0, 0, 0)
    assert scene.files() == []
