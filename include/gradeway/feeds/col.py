"""Calculated grade columns (.col): weighted columns whose weights are set in the gradebook."""

from __future__ import annotations

from gradeway.feeds import columns
from gradeway.feeds.spec import FeedSpec

SPEC = FeedSpec(
    name="col",
    title="Calculated columns",
    stage=2,
    build=columns.contract,
    key=("courseId", "name"),
    source="Blackboard, Incoming Flat File Specifications: Create Grade Center columns (calculated)",
    loader="gradeway.loading.columns:CalculatedLoader",
    aliases=columns.ALIASES,
)
