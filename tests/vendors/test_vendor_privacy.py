"""No failure of any kind tells a secret or a learner, in any log and any error."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import replace

import pytest

from fixtures.scripted_server import PASSWORD, Reply, Script
from gradeway.errors import VendorError
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.delivery import Participant, Result
from gradeway.vendors.odata import Int64
from gradeway.vendors.questionmark import Questionmark
from gradeway.vendors.transport import Manners

LOGIN, LEARNER, OTHER, SIGNATURE = "svc-Zebra", "Zebra.Quagga", "Okapi Quagga", "Zebra58db3754"
PLANTED = ("Zebra", "Quagga", "Okapi", PASSWORD, "4711")
SAID = f"User '{OTHER}' ({LEARNER}) may not start https://x/?signature={SIGNATURE}&id=4711"
CALLS: dict[str, Callable[[Questionmark], object]] = {
    "find": lambda client: list(client.find(Participant, ("Name", "eq", LEARNER))),
    "get": lambda client: client.get(Participant, 4711),
    "results": lambda client: list(client.find(Result, ("ParticipantName", "eq", LEARNER))),
    "create": lambda client: client.create_schedule(
        {"Name": OTHER, "AssessmentID": Int64("4711"), "ParticipantID": 4711, "MonitoringTypeID": 1}
    ),
    "patch": lambda client: client.patch_schedule(4711, {"Name": OTHER}),
    "metadata": lambda client: client.add_metadata(4711, "S1", LEARNER),
    "invoke": lambda client: client.invoke(4711, "start", 4711, {"who": LEARNER}),
    "actionable": lambda client: client.actionable(4711),
}
FAILURES = {
    "reset": Reply(how="reset"),
    "silent": Reply(how="silent"),
    "cut": Reply(200, {"value": OTHER * 9}, how="cut"),
    "json": Reply(400, {"odata.error": {"code": OTHER, "message": {"lang": "en", "value": SAID}}}),
    "v2": Reply(403, {"error": {"code": "", "message": SAID}}),
    "xml": Reply(409, f"<m:error><m:code>{OTHER}</m:code><m:message>{SAID}</m:message></m:error>"),
    "text": Reply(404, SAID),
    "500": Reply(500, SAID),
    "429": Reply(429, SAID),
    "login": Reply(401, SAID, {"WWW-Authenticate": f'Basic realm="{OTHER}"'}),
    "moved": Reply(302, SAID, {"Location": f"https://x/?signature={SIGNATURE}"}),
    "no json": Reply(200, SAID),
    "no list": Reply(200, {"Name": OTHER}),
    "no type": Reply(200, {"value": [{"ID": OTHER, "Name": LEARNER}], "ID": LEARNER}),
    "no link": Reply(200, {"value": [], "odata.nextLink": f"https://x/?signature={SIGNATURE}"}),
    "odd header": Reply(503, SAID, {"Retry-After": OTHER}),
    "bad header": Reply(404, SAID, {"X : Y": OTHER}),
}


def everything_told(caplog: pytest.LogCaptureFixture, error: BaseException | None) -> str:
    """Return all that a log file, an alert or a traceback would show, but for lines of source."""
    told = [caplog.text, *(record.getMessage() + repr(record.args) for record in caplog.records)]
    while error:
        told += [str(error), repr(error), *traceback.format_exception_only(error), repr(vars(error) | {"body": ""})]
        error = error.__context__
    return "\n".join(told)


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_no_failure_tells_anything(
    script: Script, endpoint: Endpoint, manners: Manners, failure: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hasty = replace(manners, read=0.05, tries=2)
    failed = 0
    for call in CALLS.values():
        script.replies[:] = [failure] * 2
        caught: BaseException | None = None
        with Questionmark(replace(endpoint, login=LOGIN), manners=hasty) as client:
            try:
                call(client)
            except VendorError as error:
                caught, failed = error, failed + 1
        told = everything_told(caplog, caught)
        assert [planted for planted in PLANTED if planted in told] == []
    assert failed >= 4
    assert "gradeway_questionmark: POST Schedules" in caplog.text
    assert script.asked


def test_what_others_send_is_still_logged(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    import requests

    caplog.set_level(logging.DEBUG)
    script.say(Reply(200))
    requests.get(f"{script.url}/of-others", timeout=1)
    assert "/of-others" in caplog.text
