"""The schemas and columns of a plan: found there, made, or changed; what somebody changed there is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from gradeway import clock
from gradeway.publish.ours import Ours, stamp
from gradeway.publish.plan import REGRADING, Line, Made, Risk, Values
from gradeway.publish.reasons import PublishReason
from gradeway.publish.survey import Survey
from gradeway.publish.wanted import PREFIX, RefusedError, Wanted, external_id, plain, symbols, wanted_column
from gradeway.settings import Provisioning, Settings
from gradeway.store.models import ColumnKind, GradeColumn, GradeSchema
from gradeway.store.publish import LEARN, Action, Kind, PublishedItem
from gradeway.vendors.learn_records import Column, Schema

BOUNDS = 3  # a symbol's text and bounds; what comes after is its own value, which may be another there
# What can be set only once an assignment's column is there.
AFTER_ASSIGNING = ("anonymous", "external_grade", "external_id")


class ItemPlanner:
    """Compares the schemas and columns of one course."""

    def __init__(self, made: Made, ours: Ours, survey: Survey, settings: Settings) -> None:
        self._made, self._ours, self._survey, self._settings = made, ours, survey, settings
        self._schemas: dict[int, str | None] = {}
        self._folders: set[tuple[str, ...]] = set()
        self._taken = {item.remote_id for (kind, _), item in ours.items.items() if kind == Kind.COLUMN}

    def column(self, column: GradeColumn) -> str | None:
        """Compare a column; return its id there, "" if it is only planned, or None if it cannot be published."""
        try:
            self._compare_schema(column)
            return self._column(column, wanted_column(column, self._settings, is_ultra=self._survey.is_ultra))
        except RefusedError as refused:
            self._problem(Kind.COLUMN, column, refused.reason, refused.detail)
            return None

    def _problem(self, kind: Kind, record: GradeColumn | GradeSchema, reason: PublishReason, detail: str = "") -> None:
        self._made.problem(kind, record.id, reason, name=_name(record), detail=detail, value=stamp(record))

    # schemas

    def _compare_schema(self, column: GradeColumn) -> None:
        """Compare the schema of a column.

        Raises:
            RefusedError: it cannot be published, so the column has to wait.
        """
        if column.schema_id is None:
            return
        schema = self._ours.schemas[column.schema_id]
        if schema.id not in self._schemas:
            try:
                self._schemas[schema.id] = self._schema(schema)
            except RefusedError as refused:
                self._problem(Kind.SCHEMA, schema, refused.reason, refused.detail)
                self._schemas[schema.id] = None
        if self._schemas[schema.id] is None:
            raise RefusedError(PublishReason.SCHEMA_WAITED_FOR, schema.title)

    @property
    def _titles(self) -> dict[str, str | None]:
        """The titles of the schemas there, by their ids; ours of those that stand for ours, whatever they are there."""
        stands = {item.remote_id: key for (kind, key), item in self._ours.items.items() if kind == Kind.SCHEMA}
        stands |= {remote_id: key for key, remote_id in self._schemas.items() if remote_id}
        return self._survey.schema_titles | {
            remote_id: self._ours.schemas[key].title for remote_id, key in stands.items() if key in self._ours.schemas
        }

    def _schema(self, schema: GradeSchema) -> str:
        item = self._ours.items.get((Kind.SCHEMA, schema.id))
        if self._is_under_way(Kind.SCHEMA, schema.id):
            return item.remote_id if item else ""
        wanted: Values = {"symbols": symbols(schema, is_ultra=self._survey.is_ultra)}
        there = self._find_schema(schema, item)
        if there is None:
            return self._make_schema(schema, item, wanted)
        if not there.is_tabular:
            raise RefusedError(PublishReason.SCHEMA_KIND)
        self._change(Kind.SCHEMA, schema, there.id, wanted, {"symbols": have_symbols(there)})
        return there.id

    def _find_schema(self, schema: GradeSchema, item: PublishedItem | None) -> Schema | None:
        if item and item.remote_id:
            return self._survey.schemas.get(item.remote_id)
        key = external_id(self._survey.name, f"schema {schema.title}")
        every = self._survey.schemas.values()
        found = [each for each in every if each.external_id == key]
        found = found or [each for each in every if (each.title or "").strip() == schema.title]
        if len(found) > 1:
            raise RefusedError(PublishReason.SCHEMA_AMBIGUOUS)
        return found[0] if found else None

    def _make_schema(self, schema: GradeSchema, item: PublishedItem | None, wanted: Values) -> str:
        if item and item.remote_id:
            raise RefusedError(PublishReason.SCHEMA_GONE)
        if self._survey.is_ultra:
            raise RefusedError(PublishReason.SCHEMA_CREATE_UNSUPPORTED)
        if known := self._ours.refusal(Kind.SCHEMA, schema.id, stamp(schema)):
            raise known
        key = external_id(self._survey.name, f"schema {schema.title}")
        after = {"title": schema.title, **wanted, "external_id": key}
        self._made.lines.append(Line(Kind.SCHEMA, Action.CREATE, schema.title, schema.id, after, value=stamp(schema)))
        return ""

    def _risks(self, kind: Kind, entity_id: int, remote_id: str, after: Values) -> frozenset[str]:
        """Return what a change risks: grades that are there already are shown by a schema, and out of some points."""
        if kind == Kind.COLUMN:
            is_risky = self._ours.published.get(entity_id) and not REGRADING.isdisjoint(after)
            return frozenset([Risk.CHANGES] if is_risky else [])
        used = {each.grading.schema_id for each in self._survey.columns.values() if each.grading}
        return frozenset([Risk.SCHEMAS] if remote_id in used else [])

    # columns

    def _column(self, column: GradeColumn, wanted: Wanted) -> str:
        item = self._ours.items.get((Kind.COLUMN, column.id))
        if self._is_under_way(Kind.COLUMN, column.id):
            return item.remote_id if item else ""
        there = self._find_column(column, item)
        values = dict(wanted.values)
        if column.schema_id is not None:
            values["schema"] = self._ours.schemas[column.schema_id].title
        if there is None:
            return self._make_column(column, item, wanted, values)
        self._check_kind(column, there)
        self._compare_column(column, item, there, values)
        self._tell_uncarried(column, item, wanted, there)
        return there.id

    def _check_kind(self, column: GradeColumn, there: Column) -> None:
        """See that grades can be set there, and that learners can hand in where ours is an assignment.

        Raises:
            RefusedError: it is of another kind.
        """
        if there.is_calculated or (column.kind == ColumnKind.ASSIGNMENT and not there.content_id):
            raise RefusedError(PublishReason.COLUMN_KIND)

    def _compare_column(self, column: GradeColumn, item: PublishedItem | None, there: Column, values: Values) -> None:
        told = item.told if item else {}
        if not there.external_id:
            values["external_id"] = self._external_id(column)
        if told.get("schema") and column.schema_id is None:
            values["schema"] = None
        if told.get("external_grade") and not (column.external or self._keeps_flag(there)):
            values["external_grade"] = False
        if self._rule(column) is Provisioning.ONCE:  # but for what another file says of the column
            values = {name: value for name, value in values.items() if name == "external_grade"}
        have = have_of(there, values, self._titles if "schema" in values else {})
        if not column.external and "external_grade" in values:
            have["external_grade"] = False  # if not yet, then by the call that marks another column
        self._change(Kind.COLUMN, column, there.id, values, have)

    def _keeps_flag(self, there: Column) -> bool:
        """Whether it stays the external column, though not for us: Learn only ever takes the flag to another one."""
        return bool(there.external_grade) and not any(each.external for each in self._ours.columns)

    def _rule(self, column: GradeColumn) -> Provisioning:
        is_assignment = column.kind == ColumnKind.ASSIGNMENT
        return self._settings.assignment_provisioning if is_assignment else self._settings.column_provisioning

    def _external_id(self, column: GradeColumn) -> str:
        return external_id(self._survey.name, self._ours.keys[column.id])

    def _find_column(self, column: GradeColumn, item: PublishedItem | None) -> Column | None:
        if item and item.remote_id:
            return self._survey.columns.get(item.remote_id)
        key, every = self._external_id(column), self._survey.columns.values()
        found = [each for each in every if each.external_id == key]
        if found or self._rule(column) in {Provisioning.METADATA, Provisioning.ALWAYS}:
            return found[0] if found else None
        named = [each for each in every if each.name.strip() == column.name]
        free = [
            each for each in named if each.id not in self._taken and not (each.external_id or "").startswith(PREFIX)
        ]
        if named and not free:
            raise RefusedError(PublishReason.COLUMN_TAKEN)
        if len(free) > 1:
            raise RefusedError(PublishReason.COLUMN_AMBIGUOUS)
        self._taken |= {each.id for each in free}
        return free[0] if free else None

    def _make_column(self, column: GradeColumn, item: PublishedItem | None, wanted: Wanted, values: Values) -> str:
        if item and item.remote_id:
            raise RefusedError(PublishReason.COLUMN_GONE)
        if known := self._ours.refusal(Kind.COLUMN, column.id, stamp(column)):
            raise known
        values["external_id"] = self._external_id(column)
        if column.kind == ColumnKind.ASSIGNMENT:
            self._make_assignment(column, wanted, values)
        else:
            self._plan(column, Action.CREATE, values | wanted.made_with)
        self._tell_uncarried(column, None, wanted, None)
        return ""

    def _make_assignment(self, column: GradeColumn, wanted: Wanted, values: Values) -> None:
        if known := self._ours.refusal(Kind.FOLDER, column.id, stamp(column)):
            raise known
        for depth in range(1, len(wanted.folder) + 1):
            self._make_folder(column, wanted.folder[:depth])
        later = {name: values.pop(name) for name in AFTER_ASSIGNING if name in values}
        if values["due"] is None and wanted.made_with["end"]:
            later["due"] = values.pop("due")  # which Learn would take to be the end
        self._plan(column, Action.ASSIGN, values | wanted.made_with | {"folder": list(wanted.folder)})
        self._plan(column, Action.UPDATE, later)

    def _make_folder(self, column: GradeColumn, path: tuple[str, ...]) -> None:
        if path in self._folders or self._survey.folder(path) is not None:
            return
        self._folders.add(path)
        after = {"title": path[-1], "folder": list(path[:-1])}
        self._made.lines.append(Line(Kind.FOLDER, Action.CREATE, "/".join(path), column.id, after, value=stamp(column)))

    def _plan(self, column: GradeColumn, action: Action, after: Values) -> None:
        self._made.lines.append(
            Line(Kind.COLUMN, action, column.name, column.id, after, value=stamp(column), due=column.due_date)
        )

    def _tell_uncarried(
        self, column: GradeColumn, item: PublishedItem | None, wanted: Wanted, there: Column | None
    ) -> None:
        names = list(wanted.uncarried)
        if column.kind == ColumnKind.ASSIGNMENT and there and self._rule(column) is not Provisioning.ONCE:
            told = item.told if item else {}
            names += [name for name, value in wanted.made_with.items() if (told.get(name) or "") != (value or "")]
        if item and item.told.get("external_grade") and not column.external and there and self._keeps_flag(there):
            names.append("external")
        if names:
            self._problem(Kind.COLUMN, column, PublishReason.NOT_CARRIED, ", ".join(names))
        if column.external and self._survey.is_ultra:
            self._problem(Kind.COLUMN, column, PublishReason.EXTERNAL_UNSUPPORTED)

    # both

    def _is_under_way(self, kind: Kind, entity_id: int) -> bool:
        return (kind, entity_id, 0) in self._ours.under_way

    def _change(
        self, kind: Kind, record: GradeColumn | GradeSchema, remote_id: str, wanted: Values, have: Values
    ) -> None:
        """Plan what differs, but for what somebody changed there since we last told it."""
        item = self._ours.items.get((kind, record.id))
        told = item.told if item and not item.insist else {}
        differs = [name for name, value in wanted.items() if not is_same(name, have[name], value)]
        kept = [name for name in differs if name in told and not is_same(name, told[name], have[name])]
        if kept:
            self._problem(kind, record, PublishReason.CHANGED_THERE, ", ".join(sorted(kept)))
        after = {name: wanted[name] for name in differs if name not in kept}
        refused = self._ours.refusal(kind, record.id, stamp(record)) if after else None
        if refused:
            self._problem(kind, record, refused.reason, refused.detail)
        if item is None or not item.remote_id or not after:
            same = {name: value for name, value in have.items() if name not in differs}
            self._link(kind, record, remote_id, same, is_done=not after)
        if after and not refused:
            self._made.lines.append(
                Line(
                    kind,
                    Action.UPDATE,
                    _name(record),
                    record.id,
                    after,
                    before={name: have[name] for name in after},
                    remote_id=remote_id,
                    value=stamp(record),
                    due=getattr(record, "due_date", None),
                    risks=self._risks(kind, record.id, remote_id, after),
                )
            )

    def _link(
        self, kind: Kind, record: GradeColumn | GradeSchema, remote_id: str, same: Values, *, is_done: bool
    ) -> None:
        """Note what stands there for a record of ours, unless that is known; ``same`` is what is as it should be."""
        item = self._ours.items.get((kind, record.id))
        told, mark = (item.told if item else {}) | same, stamp(record) if is_done else ""
        if item and (item.remote_id, item.told, item.stamp, item.insist) == (remote_id, told, mark, False):
            return
        # Only a decision that was seen is over: a person may take one at this moment.
        over = {"insist": False} if item and item.insist else {}
        self._made.links.append(
            PublishedItem(
                target=LEARN,
                course_id=self._made.course_id,
                kind=kind,
                entity_id=record.id,
                remote_id=remote_id,
                told=told,
                stamp=mark,
                told_at=clock.now(),
                **over,
            )
        )


def is_same(name: str, one: object, other: object) -> bool:
    """Return whether two values of a name are the same; of symbols, their own values do not count."""
    if name == "symbols" and isinstance(one, list) and isinstance(other, list):
        return [symbol[:BOUNDS] for symbol in one] == [symbol[:BOUNDS] for symbol in other]
    return one == other


def have_symbols(there: Schema) -> list[list[str]]:
    """Return the symbols of a schema there, as plans have them."""
    found = sorted(there.symbols, key=lambda symbol: symbol.lower_bound, reverse=True)
    return [[each.text, *map(plain, (each.lower_bound, each.upper_bound, each.absolute_value))] for each in found]


def have_of(there: Column, names: Iterable[str], titles: Mapping[str, str | None]) -> Values:
    """Return what a column there has of some values, as plans have them; ``titles`` are those of the schemas there."""
    grading = there.grading
    anonymous = grading.anonymous_grading.type if grading and grading.anonymous_grading else None
    have: Values = {
        "name": there.name,
        "description": there.description or "",
        "possible": None if there.possible is None else plain(there.possible),
        "due": instant(grading.due) if grading and grading.due else None,
        "external_grade": bool(there.external_grade),
        "anonymous": anonymous not in {None, "None"},
        "schema": titles.get((grading.schema_id if grading else None) or ""),
        "external_id": there.external_id,
    }
    return {name: have[name] for name in names}


def instant(moment: datetime) -> str:
    """Return an instant as plans have it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _name(record: GradeColumn | GradeSchema) -> str:
    return record.title if isinstance(record, GradeSchema) else record.name
