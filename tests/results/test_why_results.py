"""Why a grade that came from an exam is what it is: which attempt it was, and by what rule that counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.sandboxes import Hall
from gradeway.publish.why import lives
from gradeway.results import offline
from gradeway.store.publish import LEARN
from gradeway.vendors.assessmentq import SANDBOX_PROFILE, AssessmentQ
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.transport import Manners
from loading.world import World
from results.scene import AMARA, ASSESSMENT, NAMES, Scene

COLUMNS = "courseId|name|points|optionalData"


def said(world: World, learner: str) -> list[str]:
    """What files said of the grade, the oldest first, from behind the line."""
    with world.intake.store.session() as session:
        [life] = lives(session, LEARN, "C1", learner, "Midterm")
    return [each.detail.partition("; ")[2].rpartition("; Gradeway's own")[0] for each in life.events]


@pytest.mark.parametrize("rule", ["First", "Last", "Best", "Worst"])
def test_an_exam_names_its_attempt_and_the_rule_of_its_schedule(any_scene: Scene, rule: str) -> None:
    scene = any_scene
    schedule = scene.session("Anatomy 1A", ReportedResult=rule)
    scene.world.land("c.colnc", COLUMNS, "C1|Midterm|20|SESSION=Anatomy 1A")
    attempts = [scene.take(schedule, AMARA, score) for score in (42, 45, 40)]
    counts = {"First": attempts[0], "Last": attempts[2], "Best": attempts[1], "Worst": attempts[2]}[rule]
    scene.collect()
    scene.sweep()
    where = f"attempt {counts}, schedule {schedule}, session Anatomy 1A, exam {ASSESSMENT}"
    assert said(scene.world, NAMES[AMARA]) == [
        f"Questionmark Delivery: {where}, which counts by the schedule's rule {rule}"
    ]


def test_each_value_names_its_own_attempt(any_scene: Scene) -> None:
    scene = any_scene
    schedule = scene.session("Anatomy 1A")
    scene.world.land("c.colnc", COLUMNS, "C1|Midterm|20|SESSION=Anatomy 1A")
    attempts = []
    for score in (42, 45):
        attempts.append(scene.take(schedule, AMARA, score))
        scene.collect()
        scene.sweep()
    told = [each.split("attempt ")[1].split(",")[0] for each in said(scene.world, NAMES[AMARA])]
    assert told == [str(attempt) for attempt in attempts]


def test_a_result_that_waited_for_its_column_names_its_attempt(any_scene: Scene) -> None:
    scene = any_scene
    schedule = scene.session("Anatomy 1A")
    attempt = scene.take(schedule)
    scene.collect()
    assert scene.sweep().parked == 1
    scene.world.land("c.colnc", COLUMNS, "C1|Midterm|20|SESSION=Anatomy 1A")
    [told] = said(scene.world, NAMES[AMARA])
    assert f"attempt {attempt}, " in told


def test_another_rule_alone_hands_nothing_over_again(any_scene: Scene) -> None:
    scene = any_scene
    schedule = scene.session("Anatomy 1A", ReportedResult="First")
    scene.take(schedule)
    assert scene.collect().handed_over == 1
    scene.rows()
    scene.vendor.patch(f"Schedules({schedule})", {"ReportedResult": "Best"})
    assert scene.collect(full=True).handed_over == 0


@pytest.fixture
def hall(tmp_path: Path, empty_store: str, assessmentq_sandbox: Hall) -> Iterator[tuple[World, Hall, AssessmentQ]]:
    """An installation, a hall, and a client between them."""
    endpoint = Endpoint("gradeway_assessmentq", assessmentq_sandbox.url, "sandbox", "sandbox", dict(SANDBOX_PROFILE))
    world = World(tmp_path / "home", empty_store)
    with AssessmentQ(endpoint, manners=Manners(connect=2, read=2, interval=0, tries=2, backoff=0)) as client:
        yield world, assessmentq_sandbox, client
    world.intake.store.engine.dispose()


def test_an_offline_exam_names_its_result(hall: tuple[World, Hall, AssessmentQ]) -> None:
    world, machines, client = hall
    world.land("c.colnc", COLUMNS, "C1|Midterm|20|ASSESSMENT=1")
    machines.play("510001-1", "start")
    assert machines.upload(machines.play("510001-1", "finish", score=7.5, max=10)).status_code == 201
    [result] = client.results(None)
    offline.collect(world.intake.store, client, world.settings)
    assert world.sweep().failed == []
    assert said(world, "510001") == [
        f"assessmentQ: attempt {result.id}, exam 1, which counts as the final result that was told last"
    ]
