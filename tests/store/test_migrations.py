"""The migrations make the tables that the models describe, from any start, on both databases."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import delete, inspect, select, text

from crash.kill import at_once
from gradeway.errors import StoreNotReadyError
from gradeway.store import custody, exams, publish  # noqa: F401  their tables are among the metadata
from gradeway.store.engine import MIGRATIONS, VERSION_TABLE, Store
from gradeway.store.models import Base, Change, Course, GradeColumn, GradeSchema

TABLES = {table.name for table in Base.metadata.sorted_tables}

BEFORE_UNDO = (
    "INSERT INTO course (id, source_id) VALUES (3, 'C1')",
    "INSERT INTO grade_schema (id, title, symbols, optional_data, given, batch_id, line)"
    """ VALUES (4, 'S', '[["A", "90"]]', '{}', '{}', 1, 2)""",
    "INSERT INTO grade_column (id, course_id, name, match_key, kind, points, schema_id, external, optional_data, given,"
    """ batch_id, line) VALUES (7, 3, 'X', 'X', 'manual', '100', 4, true, '{}', '{"name": 1}', 1, 2)""",
    "INSERT INTO change (entity, entity_id, batch_id, line) VALUES ('grade_column', 7, 1, 2)",
)


def differences(store: Store) -> list[object]:
    with store.engine.connect() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": False}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))


def migrate(store: Store, revision: str, *, up: bool = False) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with store.exclusive() as session:
        config.attributes["connection"] = session.connection()
        (command.upgrade if up else command.downgrade)(config, revision)


def tables(store: Store) -> set[str]:
    return set(inspect(store.engine).get_table_names()) - {VERSION_TABLE}


def test_the_migrations_are_one_line_with_one_end() -> None:
    scripts = ScriptDirectory(str(MIGRATIONS))
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1
    assert [script.revision for script in scripts.walk_revisions() if script.is_merge_point] == []


def test_nobody_else_reads_the_file_of_a_store(tmp_path: Path) -> None:
    for name in ("new/store.db", "new/other.db"):
        store = Store(f"sqlite:///{tmp_path / name}").ready()
        with store.writing() as session:  # with the files that SQLite makes beside it
            session.add(Course(source_id="C1"))
            session.flush()
            files = list((tmp_path / "new").iterdir())
            assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
        store.engine.dispose()


def test_an_empty_database_gets_the_tables_of_the_models(store_url: str) -> None:
    store = Store(store_url).ready()
    assert tables(store) == TABLES
    assert differences(store) == []
    current, head = store.version()
    assert current == head
    store.engine.dispose()


def test_a_ready_store_is_left_as_it_is(store_url: str) -> None:
    store = Store(store_url).ready()
    with store.writing() as session:
        session.execute(text("INSERT INTO learner (source_id) VALUES ('u1')"))
    store.ready()
    with store.session() as session:
        assert session.scalar(text("SELECT count(*) FROM learner")) == 1
    store.engine.dispose()


def test_down_and_up_again_ends_where_it_began(store_url: str) -> None:
    store = Store(store_url).ready()
    migrate(store, "base")
    assert tables(store) == set()
    store.upgrade()
    assert tables(store) == TABLES
    assert differences(store) == []
    store.engine.dispose()


def test_the_content_of_a_store_outlives_an_update_and_the_way_back(store_url: str) -> None:
    store = Store(store_url)
    migrate(store, "0004", up=True)
    with store.writing() as session:
        for statement in BEFORE_UNDO:
            session.connection().exec_driver_sql(statement)
    store.upgrade()
    with store.session() as session:
        column = session.scalars(select(GradeColumn)).one()
        assert (column.id, column.name, column.given, column.external) == (7, "X", {"name": 1}, True)
        assert session.get_one(GradeSchema, column.schema_id).symbols == [["A", "90"]]
        assert session.scalars(select(Change)).one().given == {}
    assert differences(store) == []
    migrate(store, "0004")
    with store.session() as session:
        assert session.execute(text("SELECT id, name, schema_id FROM grade_column")).all() == [(7, "X", 4)]
    store.engine.dispose()


def test_the_id_of_a_schema_or_column_that_was_removed_is_never_given_again(store_url: str) -> None:
    store = Store(store_url).ready()
    given = {"given": {}, "batch_id": 1, "line": 2, "optional_data": {}}
    numbers = set()
    for _ in range(2):
        with store.writing() as session:
            course = Course(source_id="C1")
            schema = GradeSchema(title="S", symbols=[], **given)
            session.add_all([course, schema])
            session.flush()
            column = GradeColumn(course_id=course.id, name="X", match_key="X", kind="manual", points=1, **given)
            session.add(column)
            session.flush()
            numbers |= {("schema", schema.id), ("column", column.id)}
            for model in (GradeColumn, GradeSchema, Course):
                session.execute(delete(model))
    assert len(numbers) == 4
    store.engine.dispose()


@pytest.mark.parametrize("version", ["0000", "9999"], ids=["older", "newer"])
def test_tables_of_another_version_are_refused_and_left_alone(store_url: str, version: str) -> None:
    store = Store(store_url).ready()
    with store.writing() as session:
        session.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{version}'"))  # noqa: S608
    with pytest.raises(StoreNotReadyError, match=re.escape(f"at version {version}")):
        store.ready()
    assert store.version()[0] == version
    store.engine.dispose()


def test_processes_that_find_an_empty_database_at_once_set_it_up_once(store_url: str) -> None:
    def set_up() -> None:
        assert tables(Store(store_url).ready()) == TABLES

    at_once(4, set_up)
    store = Store(store_url)
    assert differences(store) == []
    assert store.version()[0] == store.version()[1]
    store.engine.dispose()
