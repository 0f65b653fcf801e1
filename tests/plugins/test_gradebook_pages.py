"""The desk's pages on courses: what is published, what keeps the rest back, and the life of a grade."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from fixtures.desks import Desk
from fixtures.pages import Seen
from fixtures.sandboxes import Site, running_site
from gradeway.orchestration import desk_gradebook as module
from gradeway.sandbox.learn.start import courses
from gradeway.store.exams import Plan
from loading.world import World
from publish.scene import Scene

HOSTILE = "<img src=x onerror=alert(1)>"
LEARNERS = ["ann", "bob", "cy"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    kinds = {f"C{number}": "Classic" for number in range(20)}
    folder = tmp_path_factory.mktemp("site")
    with running_site(folder, courses(kinds, dict.fromkeys(kinds, LEARNERS))) as made:
        made.log_in()
        yield made


@pytest.fixture
def scene(site: Site, folder: Path, sqlite_store: str, airflow_desk: Desk) -> Iterator[Scene]:
    """A course with grades, and the desk of its installation."""
    made = Scene(World(folder / "home", sqlite_store), site, f"C{next(NUMBERS)}")
    made.columns("{c}|Oral|20||")
    airflow_desk.show(lambda: made.settings)
    yield made
    made.world.intake.store.engine.dispose()


NUMBERS = iter(range(20))


def rows(page: str) -> list[list[str]]:
    return Seen(page).rows


def links(page: str) -> list[str]:
    return re.findall(r'href="/gradeway(/gradebook/[^"]*)"', page)


def test_it_says_how_to_begin(airflow_desk: Desk, folder: Path, sqlite_store: str) -> None:
    world = World(folder / "home", sqlite_store)
    airflow_desk.show(lambda: world.settings)
    assert "No course is in the store" in Seen(airflow_desk.get("/gradebook").text).text


def test_why_a_learner_has_a_grade_is_three_clicks_away(airflow_desk: Desk, scene: Scene) -> None:
    scene.grades(ann=7, bob=12)
    scene.publish()
    scene.grades(ann=8)
    scene.publish()
    first = airflow_desk.get("/gradebook").text
    assert "2 grades published" in Seen(first).text
    [course] = links(first)
    second = airflow_desk.get(course).text
    assert ["ann", "8"] in rows(second)
    grade = links(second)[[row[0] for row in rows(second) if len(row) == 2].index("ann") - 1]
    third = airflow_desk.get(grade).text
    told = [(row[1], row[2]) for row in rows(third)[1:]]
    assert [what for what, _ in told] == [
        "a file said",
        "sent, CREATED",
        "a file said",
        "sent, UPDATED",
        "the gradebook has",
    ]
    assert told[0][1].startswith("7 by f.colncval, line 2; Blackboard, Incoming Flat File Specifications")
    assert told[3][1].startswith("7 -> 8")
    assert told[4][1].startswith("8 (written), change index")
    assert "In the store 8 , in the gradebook 8 as of " in Seen(third).text


def test_conflicts_and_problems_are_shown_with_what_to_do(airflow_desk: Desk, scene: Scene) -> None:
    scene.grades(ann=7)
    scene.publish()
    scene.site.play(scene.course, "grade", column="Oral", user="ann", score=19)
    scene.grades(ann=8, zoe=3)
    scene.publish()
    page = airflow_desk.get("/gradebook").text
    assert "1 conflict changed by somebody in the gradebook" in Seen(page).text
    course = Seen(airflow_desk.get(links(page)[0]).text)
    assert any(row[:4] == ["Oral", "ann", "8", "19"] for row in course.rows)
    assert any(row[:2] == ["Oral", "zoe"] and "enrol the learner there" in row[3] for row in course.rows)


def test_what_waits_for_approval_is_shown_with_its_reason(airflow_desk: Desk, scene: Scene) -> None:
    learners = {f"l{number}": 10 for number in range(30)}
    scene.grades(**learners)
    scene.publish()
    assert "30 of 30 unmatched" not in Seen(airflow_desk.get("/gradebook").text).text  # nobody is there: nothing waits
    scene.grades(ann=1, bob=1, cy=1)
    scene.publish()
    assert "unmatched" in Seen(airflow_desk.get("/gradebook").text).text


def test_who_approves_sees_every_call_with_before_and_after(airflow_desk: Desk, scene: Scene) -> None:
    scene.grades(ann=7, bob=12)
    scene.publish()
    scene.site.play(scene.course, "exempt", column="Oral", user="bob")
    scene.publish(everything=True)
    scene.remove_grades("Oral", "ann")
    scene.columns("{c}|Oral|100||")
    scene.grades(bob=13)
    scene.publish()
    scene.decide_all()
    scene.publish()
    [page] = [link for link in links(airflow_desk.get("/gradebook").text) if "/plans/" in link]
    shown = Seen(airflow_desk.get(page).text)
    assert "Waits for approval in Required Actions" in shown.text
    assert "1 of 2 deletions in Oral" in shown.text
    assert ["grade clear", "Oral", "ann", "7", "nothing", "planned"] in shown.rows
    with scene.world.intake.store.session() as session:
        digests = session.scalars(select(Plan.digest).order_by(Plan.id)).all()
    told = [row for digest in digests for row in rows(airflow_desk.get(f"/gradebook/plans/{digest}").text)]
    assert ["column create", "Oral", "", "nothing"] in [row[:4] for row in told]
    assert ["grade update", "Oral", "bob", "12, exempt", "13", "done"] in told
    for who in (airflow_desk.nobody, airflow_desk.stranger):
        assert who.get(f"/gradeway{page}").status_code in {401, 403}


def test_a_long_plan_has_pages(airflow_desk: Desk, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINES_SHOWN", 2)
    scene.grades(ann=7, bob=8, cy=9)
    digest = scene.plan().free.digest
    seen, page = [], f"/gradebook/plans/{digest}"
    for _ in range(2):
        text = airflow_desk.get(page).text
        seen += rows(text)[1:]
        page = f"/gradebook/plans/{digest}?start={len(seen)}"
        assert ('href="?start=2"' in text) == (len(seen) == 2)
    assert [row[2] for row in seen] == ["", "ann", "bob", "cy"]


def test_many_learners_are_cut_and_one_can_be_asked_for(airflow_desk: Desk, scene: Scene) -> None:
    scene.grades(**{f"l{number:04}": number % 20 for number in range(module.LEARNERS_SHOWN + 5)})
    [course] = links(airflow_desk.get("/gradebook").text)
    page = airflow_desk.get(course).text
    assert "And 5 more learners" in Seen(page).text
    asked = rows(airflow_desk.get(f"{course}?learner=l0204").text)
    assert [row for row in asked if row[0].startswith("l0")] == [["l0204", "4"]]


def test_hostile_names_do_nothing(airflow_desk: Desk, scene: Scene) -> None:
    scene.columns(f"{{c}}|{HOSTILE}|20||")
    scene.grades(column=HOSTILE, **{HOSTILE: 3})
    scene.publish()
    first = airflow_desk.get("/gradebook").text
    second = airflow_desk.get(links(first)[0]).text
    third = airflow_desk.get(links(second)[-1]).text
    for page in (first, second, third):
        assert HOSTILE not in page
        assert "img" not in Seen(page).tags
    assert HOSTILE in Seen(second).text


@pytest.mark.parametrize(
    "path",
    ["/gradebook/999", "/gradebook/1/999/1", "/gradebook/1/1/999", "/gradebook/2/1/1", f"/gradebook/plans/{'0' * 64}"],
)
def test_what_is_not_there_is_not_found(airflow_desk: Desk, scene: Scene, path: str) -> None:
    scene.grades(ann=7)
    assert "There is no" in Seen(airflow_desk.get(path, 404).text).text


def test_only_who_may_read_the_dags_sees_it(airflow_desk: Desk, scene: Scene) -> None:
    scene.grades(ann=7)
    course = links(airflow_desk.get("/gradebook").text)[0]
    for who in (airflow_desk.nobody, airflow_desk.stranger):
        assert who.get(f"/gradeway{course}").status_code in {401, 403}
