"""What an entity set is: its properties, where it leads, and what may be asked of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from gradeway.sandbox.documents import Collection, Document, Documents, Where, among, linked
from gradeway.sandbox.questionmark import edm
from gradeway.sandbox.questionmark.edm import Edm

KEY = "ID"
# Answered as null, always.
WRITE_ONLY = "Password"


@dataclass(frozen=True)
class Property:
    """One property."""

    name: str
    kind: Edm
    nullable: bool


@dataclass(frozen=True)
class Reference:
    """A navigation to the one entity whose key a property holds."""

    target: str
    property: str
    many = False

    def where(self, _documents: Documents, document: Document) -> Where:
        """Return the condition on the target's documents."""
        value = document[self.property]
        return among("key", [] if value is None else [int(value)])


@dataclass(frozen=True)
class Children:
    """A navigation to the entities that hold our key in a property."""

    target: str
    property: str
    many = True

    def where(self, _documents: Documents, document: Document) -> Where:
        """Return the condition on the target's documents."""
        return among(f'"{self.property}"', [int(document[KEY])])


@dataclass(frozen=True)
class Link:
    """A navigation over links that neither entity holds in a property."""

    target: str
    relation: str
    reverse: bool = False
    many: bool = True

    def where(self, _documents: Documents, document: Document) -> Where:
        """Return the condition on the target's documents."""
        return linked(self.relation, int(document[KEY]), reverse=self.reverse)


@dataclass(frozen=True)
class Closure:
    """A navigation that follows links to their end, the entity itself included."""

    target: str
    relation: str
    reverse: bool = False
    many = True

    def where(self, documents: Documents, document: Document) -> Where:
        """Return the condition on the target's documents."""
        return among("key", closure(documents, self.relation, [int(document[KEY])], reverse=self.reverse))


Navigation = Reference | Children | Link | Closure


def closure(documents: Documents, relation: str, keys: Iterable[int], *, reverse: bool = False) -> set[int]:
    """Return some keys and all that can be reached from them over links."""
    found: set[int] = set()
    ahead = list(keys)
    while ahead:
        key = ahead.pop()
        if key not in found:
            found.add(key)
            ahead += documents.linked(relation, key, reverse=reverse)
    return found


@dataclass(frozen=True)
class EntitySet:
    """A feed: what its entities are and what may be asked of it.

    ``filters`` are the properties that the vendor documents for $filter, ``ordered`` whether
    $orderby takes them too, ``searched`` what else the sandbox itself looks for, ``verbs`` the
    methods other than GET that work on the feed or on an entity, and ``absent`` the documented
    verbs, actions and navigations that this sandbox does not have.
    """

    name: str
    entity: str
    properties: Mapping[str, Property]
    navigations: Mapping[str, Navigation]
    filters: frozenset[str]
    searched: frozenset[str]
    ordered: bool
    verbs: frozenset[str]
    absent: frozenset[str]

    def column(self, name: str, alias: str = "") -> str:
        """Return a searchable property's column."""
        return f'"{alias or self.name}"."{"key" if name == KEY else name}"'

    def key_text(self, document: Document) -> str:
        """Return an entity's key as it stands in a path."""
        return f"{document[KEY]}{'L' if self.properties[KEY].kind is Edm.INT64 else ''}"

    def collection(self) -> Collection:
        """Return how the entities are kept: what is filtered by and what leads elsewhere can be searched."""
        references = {way.property for way in self.navigations.values() if isinstance(way, Reference)}
        names = sorted((self.filters | self.searched | references) - {KEY})
        return Collection(self.name, {name: partial(edm.cell, self.properties[name].kind) for name in names})

    def complete(self, values: Document, now: str) -> Document:
        """Return a whole entity: what was given, and null or the type's zero for everything else."""
        document = {name: values.get(name, self._default(item, now)) for name, item in self.properties.items()}
        return document | {WRITE_ONLY: None} if WRITE_ONLY in document else document

    @staticmethod
    def _default(item: Property, now: str) -> object:
        return None if item.nullable else edm.ZERO.get(item.kind, now)


def entity_set(
    name: str,
    entity: str,
    properties: str,
    navigations: Mapping[str, Navigation],
    *,
    filters: str = "",
    searched: str = "",
    ordered: bool = False,
    verbs: str = "",
    absent: str = "",
) -> EntitySet:
    """Make an entity set from its table: ``Name:Int32`` for a property, ``!`` behind it where it is never null."""
    words = [word.partition(":") for word in properties.split()]
    table = {
        name: Property(name, Edm[kind.rstrip("!").upper()], nullable=not kind.endswith("!")) for name, _, kind in words
    }
    listed = {"filters": filters, "searched": searched, "verbs": verbs, "absent": absent}
    sets = {field: frozenset(text.split()) for field, text in listed.items()}
    return EntitySet(name, entity, table, navigations, ordered=ordered, **sets)
