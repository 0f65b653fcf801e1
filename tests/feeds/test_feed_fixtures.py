"""Every feed has example files, good and bad, and each becomes what its name says.

A new feed is tested by its fixture folder alone: `good/` reads without a finding, a file in
`bad/` is refused or loses all rows but its first for the reason in its name, a file in `odd/`
loses nothing and is told the reason in its name.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.corpus import FEED_FILES, code_of, feed_files, read
from fixtures.intakes import Site
from gradeway import feeds
from gradeway.checks.header import REASON_COLUMNS
from gradeway.feeds import FEEDS
from gradeway.reasons import Level, Reason

GOOD, BAD, ODD = (
    [pytest.param(path, id=f"{feed}-{path.stem}") for feed in FEEDS for path in feed_files(feed, kind)]
    for kind in ("good", "bad", "odd")
)


def feed_of(path: Path) -> str:
    return path.parent.parent.name


@pytest.mark.parametrize("kind", ["good", "bad"])
@pytest.mark.parametrize("feed", FEEDS)
def test_each_feed_has_fixtures(feed: str, kind: str) -> None:
    assert feed_files(feed, kind), f"put example files into {FEED_FILES / feed / kind}"


def test_each_fixture_belongs_to_a_feed() -> None:
    files = {path for path in FEED_FILES.rglob("*") if path.is_file()}
    assert files == {path for feed in FEEDS for kind in ("good", "bad", "odd") for path in feed_files(feed, kind)}


@pytest.mark.parametrize("path", GOOD)
def test_a_good_file_reads_without_a_finding(path: Path) -> None:
    reading = read(path.read_bytes(), feed_of(path))
    assert reading.findings == []
    assert reading.rows == len(reading.good) > 0


@pytest.mark.parametrize("path", BAD)
def test_a_bad_file_is_rejected_for_the_reason_in_its_name(path: Path) -> None:
    reading, reason = read(path.read_bytes(), feed_of(path)), code_of(path)
    if reason.level is Level.FILE:
        assert [finding.reason for finding in reading.findings] == [reason]
    else:
        bad_lines = range(3, len(path.read_bytes().splitlines()) + 1)
        assert bad_lines
        assert reading.lines(Level.ROW) == {line: {reason} for line in bad_lines}
        assert list(reading.good) == [2]
        assert reading.codes == {reason.value: len(bad_lines)}


@pytest.mark.parametrize("path", ODD)
def test_an_odd_file_loses_nothing_and_is_told_the_reason_in_its_name(path: Path) -> None:
    reading, reason = read(path.read_bytes(), feed_of(path)), code_of(path)
    assert set(reading.codes) == {reason.value}
    assert reason.level is Level.WARNING
    repeated = reading.codes.get(Reason.DUPLICATE_COLLAPSED.value, 0)
    assert reading.rows == len(reading.good) + repeated > 0


def test_the_good_files_of_all_feeds_load_in_one_sweep_without_a_reject(site: Site) -> None:
    files = [path for feed in FEEDS for path in feed_files(feed, "good")]
    for path in files:
        site.drop(f"{feed_of(path)}-{path.name}", path.read_bytes(), FEEDS[feed_of(path)].inbox)
    batches = site.sweep()
    assert len(batches) == len(files)
    for name, batch in batches.items():
        outcome = (batch.state, batch.rejected, batch.parked, batch.balanced)
        assert (name, *outcome) == (name, "loaded", 0, 0, True)
        assert batch.rows_in > 0


@pytest.mark.parametrize("path", GOOD)
def test_a_file_is_taken_for_its_feed(path: Path) -> None:
    header = path.read_text(encoding="utf-8").splitlines()[0]
    spec = feeds.of_file(path.name, header)
    assert spec is FEEDS[feed_of(path)]
    reasons = spec.separators[:1] or "|"
    assert feeds.of_file(path.name, reasons.join((*REASON_COLUMNS, header))) is spec
