"""Error bodies in every documented shape, and what of them is told."""

from __future__ import annotations

import pytest

from gradeway.vendors.delivery import told_names
from gradeway.vendors.faults import HIDDEN, LONGEST, Fault, fault, tellable, tellable_code

SAID = "Unrecognized 'Edm.Int32' literal"
SHAPES = {
    "v3": '{"odata.error":{"code":"E1","message":{"lang":"en-US","value":"%s"},"innererror":{"stacktrace":"x"}}}',
    "v3 plain": '{"odata.error":{"code":"E1","message":"%s"}}',
    "v2": '{"error":{"code":"E1","message":{"lang":"en-US","value":"%s"}}}',
    "v2 plain": '{"error":{"code":"E1","message":"%s"}}',
    "flat": '{"status":400,"code":"E1","message":"%s"}',
    "xml": '<?xml version="1.0"?><m:error xmlns:m="x"><m:code>E1</m:code><m:message xml:lang="en-US">%s</m:message>'
    "<m:innererror><m:message>no</m:message></m:innererror></m:error>",
    "xml plain": "<error><code>E1</code><message>%s</message></error>",
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_shape_is_read(shape: str) -> None:
    assert fault((shape % SAID).encode()) == Fault("E1", SAID)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", Fault()),
        (b"Service unavailable", Fault(message="Service unavailable")),
        (b'\xef\xbb\xbf{"error":"invalid_token"}', Fault("invalid_token")),
        (b'{"error":"invalid_client","error_description":"Bad key"}', Fault("invalid_client", "Bad key")),
        (b'{"error":"invalid_grant","errorDescription":"Too late"}', Fault("invalid_grant", "Too late")),
        (b'{"error":"Hurst","error_description":"Bad key"}', Fault(message="Hurst")),
        (b'{"error":{"code":"","message":null}}', Fault()),
        (b'{"error":{"code":null,"message":{"lang":"en"}}}', Fault()),
        (b'{"odata.error":{"code":7,"message":["a"]}}', Fault("7", "['a']")),
        (b'{"message":"cut off he', Fault(message='{"message":"cut off he')),
        (b"<html><body>Bad <b>request</b></body></html>", Fault(message="  Bad  request   ")),
        (b"<m:code>A &amp; B</m:code><m:message>x &lt; y</m:message>", Fault("A & B", "x < y")),
    ],
)
def test_odd_bodies_are_read(body: bytes, found: Fault) -> None:
    assert fault(body) == found


@pytest.mark.parametrize("body", [b"[1]", b"\xff\xfe\x00", b'{"a":' * 5000, b"<" * 5000, b"<m:message>" * 500])
def test_no_body_breaks_the_reader(body: bytes) -> None:
    assert tellable(fault(body).message) in {"", "…"}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (SAID, SAID),
        ("The property 'GroupID' is required.", "The property 'GroupID' is required."),
        ("Participant a.hurst does not exist", "Participant … does not exist"),
        ("User 'Adrian Hurst' already exists", "User … already exists"),
        ("The value 4711 is invalid for https://x/y?signature=z", "The value … is invalid for …"),
        ("Ядерный", ""),
        ("", ""),
        ("zebra zebra zebra", ""),
        ("A fault was asked for.", ""),
        ("Cannot find Zebra in canary to quagga at okapi", ""),
    ],
)
def test_only_words_of_the_protocol_are_told(said: str, told: str) -> None:
    assert tellable(said, told_names()) == told


def test_a_long_message_is_cut() -> None:
    told = tellable("the request is " * 100)
    assert len(told) <= LONGEST + 2
    assert told.endswith(HIDDEN)


@pytest.mark.parametrize(
    ("code", "told"), [("bb-rest-7.2", "bb-rest-7.2"), ("", ""), ("Adrian Hurst", ""), ("x" * 65, ""), ("a'b", "")]
)
def test_a_code_must_look_like_one(code: str, told: str) -> None:
    assert tellable_code(code) == told
