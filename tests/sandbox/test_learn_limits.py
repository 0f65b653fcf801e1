"""How many calls Learn takes: a bucket that is refilled, a window that ends, and what the answers tell of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from fixtures.sandboxes import Site
from sandbox.gradebooks import CLASSIC, Book

NOON = datetime.fromisoformat("2026-03-03T12:00:00+00:00")
COURSE = f"v3/courses/courseId:{CLASSIC}"
LIMIT, REMAINING, RESET = "X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset"


def at(site: Site, seconds: float) -> None:
    site.act("clock", {"now": (NOON + timedelta(seconds=seconds)).isoformat()})


@pytest.fixture
def still(site: Site) -> Site:
    """A site whose clock stands at noon."""
    at(site, 0)
    site.log_in()
    return site


def ask(site: Site, number: int) -> list[requests.Response]:
    return [site.call("GET", COURSE) for _ in range(number)]


def headers(answer: requests.Response) -> tuple[int, Any, Any, Any, Any]:
    """Return status, limit, remaining, reset and Retry-After."""
    return answer.status_code, *(answer.headers.get(name) for name in (LIMIT, REMAINING, RESET, "Retry-After"))


def test_there_is_no_limit_at_the_start(still: Site) -> None:
    assert {headers(answer) for answer in ask(still, 30)} == {(200, None, None, None, None)}


def test_a_bucket_is_emptied_and_refilled(still: Site) -> None:
    told = still.act("limit", {"style": "bucket", "calls": 50, "seconds": 1, "size": 20})
    assert told == {"style": "bucket", "calls": 50, "seconds": 1, "size": 20}
    answers = [headers(answer) for answer in ask(still, 22)]
    assert answers[:20] == [(200, "20", str(left), None, None) for left in range(19, -1, -1)]
    assert answers[20:] == [(429, "20", "0", None, "1")] * 2
    at(still, 0.019999)
    assert headers(*ask(still, 1))[0] == 429
    at(still, 0.02)
    assert [headers(answer)[0] for answer in ask(still, 2)] == [200, 429]
    at(still, 0.12)
    assert [headers(answer)[0] for answer in ask(still, 6)] == [200] * 5 + [429]
    at(still, 3600)
    assert headers(*ask(still, 1)) == (200, "20", "19", None, None)


def test_a_day_of_10000_calls(still: Site) -> None:
    still.act("limit", {"style": "bucket", "calls": 10_000, "seconds": 86_400, "size": 3})
    assert [headers(answer)[0] for answer in ask(still, 4)] == [200, 200, 200, 429]
    assert headers(*ask(still, 1))[4] == "9"
    at(still, 8.639999)
    assert headers(*ask(still, 1))[4] == "1"
    at(still, 8.64)
    assert headers(*ask(still, 1))[0] == 200
    at(still, 86_400)
    still.log_in()
    assert headers(*ask(still, 1)) == (200, "3", "2", None, None)


def test_a_bucket_holds_as_much_as_comes_unless_said(still: Site) -> None:
    still.act("limit", {"style": "bucket", "calls": 10_000, "seconds": 86_400})
    assert headers(*ask(still, 1)) == (200, "10000", "9999", None, None)


def test_a_window_tells_when_it_ends_and_begins_anew(still: Site) -> None:
    still.act("limit", {"style": "window", "calls": 2, "seconds": 60})
    end = str(int(NOON.timestamp()) + 60)
    assert [headers(answer) for answer in ask(still, 3)] == [
        (200, "2", "1", end, None),
        (200, "2", "0", end, None),
        (429, "2", "0", end, None),
    ]
    at(still, 59.9)
    assert headers(*ask(still, 1))[0] == 429
    at(still, 75)
    assert headers(*ask(still, 1)) == (200, "2", "1", str(int(NOON.timestamp()) + 135), None)


def test_a_refused_call_does_nothing_and_errors_tell_the_rate_too(still: Site) -> None:
    book = Book(still)
    column = book.column()
    still.act("limit", {"style": "bucket", "calls": 1, "seconds": 3600, "size": 2})
    assert headers(still.call("GET", "v3/courses/courseId:none")) == (404, "2", "1", None, None)
    still.ask("PATCH", book.url(column), {"score": 1})
    answer = still.call("PATCH", book.url(column), {"score": 2})
    assert (answer.status_code, answer.json()["status"], answer.headers["Retry-After"]) == (429, 429, "3600")
    still.act("limit", {})
    assert book.grade(column)["score"] == 1
    statuses = [(entry["method"], entry["status"], entry["took_effect"]) for entry in still.log()[-4:]]
    assert statuses == [("GET", 404, False), ("PATCH", 200, True), ("PATCH", 429, False), ("GET", 200, False)]


def test_tokens_and_strangers_cost_nothing(still: Site) -> None:
    still.act("limit", {"style": "bucket", "calls": 1, "seconds": 3600, "size": 1})
    still.token()
    assert requests.get(still.url + COURSE, timeout=5).status_code == 401
    assert headers(*ask(still, 1))[0] == 200
    still.token()
    assert headers(*ask(still, 1))[0] == 429


def test_a_restart_takes_the_limit_away(learn_sandbox: Site) -> None:
    learn_sandbox.act("limit", {"style": "bucket", "calls": 1, "seconds": 3600})
    assert [answer.status_code for answer in ask(learn_sandbox, 2)] == [200, 429]
    learn_sandbox.kill()
    learn_sandbox.start()
    assert {headers(answer) for answer in ask(learn_sandbox, 3)} == {(200, None, None, None, None)}


@pytest.mark.parametrize(
    "body",
    [
        {"style": "leaky", "calls": 1, "seconds": 1},
        {"style": "bucket", "calls": 0, "seconds": 1},
        {"style": "bucket", "calls": 1, "seconds": 0.5},
        {"style": "bucket", "calls": 1},
        {"style": "window", "calls": 1, "seconds": 1, "burst": 2},
    ],
)
def test_a_wrong_limit_is_told_and_none_is_set(body: dict[str, Any], still: Site) -> None:
    assert still.act("limit", body, status=422)["detail"]
    assert {headers(answer) for answer in ask(still, 3)} == {(200, None, None, None, None)}
