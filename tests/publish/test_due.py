"""What is due is found in the store alone: all of it, nothing else, and quickly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import delete, event, update

from gradeway import clock
from gradeway.publish.due import due_courses, unseen_courses
from gradeway.store.engine import Store
from gradeway.store.models import Course, Grade, GradeColumn
from gradeway.store.publish import LEARN
from loading.installations import BOTH_KINDS, MakeWorld
from publish.big_term import Term
from publish.scene import Scene

EVENTS: dict[str, Callable[[Scene], None]] = {
    "a new grade": lambda scene: scene.grades(bob=8),
    "a changed grade": lambda scene: scene.grades(ann=8),
    "a grade that is gone": lambda scene: scene.remove_grades("Oral", "ann"),
    "a new column": lambda scene: scene.column("Essay"),
    "a changed column": lambda scene: scene.column(points=30, schema="Letters"),
    "a column that is gone": lambda scene: scene.remove_column("Oral"),
    "a changed schema": lambda scene: scene.schemas("Letters|A=91:F=0"),
    "another external grade": lambda scene: scene.land("colext", "courseId|name", "{c}|Oral"),
}


@pytest.fixture
def settled(scene: Scene) -> Scene:
    """Two courses with which nothing is to be done."""
    other = Scene(scene.world, scene.site, "closed")
    for each in (scene, other):
        each.schemas("Letters|A=90:F=0" if each is scene else "Words|good=50:bad=0")
        each.column(schema="Letters" if each is scene else "Words")
        each.grades(ann=7)
    scene.publish()
    assert scene.due() == []
    return scene


@BOTH_KINDS
@pytest.mark.parametrize("event", EVENTS)
def test_what_changes_in_a_course_makes_just_that_course_due_until_it_is_published(settled: Scene, event: str) -> None:
    EVENTS[event](settled)
    assert settled.due() == [settled.course]
    assert settled.due(again=True) == sorted([settled.course, "closed"])
    settled.publish_all()
    assert settled.due() == []


def test_a_learner_who_is_new_to_the_store_is_not_due(settled: Scene) -> None:
    settled.grades(ann="7.0")
    assert settled.due() == []


def test_what_waits_for_a_schema_is_due_when_that_has_changed(scene: Scene) -> None:
    scene.schemas("Words|good:bad")
    scene.column(schema="Words")
    scene.grades(ann="good")
    scene.publish()
    scene.grades(bob="good")
    assert scene.due() == []
    scene.schemas("Words|good=50:bad=0")
    assert scene.due() == [scene.course]


def test_what_waits_for_its_column_is_due_when_that_has_changed(scene: Scene) -> None:
    scene.column("Total")
    scene.grades(column="Total", ann=7)
    scene.publish()
    scene.grades(column="Total", ann=8)
    assert scene.due() == []
    scene.column("Total", points=30)
    assert scene.due() == [scene.course]


def test_what_was_refused_because_of_a_value_is_due_with_another(settled: Scene) -> None:
    settled.grades(nobody=7)
    settled.publish()
    assert settled.due() == []
    settled.grades(nobody=8)
    assert settled.due() == [settled.course]
    settled.remove_grades("Oral", "nobody")
    assert settled.due() == []


def test_courses_come_in_the_order_of_their_identifiers(make_world: MakeWorld) -> None:
    world = make_world()
    world.land("f.colnc", "courseId|name", *(f"{course}|Oral" for course in ("zeta", "alpha", "mid")))
    with world.intake.store.session() as session:
        names = {course.id: course.source_id for course in session.query(Course)}
        assert [names[key] for key in due_courses(session, LEARN)] == ["alpha", "mid", "zeta"]


def test_everything_is_every_course_with_something_of_ours(settled: Scene) -> None:
    settled.remove_column("Oral")
    settled.publish_all()
    with settled.world.intake.store.session() as session:
        names = {course.id: course.source_id for course in session.query(Course)}
        assert [names[key] for key in unseen_courses(session, LEARN, clock.now())] == ["closed"]


# many


@pytest.fixture
def term(make_world: MakeWorld) -> Store:
    """A store with a term that is published, in which some things have changed since."""
    store = make_world().intake.store
    Term(courses=200, columns=5, learners=20).fill(store)
    with store.writing() as session:
        session.execute(update(Grade).where(Grade.column_id == 1003, Grade.learner_id == 4).values(value="8"))
        session.execute(delete(Grade).where(Grade.column_id == 1017, Grade.learner_id == 9))
        session.execute(update(GradeColumn).where(GradeColumn.id == 1999).values(line=3))
    return store


def test_a_few_changes_among_many_are_found(term: Store) -> None:
    with term.session() as session:
        assert due_courses(session, LEARN) == due_courses(session, LEARN, again=True) == [1000, 1003, 1199]


def test_no_table_is_read_again_for_each_row_of_another(term: Store) -> None:
    for statement, parameters in statements_of(term):
        with term.engine.connect() as connection:
            if term.is_sqlite:
                told = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                scans = [row[3] for row in told if row[3].startswith("SCAN")]
                assert len(scans) <= 1, (scans, statement)
            else:
                told = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
                assert list(repeated_scans(told.scalar_one()[0]["Plan"])) == [], statement


def statements_of(store: Store) -> list[tuple[str, Any]]:
    """The statements by which it is found what is due."""
    found: list[tuple[str, Any]] = []

    def hear(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:  # noqa: ANN401
        found.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", hear)
    with store.session() as session:
        due_courses(session, LEARN)
    event.remove(store.engine, "before_cursor_execute", hear)
    assert len(found) > 5
    return found


def repeated_scans(node: dict[str, Any]) -> Iterator[str]:
    """Yield the tables that PostgreSQL read from end to end again and again, but for a worker or for a few rows."""
    if node["Node Type"] == "Seq Scan" and node["Actual Loops"] > 10:
        yield node["Relation Name"]
    for inner in node.get("Plans", []):
        yield from repeated_scans(inner)
