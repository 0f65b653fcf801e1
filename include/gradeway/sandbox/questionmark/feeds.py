"""Reading: which feed or entity a path names, and how its answer looks.

Answers are OData v3 JSON light: at most 100 entities with a continuation, expanded entities first,
64-bit integers as text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from gradeway.sandbox.documents import Document, Documents, Where
from gradeway.sandbox.frame import Refused
from gradeway.sandbox.questionmark.edm import Edm
from gradeway.sandbox.questionmark.entities import ABSENT_SETS, SETS
from gradeway.sandbox.questionmark.model import KEY, EntitySet
from gradeway.sandbox.questionmark.query import Expand, Options

PAGE = 100
SEGMENT = re.compile(r"([A-Za-z]+)(?:\(([^()]*)\))?", re.ASCII)


@dataclass(frozen=True)
class Feed:
    """A list of entities; ``base`` if it is a whole entity set."""

    entity_set: EntitySet
    where: Where
    path: str
    base: bool


@dataclass(frozen=True)
class One:
    """One entity."""

    entity_set: EntitySet
    document: Document


Resource = Feed | One


def resolve(documents: Documents, path: str) -> Resource:
    """Return what a path names.

    Raises:
        Refused: nothing (404), or something the sandbox does not have (501).
    """
    found: Resource | None = None
    walked = ""
    for segment in path.split("/"):
        match = SEGMENT.fullmatch(segment)
        if not match:
            raise Refused(404, f"Resource not found for the segment '{segment}'.")
        name, key = match.groups()
        walked = f"{walked}/{name}".lstrip("/")
        feed = _base(name) if found is None else _navigated(documents, found, name, walked)
        found = feed if key is None or isinstance(feed, One) else _entity(documents, feed, key)
        walked += "" if key is None else f"({key})"
    if found is None:
        raise Refused(404, "Resource not found.")
    return found


def _base(name: str) -> Feed:
    if name in SETS:
        return Feed(SETS[name], Where(), name, base=True)
    status = 501 if name in ABSENT_SETS else 404
    raise Refused(status, f"Resource not found for the segment '{name}'.")


def _navigated(documents: Documents, found: Resource, name: str, path: str) -> Resource:
    if name in found.entity_set.absent:
        raise Refused(501, f"{found.entity_set.name}/{name} is documented, but not part of this sandbox.")
    if isinstance(found, Feed) or name not in found.entity_set.navigations:
        raise Refused(404, f"Resource not found for the segment '{name}'.")
    navigation = found.entity_set.navigations[name]
    target = SETS[navigation.target]
    where = navigation.where(documents, found.document)
    if navigation.many:
        return Feed(target, where, path, base=False)
    return _first(documents, target, where, name)


def _entity(documents: Documents, feed: Feed, key: str) -> One:
    kind = feed.entity_set.properties[KEY].kind
    if not re.fullmatch(r"-?\d{1,18}" + ("L" if kind is Edm.INT64 else ""), key, re.ASCII):
        raise Refused(400, f"Unrecognized '{kind}' literal '{key}'.")
    return _first(documents, feed.entity_set, feed.where & Where("key = ?", (int(key.rstrip("L")),)), key)


def _first(documents: Documents, target: EntitySet, where: Where, name: str) -> One:
    rows = documents.find(target.name, where, limit=1)
    if not rows:
        raise Refused(404, f"Resource not found for the segment '{name}'.")
    return One(target, rows[0])


class Reader:
    """Renders feeds and entities below a service root (a URL that ends in a slash)."""

    def __init__(self, documents: Documents, root: str) -> None:
        self._documents = documents
        self._root = root

    def feed(self, feed: Feed, options: Options) -> Document:
        """Return a page of a feed."""
        after = Where() if options.after is None else Where("key > ?", (options.after,))
        size = PAGE if options.top is None else min(PAGE, options.top)
        rows = self._documents.find(
            feed.entity_set.name,
            feed.where & options.where & after,
            order=options.order or "key",
            limit=size + 1,
            offset=options.skip,
        )
        page: Document = {
            "odata.metadata": f"$metadata#{feed.entity_set.name}",
            "value": [self._render(feed.entity_set, row, options.expand) for row in rows[:size]],
        }
        if len(rows) > size and size != options.top:
            page["odata.nextLink"] = self._url(feed.path, _continued(options, rows[size - 1]))
        return page

    def entity(self, one: One, expand: Expand) -> Document:
        """Return one entity as an answer of its own."""
        metadata = {"odata.metadata": f"$metadata#{one.entity_set.name}/@Element"}
        return metadata | self._render(one.entity_set, one.document, expand)

    def url_of(self, one: One) -> str:
        """Return an entity's own URL."""
        return self._url(f"{one.entity_set.name}({one.entity_set.key_text(one.document)})", {})

    def _url(self, path: str, query: Mapping[str, str]) -> str:
        text = urlencode(query, quote_via=quote, safe="$/,()'")
        return f"{self._root}{path}{'?' if text else ''}{text}"

    def _render(self, entity_set: EntitySet, document: Document, expand: Expand) -> Document:
        rendered: Document = {}
        for name, deeper in expand.items():
            rendered |= self._expanded(entity_set, document, name, deeper)
        return rendered | {name: document.get(name) for name in entity_set.properties}

    def _expanded(self, entity_set: EntitySet, document: Document, name: str, deeper: Expand) -> Document:
        navigation = entity_set.navigations[name]
        target = SETS[navigation.target]
        rows = self._documents.find(target.name, navigation.where(self._documents, document), limit=PAGE + 1)
        entities = [self._render(target, row, deeper) for row in rows[:PAGE]]
        if not navigation.many:
            return {name: entities[0] if entities else None}
        if len(rows) <= PAGE:
            return {name: entities}
        path = f"{entity_set.name}({entity_set.key_text(document)})/{name}"
        query = {"$expand": ",".join(deeper)} if deeper else {}
        link = self._url(path, query | {"$skiptoken": str(rows[PAGE - 1][KEY])})
        return {name: entities, f"{name}@odata.nextLink": link}


def _continued(options: Options, last: Document) -> dict[str, str]:
    kept = {name: text for name, text in options.raw.items() if name not in {"$skip", "$skiptoken", "$top"}}
    if options.top is not None:
        kept["$top"] = str(options.top - PAGE)
    # An order of the client's own has no key to go on behind; the vendor's links differ by index, too.
    place = {"$skip": str(options.skip + PAGE)} if options.order else {"$skiptoken": str(last[KEY])}
    return kept | place
