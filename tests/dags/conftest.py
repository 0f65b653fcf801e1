"""The DAGs as Airflow reads them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
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
def run(dagbag: DagBag, home: Path, in_haste: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run a DAG to its end; Airflow looks often whether something is to be done, and tries again at once."""
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.05)))

    def test(dag_id: str, **conf: object) -> Ran:
        dag = dagbag.dags[dag_id]
        for task in dag.tasks:
            task.retry_delay = timedelta(0)
        return Ran(dag.test(run_conf=conf))

    return test
