"""The part of `gradeway vendors check` that looks at assessmentQ, and which field of its profile to correct."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from gradeway.errors import SettingsError, VendorAnswerError, VendorAwayError, VendorError
from gradeway.vendors.assessmentq import CONNECTION, AssessmentQ
from gradeway.vendors.connection import from_environment

NOBODYS = "0" * 64


@dataclass
class Found:
    """What a check found; ``reads`` are the fields of the profile whose calls were answered well."""

    connection: str = CONNECTION
    ok: bool = False
    url: str = ""
    auth: str = ""
    can_ask: bool = False
    can_list_sittings: bool = False
    reads: list[str] = field(default_factory=list)
    problems: list[dict[str, str]] = field(default_factory=list)

    def facts(self) -> list[tuple[str, object]]:
        """Return what is told of it."""
        asked = "the server is asked" if self.can_ask else "the same bytes are sent again"
        listed = "can be told" if self.can_list_sittings else "cannot be told: there is no sittings_path in the profile"
        return [
            ("connection", self.connection),
            ("service", self.url),
            ("account told by", self.auth),
            ("after no answer", asked),
            ("missing uploads", listed),
            ("read well", ", ".join(self.reads) or "nothing"),
        ]


def check_assessmentq() -> Found:
    """Read what the profile names, and tell what of it to correct; only reads."""
    found = Found()
    try:
        client = AssessmentQ(from_environment(CONNECTION))
    except SettingsError as error:
        _refuse(found, "the connection cannot be used", str(error))
        return found
    with client:
        found.url, found.auth = client.transport.endpoint.url, client.profile.auth
        found.can_ask, found.can_list_sittings = client.can_ask, client.can_list_sittings
        if not client.profile.tells_ends:
            _refuse(found, "no exam would ever be known to have ended", "give final_key or sitting_key in the profile")
        _look(client, found)
    found.ok = not found.problems
    return found


def _refuse(found: Found, what: str, remedy: str) -> None:
    found.problems.append({"what": what, "remedy": remedy})


def _reads(client: AssessmentQ) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the fields of the profile that a read can try."""
    yield "results_path", client.probe
    yield "result_fields", lambda: next(client.results(), None)
    if client.can_ask:
        yield "received_path", lambda: client.received(NOBODYS)
    if client.can_list_sittings:
        yield "sittings_path", lambda: next(client.sittings(), None)


def _look(client: AssessmentQ, found: Found) -> None:
    for name, read in _reads(client):
        try:
            read()
        except VendorError as error:
            _refuse(found, str(error), _remedy(error, name))
            if not isinstance(error, VendorAnswerError) and error.status in {None, 401, 403, 429, 503}:
                return  # the next read would end so too
        else:
            found.reads.append(name)


def _remedy(error: VendorError, name: str) -> str:
    """Say what to correct when a read failed by the field ``name``."""
    by_status = {
        401: "correct auth (with auth header also auth_header) in the profile, or login and password of the connection",
        403: "give the account the right to read results and sittings, or correct auth in the profile",
    }
    if error.status in by_status:
        return by_status[error.status]
    if isinstance(error, VendorAwayError):
        return "see that host and port are right and reachable from here; if they are, try again later"
    if isinstance(error, VendorAnswerError):
        return f"see that the host is that of the API and nothing stands between; then correct {name} in the profile"
    if error.status is None:
        return "see that the host's name is right; a private authority's certificate goes into REQUESTS_CA_BUNDLE"
    return f"correct {name} in the profile, or the host and its path"
