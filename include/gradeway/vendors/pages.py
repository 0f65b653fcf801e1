"""Lists that come in pages: yielding their rows along the links that a service puts into its answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gradeway.errors import VendorAnswerError
from gradeway.vendors.odata import NEXT_LINKS, VALUE, next_link, rows
from gradeway.vendors.transport import Transport

MOST_PAGES = 10_000


@dataclass(frozen=True)
class Paging:
    """The names under which answers carry their rows and the link to the rest; OData's unless told.

    ``envelope`` is the object in the answer that has the link, if it does not stand beside the rows.
    """

    value: str = VALUE
    next_links: tuple[str, ...] = NEXT_LINKS
    envelope: str = ""

    def unfold(self, transport: Transport, data: Any, template: str, navigation: str = "") -> Iterator[Any]:  # noqa: ANN401
        """Yield the rows of an answer and of all its continuations.

        Raises:
            VendorAnswerError: an answer is no list, or the links have no end or lead elsewhere.
            VendorError: as the transport's ``call``.
        """
        seen: set[object] = set()
        while (found := rows(data, navigation, self.value)) is not None:
            yield from found
            place = data.get(self.envelope) if self.envelope else data
            link = next_link(place, navigation, self.next_links) if isinstance(place, Mapping) else None
            if not link:
                return
            if not isinstance(link, str) or link in seen or len(seen) >= MOST_PAGES:
                raise VendorAnswerError(transport.name("GET", template), "the continuation links have no end")
            seen.add(link)
            data, navigation = transport.follow(link, template).data, ""
        raise VendorAnswerError(transport.name("GET", template), "the answer holds no list")
