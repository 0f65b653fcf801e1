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
    ├── VendorError           an outside system did not do what was asked; names the call, not its data
    │   ├── VendorAwayError       it cannot be reached or is too busy; nothing was changed
    │   ├── VendorRefusedError    it said no; asking the same again gets the same answer
    │   │   └── FileRefusedError      it will never take this file
    │   ├── VendorAnswerError     its answer is not what its documents say
    │   └── UnknownOutcomeError   a write may have taken effect or not; read before writing again
    ├── PlanError             a plan cannot be applied as asked
    │   ├── PlanStaleError        what it was made from has changed since; carries the new digest
    │   ├── BrakeError            it does more than may be done without approval
    │   ├── UnknownPlanError      no plan has that digest
    │   ├── UnknownSessionError   no session has that name
    │   └── SyncBusyError         another run is applying a plan to the same system
    ├── LaunchError           nobody can be launched into that schedule now
    ├── FileChangedError      a file is not what was to be sent; nothing was
    ├── CustodyError          result files cannot be watched or kept where they are
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


class VendorError(GradewayError):
    """An outside system did not do what was asked.

    ``call`` is the method and the path's template, without any value. ``status`` and ``code`` are
    the system's own. ``body`` is the start of its answer: for decisions, never for showing, since
    it may quote a learner. ``wait`` is how many seconds the system asked to be left alone.
    """

    def __init__(
        self,
        call: str,
        what: str,
        *,
        status: int | None = None,
        code: str = "",
        body: str = "",
        wait: float | None = None,
    ) -> None:
        super().__init__(f"{call}: {what}")
        self.call = call
        self.status = status
        self.code = code
        self.body = body
        self.wait = wait


class VendorAwayError(VendorError):
    """An outside system cannot be reached or is too busy; nothing was changed there."""

    transient = True


class VendorRefusedError(VendorError):
    """An outside system said no; asking the same again gets the same answer."""


class FileRefusedError(VendorRefusedError):
    """An outside system will never take this file; others it may."""


class FileChangedError(GradewayError):
    """A file is not, or no more, what was to be sent; the outside system got no whole request."""

    transient = True


class VendorAnswerError(VendorError):
    """An outside system's answer is not what its documents say."""


class TenantChangedError(GradewayError):
    """The Connection names another tenant than the one whose schedules the store knows."""

    def __init__(self, system: str, known: str, named: str) -> None:
        super().__init__(
            f"the Connection of {system} names {named}, but the store knows the schedules of {known}: correct the "
            "Connection, or run `gradeway sessions forget` to begin anew with the other tenant"
        )


class WritesFailedError(GradewayError):
    """Some writes of a plan were not made; the others were, and the next plan has the rest."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} writes failed; the log says which, and the next run plans them again")


class UnknownOutcomeError(VendorError):
    """A write may have taken effect or not; the next step is to read, not to send again.

    Transient, because every run of a task begins by reading.
    """

    transient = True


class PlanError(GradewayError):
    """A plan cannot be applied as asked; nothing was sent."""


class PlanStaleError(PlanError):
    """What a plan was made from has changed since; ``digest`` is that of the plan as it is now."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"the plan has changed since: look at it again; it is now {digest}")
        self.digest = digest


class BrakeError(PlanError):
    """A plan takes away or moves more than it may without a person's approval."""

    def __init__(self, digest: str, what: str) -> None:
        super().__init__(f"plan {digest} {what}: it needs a person's approval")
        self.digest = digest


class UnknownPlanError(PlanError):
    """No plan has the digest asked for."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"there is no plan {digest}; plan again, and take its digest")


class UnknownSessionError(PlanError):
    """No session has the name asked for."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no session {name}")


class SyncBusyError(PlanError):
    """Another run is applying a plan to the same system."""

    transient = True


class LaunchError(GradewayError):
    """There is no link to hand on: the message says why, and names nobody."""


class CustodyError(GradewayError):
    """A folder of result files cannot be used as asked; names it and what to do."""


class LostClaimError(GradewayError):
    """Another worker committed the batch between our claim and our commit; nothing was written."""

    transient = True

    def __init__(self, batch_id: int) -> None:
        super().__init__(f"batch {batch_id} was loaded by another worker")


class BatchFailedError(GradewayError):
    """A batch failed in an unexpected way; its bytes are safe and it is tried again."""

    transient = True

    def __init__(self, batch_id: int, what: str) -> None:
        super().__init__(f"batch {batch_id} failed with {what}; nothing of it is lost, and it is tried again")
        self.batch_id = batch_id
