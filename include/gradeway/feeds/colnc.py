"""Grade columns that are not calculated (.colnc): they take the values of .colncval files."""

from __future__ import annotations

from gradeway.feeds import columns
from gradeway.feeds.spec import FeedSpec

SPEC = FeedSpec(
    name="colnc",
    title="Grade columns",
    stage=2,
    build=columns.contract,
    key=("courseId", "name"),
    source="Blackboard, Incoming Flat File Specifications: Create Grade Center columns (not calculated)",
    loader="gradeway.loading.columns:ManualLoader",
    aliases=columns.ALIASES,
)
