"""No call to Blackboard Learn tells a secret, a learner or a grade, in any log and any error."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from fixtures.scripted_server import PASSWORD, Reply, Script
from gradeway.errors import GradewayError, VendorError
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.learn import Learn
from gradeway.vendors.learn_records import Grade, Membership
from gradeway.vendors.learn_values import ColumnKey, CourseKey, UserKey
from gradeway.vendors.transport import Manners
from vendors.learn_site import SEEN_MEMBER
from vendors.test_vendor_privacy import FAILURES, LEARNER, OTHER, PLANTED, SAID, everything_told

COURSE, COLUMN, USER = CourseKey("courseId", "4711"), ColumnKey("externalId", OTHER), UserKey("userName", LEARNER)
TOKEN = Reply(body={"access_token": "Zebra-token", "expires_in": 3600})
CALLS: dict[str, Callable[[Learn], object]] = {
    "course": lambda learn: learn.course(COURSE),
    "members": lambda learn: list(learn.memberships(COURSE)),
    "member": lambda learn: learn.membership(COURSE, USER),
    "columns": lambda learn: list(learn.columns(COURSE)),
    "grades": lambda learn: list(learn.grades(COURSE, COLUMN, changed_after=4711)),
    "grade": lambda learn: learn.grade(COURSE, COLUMN, USER),
    "last": lambda learn: learn.last_changed(COURSE, COLUMN),
    "column": lambda learn: learn.create_column(COURSE, {"name": OTHER, "external_id": LEARNER}),
    "change": lambda learn: learn.patch_column(COURSE, COLUMN, {"description": OTHER}),
    "folder": lambda learn: learn.create_folder(COURSE, OTHER, "_4711_1"),
    "score": lambda learn: learn.patch_grade(COURSE, COLUMN, USER, score=Decimal("4711")),
    "text": lambda learn: learn.patch_grade(COURSE, COLUMN, USER, text=OTHER),
    "delete": lambda learn: learn.delete_column(COURSE, COLUMN),
    "probe": lambda learn: learn.probe(),
}
REST = {"status": "400", "code": "bb-7", "message": SAID, "developerMessage": SAID, "extraInfo": f"https://x/{LEARNER}"}
ODD = {
    "rest": Reply(400, REST),
    "rest code": Reply(409, REST | {"code": OTHER}),
    "oauth": Reply(401, {"error": "invalid_client", "error_description": SAID}),
    "oauth code": Reply(401, {"error": OTHER, "error_description": SAID}),
    "rows": Reply(200, {"results": [{"userId": 4711, "id": OTHER, "user": LEARNER}], "userId": OTHER, "id": [LEARNER]}),
    "page": Reply(200, {"results": [], "paging": {"nextPage": f"https://x/?u={LEARNER}"}}),
    "grade": Reply(200, {"userId": LEARNER, "score": OTHER, "name": 4711, "changeIndex": LEARNER, "learn": OTHER}),
    "quota": Reply(503, SAID, {"X-Rate-Limit-Limit": OTHER, "X-Rate-Limit-Remaining": "4711", "Retry-After": OTHER}),
}


@pytest.mark.parametrize("place", ["token", "call"])
@pytest.mark.parametrize("failure", (FAILURES | ODD).values(), ids=FAILURES | ODD)
def test_no_failure_tells_anything(
    script: Script, site: Endpoint, manners: Manners, failure: Reply, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hasty = replace(manners, read=0.05, tries=2)
    failed = 0
    for call in CALLS.values():
        script.replies[:] = [*([TOKEN] if place == "call" else []), *[failure] * 3]
        caught: BaseException | None = None
        with Learn(replace(site, login="app-Zebra"), manners=hasty) as learn:
            try:
                call(learn)
            except VendorError as error:
                caught, failed = error, failed + 1
        told = everything_told(caplog, caught)
        assert [planted for planted in PLANTED if planted in told] == []
    assert failed >= (len(CALLS) if place == "token" else 3)
    assert "gradeway_learn: POST v1/oauth2/token" in caplog.text


def test_a_good_call_tells_nothing_either(script: Script, site: Endpoint, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    script.say(TOKEN, Reply(body={"userId": LEARNER, "score": 4711, "displayGrade": {"text": OTHER}}))
    with Learn(site) as learn:
        made = learn.patch_grade(COURSE, COLUMN, USER, text=OTHER)
    told = everything_told(caplog, None) + repr(made)
    assert [planted for planted in PLANTED if planted in told] == []
    assert "PATCH v2/courses/{course}/gradebook/columns/{column}/users/{user} answered 200" in caplog.text


def test_no_record_and_no_key_shows_a_learner() -> None:
    member = Membership.read(SEEN_MEMBER | {"user": {"userName": LEARNER, "externalId": OTHER}, "userId": "4711"})
    grade = Grade.read({"userId": LEARNER, "text": OTHER, "score": 4711})
    shown = f"{member} {member!r} {member.user} {grade} {grade!r} {USER} {USER!r} {COLUMN}"
    assert [planted for planted in PLANTED if planted in shown] == []


def test_a_client_shows_no_secret(site: Endpoint, script: Script) -> None:
    script.say(TOKEN)
    learn = Learn(site)
    assert learn._token.value() == "Zebra-token"
    shown = f"{learn!r}{learn.transport!r}{learn.transport._session.auth!r}{learn._token!r}{vars(learn)}{site!r}"
    assert [planted for planted in PLANTED if planted in shown] == []


@pytest.mark.parametrize("grade", [{"text": ""}, {"score": Decimal("NaN")}, {"text": OTHER, "score": Decimal(4711)}])
def test_a_grade_that_cannot_be_sent_is_not_quoted(site: Endpoint, grade: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"clear|score") as caught:
        Learn(site).patch_grade(COURSE, COLUMN, USER, **grade)  # type: ignore[arg-type]
    assert [planted for planted in PLANTED if planted in str(caught.value)] == []


def test_a_key_that_is_none_is_not_quoted() -> None:
    with pytest.raises(ValueError, match="not a UserKey") as caught:
        UserKey("id", LEARNER)
    assert LEARNER not in str(caught.value)


def test_a_secret_that_is_missing_names_the_field_only(site: Endpoint) -> None:
    with pytest.raises(GradewayError) as caught:
        Learn(replace(site, login="app-Zebra:x"))
    assert "Zebra" not in str(caught.value)
    assert PASSWORD not in str(caught.value)
