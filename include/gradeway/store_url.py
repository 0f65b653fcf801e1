"""The address of the store, as an Airflow Connection tells it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from gradeway.errors import SettingsError

STORE_CONNECTION = "gradeway_store"
LIBPQ = ("ssl", "gss", "connect_timeout", "keepalives", "target_session_attrs", "application_name", "options")


def url_of_connection(text: str) -> str:
    """Turn an Airflow connection, in its URI or JSON form, into a SQLAlchemy URL.

    Raises:
        SettingsError: the text is neither form, or no kind of database we can use.
    """
    try:
        parts = json.loads(text) if text.lstrip().startswith("{") else _uri_parts(text)
        extra = parts.get("extra") or {}
        options = json.loads(extra) if isinstance(extra, str) else dict(extra)
        port = int(parts["port"]) if parts.get("port") else None
    except (ValueError, TypeError, AttributeError):
        msg = f"AIRFLOW_CONN_{STORE_CONNECTION.upper()} is wrong: neither a connection's URI nor its JSON"
        raise SettingsError(msg) from None
    host, login, password = parts.get("host"), parts.get("login"), parts.get("password")
    name = parts.get("schema") or ""
    return database_url(
        parts.get("conn_type", ""), host=host, port=port, login=login, password=password, name=name, options=options
    )


def _uri_parts(text: str) -> dict[str, Any]:
    uri = urlsplit(text)
    host, login, password = (unquote(part) if part else None for part in (uri.hostname, uri.username, uri.password))
    return {
        "conn_type": uri.scheme,
        "host": host,
        "login": login,
        "password": password,
        "port": uri.port,
        "schema": unquote(uri.path.lstrip("/")),
        "extra": dict(parse_qsl(uri.query)),
    }


def database_url(
    kind: str,
    *,
    host: str | None,
    port: int | None,
    login: str | None,
    password: str | None,
    name: str,
    options: Mapping[str, Any] | None = None,
) -> str:
    """Make the SQLAlchemy URL for a connection's fields; of the options, those of libpq count.

    Raises:
        SettingsError: the kind is neither PostgreSQL nor SQLite.
    """
    from sqlalchemy import URL

    if kind in {"postgres", "postgresql"}:
        query = {key: str(value) for key, value in (options or {}).items() if key.startswith(LIBPQ)}
        url = URL.create("postgresql+psycopg", login, password, host, port, name, query)
        return url.render_as_string(hide_password=False)
    if kind == "sqlite":
        return f"sqlite:///{host or '/' + name}"
    msg = f"connection {STORE_CONNECTION} is of type {kind or 'none'}; it must be postgres or sqlite"
    raise SettingsError(msg)
