"""Tests here share one sandbox; each has sittings, a store and a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from custody import pcs
from custody.pcs import MakePc, Pc, client_of
from fixtures.sandboxes import Hall, running_hall
from gradeway import clock
from gradeway.store.engine import Store
from loading.installations import of_either_kind
from sessions.exams import Clock

NUMBERS = count(510001)
SITTINGS = 3000


@pytest.fixture(scope="session")
def shared_exam_hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """One sandbox for all tests here."""
    participants = [str(510001 + number) for number in range(SITTINGS)]
    seed = {
        "Exams": [{"id": "1", "name": "Anatomy final"}],
        "Participants": [{"id": participant} for participant in participants],
        "Sittings": [{"exam": "1", "participant": participant} for participant in participants],
    }
    with running_hall(tmp_path_factory.mktemp("hall"), seed) as hall:
        yield hall


@pytest.fixture
def hall(shared_exam_hall: Hall) -> Iterator[Hall]:
    """The sandbox, with its network and its answers as usual again after the test."""
    yield shared_exam_hall
    shared_exam_hall.network()
    shared_exam_hall.act("faults", method="DELETE", status=204)


@pytest.fixture
def sitting() -> str:
    """A sitting that no other test uses."""
    return f"{next(NUMBERS)}-1"


@pytest.fixture
def sittings() -> Iterator[str]:
    """Any number of such sittings."""
    return (f"{number}-1" for number in NUMBERS)


class TwoClocks(Clock):
    """The time here and at the sandbox."""

    def __init__(self, hall: Hall) -> None:
        super().__init__()
        self._hall, self._begun = hall, self.time
        self.steady = 0.0
        self.pass_by(0)

    def pass_by(self, seconds: float) -> None:
        super().pass_by(seconds)
        self.steady += seconds
        now = self._begun + timedelta(seconds=self.steady)
        self._hall.act("clock", {"now": now.isoformat()})

    def jump(self, seconds: float) -> None:
        """Put the clock here to another time, without any time passing."""
        super().pass_by(seconds)


@pytest.fixture
def passing(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoClocks]:
    """A time that passes only when the test says so."""
    made = TwoClocks(hall)
    monkeypatch.setattr(clock, "now", made.now)
    monkeypatch.setattr(pcs, "STEADY", [lambda: made.steady])
    yield made
    hall.act("clock", {"now": None})


@pytest.fixture
def empty_store(request: pytest.FixtureRequest) -> str:
    """The URL of a store with tables and nothing in them, on either kind of database."""
    return of_either_kind(request)


@pytest.fixture
def make_pc(hall: Hall, folder: Path) -> Iterator[MakePc]:
    """Make an exam PC in a store: its own folder, and a client with its own profile."""
    made: list[Pc] = []

    def make(store: str, name: str = "exams", *, given: dict[str, Any] | None = None, **client: Any) -> Pc:  # noqa: ANN401
        keeper = {"keeper": client.pop("keeper")} if "keeper" in client else {}
        pc = Pc(
            hall, Store(store), folder / name, client_of(hall, **client), given=given or {}, changed=client, **keeper
        )
        made.append(pc)
        return pc

    yield make
    for pc in made:
        pc.client.__exit__()
        pc.store.engine.dispose()


@pytest.fixture
def pc(make_pc: MakePc, empty_store: str) -> Pc:
    """An exam PC, with a store on either kind of database."""
    return make_pc(empty_store)


@pytest.fixture
def one_pc(make_pc: MakePc, sqlite_store: str) -> Pc:
    """An exam PC with a SQLite store, as it has it."""
    return make_pc(sqlite_store)
