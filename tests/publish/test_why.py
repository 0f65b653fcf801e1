"""Why a grade is what it is: what stands in the gradebook, since when, and who decided it."""

from __future__ import annotations

import pytest

from gradeway.errors import UnknownGradeError
from gradeway.publish.why import Life, lives
from gradeway.store.publish import LEARN, GradeReceipt
from publish.scene import Scene


def told(scene: Scene, learner: str = "ann", column: str = "Oral") -> list[Life]:
    with scene.world.intake.store.session() as session:
        return lives(session, LEARN, scene.course, learner, column)


def details(life: Life, what: str) -> list[str]:
    return [event.detail for event in life.events if event.what == what]


@pytest.fixture
def published(one_scene: Scene) -> Scene:
    """A course in which a learner has 7."""
    one_scene.column()
    one_scene.grades(ann=7)
    one_scene.publish()
    return one_scene


def test_what_stands_there_is_told_with_the_time_of_that(published: Scene) -> None:
    [receipt] = published.rows(GradeReceipt)
    [life] = told(published)
    assert (life.value, life.published, life.published_at) == ("7", "7", receipt.at)


def test_what_somebody_changed_there_is_what_stands_there_once_it_is_known(published: Scene) -> None:
    published.play("grade", user="ann", score=19)
    published.publish(everything=True)
    [life] = told(published)
    assert (life.value, life.published) == ("7", "19")
    [found] = [event for event in life.events if event.what == "conflict"]
    assert life.published_at == found.at
    [has] = details(life, "the gradebook has")
    assert has.startswith("7 (written)")


def test_who_took_ours_is_told_for_ever(published: Scene) -> None:
    published.play("grade", user="ann", score=19)
    published.publish(everything=True)
    published.decide_all("take")
    published.publish()
    published.grades(ann=8)
    published.publish()
    [life] = told(published)
    assert details(life, "sent, UPDATED") == ["19 -> 7; Eva took ours: asked the teacher", "7 -> 8"]


def test_a_grade_that_is_planned_is_told_last_with_the_time_of_its_plan(published: Scene) -> None:
    published.grades(ann=9)
    published.plan()
    [life] = told(published)
    assert [event.what for event in life.events][-1] == "planned"
    assert all(event.at for event in life.events)


def test_what_an_undo_brought_back_is_told_once(published: Scene) -> None:
    published.grades(ann=9)
    intake = published.world.intake
    intake.undo(published.world.batches()[-1].id)
    [life] = told(published)
    assert life.value == "7"
    assert [detail.partition(" by ")[0] for detail in details(life, "a file said")] == ["7", "9"]
    assert len(details(life, "undone")) == 1


def test_who_brought_a_column_back_is_told_with_its_grades(published: Scene) -> None:
    published.play("points", possible=50)
    published.column(points=30)
    published.publish()
    published.insist("Oral")
    published.publish()
    assert published.remote_column("Oral")["score"]["possible"] == 30
    [life] = told(published)
    assert details(life, "column changed") == ["possible 50 -> 30; Eva took ours: by mistake"]


def test_a_grade_of_a_column_that_we_have_no_more_is_told_while_it_stands_and_after(published: Scene) -> None:
    published.remove_column("Oral")
    [life] = told(published)
    assert (life.value, life.published) == (None, "7")
    published.publish_all()
    [life] = told(published)
    assert (life.value, life.published) == (None, None)
    assert details(life, "sent, CREATED") == ["nothing -> 7"]


def test_grades_in_two_columns_of_one_name_are_both_told(published: Scene) -> None:
    published.remove_column("Oral")
    published.column(points=30)
    published.grades(ann=9)
    values = {(life.value, life.published) for life in told(published)}
    assert values == {(None, "7"), ("9", None)}


def test_a_learner_or_a_column_without_a_grade_is_refused(published: Scene) -> None:
    published.grades(bob=8)
    published.column("Essay")
    for learner, column in (("bob", "Essay"), ("ann", "Essay"), ("nobody", "Oral"), ("ann", "Nothing")):
        with pytest.raises(UnknownGradeError):
            told(published, learner, column)
