"""Assignments of which the call that makes them got no answer: found by their names, or asked about."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete

from gradeway.publish import overview
from gradeway.publish.reconcile import reconcile
from gradeway.publish.why import lives
from gradeway.store.publish import LEARN, PublishedItem, PublishIntent, PublishProblem
from publish import term
from publish.scene import MakeScene, Scene
from publish.trouble import heal, spoil
from sessions.exams import Clock


def test_what_follows_on_an_assignment_that_was_lost_is_not_forgotten(one_scene: Scene, passing: Clock) -> None:
    term.begin(one_scene)
    spoil(one_scene, "POST contents/createAssignment", kind="drop_after")
    spoil(one_scene, "GET gradebook/columns", kind="status", times=9, after=2)
    one_scene.publish()
    heal(one_scene)
    assert "externalId" not in one_scene.remote_column("Project")
    term.end_well(one_scene, passing)
    term.check(one_scene, term.FIRST_THERE)


def make_assignment(scene: Scene, title: str) -> Any:  # noqa: ANN401
    """Make an assignment out of 5 points in a folder of its own, as a teacher does."""
    contents = f"v1/courses/courseId:{scene.course}/contents"
    folder = {"title": "Theirs", "contentHandler": {"id": "resource/x-bb-folder"}}
    parent = scene.site.ask("POST", contents, folder, 201)["id"]
    body = {"title": title, "parentId": parent, "score": {"possible": 5}}
    return scene.site.ask("POST", f"{contents}/createAssignment", body, 201)


def test_an_assignment_that_was_lost_is_not_taken_for_one_of_the_same_name(
    make_scene: MakeScene, passing: Clock
) -> None:
    scene = make_scene(assignment_provisioning="always")
    term.begin(scene)
    theirs = make_assignment(scene, "Project")["gradeColumnId"]
    spoil(scene, "POST contents/createAssignment", kind="drop")
    scene.publish()
    term.end_well(scene, passing)
    assert [each["score"]["possible"] for each in scene.remote_columns() if each["name"] == "Project"] == [5, 100]
    assert theirs not in {each.remote_id for each in scene.rows(PublishedItem)}


def test_an_assignment_that_may_be_there_under_another_name_is_not_made_again_before_a_person_says_which(
    scene: Scene, passing: Clock
) -> None:
    term.begin(scene)
    spoil(scene, "POST contents/createAssignment", kind="drop_after")
    spoil(scene, "GET gradebook/columns", kind="status", times=9, after=2)
    scene.publish()
    heal(scene)
    [lost] = [each["id"] for each in scene.remote_columns() if each.get("contentId")]
    column = f"v2/courses/courseId:{scene.course}/gradebook/columns/{lost}"
    scene.site.ask("PATCH", column, {"name": "Paper"})
    for _ in range(3):
        passing.pass_by(term.GRACE)
        scene.publish()
    assert [each["name"] for each in scene.remote_columns() if each.get("contentId")] == ["Paper"]
    assert ("ASSIGNMENT_LOST", "Project") in scene.problems()
    [told] = [each.detail for each in scene.rows(PublishProblem) if each.code == "ASSIGNMENT_LOST"]
    assert told == "Paper"

    scene.site.ask("PATCH", column, {"name": "Project"})
    term.end_well(scene, passing)
    term.check(scene, term.FIRST_THERE)


def test_an_assignment_that_is_none_of_ours_after_all_lets_ours_be_made(scene: Scene, passing: Clock) -> None:
    term.begin(scene)
    spoil(scene, "POST contents/createAssignment", kind="drop")
    scene.publish()
    theirs = make_assignment(scene, "Paper")["contentId"]
    for _ in range(2):
        passing.pass_by(term.GRACE)
        scene.publish()
    assert ("ASSIGNMENT_LOST", "Project") in scene.problems()

    scene.site.ask("DELETE", f"v1/courses/courseId:{scene.course}/contents/{theirs}", status=204)
    term.end_well(scene, passing)
    assert scene.there() == term.FIRST_THERE | {"Paper": {}}
    assert scene.problems() == []


# --- a person is asked


@pytest.fixture
def lost(one_scene: Scene, passing: Clock) -> Scene:
    """A course in which an assignment was lost, and that has a new one which may be it."""
    one_scene.assignment(points=50)
    one_scene.grades(column="Project", ann=7)
    lose(one_scene, passing)
    return one_scene


def lose(scene: Scene, passing: Clock) -> None:
    """Publish, and lose the call that makes an assignment, while somebody makes another one."""
    spoil(scene, "POST contents/createAssignment", kind="drop")
    scene.publish()
    heal(scene)
    make_assignment(scene, "Paper")
    run_on(scene, passing)
    assert ("ASSIGNMENT_LOST", "Project") in scene.problems()


def run_on(scene: Scene, passing: Clock) -> None:
    """Publish twice, whole courses, after the time in which a call can take effect."""
    for _ in range(2):
        passing.pass_by(term.GRACE)
        scene.publish(everything=True)


def told_of_lost(scene: Scene) -> list[str]:
    return [each.detail for each in scene.all_problems() if each.code == "ASSIGNMENT_LOST"]


def test_what_a_person_is_asked_stays_told_whatever_is_compared(lost: Scene, passing: Clock) -> None:
    lost.column("Oral")
    lost.publish()
    lost.plan(everything=True)
    assert told_of_lost(lost) == ["Paper"]
    run_on(lost, passing)
    assert told_of_lost(lost) == ["Paper"]


def test_what_a_person_is_asked_is_not_told_as_found_out_by_the_next_run_too(lost: Scene) -> None:
    with lost.world.intake.store.session() as session:
        told = [each.what for each in overview.needs(session, LEARN, lost.settings)]
        assert told == ["problems of publishing: 1 (ASSIGNMENT_LOST)"]
        session.execute(delete(PublishProblem))
        assert [each.what for each in overview.unanswered(session, LEARN)] == [f"{overview.UNANSWERED.what}: 1"]


def test_what_keeps_a_column_back_is_told_with_its_grades(lost: Scene) -> None:
    with lost.world.intake.store.session() as session:
        [life] = lives(session, LEARN, lost.course, "ann", "Project")
    [why] = [event.detail for event in life.events if event.what == "not published"]
    assert why.startswith("ASSIGNMENT_LOST: Paper: the call that makes the assignment got no answer")


def test_reconciling_tells_what_a_person_is_asked(lost: Scene) -> None:
    with lost.client() as client:
        found = reconcile(lost.world.intake.store, client, lost.settings, lost.course)
    [why] = [each.why for each in found.differences if each.kind == "column"]
    assert why.startswith("ASSIGNMENT_LOST: Paper: the call that makes the assignment got no answer")
    assert "`gradeway publish resolve` with --take" in why


def test_a_call_without_an_answer_stays_told_while_what_follows_on_it_is_dropped(one_scene: Scene) -> None:
    one_scene.assignment()
    spoil(one_scene, "POST contents/createAssignment", kind="drop")
    one_scene.publish()
    assert [each.state for each in one_scene.rows(PublishIntent) if each.kind == "column"] == ["unknown", "dropped"]
    assert one_scene.problems() == [("OUTCOME_UNKNOWN", "Project")]


def test_no_one_is_asked_about_an_assignment_of_ours_in_another_section(make_scene: MakeScene, passing: Clock) -> None:
    parent = make_scene("Parent")
    lost, other = (Scene(parent.world, parent.site, f"{parent.course}-{letter}") for letter in "AB")
    lost.assignment()
    spoil(parent, "POST contents/createAssignment", kind="drop")
    parent.publish()
    other.assignment("Essay")
    parent.publish()
    run_on(parent, passing)
    assert parent.there() == {"Project": {}, "Essay": {}}
    assert parent.problems() == []


# --- what a person decides


def test_an_assignment_is_made_once_a_person_says_that_none_is_it(lost: Scene, passing: Clock) -> None:
    lost.insist("Project")
    assert told_of_lost(lost) == []
    term.end_well(lost, passing)
    assert lost.there() == {"Paper": {}, "Project": {"ann": "7"}}
    assert lost.problems() == []
    [made] = [each for each in lost.rows(PublishIntent) if each.action == "assign"]
    assert (made.state, made.approved_by, made.approved_for) == ("done", "Eva", "by mistake")


def test_an_assignment_whose_call_is_lost_again_is_asked_about_only_if_something_new_is_there(
    lost: Scene, passing: Clock
) -> None:
    lost.insist("Project")
    spoil(lost, "POST contents/createAssignment", kind="drop")
    lost.publish()
    term.end_well(lost, passing)
    assert lost.there() == {"Paper": {}, "Project": {"ann": "7"}}


def test_an_assignment_that_we_have_no_more_is_not_asked_about_any_more(lost: Scene, passing: Clock) -> None:
    lost.remove_column("Project")
    run_on(lost, passing)
    assert (term.under_way(lost), lost.problems(), lost.there()) == ([], [], {"Paper": {}})


def test_two_new_assignments_of_the_name_are_asked_about_until_one_has_it(lost: Scene, passing: Clock) -> None:
    make_assignment(lost, "Project ")
    rename(lost, "Paper", "Project")
    run_on(lost, passing)
    assert told_of_lost(lost) == ["Project, Project "]
    rename(lost, "Project", "Paper")
    term.end_well(lost, passing)
    assert lost.there() == {"Paper": {}, "Project": {"ann": "7"}}


# --- what is found


def rename(scene: Scene, name: str, to: str) -> None:
    """Rename a column, as a person does who was asked."""
    column = f"v2/courses/courseId:{scene.course}/gradebook/columns/{scene.remote_column(name)['id']}"
    scene.site.ask("PATCH", column, {"name": to})


@pytest.mark.parametrize("provisioning", ["name", "always"])
def test_an_assignment_that_a_person_made_is_compared_and_stays_when_ours_is_taken_back(
    make_scene: MakeScene, passing: Clock, provisioning: str
) -> None:
    scene = make_scene(assignment_provisioning=provisioning)
    scene.assignment(points=50, instructions="Do", dueDate="2026-12-24")
    scene.grades(column="Project", ann=7)
    lose(scene, passing)
    rename(scene, "Paper", "Project")
    term.end_well(scene, passing)
    there = scene.remote_column("Project")
    assert (there["score"]["possible"], there["externalId"][:9]) == (50, "gradeway-")
    assert there["grading"]["due"].startswith("2026-12-24")
    assert scene.there() == {"Project": {"ann": "7"}}
    assert [(each.code, each.detail) for each in scene.all_problems()] == [
        ("NOT_CARRIED", "attempts_allowed, instructions")
    ]
    scene.remove_column("Project")
    scene.publish_all()
    assert scene.there() == {"Project": {}}


def test_an_assignment_that_is_as_ours_is_made_is_ours_and_goes_when_it_is_taken_back(
    scene: Scene, passing: Clock
) -> None:
    scene.assignment(points=5)
    lose(scene, passing)
    rename(scene, "Paper", "Project")
    term.end_well(scene, passing)
    assert scene.problems() == []
    scene.remove_column("Project")
    scene.publish_all()
    assert scene.there() == {}
