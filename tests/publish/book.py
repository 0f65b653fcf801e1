"""A gradebook as a person sees it in Learn's pages: all of a course at one moment, whoever gave it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from fixtures.sandboxes import Site


class Cell(NamedTuple):
    """Where a grade stands: the site's own id of its column, and the learner's user name."""

    column: str
    user: str


class Shown(NamedTuple):
    """A grade as it is shown; a text is what the column's schema makes of the score."""

    score: Decimal | None = None
    exempt: bool = False
    text: str | None = None

    @property
    def word(self) -> tuple[Decimal | None, bool]:
        """What was said: not how a schema shows it."""
        return self.score, self.exempt

    def is_value(self, value: str) -> bool:
        """Whether it is just a value of the store."""
        if self.exempt:
            return False
        return self.score == Decimal(value) if value[0].isdigit() else self.text == value


BLANK = Shown()
Word = tuple[Decimal | None, bool]
Properties = dict[str, Any]


@dataclass
class Book:
    """The gradebook of a course: its columns by their ids, but for the total; its grades; its schemas' lower bounds."""

    columns: dict[str, Properties] = field(default_factory=dict)
    cells: dict[Cell, Shown] = field(default_factory=dict)
    schemas: dict[str, dict[str, Decimal]] = field(default_factory=dict)

    def cell(self, cell: Cell) -> Shown:
        return self.cells.get(cell, BLANK)

    def of_column(self, column: str) -> dict[Cell, Shown]:
        return {cell: shown for cell, shown in self.cells.items() if cell.column == column}

    def named(self, name: str) -> list[str]:
        return [key for key, column in self.columns.items() if column["name"] == name]


def read(site: Site, course: str) -> Book:
    """Read a whole course, with those who are disabled in it."""
    gradebook, book = f"v2/courses/courseId:{course}/gradebook", Book()
    members = site.every(f"v1/courses/courseId:{course}/users?expand=user")
    names = {member["userId"]: member["user"]["userName"] for member in members}
    schemas = {each["id"]: each for each in site.every(f"v1/courses/courseId:{course}/gradebook/schemas")}
    for schema in schemas.values():
        book.schemas[schema["title"]] = {
            each["text"]: Decimal(each["lowerBound"]) for each in schema.get("symbols", ())
        }
    for column in site.every(f"{gradebook}/columns"):
        if column["grading"]["type"] == "Calculated":
            continue
        book.columns[column["id"]] = _properties(column, schemas)
        for grade in site.every(f"{gradebook}/columns/{column['id']}/users?includeDisabledMemberships=true"):
            if (shown := _shown(grade)) != BLANK:
                book.cells[Cell(column["id"], names[grade["userId"]])] = shown
    return book


def _properties(column: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]]) -> Properties:
    schema = schemas[column["grading"]["schemaId"]]
    return {
        "name": column["name"],
        "possible": Decimal(column["score"]["possible"]),
        "due": (column["grading"].get("due") or "")[:10],
        "schema": None if schema["scaleType"] == "Score" else schema["title"],
        "external_id": column.get("externalId"),
        "is_assignment": bool(column.get("contentId")),
    }


def _shown(grade: Mapping[str, Any]) -> Shown:
    shown = grade.get("displayGrade", {})
    score = grade.get("score", shown.get("score"))
    if grade.get("score") is None and shown.get("scaleType") == "Percent" and score is not None:
        score = Decimal(score) * Decimal(shown["possible"]) / 100
    text = grade.get("text") or shown.get("text")
    return Shown(None if score is None else Decimal(score).normalize() + 0, bool(grade.get("exempt")), text)
