"""Assignments (.asg): each has a grade column of its own name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradeway.feeds import cells, columns
from gradeway.feeds.cells import CellError
from gradeway.feeds.spec import FeedSpec, boolean, column, dates, pairs, points, table, text
from gradeway.reasons import Reason
from gradeway.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    from pandera.pandas import DataFrameSchema

DEFAULT_FOLDER = "Assignments"


def _dates_in_order(frame: pd.DataFrame, parse: cells.Parser) -> pd.Series[bool]:
    import pandas as pd

    if not {"startDate", "endDate"} <= set(frame.columns):
        return pd.Series(data=True, index=frame.index)
    span = zip(frame["startDate"], frame["endDate"], strict=True)
    return pd.Series([_in_order(start, end, parse) for start, end in span], index=frame.index, dtype=bool)


def _in_order(start: str, end: str, parse: cells.Parser) -> bool:
    try:
        return not (start and end) or bool(parse(start) <= parse(end))
    except CellError:
        return True  # the cell's own finding says so


def contract(settings: Settings) -> DataFrameSchema:
    """Return the contract of "Create assignments"."""
    parse_date = cells.date_parser(settings.date_pattern)
    return table(
        {
            "courseId": text(256, required=True),
            "name": text(333, required=True),
            "instructions": text(2000),
            "anonymous": boolean(),
            "group": boolean(),
            "contentAreaName": column(lambda cell: cells.parse_folder(cell, size=255), default=DEFAULT_FOLDER),
            "available": boolean(),
            "colour": text(10),
            "attempts": column(cells.parse_attempts, default=-1),
            "tracked": boolean(),
            "startDate": dates(settings),
            "endDate": dates(settings),
            "dueDate": dates(settings),
            "points": points(settings),
            "gradeSchema": text(333),
            "optionalData": pairs(),
        },
        {Reason.DATE_ORDER: lambda frame: _dates_in_order(frame, parse_date)},
    )


SPEC = FeedSpec(
    name="asg",
    title="Assignments",
    stage=2,
    build=contract,
    key=("courseId", "name"),
    source="Blackboard, Incoming Flat File Specifications: Create assignments",
    loader="gradeway.loading.columns:AssignmentLoader",
    aliases={
        "courseId": columns.COURSE_NAMES,
        "name": columns.NAME_NAMES,
        "instructions": ("instructies", "instruções"),
        "anonymous": ("anoniem", "anônimo", "anonymes"),
        "group": ("grupo", "groupe", "groep"),
        "contentAreaName": ("content area name", "nom de la zone de contenu"),
        "available": ("disponível", "beschikbaar"),
        "colour": ("color", "cor"),
        "attempts": ("tentativas",),
        "tracked": ("monitoradas",),
        "startDate": ("start date", "data de início"),
        "endDate": ("end date", "fim data"),
        "dueDate": ("due date", "data de entrega"),
        "points": ("pontos", "punten"),
        "gradeSchema": ("grade schema",),
        "optionalData": ("optional data",),
    },
)
