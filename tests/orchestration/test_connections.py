"""Where a task's settings come from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gradeway.errors import SettingsError
from gradeway.orchestration.connections import find, task_settings

POSTGRES = {
    "conn_type": "postgres",
    "host": "db",
    "port": 5433,
    "login": "gw",
    "password": "s3c/ret",
    "schema": "grades",
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own."""
    monkeypatch.setenv("GRADEWAY_HOME", str(tmp_path))
    return tmp_path


def test_without_anything_the_store_is_in_the_home(home: Path) -> None:
    assert task_settings().database_url == f"sqlite:///{home / 'gradeway.db'}"


def test_the_connection_names_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_GRADEWAY_STORE", json.dumps(POSTGRES))
    assert task_settings().database_url == "postgresql+psycopg://gw:s3c%2Fret@db:5433/grades"


def test_the_variable_wins_over_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_GRADEWAY_STORE", json.dumps(POSTGRES))
    monkeypatch.setenv("GRADEWAY_DATABASE_URL", "sqlite:////srv/gradeway.db")
    assert task_settings().database_url == "sqlite:////srv/gradeway.db"


def test_a_connection_to_something_else_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_GRADEWAY_STORE", json.dumps(POSTGRES | {"conn_type": "mysql"}))
    with pytest.raises(SettingsError, match="gradeway_store is of type mysql") as caught:
        task_settings()
    assert "s3c" not in str(caught.value)


def test_a_connection_that_does_not_exist_is_none() -> None:
    assert find("gradeway_no_such_thing") is None
