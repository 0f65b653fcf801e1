"""How errors are told, `gradeway settings`, and `gradeway db upgrade`."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import create_engine, text

from gradeway.cli.admin import hidden
from gradeway.settings import PREFIX, Settings
from gradeway.store import overview

Run = Callable[..., Result]
Data = Callable[..., dict[str, Any]]
NOWHERE = "postgresql://clerk:hunter2@127.0.0.1:1/gradeway?password=hunter3&sslmode=disable"


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("show",),
        ("show", "x"),
        ("show", "0"),
        ("batches", "--limit", "0"),
        ("batches", "--feed", "x"),
        ("check",),
    ],
)
def test_wrong_use_is_2_with_the_usage(words: tuple[str, ...], run: Run) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: gradeway")


@pytest.mark.parametrize("command", ["sweep", "status", "batches", "grades", "settings"])
def test_wrong_settings_are_2_and_named(command: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADEWAY_ATTEMPTS", "none")
    result = run(command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("gradeway: GRADEWAY_ATTEMPTS is wrong: ")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", [["sweep"], ["status"], ["batches"], ["db", "upgrade"]])
def test_a_store_that_cannot_be_reached_is_2_without_its_password(
    command: list[str], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADEWAY_DATABASE_URL", NOWHERE)
    result = run(*command)
    assert (result.exit_code, result.stdout) == (2, "")
    where = "the store postgresql+psycopg://clerk:***@127.0.0.1:1/gradeway"
    assert result.stderr == f"gradeway: {where} cannot be reached (OperationalError); check GRADEWAY_DATABASE_URL\n"


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("DELIMITER", "x", "| ; , ~"),
        ("FALLBACK_ENCODING", "latin1", "cp1252"),
        ("WHOLE_FILE_FEEDS", "xls", "feeds are"),
    ],
)
@pytest.mark.parametrize("command", ["sweep", "status", "settings"])
def test_a_wrong_setting_says_what_it_takes(
    command: str, variable: str, value: str, expected: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"GRADEWAY_{variable}", value)
    result = run(command)
    assert result.exit_code == 2
    assert f"GRADEWAY_{variable} is wrong: " in result.stderr
    assert expected in result.stderr
    assert "pattern" not in result.stderr


def test_a_file_where_the_home_or_the_store_should_be_is_2(
    run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.write_text("in the way")
    assert run("sweep").exit_code == run("status").exit_code == 2
    monkeypatch.setenv("GRADEWAY_HOME", str(tmp_path / "other"))
    monkeypatch.setenv("GRADEWAY_DATABASE_URL", f"sqlite:///{home}")
    assert run("sweep").exit_code == run("status").exit_code == 2


@pytest.mark.parametrize("words", [("status",), ("batches",), ("grades",), ("show", "1")])
def test_what_only_reads_makes_no_store(
    words: tuple[str, ...], run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert run(*words).exit_code == (1 if words[0] == "show" else 0)
    assert not home.exists()
    assert sorted(tmp_path.iterdir()) == before


def test_a_landing_zone_that_cannot_be_used_is_2(run: Run, home: Path) -> None:
    home.mkdir()
    (home / "landing").write_text("in the way")
    result = run("sweep")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "check GRADEWAY_LANDING" in result.stderr


@pytest.mark.parametrize("verbose", [False, True])
def test_an_unexpected_error_is_3_and_never_quotes_a_row(
    verbose: bool, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        msg = "STU000007 has 90"
        raise KeyError(msg)

    monkeypatch.setattr(overview, "batches", fail)
    result = run("batches", *(["--verbose"] if verbose else []))
    assert (result.exit_code, result.stdout) == (3, "")
    assert "gradeway: stopped by an unexpected KeyError" in result.stderr
    assert ("in list_batches" in result.stderr) is verbose
    assert ("add --verbose" in result.stderr) is not verbose
    assert "STU000007" not in result.stderr


def test_a_busy_database_is_said_so(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("db", "upgrade")
    monkeypatch.setattr("gradeway.store.engine.BUSY_SECONDS", 0)
    inbox = home / "landing/inbox/grades"
    inbox.mkdir(parents=True)
    (inbox / "a.colext").write_text("courseId|name\nC|N\n")
    with closing(sqlite3.connect(home / "gradeway.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        result = run("sweep")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("gradeway: the store's database is away or busy")
    assert run("sweep").exit_code == 0


def test_a_reader_that_stops_reading_is_no_error(home: Path) -> None:
    command = [sys.executable, "-m", "gradeway.cli", "settings", "--format", "json"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert "Traceback" not in done.stderr
    assert "unexpected" not in done.stderr


def test_every_setting_is_listed_with_its_meaning(run: Run, data: Data, home: Path) -> None:
    items = {item["variable"]: item for item in data("settings")["settings"]}
    assert items.keys() == {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert all(item["meaning"] for item in items.values())
    assert items["GRADEWAY_HOME"]["value"] == str(home)
    assert items["GRADEWAY_HOME"]["from"] == "environment"
    assert items["GRADEWAY_LANDING"] == {
        "variable": "GRADEWAY_LANDING",
        "value": f"{home}/landing",
        "from": "default",
        "default": "",
        "meaning": items["GRADEWAY_LANDING"]["meaning"],
    }
    assert items["GRADEWAY_ZERO_POINTS"]["value"] == "false"
    table = run("settings").stdout
    assert all(name in table and item["meaning"] in table for name, item in items.items())


@pytest.mark.parametrize("variable", ["GRADEWAY_DATABASE_URL", "AIRFLOW_CONN_GRADEWAY_STORE"])
@pytest.mark.parametrize("options", [[], ["--format", "json"]])
def test_settings_hide_passwords(variable: str, options: list[str], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, NOWHERE)
    result = run("settings", *options)
    assert result.exit_code == 0
    assert "clerk:***@127.0.0.1:1/gradeway" in result.stdout
    assert "hunter" not in result.stdout + result.stderr


def test_what_is_no_url_is_not_shown_at_all() -> None:
    assert hidden("hunter2") == "not a SQLAlchemy URL"
    assert hidden(NOWHERE).startswith("postgresql://clerk:***@127.0.0.1:1/gradeway?")
    assert hidden("sqlite:////tmp/a.db") == "sqlite:////tmp/a.db"


def test_an_unknown_variable_is_a_warning_on_stderr(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADEWAY_DELIMITTER", ";")
    result = run("settings", "--format", "json")
    assert result.exit_code == 0
    assert result.stderr == (
        "WARNING gradeway.settings: GRADEWAY_DELIMITTER is no setting of Gradeway and is ignored; "
        "did you mean GRADEWAY_DELIMITER?\n"
    )


def test_an_upgrade_makes_the_tables_and_can_be_repeated(run: Run, data: Data, home: Path) -> None:
    first = data("db", "upgrade")
    assert first["store"] == f"sqlite:///{home}/gradeway.db"
    assert first["version"]
    again = run("db", "upgrade")
    assert (again.exit_code, again.stderr) == (0, "")
    assert again.stdout == f"the store sqlite:///{home}/gradeway.db is at version {first['version']}\n"


def test_a_store_of_another_version_says_what_to_do(run: Run, home: Path) -> None:
    run("db", "upgrade")
    engine = create_engine(f"sqlite:///{home}/gradeway.db")
    with engine.begin() as connection:
        connection.execute(text("UPDATE gradeway_version SET version_num = '0000'"))
    engine.dispose()
    result = run("batches")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "run `gradeway db upgrade`" in result.stderr
    newer = run("db", "upgrade")
    assert (newer.exit_code, newer.stdout) == (2, "")
    assert newer.stderr == "gradeway: the store's tables are newer than this program: update Gradeway\n"


@pytest.mark.parametrize("place", ["before", "after"])
def test_verbose_goes_before_and_after_the_command(place: str, run: Run, inbox: Path) -> None:
    (inbox / "a.colext").write_text("courseId|name\nC|N\n")
    words = ["-v", "sweep"] if place == "before" else ["sweep", "-v"]
    result = run(*words, "--format", "json")
    assert "INFO gradeway.landing.claim: claimed batch 1 (colext)" in result.stderr
    assert result.stdout.startswith("{")


@pytest.mark.parametrize(
    ("words", "body", "line"),
    [
        (("sweep",), "intake.sweep_once", "stopped; nothing is lost, and the same command, given again, goes on"),
        (
            ("publish", "apply", "--now"),
            "applying.apply_plan",
            "stopped; nothing is lost, and `gradeway publish apply --now` goes on",
        ),
        (("status",), "status.show_status", "stopped; it was only to look, and changed nothing"),
    ],
)
def test_an_interrupted_command_says_how_to_go_on(
    words: tuple[str, ...], body: str, line: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"gradeway.cli.{body}", _interrupted)
    stopped = run(*words)
    assert (stopped.exit_code, stopped.stdout, stopped.stderr) == (130, "", f"gradeway: {line}\n")


def _interrupted(*_: object) -> int:
    raise KeyboardInterrupt
