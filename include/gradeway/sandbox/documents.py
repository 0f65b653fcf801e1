"""Where a sandbox keeps its data: documents by collection and key, and links between them.

One SQLite file, one process, one transaction at a time. A document is its vendor's JSON; the
properties that can be searched stand beside it as indexed columns, so that a page out of
thousands is found without reading the others.
"""

# ruff: noqa: S608  (the names in the statements are the collections' own; values are always bound)

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gradeway.errors import SettingsError

T = TypeVar("T")
Document = dict[str, Any]
Cell = int | str | None


@dataclass(frozen=True)
class Collection:
    """A kind of document, and the sortable form of each property that can be searched."""

    name: str
    columns: Mapping[str, Callable[[Any], Cell]]


@dataclass(frozen=True)
class Where:
    """A condition with its bound values; without any, it holds for every document."""

    sql: str = "1"
    values: tuple[Cell, ...] = ()

    def __and__(self, other: Where) -> Where:
        return Where(f"({self.sql}) AND ({other.sql})", self.values + other.values)


class Documents:
    """The documents of one sandbox.

    Raises:
        SettingsError: the file cannot be used, or another sandbox is using it.
    """

    def __init__(self, file: Path, collections: Iterable[Collection]) -> None:
        self._collections = {collection.name: collection for collection in collections}
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(file, timeout=0, isolation_level=None)
            self._open()
        except (OSError, sqlite3.Error) as error:
            used = "locked" in str(error)
            msg = f"{file} cannot be used: {'another sandbox is using it' if used else type(error).__name__}"
            raise SettingsError(msg) from None

    def _open(self) -> None:
        # Exclusive: a second process must not write behind this one's back.
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute("BEGIN IMMEDIATE")
        for collection in self._collections.values():
            self._create(collection)
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS links (relation TEXT, source, target,"
            " PRIMARY KEY (relation, source, target)) WITHOUT ROWID"
        )
        self._db.execute("CREATE INDEX IF NOT EXISTS links_back ON links (relation, target, source)")
        self._db.execute("COMMIT")

    def _create(self, collection: Collection) -> None:
        names = "".join(f', "{column}"' for column in collection.columns)
        self._db.execute(
            f'CREATE TABLE IF NOT EXISTS "{collection.name}"'
            f" (key NOT NULL PRIMARY KEY{names}, document TEXT NOT NULL) WITHOUT ROWID"
        )
        for column in collection.columns:
            self._db.execute(
                f'CREATE INDEX IF NOT EXISTS "{collection.name}_{column}" ON "{collection.name}" ("{column}")'
            )

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def run(self, work: Callable[[], T]) -> tuple[T, bool]:
        """Do work in one transaction; return what it returned and whether it changed anything."""
        before = self._db.total_changes
        self._db.execute("BEGIN")
        try:
            result = work()
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        return result, self._db.total_changes > before

    def is_empty(self, collections: Iterable[str]) -> bool:
        """Return whether none of some collections has a document."""
        return not any(self.count(name) for name in collections)

    def get(self, collection: str, key: Cell) -> Document | None:
        """Return the document with a key, or None."""
        found = self.find(collection, Where("key = ?", (key,)), limit=1)
        return found[0] if found else None

    def find(
        self, collection: str, where: Where | None = None, *, order: str = "key", limit: int = -1, offset: int = 0
    ) -> list[Document]:
        """Return the documents that a condition holds for."""
        where = where or Where()
        rows = self._db.execute(
            f'SELECT document FROM "{collection}" WHERE {where.sql} ORDER BY {order} LIMIT ? OFFSET ?',
            (*where.values, limit, offset),
        )
        return [json.loads(text) for (text,) in rows]

    def count(self, collection: str, where: Where | None = None) -> int:
        """Return how many documents a condition holds for."""
        where = where or Where()
        rows = self._db.execute(f'SELECT count(*) FROM "{collection}" WHERE {where.sql}', where.values)
        return int(rows.fetchone()[0])

    def next_key(self, collection: str) -> int:
        """Return the number after the highest key."""
        return int(self._db.execute(f'SELECT coalesce(max(key), 0) + 1 FROM "{collection}"').fetchone()[0])

    def put(self, collection: str, key: Cell, document: Document) -> Document:
        """Write a document, new or over the one with that key; return it."""
        columns = self._collections[collection].columns
        cells = [None if document.get(name) is None else form(document[name]) for name, form in columns.items()]
        marks = ", ".join("?" * (len(cells) + 2))
        text = json.dumps(document, ensure_ascii=False)
        self._db.execute(f'INSERT OR REPLACE INTO "{collection}" VALUES ({marks})', (key, *cells, text))
        return document

    def link(self, relation: str, source: Cell, target: Cell) -> None:
        """Link two documents; once is enough."""
        self._db.execute("INSERT OR IGNORE INTO links VALUES (?, ?, ?)", (relation, source, target))

    def linked(self, relation: str, key: Cell, *, reverse: bool = False) -> list[Any]:
        """Return the keys that a document is linked to (reverse: those that are linked to it)."""
        near, far = ("target", "source") if reverse else ("source", "target")
        rows = self._db.execute(
            f"SELECT {far} FROM links WHERE relation = ? AND {near} = ? ORDER BY 1", (relation, key)
        )
        return [found for (found,) in rows]

    def links(self, relation: str) -> list[tuple[Any, Any]]:
        """Return the source and target of every link of a relation."""
        return self._db.execute("SELECT source, target FROM links WHERE relation = ?", (relation,)).fetchall()


def linked(relation: str, key: Cell, *, reverse: bool = False) -> Where:
    """Return the condition that holds for the documents that one is linked to."""
    near, far = ("target", "source") if reverse else ("source", "target")
    return Where(f"key IN (SELECT {far} FROM links WHERE relation = ? AND {near} = ?)", (relation, key))


def among(column: str, keys: Iterable[Cell]) -> Where:
    """Return the condition that a column is one of some keys."""
    values = tuple(keys)
    return Where(f"{column} IN ({', '.join('?' * len(values))})", values)


def read_seed(file: Path) -> dict[str, list[Document]]:
    """Read a seed file.

    Raises:
        SettingsError: it cannot be read, or does not hold lists of entities by entity set.
    """
    try:
        seed = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        msg = f"the seed {file} cannot be read: {error.strerror}"
        raise SettingsError(msg) from None
    except ValueError as error:
        msg = f"the seed {file} is not JSON: {error}"
        raise SettingsError(msg) from None
    lists = seed.values() if isinstance(seed, dict) else [None]
    if not all(isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries) for entries in lists):
        msg = f'the seed {file} must be one object of lists of entities: {{"EntitySet": [{{...}}]}}'
        raise SettingsError(msg)
    return dict(seed)
