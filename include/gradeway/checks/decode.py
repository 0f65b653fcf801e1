"""The one decoder: bytes in, slices of text cells out, with every line accounted for.

A record is one physical line; the format has no line breaks inside values, so a broken quote
costs its own line and never the lines after it. Blocks of whole lines are scanned as arrays of
bytes: lines with exactly the right number of separators and nothing odd are taken together, the
few others are read one by one. Memory is bounded by the block, not by the file.

Cells stay text: a blank cell is ``""``, a column the file lacks is absent from the frame. The
columns are categorical, so that what depends on a text alone is done once for each distinct text.
The frame's index is the physical line, with the header as line 1.
"""

from __future__ import annotations

import csv
import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pandas as pd

from gradeway.checks.header import GUARDED, Header, read_header
from gradeway.errors import FileDefectError
from gradeway.feeds.spec import FeedSpec
from gradeway.reasons import Finding, Reason
from gradeway.settings import Settings
from gradeway.words import Cells

BLOCK = 4 << 20
MAX_LINE = 1 << 20
csv.field_size_limit(MAX_LINE)  # no line is longer, so no cell is refused for the wrong reason
NEWLINE, SPACE, QUOTE = 10, 32, 34
CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
BOM, BOM_TEXT = b"\xef\xbb\xbf", "\ufeff"
UTF16 = (b"\xff\xfe", b"\xfe\xff")

Lines = npt.NDArray[np.int64]


@dataclass
class Slice:
    """Some rows of a file: the readable ones as text, and what was wrong with the others."""

    frame: pd.DataFrame
    rows: int
    findings: list[Finding] = field(default_factory=list)


class Decoder:
    """Reads one file of a feed; iterate it once for its slices.

    ``findings`` holds what concerns the whole file; it and ``sha256`` are complete after the
    last slice.

    Raises:
        FileDefectError: from the constructor, when the header cannot be used.
    """

    def __init__(self, stream: BinaryIO, spec: FeedSpec, settings: Settings) -> None:
        self.findings: list[Finding] = []
        self._settings = settings
        self._digest = hashlib.sha256()
        self._ends: set[bytes] = set()
        self._blocks = self._whole_lines(stream)
        first = next(self._blocks, b"")
        self.header_line, _, self._rest = first.partition(b"\n")
        self.header = self._read_header(spec)
        self.findings += self.header.findings

    @property
    def sha256(self) -> str:
        """Digest of the bytes read so far."""
        return self._digest.hexdigest()

    def __iter__(self) -> Iterator[Slice]:
        """Yield the rows, slice by slice, in file order."""
        line, rows = 2, 0
        for block in self._data_blocks():
            if self.header.twice and not rows:
                self.header = self._fit(self.header, block)
            piece = _BlockReader(block, line, self.header, self.header_line, self._settings).read()
            line += max(1, block.count(b"\n"))
            rows += piece.rows
            yield piece
        if not rows:
            self.findings.append(Finding(Reason.HEADER_ONLY))
        if len(self._ends) > 1:
            self.findings.append(Finding(Reason.LINE_ENDS_MIXED))

    def _fit(self, header: Header, block: bytes) -> Header:
        """Say by the first row whether rows have one cell for the name that stands twice."""
        first = next((raw for raw in block.split(b"\n") if raw.strip()), b"")
        return replace(header, is_short=read_line(first, header.width, self._settings)[1] is Reason.ROW_SHORT)

    def _data_blocks(self) -> Iterator[bytes]:
        if self._rest:
            yield self._rest
        yield from self._blocks

    def _read_header(self, spec: FeedSpec) -> Header:
        line = self.header_line
        if line.startswith(UTF16):
            raise FileDefectError(Reason.FILE_ENCODING, "it looks like UTF-16", 1)
        if line.startswith(BOM):
            self.findings.append(Finding(Reason.BOM))
            self.header_line = line = line.removeprefix(BOM)
        if len(line) < 3 * line.count(b"\0") and line.strip(b"\0"):
            raise FileDefectError(Reason.FILE_ENCODING, "it holds NUL bytes, as UTF-16 does", 1)
        if CONTROL.search(line) or len(line) > MAX_LINE or not line.strip():
            raise FileDefectError(Reason.HEADER_UNREADABLE, "", 1)
        try:
            text = decode(line, self._settings)
        except UnicodeDecodeError as error:
            raise FileDefectError(Reason.FILE_ENCODING, f"byte {error.start + 1} of the header", 1) from None
        self._settings = spec.as_read(self._settings, text)
        return read_header(text, spec, self._settings)

    def _whole_lines(self, stream: BinaryIO) -> Iterator[bytes]:
        """Yield blocks that end at a line end; a line that is far too long is cut, not kept."""
        carry, empty = b"", True
        for chunk in self._unified(stream):
            empty = False
            cut = chunk.rfind(b"\n") + 1
            if cut:
                yield carry + chunk[:cut]
                carry = chunk[cut:]
            elif len(carry) <= MAX_LINE:
                carry += chunk
        if empty:
            raise FileDefectError(Reason.FILE_EMPTY)
        if carry:
            self.findings.append(Finding(Reason.NO_FINAL_NEWLINE))
            yield carry + b"\n"

    def _unified(self, stream: BinaryIO) -> Iterator[bytes]:
        """Yield the file's chunks with every kind of line end as a newline."""
        held = b""
        while chunk := stream.read(BLOCK):
            self._digest.update(chunk)
            chunk = held + chunk
            held = b"\r" if chunk.endswith(b"\r") else b""
            yield self._newlines(chunk.removesuffix(b"\r") if held else chunk)
        if held:
            yield self._newlines(held)

    def _newlines(self, chunk: bytes) -> bytes:
        if b"\r" not in chunk:
            if b"\n" in chunk:
                self._ends.add(b"\n")
            return chunk
        pairs, returns, feeds = chunk.count(b"\r\n"), chunk.count(b"\r"), chunk.count(b"\n")
        seen = {b"\r\n": pairs, b"\r": returns - pairs, b"\n": feeds - pairs}
        self._ends |= {end for end, count in seen.items() if count}
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def decode(raw: bytes, settings: Settings) -> str:
    """Return bytes as text: UTF-8, or the fallback that the settings allow.

    Raises:
        UnicodeDecodeError: they are neither.
    """
    try:
        return raw.decode()
    except UnicodeDecodeError:
        if settings.fallback_encoding:
            return raw.decode(settings.fallback_encoding)
        raise


class _BlockReader:
    """Reads one block of whole lines whose first line has a known number."""

    def __init__(self, block: bytes, first_line: int, header: Header, header_line: bytes, settings: Settings) -> None:
        self._block = block
        self._header_line = header_line
        self._first = first_line
        self._header = header
        self._settings = settings
        self._delimiter = ord(settings.delimiter)
        self._bytes = np.frombuffer(block, dtype=np.uint8)
        is_newline = self._bytes == NEWLINE
        # ends of cells: of the last one of a line, its newline
        self._marks: Lines = np.flatnonzero((self._bytes == self._delimiter) | is_newline)
        self._last: npt.NDArray[np.bool_] = is_newline[self._marks]
        self._ends: Lines = self._marks[self._last]
        self._starts: Lines = np.concatenate(([0], self._ends[:-1] + 1))

    def read(self) -> Slice:
        odd = self._odd_lines()
        plain = self._plain_frame(odd)
        if not odd.any():
            return Slice(self._finish(plain), len(plain))
        others, findings, blank = self._read_one_by_one(np.flatnonzero(odd))
        frame = pd.concat([plain.astype(object), others]).sort_index() if len(others) else plain
        return Slice(self._finish(frame), len(self._ends) - blank, findings)

    def _odd_lines(self) -> npt.NDArray[np.bool_]:
        """Mark the lines that need care: wrong width, quotes, control bytes, bad text."""
        cells = np.diff(np.flatnonzero(self._last), prepend=-1)
        odd: npt.NDArray[np.bool_] = (cells != self._header.width) | (self._ends - self._starts > MAX_LINE)
        if self._header.twice:
            odd[:] = True
        if b'"' in self._block:
            odd |= self._count_in_lines(np.flatnonzero(self._bytes == QUOTE)) > 0
        if self._header_line + b"\n" in self._block:
            odd |= np.isin(self._starts, self._header_starts())
        if self._has_control():
            places = np.array([match.start() for match in CONTROL.finditer(self._block)], dtype=np.int64)
            odd |= self._count_in_lines(places) > 0
        if not self._is_text():
            odd |= self._count_in_lines(np.flatnonzero(self._bytes > 127)) > 0
        return odd

    def _header_starts(self) -> list[int]:
        """Return where the header's text ends a line, with the byte order mark that may precede it."""
        text = re.compile(b"(?:%b)?%b\n" % (BOM, re.escape(self._header_line)))
        return [match.start() for match in text.finditer(self._block)]

    def _has_control(self) -> bool:
        """Tell quickly whether a search for control bytes is worth its time."""
        return int(np.count_nonzero(self._bytes < SPACE)) > len(self._ends) or b"\x7f" in self._block

    def _is_text(self) -> bool:
        if self._block.isascii():
            return True
        try:
            self._block.decode()
        except UnicodeDecodeError:
            return False
        return True

    def _count_in_lines(self, places: Lines) -> Lines:
        return np.diff(np.searchsorted(places, self._ends, side="right"), prepend=0)

    def _plain_frame(self, odd: npt.NDArray[np.bool_]) -> pd.DataFrame:
        numbers = self._first + np.flatnonzero(~odd)
        if not len(numbers):
            return _frame({}, self._header)
        cells = self._cells(odd)
        columns = {name: _categorical(*cells.distinct(place)) for place, name in enumerate(self._header.names)}
        return pd.DataFrame(columns, index=pd.Index(numbers))

    def _cells(self, odd: npt.NDArray[np.bool_]) -> Cells:
        """Return the cells of the lines that are not odd."""
        block, marks = self._block, self._marks
        if odd.any():
            kept = self._bytes[np.repeat(~odd, self._ends + 1 - self._starts)]
            block, marks = kept.tobytes(), np.flatnonzero((kept == self._delimiter) | (kept == NEWLINE))
        return Cells(block, marks.reshape(-1, self._header.width))

    def _read_one_by_one(self, lines: Lines) -> tuple[pd.DataFrame, list[Finding], int]:
        rows: dict[int, list[str]] = {}
        findings: list[Finding] = []
        blank = 0
        for line in lines:
            raw, number = self._block[self._starts[line] : self._ends[line]], self._first + int(line)
            if not raw.strip() or raw.removeprefix(BOM) == self._header_line:
                blank += 1
                findings += [Finding(Reason.HEADER_REPEATED, number)] if raw.strip() else []
                continue
            read = self._read_twice if self._header.twice else self._read
            cells, reason = read(raw)
            if reason:
                findings.append(Finding(reason, number))
            if cells:
                rows[number] = cells
        return _frame(rows, self._header), findings, blank

    def _read(self, raw: bytes) -> tuple[list[str], Reason | None]:
        return read_line(raw, self._header.width, self._settings)

    def _read_twice(self, raw: bytes) -> tuple[list[str], Reason | None]:
        """Read a row under a header with a name twice: it has one cell for it, or two that are the same.

        Which, the first row says for all: a row that lacks another cell must not be read shifted.
        """
        first, second = self._header.twice or (0, 0)
        cells, reason = self._read(raw)
        if reason is Reason.ROW_SHORT and self._header.is_short:
            short, reason = read_line(raw, self._header.width - 1, self._settings)
            cells = [*short[:second], short[first], *short[second:]] if short else []
        if cells and cells[first].strip() != cells[second].strip():
            return [], Reason.ROW_TWICE
        return cells, reason

    def _finish(self, frame: pd.DataFrame) -> pd.DataFrame:
        if GUARDED in self._header.names:
            frame = unguard(frame.astype(object))
        return pd.DataFrame({name: _clean(frame[name]) for name in self._header.columns}, index=frame.index)


def _frame(rows: dict[int, list[str]], header: Header) -> pd.DataFrame:
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=list(header.names), dtype=object)
    return frame.set_index(frame.index.astype("int64"))


def _categorical(codes: Lines, texts: list[str]) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, categories=pd.Index(texts, dtype=object))


def _clean(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return the column as a categorical of trimmed texts in composed Unicode (NFC)."""
    found = column.astype("category").cat
    given = found.categories.tolist()
    texts = [text.strip() if text.isascii() else _composed(text) for text in given]
    if texts == given:
        return column.astype("category")
    codes, distinct = pd.factorize(np.array(texts, dtype=object))
    return pd.Series(_categorical(codes[found.codes], list(distinct)), index=column.index)


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text.replace(BOM_TEXT, "")).strip()


def read_line(raw: bytes, width: int, settings: Settings) -> tuple[list[str], Reason | None]:
    """Read one line that needs care; return its cells (none if rejected) and the reason found."""
    if len(raw) > MAX_LINE:
        return [], Reason.ROW_TOO_LONG
    if CONTROL.search(raw):
        return [], Reason.ROW_CONTROL
    try:
        text = decode(raw, settings)
        cells = next(csv.reader([text], delimiter=settings.delimiter, strict=True, skipinitialspace=True))
    except UnicodeDecodeError:
        return [], Reason.ROW_ENCODING
    except csv.Error:
        return [], Reason.QUOTE_UNCLOSED
    if len(cells) == width + 1 and not cells[-1].strip():
        return cells[:-1], Reason.CELL_SURPLUS
    if len(cells) != width:
        return [], Reason.ROW_SHORT if len(cells) < width else Reason.ROW_LONG
    return cells, Reason.SPACE_BEFORE_QUOTE if f'{settings.delimiter} "' in text else None


def unguard(frame: pd.DataFrame) -> pd.DataFrame:
    """Take back the apostrophes that a reject file put before cells a spreadsheet would run."""
    for line, guarded in frame.loc[frame[GUARDED] != "", GUARDED].items():
        for name in set(str(guarded).split()) & set(frame.columns):
            frame.at[line, name] = str(frame.at[line, name]).removeprefix("'")
    return frame
