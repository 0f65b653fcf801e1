"""The bodies of requests: which properties may be written, and of which types.

Source: the vendor's description of its public API. What it does not have is refused, as a client
that sent it would break against a real site, or be misunderstood there.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from gradeway.sandbox.documents import Document
from gradeway.sandbox.frame import Refused
from gradeway.sandbox.learn.forms import bounded, instant_of, number, stamp


def _exact(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        msg = "must be a number"
        raise ValueError(msg)
    return bounded(Decimal(value))


def _not_negative(value: str) -> str:
    if value.startswith("-"):
        msg = "must not be negative"
        raise ValueError(msg)
    return value


Exact = Annotated[Decimal, BeforeValidator(_exact)]
Number = Annotated[str, BeforeValidator(lambda value: number(_exact(value)))]
Instant = Annotated[str, AfterValidator(lambda text: stamp(instant_of(text)))]
Title = Annotated[str, Field(min_length=1)]
Available = Literal["Yes", "No", "PartiallyVisible"]
MOST_ATTEMPTS = 2**31 - 1


class Body(BaseModel):
    """A body, or an object in one."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class Symbol(Body):
    """A symbol of a grade schema; bounds and value are percentages."""

    text: Title
    absolute_value: Exact
    lower_bound: Exact
    upper_bound: Exact


class SchemaChange(Body):
    """Changes of a grade schema."""

    external_id: str | None = None
    title: Title = ""
    description: str | None = None
    symbols: list[Symbol] = []


class NewSchema(SchemaChange):
    """A new grade schema."""

    title: Title
    scale_type: Literal["Percent", "Score", "Tabular", "Text", "Complete"] = "Tabular"


class Points(Body):
    """The points of a column."""

    possible: Annotated[Number, AfterValidator(_not_negative)]


class ColumnAvailability(Body):
    """Whether learners see a column."""

    available: Literal["Yes", "No"]


class AnonymousGrading(Body):
    """When a column shows whose attempts it has."""

    type: Literal["None", "AfterAllGraded", "Date"]
    release_after: Instant = ""


class GradingChange(Body):
    """Changes of how a column gets its values."""

    due: Instant | None = None
    attempts_allowed: int | None = Field(None, ge=0, le=MOST_ATTEMPTS)
    scoring_model: Literal["Last", "Highest", "Lowest", "First", "Average"] = "Last"
    schema_id: str = ""
    anonymous_grading: AnonymousGrading = AnonymousGrading(type="None")


class NewGrading(GradingChange):
    """How a new column gets its values."""

    type: Literal["Attempts", "Calculated", "Manual"]
    anonymous_grading: AnonymousGrading


class ColumnChange(Body):
    """Changes of a grade column."""

    external_id: str | None = None
    external_tool_id: str | None = None
    name: Title = ""
    display_name: str | None = None
    description: str | None = None
    external_grade: bool = False
    score: Points = Points.model_construct(possible="0.00000")
    availability: ColumnAvailability = ColumnAvailability(available="Yes")
    grading: GradingChange = GradingChange()
    include_in_calculations: bool = True
    show_statistics_to_students: bool = False


class NewColumn(ColumnChange):
    """A new grade column."""

    name: Title
    grading: NewGrading


class GradeChange(Body):
    """Changes of a grade."""

    text: str | None = None
    score: Number | None = None
    notes: str | None = None
    feedback: str | None = None
    exempt: bool = False
    grade_notation_id: str | None = None


class Release(Body):
    """From when and until when learners see a content item."""

    start: Instant | None = None
    end: Instant | None = None


class ContentAvailability(Body):
    """Who sees a content item."""

    available: Available = "Yes"
    allow_guests: bool = True
    allow_observers: bool = True
    adaptive_release: Release = Release()


class Handler(Body):
    """What kind of content an item is."""

    id: str


class ContentChange(Body):
    """Changes of a content item."""

    parent_id: str = ""
    title: Title = ""
    body: str | None = None
    description: str | None = Field(None, max_length=750)
    position: int = Field(0, ge=0)
    availability: ContentAvailability = ContentAvailability()
    launch_in_new_window: bool = False


class NewContent(ContentChange):
    """A new content item."""

    title: Title
    content_handler: Handler


class AssignmentGrading(Body):
    """How a new assignment is graded."""

    due: Instant | None = None
    attempts_allowed: int = Field(1, ge=1, le=MOST_ATTEMPTS)
    grade_schema_id: str = ""
    is_unlimited_attempts_allowed: bool = False


class NewAssignment(Body):
    """A new assignment."""

    parent_id: str = ""
    title: Title
    instructions: str | None = None
    description: str | None = None
    position: int = Field(0, ge=0)
    file_upload_ids: list[str] = []
    availability: ContentAvailability = ContentAvailability()
    grading: AssignmentGrading = AssignmentGrading()
    score: Points = Points.model_construct(possible="100.00000")


B = TypeVar("B", bound=Body)
# Properties that the vendor has, and this sandbox has not.
ABSENT = {
    "formula",
    "gradebookCategoryId",
    "learningOutcome",
    "originalityReportingTool",
    "reviewable",
    "rubricAssociations",
    "subtype",
}


def read(kind: type[B], body: object) -> B:
    """Return a body as what it should be.

    Raises:
        Refused: it is not that.
    """
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        [first, *_] = error.errors()
        place = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden" and first["loc"][-1] in ABSENT:
            raise Refused(501, f"{place} is documented, but not part of this sandbox.") from None
        raise Refused(400, f"{place}: {first['msg']}" if place else first["msg"]) from None


def given(body: Body) -> Document:
    """Return the properties that a body has, as Learn names them."""
    return body.model_dump(by_alias=True, exclude_unset=True)
