"""Tests here may look at the desk inside Airflow's own web app, and have an installation of their own."""

from fixtures.desks import airflow_desk, desk, lively
from fixtures.intakes import empty_store, home, site

__all__ = ["airflow_desk", "desk", "empty_store", "home", "lively", "site"]
