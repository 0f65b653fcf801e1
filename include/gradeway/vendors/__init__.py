"""Clients of the outside systems: one shared transport, one module a vendor; none knows Airflow."""
