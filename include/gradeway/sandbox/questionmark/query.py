"""The query options: $filter, $orderby, $expand, $top, $skip and the continuation.

Source: Questionmark, Delivery OData API: Introduction, and each feed's list of filters. What is
not documented is refused, as a client that used it would break against the real service.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import parse_qsl

from gradeway.sandbox.documents import Cell, Where
from gradeway.sandbox.frame import Refused
from gradeway.sandbox.questionmark.edm import Edm, ticks
from gradeway.sandbox.questionmark.entities import SETS
from gradeway.sandbox.questionmark.model import KEY, EntitySet, Property, Reference

Expand = dict[str, "Expand"]

OPTIONS = {"$filter", "$expand", "$orderby", "$top", "$skip", "$skiptoken"}
DEPTH = 2
PARENTHESES = 50
OPERATORS = {"eq": "=", "ne": "IS NOT", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
TOKEN = re.compile(
    r"\s*(?:(?P<time>datetime'[^']*')|(?P<text>'(?:[^']|'')*')|(?P<long>-?\d+L)|(?P<number>-?\d+)(?![\w.])"
    r"|(?P<word>[A-Za-z_][\w/]*)|(?P<mark>[()]))",
    re.ASCII,
)
CONSTANTS: dict[str, tuple[Edm | None, Cell]] = {
    "null": (None, None),
    "true": (Edm.BOOLEAN, 1),
    "false": (Edm.BOOLEAN, 0),
}


@dataclass
class Options:
    """What a request asks for beside the resource itself; ``after`` is the key that a continuation goes on behind."""

    where: Where = field(default_factory=Where)
    expand: Expand = field(default_factory=dict)
    order: str = ""
    top: int | None = None
    skip: int = 0
    after: int | None = None
    raw: Mapping[str, str] = field(default_factory=dict)


def read_options(query: str, entity_set: EntitySet, allowed: set[str]) -> Options:
    """Read a query string for a feed (or, with fewer options allowed, for an entity).

    Raises:
        Refused: an option is unknown, unsupported here, or wrong.
    """
    raw = {name: value for name, value in parse_qsl(query, keep_blank_values=True) if name.startswith("$")}
    for name in raw:
        if name not in allowed:
            raise Refused(400, f"The query option '{name}' is not supported.")
    after = _number(raw, "$skiptoken")
    return Options(
        Filter(raw["$filter"], entity_set).where() if "$filter" in raw else Where(),
        _expand(raw["$expand"], entity_set) if "$expand" in raw else {},
        _order(raw["$orderby"], entity_set) if "$orderby" in raw else "",
        _number(raw, "$top"),
        _number(raw, "$skip") or 0,
        after,
        raw,
    )


def _number(raw: Mapping[str, str], name: str) -> int | None:
    text = raw.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise Refused(400, f"Invalid value '{text}' for the query option '{name}'.")
    return int(text)


def _expand(text: str, entity_set: EntitySet) -> Expand:
    tree: Expand = {}
    for path in text.split(","):
        names = path.strip().split("/")
        if len(names) > DEPTH:
            raise Refused(400, f"The $expand path '{path}' is deeper than the maximum of {DEPTH}.")
        branch, here = tree, entity_set
        for name in names:
            branch = branch.setdefault(name, {})
            here = SETS[_target(here, name)]
    return tree


def _target(entity_set: EntitySet, name: str) -> str:
    if name in entity_set.navigations:
        return entity_set.navigations[name].target
    if name in entity_set.absent:
        raise Refused(501, f"{entity_set.name}/{name} is documented, but not part of this sandbox.")
    raise Refused(400, f"Could not find a navigation property named '{name}' on type '{entity_set.entity}'.")


def _order(text: str, entity_set: EntitySet) -> str:
    if not entity_set.ordered:
        raise Refused(400, f"$orderby is not supported on {entity_set.name}.")
    terms = []
    for term in text.split(","):
        found = re.fullmatch(r"\s*([\w/]+)(?:\s+(asc|desc))?\s*", term, re.ASCII)
        if not found:
            raise Refused(400, f"Syntax error in $orderby '{text}'.")
        terms.append(f"{_searchable(found[1], entity_set, '$orderby')[0]} {found[2] or 'asc'}")
    return ", ".join([*terms, "key"])


def _searchable(path: str, entity_set: EntitySet, option: str) -> tuple[str, Property]:
    """Return the SQL for a path of a filter or an ordering, and the property at its end."""
    way, _, last = path.rpartition("/")
    navigation = entity_set.navigations.get(way)
    if way and not isinstance(navigation, Reference):
        raise Refused(400, f"'{path}' cannot be used in {option} on {entity_set.name}.")
    target = SETS[navigation.target] if navigation else entity_set
    if last not in target.properties:
        raise Refused(400, f"Could not find a property named '{last}' on type '{target.entity}'.")
    if last not in target.filters:
        raise Refused(400, f"The property '{last}' cannot be used in the {option} query option on {target.name}.")
    if not isinstance(navigation, Reference):
        return entity_set.column(last), target.properties[last]
    near = entity_set.column(navigation.property)
    if last == KEY:
        return near, target.properties[last]
    far = target.column(last, "far")
    # The names are those of the entity sets' own tables.
    return f'(SELECT {far} FROM "{target.name}" AS far WHERE far.key = {near})', target.properties[last]  # noqa: S608


class Filter:
    """The parser of one $filter; ``where`` gives its condition."""

    def __init__(self, text: str, entity_set: EntitySet) -> None:
        self._text = text
        self._set = entity_set
        if text.count("(") > PARENTHESES:
            self._fail()
        self._tokens = list(self._split())
        self._place = 0

    def where(self) -> Where:
        """Return the condition.

        Raises:
            Refused: it is not a filter, or not one that the service documents for this feed.
        """
        found = self._or()
        if self._peek() != ("end", ""):
            self._fail()
        return found

    def _fail(self) -> NoReturn:
        raise Refused(400, f"Syntax error in $filter '{self._text}'.")

    def _split(self) -> Iterator[tuple[str, str]]:
        place, end = 0, len(self._text.rstrip())
        while place < end:
            found = TOKEN.match(self._text, place)
            if not found:
                self._fail()
            place = found.end()
            kind = str(found.lastgroup)
            yield kind, found[kind]

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._place] if self._place < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._place += 1
        return token

    def _skip(self, *token: str) -> bool:
        found = self._peek() == token
        self._place += found
        return found

    def _or(self) -> Where:
        left = self._and()
        while self._skip("word", "or"):
            right = self._and()
            left = Where(f"({left.sql}) OR ({right.sql})", left.values + right.values)
        return left

    def _and(self) -> Where:
        left = self._term()
        while self._skip("word", "and"):
            left = left & self._term()
        return left

    def _term(self) -> Where:
        if self._skip("mark", "("):
            inner = self._or()
            if not self._skip("mark", ")"):
                self._fail()
            return inner
        return self._comparison()

    def _comparison(self) -> Where:
        (kind, path), (_, operator) = self._next(), self._next()
        if kind != "word" or operator not in OPERATORS:
            self._fail()
        column, item = _searchable(path, self._set, "$filter")
        value = self._value(item, *self._next())
        # = finds nothing for null, and an index only with it
        sign = "IS" if operator == "eq" and value is None else OPERATORS[operator]
        return Where(f"{column} {sign} ?", (value,))

    def _value(self, item: Property, kind: str, text: str) -> Cell:
        literal, value = self._literal(kind, text)
        if literal is None:
            return None
        if item.kind is Edm.INT64 and literal is not Edm.INT64:
            raise Refused(
                400, f"Unrecognized 'Edm.Int32' literal '{text}' in '{self._text}': a 64-bit integer ends in L."
            )
        if literal is item.kind or (literal.bits and item.kind.bits) or (literal.is_time and item.kind.is_time):
            return value
        raise Refused(400, f"Incompatible types '{item.kind}' and '{literal}' in '{self._text}'.")

    def _literal(self, kind: str, text: str) -> tuple[Edm | None, Cell]:
        if kind == "number":
            if not -(1 << 31) <= int(text) < 1 << 31:
                raise Refused(400, f"Unrecognized 'Edm.Int32' literal '{text}' in '{self._text}'.")
            return Edm.INT32, int(text)
        if kind == "long" and len(text) <= 20 and -(1 << 63) <= int(text[:-1]) < 1 << 63:
            return Edm.INT64, int(text[:-1])
        if kind == "text":
            return Edm.STRING, text[1:-1].replace("''", "'")
        if kind == "time":
            return Edm.DATETIME, self._ticks(text)
        if text in CONSTANTS:
            return CONSTANTS[text]
        self._fail()

    def _ticks(self, text: str) -> int:
        try:
            return ticks(text.removeprefix("datetime")[1:-1])
        except ValueError:
            raise Refused(400, f"Unrecognized 'Edm.DateTime' literal {text} in '{self._text}'.") from None
