"""Ways in which a read from an outside system fails, over real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from fixtures.sandboxes import Sandbox
from gradeway.errors import VendorAnswerError, VendorAwayError, VendorError, VendorRefusedError
from gradeway.vendors.questionmark import Questionmark
from gradeway.vendors.transport import Manners

TRIES = 2
MANNERS = Manners(interval=0, tries=TRIES, backoff=0.001)


class _Cutting(HTTPAdapter):
    """Cuts the body of one answer, as a proxy in trouble does, so that it is no JSON any more."""

    def __init__(self, path: str, after: int) -> None:
        super().__init__()
        self._path, self._after = path, after

    def send(self, request: requests.PreparedRequest, *given: Any, **options: Any) -> requests.Response:  # noqa: ANN401
        answer = super().send(request, *given, **options)
        if request.method == "GET" and fnmatchcase(urlsplit(request.url or "").path, self._path):
            self._after -= 1
            if self._after == -1:
                answer._content = answer.content[: len(answer.content) // 2]
        return answer


@dataclass(frozen=True)
class Failure:
    """A way in which a read fails: the fault of the sandbox, or a cut answer, and the error it becomes."""

    name: str
    error: type[VendorError]
    says: str
    fault: dict[str, Any] | None

    def __str__(self) -> str:
        return self.name

    def arm(self, sandbox: Sandbox, client: Questionmark, path: str, after: int = 0) -> Callable[[], None]:
        """Let the reads of a path fail once some of them went well; return what makes them well again."""
        if self.fault:
            sandbox.act("faults", [{"match": f"GET {path}", "after": after, **self.fault}])
        else:
            client.transport._session.mount("http://", _Cutting(path, after))

        def heal() -> None:
            sandbox.act("faults", method="DELETE", status=204)
            client.transport._session.mount("http://", HTTPAdapter())

        return heal


FAILURES = [
    Failure("away", VendorAwayError, "answered 503", {"kind": "status", "status": 503, "times": TRIES}),
    Failure("dropped", VendorAwayError, "broke the connection", {"kind": "drop", "times": TRIES}),
    Failure("cut", VendorAnswerError, "something that is not JSON", None),
    Failure("locked out", VendorRefusedError, "check the login and password", {"kind": "status", "status": 401}),
]
