"""Loading grades, beside a plain COPY of the same file in the same run.

``make bench`` prints for each database: a first load, the same bytes again, and the file with one
value in a hundred changed. Every figure is from the claim to the written report, and stands beside
the time that PostgreSQL takes to COPY the file as it is into an unlogged table of text, measured
just before. Seconds depend on the machine; the ratio is what counts.
"""

from __future__ import annotations

import resource
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import psycopg
import pytest

import postgres
from gradeway.demo.term import Term, write_term, write_values
from gradeway.intake import Intake
from gradeway.settings import load
from gradeway.store import ledger

ROWS = 1_000_000
FLOOR = "COPY floor FROM STDIN (FORMAT csv, DELIMITER '|', QUOTE E'\\b', HEADER)"


@dataclass(frozen=True)
class Measured:
    """One sweep: seconds, peak memory of its process in MiB, and what became of the rows."""

    seconds: float
    peak: int
    created: int
    updated: int
    state: str


def sweep(home: Path, url: str) -> Measured:
    """Sweep the landing zone once and measure it."""
    intake = Intake(load({"GRADEWAY_HOME": str(home), "GRADEWAY_DATABASE_URL": url, "GRADEWAY_SETTLE_SECONDS": "0"}))
    start = time.perf_counter()
    (number,) = intake.sweep(lambda _step: None).batches
    seconds = time.perf_counter() - start
    with intake.store.session() as session:
        batch = ledger.get(session, number)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return Measured(seconds, peak, batch.created, batch.updated, batch.state)


def apart(home: Path, url: str) -> Measured:
    """Measure a sweep in a process of its own, so that its memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(sweep, home, url).result()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres.server(careless=False) as url:
        yield url


@pytest.fixture
def floor_of(server: str) -> Iterator[object]:
    """Return the seconds of a plain COPY of a file."""
    with postgres.database(server) as url, psycopg.connect(url.replace("+psycopg", "")) as connection:

        def copy(path: Path) -> float:
            connection.execute("DROP TABLE IF EXISTS floor")
            connection.execute("CREATE UNLOGGED TABLE floor (a text, b text, c text, d text)")
            start = time.perf_counter()
            with connection.cursor().copy(FLOOR) as out, path.open("rb") as rows:
                while block := rows.read(1 << 20):
                    out.write(block)
            connection.commit()
            return time.perf_counter() - start

        yield copy


def prepare(home: Path, url: str, term: Term) -> Path:
    """Load everything of a term but its values; return the inbox."""
    intake = Intake(load({"GRADEWAY_HOME": str(home), "GRADEWAY_DATABASE_URL": url, "GRADEWAY_SETTLE_SECONDS": "0"}))
    inbox = intake.zone.inbox("grades")
    for path in write_term(inbox, term):
        if path.suffix == ".colncval":
            path.unlink()
    intake.sweep(lambda _step: None)
    return inbox


def show(what: str, measured: Measured, floor: float) -> None:
    sys.stdout.write(
        f"{what:<34} {measured.seconds:6.2f} s  = {measured.seconds / floor:5.2f} x COPY ({floor:.2f} s)"
        f"   peak {measured.peak} MiB\n"
    )


def bench_file(home: Path, url: str, floor_of: object, rows: int = ROWS) -> None:
    """Load a file for the first time, again, and with one value in a hundred changed."""
    kind = "SQLite" if url.startswith("sqlite") else "PostgreSQL"
    term = Term.of_rows(rows)
    inbox = prepare(home, url, term)
    steps = (("first load", 0), ("same bytes again", 0), ("1 % changed", 100))
    for number, (what, changed) in enumerate(steps):
        path = write_values(home / f"{number}.colncval", term, changed_every=changed)
        floor = floor_of(path)  # type: ignore[operator]
        shutil.move(path, inbox)
        measured = apart(home, url)
        show(f"{kind}, {term.rows:,} rows, {what}", measured, floor)
        expected = {0: (term.rows, 0, "loaded"), 1: (0, 0, "duplicate"), 2: (0, term.rows // 100, "loaded")}
        assert (measured.created, measured.updated, measured.state) == expected[number]


def test_postgresql(tmp_path: Path, server: str, floor_of: object) -> None:
    with postgres.database(server) as url:
        bench_file(tmp_path, url, floor_of)


def test_sqlite(tmp_path: Path, floor_of: object) -> None:
    bench_file(tmp_path, f"sqlite:///{tmp_path / 'store.db'}", floor_of)


def test_memory_does_not_grow_with_the_rows(tmp_path: Path, server: str, floor_of: object) -> None:
    with postgres.database(server) as url:
        bench_file(tmp_path, url, floor_of, 3 * ROWS)
