"""The lists that can be read: by what they can be narrowed down, and how they are cut into pages."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

from gradeway.sandbox.assessmentq.entities import microseconds
from gradeway.sandbox.documents import Document, Documents, Where
from gradeway.sandbox.frame import Call, Refused

PAGE = 100
TOKEN = "$skiptoken"  # noqa: S105  (a place in a list)


@dataclass(frozen=True)
class Listing:
    """A list: where it is kept, the conditions of its parameters, and whether it goes by the last change."""

    collection: str
    parameters: Mapping[str, Callable[[str], Where]] = field(default_factory=dict)
    by_change: bool = False

    @property
    def columns(self) -> str:
        """The columns that it is ordered by."""
        return '"modifiedAt", key' if self.by_change else "key"

    def place(self, document: Document) -> list[int | str]:
        """Return where a document stands in the list."""
        if not self.by_change:
            return [document["id"]]
        return [microseconds(datetime.fromisoformat(document["modifiedAt"])), document["id"]]


def _equals(column: str) -> Callable[[str], Where]:
    return lambda text: Where(f'"{column}" = ?', (text,))


def _since(text: str) -> Where:
    try:
        return Where('"modifiedAt" >= ?', (microseconds(datetime.fromisoformat(text)),))
    except (ValueError, TypeError):  # a time without a zone cannot be compared
        raise Refused(400, "modifiedAfter is an instant with its zone.", code="InvalidParameter") from None


LISTS: Mapping[str, Listing] = {
    "exams": Listing("Exams"),
    "participants": Listing("Participants"),
    "sittings": Listing("Sittings", {"exam": _equals("exam")}),
    "offline-results": Listing("Uploads", {"sha256": _equals("sha256")}),
    "results": Listing("Results", {"modifiedAfter": _since}, by_change=True),
}


def page(documents: Documents, listing: Listing, call: Call) -> Document:
    """Return one page of a list.

    Raises:
        Refused: a parameter is unknown or wrong.
    """
    asked = dict(parse_qsl(call.query, keep_blank_values=True))
    token = asked.pop(TOKEN, None)
    where = Where() if token is None else _after(listing, token)
    for name, text in asked.items():
        if name not in listing.parameters:
            raise Refused(400, f"There is no parameter {name}.", code="InvalidParameter")
        where = where & listing.parameters[name](text)
    # One more than a page shows whether there is another.
    found = documents.find(listing.collection, where, order=listing.columns, limit=PAGE + 1)
    shown: Document = {"value": found[:PAGE]}
    if len(found) > PAGE:
        query = urlencode(asked | {TOKEN: _token(listing.place(found[PAGE - 1]))}, safe="$")
        shown["@odata.nextLink"] = f"{call.origin}{call.path}?{query}"
    return shown


def _token(place: list[int | str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _after(listing: Listing, token: str) -> Where:
    try:
        place = json.loads(base64.urlsafe_b64decode(token))
    except ValueError:
        place = None
    columns = listing.columns.split(", ")
    if not isinstance(place, list) or len(place) != len(columns) or not all(type(end) in {int, str} for end in place):
        raise Refused(400, f"{TOKEN} is wrong.", code="InvalidParameter")
    return Where(f"({listing.columns}) > ({', '.join('?' * len(place))})", tuple(place))
