"""What every test stands on: an Airflow home of its own, and real databases."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import postgres

PROJECT = Path(__file__).resolve().parents[1]

pytest_plugins = ["loading.installations", "fixtures.learn_api", "fixtures.sandboxes"]

# Airflow reads its environment once, when it is first imported: so here, before any test module.
# Removed when the process ends.
_AIRFLOW_HOME = tempfile.TemporaryDirectory(prefix="gw-airflow-", ignore_cleanup_errors=True)
# What points the contract tests at a real tenant is theirs.
_KEPT = {"GRADEWAY_CONTRACT_QUESTIONMARK", "GRADEWAY_CONTRACT_WRITE", "AIRFLOW_CONN_GRADEWAY_QUESTIONMARK"}
for _name in [name for name in os.environ if name.startswith(("AIRFLOW", "GRADEWAY_")) and name not in _KEPT]:
    del os.environ[_name]
os.environ |= {
    "AIRFLOW_HOME": _AIRFLOW_HOME.name,
    "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_AIRFLOW_HOME.name}/airflow.db",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    # A test that forgets to name a home must not touch the developer's own.
    "GRADEWAY_HOME": f"{_AIRFLOW_HOME.name}/gradeway",
}
# With an Airflow in memory, looking for garbage as often as usual takes a tenth of the time of all tests.
gc.set_threshold(100_000, 50, 100)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Use a process more than there are cores: each now and then waits for a sandbox or a database of its own."""
    return min((os.cpu_count() or 1) + 1, 4)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server that belongs to this process (each xdist worker has one)."""
    with postgres.server() as url:
        yield url


@pytest.fixture
def postgres_db(postgres_url: str) -> Iterator[str]:
    """The URL of a new empty PostgreSQL database."""
    with postgres.database(postgres_url) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new empty database; the test runs once on each kind that the store supports."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("postgres_db"))


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """Make Airflow's metadata database, for tests that run DAGs in this process."""
    from airflow.utils.db import initdb

    initdb()
