"""The sandbox that most tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fixtures.sandboxes import Sandbox, running


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
