"""The reject file: the rejected lines of a landed file, in its own format, ready to be corrected.

Reason columns stand first, so that a line with too many or too few cells stays as it was; the
decoder knows them, so a corrected file is dropped back as it is. Cells that a spreadsheet would
run as a formula get an apostrophe, which the decoder takes away again.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO

from gradeway.checks.decode import BOM, MAX_LINE, decode
from gradeway.checks.files import whole
from gradeway.checks.header import REASON_COLUMNS, UNREAD, read_header
from gradeway.feeds.spec import FeedSpec
from gradeway.reasons import Finding, Level, Reason
from gradeway.settings import Settings

FORMULA = re.compile(rb'\A("?)(?=[=+\-@\t])(?![+-]?[\d.]+"?$)')
LINE_END = re.compile(rb"\r\n|\r|\n")
CHUNK = 1 << 20

Told = tuple[tuple[Reason, str, str], ...]  # reasons with their column and detail


def write_rejects(
    open_file: Callable[[], BinaryIO], findings: Sequence[Finding], target: Path, spec: FeedSpec, settings: Settings
) -> int:
    """Write the lines with rejecting findings to a file; return how many. It appears whole or not at all."""
    rejecting = [found for found in findings if found.reason.level is Level.ROW and found.line is not None]
    if not rejecting:
        target.unlink(missing_ok=True)
        return 0
    by_line = attrgetter("line")
    groups = groupby(sorted(rejecting, key=by_line), key=by_line)
    written = 0
    with open_file() as source, whole(target) as out:
        lines = _lines(source)
        layout = _Layout(next(lines, (1, b""))[1], spec, settings)
        out.write(layout.header)
        for number, raw, found in _paired(lines, groups):
            out.write(layout.row(number, raw, tuple((one.reason, one.column, one.detail) for one in found)))
            written += 1
    return written


def _paired(
    lines: Iterator[tuple[int, bytes]], groups: Iterator[tuple[int, Iterator[Finding]]]
) -> Iterator[tuple[int, bytes, Iterator[Finding]]]:
    """Yield the lines that have findings, with these; both come in the order of the lines."""
    number, raw = 0, b""
    for wanted, found in groups:
        while number < wanted:
            number, raw = next(lines, (sys.maxsize, b""))
        if number == wanted:
            yield number, raw, found


class _Layout:
    """Where the columns of a file stand, and how its rejected lines are written."""

    def __init__(self, header: bytes, spec: FeedSpec, settings: Settings) -> None:
        text = decode(header.removeprefix(BOM), settings)
        settings = spec.as_read(settings, text)
        self._mark = settings.delimiter.encode()
        self._risky = re.compile(rb'(?:\A|%b)"?[=+\-@\t]' % re.escape(self._mark))  # lines that may hold a formula
        # in a reason's text, which no program reads again
        self._comma = ";" if settings.delimiter == "," else ","
        found = read_header(text, spec, settings)
        self._names, self._twice = found.names, found.twice
        known = {*REASON_COLUMNS, *spec.names.values(), UNREAD}
        self._unread = {place for place, name in enumerate(self._names) if name not in known}
        left_out = {*REASON_COLUMNS, UNREAD}
        self._left_out = {place for place, name in enumerate(self._names) if name in left_out}
        cells = self._source(self._split(header.removeprefix(BOM)))
        self.header = self._mark.join([*(name.encode() for name in REASON_COLUMNS), *cells]) + b"\n"

    def row(self, number: int, raw: bytes, found: Told) -> bytes:
        """Return a line with its reasons before it; formulas are guarded, all else is byte for byte."""
        cells = self._read(raw)
        shown, guarded = self._source(cells), b""
        if self._risky.search(raw):
            places = zip(self._names, cells, strict=False)
            names = [name for name, cell in places if FORMULA.match(cell) and name not in REASON_COLUMNS]
            shown, guarded = [FORMULA.sub(rb"\1'", cell, count=1) for cell in shown], " ".join(names).encode()
        reasons = _reasons(found, self._mark.decode(), self._comma)
        return self._mark.join([str(number).encode(), *reasons, guarded, *shown]) + b"\n"

    def _source(self, cells: list[bytes]) -> list[bytes]:
        """Return the cells of the source: no reasons of an earlier reject file, no second column of a name."""
        if not self._left_out:
            return cells
        return [cell for place, cell in enumerate(cells) if place not in self._left_out]

    def _read(self, raw: bytes) -> list[bytes]:
        """Return the cells of a line; what is not read, a new user's password for one, stays in the archive."""
        cells = self._split(raw)
        if self._twice and len(cells) == len(self._names) - 1:
            cells.insert(self._twice[1], b"")
        if not self._unread:
            return cells
        if len(cells) != len(self._names):
            return []  # no telling which cell is which
        return [b"" if place in self._unread else cell for place, cell in enumerate(cells)]

    def _split(self, raw: bytes) -> list[bytes]:
        if b'"' not in raw:
            return raw.split(self._mark)
        mark = re.escape(self._mark)
        cells = re.findall(rb'(?:^|%b)(\s*"(?:[^"]|"")*"\s*(?=%b|$)|[^%b]*)' % (mark, mark, mark), raw)
        return cells if self._mark.join(cells) == raw else raw.split(self._mark)


@lru_cache(1000)
def _reasons(found: Told, mark: str, comma: str) -> tuple[bytes, bytes, bytes]:
    """Return the codes, the columns and the remedies of a line, which many lines have in common."""
    findings = [Finding(reason, None, column, detail) for reason, column, detail in found]
    texts = (
        _joined(finding.reason.value for finding in findings),
        _joined(finding.column for finding in findings if finding.column),
        _joined(finding.remedy for finding in findings),
    )
    codes, columns, remedies = (text.replace(mark, comma).encode() for text in texts)
    return codes, columns, remedies


def _joined(texts: Iterator[str]) -> str:
    return "; ".join(dict.fromkeys(texts))


def _lines(source: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield numbered physical lines of any line end, counted as the decoder counts them."""
    number, carry = 1, b""
    while chunk := source.read(CHUNK):
        carry += chunk
        held = carry[-1:] if carry.endswith(b"\r") else b""
        *lines, carry = LINE_END.split(carry[: len(carry) - len(held)])
        carry = (carry + held)[: 2 * MAX_LINE] if len(carry) > 2 * MAX_LINE else carry + held
        for line in lines:
            yield number, line
            number += 1
    for line in LINE_END.split(carry):
        yield number, line
        number += 1
