"""Grade values (.colncval): one value for one learner in one column.

The vendor's table allows names of 2000 characters here but 333 where columns are made; a longer
name could never match a column, so 333 holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradeway.feeds import cells, columns
from gradeway.feeds.spec import FeedSpec, column, table, text
from gradeway.settings import Settings

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema


def contract(_settings: Settings) -> DataFrameSchema:
    """Return the contract of "Create Grade Center column values (not calculated)"."""
    return table(
        {
            "courseId": text(256, required=True),
            "userId": text(333, required=True),
            "name": text(333, required=True, hint=", as in the files that make columns; no column can match"),
            "value": column(lambda cell: cells.parse_value(cell, size=2000), required=True),
        }
    )


SPEC = FeedSpec(
    name="colncval",
    title="Grade values",
    stage=4,
    build=contract,
    key=("courseId", "userId", "name"),
    source="Blackboard, Incoming Flat File Specifications: Create Grade Center column values (not calculated)",
    loader="gradeway.loading.values:ValueLoader",
    waits_together=True,
    rivals=("results",),
    aliases={
        "courseId": columns.COURSE_NAMES,
        "userId": ("user_id", "user id"),
        "name": columns.NAME_NAMES,
        "value": ("valor", "waarde", "valeur"),
    },
)
