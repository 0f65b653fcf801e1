"""The header line: which column stands where, bound by name and never by place."""

from __future__ import annotations

import csv
import unicodedata
from dataclasses import dataclass, field

from gradeway.errors import FileDefectError
from gradeway.feeds.spec import FeedSpec
from gradeway.reasons import Finding, Reason
from gradeway.settings import Settings

# What a reject file adds to the source's own columns, first, so that ragged rows stay as they were.
LINE, CODE, COLUMN, REMEDY, GUARDED = "_line", "_code", "_column", "_remedy", "_guarded"
REASON_COLUMNS = (LINE, CODE, COLUMN, REMEDY, GUARDED)
UNREAD = "_unread"
OTHER_DELIMITERS = "|,;\t"
SHOWN = 40


@dataclass(frozen=True)
class Header:
    """The columns of one file in their order: canonical names, or the name of one that is not read.

    ``twice`` are the two places of the one name that may stand twice; the second is not read, and not
    there if the rows of the file ``is_short`` by it.
    """

    names: tuple[str, ...]
    known: tuple[str, ...]
    findings: tuple[Finding, ...] = field(default=())
    twice: tuple[int, int] | None = None
    is_short: bool = False

    @property
    def width(self) -> int:
        """How many cells a row has."""
        return len(self.names)

    @property
    def columns(self) -> tuple[str, ...]:
        """The feed's columns that the file has and that are read."""
        return tuple(name for name in self.names if name in self.known)


def read_header(line: str, spec: FeedSpec, settings: Settings) -> Header:
    """Bind a header line to a feed.

    Raises:
        FileDefectError: a name is blank, unknown, twice there, or a required one is missing.
    """
    cells = _cells(line, settings.delimiter)
    surplus = len(cells) > 1 and not cells[-1]
    cells = cells[:-1] if surplus else cells
    names = [_bind(cell, spec) for cell in cells]
    _refuse_unreadable(line, names, settings)
    _refuse_blank_or_unknown(cells, names)
    found = tuple(name for name in names if name)
    twice = _duplicate(found, settings)
    findings = [Finding(Reason.CELL_SURPLUS, 1)] if surplus else []
    findings += _aliases(cells, found)
    findings += _missing(found, spec, settings)
    if twice:
        findings.append(Finding(Reason.HEADER_TWICE, 1, found[twice[1]]))
        found = (*found[: twice[1]], UNREAD, *found[twice[1] + 1 :])
    return Header(found, tuple(spec.names.values()), tuple(findings), twice)


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        cells = line.split(delimiter)
    return [unicodedata.normalize("NFC", cell).strip() for cell in cells]


def _bind(cell: str, spec: FeedSpec) -> str | None:
    return cell if cell in REASON_COLUMNS else spec.bind(cell)


def _refuse_unreadable(line: str, names: list[str | None], settings: Settings) -> None:
    if any(names):
        return
    other = [mark for mark in OTHER_DELIMITERS if mark != settings.delimiter and mark in line]
    if other and settings.delimiter not in line:
        raise FileDefectError(Reason.DELIMITER_WRONG, f"expected {settings.delimiter!r}, saw {other[0]!r}", 1)
    raise FileDefectError(Reason.HEADER_UNREADABLE, "no column of this feed is named", 1)


def _refuse_blank_or_unknown(cells: list[str], names: list[str | None]) -> None:
    for place, (cell, name) in enumerate(zip(cells, names, strict=True), 1):
        if not cell:
            raise FileDefectError(Reason.HEADER_BLANK, f"column {place} has no name", 1)
        if name is None:
            shown = "".join(mark for mark in cell[:SHOWN] if mark.isprintable())
            raise FileDefectError(Reason.HEADER_UNKNOWN, f"column {place}", 1, shown)


def _duplicate(names: tuple[str, ...], settings: Settings) -> tuple[int, int] | None:
    """Return the places of the one name that stands twice, if the settings bear with it."""
    places = [place for place, name in enumerate(names) if names.count(name) > 1]
    if len(places) == 2 and settings.lenient_header:
        return places[0], places[1]
    if places:
        raise FileDefectError(Reason.HEADER_DUPLICATE, "the name stands twice", 1, names[places[0]])
    return None


def _aliases(cells: list[str], names: tuple[str, ...]) -> list[Finding]:
    pairs = zip(cells, names, strict=True)
    return [Finding(Reason.HEADER_ALIAS, 1, name) for cell, name in pairs if cell.casefold() != name.casefold()]


def _missing(names: tuple[str, ...], spec: FeedSpec, settings: Settings) -> list[Finding]:
    findings = []
    for name, column in spec.build(settings).columns.items():
        if name not in names:
            if column.required:
                raise FileDefectError(Reason.HEADER_INCOMPLETE, "the column is required", 1, name)
            findings += [] if spec.is_partial else [Finding(Reason.HEADER_PARTIAL, 1, name)]
    return findings
