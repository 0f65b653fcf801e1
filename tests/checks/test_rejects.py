"""A reject file is the rejected rows as they came, ready to be corrected and dropped back."""

from __future__ import annotations

import io
import re
import shutil
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fixtures.corpus import code_of, feed_files, hostile_expected, hostile_files
from fixtures.intakes import Site
from gradeway.checks import rejects
from gradeway.checks.rejects import write_rejects
from gradeway.feeds import FEEDS
from gradeway.reasons import Finding, Level, Reason
from gradeway.settings import Settings
from gradeway.store.models import Batch

VALUES = "courseId|userId|name|value"
COLUMNS = "courseId|name|description|duedate|points|gradeSchema|optionalData"
REASONS = "_line|_code|_column|_remedy|_guarded"
PARENTS = f"{COLUMNS}\nC1|Exam||||Letters|\nHOSTILE|Exam||||Letters|\n".encode()
LETTERS = b"title|symbols|optionalData\nLetters|A=50:F=0|\nHostile letters|A=90:B=80:F=0|\n"


@dataclass(frozen=True)
class Reject:
    """One row of a reject file."""

    line: int
    codes: str
    column: str
    remedy: str
    guarded: str
    row: bytes


def rows_of(path: Path, mark: str = "|") -> list[Reject]:
    _, *lines = path.read_bytes().removesuffix(b"\n").split(b"\n")
    rows = [line.split(mark.encode(), 5) for line in lines]
    return [Reject(int(row[0]), *(cell.decode() for cell in row[1:5]), row[5]) for row in rows]


def text(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a site with a column "Exam" worth 100 points that takes letters, to be copied."""
    site = Site(tmp_path_factory.mktemp("prepared"))
    site.drop("letters.sch", LETTERS)
    site.drop("parents.colnc", PARENTS)
    site.sweep()
    site.intake.store.engine.dispose()
    return site.settings.home


@pytest.fixture
def ready(home: Path, prepared: Path) -> Site:
    """A site with a column "Exam" worth 100 points that takes letters."""
    shutil.copytree(prepared, home, dirs_exist_ok=True)
    return Site(home)


def grades(site: Site) -> dict[str, str]:
    found = site.rows("SELECT source_id, value FROM grade JOIN learner ON learner.id = learner_id")
    return {learner: value for learner, value in found}


def reject_reasons(batch: Batch) -> dict[str, int]:
    return {code: count for code, count in batch.reasons.items() if Reason(code).level is Level.ROW}


def correct(path: Path, *corrections: tuple[str, str]) -> bytes:
    """Return a reject file after a clerk has replaced some texts, each of which stands there once."""
    content = path.read_text("utf-8")
    for wrong, right in corrections:
        assert content.count(wrong) == 1
        content = content.replace(wrong, right)
    return content.encode()


# --- dropped back as it is


def _files_with_rejects() -> dict[str, bytes]:
    """Return a file of the feeds' fixtures for each reason, and the hostile files with rejects."""
    bad = {code_of(path): path for feed in FEEDS for path in feed_files(feed, "bad")}
    expected = hostile_expected()
    hostile = {f"hostile-{name}": file for name, file in hostile_files().items() if expected[name].rejects}
    return hostile | {path.name: path.read_bytes() for path in bad.values()}


def test_a_reject_file_dropped_back_unchanged_is_rejected_for_the_same_reasons(ready: Site) -> None:
    for name, content in _files_with_rejects().items():
        ready.drop(name, content)
    first = {name: batch for name, batch in ready.sweep().items() if batch.rejected}
    assert len(first) > 40
    for name, batch in first.items():
        ready.drop(name, ready.reject_file(batch).read_bytes())
    second = ready.sweep()
    for name, batch in first.items():
        again = second[name]
        assert (name, reject_reasons(again)) == (name, reject_reasons(batch))
        assert (again.rejected, again.balanced) == (batch.rejected, True)
        assert [row.row for row in rows_of(ready.reject_file(again))] == [
            row.row for row in rows_of(ready.reject_file(batch))
        ]


def test_a_file_without_rejects_has_no_reject_file(ready: Site) -> None:
    batch = ready.send("fine.colncval", text(VALUES, "C1|u|Exam|1"))
    assert not ready.reject_file(batch).exists()
    assert ready.report(batch)["reject_file"] is None


def test_a_reject_file_holds_the_rejected_rows_with_line_reason_column_and_remedy(ready: Site) -> None:
    batch = ready.send("some.colncval", text(VALUES, "C1|a|Exam|1", "C1||Exam|1", "", "C1|b|Exam|50,5", "C1|c|Exam|2"))
    path = ready.reject_file(batch)
    assert path.name == ready.report(batch)["reject_file"]
    assert path.read_text("utf-8").splitlines()[0] == f"{REASONS}|{VALUES}"
    assert [(row.line, row.codes, row.column, row.row) for row in rows_of(path)] == [
        (3, "REQUIRED", "userId", b"C1||Exam|1"),
        (5, "NUMBER_COMMA", "value", b"C1|b|Exam|50,5"),
    ]
    assert all(row.remedy for row in rows_of(path))
    assert [item.name for item in path.parent.iterdir() if item.name.startswith(".")] == []


def test_every_reason_of_a_row_is_told(ready: Site) -> None:
    batch = ready.send("both.asg", text("courseId|name|points|attempts", "C1||x|0"))
    (row,) = rows_of(ready.reject_file(batch))
    assert set(row.codes.split("; ")) == {"REQUIRED", "NUMBER_INVALID", "ATTEMPTS_INVALID"}
    assert set(row.column.split("; ")) == {"name", "points", "attempts"}


# --- corrected


@pytest.mark.parametrize(
    "row",
    [
        "C1|u|Exam|50,5",
        "C1|u|Exam|fifty",
        "C1|u|Exam|50.5||",
        "C1|u|Exam|50|5",
        "C1|u|50.5",
        "C1||Exam|50.5",
        'C1|u|"Exam|50.5',
        "C1|u|Exam|50.5\x07",
    ],
)
def test_a_corrected_reject_file_heals(ready: Site, row: str) -> None:
    batch = ready.send("bad.colncval", text(VALUES, "C1|other|Exam|1", row))
    assert (batch.rejected, grades(ready)) == (1, {"other": "1"})
    healed = ready.send("healed.colncval", correct(ready.reject_file(batch), (row, "C1|u|Exam|50.5")))
    assert (healed.rows_in, healed.created, healed.rejected) == (1, 1, 0)
    assert grades(ready) == {"other": "1", "u": "50.5"}


def test_a_corrected_conflict_heals(ready: Site) -> None:
    batch = ready.send("torn.colncval", text(VALUES, "C1|u|Exam|50", "C1|u|Exam|60"))
    lines = ready.reject_file(batch).read_bytes().splitlines(keepends=True)
    healed = ready.send("healed.colncval", b"".join(lines[:2]))
    assert (healed.created, grades(ready)) == (1, {"u": "50"})


def test_a_whole_file_feed_heals_by_its_reject_file_alone(site: Site) -> None:
    batch = site.send("two.sch", text("title|symbols|optionalData", "One|A=50:F=0|", "Two|A=50:F=1|"))
    assert (batch.rejected, site.rows("SELECT title FROM grade_schema")) == (2, [])
    assert [row.codes for row in rows_of(site.reject_file(batch))] == ["FILE_REJECTED", "SYMBOL_BOUNDS"]
    site.send("healed.sch", correct(site.reject_file(batch), ("F=1", "F=0")))
    assert sorted(site.rows("SELECT title FROM grade_schema")) == [("One",), ("Two",)]


def _as_a_spreadsheet_saves(content: bytes) -> bytes:
    """Return a reject file as an office program may write it: mark, CRLF, quotes around every text."""
    lines = [line.split("|") for line in content.decode().splitlines()]
    rows = ["|".join(f'"{cell}"' if cell else "" for cell in line) for line in lines]
    return b"\xef\xbb\xbf" + "".join(f"{row}\r\n" for row in rows).encode()


def test_a_reject_file_saved_by_a_spreadsheet_heals(ready: Site) -> None:
    batch = ready.send("bad.colncval", text(VALUES, "C1|u|Exam|50,5"))
    healed = ready.send("healed.colncval", _as_a_spreadsheet_saves(correct(ready.reject_file(batch), ("50,5", "50.5"))))
    assert (healed.created, healed.rejected, grades(ready)) == (1, 0, {"u": "50.5"})


def test_the_rejects_of_a_file_saved_by_a_spreadsheet_heal_too(ready: Site) -> None:
    first = ready.send("bad.colncval", text(VALUES, "C1|u|Exam|50,5", "C1|v|Exam|60,5"))
    half = correct(ready.reject_file(first), ("50,5", "50.5"))
    second = ready.send("half.colncval", _as_a_spreadsheet_saves(half))
    assert (second.created, second.rejected) == (1, 1)
    healed = ready.send("healed.colncval", correct(ready.reject_file(second), ("60,5", "60.5")))
    assert (healed.state, healed.created, healed.rejected) == ("loaded", 1, 0)
    assert grades(ready) == {"u": "50.5", "v": "60.5"}


def test_reason_columns_that_a_clerk_moved_do_not_cost_the_rows_their_cells(ready: Site) -> None:
    moved = text(f"{VALUES}|{REASONS}", "C1|u|Exam|50,5|2|NUMBER_COMMA|value|write a point|")
    batch = ready.send("moved.colncval", moved)
    assert reject_reasons(batch) == {"NUMBER_COMMA": 1}
    again = ready.send("again.colncval", correct(ready.reject_file(batch), ("50,5", "50.5")))
    assert (again.state, again.created, grades(ready)) == ("loaded", 1, {"u": "50.5"})


def test_the_rejects_of_a_reject_file_have_their_reasons_once(ready: Site) -> None:
    first = ready.send("bad.colncval", text(VALUES, "C1|u|Exam|50,5"))
    second = ready.send("again.colncval", correct(ready.reject_file(first), ("50,5", "fifty")))
    header, row = ready.reject_file(second).read_text("utf-8").splitlines()
    assert header == f"{REASONS}|{VALUES}"
    assert row.startswith("2|SYMBOL_UNKNOWN|value|")
    assert row.endswith("||C1|u|Exam|fifty")


def test_reason_columns_are_no_data_of_the_feed(ready: Site) -> None:
    batch = ready.send("mine.colncval", text(f"_code|{VALUES}", "any|C1|u|Exam|50"))
    assert (batch.created, batch.reasons) == (1, {})


# --- formulas

FORMULAS = ("=1+1", "+A1", "-A1", "@SUM(A1)", "=cmd!A0", "+1;2", "--1", "=")


@pytest.mark.parametrize(
    "header",
    [
        COLUMNS,
        COLUMNS.upper(),
        COLUMNS.replace("name", "naam").replace("courseId", "Course_Id"),
        COLUMNS.replace("name", '"name"'),
        COLUMNS.replace("name", " name "),
    ],
    ids=["documented", "upper case", "alias", "quoted", "padded"],
)
def test_a_formula_is_guarded_in_the_reject_file_and_itself_again_when_healed(site: Site, header: str) -> None:
    rows = [f"C1|{formula}|||x||" for formula in FORMULAS]
    batch = site.send("formulas.colnc", text(header, *rows))
    shown = rows_of(site.reject_file(batch))
    assert [row.row.decode() for row in shown] == [f"C1|'{formula}|||x||" for formula in FORMULAS]
    healed = site.reject_file(batch).read_text("utf-8").replace("|||x||", "|||1||")
    assert site.send("healed.colnc", healed.encode()).rejected == 0
    assert {name for (name,) in site.rows("SELECT name FROM grade_column")} == set(FORMULAS)


def test_no_cell_of_a_reject_file_starts_a_formula(ready: Site) -> None:
    rows = [f"={mark}1|{mark}x|{mark}{mark}|{mark}=" for mark in "=+-@\t"] + ['"=x"|"@y"|+z|"-q"', "-A|b"]
    batch = ready.send("formulas.colncval", text(VALUES, *rows))
    assert batch.rejected + batch.parked == len(rows)
    for line in ready.reject_file(batch).read_bytes().splitlines()[1:]:
        for cell in line.split(b"|"):
            assert not re.match(rb'"?[=+@\t-]', cell)


@pytest.mark.parametrize("cell", ["-5", "+5", "-0.5", "-.5", "'tis", "''", "1-2", " =1"])
def test_a_number_or_plain_text_is_not_guarded(site: Site, cell: str) -> None:
    batch = site.send("plain.colnc", text(COLUMNS, f"C1|{cell}|||x||"))
    (row,) = rows_of(site.reject_file(batch))
    assert (row.guarded, row.row.decode()) == ("", f"C1|{cell}|||x||")


def test_an_apostrophe_of_the_clerk_stays(site: Site) -> None:
    batch = site.send("quote.colnc", text(COLUMNS, "C1|'=mine|=theirs||x||"))
    (row,) = rows_of(site.reject_file(batch))
    assert row.guarded == "description"
    site.send("healed.colnc", correct(site.reject_file(batch), ("|x|", "|1|")))
    assert site.rows("SELECT name, description FROM grade_column") == [("'=mine", "=theirs")]


def test_a_guarded_cell_after_a_quoted_separator_is_itself_again(site: Site) -> None:
    batch = site.send("quoted.colnc", text(COLUMNS, 'C1|"one|two"|=1+1||100||'))
    site.send("healed.colnc", correct(site.reject_file(batch), ("one|two", "one two")))
    assert site.rows("SELECT name, description FROM grade_column") == [("one two", "=1+1")]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_a_reject_file_heals_with_another_separator(home: Path, mark: str) -> None:
    site = Site(home, delimiter=mark)
    content = text(COLUMNS, "C1|=name|=description||x||").replace(b"|", mark.encode())
    batch = site.send("other.colnc", content)
    (row,) = rows_of(site.reject_file(batch), mark)
    assert row.codes == "NUMBER_INVALID"
    healed = site.send("healed.colnc", correct(site.reject_file(batch), (f"{mark}x{mark}", f"{mark}1{mark}")))
    assert (healed.created, healed.rejected) == (1, 0)
    assert site.rows("SELECT name, description FROM grade_column") == [("=name", "=description")]


# --- byte for byte

ODD_ROWS = (
    b"C1|u",
    b"C1|u|Exam|1|2|3",
    b'C1|u|"Exam|1',
    b"C1|\xff\xfe|Exam|1",
    b"C1|u\x00|Exam|1",
    b"  C1 | u |Exam",
    b"\xe2\x80\xa8C1|u\xc2\x85|Exam|x",
    unicodedata.normalize("NFD", "C1|Ren\u00e9|Exam|x").encode(),
)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_a_rejected_row_is_kept_byte_for_byte(ready: Site, end: bytes, mark: bytes) -> None:
    content = mark + end.join([VALUES.encode(), b"C1|fine|Exam|1", *ODD_ROWS]) + end
    batch = ready.send("odd.colncval", content)
    assert (batch.created, batch.rejected) == (1, len(ODD_ROWS))
    shown = rows_of(ready.reject_file(batch))
    assert [(row.line, row.row) for row in shown] == list(enumerate(ODD_ROWS, 3))
    assert ready.reject_file(batch).read_bytes().startswith(f"{REASONS}|{VALUES}\n".encode())


@hypothesis_settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", b"a|b", b"x", b"", b"\xff"]), max_size=20),
    st.integers(1, 5),
    st.sets(st.integers(2, 20)),
)
def test_a_line_is_the_same_line_wherever_the_file_is_cut(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], chunk: int, lines: set[int]
) -> None:
    content = b"courseId|name\n" + b"".join(pieces)
    source = re.split(rb"\r\n|\r|\n", content)
    findings = [Finding(Reason.ROW_SHORT, line) for line in sorted(lines) if line <= len(source)]
    target = tmp_path_factory.getbasetemp() / "lines.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rejects, "CHUNK", chunk)
        count = write_rejects(lambda: io.BytesIO(content), findings, target, FEEDS["colext"], Settings())
    wanted = [(line, source[line - 1]) for line in sorted(lines) if line <= len(source)]
    assert count == len(wanted)
    assert [(row.line, row.row) for row in (rows_of(target) if wanted else [])] == wanted
    assert target.exists() == bool(wanted)


def test_what_a_reject_file_says_is_what_the_report_says(ready: Site) -> None:
    batch = ready.send("some.colncval", text(VALUES, "C1||Exam|1", "C1|b|Exam", "C1|c|Exam|50,5"))
    report = ready.report(batch)
    told = Counter((item["line"], item["code"]) for item in report["findings"] if item["level"] == "row")
    assert told == Counter((row.line, row.codes) for row in rows_of(ready.reject_file(batch)))
    assert report["rows"]["rejected"] == 3


@pytest.fixture
def waiting(ready: Site) -> Batch:
    """A batch with a rejected row and one that waits, whose reject file will be written again."""
    batch = ready.send("some.colncval", text(VALUES, "C1|a|Exam|x", "C1|b|Later|x"))
    assert (batch.rejected, batch.parked) == (1, 1)
    return batch


LATER = text(COLUMNS, "C1|Later|||||")


def test_a_row_that_is_rejected_after_its_wait_joins_the_reject_file(ready: Site, waiting: Batch) -> None:
    ready.send("later.colnc", LATER)
    assert [(row.line, row.row) for row in rows_of(ready.reject_file(waiting))] == [
        (2, b"C1|a|Exam|x"),
        (3, b"C1|b|Later|x"),
    ]
    assert ready.report(waiting)["rows"]["rejected"] == 2


def test_a_backup_that_links_the_archive_stops_no_report(ready: Site, waiting: Batch, tmp_path: Path) -> None:
    (tmp_path / "backup").hardlink_to(ready.kept(waiting))
    later = ready.send("later.colnc", LATER)
    assert ready.report(later)["state"] == "loaded"
    assert len(rows_of(ready.reject_file(waiting))) == 2


def test_a_changed_setting_stops_no_report(ready: Site, waiting: Batch, home: Path) -> None:
    changed = Site(home, delimiter=";")
    later = changed.send("later.colnc", LATER.replace(b"|", b";"))
    assert changed.report(later)["state"] == "loaded"
    assert changed.report(waiting)["rows"]["rejected"] == 2
