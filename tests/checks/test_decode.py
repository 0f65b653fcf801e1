"""The decoder accounts for every line of any bytes, and reads what was written."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import unicodedata
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fixtures.corpus import Reading, hostile_files, read
from gradeway.checks import decode
from gradeway.checks.decode import Decoder, read_line
from gradeway.errors import FileDefectError
from gradeway.feeds import FEEDS
from gradeway.reasons import Level, Reason
from gradeway.settings import Settings, load

HEADER = b"courseId|userId|name|value\n"
WIDTH = 4
LONG = b"x" * 140_000
# What makes lines odd, and enough plain text between for lines to be right too.
PIECES = (
    *(b"|", b"|||", b"\n", b"\r", b"\r\n", b'"', b'""', b"'", b" ", b"\t", b"\x00", b"\x1f", b"\x7f", b"\x0b", b"\x0c"),
    *(
        b"C|u|n|1\n",
        b'"C"|"u|v"|n|1\n',
        b"C|u|n|1|\n",
        b"C|u|n",
        b"a",
        b"=1",
        b"\xff",
        b"\xc3",
        b"\xc3\xa9",
        b"e\xcc\x81",
    ),
    *(b"\xe2\x80\xa8", b"\xc2\x85", b"\xc2\xa0", b"\xf0\x9f\x8e\x93", b"\xed\xa0\x80", b"\xc0\xaf", b"\xef\xbb\xbf"),
)
# A byte order mark within the file has its own tests.
PLAIN = tuple(piece for piece in PIECES if b"\xef\xbb\xbf" not in piece)


@dataclass
class Decoded:
    """What the decoder gave for some bytes."""

    rows: int = 0
    cells: dict[int, tuple[str, ...]] = field(default_factory=dict)
    rejected: dict[int, Reason] = field(default_factory=dict)
    told: set[tuple[Reason, int | None]] = field(default_factory=set)
    sha256: str = ""


def decode_bytes(content: bytes, block: int = decode.BLOCK, **settings: object) -> Decoded | Reason:
    """Decode bytes block by block; a file that cannot be used gives its reason."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "BLOCK", block)
        try:
            decoder = Decoder(io.BytesIO(content), FEEDS["colncval"], Settings.model_validate(settings))
            slices = list(decoder)
        except FileDefectError as defect:
            return defect.reason
    result = Decoded(sha256=decoder.sha256, told={(f.reason, f.line) for f in decoder.findings})
    for piece in slices:
        result.rows += piece.rows
        rows = zip(piece.frame.index, piece.frame.itertuples(index=False, name=None), strict=True)
        result.cells |= {int(line): tuple(cells) for line, cells in rows}
        for finding in piece.findings:
            assert finding.line is not None
            if finding.reason.level is Level.ROW:
                result.rejected[finding.line] = finding.reason
            else:
                result.told.add((finding.reason, finding.line))
    return result


def lines_of(content: bytes) -> list[bytes]:
    """Return the physical lines, the slow way."""
    lines = re.split(rb"\r\n|\r|\n", content)
    return lines[:-1] if lines[-1] == b"" else lines


def expect(content: bytes) -> Decoded:
    """Decode line by line, with none of the decoder's shortcuts."""
    expected = Decoded()
    for number, raw in enumerate(lines_of(content)[1:], 2):
        if not raw.strip() or raw == HEADER.strip():
            continue
        expected.rows += 1
        cells, reason = read_line(raw, WIDTH, Settings())
        if cells:
            expected.cells[number] = tuple(unicodedata.normalize("NFC", cell).strip() for cell in cells)
        else:
            assert reason is not None
            expected.rejected[number] = reason
    return expected


files = st.lists(st.sampled_from(PLAIN), max_size=40).map(lambda pieces: HEADER + b"".join(pieces))
bodies = st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join) | st.binary(max_size=80)
blocks = st.integers(1, 70)


@hypothesis_settings(max_examples=120, deadline=None)
@given(files, blocks)
def test_the_fast_path_reads_what_line_by_line_reads(content: bytes, block: int) -> None:
    result, expected = decode_bytes(content, block), expect(content)
    assert isinstance(result, Decoded)
    assert result.cells == expected.cells
    assert result.rejected == expected.rejected
    assert result.rows == expected.rows


@hypothesis_settings(max_examples=120, deadline=None)
@given(body=bodies, block=blocks, headed=st.booleans())
def test_no_bytes_break_the_decoder_and_every_line_is_accounted_for(body: bytes, block: int, *, headed: bool) -> None:
    content = HEADER + body if headed else body
    result = decode_bytes(content, block)
    if isinstance(result, Reason):
        assert result.level is Level.FILE
        assert not headed
    else:
        assert result.rows == len(result.cells) + len(result.rejected)
        assert not set(result.cells) & set(result.rejected)
        repeated = {line for reason, line in result.told if reason is Reason.HEADER_REPEATED}
        assert result.rows == sum(1 for line in lines_of(content)[1:] if line.strip()) - len(repeated)
        assert all(len(cells) == WIDTH for cells in result.cells.values())


@hypothesis_settings(max_examples=120, deadline=None)
@given(bodies, blocks, blocks)
def test_the_size_of_the_blocks_changes_nothing(body: bytes, one: int, other: int) -> None:
    assert decode_bytes(HEADER + body, one) == decode_bytes(HEADER + body, other)


@pytest.mark.parametrize("name", [name for name, content in hostile_files().items() if len(content) < 100_000])
def test_the_size_of_the_blocks_changes_nothing_for_a_hostile_file(name: str) -> None:
    content = hostile_files()[name]
    assert decode_bytes(content, 7) == decode_bytes(content, 64) == decode_bytes(content)


def _written(rows: list[list[str]], quoting: int) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter="|", lineterminator="\n", quoting=quoting)  # type: ignore[arg-type]
    writer.writerows(rows)
    return HEADER + out.getvalue().encode()


# Text that the format can carry: one line, no control characters, trimmed and in its composed form.
cell_text = (
    st.text(
        st.sampled_from("ab|\"',;=+-@:. \u00e9\u05d0\u200d") | st.characters(codec="utf-8", exclude_categories=("C",))
    )
    .map(lambda text: unicodedata.normalize("NFC", text).strip())
    .filter(lambda text: not text.startswith("\ufeff"))
)
tables = st.lists(st.lists(cell_text, min_size=WIDTH, max_size=WIDTH), min_size=1, max_size=8)


@hypothesis_settings(max_examples=100, deadline=None)
@given(tables, st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), blocks)
def test_what_was_written_is_read(table: list[list[str]], quoting: int, block: int) -> None:
    result = decode_bytes(_written(table, quoting), block)
    assert isinstance(result, Decoded)
    assert list(result.cells.values()) == [tuple(row) for row in table]
    assert result.rejected == {}


@hypothesis_settings(max_examples=60, deadline=None)
@given(table=tables, end=st.sampled_from([b"\n", b"\r\n", b"\r"]), mark=st.booleans(), last=st.booleans())
def test_line_ends_and_a_byte_order_mark_change_no_cell(
    table: list[list[str]], end: bytes, *, mark: bool, last: bool
) -> None:
    content = _written(table, csv.QUOTE_ALL)
    other = content.replace(b"\n", end) if last else content.removesuffix(b"\n").replace(b"\n", end)
    result, plain = decode_bytes((decode.BOM if mark else b"") + other, 50), decode_bytes(content)
    assert isinstance(result, Decoded)
    assert isinstance(plain, Decoded)
    assert (result.cells, result.rows) == (plain.cells, plain.rows)
    wanted = {Reason.BOM} if mark else set()
    assert {reason for reason, _ in result.told} == wanted | (set() if last else {Reason.NO_FINAL_NEWLINE})


def test_the_digest_is_that_of_the_bytes() -> None:
    for content in (HEADER, HEADER + b"\xff\r\n" * 100, b"\xef\xbb\xbf" + HEADER + b"x" * 500):
        result = decode_bytes(content, 64)
        assert isinstance(result, Decoded)
        assert result.sha256 == hashlib.sha256(content).hexdigest()


def test_a_byte_order_mark_between_joined_files_is_no_text_wherever_a_block_begins() -> None:
    content = HEADER + b"C|u1|n|1\n\xef\xbb\xbfC|u2|n|1\n"
    for block in (len(HEADER) + 9, 1 << 20):
        result = decode_bytes(content, block)
        assert isinstance(result, Decoded)
        assert [cells[0] for cells in result.cells.values()] == ["C", "C"]


@pytest.mark.parametrize(
    ("row", "cells", "reason"),
    [
        (b"C|u|n|1", ["C", "u", "n", "1"], None),
        (b" C |\tu\t|n|\xc2\xa01", ["C", "u", "n", "1"], None),
        (b"|||", ["", "", "", ""], None),
        (b"C|u|n|1|", ["C", "u", "n", "1"], Reason.CELL_SURPLUS),
        (b"C|u|n|1| \t", ["C", "u", "n", "1"], Reason.CELL_SURPLUS),
        (b"C|u|n|1||", None, Reason.ROW_LONG),
        (b"C|u|n|1|x", None, Reason.ROW_LONG),
        (b"C|u|n", None, Reason.ROW_SHORT),
        (b"x", None, Reason.ROW_SHORT),
        (b'"C"|"u"|"n"|"1"', ["C", "u", "n", "1"], None),
        (b'C|"u|v"|n|1', ["C", "u|v", "n", "1"], None),
        (b'C|"u ""v"""|n|1', ["C", 'u "v"', "n", "1"], None),
        (b'C|5" disk|n|1', ["C", '5" disk', "n", "1"], None),
        (b'C|""|n|1', ["C", "", "n", "1"], None),
        (b'C|"u|n|1', None, Reason.QUOTE_UNCLOSED),
        (b'C|"u"v|n|1', None, Reason.QUOTE_UNCLOSED),
        (b'C|u|n|1"', ["C", "u", "n", '1"'], None),
        (b"C|u|n|1\x00", None, Reason.ROW_CONTROL),
        (b"C|\x1b[0m|n|1", None, Reason.ROW_CONTROL),
        (b"C|u|n|\x7f1", None, Reason.ROW_CONTROL),
        (b"C|\xe9|n|1", None, Reason.ROW_ENCODING),
        pytest.param(b"C|u|n|" + b"1" * (1 << 20), None, Reason.ROW_TOO_LONG, id="longer than 1 MiB"),
        (b"C|\xe2\x80\xa8u|n|1", ["C", "u", "n", "1"], None),
        ("C|Rene\u0301|n|1".encode(), ["C", "Ren\u00e9", "n", "1"], None),
        (b"C|u|n|NA", ["C", "u", "n", "NA"], None),
        (b"C|007|n|1.50", ["C", "007", "n", "1.50"], None),
        # cells longer than the csv module takes by default
        pytest.param(b'C|u|n|"' + LONG + b'"', ["C", "u", "n", LONG.decode()], None, id="long and quoted"),
        pytest.param(b"C|u|n|x|" + LONG, None, Reason.ROW_LONG, id="long and ragged"),
        pytest.param(b"C|u" + LONG, None, Reason.ROW_SHORT, id="long and short of cells"),
    ],
)
def test_a_row_is_read_or_rejected(row: bytes, cells: list[str] | None, reason: Reason | None) -> None:
    result = decode_bytes(HEADER + b"A|a|a|0\n" + row + b"\nB|b|b|2\n")
    assert isinstance(result, Decoded)
    assert (result.cells[2], result.cells[4], result.rows) == (("A", "a", "a", "0"), ("B", "b", "b", "2"), 3)
    if cells is None:
        assert result.rejected == {3: reason}
    else:
        assert result.cells[3] == tuple(cells)
        assert result.told == ({(reason, 3)} if reason else set())


def test_a_line_keeps_its_physical_number_after_blank_and_rejected_ones() -> None:
    result = decode_bytes(HEADER + b"\n \n\x00\nC|u|n|1\n\r\n\nC|v\nC|w|n|1")
    assert isinstance(result, Decoded)
    assert list(result.cells) == [5, 9]
    assert result.rejected == {4: Reason.ROW_CONTROL, 8: Reason.ROW_SHORT}
    assert result.rows == 4


def test_cp1252_is_read_only_where_the_settings_say_so() -> None:
    content = (
        HEADER + "C|Ren\u00e9|n|1\nC|Zo\u00eb|n|1\n".encode("cp1252") + "C|Ana\u00efs|n|1\n".encode() + b"C|\x81|n|1\n"
    )
    strict, loose = decode_bytes(content), decode_bytes(content, fallback_encoding="cp1252")
    assert isinstance(strict, Decoded)
    assert isinstance(loose, Decoded)
    assert strict.rejected == dict.fromkeys((2, 3, 5), Reason.ROW_ENCODING)
    assert [cells[1] for cells in loose.cells.values()] == ["Ren\u00e9", "Zo\u00eb", "Ana\u00efs"]
    assert loose.rejected == {5: Reason.ROW_ENCODING}


@pytest.mark.parametrize("mark", [";", ",", "\t", "~", "^"])
def test_another_separator_separates_as_well(mark: str) -> None:
    content = HEADER.decode().replace("|", mark) + f'C{mark}u|v{mark}"n{mark}m"{mark}1\n'
    result = decode_bytes(content.encode(), delimiter=mark)
    assert isinstance(result, Decoded)
    assert result.cells == {2: ("C", "u|v", f"n{mark}m", "1")}


@pytest.mark.parametrize("mark", ["|", ";", ",", "\t"])
def test_a_separator_can_be_set_in_the_environment(mark: str) -> None:
    assert load({"GRADEWAY_DELIMITER": mark}).delimiter == mark


@pytest.mark.parametrize("mark", ['"', "\n", "\r", "\x00", "\u00a6", "\U0001f393", "a", "0", "_"])
def test_a_separator_that_cannot_separate_is_no_setting(mark: str) -> None:
    with pytest.raises(ValueError, match="delimiter"):
        Settings(delimiter=mark)


def test_a_column_that_the_file_lacks_is_absent_and_a_blank_cell_is_blank() -> None:
    reading: Reading = read(b"courseId|name|description\nC|n|\n", "colnc")
    assert reading.good == {2: {"courseId": "C", "name": "n", "description": ""}}
