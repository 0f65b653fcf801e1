"""Grade schemas: those that each course begins with, and those that are made and changed.

Source: the vendor's description of its public API. It lists no reply but 403 and 404 for a
schema that must not be deleted: 403 it is.
"""

from __future__ import annotations

from decimal import Decimal

from gradeway.sandbox.documents import Document, Documents, Where
from gradeway.sandbox.frame import Refused
from gradeway.sandbox.learn import access
from gradeway.sandbox.learn.asked import Asked
from gradeway.sandbox.learn.bodies import NewSchema, SchemaChange, Symbol, given, read
from gradeway.sandbox.learn.forms import merged, own_key, primary
from gradeway.sandbox.learn.model import ALIVE, equals, is_ultra, living_schema, next_key, of_course
from gradeway.sandbox.learn.scales import symbols_of

# The letters of a new course: symbol, lower bound, absolute value, all in percent.
LETTERS = (
    ("A+", "97", "98.5"),
    ("A", "94", "95.5"),
    ("A-", "90", "92"),
    ("B+", "87", "88.5"),
    ("B", "84", "85.5"),
    ("B-", "80", "82"),
    ("C+", "77", "78.5"),
    ("C", "74", "75.5"),
    ("C-", "70", "72"),
    ("D+", "67", "68.5"),
    ("D", "64", "65.5"),
    ("D-", "60", "62"),
    ("F", "0", "55"),
)
SCORE = "Score"
# Of a new course: title and scale type.
GIVEN = (
    ("Percentage", "Percent"),
    ("Letter", "Tabular"),
    (SCORE, "Score"),
    ("Text", "Text"),
    ("Complete/Incomplete", "Complete"),
)


def give(documents: Documents, course: Document) -> None:
    """Give a new course the schemas that every course has."""
    for title, kind in GIVEN:
        symbols = _letters() if kind == "Tabular" else None
        _put(documents, course, {"title": title, "scaleType": kind, "symbols": symbols, "_given": True})


def _letters() -> list[Document]:
    uppers = ["100", *(lower for _, lower, _ in LETTERS)]
    symbols = [
        Symbol(text=text, absoluteValue=Decimal(value), lowerBound=Decimal(lower), upperBound=Decimal(upper))
        for (text, lower, value), upper in zip(LETTERS, uppers, strict=False)
    ]
    return symbols_of(symbols, ultra=True)


def _put(documents: Documents, course: Document, schema: Document) -> Document:
    key = next_key(documents, "Schemas")
    return documents.put("Schemas", key, {"id": primary(key), "_course": own_key(course), **schema})


def titled(documents: Documents, course: Document, title: str) -> Document:
    """Return a course's schema of a title, the first of several.

    Raises:
        Refused: it has none such.
    """
    for schema in documents.find("Schemas", of_course(course) & ALIVE):
        if schema["title"] == title:
            return schema
    raise Refused(404, f"The course has no schema '{title}'.")


def list_schemas(asked: Asked) -> Document:
    """List the schemas of a course."""
    asked.need(*access.READ_SCHEMAS)
    return asked.page("Schemas", of_course(asked.course) & ALIVE, lambda schema: _form(asked, schema))


def get_schema(asked: Asked) -> Document:
    """Return a schema."""
    asked.need(*access.READ_SCHEMAS)
    return _form(asked, _schema(asked))


def create_schema(asked: Asked) -> Document:
    """Create a Tabular schema in a Classic course."""
    asked.need_to_change(access.GRADEBOOK)
    course, body = asked.course, read(NewSchema, asked.body)
    if is_ultra(course):
        raise Refused(400, "Grade schemas can be created in Classic courses only.")
    if body.scale_type != "Tabular":
        raise Refused(400, "scaleType: only Tabular schemas can be created.")
    _check_external_id(asked, body.external_id)
    schema = given(body) | {"scaleType": "Tabular", "symbols": symbols_of(body.symbols, ultra=False)}
    return _put(asked.documents, course, schema)


def change_schema(asked: Asked) -> Document:
    """Change a Tabular schema; the grades are shown by it at once."""
    asked.need_to_change(access.GRADEBOOK)
    course, schema, body = asked.course, _schema(asked), read(SchemaChange, asked.body)
    if schema["scaleType"] != "Tabular":
        raise Refused(400, "Only Tabular schemas can be changed.")
    changes = given(body)
    if "symbols" in changes:
        changes["symbols"] = symbols_of(body.symbols, ultra=is_ultra(course))
    if body.external_id != schema.get("externalId"):
        _check_external_id(asked, body.external_id)
    return asked.documents.put("Schemas", own_key(schema), merged(schema, changes))


def delete_schema(asked: Asked) -> None:
    """Delete a schema that nothing uses."""
    asked.need_to_change(access.GRADEBOOK)
    course, schema = asked.course, _schema(asked)
    if is_ultra(course):
        raise Refused(403, "Grade schemas of Ultra courses cannot be deleted.")
    if schema.get("_given") and schema["scaleType"] != "Tabular":
        raise Refused(403, "This grade schema cannot be deleted.")
    columns = asked.documents.find("Columns", of_course(course) & ALIVE)
    if any(column["grading"]["schemaId"] == schema["id"] for column in columns):
        raise Refused(403, "The grade schema is in use.")
    asked.documents.put("Schemas", own_key(schema), schema | {"_deleted": 1})


def _schema(asked: Asked) -> Document:
    return living_schema(asked.documents, asked.course, asked.ids["schema"])


def _form(asked: Asked, schema: Document) -> Document:
    if asked.may(access.GRADEBOOK):
        return schema
    return {name: schema[name] for name in ("id", "scaleType")}


def _check_external_id(asked: Asked, external_id: str | None) -> None:
    where: Where = of_course(asked.course) & ALIVE & equals("externalId", external_id or "")
    if external_id and asked.documents.count("Schemas", where):
        raise Refused(400, "externalId: another schema of the course has it.")
