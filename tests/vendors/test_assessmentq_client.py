"""The assessmentQ client: what it sends by its profile, and what each answer to an upload means."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from fixtures.scripted_server import PASSWORD, Clock, Reply, Script
from gradeway import clock
from gradeway.errors import (
    FileRefusedError,
    SettingsError,
    UnknownOutcomeError,
    VendorAnswerError,
    VendorAwayError,
    VendorError,
    VendorRefusedError,
)
from gradeway.vendors.assessmentq import AssessmentQ, FileChangedError, OfflineResult, Received, ReceivedState, Sitting
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.transport import Manners
from vendors.files import CONTENT, File, grow, meddled, part
from vendors.profiles import DROPPED, profile
from vendors.test_transport import closed_port

Make = Callable[..., AssessmentQ]
SHA = hashlib.sha256(CONTENT).hexdigest()
NOW = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
FINISHED = {"id": 7, "sha256": SHA, "size": 5, "sitting": "510001-1", "state": "finished", "receivedAt": "x"}
BEGUN = FINISHED | {"state": "inProgress"}
GONE_BY = Reply(409, {"error": {"code": "AlreadyFinished", "message": "x"}})
RESULT: dict[str, Any] = {
    "id": 3,
    "sitting": "510001-1",
    "exam": "E1",
    "participant": "510001",
    "state": "finished",
    "score": 7.5,
    "maxScore": 10,
    "startedAt": "2026-03-01T09:00:00Z",
    "finishedAt": "2026-03-01T10:00:00.1234567Z",
    "modifiedAt": "2026-03-01T11:00:00+01:00",
}
EXPECTED = {
    "id": "510001-1",
    "accessCode": "AB12",
    "exam": "E1",
    "participant": 510001,
    "state": "notStarted",
    "lastUploadAt": None,
}


@pytest.fixture
def make(script: Script, manners: Manners) -> Make:
    """Make a client for a changed profile of the sandbox."""

    def made(**changed: object) -> AssessmentQ:
        endpoint = Endpoint("gradeway_assessmentq", f"{script.url}/api/", "service", PASSWORD, profile(**changed))
        return AssessmentQ(endpoint, manners=manners)

    return made


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File.of(tmp_path / "a.aqr")


def upload(client: AssessmentQ, file: File) -> Received:
    return client.upload(file.open, "PC7.aqr", file.size, file.sha256)


# --- the account


@pytest.mark.parametrize(
    ("changed", "header", "value"),
    [
        ({}, "Authorization", "Basic " + base64.b64encode(f"service:{PASSWORD}".encode()).decode()),
        ({"auth": "bearer"}, "Authorization", f"Bearer {PASSWORD}"),
        ({"auth": "header", "auth_header": "X-Api-Key"}, "X-Api-Key", PASSWORD),
        ({"auth": "header", "auth_header": "Authorization"}, "Authorization", PASSWORD),
    ],
)
def test_the_account_is_told_as_the_profile_says(
    script: Script, make: Make, file: File, changed: dict[str, object], header: str, value: str
) -> None:
    script.say(Reply(201, BEGUN), Reply(200, {"value": []}))
    client = make(**changed)
    upload(client, file)
    client.probe()
    for asked in script.asked:
        assert asked.headers[header] == value
        assert {"Authorization", "X-Api-Key"} & set(asked.headers) == {header}


def test_no_account_is_told_not_even_one_of_this_machine(
    script: Script, make: Make, file: File, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for mode in ({"auth": "none"}, {"auth": "header", "auth_header": "X-Api-Key"}):
        script.say(Reply(201, BEGUN), Reply(200, {"value": []}))
        client = make(**mode)
        upload(client, file)
        client.probe()
    assert [asked.headers.get("Authorization") for asked in script.asked] == [None] * 4


# --- uploads


def test_a_file_is_sent_as_the_profile_says(script: Script, make: Make, file: File) -> None:
    script.say(Reply(201, FINISHED))
    assert upload(make(), file) == Received(ReceivedState.FINAL, "510001-1")
    (asked,) = script.asked
    assert (asked.method, asked.target) == ("POST", "/api/offline-results")
    assert part(asked).get_payload(decode=True) == CONTENT
    assert part(asked).get_filename() == "PC7.aqr"


def test_another_profile_sends_otherwise(script: Script, make: Make, file: File) -> None:
    script.say(Reply(200, {"data": {"exam": {"done": True}}, "state": "finished"}))
    client = make(
        upload_path="v2/files?mode=raw",
        upload_method="PUT",
        upload_field="",
        final_key="data.exam.done",
        final_values=[True],
        sitting_key="data.sitting",
    )
    assert upload(client, file) == Received(ReceivedState.FINAL, "")
    assert (script.asked[0].method, script.asked[0].target) == ("PUT", "/api/v2/files?mode=raw")
    assert script.asked[0].body == CONTENT


@pytest.mark.parametrize(
    ("values", "said", "state"),
    [
        (["finished"], "finished", ReceivedState.FINAL),
        (["finished"], "inProgress", ReceivedState.IN_PROGRESS),
        (["finished"], "Finished", ReceivedState.IN_PROGRESS),
        (["done", 3], 3, ReceivedState.FINAL),
        ([3], "3", ReceivedState.FINAL),
        ([1], True, ReceivedState.IN_PROGRESS),
        ([True], False, ReceivedState.IN_PROGRESS),
        (["true"], True, ReceivedState.FINAL),
        (["finished"], "", ReceivedState.IN_PROGRESS),
    ],
)
def test_finished_is_what_the_profile_calls_so(
    script: Script, make: Make, file: File, values: list[object], said: object, state: ReceivedState
) -> None:
    script.say(Reply(201, BEGUN | {"state": said}))
    assert upload(make(final_values=values), file).state is state


@pytest.mark.parametrize("answer", [Reply(204), Reply(200, {"x": 1}), Reply(202, [])])
def test_an_answer_that_never_tells_is_taken_as_in_progress(
    script: Script, make: Make, file: File, answer: Reply
) -> None:
    script.say(answer)
    client = make(final_key="", final_values=[], sitting_key="")
    assert upload(client, file) == Received(ReceivedState.IN_PROGRESS, "")


@pytest.mark.parametrize("answer", [Reply(204), Reply(200, {"x": 1}), Reply(200, {"sitting": None})])
def test_an_answer_is_not_taken_for_that_of_the_service_if_the_sitting_lacks_that_alone_tells_one(
    script: Script, make: Make, file: File, answer: Reply
) -> None:
    client = make(final_key="", final_values=[], sitting_key="sitting")
    script.say(answer)
    with pytest.raises(VendorAnswerError, match="sitting_key of the profile"):
        upload(client, file)
    script.say(Reply(200, {"sitting": "S1-1"}))
    assert upload(client, file) == Received(ReceivedState.IN_PROGRESS, "S1-1")


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [('"SessionLocked"', FileRefusedError), ('"Other"', VendorRefusedError), ("", VendorRefusedError)],
)
def test_a_403_is_about_the_file_if_the_profile_says_so(
    script: Script, make: Make, file: File, pattern: str, kind: type[VendorRefusedError]
) -> None:
    script.say(Reply(403, {"error": {"code": "SessionLocked", "message": "x"}}))
    with pytest.raises(VendorRefusedError, match="403") as caught:
        upload(make(forbidden_pattern=pattern), file)
    assert type(caught.value) is kind


@pytest.mark.parametrize("answer", [{}, [], None, {"state": None}, {"state": {"x": 1}}, {"State": "finished"}, "7"])
def test_an_answer_without_the_state_is_not_explained(script: Script, make: Make, file: File, answer: object) -> None:
    script.say(Reply(201, answer))
    with pytest.raises(VendorAnswerError, match="final_key of the profile"):
        upload(make(), file)


@pytest.mark.parametrize(
    ("changed", "reply"),
    [
        ({}, GONE_BY),
        ({"already_final_pattern": ""}, Reply(409, "<html>")),
        ({"already_final_pattern": ""}, Reply(409)),
        ({"already_final_pattern": "(?i)al (opgeladen|beëindigd)"}, Reply(409, "Het examen is AL beëindigd")),
        ({"already_final_status": [422]}, replace(GONE_BY, status=422)),
        ({"already_final_status": [500]}, replace(GONE_BY, status=500)),
        ({"already_final_status": [403, 404]}, replace(GONE_BY, status=403)),
        ({}, replace(GONE_BY, after=20_000)),
    ],
)
def test_a_file_of_a_finished_exam_is_already_final(
    script: Script, make: Make, file: File, changed: dict[str, object], reply: Reply
) -> None:
    script.say(reply)
    assert upload(make(**changed), file) == Received(ReceivedState.ALREADY_FINAL)


@pytest.mark.parametrize(
    ("changed", "reply", "kind", "told"),
    [
        ({}, Reply(409, {"error": {"code": "Locked"}}), VendorAnswerError, r"\(Locked\).*already_final_pattern"),
        ({}, replace(GONE_BY, status=410), VendorAnswerError, "already_final_status"),
        ({"already_final_status": []}, GONE_BY, VendorAnswerError, "already_final_status"),
        ({}, Reply(400), VendorAnswerError, "refused_status"),
        ({}, Reply(400, {"error": {"code": "Incomplete"}}), VendorAwayError, "answered 400"),
        ({"refused_status": [400]}, Reply(400, {"error": {"code": "Incomplete"}}), VendorAwayError, "answered 400"),
        ({"incomplete_pattern": ""}, Reply(400, {"error": {"code": "Incomplete"}}), VendorAnswerError, "400"),
        ({}, Reply(404), VendorAnswerError, "correct upload_path"),
        ({}, Reply(405), VendorAnswerError, "correct upload_method"),
        ({}, Reply(302, headers={"Location": "/x"}), VendorAnswerError, "it has moved"),
        ({}, Reply(413), FileRefusedError, "answered 413"),
        ({}, Reply(422, {"error": {"code": "NotAResultFile"}}), FileRefusedError, "NotAResultFile"),
        ({"refused_status": [404]}, Reply(404), FileRefusedError, "answered 404"),
        ({"refused_status": DROPPED}, Reply(400), FileRefusedError, "answered 400"),
        ({}, Reply(401), VendorRefusedError, "check the login and password"),
        ({}, Reply(403), VendorRefusedError, "check the rights"),
        ({}, Reply(429, headers={"Retry-After": "9"}), VendorAwayError, "answered 429"),
        ({}, Reply(408), VendorAwayError, "answered 408"),
        ({}, Reply(500), UnknownOutcomeError, "answered 500"),
        ({}, Reply(503), UnknownOutcomeError, "answered 503"),
        ({}, Reply(how="reset"), UnknownOutcomeError, "broke the connection"),
        ({}, Reply(how="silent"), UnknownOutcomeError, "no answer in time"),
        ({}, Reply(201, FINISHED, how="cut"), UnknownOutcomeError, "broke off"),
        ({}, Reply(200, "<html>Log in to the network</html>"), UnknownOutcomeError, "not JSON"),
    ],
)
def test_every_other_answer_is_an_error_of_its_kind(
    script: Script,
    make: Make,
    file: File,
    passing: Clock,
    changed: dict[str, object],
    reply: Reply,
    kind: type[VendorError],
    told: str,
) -> None:
    script.say(reply)
    with pytest.raises(kind, match=told) as caught:
        upload(make(**changed), file)
    assert type(caught.value) is kind
    assert str(caught.value).startswith("gradeway_assessmentq: POST offline-results: ")
    assert caught.value.status == (reply.status if reply.how == "whole" else None)
    assert caught.value.wait == (9 if reply.status == 429 else None)
    assert caught.value.__context__ is None
    assert (len(script.asked), passing.slept) == (1, [])


def test_a_reset_in_the_middle_took_nothing(script: Script, make: Make, tmp_path: Path) -> None:
    script.say(Reply(how="reset", after=1_000_000))
    with pytest.raises(VendorAwayError):
        upload(make(), File.of(tmp_path / "big.aqr", bytes(12_000_000)))


def test_nobody_listening_took_nothing(make: Make, file: File, manners: Manners, passing: Clock) -> None:
    endpoint = replace(make().transport.endpoint, url=f"http://127.0.0.1:{closed_port()}/api/")
    lonely = AssessmentQ(endpoint, manners=manners)
    with pytest.raises(VendorAwayError, match="cannot be reached"):
        upload(lonely, file)
    with pytest.raises(VendorAwayError, match="cannot be reached"):
        lonely.probe()
    assert passing.slept == []


def test_a_file_that_changes_is_told_as_such(script: Script, make: Make, file: File) -> None:
    script.say(Reply(201, FINISHED))
    with pytest.raises(FileChangedError, match="longer"):
        make().upload(meddled(file, grow), "a.aqr", file.size, file.sha256)
    file.path.unlink()
    with pytest.raises(FileChangedError, match="gone"):
        upload(make(), file)


def test_an_opener_may_have_an_error_of_its_own(script: Script, make: Make) -> None:
    def refuse() -> Any:  # noqa: ANN401
        raise LookupError

    with pytest.raises(LookupError):
        make().upload(refuse, "a.aqr", 5, SHA)
    assert script.asked == []


# --- what was received


@pytest.mark.parametrize(
    ("found", "received"),
    [
        ([], None),
        ([BEGUN], Received(ReceivedState.IN_PROGRESS, "510001-1")),
        ([FINISHED], Received(ReceivedState.FINAL, "510001-1")),
        ([BEGUN, FINISHED, BEGUN], Received(ReceivedState.FINAL, "510001-1")),
        ([{"state": "finished", "file": {"hash": SHA.upper()}}], Received(ReceivedState.FINAL, "")),
    ],
)
def test_what_was_received_can_be_asked(
    script: Script, make: Make, found: list[object], received: Received | None
) -> None:
    script.say_json({"value": found})
    assert make().received(SHA) == received
    assert script.asked[0].target == f"/api/offline-results?sha256={SHA}"


def test_what_was_received_is_read_to_the_last_page(script: Script, make: Make) -> None:
    script.say_json({"value": [BEGUN], "@odata.nextLink": "offline-results?p=2"}, {"value": [FINISHED]})
    assert make().received(SHA) == Received(ReceivedState.FINAL, "510001-1")


def test_an_answer_about_other_bytes_confirms_nothing(script: Script, make: Make) -> None:
    script.say_json({"value": [FINISHED | {"sha256": "0" * 64}], "@odata.nextLink": "offline-results?p=2"})
    with pytest.raises(VendorAnswerError, match="received_path of the profile"):
        make().received(SHA)
    assert len(script.asked) == 1


def test_without_a_way_to_ask_that_is_told(script: Script, make: Make) -> None:
    client = make(received_path="", sittings_path=DROPPED)
    assert (client.can_ask, client.can_list_sittings) == (False, False)
    with pytest.raises(SettingsError, match="connection gradeway_assessmentq: the received_path"):
        client.received(SHA)
    with pytest.raises(SettingsError, match="connection gradeway_assessmentq: the sittings_path"):
        list(client.sittings())
    assert script.asked == []


# --- results


def test_a_result_is_read_exactly(script: Script, make: Make) -> None:
    script.say(
        Reply(
            body='{"value": [{"id": 3, "sitting": "510001-1", "exam": "E1", "participant": 510001, "state": "finished",'
            ' "score": 0.1000000000000000055511151231257827, "maxScore": 10.0,'
            ' "finishedAt": "2026-03-01T10:00:00.1234567Z", "modifiedAt": "2026-03-01T11:00:00+01:00"}]}'
        )
    )
    (found,) = make().results()
    assert found == OfflineResult(
        id="3",
        sitting="510001-1",
        exam="E1",
        learner="510001",
        is_final=True,
        score=Decimal("0.1000000000000000055511151231257827"),
        maximum=Decimal("10.0"),
        finished_at=datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC),
        modified_at=datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC),
    )
    assert str(found.maximum) == "10.0"
    assert script.asked[0].target == "/api/results"


@pytest.mark.parametrize(
    ("score", "read"),
    [(None, None), (7, Decimal(7)), ("7.50", Decimal("7.50")), ("-1", Decimal(-1)), (0, Decimal(0))],
)
def test_scores_in_every_form(script: Script, make: Make, score: object, read: Decimal | None) -> None:
    script.say_json({"value": [RESULT | {"score": score}]})
    (found,) = make().results()
    assert (found.score, str(found.score)) == (read, str(read))


def test_a_result_in_progress_has_little(script: Script, make: Make) -> None:
    row = {name: RESULT[name] for name in ("id", "sitting", "exam", "participant")} | {"state": "inProgress"}
    script.say_json({"value": [row]})
    (found,) = make().results()
    assert (found.is_final, found.score, found.maximum, found.finished_at) == (False, None, None, None)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({name: RESULT[name] for name in RESULT if name != "participant"}, r"result_fields\.learner of .* is not in"),
        (RESULT | {"participant": None}, r"result_fields\.learner of the profile is empty"),
        (RESULT | {"sitting": {"id": "Zebra"}}, r"result_fields\.sitting of the profile finds no plain value"),
        (RESULT | {"score": "7,5"}, r"result_fields\.score of .* no number"),
        (RESULT | {"score": True}, r"result_fields\.score of .* no number"),
        (RESULT | {"score": [7]}, r"result_fields\.score of .* no number"),
        (RESULT | {"maxScore": "Zebra"}, r"result_fields\.maximum of .* no number"),
        (RESULT | {"finishedAt": "Zebra"}, r"result_fields\.finished_at of .* no time"),
        (RESULT | {"modifiedAt": 5}, r"result_fields\.modified_at of .* no time"),
        ("Zebra", r"result_fields\.id of .* is not in"),
    ],
)
def test_a_row_that_the_profile_does_not_explain(script: Script, make: Make, row: object, told: str) -> None:
    script.say_json({"value": [row]})
    with pytest.raises(VendorAnswerError, match=told) as caught:
        list(make().results())
    assert "Zebra" not in str(caught.value)
    assert str(caught.value).startswith("gradeway_assessmentq: GET results: ")


def test_results_are_read_since_a_time(script: Script, make: Make) -> None:
    script.say_json({"value": []}, {"value": []}, {"value": []})
    list(make().results(NOW))
    list(make(results_path="results?kind=offline").results(NOW))
    list(make(results_since="", result_fields__modified_at="").results(NOW))
    assert [unquote(asked.target) for asked in script.asked] == [
        "/api/results?modifiedAfter=2026-03-01T12:00:00.000005Z",
        "/api/results?kind=offline&modifiedAfter=2026-03-01T12:00:00.000005Z",
        "/api/results",
    ]
    with pytest.raises(ValueError, match="zone"):
        list(make().results(NOW.replace(tzinfo=None)))


@pytest.mark.parametrize("key", ["@odata.nextLink", "odata.nextLink"])
def test_pages_are_streamed_along_either_link(script: Script, make: Make, key: str) -> None:
    pages = [[RESULT | {"id": page * 100 + row} for row in range(100)] for page in range(3)]
    script.say_json(
        {"value": pages[0], key: f"{script.url}/api/results?after=1"},
        {"value": pages[1], key: "results?after=2"},
        {"value": pages[2]},
    )
    found = make().results()
    assert next(found).id == "0"
    assert len(script.asked) == 1
    assert [result.id for result in found] == [str(number) for number in range(1, 300)]
    assert [asked.target for asked in script.asked[1:]] == ["/api/results?after=1", "/api/results?after=2"]


def test_pages_are_found_under_the_profiles_keys(script: Script, make: Make) -> None:
    script.say_json({"items": [RESULT], "next": "results?p=2", "odata.nextLink": "wrong"}, {"items": [RESULT]})
    assert len(list(make(value_key="items", next_link_keys=["next"]).results())) == 2
    assert script.asked[1].target == "/api/results?p=2"


@pytest.mark.parametrize("link", ["https://example.org/api/results", "//example.org/x", "http://a:b@127.0.0.1/x"])
def test_a_link_to_another_origin_is_refused(script: Script, make: Make, link: str) -> None:
    script.say_json({"value": [], "@odata.nextLink": link})
    with pytest.raises(VendorAnswerError, match="another origin"):
        list(make().results())
    assert len(script.asked) == 1


def test_links_in_a_circle_are_refused(script: Script, make: Make) -> None:
    script.say_json(*[{"value": [], "@odata.nextLink": f"results?p={number}"} for number in (1, 2, 1, 2)])
    with pytest.raises(VendorAnswerError, match="no end"):
        list(make().results())
    assert len(script.asked) == 3


@pytest.mark.parametrize("answer", [{}, [], {"items": []}, None, {"value": {}}])
def test_an_answer_without_a_list(script: Script, make: Make, answer: object) -> None:
    script.say_json(answer, answer)
    with pytest.raises(VendorAnswerError, match="no list"):
        list(make().results())
    with pytest.raises(VendorAnswerError, match="results_path or value_key of the profile"):
        make().probe()


# --- sittings


def test_sittings_are_read(script: Script, make: Make) -> None:
    uploaded = EXPECTED | {"state": "inProgress", "lastUploadAt": "2026-03-01T10:00:00Z"}
    script.say_json({"value": [EXPECTED], "@odata.nextLink": "sittings?p=2"}, {"value": [uploaded]})
    first, second = make().sittings()
    assert first == Sitting("510001-1", "E1", "510001", "AB12", "notStarted", None)
    assert (second.state, second.last_upload_at) == ("inProgress", datetime(2026, 3, 1, 10, tzinfo=UTC))


def test_a_sitting_needs_no_more_than_it_has(script: Script, make: Make) -> None:
    script.say_json({"value": [EXPECTED]})
    (found,) = make(sitting_fields={"id": "id", "exam": "exam", "learner": "participant"}).sittings()
    assert found == Sitting("510001-1", "E1", "510001")


# --- probe


def test_a_probe_is_one_small_read(script: Script, make: Make, passing: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    script.say_json({"value": [RESULT], "@odata.nextLink": "results?p=2"})
    make().probe()
    (asked,) = script.asked
    assert (asked.method, asked.path, asked.query) == (
        "GET",
        "/api/results",
        {"modifiedAfter": "2026-03-01T12:00:00.000005Z"},
    )
    assert passing.slept == []


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(401), VendorRefusedError),
        (Reply(403), VendorRefusedError),
        (Reply(404), VendorRefusedError),
        (Reply(429), VendorAwayError),
        (Reply(503), VendorAwayError),
        (Reply(how="reset"), VendorAwayError),
        (Reply(how="silent"), VendorAwayError),
        (Reply(200, "<html>Log in to the network</html>"), VendorAnswerError),
        (Reply(302, headers={"Location": "http://login.example/"}), VendorRefusedError),
    ],
)
def test_a_probe_fails_at_once(
    script: Script, make: Make, reply: Reply, kind: type[VendorError], passing: Clock
) -> None:
    script.say(reply, reply)
    with pytest.raises(kind):
        make().probe()
    assert (len(script.asked), passing.slept) == (1, [])


def test_a_read_is_repeated(script: Script, make: Make, passing: Clock) -> None:
    script.say(Reply(503), Reply(how="reset"), Reply(body={"value": [RESULT]}))
    assert len(list(make().results())) == 1
    assert passing.slept == [1, 2]
