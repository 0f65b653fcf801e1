"""The records of Blackboard Learn's gradebook and of what belongs to it, as far as Gradeway uses them.

Names and types are those of Blackboard's description of the Learn public API. Values that it lists
(such as scale types) stay text, because later and earlier releases have others. An optional
property is one that some release, some kind of course or some account does not get.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from gradeway.vendors.odata import Entity, shape

FOLDER = "resource/x-bb-folder"
# Words of error messages that are Learn's own.
OWN_WORDS = """
absoluteValue application Assessment assignment attempt attempts availability Blackboard Calculated Classic classic
Column column columns Complete Content contents Course course courses courseId entitlement entitlements externalId
folder formula Grade grade gradebook grades grading Learn lowerBound Manual membership memberships Original original
parent Percent points possible privileges Schema schema schemas scaleType score Score specified student symbol symbols
Tabular tabular text Text title Ultra ultra upperBound userName
"""
TOLD_NAMES = frozenset(OWN_WORDS.split())


@dataclass(frozen=True, repr=False)
class Record(Entity):
    """Base of the records of Learn."""

    NULL: ClassVar[str | None] = None

    @classmethod
    def wanted(cls) -> str:
        """Return the query that asks for just these properties."""
        return ",".join(_paths(cls))


def camel(name: str) -> str:
    """Return the vendor's spelling of one of our names."""
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def _paths(kind: type[Entity], prefix: str = "") -> Iterator[str]:
    for name, inner, _ in shape(kind):  # type: ignore[arg-type] # as in odata
        path = prefix + camel(name)
        if isinstance(inner, type) and issubclass(inner, Entity):
            yield from _paths(inner, f"{path}.")
        else:
            yield path


@dataclass(frozen=True, repr=False)
class Availability(Record):
    """Whether something is available: Yes, No, Disabled or Term."""

    available: str | None = None


@dataclass(frozen=True, repr=False)
class Course(Record):
    """A course or organization; ``parent_id`` is that of the course it is cross-listed under."""

    id: str
    course_id: str
    external_id: str | None = None
    ultra_status: str | None = None
    parent_id: str | None = None
    has_children: bool | None = None
    closed_complete: bool | None = None

    @property
    def is_ultra(self) -> bool:
        """Whether it is shown in the Ultra course view, be it as a preview."""
        return (self.ultra_status or "").lower().startswith("ultra")


@dataclass(frozen=True, repr=False)
class User(Record):
    """Who a membership is about."""

    user_name: str | None = None
    external_id: str | None = None


@dataclass(frozen=True, repr=False)
class Membership(Record):
    """A person in a course; ``child_course_id`` is the cross-listed course in which they are enrolled."""

    user_id: str
    id: str | None = None
    child_course_id: str | None = None
    course_role_id: str | None = None
    availability: Availability | None = None
    user: User | None = None

    @property
    def user_name(self) -> str | None:
        """Their login."""
        return self.user.user_name if self.user else None

    @property
    def external_id(self) -> str | None:
        """Their batch UID, if we may see it."""
        return self.user.external_id if self.user else None

    @property
    def available(self) -> str | None:
        """Yes, No or Disabled."""
        return self.availability.available if self.availability else None


@dataclass(frozen=True, repr=False)
class Symbol(Record):
    """One symbol of a grade schema; bounds and value are in percent, the upper bound not included but for 100."""

    text: str
    absolute_value: Decimal
    lower_bound: Decimal
    upper_bound: Decimal


@dataclass(frozen=True, repr=False)
class Schema(Record):
    """How the scores of a column are shown; without a title, we may not see it."""

    id: str
    external_id: str | None = None
    title: str | None = None
    description: str | None = None
    scale_type: str | None = None
    symbols: tuple[Symbol, ...] = ()

    @property
    def is_tabular(self) -> bool:
        """Whether it has symbols."""
        return self.scale_type == "Tabular"


@dataclass(frozen=True, repr=False)
class Score(Record):
    """The points that a column gives."""

    possible: Decimal | None = None


@dataclass(frozen=True, repr=False)
class AnonymousGrading(Record):
    """Whether graders see whom they grade: None, AfterAllGraded or Date."""

    type: str | None = None


@dataclass(frozen=True, repr=False)
class Grading(Record):
    """How the grades of a column come about; ``type`` is Attempts, Calculated or Manual."""

    type: str | None = None
    due: datetime | None = None
    attempts_allowed: int | None = None
    schema_id: str | None = None
    anonymous_grading: AnonymousGrading | None = None


@dataclass(frozen=True, repr=False)
class Column(Record):
    """A column of a gradebook; ``content_id`` is what it grades, ``display_name`` is for Classic courses."""

    id: str
    name: str
    external_id: str | None = None
    display_name: str | None = None
    description: str | None = None
    content_id: str | None = None
    external_grade: bool | None = None
    include_in_calculations: bool | None = None
    score: Score | None = None
    availability: Availability | None = None
    grading: Grading | None = None

    @property
    def possible(self) -> Decimal | None:
        """The points that it gives."""
        return self.score.possible if self.score else None

    @property
    def available(self) -> bool:
        """Whether learners see it."""
        return bool(self.availability and self.availability.available == "Yes")

    @property
    def is_calculated(self) -> bool:
        """Whether its grades come from other columns, and so cannot be set."""
        return bool(self.grading and self.grading.type == "Calculated")


@dataclass(frozen=True, repr=False)
class Handler(Record):
    """What kind of content something is."""

    id: str | None = None


@dataclass(frozen=True, repr=False)
class Content(Record):
    """Something in a course's contents."""

    id: str
    title: str | None = None
    parent_id: str | None = None
    has_children: bool | None = None
    content_handler: Handler | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder; other things may have children too."""
        return bool(self.content_handler and self.content_handler.id == FOLDER)


@dataclass(frozen=True, repr=False)
class Assignment(Record):
    """What was made for an assignment: its content, and the column of its grades."""

    content_id: str
    grade_column_id: str


@dataclass(frozen=True, repr=False)
class Attempt(Record):
    """Something that a learner has begun to hand in."""

    id: str


@dataclass(frozen=True, repr=False)
class DisplayGrade(Record):
    """A grade as people see it, by the schema of its column or its grade notation."""

    scale_type: str | None = None
    score: Decimal | None = None
    possible: Decimal | None = None
    text: str | None = None


@dataclass(frozen=True, repr=False)
class Grade(Record):
    """A learner's grade in a column.

    ``score`` and ``text`` are there only if it was set by hand (or by us), then with the time of
    that in ``overridden``. ``change_index`` grows with every change, whoever makes it, but stays 0
    in calculated columns.
    """

    user_id: str
    column_id: str | None = None
    score: Decimal | None = None
    text: str | None = None
    overridden: datetime | None = None
    display_grade: DisplayGrade | None = None
    exempt: bool = False
    grade_notation_id: str | None = None
    change_index: int = 0

    @property
    def display_text(self) -> str | None:
        """What people see."""
        return self.display_grade.text if self.display_grade else None


@dataclass(frozen=True, repr=False)
class LastChanged(Record):
    """The latest change in a column."""

    change_index: int = 0
