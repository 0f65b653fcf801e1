"""What the client of Blackboard Learn writes, and what it makes of how a write ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from fixtures.scripted_server import Reply, Script
from gradeway.errors import (
    UnknownOutcomeError,
    VendorRefusedError,
)
from gradeway.vendors.learn import Learn
from gradeway.vendors.learn_values import ColumnValues, SchemaValues
from vendors.learn_site import (
    API,
    AT_COLUMN,
    COLUMN,
    COURSE,
    MADE_ASSIGNMENT,
    MADE_CONTENT,
    NEW,
    SCHEMA,
    SEEN_COLUMN,
    SEEN_GRADE,
    SEEN_SCHEMA,
    SYMBOLS,
    USER,
    WRITES,
    calls,
)

POSTS = [name for name, (_, method, *_) in WRITES.items() if method == "POST"]
PATCHES = [name for name, (_, method, *_) in WRITES.items() if method == "PATCH"]


@pytest.mark.parametrize("name", WRITES)
def test_a_write_sends_just_what_is_set(script: Script, learn: Learn, name: str) -> None:
    write, method, path, body, answer = WRITES[name]
    script.say(Reply(201 if method == "POST" else 200, answer))
    write(learn)
    (asked,) = calls(script)
    assert (asked.method, asked.path, asked.query, asked.json) == (method, API + path, {}, body)
    assert asked.headers["Content-Type"] == "application/json"


def test_what_was_made_is_returned(script: Script, learn: Learn) -> None:
    answers = [SEEN_SCHEMA, SEEN_COLUMN, MADE_CONTENT, MADE_ASSIGNMENT]
    script.say(*(Reply(201, answer) for answer in answers), Reply(200, SEEN_GRADE))
    assert learn.create_schema(COURSE, {"title": "Letters", "symbols": SYMBOLS}).symbols == SYMBOLS
    assert learn.create_column(COURSE, NEW).id == "_9_1"
    assert learn.create_folder(COURSE, "Exams").id == "_4_1"
    made = learn.create_assignment(COURSE, {"title": "Essay"})
    assert (made.content_id, made.grade_column_id) == ("_4_1", "_9_1")
    assert learn.patch_grade(COURSE, COLUMN, USER, score=Decimal(1)).change_index == 17


@pytest.mark.parametrize(
    ("score", "sent"),
    [
        ("91.25", "91.25"),
        ("91.250", "91.25"),
        ("100", "100"),
        ("1E+2", "100"),
        ("0.00", "0"),
        ("66.666666666", "66.66667"),
        ("0.000005", "0.00001"),
        ("0.000004", "0"),
        ("0.1", "0.1"),
        ("123456789012345.00001", "123456789012345.00001"),
    ],
)
def test_a_score_is_sent_with_its_digits_up_to_five_places(script: Script, learn: Learn, score: str, sent: str) -> None:
    script.say_json(SEEN_GRADE)
    learn.patch_grade(COURSE, COLUMN, USER, score=Decimal(score))
    assert calls(script)[0].body == f'{{"score": {sent}}}'.encode()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "either a score"),
        ({"score": Decimal(1), "text": "A"}, "either a score"),
        ({"score": Decimal(1), "clear": True}, "either a score"),
        ({"text": "A", "clear": True}, "either a score"),
        ({"text": ""}, "would clear"),
        ({"text": " "}, "would clear"),
        ({"text": "-"}, "would clear"),
        ({"score": Decimal("NaN")}, "no number"),
        ({"score": Decimal("Infinity")}, "no number"),
        ({"score": Decimal("1E+15")}, "no number"),
    ],
)
def test_a_grade_that_is_none_is_not_sent(script: Script, learn: Learn, given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        learn.patch_grade(COURSE, COLUMN, USER, **given)
    assert script.asked == []


BAD_COLUMNS: list[tuple[ColumnValues, str]] = [
    ({"name": "x"}, "external_id must"),
    ({"external_id": "x", "name": ""}, "name must"),
    (NEW | {"points": 5}, "cannot set points"),  # type: ignore[typeddict-unknown-key]
    (NEW | {"due": datetime(2026, 1, 1)}, "without a zone"),  # noqa: DTZ001 - the mistake to find
]
BAD_SCHEMAS: list[tuple[SchemaValues, str]] = [({"title": "x"}, "symbols must"), ({"symbols": SYMBOLS}, "title must")]


def test_what_cannot_be_is_not_sent(script: Script, learn: Learn) -> None:
    for column, told in BAD_COLUMNS:
        with pytest.raises(ValueError, match=told):
            learn.create_column(COURSE, column)
    for schema, told in BAD_SCHEMAS:
        with pytest.raises(ValueError, match=told):
            learn.create_schema(COURSE, schema)
    with pytest.raises(ValueError, match="title must"):
        learn.create_assignment(COURSE, {"description": "x"})
    with pytest.raises(ValueError, match="symbols must"):
        learn.patch_schema(COURSE, SCHEMA, {"symbols": ()})
    with pytest.raises(ValueError, match="cannot set nothing"):
        learn.patch_column(COURSE, COLUMN, {})
    with pytest.raises(ValueError, match="not a Key"):
        learn.create_folder(COURSE, "Exams", "root/../x")
    assert script.asked == []


DELETIONS: dict[str, Callable[[Learn], None]] = {
    "column": lambda learn: learn.delete_column(COURSE, COLUMN),
    "assignment": lambda learn: learn.delete_assignment(COURSE, "_3_1"),
}


@pytest.mark.parametrize("reply", [Reply(how="reset"), Reply(how="silent"), Reply(500), Reply(503)])
@pytest.mark.parametrize("what", DELETIONS)
def test_a_deletion_without_an_answer_is_never_sent_twice(
    script: Script, learn: Learn, what: str, reply: Reply
) -> None:
    script.say(reply)
    with pytest.raises(UnknownOutcomeError):
        DELETIONS[what](learn)
    assert len(calls(script)) == 1


@pytest.mark.parametrize("reply", [Reply(how="reset"), Reply(how="silent"), Reply(500), Reply(503)])
@pytest.mark.parametrize("name", [*POSTS, *PATCHES])
def test_a_write_without_an_answer_is_never_sent_twice(script: Script, learn: Learn, name: str, reply: Reply) -> None:
    script.say(reply)
    with pytest.raises(UnknownOutcomeError):
        WRITES[name][0](learn)
    assert len(calls(script)) == 1


@pytest.mark.parametrize("name", WRITES)
def test_what_surely_had_no_effect_is_sent_again(script: Script, learn: Learn, name: str) -> None:
    script.say(Reply(429), Reply(body=WRITES[name][4]))
    WRITES[name][0](learn)
    first, second = calls(script)
    assert (first.method, first.target, first.body) == (second.method, second.target, second.body)


@pytest.mark.parametrize("echo", [None, {}, [], {"id": 5, "userId": 5, "contentId": 5}])
@pytest.mark.parametrize("name", WRITES)
def test_a_write_without_a_usable_echo_has_to_be_read(script: Script, learn: Learn, name: str, echo: object) -> None:
    script.say(Reply(201, echo))
    with pytest.raises(UnknownOutcomeError, match="read it") as caught:
        WRITES[name][0](learn)
    assert caught.value.status == 201


@pytest.mark.parametrize(
    "replies",
    [[Reply(204)], [Reply(200, {})], [Reply(404)], [Reply(429), Reply(204)], [Reply(429), Reply(404)]],
)
def test_a_column_is_deleted_or_gone(script: Script, learn: Learn, replies: list[Reply]) -> None:
    script.say(*replies)
    learn.delete_column(COURSE, COLUMN)
    assert [(asked.method, asked.path) for asked in calls(script)] == [("DELETE", API + AT_COLUMN)] * len(replies)


@pytest.mark.parametrize("status", [400, 403, 409])
def test_a_column_that_cannot_be_deleted_is_told(script: Script, learn: Learn, status: int) -> None:
    script.say(Reply(status))
    with pytest.raises(VendorRefusedError):
        learn.delete_column(COURSE, COLUMN)
