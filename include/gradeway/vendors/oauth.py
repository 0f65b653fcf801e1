"""Access tokens of OAuth 2 by client credentials (RFC 6749, 4.4), shared by the threads that use them."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping

from requests import PreparedRequest
from requests.auth import AuthBase

from gradeway.errors import VendorAnswerError, VendorRefusedError
from gradeway.vendors.bodies import Form
from gradeway.vendors.transport import Answer, Effect, Transport

EARLY = 60  # seconds
# Who wanted to call would take these for an answer to that.
ELSEWHERE = {403, 404, 409}
TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


class Token:
    """One access token at a time, renewed when it comes to its end; for any number of threads."""

    def __init__(self, transport: Transport, path: str) -> None:
        """Prepare to ask for tokens; nothing is sent yet.

        ``transport`` authenticates as the application and is used by nobody else, ``path`` is where
        it asks.
        """
        self._transport, self._path = transport, path
        self._lock = threading.Lock()
        self._value = ""
        self._renew_at = 0.0

    def __enter__(self) -> Token:
        return self

    def __exit__(self, *details: object) -> None:
        self._transport.__exit__(*details)

    def value(self) -> str:
        """Return a token that is good for some time.

        Raises:
            VendorRefusedError: the service does not know the application or its secret.
            VendorError: as the transport's ``call``.
        """
        with self._lock:
            if not self._value or self._transport.manners.monotonic() >= self._renew_at:
                self._ask()
            return self._value

    def drop(self, value: str) -> None:
        """Forget a token that was refused, unless another has taken its place."""
        with self._lock:
            if value == self._value:
                self._value = ""

    def _ask(self) -> None:
        asked_at = self._transport.manners.monotonic()
        answer = self._answer()
        data = answer.data if isinstance(answer.data, Mapping) else {}
        value, kind, life = data.get("access_token"), data.get("token_type", "bearer"), data.get("expires_in")
        if not isinstance(value, str) or not TOKEN.fullmatch(value) or str(kind).lower() != "bearer":
            raise VendorAnswerError(self._transport.name("POST", self._path), "the answer holds no bearer token")
        if not isinstance(life, int):
            raise VendorAnswerError(self._transport.name("POST", self._path), "the answer says no lifetime")
        # A service that shares its tokens may tell one that is near its end: that is used to its end.
        self._value, self._renew_at = value, asked_at + (life - EARLY if life > EARLY else life)

    def _answer(self) -> Answer:
        form = Form({"grant_type": "client_credentials"})
        try:
            # Asking again only tells the same token again.
            return self._transport.call("POST", self._path, body=form, effect=Effect.READ)
        except VendorRefusedError as error:
            if error.status not in ELSEWHERE:
                raise
            what = str(error).removeprefix(f"{error.call}: ")
        raise VendorAnswerError(
            self._transport.name("POST", self._path), f"{what}; see that the host of the connection is that of the site"
        )


class Bearer(AuthBase):
    """Authenticates the calls of one transport with a shared token."""

    def __init__(self, token: Token) -> None:
        self._token = token
        self._used = ""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the token to a request."""
        self._used = self._token.value()
        request.headers["Authorization"] = f"Bearer {self._used}"
        return request

    def renew(self) -> None:
        """Take another token the next time, because the last one was refused."""
        self._token.drop(self._used)
