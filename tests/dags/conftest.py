"""The DAGs as Airflow reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

DAGS = Path(__file__).resolve().parents[2] / "dags"


@pytest.fixture
def dagbag(airflow_db: None) -> DagBag:
    """Every DAG file, read anew, so that a test may change what it gets."""
    return DagBag(str(DAGS))
