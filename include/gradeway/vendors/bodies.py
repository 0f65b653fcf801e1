"""What the body of a request is made of: JSON with exact numbers, the fields of a form, or a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from gradeway.vendors.upload import FileBody


@dataclass(frozen=True)
class Form:
    """The fields of a form."""

    fields: Mapping[str, str] = field(repr=False)


def encoded(body: object) -> tuple[Any, str]:
    """Return the content of a body and its media type; None is no body.

    Raises:
        TypeError: there is something in it that JSON cannot hold, or a float, which is not exact.
        ValueError: there is a number in it that is not finite.
    """
    if body is None:
        return None, ""
    if isinstance(body, FileBody):
        return body, body.content_type
    if isinstance(body, Form):
        return urlencode(body.fields).encode(), "application/x-www-form-urlencoded"
    return _json(body).encode(), "application/json"


def _json(value: object) -> str:
    """Write JSON as the standard library does, but a Decimal as a number, with exactly its digits."""
    if isinstance(value, Decimal):
        if not value.is_finite():
            msg = "a number that is not finite cannot be sent"
            raise ValueError(msg)
        return format(value, "f")
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(name))}: {_json(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_json, value)) + "]"
    if isinstance(value, float):
        msg = "a float cannot be sent, because it is not exact"
        raise TypeError(msg)
    return json.dumps(value)
