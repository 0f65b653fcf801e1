"""The brakes: how much of a course, or of one of its columns, a plan may touch without a person's approval."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gradeway.publish.ours import Ours
from gradeway.publish.plan import Brake, Hold, Line, Made, Risk
from gradeway.settings import Limit
from gradeway.store.publish import Kind

# Of which all of a column is too much, however small it is,
WHOLLY = frozenset({Risk.DELETIONS, Risk.DECREASES, Risk.BLANKS})
FEW = 2  # unless it has no more grades than this: to correct one, or a pair, is everyday work

Held = tuple[Brake, Sequence[int]]  # with the places of the lines that wait for it


@dataclass(frozen=True)
class _Scope:
    """A column, or the whole course with number 0: its lines, by their places, and how many grades it has there."""

    column: int
    where: str
    places: Sequence[int]
    published: int


def too_much(made: Made, ours: Ours, limits: Mapping[str, Limit]) -> tuple[list[Brake], dict[int, list[Brake]]]:
    """Return the limits that a plan exceeds, and the places of the lines that wait, each with what it waits for."""
    found = [*_exceeded(made, ours, limits), *_unmatched(made, ours, limits[Risk.UNMATCHED]), *_schemas(made, ours)]
    held: dict[int, list[Brake]] = defaultdict(list)
    for brake, places in found:
        for place in places:
            held[place].append(brake)
    for follow in (_shown_by, _grades_after):
        for place, brakes in follow(held, made.lines, ours):
            held[place] += [brake for brake in brakes if brake not in held[place]]
    return [brake for brake, _ in found], dict(held)


def still_holds(hold: Hold, made: Made, limits: Mapping[str, Limit]) -> bool:
    """Return whether what held a call first holds it under the limits of today.

    What counts are its numbers of then: that a plan has become smaller, or was split, allows nothing. But
    missing learners hold nothing any more once they are there, or a person knows that they are not.
    """
    if hold.risk == Risk.UNMATCHED and not (made.unmatched[hold.column] if hold.column else made.unmatched.total()):
        return False
    limit = limits.get(hold.risk)
    return limit is None or _is_too_much(hold.risk, limit, hold.count, hold.of)


def _is_too_much(risk: str, limit: Limit, count: int, of: int) -> bool:
    if count * 100 <= limit.percent * of:
        return False
    return count > limit.count or (risk in WHOLLY and FEW < of <= count)


def _shown_by(held: Mapping[int, list[Brake]], lines: Sequence[Line], ours: Ours) -> list[tuple[int, list[Brake]]]:
    """Return the places of the texts that are meant for a schema as it is after a change that is held.

    Columns whose grades that schema is to show wait with them.
    """
    schemas = {lines[place].entity_id: brakes for place, brakes in held.items() if lines[place].kind == Kind.SCHEMA}
    columns = {column.id: schemas[column.schema_id] for column in ours.columns if column.schema_id in schemas}
    return [
        (place, columns[line.entity_id])
        for place, line in enumerate(lines)
        if line.entity_id in columns and (_is_text(line) or (_is_change_of_column(line) and "schema" in line.after))
    ]


def _is_text(line: Line) -> bool:
    return line.kind == Kind.GRADE and "text" in line.after


def _grades_after(held: Mapping[int, list[Brake]], lines: Sequence[Line], _: Ours) -> list[tuple[int, list[Brake]]]:
    """Return the places of the grades that are meant for columns as they are after a change that is held."""
    columns = {lines[place].entity_id: brakes for place, brakes in held.items() if _is_change_of_column(lines[place])}
    return [
        (place, columns[line.entity_id])
        for place, line in enumerate(lines)
        if line.kind == Kind.GRADE and line.entity_id in columns
    ]


def _is_change_of_column(line: Line) -> bool:
    return line.kind == Kind.COLUMN and Risk.CHANGES in line.risks


def _exceeded(made: Made, ours: Ours, limits: Mapping[str, Limit]) -> Iterator[Held]:
    for scope in _scopes(made, ours):
        for risk, limit in limits.items():
            risky = [place for place in scope.places if risk in made.lines[place].risks]
            count, of = _counted(risk, scope, [made.lines[place] for place in risky], made, ours)
            if risky and _is_too_much(risk, limit, count, of):
                yield Brake(risk, scope.where, count, of, scope.column), risky


def _scopes(made: Made, ours: Ours) -> Iterator[_Scope]:
    of_column: dict[int, list[int]] = defaultdict(list)
    for place, line in enumerate(made.lines):
        if line.kind == Kind.GRADE or (line.kind == Kind.COLUMN and line.risks and ours.published.get(line.entity_id)):
            of_column[line.entity_id].append(place)
    for column, places in sorted(of_column.items()):
        yield _Scope(column, made.lines[places[0]].name, places, ours.published.get(column, 0))
    yield _Scope(0, "", range(len(made.lines)), sum(ours.published.values()))


def _counted(risk: str, scope: _Scope, risky: Iterable[Line], made: Made, ours: Ours) -> tuple[int, int]:
    """Return how many of how many a brake counts."""
    whole = {line.entity_id for line in risky if line.kind == Kind.COLUMN}
    once = (line for line in risky if line.kind != Kind.GRADE or line.entity_id not in whole)
    new = sum(_is_new(made.lines[place]) for place in scope.places) if risk == Risk.BLANKS else 0
    return sum(_grades_in(line, ours) for line in once), scope.published + new


def _is_new(line: Line) -> bool:
    return line.kind == Kind.GRADE and line.before is None


def _grades_in(line: Line, ours: Ours) -> int:
    """Return how many grades a call touches: a column goes with all of its grades, and is something without any."""
    return max(ours.published.get(line.entity_id, 0), 1) if line.kind == Kind.COLUMN else 1


def _unmatched(made: Made, ours: Ours, limit: Limit) -> Iterator[Held]:
    """Yield the columns too many of whose learners are missing, and the course if they are in the other columns."""
    grades: dict[int, list[int]] = defaultdict(list)
    size = Counter(ours.published) + made.unmatched
    for place, line in enumerate(made.lines):
        if line.kind == Kind.GRADE:
            grades[line.entity_id].append(place)
            size[line.entity_id] += _is_new(line)
    missing = made.unmatched
    over = {column for column in missing if _is_too_much(Risk.UNMATCHED, limit, missing[column], size[column])}
    for column in sorted(over & grades.keys()):
        where = made.lines[grades[column][0]].name
        yield Brake(Risk.UNMATCHED, where, missing[column], size[column], column), grades[column]
    rest = size.keys() - over
    count, of = sum(missing[column] for column in rest), sum(size[column] for column in rest)
    places = sorted(place for column in rest for place in grades.get(column, ()))
    if places and _is_too_much(Risk.UNMATCHED, limit, count, of):
        yield Brake(Risk.UNMATCHED, "", count, of), places


def _schemas(made: Made, ours: Ours) -> Iterator[Held]:
    """Yield the schemas in use that would change, which no setting allows: it changes what is seen of all grades."""
    for place, line in enumerate(made.lines):
        if Risk.SCHEMAS in line.risks:
            columns = [column.id for column in ours.columns if column.schema_id == line.entity_id]
            grades = sum(ours.published.get(column, 0) for column in columns)
            yield Brake(Risk.SCHEMAS, line.name, grades, len(columns)), [place]
