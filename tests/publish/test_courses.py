"""Courses: found by the identifier of the files, cross-listed or not; a trouble with one keeps no other back."""

from __future__ import annotations

import pytest

from publish.scene import MakeScene, Scene


def elsewhere(scene: Scene, course: str) -> Scene:
    """The same store and site, in another course."""
    return Scene(scene.world, scene.site, course)


@pytest.mark.parametrize(
    ("course", "code"),
    [
        ("nowhere", "COURSE_UNKNOWN"),
        ("closed", "COURSE_CLOSED"),
        ("closed-ultra", "COURSE_CLOSED"),
        ("forbidden", "COURSE_FORBIDDEN"),
        ("hidden", "COURSE_HIDDEN"),
        ("orphan", "COURSE_HIDDEN"),
    ],
)
def test_a_trouble_with_a_course_is_told_once_and_the_others_go_on(scene: Scene, course: str, code: str) -> None:
    other = elsewhere(scene, course)
    for each in (other, scene):
        each.column()
        each.grades(ann=7, bob=8)
    before = scene.mark()
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "7", "bob": "8"}}
    assert len(scene.writes(before)) == 3
    assert scene.problems() == [(code, course)]
    other.grades(ann=9)
    assert (scene.due(), scene.due(again=True)) == ([], [course])
    scene.publish(again=True)
    [problem] = scene.all_problems()
    assert (problem.code, problem.tries) == (code, 2)


def test_a_course_that_is_gone_while_it_is_read_is_told(scene: Scene) -> None:
    other = elsewhere(scene, scene.course)
    other.column()
    scene.site.act("faults", [{"match": "GET */gradebook/columns", "kind": "status", "status": 404}])
    other.publish()
    assert scene.problems() == [("COURSE_UNKNOWN", scene.course)]


def test_courses_can_be_known_by_their_course_id(make_scene: MakeScene) -> None:
    scene = make_scene(publish_course_id="courseId")
    scene.column()
    scene.publish()
    assert scene.there() == {"Oral": {}}


def test_grades_of_a_section_go_to_the_parent_and_to_its_own_learners_only(make_scene: MakeScene) -> None:
    parent = make_scene("Parent")
    section = elsewhere(parent, f"{parent.course}-A")
    section.column()
    section.grades(ann=7, dee=8)  # dee is of the other section
    section.publish()
    assert parent.there() == {"Oral": {"ann": "7"}}
    assert section.there() == {}
    assert section.problems() == [("LEARNER_UNKNOWN", "Oral")]


@pytest.mark.parametrize("letter", "AB")
def test_who_is_in_two_sections_gets_the_grades_of_each(make_scene: MakeScene, letter: str) -> None:
    parent = make_scene("Parent")
    section = elsewhere(parent, f"{parent.course}-{letter}")
    section.column()
    section.grades(cy=7)
    section.publish()
    assert (parent.there(), section.problems()) == ({"Oral": {"cy": "7"}}, [])


def test_two_sections_share_a_column_of_the_parent(make_scene: MakeScene) -> None:
    parent = make_scene("Parent")
    sections = [elsewhere(parent, f"{parent.course}-{letter}") for letter in "AB"]
    for section, learner in zip(sections, ("ann", "dee"), strict=True):
        section.column()
        section.grades(**{learner: 7})
    for _ in range(2):  # both want to make it, and the second one finds it in the next run
        parent.publish()
    assert parent.there() == {"Oral": {"ann": "7", "dee": "7"}}
    assert len(parent.remote_columns()) == 2
    assert parent.due() == []
    sections[0].remove_column("Oral")
    parent.publish_all()
    assert parent.there() == {"Oral": {"dee": "7"}}
    assert parent.problems() == [("COLUMN_IN_USE", "Oral")]


def test_a_parent_has_the_learners_of_all_its_sections(make_scene: MakeScene) -> None:
    parent = make_scene("Parent")
    parent.column()
    parent.grades(ann=7, dee=8)
    parent.publish()
    assert parent.there() == {"Oral": {"ann": "7", "dee": "8"}}
