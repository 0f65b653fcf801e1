"""The exam player: what a participant does on an exam PC, and the .aqr files that this makes."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Literal

from cryptography.fernet import Fernet, InvalidToken
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gradeway.sandbox.assessmentq.entities import State, stamp
from gradeway.sandbox.documents import Document, Documents
from gradeway.sandbox.frame import Refused

LARGEST = 50_000_000


class Play(BaseModel):
    """One thing that a participant does."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sitting: str
    do: Literal["start", "save", "finish"]
    score: float | None = Field(None, ge=0, allow_inf_nan=False)
    max: float | None = Field(None, gt=0, allow_inf_nan=False)
    size: int = Field(20_000, ge=0, le=LARGEST)


class Player:
    """All exam PCs. What happens on them is kept apart from what the server knows."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        # Kept, so that files outlive a restart.
        self._cipher = Fernet(documents.run(self._kept_key)[0])

    def play(self, body: Document, now: datetime) -> bytes:
        """Do what a participant does; return the file as it is then.

        Raises:
            Refused: there is no such sitting, or it cannot go on like that.
        """
        try:
            play = Play.model_validate(body)
        except ValidationError as error:
            [first, *_] = error.errors()
            raise Refused(422, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        desk = self._done(play, self._desk(play.sitting), stamp(now))
        self._documents.put("_Desks", play.sitting, desk)
        token = self._cipher.encrypt_at_time(f"{json.dumps(desk)}{' ' * play.size}".encode(), int(now.timestamp()))
        return base64.urlsafe_b64decode(token)

    def read(self, content: bytes) -> Document | None:
        """Return what is in a file, or None if none of these PCs has made it."""
        try:
            desk: Document = json.loads(self._cipher.decrypt(base64.urlsafe_b64encode(content)))
        except InvalidToken:
            return None
        return desk

    def _desk(self, sitting: str) -> Document:
        if not self._documents.get("Sittings", sitting):
            raise Refused(404, "There is no such sitting.")
        new = {"sitting": sitting, "state": State.NOT_STARTED, "score": None, "maxScore": None}
        return self._documents.get("_Desks", sitting) or new

    @staticmethod
    def _done(play: Play, desk: Document, now: str) -> Document:
        needed = State.NOT_STARTED if play.do == "start" else State.IN_PROGRESS
        if desk["state"] != needed:
            raise Refused(409, f"The sitting is {desk['state']}: it cannot {play.do}.")
        if play.do == "start":
            desk = desk | {"startedAt": now}
        finished = play.do == "finish"
        return desk | {
            "state": State.FINISHED if finished else State.IN_PROGRESS,
            "score": desk["score"] if play.score is None else play.score,
            "maxScore": desk["maxScore"] if play.max is None else play.max,
            "finishedAt": now if finished else None,
        }

    def _kept_key(self) -> str:
        kept = self._documents.get("_Secrets", "aqr") or {"key": Fernet.generate_key().decode()}
        return str(self._documents.put("_Secrets", "aqr", kept)["key"])
