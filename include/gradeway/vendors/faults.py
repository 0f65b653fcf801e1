"""What a service says when it refuses, and how much of that may be told.

Services put their errors into several shapes, and into any of them they may write a learner's
name. So only words known to be about the protocol are told; all others become an ellipsis.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Set
from dataclasses import dataclass
from itertools import groupby

LONGEST = 200
HIDDEN = "…"
ENVELOPES = ("odata.error", "error")
# RFC 6749, 5.2, and RFC 6750, 3.1; any other text in that place may be anything.
OAUTH_WORDS = """
access_denied insufficient_scope invalid_client invalid_grant invalid_request invalid_scope invalid_token
server_error temporarily_unavailable unauthorized_client unsupported_grant_type
"""
OAUTH_CODES = frozenset(OAUTH_WORDS.split())
# The words that error messages are made of; none of them can be anybody's data on its own.
ERROR_WORDS = """
a access account action after again allowed already also an and any argument as at authenticated
authentication authorization bad be because been before body boolean but by call cannot change changed
characters collection conflict content could created current database date datetime delete deleted denied
disabled does duplicate edm empty end entity error exceeded exceeds exist existing exists expand expected
expired expression failed feed field filter for forbidden format found from has have header http id
identifier if in incorrect int32 int64 integer internal invalid is it its json key later length less limit
link list literal longer malformed many maximum media message method minimum missing more must name
navigation nested no not null number object of on one only operation option or order orderby parameter
parse password path payload permission permitted positive processing properties property provided query
range read reached refused rejected request requested requests required resource response retry role
segment server service set should size skip sort space start string supported syntax system temporarily
than that the there this throttled time timeout to token too top try type unable unauthorized unavailable
unexpected unique unknown unrecognized unsupported updated url use used user valid value values version
was were when with writable write wrong xml zero
"""
WORDS = frozenset(ERROR_WORDS.split())


@dataclass(frozen=True)
class Fault:
    """A service's own error code and message; neither is fit to be shown as it is."""

    code: str = ""
    message: str = ""


def fault(body: bytes) -> Fault:
    """Read an error body: OData JSON of any version, flat JSON, that of OAuth 2, XML or text."""
    text = body.decode("utf-8-sig", "replace").strip()
    if text.startswith("{"):
        try:
            return _json_fault(json.loads(text))
        except (ValueError, RecursionError):
            return Fault(message=text)
    if text.startswith("<"):
        return _xml_fault(text)
    return Fault(message=text)


def _json_fault(said: dict[str, object]) -> Fault:
    inner: object = next((said[name] for name in ENVELOPES if name in said), said)
    if isinstance(inner, str) and inner in OAUTH_CODES:
        return Fault(inner, str(said.get("error_description") or said.get("errorDescription") or ""))
    if not isinstance(inner, dict):
        return Fault(message=str(inner))
    message = inner.get("message", "")
    if isinstance(message, dict):
        message = message.get("value", "")
    return Fault(str(inner.get("code") or ""), str(message or ""))


def _xml_fault(text: str) -> Fault:
    # By pattern, not by a parser: entities in an answer are nothing we want to expand.
    found = {
        name: html.unescape(match.group(1)).strip()
        for name in ("code", "message")
        if (match := re.search(rf"<(?:\w+:)?{name}(?:\s[^>]*)?>([^<]*)<", text))
    }
    return Fault(found.get("code", ""), found.get("message", "") or html.unescape(re.sub(r"<[^>]*>", " ", text)))


def tellable(message: str, names: Set[str] = frozenset()) -> str:
    """Return a message with only known words and the service's own ``names`` left in it, or nothing.

    Nothing is told of one that makes no sense any more, since more than a third of it is left out.
    """
    known = (word if _is_known(word.strip("'\".,:;!?()[]"), names) else HIDDEN for word in message[:2000].split())
    words = [word for word, _ in groupby(known)]
    if words.count(HIDDEN) * 3 > len(words):
        return ""
    told = " ".join(words)
    return told if len(told) <= LONGEST else told[:LONGEST].rpartition(" ")[0] + f" {HIDDEN}"


def _is_known(word: str, names: Set[str]) -> bool:
    return word.lower() in WORDS or word in names


def tellable_code(code: str) -> str:
    """Return a service's error code if it looks like one, else nothing."""
    return code if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", code) else ""
