"""Comparing a course of ours with what was written of it into flat files before: what comes of it is a plan.

Nobody can read what the importer made of the files, so what was told is what is known to be there.
The files add and change; they take nothing away. What a person was asked to take away by hand is not
known to be there any more: should it come again, it is written anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gradeway import clock
from gradeway.feeds.cells import NUMBER, CellError, parse_pairs
from gradeway.publish import rows
from gradeway.publish.file_intents import FEED, MARK, Schemas
from gradeway.publish.grades import Gradable, gradable, risks
from gradeway.publish.ours import DueGrade, Ours, copied, stamp, told_twice
from gradeway.publish.plan import Line, Made, Risk, Values, importance
from gradeway.publish.reasons import PublishReason
from gradeway.publish.rows import Cells
from gradeway.publish.survey import LOGIN, There
from gradeway.publish.wanted import RefusedError
from gradeway.settings import Provisioning, Settings
from gradeway.store.models import ColumnKind, GradeColumn, GradeSchema
from gradeway.store.publish import FILES, Action, Kind, PublishedItem

T = TypeVar("T")

IDENTITY = (FEED, "name", "optionalData")  # what stays known of a column that was taken back
# What of a column changes how learners see all their grades in it.
REGRADING = frozenset({"points", "gradeSchema"})


@dataclass(frozen=True)
class Item:
    """A schema or column of ours as a row, and what of it was written before; ``more`` is told by another file."""

    kind: Kind
    record: GradeSchema | GradeColumn
    row: Cells
    told: Values
    more: Values

    @property
    def name(self) -> str:
        """What it is called."""
        return self.record.title if isinstance(self.record, GradeSchema) else self.record.name

    @property
    def differs(self) -> Values:
        """What of the row was not written before."""
        return {name: value for name, value in self.row.items() if self.told.get(name) != value}


def compare_files(ours: Ours, schemas: Schemas, settings: Settings) -> Made:
    """Compare a course with what was written of it."""
    made = Made(ours.course.id, ours.course.source_id)
    _Comparison(made, ours, schemas, settings).run()
    return made


class _Comparison:
    def __init__(self, made: Made, ours: Ours, schemas: Schemas, settings: Settings) -> None:
        self._made, self._ours, self._schemas, self._settings = made, ours, schemas, settings
        self._coming: set[tuple[int, str]] = set()  # symbols, by column, that no file has before a person approves it

    def run(self) -> None:
        for column in self._ours.columns:
            self._inherit(column)
        lost = self._compare_schemas()
        columns = self._compare_columns(lost)
        self._compare_grades([gradable(column, "", self._ours) for column in columns])
        self._tell_waiting({column.id for column in columns})
        self._compare_removed()
        # Python sorts stably: rows of one column stay in their order.
        self._made.lines.sort(key=importance)

    # schemas

    def _compare_schemas(self) -> set[int]:
        """Compare the schemas that columns use; return those that cannot be written."""
        used = {column.schema_id for column in self._ours.columns if column.schema_id}
        items = [self._schema(self._ours.schemas[key]) for key in sorted(used)]
        accepted = list(self._accepted("sch", items, lambda item: item.row, self._refuse))
        for item in accepted:
            self._compare_schema(item)
        return used - {item.record.id for item in accepted}

    def _schema(self, schema: GradeSchema) -> Item:
        known = self._schemas.told.get(schema.title)
        return Item(Kind.SCHEMA, schema, rows.of_schema(schema), known.told if known else {}, {})

    def _compare_schema(self, item: Item) -> None:
        if (Kind.SCHEMA, item.record.id, 0) in self._ours.under_way:
            return
        if not item.differs:
            self._link(item, self._schemas.told[item.name].remote_id, {}, is_done=True)
        elif not item.told:  # each course's plan has it, and the first that is applied writes it
            self._plan(item, Action.CREATE, item.differs)
        else:
            self._note_coming(item)
            if (item.record.id, stamp(item.record)) not in self._schemas.elsewhere:
                self._plan(item, Action.UPDATE, item.differs, *([Risk.SCHEMAS] if "symbols" in item.told else []))

    def _note_coming(self, item: Item) -> None:
        if "symbols" in item.told:
            new = _texts(item.row["symbols"]) - _texts(item.told["symbols"])
            columns = [column.id for column in self._ours.columns if column.schema_id == item.record.id]
            self._coming |= {(column, text) for column in columns for text in new}

    # columns

    def _compare_columns(self, lost: Collection[int]) -> list[GradeColumn]:
        """Compare columns; return those that take grades, or will by this plan."""
        by_feed: dict[str, list[Item]] = defaultdict(list)
        for column in self._ours.columns:
            try:
                self._check(column, lost)
            except RefusedError as refused:
                self._problem(Kind.COLUMN, column, refused.reason, refused.detail)
            else:
                by_feed[rows.FEED_OF[ColumnKind(column.kind)]].append(self._item(column))
        accepted = [
            item
            for feed, items in by_feed.items()
            for item in self._accepted(feed, items, lambda item: item.row, self._refuse)
        ]
        for item in accepted:
            self._compare_column(item)
        return [item.record for item in accepted if isinstance(item.record, GradeColumn)]

    def _check(self, column: GradeColumn, lost: Collection[int]) -> None:
        """See that a column can be written.

        Raises:
            RefusedError: its schema cannot, or another column has its name already.
        """
        if column.schema_id and column.schema_id in lost:
            raise RefusedError(PublishReason.SCHEMA_WAITED_FOR, self._ours.schemas[column.schema_id].title)
        if self._holder(column.name) != column.id:
            raise RefusedError(PublishReason.COLUMN_TAKEN)

    def _holder(self, name: str) -> int:
        """Return which column has a name, by which the files know it: the one that was written, or the oldest."""
        written = [item.entity_id for item in self._ours.orphans if item.told["name"] == name]
        named = [column.id for column in self._ours.columns if column.name == name]
        return next(iter([*written, *(key for key in named if (Kind.COLUMN, key) in self._ours.items), *named]))

    def _item(self, column: GradeColumn) -> Item:
        schema = self._ours.schemas[column.schema_id].title if column.schema_id else ""
        known = self._ours.items.get((Kind.COLUMN, column.id))
        row = rows.of_column(column, self._made.course, schema, self._settings)
        feed = {FEED: rows.FEED_OF[ColumnKind(column.kind)]}
        return Item(Kind.COLUMN, column, feed | row, known.told if known else {}, MARK if column.external else {})

    def _compare_column(self, item: Item) -> None:
        if (Kind.COLUMN, item.record.id, 0) in self._ours.under_way:
            return
        known = self._ours.items.get((Kind.COLUMN, item.record.id))
        differs = item.differs
        if known and differs and self._rule(item.record) in {Provisioning.ONCE, Provisioning.ALWAYS}:
            self._problem(Kind.COLUMN, item.record, PublishReason.NOT_CARRIED, ", ".join(sorted(differs)))
            differs = {}
        if differs:
            is_risky = self._ours.published.get(item.record.id) and not REGRADING.isdisjoint(differs)
            risky = [Risk.CHANGES] if is_risky else []
            self._plan(item, Action.UPDATE if item.told else Action.CREATE, differs, *risky)
        marks = bool(item.more) and not item.told.get("external")
        if marks:
            self._plan(item, Action.UPDATE, item.more)
        if known:
            self._link(item, known.remote_id, self._left(item), is_done=not (differs or marks))

    def _rule(self, record: GradeSchema | GradeColumn) -> Provisioning:
        is_assignment = isinstance(record, GradeColumn) and record.kind == ColumnKind.ASSIGNMENT
        return self._settings.assignment_provisioning if is_assignment else self._settings.column_provisioning

    def _left(self, item: Item) -> Values:
        """Return what was written of a column and holds on: the mark goes once another column has it, and only so."""
        if not item.told.get("external") or item.more:
            return item.told
        if any(column.external for column in self._ours.columns):
            return {name: value for name, value in item.told.items() if name not in MARK}
        self._problem(Kind.COLUMN, item.record, PublishReason.NOT_CARRIED, "external")
        return item.told

    # both

    def _accepted(
        self, feed: str, some: Sequence[T], row_of: Callable[[T], Cells], refuse: Callable[[T, str], None]
    ) -> Iterator[T]:
        """Yield those whose rows can be written, and tell of the others."""
        found = rows.refused(feed, [row_of(each) for each in some], self._settings) if some else {}
        for place, each in enumerate(some):
            if place in found:
                refuse(each, found[place])
            else:
                yield each

    def _refuse(self, item: Item, why: str) -> None:
        self._problem(item.kind, item.record, PublishReason.CELL_REFUSED, why)

    def _problem(self, kind: Kind, record: GradeSchema | GradeColumn, reason: PublishReason, detail: str = "") -> None:
        name = record.title if isinstance(record, GradeSchema) else record.name
        self._made.problem(kind, record.id, reason, name=name, detail=detail, value=stamp(record))

    def _plan(self, item: Item, action: Action, after: Values, *risky: str) -> None:
        before = {name: item.told[name] for name in after if name in item.told}
        self._made.lines.append(
            Line(
                item.kind,
                action,
                item.name,
                item.record.id,
                after,
                before=None if action is Action.CREATE else before,
                value=stamp(item.record),
                due=getattr(item.record, "due_date", None),
                risks=frozenset(risky),
            )
        )

    def _link(self, item: Item, remote_id: str, told: Values, *, is_done: bool) -> None:
        """Note what stands there for a record of ours, unless that is known."""
        known = self._ours.items.get((item.kind, item.record.id))
        mark = stamp(item.record) if is_done else ""
        if known and known.told == told and known.stamp == (mark or known.stamp):
            return
        about = {"target": FILES, "course_id": self._made.course_id, "kind": item.kind, "entity_id": item.record.id}
        self._made.links.append(PublishedItem(**about, remote_id=remote_id, told=told, stamp=mark, told_at=clock.now()))

    # grades

    def _compare_grades(self, columns: Sequence[Gradable]) -> None:
        pairs = [(column, due) for column in columns for due in self._ours.due.get(column.id, ())]
        wanted = [pair for pair in pairs if self._is_to_be_written(*pair)]
        for column, due in self._accepted("colncval", wanted, self._row_of, self._refuse_grade):
            self._plan_grade(column, due)

    def _is_to_be_written(self, column: Gradable, due: DueGrade) -> bool:
        if (Kind.GRADE, column.id, due.learner_id) in self._ours.under_way:
            return False
        others = self._ours.spellings(column.id, due.learner) if self._settings.publish_learner_id == LOGIN else []
        if due.value is None and others:  # whose row is written over it
            self._made.forgotten_grades.append((column.id, due.learner_id))
        elif due.value is None:
            self._take_back(column.id, due)
            self._tell(column, due, PublishReason.REMOVAL_UNSUPPORTED)
        elif others:
            names = told_twice(sorted([due.learner, *others]))
            self._tell(column, due, PublishReason.LEARNER_TWICE, names)
        elif due.receipt and due.receipt.value == due.value:
            self._made.unchanged += 1
        elif (column.id, due.value) in self._coming:
            pass  # it stays due, and the plan of its schema waits for a person
        elif not (NUMBER.fullmatch(due.value) or due.value in column.ranks):
            self._tell(column, due, PublishReason.GRADE_REFUSED, "the column's schema has no such symbol")
        else:
            return True
        return False

    def _row_of(self, pair: tuple[Gradable, DueGrade]) -> Cells:
        column, due = pair
        return rows.of_grade(self._made.course, due.learner, column.name, due.value or "")

    def _refuse_grade(self, pair: tuple[Gradable, DueGrade], why: str) -> None:
        self._tell(*pair, PublishReason.CELL_REFUSED, why)

    def _tell(self, column: Gradable, due: DueGrade, reason: PublishReason, detail: str = "") -> None:
        about = {"name": column.name, "detail": detail, "value": due.value or ""}
        self._made.problem(Kind.GRADE, column.id, reason, learner_id=due.learner_id, **about)

    def _plan_grade(self, column: Gradable, due: DueGrade) -> None:
        before = _said(due.receipt.value) if due.receipt and due.receipt.value else None
        after = _said(due.value or "")
        self._made.lines.append(
            Line(
                Kind.GRADE,
                Action.UPDATE if before else Action.CREATE,
                column.name,
                column.id,
                after,
                before=before,
                learner=due.learner,
                learner_id=due.learner_id,
                value=due.value,
                due=column.due,
                risks=frozenset(risks(column, There.of_values(before or {}), after)),
            )
        )

    def _tell_waiting(self, ready: Collection[int]) -> None:
        for column in self._ours.columns:
            if column.id not in ready and self._ours.due.get(column.id):
                self._made.problem(Kind.GRADE, column.id, PublishReason.COLUMN_WAITED_FOR, name=column.name)

    # what we have no more

    def _inherit(self, column: GradeColumn) -> None:
        """Let a column that was taken back and came again stand for what was written of it."""
        if (Kind.COLUMN, column.id) in self._ours.items:
            return
        row = self._item(column).row
        for item in self._ours.orphans:
            if self._identity(item.told) == self._identity(row):
                self._ours.inherit(item, column)
                self._made.inherited[item.entity_id] = column.id
                return

    def _identity(self, row: Cells) -> tuple[str, str]:
        """Return by what the importer finds a column: by its name, or what the site set in its place."""
        feed = row[FEED]
        rule = self._settings.assignment_provisioning if feed == "asg" else self._settings.column_provisioning
        try:
            pairs = parse_pairs(row["optionalData"]) if row["optionalData"] else {}
        except CellError:
            pairs = {}
        key = pairs.get(self._settings.metadata_key) if rule is Provisioning.METADATA else None
        return feed, f"={key}" if key else row["name"]

    def _compare_removed(self) -> None:
        for item in self._ours.orphans:
            if (Kind.COLUMN, item.entity_id, 0) not in self._ours.under_way:
                self._compare_orphan(item)
        titles = {schema.title for schema in self._ours.schemas.values()}
        for (kind, entity_id), _ in self._ours.items.items():
            if kind == Kind.SCHEMA and entity_id not in self._ours.schemas:
                self._compare_lost_schema(entity_id, titles)

    def _compare_orphan(self, item: PublishedItem) -> None:
        due = self._ours.due.get(item.entity_id, ())
        for grade in due:
            self._take_back(item.entity_id, grade)
        about, detail = {"name": item.told["name"]}, f"with {len(due)} grades" if due else ""
        self._made.problem(Kind.COLUMN, item.entity_id, PublishReason.REMOVAL_UNSUPPORTED, detail=detail, **about)
        left = {name: item.told[name] for name in IDENTITY}
        if item.told != left:
            self._made.links.append(copied(item, told=left))

    def _take_back(self, column_id: int, due: DueGrade) -> None:
        """Note that it is not known any more what stands there for a grade."""
        if due.receipt and due.receipt.value:
            self._made.found.append(copied(due.receipt, column_id=column_id, value=""))

    def _compare_lost_schema(self, entity_id: int, titles: Collection[str]) -> None:
        known = next((item for item in self._schemas.told.values() if item.entity_id == entity_id), None)
        if known is None or known.told["title"] in titles:
            self._made.forgotten_items.append((Kind.SCHEMA, entity_id))
            return
        self._made.problem(Kind.SCHEMA, entity_id, PublishReason.REMOVAL_UNSUPPORTED, name=known.told["title"])
        self._made.links.append(copied(known, told={"title": known.told["title"]}))


def _texts(symbols: str) -> set[str]:
    """Return the texts of a cell of symbols."""
    return {symbol.partition("=")[0] for symbol in symbols.split(":")}


def _said(value: str) -> Values:
    """Return a value as plans have it."""
    return {"score": value} if NUMBER.fullmatch(value) else {"text": value}
