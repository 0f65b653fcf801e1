"""What the calculated (.col) and the not calculated (.colnc) column feeds share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradeway.feeds.spec import dates, pairs, points, table, text
from gradeway.settings import Settings

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema

COURSE_NAMES = ("course_id", "courseid", "batch uid", "código do curso")
NAME_NAMES = ("nome", "naam", "nom")
ALIASES = {
    "courseId": COURSE_NAMES,
    "name": NAME_NAMES,
    "description": ("descrição", "beschrijving"),
    "duedate": ("due date", "data de entrega"),
    "points": ("pontos", "punten"),
    "gradeSchema": ("grade schema",),
    "optionalData": ("optional data",),
}


def contract(settings: Settings) -> DataFrameSchema:
    """Return the contract of "Create Grade Center columns"."""
    return table(
        {
            "courseId": text(256, required=True),
            "name": text(333, required=True),
            "description": text(2000),
            "duedate": dates(settings),
            "points": points(settings),
            "gradeSchema": text(333),
            "optionalData": pairs(),
        }
    )
