"""Who asks: the application's token, and what the user may do on whose behalf it asks.

Source: the vendor's description of its public API, the entitlements of each operation, and its
document "Basic Authentication with REST": one token an application, good for an hour; asked
again before its end, the same with what is left of its life.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import math
import secrets
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

from gradeway.sandbox.documents import Document, Documents
from gradeway.sandbox.frame import Call, Refused
from gradeway.sandbox.learn.forms import instant_of

LIFE = timedelta(hours=1)
GRADEBOOK = "course.gradebook.MODIFY"
READ_SCHEMAS = (GRADEBOOK, "course.user.grades.VIEW")
# All of them are needed to see the grades of disabled memberships.
READ_DISABLED = ("course.gradebook-grades.VIEW", GRADEBOOK, "course.gradebook-grades.EXECUTE")
CREATE_CONTENT, CHANGE_CONTENT, DELETE_CONTENT = (f"course.content.{what}" for what in ("CREATE", "MODIFY", "DELETE"))
READ_CONTENT = (
    CHANGE_CONTENT,
    DELETE_CONTENT,
    "course.adaptiverelease.VIEW",
    "course.configure-areas.EXECUTE",
    "course.performance.dashboard.VIEW",
)
# An Ultra assignment is an assessment.
CREATE_ASSESSMENT = ("course.assessment.CREATE", "course.content.assessment.deploy.EXECUTE")
CHANGE_ASSESSMENT = "course.assessment.MODIFY"
SYSTEM_MEMBERSHIPS = ("system.user.course.enrollment.VIEW", "system.courseuserlist.VIEW")
READ_MEMBERSHIPS = ("course.user.VIEW", *SYSTEM_MEMBERSHIPS)
READ_DISABLED_COURSE, READ_WHOLE_COURSE = "system.course.VIEW", "course.configure-properties.EXECUTE"
CHANGE_USERS = "system.user.properties.MODIFY"
READ_WHOLE_USER = (CHANGE_USERS, "system.useradmin.generic.VIEW", "system.user.VIEW")
READ_USER = ("user.VIEW", *READ_WHOLE_USER)
# All, each once.
ENTITLEMENTS = tuple(
    dict.fromkeys(
        (
            *READ_SCHEMAS,
            *READ_DISABLED,
            CREATE_CONTENT,
            *READ_CONTENT,
            *CREATE_ASSESSMENT,
            CHANGE_ASSESSMENT,
            *READ_MEMBERSHIPS,
            READ_DISABLED_COURSE,
            READ_WHOLE_COURSE,
            *READ_USER,
        )
    )
)


class TokenRefused(Exception):  # noqa: N818  (an answer, no error of ours)
    """No token is given; the token endpoint has an error shape of its own."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(error)
        self.status = status
        self.document = {"error": error, "error_description": description}


class Access:
    """The one application of the site."""

    def __init__(self, documents: Documents, key: str, secret: str) -> None:
        self._documents = documents
        self._login = f"{key}:{secret}".encode()

    def token(self, call: Call) -> Document:
        """Return the answer of the token endpoint.

        Raises:
            TokenRefused: the login is wrong, or another kind of token is asked for.
        """
        scheme, _, coded = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic" or not hmac.compare_digest(_decoded(coded), self._login):
            raise TokenRefused(401, "invalid_client", "The key or the secret is wrong.")
        form = dict(parse_qsl(call.query)) | dict(parse_qsl(call.body.decode(errors="replace")))
        if "grant_type" not in form:
            raise TokenRefused(400, "invalid_request", "The parameter grant_type is missing.")
        if form["grant_type"] != "client_credentials":
            raise TokenRefused(400, "unsupported_grant_type", "This sandbox grants client_credentials only.")
        token = self._living(call.now) or self._new(call.now)
        left = math.ceil((instant_of(token["expires"]) - call.now).total_seconds())
        account = self.account()
        return {
            "access_token": token["token"],
            "token_type": "bearer",
            "expires_in": left,
            "scope": "*",
            "user_id": account["uuid"],
        }

    def check(self, call: Call) -> Document:
        """Return the account on whose behalf a request is made.

        Raises:
            Refused: the token is missing, wrong or expired.
        """
        scheme, _, given = call.headers.get("authorization", "").partition(" ")
        token = self._living(call.now)
        right = scheme.lower() == "bearer" and token and hmac.compare_digest(given.encode(), token["token"].encode())
        if not right:
            raise Refused(401, "API request is not authenticated.")
        return self.account()

    def account(self) -> Document:
        """Return the user on whose behalf the application asks."""
        [found] = self._documents.find("Accounts")
        return found

    def _living(self, now: datetime) -> Document | None:
        token = self._documents.get("_Tokens", 1)
        return token if token and now < instant_of(token["expires"]) else None

    def _new(self, now: datetime) -> Document:
        token = {"token": secrets.token_urlsafe(24), "expires": (now + LIFE).isoformat()}
        return self._documents.put("_Tokens", 1, token)


def _decoded(coded: str) -> bytes:
    try:
        return base64.b64decode(coded, validate=True)
    except binascii.Error:
        return b""
