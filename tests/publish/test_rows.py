"""Rows of flat files: which can be written so that they are read back as they are, and which cannot."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from gradeway.publish.rows import of_column, refused, write
from gradeway.settings import load
from gradeway.store.models import GradeColumn
from publish.filling import GIVEN

GOOD = {"courseId": "C", "userId": "ann", "name": "Oral", "value": "7"}


@pytest.mark.parametrize(
    "cell", ["Écrit n°\u00a01", 'say "x"', "'tis", "=1+1", "漢字", "a;b", "C#", "a  b", "\u200fعربي", "𝄞"]
)
def test_odd_but_harmless_cells_are_written(cell: str) -> None:
    assert refused("colncval", [GOOD | {"name": cell}], load({})) == {}
    assert write("colncval", [GOOD | {"name": cell}], load({})).decode().splitlines()[1] == f"C|ann|{cell}|7"


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("a|b", "name: it has the separator in it"),
        ("end|", "name: it has the separator in it"),
        ('"quoted"', "name: it cannot be written without quotes"),
        ("two\nlines", "name: it cannot be written without quotes"),
        ("two\u2028lines", "name: it cannot be written without quotes"),
        ("tab\there", "name: it cannot be written without quotes"),
        (" blank", "name: it cannot be written without quotes"),
        ("blank\u00a0", "name: it cannot be written without quotes"),
        ("\ufeffmark", "name: it cannot be written without quotes"),
        ("e\u0301", "name: it cannot be written without quotes"),
        ("x" * 334, "TEXT_TOO_LONG: name: 333 characters at most, as in the files that make columns"),
        ("", "REQUIRED: name"),
    ],
)
def test_what_would_not_be_read_as_it_is_is_refused_and_no_other_row(cell: str, why: str) -> None:
    found = refused("colncval", [GOOD, GOOD | {"userId": "bob", "name": cell}, GOOD | {"userId": "cy"}], load({}))
    assert list(found) == [1]
    assert found[1].startswith(why)


def test_another_separator_is_refused_at_the_end_of_a_row_too() -> None:
    settings = load({"GRADEWAY_DELIMITER": ";"})
    assert refused("colncval", [GOOD | {"value": "A;"}], settings) == {0: "value: it has the separator in it"}
    assert set(refused("colncval", [GOOD | {"value": "A|B"}], settings)) == {0}


def test_a_row_that_says_what_the_header_says_is_refused() -> None:
    assert refused("colncval", [{name: name for name in GOOD}], load({})) == {0: "it says what the header says"}


@pytest.mark.parametrize(
    ("pattern", "text"), [("yyyy-MM-dd", "0987-03-04"), ("d/M/yyyy", "4/3/0987"), ("dd.MM.yyyy", "04.03.0987")]
)
def test_dates_are_written_as_the_pattern_says(pattern: str, text: str) -> None:
    column = GradeColumn(**GIVEN | {"name": "X", "kind": "manual", "description": "", "points": Decimal(1)})
    column.due_date = date(987, 3, 4)
    row = of_column(column, "C", "", load({"GRADEWAY_DATE_PATTERN": pattern}))
    assert row["duedate"] == text
    assert refused("colnc", [row], load({"GRADEWAY_DATE_PATTERN": pattern})) == {}
