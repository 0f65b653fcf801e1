"""Every exception Gradeway raises on purpose.

The class is the retry decision: a scheduler may try again what is ``transient``, and must not
try again what is not. Messages hold no learner's data: file names, line numbers and codes only.

    GradewayError
    ├── SettingsError         a setting is missing or wrong; names the variable
    ├── StoreError
    │   ├── StoreAwayError        the database cannot be reached
    │   ├── StoreNotReadyError    the database has no Gradeway tables, or old ones
    │   ├── UnknownBatchError     no batch has that number
    │   └── UndoRefusedError      a batch cannot be taken back
    ├── LandingError
    │   ├── FileDefectError       the whole file cannot be used; carries the reason
    │   └── ReportsDueError       some reports could not be written; they stay due
    ├── VendorError           an outside system did not do what was asked; names the call, not its data
    │   ├── VendorAwayError       it cannot be reached or is too busy; nothing was changed
    │   │   └── BudgetSpentError      it allows no further calls for now, but for the reserve
    │   ├── VendorRefusedError    it said no; asking the same again gets the same answer
    │   │   └── FileRefusedError      it will never take this file
    │   ├── VendorAnswerError     its answer is not what its documents say
    │   └── UnknownOutcomeError   a write may have taken effect or not; read before writing again
    ├── PlanError             a plan cannot be applied as asked
    │   ├── PlanStaleError        what it was made from has changed since; carries the new digest
    │   ├── BrakeError            it does more than may be done without approval
    │   ├── UnknownPlanError      no plan has that digest
    │   ├── UnknownSessionError   no session has that name
    │   ├── UnknownCourseError    the store has no such course
    │   ├── UnknownGradeError     there never was such a grade
    │   ├── NothingToResolveError nobody changed there what a person would decide about
    │   └── SyncBusyError         another run is applying a plan to the same system
    ├── OutgoingError         flat files cannot be put into their folder
    ├── LaunchError           nobody can be launched into that schedule now
    ├── FileChangedError      a file is not what was to be sent; nothing was
    ├── ResultsMissingError   results of offline exams did not come in for too long
    ├── FilesNeedPersonError  a person has to look at result files of offline exams
    ├── CustodyError          result files cannot be watched or kept where they are
    ├── LostClaimError        another worker committed this batch first
    └── BatchFailedError      something unexpected; the batch is whole and will be tried again
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from datetime import datetime

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


class UndoRefusedError(StoreError):
    """A batch cannot be taken back; the message says why, and what to do instead."""


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
    it may quote a learner. ``wait`` is how many seconds the system asked to be left alone, and ``sent`` whether
    it can have got the call at all.
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
        sent: bool = False,
    ) -> None:
        super().__init__(f"{call}: {what}")
        self.call = call
        self.status = status
        self.code = code
        self.body = body
        self.wait = wait
        self.sent = sent


class VendorAwayError(VendorError):
    """An outside system cannot be reached or is too busy; nothing was changed there."""

    transient = True


class BudgetSpentError(VendorAwayError):
    """The calls that an outside system allows us are used up, but for the reserve; nothing was sent.

    ``resume_at`` is when it is worth going on, if that can be known.
    """

    def __init__(self, call: str, what: str, *, wait: float | None = None, resume_at: datetime | None = None) -> None:
        super().__init__(call, what, wait=wait)
        self.resume_at = resume_at


class VendorRefusedError(VendorError):
    """An outside system said no; asking the same again gets the same answer."""

    @property
    def is_for_all(self) -> bool:
        """Whether any other call would be refused as well: the account, the address or a certificate is wrong."""
        return self.status in {None, 401, 405}

    @property
    def is_forbidden(self) -> bool:
        """Whether the account lacks a right."""
        return self.status == 403

    @property
    def is_missing(self) -> bool:
        """Whether what was asked for is not there."""
        return self.status == 404

    @property
    def is_conflict(self) -> bool:
        """Whether something else stands in the way, such as one that is already there."""
        return self.status == 409


class FileRefusedError(VendorRefusedError):
    """An outside system will never take this file; others it may."""


class FileChangedError(GradewayError):
    """A file is not, or no more, what was to be sent; the outside system got no whole request."""

    transient = True


class VendorAnswerError(VendorError):
    """An outside system's answer is not what its documents say."""


class TenantChangedError(GradewayError):
    """Another tenant is named than the one that the store knows.

    ``named_by`` is what names it, such as the Connection; ``command`` forgets the one that is known.
    """

    def __init__(self, system: str, known: str, named: str, command: str, named_by: str) -> None:
        super().__init__(
            f"{named_by} names {named}, but what the store knows of {system} is about {known}: correct {named_by}, "
            f"or run `{command}` to begin anew with {named}"
        )


class WritesFailedError(GradewayError):
    """Some writes of a plan were not made; the others were, and the next plan has the rest."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} writes failed; the log says which, and the next run plans them again")


class ResultsMissingError(GradewayError):
    """Results of offline exams did not come in for too long; the exams' own computers may still have them."""

    def __init__(self, missing: int, days: int, *, unsent: bool, unknown: bool = False) -> None:
        what = [f"{missing} results of offline exams are missing for more than {days} days"] if missing else []
        what += [f"a result file is unsent for more than {days} days"] if unsent else []
        what += ["for days assessmentQ could not be asked whose results are expected"] if unknown else []
        super().__init__(f"{'; '.join(what)}; `gradeway aqr missing` and `gradeway aqr status` tell more")


class FilesNeedPersonError(GradewayError):
    """A person has to look at result files of offline exams; the others went on, and it is told once a file."""

    def __init__(self, count: int) -> None:
        what = f"{count} result files of offline exams, or folders of them, need a person"
        super().__init__(f"{what}; `gradeway aqr status` names them")


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


class ReasonMissingError(PlanError):
    """A plan was approved without saying why."""

    def __init__(self, digest: str) -> None:
        super().__init__(
            f"plan {digest} was approved without a reason: nothing is approved; the next run asks again, and then "
            "give the reason, which is kept with the plan"
        )


class UnknownPlanError(PlanError):
    """No plan has the digest asked for, or more than one begins so."""

    def __init__(self, digest: str, *, is_ambiguous: bool = False) -> None:
        super().__init__(
            f"several plans begin with {digest}; give more of the hash"
            if is_ambiguous
            else f"there is no plan {digest}; plan again, and take its hash"
        )


class UnknownSessionError(PlanError):
    """No session has the name asked for."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no session {name}")


class UnknownCourseError(PlanError):
    """The store has no such course."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the store has no course {name}; `gradeway grades` lists the courses")


class UnknownGradeError(PlanError):
    """There never was such a grade; names no learner."""

    def __init__(self, course: str, column: str) -> None:
        super().__init__(
            f"there is and was no grade of this learner in column {column} of course {course}; "
            f"`gradeway grades {course}` lists learners and columns"
        )


class NothingToResolveError(PlanError):
    """Nobody changed there, as far as is known, what a person would decide about; names no learner."""

    def __init__(self, course: str, name: str) -> None:
        where = f"course {course}, {name}" if name else f"course {course}"
        super().__init__(f"there is nothing to decide about in {where}; `gradeway publish status` lists what there is")


class SyncBusyError(PlanError):
    """Another run is applying a plan to the same system."""

    transient = True


class OutgoingError(GradewayError):
    """Flat files cannot be put into their folder; names it and what to do. Nothing is lost, the next run goes on."""

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
