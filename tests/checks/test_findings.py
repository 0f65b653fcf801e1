"""All findings of a row at once, each at its place, and rows about one thing judged together."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fixtures.corpus import Reading, read
from gradeway.checks import decode
from gradeway.checks.duplicates import Duplicates
from gradeway.reasons import Finding, Level, Reason

ASSIGNMENTS = "courseId|name|available|attempts|startDate|endDate|points|optionalData"


def assignments(*rows: str) -> Reading:
    content = "".join(f"{row}\n" for row in (ASSIGNMENTS, *rows))
    reading = read(content.encode(), "asg")
    reading.findings = [finding for finding in reading.findings if finding.reason is not Reason.HEADER_PARTIAL]
    return reading


def places(reading: Reading) -> list[tuple[str, int | None, str]]:
    return sorted((finding.reason.value, finding.line, finding.column) for finding in reading.findings)  # type: ignore[type-var]


def test_every_bad_cell_of_a_row_is_found_at_once() -> None:
    reading = assignments("|x|maybe|0|tomorrow|2023-02-30|-1|k", "C1|fine||||||")
    assert places(reading) == [
        ("ATTEMPTS_INVALID", 2, "attempts"),
        ("BOOLEAN_INVALID", 2, "available"),
        ("DATE_INVALID", 2, "endDate"),
        ("DATE_INVALID", 2, "startDate"),
        ("NUMBER_RANGE", 2, "points"),
        ("PAIRS_INVALID", 2, "optionalData"),
        ("REQUIRED", 2, "courseId"),
    ]
    assert list(reading.good) == [3]


def test_the_same_bad_cell_is_found_on_every_line_where_it_stands() -> None:
    reading = assignments(*(f"C1|n{number}|maybe|||||" for number in range(5)), "C1|fine||||||")
    assert places(reading) == [("BOOLEAN_INVALID", line, "available") for line in range(2, 7)]


def test_dates_in_the_wrong_order_are_one_finding() -> None:
    assert places(assignments("C1|x|||2023-02-02|2023-02-01||")) == [("DATE_ORDER", 2, "")]


@pytest.mark.parametrize(("start", "end"), [("2023-02-01", ""), ("", "2023-02-01"), ("", ""), ("2023-02-01",) * 2])
def test_open_or_equal_dates_are_in_order(start: str, end: str) -> None:
    assert places(assignments(f"C1|x|||{start}|{end}||")) == []


@pytest.mark.parametrize("end", ["2023-02-30", "never"])
def test_a_date_that_is_none_is_not_also_in_the_wrong_order(end: str) -> None:
    assert places(assignments(f"C1|x|||2023-02-02|{end}||")) == [("DATE_INVALID", 2, "endDate")]


def test_a_rejected_cell_is_not_also_called_odd() -> None:
    reading = read(b"title|symbols|optionalData\nOne|::|\nTwo|A:A|\n", "sch")
    assert places(reading) == [("SYMBOLS_INVALID", 2, "symbols"), ("SYMBOL_DUPLICATE", 3, "symbols")]


def test_an_odd_cell_is_told_on_each_of_its_lines() -> None:
    reading = assignments("C1|a|1|||||", "C1|b|0|||||", "C1|c|Y|||||")
    assert places(reading) == [("BOOLEAN_DIGIT", 2, "available"), ("BOOLEAN_DIGIT", 3, "available")]
    assert list(reading.good) == [2, 3, 4]


def test_a_remedy_says_what_is_expected_here() -> None:
    (finding,) = assignments(f"C1|{'x' * 334}||||||").findings
    assert finding.remedy == "333 characters at most: shorten the text"
    (finding,) = assignments("C1|x|||2.2.2023|||").findings
    assert "yyyy-MM-dd" in finding.remedy


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_says_what_is_wrong_and_what_to_do(reason: Reason) -> None:
    assert reason.value == reason.name
    assert reason.meaning
    assert reason.remedy
    assert not set(reason.remedy) & set("\n\r\t")
    assert Finding(reason).remedy == reason.remedy


# --- rows about one thing

columns = st.lists(
    st.tuples(st.sampled_from(["C1", "C2"]), st.sampled_from(["a", "b"]), st.sampled_from(["", "10", "10.0", "20"])),
    max_size=12,
)


def _judged(rows: list[tuple[str, str, str]]) -> dict[int, Reason]:
    """Judge rows the slow way, as the documentation says."""
    groups: dict[tuple[str, str], list[tuple[int, Decimal | None]]] = defaultdict(list)
    for line, (course, name, points) in enumerate(rows, 2):
        groups[course, name].append((line, Decimal(points) if points else None))
    verdicts: dict[int, Reason] = {}
    for group in groups.values():
        same = len({value for _, value in group}) == 1
        told = group[1:] if same else group
        verdicts |= {line: Reason.DUPLICATE_COLLAPSED if same else Reason.DUPLICATE_CONFLICT for line, _ in told}
    return verdicts


@hypothesis_settings(max_examples=60, deadline=None)
@given(columns, st.integers(1, 200), st.booleans())
def test_rows_of_one_key_are_collapsed_or_rejected_wherever_they_stand(
    rows: list[tuple[str, str, str]], block: int, collide: object
) -> None:
    content = "courseId|name|points\n" + "".join(f"{'|'.join(row)}\n" for row in rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "BLOCK", block)
        if collide:
            patch.setattr(Duplicates, "_hash", lambda _self, frame: np.zeros(len(frame), dtype=np.uint64))
        reading = read(content.encode(), "colnc")
    found = {f.line: f.reason for f in reading.findings if f.reason.value.startswith("DUPLICATE")}
    assert found == _judged(rows)
    assert sorted(reading.good) == [line for line in range(2, len(rows) + 2) if line not in found]


def test_a_conflict_names_the_lines_that_contradict() -> None:
    reading = read(b"courseId|userId|name|value\nC|u|n|1\nC|v|n|1\nC|u|n|2\n")
    conflicts = [finding for finding in reading.findings if finding.reason.level is Level.ROW]
    assert [(finding.line, finding.detail) for finding in conflicts] == [(2, "lines 2, 4"), (4, "lines 2, 4")]


def test_a_repeated_row_names_the_line_it_repeats() -> None:
    reading = read(b"courseId|userId|name|value\nC|u|n|1\nC|v|n|1\nC|u|n|1\n")
    assert [(finding.line, finding.detail) for finding in reading.findings] == [(4, "the same as line 2")]


def test_a_rejected_row_contradicts_nothing() -> None:
    reading = read(b"courseId|name|points\nC|n|10\nC|n|ten\n", "colnc")
    assert set(reading.lines(Level.ROW)) == {3}
    assert list(reading.good) == [2]


def test_slices_hold_text_and_no_missing_values() -> None:
    reading = read(b"courseId|name|description|points\nNA|null||\n", "colnc")
    assert reading.good == {2: {"courseId": "NA", "name": "null", "description": "", "points": ""}}
    assert not any(pd.isna(cell) for cell in reading.good[2].values())
