"""How values stand in Learn's JSON: ids, instants, numbers; and what an answer shows of a document.

A document is Learn's own JSON with two differences. Numbers are kept as text, digit by digit as
they are answered, so that none passes through a float. Properties that begin with an underscore
are the sandbox's own and are never answered.

Source for what the vendor's description leaves open, published answers of real sites: what is
null is left out, and points and scores have five decimal places, whatever was written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from gradeway.sandbox.documents import Document

ID = re.compile(r"_(\d{1,15})_1", re.ASCII)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PLACES = Decimal("0.00001")
LARGEST = 10**12
NUMBERS = {"absoluteValue", "lowerBound", "possible", "score", "upperBound"}

Fields = dict[str, "Fields"]


def primary(key: int) -> str:
    """Return the primary ID of a key."""
    return f"_{key}_1"


def key_of(text: str) -> int | None:
    """Return the key of a primary ID, None if it is no primary ID."""
    found = ID.fullmatch(text)
    return int(found[1]) if found else None


def own_key(document: Document) -> int:
    """Return the key of a document."""
    return int(document["id"].split("_")[1])


def stamp(instant: datetime) -> str:
    """Return an aware instant as Learn prints it."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant_of(text: str) -> datetime:
    """Return the instant of a text, in UTC.

    Raises:
        ValueError: it is none, or it has no zone.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        msg = f"'{text}' has no zone"
        raise ValueError(msg)
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        msg = f"'{text}' is out of range"
        raise ValueError(msg) from None


def milliseconds(text: str) -> int:
    """Return an instant as a number that can be compared."""
    return (instant_of(text) - EPOCH) // timedelta(milliseconds=1)


def bounded(value: Decimal) -> Decimal:
    """Return a number that Learn can keep.

    Raises:
        ValueError: it is too large, or not finite.
    """
    if not value.is_finite() or abs(value) >= LARGEST:
        msg = f"a number must be below {LARGEST}"
        raise ValueError(msg)
    return value


def number(value: Decimal) -> str:
    """Return a number as Learn prints it."""
    return f"{value.quantize(PLACES, ROUND_HALF_UP):zf}"


def plain(text: str) -> str:
    """Return a number without the zeros at its end, as a person writes it."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def merged(document: Document, changes: Mapping[str, Any]) -> Document:
    """Return a document with changes; an object in them changes only the properties that it names."""
    made = dict(document)
    for name, value in changes.items():
        before = made.get(name)
        made[name] = merged(before, value) if isinstance(value, dict) and isinstance(before, dict) else value
    return made


def read_fields(text: str) -> Fields:
    """Return the tree of a comma list of dotted names."""
    tree: Fields = {}
    for name in filter(None, text.split(",")):
        branch = tree
        for part in name.strip().split("."):
            branch = branch.setdefault(part, {})
    return tree


def picked(value: Any, fields: Fields) -> Any:  # noqa: ANN401  (JSON)
    """Return what some fields leave of a value; all of it if there are none."""
    if not fields or not isinstance(value, dict | list):
        return value
    if isinstance(value, list):
        return [picked(item, fields) for item in value]
    return {name: picked(value[name], below) for name, below in fields.items() if name in value}


def dump(value: object, name: str = "") -> str:
    """Return a document as JSON, without what is null and what is the sandbox's own."""
    if isinstance(value, dict):
        shown = ((key, item) for key, item in value.items() if item is not None and not key.startswith("_"))
        return _bracketed("{}", (f"{json.dumps(key)}:{dump(item, key)}" for key, item in shown))
    if isinstance(value, list):
        return _bracketed("[]", (dump(item) for item in value))
    if name in NUMBERS and isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _bracketed(brackets: str, items: Iterable[str]) -> str:
    return f"{brackets[0]}{','.join(items)}{brackets[1]}"
