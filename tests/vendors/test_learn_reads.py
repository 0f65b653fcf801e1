"""What the client of Blackboard Learn asks for, and how it reads what the description shows."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from fixtures.scripted_server import Reply, Script
from gradeway.errors import (
    VendorAnswerError,
    VendorRefusedError,
)
from gradeway.vendors.learn import Learn
from vendors.learn_site import (
    API,
    COLUMN,
    COURSE,
    LISTS,
    READS,
    SEEN_COLUMN,
    SEEN_GRADE,
    SEEN_MEMBER,
    SEEN_SCHEMA,
    SYMBOLS,
    USER,
    calls,
    results,
)


@pytest.mark.parametrize("name", READS)
def test_a_read_asks_for_just_what_is_needed(script: Script, learn: Learn, name: str) -> None:
    read, path, query = READS[name]
    script.say(Reply(400))
    with pytest.raises(VendorRefusedError):
        read(learn)
    (asked,) = calls(script)
    assert (asked.method, asked.path, asked.query, asked.body) == ("GET", API + path, query, b"")
    assert asked.headers["Authorization"] == "Bearer Zebra.token-1"


@pytest.mark.parametrize("name", sorted(READS.keys() - set(LISTS)))
def test_what_is_not_there_is_none(script: Script, learn: Learn, name: str) -> None:
    script.say(Reply(404, {"status": "404", "message": "The specified object was not found."}))
    assert READS[name][0](learn) in (None, 0, "")


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_what_is_not_there_is_refused(script: Script, learn: Learn, name: str) -> None:
    script.say(Reply(404, {"status": "404", "code": "bb-rest-x", "message": "The specified object was not found."}))
    with pytest.raises(VendorRefusedError, match=r"answered 404 \(bb-rest-x\): The specified object was not found\.$"):
        READS[name][0](learn)


def test_a_course(script: Script, learn: Learn) -> None:
    seen = {"id": "_1_1", "courseId": "BIO", "externalId": "b", "parentId": "_8_1", "hasChildren": False}
    script.say_json(seen | {"ultraStatus": "Ultra", "closedComplete": True, "name": "Biology"})
    course = learn.course(COURSE)
    assert course is not None
    assert (course.id, course.course_id, course.external_id, course.parent_id) == ("_1_1", "BIO", "b", "_8_1")
    assert (course.has_children, course.closed_complete) == (False, True)


@pytest.mark.parametrize(
    ("status", "is_ultra"),
    [
        ("Ultra", True),
        ("Ultrapreview", True),
        ("UltraPreview", True),
        ("Classic", False),
        ("Undecided", False),
        ("Another", False),
        (None, False),
    ],
)
def test_which_courses_are_ultra(script: Script, learn: Learn, status: str | None, is_ultra: bool) -> None:
    script.say_json({"id": "_1_1", "courseId": "BIO", "ultraStatus": status})
    course = learn.course(COURSE)
    assert course is not None
    assert course.is_ultra is is_ultra


def test_memberships(script: Script, learn: Learn) -> None:
    script.say_json(results(SEEN_MEMBER, {"userId": "_7_1"}))
    one, other = learn.memberships(COURSE)
    assert (one.id, one.user_id, one.user_name, one.external_id) == ("_6_1", "_5_1", "a.hurst", "4711")
    assert (one.course_role_id, one.available, one.child_course_id) == ("Student", "Disabled", "_2_1")
    assert (other.user_name, other.external_id, other.available) == (None, None, None)


def test_schemas(script: Script, learn: Learn) -> None:
    script.say_json(results(SEEN_SCHEMA, {"id": "_2_1", "scaleType": "CompleteIncomplete", "symbols": None}))
    letters, other = learn.schemas(COURSE)
    assert (letters.id, letters.title, letters.is_tabular, letters.symbols) == ("_3_1", "Letters", True, SYMBOLS)
    assert (other.title, other.scale_type, other.is_tabular, other.symbols) == (None, "CompleteIncomplete", False, ())


def test_columns(script: Script, learn: Learn) -> None:
    total = {"id": "_8_1", "name": "null", "grading": {"type": "Calculated"}, "externalGrade": True}
    script.say_json(results(SEEN_COLUMN, total))
    column, other = learn.columns(COURSE)
    assert (column.id, column.external_id, column.name, column.display_name) == ("_9_1", "gradeway:7", "Midterm", "Mid")
    assert (column.description, column.content_id, column.external_grade) == ("First half", "_4_1", False)
    assert (column.possible, column.available, column.is_calculated) == (Decimal("12.5"), True, False)
    assert column.grading is not None
    assert column.grading.due == datetime(2026, 3, 1, 22, 59, tzinfo=UTC)
    assert (column.grading.schema_id, column.grading.attempts_allowed) == ("_3_1", 0)
    assert (other.name, other.possible, other.available, other.is_calculated) == ("null", None, False, True)


def test_contents(script: Script, learn: Learn) -> None:
    folder = {"id": "_4_1", "title": "Exams", "hasChildren": True, "contentHandler": {"id": "resource/x-bb-folder"}}
    script.say_json(results(folder, {"id": "_5_1", "contentHandler": {"id": "resource/x-bb-lesson"}}))
    one, other = learn.contents(COURSE)
    assert (one.id, one.title, one.is_folder) == ("_4_1", "Exams", True)
    assert (other.title, other.is_folder) == (None, False)


def test_grades(script: Script, learn: Learn) -> None:
    script.say_json(results(SEEN_GRADE, {"userId": "_6_1", "gradeNotationId": "_1_1", "exempt": True}))
    one, other = learn.grades(COURSE, COLUMN)
    assert (one.user_id, one.score, one.text, one.change_index) == ("_5_1", Decimal("91.25"), "91.25", 17)
    assert one.overridden == datetime(2026, 2, 1, 10, 0, 0, 123000, tzinfo=UTC)
    assert one.display_grade is not None
    assert (one.display_text, one.display_grade.score, one.exempt) == ("A", Decimal("91.25"), False)
    assert (other.score, other.display_text, other.exempt, other.change_index) == (None, None, True, 0)
    assert other.grade_notation_id == "_1_1"


def test_no_number_passes_through_float(script: Script, learn: Learn) -> None:
    script.say(Reply(body='{"userId": "_5_1", "score": 0.1000000000000000055511151231257827}'))
    grade = learn.grade(COURSE, COLUMN, USER)
    assert grade is not None
    assert grade.score == Decimal("0.1000000000000000055511151231257827")


@pytest.mark.parametrize(
    ("answer", "index"), [(SEEN_GRADE, 17), ({}, 0), (None, 0), ({"userId": "_5_1", "changeIndex": None}, 0)]
)
def test_the_last_change(script: Script, learn: Learn, answer: object, index: int) -> None:
    script.say_json(answer)
    assert learn.last_changed(COURSE, COLUMN) == index


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        ({"learn": {"major": 3900, "minor": 123, "patch": 0, "build": "rel.1+abc"}}, "3900.123.0"),
        ({"learn": {"major": 3900}}, "3900"),
        ({"learn": None}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_the_version_of_the_site(script: Script, learn: Learn, answer: object, version: str) -> None:
    script.say_json(answer)
    assert learn.probe() == version


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("course", {"id": "_1_1"}),
        ("course", {"id": 1, "courseId": "BIO"}),
        ("membership", {"userId": 5}),
        ("column", {"id": "_9_1", "name": "x", "score": {"possible": "100"}}),
        ("column", {"id": "_9_1", "name": "x", "grading": {"due": "tomorrow"}}),
        ("column", {"id": "_9_1", "name": "x", "grading": []}),
        ("grade", {"userId": "_5_1", "score": "A"}),
        ("grade", {"userId": "_5_1", "score": True}),
        ("grade", {"userId": "_5_1", "changeIndex": "17"}),
        ("grade", {"userId": "_5_1", "exempt": "No"}),
        ("schemas", results(SEEN_SCHEMA | {"symbols": [{"text": "A"}]})),
        ("schemas", results(SEEN_SCHEMA | {"symbols": ["A"]})),
        ("schemas", results(None)),
        ("last change", {"changeIndex": "x"}),
    ],
)
def test_what_is_not_as_described_is_told(script: Script, learn: Learn, name: str, row: object) -> None:
    script.say_json(row)
    with pytest.raises(VendorAnswerError):
        READS[name][0](learn)


# --- pages


def test_a_list_is_streamed_along_its_links(script: Script, learn: Learn) -> None:
    link = f"{API}v2/courses/_1_1/gradebook/columns/_9_1/users?offset={{}}&changeIndex=3"
    script.say_json(
        results(SEEN_GRADE, SEEN_GRADE, after=link.format(2)), results(SEEN_GRADE, after=link.format(3)), results()
    )
    found = learn.grades(COURSE, COLUMN, changed_after=3)
    assert script.asked == []
    next(found)
    assert len(calls(script)) == 1
    assert len(list(found)) == 2
    assert [asked.target for asked in calls(script)[1:]] == [link.format(2), link.format(3)]
    assert {asked.headers["Authorization"] for asked in calls(script)} == {"Bearer Zebra.token-1"}


@pytest.mark.parametrize("paging", [None, {}, {"nextPage": None}, {"nextPage": ""}, []])
def test_without_a_link_a_list_has_ended(script: Script, learn: Learn, paging: object) -> None:
    script.say_json(results(SEEN_GRADE) | {"paging": paging})
    assert len(list(learn.grades(COURSE, COLUMN))) == 1


@pytest.mark.wrong_requests
@pytest.mark.parametrize(
    "link", [f"{API}same", "https://example.org/learn/api/public/x", "//example.org/x", 5, {"href": "x"}]
)
def test_links_that_lead_nowhere_end_in_an_error(script: Script, learn: Learn, link: Any) -> None:  # noqa: ANN401
    script.say_json(*[results(SEEN_GRADE, after=link)] * 3)
    with pytest.raises(VendorAnswerError, match=r"gradeway_learn: GET v2/courses/\{course\}/gradebook/columns"):
        list(learn.grades(COURSE, COLUMN))
    assert len(calls(script)) <= 2


@pytest.mark.parametrize("answer", [{}, [], {"results": {}}, {"value": []}, None])
@pytest.mark.parametrize("name", LISTS)
def test_an_answer_without_a_list_is_not_taken_for_an_empty_one(
    script: Script, learn: Learn, name: str, answer: object
) -> None:
    script.say_json(answer)
    with pytest.raises(VendorAnswerError, match="holds no list"):
        READS[name][0](learn)
