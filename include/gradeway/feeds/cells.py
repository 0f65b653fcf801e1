"""What one cell may hold: the value types of the flat files, each parsed in one place.

A parser takes the trimmed text of a cell that is not blank and returns its value, or raises
`CellError` with the reason. Contracts check with these same parsers, so what a contract lets
pass can always be loaded. Types, sizes and defaults are those of Blackboard's "Incoming Flat
File Specifications".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from gradeway.reasons import Finding, Reason

Parser = Callable[[str], Any]

# as many fraction digits as an export of binary floats writes
NUMBER = re.compile(r"[+-]?(\d{1,15}(\.\d{1,20})?|\.\d{1,20})", re.ASCII)
COMMA_NUMBER = re.compile(r"[+-]?\d[\d.,' ]*,\d+|[+-]?\d{1,3}([,' ]\d{3})+(\.\d+)?", re.ASCII)
INTEGER = re.compile(r"[+-]?\d{1,9}", re.ASCII)
BOOLEANS = {"y": True, "true": True, "1": True, "n": False, "false": False, "0": False}
MAX_PAIR = 2000
SEPARATOR = "|"
FOLDER_SEPARATOR = "@>@"
BOUND_PLACES = 3
TOP_BOUND = Decimal(100)


class CellError(ValueError):
    """A cell breaks its type; ``detail`` says what was expected, never what was there."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.detail = detail

    def at(self, line: int, column: str) -> Finding:
        """Return the finding for this error at a place."""
        return Finding(self.reason, line, column, self.detail)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol of a grade schema with its lower bound in percent, or None where none is given."""

    text: str
    lower: Decimal | None


def parse_text(cell: str, *, size: int, hint: str = "") -> str:
    """Return the text itself, at most ``size`` characters and without the format's separator."""
    if len(cell) > size:
        raise CellError(Reason.TEXT_TOO_LONG, f"{size} characters at most{hint}")
    if SEPARATOR in cell:
        raise CellError(Reason.TEXT_SEPARATOR)
    return cell


def parse_boolean(cell: str) -> bool:
    """Read Y/N, true/false or 1/0 in any case."""
    try:
        return BOOLEANS[cell.lower()]
    except KeyError:
        raise CellError(Reason.BOOLEAN_INVALID) from None


def parse_number(cell: str) -> Decimal:
    """Read a plain decimal number: ASCII digits, a point, no exponent, no grouping."""
    if NUMBER.fullmatch(cell):
        return Decimal(cell)
    if COMMA_NUMBER.fullmatch(cell):
        raise CellError(Reason.NUMBER_COMMA)
    raise CellError(Reason.NUMBER_INVALID)


def parse_value(cell: str, *, size: int) -> str:
    """Return a grade as it is kept: a number in canonical text, any other text as it is."""
    parse_text(cell, size=size)
    return format(canonical(Decimal(cell)), "f") if NUMBER.fullmatch(cell) else cell


def parse_points(cell: str, *, zero: bool) -> Decimal:
    """Read the points possible: above 0, or 0 where the settings allow it."""
    points = canonical(parse_number(cell))
    if points < 0 or (points == 0 and not zero):
        raise CellError(Reason.NUMBER_RANGE, "points must be 0 or more" if zero else "points must be above 0")
    return points


def parse_attempts(cell: str) -> int:
    """Read a number of attempts: 1 or more, or -1 for unlimited."""
    if not INTEGER.fullmatch(cell):
        raise CellError(Reason.INTEGER_INVALID)
    attempts = int(cell)
    if attempts != -1 and attempts < 1:
        raise CellError(Reason.ATTEMPTS_INVALID)
    return attempts


def parse_folder(cell: str, *, size: int) -> str:
    """Read a content area, or ``parent@>@child`` for a subfolder in Ultra courses."""
    parts = [part.strip() for part in parse_text(cell, size=size).split(FOLDER_SEPARATOR)]
    if len(parts) > 2 or not all(parts):
        raise CellError(Reason.FOLDER_INVALID)
    return FOLDER_SEPARATOR.join(parts)


def parse_pairs(cell: str) -> dict[str, str]:
    """Read ``key=value:key=value``; each pair at most 2000 characters, no key twice."""
    pairs: dict[str, str] = {}
    for text in cell.split(":"):
        if len(text) > MAX_PAIR:
            raise CellError(Reason.PAIR_TOO_LONG)
        key, equals, value = (part.strip() for part in text.partition("="))
        if not (key and equals) or "=" in value or SEPARATOR in text:
            raise CellError(Reason.PAIRS_INVALID)
        if key in pairs:
            raise CellError(Reason.PAIR_DUPLICATE)
        pairs[key] = value
    return pairs


def parse_symbols(cell: str, *, size: int) -> tuple[Symbol, ...]:
    """Read ``SYMBOL=lowerBound`` joined by colons; all bounds or none, the lowest 0.

    Bounds are percentages from 0 to 100 with at most three decimals, each given once, because a
    gradebook needs bands without gap or overlap.
    """
    parse_text(cell, size=size)
    symbols = [_symbol(text) for text in cell.split(":")]
    if len({symbol.text for symbol in symbols}) < len(symbols):
        raise CellError(Reason.SYMBOL_DUPLICATE)
    bounds = [symbol.lower for symbol in symbols if symbol.lower is not None]
    if bounds and (len(bounds) < len(symbols) or len(set(bounds)) < len(bounds) or min(bounds) != 0):
        raise CellError(Reason.SYMBOL_BOUNDS)
    return tuple(symbols)


def _symbol(text: str) -> Symbol:
    name, equals, bound = (part.strip() for part in text.partition("="))
    if not name or SEPARATOR in name:
        raise CellError(Reason.SYMBOLS_INVALID)
    if not equals or not bound:
        return Symbol(name, None)
    if not NUMBER.fullmatch(bound):
        raise CellError(Reason.SYMBOLS_INVALID)
    lower = canonical(Decimal(bound))
    if not 0 <= lower <= TOP_BOUND or -int(lower.as_tuple().exponent) > BOUND_PLACES:
        raise CellError(Reason.SYMBOL_BOUNDS)
    return Symbol(name, lower)


def canonical(number: Decimal) -> Decimal:
    """Return the number without trailing zeros and without an exponent (90.0 is 90)."""
    text = format(number, "f")  # never rounds, as arithmetic in a context would
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return abs(Decimal(text)) if not number else Decimal(text)


# Java's SimpleDateFormat letters, as the incoming settings screen takes them, for day-only dates.
_DATE_PARTS = {"yyyy": r"(?P<y>\d{4})", "MM": r"(?P<m>\d{2})", "M": r"(?P<m>\d{1,2})"}
_DATE_PARTS |= {"dd": r"(?P<d>\d{2})", "d": r"(?P<d>\d{1,2})"}


def date_parser(pattern: str) -> Parser:
    """Make the parser for a date pattern such as ``yyyy-MM-dd`` or ``dd/MM/yyyy``."""
    tokens = re.findall(r"y+|M+|d+|[^yMd]+", pattern)
    regex = "".join(_DATE_PARTS[token] if token in _DATE_PARTS else re.escape(token) for token in tokens)
    return partial(_parse_date, regex=re.compile(regex, re.ASCII), pattern=pattern)


def _parse_date(cell: str, *, regex: re.Pattern[str], pattern: str) -> date:
    match = regex.fullmatch(cell)
    try:
        return date(int(match["y"]), int(match["m"]), int(match["d"])) if match else _no_date(pattern)
    except ValueError:
        return _no_date(pattern)


def _no_date(pattern: str) -> date:
    raise CellError(Reason.DATE_INVALID, f"the pattern is {pattern}") from None


def failing(parser: Parser, cells: Iterable[str]) -> dict[str, CellError]:
    """Return the cells that the parser refuses, each with its error; blank cells pass."""
    errors: dict[str, CellError] = {}
    for cell in cells:
        if cell:
            try:
                parser(cell)
            except CellError as error:
                errors[cell] = error
    return errors
