"""Gradeway: flat files of a student information system, checked and loaded under Airflow."""

__version__ = "0.1.0"
