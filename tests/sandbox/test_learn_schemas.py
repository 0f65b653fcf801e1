"""Learn's grade schemas: what a course begins with, and the rules by which they are made and changed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fixtures.sandboxes import Site
from sandbox.gradebooks import CLASSIC, ULTRA, Book, new_name

BOUNDS = {"A": (70, 100, 100), "B": (Decimal("49.5"), 70, 60), "F": (0, Decimal("49.5"), 25)}


def symbols(**bounds: tuple[Any, Any, Any]) -> list[dict[str, Any]]:
    names = ("lowerBound", "upperBound", "absoluteValue")
    return [{"text": text} | dict(zip(names, map(float, row), strict=True)) for text, row in bounds.items()]


def exact(schema: dict[str, Any]) -> dict[str, tuple[Any, Any, Any]]:
    return {
        symbol["text"]: (symbol["lowerBound"], symbol["upperBound"], symbol["absoluteValue"])
        for symbol in schema["symbols"]
    }


@pytest.fixture
def book(site: Site) -> Book:
    return Book(site)


@pytest.fixture
def made(book: Book) -> dict[str, Any]:
    """A schema of the test's own."""
    body = {"title": new_name("Marks"), "scaleType": "Tabular", "symbols": symbols(**BOUNDS)}
    found: dict[str, Any] = book.site.ask("POST", book.schemas, body, 201)
    return found


@pytest.mark.parametrize("course", [CLASSIC, ULTRA])
def test_a_course_begins_with_the_schemas_that_every_course_has(course: str, site: Site) -> None:
    found = {schema["title"]: schema["scaleType"] for schema in site.every(Book(site, course).schemas)[:5]}
    assert found == {
        "Percentage": "Percent",
        "Letter": "Tabular",
        "Score": "Score",
        "Text": "Text",
        "Complete/Incomplete": "Complete",
    }
    letters = site.ask("GET", f"{Book(site, course).schemas}/{Book(site, course).schema('Letter')}")
    bounds = exact(letters)
    assert bounds["A+"] == (97, 100, Decimal("98.5"))
    assert [row[0] for row in bounds.values()] == [*[row[1] for row in bounds.values()][1:], 0]


def test_a_tabular_schema_is_created_in_a_classic_course(book: Book, made: dict[str, Any]) -> None:
    assert exact(made) == BOUNDS
    assert made["scaleType"] == "Tabular"
    assert book.site.ask("GET", f"{book.schemas}/{made['id']}") == made
    twin = book.site.ask("POST", book.schemas, {"title": made["title"], "symbols": symbols(**BOUNDS)}, 201)
    assert twin["id"] != made["id"]


def test_an_external_id_names_one_schema(book: Book, made: dict[str, Any]) -> None:
    name = new_name("sch")
    url = f"{book.schemas}/externalId:{name}"
    book.site.message("GET", url, 404)
    assert book.site.ask("PATCH", f"{book.schemas}/{made['id']}", {"externalId": name}) == made | {"externalId": name}
    assert book.site.ask("GET", url)["id"] == made["id"]
    taken = {"title": "t", "externalId": name, "symbols": symbols(**BOUNDS)}
    assert "externalId" in book.site.message("POST", book.schemas, 400, taken)
    book.site.message("PATCH", f"{book.schemas}/{book.schema('Letter')}", 400, {"externalId": name})
    book.site.ask("PATCH", url, {"externalId": name, "description": "d"})
    book.site.ask("PATCH", url, {"externalId": None})
    book.site.ask("POST", book.schemas, taken, 201)


@pytest.mark.parametrize("kind", ["Percent", "Score", "Text", "Complete"])
def test_only_tabular_schemas_are_created_and_changed(kind: str, book: Book) -> None:
    book.site.message("POST", book.schemas, 400, {"title": "t", "scaleType": kind})
    given = next(schema for schema in book.site.every(book.schemas) if schema["scaleType"] == kind)
    assert "Tabular" in book.site.message("PATCH", f"{book.schemas}/{given['id']}", 400, {"title": "t"})
    assert "symbols" not in given


def test_an_ultra_course_takes_no_new_schema(site: Site) -> None:
    book = Book(site, ULTRA)
    before = site.every(book.schemas)
    assert "Classic" in site.message("POST", book.schemas, 400, {"title": "t", "symbols": symbols(**BOUNDS)})
    assert site.every(book.schemas) == before


@pytest.mark.parametrize(
    "body", [{}, {"title": ""}, {"title": "t"}, {"title": "t", "symbols": []}, {"title": "t", "id": "_1_1"}]
)
def test_a_new_schema_needs_a_title_and_symbols(body: dict[str, Any], book: Book) -> None:
    assert book.site.message("POST", book.schemas, 400, body)


# What is changed of the symbols A, B and F, and what is said of it.
WRONG: dict[str, tuple[dict[str, tuple[Any, Any, Any]], str]] = {
    "gap": ({"A": (71, 100, 100)}, "bound of the next"),
    "overlap": ({"B": (49.5, 75, 60)}, "bound of the next"),
    "hole in the middle": ({"B": (50, 70, 60)}, "bound of the next"),
    "upside down": ({"F": (49.5, 0, 25)}, "above its upper bound"),
    "negative bound": ({"F": (-1, 49.5, 25)}, "negative"),
    "negative value": ({"F": (0, 49.5, -0.5)}, "negative"),
    "four decimals of a bound": ({"B": (49.5001, 70, 60), "F": (0, 49.5001, 25)}, "lower_bound must have at most 3"),
    "four decimals of the highest bound": ({"A": (70, 100.0001, 100)}, "upper_bound must have at most 3"),
    "five decimals of a value": ({"A": (70, 100, 99.00001)}, "absolute_value must have at most"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("course", [CLASSIC, ULTRA])
def test_wrong_symbols_are_refused_and_change_nothing(case: str, course: str, site: Site) -> None:
    book, (changes, what) = Book(site, course), WRONG[case]
    url = f"{book.schemas}/{book.schema('Letter')}"
    before = site.ask("GET", url)
    assert what in site.message("PATCH", url, 400, {"symbols": symbols(**{**BOUNDS, **changes})})
    assert site.ask("GET", url) == before


@pytest.mark.parametrize(
    "symbol",
    [
        {"text": "A", "lowerBound": 0, "upperBound": 100},
        {"text": "", "lowerBound": 0, "upperBound": 100, "absoluteValue": 1},
        {"text": "A", "lowerBound": "0", "upperBound": 100, "absoluteValue": 1},
        {"text": "A", "lowerBound": 0, "upperBound": 100, "absoluteValue": True},
        {"text": "A", "lowerBound": 0, "upperBound": 100, "absoluteValue": 1, "colour": "red"},
    ],
)
def test_a_symbol_has_a_text_and_three_numbers(symbol: dict[str, Any], book: Book, made: dict[str, Any]) -> None:
    url = f"{book.schemas}/{made['id']}"
    assert "symbols.0" in book.site.message("PATCH", url, 400, {"symbols": [symbol]})
    assert book.site.ask("GET", url) == made


def test_two_symbols_of_the_same_text_are_refused(book: Book, made: dict[str, Any]) -> None:
    twice = symbols(A=(50, 100, 75)) + symbols(A=(0, 50, 25))
    assert "unique" in book.site.message("PATCH", f"{book.schemas}/{made['id']}", 400, {"symbols": twice})


@pytest.mark.parametrize(("course", "least", "places"), [(CLASSIC, 1, 3), (ULTRA, 2, 4)])
def test_classic_and_ultra_differ_in_how_few_symbols_and_how_fine_values(
    course: str, least: int, places: int, learn_sandbox: Site
) -> None:
    book = Book(learn_sandbox, course)
    url = f"{book.schemas}/{book.schema('Letter')}"
    for number in (1, 2):
        edges = [100, 50, 0] if number == 2 else [100, 0]
        few = {f"S{place}": (edges[place + 1], edges[place], 10) for place in range(number)}
        learn_sandbox.ask("PATCH", url, {"symbols": symbols(**few)}, 200 if number >= least else 400)
    for value in (75.125, 75.1255, 75.12555):
        fine = symbols(A=(50, 100, value), F=(0, 50, 0))
        digits = len(str(value).partition(".")[2])
        learn_sandbox.ask("PATCH", url, {"symbols": fine}, 200 if digits <= places else 400)


def test_symbols_may_come_in_any_order_and_the_missing_are_deleted(book: Book, made: dict[str, Any]) -> None:
    url = f"{book.schemas}/{made['id']}"
    changed = book.site.ask("PATCH", url, {"symbols": symbols(F=(0, 50, 0), P=(50, 110, 100))})
    assert list(exact(changed)) == ["P", "F"]
    assert exact(changed)["P"] == (50, 110, 100)
    assert changed["title"] == made["title"]
    assert book.site.ask("GET", url) == changed


def test_grades_are_shown_by_changed_symbols_at_once(book: Book, made: dict[str, Any]) -> None:
    column = book.column(made["title"])
    book.patch(column, score=60)
    assert book.grade(column)["displayGrade"]["text"] == "B"
    book.site.ask("PATCH", f"{book.schemas}/{made['id']}", {"symbols": symbols(Good=(55, 100, 80), Bad=(0, 55, 20))})
    shown = book.grade(column)
    assert (shown["text"], shown["score"], shown["displayGrade"]["text"]) == ("Good", 60, "Good")


def test_a_schema_is_deleted_when_nothing_uses_it(book: Book, made: dict[str, Any]) -> None:
    url = f"{book.schemas}/{made['id']}"
    column = book.column(made["title"])
    assert "in use" in book.site.message("DELETE", url, 403)
    book.site.ask("DELETE", f"{book.path}/columns/{column['id']}", status=204)
    assert book.site.ask("DELETE", url) is None
    book.site.message("GET", url, 404)
    assert made["id"] not in {schema["id"] for schema in book.site.every(book.schemas)}
    assert "cannot be deleted" in book.site.message("DELETE", f"{book.schemas}/{book.schema('Text')}", 403)
    again = book.site.ask("POST", book.schemas, {"title": made["title"], "symbols": symbols(**BOUNDS)}, 201)
    assert again["id"] != made["id"]


def test_ultra_schemas_cannot_be_deleted(site: Site) -> None:
    book = Book(site, ULTRA)
    assert "Ultra" in site.message("DELETE", f"{book.schemas}/{book.schema('Letter')}", 403)
