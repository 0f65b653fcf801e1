"""Tests here use installations on each kind of database."""

from loading.installations import (
    empty_store,
    folder,
    make_world,
    postgres_store,
    shared_postgres_store,
    sqlite_store,
    sqlite_template,
    world,
)

__all__ = [
    "empty_store",
    "folder",
    "make_world",
    "postgres_store",
    "shared_postgres_store",
    "sqlite_store",
    "sqlite_template",
    "world",
]
