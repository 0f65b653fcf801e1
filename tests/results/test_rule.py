"""Which attempt counts, and what a score is worth: exact, whatever the numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeway.feeds.cells import parse_number
from gradeway.loading.results import value_of
from gradeway.results.rule import counting, is_final, is_finished
from gradeway.settings import Settings
from gradeway.vendors.delivery import Attempt, Result
from gradeway.vendors.odata import Int64

SETTINGS = Settings()
BEGIN = datetime(2026, 1, 20, 9, tzinfo=UTC)
RULES = ("First", "Last", "Best", "Worst", None)


def attempt(number: int, score: int | None, maximum: int | None = 60, status: int | None = 2) -> Attempt:
    """An attempt; its number is also the hour at which it began."""
    numbers = [None if each is None else Decimal(each) for each in (score, maximum)]
    result = Result(
        id=number,
        assessment_id=Int64("1"),
        status=status,
        total_score=numbers[0],
        max_score=numbers[1],
        when_started=BEGIN + timedelta(hours=number),
    )
    return Attempt(id=100 - number, participant_id=1, assessment_id=Int64("1"), attempt_number=number, result=result)


def chosen(rule: str | None, *attempts: Attempt) -> int | None:
    found = counting(attempts, rule, SETTINGS)
    return found.attempt_number if found else None


@pytest.mark.parametrize(
    ("rule", "number"), [("First", 1), ("Last", 4), ("Best", 2), ("Worst", 3), (None, 4), ("Else", 4)]
)
def test_the_rule_says_which_attempt_counts(rule: str | None, number: int) -> None:
    attempts = [attempt(4, 40), attempt(2, 50), attempt(1, 30), attempt(3, 20)]
    assert chosen(rule, *attempts) == number


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("status", [None, 0, 1, 6, 8])
def test_only_finished_attempts_count(rule: str | None, status: int | None) -> None:
    assert chosen(rule, attempt(1, 99, status=status), attempt(2, 30), attempt(3, 0, status=status)) == 2
    assert chosen(rule, attempt(1, 99, status=status)) is None
    assert chosen(rule) is None


@pytest.mark.parametrize("rule", RULES)
def test_a_disabled_attempt_counts_where_there_is_no_other(rule: str | None) -> None:
    lost = replace(attempt(1, 99), disabled=True), replace(attempt(3, 0), disabled=True)
    assert chosen(rule, lost[0], attempt(2, 30), lost[1]) == 2
    assert chosen(rule, *lost) in {1, 3}


def test_an_attempt_without_a_result_does_not_count() -> None:
    assert chosen("Last", Attempt(id=1, participant_id=1, assessment_id=Int64("1"))) is None


def test_best_is_the_greatest_part_of_its_maximum() -> None:
    assert chosen("Best", attempt(1, 30, 60), attempt(2, 20, 30), attempt(3, 40, 90)) == 2
    assert chosen("Worst", attempt(1, 30, 60), attempt(2, 20, 30), attempt(3, 40, 90)) == 3


@pytest.mark.parametrize("rule", ["Best", "Worst"])
def test_of_equals_the_first_counts(rule: str) -> None:
    assert chosen(rule, attempt(2, 60, 120), attempt(1, 30, 60)) == 1


@pytest.mark.parametrize("rule", ["Best", "Worst"])
@pytest.mark.parametrize(("score", "maximum"), [(0, 0), (None, 60), (5, None)])
def test_what_has_no_part_is_neither_best_nor_worst(rule: str, score: int | None, maximum: int | None) -> None:
    assert chosen(rule, attempt(1, 30), attempt(2, score, maximum)) == 1
    assert chosen(rule, attempt(2, score, maximum)) == 2


def test_a_status_is_final_or_for_a_person_as_the_settings_have_it() -> None:
    changed = Settings.model_validate({"results_publish": "2, 5", "results_review": "7"})
    assert [code for code in range(10) if is_final(code, SETTINGS)] == [2, 4, 9]
    assert [code for code in range(10) if is_finished(code, SETTINGS)] == [2, 3, 4, 5, 7, 9]
    assert [code for code in range(10) if is_final(code, changed)] == [2, 5]
    assert [code for code in range(10) if is_finished(code, changed)] == [2, 5, 7]
    assert not is_finished(None, SETTINGS)


@pytest.mark.parametrize(
    ("score", "maximum", "points", "value"),
    [
        ("42", "60", "20", "14"),
        ("1", "3", "10", "3.33333"),
        ("2", "3", "10", "6.66667"),
        ("0", "60", "20", "0"),
        ("60", "60", "20", "20"),
        ("66", "60", "20", "22"),
        ("1", "8", "0.0001", "0.00001"),  # 0.0000125
        ("1", "20", "0.0001", "0.00001"),  # 0.000005, half up
        ("0.123456789", "10", "10", "0.123456789"),  # the score itself
        ("7.50", "10.0", "10", "7.5"),
        ("1", "60", "0", "0"),
        ("999999999999999", "1", "999999999999999", "999999999999998000000000000001"),
    ],
)
def test_a_score_is_worth(score: str, maximum: str, points: str, value: str) -> None:
    assert value_of(Decimal(score), Decimal(maximum), Decimal(points)) == value


NUMBERS = st.decimals(min_value=0, max_value=10**6, places=6)
ABOVE = st.decimals(min_value="0.000001", max_value=10**6, places=6)


@given(score=NUMBERS, maximum=ABOVE, points=ABOVE)
def test_the_value_is_the_nearest_of_five_places(score: Decimal, maximum: Decimal, points: Decimal) -> None:
    value = Fraction(value_of(score, maximum, points))
    exact = Fraction(score) * Fraction(points) / Fraction(maximum)
    if maximum == points:
        assert value == Fraction(score)
        return
    half = Fraction(1, 2 * 10**5)
    assert -half < value - exact <= half  # of two that are as near, the greater
    assert (value * 10**5).denominator == 1


@given(score=st.integers(0, 10**6), maximum=st.integers(1, 10**6), points=st.integers(1, 1000))
def test_the_value_is_what_long_division_gives(score: int, maximum: int, points: int) -> None:
    with localcontext() as context:
        context.prec = 60
        quotient = (Decimal(score) * points / maximum).quantize(Decimal("0.00001"), ROUND_HALF_UP)
    assert Decimal(value_of(Decimal(score), Decimal(maximum), Decimal(points))) == quotient


@given(score=NUMBERS, maximum=ABOVE, points=ABOVE)
def test_the_value_is_one_that_a_column_takes(score: Decimal, maximum: Decimal, points: Decimal) -> None:
    value = value_of(min(score, maximum), maximum, points)
    assert format(parse_number(value), "f") == value
    assert "." not in value or not value.endswith("0")
