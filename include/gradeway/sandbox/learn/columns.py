"""Grade columns: the calculated total of each course, and those that are made and changed.

Source: the vendor's description of its public API, and its help on the external grade: a Classic
course always has exactly one external column, which is its total at the start. Where both are
silent: the keyword finalGrade is the overall grade in an Ultra course, where no column can be
made the external one; what Ultra does not let anyone set is refused there, but displayName, which
is just not used. Columns of content are deleted with it, and not by themselves.
"""

from __future__ import annotations

from decimal import Decimal

from gradeway.sandbox.documents import Document, Documents, Where
from gradeway.sandbox.frame import Refused
from gradeway.sandbox.learn import access, schemas
from gradeway.sandbox.learn.asked import Asked
from gradeway.sandbox.learn.bodies import ColumnChange, NewColumn, given, read
from gradeway.sandbox.learn.forms import key_of, merged, number, own_key, primary, stamp
from gradeway.sandbox.learn.model import ALIVE, EXTERNAL_ID, equals, is_ultra, living_schema, named, next_key, of_course

FINAL = "finalGrade"
CLASSIC_TOTAL, ULTRA_TOTAL = ("Total", schemas.SCORE), ("Overall Grade", "Percentage")
CLASSIC_ONLY = {"includeInCalculations", "showStatisticsToStudents"}


def give(documents: Documents, course: Document, at: str) -> None:
    """Give a new course the column that every course has."""
    name, title = ULTRA_TOTAL if is_ultra(course) else CLASSIC_TOTAL
    schema = schemas.titled(documents, course, title)
    external = None if is_ultra(course) else True
    grading = {"type": "Calculated", "schemaId": schema["id"]}
    put_new(documents, course, {"name": name, "grading": grading, "externalGrade": external, "_given": True}, at)


def put_new(documents: Documents, course: Document, column: Document, at: str) -> Document:
    """Write a new column, completed by what a column has at least; return it."""
    key = next_key(documents, "Columns")
    least = {
        "id": primary(key),
        "created": at,
        "modified": at,
        "score": {"possible": number(Decimal(0))},
        "availability": {"available": "Yes"},
        "grading": {"anonymousGrading": {"type": "None"}},
        "includeInCalculations": True,
        "showStatisticsToStudents": False,
        "_course": own_key(course),
    }
    return documents.put("Columns", key, merged(least, column))


def living(documents: Documents, course: Document) -> list[Document]:
    """Return the columns of a course."""
    return documents.find("Columns", of_course(course) & ALIVE)


def column_of(documents: Documents, course: Document, text: str) -> Document:
    """Return a column of a course by its ID.

    Raises:
        Refused: it has none such.
    """
    if text != FINAL:
        return named(documents, "Columns", text, EXTERNAL_ID, of_course(course) & ALIVE)
    mark = "_given" if is_ultra(course) else "externalGrade"
    return next(column for column in living(documents, course) if column.get(mark))


def asked_column(asked: Asked) -> Document:
    """Return the column of the path.

    Raises:
        Refused: there is none such.
    """
    return column_of(asked.documents, asked.course, asked.ids["column"])


def list_columns(asked: Asked) -> Document:
    """List the columns of a course."""
    asked.need(access.GRADEBOOK)
    where = of_course(asked.course) & ALIVE & asked.like("name") & asked.like("displayName")
    where = where & asked.since("created") & asked.since("modified")
    if "contentId" in asked.query:
        if key_of(asked.query["contentId"]) is None:
            raise Refused(400, "The parameter contentId must be the ID of a content item.")
        where = where & equals("contentId", asked.query["contentId"])
    return asked.page("Columns", where)


def get_column(asked: Asked) -> Document:
    """Return a column."""
    asked.need(access.GRADEBOOK)
    return asked_column(asked)


def create_column(asked: Asked) -> Document:
    """Create a manual column."""
    asked.need_to_change(access.GRADEBOOK)
    course, body = asked.course, read(NewColumn, asked.body)
    if body.grading.type == "Calculated":
        raise Refused(501, "Calculated columns are documented, but not part of this sandbox.")
    if body.grading.type != "Manual":
        raise Refused(400, "grading.type: only Manual columns can be created.")
    if _is_taken(asked, body.external_id):
        raise Refused(409, "externalId: another column of the course has it.")
    schema = schemas.titled(asked.documents, course, schemas.SCORE)
    column = merged({"grading": {"schemaId": schema["id"]}}, _values(asked, course, body))
    _check(column)
    return _flagged(asked, course, put_new(asked.documents, course, column, stamp(asked.now)))


def change_column(asked: Asked) -> Document:
    """Change a column that is not calculated."""
    asked.need_to_change(access.GRADEBOOK)
    course, column, body = asked.course, asked_column(asked), read(ColumnChange, asked.body)
    if column["grading"]["type"] == "Calculated":
        raise Refused(400, "Calculated columns cannot be changed.")
    if body.external_id != column.get("externalId") and _is_taken(asked, body.external_id):
        raise Refused(400, "externalId: another column of the course has it.")
    if column.get("externalGrade") and given(body).get("externalGrade") is False:
        raise Refused(400, "externalGrade: make another column the external one instead.")
    values = _values(asked, course, body)
    if "anonymousGrading" in values.get("grading", {}):
        column["grading"]["anonymousGrading"] = None  # it is replaced whole: a date goes with its type
    changed = merged(column, values) | {"modified": stamp(asked.now)}
    _check(changed)
    return _flagged(asked, course, asked.documents.put("Columns", own_key(column), changed))


def delete_column(asked: Asked) -> None:
    """Delete a column, with its grades."""
    asked.need_to_change(access.GRADEBOOK)
    column = asked_column(asked)
    if column.get("contentId"):
        raise Refused(400, "The column belongs to a content item: delete that instead.")
    delete(asked.documents, column)


def within(column: Document) -> Where:
    """Return the condition that a grade or an attempt belongs to a column."""
    return equals("_column", own_key(column))


def delete(documents: Documents, column: Document) -> None:
    """Mark a column as deleted.

    Raises:
        Refused: a course always has it.
    """
    if column.get("externalGrade") or column.get("_given"):
        raise Refused(400, "The total and the external column of a course cannot be deleted.")
    documents.put("Columns", own_key(column), column | {"_deleted": 1})


def make_external(documents: Documents, course: Document, column: Document) -> Document:
    """Make a column the only external one of its course; return it.

    Raises:
        Refused: the course has none.
    """
    if is_ultra(course):
        raise Refused(400, "externalGrade cannot be set in an Ultra course.")
    for other in living(documents, course):
        if other.get("externalGrade"):
            documents.put("Columns", own_key(other), other | {"externalGrade": None})
    return documents.put("Columns", own_key(column), column | {"externalGrade": True})


def _flagged(asked: Asked, course: Document, column: Document) -> Document:
    """Return a written column, after the flag of the external column has moved to it if it has that."""
    return make_external(asked.documents, course, column) if column.get("externalGrade") else column


def _values(asked: Asked, course: Document, body: ColumnChange) -> Document:
    """Return the properties of a body as a column keeps them."""
    values = given(body)
    if is_ultra(course):
        values.pop("displayName", None)
        for name in CLASSIC_ONLY & values.keys():
            raise Refused(400, f"{name} cannot be set in an Ultra course.")
    if values.get("externalGrade") is False:
        del values["externalGrade"]  # what is not the external column has no such property
    if body.grading.schema_id:
        values["grading"]["schemaId"] = schema_id(asked, course, body.grading.schema_id, "grading.schemaId")
    return values


def schema_id(asked: Asked, course: Document, text: str, place: str) -> str:
    """Return the primary ID of a schema that a body names.

    Raises:
        Refused: the course has none such.
    """
    try:
        return str(living_schema(asked.documents, course, text)["id"])
    except Refused as refused:
        raise Refused(400, f"{place}: {refused.message}") from None


def _check(column: Document) -> None:
    anonymous = column["grading"]["anonymousGrading"]
    if anonymous["type"] != "None" and column["grading"]["type"] != "Attempts":
        raise Refused(400, "grading.anonymousGrading: only columns of attempts can be anonymous.")
    if (anonymous["type"] == "Date") != bool(anonymous.get("releaseAfter")):
        raise Refused(400, "grading.anonymousGrading: releaseAfter goes with the type Date.")


def _is_taken(asked: Asked, external_id: str | None) -> bool:
    if not external_id:
        return False
    return asked.documents.count("Columns", of_course(asked.course) & ALIVE & equals("externalId", external_id)) > 0
