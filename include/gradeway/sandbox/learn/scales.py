"""Grade schemas at work: how a score is shown, which score a text stands for, which symbols are valid.

Source: the vendor's description of its public API (the rules of "Update Grade Schema"), and its
help on grading schemas: a score is shown as the symbol whose range its percentage lies in, from
the lower bound on, the first one also above its range; a symbol that is entered counts as its
absolute value, in percent of the points. Decided here: a Complete schema knows the texts
Complete, which is all points, and Incomplete, which is none; no symbol is shown of no points.
"""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import pairwise

from gradeway.sandbox.documents import Document
from gradeway.sandbox.frame import Refused
from gradeway.sandbox.learn.bodies import Symbol
from gradeway.sandbox.learn.forms import bounded, number, plain

HUNDRED = Decimal(100)
NUMBER = re.compile(r"-?\d{1,9}(\.\d{1,9})?", re.ASCII)
COMPLETE, INCOMPLETE = "Complete", "Incomplete"
BOUND_PLACES = 3


def symbols_of(symbols: list[Symbol], *, ultra: bool) -> list[Document]:
    """Return symbols as a schema keeps them, the highest first.

    Raises:
        Refused: the vendor would not take them.
    """
    least = 2 if ultra else 1
    if len(symbols) < least:
        raise Refused(400, f"symbols: there must be at least {least}.")
    if len({symbol.text for symbol in symbols}) < len(symbols):
        raise Refused(400, "symbols: the text of each must be unique.")
    for symbol in symbols:
        _check_numbers(symbol, value_places=4 if ultra else 3)
    ordered = sorted(symbols, key=lambda symbol: symbol.lower_bound, reverse=True)
    for upper, lower in pairwise(ordered):
        if upper.lower_bound != lower.upper_bound:
            raise Refused(400, "symbols: the lower bound of each must be the upper bound of the next.")
    return [_document(symbol) for symbol in ordered]


def _check_numbers(symbol: Symbol, value_places: int) -> None:
    places = {"lower_bound": BOUND_PLACES, "upper_bound": BOUND_PLACES, "absolute_value": value_places}
    for name, most in places.items():
        value: Decimal = getattr(symbol, name)
        if value < 0:
            raise Refused(400, f"symbols: {name} must not be negative.")
        if value != round(value, most):
            raise Refused(400, f"symbols: {name} must have at most {most} decimals.")
    if symbol.lower_bound > symbol.upper_bound:
        raise Refused(400, "symbols: a lower bound is above its upper bound.")


def _document(symbol: Symbol) -> Document:
    return {
        "text": symbol.text,
        "absoluteValue": number(symbol.absolute_value),
        "lowerBound": number(symbol.lower_bound),
        "upperBound": number(symbol.upper_bound),
    }


def display(schema: Document, possible: str, score: str | None, text: str | None) -> Document:
    """Return the displayGrade of a grade that has a score or, in a Text schema, a text."""
    kind = schema["scaleType"]
    shown: Document = {"scaleType": kind, "score": score, "possible": possible}
    if kind == "Percent" and score is not None:
        return shown | {"score": _percentage(score, possible)}
    return shown | {"text": None if kind == "Score" else written(schema, possible, score, text)}


def written(schema: Document, possible: str, score: str | None, text: str | None) -> str | None:
    """Return what a grade is in the words of its schema, as a person would enter it."""
    if score is None:
        return text
    kind = schema["scaleType"]
    if kind == "Tabular":
        return _symbol(schema, Decimal(score), Decimal(possible))
    if kind == "Complete":
        return COMPLETE if Decimal(score) else INCOMPLETE
    return plain(_percentage(score, possible) or score if kind == "Percent" else score)


def _percentage(score: str, possible: str) -> str | None:
    return number(Decimal(score) * HUNDRED / Decimal(possible)) if Decimal(possible) else None


def _symbol(schema: Document, score: Decimal, possible: Decimal) -> str | None:
    if not possible:
        return None
    texts = [
        symbol["text"] for symbol in schema["symbols"] if score * HUNDRED >= Decimal(symbol["lowerBound"]) * possible
    ]
    return str(texts[0] if texts else schema["symbols"][-1]["text"])


def value_of(schema: Document, possible: str, text: str) -> Document:
    """Return the score that a text stands for; in a Text schema the text itself.

    Raises:
        Refused: the schema knows no such text.
    """
    kind = schema["scaleType"]
    if kind == "Text":
        return {"text": text}
    if kind in {"Tabular", "Complete"}:
        values = _values(schema)
        if text not in values:
            raise Refused(400, f"text: '{text}' is not a value of the schema '{schema['title']}'.")
        return {"score": _kept(values[text] * Decimal(possible) / HUNDRED)}
    if not NUMBER.fullmatch(text):
        raise Refused(400, f"text: '{text}' is not a number.")
    return {"score": _kept(Decimal(text) * (Decimal(possible) / HUNDRED if kind == "Percent" else 1))}


def _kept(score: Decimal) -> str:
    try:
        return number(bounded(score))
    except ValueError as error:
        raise Refused(400, f"text: {error}.") from None


def _values(schema: Document) -> dict[str, Decimal]:
    if schema["scaleType"] == "Complete":
        return {COMPLETE: HUNDRED, INCOMPLETE: Decimal(0)}
    return {symbol["text"]: Decimal(symbol["absoluteValue"]) for symbol in schema["symbols"]}
