"""Whatever a store holds, its files loaded into an empty Gradeway make the same, but for what is told as a problem."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradeway.store.models import ColumnKind, Course, Grade, GradeColumn, GradeSchema, Learner
from gradeway.store.publish import PublishProblem
from loading.installations import fast_folder
from loading.world import World
from publish.file_scene import FileScene
from publish.filling import GIVEN

SETTINGS = settings(
    max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
Values = dict[str, Any]
# Letters, and what separates, quotes, ends, hides or decomposes somewhere.
MARKS = "aZ0É漢 \u00a0|;,:=\"'#\t\u2028\ufeff\u0301"
ODD = st.text(MARKS, min_size=1, max_size=5)
PLAIN = st.text("aZ0É漢'#,;", min_size=1, max_size=5)
DAYS = st.none() | st.dates()
NUMBERS = st.decimals(min_value=Decimal("0.001"), max_value=999, places=3).map(lambda number: number.normalize())
PAIRS = st.dictionaries(PLAIN, PLAIN, max_size=2)
LEARNERS = st.lists(st.sampled_from(["ann", "bob"]) | ODD, unique=True, max_size=3)


@st.composite
def schemas(draw: st.DrawFn) -> Values:
    texts = draw(st.lists(PLAIN, min_size=1, max_size=3, unique=True))
    bounds = [["0"], *([str(place * 10)] for place in range(1, len(texts)))] if draw(st.booleans()) else []
    symbols = [[text, *(bounds[place] if bounds else [None])] for place, text in enumerate(texts)]
    return {"title": draw(st.sampled_from("ST") | ODD), "symbols": symbols, "optional_data": draw(PAIRS)}


@st.composite
def columns(draw: st.DrawFn) -> Values:
    kind = draw(st.sampled_from(ColumnKind))
    found = {
        "name": draw(st.sampled_from(["Oral", "Essay"]) | ODD),
        "kind": kind,
        "description": draw(st.just("") | ODD) if kind != ColumnKind.ASSIGNMENT else "",
        "due_date": draw(DAYS),
        "points": draw(NUMBERS),
        "optional_data": draw(PAIRS),
        "schema": draw(st.integers(-1, 1)),
        "learners": draw(LEARNERS) if kind != ColumnKind.CALCULATED else [],
    }
    return found | (draw(assignments()) if kind == ColumnKind.ASSIGNMENT else {})


@st.composite
def assignments(draw: st.DrawFn) -> Values:
    start, end = sorted([draw(st.dates()), draw(st.dates())])
    return {
        "instructions": draw(st.just("") | ODD),
        "content_area": draw(st.sampled_from(["Tasks", "Tasks@>@Late"])),
        "colour": draw(st.just("") | ODD),
        "attempts": draw(st.sampled_from([-1, 1, 7])),
        "start_date": draw(st.none() | st.just(start)),
        "end_date": draw(st.none() | st.just(end)),
    } | {name: draw(st.booleans()) for name in ("anonymous", "group_work", "available", "tracked")}


COURSE = st.tuples(st.sampled_from(["C", "D"]) | ODD, st.lists(columns(), max_size=4), st.integers(-1, 3))
STORES = st.tuples(
    st.lists(schemas(), max_size=2, unique_by=lambda schema: schema["title"]),
    st.lists(COURSE, min_size=1, max_size=2, unique_by=lambda course: course[0]),
)
WRITTEN = st.fixed_dictionaries(
    {"delimiter": st.sampled_from("|;,~"), "date_pattern": st.sampled_from(["yyyy-MM-dd", "d/M/yyyy", "MM.dd.yyyy"])}
)


@contextmanager
def scene_of(template: Path, written: Values) -> Iterator[FileScene]:
    with fast_folder() as folder:
        (folder / "outgoing").mkdir()
        for name in ("ours", "importer"):
            shutil.copy(template, folder / f"{name}.db")
        about = {"publish_target": "files", "publish_files_folder": folder / "outgoing", "publish_files_wait": False}
        world = World(folder / "ours", f"sqlite:///{folder}/ours.db", **about, **written)
        importer = World(folder / "importer", f"sqlite:///{folder}/importer.db", **written)
        yield FileScene(world, importer)
        for each in (world, importer):
            each.intake.store.engine.dispose()


def fill(scene: FileScene, some: list[Values], courses: list[tuple[str, list[Values], int]]) -> None:
    """Put schemas and courses into the store; of a course, the column at a place is the external one."""
    with scene.world.intake.store.writing() as session:
        made = [GradeSchema(**GIVEN | schema) for schema in some]
        session.add_all(made)
        learners: dict[str, Learner] = {}
        for source_id, of_course, external in courses:
            course = Course(source_id=source_id)
            session.add(course)
            session.flush()
            for place, values in enumerate(of_course):
                fields = {name: value for name, value in values.items() if name not in {"schema", "learners"}}
                schema = made[values["schema"]] if -1 < values["schema"] < len(made) else None
                about = {"course_id": course.id, "match_key": str(place), "external": place == external}
                column = GradeColumn(**GIVEN | fields | about, schema_id=schema.id if schema else None)
                session.add(column)
                session.flush()
                for number, name in enumerate(values["learners"]):
                    if name not in learners:
                        learners[name] = Learner(source_id=name)
                        session.add(learners[name])
                        session.flush()
                    value = schema.symbols[0][0] if schema and number % 2 else str(values["points"].to_integral_value())
                    key = {"column_id": column.id, "learner_id": learners[name].id}
                    session.add(Grade(**key, value=value or "", batch_id=1, line=1))


def published(world: World) -> Values:
    """What a store has, but for what is told as a problem, and schemas that nothing uses."""
    with world.intake.store.session() as session:
        hindered = {(each.kind, each.entity_id, each.learner_id) for each in session.query(PublishProblem)}
        columns = [each for each in session.query(GradeColumn) if ("column", each.id, 0) not in hindered]
        courses = {each.id: each.source_id for each in session.query(Course)}
        titles = {each.id: each for each in session.query(GradeSchema)}
        used = {each.schema_id for each in columns if each.schema_id}
        learners = {each.id: each.source_id for each in session.query(Learner)}
        names = {each.id: (courses[each.course_id], each.name) for each in columns}
        grades = [
            each
            for each in session.query(Grade)
            if each.column_id in names and ("grade", each.column_id, each.learner_id) not in hindered
        ]
        return {
            "schemas": {titles[key].title: (titles[key].symbols, titles[key].optional_data) for key in used},
            "columns": {names[each.id]: fields(each) for each in columns},
            "grades": {(*names[each.column_id], learners[each.learner_id]): each.value for each in grades},
        }


def fields(column: GradeColumn) -> tuple[object, ...]:
    same = ("kind", "points", "external", "optional_data", "due_date", "description", "attempts", "start_date")
    more = ("end_date", "instructions", "content_area", "colour", "anonymous", "group_work", "available", "tracked")
    return tuple(getattr(column, name) for name in (*same, *more))


@SETTINGS
@given(store=STORES, written=WRITTEN)
def test_any_store_comes_out_as_it_is(sqlite_template: Path, store: Any, written: Values) -> None:  # noqa: ANN401
    with scene_of(sqlite_template, written) as scene:
        fill(scene, *store)
        sent = scene.publish()
        assert (sent.failures, sent.paused) == ([], "")
        scene.take()
        assert published(scene.importer) == published(scene.world)
        codes = {each.code for each in scene.all_problems()}
        waiting = {"SCHEMA_WAITED_FOR", "COLUMN_WAITED_FOR"}
        assert codes <= waiting | {"CELL_REFUSED", "COLUMN_TAKEN"}
        assert scene.publish(everything=True).outcomes == {}
        assert scene.names() == []
