"""What a feed is: its contract, its file ending, its key, its place in the order.

A contract is a pandera schema over the text of the cells: each column is built by `column` from
the parser that will later load it, and remembers that parser, whether the vendor requires the
cell, and the default the vendor documents for a blank one. Pandera is imported when a contract is
made, so that what only needs the names of the feeds starts at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from gradeway.feeds import cells
from gradeway.feeds.cells import Parser
from gradeway.reasons import Reason
from gradeway.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    from pandera.pandas import Column, DataFrameSchema

Rule = Callable[["pd.DataFrame"], "pd.Series[bool]"]


class RejectPolicy(StrEnum):
    """What a rejected row costs: itself, or the whole file."""

    ROW = "row"
    FILE = "file"


def _distinct(series: pd.Series[Any]) -> list[str]:
    categories = getattr(series.dtype, "categories", None)
    if categories is not None:
        return list(categories.tolist())
    return list(series.unique().tolist())


def _passes(series: pd.Series[Any], parser: Parser) -> pd.Series[bool]:
    bad = cells.failing(parser, _distinct(series))
    return ~series.isin(list(bad))


def _filled(series: pd.Series[Any]) -> pd.Series[bool]:
    return series != ""


def column(
    parser: Parser,
    *,
    required: bool = False,
    filled: bool = False,
    default: object = None,
    warn: Callable[[str], Reason | None] | None = None,
) -> Column:
    """Describe one column of a contract.

    ``default`` is the value a blank or never given cell stands for. A required column must be
    in the header and its cells must be filled; a filled one may be absent, but its cells not blank.
    ``warn`` names what is odd about an accepted cell.
    """
    from pandera.pandas import Check, Column

    checks = [Check(_filled, name="filled")] if required or filled else []
    checks.append(Check(lambda series: _passes(series, parser), name="parses"))
    metadata = {"parser": parser, "default": default, "warn": warn}
    return Column(checks=checks, required=required, metadata=metadata)


def table(
    columns: dict[str, Column], rules: Mapping[Reason, Rule] | None = None, hints: Mapping[Reason, Rule] | None = None
) -> DataFrameSchema:
    """Make a contract of its columns and of rules on whole rows, each with the reason it is broken for.

    A row that breaks a rule is rejected; one that breaks a hint is accepted with a warning.
    """
    from pandera.pandas import Check, DataFrameSchema

    checks = [Check(rule, name=reason.value) for reason, rule in (rules or {}).items()]
    return DataFrameSchema(columns, checks=checks, metadata={"hints": hints or {}})


def text(size: int, *, required: bool = False, hint: str = "") -> Column:
    """Describe a text column of at most ``size`` characters."""
    return column(partial(cells.parse_text, size=size, hint=hint), required=required, default="")


def boolean() -> Column:
    """Describe a yes/no column; blank means no."""
    return column(
        cells.parse_boolean, default=False, warn=lambda cell: Reason.BOOLEAN_DIGIT if cell in {"0", "1"} else None
    )


def pairs() -> Column:
    """Describe an optionalData column; blank means no pairs."""
    return column(cells.parse_pairs, default={})


def points(settings: Settings) -> Column:
    """Describe a points column; blank means 100."""
    return column(lambda cell: cells.parse_points(cell, zero=settings.zero_points), default=Decimal(100))


def dates(settings: Settings) -> Column:
    """Describe a date column in the configured pattern; blank means none."""
    return column(cells.date_parser(settings.date_pattern), default=None)


@dataclass(frozen=True)
class FeedSpec:
    """One feed.

    Attributes:
        name: what names the feed everywhere; its file ending, unless `ending` gives another.
        title: what people call it.
        stage: place in the load order; a stage depends only on smaller ones.
        build: makes the pandera contract for given settings.
        key: the columns that say what a row is about.
        aliases: other header names (compared without case, spaces and underscores) per column.
        source: the vendor's document that the contract follows.
        loader: where the loader of its rows is, as ``module:class``; it needs the store, which feeds do not know.
        inbox: the folder below ``inbox/`` where its files land.
        ending: the file ending without its dot; feeds of one ending are told apart by their headers.
        separators: what may stand between cells; the setting's character unless given.
        is_partial: whether files are expected to have only some of the columns.
        waits_together: whether all rows of one key wait for the same parent, whatever else they say.
        rivals: other feeds whose rows can be about the same things.
        unread: beginnings of the names of columns that may be there and are not read.
    """

    name: str
    title: str
    stage: int
    build: Callable[[Settings], DataFrameSchema]
    key: tuple[str, ...]
    source: str
    loader: str
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    inbox: str = "grades"
    ending: str = ""
    separators: str = ""
    is_partial: bool = False
    waits_together: bool = False
    rivals: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        """The file ending, with its dot."""
        return f".{self.ending or self.name}"

    def as_read(self, settings: Settings, header: str) -> Settings:
        """Return the settings under which a file with this header line is read."""
        if not self.separators:
            return settings
        mark = max(self.separators, key=header.count)  # the first of equals
        return settings.model_copy(update={"delimiter": mark})

    def bind(self, cell: str) -> str | None:
        """Return the column that a header cell names; one that is not read goes by its own name."""
        compared = fold(cell)
        known = self.names.get(compared)
        return known or (cell if any(compared.startswith(fold(start)) for start in self.unread) else None)

    @cached_property
    def names(self) -> dict[str, str]:
        """Every accepted header name in its compared form, to the canonical name."""
        known = {fold(name): name for name in self.build(Settings()).columns}
        known |= {fold(alias): name for name, others in self.aliases.items() for alias in others}
        return known

    @cached_property
    def required(self) -> set[str]:
        """The header names, in their compared form, that a file must have."""
        return {fold(name) for name, column in self.build(Settings()).columns.items() if column.required}

    def policy(self, settings: Settings) -> RejectPolicy:
        """Return what a rejected row costs under these settings."""
        return RejectPolicy.FILE if self.name in settings.whole_file_feeds else RejectPolicy.ROW


def fold(name: str) -> str:
    """Return a header name in the form in which names are compared."""
    return "".join(name.split()).replace("_", "").casefold()
