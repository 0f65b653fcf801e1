"""What teachers and administrators do in Learn's web pages, for tests that need somebody to do it.

The rules are those of a person, not of the API: nobody asks a person for entitlements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from gradeway.sandbox.documents import Document, Documents
from gradeway.sandbox.frame import Refused
from gradeway.sandbox.learn import columns, grades, people, schemas
from gradeway.sandbox.learn.forms import bounded, merged, number, own_key, stamp
from gradeway.sandbox.learn.model import (
    ALIVE,
    COURSE_IDS,
    USER_IDS,
    equals,
    first,
    membership_of,
    named,
    of_course,
    schema_of,
)
from gradeway.sandbox.learn.scales import value_of


def _number(value: object) -> str:
    try:
        return number(bounded(Decimal(str(value))))
    except InvalidOperation:
        msg = "must be a number"
        raise ValueError(msg) from None


Number = Annotated[str, BeforeValidator(_number)]


class Play(BaseModel):
    """One thing that a person does; a course, column or user is named as people do, or by any ID."""

    model_config = ConfigDict(extra="forbid", strict=True)

    do: str
    course: str
    column: str = ""
    user: str = ""
    score: Number | None = None
    text: str | None = None
    exempt: bool = True
    name: str = Field("", min_length=1)
    possible: Number = "100.00000"
    schema_title: str = Field(schemas.SCORE, alias="schema")
    role: people.Role = "Student"
    available: people.Available = "Yes"
    populated: bool = True


@dataclass(frozen=True)
class Scene:
    """What is played, where, and when."""

    documents: Documents
    play: Play
    course: Document
    now: datetime

    @property
    def column(self) -> Document:
        """The column that is meant."""
        where = of_course(self.course) & ALIVE & equals("name", self.play.column)
        found = first(self.documents, "Columns", where)
        return found or columns.column_of(self.documents, self.course, self.play.column)

    @property
    def user(self) -> Document:
        """The user who is meant."""
        found = first(self.documents, "Users", equals("userName", self.play.user))
        return found or named(self.documents, "Users", self.play.user, USER_IDS)

    @property
    def membership(self) -> Document:
        """The membership of that user."""
        found = membership_of(self.documents, self.course, self.user)
        if not found:
            raise Refused(404, f"'{self.play.user}' is not a member of the course.")
        return found

    @property
    def learner(self) -> str:
        """The ID of that user, who has grades."""
        if self.membership["courseRoleId"] != grades.STUDENT:
            raise Refused(409, f"'{self.play.user}' is not a learner of the course.")
        return str(self.user["id"])

    def put_grade(self, **changes: object) -> Document:
        """Change the grade that is meant; return whose it is and its index."""
        return _told(grades.put_grade(self.documents, self.column, self.learner, changes, self.now))

    def put_column(self, **changes: object) -> Document:
        """Change the column that is meant; return its ID."""
        changed = merged(self.column, changes) | {"modified": stamp(self.now)}
        return _id(self.documents.put("Columns", own_key(changed), changed))

    def put_membership(self, **changes: object) -> Document:
        """Change the membership that is meant; return its ID."""
        changed = self.membership | changes | {"modified": stamp(self.now)}
        return _id(self.documents.put("Memberships", own_key(changed), changed))


def play(documents: Documents, body: Document, now: datetime) -> Document:
    """Do what a person does.

    Raises:
        Refused: it is unknown, something is missing for it, or there is no such object.
    """
    try:
        asked = Play.model_validate(body)
    except ValidationError as error:
        first_error = error.errors()[0]
        raise Refused(422, f"{'.'.join(map(str, first_error['loc']))}: {first_error['msg']}") from None
    if asked.do not in DEEDS:
        raise Refused(422, f"do: must be one of {', '.join(DEEDS)}.")
    needed, deed = DEEDS[asked.do]
    missing = [name for name in needed.split() if name not in body]
    if missing:
        raise Refused(422, f"'{asked.do}' needs {', '.join(missing)}.")
    course = first(documents, "Courses", equals("courseId", asked.course))
    return deed(Scene(documents, asked, course or named(documents, "Courses", asked.course, COURSE_IDS), now))


def _grade(scene: Scene) -> Document:
    if scene.play.text is None:
        return scene.put_grade(score=scene.play.score)
    column = scene.column
    value = value_of(schema_of(scene.documents, column), column["score"]["possible"], scene.play.text)
    return scene.put_grade(**value)


def _attempt(scene: Scene) -> Document:
    if scene.column["grading"]["type"] != "Attempts":
        raise Refused(409, "Only columns of attempts take attempts.")
    return _told(grades.put_attempt(scene.documents, scene.column, scene.learner, scene.play.score or "", scene.now))


def _schema(scene: Scene) -> Document:
    schema = schemas.titled(scene.documents, scene.course, scene.play.schema_title)
    return scene.put_column(grading={"schemaId": schema["id"]})


def _add(scene: Scene) -> Document:
    schema = schemas.titled(scene.documents, scene.course, scene.play.schema_title)
    column = {
        "name": scene.play.name,
        "score": {"possible": scene.play.possible},
        "grading": {"type": "Manual", "schemaId": schema["id"]},
    }
    return _id(columns.put_new(scene.documents, scene.course, column, stamp(scene.now)))


def _delete(scene: Scene) -> Document:
    column = scene.column
    columns.delete(scene.documents, column)
    return _id(column)


def _enrol(scene: Scene) -> Document:
    name, at = scene.play.user, stamp(scene.now)
    user = first(scene.documents, "Users", equals("userName", name))
    user = user or people.add_user(scene.documents, {"userName": name}, at)
    if membership_of(scene.documents, scene.course, user):
        raise Refused(409, f"'{name}' is a member already.")
    how = {name: getattr(scene.play, name) for name in ("role", "available", "populated")}
    return _id(people.enrol(scene.documents, scene.course, user, at, **how))


def _told(grade: Document) -> Document:
    return {name: grade[name] for name in ("userId", "columnId", "changeIndex")}


def _id(document: Document) -> Document:
    return {"id": document["id"]}


# What can be done: what is needed for it, and how it is done.
DEEDS: Mapping[str, tuple[str, Callable[[Scene], Document]]] = {
    "grade": ("column user", _grade),
    "clear": ("column user", lambda scene: scene.put_grade(score=None)),
    "exempt": ("column user", lambda scene: scene.put_grade(exempt=scene.play.exempt)),
    "feedback": ("column user text", lambda scene: scene.put_grade(feedback=scene.play.text)),
    "attempt": ("column user score", _attempt),
    "rename": ("column name", lambda scene: scene.put_column(name=scene.play.name)),
    "points": ("column possible", lambda scene: scene.put_column(score={"possible": scene.play.possible})),
    "schema": ("column schema", _schema),
    "external": (
        "column",
        lambda scene: _id(columns.make_external(scene.documents, scene.course, scene.column)),
    ),
    "delete": ("column", _delete),
    "add": ("name", _add),
    "enrol": ("user", _enrol),
    "populate": ("user", lambda scene: scene.put_membership(_populated=True)),
    "disable": ("user", lambda scene: scene.put_membership(**people.availability("Disabled"))),
    "enable": ("user", lambda scene: scene.put_membership(**people.availability("Yes"))),
}
