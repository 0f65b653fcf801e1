"""Uploads: an unfinished exam's file any number of times, a finished one's once, and what is no upload."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from fixtures.sandboxes import Hall, running_hall

FORM = {"Content-Type": "multipart/form-data; boundary=b"}
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="exam.aqr"\r\n\r\n'


def result(hall: Hall, sitting: str) -> dict[str, Any]:
    [found] = [found for found in hall.every("results") if found["sitting"] == sitting]
    return found


def known(hall: Hall, sitting: str) -> dict[str, Any]:
    [found] = [found for found in hall.every("sittings?exam=1") if found["id"] == sitting]
    return found


def code(hall: Hall, body: object, status: int, headers: dict[str, str] | None = None) -> str:
    """Upload a body that must be refused; return the error's code."""
    answer = hall.call("POST", "offline-results", data=body, headers=headers)
    assert answer.status_code == status, answer.text
    return str(answer.json()["error"]["code"])


def test_nothing_is_known_before_an_upload(hall: Hall, sitting: str) -> None:
    for do in ("start", "save", "finish"):
        hall.play(sitting, do, score=1)
    assert (known(hall, sitting)["state"], known(hall, sitting)["lastUploadAt"]) == ("notStarted", None)
    assert sitting not in [found["sitting"] for found in hall.every("results")]


def test_the_file_of_a_running_exam_is_taken_again_and_again(hall: Hall, sitting: str) -> None:
    files = [hall.play(sitting, "start"), *(hall.play(sitting, "save", score=n + 0.25, max=10) for n in range(3))]
    assert len(set(files)) == 4
    ids = []
    for number, content in enumerate([*files, files[-1]]):
        answer = hall.upload(content)
        taken = answer.json()
        assert answer.status_code == 201
        assert taken == {
            "id": taken["id"],
            "sha256": sha256(content).hexdigest(),
            "size": len(content),
            "sitting": sitting,
            "state": "inProgress",
            "receivedAt": taken["receivedAt"],
        }
        ids.append(taken["id"])
        assert known(hall, sitting)["lastUploadAt"] == taken["receivedAt"]
        assert result(hall, sitting)["score"] == (None, 0.25, 1.25, 2.25, 2.25)[number]
    assert ids == sorted(set(ids))


def test_a_finished_exam_is_taken_once(hall: Hall, sitting: str) -> None:
    earlier = hall.play(sitting, "start")
    final = hall.play(sitting, "finish", score=7.5, max=10)
    assert hall.upload(final).json()["state"] == "finished"
    before = (result(hall, sitting), known(hall, sitting), hall.every("offline-results"))
    assert (before[0]["state"], before[1]["state"]) == ("finished", "finished")
    for content in (final, earlier, final):
        answer = hall.upload(content)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "AlreadyFinished")
    assert (result(hall, sitting), known(hall, sitting), hall.every("offline-results")) == before


def test_a_result_can_be_read_at_once(hall: Hall, sitting: str) -> None:
    hall.act("clock", {"now": "2027-01-31T09:00:00+01:00"})
    hall.play(sitting, "start")
    hall.act("clock", {"now": "2027-01-31T10:30:00.25+01:00"})
    content = hall.play(sitting, "finish", score=7, max=10)
    hall.act("clock", {"now": "2027-01-31T17:00:00+01:00"})
    hall.upload(content)
    found = result(hall, sitting)
    assert found == {
        "id": found["id"],
        "sitting": sitting,
        "exam": "1",
        "participant": sitting.removesuffix("-1"),
        "state": "finished",
        "score": 7.0,
        "maxScore": 10.0,
        "startedAt": "2027-01-31T08:00:00.000000Z",
        "finishedAt": "2027-01-31T09:30:00.250000Z",
        "modifiedAt": "2027-01-31T16:00:00.000000Z",
    }
    assert '"score": 7.0, "maxScore": 10.0' in hall.call("GET", "results").text


def test_what_has_arrived_can_be_asked_by_its_digest(hall: Hall, sitting: str) -> None:
    first, second = hall.play(sitting, "start"), hall.play(sitting, "save")
    taken = hall.upload(first).json()
    assert hall.get(f"offline-results?sha256={sha256(first).hexdigest()}") == {"value": [taken]}
    assert hall.get(f"offline-results?sha256={sha256(second).hexdigest()}") == {"value": []}


def test_the_bytes_of_a_file_tell_nothing(hall: Hall, sitting: str) -> None:
    content = hall.play(sitting, "start", size=50_000)
    assert 50_000 <= len(content) < 51_000
    assert sitting.encode() not in content
    assert b"inProgress" not in content


def test_what_is_no_result_file_is_refused(hall: Hall, sitting: str) -> None:
    content = hall.play(sitting, "start")
    middle = len(content) // 2
    damaged = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    before = hall.every("offline-results")
    for wrong in (b"", b"\x00\xff", content[:-1], content[:middle], damaged, content + content):
        answer = hall.upload(wrong)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "NotAResultFile")
    assert hall.every("offline-results") == before


def test_a_file_of_another_server_is_refused(hall: Hall, sitting: str, assessmentq_sandbox: Hall) -> None:
    assert hall.upload(assessmentq_sandbox.play(sitting, "start")).status_code == 422


def test_what_is_no_upload_is_refused(hall: Hall, sitting: str) -> None:
    content = hall.play(sitting, "start")
    whole = PART + content + b"\r\n--b--\r\n"
    before = hall.every("offline-results")
    for short in (b"", PART, PART + content, whole[:-6], whole[:-4]):
        assert code(hall, short, 400, FORM) == "Incomplete"
    assert code(hall, whole.replace(b' name="file";', b""), 400, FORM) == "InvalidForm"
    assert code(hall, whole.replace(b"name=", b"name=x"), 400, FORM) == "NoFile"
    assert code(hall, whole.replace(b'; filename="exam.aqr"', b""), 400, FORM) == "NoFile"
    assert code(hall, PART + content + b"\r\n" + whole, 400, FORM) == "NoFile"
    assert code(hall, content, 415, {"Content-Type": "application/octet-stream"}) == "UnsupportedMediaType"
    assert hall.every("offline-results") == before
    assert hall.call("POST", "offline-results", data=whole, headers=FORM).status_code == 201


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 1_000_000])
def test_files_of_all_sizes(size: int, hall: Hall, sitting: str) -> None:
    content = hall.play(sitting, "start", size=size)
    taken = hall.upload(content).json()
    assert (taken["size"], taken["sha256"]) == (len(content), sha256(content).hexdigest())


def test_the_player_keeps_to_the_order_of_an_exam(hall: Hall, sitting: str) -> None:
    def refused(do: str, status: int = 409, **more: object) -> str:
        body = {"sitting": sitting, "do": do, **more}
        return str(hall.act("play", body, status=status)["detail"])

    assert "notStarted" in refused("save")
    hall.play(sitting, "start")
    assert "inProgress" in refused("start")
    assert "score" in refused("save", 422, score=-1)
    assert "do" in refused("stop", 422)
    assert "colour" in refused("save", 422, colour=1)
    assert "no such sitting" in refused("start", 404, sitting="0-0")
    hall.play(sitting, "finish")
    assert "finished" in refused("finish")
    assert "finished" in refused("save")


PASSWORD = "correct-horse"


@pytest.mark.parametrize(
    ("login", "status"),
    [
        ({"auth": ("svc", PASSWORD)}, 200),
        ({"headers": {"Authorization": f"Bearer {PASSWORD}"}}, 200),
        ({"headers": {"X-Api-Key": PASSWORD}}, 200),
        ({"auth": ("sandbox", PASSWORD)}, 401),
        ({"auth": ("svc", "wrong")}, 401),
        ({"headers": {"Authorization": f"Digest {PASSWORD}"}}, 401),
        ({"headers": {"Authorization": "Bearer"}}, 401),
        ({"headers": {"Authorization": "Basic ???"}}, 401),
        ({"headers": {"X-Api-Key": ""}}, 401),
        ({}, 401),
    ],
)
def test_every_way_to_log_in(login: dict[str, Any], status: int, locked: Hall) -> None:
    locked.session.auth = None
    answer = locked.call("GET", "exams", **login)
    assert answer.status_code == status
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert (answer.json().get("error", {}).get("code") == "Unauthorized") == (status == 401)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Any:  # noqa: ANN401
    with running_hall(tmp_path_factory.mktemp("locked"), arguments=("--user", "svc", "--password", PASSWORD)) as hall:
        yield hall


def test_only_what_is_there_can_be_asked(hall: Hall) -> None:
    for method, path, status in (
        ("GET", "results/1", 404),
        ("GET", "", 404),
        ("GET", hall.url.removesuffix("api/"), 404),
        ("POST", "results", 405),
        ("DELETE", "offline-results", 405),
        ("GET", "results?since=2027-01-01", 400),
        ("GET", "exams?exam=1", 400),
    ):
        answer = hall.call(method, path)
        assert (path, answer.status_code) == (path, status)
        assert answer.json()["error"]["code"]
