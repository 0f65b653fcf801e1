"""What the server knows: exams, participants, their sittings, and what has been uploaded."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gradeway.sandbox.documents import Collection, Document

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CODE_LENGTH = 8


class State(StrEnum):
    """How far a sitting has come, as far as the server knows."""

    NOT_STARTED = "notStarted"
    IN_PROGRESS = "inProgress"
    FINISHED = "finished"


class Entity(BaseModel):
    """An entity in a seed."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)

    id: str = Field("", max_length=100)

    def document(self) -> Document:
        """Return the entity as it is kept and answered."""
        return self.model_dump(by_alias=True)


class Named(Entity):
    """An exam, or a participant."""

    id: str = Field(min_length=1, max_length=100)
    name: str = ""


class Sitting(Entity):
    """One participant's session of one exam."""

    access_code: str = ""
    available_to: str | None = None
    exam: str
    participant: str

    def document(self) -> Document:
        """Return the sitting, not started."""
        key = self.id or f"{self.participant}-{self.exam}"
        more = {"id": key, "accessCode": self.access_code or _code(key)}
        return super().document() | more | {"state": State.NOT_STARTED, "lastUploadAt": None}


def microseconds(instant: datetime) -> int:
    """Return an aware instant as a number that sorts."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def stamp(instant: datetime) -> str:
    """Return an aware instant as the server prints it."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _code(key: str) -> str:
    return base64.b32encode(hashlib.sha256(key.encode()).digest()).decode()[:CODE_LENGTH]


def _modified(text: str) -> int:
    return microseconds(datetime.fromisoformat(text))


SEEDED: dict[str, type[Entity]] = {"Exams": Named, "Participants": Named, "Sittings": Sitting}
COLLECTIONS = (
    Collection("Exams", {}),
    Collection("Participants", {}),
    Collection("Sittings", {"exam": str}),
    Collection("Uploads", {"sha256": str}),
    Collection("Results", {"sitting": str, "modifiedAt": _modified}),
    Collection("_Desks", {}),
    Collection("_Secrets", {}),
)
