"""What learners are shown: the symbols that the files gave, whatever we change of their schema or column."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from gradeway.publish.outbox import Planned
from gradeway.store.publish import GradeReceipt
from publish import term
from publish.book import read
from publish.scene import MakeScene, Scene
from publish.trouble import heal, spoil
from sessions.exams import Clock

LETTERS = "Letters|A=90:B=80:F=0"
GIVEN = {"ann": "A", "bob": "B", "cy": "F", "dee": "85"}
CHANGES: dict[str, Callable[[Scene], None]] = {
    "points": lambda scene: scene.column(points=200, schema="Letters"),
    "another schema": lambda scene: scene.column(points=100, schema="Strict"),
    "lower bounds": lambda scene: scene.schemas("Letters|A=82:B=70:F=0"),
    "higher bounds": lambda scene: scene.schemas("Letters|A=95:B=90:F=0"),
}


@pytest.fixture
def lettered(one_scene: Scene) -> Scene:
    """A course whose grades in a column with a schema are published: symbols, and a number."""
    scene = one_scene
    scene.schemas(LETTERS, "Strict|A=95:B=90:F=0")
    scene.column(points=100, schema="Letters")
    scene.column("Other", points=100, schema="Strict")
    scene.grades(**GIVEN)
    scene.grades(column="Other", ann="B")
    scene.publish()
    assert scene.due() == []
    return scene


def shown(scene: Scene) -> dict[str, str | None]:
    """What the learners see in the column."""
    book = read(scene.site, scene.course)
    [column] = book.named("Oral")
    return {cell.user: grade.text for cell, grade in book.of_column(column).items()}


def allow(scene: Scene) -> Planned:
    """Plan, approve what waits, and send all of it."""
    planned = scene.plan()
    if planned.held.lines:
        scene.approve(planned.held.digest)
    with scene.publisher() as publisher:
        publisher.apply_free()
    return planned


@pytest.mark.parametrize("change", CHANGES)
def test_learners_see_their_symbols_again_after_a_change_of_what_these_stand_for(lettered: Scene, change: str) -> None:
    CHANGES[change](lettered)
    allow(lettered)
    wrong = {who for who, text in shown(lettered).items() if who != "dee" and text != GIVEN[who]}
    assert wrong
    assert lettered.due() == [lettered.course]
    since = lettered.mark()
    lettered.publish()
    assert shown(lettered) | {"dee": ""} == GIVEN | {"dee": ""}
    assert len(lettered.writes(since)) == len(wrong)  # and none for the number, nor for what is shown right
    assert lettered.there()["Oral"]["dee"] == "85"
    assert (lettered.due(), lettered.problems(), lettered.conflicts()) == ([], [], [])
    assert lettered.plan(everything=True).free.lines == []


@pytest.mark.parametrize("bounds", ["A=80:B=70:F=0", "A=97:B=95:F=0"])
def test_what_shows_symbols_again_needs_no_approval_of_its_own(make_scene: MakeScene, bounds: str) -> None:
    scene = make_scene(publish_brakes="decreases=0/0 blanks=0/0 changes=0/0")
    scene.schemas("Letters|A=90:B=70:F=0")
    scene.column(points=100, schema="Letters")
    scene.grades(**dict.fromkeys(("ann", "bob", "cy", "dee", "eve", "fay"), "B"))
    scene.publish()
    scene.schemas(f"Letters|{bounds}")
    allow(scene)
    assert set(shown(scene).values()) != {"B"}
    planned = scene.plan()
    assert (len(planned.free.lines), planned.held.lines) == (6, [])
    scene.publish()
    assert set(shown(scene).values()) == {"B"}


def test_a_worse_symbol_from_a_file_is_a_decrease_also_after_such_a_change(lettered: Scene) -> None:
    CHANGES["lower bounds"](lettered)
    allow(lettered)
    lettered.grades(bob="F")
    lines = {line.learner: line.risks for line in lettered.plan().free.lines}
    assert lines == {"bob": frozenset({"changes", "decreases", "blanks"})}


def test_a_symbol_that_a_person_changed_is_kept_after_such_a_change(lettered: Scene) -> None:
    lettered.play("grade", user="bob", score=99)
    CHANGES["points"](lettered)
    allow(lettered)
    lettered.publish()
    assert shown(lettered)["ann"] == "A"
    assert lettered.there()["Oral"]["bob"] == "99"
    assert [(ours, resolution) for ours, _, resolution in lettered.conflicts()] == [("B", "")]
    assert lettered.due() == []


def test_a_person_who_gave_the_symbol_that_is_shown_again_is_told_nothing(lettered: Scene) -> None:
    CHANGES["points"](lettered)
    allow(lettered)
    lettered.play("grade", user="bob", score=170)  # which is a B now
    since = lettered.mark()
    lettered.publish()
    assert len(lettered.writes(since)) == 1
    assert (lettered.conflicts(), lettered.due()) == ([], [])
    assert {each.score for each in lettered.rows(GradeReceipt) if each.value == "B"} == {Decimal(170), Decimal("92.5")}


# --- grades that are meant for a change that waits


def test_texts_wait_for_the_change_of_their_schema_and_numbers_do_not(lettered: Scene) -> None:
    lettered.schemas("Letters|A+=95:A=82:B=70:F=0")
    lettered.column("Essay", points=100, schema="Letters")
    lettered.grades(eve="B", fay="A+", dee="86")
    lettered.grades(column="Essay", ann="B")
    lettered.grades(column="Other", bob="B")
    planned = lettered.plan()
    assert [(line.kind, line.name, line.learner) for line in planned.held.lines] == [
        ("schema", "Letters", ""),
        ("grade", "Oral", "eve"),
        ("grade", "Oral", "fay"),
        ("grade", "Essay", "ann"),
    ]
    assert [(line.kind, line.name, line.learner) for line in planned.free.lines] == [
        ("column", "Essay", ""),
        ("grade", "Oral", "dee"),
        ("grade", "Other", "bob"),
    ]
    lettered.publish()
    assert set(shown(lettered)) == set(GIVEN)
    lettered.approve(lettered.plan().held.digest)
    lettered.publish()
    lettered.publish()
    assert shown(lettered) == {**GIVEN, "dee": "A", "eve": "B", "fay": "A+"}
    assert (lettered.problems(), lettered.due()) == ([], [])


def test_a_column_is_not_put_under_a_schema_whose_change_waits(lettered: Scene) -> None:
    lettered.schemas("Strict|A=82:B=70:F=0")
    lettered.column(points=100, schema="Strict")
    planned = lettered.plan()
    assert [(line.kind, line.name) for line in planned.held.lines] == [("schema", "Strict"), ("column", "Oral")]
    assert planned.free.lines == []


def test_a_symbol_that_was_refused_is_sent_again_once_its_schema_has_changed(lettered: Scene) -> None:
    spoil(lettered, "PATCH gradebook/columns/*/users/*", kind="status", status=400, times=1)
    lettered.grades(eve="B")
    lettered.publish()
    assert lettered.problems() == [("GRADE_REFUSED", "Oral")]
    assert lettered.due() == []
    CHANGES["lower bounds"](lettered)
    allow(lettered)
    assert lettered.due() == [lettered.course]
    lettered.publish()
    assert shown(lettered)["eve"] == "B"
    assert (lettered.problems(), lettered.due()) == ([], [])


# --- grades that are meant for a change that did not come


@pytest.fixture
def rescaled(one_scene: Scene) -> Scene:
    """A course in which a plan gives a column ten times the points, and its grades too."""
    one_scene.column(points=20)
    one_scene.grades(ann=15, bob=10)
    one_scene.publish()
    one_scene.column(points=200)
    one_scene.grades(ann=150, bob=100)
    assert len(one_scene.plan().free.lines) == 3
    return one_scene


def send(scene: Scene) -> dict[str, int]:
    with scene.publisher(term.QUICK) as publisher:
        return dict(publisher.apply_free().outcomes)


def as_it_was(scene: Scene, points: int = 20) -> bool:
    possible = scene.remote_column("Oral")["score"]["possible"]
    return (scene.there(), possible) == ({"Oral": {"ann": "15", "bob": "10"}}, points)


def test_grades_are_not_written_where_the_change_of_their_column_is_refused(rescaled: Scene) -> None:
    spoil(rescaled, "PATCH gradebook/columns/*", kind="status", status=400, times=1)
    assert send(rescaled) == {"REJECTED": 1, "SKIPPED": 2}
    assert as_it_was(rescaled)
    assert rescaled.due() == [rescaled.course]


def test_grades_wait_while_it_is_not_known_what_became_of_their_column(rescaled: Scene, passing: Clock) -> None:
    spoil(rescaled, "PATCH gradebook/columns/*", kind="status", status=500, times=100)
    assert send(rescaled) == {"UNKNOWN": 1}
    assert as_it_was(rescaled)
    heal(rescaled)
    assert send(rescaled) == {}
    passing.pass_by(term.GRACE)
    assert send(rescaled) == {"UPDATED": 3}
    assert rescaled.there() == {"Oral": {"ann": "150", "bob": "100"}}


def test_grades_are_planned_anew_where_somebody_changed_their_column_meanwhile(rescaled: Scene) -> None:
    rescaled.play("points", possible=30)
    assert send(rescaled) == {"SKIPPED": 3}
    assert as_it_was(rescaled, points=30)
    rescaled.publish()
    assert rescaled.problems() == [("CHANGED_THERE", "Oral")]


def test_texts_are_not_written_where_the_change_of_their_schema_is_refused(lettered: Scene) -> None:
    CHANGES["lower bounds"](lettered)
    lettered.grades(eve="B")
    lettered.approve(lettered.plan().held.digest)
    spoil(lettered, "PATCH gradebook/schemas/*", kind="status", status=400, times=1)
    assert send(lettered) == {"REJECTED": 1, "SKIPPED": 1}
    assert "eve" not in shown(lettered)
    lettered.publish()
    assert shown(lettered)["eve"] == "B"


def test_a_plan_that_failed_once_is_carried_out_when_it_is_made_anew(rescaled: Scene) -> None:
    spoil(rescaled, "PATCH gradebook/columns/*", kind="status", status=400, times=1)
    send(rescaled)
    rescaled.publish(again=True)
    assert rescaled.there() == {"Oral": {"ann": "150", "bob": "100"}}
    assert (rescaled.problems(), rescaled.due()) == ([], [])
