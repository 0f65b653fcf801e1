"""The DAGs as Airflow reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from fixtures.dagruns import Ran
from gradeway.intake import Intake
from gradeway.settings import load

DAGS = Path(__file__).resolve().parents[2] / "dags"


@pytest.fixture
def dagbag(airflow_db: None) -> DagBag:
    """Every DAG file, read anew, so that a test may change what it gets."""
    return DagBag(str(DAGS))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new installation, as the tasks find it through the environment."""
    monkeypatch.setenv("GRADEWAY_HOME", str(tmp_path))
    monkeypatch.setenv("GRADEWAY_SETTLE_SECONDS", "0")
    return tmp_path


@pytest.fixture
def intake(home: Path) -> Iterator[Intake]:
    """The same installation, as the test looks at it."""
    made = Intake(load())
    yield made
    made.store.engine.dispose()


@pytest.fixture
def run(dagbag: DagBag, home: Path) -> Callable[..., Ran]:
    """Run a DAG to its end."""

    def test(dag_id: str, **conf: object) -> Ran:
        return Ran(dagbag.dags[dag_id].test(run_conf=conf))

    return test
