"""What is written into the store is what is read back, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select

from gradeway.store.engine import Store
from gradeway.store.models import DecimalText, Instant, Json

KEPT = Table(
    "kept",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("number", DecimalText),
    Column("instant", Instant),
    Column("data", Json),
)
NUMBERS = ["0", "100", "0.1", "-0.000001", "12345678901234567890.123456789", "1E+3", "1E-7", "100.00"]
MOMENT = datetime(2024, 3, 31, 1, 30, 15, 123456, tzinfo=UTC)
INSTANTS = [
    MOMENT,
    MOMENT.astimezone(timezone(timedelta(hours=-11))),
    MOMENT.astimezone(ZoneInfo("Europe/Brussels")),
    datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Brussels"), fold=1),
]
DATA = [{}, {"ключ": "値"}, [["A", "90"], ["F", None]], {"a": {"b": [1, True, None]}}]


def back(url: str, name: str, values: list[object]) -> list[object]:
    """Write values into a column and read them back."""
    store = Store(url)
    with store.writing() as session:
        KEPT.drop(session.connection(), checkfirst=True)
        KEPT.create(session.connection())
        session.execute(insert(KEPT), [{"id": place, name: value} for place, value in enumerate(values)])
    with store.session() as session:
        found = list(session.scalars(select(KEPT.c[name]).order_by(KEPT.c.id)))
    with store.writing() as session:
        KEPT.drop(session.connection())
    store.engine.dispose()
    return found


def test_numbers_come_back_exactly(empty_store: str) -> None:
    found = back(empty_store, "number", [*map(Decimal, NUMBERS), None])
    assert found == [*map(Decimal, NUMBERS), None]
    assert all(isinstance(number, Decimal) for number in found[:-1])
    assert str(found[-2]) == "100.00"  # also the zeros that were given


def test_instants_come_back_aware_and_in_utc(empty_store: str) -> None:
    found = back(empty_store, "instant", [*INSTANTS, None])
    # compared in UTC: Python finds no instant equal to a local time that stands twice on the clock
    assert found == [*(instant.astimezone(UTC) for instant in INSTANTS), None]
    assert {instant.utcoffset() for instant in found[:-1] if isinstance(instant, datetime)} == {timedelta(0)}


def test_documents_come_back_as_they_were(empty_store: str) -> None:
    assert back(empty_store, "data", [*DATA, None]) == [*DATA, None]


@pytest.mark.parametrize("instant", INSTANTS)
def test_an_instant_compares_as_what_it_is(empty_store: str, instant: datetime) -> None:
    store = Store(empty_store)
    with store.writing() as session:
        KEPT.create(session.connection())
        session.execute(insert(KEPT), [{"id": 1, "instant": instant}])
    with store.writing() as session:
        later, earlier = (instant.astimezone(UTC) + timedelta(seconds=step) for step in (1, -1))
        assert session.scalar(select(KEPT.c.id).where(KEPT.c.instant < later)) == 1
        assert session.scalar(select(KEPT.c.id).where(KEPT.c.instant < earlier)) is None
        KEPT.drop(session.connection())
    store.engine.dispose()
