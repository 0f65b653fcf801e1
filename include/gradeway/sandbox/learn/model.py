"""What a Learn keeps, and the ways in which its objects are named in a path.

Deleted objects stay, marked, so that no ID is given twice.

Source: the vendor's description of its public API, "ID type" of each path parameter.
"""

from __future__ import annotations

from collections.abc import Mapping

from gradeway.sandbox.documents import Collection, Document, Documents, Where
from gradeway.sandbox.frame import Refused
from gradeway.sandbox.learn.forms import key_of, milliseconds, own_key

ULTRA = {"Ultra", "Ultrapreview"}
DATES = {"created": milliseconds, "modified": milliseconds}
COLLECTIONS = (
    Collection("Accounts", {}),
    Collection("Courses", {"courseId": str, "externalId": str, "uuid": str}),
    Collection("Users", {"userName": str, "externalId": str, "uuid": str, "studentId": str}),
    Collection("Memberships", {"_course": int, "_user": int, "_available": str, "courseRoleId": str, **DATES}),
    Collection("Notations", {"_course": int}),
    Collection("Schemas", {"_course": int, "externalId": str, "_deleted": int}),
    Collection(
        "Columns",
        {
            "_course": int,
            "externalId": str,
            "name": str,
            "displayName": str,
            "contentId": str,
            "_deleted": int,
            **DATES,
        },
    ),
    Collection("Grades", {"_column": int, "_user": int, "changeIndex": int}),
    Collection("Attempts", {"_column": int, "userId": str, "status": str}),
    Collection(
        "Contents",
        {"_course": int, "parentId": str, "title": str, "position": int, "_handler": str, "_deleted": int, **DATES},
    ),
    Collection("_Tokens", {}),
)
# Each kind of object begins at a number of its own, so that no ID is valid for two kinds.
FIRST_KEYS = {
    "Courses": 100_001,
    "Users": 200_001,
    "Memberships": 300_001,
    "Notations": 400_001,
    "Schemas": 500_001,
    "Columns": 600_001,
    "Attempts": 700_001,
    "Contents": 800_001,
}
ALIVE = Where('"_deleted" IS NULL')
# What the IDs of a prefix are; those of MODIFYING need an entitlement of their own.
COURSE_IDS = {"externalId": "externalId", "courseId": "courseId", "uuid": "uuid"}
USER_IDS = {"externalId": "externalId", "userName": "userName", "uuid": "uuid", "studentId": "studentId"}
MODIFYING = {"studentId"}
EXTERNAL_ID = {"externalId": "externalId"}


def is_ultra(course: Document) -> bool:
    """Return whether a course is an Ultra course."""
    return course["ultraStatus"] in ULTRA


def equals(column: str, value: int | str) -> Where:
    """Return the condition that a property is a value."""
    return Where(f'"{column}" = ?', (value,))


def of_course(course: Document) -> Where:
    """Return the condition that something belongs to a course."""
    return equals("_course", own_key(course))


def next_key(documents: Documents, collection: str) -> int:
    """Return the key of a new object."""
    return max(documents.next_key(collection), FIRST_KEYS[collection])


def first(documents: Documents, collection: str, where: Where, order: str = "key") -> Document | None:
    """Return the first document that a condition holds for."""
    return next(iter(documents.find(collection, where, order=order, limit=1)), None)


def named(
    documents: Documents, collection: str, text: str, kinds: Mapping[str, str], where: Where | None = None
) -> Document:
    """Return the object that an ID in a path names.

    Args:
        documents: all documents.
        collection: where it is.
        text: the ID, primary or with a prefix.
        kinds: the property of each prefix.
        where: what it must be, beside that.

    Raises:
        Refused: it is no ID, or there is no such object.
    """
    kind, colon, value = text.partition(":")
    key = key_of(text)
    if colon and kind in kinds:
        condition = equals(kinds[kind], value)
    elif key is not None:
        condition = Where("key = ?", (key,))
    else:
        raise Refused(400, f"'{text}' is not an ID of the {collection}.")
    found = first(documents, collection, condition & (where or Where()))
    if not found:
        raise Refused(404, f"There is no '{text}' among the {collection}.")
    return found


def membership_of(documents: Documents, course: Document, user: Document) -> Document | None:
    """Return the membership of a user in a course."""
    return first(documents, "Memberships", of_course(course) & equals("_user", own_key(user)))


def living_schema(documents: Documents, course: Document, text: str) -> Document:
    """Return a schema of a course by its ID.

    Raises:
        Refused: it has none such.
    """
    return named(documents, "Schemas", text, EXTERNAL_ID, of_course(course) & ALIVE)


def schema_of(documents: Documents, column: Document) -> Document:
    """Return the schema of a column."""
    key = key_of(column["grading"]["schemaId"])
    return next(iter(documents.find("Schemas", Where("key = ?", (key,)), limit=1)))
