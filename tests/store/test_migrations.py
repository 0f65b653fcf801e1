"""The migrations make the tables that the models describe, from any start, on both databases."""

from __future__ import annotations

import re

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from crash.kill import at_once
from gradeway.errors import StoreNotReadyError
from gradeway.store import custody, exams  # noqa: F401  their tables are among the metadata
from gradeway.store.engine import MIGRATIONS, VERSION_TABLE, Store
from gradeway.store.models import Base

TABLES = {table.name for table in Base.metadata.sorted_tables}


def differences(store: Store) -> list[object]:
    with store.engine.connect() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": False}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))


def migrate(store: Store, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with store.exclusive() as session:
        config.attributes["connection"] = session.connection()
        command.downgrade(config, revision)


def tables(store: Store) -> set[str]:
    return set(inspect(store.engine).get_table_names()) - {VERSION_TABLE}


def test_the_migrations_are_one_line_with_one_end() -> None:
    scripts = ScriptDirectory(str(MIGRATIONS))
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1
    assert [script.revision for script in scripts.walk_revisions() if script.is_merge_point] == []


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
