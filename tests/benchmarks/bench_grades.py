"""Loading grades, beside a plain COPY of the same file in the same run.

``make bench`` prints for each database: a first load, the same bytes again, the file with one value
in a hundred changed, and a file of which every fifth row is rejected. Every figure is from the claim
to the written report, without imports, and stands beside the time that PostgreSQL takes to COPY the
file as it is into an unlogged table of text: the median of some COPYs just before, the first of all
not counted. An undo stands beside the load that it takes back: one that made all its grades, and one
that changed them all. Seconds depend on the machine; the ratio is what counts.
"""

from __future__ import annotations

import resource
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psycopg
import pytest

import postgres
from gradeway.demo.samples import HEADERS
from gradeway.demo.term import Term, write_term, write_values
from gradeway.intake import Intake
from gradeway.settings import load
from gradeway.store import ledger, overview

ROWS = 1_000_000
COPIES = 5
BAD_EVERY = 5
# no learner, a cell too few, a decimal comma, no symbol of the column, no value
BROKEN = ("{0}||{2}|{3}", "{0}|{1}|{2}", "{0}|{1}|{2}|87,5", "{0}|{1}|{2}|?", "{0}|{1}|{2}|")
# A bad row may cost more than a good one, as it is told about, but not so much that a bad file is trouble.
BAD_FILE_LIMIT = 3
# What is taken back is kept as history, of which a first load has none to write.
UNDO_LIMIT = 5
FLOOR = "COPY floor FROM STDIN (FORMAT csv, DELIMITER '|', QUOTE E'\\b', HEADER)"


@dataclass(frozen=True)
class Measured:
    """One sweep: seconds, peak memory of its process in MiB, and what became of the rows."""

    seconds: float
    peak: int
    created: int
    updated: int
    rejected: int
    state: str


def intake_of(home: Path, url: str) -> Intake:
    return Intake(load({"GRADEWAY_HOME": str(home), "GRADEWAY_DATABASE_URL": url, "GRADEWAY_SETTLE_SECONDS": "0"}))


def warm_up(intake: Intake) -> None:
    """Import what a load imports when it first needs it."""
    path = intake.settings.home / "warm.colncval"
    path.write_text(f"{HEADERS['colncval']}\nnone|none|none|1\n")
    intake.rehearse(path, "colncval")


def sweep(home: Path, url: str) -> Measured:
    """Sweep the landing zone once and measure it."""
    intake = intake_of(home, url)
    warm_up(intake)
    start = time.perf_counter()
    (number,) = intake.sweep(lambda _step: None).batches
    seconds = time.perf_counter() - start
    with intake.store.session() as session:
        batch = ledger.get(session, number)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return Measured(seconds, peak, batch.created, batch.updated, batch.rejected, batch.state)


def undo(home: Path, url: str) -> tuple[float, int, int]:
    """Undo the newest batch that stands; return the seconds, and how many grades came back and went."""
    intake = intake_of(home, url)
    with intake.store.session() as session:
        batch = next(one for one in overview.batches(session, 9) if not (one.undo_of or one.undone_by))
    start = time.perf_counter()
    done = intake.undo(batch.id)
    intake.finish()
    return time.perf_counter() - start, done.parts["grade"].restored, done.parts["grade"].removed


def apart(home: Path, url: str, work: Callable[[Path, str], Any] = sweep) -> Any:  # noqa: ANN401  as the work says
    """Measure some work in a process of its own, so that its memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, home, url).result()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres.server(careless=False) as url:
        yield url


@pytest.fixture
def floor_of(server: str) -> Iterator[object]:
    """Return the seconds of a plain COPY of a file: the median of a few."""
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

        def floor(path: Path) -> float:
            _, *seconds = [copy(path) for _ in range(COPIES + 1)]
            return statistics.median(seconds)

        yield floor


def prepare(home: Path, url: str, term: Term) -> Path:
    """Load everything of a term but its values; return the inbox."""
    intake = intake_of(home, url)
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


def spoil(path: Path) -> Path:
    """Break every fifth row of a file, each in another way than the one before."""
    target = path.with_stem("spoiled")
    with path.open() as rows, target.open("w") as out:
        out.write(next(rows))
        for number, row in enumerate(rows, 1):
            ways = BROKEN if number % BAD_EVERY == 0 else ("{0}|{1}|{2}|{3}",)
            out.write(ways[number // BAD_EVERY % len(ways)].format(*row.rstrip("\n").split("|")) + "\n")
    return target


def bench_bad_file(home: Path, url: str, floor_of: object, *, bad: bool) -> float:
    """Load a file into a store without grades, with many bad rows or none; return how many COPYs that took."""
    term = Term.of_rows(ROWS)
    home.mkdir()
    inbox = prepare(home, url, term)
    path = write_values(home / "good.colncval", term)
    floor = floor_of(path)  # type: ignore[operator]  # COPY takes no row with a cell too few
    shutil.move(spoil(path) if bad else path, inbox)
    measured = apart(home, url)
    show(f"PostgreSQL, {term.rows:,} rows, {term.rows // BAD_EVERY if bad else 0:,} bad", measured, floor)
    assert measured.rejected == (term.rows // BAD_EVERY if bad else 0)
    assert measured.created == term.rows - measured.rejected
    return measured.seconds / floor


def bench_undo(home: Path, url: str) -> None:
    """Load grades and then others for all of them, and undo one load after the other."""
    kind = "SQLite" if url.startswith("sqlite") else "PostgreSQL"
    term = Term.of_rows(ROWS)
    inbox = prepare(home, url, term)
    loads = []
    for changed in (0, 1):
        shutil.move(write_values(home / f"{changed}.colncval", term, changed_every=changed), inbox)
        loads.append(apart(home, url))
    for what, measured in (("changed", loads[1]), ("made", loads[0])):
        seconds, restored, removed = apart(home, url, undo)
        ratio = seconds / measured.seconds
        sys.stdout.write(
            f"{kind}, undo of a load that {what} {term.rows:,} grades: {seconds:6.2f} s"
            f"  = {ratio:5.2f} x that load ({measured.seconds:.2f} s)\n"
        )
        assert (restored, removed) == (measured.updated, measured.created)
        assert ratio < UNDO_LIMIT


def test_postgresql(tmp_path: Path, server: str, floor_of: object) -> None:
    with postgres.database(server) as url:
        bench_file(tmp_path, url, floor_of)


def test_sqlite(tmp_path: Path, floor_of: object) -> None:
    bench_file(tmp_path, f"sqlite:///{tmp_path / 'store.db'}", floor_of)


def test_an_undo_on_postgresql(tmp_path: Path, server: str) -> None:
    with postgres.database(server) as url:
        bench_undo(tmp_path, url)


def test_an_undo_on_sqlite(tmp_path: Path) -> None:
    bench_undo(tmp_path, f"sqlite:///{tmp_path / 'store.db'}")


def test_memory_does_not_grow_with_the_rows(tmp_path: Path, server: str, floor_of: object) -> None:
    with postgres.database(server) as url:
        bench_file(tmp_path, url, floor_of, 3 * ROWS)


def test_a_bad_file_takes_little_longer(tmp_path: Path, server: str, floor_of: object) -> None:
    ratios = {}
    for bad in (False, True):
        with postgres.database(server) as url:
            ratios[bad] = bench_bad_file(tmp_path / str(bad), url, floor_of, bad=bad)
    assert ratios[True] < BAD_FILE_LIMIT * ratios[False]
