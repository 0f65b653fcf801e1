"""Settings and Connections as a task sees them: the environment first, then Airflow's own Connections."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from gradeway.settings import PREFIX, Settings, load
from gradeway.store_url import STORE_CONNECTION, database_url

if TYPE_CHECKING:
    from gradeway.vendors.connection import Endpoint

DATABASE_URL = f"{PREFIX}DATABASE_URL"


def find(name: str) -> Connection | None:
    """Return an Airflow Connection, or None if there is none of that name."""
    try:
        found: Connection = Connection.get(name)
    except AirflowNotFoundException:
        return None
    return found


def questionmark() -> Endpoint | None:
    """Return where Questionmark is: the tenant of the Connection ``gradeway_questionmark``, else the sandbox beside us.

    Raises:
        SettingsError: a field is wrong.
    """
    return _endpoint("gradeway_questionmark")


def assessmentq() -> Endpoint | None:
    """Return where assessmentQ is: what the Connection ``gradeway_assessmentq`` names, else the sandbox beside us.

    Raises:
        SettingsError: a field is wrong.
    """
    return _endpoint("gradeway_assessmentq")


def learn() -> Endpoint | None:
    """Return where Learn is: the site of the Connection ``gradeway_learn``, else the sandbox beside us.

    Raises:
        SettingsError: a field is wrong.
    """
    return _endpoint("gradeway_learn")


def _endpoint(name: str) -> Endpoint | None:
    from gradeway.vendors.connection import from_fields

    found = find(name) or find(f"{name}_sandbox")
    if found is None:
        return None
    return from_fields(
        found.conn_id,
        conn_type=found.conn_type,
        host=found.host,
        schema=found.schema,
        port=found.port,
        login=found.login,
        password=found.password,
        extra=found.extra,
    )


def task_settings() -> Settings:
    """Read the settings inside a task.

    The store is that of GRADEWAY_DATABASE_URL, else of the Connection ``gradeway_store``, else the
    SQLite file of the home.

    Raises:
        SettingsError: a variable or the Connection is wrong.
    """
    environment = dict(os.environ)
    if not environment.get(DATABASE_URL, "").strip() and (store := find(STORE_CONNECTION)):
        environment[DATABASE_URL] = database_url(
            store.conn_type or "",
            host=store.host,
            port=store.port,
            login=store.login,
            password=store.password,
            name=store.schema or "",
            options=store.extra_dejson,
        )
    return load(environment)
