"""Signed URLs: they are made for one purpose, last for minutes, and start an attempt once.

Source: Questionmark, Delivery OData API: Launching a Scheduled Test, and Attempt.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlencode

from gradeway.sandbox.documents import Collection, Document, Documents
from gradeway.sandbox.frame import Refused
from gradeway.sandbox.questionmark import edm

LAUNCHES = Collection("_Launches", {})
SECRETS = Collection("_Secrets", {})
LIFETIME_SECONDS = 300


class Lobby:
    """Makes and checks the signed URLs of one area."""

    def __init__(self, documents: Documents, area: str) -> None:
        self.path = f"/lobby/{area}"
        self._documents = documents
        # Kept, so that a link outlives a restart.
        self._secret = documents.run(self._kept_secret)[0]

    def url(self, origin: str, now: datetime, role: str, **purpose: object) -> str:
        """Return a URL that is good for a purpose."""
        query = urlencode(
            {**purpose, "nonce": secrets.token_hex(16), "timestamp": edm.stamp(now), "role": role},
            quote_via=quote,
            safe=":",
        )
        return f"{origin}{self.path}?{query}&signature={self._signature(query)}"

    def launch_url(self, origin: str, now: datetime, purpose: Mapping[str, object], metadata: Document) -> str:
        """Return a URL that does a schedule's action, once."""
        url = self.url(origin, now, "participant", **purpose)
        self._documents.put(LAUNCHES.name, _nonce(url.partition("?")[2]), {"metadata": metadata, "used": False})
        return url

    def read(self, query: str, now: datetime) -> dict[str, str]:
        """Return what a URL is for.

        Raises:
            Refused: its signature is wrong, or it has expired.
        """
        signed, _, signature = query.rpartition("&signature=")
        if not hmac.compare_digest(self._signature(signed).encode(), signature.encode()):
            raise Refused(403, "The link is not valid.")
        purpose = dict(parse_qsl(signed))
        age = edm.ticks_of(now) - edm.ticks(purpose["timestamp"])
        if not 0 <= age <= LIFETIME_SECONDS * 1_000_000 * edm.TICKS:
            raise Refused(403, "The link has expired.")
        return purpose

    def use(self, purpose: Mapping[str, str]) -> dict[str, str]:
        """Use a launch up and return its metadata.

        Raises:
            Refused: it was used before.
        """
        launch = self._documents.get(LAUNCHES.name, purpose["nonce"])
        if launch is None or launch["used"]:
            raise Refused(403, "The link has been used.")
        self._documents.put(LAUNCHES.name, purpose["nonce"], {"used": True})
        return dict(launch["metadata"])

    def _kept_secret(self) -> bytes:
        kept = self._documents.get(SECRETS.name, "lobby") or {"secret": secrets.token_hex(32)}
        return bytes.fromhex(self._documents.put(SECRETS.name, "lobby", kept)["secret"])

    def _signature(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


def _nonce(query: str) -> str:
    return dict(parse_qsl(query))["nonce"]
