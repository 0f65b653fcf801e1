"""Bodies of requests: exact numbers above all."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from gradeway.vendors.bodies import Form, encoded


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("85.5"), "85.5"),
        (Decimal("0.1") + Decimal("0.2"), "0.3"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-7"), "0.0000001"),
        (Decimal("-0.00001"), "-0.00001"),
        (Decimal("12345678901234567890.123456789"), "12345678901234567890.123456789"),
        (2**70, "1180591620717411303424"),
        (None, "null"),
        (True, "true"),
        ('a"\u00e9\n', json.dumps('a"\u00e9\n')),
        ([Decimal("1.50"), [], {}], "[1.50, [], {}]"),
        (({"a": Decimal("1.0"), "b": {"c": None}},), '[{"a": 1.0, "b": {"c": null}}]'),
    ],
)
def test_json_holds_the_digits_that_were_given(value: object, text: str) -> None:
    assert encoded({"it": value}) == (f'{{"it": {text}}}'.encode(), "application/json")


@pytest.mark.parametrize("value", [0.5, [0.5], {"a": 1.0}, float("nan"), object(), {1, 2}])
def test_what_is_not_exact_or_no_json_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        encoded({"it": value})


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_what_is_not_finite_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not finite"):
        encoded([Decimal(text)])


def test_a_form() -> None:
    form = Form({"grant_type": "client_credentials", "x": "a&b=c d"})
    assert encoded(form) == (b"grant_type=client_credentials&x=a%26b%3Dc+d", "application/x-www-form-urlencoded")
    assert "client" not in repr(form)


def test_no_body() -> None:
    assert encoded(None) == (None, "")
