"""One learner under several spellings: told as one thing, and no grade is written by halves or twice."""

from __future__ import annotations

import pytest

from gradeway.store.publish import GradeReceipt
from publish.file_scene import FileScene
from publish.scene import Scene

TWICE = "your files name this learner as Ann and ann"


def test_two_learners_of_ours_who_are_one_there_are_told_and_neither_is_graded(scene: Scene) -> None:
    scene.column()
    scene.grades(ann=7, Ann=8, bob=9)
    scene.publish()
    assert scene.there() == {"Oral": {"bob": "9"}}
    assert {(each.code, each.detail) for each in scene.all_problems()} == {("LEARNER_TWICE", TWICE)}


def test_a_second_spelling_is_no_learner_who_is_missing(scene: Scene) -> None:
    scene.column()
    scene.grades(ann=7, Ann=8, bob=9, **{f"nobody{number}": 7 for number in range(5)})
    planned = scene.plan()
    assert (planned.brakes, [line.learner for line in planned.free.lines if line.learner]) == ([], ["bob"])


@pytest.mark.parametrize("value", [8, 7], ids=["another value", "the same value"])
def test_a_second_spelling_of_a_learner_who_is_graded_is_no_conflict(scene: Scene, value: int) -> None:
    scene.column()
    scene.grades(ann=7)
    scene.publish()
    before = scene.mark()
    scene.grades(Ann=value)
    scene.publish()
    scene.grades(ann=9)
    scene.publish(everything=True)
    assert (scene.writes(before), scene.conflicts()) == ([], [])
    assert {(each.code, each.detail) for each in scene.all_problems()} == {("LEARNER_TWICE", TWICE)}


def test_a_conflict_about_a_second_spelling_that_was_told_before_is_over(scene: Scene) -> None:
    scene.column()
    scene.grades(ann=7)
    scene.publish()
    scene.play("grade", user="ann", score=5)
    scene.remove_grades("Oral", "ann")
    scene.grades(Ann=8)
    scene.publish()
    assert scene.conflicts() == [("8", "5", "")]
    scene.grades(ann=6)
    scene.publish(everything=True)
    assert (scene.conflicts(), scene.problems()) == ([], [("LEARNER_TWICE", "Oral")] * 2)


@pytest.mark.parametrize(("value", "there"), [(8, "8"), (7, "7")], ids=["another value", "the same value"])
def test_a_learner_who_is_spelt_otherwise_from_now_on_keeps_what_was_told(scene: Scene, value: int, there: str) -> None:
    scene.column()
    scene.grades(ann=7, bob=9)
    scene.publish()
    scene.remove_grades("Oral", "ann")
    scene.grades(Ann=value)
    scene.publish()
    assert (scene.there(), scene.conflicts(), scene.problems()) == ({"Oral": {"ann": there, "bob": "9"}}, [], [])
    assert (scene.count(GradeReceipt), scene.due()) == (2, [])
    scene.remove_grades("Oral", "Ann")
    scene.publish_all()
    assert scene.there() == {"Oral": {"bob": "9"}}  # as it was before anything of ours stood there
    assert scene.due() == []


def test_spellings_in_different_columns_are_published(scene: Scene) -> None:
    scene.column()
    scene.column("Essay")
    scene.grades(ann=7)
    scene.grades(column="Essay", Ann=8)
    scene.publish()
    assert (scene.there(), scene.problems()) == ({"Oral": {"ann": "7"}, "Essay": {"ann": "8"}}, [])


# flat files


def test_no_row_is_written_for_a_second_spelling(files: FileScene) -> None:
    files.column()
    files.grades(ann=7)
    files.publish_and_take()
    files.grades(Ann=8, bob=9)
    assert files.publish_and_take() == ["colncval: ANA101|bob|Oral|9"]
    [problem] = files.all_problems()
    assert (problem.code, problem.detail) == ("LEARNER_TWICE", TWICE)


def test_a_row_under_another_spelling_takes_the_place_of_one_that_was_taken_back(files: FileScene) -> None:
    files.column()
    files.grades(ann=7)
    files.publish_and_take()
    files.remove_grades("Oral", "ann")
    files.grades(Ann=8)
    assert files.publish_and_take() == ["colncval: ANA101|Ann|Oral|8"]
    assert (files.problems(), files.count(GradeReceipt), files.due()) == ([], 1, [])
