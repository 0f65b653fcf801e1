"""A Gradeway of its own for each test, driven through its commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gradeway.cli import main
from gradeway.demo import samples

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an installation without any file yet."""
    folder = tmp_path / "home"
    monkeypatch.setenv("GRADEWAY_HOME", str(folder))
    monkeypatch.setenv("GRADEWAY_SETTLE_SECONDS", "0")
    monkeypatch.delenv("COLUMNS", raising=False)
    return folder


@pytest.fixture
def inbox(home: Path) -> Path:
    """The inbox of the grade files."""
    folder = home / "landing/inbox/grades"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def run(home: Path) -> Run:
    """Run a command as a shell would; the result has exit_code, stdout and stderr."""
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def data(run: Run) -> Callable[..., Any]:
    """Run a command with ``--format json`` and return its document."""

    def read(*arguments: object) -> dict[str, Any]:
        result = run(*arguments, "--format", "json")
        assert result.stderr == ""
        document: dict[str, Any] = json.loads(result.stdout)
        return document

    return read


@pytest.fixture
def loaded(run: Run, inbox: Path) -> Run:
    """Like run, on a store that has the six sample files."""
    samples.drop(inbox)
    assert run("sweep").exit_code == 0
    return run
