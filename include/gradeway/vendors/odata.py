"""The parts of OData that every client of such a service needs: values, filters, entities, pages.

Entities are typed by their dataclass: a field is found by its vendor's name without regard to
case and underscores, and converted to its annotated type. Their repr shows nothing but the key,
because nearly everything else in them is about a learner.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from functools import cache
from typing import Any, ClassVar, NewType, Self, get_args, get_origin, get_type_hints

from gradeway.errors import UnknownOutcomeError, VendorAnswerError

Int64 = NewType("Int64", str)
"""An Edm.Int64 as canonical decimal text: JSON carries it as a string."""

Clause = tuple[str, str, object]
"""One condition of a filter: the vendor's property name, the operator, the value."""

OPERATORS = {"eq", "ne", "lt", "le", "gt", "ge"}
VALUE = "value"
NEXT_LINKS = ("odata.nextLink", "@odata.nextLink")
INT64_MAX = 2**63 - 1
INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,7}))?(Z|[+-]\d\d:\d\d)?", re.ASCII)


def int64(value: object) -> Int64:
    """Return an Edm.Int64 in its canonical text.

    Raises:
        ValueError: it is none, or it is padded with zeros.
    """
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not re.fullmatch(r"0|-?[1-9][0-9]{0,18}", text) or abs(int(text)) > INT64_MAX:
        msg = "not a 64-bit integer in plain decimal digits"
        raise ValueError(msg)
    return Int64(text)


def instant(text: object, zone: tzinfo = UTC) -> datetime:
    """Read a time with up to 7 digits of fraction, cut to microseconds; ``zone`` if it names none.

    Raises:
        ValueError: it is no such time.
    """
    match = INSTANT.fullmatch(text) if isinstance(text, str) else None
    if not match:
        msg = "not a time such as 2017-11-23T17:12:22.5894683Z"
        raise ValueError(msg)
    whole, fraction, offset = match.groups()
    time = datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}{offset or ''}" if fraction else whole + (offset or ""))
    return (time if offset else time.replace(tzinfo=zone)).astimezone(UTC)


def wire(value: object) -> object:
    """Return a value as JSON carries it; times become UTC.

    Raises:
        ValueError: a time names no zone.
    """
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        msg = "a time without a zone cannot be sent"
        raise ValueError(msg)
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def literal(value: object, kind: str) -> str:
    """Write a value for a filter; ``kind`` is the property's Edm type.

    Raises:
        ValueError: the value does not fit the type.
    """
    if kind == "Edm.Int64":
        return f"{int64(value)}L"
    if kind == "Edm.Int32" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if kind == "Edm.String" and isinstance(value, str):
        return "'{}'".format(value.replace("'", "''"))
    if kind == "Edm.DateTime" and isinstance(value, datetime):
        return f"datetime'{str(wire(value)).removesuffix('Z')}'"
    msg = f"no value for a filter on {kind}"
    raise ValueError(msg)


@dataclass(frozen=True, repr=False)
class Entity:
    """Base of the records of a service."""

    FEED: ClassVar[str] = ""
    FILTERS: ClassVar[Mapping[str, str]] = {}
    LOCAL_TIMES: ClassVar[bool] = False
    NULL: ClassVar[str | None] = "null"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({getattr(self, 'id', '')})"

    def __getitem__(self, name: str) -> object:
        """Return a value by the vendor's name of its property."""
        value: object = getattr(self, _by_name(type(self))[_folded(name)])  # type: ignore[arg-type] # as below
        return value

    @classmethod
    def read(cls, row: object, zone: tzinfo = UTC) -> Self:
        """Make a record of a JSON object; what it does not know, it leaves out.

        Times without a zone are in UTC, or in ``zone`` where the vendor leaves it off.

        Raises:
            VendorAnswerError: a property is missing or of another type.
        """
        if not isinstance(row, Mapping):
            raise VendorAnswerError(cls.__name__, "the answer holds something else")
        given = {_folded(name): value for name, value in row.items()}
        values: dict[str, object] = {}
        # mypy takes the hash of a class for that of its frozen instances.
        for name, kind, is_required in shape(cls):  # type: ignore[arg-type]
            value = given.get(_folded(name))
            if value is None or (kind is str and value == cls.NULL):
                if is_required:
                    raise VendorAnswerError(cls.__name__, f"the answer lacks {name}")
            else:
                values[name] = _converted(cls, name, kind, value, zone)
        return cls(**values)

    @classmethod
    def made(cls, row: object, call: str, status: int) -> Self:
        """Make a record of the answer to a write.

        Raises:
            UnknownOutcomeError: the answer is not usable; what was written has to be read.
        """
        try:
            return cls.read(row)
        except VendorAnswerError as error:
            what = str(error)
        raise UnknownOutcomeError(call, f"made, but {what}; read it", status=status)

    @classmethod
    def where(cls, clauses: tuple[Clause, ...]) -> dict[str, str]:
        """Return the query that selects what meets all clauses.

        Raises:
            ValueError: the vendor does not document this filter.
        """
        for name, operator, _ in clauses:
            if name not in cls.FILTERS or operator not in OPERATORS:
                msg = f"{cls.FEED} cannot be filtered by {name} {operator}; documented are {', '.join(cls.FILTERS)}"
                raise ValueError(msg)
        text = " and ".join(f"{name} {op} {literal(value, cls.FILTERS[name])}" for name, op, value in clauses)
        return {"$filter": text} if text else {}


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


@cache
def _by_name(cls: type) -> Mapping[str, str]:
    return {_folded(each.name): each.name for each in fields(cls)}


@cache
def shape(cls: type) -> tuple[tuple[str, Any, bool], ...]:
    """Return name, bare type and whether it must be there, of every field of an entity."""
    hints = get_type_hints(cls)
    return tuple((each.name, _bare(hints[each.name]), each.default is MISSING) for each in fields(cls))


def _bare(hint: Any) -> Any:  # noqa: ANN401 - a type expression has no type of its own
    if isinstance(hint, types.UnionType):
        return next(arm for arm in get_args(hint) if arm is not type(None))
    return hint


def _converted(cls: type[Entity], name: str, kind: Any, value: object, zone: tzinfo) -> object:  # noqa: ANN401
    try:
        return _value(kind, value, zone if cls.LOCAL_TIMES else UTC, zone)
    except ValueError:
        pass
    raise VendorAnswerError(cls.__name__, f"{name} in the answer is of another type than documented")


def _value(kind: Any, value: object, zone: tzinfo, inner_zone: tzinfo) -> object:  # noqa: ANN401
    if kind is Int64:
        return int64(value)
    if kind is datetime:
        return instant(value, zone)
    if kind is Decimal and isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value)
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_value(get_args(kind)[0], item, zone, inner_zone) for item in value)
    if isinstance(kind, type) and issubclass(kind, Entity):
        return kind.read(value, inner_zone)
    if kind in {int, str, bool} and type(value) is kind:
        return value
    msg = "another type"
    raise ValueError(msg)


def rows(data: object, navigation: str = "", value: str = VALUE) -> list[Any] | None:
    """Return the entities of an answer, or None if it holds none.

    They are its value, or stand under a navigation property of a single entity.
    """
    found = data.get(value, data.get(navigation)) if isinstance(data, Mapping) else None
    return found if isinstance(found, list) else None


def next_link(data: Mapping[str, Any], navigation: str = "", keys: Sequence[str] = NEXT_LINKS) -> object:
    """Return the link to what an answer, or a list expanded in it, was cut before; or None."""
    return next((data[navigation + key] for key in keys if data.get(navigation + key)), None)
