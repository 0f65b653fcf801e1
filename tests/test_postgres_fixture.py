"""The databases that the other tests stand on are what they say."""

from __future__ import annotations

import tempfile
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, make_url, text

import postgres


def test_the_store_runs_on_a_new_empty_database_of_each_kind(store_url: str, request: pytest.FixtureRequest) -> None:
    engine = create_engine(store_url)
    assert engine.dialect.name == request.node.callspec.params["store_url"]
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE only_once (id integer)"))
    engine.dispose()


def test_each_database_starts_empty_and_is_dropped_under_an_open_connection(postgres_url: str) -> None:
    with postgres.database(postgres_url) as url:
        engine = create_engine(url)
        connection = engine.connect()
        tables = text("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'")
        assert connection.scalar(tables) == 0
        name = make_url(url).database
    connection.invalidate()
    engine.dispose()
    with create_engine(postgres_url).connect() as server:
        assert name not in server.scalars(text("SELECT datname FROM pg_database")).all()


def test_a_server_leaves_nothing_behind() -> None:
    with postgres.server() as url:
        folder = Path(str(make_url(url).query["host"]))
        pid = int((folder / "postmaster.pid").read_text().splitlines()[0])
        assert folder.is_relative_to(tempfile.gettempdir())
    assert not folder.exists()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
