"""The table of attempts, which remembers what was read of each, and what was handed over last."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, select, update

from gradeway.feeds.cells import canonical
from gradeway.store.engine import Store
from gradeway.store.exams import Attempt

QUERIED = 1000

Values = dict[str, Any]


def known(store: Store, system: str, keys: Sequence[str]) -> dict[str, Attempt]:
    """Return a system's attempts of some keys that were read before."""
    found: dict[str, Attempt] = {}
    with store.session() as session:
        for start in range(0, len(keys), QUERIED):
            some = keys[start : start + QUERIED]
            wanted = select(Attempt).where(Attempt.system == system, Attempt.attempt.in_(some))
            found |= {each.attempt: each for each in session.scalars(wanted)}
        session.expunge_all()
    return found


def differs(before: Attempt, values: Values) -> bool:
    """Return whether an attempt is not any more what was read before."""
    return any(getattr(before, name) != value for name, value in values.items())


def write(store: Store, new: Sequence[Values], changed: Sequence[Values]) -> None:
    """Remember new attempts, and what became of others."""
    if not new and not changed:
        return
    with store.writing() as session:
        if new:
            session.execute(insert(Attempt), list(new))
        if changed:
            session.execute(update(Attempt), list(changed))


def text(number: Decimal | None) -> str | None:
    """Return a number as the table has it: exact, without an exponent."""
    return None if number is None else format(canonical(number), "f")
