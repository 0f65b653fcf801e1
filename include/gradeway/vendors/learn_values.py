"""What is sent to Blackboard Learn: the keys in its paths, and the values that can be set.

Source: Blackboard's description of the Learn public API, from which the names of the values' paths
are taken.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar, Self, TypedDict

from gradeway.vendors.learn_records import Symbol, camel
from gradeway.vendors.odata import wire

OWN_ID = re.compile(r"_[0-9]+_[0-9]+")
PLACES = Decimal("0.00001")
MOST_DIGITS = 15  # before the decimal point
# What a grade can have beside its value, and how that is said to be there no more.
TAKEN_AWAY = {"exempt": ("exempt", False), "notation": ("gradeNotationId", None)}
# All others stand at the top of what is sent, under their own name.
PATHS = {
    "possible": "score.possible",
    "available": "availability.available",
    "start": "availability.adaptiveRelease.start",
    "end": "availability.adaptiveRelease.end",
    "due": "grading.due",
    "attempts_allowed": "grading.attemptsAllowed",
    "schema_id": "grading.schemaId",
    "anonymous": "grading.anonymousGrading.type",
}


@dataclass(frozen=True)
class Key:
    """Which thing is meant: by Learn's own ``id``, such as ``_12_1``, or by another kind of name.

    Raises:
        ValueError: Learn does not know things by that, or the name is empty or malformed.
    """

    KINDS: ClassVar[frozenset[str]] = frozenset()
    WORDS: ClassVar[frozenset[str]] = frozenset()

    kind: str
    value: str = field(repr=False)

    def __post_init__(self) -> None:
        is_own = OWN_ID.fullmatch(self.value) or self.value in self.WORDS
        if not self.value or self.kind not in {"id", *self.KINDS} or (self.kind == "id" and not is_own):
            kinds = ", ".join(["id", *sorted(self.KINDS)])
            msg = f"not a {type(self).__name__}: give what is not empty as one of {kinds}; an id looks like _12_1"
            raise ValueError(msg)

    @classmethod
    def parse(cls, text: str, kind: str = "externalId") -> Self:
        """Read a key as Learn writes it: ``_12_1`` or ``externalId:…``; anything else is a name of ``kind``.

        Raises:
            ValueError: it is empty.
        """
        prefix, found, rest = text.partition(":")
        if found and prefix in cls.KINDS:
            return cls(prefix, rest)
        return cls("id" if OWN_ID.fullmatch(text) else kind, text)

    @property
    def path(self) -> str:
        """How it stands in a path, before percent-encoding; not for showing."""
        return self.value if self.kind == "id" else f"{self.kind}:{self.value}"


class CourseKey(Key):
    """A course: by its batch UID (``externalId``), its course ID, its UUID, or its own id."""

    KINDS = frozenset({"externalId", "courseId", "uuid"})


class UserKey(Key):
    """A person: by their login (``userName``), batch UID (``externalId``), UUID, or own id."""

    KINDS = frozenset({"userName", "externalId", "uuid"})


class ColumnKey(Key):
    """A column: by the ``externalId`` that we gave it, or its own id."""

    KINDS = frozenset({"externalId"})
    WORDS = frozenset({"finalGrade"})


class SchemaKey(Key):
    """A grade schema: by the ``externalId`` that we gave it, or its own id."""

    KINDS = frozenset({"externalId"})


FINAL_GRADE = ColumnKey("id", "finalGrade")
"""The column that a course hands on as its final (external) grade."""


class SchemaValues(TypedDict, total=False):
    """What can be set in a tabular schema; symbols are always all of them."""

    external_id: str
    title: str
    description: str
    symbols: Sequence[Symbol]


class ColumnValues(TypedDict, total=False):
    """What can be set in a column; ``due`` None takes the date away.

    ``display_name`` and ``include_in_calculations`` can be set in Classic courses only.
    """

    external_id: str
    name: str
    display_name: str
    description: str
    external_grade: bool
    include_in_calculations: bool
    possible: Decimal
    available: bool
    due: datetime | None
    attempts_allowed: int
    schema_id: str
    anonymous: bool


class AssignmentValues(TypedDict, total=False):
    """What can be set when an assignment is made; ``instructions`` are HTML, as BbML has it.

    ``attempts_allowed`` is at most 10 in Ultra courses; None is no limit, left out it is 1. It can
    be seen from ``start`` to ``end``.
    """

    parent_id: str
    title: str
    instructions: str
    description: str
    available: bool
    start: datetime
    end: datetime
    possible: Decimal
    due: datetime
    attempts_allowed: int | None
    schema_id: str


def new_column(values: ColumnValues) -> dict[str, Any]:
    """Return what is sent to make a manual column.

    Raises:
        ValueError: it has no name or no ``external_id``, by which it is found again; or as ``column_changes``.
    """
    _require(values, "external_id", "name")
    made = column_changes(values)
    grading = made.setdefault("grading", {})
    grading["type"] = "Manual"
    if values.get("due") is None:
        grading.pop("due", None)
    grading.setdefault("anonymousGrading", {"type": "None"})
    return made


def column_changes(values: ColumnValues) -> dict[str, Any]:
    """Return what is sent to change a column.

    Raises:
        ValueError: there is nothing to set, or something that cannot be set.
    """
    return _nested(values, ColumnValues)


def new_schema(values: SchemaValues) -> dict[str, Any]:
    """Return what is sent to make a tabular schema.

    Raises:
        ValueError: it has no title or no symbols; or as ``schema_changes``.
    """
    _require(values, "title", "symbols")
    return schema_changes(values) | {"scaleType": "Tabular"}


def schema_changes(values: SchemaValues) -> dict[str, Any]:
    """Return what is sent to change a schema; Learn deletes the symbols that are left out.

    Raises:
        ValueError: there is nothing to set, or something that cannot be set, such as no symbol at all.
    """
    made = _nested(values, SchemaValues)
    if "symbols" in values:
        _require(values, "symbols")
        made["symbols"] = [{camel(name): value for name, value in vars(each).items()} for each in values["symbols"]]
    return made


def new_assignment(values: AssignmentValues) -> dict[str, Any]:
    """Return what is sent to make an assignment.

    Raises:
        ValueError: it has no title, or there is something that cannot be set.
    """
    _require(values, "title")
    made = _nested(values, AssignmentValues)
    grading = made.get("grading", {})
    if "schemaId" in grading:
        grading["gradeSchemaId"] = grading.pop("schemaId")
    if grading.get("attemptsAllowed", 1) is None:
        del grading["attemptsAllowed"]
        grading["isUnlimitedAttemptsAllowed"] = True
    return made


def grade(
    score: Decimal | None = None,
    text: str | None = None,
    *,
    clear: bool = False,
    without: Collection[str] = (),
    exempt: bool = False,
) -> dict[str, Any]:
    """Return what is sent to set a grade: a score, rounded to 5 places, or a text, or none any more.

    ``without``: as of ``TAKEN_AWAY``, what else a grade can have and shall not have any more. ``exempt``: the
    learner shall be exempt besides.

    Raises:
        ValueError: it is not just one of these, the score is no number, or the text would clear the grade.
    """
    if [score is not None, text is not None, clear].count(True) != 1:
        msg = "give either a score, or a text, or clear"
        raise ValueError(msg)
    return _value(score, text) | dict(TAKEN_AWAY[name] for name in without) | ({"exempt": True} if exempt else {})


def _value(score: Decimal | None, text: str | None) -> dict[str, Any]:
    if text is not None:
        if text.strip() in {"", "-"}:
            msg = "such a text would clear the grade: say so, or give another"
            raise ValueError(msg)
        return {"text": text}
    if score is not None and (not score.is_finite() or score.adjusted() >= MOST_DIGITS):
        msg = "the score is no number that a gradebook holds"
        raise ValueError(msg)
    return {"score": None if score is None else score.quantize(PLACES, ROUND_HALF_UP).normalize()}


def _require(values: Mapping[str, Any], *names: str) -> None:
    if missing := [name for name in names if not values.get(name)]:
        msg = f"{' and '.join(missing)} must be given"
        raise ValueError(msg)


def _nested(values: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """Put each value at its path in the vendor's nested object."""
    if not values or values.keys() - kind.__annotations__.keys():
        unknown = ", ".join(sorted(values.keys() - kind.__annotations__.keys())) or "nothing"
        msg = f"cannot set {unknown}; what can be set: {', '.join(kind.__annotations__)}"
        raise ValueError(msg)
    made: dict[str, Any] = {}
    for name, value in values.items():
        *objects, last = PATHS.get(name, camel(name)).split(".")
        place = made
        for each in objects:
            place = place.setdefault(each, {})
        place[last] = _wire(name, value)
    return made


def _wire(name: str, value: object) -> object:
    if name == "available":
        return "Yes" if value else "No"
    if name == "anonymous":
        return "AfterAllGraded" if value else "None"
    return wire(value)
