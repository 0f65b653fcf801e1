"""A landing zone with its store, for tests: dropped into as a sender does, looked at by natural keys."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, select
from sqlalchemy.pool import NullPool

from gradeway import settings
from gradeway.intake import Intake, Sweep
from gradeway.loading.undo import Undone
from gradeway.store.models import (
    Base,
    Batch,
    Change,
    Course,
    FindingRow,
    Grade,
    GradeColumn,
    GradeHistory,
    GradeSchema,
    Learner,
    ParkedRow,
)

Row = dict[str, Any]
# What differs between two runs that did the same: numbers given by the database, and times.
ACCIDENTAL = {"id", "batch_id", "external_batch_id", "course_id", "schema_id", "match_key", "given"}


class World:
    """One installation in a folder of its own; settings are given by their field names."""

    def __init__(self, home: Path, url: str, **given: object) -> None:
        self.home = home
        self.url = url
        self.settings = settings.load(
            {f"GRADEWAY_{name.upper()}": str(value) for name, value in given.items()}
            | {"GRADEWAY_HOME": str(home), "GRADEWAY_DATABASE_URL": url, "GRADEWAY_SETTLE_SECONDS": "0"}
        )
        self.intake = Intake(self.settings)
        self.zone = self.intake.zone

    def drop(self, name: str, header: str, *rows: str) -> Path:
        """Put a file into the inbox."""
        path = self.zone.inbox("grades") / name
        path.write_text("".join(f"{line}\n" for line in (header, *rows)), encoding="utf-8")
        return path

    def sweep(self, inbox: str = "") -> Sweep:
        """Run one sweep without a word."""
        return self.intake.sweep(lambda _: None, inbox)

    def land(self, name: str, header: str, *rows: str) -> Batch:
        """Drop a file, sweep, and return its batch."""
        self.drop(name, header, *rows)
        self.sweep()
        return self.batches()[-1]

    def undo(self, batch_id: int) -> Undone:
        """Take a batch back, and write the reports."""
        done = self.intake.undo(batch_id)
        self.intake.finish()
        return done

    def batches(self) -> list[Batch]:
        """Return the batches as they are now, in the order of claiming."""
        with self.intake.store.session() as session:
            found = list(session.scalars(select(Batch).order_by(Batch.id)))
            session.expunge_all()
        return found

    def codes(self, batch_id: int) -> list[tuple[int | None, str]]:
        """Return the line and the reason code of a batch's findings, but for those on its header."""
        with self.intake.store.session() as session:
            wanted = select(FindingRow.line, FindingRow.reason).where(
                FindingRow.batch_id == batch_id, FindingRow.line.is_distinct_from(1)
            )
            return [(line, reason) for line, reason in session.execute(wanted.order_by(FindingRow.line, FindingRow.id))]

    def report(self, batch: Batch) -> dict[str, Any]:
        """Return what a batch's report says."""
        found = json.loads((self.intake.report_folder(batch) / "report.json").read_text())
        assert isinstance(found, dict)
        return found

    def grades(self) -> dict[tuple[str, str, str], str]:
        """Return the grades by course, column and learner."""
        with self.look() as connection:
            return _grades(connection)

    def column(self, name: str, course: str = "C1") -> GradeColumn:
        """Return the one column of that name."""
        with self.intake.store.session() as session:
            wanted = select(GradeColumn).join(Course, Course.id == GradeColumn.course_id)
            found = session.scalars(wanted.where(Course.source_id == course, GradeColumn.name == name)).one()
            session.expunge_all()
        return found

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """Read the database on a connection of our own."""
        engine = own_engine(self.url)
        with engine.connect() as connection:
            yield connection
        engine.dispose()

    def gradebook(self) -> dict[str, Any]:
        """Return what the store says about grades, without how it came to say it."""
        with self.look() as connection:
            return {
                "schemas": _schemas(connection),
                "columns": _columns(connection),
                "grades": _grades(connection),
                "parked": _parked(connection),
            }

    def lineage(self) -> dict[str, dict[Any, Any]]:
        """Return which batches gave what the store says, by their numbers."""
        with self.look() as connection:
            names = _Names(connection)
            grades = {
                (*names.column[row["column_id"]], names.learner[row["learner_id"]]): (row["batch_id"], row["line"])
                for row in _all(connection, Grade)
            }
            columns = _all(connection, GradeColumn)
            marks = {names.column[row["id"]]: row["external_batch_id"] for row in columns if row["external"]}
            fields = {(*names.column[row["id"]], row["match_key"]): row["given"] for row in columns}
            schemas = {row["title"]: row["given"] for row in _all(connection, GradeSchema)}
        return {"grades": grades, "marks": marks, "columns": fields, "schemas": schemas}

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return every row of every table."""
        with self.look() as connection:
            return {
                table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
                for table in Base.metadata.sorted_tables
            }

    def files(self) -> dict[str, str]:
        """Return every file of the landing zone with the digest of its bytes."""
        root = self.zone.root
        return {str(p.relative_to(root)): _digest(p) for p in sorted(root.rglob("*")) if not p.is_dir()}

    def story(self) -> dict[str, Any]:
        """Return all that a run left behind, named by natural keys: store, history, landing zone, reports."""
        with self.look() as connection:
            names = _Names(connection)
            found = self.gradebook() | {
                "batches": sorted((_batch(batch, names) for batch in _all(connection, Batch)), key=repr),
                "findings": sorted((_finding(row, names) for row in _all(connection, FindingRow)), key=repr),
                "changes": sorted((_change(row, names) for row in _all(connection, Change)), key=repr),
                "history": sorted((_history(row, names) for row in _all(connection, GradeHistory)), key=repr),
                "given by": sorted((_given(row, names) for row in _all(connection, Grade)), key=repr),
                "learners": sorted(row["source_id"] for row in _all(connection, Learner)),
            }
        return found | {"zone": self._zone(), "reports": self._reports()}

    def _zone(self) -> list[tuple[str, str]]:
        """Where bytes are, by folder and digest; the names hold batch numbers."""
        return sorted((path.split("/")[0], sha) for path, sha in self.files().items() if not path.startswith("reports"))

    def _reports(self) -> list[Any]:
        found = []
        for path in self.zone.reports.rglob("report.json"):
            content = json.loads(path.read_text())
            content["reject_file"] = _text(path.with_name(content["reject_file"])) if content["reject_file"] else None
            content["page"] = path.with_name("report.html").is_file()
            for accidental in ("batch", "claimed_at", "loaded_at", "duplicate_of"):
                content[accidental] = content[accidental] is not None
            content["waiting"] = [row | {"since": ""} for row in content["waiting"]]
            found.append(content)
        drafts = [path.name for path in self.zone.reports.rglob("*.part")]
        return [*sorted(found, key=repr), *drafts]


class _Names:
    """The natural keys behind the store's numbers."""

    def __init__(self, connection: Connection) -> None:
        self.batch = {row["id"]: (row["file_name"], row["state"] == "duplicate") for row in _all(connection, Batch)}
        self.schema = {row["id"]: row["title"] for row in _all(connection, GradeSchema)}
        self.schema[None] = None
        courses = {row["id"]: row["source_id"] for row in _all(connection, Course)}
        self.column = {row["id"]: (courses[row["course_id"]], row["name"]) for row in _all(connection, GradeColumn)}
        self.learner = {row["id"]: row["source_id"] for row in _all(connection, Learner)}


def own_engine(url: str) -> Engine:
    """Return an engine that shares nothing with the store under test."""
    return create_engine(url, poolclass=NullPool)


def _all(connection: Connection, model: type[Base]) -> list[Row]:
    return [dict(row) for row in connection.execute(select(model.__table__)).mappings()]


def _schemas(connection: Connection) -> dict[str, Any]:
    return {row["title"]: (row["symbols"], row["optional_data"]) for row in _all(connection, GradeSchema)}


def _columns(connection: Connection) -> list[Row]:
    names = _Names(connection)
    found = []
    for row in _all(connection, GradeColumn):
        plain = {key: value for key, value in row.items() if key not in ACCIDENTAL | {"line"}}
        plain["points"] = row["points"].normalize()
        found.append(plain | {"course": names.column[row["id"]][0], "schema": names.schema[row["schema_id"]]})
    return sorted(found, key=lambda row: (row["course"], row["name"], row["kind"], repr(row)))


def _grades(connection: Connection) -> dict[tuple[str, str, str], str]:
    names = _Names(connection)
    found = {
        (*names.column[row["column_id"]], names.learner[row["learner_id"]]): row["value"]
        for row in _all(connection, Grade)
    }
    return dict(sorted(found.items()))


def _parked(connection: Connection) -> list[Any]:
    names = _Names(connection)
    rows = _all(connection, ParkedRow)
    return sorted(
        (names.batch[r["batch_id"]], r["line"], r["parent"], r["course"], r["name"], r["cells"]) for r in rows
    )


def _batch(row: Row, names: _Names) -> Row:
    accidental = {"id", "place", "claimed_at", "loaded_at", "duplicate_of", "replay_of"}
    kept = {key: value for key, value in row.items() if key not in accidental}
    links = {name: names.batch[row[name]] if row[name] else None for name in ("duplicate_of", "replay_of")}
    return kept | links | {"folder": row["place"].split("/")[0], "loaded": row["loaded_at"] is not None}


def _finding(row: Row, names: _Names) -> tuple[Any, ...]:
    return (names.batch[row["batch_id"]], row["line"] or 0, row["reason"], row["column"], row["detail"])


def _change(row: Row, names: _Names) -> tuple[Any, ...]:
    about = (names.schema if row["entity"] == "grade_schema" else names.column)[row["entity_id"]]
    before = row["before"]
    if before and "schema_id" in before:
        before = before | {"schema_id": names.schema[before["schema_id"]]}
    return (row["entity"], about, names.batch[row["batch_id"]], row["line"], before)


def _history(row: Row, names: _Names) -> tuple[Any, ...]:
    grade = (*names.column[row["column_id"]], names.learner[row["learner_id"]], row["value"])
    by = (names.batch[row["replaced_by_batch"]], row["replaced_by_line"])
    return (*grade, names.batch[row["batch_id"]], row["line"], *by)


def _given(row: Row, names: _Names) -> tuple[Any, ...]:
    grade = (*names.column[row["column_id"]], names.learner[row["learner_id"]], row["value"])
    return (*grade, names.batch[row["batch_id"]], row["line"])


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() else "missing"
