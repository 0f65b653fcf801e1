"""The sandboxes that most tests share."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from fixtures.learn_api import Contract
from fixtures.sandboxes import Hall, Sandbox, Site, running, running_hall, running_site


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


@pytest.fixture(scope="session")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def site(shared_site: Site) -> Iterator[Site]:
    """The sandbox of Learn with its own data; tests share it, and each makes columns of its own."""
    yield shared_site
    shared_site.act("limit", {})
    shared_site.act("clock", {"now": None})
    shared_site.act("faults", method="DELETE", status=204)


@pytest.fixture
def contract(monkeypatch: pytest.MonkeyPatch) -> Iterator[Contract]:
    """What Learn's sandbox answers, and which requests it accepts, is as the contract says."""
    with Contract(accepted_only=True).watching(monkeypatch) as watching:
        yield watching


@pytest.fixture(autouse=True)
def _contract(request: pytest.FixtureRequest) -> None:
    if "test_learn_" in request.node.nodeid:
        request.getfixturevalue("contract")
