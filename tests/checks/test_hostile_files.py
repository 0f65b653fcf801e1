"""Files that break every rule: each loses exactly what it must, and never a good row.

Every file of the corpus is named after its defect; `expected.toml` says what becomes of it. Each
is read on its own, and all are dropped at once on a real intake.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest

import postgres
from fixtures.corpus import HOSTILE, Expected, feed_files, hostile_expected, hostile_files, read
from fixtures.intakes import Site
from gradeway.feeds import FEEDS
from gradeway.reasons import Level, Reason
from gradeway.store.models import Batch

EXPECTED = hostile_expected()
EACH = pytest.mark.parametrize("name", EXPECTED)

# What columns the good rows of the corpus are for.
PARENTS = {
    "parents.sch": b"title|symbols|optionalData\nHostile letters|A=90:B=80:F=0|\n",
    "parents.colnc": b"courseId|name|gradeSchema\nHOSTILE|Exam|Hostile letters\n",
}

# Reasons that no single file of text can bring about: they need other rows in the store, an entry
# of the inbox that is no such file, time, or a fault of ours. Tests of the rooms that give them
# answer for these.
NEED_MORE_THAN_A_FILE = {
    *(Reason.FILE_UNSAFE, Reason.FILE_UNKNOWN, Reason.FILE_CHANGED, Reason.PROCESSING_FAILED),
    *(Reason.COLUMN_KIND, Reason.COLUMN_AMBIGUOUS, Reason.COLUMN_CALCULATED, Reason.METADATA_MISSING),
    *(Reason.SCHEMA_NEVER_CAME, Reason.COLUMN_NEVER_CAME, Reason.RESULT_UNMAPPED, Reason.RELEASE_FAILED),
    *(Reason.SUPERSEDED, Reason.FILE_GREW, Reason.SYMBOL_IN_USE),
    *(Reason.GROUP_MISSING, Reason.GROUP_FIXED, Reason.DELIVERY_FIXED, Reason.HEADER_TWICE, Reason.ROW_TWICE),
    *(Reason.UNDO_KEPT, Reason.UNDO_OVERTAKEN, Reason.UNDO_SAID_AGAIN),
}


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return hostile_files()


def test_each_file_has_its_expectation_and_each_expectation_its_file(files: dict[str, bytes]) -> None:
    assert set(files) == set(EXPECTED)
    assert len(files) > 80


@EACH
def test_a_hostile_file_loses_what_it_must_and_no_good_row(name: str, files: dict[str, bytes]) -> None:
    wanted = EXPECTED[name]
    reading = read(files[name], name.rpartition(".")[2])
    assert reading.codes == wanted.reasons
    assert len(reading.good) == wanted.good
    rejected = reading.lines(Level.ROW)
    repeated = wanted.reasons.get(Reason.DUPLICATE_COLLAPSED.value, 0)
    assert reading.rows == len(reading.good) + len(rejected) + repeated
    assert not set(reading.good) & set(rejected)


class Swept(NamedTuple):
    """An intake after one sweep over all hostile files and their parents."""

    site: Site
    batches: dict[str, Batch]
    failed: list[str]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def swept(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> Iterator[Swept]:
    """Sweep once over everything, on each kind of store."""
    with ExitStack() as stack:
        is_sqlite = request.param == "sqlite"
        server = "" if is_sqlite else str(request.getfixturevalue("postgres_url"))
        url = stack.enter_context(postgres.database(server)) if server else ""
        site = Site(tmp_path_factory.mktemp("hostile"), database_url=url)
        for name, content in (files | PARENTS).items():
            site.drop(name, content)
        failed = site.intake.sweep(lambda _: None).failed
        yield Swept(site, {batch.file_name: batch for batch in site.batches()}, failed)
        site.intake.store.engine.dispose()


def test_one_sweep_takes_them_all(swept: Swept) -> None:
    site, batches, failed = swept
    assert failed == []
    assert set(batches) == {*EXPECTED, *PARENTS}
    assert list(site.inbox.iterdir()) == []
    assert list(site.zone.claimed.iterdir()) == []


@EACH
def test_a_hostile_file_is_accounted_for(name: str, swept: Swept) -> None:
    site, batches, _ = swept
    batch, wanted = batches[name], EXPECTED[name]
    assert batch.state == ("refused" if wanted.refused else "loaded")
    assert batch.reasons == dict(Counter(wanted.reasons) + Counter(wanted.in_store))
    assert batch.balanced
    assert batch.parked == wanted.parked
    assert batch.created + batch.updated == wanted.stored
    report = site.report(batch)
    assert report["rows"]["in"] == batch.rows_in
    assert {reason["code"]: reason["rows"] for reason in report["reasons"]} == batch.reasons


@EACH
def test_the_good_rows_of_a_hostile_file_are_in_the_store(name: str, swept: Swept) -> None:
    site, batches, _ = swept
    wanted: Expected = EXPECTED[name]
    table = {"colncval": "grade", "sch": "grade_schema"}.get(name.rpartition(".")[2], "grade_column")
    arrived = site.rows(f"SELECT line FROM {table} WHERE batch_id = :batch", batch=batches[name].id)  # noqa: S608
    assert len(arrived) == wanted.stored
    query = "SELECT source_id FROM learner JOIN grade ON learner_id = learner.id WHERE batch_id = :batch"
    learners = {learner for (learner,) in site.rows(query, batch=batches[name].id)}
    assert learners >= set(wanted.learners)


@EACH
def test_the_bytes_of_a_hostile_file_are_kept_as_they_came(name: str, swept: Swept, files: dict[str, bytes]) -> None:
    site, batches, _ = swept
    kept = site.kept(batches[name])
    assert kept.read_bytes() == files[name]
    assert kept.is_relative_to(site.zone.root / ("quarantine" if EXPECTED[name].refused else "archive"))


def test_every_reason_that_a_file_can_bring_about_has_a_file() -> None:
    in_feeds = {
        path.stem.partition("-")[0] for feed in FEEDS for kind in ("bad", "odd") for path in feed_files(feed, kind)
    }
    in_corpus = {code for wanted in EXPECTED.values() for code in (*wanted.reasons, *wanted.in_store)}
    missing = {reason.value for reason in set(Reason) - NEED_MORE_THAN_A_FILE} - in_feeds - in_corpus
    assert missing == set()


def test_every_expected_reason_is_one() -> None:
    codes = {code for wanted in EXPECTED.values() for code in (*wanted.reasons, *wanted.in_store)}
    assert codes <= {reason.value for reason in Reason}


def test_the_corpus_folder_holds_small_files_and_nothing_else() -> None:
    files = {path.name: path.stat().st_size for path in HOSTILE.iterdir() if path.is_file()}
    assert set(files) <= {*EXPECTED, "expected.toml", "generated.py"}
    assert max(files.values()) < 20_000, "make large files in generated.py"
