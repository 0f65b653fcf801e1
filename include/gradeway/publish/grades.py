"""The grades of a plan: what is to be written, what is there already, and what somebody changed there.

A grade that a person changed in the gradebook since we last knew it is never written over: it is a
conflict, until a person decides about just these two values.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from gradeway import clock
from gradeway.feeds.cells import NUMBER
from gradeway.publish.ours import DueGrade, Ours
from gradeway.publish.plan import Line, Made, Risk, Values
from gradeway.publish.reasons import PublishReason
from gradeway.publish.survey import EXEMPT, NOTHING, There
from gradeway.publish.wanted import RefusedError, plain, rounded
from gradeway.store.models import GradeColumn
from gradeway.store.publish import LEARN, Action, GradeConflict, GradeReceipt, Kind, Resolution

CLEARED: Values = {"cleared": True}


@dataclass(frozen=True)
class Gradable:
    """A column that grades are planned for.

    ``ranks`` are its symbols' places, from the worst up, and ``worst`` those that begin at nothing.
    """

    id: int
    name: str
    remote_id: str
    due: date | None
    ranks: Mapping[str, int]
    worst: Collection[str] = ()


def gradable(column: GradeColumn, remote_id: str, ours: Ours) -> Gradable:
    """Return a column of ours as one that grades are planned for."""
    symbols = ours.schemas[column.schema_id].symbols if column.schema_id else []
    worst_first = sorted(reversed(symbols), key=lambda symbol: Decimal(symbol[1] or 0))
    ranks = {text or "": rank for rank, (text, _) in enumerate(worst_first)}
    worst = {text or "" for text, lower in symbols if lower is not None and Decimal(lower) == 0}
    return Gradable(column.id, column.name, remote_id, column.due_date, ranks, worst)


class GradePlanner:
    """Compares the grades of columns, one after the other."""

    def __init__(self, made: Made, ours: Ours) -> None:
        self._made, self._ours = made, ours

    def compare(self, column: Gradable, due: DueGrade, user_id: str, there: There) -> None:
        """Compare one grade with what stands there.

        Raises:
            RefusedError: it cannot be written, or was refused before.
        """
        if due.value is None:
            self._compare_gone(column, due, user_id, there)
        elif there.shows(due.value):
            self._find(column, due, there)
        elif self._may_write(due, there):
            self._write(column, due, user_id, there, _after(due.value, there))
        else:
            self._conflict(column, due, there)

    def _compare_gone(self, column: Gradable, due: DueGrade, user_id: str, there: There) -> None:
        """Take back what we told and have no more, up to what stood there before us."""
        receipt = due.receipt
        if receipt is None or receipt.intent_id is None or not there.is_set:
            self._made.forgotten_grades.append((column.id, due.learner_id))
            return
        first = _first(receipt)
        if there.is_same(first):
            self._made.forgotten_grades.append((column.id, due.learner_id))
        elif self._may_write(due, there):
            self._write(column, due, user_id, there, _restored(first))
        else:
            self._conflict(column, due, there)

    def _may_write(self, due: DueGrade, there: There) -> bool:
        decided = due.conflict
        if decided and _is_about(decided, due, there):
            return decided.resolution == Resolution.TAKE
        return there.is_as_told(due.receipt) if due.receipt else there.is_empty

    def _find(self, column: Gradable, due: DueGrade, there: There) -> None:
        """Note that the gradebook has our value already; where somebody else wrote it, that is where we begin."""
        before = due.receipt
        self._made.unchanged += 1
        if before and before.value == due.value and not due.is_unseen:
            self._made.settled.append((column.id, due.learner_id))
            return
        is_ours = before is not None and there.is_as_told(before)
        first = _first(before) if before and is_ours else there.as_set
        self._made.found.append(
            GradeReceipt(
                target=LEARN,
                column_id=column.id,
                learner_id=due.learner_id,
                value=due.value,
                score=there.score,
                text=there.text,
                change_index=there.change_index,
                first_score=first.score,
                first_text=first.text,
                first_marks=", ".join(first.marks),
                intent_id=before.intent_id if before and is_ours else None,
                at=clock.now(),
            )
        )

    def _write(self, column: Gradable, due: DueGrade, user_id: str, there: There, after: Values) -> None:
        if refused := self._ours.refusal(Kind.GRADE, column.id, due.value or "", due.learner_id):
            raise refused
        if _is_made_of(due, there):
            raise RefusedError(PublishReason.GRADE_DIFFERS)
        # That a symbol is shown again, as it was until we changed what it stands for, is not a change of the grade.
        is_put_right = due.is_unseen and due.receipt is not None and there.is_as_told(due.receipt)
        action = Action.CLEAR if "cleared" in after else Action.CREATE if there.is_empty else Action.UPDATE
        self._made.lines.append(
            Line(
                Kind.GRADE,
                action,
                column.name,
                column.id,
                after,
                before=None if there.is_empty else there.values,
                remote_id=column.remote_id,
                learner=due.learner,
                learner_id=due.learner_id,
                user_id=user_id,
                value=due.value,
                seen_index=there.change_index,
                due=column.due,
                risks=frozenset() if is_put_right else frozenset(risks(column, there, after)),
            )
        )

    def _conflict(self, column: Gradable, due: DueGrade, there: There) -> None:
        if due.conflict and _is_about(due.conflict, due, there):
            return  # a person has seen it, or will
        what = "somebody " + (
            "cleared it there" if there.is_empty else "changed it there" if due.receipt else "gave it there before us"
        )
        self._made.conflicts.append(
            GradeConflict(
                target=LEARN,
                column_id=column.id,
                learner_id=due.learner_id,
                course_id=self._made.course_id,
                ours=due.value,
                theirs_score=there.score,
                theirs_text=there.text,
                theirs_marks=", ".join(there.marks),
                what=what,
                found_at=clock.now(),
                resolution=Resolution.OPEN,
                resolved_by="",
                reason="",
                resolved_at=None,
            )
        )


def _is_made_of(due: DueGrade, there: There) -> bool:
    """Return whether it is what the gradebook made of just this number when it was sent."""
    receipt, value = due.receipt, due.value or ""
    if receipt is None or receipt.score is None or receipt.value != value or not NUMBER.fullmatch(value):
        return False
    return there.is_as_told(receipt) and rounded(receipt.score) != rounded(Decimal(value))


def _is_about(conflict: GradeConflict, due: DueGrade, there: There) -> bool:
    """Return whether a conflict is about just these two values."""
    theirs = (there.score, there.text, ", ".join(there.marks))
    return (conflict.ours, conflict.theirs_score, conflict.theirs_text, conflict.theirs_marks) == (due.value, *theirs)


def _after(value: str, there: There) -> Values:
    """Return what a write makes of a grade: its value, and what a person has set beside it is taken away.

    Raises:
        RefusedError: the value would clear the grade.
    """
    if value.strip() in NOTHING:
        raise RefusedError(PublishReason.GRADE_REFUSED, "there, such a symbol stands for no grade")
    said = {"score": plain(rounded(Decimal(value)))} if NUMBER.fullmatch(value) else {"text": value}
    return said | ({"without": list(there.marks)} if there.marks else {})


def _first(receipt: GradeReceipt) -> There:
    """Return what stood there before us, as far as it can be set again: of what stood beside it, an exemption."""
    is_exempt = EXEMPT in (receipt.first_marks or "").split(", ")
    return There(receipt.first_score, receipt.first_text, (EXEMPT,) if is_exempt else ())


def _restored(first: There) -> Values:
    """Return what makes a grade again what it was; a text follows from the score where there is one."""
    marks = {"marks": list(first.marks)} if first.marks else {}
    if first.score is not None:
        return {"score": plain(first.score)} | marks
    return ({"text": first.text} if first.text is not None else CLEARED) | marks


def risks(column: Gradable, there: There, after: Values) -> Iterable[str]:
    """Yield what a write of a grade risks, as the brakes count it."""
    if "cleared" in after:
        yield Risk.DELETIONS
    if "cleared" in after or Decimal(after.get("score", 1)) == 0:
        yield Risk.BLANKS
    if not there.is_empty and "cleared" not in after:
        yield Risk.CHANGES
        if after.get("text") in column.worst:  # which a new grade may be, as some always are
            yield Risk.BLANKS
        if _is_less(column, there, after):
            yield Risk.DECREASES


def _is_less(column: Gradable, there: There, after: Values) -> bool:
    if "score" in after:
        return there.score is not None and Decimal(after["score"]) < there.score
    ours, theirs = (column.ranks.get(text or "") for text in (after["text"], there.text))
    return ours is not None and theirs is not None and ours < theirs
