"""The six grade feeds are what the vendor's page says: columns, marks, sizes, defaults, keys, order."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from fixtures.corpus import FEED_FILES, read
from gradeway import feeds
from gradeway.feeds import FEEDS
from gradeway.feeds.cells import CellError, Symbol
from gradeway.feeds.spec import RejectPolicy
from gradeway.reasons import Reason
from gradeway.settings import Settings

COLUMNS = ("courseId", "name", "description", "duedate", "points", "gradeSchema", "optionalData")
ASSIGNMENTS = (
    *("courseId", "name", "instructions", "anonymous", "group", "contentAreaName", "available", "colour"),
    *("attempts", "tracked", "startDate", "endDate", "dueDate", "points", "gradeSchema", "optionalData"),
)
HEADERS = {
    "sch": ("title", "symbols", "optionalData"),
    "asg": ASSIGNMENTS,
    "col": COLUMNS,
    "colnc": COLUMNS,
    "colext": ("courseId", "name"),
    "colncval": ("courseId", "userId", "name", "value"),
}
REQUIRED = {
    "sch": {"title", "symbols"},
    "asg": {"courseId", "name"},
    "col": {"courseId", "name"},
    "colnc": {"courseId", "name"},
    "colext": {"courseId", "name"},
    "colncval": {"courseId", "userId", "name", "value"},
}
COLUMN_SIZES = {"courseId": 256, "name": 333, "description": 2000, "gradeSchema": 333}
SIZES = {
    "sch": {"title": 333, "symbols": 2000},
    "asg": {
        "courseId": 256,
        "name": 333,
        "instructions": 2000,
        "contentAreaName": 255,
        "colour": 10,
        "gradeSchema": 333,
    },
    "col": COLUMN_SIZES,
    "colnc": COLUMN_SIZES,
    "colext": {"courseId": 256, "name": 333},
    # 2000 in the vendor's table, but no column can have so long a name
    "colncval": {"courseId": 256, "userId": 333, "name": 333, "value": 2000},
}
COLUMN_DEFAULTS = {"description": "", "duedate": None, "points": Decimal(100), "gradeSchema": "", "optionalData": {}}
DEFAULTS: dict[str, dict[str, Any]] = {
    "sch": {"optionalData": {}},
    "asg": {
        "instructions": "",
        "anonymous": False,
        "group": False,
        "contentAreaName": "Assignments",
        "available": False,
        "colour": "",
        "attempts": -1,
        "tracked": False,
        "startDate": None,
        "endDate": None,
        "dueDate": None,
        "points": Decimal(100),
        "gradeSchema": "",
        "optionalData": {},
    },
    "col": COLUMN_DEFAULTS,
    "colnc": COLUMN_DEFAULTS,
    "colext": {},
    "colncval": {},
}
KEYS = {
    "sch": ("title",),
    "asg": ("courseId", "name"),
    "col": ("courseId", "name"),
    "colnc": ("courseId", "name"),
    "colext": ("courseId",),
    "colncval": ("courseId", "userId", "name"),
}
PAIRS = {"MOD_CODE": "2023MOD1", "SESSION": "8W1"}
PUBLISHED: dict[str, dict[str, Any]] = {
    "sch": {
        "title": "Schema1",
        "symbols": tuple(Symbol(text, Decimal(low)) for text, low in zip("ABCDF", (90, 80, 70, 60, 0), strict=True)),
        "optionalData": {},
    },
    "asg": {
        "courseId": "GJTEST1",
        "name": "Assignment 2",
        "instructions": "assignment instructions",
        "anonymous": False,
        "group": False,
        "contentAreaName": "Assignments",
        "available": True,
        "colour": "",
        "attempts": 1,
        "tracked": False,
        "startDate": date(2023, 10, 17),
        "endDate": date(2023, 10, 31),
        "dueDate": date(2023, 10, 31),
        "points": Decimal("100.0"),
        "gradeSchema": "Schema1",
        "optionalData": PAIRS,
    },
    "col": {
        "courseId": "GJTEST1",
        "name": "GC Calculated Grade",
        "description": "",
        "duedate": date(2023, 10, 30),
        "points": Decimal(10),
        "gradeSchema": "Schema1",
        "optionalData": PAIRS,
    },
    "colnc": {
        "courseId": "GJTEST1",
        "name": "GC Final Grade",
        "description": "",
        "duedate": date(2023, 12, 30),
        "points": Decimal(100),
        "gradeSchema": "Schema1",
        "optionalData": PAIRS,
    },
    "colext": {"courseId": "GJTEST1", "name": "GC Final Grade"},
    "colncval": {"courseId": "GJTEST1", "userId": "User001", "name": "GC Final Grade", "value": "90"},
}
OF_EACH_TEXT = [(feed, column) for feed, sizes in SIZES.items() for column in sizes]
VENDOR_FEEDS = pytest.mark.parametrize("feed", HEADERS)


def _contract(feed: str, **settings: object) -> dict[str, Any]:
    columns: dict[str, Any] = FEEDS[feed].build(Settings.model_validate(settings)).columns
    return columns


@VENDOR_FEEDS
def test_a_feed_has_the_documented_columns_in_their_order(feed: str) -> None:
    assert tuple(_contract(feed)) == HEADERS[feed]


@VENDOR_FEEDS
def test_a_feed_requires_what_the_page_marks_as_required(feed: str) -> None:
    assert {name for name, column in _contract(feed).items() if column.required} == REQUIRED[feed]


@VENDOR_FEEDS
def test_a_blank_cell_stands_for_the_documented_default(feed: str) -> None:
    optional = {name: column for name, column in _contract(feed).items() if not column.required}
    assert {name: column.metadata["default"] for name, column in optional.items()} == DEFAULTS[feed]


@pytest.mark.parametrize(("feed", "column"), OF_EACH_TEXT)
def test_a_text_may_be_as_long_as_documented_and_no_longer(feed: str, column: str) -> None:
    size, parse = SIZES[feed][column], _contract(feed)[column].metadata["parser"]
    parse("\U0001f393" * size)  # characters count, not bytes
    with pytest.raises(CellError) as caught:
        parse("x" * (size + 1))
    assert caught.value.reason is Reason.TEXT_TOO_LONG
    assert str(size) in caught.value.detail


@VENDOR_FEEDS
def test_rows_are_about_the_same_thing_by_the_documented_key(feed: str) -> None:
    assert FEEDS[feed].key == KEYS[feed]


def test_what_a_feed_depends_on_has_a_smaller_stage() -> None:
    stage = {name: spec.stage for name, spec in FEEDS.items()}
    assert stage["sch"] < min(stage["asg"], stage["col"], stage["colnc"])
    assert max(stage["asg"], stage["col"], stage["colnc"]) < min(stage["colext"], stage["colncval"])
    assert sorted(set(stage.values())) == feeds.stages()


@VENDOR_FEEDS
def test_the_published_row_reads_as_the_page_means_it(feed: str) -> None:
    rows = read((FEED_FILES / feed / "good" / f"published.{feed}").read_bytes(), feed).good
    columns = _contract(feed)
    assert list(rows) == [2]
    values = {
        name: columns[name].metadata["parser"](cell) if cell else columns[name].metadata["default"]
        for name, cell in rows[2].items()
    }
    assert values == PUBLISHED[feed]


@pytest.mark.parametrize("feed", FEEDS)
def test_every_alias_names_one_column_and_shadows_no_other(feed: str) -> None:
    spec = FEEDS[feed]
    columns = list(_contract(feed))
    assert set(spec.aliases) <= set(columns)
    for name in columns:
        assert spec.names["".join(name.split()).replace("_", "").casefold()] == name
    pairs = [(alias, name) for name, others in spec.aliases.items() for alias in others]
    assert len({alias for alias, _ in pairs}) == len(pairs)


@pytest.mark.parametrize("feed", FEEDS)
def test_a_feed_tells_people_where_its_contract_comes_from(feed: str) -> None:
    assert FEEDS[feed].title
    assert FEEDS[feed].source


@pytest.mark.parametrize(
    ("name", "feed"),
    [
        ("term2023_01.colncval", "colncval"),
        ("TERM.COLNCVAL", "colncval"),
        ("a.sch.col", "col"),
        ("a b\N{BULLET}.Sch", "sch"),
        ("grades.csv", None),
        ("colncval", None),
        ("grades.colncval.gz", None),
        ("grades.colncval ", None),
        ("grades.", None),
        ("", None),
    ],
)
def test_a_file_belongs_to_the_feed_of_its_ending(name: str, feed: str | None) -> None:
    spec = feeds.of_file(name, inbox="grades")
    assert (spec.name if spec else None) == feed


def test_a_csv_file_without_a_known_header_is_judged_as_sessions() -> None:
    for header in ("", "PK", "a,b"):
        spec = feeds.of_file("x.csv", header, "sessions")
        assert spec is FEEDS["sessions"]


def test_a_file_belongs_only_to_feeds_of_its_own_inbox() -> None:
    assert feeds.of_file("a.colncval", inbox="sessions") is None


def test_the_reject_policy_is_the_settings_own() -> None:
    assert FEEDS["sch"].policy(Settings()) is RejectPolicy.FILE
    assert FEEDS["colncval"].policy(Settings()) is RejectPolicy.ROW
    changed = Settings.model_validate({"whole_file_feeds": "colncval, asg"})
    assert [FEEDS[feed].policy(changed).value for feed in ("sch", "asg", "colncval")] == ["row", "file", "file"]


def test_points_of_0_are_a_matter_of_the_settings() -> None:
    with pytest.raises(CellError):
        _contract("colnc")["points"].metadata["parser"]("0")
    assert _contract("colnc", zero_points=True)["points"].metadata["parser"]("0") == 0


def test_dates_follow_the_settings() -> None:
    assert _contract("asg", date_pattern="d/M/yyyy")["dueDate"].metadata["parser"]("1/2/2024") == date(2024, 2, 1)
