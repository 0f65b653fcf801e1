"""What each kind of cell takes, what it means, and for which reason another is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gradeway.feeds import cells
from gradeway.feeds.cells import CellError, Symbol
from gradeway.reasons import Reason
from gradeway.settings import Settings

text = partial(cells.parse_text, size=5)
points = partial(cells.parse_points, zero=False)
folder = partial(cells.parse_folder, size=20)
symbols = partial(cells.parse_symbols, size=60)
LONG_PAIR = "k=" + "v" * 1998


@pytest.mark.parametrize(
    ("parse", "cell", "value"),
    [
        (text, "12345", "12345"),
        (text, "\U0001f393" * 5, "\U0001f393" * 5),
        (cells.parse_boolean, "Y", True),
        (cells.parse_boolean, "y", True),
        (cells.parse_boolean, "N", False),
        (cells.parse_boolean, "TRUE", True),
        (cells.parse_boolean, "False", False),
        (cells.parse_boolean, "1", True),
        (cells.parse_boolean, "0", False),
        (cells.parse_number, "0", Decimal(0)),
        (cells.parse_number, "-0", Decimal(0)),
        (cells.parse_number, "+5", Decimal(5)),
        (cells.parse_number, "007", Decimal(7)),
        (cells.parse_number, ".5", Decimal("0.5")),
        (cells.parse_number, "-12.50", Decimal("-12.5")),
        (cells.parse_number, "9" * 15, Decimal("9" * 15)),
        # what a program writes that keeps averages as floats
        (cells.parse_number, "66.66666666666667", Decimal("66.66666666666667")),
        (cells.parse_number, "0.016666666666666666", Decimal("0.016666666666666666")),
        (points, "0.01", Decimal("0.01")),
        (partial(cells.parse_points, zero=True), "0", Decimal(0)),
        (cells.parse_attempts, "1", 1),
        (cells.parse_attempts, "-1", -1),
        (cells.parse_attempts, "+3", 3),
        (cells.parse_attempts, "010", 10),
        (folder, "Week 1", "Week 1"),
        (folder, "a@>@b", "a@>@b"),
        (folder, "a @>@ b", "a@>@b"),
        (folder, "a@b > c", "a@b > c"),
        (cells.parse_pairs, "k=v", {"k": "v"}),
        (cells.parse_pairs, "k=v:l=", {"k": "v", "l": ""}),
        (cells.parse_pairs, " k = v : l=w w ", {"k": "v", "l": "w w"}),
        (cells.parse_pairs, "k=1:K=1", {"k": "1", "K": "1"}),
        (cells.parse_pairs, f"{LONG_PAIR}:l={'v' * 1998}", {"k": "v" * 1998, "l": "v" * 1998}),
        (symbols, "A=50:F=0", (Symbol("A", Decimal(50)), Symbol("F", Decimal(0)))),
        (symbols, "F=0:A=50", (Symbol("F", Decimal(0)), Symbol("A", Decimal(50)))),
        (symbols, "A:B", (Symbol("A", None), Symbol("B", None))),
        (symbols, "A=:B=", (Symbol("A", None), Symbol("B", None))),
        (symbols, "A+=33.333:A=0.000", (Symbol("A+", Decimal("33.333")), Symbol("A", Decimal(0)))),
        (symbols, "a=50:A=0", (Symbol("a", Decimal(50)), Symbol("A", Decimal(0)))),
        (symbols, "All=100:None=0", (Symbol("All", Decimal(100)), Symbol("None", Decimal(0)))),
    ],
)
def test_a_cell_means(parse: Callable[[str], Any], cell: str, value: object) -> None:
    assert parse(cell) == value


@pytest.mark.parametrize(
    ("parse", "cell", "reason"),
    [
        (text, "123456", Reason.TEXT_TOO_LONG),
        *(
            (cells.parse_boolean, cell, Reason.BOOLEAN_INVALID)
            for cell in ("yes", "Y N", "2", "\uff19", "-", "t", "01")
        ),
        *(
            (cells.parse_number, cell, Reason.NUMBER_INVALID)
            for cell in ("ten", "1e3", "NaN", "Infinity", "-inf", "0x1F", "1_000", "5.", ".", "-", "+-1", "1 ", "--1")
        ),
        *((cells.parse_number, cell, Reason.NUMBER_INVALID) for cell in ("\u0661", "\uff11", "\u00bd", "\u2212" + "1")),
        *((cells.parse_number, cell, Reason.NUMBER_INVALID) for cell in ("1" * 16, "0." + "1" * 40, "1\n", "50%")),
        *(
            (cells.parse_number, cell, Reason.NUMBER_COMMA)
            for cell in ("87,5", "-87,5", "1,000", "1.000,5", "1,000.5", "1'000", "1 000", "12 345,6", "1,2,3")
        ),
        (points, "0", Reason.NUMBER_RANGE),
        (points, "0.000", Reason.NUMBER_RANGE),
        (points, "-1", Reason.NUMBER_RANGE),
        (points, "x", Reason.NUMBER_INVALID),
        (partial(cells.parse_points, zero=True), "-0.1", Reason.NUMBER_RANGE),
        *((cells.parse_attempts, cell, Reason.INTEGER_INVALID) for cell in ("1.0", "one", "1e1", "\u0661", "1" * 10)),
        *((cells.parse_attempts, cell, Reason.ATTEMPTS_INVALID) for cell in ("0", "-2", "-0")),
        (folder, "a@>@b@>@c", Reason.FOLDER_INVALID),
        (folder, "@>@b", Reason.FOLDER_INVALID),
        (folder, "a@>@ ", Reason.FOLDER_INVALID),
        (folder, "x" * 21, Reason.TEXT_TOO_LONG),
        *(
            (cells.parse_pairs, cell, Reason.PAIRS_INVALID)
            for cell in ("k", "=v", " =v", "k=v:", ":k=v", "k=v::l=w", "k=a=b", "k=a|b", "k;v")
        ),
        (cells.parse_pairs, "k=1:k=1", Reason.PAIR_DUPLICATE),
        (cells.parse_pairs, "k=1: k =2", Reason.PAIR_DUPLICATE),
        (cells.parse_pairs, LONG_PAIR + "v", Reason.PAIR_TOO_LONG),
        *(
            (symbols, cell, Reason.SYMBOLS_INVALID)
            for cell in ("=5", "A=5:", ":A=5", "A=x:B=0", "A=1e1:B=0", "A=1=2:B=0", "A=5,5:B=0")
        ),
        *((parse, "a|b", Reason.TEXT_SEPARATOR) for parse in (symbols, folder, partial(cells.parse_value, size=9))),
        (symbols, "A=1:A=0", Reason.SYMBOL_DUPLICATE),
        (symbols, "A: A", Reason.SYMBOL_DUPLICATE),
        *(
            (symbols, cell, Reason.SYMBOL_BOUNDS)
            for cell in ("A=50", "A=50:B=1", "A=50:B", "A=50:B=50.0:C=0", "A=100.001:B=0", "A=-1:B=0", "A=0.0001:B=0")
        ),
        (symbols, "A" * 61, Reason.TEXT_TOO_LONG),
    ],
)
def test_a_cell_is_refused(parse: Callable[[str], Any], cell: str, reason: Reason) -> None:
    with pytest.raises(CellError) as caught:
        parse(cell)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("pattern", "cell", "day"),
    [
        ("yyyy-MM-dd", "2024-02-29", date(2024, 2, 29)),
        ("dd/MM/yyyy", "01/02/2024", date(2024, 2, 1)),
        ("MM/dd/yyyy", "01/02/2024", date(2024, 1, 2)),
        ("d.M.yyyy", "1.2.2024", date(2024, 2, 1)),
        ("d.M.yyyy", "01.02.2024", date(2024, 2, 1)),
        ("yyyyMMdd", "20240201", date(2024, 2, 1)),
    ],
)
def test_a_date_is_read_in_its_pattern(pattern: str, cell: str, day: date) -> None:
    assert cells.date_parser(Settings(date_pattern=pattern).date_pattern)(cell) == day


@pytest.mark.parametrize(
    ("pattern", "cell"),
    [
        ("yyyy-MM-dd", "2023-02-29"),
        ("yyyy-MM-dd", "2023-13-01"),
        ("yyyy-MM-dd", "2023-00-01"),
        ("yyyy-MM-dd", "0000-01-01"),
        ("yyyy-MM-dd", "2023-1-1"),
        ("yyyy-MM-dd", "23-01-01"),
        ("yyyy-MM-dd", "2023/01/01"),
        ("yyyy-MM-dd", "2023-01-01T00:00:00"),
        ("yyyy-MM-dd", "\u0662\u0660\u0662\u0663-01-01"),
        ("yyyy-MM-dd", "2023-01-01\n"),
        ("dd.MM.yyyy", "01x02x2023"),  # the point of the pattern is a point
        ("dd/MM/yyyy", "2023-01-31"),
    ],
)
def test_another_date_is_refused_and_the_pattern_told(pattern: str, cell: str) -> None:
    with pytest.raises(CellError) as caught:
        cells.date_parser(pattern)(cell)
    assert caught.value.reason is Reason.DATE_INVALID
    assert pattern in caught.value.detail


@pytest.mark.parametrize("pattern", ["", "yyyy-MM", "yy-MM-dd", "yyyy-MM-dd HH", "yyyy-mm-dd", "dd-MM-dd-yyyy"])
def test_a_pattern_that_names_no_day_is_refused_at_the_start(pattern: str) -> None:
    with pytest.raises(ValidationError):
        Settings(date_pattern=pattern)


@pytest.mark.parametrize(
    ("number", "plain"),
    [
        ("90.0", "90"),
        ("90", "90"),
        ("0.50", "0.5"),
        ("-0", "0"),
        ("-0.00", "0"),
        ("100", "100"),
        ("1" + "0" * 14, "1" + "0" * 14),
        ("999999999999999.01234567890123456789", "999999999999999.01234567890123456789"),
        ("0.00000000000000000001", "0.00000000000000000001"),
    ],
)
def test_a_number_has_one_plain_form(number: str, plain: str) -> None:
    assert format(cells.canonical(Decimal(number)), "f") == plain


@given(st.from_regex(r"-?[0-9]{1,15}(\.[0-9]{1,20})?", fullmatch=True))
def test_the_plain_form_keeps_the_number_and_is_a_number_again(cell: str) -> None:
    plain = format(cells.canonical(cells.parse_number(cell)), "f")
    assert Decimal(plain) == Decimal(cell)
    assert cells.parse_number(plain) == Decimal(cell)
    assert format(cells.canonical(Decimal(plain)), "f") == plain


PARSERS: dict[str, Callable[[str], Any]] = {
    "text": text,
    "boolean": cells.parse_boolean,
    "number": cells.parse_number,
    "points": points,
    "attempts": cells.parse_attempts,
    "folder": folder,
    "pairs": cells.parse_pairs,
    "symbols": symbols,
    "date": cells.date_parser("yyyy-MM-dd"),
}


@pytest.mark.parametrize("name", PARSERS)
@given(cell=st.text(st.sampled_from("09.,-+=:|@>AyN \u0661e'") | st.characters(codec="utf-8"), min_size=1, max_size=12))
def test_any_other_cell_is_refused_with_a_reason_that_does_not_repeat_it(name: str, cell: str) -> None:
    mark = "\u2620canary\u2620"
    for error in cells.failing(PARSERS[name], [cell + mark]).values():
        assert mark not in f"{error} {error.detail} {error.args}"
