"""Made-up people, the same in every sandbox."""

from __future__ import annotations

from typing import NamedTuple

FIRST_NAMES = ("Amara", "Bram", "Chiyo", "Dalia", "Emeka", "Fenna", "Goran", "Hana", "Iris", "Joris")
LAST_NAMES = ("Okafor", "Vermeulen", "Tanaka")
PEOPLE = len(FIRST_NAMES) * len(LAST_NAMES)


class Person(NamedTuple):
    """Somebody who does not exist."""

    login: str
    first: str
    last: str


def person(number: int) -> Person:
    """Return the person of a number; from ``PEOPLE`` on, names repeat and logins do not."""
    first, last = FIRST_NAMES[number % len(FIRST_NAMES)], LAST_NAMES[number % len(LAST_NAMES)]
    return Person(f"{first[0]}.{last}{number:02}".lower(), first, last)
