"""Which column is a course's external grade: one at a time, the newest row decides."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from gradeway.loading.base import Row, RowLoader
from gradeway.loading.columns import columns_by_course
from gradeway.reasons import Reason
from gradeway.store.models import COLUMN, GradeColumn


class ExternalLoader(RowLoader):
    """Loads .colext rows."""

    def apply(self, session: Session, rows: Sequence[Row]) -> None:
        """Mark the columns of some rows; rows without their column wait."""
        columns = columns_by_course(session, {row.values["courseId"] for row in rows})
        for row in rows:
            mates = columns[row.values["courseId"]]
            found = [column for column in mates if column.name == row.values["name"]]
            if not found:
                self.park(row, COLUMN, row.values["name"], row.values["courseId"])
            elif len(found) > 1:
                self.reject(row, Reason.COLUMN_AMBIGUOUS, "name")
            else:
                self._mark(session, row, mates, found[0])

    def _mark(self, session: Session, row: Row, mates: list[GradeColumn], column: GradeColumn) -> None:
        held = next((mate for mate in mates if mate.external), None)
        if held and (held.external_batch_id or 0) > self.job.batch_id:
            self._overtake(row, held, column)
        elif held is column:
            self._confirm(row, column)
        else:
            self._move(session, row, held, column)

    def _overtake(self, row: Row, held: GradeColumn, column: GradeColumn) -> None:
        newer = held.external_batch_id or 0
        self.remember(column, row, {"external": column.external}, {"external": newer} if held is column else {})
        self.overtaken(column, {"external": True}, newer, self.line_of(held, newer))
        if held is column:
            self.tally.unchanged += 1
        else:
            self.supersede(row)

    def _confirm(self, row: Row, column: GradeColumn) -> None:
        self.tally.unchanged += 1
        if self.job.confirm:
            self._remember_mark(row, column)
            column.external_batch_id = self.job.batch_id

    def _move(self, session: Session, row: Row, held: GradeColumn | None, column: GradeColumn) -> None:
        if held:
            self._remember_mark(row, held)
            held.external = False
            session.flush()
        self.remember(column, row, {"external": False})
        column.external, column.external_batch_id = True, self.job.batch_id
        self.tally.updated += 1

    def _remember_mark(self, row: Row, held: GradeColumn) -> None:
        given = {"external": held.external_batch_id} if held.external_batch_id else {}
        self.remember(held, row, {"external": True}, given)
