"""The token of Blackboard Learn: got once for all threads, renewed in time, and once more when it is refused."""

from __future__ import annotations

import threading
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal

import pytest

from fixtures.scripted_server import PASSWORD, Asked, Clock, Reply, Script
from gradeway.errors import (
    BudgetSpentError,
    VendorAnswerError,
    VendorAwayError,
    VendorRefusedError,
)
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.learn import Learn
from gradeway.vendors.transport import Manners
from vendors.conftest import TOKEN
from vendors.learn_site import API, COLUMN, COURSE, READS, SEEN_GRADE, USER, WRITES, results

PATH = f"{API}v1/oauth2/token"
GRADE = Reply(body=SEEN_GRADE)


def token(number: int, seconds: int = 3600) -> Reply:
    return Reply(body={"access_token": f"token-{number}", "token_type": "Bearer", "expires_in": seconds, "scope": "x"})


def read(learn: Learn) -> None:
    assert learn.grade(COURSE, COLUMN, USER) is not None


def used(script: Script) -> list[str]:
    """Return for each request whether it got a token, or else the token it came with."""
    return [_used(asked) for asked in script.asked]


def _used(asked: Asked) -> str:
    return "asked" if asked.path == PATH else asked.headers["Authorization"].removeprefix("Bearer ")


@pytest.fixture
def learn(site: Endpoint, manners: Manners) -> Learn:
    """A client whose first request is not answered yet."""
    return Learn(site, manners=manners)


def test_a_token_is_asked_for_as_the_application(script: Script, learn: Learn) -> None:
    script.say(token(1), GRADE)
    read(learn)
    asked = script.asked[0]
    assert (asked.method, asked.target, asked.body) == ("POST", PATH, b"grant_type=client_credentials")
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    key = b64encode(f"application-key:{PASSWORD}".encode()).decode()
    assert asked.headers["Authorization"] == f"Basic {key}"
    assert used(script) == ["asked", "token-1"]


def test_nothing_is_asked_before_it_is_needed(script: Script, learn: Learn) -> None:
    learn.grades(COURSE, COLUMN)
    learn.sibling()
    assert script.asked == []


@pytest.mark.parametrize(
    ("life", "later", "renewed"),
    [(3600, 3539, False), (3600, 3541, True), (61, 0.5, False), (61, 1.5, True), (30, 29, False), (30, 31, True)],
)
def test_a_token_is_renewed_a_minute_before_its_end(
    script: Script, learn: Learn, passing: Clock, life: int, later: float, renewed: bool
) -> None:
    script.say(token(1, life), GRADE, *([token(2)] if renewed else []), GRADE)
    read(learn)
    passing.time += later
    read(learn)
    assert used(script) == ["asked", "token-1", *(["asked", "token-2"] if renewed else ["token-1"])]


def test_threads_get_one_token_together(script: Script, learn: Learn) -> None:
    script.say(token(1), *[GRADE] * 8)
    together = threading.Barrier(8)

    def call(client: Learn) -> None:
        together.wait(30)
        read(client)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, [learn.sibling() for _ in range(8)]))
    assert used(script) == ["asked", *["token-1"] * 8]


def test_a_token_that_was_refused_is_replaced_and_the_call_made_again(script: Script, learn: Learn) -> None:
    script.say(token(1), Reply(401, {"status": 401, "message": "Bearer token is invalid"}), token(2), GRADE, GRADE)
    learn.patch_grade(COURSE, COLUMN, USER, score=Decimal("1.5"))
    read(learn)
    assert used(script) == ["asked", "token-1", "asked", "token-2", "token-2"]
    assert [script.asked[number].json for number in (1, 3)] == [{"score": Decimal("1.5")}] * 2


def test_what_adds_something_is_made_again_too_since_a_refusal_had_no_effect(script: Script, learn: Learn) -> None:
    script.say(token(1), Reply(401), token(2), Reply(201, {"id": "_4_1", "title": "Exams"}))
    learn.create_folder(COURSE, "Exams")
    assert used(script) == ["asked", "token-1", "asked", "token-2"]


@pytest.mark.wrong_requests
def test_the_rest_of_a_list_is_asked_for_again_too(script: Script, learn: Learn) -> None:
    more = results(SEEN_GRADE, after=f"{API}more")
    script.say(token(1), Reply(body=more), Reply(401), token(2), Reply(body=results(SEEN_GRADE)))
    assert len(list(learn.grades(COURSE, COLUMN))) == 2
    assert [asked.path for asked in script.asked[2::2]] == [f"{API}more"] * 2


def test_a_second_refusal_is_one(script: Script, learn: Learn) -> None:
    script.say(token(1), Reply(401), token(1), Reply(401, {"status": 401, "code": "x-7", "message": "Unauthorized"}))
    with pytest.raises(VendorRefusedError, match=r"401 \(check the login and password of the connection\) \(x-7\)"):
        read(learn)
    assert used(script) == ["asked", "token-1", "asked", "token-1"]


@pytest.mark.wrong_requests
def test_the_token_of_others_is_taken_if_it_is_newer(script: Script, learn: Learn) -> None:
    script.say(token(1), GRADE, GRADE, Reply(401), token(2), GRADE, Reply(401), GRADE)
    one, other = learn.sibling(), learn.sibling()
    read(one)
    call = other.transport._call("GET", "x", f"{other.transport.endpoint.url}x", effect=None)  # type: ignore[arg-type]
    read(other)
    read(one)
    assert used(script)[-1] == "token-2"
    # The other one has prepared a call with the token that was valid then.
    assert call.request.headers["Authorization"] == "Bearer token-1"
    assert other.transport._run(call, 1).data is not None
    assert used(script).count("asked") == 2
    assert used(script)[-2:] == ["token-1", "token-2"]


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(401, {"error": "invalid_client", "error_description": "Invalid client credentials"}), "invalid_client"),
        (Reply(400, {"error": "invalid_client", "errorDescription": "Unknown application"}), "invalid_client"),
        (Reply(400, {"error": "unauthorized_client"}), "unauthorized_client"),
        (Reply(401, {"status": "401", "message": "Unauthorized"}), "check the login and password of the connection"),
        (Reply(302, headers={"Location": "/webapps/login"}), "correct the host"),
    ],
)
def test_an_application_that_the_site_does_not_take_is_refused(
    script: Script, learn: Learn, reply: Reply, told: str
) -> None:
    script.say(reply)
    with pytest.raises(VendorRefusedError, match="gradeway_learn: POST v1/oauth2/token: ") as caught:
        read(learn)
    assert told in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert used(script) == ["asked"]


@pytest.mark.parametrize("status", [403, 404, 409])
@pytest.mark.parametrize("name", [*READS, *WRITES])
def test_a_host_that_is_another_is_not_taken_for_something_that_is_missing(
    script: Script, learn: Learn, name: str, status: int
) -> None:
    script.say(Reply(status, "<html>"))
    with pytest.raises(
        VendorAnswerError, match=rf"{status}.*; see that the host of the connection is that of the site"
    ):
        (READS.get(name) or WRITES[name])[0](learn)
    assert used(script) == ["asked"]


def test_no_more_is_a_column_gone_because_of_that(script: Script, learn: Learn) -> None:
    script.say(Reply(404, "<html>"))
    with pytest.raises(VendorAnswerError):
        learn.delete_column(COURSE, COLUMN)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {"access_token": "", "expires_in": 5},
        {"access_token": 5, "expires_in": 5},
        {"access_token": "a b", "expires_in": 5},
        {"access_token": "a\r\nX: y", "expires_in": 5},
        {"access_token": "abc", "token_type": "mac", "expires_in": 5},
        {"access_token": "abc", "expires_in": "5"},
        {"access_token": "abc"},
    ],
)
def test_what_is_no_token_is_not_used(script: Script, learn: Learn, answer: object) -> None:
    script.say_json(answer)
    with pytest.raises(VendorAnswerError, match="POST v1/oauth2/token: the answer "):
        read(learn)
    assert used(script) == ["asked"]


def test_asking_for_a_token_is_repeated(script: Script, learn: Learn) -> None:
    script.say(Reply(how="reset"), Reply(503), token(1), GRADE)
    read(learn)
    assert used(script) == ["asked"] * 3 + ["token-1"]


def test_without_a_token_nothing_was_changed(script: Script, learn: Learn) -> None:
    script.say(*[Reply(503)] * 4)
    with pytest.raises(VendorAwayError):
        learn.create_folder(COURSE, "Exams")
    assert used(script) == ["asked"] * 4


def test_a_token_may_cost_a_call_of_the_reserve_but_what_it_is_for_may_not(script: Script, learn: Learn) -> None:
    left = {"X-Rate-Limit-Limit": "10000", "X-Rate-Limit-Remaining": "499"}
    script.say(replace(token(1, 30), headers=left), replace(GRADE, headers=left))
    with pytest.raises(BudgetSpentError):
        read(learn)
    assert used(script) == ["asked"]


def test_a_client_of_others_leaves_their_token_alone(script: Script, learn: Learn) -> None:
    script.say(TOKEN, GRADE, GRADE)
    with learn:
        with learn.sibling() as other:
            read(other)
        read(learn)
    assert used(script) == ["asked", "Zebra.token-1", "Zebra.token-1"]
