"""Grade schemas into the store, matched by title."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from gradeway.loading.base import Row, RowLoader
from gradeway.reasons import Finding, Reason
from gradeway.store.models import Grade, GradeColumn, GradeSchema

SHOWN = 5


class SchemaLoader(RowLoader):
    """Loads .sch rows."""

    def apply(self, session: Session, rows: Sequence[Row]) -> None:
        """Create or update the schemas of some rows."""
        titles = [row.values["title"] for row in rows]
        known = {
            schema.title: schema for schema in session.scalars(select(GradeSchema).where(GradeSchema.title.in_(titles)))
        }
        for row in rows:
            schema = known.get(row.values["title"])
            if schema:
                held = texts_of(schema)
                self.revise(schema, _fields(row.values), row)
                if used := symbols_in_use(session, schema, held):
                    self.tally.findings.append(Finding(Reason.SYMBOL_IN_USE, row.line, "symbols", used))
            else:
                self._create(session, row)

    def _create(self, session: Session, row: Row) -> None:
        schema = GradeSchema(title=row.values["title"], **_fields(self.complete(row.values)))
        self.create(session, schema, _fields(row.values), row)


def texts_of(schema: GradeSchema) -> set[str]:
    """Return the texts of a schema's symbols."""
    return {text for text, _ in schema.symbols if text}


def symbols_in_use(session: Session, schema: GradeSchema, held: set[str]) -> str:
    """Tell which of the symbols that a schema held and lost stand in the store as grades; nothing if none does."""
    dropped = held - texts_of(schema)
    if not dropped:
        return ""
    used = select(Grade.value).join(GradeColumn, GradeColumn.id == Grade.column_id).distinct()
    found = session.scalars(used.where(GradeColumn.schema_id == schema.id, Grade.value.in_(dropped)))
    symbols = ", ".join(sorted(found)[:SHOWN])
    return f"it is {symbols}" if symbols else ""


def _fields(values: dict[str, Any]) -> dict[str, Any]:
    fields = {}
    if "symbols" in values:
        fields["symbols"] = [
            [symbol.text, None if symbol.lower is None else format(symbol.lower, "f")] for symbol in values["symbols"]
        ]
    if "optionalData" in values:
        fields["optional_data"] = values["optionalData"]
    return fields
