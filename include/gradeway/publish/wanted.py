"""What a schema or column of ours should be in Blackboard Learn; values are as JSON carries them.

Source: Blackboard's description of the Learn public API; Grades Journey, Incoming Flat File
Specifications, for what the fields of the files mean.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from gradeway.feeds.asg import DEFAULT_FOLDER
from gradeway.feeds.cells import FOLDER_SEPARATOR, canonical
from gradeway.publish.reasons import PublishReason
from gradeway.settings import Settings
from gradeway.store.models import ColumnKind, GradeColumn, GradeSchema

PREFIX = "gradeway-"
TOP = Decimal(100)
MOST_ATTEMPTS = 10
UNLIMITED = -1
FEWEST_SYMBOLS = 2
SCORE_PLACES = Decimal("0.00001")
# Decimals of a symbol's own value, in Original and in Ultra courses.
PLACES = {False: Decimal("0.001"), True: Decimal("0.0001")}
# What the files say of assignments and the API has no place for.
WITHOUT_PLACE = (("group_work", "group"), ("colour", "colour"), ("tracked", "tracked"))

Values = dict[str, Any]


class RefusedError(Exception):
    """Something of ours cannot be published as it is."""

    def __init__(self, reason: PublishReason, detail: str = "") -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Wanted:
    """What a column should be: the values that can be changed, and those that are set when it is made.

    ``schema_id`` is ours, None if scores are shown as they are. ``folder`` is the path to an
    assignment's place. ``uncarried`` are the fields of the file that the API cannot set.
    """

    values: Values
    schema_id: int | None
    made_with: Values = field(default_factory=dict)
    folder: tuple[str, ...] = ()
    uncarried: Sequence[str] = ()


def external_id(course: str, key: str) -> str:
    """Return the identifier by which something of ours is found in a course again, whatever its name is then."""
    return PREFIX + hashlib.sha256(f"{course}\x1f{key}".encode()).hexdigest()[:32]


def symbols(schema: GradeSchema, *, is_ultra: bool) -> list[list[str]]:
    """Return a schema's symbols from the best down: text, lower and upper bound, own value; all in percent.

    A symbol reaches up to the one above it, the best up to 100. Its own value is the middle, but
    100 for the best.

    Raises:
        RefusedError: the symbols have no bounds, or are too few.
    """
    bounds = [(text or "", Decimal(lower)) for text, lower in schema.symbols if lower is not None]
    if len(bounds) < len(schema.symbols):
        raise RefusedError(PublishReason.SCHEMA_UNBOUND)
    if is_ultra and len(bounds) < FEWEST_SYMBOLS:
        raise RefusedError(PublishReason.SCHEMA_TOO_SHORT)
    ordered = sorted(bounds, key=lambda symbol: symbol[1], reverse=True)
    uppers = [TOP, *(lower for _, lower in ordered)]
    own = [TOP] + [
        ((above + below) / 2).quantize(PLACES[is_ultra], ROUND_HALF_UP) for above, below in pairwise(uppers[1:])
    ]
    return [
        [text, *(plain(number) for number in (lower, upper, value))]
        for (text, lower), upper, value in zip(ordered, uppers, own, strict=False)
    ]


def plain(number: Decimal) -> str:
    """Return a number as plans and receipts have it: without an exponent or trailing zeros."""
    return format(canonical(number), "f")


def rounded(number: Decimal) -> Decimal:
    """Return points or a score to the 5 decimals that a gradebook keeps."""
    return number.quantize(SCORE_PLACES, ROUND_HALF_UP)


def wanted_column(column: GradeColumn, settings: Settings, *, is_ultra: bool) -> Wanted:
    """Return what a column should be.

    Raises:
        RefusedError: Learn has nothing like it.
    """
    if column.kind == ColumnKind.CALCULATED:
        raise RefusedError(PublishReason.UNSUPPORTED_CALCULATED)
    values: Values = {
        "name": column.name,
        "possible": plain(rounded(column.points)),
        "due": due_at(column.due_date, settings.zone),
    }
    if column.external and not is_ultra:
        values["external_grade"] = True
    if column.kind == ColumnKind.ASSIGNMENT:
        return _assignment(column, values, settings, is_ultra=is_ultra)
    values["description"] = column.description
    return Wanted(values, column.schema_id, {"available": settings.publish_columns_visible})


def _assignment(column: GradeColumn, values: Values, settings: Settings, *, is_ultra: bool) -> Wanted:
    attempts = column.attempts if column.attempts is not None else UNLIMITED
    if is_ultra and attempts > MOST_ATTEMPTS:
        raise RefusedError(PublishReason.ATTEMPTS_TOO_MANY)
    folder = tuple((column.content_area or DEFAULT_FOLDER).split(FOLDER_SEPARATOR))
    if len(folder) > 1 and not is_ultra:
        raise RefusedError(PublishReason.FOLDER_UNSUPPORTED)
    made_with: Values = {
        "available": bool(column.available),
        "attempts_allowed": "unlimited" if attempts == UNLIMITED else attempts,
        "start": due_at(column.start_date, settings.zone, time.min),
        "end": due_at(column.end_date, settings.zone),
        "instructions": html.escape(column.instructions or "", quote=False),
    }
    values["anonymous"] = bool(column.anonymous)
    uncarried = [name for attribute, name in WITHOUT_PLACE if getattr(column, attribute)]
    return Wanted(values, column.schema_id, made_with, folder, uncarried)


def due_at(day: date | None, zone: ZoneInfo, hour: time = time(23, 59)) -> str | None:
    """Return the instant of a day in a zone: its last minute, as a file's date means the whole day."""
    if day is None:
        return None
    return datetime.combine(day, hour, zone).astimezone(UTC).isoformat().replace("+00:00", "Z")
