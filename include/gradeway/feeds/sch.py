"""Grade schemas (.sch): symbols with lower bounds, referred to by title.

The file names no course: a schema stands for every course whose columns name it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradeway.feeds import cells
from gradeway.feeds.spec import FeedSpec, column, pairs, table, text
from gradeway.reasons import Reason
from gradeway.settings import Settings

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema

SIZE = 2000


def _unbound(cell: str) -> Reason | None:
    try:
        first, *_ = cells.parse_symbols(cell, size=SIZE)
    except cells.CellError:
        return None
    return Reason.SYMBOLS_UNBOUND if first.lower is None else None


def contract(_settings: Settings) -> DataFrameSchema:
    """Return the contract of "Create Grading Schema"."""
    return table(
        {
            "title": text(333, required=True),
            "symbols": column(lambda cell: cells.parse_symbols(cell, size=SIZE), required=True, warn=_unbound),
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
    loader="gradeway.loading.schemas:SchemaLoader",
    aliases={"title": ("titel", "título", "titre"), "symbols": ("symbolen", "símbolos", "symboles")},
)
