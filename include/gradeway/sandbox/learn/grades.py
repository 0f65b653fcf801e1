"""Grades: read by column or by learner, changed one at a time, each change with a higher index.

Source: the vendor's description of its public API, and grades that real sites answered. A learner
who was never graded is not in the list of a column; asked for alone, there is just whose and which
grade it is. Where the sources are silent: text and score of one request must not both be there,
the last changed grade may be one of a disabled membership, and a calculated column is the sum of
what was graded of the columns that count.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from gradeway.sandbox.documents import Document, Documents, Where
from gradeway.sandbox.frame import Refused
from gradeway.sandbox.learn import access
from gradeway.sandbox.learn.asked import Asked
from gradeway.sandbox.learn.bodies import GradeChange, given, read
from gradeway.sandbox.learn.columns import asked_column, living, within
from gradeway.sandbox.learn.forms import key_of, number, own_key, primary, stamp
from gradeway.sandbox.learn.model import (
    ALIVE,
    USER_IDS,
    equals,
    first,
    membership_of,
    named,
    next_key,
    of_course,
    schema_of,
)
from gradeway.sandbox.learn.people import asked_user
from gradeway.sandbox.learn.scales import display, value_of, written

STUDENT, DISABLED = "Student", "Disabled"
MOST = 100
CLEARING = {None, "", "-"}
STATUSES = (
    "NotAttempted",
    "Abandoned",
    "InProgress",
    "Suspended",
    "Canceled",
    "NeedsGrading",
    "Completed",
    "InMoreProgress",
    "NeedsMoreGrading",
)


def list_grades(asked: Asked) -> Document:
    """List the grades of a column."""
    asked.need(access.GRADEBOOK)
    asked.flag("includeUnpostedGrades")  # there are none
    disabled = asked.flag("includeDisabledMemberships")
    for name in access.READ_DISABLED if disabled else ():
        asked.need(name)
    column, after = asked_column(asked), asked.whole("changeIndex", 0)
    if _is_calculated(column):
        return asked.page("Memberships", _learners(asked.course, disabled), _Totals(asked, column).of, most=MOST)
    where = within(column) & (Where() if disabled else _of_enabled(asked.course))
    where = where & (Where('"changeIndex" > ?', (after,)) if after else Where())
    schema = schema_of(asked.documents, column)
    return asked.page("Grades", where, lambda grade: _form(asked.documents, column, schema, grade), most=MOST)


def last_changed(asked: Asked) -> Document:
    """Return the grade of a column that was changed last; an empty object if none was."""
    asked.need(access.GRADEBOOK)
    column = asked_column(asked)
    grade = first(asked.documents, "Grades", within(column), order='"changeIndex" DESC')
    return _form(asked.documents, column, schema_of(asked.documents, column), grade) if grade else {}


def get_grade(asked: Asked) -> Document:
    """Return the grade of a learner in a column."""
    asked.need(access.GRADEBOOK)
    column, learner = asked_column(asked), _learner(asked)
    return _grade(asked, column, learner) or {"userId": learner["userId"], "columnId": column["id"]}


def change_grade(asked: Asked) -> Document:
    """Change the grade of a learner in a column; it is posted at once."""
    asked.need_to_change(access.GRADEBOOK)
    column, learner = asked_column(asked), _learner(asked)
    if not learner["_populated"]:
        raise Refused(404, "Grade detail values have not yet been populated.")
    schema = schema_of(asked.documents, column)
    changes = _values(asked, column, schema, read(GradeChange, asked.body))
    grade = put_grade(asked.documents, column, learner["userId"], changes, asked.now)
    return _form(asked.documents, column, schema, grade)


def list_user_grades(asked: Asked) -> Document:
    """List the grades of a learner in all columns."""
    asked.need(access.GRADEBOOK)
    learner = _learner(asked)
    return asked.page("Columns", of_course(asked.course) & ALIVE, lambda column: _grade(asked, column, learner))


def list_attempts(asked: Asked) -> Document:
    """List the attempts of a column."""
    asked.need(access.GRADEBOOK)
    column = asked_column(asked)
    where = within(column)
    if "userId" in asked.query:
        where = where & equals("userId", named(asked.documents, "Users", asked.query["userId"], USER_IDS)["id"])
    if "attemptStatuses" in asked.query:
        status = asked.choice("attemptStatuses", dict(zip(STATUSES, STATUSES, strict=True)), "")
        where = where & equals("status", status)
    return asked.page("Attempts", where, lambda attempt: _attempt_form(asked.documents, column, attempt))


def get_attempt(asked: Asked) -> Document:
    """Return an attempt."""
    asked.need(access.GRADEBOOK)
    column = asked_column(asked)
    attempt = named(asked.documents, "Attempts", asked.ids["attempt"], {}, within(column))
    return _attempt_form(asked.documents, column, attempt)


def list_notations(asked: Asked) -> Document:
    """List the grade notations of a course."""
    asked.need(access.GRADEBOOK)
    return asked.page("Notations", of_course(asked.course))


def put_grade(documents: Documents, column: Document, user_id: str, changes: Document, now: datetime) -> Document:
    """Write a changed grade, with the next index of the site; return it.

    ``score`` and ``text`` in the changes replace what was there of both; if both are None,
    the grade is what the attempts made it, or none.

    Raises:
        Refused: the column is calculated.
    """
    if _is_calculated(column):
        raise Refused(400, "Grades of calculated columns cannot be changed.")
    key = grade_key(column, user_id)
    grade = documents.get("Grades", key) or {"userId": user_id, "columnId": column["id"], "exempt": False}
    if "score" in changes or "text" in changes:
        value = {"score": changes.get("score"), "text": changes.get("text")}
        at = None if set(value.values()) == {None} else stamp(now)
        changes = changes | value | {"overridden": at, "firstRelevantDate": at, "lastRelevantDate": at}
    newest = first(documents, "Grades", Where(), order='"changeIndex" DESC')
    index = (newest["changeIndex"] if newest else 0) + 1
    own = {"_column": own_key(column), "_user": key_of(user_id), "changeIndex": index}
    return documents.put("Grades", key, grade | changes | own)


def put_attempt(documents: Documents, column: Document, user_id: str, score: str, now: datetime) -> Document:
    """Write a graded attempt, and the grade that the column's scoring model makes of all of them; return that."""
    key, at = next_key(documents, "Attempts"), stamp(now)
    attempt = {"id": primary(key), "userId": user_id, "status": "Completed", "score": score, "exempt": False}
    dates = dict.fromkeys(("created", "attemptDate", "modified"), at)
    documents.put("Attempts", key, attempt | dates | {"_column": own_key(column)})
    where = within(column) & equals("userId", user_id)
    scores = [Decimal(found["score"]) for found in documents.find("Attempts", where)]
    model = column["grading"].get("scoringModel", "Last")
    changes = {"_attempted": number(_reconciled(model, scores)), "firstRelevantDate": at, "lastRelevantDate": at}
    return put_grade(documents, column, user_id, changes, now)


def _reconciled(model: str, scores: list[Decimal]) -> Decimal:
    """Return the score that a scoring model makes of those of all attempts, oldest first."""
    if model == "Average":
        return sum(scores, Decimal(0)) / len(scores)
    picks = {"First": scores[0], "Last": scores[-1], "Highest": max(scores), "Lowest": min(scores)}
    return picks[model]


def grade_key(column: Document, user_id: str) -> int:
    """Return the key of a grade: those of a column stand together, by user."""
    return own_key(column) << 32 | (key_of(user_id) or 0)


def score_of(grade: Document) -> str | None:
    """Return the score that a grade has: what it was overridden with, or what the attempts made it."""
    found: str | None = grade.get("score") if grade.get("overridden") else grade.get("_attempted")
    return found


def grades_of(documents: Documents, column: Document) -> list[Document]:
    """Return the grades of a column as they are kept."""
    return documents.find("Grades", within(column))


def _form(documents: Documents, column: Document, schema: Document, grade: Document) -> Document:
    possible = column["score"]["possible"]
    score, text = score_of(grade), grade.get("text")
    if score is None and text is None:
        return grade
    shown = grade | {"status": "Graded", "displayGrade": display(schema, possible, score, text)}
    if grade.get("overridden"):
        shown["text"] = written(schema, possible, score, text)
    if grade.get("gradeNotationId"):
        notation = documents.get("Notations", key_of(grade["gradeNotationId"])) or {}
        shown["displayGrade"]["text"] = notation.get("description")
    return shown


def _attempt_form(documents: Documents, column: Document, attempt: Document) -> Document:
    schema, possible = schema_of(documents, column), column["score"]["possible"]
    return attempt | {
        "text": written(schema, possible, attempt["score"], None),
        "displayGrade": display(schema, possible, attempt["score"], None),
    }


def _grade(asked: Asked, column: Document, learner: Document) -> Document | None:
    if _is_calculated(column):
        return _Totals(asked, column).of(learner)
    found = asked.documents.get("Grades", grade_key(column, learner["userId"]))
    return _form(asked.documents, column, schema_of(asked.documents, column), found) if found else None


class _Totals:
    """A calculated column: what was graded of the columns that count, added up."""

    def __init__(self, asked: Asked, column: Document) -> None:
        self._documents = asked.documents
        self._column = column
        self._schema = schema_of(asked.documents, column)
        columns = living(asked.documents, asked.course)
        self._counted = [found for found in columns if found["includeInCalculations"] and not _is_calculated(found)]

    def of(self, learner: Document) -> Document | None:
        """Return the grade of a learner, None if nothing was graded."""
        parts = [part for column in self._counted if (part := self._part(column, learner["userId"]))]
        if not parts:
            return None
        score, possible = (number(sum(values, Decimal(0))) for values in zip(*parts, strict=True))
        return {
            "userId": learner["userId"],
            "columnId": self._column["id"],
            "displayGrade": display(self._schema, possible, score, None),
            "exempt": False,
            "changeIndex": 0,
        }

    def _part(self, column: Document, user_id: str) -> tuple[Decimal, Decimal] | None:
        grade = self._documents.get("Grades", grade_key(column, user_id))
        score = score_of(grade) if grade and not grade["exempt"] else None
        return None if score is None else (Decimal(score), Decimal(column["score"]["possible"]))


def _values(asked: Asked, column: Document, schema: Document, body: GradeChange) -> Document:
    """Return the properties of a body as a grade keeps them."""
    values = given(body)
    if {"score", "text"} <= values.keys() and not (values["score"] is None and values["text"] in CLEARING):
        raise Refused(400, "Only one of score and text can be changed at a time.")
    if values.get("text", "-") not in CLEARING:
        values |= {"text": None, **value_of(schema, column["score"]["possible"], values["text"])}
    elif "text" in values:
        values["text"] = None
    notation = of_course(asked.course) & Where("key = ?", (key_of(body.grade_notation_id or ""),))
    if body.grade_notation_id and not first(asked.documents, "Notations", notation):
        raise Refused(400, "gradeNotationId: the course has no such notation.")
    return values


def _learner(asked: Asked) -> Document:
    """Return the membership of the learner of the path.

    Raises:
        Refused: nobody such is a learner of the course, or the membership is disabled.
    """
    user = asked_user(asked)
    found = membership_of(asked.documents, asked.course, user)
    if not found or found["courseRoleId"] != STUDENT or found["_available"] == DISABLED:
        raise Refused(404, f"'{asked.ids['user']}' has no grades in this course.")
    return found


def _learners(course: Document, disabled: bool) -> Where:
    """Return the condition that a membership is one whose grades are to be seen."""
    where = of_course(course) & equals("courseRoleId", STUDENT)
    return where if disabled else where & Where('"_available" <> ?', (DISABLED,))


def _of_enabled(course: Document) -> Where:
    """Return the condition that a grade is not one of a disabled membership."""
    hidden = of_course(course) & equals("_available", DISABLED)
    return Where(f'"_user" NOT IN (SELECT "_user" FROM "Memberships" WHERE {hidden.sql})', hidden.values)  # noqa: S608


def _is_calculated(column: Document) -> bool:
    return bool(column["grading"]["type"] == "Calculated")
