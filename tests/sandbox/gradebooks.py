"""A course of the sandbox of Learn in a test's hands: its columns, schemas and grades, in few words."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

from fixtures.sandboxes import Site
from gradeway.sandbox.names import person

CLASSIC, ULTRA = "ANA101", "STA201"
# A learner of both courses, one who has no rows for grades yet, and one whose membership is disabled.
LEARNER, FRESH, DISABLED = (person(number).login for number in (10, 18, 19))
MANUAL = {"type": "Manual", "anonymousGrading": {"type": "None"}}
NUMBERS = count(1)


def new_name(what: str) -> str:
    """Return a name that no other test uses."""
    return f"{what} {next(NUMBERS)}"


@dataclass
class Book:
    """The gradebook of a course."""

    site: Site
    course: str = CLASSIC

    @property
    def path(self) -> str:
        return f"v2/courses/courseId:{self.course}/gradebook"

    @property
    def schemas(self) -> str:
        return f"v1/courses/courseId:{self.course}/gradebook/schemas"

    @property
    def contents(self) -> str:
        return f"v1/courses/courseId:{self.course}/contents"

    def schema(self, title: str) -> str:
        """Return the ID of a schema."""
        return next(str(found["id"]) for found in self.site.every(self.schemas) if found["title"] == title)

    def column(self, schema: str = "Score", possible: float = 100, status: int = 201, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        """Create a manual column."""
        grading = MANUAL | {"schemaId": self.schema(schema)}
        body = {"name": new_name("Column"), "grading": grading, "score": {"possible": possible}} | more
        made: dict[str, Any] = self.site.ask("POST", f"{self.path}/columns", body, status)
        return made

    def url(self, column: dict[str, Any], user: str = LEARNER) -> str:
        """Return the path of a grade."""
        return f"{self.path}/columns/{column['id']}/users/userName:{user}"

    def patch(self, column: dict[str, Any], user: str = LEARNER, status: int = 200, **body: object) -> dict[str, Any]:
        """Change a grade."""
        done: dict[str, Any] = self.site.ask("PATCH", self.url(column, user), body, status)
        return done

    def grade(self, column: dict[str, Any], user: str = LEARNER) -> dict[str, Any]:
        """Read a grade."""
        found: dict[str, Any] = self.site.ask("GET", self.url(column, user))
        return found

    def grades(self, column: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
        """Read all grades of a column."""
        return self.site.every(f"{self.path}/columns/{column['id']}/users{query}")
