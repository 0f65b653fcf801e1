"""External grade columns (.colext): which column of a course is its external grade.

A course has one external grade column, so the course alone is the key: two rows that name
different columns of one course contradict each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradeway.feeds import columns
from gradeway.feeds.spec import FeedSpec, table, text
from gradeway.settings import Settings

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema


def contract(_settings: Settings) -> DataFrameSchema:
    """Return the contract of "Set external grade columns"."""
    return table({"courseId": text(256, required=True), "name": text(333, required=True)})


SPEC = FeedSpec(
    name="colext",
    title="External grade columns",
    stage=3,
    build=contract,
    key=("courseId",),
    source="Blackboard, Incoming Flat File Specifications: Set external grade columns (Original courses)",
    loader="gradeway.loading.external:ExternalLoader",
    aliases={"courseId": columns.COURSE_NAMES, "name": columns.NAME_NAMES},
)
