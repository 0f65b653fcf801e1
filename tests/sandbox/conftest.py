"""The sandboxes that most tests share."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from fixtures.sandboxes import Hall, Sandbox, running, running_hall


@pytest.fixture(scope="session")
def shared_faculty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running(tmp_path_factory.mktemp("faculty")) as sandbox:
        yield sandbox


@pytest.fixture
def faculty(shared_faculty: Sandbox) -> Iterator[Sandbox]:
    """The sandbox with its own data; tests share it, and each makes schedules of its own."""
    yield shared_faculty
    shared_faculty.act("clock", {"now": None})
    shared_faculty.act("faults", method="DELETE", status=204)


@pytest.fixture(scope="session")
def shared_hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    with running_hall(tmp_path_factory.mktemp("hall")) as hall:
        yield hall


@pytest.fixture
def hall(shared_hall: Hall) -> Iterator[Hall]:
    """The sandbox of assessmentQ with its own data; tests share it, and each has sittings of its own."""
    yield shared_hall
    shared_hall.network()
    shared_hall.act("clock", {"now": None})
    shared_hall.act("faults", method="DELETE", status=204)


NUMBERS = count(510001)


@pytest.fixture
def sitting() -> str:
    """A sitting that no other test uses."""
    return f"{next(NUMBERS)}-1"
