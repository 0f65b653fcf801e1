"""The command line: everything a DAG does, by the same functions, without Airflow."""

from gradeway.cli.commands import main

__all__ = ["main"]
