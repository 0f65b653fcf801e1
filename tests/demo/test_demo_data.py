"""The made-up data is what it says: the same for the same seed, right where it should be right."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradeway.checks.read import CheckedFile
from gradeway.demo import samples
from gradeway.demo.term import Term, value_rows, write_term, write_values
from gradeway.feeds import FEEDS
from gradeway.intake import Intake
from gradeway.settings import Settings, load
from gradeway.store import gradebook, overview
from gradeway.store.models import BatchState


def findings(path: Path) -> list[str]:
    checked = CheckedFile(lambda: path.open("rb"), FEEDS[path.suffix[1:]], Settings())
    assert sum(len(frame) for frame in checked.slices()) > 0
    return [finding.reason.value for finding in checked.findings]


@pytest.fixture
def intake(tmp_path: Path) -> Intake:
    return Intake(load({"GRADEWAY_HOME": str(tmp_path / "home"), "GRADEWAY_SETTLE_SECONDS": "0"}))


def test_there_is_one_sample_of_each_grade_feed_without_anything_to_find(tmp_path: Path) -> None:
    files = samples.drop(tmp_path)
    assert {path.suffix[1:] for path in files} == {name for name, spec in FEEDS.items() if spec.inbox == "grades"}
    assert [found for path in files for found in findings(path)] == []
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.sch"

    def lines() -> Iterator[str]:
        yield "title|symbols\n"
        assert not path.exists()
        assert [found.name for found in tmp_path.iterdir()] == [".a.sch.part"]

    assert samples.write(path, lines()) == path
    assert path.read_text() == "title|symbols\n"


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    written = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        folder = tmp_path / name
        folder.mkdir()
        written.append({path.name: path.read_bytes() for path in write_term(folder, Term(courses=3, seed=seed))})
    assert written[0] == written[1]
    assert written[0]["term2031_1.colncval"] != written[2]["term2031_1.colncval"]


def test_a_term_loads_without_a_single_finding(intake: Intake) -> None:
    term = Term()
    files = write_term(intake.zone.inbox("grades"), term)
    assert [path.suffix[1:] for path in files] == [name for name, spec in FEEDS.items() if spec.inbox == "grades"]
    done = intake.sweep()
    with intake.store.session() as session:
        batches = overview.by_number(session, done.batches)
        courses = gradebook.courses(session)
        book = gradebook.gradebook(session, "BIO101")
    assert [batch.reasons for batch in batches] == [{}] * 6
    assert all(batch.applied == batch.rows_in for batch in batches)
    assert sum(course.grades for course in courses) == term.rows == 4800
    assert [course.course for course in courses] == sorted(term.course_ids)
    assert book
    values = [entry.value for entries in book.learners.values() for entry in entries.values()]
    assert any("." in value for value in values)
    assert {"P", "F", "First"} <= set(values)
    assert [line.label for line in book.columns if line.record.external] == ["Final grade"]


def test_the_mistakes_meet_every_kind_of_outcome(intake: Intake) -> None:
    write_term(intake.zone.inbox("grades"), Term(courses=3), mistakes=True)
    done = intake.sweep()
    assert done.failed == []
    with intake.store.session() as session:
        batches = overview.by_number(session, done.batches)
    found = {code for batch in batches for code in batch.reasons}
    assert found == {
        "ATTEMPTS_INVALID", "BOOLEAN_INVALID", "COLUMN_CALCULATED", "COLUMN_KIND", "DATE_INVALID", "DATE_ORDER",
        "DELIMITER_WRONG", "DUPLICATE_COLLAPSED", "DUPLICATE_CONFLICT", "FILE_REJECTED", "NUMBER_COMMA",
        "NUMBER_RANGE", "PAIRS_INVALID", "REQUIRED", "ROW_SHORT", "SYMBOL_BOUNDS", "SYMBOL_UNKNOWN",
        "VALUE_ABOVE", "VALUE_NEGATIVE",
    }  # fmt: skip
    assert all(batch.balanced for batch in batches)
    assert {batch.state for batch in batches} == {BatchState.LOADED, BatchState.REFUSED}
    assert sum(batch.parked for batch in batches) == 3
    assert sum(batch.unchanged for batch in batches) == 1


def test_every_nth_value_is_another_one() -> None:
    term = Term(courses=3, learners=7, columns=6)
    before = "".join(value_rows(term)).splitlines()
    after = "".join(value_rows(term, changed_every=10)).splitlines()
    assert len(before) == term.rows == 126
    assert [place for place in range(126) if before[place] != after[place]] == list(range(0, 126, 10))
    assert [line.rpartition("|")[0] for line in before] == [line.rpartition("|")[0] for line in after]


def test_no_learner_has_two_values_in_a_column() -> None:
    keys = [line.rpartition("|")[0] for line in "".join(value_rows(Term(courses=30, columns=8))).splitlines()]
    assert len(set(keys)) == len(keys) == 30 * 40 * 8


def test_a_big_file_is_written_fast_in_the_memory_of_one_course(tmp_path: Path) -> None:
    term = Term.of_rows(199_500)
    assert term.rows == 200_000
    tracemalloc.start()
    started = time.perf_counter()
    path = write_values(tmp_path / "big.colncval", term)
    spent, (_, peak) = time.perf_counter() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    with path.open() as lines:
        assert sum(1 for _ in lines) == 200_001
    assert spent < 20
    assert peak < 4 << 20
