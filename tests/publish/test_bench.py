"""The benchmark of publishing can be run, and counts right; how long things take is not looked at here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmarks.bench_publish import Size, bench, measure_calls, measure_plans, measure_share, share

SMALL = Size(courses=10, learners=2)


def calls(*seconds: float, status: int = 200) -> list[dict[str, Any]]:
    """What the log of a site has of calls at such times."""
    start = datetime(2026, 5, 4, tzinfo=UTC)
    return [{"at": (start + timedelta(seconds=each)).isoformat(), "status": status} for each in seconds]


def test_calls_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with bench(tmp_path, SMALL) as made:
        measure_calls(made)
    assert [" ".join(line.split()) for line in capsys.readouterr().out.strip().splitlines()] == [
        "a first term, 40 grades 1.000 calls a grade, 1.500 reads; 20 for columns",
        "one column in ten, 4 grades 1.000 calls a grade, 2.500 reads; 0 for columns",
        "nothing has changed 0 writes, 0 reads",
    ]


def test_plans_are_measured(tmp_path: Path) -> None:
    with bench(tmp_path, SMALL) as made:
        assert measure_plans(made) > 0


def test_the_share_of_what_is_allowed_is_measured(tmp_path: Path) -> None:
    with bench(tmp_path, SMALL) as made:
        assert measure_share(made, {"style": "bucket", "calls": 200, "seconds": 1, "size": 50}, "a limit") > 0


def test_a_share_is_of_what_a_bucket_held_and_got() -> None:
    bucket = {"style": "bucket", "calls": 1, "seconds": 2, "size": 3}
    assert share(calls(0, 0, 0, 2, 4), bucket) == 1
    assert share(calls(0, 0, 0, 2, 4) + calls(4, status=429), bucket) == 1
    assert share(calls(0, 0, 0, 10), bucket) == 0.5


def test_a_share_is_of_whole_windows() -> None:
    window = {"style": "window", "calls": 2, "seconds": 10}
    assert share(calls(0, 1, 10, 11, 20), window) == 1
    assert share(calls(0, 1, 20, 21, 40), window) == 0.5
