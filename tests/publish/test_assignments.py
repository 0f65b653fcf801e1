"""Assignments: made with their content in its folder, found again, and told where the API falls short of the file."""

from __future__ import annotations

from typing import Any

import pytest

from gradeway.publish.wanted import external_id
from gradeway.store.publish import PublishedItem
from publish.scene import MakeScene, Scene

KINDS = pytest.mark.parametrize("kind", ["Classic", "Ultra"])


def contents(scene: Scene) -> dict[str, Any]:
    """All contents by the path of their titles."""
    path = f"v1/courses/courseId:{scene.course}/contents?recursive=true"
    every = {each["id"]: each for each in scene.site.every(path)}

    def path_of(each: dict[str, Any]) -> str:
        parent = every.get(each.get("parentId", ""))
        return f"{path_of(parent)}/{each['title']}" if parent else str(each["title"])

    return {path_of(each).removeprefix("ROOT/"): each for each in every.values()}


def details(scene: Scene) -> dict[str, str]:
    return {each.code: each.detail for each in scene.all_problems()}


@KINDS
def test_an_assignment_is_made_in_the_folder_that_the_file_names(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind, time_zone="Europe/Brussels")
    scene.assignment(
        contentAreaName="Tasks",
        instructions="Use <your> own words",
        available="Y",
        attempts=3,
        startDate="2026-11-01",
        endDate="2026-12-24",
        dueDate="2026-12-01",
        points=50,
    )
    scene.publish()
    content = contents(scene)["Tasks/Project"]
    release = content["availability"]["adaptiveRelease"]
    assert (content["body"], content["availability"]["available"]) == ("Use &lt;your&gt; own words", "Yes")
    assert (release["start"], release["end"]) == ("2026-10-31T23:00:00.000Z", "2026-12-24T22:59:00.000Z")
    column = scene.remote_column("Project")
    assert (column["externalId"], column["score"]["possible"]) == (external_id(scene.course, "Project"), 50)
    assert (column["grading"]["due"], column["grading"]["attemptsAllowed"]) == ("2026-12-01T22:59:00.000Z", 3)
    assert (column["contentId"], column["grading"]["type"]) == (content["id"], "Attempts")
    assert (scene.problems(), scene.due()) == ([], [])


@KINDS
def test_assignments_share_a_folder_that_is_made_once_or_is_there(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind)
    scene.assignment("One")
    scene.assignment("Two")
    scene.publish()
    scene.assignment("Three")
    scene.publish()
    assert set(contents(scene)) - {"ROOT"} == {
        "Assignments", "Assignments/One", "Assignments/Two", "Assignments/Three",
    }  # fmt: skip
    assert scene.plan(everything=True).free.lines == []


def test_a_subfolder_is_made_in_an_ultra_course(ultra: Scene) -> None:
    ultra.assignment("One", contentAreaName="Tasks@>@Week 1")
    ultra.assignment("Two", contentAreaName="Tasks@>@Week 2")
    ultra.publish()
    assert {"Tasks/Week 1/One", "Tasks/Week 2/Two"} < set(contents(ultra))
    assert len(contents(ultra)) == 6  # with ROOT


def test_a_subfolder_in_an_original_course_is_told(scene: Scene) -> None:
    scene.assignment(contentAreaName="Tasks@>@Week 1")
    before = scene.mark()
    scene.publish()
    assert (scene.problems(), scene.writes(before)) == ([("FOLDER_UNSUPPORTED", "Project")], [])


@KINDS
def test_of_two_folders_of_one_name_none_is_chosen(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind)
    folder = {"title": "Tasks", "contentHandler": {"id": "resource/x-bb-folder"}}
    for _ in range(2):
        scene.site.ask("POST", f"v1/courses/courseId:{scene.course}/contents", folder, 201)
    scene.assignment(contentAreaName="Tasks")
    scene.publish()
    assert details(scene) == {"FOLDER_AMBIGUOUS": "Tasks"}


@KINDS
@pytest.mark.parametrize(("attempts", "allowed"), [("-1", 0), ("", 0), ("10", 10), ("1", 1)])
def test_attempts(make_scene: MakeScene, kind: str, attempts: str, allowed: int) -> None:
    scene = make_scene(kind)
    scene.assignment(attempts=attempts)
    scene.publish()
    assert scene.remote_column("Project")["grading"]["attemptsAllowed"] == allowed
    before = scene.mark()
    scene.publish(everything=True)
    assert (scene.writes(before), scene.problems()) == ([], [])


def test_more_attempts_than_an_ultra_course_takes_are_told(ultra: Scene, make_scene: MakeScene) -> None:
    for each in (ultra, make_scene("Classic")):
        each.assignment(attempts=11)
        each.publish(each.course)
        assert each.there() == ({} if each is ultra else {"Project": {}})
    assert ("ATTEMPTS_TOO_MANY", "Project") in ultra.problems()


@KINDS
def test_an_end_without_a_due_date_does_not_become_one(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind)
    scene.assignment(endDate="2026-12-24")
    scene.publish()
    assert scene.remote_column("Project")["grading"].get("due") is None
    before = scene.mark()
    scene.publish(everything=True)
    assert scene.writes(before) == []


@KINDS
def test_anonymous_grading_is_set_and_taken_back_but_not_over_a_teacher(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind)

    def anonymity() -> object:
        return scene.remote_column("Project")["grading"]["anonymousGrading"]["type"]

    for said, found in (("Y", "AfterAllGraded"), ("N", "None")):
        scene.assignment(anonymous=said)
        scene.publish()
        assert anonymity() == found
    path = f"v2/courses/courseId:{scene.course}/gradebook/columns/{scene.remote_column('Project')['id']}"
    scene.site.ask("PATCH", path, {"grading": {"anonymousGrading": {"type": "AfterAllGraded"}}})
    scene.publish(everything=True)
    assert (anonymity(), scene.problems()) == ("AfterAllGraded", [("CHANGED_THERE", "Project")])


def test_what_the_api_cannot_set_is_told(scene: Scene) -> None:
    scene.assignment(group="Y", colour="#FF0000", tracked="Y", available="Y")
    scene.grades(column="Project", ann=7)
    scene.publish()
    assert details(scene) == {"NOT_CARRIED": "group, colour, tracked"}
    assert (scene.there(), scene.due()) == ({"Project": {"ann": "7"}}, [])


def test_what_can_be_set_only_at_the_start_is_told_when_it_changes(scene: Scene) -> None:
    scene.assignment(available="Y", attempts=2)
    scene.publish()
    scene.assignment(available="N", attempts=3, points=30)
    scene.publish()
    assert details(scene) == {"NOT_CARRIED": "available, attempts_allowed"}
    assert scene.remote_column("Project")["score"]["possible"] == 30
    assert scene.due() == []
    scene.assignment(available="Y", attempts=2, points=31)
    scene.publish()
    assert scene.problems() == []


def test_an_assignment_is_shown_in_its_schema_and_takes_symbols(scene: Scene) -> None:
    scene.schemas("Letters|A=90:F=0")
    scene.assignment(gradeSchema="Letters", points=10)
    scene.grades(column="Project", ann="A", bob=4)
    scene.publish()
    assert scene.there() == {"Project": {"ann": "10", "bob": "4"}}


def add_assignment(scene: Scene) -> str:
    """A teacher makes an assignment; return the id of its column."""
    folder = {"title": "Tasks", "contentHandler": {"id": "resource/x-bb-folder"}}
    parent = scene.site.ask("POST", f"v1/courses/courseId:{scene.course}/contents", folder, 201)["id"]
    new = {"parentId": parent, "title": "Project", "grading": {"attemptsAllowed": 2}}
    made = scene.site.ask("POST", f"v1/courses/courseId:{scene.course}/contents/createAssignment", new, 201)
    return str(made["gradeColumnId"])


@KINDS
def test_a_teachers_assignment_of_the_name_is_taken_over(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind)
    column_id = add_assignment(scene)
    scene.assignment(attempts=2, available="Y", points=30)
    scene.publish()
    column = scene.remote_column("Project")
    assert (column["id"], column["score"]["possible"]) == (column_id, 30)
    assert "Tasks/Project" in contents(scene)
    assert details(scene) == {"NOT_CARRIED": "available, attempts_allowed"}  # who knows what is there


@KINDS
def test_a_column_of_the_file_takes_over_a_teachers_assignment_too(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind)
    column_id = add_assignment(scene)
    scene.play("attempt", "Project", "bob", score=3)
    scene.column("Project")
    scene.grades(column="Project", ann=7, bob=3)
    scene.publish()
    assert scene.remote_column("Project")["id"] == column_id
    assert (scene.there(), scene.problems()) == ({"Project": {"ann": "7", "bob": "3"}}, [])


def test_a_mere_column_is_no_assignment(scene: Scene) -> None:
    scene.site.play(scene.course, "add", name="Project")
    scene.assignment()
    scene.publish()
    assert scene.problems() == [("COLUMN_KIND", "Project")]
    assert set(contents(scene)) == set()


@KINDS
def test_an_assignment_that_is_ours_no_more_goes_with_its_content(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind)
    scene.assignment()
    scene.grades(column="Project", ann=7)
    scene.publish()
    scene.remove_column("Project")
    planned = scene.plan()
    assert [(line.kind, line.action) for line in planned.held.lines] == [("column", "delete")]
    scene.approve(planned.held.digest)
    scene.publish()
    assert (scene.there(), set(contents(scene)) - {"ROOT"}) == ({}, {"Assignments"})
    assert (scene.rows(PublishedItem), scene.due()) == ([], [])


@KINDS
def test_an_assignment_stays_when_somebody_has_handed_in(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind)
    scene.assignment()
    scene.publish()
    scene.play("attempt", "Project", "bob", score=3)
    scene.remove_column("Project")
    scene.publish_all()
    assert scene.there() == {"Project": {"bob": "3"}}
    assert (scene.problems(), scene.due()) == ([("COLUMN_IN_USE", "Project")], [])


@KINDS
def test_an_assignment_stays_when_somebody_hands_in_while_its_end_waits_for_approval(
    make_scene: MakeScene, kind: str
) -> None:
    scene = make_scene(kind)
    scene.assignment()
    scene.publish()
    scene.remove_column("Project")
    planned = scene.plan()
    scene.play("attempt", "Project", "bob", score=3)
    scene.approve(planned.held.digest)
    scene.publish()
    assert scene.there() == {"Project": {"bob": "3"}}
    assert scene.due() == [scene.course]
    scene.publish()
    assert scene.problems() == [("COLUMN_IN_USE", "Project")]
