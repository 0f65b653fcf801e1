"""Which column takes a result: the one that names its session, else its assessment, in its optionalData.

An installation's own file goes before both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, false, func, or_, select, tuple_
from sqlalchemy.orm import Session

from gradeway.mappings import MappingFile
from gradeway.settings import Settings
from gradeway.store.dialects import among, listed
from gradeway.store.models import RESULT, Course, GradeColumn, ParkedRow

FILE_COLUMNS = ("session", "assessment", "courseId", "name")
MOST = 5000  # pairs in one query


class Named(NamedTuple):
    """What a result says it is of; either part may be blank."""

    session: str
    assessment: str


class Place(NamedTuple):
    """A column by its course and name."""

    course: str
    name: str


@dataclass(frozen=True)
class Taker:
    """A column that takes results, and how many points it is worth."""

    place: Place
    points: Decimal


def read_file(path: str) -> dict[Named, Place]:
    """Read the CSV file ``session,assessment,courseId,name``; no path, no entries.

    A row names a session, an assessment, or the assessment of a session.

    Raises:
        SettingsError: it cannot be read; the message names the line.
    """
    file = MappingFile("results_file", path)
    found: dict[Named, Place] = {}
    for cells in file.rows("the columns session, assessment, courseId, name", FILE_COLUMNS):
        named, place = Named(cells["session"], cells["assessment"]), Place(cells["courseId"], cells["name"])
        if not any(named) or not all(place) or named in found:
            file.refuse(f"line {cells['line']} must name a session or assessment, not named before, and its column")
        found[named] = place
    return found


def takers(connection: Connection, settings: Settings, wanted: Collection[Named]) -> dict[Named, list[Taker]]:
    """Return the columns that take each of these results: none, the one, or several.

    Raises:
        SettingsError: the installation's own file cannot be read.
    """
    own = read_file(settings.results_file)
    placed = {named: place for named in wanted if (place := _placed(named, own))}
    found = dict(_by_place(connection, placed))
    return found | _by_declaration(connection, settings, [named for named in wanted if named not in placed])


def _placed(named: Named, own: Mapping[Named, Place]) -> Place | None:
    """Return the entry that says the most about a result."""
    ways = (named, Named(named.session, ""), Named("", named.assessment))
    return next((own[way] for way in ways if any(way) and way in own), None)


def _by_place(connection: Connection, placed: Mapping[Named, Place]) -> Iterable[tuple[Named, list[Taker]]]:
    courses = sorted({place.course for place in placed.values()})
    facts = select(Course.source_id, GradeColumn.name, GradeColumn.points)
    facts = facts.join(GradeColumn, GradeColumn.course_id == Course.id)
    there: dict[Place, list[Taker]] = defaultdict(list)
    for course, name, points in connection.execute(facts.where(among(connection, Course.source_id, courses))):
        there[Place(course, name)].append(Taker(Place(course, name), points))
    return ((named, there[place]) for named, place in placed.items())


def _by_declaration(connection: Connection, settings: Settings, wanted: Collection[Named]) -> dict[Named, list[Taker]]:
    keys = (settings.results_session_key, settings.results_assessment_key)
    of_session, of_assessment = (
        _declared(connection, key, set(of)) for key, of in zip(keys, _parts(wanted), strict=True)
    )
    return {named: of_session[named.session] or of_assessment[named.assessment] for named in wanted}


def _parts(wanted: Collection[Named]) -> tuple[list[str], list[str]]:
    return [named.session for named in wanted], [named.assessment for named in wanted]


def _declared(connection: Connection, key: str, texts: set[str]) -> dict[str, list[Taker]]:
    """Return the columns whose optionalData has one of the texts under a key, by that text."""
    found: dict[str, list[Taker]] = defaultdict(list)
    value = GradeColumn.optional_data[key].as_string()
    facts = select(value, Course.source_id, GradeColumn.name, GradeColumn.points)
    facts = facts.join(Course, Course.id == GradeColumn.course_id)
    for text, course, name, points in connection.execute(
        facts.where(value.in_(listed(connection, sorted(texts - {""}))))
    ):
        found[text].append(Taker(Place(course, name), points))
    return found


def waiting_for() -> tuple[ColumnElement[str], ColumnElement[str]]:
    """Return what a waiting row is a result of, as expressions for a query: session and assessment."""
    session, assessment = (func.coalesce(ParkedRow.cells[name].as_string(), "") for name in Named._fields)
    return session, assessment


def has_taker(session: Session, settings: Settings) -> ColumnElement[bool]:
    """Return the condition that a waiting row is a result for which there is a column now.

    Raises:
        SettingsError: the installation's own file cannot be read.
    """
    parts = waiting_for()
    wanted = [Named(*row) for row in session.execute(select(*parts).where(ParkedRow.parent == RESULT).distinct())]
    if not wanted:
        return false()
    found = [tuple(named) for named, columns in takers(session.connection(), settings, wanted).items() if columns]
    some = [found[start : start + MOST] for start in range(0, len(found), MOST)]
    return and_(ParkedRow.parent == RESULT, or_(false(), *(tuple_(*parts).in_(pairs) for pairs in some)))
