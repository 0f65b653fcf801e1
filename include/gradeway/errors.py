"""Every exception Gradeway raises on purpose.

The class is the retry decision: a scheduler may try again what is ``transient``, and must not
try again what is not. Messages hold no learner's data: file names, line numbers and codes only.

    GradewayError
    ├── SettingsError         a setting is missing or wrong; names the variable
    ├── StoreError
    │   ├── StoreAwayError        the database cannot be reached
    │   ├── StoreNotReadyError    the database has no Gradeway tables, or old ones
    │   └── UnknownBatchError     no batch has that number
    ├── LandingError
    │   ├── FileDefectError       the whole file cannot be used; carries the reason
    │   └── ReportsDueError       some reports could not be written; they stay due
    ├── LostClaimError        another worker committed this batch first
    └── BatchFailedError      something unexpected; the batch is whole and will be tried again
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from gradeway.reasons import Reason


class GradewayError(Exception):
    """Base of all expected failures."""

    transient: ClassVar[bool] = False


class SettingsError(GradewayError):
    """A setting is missing or wrong."""


class StoreError(GradewayError):
    """The store cannot do what was asked."""


class StoreAwayError(StoreError):
    """The database cannot be reached."""

    transient = True


class StoreNotReadyError(StoreError):
    """The store's tables are missing or of another version."""


class UnknownBatchError(StoreError):
    """No batch has the number asked for."""

    def __init__(self, batch_id: int) -> None:
        super().__init__(f"there is no batch {batch_id}; `gradeway batches` lists them")


class LandingError(GradewayError):
    """The landing zone cannot be used as asked."""


class FileDefectError(LandingError):
    """A file cannot be used as a whole.

    ``line`` is the physical line (header = 1) or None, ``detail`` says what was seen without
    showing any row's content.
    """

    def __init__(self, reason: Reason, detail: str = "", line: int | None = None, column: str = "") -> None:
        super().__init__(f"{reason.value}: {detail or reason.meaning}")
        self.reason = reason
        self.detail = detail
        self.line = line
        self.column = column


class ReportsDueError(LandingError):
    """Some batches' outputs could not be written and are tried again; ``done`` are those that could."""

    transient = True

    def __init__(self, done: list[int], troubles: list[str]) -> None:
        super().__init__(f"reports could not be written and are tried again: {'; '.join(troubles[:5])}")
        self.done = done


class LostClaimError(GradewayError):
    """Another worker committed the batch between our claim and our commit; nothing was written."""

    transient = True


class BatchFailedError(GradewayError):
    """A batch failed in an unexpected way; its bytes are safe and it is tried again."""

    transient = True

    def __init__(self, batch_id: int, what: str) -> None:
        super().__init__(f"batch {batch_id} failed with {what}; nothing of it is lost, and it is tried again")
        self.batch_id = batch_id
