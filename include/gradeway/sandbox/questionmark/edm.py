"""The types of OData v3 properties: how their values stand in JSON, in the store and in a filter.

Times are compared as ticks of 100 nanoseconds, the precision of the vendor's service.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from gradeway.sandbox.documents import Cell

INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,7}))?(Z|[+-]\d\d:\d\d)?", re.ASCII)
NUMBER = re.compile(r"-?\d{1,19}", re.ASCII)
EPOCH = datetime(1, 1, 1, tzinfo=UTC)
TICKS = 10  # in a microsecond
LAST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) * TICKS


class Edm(StrEnum):
    """A property's type; BARE is a DateTime in UTC that is printed without saying so."""

    BOOLEAN = "Edm.Boolean"
    INT16 = "Edm.Int16"
    INT32 = "Edm.Int32"
    INT64 = "Edm.Int64"
    STRING = "Edm.String"
    DATETIME = "Edm.DateTime"
    BARE = "Edm.DateTime (UTC, unmarked)"

    @property
    def bits(self) -> int:
        """The width of an integer type; 0 for the others."""
        return int(self.value.removeprefix("Edm.Int")) if self.value.startswith("Edm.Int") else 0

    @property
    def is_time(self) -> bool:
        """Whether values are instants."""
        return self in {Edm.DATETIME, Edm.BARE}


ZERO: dict[Edm, Any] = {Edm.BOOLEAN: False, Edm.INT16: 0, Edm.INT32: 0, Edm.INT64: "0", Edm.STRING: ""}


def ticks(text: str) -> int:
    """Return an instant as a number that can be compared; without a zone it is UTC.

    Raises:
        ValueError: it is not an instant.
    """
    found = INSTANT.fullmatch(text)
    if not found:
        msg = f"'{text}' is not a DateTime"
        raise ValueError(msg)
    whole, fraction, zone = found.groups()
    seconds = datetime.fromisoformat(whole + (zone or "Z"))
    number = (seconds - EPOCH) // timedelta(microseconds=1) * TICKS + int((fraction or "0").ljust(7, "0"))
    if not 0 <= number < LAST:
        msg = f"'{text}' is out of the range of a DateTime"
        raise ValueError(msg)
    return number


def text_of(number: int, kind: Edm = Edm.DATETIME) -> str:
    """Print ticks as the vendor does: with as many fraction digits as it takes."""
    microseconds, rest = divmod(number, TICKS)
    instant = EPOCH + timedelta(microseconds=microseconds)
    fraction = f"{instant.microsecond:06}{rest}".rstrip("0")
    whole = instant.replace(microsecond=0, tzinfo=None).isoformat()
    return f"{whole}{'.' if fraction else ''}{fraction}{'Z' if kind is Edm.DATETIME else ''}"


def ticks_of(instant: datetime) -> int:
    """Return an aware instant as ticks.

    Our clock ends at microseconds; a seventh digit is made up, as clients must be able to read one.
    """
    seventh = instant.microsecond % 9 + 1 if instant.microsecond else 0
    return (instant - EPOCH) // timedelta(microseconds=1) * TICKS + seventh


def stamp(instant: datetime) -> str:
    """Return an instant as the vendor prints the time of a change."""
    return text_of(ticks_of(instant))


def bare_stamp(instant: datetime) -> str:
    """Return an instant as the vendor prints a result's times: to the millisecond, and without a zone."""
    return text_of(ticks_of(instant) // 10_000 * 10_000, Edm.BARE)


def canonical(kind: Edm, value: object) -> Any:  # noqa: ANN401  (JSON)
    """Return a value of a body in the form in which the vendor answers it.

    Raises:
        ValueError: it is not of that type.
    """
    if kind is Edm.BOOLEAN and isinstance(value, bool):
        return value
    if kind is Edm.INT64 and isinstance(value, str) and NUMBER.fullmatch(value):
        return str(_fitting(int(value), kind))
    if kind in {Edm.INT16, Edm.INT32} and isinstance(value, int) and not isinstance(value, bool):
        return _fitting(value, kind)
    if kind is Edm.STRING and isinstance(value, str):
        return value
    if kind.is_time and isinstance(value, str):
        return text_of(ticks(value), kind)
    msg = f"Cannot convert a value of the JSON type {type(value).__name__} to the expected type '{kind}'."
    raise ValueError(msg)


def is_int32(value: object) -> bool:
    """Return whether a JSON value is a 32-bit integer."""
    return isinstance(value, int) and not isinstance(value, bool) and -(1 << 31) <= value < 1 << 31


def _fitting(number: int, kind: Edm) -> int:
    if -(1 << kind.bits - 1) <= number < 1 << kind.bits - 1:
        return number
    msg = f"{number} is out of the range of '{kind}'."
    raise ValueError(msg)


def cell(kind: Edm, value: Any) -> Cell:  # noqa: ANN401  (JSON)
    """Return a canonical value in a form that sorts."""
    if kind.is_time:
        return ticks(value)
    return value if kind is Edm.STRING else int(value)
