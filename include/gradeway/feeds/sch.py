"""Grade schemas (.sch): symbols with lower bounds, referred to by title.

The file names no course: a schema stands for every course whose columns name it.
"""

from __future__ import annotations

from pandera.pandas import DataFrameSchema

from gradeway.feeds import cells
from gradeway.feeds.spec import FeedSpec, column, pairs, text
from gradeway.reasons import Reason
from gradeway.settings import Settings


def _unbound(cell: str) -> Reason | None:
    return None if "=" in cell else Reason.SYMBOLS_UNBOUND


def contract(_settings: Settings) -> DataFrameSchema:
    """Return the contract of "Create Grading Schema"."""
    return DataFrameSchema(
        {
            "title": text(333, required=True),
            "symbols": column(lambda cell: cells.parse_symbols(cell, size=2000), required=True, warn=_unbound),
            "optionalData": pairs(),
        }
    )


SPEC = FeedSpec(
    name="sch",
    title="Grade schemas",
    stage=1,
    build=contract,
    key=("title",),
    source="Blackboard, Incoming Flat File Specifications: Create Grading Schema",
    aliases={"title": ("titel", "título", "titre"), "symbols": ("symbolen", "símbolos", "symboles")},
)
