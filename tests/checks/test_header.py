"""Columns are bound by their names, whatever their order, case, language or spelling."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable

import pytest

from fixtures.corpus import Reading, read
from gradeway.checks import decode
from gradeway.feeds import FEEDS
from gradeway.reasons import Level, Reason
from gradeway.settings import Settings

ALIASES = [
    (feed, name, alias) for feed, spec in FEEDS.items() for name, others in spec.aliases.items() for alias in others
]
COLUMNS = [(feed, name) for feed, spec in FEEDS.items() for name in spec.build(Settings()).columns]
VALUES = "courseId|userId|name|value"
SPELLINGS: dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "padded": lambda name: f" {name}\t",
    "quoted": lambda name: f'"{name}"',
}


def read_header(header: str, feed: str = "colncval", row: str = "") -> Reading:
    return read(f"{header}\n{row}\n".encode(), feed)


def joined(cells: Iterable[str], feed: str) -> str:
    return (FEEDS[feed].separators[:1] or "|").join(cells)


def names(feed: str) -> list[str]:
    return list(FEEDS[feed].build(Settings()).columns)


def only(reading: Reading) -> tuple[Reason, str]:
    (finding,) = reading.findings
    return finding.reason, finding.column


@pytest.mark.parametrize(("feed", "name", "alias"), ALIASES)
def test_an_alias_names_its_column_and_is_told(feed: str, name: str, alias: str) -> None:
    header = [alias if column == name else column for column in names(feed)]
    row = ["1" if column == name else "" for column in names(feed)]
    reading = read_header(joined(header, feed), feed, joined(row, feed))
    told = [finding for finding in reading.findings if finding.reason is Reason.HEADER_ALIAS]
    is_spelling = alias.casefold() == name.casefold()
    assert [(finding.line, finding.column) for finding in told] == ([] if is_spelling else [(1, name)])
    assert not [finding for finding in reading.findings if finding.reason.value.startswith("HEADER_U")]
    assert (2, name) not in {(f.line, f.column) for f in reading.findings if f.reason is Reason.REQUIRED}


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("spell", SPELLINGS)
def test_case_padding_and_quotes_are_no_other_name(feed: str, spell: str) -> None:
    header = joined((SPELLINGS[spell](column) for column in names(feed)), feed)
    assert set(read_header(header, feed).codes) == {"HEADER_ONLY"}


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("Course_id|userId|name|value", "courseId"),
        ("Course_Id|userId|name|value", "courseId"),
        ("COURSE ID|userId|name|value", "courseId"),
        ("c\u00f3digo do curso|userId|name|value", "courseId"),
        (unicodedata.normalize("NFD", "C\u00d3DIGO DO CURSO") + "|userId|name|value", "courseId"),
        ("courseId|user_id|name|value", "userId"),
        ("courseId|userId|nome|value", "name"),
        ("courseId|userId|NAAM|value", "name"),
        ("courseId|userId|name|valor", "value"),
    ],
)
def test_known_other_names_bind_and_warn(header: str, column: str) -> None:
    reading = read_header(header, row="C|u|n|1")
    assert only(reading) == (Reason.HEADER_ALIAS, column)
    assert reading.good == {2: {"courseId": "C", "userId": "u", "name": "n", "value": "1"}}


def test_columns_may_stand_in_any_order() -> None:
    reading = read_header("value|name|courseId|userId", row="1|n|C|u")
    assert reading.findings == []
    assert reading.good == {2: {"value": "1", "name": "n", "courseId": "C", "userId": "u"}}


@pytest.mark.parametrize("feed", [name for name, spec in FEEDS.items() if not spec.is_partial])
def test_an_optional_column_may_lack_and_is_absent_not_blank(feed: str) -> None:
    contract = FEEDS[feed].build(Settings()).columns
    required = [name for name, column in contract.items() if column.required]
    row = ["A=1:F=0" if name == "symbols" else "1" for name in required]
    reading = read_header(joined(required, feed), feed, joined(row, feed))
    assert list(reading.good[2]) == required
    missing = {finding.column for finding in reading.findings if finding.reason is Reason.HEADER_PARTIAL}
    assert missing == set(contract) - set(required)


@pytest.mark.parametrize(("feed", "name"), COLUMNS)
def test_a_required_column_may_not_lack(feed: str, name: str) -> None:
    reading = read_header(joined([*(column for column in names(feed) if column != name), ""], feed), feed)
    required = FEEDS[feed].build(Settings()).columns[name].required
    incomplete = [(f.reason, f.line, f.column) for f in reading.findings if f.reason is Reason.HEADER_INCOMPLETE]
    assert incomplete == ([(Reason.HEADER_INCOMPLETE, 1, name)] if required else [])


@pytest.mark.parametrize(
    ("header", "reason", "column"),
    [
        (f"{VALUES}|value", Reason.HEADER_DUPLICATE, "value"),
        (f"{VALUES}|VALUE", Reason.HEADER_DUPLICATE, "value"),
        (f"{VALUES}| value ", Reason.HEADER_DUPLICATE, "value"),
        (f"{VALUES}|valor", Reason.HEADER_DUPLICATE, "value"),
        (f"_code|{VALUES}|_code", Reason.HEADER_DUPLICATE, "_code"),
        ("courseId|userId|name||value", Reason.HEADER_BLANK, ""),
        ("|courseId|userId|name|value", Reason.HEADER_BLANK, ""),
        ("courseId|userId|name|\u00a0|value", Reason.HEADER_BLANK, ""),
        (f"{VALUES}||", Reason.HEADER_BLANK, ""),
        (f"{VALUES}|comment", Reason.HEADER_UNKNOWN, "comment"),
        (f"{VALUES}|valuee", Reason.HEADER_UNKNOWN, "valuee"),
        (f"{VALUES}|val-ue", Reason.HEADER_UNKNOWN, "val-ue"),
        (f"{VALUES}|_Code", Reason.HEADER_UNKNOWN, "_Code"),
        (f"{VALUES}|" + "x" * 100, Reason.HEADER_UNKNOWN, "x" * 40),
        (f"{VALUES}|\u202eevil", Reason.HEADER_UNKNOWN, "evil"),
        ("courseId|userId|name", Reason.HEADER_INCOMPLETE, "value"),
        ("courseId", Reason.HEADER_INCOMPLETE, "userId"),
        ("_line|_code", Reason.HEADER_INCOMPLETE, "courseId"),
        (VALUES.replace("|", ";"), Reason.DELIMITER_WRONG, ""),
        (VALUES.replace("|", ","), Reason.DELIMITER_WRONG, ""),
        (VALUES.replace("|", "\t"), Reason.DELIMITER_WRONG, ""),
        ("C1|User001|Exam|90", Reason.HEADER_UNREADABLE, ""),
        ("title|symbols", Reason.HEADER_UNREADABLE, ""),
        ("hello", Reason.HEADER_UNREADABLE, ""),
        (" ", Reason.HEADER_UNREADABLE, ""),
        ("|||", Reason.HEADER_UNREADABLE, ""),
        ("courseId|user\x00Id|name|value", Reason.HEADER_UNREADABLE, ""),
    ],
)
def test_a_header_that_cannot_be_used_refuses_the_file(header: str, reason: Reason, column: str) -> None:
    reading = read_header(header, row="C|u|n|1")
    assert only(reading) == (reason, column)
    assert (reading.findings[0].line, reading.rows) == (1, 0)


def test_the_separator_is_a_setting_and_the_wrong_one_is_told() -> None:
    assert read(b"courseId;userId;name;value\nC;u;n;1\n", delimiter=";").good[2]["value"] == "1"
    (finding,) = read(f"{VALUES}\n".encode(), delimiter=";").findings
    assert finding.reason is Reason.DELIMITER_WRONG
    assert "';'" in finding.detail
    assert "'|'" in finding.detail


def test_one_separator_too_many_at_the_end_of_the_header_is_told() -> None:
    reading = read(f"{VALUES}|\nC|u|n|1|\nC|v|n|1\n".encode())
    assert [(finding.reason, finding.line) for finding in reading.findings] == [
        (Reason.CELL_SURPLUS, 2),
        (Reason.CELL_SURPLUS, 1),
    ]
    assert list(reading.good) == [2, 3]


LENIENT = b"courseId|userId|value|name|value\n"


def test_a_name_that_stands_twice_may_be_borne_with_where_rows_do_not_contradict() -> None:
    rows = b"C|u2|2|n|2\nC|u3|3|n|4\nC|u4|5|n|\n C |u5| 6 |n| 6\nC|u6|7|n\nC|u7|8|n|8|\n"
    reading = read(LENIENT + rows, lenient_header=True)
    assert told(reading) == [("u2", "n", "2"), ("u5", "n", "6"), ("u7", "n", "8")]
    assert reading.lines(Level.ROW) == {3: {Reason.ROW_TWICE}, 4: {Reason.ROW_TWICE}, 6: {Reason.ROW_SHORT}}
    assert [(found.reason, found.line, found.column) for found in reading.findings if found.line == 1] == [
        (Reason.HEADER_TWICE, 1, "value")
    ]


def test_rows_may_all_lack_the_second_cell_and_none_may_lack_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "BLOCK", 20)
    reading = read(LENIENT + b"\nC|u1|1|n\nC|u2|n\nC|u3|3|n|3\nC|u4|4|n\n", lenient_header=True)
    assert told(reading) == [("u1", "n", "1"), ("u3", "n", "3"), ("u4", "n", "4")]
    assert reading.lines(Level.ROW) == {4: {Reason.ROW_SHORT}}


def told(reading: Reading) -> list[tuple[str, str, str]]:
    return [(cells["userId"], cells["name"], cells["value"]) for cells in reading.good.values()]


def test_a_name_that_stands_three_times_or_two_that_stand_twice_are_not_borne_with() -> None:
    for header in (b"courseId|userId|value|name|value|value\n", b"courseId|userId|value|name|value|name\n"):
        (finding,) = read(header, lenient_header=True).findings
        assert finding.reason is Reason.HEADER_DUPLICATE
