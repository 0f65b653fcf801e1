"""`gradeway status`: one screen that says what is there and what a person should do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from gradeway import clock
from gradeway.demo import samples
from gradeway.demo.term import Term, write_term
from gradeway.loading import batch as loading

Run = Callable[..., Result]
Data = Callable[..., dict[str, Any]]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let time pass."""

    def pass_by(**much: float) -> None:
        then = datetime.now(UTC) + timedelta(**much)
        monkeypatch.setattr(clock, "now", lambda: then)

    return pass_by


def put(inbox: Path, name: str, *lines: str) -> Path:
    return samples.write(inbox / name, (line + "\n" for line in lines))


def whats(data: Data) -> list[str]:
    return [item["what"] for item in data("status")["attention"]]


def test_a_new_installation_has_nothing_to_tell(run: Run, data: Data, home: Path) -> None:
    result = run("status")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        f"store         sqlite:///{home}/gradeway.db",
        f"landing zone  {home}/landing",
        "batches       none yet",
        "parked        none",
        "",
        "Needs attention",
        "nothing",
    ]
    assert data("status") == {
        "store": f"sqlite:///{home}/gradeway.db",
        "landing": f"{home}/landing",
        "inbox": [],
        "batches": {"claimed": 0, "loaded": 0, "refused": 0, "duplicate": 0},
        "parked": {"rows": 0, "groups": []},
        "last": [],
        "attention": [],
    }


def test_the_inbox_is_counted_and_transfers_are_not_files(
    run: Run, data: Data, inbox: Path, later: Callable[..., None]
) -> None:
    put(inbox, "a.colext", "courseId|name")
    put(inbox, "b.colext.part", "courseId|name")
    put(inbox, ".hidden", "x")
    (inbox / "folder").mkdir()
    [found] = data("status")["inbox"]
    assert (found["inbox"], found["files"], found["transfers"]) == ("grades", 1, 2)
    assert abs(datetime.fromisoformat(found["oldest"]) - clock.now()) < timedelta(minutes=1)
    folder = "1 folder in inbox grades"
    assert whats(data) == [folder]
    later(minutes=20)
    assert whats(data) == ["1 file in inbox grades, the oldest for 20 minutes", folder]
    later(hours=3)
    assert whats(data)[1] == "a transfer into inbox grades has not ended for 3 hours"
    assert "1 file, the oldest for 3 hours; 2 transfers under way" in run("status").stdout


def test_states_last_batches_rejects_and_refusals_are_told(run: Run, data: Data, inbox: Path) -> None:
    write_term(inbox, Term(courses=3), mistakes=True)
    run("sweep")
    document = data("status")
    assert document["batches"] == {"claimed": 0, "loaded": 6, "refused": 2, "duplicate": 0}
    assert [item["batch"] for item in document["last"]] == [8, 7, 6, 5, 4]
    refused, rejected = document["attention"]
    assert refused["what"] == "2 files refused in the last 7 days"
    assert "gradeway batches --state refused" in refused["remedy"]
    assert rejected["what"] == "19 rows rejected in 5 batches in the last 7 days"
    screen = run("status").stdout
    assert "6 loaded, 2 refused" in screen
    assert f"- {rejected['what']}\n  {rejected['remedy']}\n" in screen


def test_old_troubles_are_history(run: Run, data: Data, inbox: Path, later: Callable[..., None]) -> None:
    put(inbox, "a.colnc", "course;name", "C;N")
    run("sweep")
    assert len(whats(data)) == 1
    later(days=8)
    assert whats(data) == []


def test_parked_rows_tell_what_they_wait_for_and_when_they_expire(
    run: Run, data: Data, inbox: Path, later: Callable[..., None]
) -> None:
    put(inbox, "a.colncval", "courseId|userId|name|value", "C1|U1|Exam|7", "C1|U2|Exam|8")
    put(inbox, "a.colnc", "courseId|name|gradeSchema", "C2|Quiz|Marks")
    run("sweep")
    parked = data("status")["parked"]
    assert parked["rows"] == 3
    found = {(group["for"], group["course"], group["name"], group["rows"]) for group in parked["groups"]}
    assert found == {("column", "C1", "Exam", 2), ("schema", "", "Marks", 1)}
    for group in parked["groups"]:
        wait = datetime.fromisoformat(group["expires"]) - datetime.fromisoformat(group["since"])
        assert wait == timedelta(days=30)
    lines = [line.split() for line in run("status").stdout.splitlines()]
    assert any(line[:4] == ["column", "Exam", "C1", "2"] for line in lines)
    assert whats(data) == []
    later(days=24)
    assert "3 parked rows will expire within 7 days" in whats(data)


def test_many_groups_of_parked_rows_stay_on_one_screen(run: Run, inbox: Path) -> None:
    rows = (f"C{number}|U1|Exam|7" for number in range(20))
    put(inbox, "a.colncval", "courseId|userId|name|value", *rows)
    run("sweep")
    screen = run("status").stdout
    assert "... and 12 more" in screen
    assert len(screen.splitlines()) < 40


def test_a_failing_batch_and_a_forgotten_one_are_told(
    run: Run, data: Data, inbox: Path, later: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(inbox, "a.colext", "courseId|name", "C1|Exam")
    with monkeypatch.context() as broken:
        broken.setattr(loading, "load", lambda *_: 1 / 0)
        run("sweep")
    assert whats(data) == ["batch 1 failed 1 time (ZeroDivisionError)"]
    assert data("status")["batches"]["claimed"] == 1
    with monkeypatch.context() as dead:
        dead.setattr(loading, "load", kill)
        put(inbox, "b.colext", "courseId|name", "C2|Exam")
        run("sweep")
    later(minutes=30)
    assert "batch 2 is claimed and not loaded for 30 minutes" in whats(data)


def kill(*_: object) -> None:
    """End the command as a signal would, with the claim kept."""
    raise KeyboardInterrupt


def test_times_are_shown_in_the_zone_of_the_settings(
    run: Run, inbox: Path, monkeypatch: pytest.MonkeyPatch, data: Data
) -> None:
    put(inbox, "a.colncval", "courseId|userId|name|value", "C1|U1|Exam|7")
    run("sweep")
    monkeypatch.setenv("GRADEWAY_TIME_ZONE", "Asia/Kathmandu")
    since = datetime.fromisoformat(data("status")["parked"]["groups"][0]["since"])
    assert since.utcoffset() == timedelta(0)
    assert (since + timedelta(hours=5, minutes=45)).strftime("%Y-%m-%d %H:%M") in run("status").stdout
