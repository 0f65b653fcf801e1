"""Schemas and columns back to what they were before a batch.

A field goes back to what the newest batch gave it that was not undone, or to what it was before any
gave it. A schema or column that only undone batches speak of is removed, unless something needs it;
what has to stay is looked at again by every later undo.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Date, and_, select

from gradeway.loading import needed
from gradeway.loading.base import chunks
from gradeway.loading.schemas import symbols_in_use, texts_of
from gradeway.loading.takeback import KINDS, NOBODY, Earlier, Entity, Model, Takeback
from gradeway.reasons import Finding, Reason
from gradeway.store.models import Change, DecimalText, GradeColumn, GradeSchema

READERS: Mapping[type, Callable[[str], object]] = {DecimalText: Decimal, Date: date.fromisoformat}


def take_back(undo: Takeback) -> None:
    """Remove what a batch made, and bring back the fields that it gave to what others had made."""
    for model in (GradeColumn, GradeSchema):  # in this order: a column that is gone needs no schema
        _remove(undo, model)
        touched = {change.entity_id for change in undo.ours(model)}
        for some in chunks(sorted(touched)):
            for record, changes in undo.with_history(model, some):
                _Record(undo, record, changes).bring_back()
            undo.write()


def _remove(undo: Takeback, model: Model) -> None:
    made = select(model.id).join(Change, and_(Change.entity == model.__tablename__, Change.entity_id == model.id))
    made = made.where(Change.before.is_(None), Change.batch_id.in_(undo.undone))
    for some in chunks(sorted(set(undo.session.scalars(made)))):
        why = _needs(undo, model, some)
        for record, changes in undo.with_history(model, some):
            _Record(undo, record, changes).remove_or_keep(why.get(record.id))
        undo.write()


def _needs(undo: Takeback, model: Model, ids: Sequence[int]) -> dict[int, str]:
    if model is GradeSchema:
        return needed.schemas(undo.session, undo.undone, ids)
    return needed.columns(undo.session, undo.settings, ids)


class _Record:
    """A schema or column with all that was changed of it, and what of that is of the batch that is undone."""

    def __init__(self, undo: Takeback, record: Entity, changes: Sequence[Change]) -> None:
        self._undo, self._record, self._changes = undo, record, changes
        self._ours = [change for change in changes if change.batch_id == undo.batch_id]
        self._lines = {change.line for change in self._ours}

    @property
    def _line(self) -> int:
        return self._ours[-1].line if self._ours else self._record.line

    @property
    def _is_ours(self) -> bool:
        return any(change.before is None for change in self._ours)

    def remove_or_keep(self, why: str | None) -> None:
        """Remove what only undone batches speak of, unless something needs it."""
        undo, record = self._undo, self._record
        if speakers := self._speakers():
            why = f"batch {max(speakers)} says something of it, too"
        if why is None:
            undo.touched |= self._lines
            undo.taken |= self._lines
            undo.removed[KINDS[type(record)]] += 1
            undo.remember(record, self._line, record.given, record.given)
            undo.session.delete(record)
        elif self._is_ours:
            undo.keep(Reason.UNDO_KEPT, self._line, record, why)

    def _speakers(self) -> set[int]:
        """Return the batches that gave something of the record, now or before, and were not undone."""
        given = {*self._record.given.values(), *(batch for one in self._changes for batch in one.given.values())}
        if isinstance(self._record, GradeColumn) and self._record.external:
            given.add(self._record.external_batch_id or NOBODY)
        return given - self._undo.undone.keys() - {NOBODY}

    def bring_back(self) -> None:
        """Bring the fields that the batch gave last back to what they were; those that others gave since stay."""
        given = self._record.given
        standing = [name for name, batch in given.items() if batch == self._undo.batch_id]
        back = {name: found for name in standing if (found := self._earlier(name))}
        self._undo.touched |= self._lines
        if back:
            self._undo.taken |= self._lines
            self._set(back)
        said = {name for change in self._ours for name in change.before or ()} & (given.keys() - back.keys())
        for giver in sorted({given[name] for name in said}):
            self._keep_fields(giver, ", ".join(sorted(name for name in said if given[name] == giver)))

    def _earlier(self, name: str) -> Earlier | None:
        """Return what undone batches did not give a field; None where it never was anything else."""
        found = (self._undo.earlier(change, name) for change in self._changes)
        return max(filter(None, found), default=None, key=lambda earlier: earlier[:2])

    def _set(self, back: Mapping[str, Earlier]) -> None:
        undo, record = self._undo, self._record
        held = texts_of(record) if isinstance(record, GradeSchema) else set()
        undo.remember(record, self._line, back, record.given)
        for name, found in back.items():
            setattr(record, name, _typed(record, name, found.value))
        others = {name: batch for name, batch in record.given.items() if name not in back}
        record.given = others | {name: found.batch_id for name, found in back.items() if found.batch_id != NOBODY}
        if record.batch_id == undo.batch_id:
            record.batch_id, record.line = self._last_row()
        undo.restored[KINDS[type(record)]] += 1
        if isinstance(record, GradeSchema) and (used := symbols_in_use(undo.session, record, held)):
            undo.findings.append(Finding(Reason.SYMBOL_IN_USE, self._line, "symbols", used))

    def _last_row(self) -> tuple[int, int]:
        """Return the batch and line that last said something, but for undone batches and for undos."""
        gone = {*self._undo.undone.keys(), *self._undo.undone.values()}
        rows = [(change.batch_id, change.line) for change in self._changes if change.batch_id not in gone]
        return rows[-1] if rows else (self._record.batch_id, self._record.line)

    def _keep_fields(self, giver: int, names: str) -> None:
        if giver != self._undo.batch_id:
            why = f"batch {giver} gave it since ({names})"
            self._undo.keep(Reason.UNDO_OVERTAKEN, self._line, self._record, why)
        elif not self._is_ours:
            why = f"only undone batches gave it before ({names})"
            self._undo.keep(Reason.UNDO_KEPT, self._line, self._record, why)


def _typed(record: Entity, name: str, value: Any) -> Any:  # noqa: ANN401  as the field's type has it
    """Return a value of the history as the field has it."""
    read = READERS.get(type(record.__table__.c[name].type))
    return value if read is None or value is None else read(value)
