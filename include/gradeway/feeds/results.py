"""Results (.results): one learner's result of one session or assessment, whichever system it comes from.

Gradeway writes these files itself when it collects; others may drop them too. ``collectedAt`` makes
each file one of its own: a score that goes back to what it was is no repetition of an older file.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from gradeway.feeds import cells
from gradeway.feeds.cells import CellError, Parser
from gradeway.feeds.spec import FeedSpec, column, table, text
from gradeway.reasons import Reason
from gradeway.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    from pandera.pandas import Column, DataFrameSchema

FINAL, REVIEW = "final", "review"
NAME_SIZE = 255
SEPARATOR = "|"
COLUMNS = (
    *("system", "session", "assessment", "schedule", "attempt", "learner"),
    *("state", "score", "maximum", "band", "rule", "finishedAt", "collectedAt"),
)


def parse_state(cell: str) -> str:
    """Read whether a result counts."""
    if cell.lower() == REVIEW:
        raise CellError(Reason.RESULT_REVIEW)
    if cell.lower() != FINAL:
        raise CellError(Reason.OPTION_UNKNOWN, f"the options are {FINAL}, {REVIEW}")
    return FINAL


def parse_score(cell: str) -> Decimal:
    """Read a score: a number from 0."""
    score = cells.parse_number(cell)
    if score < 0:
        raise CellError(Reason.NUMBER_RANGE, "the score must be 0 or more")
    return score


def parse_maximum(cell: str) -> Decimal:
    """Read the highest possible score, a number above 0."""
    maximum = cells.parse_number(cell)
    if maximum <= 0:
        raise CellError(Reason.NUMBER_RANGE, "the maximum must be above 0")
    return maximum


def parse_instant(cell: str) -> datetime:
    """Read an instant, which has its zone.

    Raises:
        CellError: it is none.
    """
    try:
        instant = datetime.fromisoformat(cell)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise CellError(Reason.DATE_INVALID, "the pattern is 2026-01-31T10:00:00Z")
    return instant


def _part_of_key(parser: Parser) -> Column:
    """Describe a column that must be there, with cells that may be blank."""
    described = column(parser, default="")
    described.required = True
    return described


def contract(_settings: Settings) -> DataFrameSchema:
    """Return the contract of a result."""
    name = partial(cells.parse_text, size=NAME_SIZE)
    columns = {
        "system": column(partial(cells.parse_text, size=32), required=True),
        "session": _part_of_key(name),
        "assessment": _part_of_key(name),
        "schedule": text(64),
        "attempt": text(64),
        "learner": text(333, required=True),
        "state": column(parse_state, required=True),
        "score": column(parse_score, required=True),
        "maximum": column(parse_maximum, required=True),
        "band": text(2000),
        "rule": text(16),
        "finishedAt": column(parse_instant),
        "collectedAt": column(parse_instant),
    }
    return table(columns, rules={Reason.RESULT_UNNAMED: _is_named}, hints={Reason.SCORE_ABOVE: _within_maximum})


def _is_named(frame: pd.DataFrame) -> pd.Series[bool]:
    named: pd.Series[bool] = (frame["session"] != "") | (frame["assessment"] != "")
    return named


def _within_maximum(frame: pd.DataFrame) -> pd.Series[bool]:
    import pandas as pd

    pairs = zip(frame["score"], frame["maximum"], strict=True)
    return pd.Series([_is_within(*pair) for pair in pairs], index=frame.index, dtype=bool)


def _is_within(score: str, maximum: str) -> bool:
    """Return whether a score is one that its maximum allows; what cannot be read has its own finding."""
    try:
        return parse_score(score) <= parse_maximum(maximum)
    except CellError:
        return True


SPEC = FeedSpec(
    name="results",
    title="Results",
    stage=8,
    build=contract,
    key=("system", "session", "assessment", "learner"),
    source="Gradeway's own format, for results of any assessment system",
    loader="gradeway.loading.results:ResultLoader",
    inbox="results",
    separators=SEPARATOR,
    is_partial=True,
    rivals=("colncval",),
)
