"""Learn's grade columns: made, found, changed and deleted, and the one that is external."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from fixtures.sandboxes import Site
from sandbox.gradebooks import CLASSIC, MANUAL, ULTRA, Book, new_name

NOON = datetime.fromisoformat("2026-03-03T12:00:00+00:00")


@pytest.fixture
def book(site: Site) -> Book:
    return Book(site)


def names(book: Book, query: str = "") -> list[str]:
    return [column["name"] for column in book.site.every(f"{book.path}/columns{query}")]


@pytest.mark.parametrize(("course", "name", "external"), [(CLASSIC, "Total", True), (ULTRA, "Overall Grade", False)])
def test_a_course_begins_with_its_calculated_total(course: str, name: str, external: bool, learn_sandbox: Site) -> None:
    book = Book(learn_sandbox, course)
    [total] = learn_sandbox.every(f"{book.path}/columns")
    assert (total["name"], total["grading"]["type"]) == (name, "Calculated")
    assert total.get("externalGrade", False) is external
    assert learn_sandbox.ask("GET", f"{book.path}/columns/finalGrade") == total


def test_a_new_column_has_what_was_asked_for(book: Book) -> None:
    book.site.act("clock", {"now": NOON.isoformat()})
    book.site.log_in()
    body = {
        "externalId": new_name("ext"),
        "name": new_name("Oral"),
        "displayName": "Shown",
        "description": "d",
        "score": {"possible": 17.5},
        "availability": {"available": "No"},
        "grading": MANUAL | {"schemaId": book.schema("Letter"), "due": "2026-05-05T23:59:00+02:00"},
        "includeInCalculations": False,
        "showStatisticsToStudents": True,
    }
    made = book.site.ask("POST", f"{book.path}/columns", body, 201)
    assert made == body | {
        "id": made["id"],
        "created": "2026-03-03T12:00:00.000Z",
        "modified": "2026-03-03T12:00:00.000Z",
        "score": {"possible": Decimal("17.5")},
        "grading": body["grading"] | {"due": "2026-05-05T21:59:00.000Z"},
    }
    for key in (made["id"], f"externalId:{body['externalId']}"):
        assert book.site.ask("GET", f"{book.path}/columns/{key}") == made


def test_a_new_column_is_completed(book: Book) -> None:
    made = book.site.ask("POST", f"{book.path}/columns", {"name": new_name("Bare"), "grading": MANUAL}, 201)
    assert made["score"] == {"possible": 0}
    assert made["availability"] == {"available": "Yes"}
    assert made["grading"] == MANUAL | {"schemaId": book.schema("Score")}
    assert (made["includeInCalculations"], made["showStatisticsToStudents"]) == (True, False)
    assert not {"externalId", "externalGrade", "displayName", "contentId"} & made.keys()


def test_numbers_are_printed_with_five_decimals(book: Book) -> None:
    column = book.column(possible=10)
    answer = book.site.call("GET", f"{book.path}/columns/{column['id']}")
    assert '"score":{"possible":10.00000}' in answer.text


# A change of a body that is right, and what is said of it.
WRONG: dict[str, tuple[dict[str, Any], int, str]] = {
    "no name": ({"name": ""}, 400, "name"),
    "null as name": ({"name": None}, 400, "name"),
    "no grading": ({"grading": None}, 400, "grading"),
    "no type": ({"grading": {"anonymousGrading": {"type": "None"}}}, 400, "grading.type"),
    "no anonymous grading": ({"grading": {"type": "Manual"}}, 400, "grading.anonymousGrading"),
    "attempts": ({"grading": MANUAL | {"type": "Attempts"}}, 400, "Manual"),
    "calculated": ({"grading": MANUAL | {"type": "Calculated"}}, 501, "Calculated"),
    "unknown type": ({"grading": MANUAL | {"type": "manual"}}, 400, "grading.type"),
    "no such schema": ({"grading": MANUAL | {"schemaId": "_500999_1"}}, 400, "grading.schemaId"),
    "schema of no form": ({"grading": MANUAL | {"schemaId": "Letter"}}, 400, "grading.schemaId"),
    "anonymous": (
        {"grading": MANUAL | {"anonymousGrading": {"type": "AfterAllGraded"}}}, 400, "grading.anonymousGrading"
    ),
    "points as text": ({"score": {"possible": "10"}}, 400, "score.possible"),
    "negative points": ({"score": {"possible": -1}}, 400, "score.possible"),
    "endless points": ({"score": {"possible": 1e12}}, 400, "score.possible"),
    "due without a zone": ({"grading": MANUAL | {"due": "2026-05-05T23:59:00"}}, 400, "grading.due"),
    "due on no day": ({"grading": MANUAL | {"due": "2026-02-30T23:59:00Z"}}, 400, "grading.due"),
    "unknown property": ({"colour": "red"}, 400, "colour"),
    "property that is read only": ({"id": "_1_1"}, 400, "id"),
    "property that is not part of it": ({"gradebookCategoryId": "_1_1"}, 501, "gradebookCategoryId"),
    "partly available": ({"availability": {"available": "PartiallyVisible"}}, 400, "availability.available"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_column_is_refused_and_not_made(case: str, book: Book) -> None:
    changes, status, what = WRONG[case]
    before = names(book)
    body = {"name": "Wrong", "grading": MANUAL, "score": {"possible": 10}} | changes
    assert what in book.site.message("POST", f"{book.path}/columns", status, body)
    assert names(book) == before


def test_an_external_id_that_is_taken_is_a_conflict_until_its_column_is_deleted(book: Book) -> None:
    mine = new_name("ext")
    first = book.column(externalId=mine)
    book.column(externalId=mine, status=409)
    other = book.column()
    url = f"{book.path}/columns/{other['id']}"
    assert "externalId" in book.site.message("PATCH", url, 400, {"externalId": mine})
    Book(book.site, ULTRA).column(externalId=mine)
    book.site.ask("DELETE", f"{book.path}/columns/externalId:{mine}", status=204)
    book.site.message("GET", f"{book.path}/columns/externalId:{mine}", 404)
    assert book.column(externalId=mine)["id"] != first["id"]


def test_two_columns_may_have_one_name(book: Book) -> None:
    name = new_name("Twin")
    assert book.column(name=name)["id"] != book.column(name=name)["id"]
    assert names(book, f"?name={name}") == [name, name]


def test_columns_are_found_by_a_part_of_the_name(book: Book) -> None:
    mark = new_name("z-part")
    made = [mark, f"Final {mark} exam", f"{mark.upper()} 100%"]
    for number, name in enumerate(made):
        book.column(name=name, displayName=f"{mark} shown as {number}")
    assert names(book, f"?name={mark}") == made
    assert names(book, f"?name={mark}%20100%25") == made[2:]
    assert names(book, f"?name=no-such-{mark}") == names(book, f"?displayName={mark}%20exam") == []
    assert names(book, f"?displayName={mark}%20Shown%20as%201") == [made[1]]


def test_columns_are_found_by_their_dates(book: Book) -> None:
    for hour in range(3):
        book.site.act("clock", {"now": (NOON + timedelta(days=30, hours=hour)).isoformat()})
        book.site.log_in()
        column = book.column(name=new_name(f"dated-{hour}"))
        if hour == 0:
            first = column
    book.site.ask("PATCH", f"{book.path}/columns/{first['id']}", {"description": "later"})
    since, modified = "2026-04-02T13:00:00Z", "2026-04-02T14:00:00Z"
    assert [name[:7] for name in names(book, f"?created={since}&name=dated")] == ["dated-1", "dated-2"]
    assert [name[:7] for name in names(book, f"?created={since}&createdCompare=lessThan&name=dated")] == ["dated-0"]
    assert [name[:7] for name in names(book, f"?modified={modified}&name=dated")] == ["dated-0", "dated-2"]


def test_a_change_changes_what_it_names(book: Book) -> None:
    column = book.column("Letter", externalId=new_name("ext"), description="d")
    url = f"{book.path}/columns/{column['id']}"
    later = {"grading": {"due": "2026-01-31T10:00:00.123Z"}, "score": {"possible": 50}, "externalId": None}
    changed = book.site.ask("PATCH", url, later)
    assert changed["grading"] == column["grading"] | {"due": "2026-01-31T10:00:00.123Z"}
    assert changed["score"] == {"possible": 50}
    assert changed["description"] == "d"
    assert "externalId" not in changed
    assert changed["modified"] > column["modified"]
    changed = book.site.ask("PATCH", url, {"grading": {"schemaId": book.schema("Score"), "due": None}})
    assert changed["grading"] == MANUAL | {"schemaId": book.schema("Score")}
    assert book.site.ask("GET", url) == changed


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({"grading": {"type": "Attempts"}}, "grading.type"),
        ({"grading": {"schemaId": "_500999_1"}}, "grading.schemaId"),
        ({"score": None}, "score"),
        ({"name": ""}, "name"),
        ({"created": "2026-01-01T00:00:00Z"}, "created"),
    ],
)
def test_a_wrong_change_is_refused_and_changes_nothing(body: dict[str, Any], what: str, book: Book) -> None:
    column = book.column()
    url = f"{book.path}/columns/{column['id']}"
    assert what in book.site.message("PATCH", url, 400, body)
    assert book.site.ask("GET", url) == column


def test_calculated_columns_are_not_changed(book: Book) -> None:
    total = next(column for column in book.site.every(f"{book.path}/columns") if column["name"] == "Total")
    assert "Calculated" in book.site.message("PATCH", f"{book.path}/columns/{total['id']}", 400, {"name": "x"})


def test_the_external_column_is_one_and_moves(learn_sandbox: Site) -> None:
    book = Book(learn_sandbox)
    first, second = book.column(externalGrade=True), book.column()
    final = f"{book.path}/columns/finalGrade"
    assert learn_sandbox.ask("GET", final) == first
    moved = learn_sandbox.ask("PATCH", f"{book.path}/columns/{second['id']}", {"externalGrade": True})
    assert moved["externalGrade"] is True
    columns = learn_sandbox.every(f"{book.path}/columns")
    assert [column["id"] for column in columns if column.get("externalGrade")] == [second["id"]]
    assert learn_sandbox.ask("GET", final) == moved
    assert "another" in learn_sandbox.message("PATCH", final, 400, {"externalGrade": False})
    assert "external" in learn_sandbox.message("DELETE", final, 400)
    learn_sandbox.ask("DELETE", f"{book.path}/columns/{first['id']}", status=204)
    assert learn_sandbox.ask("PATCH", final, {"externalGrade": True, "name": "Final"})["name"] == "Final"
    learn_sandbox.play(CLASSIC, "external", column="Total")
    assert learn_sandbox.ask("GET", final)["name"] == "Total"
    assert learn_sandbox.ask("DELETE", f"{book.path}/columns/{second['id']}", status=204) is None


@pytest.mark.parametrize(
    "body", [{"externalGrade": True}, {"includeInCalculations": True}, {"showStatisticsToStudents": False}]
)
def test_what_cannot_be_set_in_ultra_is_refused(body: dict[str, Any], site: Site) -> None:
    book = Book(site, ULTRA)
    column = book.column()
    [name] = body
    assert name in book.column(status=400, **body)["message"]
    assert name in site.message("PATCH", f"{book.path}/columns/{column['id']}", 400, body)


def test_ultra_has_no_display_name(site: Site) -> None:
    made = Book(site, ULTRA).column(displayName="Shown", externalGrade=False)
    assert not {"displayName", "externalGrade"} & made.keys()
    assert Book(site).column(displayName="Shown")["displayName"] == "Shown"


def test_totals_and_columns_of_content_are_not_deleted(site: Site) -> None:
    for course in (CLASSIC, ULTRA):
        book = Book(site, course)
        total = next(found for found in site.every(f"{book.path}/columns") if found["grading"]["type"] == "Calculated")
        assert "total" in site.message("DELETE", f"{book.path}/columns/{total['id']}", 400)
    made = site.ask("POST", f"{Book(site, ULTRA).contents}/createAssignment", {"title": "Essay"}, 201)
    url = f"{Book(site, ULTRA).path}/columns/{made['gradeColumnId']}"
    assert "content" in site.message("DELETE", url, 400)


def test_a_deleted_column_is_gone_with_its_grades(book: Book) -> None:
    column = book.column()
    book.patch(column, score=1)
    url = f"{book.path}/columns/{column['id']}"
    assert book.site.ask("DELETE", url, status=204) is None
    for method, path, body in (
        ("GET", url, None),
        ("DELETE", url, None),
        ("PATCH", url, {"name": "x"}),
        ("GET", f"{url}/users", None),
        ("PATCH", book.url(column), {"score": 2}),
    ):
        book.site.message(method, path, 404, body)
    assert column["id"] not in {found["id"] for found in book.site.every(f"{book.path}/columns")}


def test_a_column_of_one_course_is_none_of_another(site: Site) -> None:
    column = Book(site).column()
    site.message("GET", f"{Book(site, ULTRA).path}/columns/{column['id']}", 404)


def test_what_a_teacher_does_to_columns(book: Book) -> None:
    name, renamed = new_name("Mine"), new_name("Renamed")
    made = book.site.play(CLASSIC, "add", name=name, possible="12.5", schema="Percentage")
    column = book.site.ask("GET", f"{book.path}/columns/{made['id']}")
    assert (column["name"], column["score"], column["grading"]["type"]) == (
        name,
        {"possible": Decimal("12.5")},
        "Manual",
    )
    book.site.play(CLASSIC, "rename", column=name, name=renamed)
    book.site.play(CLASSIC, "points", column=renamed, possible=40)
    book.site.play(CLASSIC, "schema", column=renamed, schema="Text")
    changed = book.site.ask("GET", f"{book.path}/columns/{made['id']}")
    assert (changed["name"], changed["score"]) == (renamed, {"possible": 40})
    assert changed["grading"]["schemaId"] == book.schema("Text")
    assert changed["modified"] > column["modified"]
    assert book.site.play(CLASSIC, "delete", column=made["id"]) == made
    book.site.message("GET", f"{book.path}/columns/{made['id']}", 404)
