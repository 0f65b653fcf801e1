"""Gradeway under Airflow; the only package that may import it."""
