"""What the parts of an undo share: whose word counts no more, what they took back and what they kept."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from gradeway.loading.base import Past, write_changes
from gradeway.reasons import Finding, Reason
from gradeway.settings import Settings
from gradeway.store import ledger
from gradeway.store.models import COLUMN, SCHEMA, Change, Course, GradeColumn, GradeSchema

Entity = GradeSchema | GradeColumn
Model = type[GradeSchema] | type[GradeColumn]

NOBODY = 0  # stands for the batch where none gave a field
KINDS = {GradeSchema: SCHEMA, GradeColumn: COLUMN}


class Earlier(NamedTuple):
    """What something was before: the batch that gave it, its place in the history, the value."""

    batch_id: int
    place: int
    value: Any


@dataclass(frozen=True)
class Kept:
    """Something of an undone batch that stays: the line of its file, what it is, and why."""

    reason: Reason
    line: int
    kind: str
    name: str
    course: str
    why: str

    @property
    def finding(self) -> Finding:
        """The same as the ledger keeps it, without names."""
        return Finding(self.reason, self.line, "", self.why)


class Takeback:
    """The undo of a batch, once the ledger knows it.

    ``undone`` are all batches that were, this one too, with those that undid them. ``restored`` and
    ``removed`` count by kind; ``kept`` is what stays. ``touched`` are the lines of the batch's file
    that had done something, ``taken`` those of them that were taken back.
    """

    def __init__(self, session: Session, settings: Settings, batch_id: int, undo_id: int) -> None:
        self.session, self.settings = session, settings
        self.batch_id, self.undo_id = batch_id, undo_id
        self.undone = ledger.undone(session)
        self.restored: Counter[str] = Counter()
        self.removed: Counter[str] = Counter()
        self.kept: list[Kept] = []
        self.findings: list[Finding] = []
        self.touched: set[int] = set()
        self.taken: set[int] = set()
        self._past: list[Past] = []

    def ours(self, model: Model) -> list[Change]:
        """Return what the batch changed of a kind of record, in order."""
        wanted = select(Change).where(Change.entity == model.__tablename__, Change.batch_id == self.batch_id)
        return list(self.session.scalars(wanted.order_by(Change.id)))

    def with_history(self, model: Model, ids: Sequence[int]) -> list[tuple[Entity, list[Change]]]:
        """Return some records, each with all that was changed of it, in order."""
        wanted = select(Change).where(Change.entity == model.__tablename__, Change.entity_id.in_(ids))
        changes: dict[int, list[Change]] = defaultdict(list)
        for change in self.session.scalars(wanted.order_by(Change.id)):
            changes[change.entity_id].append(change)
        records: Iterable[Entity] = self.session.scalars(select(model).where(model.id.in_(ids)).order_by(model.id))
        return [(record, changes[record.id]) for record in records]

    def earlier(self, change: Change, name: str) -> Earlier | None:
        """Return what a field was before a change; None if that did not change it, or if its giver was undone."""
        if not change.before or name not in change.before or change.given.get(name) in self.undone:
            return None
        return Earlier(change.given.get(name, NOBODY), change.id, change.before[name])

    def remember(self, record: Entity, line: int, names: Iterable[str], given: Mapping[str, int]) -> None:
        """Keep what fields of a record are, and who gave them, before the undo changes them."""
        before = {name: getattr(record, name) for name in names}
        self._past.append(Past(record, self.undo_id, line, before, given))

    def keep(self, reason: Reason, line: int, record: Entity, why: str, kind: str = "") -> None:
        """List a record, or something of another kind about it, as something that stays."""
        if isinstance(record, GradeSchema):
            name, course = record.title, ""
        else:
            name, course = record.name, self.session.get_one(Course, record.course_id).source_id
        self.kept.append(Kept(reason, line, kind or KINDS[type(record)], name, course, why))

    def write(self) -> None:
        """Write the changes of some records, and their history."""
        write_changes(self.session, self._past)
        self._past.clear()
        self.session.flush()
        self.session.expunge_all()
