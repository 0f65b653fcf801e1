"""Starting data: entities by entity set become documents and links, or a refusal that names the place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gradeway.errors import SettingsError
from gradeway.sandbox.documents import Document, Documents
from gradeway.sandbox.questionmark import edm
from gradeway.sandbox.questionmark.edm import Edm
from gradeway.sandbox.questionmark.entities import OWNED, SETS, SUB_GROUPS
from gradeway.sandbox.questionmark.lobby import LAUNCHES, SECRETS
from gradeway.sandbox.questionmark.model import KEY, WRITE_ONLY, Children, EntitySet, Link, Reference, closure

COLLECTIONS = [*(entity_set.collection() for entity_set in SETS.values()), LAUNCHES, SECRETS]


def load(documents: Documents, seed: Mapping[str, list[Document]], now: datetime) -> None:
    """Load a seed.

    Raises:
        SettingsError: it holds what the service does not have, or leads to what is not there.
    """
    loader = _Loader(documents, edm.stamp(now))
    for name, entries in seed.items():
        if name not in SETS:
            msg = f"the seed has an unknown entity set {name}; there are {', '.join(SETS)}"
            raise SettingsError(msg)
        for number, entry in enumerate(entries, 1):
            loader.add(SETS[name], entry, f"{name}[{number}]")
    _settle_roots(documents)
    _check_owned(documents)
    _check_ends(documents)


class _Loader:
    def __init__(self, documents: Documents, now: str) -> None:
        self._documents = documents
        self._now = now

    def add(self, entity_set: EntitySet, entry: Document, place: str) -> int:
        """Add an entity, or what an entry says more of it; return its key."""
        fields = {name: value for name, value in entry.items() if "odata." not in name}
        values = {
            name: self._value(entity_set, name, value, f"{place}.{name}")
            for name, value in fields.items()
            if name not in entity_set.navigations
        }
        key = int(values.get(KEY) or self._documents.next_key(entity_set.name))
        values[KEY] = _key_of(entity_set.properties[KEY].kind, key)
        before = self._documents.get(entity_set.name, key) or {}
        document = self._documents.put(entity_set.name, key, entity_set.complete(before | values, self._now))
        for name in fields.keys() & entity_set.navigations.keys():
            self._relate(entity_set, document, name, fields[name], f"{place}.{name}")
        return key

    @staticmethod
    def _value(entity_set: EntitySet, name: str, value: object, place: str) -> Any:  # noqa: ANN401  (JSON)
        item = entity_set.properties.get(name)
        if item is None:
            msg = f"the seed has an unknown property {place}"
            raise SettingsError(msg)
        if value is None or name == WRITE_ONLY:
            return None
        try:
            return edm.canonical(item.kind, value)
        except ValueError as error:
            msg = f"the seed's {place}: {error}"
            raise SettingsError(msg) from None

    def _relate(self, entity_set: EntitySet, document: Document, name: str, value: object, place: str) -> None:
        navigation = entity_set.navigations[name]
        key = int(document[KEY])
        for number, item in enumerate(value if isinstance(value, list) else [] if value is None else [value], 1):
            more = {navigation.property: document[KEY]} if isinstance(navigation, Children) else {}
            other = self._key(SETS[navigation.target], item, more, f"{place}[{number}]")
            if isinstance(navigation, Link):
                ends = (other, key) if navigation.reverse else (key, other)
                self._documents.link(navigation.relation, *ends)
            elif isinstance(navigation, Reference):
                document[navigation.property] = _key_of(entity_set.properties[navigation.property].kind, other)
                self._documents.put(entity_set.name, key, document)

    def _key(self, target: EntitySet, item: object, more: Document, place: str) -> int:
        entity = (item if isinstance(item, dict) else {KEY: item}) | more
        if entity.keys() != {KEY}:
            return self.add(target, entity, place)
        return int(self._value(target, KEY, entity[KEY], f"{place}.{KEY}") or 0)


def _key_of(kind: Edm, key: int) -> int | str:
    return str(key) if kind is Edm.INT64 else key


def _settle_roots(documents: Documents) -> None:
    for group in documents.find("Groups"):
        line = closure(documents, SUB_GROUPS, [group[KEY]], reverse=True)
        roots = [key for key in line if not documents.linked(SUB_GROUPS, key, reverse=True)]
        if len(roots) != 1:
            msg = f"the seed's group {group[KEY]} must have one top-level group"
            raise SettingsError(msg)
        documents.put("Groups", group[KEY], group | {"RootGroupID": roots[0]})


def _check_owned(documents: Documents) -> None:
    for _, group in documents.links(OWNED):
        if documents.linked(SUB_GROUPS, group, reverse=True):
            msg = f"the seed gives group {group} to an administrator, but only top-level groups can be owned"
            raise SettingsError(msg)


def _check_ends(documents: Documents) -> None:
    for entity_set in SETS.values():
        for name, way in entity_set.navigations.items():
            for source, target, near in _ends(documents, entity_set, way):
                if not documents.get(way.target, target) or not documents.get(entity_set.name, near):
                    ends = f"{entity_set.name}({source}) leads by {name} to {way.target}({target})"
                    msg = f"the seed's {ends}, and one of them is missing"
                    raise SettingsError(msg)


def _ends(documents: Documents, entity_set: EntitySet, way: object) -> list[tuple[Any, int, int]]:
    if isinstance(way, Reference):
        leading = [document for document in documents.find(entity_set.name) if document[way.property] is not None]
        return [(document[KEY], int(document[way.property]), int(document[KEY])) for document in leading]
    if isinstance(way, Link) and not way.reverse:
        return [(source, target, source) for source, target in documents.links(way.relation)]
    return []
