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
        if held is column:
            column.external_batch_id = max(column.external_batch_id or 0, self.job.batch_id)
            self.tally.unchanged += 1
        elif held and (held.external_batch_id or 0) > self.job.batch_id:
            self.supersede(row)
        else:
            self._move(session, row, held, column)

    def _move(self, session: Session, row: Row, held: GradeColumn | None, column: GradeColumn) -> None:
        if held:
            held.external = False
            self.remember(held, row, {"external": True})
            session.flush()
        column.external, column.external_batch_id = True, self.job.batch_id
        self.remember(column, row, {"external": False})
        self.tally.updated += 1
