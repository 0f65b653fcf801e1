"""`gradeway settings` and `gradeway db upgrade`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from alembic.util.exc import CommandError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from gradeway import feeds
from gradeway.cli import out
from gradeway.cli.out import Field
from gradeway.cli.shell import DONE
from gradeway.errors import StoreError, StoreNotReadyError
from gradeway.settings import PREFIX, Settings, load
from gradeway.store.engine import Store
from gradeway.store_url import STORE_CONNECTION

SETTINGS = (
    Field("variable", whole=True),
    Field("value"),
    Field("from", wide_only=True),
    Field("default", wide_only=True),
    Field("meaning"),
)
SECRET_WORDS = ("password", "passwd", "secret", "token", "key")


def hidden(url: str) -> str:
    """Return a database URL without its password, wherever in it that is."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return "not a SQLAlchemy URL"
    secret = [name for name in parsed.query if any(word in name.lower() for word in SECRET_WORDS)]
    return parsed.update_query_dict(dict.fromkeys(secret, "***")).render_as_string(hide_password=True)


def list_settings(output: str) -> int:
    """Print every setting; return the exit code."""
    settings = load()
    feeds.check(settings)
    items = _settings(settings, os.environ)
    if output == "json":
        out.print_json({"settings": items})
    else:
        out.say(out.table(SETTINGS, [[item[field.title] for field in SETTINGS] for item in items]))
    return DONE


def _settings(settings: Settings, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "variable": f"{PREFIX}{name.upper()}",
            "value": _shown(name, getattr(settings, name)),
            "from": _source(name, environment),
            "default": _shown(name, field.default),
            "meaning": field.description,
        }
        for name, field in Settings.model_fields.items()
    ]


def _shown(name: str, value: object) -> str:
    if name == "database_url":
        return hidden(str(value)) if value else ""
    if name == "landing" and str(value) == ".":
        return ""
    if isinstance(value, frozenset):
        return ", ".join(sorted(value))
    if isinstance(value, Mapping):
        return " ".join(f"{kind}={limit.count}/{limit.percent}" for kind, limit in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)


def _source(name: str, environment: Mapping[str, str]) -> str:
    if environment.get(f"{PREFIX}{name.upper()}", "").strip():
        return "environment"
    connection = f"AIRFLOW_CONN_{STORE_CONNECTION.upper()}"
    return connection if name == "database_url" and environment.get(connection) else "default"


def upgrade_store(output: str) -> int:
    """Bring the store's tables to this program's version; return the exit code."""
    store = Store(load().database_url)
    try:
        store.ready()
    except StoreNotReadyError:
        _upgrade(store)
    version, _ = store.version()
    if output == "json":
        out.print_json({"store": hidden(store.url), "version": version})
    else:
        out.say(f"the store {hidden(store.url)} is at version {version}")
    return DONE


def _upgrade(store: Store) -> None:
    try:
        store.upgrade()
    except CommandError:
        msg = "the store's tables are newer than this program: update Gradeway"
        raise StoreError(msg) from None
