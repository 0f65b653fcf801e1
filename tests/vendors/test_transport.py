"""Repeating, pacing, staying at home: the rules of the shared transport, against a real socket."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest
import requests
from requests.auth import HTTPBasicAuth

from fixtures.scripted_server import PASSWORD, Clock, Reply, Script, serving
from gradeway import clock
from gradeway.errors import (
    BudgetSpentError,
    SettingsError,
    UnknownOutcomeError,
    VendorAnswerError,
    VendorAwayError,
    VendorError,
    VendorRefusedError,
)
from gradeway.vendors import transport as module
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.pace import Pace, Turn
from gradeway.vendors.transport import Effect, Manners, Transport

GOOD = Reply(body={"ok": True})
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
BROKEN = [Reply(how="reset"), Reply(how="silent"), Reply(500), Reply(502), Reply(503), Reply(504)]
BROKEN_IDS = ["reset", "silent", "500", "502", "503", "504"]


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def to(endpoint: Endpoint, url: str, manners: Manners) -> Transport:
    return Transport(replace(endpoint, url=url), HTTPBasicAuth(b"a", b"b"), manners=manners)


def test_a_call_arrives_as_it_was_meant(script: Script, transport: Transport) -> None:
    script.say(Reply(201, '{"n": 1.10, "i": 7}'))
    answer = transport.call(
        "POST", "Things({id})/Do", {"id": "a/b c"}, query={"$filter": "A eq 'x&y'"}, body={"k": "é"}
    )
    assert (answer.status, answer.data) == (201, {"n": Decimal("1.10"), "i": 7})
    (asked,) = script.asked
    assert asked.target == "/deliveryodata/123456/Things(a%2Fb%20c)/Do?$filter=A%20eq%20%27x%26y%27"
    assert asked.json == {"k": "é"}
    assert asked.headers["Content-Type"] == "application/json"
    assert requests.auth._basic_auth_str(b"service", PASSWORD.encode()) == asked.headers["Authorization"]


def test_no_content_is_no_data(script: Script, transport: Transport) -> None:
    script.say(Reply(204))
    assert transport.call("PATCH", "Things").data is None


@pytest.mark.parametrize("first", [*BROKEN, Reply(429), Reply(200, {"a": "bcdef"}, how="cut")])
def test_a_read_is_repeated(script: Script, transport: Transport, first: Reply, passing: Clock) -> None:
    script.say(first, first, GOOD)
    assert transport.call("GET", "Things").data == {"ok": True}
    assert passing.slept == [1, 2]
    counted = transport.counters
    assert (counted.calls, counted.writes, counted.retries, counted.waits) == (3, 0, 2, 3)


def test_backing_off_is_jittered(script: Script, endpoint: Endpoint, manners: Manners, passing: Clock) -> None:
    script.say(Reply(503), Reply(503), GOOD)
    numbers = iter([0.0, 0.5])
    calm = replace(manners, random=lambda: next(numbers))
    to(endpoint, f"{script.url}/", calm).call("GET", "Things")
    assert passing.slept == [0.5, 1.5]


@pytest.mark.parametrize("reply", [*BROKEN, Reply(429)])
def test_a_read_is_given_up_after_some_tries(script: Script, transport: Transport, reply: Reply) -> None:
    script.say(*[reply] * 5)
    with pytest.raises(VendorAwayError) as caught:
        transport.call("GET", "Things")
    assert caught.value.transient
    assert len(script.asked) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 422])
def test_a_refusal_is_not_repeated(script: Script, transport: Transport, status: int) -> None:
    script.say(Reply(status, {"error": {"code": "Bad", "message": "The request is invalid"}}))
    with pytest.raises(VendorRefusedError, match=r"answered \d+.*\(Bad\): The request is invalid") as caught:
        transport.call("GET", "Things({id})", {"id": 5})
    assert (caught.value.status, caught.value.code, caught.value.transient) == (status, "Bad", False)
    assert str(caught.value).startswith("gradeway_questionmark: GET Things({id}): answered")
    assert len(script.asked) == 1


@pytest.mark.parametrize("reply", [*BROKEN, Reply(501), Reply(201, "{", how="cut"), Reply(201, "no json")])
def test_a_write_that_may_have_taken_effect_is_not_repeated(
    script: Script, transport: Transport, reply: Reply, passing: Clock
) -> None:
    script.say(reply)
    with pytest.raises(UnknownOutcomeError, match="POST Things"):
        transport.call("POST", "Things", body={})
    assert len(script.asked) == 1
    assert passing.slept == []


def test_a_write_that_was_put_off_is_repeated(script: Script, transport: Transport, passing: Clock) -> None:
    script.say(Reply(429, headers={"Retry-After": "7"}), Reply(429), GOOD)
    transport.call("POST", "Things", body={})
    assert passing.slept == [7, 2]
    assert (transport.counters.writes, transport.counters.retries) == (3, 2)


def test_a_write_put_off_too_often_changed_nothing(script: Script, transport: Transport) -> None:
    script.say(*[Reply(429)] * 4)
    with pytest.raises(VendorAwayError):
        transport.call("POST", "Things", body={})


def test_a_write_put_off_and_then_lost_is_unknown(script: Script, transport: Transport) -> None:
    script.say(Reply(429), Reply(how="reset"))
    with pytest.raises(UnknownOutcomeError):
        transport.call("POST", "Things", body={})


@pytest.mark.parametrize("effect", list(Effect))
def test_nobody_listening_changes_nothing(endpoint: Endpoint, manners: Manners, effect: Effect, passing: Clock) -> None:
    lonely = to(endpoint, f"http://127.0.0.1:{closed_port()}/", manners)
    with pytest.raises(VendorAwayError) as away:
        lonely.call("POST", "Things/secret?of=Zebra", body={}, effect=effect)
    where = lonely.endpoint.url.removeprefix("http://").removesuffix("/")
    assert str(away.value) == (
        f"{lonely.endpoint.connection}: POST Things/secret: cannot be reached at {where}: see that this host of "
        f"connection {lonely.endpoint.connection} is right and its service runs"
    )
    assert len(passing.slept) == 3


def test_a_name_that_does_not_resolve_changes_nothing(endpoint: Endpoint, manners: Manners) -> None:
    nowhere = to(endpoint, "http://gradeway.invalid/", manners)
    with pytest.raises(VendorAwayError, match=r"reached \(nobody here knows its name\) at gradeway\.invalid: "):
        nowhere.call("POST", "Things", body={})


def test_a_write_is_sent_once_someone_listens(endpoint: Endpoint, manners: Manners) -> None:
    port = closed_port()
    with serving() as script:
        script.say(GOOD)
        target = {"port": port}

        def appear(_seconds: float) -> None:
            target["port"] = script.port

        late = to(endpoint, f"http://127.0.0.1:{port}/", replace(manners, sleep=appear))
        send = late._session.send

        def route(request: requests.PreparedRequest, **options: object) -> requests.Response:
            request.url = f"http://127.0.0.1:{target['port']}/Things"
            return send(request, **options)

        late._session.send = route
        assert late.call("POST", "Things", body={}).data == {"ok": True}
        assert script.methods() == ["POST"]


def test_an_error_that_our_caller_handles_does_not_sway_the_judgement(script: Script, transport: Transport) -> None:
    script.say(Reply(how="reset"))
    try:
        requests.get(f"http://127.0.0.1:{closed_port()}/", timeout=1)
    except requests.ConnectionError:
        with pytest.raises(UnknownOutcomeError):
            transport.call("POST", "Things", body={})
    assert len(script.asked) == 1


@pytest.mark.parametrize("first", BROKEN, ids=BROKEN_IDS)
def test_absolute_values_may_be_sent_again(script: Script, transport: Transport, first: Reply) -> None:
    script.say(first, Reply(204))
    transport.call("PATCH", "Things", body={"a": 1}, effect=Effect.ABSOLUTE)
    assert script.methods() == ["PATCH", "PATCH"]


@pytest.mark.parametrize("last", [Reply(how="reset"), Reply(429), Reply(401)])
def test_absolute_values_lost_once_are_known_only_by_a_success(
    script: Script, transport: Transport, last: Reply
) -> None:
    script.say(Reply(how="reset"), *[last] * 3)
    with pytest.raises(UnknownOutcomeError):
        transport.call("PATCH", "Things", body={"a": 1}, effect=Effect.ABSOLUTE)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_in_seconds(script: Script, transport: Transport, status: int, passing: Clock) -> None:
    script.say(Reply(status, headers={"Retry-After": "17"}), GOOD)
    transport.call("GET", "Things")
    assert passing.slept == [17]


@pytest.mark.parametrize(("ahead", "waited"), [(45, [45]), (-45, [])])
def test_retry_after_as_a_date(
    script: Script,
    transport: Transport,
    passing: Clock,
    ahead: int,
    waited: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    date = format_datetime(NOW + timedelta(seconds=ahead), usegmt=True)
    script.say(Reply(503, headers={"Retry-After": date}), GOOD)
    transport.call("GET", "Things")
    assert passing.slept == waited


@pytest.mark.parametrize("text", ["soon", "-5", "1.5", "", "Sun, 99 Foo 2026"])
def test_retry_after_in_no_form_is_ignored(script: Script, transport: Transport, text: str, passing: Clock) -> None:
    script.say(Reply(503, headers={"Retry-After": text}), GOOD)
    transport.call("GET", "Things")
    assert passing.slept == [1]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_longer_wait_than_we_have_is_left_to_the_scheduler(
    script: Script, transport: Transport, method: str, passing: Clock
) -> None:
    script.say(Reply(429, headers={"Retry-After": "3600"}))
    with pytest.raises(VendorAwayError) as caught:
        transport.call(method, "Things")
    assert caught.value.wait == 3600
    assert passing.slept == []


def test_calls_keep_their_distance(script: Script, endpoint: Endpoint, manners: Manners, passing: Clock) -> None:
    polite = to(endpoint, f"{script.url}/", replace(manners, interval=0.25))
    script.say(*[GOOD] * 4)
    polite.call("GET", "A")
    polite.call("GET", "B")
    passing.time += 0.2
    polite.call("GET", "C")
    passing.time += 5
    polite.call("GET", "D")
    assert passing.slept == pytest.approx([0.25, 0.05])
    assert polite.counters.waits == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("given", "interval"), [({}, 0.2), ({"calls_per_second": 20}, 0.05), ({"calls_per_second": "0.5"}, 2)]
)
def test_the_connection_says_how_many_calls_a_second(
    endpoint: Endpoint, given: dict[str, object], interval: float
) -> None:
    made = Transport(replace(endpoint, extra=given), HTTPBasicAuth(b"a", b"b"))
    assert made.manners.interval == pytest.approx(interval)


@pytest.mark.parametrize("pace", [0, -1, 1000, "fast", None, "nan"])
def test_a_pace_that_is_none_is_told(endpoint: Endpoint, pace: object) -> None:
    with pytest.raises(SettingsError, match="calls_per_second"):
        Transport(replace(endpoint, extra={"calls_per_second": pace}), HTTPBasicAuth(b"a", b"b"))


# --- calls that have to be sent in time


@pytest.mark.parametrize("ahead", [0, 7])
def test_a_call_that_has_its_turn_in_time_is_sent(
    script: Script, endpoint: Endpoint, manners: Manners, passing: Clock, ahead: float
) -> None:
    polite = to(endpoint, f"{script.url}/", replace(manners, interval=7))
    script.say(*[GOOD] * 2)
    if ahead:
        polite.call("GET", "A")
    with polite.sending_until(polite.now() + ahead):
        polite.call("PATCH", "B")
    assert passing.slept == ([7] if ahead else [])


def test_a_call_that_would_have_its_turn_too_late_is_not_sent(
    script: Script, endpoint: Endpoint, manners: Manners, passing: Clock
) -> None:
    polite = to(endpoint, f"{script.url}/", replace(manners, interval=7))
    script.say(*[GOOD] * 2)
    polite.call("GET", "A")
    with polite.sending_until(polite.now() + 6.9), pytest.raises(VendorAwayError, match="not sent: put off") as caught:
        polite.call("PATCH", "B")
    assert (caught.value.wait, len(script.asked), passing.slept) == (7, 1, [])
    polite.call("PATCH", "B")
    assert passing.slept == [7], "later calls wait as usual"


def test_a_call_that_is_put_off_again_and_again_is_not_sent_too_late(
    transport: Transport, script: Script, passing: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "ask", lambda *_, **__: Turn(4))
    with transport.sending_until(transport.now() + 30), pytest.raises(VendorAwayError):
        transport.call("PATCH", "Things")
    assert (passing.slept, script.asked) == ([4] * 7, [])


def test_credentials_that_are_renewed_too_slowly_make_a_call_too_late(
    script: Script, endpoint: Endpoint, manners: Manners, passing: Clock
) -> None:
    def renew() -> None:
        passing.time += 31

    auth = HTTPBasicAuth(b"a", b"b")
    renewing = Transport(replace(endpoint, url=f"{script.url}/"), auth, manners=manners, renew=renew)
    script.say(Reply(401), GOOD)
    with renewing.sending_until(renewing.now() + 30), pytest.raises(VendorAwayError) as caught:
        renewing.call("PATCH", "Things")
    assert (caught.value.wait, len(script.asked)) == (0, 1)


def test_a_call_in_time_that_is_put_off_to_a_time_is_left_to_who_has_looked(
    script: Script, transport: Transport, passing: Clock
) -> None:
    script.say(Reply(429, headers={"Retry-After": "1"}), GOOD)
    with transport.sending_until(transport.now() + 30), pytest.raises(VendorAwayError) as caught:
        transport.call("PATCH", "Things")
    assert (caught.value.wait, len(script.asked), passing.slept) == (1, 1, [])


def both(endpoint: Endpoint, manners: Manners) -> tuple[Transport, Transport]:
    """Return the transports of two threads that share a pace."""
    auth, pace = HTTPBasicAuth(b"a", b"b"), Pace(manners, reserve=5)
    return Transport(endpoint, auth, manners=manners, pace=pace), Transport(endpoint, auth, manners=manners, pace=pace)


def test_transports_that_share_a_pace_keep_their_distance_together(
    script: Script, endpoint: Endpoint, manners: Manners, passing: Clock
) -> None:
    one, other = both(endpoint, replace(manners, interval=0.25))
    script.say(*[GOOD] * 3)
    one.call("GET", "A")
    other.call("GET", "B")
    one.call("GET", "C")
    assert passing.slept == pytest.approx([0.25, 0.25])
    assert (one.counters.waits, other.counters.waits) == pytest.approx((0.25, 0.25))
    assert one.pace.calls == 3


def test_a_transport_waits_when_another_was_put_off(
    script: Script, endpoint: Endpoint, manners: Manners, passing: Clock
) -> None:
    one, other = both(endpoint, manners)
    script.say(Reply(429, headers={"Retry-After": "60"}), GOOD)
    with pytest.raises(VendorAwayError):
        one.call("GET", "A", tries=1)
    other.call("GET", "B")
    assert passing.slept == pytest.approx([60])


SPENT = {"X-Rate-Limit-Limit": "1000", "X-Rate-Limit-Remaining": "5"}


def test_when_the_budget_is_spent_nothing_is_sent(script: Script, endpoint: Endpoint, manners: Manners) -> None:
    one, other = both(endpoint, manners)
    script.say(Reply(body={}, headers=SPENT), GOOD)
    one.call("GET", "A")
    with pytest.raises(
        BudgetSpentError, match=r"gradeway_questionmark: POST Things: not sent: 5 of our 1000"
    ) as caught:
        other.call("POST", "Things", body={})
    assert caught.value.resume_at is not None
    assert len(script.asked) == 1
    urgent = Transport(endpoint, HTTPBasicAuth(b"a", b"b"), manners=manners, pace=one.pace, urgent=True)
    assert urgent.call("GET", "Things").data == {"ok": True}


def test_a_write_that_was_lost_before_the_budget_was_spent_is_unknown(
    script: Script, endpoint: Endpoint, manners: Manners
) -> None:
    one, _ = both(endpoint, manners)
    script.say(Reply(503, headers=SPENT))
    with pytest.raises(UnknownOutcomeError, match=r"not sent: .*; it may have taken effect"):
        one.call("PATCH", "Things", body={}, effect=Effect.ABSOLUTE)
    assert len(script.asked) == 1


class Changing(requests.auth.AuthBase):
    """Credentials that change when they are renewed."""

    def __init__(self) -> None:
        self.number = 1

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.number}"
        return request

    def renew(self) -> None:
        self.number += 1


@pytest.mark.parametrize("way", ["call", "follow"])
def test_credentials_are_renewed_once(script: Script, endpoint: Endpoint, manners: Manners, way: str) -> None:
    auth = Changing()
    renewing = Transport(endpoint, auth, manners=manners, renew=auth.renew)
    script.say(Reply(401), Reply(503), GOOD)
    answer = renewing.call("GET", "Things", tries=2) if way == "call" else renewing.follow("Things", "Things")
    assert answer.data == {"ok": True}
    assert [asked.headers["Authorization"] for asked in script.asked] == ["Bearer 1", "Bearer 2", "Bearer 2"]


def test_a_write_that_was_answered_401_is_sent_again_with_its_body(
    script: Script, endpoint: Endpoint, manners: Manners
) -> None:
    auth = Changing()
    script.say(Reply(401), Reply(401))
    with pytest.raises(VendorRefusedError, match="check the login"):
        Transport(endpoint, auth, manners=manners, renew=auth.renew).call("POST", "Things", body={"a": 1})
    assert [asked.json for asked in script.asked] == [{"a": 1}] * 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("place", ["/other", "http://127.0.0.1:1/"])
def test_no_redirect_is_followed(script: Script, transport: Transport, status: int, place: str) -> None:
    script.say(Reply(status, headers={"Location": place}), GOOD)
    with pytest.raises(VendorRefusedError, match="it has moved: correct the host of the connection"):
        transport.call("GET", "Things")
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    "link",
    ["Things?$skiptoken=2", "/deliveryodata/123456/Things?$skiptoken=2", "{}/deliveryodata/123456/Things?$skiptoken=2"],
)
def test_a_link_within_the_origin_is_followed(script: Script, transport: Transport, link: str) -> None:
    script.say(GOOD)
    transport.follow(link.format(script.url), "Things")
    assert script.asked[0].target == "/deliveryodata/123456/Things?$skiptoken=2"


@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.1:1/deliveryodata/123456/Things",
        "https://127.0.0.1:{0}/Things",
        "http://localhost:{0}/Things",
        "//example.org/Things",
        "http://someone:secret@127.0.0.1:{0}/Things",
        "http://127.0.0.1:{0}@example.org/",
        "file:///etc/passwd",
        "http://[::1",
        "",
        7,
        None,
    ],
)
def test_a_link_elsewhere_is_not_followed(script: Script, transport: Transport, link: object) -> None:
    link = link.format(script.port) if isinstance(link, str) else link
    with pytest.raises(VendorAnswerError, match="another origin") as caught:
        transport.follow(link, "Things")
    assert "secret" not in str(caught.value)
    assert script.asked == []


def test_the_default_port_is_the_same_origin(manners: Manners) -> None:
    home = Transport(Endpoint("c", "https://host/"), HTTPBasicAuth("a", "b"), manners=manners)
    assert home._inside("https://host:443/x") == "https://host:443/x"
    assert home._inside("https://HOST/x") == "https://HOST/x"
    assert home._inside("http://host:443/x") is None


def test_an_answer_has_its_limit(
    script: Script, transport: Transport, monkeypatch: pytest.MonkeyPatch, passing: Clock
) -> None:
    monkeypatch.setattr(module, "LARGEST", 10)
    script.say(*[Reply(body="[" + "1," * 20 + "1]")] * 2)
    with pytest.raises(VendorAnswerError, match="more than 10 bytes"):
        transport.call("GET", "Things")
    with pytest.raises(UnknownOutcomeError):
        transport.call("POST", "Things", body={})
    assert passing.slept == []


def test_of_an_error_two_kilobytes_are_kept(script: Script, transport: Transport) -> None:
    script.say(Reply(400, "x" * 500_000), GOOD)
    with pytest.raises(VendorRefusedError) as caught:
        transport.call("GET", "Things")
    assert caught.value.body == "x" * 2048
    assert transport.call("GET", "Things").data == {"ok": True}


def test_a_refusal_that_breaks_off_is_still_a_refusal(script: Script, transport: Transport) -> None:
    script.say(Reply(400, "The request is invalid and more", how="cut"))
    with pytest.raises(VendorRefusedError):
        transport.call("POST", "Things", body={})


@pytest.mark.parametrize("body", ["<html>", '{"a": NaN}', "[" * 100_000, b"\xff\xfe"])
def test_what_is_not_json_is_told_without_its_text(script: Script, transport: Transport, body: str | bytes) -> None:
    script.say(Reply(200, body))
    with pytest.raises(VendorAnswerError, match="not JSON") as caught:
        transport.call("GET", "Things")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "make", [lambda: ssl.SSLCertVerificationError(1, "bad"), lambda: OSError("Tunnel")], ids=["certificate", "proxy"]
)
def test_a_certificate_that_cannot_be_verified_is_not_tried_again(
    transport: Transport, make: Callable[[], Exception], monkeypatch: pytest.MonkeyPatch, passing: Clock
) -> None:
    inner = make()
    is_certificate = isinstance(inner, ssl.SSLError)
    error = requests.exceptions.SSLError(inner) if is_certificate else requests.exceptions.ProxyError(inner)

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(transport._session, "send", fail)
    kind, told = (VendorRefusedError, "certificate") if is_certificate else (VendorAwayError, "reached")
    with pytest.raises(kind, match=told):
        transport.call("POST", "Things", body={})
    assert len(passing.slept) == (0 if is_certificate else 3)


def test_certificates_are_verified(transport: Transport, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    given: list[object] = []
    send = transport._session.send

    def watch(request: requests.PreparedRequest, **options: object) -> requests.Response:
        given.append(options["verify"])
        return send(request, **options)

    monkeypatch.setattr(transport._session, "send", watch)
    script.say(GOOD)
    transport.call("GET", "Things")
    assert given == [True]


def test_every_error_is_of_the_family() -> None:
    kinds = {VendorAwayError, VendorRefusedError, VendorAnswerError, UnknownOutcomeError}
    assert set(VendorError.__subclasses__()) == kinds
    assert {kind for kind in kinds if kind.transient} == {VendorAwayError, UnknownOutcomeError}
