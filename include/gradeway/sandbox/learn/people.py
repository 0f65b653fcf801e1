"""Courses, users and memberships: read only, and not more of them than the account may see.

Source: the vendor's description of its public API. The learners of a cross-listed course are
members of the child course and of its parent, where childCourseId tells the child. What it would
do to a child course's own gradebook is not described; here it is one like any other.
"""

from __future__ import annotations

import uuid
from typing import Any, Literal

from gradeway.sandbox.documents import Document, Documents, Where
from gradeway.sandbox.frame import Refused
from gradeway.sandbox.learn import access
from gradeway.sandbox.learn.asked import Asked
from gradeway.sandbox.learn.forms import key_of, own_key, primary
from gradeway.sandbox.learn.model import MODIFYING, USER_IDS, equals, first, membership_of, named, next_key, of_course

Role = Literal["Student", "Instructor", "BbFacilitator", "TeachingAssistant", "CourseBuilder", "Grader", "Guest"]
Available = Literal["Yes", "No", "Disabled"]
DATA_SOURCE = "_2_1"
EXPANSIONS = {"user": "user"}
AVAILABLE = {"Yes": "Yes", "No": "No", "Disabled": "Disabled"}
SORTS = {"": "key", "created": '"created", key', "created(desc)": '"created" DESC, key'}
# What an account sees that may not see all.
COURSE_CORE = ("id", "courseId", "name", "organization", "closedComplete", "availability")
USER_CORE = ("id", "userName", "name", "systemRoleIds")
SYSTEM_FIELDS = ("externalId", "dataSourceId")


def get_course(asked: Asked) -> Document:
    """Return a course."""
    course = asked.course
    if not asked.may(access.READ_WHOLE_COURSE):
        return {name: course.get(name) for name in COURSE_CORE}
    kind = "ultra/courses/{}/outline" if course["ultraStatus"].startswith("Ultra") else "webapps/blackboard/?course={}"
    return course | {"externalAccessUrl": f"{asked.origin}/{kind.format(course['id'])}"}


def get_user(asked: Asked) -> Document:
    """Return a user."""
    asked.need(*access.READ_USER)
    user = asked_user(asked)
    return user if asked.may(*access.READ_WHOLE_USER) else {name: user.get(name) for name in USER_CORE}


def asked_user(asked: Asked) -> Document:
    """Return the user of the path.

    Raises:
        Refused: there is none such, or the account may not use that kind of ID.
    """
    text = asked.ids["user"]
    if text.partition(":")[0] in MODIFYING:
        asked.need(access.CHANGE_USERS)
    return named(asked.documents, "Users", text, USER_IDS)


def list_memberships(asked: Asked) -> Document:
    """List the memberships of a course."""
    asked.need(*access.READ_MEMBERSHIPS)
    where = of_course(asked.course) & asked.since("created") & asked.since("modified")
    if "availability.available" in asked.query:
        where = where & equals("_available", asked.choice("availability.available", AVAILABLE, ""))
    if "role" in asked.query:
        where = where & equals("courseRoleId", asked.query["role"])
    order = asked.choice("sort", SORTS, "")
    asked.choice("expand", EXPANSIONS, "user")
    return asked.page("Memberships", where, lambda found: _form(asked, found), order=order)


def get_membership(asked: Asked) -> Document:
    """Return the membership of a user in a course."""
    asked.need(*access.READ_MEMBERSHIPS)
    asked.choice("expand", EXPANSIONS, "user")
    found = membership_of(asked.documents, asked.course, asked_user(asked))
    if not found:
        raise Refused(404, f"'{asked.ids['user']}' is not a member of the course.")
    return _form(asked, found)


def _form(asked: Asked, membership: Document) -> Document:
    hidden = () if asked.may(*access.SYSTEM_MEMBERSHIPS) else SYSTEM_FIELDS
    shown = _without(membership, hidden)
    if "expand" in asked.query:
        user = named(asked.documents, "Users", membership["userId"], {})
        shown["user"] = _without(user, hidden)
    return shown


def _without(document: Document, names: tuple[str, ...]) -> Document:
    return {name: value for name, value in document.items() if name not in names}


def add_course(documents: Documents, course: Document, parent: Document | None, at: str) -> Document:
    """Add a course, below a parent if it is cross-listed; return it."""
    key = next_key(documents, "Courses")
    made = {
        "id": primary(key),
        "uuid": uuid.uuid4().hex,
        "dataSourceId": DATA_SOURCE,
        "created": at,
        "modified": at,
        "organization": False,
        "enrollment": {"type": "InstructorLed"},
        "locale": {"force": False},
        "_entitlements": None,
    }
    if parent:
        made["parentId"] = parent["id"]
        documents.put("Courses", own_key(parent), parent | {"hasChildren": True})
    return documents.put("Courses", key, made | course)


def add_user(documents: Documents, user: Document, at: str) -> Document:
    """Add a user; return it."""
    key = next_key(documents, "Users")
    made = {
        "id": primary(key),
        "uuid": uuid.uuid4().hex,
        "externalId": user["userName"],
        "dataSourceId": DATA_SOURCE,
        "created": at,
        "modified": at,
        "institutionRoleIds": ["STUDENT"],
        "systemRoleIds": ["User"],
        "availability": {"available": "Yes"},
    }
    return documents.put("Users", key, made | user)


def enrol(documents: Documents, course: Document, user: Document, at: str, **more: Any) -> Document:  # noqa: ANN401
    """Make a user a member of a course, and of its parent; return the membership.

    Args:
        documents: all documents.
        course: the course, which may be a child of another.
        user: whom.
        at: when, as Learn prints it.
        more: role, available and populated, where they are not Student, Yes and True.
    """
    made = _enrolled(documents, course, user, at, more)
    parent = first(documents, "Courses", Where("key = ?", (key_of(course.get("parentId", "")),)))
    if parent and not membership_of(documents, parent, user):
        _enrolled(documents, parent, user, at, more | {"childCourseId": course["id"]})
    return made


def _enrolled(documents: Documents, course: Document, user: Document, at: str, more: Document) -> Document:
    key = next_key(documents, "Memberships")
    made = {
        "id": primary(key),
        "userId": user["id"],
        "courseId": course["id"],
        "childCourseId": more.get("childCourseId"),
        "dataSourceId": DATA_SOURCE,
        "created": at,
        "modified": at,
        "courseRoleId": more.get("role", "Student"),
        "_course": own_key(course),
        "_user": own_key(user),
        "_populated": more.get("populated", True),
    }
    return documents.put("Memberships", key, made | availability(more.get("available", "Yes")))


def availability(available: str) -> Document:
    """Return what a membership has of its availability."""
    return {"availability": {"available": available}, "_available": available}
