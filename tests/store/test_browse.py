"""Paging through the ledger, the same on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from gradeway import clock
from gradeway.store import browse, overview
from gradeway.store.browse import Page, Place, Show
from gradeway.store.engine import Store
from gradeway.store.models import Batch, BatchState, Grade, ParkedRow


def batch(number: int, state: str = BatchState.LOADED, feed: str = "sch", **counts: int) -> Batch:
    return Batch(
        feed=feed,
        file_name=f"{number}.{feed}",
        sha256=f"{number:064}",
        size=1,
        state=state,
        place=f"archive/{number}",
        claimed_at=clock.now(),
        reasons={},
        **counts,
    )


def parked(batch_id: int, line: int, name: str) -> ParkedRow:
    return ParkedRow(
        batch_id=batch_id,
        line=line,
        feed="colncval",
        parent="column",
        course="C",
        name=name,
        cells={},
        parked_at=clock.now(),
    )


@pytest.fixture
def session(store_url: str) -> Iterator[Session]:
    store = Store(store_url).ready()
    with store.session() as session:
        yield session
    store.engine.dispose()


def fill(session: Session, *batches: Batch) -> None:
    for one in batches:
        session.add(one)
        session.flush()


def ids(page: Page) -> list[int]:
    return [one.id for one in page.batches]


def test_pages_go_down_to_the_oldest_and_up_to_the_newest(session: Session) -> None:
    fill(session, *(batch(number) for number in range(1, 8)))
    newest = browse.page(session, Place(), 3)
    assert (ids(newest), newest.newer, newest.older) == ([7, 6, 5], None, Place(before=5))
    middle = browse.page(session, Place(before=5), 3)
    assert (ids(middle), middle.newer, middle.older) == ([4, 3, 2], Place(after=4), Place(before=2))
    oldest = browse.page(session, Place(before=2), 3)
    assert (ids(oldest), oldest.newer, oldest.older) == ([1], Place(after=1), None)
    up = browse.page(session, Place(after=1), 3)
    assert (ids(up), up.newer, up.older) == ([4, 3, 2], Place(after=4), Place(before=2))


def test_a_page_is_the_same_after_new_batches(session: Session) -> None:
    fill(session, *(batch(number) for number in range(1, 5)))
    before = ids(browse.page(session, Place(before=4), 2))
    fill(session, batch(5))
    assert ids(browse.page(session, Place(before=4), 2)) == before == [3, 2]


def test_nothing_is_an_empty_page(session: Session) -> None:
    assert browse.page(session, Place(), 3) == Page((), None, None)
    assert browse.grades(session) == 0
    assert browse.senders(session, []) == {}


def test_neighbours_obey_the_filter(session: Session) -> None:
    fill(session, batch(1), batch(2, feed="col"), batch(3, BatchState.REFUSED), batch(4, BatchState.DUPLICATE))
    page = browse.page(session, Place(), 1, show=Show.LOADED)
    assert (ids(page), page.older) == ([2], Place(before=2))
    page = browse.page(session, Place(), 1, show=Show.LOADED, feed="col")
    assert (ids(page), page.newer, page.older) == ([2], None, None)


def test_what_needs_attention(session: Session) -> None:
    fill(
        session,
        batch(1, created=5),
        batch(2, rejected=1),
        batch(3, parked=1),
        batch(4, BatchState.REFUSED),
        batch(5, BatchState.CLAIMED),
        batch(6, BatchState.CLAIMED, failures=1),
        batch(7, BatchState.DUPLICATE),
        batch(8, failures=2),
    )
    assert ids(browse.page(session, Place(), 9, show=Show.ATTENTION)) == [6, 4, 3, 2]
    assert browse.attention(session) == 4


def test_senders_of_waiting_rows(session: Session) -> None:
    fill(session, batch(1), batch(2))
    session.add_all([parked(1, 2, "A"), parked(1, 3, "A"), parked(2, 2, "A"), parked(2, 3, "B")])
    session.flush()
    found = {group.name: numbers for group, numbers in browse.senders(session, overview.waiting(session)).items()}
    assert found == {"A": [1, 2], "B": [2]}


def test_grades_are_counted(session: Session) -> None:
    session.add_all(Grade(column_id=1, learner_id=n, batch_id=1, line=n, value="1") for n in range(1, 4))
    session.flush()
    assert browse.grades(session) == 3


def test_every_state_can_be_shown() -> None:
    assert {show.value for show in Show} == {"attention"} | {state.value for state in BatchState}
