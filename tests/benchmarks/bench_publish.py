"""Publishing to the sandbox: how many calls it takes, and how much of what the site allows is used.

``make bench`` prints, for terms of some courses: the calls for each grade that changed, beside those that read;
writes and calls when nothing changed; for both ways in which sites limit calls, and for some threads, the calls that
were made while there was work beside those that the site allowed in that time; and the time in which few changes
in a large term are planned, beside that for the whole term. Seconds depend on the machine; counts and ratios count.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from fixtures.sandboxes import Site, running_site
from gradeway.publish.run import Publisher
from gradeway.sandbox.learn.start import courses
from gradeway.store.models import Grade
from gradeway.store.publish import PublishIntent
from loading.world import World
from publish.filling import fill
from publish.scene import MANNERS, WRITES, Scene

COLUMNS = ("Oral", "Essay")
RATE = 10  # calls a second that the site allows: so many that the machine does not matter
LEAST_SHARE = 0.95
LIMITS: dict[str, dict[str, Any]] = {
    "bucket": {"style": "bucket", "calls": RATE, "seconds": 1, "size": 20},
    "window": {"style": "window", "calls": 60 * RATE, "seconds": 60},
}


@dataclass(frozen=True)
class Size:
    """How large a term is: courses, each with two columns, and learners in each of these."""

    courses: int
    learners: int

    @property
    def names(self) -> list[str]:
        return [f"C{number:04d}" for number in range(self.courses)]

    @property
    def people(self) -> list[str]:
        return [f"u{number:03d}" for number in range(self.learners)]

    @property
    def grades(self) -> int:
        return self.courses * self.learners * len(COLUMNS)


@dataclass(frozen=True)
class Measured:
    """What some work took: seconds, and the calls that the site got, but for tokens."""

    seconds: float
    calls: list[dict[str, Any]]

    @property
    def writes(self) -> int:
        return sum(call["method"] in WRITES for call in self.calls)

    @property
    def reads(self) -> int:
        return len(self.calls) - self.writes


class Bench:
    """A term in a store, and a site of its own."""

    def __init__(self, site: Site, home: Path, size: Size, *, threads: int) -> None:
        self.size, self._site = size, site
        self._world = World(
            home, f"sqlite:///{home / 'store.db'}", publish_threads=threads, publish_brakes="changes=0/100"
        )
        self._scene = Scene(self._world, site, "")
        grades = {column: dict.fromkeys(size.people, "7") for column in COLUMNS}
        fill(self._world.intake.store, dict.fromkeys(size.names, grades))

    def change(self, value: str, one_of: int) -> int:
        """Give other values in one of so many columns; return how many grades that are."""
        changed = update(Grade).where(Grade.column_id % one_of == 0).values(value=value)
        with self._world.intake.store.writing() as session:
            return int(session.execute(changed).rowcount)  # type: ignore[attr-defined]

    def limit(self, limit: dict[str, Any]) -> None:
        self._site.act("limit", limit)

    def plan(self) -> Measured:
        return self._measured(lambda publisher: publisher.plan())

    def send(self) -> Measured:
        return self._measured(lambda publisher: publisher.apply_free())

    def publish(self) -> Measured:
        return self._measured(lambda publisher: (publisher.plan(), publisher.apply_free()))

    def _measured(self, work: Callable[[Publisher], object]) -> Measured:
        since = self._scene.mark()
        with self._scene.publisher(MANNERS) as publisher:
            start = time.perf_counter()
            work(publisher)
            seconds = time.perf_counter() - start
        log = self._site.act(f"log?after={since}", method="GET")
        return Measured(seconds, [call for call in log if "oauth2" not in call["path"]])

    def check(self) -> None:
        """See that all was published."""
        assert {each.state for each in self._scene.rows(PublishIntent)} == {"done"}

    def close(self) -> None:
        self._world.intake.store.engine.dispose()


@contextmanager
def bench(folder: Path, size: Size, *, threads: int = 4) -> Iterator[Bench]:
    """Make a store with a term, and a site with its courses and learners in which there is nothing yet."""
    seed = courses(dict.fromkeys(size.names, "Classic"), dict.fromkeys(size.names, size.people))
    with running_site(folder, seed) as site:
        made = Bench(site, folder, size, threads=threads)
        yield made
        made.close()


def show(what: str, found: str) -> None:
    sys.stdout.write(f"\n{what:<52} {found}")


def measure_calls(bench: Bench) -> None:
    """Publish a term, change a part of it, and change nothing."""
    for what, one_of in (("a first term", 0), ("one column in ten", 10)):
        changed = bench.change("8", one_of) if one_of else bench.size.grades
        measured = bench.publish()
        made = sum("users" not in call["path"] for call in measured.calls if call["method"] in WRITES)
        per_grade = (measured.writes - made) / changed
        reads = measured.reads / changed
        show(f"{what}, {changed:,} grades", f"{per_grade:.3f} calls a grade, {reads:.3f} reads; {made} for columns")
        assert per_grade == 1
    bench.check()
    nothing = bench.publish()
    show("nothing has changed", f"{nothing.writes} writes, {nothing.reads} reads")
    assert nothing.calls == []


def share(calls: list[dict[str, Any]], limit: dict[str, Any]) -> float:
    """Return how many of the calls that a site allowed while there was work were made; ``calls`` were all it got.

    Of windows, those count that were over before the end: the last is only begun.
    """
    times = sorted(datetime.fromisoformat(call["at"]).timestamp() for call in calls if call["status"] != 429)
    if limit["style"] == "bucket":
        return len(times) / (limit["size"] + (times[-1] - times[0]) * limit["calls"] / limit["seconds"])
    whole = (len(times) - 1) // limit["calls"] * limit["calls"]
    return whole / ((times[whole] - times[0]) * limit["calls"] / limit["seconds"])


def measure_share(bench: Bench, limit: dict[str, Any], what: str) -> float:
    """Publish a term for the first time where calls are limited; return the share of those allowed that were made."""
    bench.limit(limit)
    measured = bench.publish()
    bench.limit({})
    bench.check()
    found = share(measured.calls, limit)
    refused = sum(call["status"] == 429 for call in measured.calls)
    show(
        what,
        f"{len(measured.calls):,} calls in {measured.seconds:.1f} s: {found:.1%} of those allowed, {refused} refused",
    )
    return found


def measure_plans(bench: Bench) -> float:
    """Plan a whole term, and then one grade in a hundred; return the part of the time that takes."""
    first = bench.plan()
    bench.send()
    changed = bench.change("9", 100)
    few = bench.plan()
    show(f"planning {bench.size.grades:,} grades in {bench.size.courses} courses", f"{first.seconds:.2f} s")
    show(f"planning {changed:,} of them", f"{few.seconds:.2f} s = {few.seconds / first.seconds:.2f} of that")
    bench.send()
    bench.check()
    return few.seconds / first.seconds


def test_calls(tmp_path: Path) -> None:
    with bench(tmp_path, Size(20, 50)) as made:
        measure_calls(made)


@pytest.mark.parametrize(("style", "courses", "threads"), [("bucket", 4, 1), ("bucket", 4, 4), ("window", 13, 4)])
def test_share_of_what_is_allowed(tmp_path: Path, style: str, courses: int, threads: int) -> None:
    with bench(tmp_path, Size(courses, 50), threads=threads) as made:
        found = measure_share(made, LIMITS[style], f"{style} of {RATE} calls a second, one task, {threads} thread(s)")
    assert found > LEAST_SHARE


def test_plans(tmp_path: Path) -> None:
    with bench(tmp_path, Size(100, 30)) as made:
        measure_plans(made)
