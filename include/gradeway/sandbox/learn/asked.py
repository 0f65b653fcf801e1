"""One request: on which objects, with which parameters and body, and what its sender may do.

How large pages are is not in the vendor's description. The sizes here are those that customers
report: 100 unless asked otherwise, at most 200, and grades at most 100. More is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from gradeway.sandbox.documents import Document, Documents, Where
from gradeway.sandbox.frame import Refused
from gradeway.sandbox.learn.access import READ_DISABLED_COURSE
from gradeway.sandbox.learn.forms import Fields, milliseconds, picked, read_fields
from gradeway.sandbox.learn.model import COURSE_IDS, named

PAGE, MOST = 100, 200
PAGING = frozenset({"offset", "limit"})
COMPARISONS = {"lessThan": "<", "greaterOrEqual": ">="}
TRUTH = {"true": True, "false": False}


def dated(*names: str) -> frozenset[str]:
    """Return the parameters by which a list is narrowed down to some dates."""
    return frozenset(names) | {f"{name}Compare" for name in names}


@dataclass(frozen=True)
class Asked:
    """A request as an operation sees it; ``path`` is as it came, percent-encoded."""

    documents: Documents
    account: Document
    path: str
    ids: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    now: datetime
    origin: str

    @cached_property
    def course(self) -> Document:
        """The course of the path.

        Raises:
            Refused: there is none such, or it is disabled and the account may not see that.
        """
        course = named(self.documents, "Courses", self.ids["course"], COURSE_IDS)
        disabled = course["availability"]["available"] == "Disabled"
        if disabled and READ_DISABLED_COURSE not in self.account["entitlements"]:
            raise Refused(404, f"There is no '{self.ids['course']}' among the Courses.")
        return course

    @cached_property
    def entitlements(self) -> frozenset[str]:
        """What the account may do here: in the course of the path, if there is one."""
        there = self.course["_entitlements"] if "course" in self.ids else None
        return frozenset(self.account["entitlements"] if there is None else there)

    def may(self, *any_of: str) -> bool:
        """Return whether the account has one of some entitlements."""
        return not self.entitlements.isdisjoint(any_of)

    def need(self, *any_of: str) -> None:
        """Go on only with one of some entitlements.

        Raises:
            Refused: the account has none of them.
        """
        if not self.may(*any_of):
            raise Refused(403, f"The user does not have the entitlement {' or '.join(any_of)}.")

    def need_to_change(self, entitlement: str) -> None:
        """Go on only with an entitlement, and in a course that takes changes.

        Raises:
            Refused: the account has it not, or the course is complete.
        """
        self.need(entitlement)
        if self.course["closedComplete"]:
            raise Refused(403, "The course is complete and takes no changes.")

    def flag(self, name: str) -> bool:
        """Return a parameter that is true or false, false if it is not given.

        Raises:
            Refused: it is neither.
        """
        text = self.query.get(name, "false")
        if text not in TRUTH:
            raise Refused(400, f"The parameter {name} must be true or false.")
        return TRUTH[text]

    def whole(self, name: str, default: int) -> int:
        """Return a parameter that is a whole number, 0 or more.

        Raises:
            Refused: it is not.
        """
        text = self.query.get(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < len(str(2**63))):
            raise Refused(400, f"The parameter {name} must be a whole number.")
        return int(text)

    def choice(self, name: str, choices: Mapping[str, str], default: str) -> str:
        """Return what a parameter's word stands for.

        Raises:
            Refused: it is another word.
        """
        word = self.query.get(name, default)
        if word not in choices:
            raise Refused(400, f"The parameter {name} must be one of {', '.join(choices)}.")
        return choices[word]

    def since(self, name: str) -> Where:
        """Return the condition of a date and its Compare parameter.

        Raises:
            Refused: it is no date.
        """
        comparison = self.choice(f"{name}Compare", COMPARISONS, "greaterOrEqual")
        if name not in self.query:
            return Where()
        try:
            return Where(f'"{name}" {comparison} ?', (milliseconds(self.query[name]),))
        except ValueError:
            raise Refused(400, f"The parameter {name} must be an instant with its zone.") from None

    def like(self, name: str) -> Where:
        """Return the condition that a property contains a parameter's text."""
        if name not in self.query:
            return Where()
        return Where(f'instr(lower("{name}"), lower(?)) > 0', (self.query[name],))

    @property
    def fields(self) -> Fields:
        """The fields that are to be answered, all if empty."""
        return read_fields(self.query.get("fields", ""))

    def page(
        self,
        collection: str,
        where: Where,
        form: Callable[[Document], Document | None] = lambda document: document,
        *,
        order: str = "key",
        most: int = MOST,
    ) -> Document:
        """Return one page of a list; what has no form is left out of it.

        Raises:
            Refused: offset or limit is wrong.
        """
        offset, limit = self.whole("offset", 0), self.whole("limit", PAGE)
        if not 0 < limit <= most:
            raise Refused(400, f"The parameter limit must be from 1 to {most}.")
        # One more than a page shows whether there is another.
        found = self.documents.find(collection, where, order=order, limit=limit + 1, offset=offset)
        forms = map(form, found[:limit])
        shown: Document = {"results": [picked(item, self.fields) for item in forms if item is not None]}
        if len(found) > limit:
            query = urlencode({**self.query, "offset": offset + limit})
            shown["paging"] = {"nextPage": f"{self.path}?{query}"}
        return shown
