"""Sending a file: what arrives, what never arrives whole, and what is known after each way it can break."""

from __future__ import annotations

import hashlib
import os
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest
from requests.auth import _basic_auth_str

from fixtures.scripted_server import PASSWORD, Clock, Reply, Script
from gradeway.errors import FileChangedError, UnknownOutcomeError, VendorAwayError, VendorError, VendorRefusedError
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.transport import Answer, Manners, Transport
from gradeway.vendors.upload import FileBody, opened
from vendors.files import CONTENT, File, grow, meddled, overwrite, part, shrink
from vendors.test_transport import closed_port, to

MB = 1024 * 1024


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File.of(tmp_path / "a.aqr")


def send(
    transport: Transport,
    file: File,
    opener: Callable[[], BinaryIO] | None = None,
    *,
    field: str = "file",
    name: str = "a.aqr",
) -> Answer:
    with opened(opener or file.open) as stream:
        return transport.upload("POST", "uploads", FileBody(stream, name, file.size, file.sha256, field))


def lacking(script: Script) -> int:
    """Return how many bytes of what was announced last did not come, once the server is through with it."""
    deadline = time.monotonic() + 5
    while not script.asked and time.monotonic() < deadline:
        time.sleep(0.005)
    asked = script.asked[-1]
    return int(asked.headers["Content-Length"]) - asked.received


def test_a_file_arrives_as_a_part_of_a_form(script: Script, transport: Transport, file: File) -> None:
    script.say(Reply(201, {"id": 7}))
    assert send(transport, file).data == {"id": 7}
    (asked,) = script.asked
    got = part(asked)
    assert got.get_payload(decode=True) == CONTENT
    assert got.get_content_type() == "application/octet-stream"
    assert got.get_param("name", header="content-disposition") == "file"
    assert got.get_filename() == "a.aqr"
    assert int(asked.headers["Content-Length"]) == len(asked.body) == asked.received
    assert "Transfer-Encoding" not in asked.headers
    assert (transport.counters.calls, transport.counters.writes) == (1, 1)


def test_a_file_arrives_as_bare_bytes(script: Script, transport: Transport, file: File) -> None:
    script.say(Reply(201, {}))
    send(transport, file, field="")
    assert script.asked[0].body == CONTENT
    assert script.asked[0].headers["Content-Type"] == "application/octet-stream"
    assert script.asked[0].headers["Content-Length"] == str(len(CONTENT))


@pytest.mark.parametrize("size", [1, 16383, 16384, 16385, 32768])
@pytest.mark.parametrize("field", ["file", ""])
def test_every_size_arrives(script: Script, transport: Transport, tmp_path: Path, size: int, field: str) -> None:
    script.say(Reply(201, {}))
    content = os.urandom(size)
    send(transport, File.of(tmp_path / "b.aqr", content), field=field)
    asked = script.asked[0]
    assert (part(asked).get_payload(decode=True) if field else asked.body) == content


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("PC 7 é試.aqr", "PC 7 é試.aqr"),
        ('a"b.aqr', "a%22b.aqr"),
        ("a\r\nX: y\r\n\r\n.aqr", "a%0D%0AX: y%0D%0A%0D%0A.aqr"),
        ("a\udcff.aqr", "a?.aqr"),
    ],
)
def test_no_name_breaks_the_form(script: Script, transport: Transport, file: File, name: str, shown: str) -> None:
    script.say(Reply(201, {}))
    send(transport, file, name=name)
    (asked,) = script.asked
    assert f'; filename="{shown}"\r\n'.encode() in asked.body
    assert part(asked).get_payload(decode=True) == CONTENT


def test_nothing_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="empty"):
        FileBody(BytesIO(), "a.aqr", 0, hashlib.sha256().hexdigest())


def test_a_large_file_takes_no_memory(script: Script, endpoint: Endpoint, manners: Manners, tmp_path: Path) -> None:
    path = tmp_path / "large.aqr"
    path.touch()
    os.truncate(path, 200 * MB)
    digest = hashlib.sha256()
    for _ in range(200):
        digest.update(bytes(MB))
    script.say(Reply(201, {"id": 1}))
    patient = replace(manners, read=20, stall=20)
    with to(endpoint, f"{script.url}/", patient) as transport:
        tracemalloc.start()
        try:
            send(transport, File(path, 200 * MB, digest.hexdigest()))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert script.asked[0].received > 200 * MB
    assert peak < 8 * MB


# --- the file changes


@pytest.mark.parametrize("field", ["file", ""])
@pytest.mark.parametrize(
    ("deed", "told"),
    [(grow, "longer"), (shrink, "shorter"), (overwrite, "other bytes")],
    ids=["grow", "shrink", "other"],
)
def test_a_file_that_changes_on_the_way_never_arrives_whole(
    script: Script, transport: Transport, file: File, deed: Callable[[Path], object], told: str, field: str
) -> None:
    script.say(Reply(201, {}), Reply(201, {}))
    with pytest.raises(FileChangedError, match=told) as caught:
        send(transport, file, meddled(file, deed), field=field)
    assert caught.value.transient
    assert 0 < lacking(script) < file.size
    send(transport, File.of(file.path), field=field)
    assert lacking(script) == 0


@pytest.mark.parametrize("size", [1, 40_000])
def test_a_file_that_is_another_from_the_start_never_arrives_whole(
    script: Script, transport: Transport, tmp_path: Path, size: int
) -> None:
    script.say(Reply(201, {}))
    file = replace(File.of(tmp_path / "b.aqr", b"x" * size), sha256=hashlib.sha256(b"other").hexdigest())
    with pytest.raises(FileChangedError, match="other bytes"):
        send(transport, file, field="")
    assert lacking(script) == (size - 1) % 16384 + 1  # the last piece


def test_a_file_that_vanished_is_not_even_announced(script: Script, transport: Transport, file: File) -> None:
    file.path.unlink()
    with pytest.raises(FileChangedError, match="gone") as caught:
        send(transport, file)
    assert caught.value.__context__ is None
    assert script.asked == []


def test_a_file_that_is_deleted_on_the_way_still_arrives(script: Script, transport: Transport, file: File) -> None:
    script.say(Reply(201, {}))
    send(transport, file, meddled(file, Path.unlink))
    assert part(script.asked[0]).get_payload(decode=True) == CONTENT


def test_a_file_on_a_share_that_goes_away_is_no_trouble_of_the_service(
    script: Script, transport: Transport, file: File
) -> None:
    def stale(_path: Path) -> None:
        raise OSError(116, "Stale file handle", "/exams/Quagga.aqr")

    with pytest.raises(FileChangedError, match=r"cannot be read \(ESTALE\)") as caught:
        send(transport, file, meddled(file, stale))
    assert "Quagga" not in f"{caught.value!r}{caught.value.__context__!r}"


def test_the_hash_may_be_in_capitals(script: Script, transport: Transport, file: File) -> None:
    script.say(Reply(201, {}))
    send(transport, replace(file, sha256=file.sha256.upper()))


# --- the service goes away or answers oddly

SENT = "it may have taken effect, so read before sending it again"
HALF = len(CONTENT) // 2
BIG = 12 * MB  # more than fits between two sockets


@pytest.fixture
def big(tmp_path: Path) -> File:
    return File.of(tmp_path / "big.aqr", os.urandom(BIG))


def test_nobody_listening_gets_nothing(endpoint: Endpoint, manners: Manners, file: File, passing: Clock) -> None:
    with pytest.raises(VendorAwayError, match="cannot be reached"):
        send(to(endpoint, f"http://127.0.0.1:{closed_port()}/", manners), file)
    assert passing.slept == []


def test_a_name_that_does_not_resolve_gets_nothing(endpoint: Endpoint, manners: Manners, file: File) -> None:
    with pytest.raises(VendorAwayError, match="cannot be reached"):
        send(to(endpoint, "http://gradeway.invalid/", manners), file)


@pytest.mark.parametrize("after", [0, 1, BIG // 2])
def test_a_reset_before_the_end_took_nothing(script: Script, transport: Transport, big: File, after: int) -> None:
    script.say(Reply(how="reset", after=after))
    with pytest.raises(VendorAwayError, match="POST uploads: broke the connection"):
        send(transport, big)
    assert len(script.asked) == 1


@pytest.mark.parametrize("how", ["reset", "silent"])
def test_no_answer_to_a_whole_file_is_unknown(script: Script, transport: Transport, file: File, how: str) -> None:
    script.say(Reply(how=how))
    with pytest.raises(UnknownOutcomeError, match=SENT):
        send(transport, file)
    assert len(script.asked) == 1


def test_half_an_answer_to_a_whole_file_is_unknown(script: Script, transport: Transport, file: File) -> None:
    script.say(Reply(201, {"id": 7, "state": "finished"}, how="cut"))
    with pytest.raises(UnknownOutcomeError):
        send(transport, file)


def test_a_service_that_stops_reading_got_nothing(
    script: Script, endpoint: Endpoint, manners: Manners, big: File
) -> None:
    script.say(Reply(how="silent", after=1000))
    with (
        to(endpoint, f"{script.url}/", replace(manners, stall=0.3)) as hasty,
        pytest.raises(VendorAwayError),
    ):
        send(hasty, big)


def test_a_slow_link_is_borne_with(script: Script, endpoint: Endpoint, manners: Manners, big: File) -> None:
    script.say(Reply(201, {"id": 7}, pause=0.002))
    with to(endpoint, f"{script.url}/", replace(manners, connect=0.0001, read=5, stall=5)) as patient:
        assert send(patient, big).data == {"id": 7}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (408, VendorAwayError),
        (413, VendorRefusedError),
        (401, VendorRefusedError),
        (409, VendorRefusedError),
        (429, VendorAwayError),
        (500, VendorAwayError),
        (503, VendorAwayError),
        (201, UnknownOutcomeError),
    ],
)
def test_an_answer_before_the_end_of_the_file(
    script: Script, transport: Transport, big: File, status: int, kind: type[VendorError]
) -> None:
    script.say(Reply(status, {"error": {"code": "Early"}}, after=100_000), Reply(201, {"id": 7}))
    with pytest.raises(kind) as caught:
        send(transport, big)
    if status != 201:
        assert (caught.value.status, caught.value.code) == (status, "Early")
    # The connection with half a file in it is not used again.
    assert send(transport, big).data == {"id": 7}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, VendorRefusedError),
        (401, VendorRefusedError),
        (408, VendorAwayError),
        (413, VendorRefusedError),
        (429, VendorAwayError),
        (500, UnknownOutcomeError),
        (503, UnknownOutcomeError),
        (302, VendorRefusedError),
    ],
)
def test_an_answer_after_the_end_of_the_file(
    script: Script, transport: Transport, file: File, status: int, kind: type[VendorError], passing: Clock
) -> None:
    script.say(Reply(status, {"error": {"code": "Late"}}, {"Location": "http://127.0.0.1:1/"}))
    with pytest.raises(kind) as caught:
        send(transport, file)
    assert (caught.value.status, caught.value.code) == (status, "Late")
    assert len(script.asked) == 1
    assert passing.slept == []


def test_how_long_to_wait_is_handed_on(script: Script, transport: Transport, file: File) -> None:
    script.say(Reply(429, headers={"Retry-After": "17"}))
    with pytest.raises(VendorAwayError) as caught:
        send(transport, file)
    assert caught.value.wait == 17


def test_a_page_instead_of_json_is_unknown(script: Script, transport: Transport, file: File) -> None:
    script.say(Reply(200, "<html>Welcome to the wireless network</html>"))
    with pytest.raises(UnknownOutcomeError, match="not JSON"):
        send(transport, file)


def test_uploads_keep_their_distance(
    script: Script, endpoint: Endpoint, manners: Manners, file: File, passing: Clock
) -> None:
    script.say(*[Reply(201, {})] * 2)
    with to(endpoint, f"{script.url}/", replace(manners, interval=0.25)) as polite:
        send(polite, file)
        send(polite, file)
    assert passing.slept == [0.25]


def test_the_account_goes_with_a_file(script: Script, transport: Transport, file: File) -> None:
    script.say(Reply(201, {}))
    send(transport, file)
    assert script.asked[0].headers["Authorization"] == _basic_auth_str(b"service", PASSWORD.encode())
