"""How what an outside system is told ends, and the reasons for it."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Self


class Outcome(StrEnum):
    """How something that an outside system is told ended, or why it is not told."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    UNCHANGED = "UNCHANGED"
    SKIPPED = "SKIPPED"
    PARKED = "PARKED"
    REJECTED = "REJECTED"
    CONFLICT = "CONFLICT"
    UNKNOWN = "UNKNOWN"


class OutcomeReason(Enum):
    """Base of reason codes with the outcome they lead to, their meaning and their remedy."""

    outcome: Outcome
    meaning: str
    remedy: str

    def __new__(cls, code: str, outcome: Outcome, meaning: str, remedy: str) -> Self:
        """Keep the code as the value and the texts as attributes."""
        member = object.__new__(cls)
        member._value_ = code
        member.outcome, member.meaning, member.remedy = outcome, meaning, remedy
        return member
