"""The reject file: the rejected lines of a landed file, in its own format, ready to be corrected.

Reason columns stand first, so that a line with too many or too few cells stays as it was; the
decoder knows them, so a corrected file is dropped back as it is. Cells that a spreadsheet would
run as a formula get an apostrophe, which the decoder takes away again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from gradeway.checks.decode import BOM, MAX_LINE, decode
from gradeway.checks.files import whole
from gradeway.checks.header import REASON_COLUMNS, read_header
from gradeway.feeds.spec import FeedSpec
from gradeway.reasons import Finding, Level
from gradeway.settings import Settings

FORMULA = re.compile(rb'\A("?)(?=[=+\-@\t])(?![+-]?[\d.]+"?$)')
LINE_END = re.compile(rb"\r\n|\r|\n")
CHUNK = 1 << 20


def write_rejects(
    open_file: Callable[[], BinaryIO], findings: Sequence[Finding], target: Path, spec: FeedSpec, settings: Settings
) -> int:
    """Write the lines with rejecting findings to a file; return how many. It appears whole or not at all."""
    by_line: dict[int, list[Finding]] = {}
    for finding in findings:
        if finding.reason.level is Level.ROW and finding.line is not None:
            by_line.setdefault(finding.line, []).append(finding)
    if not by_line:
        target.unlink(missing_ok=True)
        return 0
    with open_file() as source, whole(target) as out:
        lines = _lines(source)
        layout = _Layout(next(lines, (1, b""))[1], spec, settings)
        out.write(layout.header)
        for number, raw in lines:
            if number in by_line:
                out.write(layout.row(number, raw, by_line[number]))
    return len(by_line)


class _Layout:
    """Where the columns of a file stand, and how its rejected lines are written."""

    def __init__(self, header: bytes, spec: FeedSpec, settings: Settings) -> None:
        self._mark = settings.delimiter.encode()
        # in a reason's text, which no program reads again
        self._comma = ";" if settings.delimiter == "," else ","
        self._names = read_header(decode(header.removeprefix(BOM), settings), spec, settings).names
        cells = self._source(self._split(header.removeprefix(BOM)))
        self.header = self._mark.join([*(name.encode() for name in REASON_COLUMNS), *cells]) + b"\n"

    def row(self, number: int, raw: bytes, findings: list[Finding]) -> bytes:
        """Return a line with its reasons before it; formulas are guarded, all else is byte for byte."""
        cells = self._split(raw)
        places = zip(self._names, cells, strict=False)
        guarded = [name for name, cell in places if FORMULA.match(cell) and name not in REASON_COLUMNS]
        shown = [FORMULA.sub(rb"\1'", cell, count=1) for cell in self._source(cells)]
        reasons = [
            str(number),
            _joined(finding.reason.value for finding in findings),
            _joined(finding.column for finding in findings if finding.column),
            _joined(finding.remedy for finding in findings),
            " ".join(guarded),
        ]
        mark = self._mark.decode()
        return self._mark.join([*(text.replace(mark, self._comma).encode() for text in reasons), *shown]) + b"\n"

    def _source(self, cells: list[bytes]) -> list[bytes]:
        """Return the cells of the source, without those of an earlier reject file's reasons."""
        extra = len(self._names)
        return [cell for place, cell in enumerate(cells) if place >= extra or self._names[place] not in REASON_COLUMNS]

    def _split(self, raw: bytes) -> list[bytes]:
        if b'"' not in raw:
            return raw.split(self._mark)
        mark = re.escape(self._mark)
        cells = re.findall(rb'(?:^|%b)(\s*"(?:[^"]|"")*"\s*(?=%b|$)|[^%b]*)' % (mark, mark, mark), raw)
        return cells if self._mark.join(cells) == raw else raw.split(self._mark)


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
