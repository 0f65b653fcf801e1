"""The client of Blackboard Learn: whom it speaks to, how things are named, and what a refusal means."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from fixtures.scripted_server import Reply, Script
from gradeway.errors import (
    BudgetSpentError,
    SettingsError,
    VendorAwayError,
    VendorError,
    VendorRefusedError,
)
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.ending import End
from gradeway.vendors.learn import Learn, make_pace, service_root
from gradeway.vendors.learn_values import ColumnKey, CourseKey, Key, UserKey
from gradeway.vendors.transport import Manners
from vendors.learn_site import (
    API,
    COLUMN,
    COURSE,
    READS,
    SEEN_GRADE,
    USER,
    WRITES,
    calls,
)

# --- where it is


@pytest.mark.parametrize("url", ["https://h/", "https://h/learn/api/public/", "https://h/learn/api/public/v1/"])
def test_the_api_is_found_below_the_site(url: str) -> None:
    assert service_root(Endpoint("c", url)).url == "https://h/learn/api/public/"
    assert service_root(Endpoint("c", url.replace("h/", "h/proxy/", 1))).url == "https://h/proxy/learn/api/public/"


@pytest.mark.parametrize(
    ("field", "told"), [("login", "the key of the application"), ("password", "the secret of the application")]
)
def test_an_application_without_key_or_secret_makes_no_client(site: Endpoint, field: str, told: str) -> None:
    with pytest.raises(SettingsError, match=f"gradeway_learn: the {field} is missing or wrong; give {told}"):
        Learn(replace(site, **{field: ""}))


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ({"daily_calls": "many"}, "daily_calls"),
        ({"daily_calls": -1}, "daily_calls"),
        ({"daily_calls": 0, "reserve": 0}, "reserve"),
        ({"daily_calls": 1.5}, "daily_calls"),
        ({"daily_calls": True}, "daily_calls"),
        ({"reserve": None}, "reserve"),
        ({"reserve": 10_000}, "reserve"),
        ({"daily_calls": "400"}, "reserve"),
        ({"calls_per_second": 0}, "calls_per_second"),
    ],
)
def test_a_budget_that_is_none_is_told(site: Endpoint, extra: dict[str, object], told: str) -> None:
    with pytest.raises(SettingsError, match=f"the {told} is missing or wrong"):
        Learn(replace(site, extra=extra))


@pytest.mark.parametrize(("extra", "last"), [({}, 9500), ({"daily_calls": "150000", "reserve": 2000}, 148_000)])
def test_the_connection_says_how_many_calls_a_day(site: Endpoint, extra: dict[str, object], last: int) -> None:
    for used, is_spent in ((last - 2, False), (last - 1, True)):
        pace = make_pace(replace(site, extra=extra), used_today=used)
        pace.told(pace.ask("a call", 0).ticket, End(200), 0)
        if is_spent:
            with pytest.raises(BudgetSpentError):
                pace.ask("a call", 9)
        else:
            assert pace.ask("a call", 9).wait == 0


def test_the_connection_says_how_many_calls_a_second(site: Endpoint) -> None:
    pace = make_pace(replace(site, extra={"calls_per_second": "20"}))
    pace.ask("a call", 0)
    assert pace.ask("a call", 0).wait == pytest.approx(0.05)


# --- keys


@pytest.mark.parametrize(
    ("key", "path"),
    [
        (CourseKey("id", "_12_1"), "_12_1"),
        (CourseKey("externalId", "BIO 101/a?b#c%d:é"), "externalId:BIO%20101%2Fa%3Fb%23c%25d:%C3%A9"),
        (CourseKey("courseId", ".."), "courseId:.."),
        (CourseKey("uuid", "915c7567"), "uuid:915c7567"),
        (CourseKey.parse("_12_1"), "_12_1"),
        (CourseKey.parse("courseId:X"), "courseId:X"),
        (CourseKey.parse("BIO:101"), "externalId:BIO:101"),
        (CourseKey.parse("BIO-101", "courseId"), "courseId:BIO-101"),
    ],
)
def test_a_key_stands_in_the_path(script: Script, learn: Learn, key: CourseKey, path: str) -> None:
    script.say_json({"id": "_1_1", "courseId": "BIO"})
    learn.course(key)
    assert calls(script)[0].path == f"{API}v3/courses/{path}"


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (CourseKey, ("userName", "x")),
        (CourseKey, ("externalId", "")),
        (CourseKey, ("id", "12")),
        (CourseKey, ("id", "_1_1/../..")),
        (CourseKey, ("id", "_1_1\n")),
        (CourseKey, ("id", "finalGrade")),
        (UserKey, ("courseId", "x")),
        (ColumnKey, ("finalGrade", "")),
        (Key, ("externalId", "x")),
    ],
)
def test_what_is_no_key_is_refused(kind: type[Key], arguments: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=f"not a {kind.__name__}: "):
        kind(*arguments)


# --- refusals


@pytest.mark.parametrize(
    ("status", "forbidden", "missing", "conflict"),
    [(400, 0, 0, 0), (403, 1, 0, 0), (404, 0, 1, 0), (409, 0, 0, 1), (422, 0, 0, 0)],
)
def test_why_it_was_refused_can_be_told_apart(
    script: Script, learn: Learn, status: int, forbidden: int, missing: int, conflict: int
) -> None:
    body = {"status": status, "code": "bb-7", "message": "Invalid grade for Adrian Hurst", "extraInfo": "x"}
    script.say(Reply(status, body))
    with pytest.raises(VendorRefusedError) as caught:
        learn.patch_grade(COURSE, COLUMN, USER, score=Decimal(1))
    error = caught.value
    assert (error.is_forbidden, error.is_missing, error.is_conflict) == (forbidden, missing, conflict)
    assert (error.status, error.code) == (status, "bb-7")
    assert "(bb-7): Invalid grade for …" in str(error)
    assert str(error).startswith("gradeway_learn: PATCH v2/courses/{course}/gradebook/columns/{column}/users/{user}: ")


def test_a_quota_that_is_used_up_stops_all_who_share_it(script: Script, learn: Learn) -> None:
    left = {"X-Rate-Limit-Limit": "10000", "X-Rate-Limit-Remaining": "500"}
    script.say(Reply(body=SEEN_GRADE, headers=left))
    learn.patch_grade(COURSE, COLUMN, USER, score=Decimal(1))
    with learn.sibling() as other, pytest.raises(BudgetSpentError) as caught:
        other.patch_grade(COURSE, COLUMN, USER, score=Decimal(2))
    assert caught.value.resume_at is not None
    assert isinstance(caught.value, VendorAwayError)
    assert len(calls(script)) == 1
    script.say_json(SEEN_GRADE)
    with learn.sibling(urgent=True) as urgent:
        assert urgent.grade(COURSE, COLUMN, USER) is not None
    assert learn.transport.pace.calls == 3


def test_a_client_without_a_pace_of_others_keeps_its_own(script: Script, site: Endpoint, manners: Manners) -> None:
    paces = [Learn(site, manners=manners).transport.pace for _ in range(2)]
    assert paces[0] is not paces[1]
    shared = Learn(site, manners=manners, pace=paces[0])
    assert shared.transport.pace is paces[0]
    assert script.asked == []


@pytest.mark.parametrize("name", [*READS, *WRITES])
def test_every_call_can_fail_as_a_vendors_error(script: Script, learn: Learn, name: str) -> None:
    script.say(Reply(403, {"message": "Forbidden"}))
    with pytest.raises(VendorError, match="check the rights of the account"):
        (READS.get(name) or WRITES[name])[0](learn)
