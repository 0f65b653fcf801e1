"""What a Learn site shows and gets: each call of the client, what it must ask, and answers as described."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from fixtures.scripted_server import Asked, Script
from gradeway.vendors.learn import Learn
from gradeway.vendors.learn_records import Symbol
from gradeway.vendors.learn_values import (
    FINAL_GRADE,
    AssignmentValues,
    ColumnKey,
    ColumnValues,
    CourseKey,
    SchemaKey,
    UserKey,
)

API = "/learn/api/public/"
COURSE, COLUMN = CourseKey("externalId", "BIO-101"), ColumnKey("externalId", "gradeway:7")
USER, SCHEMA = UserKey("userName", "a.hurst"), SchemaKey("id", "_3_1")
AT_COURSE = "courses/externalId:BIO-101"
AT_COLUMN = f"v2/{AT_COURSE}/gradebook/columns/externalId:gradeway:7"
SYMBOLS = (
    Symbol("A", Decimal("95"), Decimal("90"), Decimal("100")),
    Symbol("F", Decimal("44.995"), Decimal("0"), Decimal("90")),
)
SENT_SYMBOLS = [
    {"text": "A", "absoluteValue": 95, "lowerBound": 90, "upperBound": 100},
    {"text": "F", "absoluteValue": 44.995, "lowerBound": 0, "upperBound": 90},
]
SEEN_SCHEMA = {"id": "_3_1", "title": "Letters", "scaleType": "Tabular", "symbols": SENT_SYMBOLS}
SEEN_COLUMN = {
    "id": "_9_1",
    "externalId": "gradeway:7",
    "name": "Midterm",
    "displayName": "Mid",
    "description": "First half",
    "externalGrade": False,
    "contentId": "_4_1",
    "score": {"possible": 12.5},
    "availability": {"available": "Yes"},
    "grading": {
        "type": "Manual",
        "due": "2026-03-01T22:59:00.000Z",
        "attemptsAllowed": 0,
        "schemaId": "_3_1",
        "anonymousGrading": {"type": "None"},
    },
    "includeInCalculations": True,
    "ofAnotherRelease": {"x": 1},
}
SEEN_GRADE = {
    "userId": "_5_1",
    "columnId": "_9_1",
    "status": "Graded",
    "displayGrade": {"scaleType": "Tabular", "score": 91.25, "possible": 100, "text": "A"},
    "score": 91.25,
    "text": "91.25",
    "overridden": "2026-02-01T10:00:00.123Z",
    "exempt": False,
    "changeIndex": 17,
}
SEEN_MEMBER = {
    "id": "_6_1",
    "userId": "_5_1",
    "courseId": "_1_1",
    "childCourseId": "_2_1",
    "courseRoleId": "Student",
    "availability": {"available": "Disabled"},
    "user": {"userName": "a.hurst", "externalId": "4711"},
}
MEMBER_FIELDS = "userId,id,childCourseId,courseRoleId,availability.available,user.userName,user.externalId"
COLUMN_FIELDS = (
    "id,name,externalId,displayName,description,contentId,externalGrade,includeInCalculations,score.possible,"
    "availability.available,grading.type,grading.due,grading.attemptsAllowed,grading.schemaId,"
    "grading.anonymousGrading.type"
)
SCHEMA_FIELDS = "id,externalId,title,description,scaleType,symbols"
CONTENT_FIELDS = "id,title,parentId,hasChildren,contentHandler.id"
COURSE_FIELDS = "id,courseId,externalId,ultraStatus,parentId,hasChildren,closedComplete"


def calls(script: Script) -> list[Asked]:
    """Return what was asked after the token."""
    assert script.asked[0].path == f"{API}v1/oauth2/token"
    return script.asked[1:]


def results(*rows: object, after: str = "") -> dict[str, Any]:
    """Return a page of a list."""
    return {"results": list(rows)} | ({"paging": {"nextPage": after}} if after else {})


READS: dict[str, tuple[Callable[[Learn], object], str, dict[str, str]]] = {
    "course": (lambda learn: learn.course(COURSE), f"v3/{AT_COURSE}", {"fields": COURSE_FIELDS}),
    "memberships": (
        lambda learn: list(learn.memberships(COURSE)),
        f"v1/{AT_COURSE}/users",
        {"expand": "user", "fields": MEMBER_FIELDS},
    ),
    "membership": (
        lambda learn: learn.membership(COURSE, USER),
        f"v1/{AT_COURSE}/users/userName:a.hurst",
        {"expand": "user", "fields": MEMBER_FIELDS},
    ),
    "schemas": (
        lambda learn: list(learn.schemas(COURSE)),
        f"v1/{AT_COURSE}/gradebook/schemas",
        {"fields": SCHEMA_FIELDS},
    ),
    "columns": (
        lambda learn: list(learn.columns(COURSE)),
        f"v2/{AT_COURSE}/gradebook/columns",
        {"fields": COLUMN_FIELDS},
    ),
    "column": (lambda learn: learn.column(COURSE, COLUMN), AT_COLUMN, {"fields": COLUMN_FIELDS}),
    "final grade": (
        lambda learn: learn.column(COURSE, FINAL_GRADE),
        f"v2/{AT_COURSE}/gradebook/columns/finalGrade",
        {"fields": COLUMN_FIELDS},
    ),
    "contents": (lambda learn: list(learn.contents(COURSE)), f"v1/{AT_COURSE}/contents", {"fields": CONTENT_FIELDS}),
    "children": (lambda learn: list(learn.contents(COURSE, "_4_1")), f"v1/{AT_COURSE}/contents/_4_1/children", {}),
    "grades": (lambda learn: list(learn.grades(COURSE, COLUMN)), f"{AT_COLUMN}/users", {}),
    "changes": (
        lambda learn: list(learn.grades(COURSE, COLUMN, changed_after=0, include_disabled=True)),
        f"{AT_COLUMN}/users",
        {"changeIndex": "0", "includeDisabledMemberships": "true"},
    ),
    "grade": (lambda learn: learn.grade(COURSE, COLUMN, USER), f"{AT_COLUMN}/users/userName:a.hurst", {}),
    "last change": (lambda learn: learn.last_changed(COURSE, COLUMN), f"{AT_COLUMN}/users/lastChanged", {}),
    "probe": (lambda learn: learn.probe(), "v1/system/version", {}),
}
LISTS = ("memberships", "schemas", "columns", "contents", "children", "grades", "changes")


NEW: ColumnValues = {"external_id": "gradeway:7", "name": "Midterm"}
DUE = datetime(2026, 3, 1, 23, 59, tzinfo=ZoneInfo("Europe/Brussels"))
SENT_NEW = {
    "externalId": "gradeway:7",
    "name": "Midterm",
    "grading": {"type": "Manual", "anonymousGrading": {"type": "None"}},
}
MADE_CONTENT = {"id": "_4_1", "title": "Exams"}
MADE_ASSIGNMENT = {"contentId": "_4_1", "gradeColumnId": "_9_1", "assessmentId": "_7_1", "questionIds": []}
ALL_OF_A_COLUMN: ColumnValues = {
    "external_id": "gradeway:7",
    "name": "Midterm",
    "display_name": "Mid",
    "description": "",
    "external_grade": True,
    "include_in_calculations": False,
    "possible": Decimal("12.50"),
    "available": False,
    "due": DUE,
    "attempts_allowed": 3,
    "schema_id": "_3_1",
    "anonymous": True,
}
SENT_COLUMN = {
    "externalId": "gradeway:7",
    "name": "Midterm",
    "displayName": "Mid",
    "description": "",
    "externalGrade": True,
    "includeInCalculations": False,
    "score": {"possible": 12.5},
    "availability": {"available": "No"},
    "grading": {
        "due": "2026-03-01T22:59:00Z",
        "attemptsAllowed": 3,
        "schemaId": "_3_1",
        "anonymousGrading": {"type": "AfterAllGraded"},
    },
}
ASSIGNMENT: AssignmentValues = {
    "parent_id": "_4_1",
    "title": "Essay",
    "instructions": "<p>Write</p>",
    "description": "one page",
    "available": True,
    "start": DUE,
    "end": DUE,
    "possible": Decimal("20"),
    "due": DUE,
    "attempts_allowed": 2,
    "schema_id": "_3_1",
}
SENT_ASSIGNMENT = {
    "parentId": "_4_1",
    "title": "Essay",
    "instructions": "<p>Write</p>",
    "description": "one page",
    "availability": {
        "available": "Yes",
        "adaptiveRelease": {"start": "2026-03-01T22:59:00Z", "end": "2026-03-01T22:59:00Z"},
    },
    "score": {"possible": 20},
    "grading": {"due": "2026-03-01T22:59:00Z", "attemptsAllowed": 2, "gradeSchemaId": "_3_1"},
}
Write = Callable[[Learn], object]
WRITES: dict[str, tuple[Write, str, str, object, object]] = {
    "schema": (
        lambda learn: learn.create_schema(COURSE, {"title": "Letters", "external_id": "s", "symbols": SYMBOLS}),
        "POST",
        f"v1/{AT_COURSE}/gradebook/schemas",
        {"title": "Letters", "externalId": "s", "symbols": SENT_SYMBOLS, "scaleType": "Tabular"},
        SEEN_SCHEMA,
    ),
    "symbols": (
        lambda learn: learn.patch_schema(COURSE, SCHEMA, {"symbols": SYMBOLS}),
        "PATCH",
        f"v1/{AT_COURSE}/gradebook/schemas/_3_1",
        {"symbols": SENT_SYMBOLS},
        SEEN_SCHEMA,
    ),
    "new column": (
        lambda learn: learn.create_column(COURSE, NEW),
        "POST",
        f"v2/{AT_COURSE}/gradebook/columns",
        SENT_NEW,
        SEEN_COLUMN,
    ),
    "new column of all": (
        lambda learn: learn.create_column(COURSE, ALL_OF_A_COLUMN),
        "POST",
        f"v2/{AT_COURSE}/gradebook/columns",
        SENT_COLUMN | {"grading": SENT_COLUMN["grading"] | {"type": "Manual"}},  # type: ignore[operator]
        SEEN_COLUMN,
    ),
    "column without a date": (
        lambda learn: learn.create_column(COURSE, NEW | {"due": None}),
        "POST",
        f"v2/{AT_COURSE}/gradebook/columns",
        SENT_NEW,
        SEEN_COLUMN,
    ),
    "change of all": (
        lambda learn: learn.patch_column(COURSE, COLUMN, ALL_OF_A_COLUMN),
        "PATCH",
        AT_COLUMN,
        SENT_COLUMN,
        SEEN_COLUMN,
    ),
    "date away": (
        lambda learn: learn.patch_column(COURSE, COLUMN, {"due": None}),
        "PATCH",
        AT_COLUMN,
        {"grading": {"due": None}},
        SEEN_COLUMN,
    ),
    "folder": (
        lambda learn: learn.create_folder(COURSE, "Exams"),
        "POST",
        f"v1/{AT_COURSE}/contents",
        {"title": "Exams", "contentHandler": {"id": "resource/x-bb-folder"}},
        MADE_CONTENT,
    ),
    "subfolder": (
        lambda learn: learn.create_folder(COURSE, "Exams", "_4_1"),
        "POST",
        f"v1/{AT_COURSE}/contents/_4_1/children",
        {"title": "Exams", "contentHandler": {"id": "resource/x-bb-folder"}},
        MADE_CONTENT,
    ),
    "assignment": (
        lambda learn: learn.create_assignment(COURSE, ASSIGNMENT),
        "POST",
        f"v1/{AT_COURSE}/contents/createAssignment",
        SENT_ASSIGNMENT,
        MADE_ASSIGNMENT,
    ),
    "unlimited": (
        lambda learn: learn.create_assignment(COURSE, {"title": "Essay", "attempts_allowed": None}),
        "POST",
        f"v1/{AT_COURSE}/contents/createAssignment",
        {"title": "Essay", "grading": {"isUnlimitedAttemptsAllowed": True}},
        MADE_ASSIGNMENT,
    ),
    "score": (
        lambda learn: learn.patch_grade(COURSE, COLUMN, USER, score=Decimal("91.25")),
        "PATCH",
        f"{AT_COLUMN}/users/userName:a.hurst",
        {"score": 91.25},
        SEEN_GRADE,
    ),
    "text": (
        lambda learn: learn.patch_grade(COURSE, COLUMN, USER, text="A"),
        "PATCH",
        f"{AT_COLUMN}/users/userName:a.hurst",
        {"text": "A"},
        SEEN_GRADE,
    ),
    "clear": (
        lambda learn: learn.patch_grade(COURSE, COLUMN, USER, clear=True),
        "PATCH",
        f"{AT_COLUMN}/users/userName:a.hurst",
        {"score": None},
        SEEN_GRADE,
    ),
}
