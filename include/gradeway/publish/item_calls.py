"""The calls about the schemas, folders and columns of a plan: what each sends, and whether it took effect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import select

from gradeway.publish.items import have_of, have_symbols
from gradeway.publish.plan import BLANK
from gradeway.publish.stands import items
from gradeway.publish.survey import Survey
from gradeway.publish.wanted import PREFIX
from gradeway.settings import Provisioning, Settings
from gradeway.store.engine import Store
from gradeway.store.models import GradeColumn, GradeSchema
from gradeway.store.publish import LEARN, Action, Kind, PublishedItem, PublishIntent
from gradeway.vendors.learn import Learn
from gradeway.vendors.learn_records import Column, Schema, Symbol
from gradeway.vendors.learn_values import AssignmentValues, ColumnKey, ColumnValues, SchemaKey, SchemaValues

CHANGED_THERE = "it has changed there since the plan"
THERE_ALREADY = "it is there already"
INSTANTS = {"due", "start", "end"}
UNSEEN = {"available"}  # what a column is made with, and is not compared
SHOWN = {"possible", "due", "schema"}  # what shows that an assignment is as ours is made
# What an assignment's intent has as its before: the columns that are there already, so not the one it makes.
SEEN = "seen"
# The rules by which a column that somebody makes before us is taken over, and none is made beside it.
BY_NAME = {Provisioning.NAME, Provisioning.ONCE}


class ChangedThereError(Exception):
    """What stands there is not what the plan saw, or what the call needs is not there."""


class Stands(NamedTuple):
    """What stands there now: its id, that of an assignment's content, and which values are not as we told them."""

    remote_id: str = ""
    content_id: str = ""
    differing: Sequence[str] = ()


NOTHING = Stands()
Call = Callable[[], Stands]


class ItemCalls:
    """Looks at what stands there, and makes calls of intents."""

    def __init__(self, store: Store, client: Learn, settings: Settings) -> None:
        self._store, self._client, self._settings = store, client, settings

    def prepared(self, intent: PublishIntent, survey: Survey) -> Call:
        """Look whether an intent's call still does what was planned, and return what makes it.

        Raises:
            ChangedThereError: it would not.
        """
        if intent.kind == Kind.SCHEMA:
            return self._schema_call(intent, survey)
        if intent.kind == Kind.FOLDER:
            return self._folder_call(intent, survey)
        if intent.action == Action.CREATE:
            return self._create_call(intent, survey)
        if intent.action == Action.ASSIGN:
            return self._assign_call(intent, survey)
        return self._change_call(intent, survey)

    def _schema_call(self, intent: PublishIntent, survey: Survey) -> Call:
        values: SchemaValues = {"symbols": [_symbol(*each) for each in intent.after["symbols"]]}
        if intent.action == Action.CREATE:
            if self.effect(intent, survey):
                raise ChangedThereError(THERE_ALREADY)
            values |= {"title": intent.after["title"], "external_id": intent.after["external_id"]}
            return lambda: _answered_schema(intent, self._client.create_schema(survey.key, values))
        there = survey.schemas.get(intent.remote_id)
        if there is None or {"symbols": have_symbols(there)} != intent.before:
            raise ChangedThereError(CHANGED_THERE)
        key = SchemaKey("id", there.id)
        return lambda: _answered_schema(intent, self._client.patch_schema(survey.key, key, values))

    def _folder_call(self, intent: PublishIntent, survey: Survey) -> Call:
        if self.effect(intent, survey):
            raise ChangedThereError(THERE_ALREADY)
        parent = self._folder(survey, intent.after["folder"])
        return lambda: Stands(self._client.create_folder(survey.key, intent.after["title"], parent).id)

    def _folder(self, survey: Survey, path: Sequence[str]) -> str | None:
        """Return the id of a folder; None for the top of the course."""
        found = survey.folder(path)
        if path and found is None:
            what = f"there is no folder {'/'.join(path)}"
            raise ChangedThereError(what)
        return found

    def _create_call(self, intent: PublishIntent, survey: Survey) -> Call:
        is_taken = self._settings.column_provisioning in BY_NAME and _named(intent, survey)
        if is_taken or self.effect(intent, survey):
            raise ChangedThereError(THERE_ALREADY)
        values = self._column_values(intent, survey)
        return lambda: self._answered(intent, survey, self._client.create_column(survey.key, values))

    def _assign_call(self, intent: PublishIntent, survey: Survey) -> Call:
        if self._settings.assignment_provisioning in BY_NAME and _named(intent, survey):
            raise ChangedThereError(THERE_ALREADY)
        # Learn knows no identifier of ours by which to find it: so all others are noted.
        intent.before = {SEEN: list(survey.columns)}
        typed = self._typed(intent, survey)
        values: AssignmentValues = typed | {"title": typed.pop("name")}
        if parent := self._folder(survey, intent.after["folder"]):
            values["parent_id"] = parent

        def call() -> Stands:
            made = self._client.create_assignment(survey.key, values)
            return Stands(made.grade_column_id, made.content_id)

        return call

    def _change_call(self, intent: PublishIntent, survey: Survey) -> Call:
        remote_id = self._remote_id(intent)
        there = self._client.column(survey.key, ColumnKey("id", remote_id)) if remote_id else None
        if there is None:
            what = "its column is not there"
            raise ChangedThereError(what)
        key = ColumnKey("id", there.id)
        if intent.action == Action.DELETE:
            return self._delete_call(intent, survey, there)
        if self._differing(intent, survey, there, intent.before or {}):
            raise ChangedThereError(CHANGED_THERE)
        values = self._column_values(intent, survey)
        return lambda: self._answered(intent, survey, self._client.patch_column(survey.key, key, values))

    def _delete_call(self, intent: PublishIntent, survey: Survey, there: Column) -> Call:
        """Return what deletes a column; that of an assignment goes with its content."""
        if survey.last_changed(there.id) != intent.seen_index:
            raise ChangedThereError(CHANGED_THERE)
        if there.content_id and survey.has_attempts(there.id):
            raise ChangedThereError(CHANGED_THERE)

        def call() -> Stands:
            if there.content_id:
                self._client.delete_assignment(survey.key, there.content_id)
            else:
                self._client.delete_column(survey.key, ColumnKey("id", there.id))
            return Stands(there.id)

        return call

    def _answered(self, intent: PublishIntent, survey: Survey, there: Column) -> Stands:
        """Return what an answer shows: it is the receipt."""
        return Stands(there.id, differing=self._differing(intent, survey, there, intent.after))

    def _remote_id(self, intent: PublishIntent) -> str:
        """Return the id of a column that was there when it was planned, or was made since."""
        item = items(self._store, LEARN, intent.course_id, Kind.COLUMN).get(intent.entity_id)
        return intent.remote_id or (item.remote_id if item and item.made else "")

    def _differing(
        self, intent: PublishIntent, survey: Survey, there: Column, values: Mapping[str, Any]
    ) -> Sequence[str]:
        """Return the names of the values that a column there has not."""
        titles = self._titles(intent, survey) if "schema" in values else {}
        have = have_of(there, values.keys() - UNSEEN, titles)
        return [name for name, value in sorted(have.items()) if value != values[name]]

    def _titles(self, intent: PublishIntent, survey: Survey) -> dict[str, str | None]:
        """Return the titles of the schemas there; of those that stand for ours, the titles that we know."""
        ours = items(self._store, LEARN, intent.course_id, Kind.SCHEMA)
        with self._store.session() as session:
            known = {item.remote_id: session.get(GradeSchema, key) for key, item in ours.items()}
        return survey.schema_titles | {key: schema.title for key, schema in known.items() if schema}

    def _column_values(self, intent: PublishIntent, survey: Survey) -> ColumnValues:
        values: ColumnValues = self._typed(intent, survey)
        return values

    def _typed(self, intent: PublishIntent, survey: Survey) -> Any:  # noqa: ANN401  the values of one kind of call
        """Return an intent's values as the client takes them; what is made is made without those that are blank."""
        values = {name: value for name, value in intent.after.items() if name not in {"folder", "schema"}}
        if intent.action != Action.UPDATE:
            values = {name: value for name, value in values.items() if value not in BLANK}
        for name in INSTANTS & values.keys():
            values[name] = datetime.fromisoformat(values[name]) if values[name] else None
        if "possible" in values:
            values["possible"] = Decimal(values["possible"])
        if values.get("attempts_allowed") == "unlimited":
            values["attempts_allowed"] = None
        return values | ({"schema_id": self._schema_id(intent, survey)} if "schema" in intent.after else {})

    def _schema_id(self, intent: PublishIntent, survey: Survey) -> str:
        """Return the id there of the schema that a column of ours has; without any, of that which shows scores."""
        if intent.after["schema"] is None:
            return next(key for key, title in survey.schema_titles.items() if title is None)
        with self._store.session() as session:
            column = session.get(GradeColumn, intent.entity_id)
        known = items(self._store, LEARN, intent.course_id, Kind.SCHEMA)
        item = known.get(column.schema_id or 0) if column else None
        if item is None:
            what = "its schema is not there"
            raise ChangedThereError(what)
        return item.remote_id

    # effects

    def effect(self, intent: PublishIntent, survey: Survey) -> Stands | None:
        """Read whether an intent took effect: return what stands there, or None."""
        if intent.kind == Kind.SCHEMA:
            return self._effect_on_schema(intent, survey)
        if intent.kind == Kind.FOLDER:
            found = survey.folder([*intent.after["folder"], intent.after["title"]])
            return Stands(found) if found else None
        if intent.action == Action.CREATE:
            return _first(each for each in survey.columns.values() if each.external_id == intent.after["external_id"])
        if intent.action == Action.ASSIGN:
            return self._assigned(intent, survey)
        return self._effect_on_column(intent, survey)

    def _effect_on_schema(self, intent: PublishIntent, survey: Survey) -> Stands | None:
        if intent.action == Action.CREATE:
            names = {intent.after["external_id"], intent.after["title"]}
            return next(
                (Stands(each.id) for each in survey.schemas.values() if names & {each.external_id, each.title}), None
            )
        there = survey.schemas.get(intent.remote_id)
        return Stands(there.id) if there and have_symbols(there) == intent.after["symbols"] else None

    def _assigned(self, intent: PublishIntent, survey: Survey) -> Stands | None:
        """Return what an assignment's call made; where several may be it, a person has to say which."""
        names = _named(intent, survey)
        found = [each for each in self._new(intent, survey) if each.id in names]
        if len(found) != 1:
            return None
        made = {name: value for name, value in intent.after.items() if name in SHOWN}
        return Stands(found[0].id, found[0].content_id or "", self._differing(intent, survey, found[0], made))

    def may_be(self, intent: PublishIntent, survey: Survey) -> list[str]:
        """Return the names of what may be there from a call that had no effect by its name: somebody renames things.

        Nothing is, once we have no such assignment any more: it is not made again.
        """
        if intent.action != Action.ASSIGN:
            return []
        columns = select(GradeColumn.id, GradeColumn.name).where(GradeColumn.course_id == intent.course_id)
        with self._store.session() as session:
            ours = dict(session.execute(columns).tuples().all())
        if ours.pop(intent.entity_id, None) is None:
            return []
        return sorted(each.name for each in self._new(intent, survey) if each.name not in ours.values())

    def _new(self, intent: PublishIntent, survey: Survey) -> list[Column]:
        """Return the assignments that were not there before an intent's call and are none of ours, of any course."""
        seen = (intent.before or {}).get(SEEN, ())
        new = {each.id: each for each in survey.columns.values() if each.content_id and each.id not in seen}
        of_ours = select(PublishedItem.remote_id).where(
            PublishedItem.target == LEARN, PublishedItem.kind == Kind.COLUMN, PublishedItem.remote_id.in_(new)
        )
        with self._store.session() as session:
            ours = set(session.scalars(of_ours))
        return [
            each for key, each in new.items() if key not in ours and not (each.external_id or "").startswith(PREFIX)
        ]

    def _effect_on_column(self, intent: PublishIntent, survey: Survey) -> Stands | None:
        remote_id = self._remote_id(intent)
        there = survey.columns.get(remote_id)
        if intent.action == Action.DELETE:
            return None if there else Stands(remote_id)
        is_so = there is not None and not self._differing(intent, survey, there, intent.after)
        return Stands(remote_id) if is_so else None


def _named(intent: PublishIntent, survey: Survey) -> list[str]:
    """Return the ids of the columns there that have the name of one that is to be made."""
    return [each.id for each in survey.columns.values() if each.name.strip() == intent.after["name"]]


def _first(columns: Iterable[Column]) -> Stands | None:
    return next((Stands(each.id, each.content_id or "") for each in columns), None)


def _answered_schema(intent: PublishIntent, there: Schema) -> Stands:
    return Stands(there.id, differing=[] if have_symbols(there) == intent.after["symbols"] else ["symbols"])


def _symbol(text: str, lower: str, upper: str, own: str) -> Symbol:
    return Symbol(text=text, lower_bound=Decimal(lower), upper_bound=Decimal(upper), absolute_value=Decimal(own))
