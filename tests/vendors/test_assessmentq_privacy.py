"""No upload and no read from assessmentQ tells a secret, a learner or a file's content, in any log and any error."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.scripted_server import PASSWORD, Reply, Script
from gradeway.errors import GradewayError
from gradeway.vendors.assessmentq import AssessmentQ, OfflineResult, Received, ReceivedState, Sitting
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.transport import Manners
from vendors.files import File, meddled, overwrite
from vendors.profiles import profile
from vendors.test_vendor_privacy import FAILURES, LEARNER, OTHER, PLANTED, SAID, everything_told

NAME = f"{LEARNER}-4711.aqr"
MODES = {
    "basic": {},
    "bearer": {"auth": "bearer"},
    "header": {"auth": "header", "auth_header": "X-Api-Key", "upload_path": "offline-results?key=Zebra-in-query"},
}
ODD = {
    "no state": Reply(201, {"status": OTHER, "sitting": LEARNER}),
    "no plain state": Reply(201, {"state": {LEARNER: 1}, "value": [{"id": 1, "sitting": [LEARNER]}]}),
    "odd score": Reply(
        200,
        {"value": [{"id": 1, "sitting": LEARNER, "exam": OTHER, "participant": LEARNER, "state": "x", "score": OTHER}]},
    ),
    "early": Reply(413, SAID, after=50_000),
    "locked": Reply(409, {"error": {"code": "Locked", "message": SAID}}),
}


def deeds(file: File) -> dict[str, Callable[[AssessmentQ], object]]:
    return {
        "upload": lambda client: client.upload(file.open, NAME, file.size, file.sha256),
        "changed": lambda client: client.upload(meddled(file, overwrite), NAME, file.size, file.sha256),
        "gone": lambda client: client.upload((file.path / LEARNER).open, NAME, file.size, file.sha256),
        "received": lambda client: client.received(file.sha256),
        "results": lambda client: list(client.results()),
        "sittings": lambda client: list(client.sittings()),
        "probe": lambda client: client.probe(),
    }


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
@pytest.mark.parametrize("failure", (FAILURES | ODD).values(), ids=FAILURES | ODD)
def test_no_failure_tells_anything(
    script: Script,
    manners: Manners,
    tmp_path: Path,
    failure: Reply,
    mode: dict[str, object],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    hasty = replace(manners, read=0.05, tries=2)
    endpoint = Endpoint("gradeway_assessmentq", f"{script.url}/api/", "svc-Zebra", PASSWORD, profile(**mode))
    failed = 0
    for number, deed in enumerate(deeds(File.of(tmp_path / f"{LEARNER}.aqr")).values()):
        File.of(tmp_path / f"{LEARNER}.aqr")
        script.replies[:] = [failure] * 2
        caught: BaseException | None = None
        with AssessmentQ(endpoint, manners=hasty) as client:
            try:
                deed(client)
            except GradewayError as error:
                caught, failed = error, failed + 1
        told = everything_told(caplog, caught)
        assert [planted for planted in (*PLANTED, "svc-") if planted in told] == [], number
    assert failed >= 3
    assert "gradeway_assessmentq: POST offline-results" in caplog.text


def test_no_record_shows_a_learner() -> None:
    shown = [
        repr(OfflineResult("1", LEARNER, OTHER, LEARNER, is_final=True)),
        repr(Sitting(LEARNER, OTHER, LEARNER, LEARNER, "notStarted")),
        repr(Received(ReceivedState.FINAL, LEARNER)),
    ]
    assert [planted for planted in PLANTED if planted in "".join(shown)] == []


def test_a_client_shows_no_secret(manners: Manners) -> None:
    endpoint = Endpoint("c", "https://h/", "svc-Zebra", PASSWORD, profile(auth="bearer"))
    client = AssessmentQ(endpoint, manners=manners)
    assert PASSWORD not in f"{client!r}{client.transport!r}{client.transport._session.auth!r}{endpoint!r}"
