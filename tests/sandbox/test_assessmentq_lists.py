"""Lists: pages of 100, reading on from a time, and nothing missed when results change meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from fixtures.sandboxes import Hall, running_hall

SITTINGS = [f"{number}-1" for number in range(510001, 510241)]
BEGIN = datetime.fromisoformat("2027-01-31T08:00:00+00:00")


@pytest.fixture(scope="module")
def uploaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """A hall where 240 results came in, ten at a time a second."""
    with running_hall(tmp_path_factory.mktemp("uploaded")) as hall:
        for number, sitting in enumerate(SITTINGS):
            if number % 10 == 0:
                hall.act("clock", {"now": (BEGIN + timedelta(seconds=number // 10)).isoformat()})
            assert hall.upload(hall.play(sitting, "start", size=0)).status_code == 201
        yield hall


def test_a_list_is_cut_at_100(uploaded: Hall) -> None:
    first = uploaded.get("results")
    second = uploaded.get(first["@odata.nextLink"])
    third = uploaded.get(second["@odata.nextLink"])
    assert [len(page["value"]) for page in (first, second, third)] == [100, 100, 40]
    assert "@odata.nextLink" not in third
    assert first["@odata.nextLink"].startswith(uploaded.url)
    assert [found["sitting"] for found in uploaded.every("results")] == SITTINGS


@pytest.mark.parametrize(("path", "number"), [("sittings", 432), ("sittings?exam=1", 300), ("sittings?exam=3", 12),
    ("sittings?exam=none", 0), ("participants", 300), ("exams", 3), ("offline-results", 240)])  # fmt: skip
def test_every_list_has_pages(path: str, number: int, uploaded: Hall) -> None:
    found = uploaded.every(path)
    assert len({one["id"] for one in found}) == len(found) == number


def test_a_full_page_has_no_next_one(uploaded: Hall) -> None:
    page = uploaded.get("results?modifiedAfter=2027-01-31T08:00:14Z")
    assert len(page["value"]) == 100
    assert "@odata.nextLink" not in page


@pytest.mark.parametrize(
    ("instant", "number"),
    [
        ("2027-01-31T08:00:00Z", 240),
        ("2027-01-31T08:00:23.000000%2B00:00", 10),
        ("2027-01-31T09:00:23%2B01:00", 10),
        ("2027-01-31T08:00:22.999999Z", 10),
        ("2027-01-31T08:00:23.000001Z", 0),
        ("2027-01-31T08:00:05Z", 190),
    ],
)
def test_reading_on_from_a_time(instant: str, number: int, uploaded: Hall) -> None:
    found = uploaded.every(f"results?modifiedAfter={instant}")
    assert [one["sitting"] for one in found] == SITTINGS[240 - number :]


@pytest.mark.parametrize("query", ["modifiedAfter=", "modifiedAfter=2027-01-31T08:00:00", "modifiedAfter=x",
    "$skiptoken=x", "$skiptoken=WyJhIl0=", "$skiptoken=W1tdLFtdXQ=="])  # fmt: skip
def test_a_wrong_place_to_read_from_is_refused(query: str, uploaded: Hall) -> None:
    assert uploaded.get(f"results?{query}", 400)["error"]["code"] == "InvalidParameter"


def test_what_changes_between_two_pages_is_not_missed(uploaded: Hall) -> None:
    first = uploaded.get("results")
    uploaded.act("clock", {"now": (BEGIN + timedelta(hours=1)).isoformat()})
    uploaded.upload(uploaded.play(SITTINGS[3], "save", size=0))
    rest = uploaded.every(first["@odata.nextLink"])
    assert [found["sitting"] for found in rest] == [*SITTINGS[100:], SITTINGS[3]]
