"""Marks of external grades back to the columns that had them before a batch."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import select

from gradeway.loading.base import chunks
from gradeway.loading.takeback import Earlier, Takeback
from gradeway.reasons import Reason
from gradeway.store.models import Change, GradeColumn

FLAG = "external"  # the field that a mark sets
MARK = "mark"


def take_back(undo: Takeback) -> None:
    """Move the marks that a batch gave back, or take them away; those that moved on since stay."""
    marked: dict[int, int] = {}  # by line the column that it marks: a mark that moves changes two
    for change in undo.ours(GradeColumn):
        if change.before and FLAG in change.before and not (change.before[FLAG] and change.line in marked):
            marked[change.line] = change.entity_id
    undo.touched |= marked.keys()
    for some in chunks(sorted(marked.items())):
        _take_back(undo, dict(some))
        undo.write()


def _take_back(undo: Takeback, marked: Mapping[int, int]) -> None:
    found = undo.session.scalars(select(GradeColumn).where(GradeColumn.id.in_(marked.values())))
    columns = {column.id: column for column in found}
    now = _marks(undo, {column.course_id for column in columns.values()})
    before = _earlier_marks(undo, {column.course_id for column in columns.values()})
    standing = {}
    for line, column_id in marked.items():
        column = columns[column_id]
        if column.external and column.external_batch_id == undo.batch_id:
            standing[line] = column
        else:
            why = f"batch {now.get(column.course_id)} marked a column since"
            undo.keep(Reason.UNDO_OVERTAKEN, line, column, why, MARK)
    for line, column in standing.items():
        undo.remember(column, line, [FLAG], {FLAG: undo.batch_id})
        column.external, column.external_batch_id = False, None
    undo.session.flush()  # a course never has two marks
    for line, column in standing.items():
        _mark(undo, line, before.get(column.course_id))


def _mark(undo: Takeback, line: int, earlier: Earlier | None) -> None:
    undo.taken.add(line)
    if earlier is None:
        undo.removed[MARK] += 1
        return
    column = undo.session.get_one(GradeColumn, earlier.value)
    undo.remember(column, line, [FLAG], {})
    column.external, column.external_batch_id = True, earlier.batch_id or None
    undo.restored[MARK] += 1


def _marks(undo: Takeback, courses: Collection[int]) -> dict[int, int | None]:
    """Return by course the batch that marked a column of it."""
    wanted = select(GradeColumn.course_id, GradeColumn.external_batch_id)
    wanted = wanted.where(GradeColumn.external, GradeColumn.course_id.in_(courses))
    return dict(undo.session.execute(wanted).tuples().all())


def _earlier_marks(undo: Takeback, courses: Collection[int]) -> dict[int, Earlier]:
    """Return by course the mark that undone batches did not give: its value is the column that had it."""
    wanted = select(GradeColumn.course_id, Change).join(GradeColumn, GradeColumn.id == Change.entity_id)
    wanted = wanted.where(Change.entity == GradeColumn.__tablename__, GradeColumn.course_id.in_(courses))
    found: dict[int, Earlier] = {}
    for course, change in undo.session.execute(wanted.order_by(Change.id)).tuples():
        earlier = undo.earlier(change, FLAG)
        if earlier and earlier.value:
            mark = earlier._replace(value=change.entity_id)
            found[course] = max(found.get(course, mark), mark)
    return found
