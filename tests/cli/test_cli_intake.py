"""`gradeway sweep`, `batches`, `show` and `replay`: what they do, tell and return."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from gradeway.demo import samples
from gradeway.demo.term import Term, write_term
from gradeway.loading import batch as loading

Run = Callable[..., Result]
Data = Callable[..., dict[str, Any]]
COUNTS = ("applied", "unchanged", "rejected", "parked")


def put(inbox: Path, name: str, *lines: str) -> Path:
    return samples.write(inbox / name, (line + "\n" for line in lines))


def test_the_samples_go_in_on_every_database(
    run: Run, data: Data, inbox: Path, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADEWAY_DATABASE_URL", store_url)
    samples.drop(inbox)
    done = data("sweep")
    assert done["released"] == 0
    assert done["failed"] == []
    assert {item["file"] for item in done["batches"]} == samples.SAMPLES.keys()
    assert all(item["state"] == "loaded" and item["rows"]["applied"] == 1 for item in done["batches"])
    assert all(Path(item["report"]).is_file() and item["reject_file"] is None for item in done["batches"])
    book = data("grades", "GJTEST1")
    assert book["learners"] == [{"learner": "User001", "grades": {"GC Final Grade": "90"}}]
    assert [column["label"] for column in book["columns"] if column["external"]] == ["GC Final Grade"]
    assert data("status")["batches"] == {"claimed": 0, "loaded": 6, "refused": 0, "duplicate": 0}
    assert data("replay", 1, "--dry-run")["rows"]["unchanged"] == 1
    assert data("replay", 1)["batches"][0]["replay_of"] == 1
    assert run("db", "upgrade").exit_code == 0


def test_an_empty_inbox_is_done_and_said(run: Run) -> None:
    result = run("sweep")
    assert result.exit_code == 0
    assert result.stdout.startswith("nothing has landed in ")


def test_the_sweep_tells_of_every_batch(run: Run, inbox: Path) -> None:
    write_term(inbox, Term(courses=3), mistakes=True)
    result = run("sweep")
    assert result.exit_code == 1
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["batch", "file", "feed", "state", "in", *COUNTS]
    rows = [line.split() for line in lines[2:10]]
    assert [row[0] for row in rows] == list("12345678")
    for *_, rows_in, applied, unchanged, rejected, parked in rows:
        assert int(rows_in) == sum(map(int, (applied, unchanged, rejected, parked)))
    assert [row[3] for row in rows if "spreadsheet" in row[1]] == ["refused"]
    named = [line.split()[-1] for line in lines if "correct and drop back" in line]
    assert len(named) == 5
    assert all(Path(path).read_text().startswith("_line|_code|") for path in named)
    assert any("refused (DELIMITER_WRONG)" in line for line in lines)


def test_a_warning_is_told_with_what_to_do(run: Run, inbox: Path) -> None:
    put(inbox, "a.sch", "title|symbols|optionalData", "Letters|A=90:B=80:F=0|")
    put(inbox, "a.colnc", "courseId|name|points|gradeSchema", "C1|Oral|20|Letters")
    put(inbox, "a.colncval", "courseId|userId|name|value", "C1|ann|Oral|B")
    assert "SYMBOL" not in run("sweep").stdout
    put(inbox, "b.sch", "title|symbols|optionalData", "Letters|A=90:F=0|")
    told = run("sweep")
    assert told.exit_code == 0
    [remark] = [line for line in told.stdout.splitlines() if "SYMBOL_IN_USE" in line]
    assert "that grades in the store use; give the symbol back to the schema" in remark


def test_parked_rows_go_in_with_their_parent_and_old_rejects_do_not_count_again(
    run: Run, data: Data, inbox: Path
) -> None:
    put(inbox, "a.colncval", "courseId|userId|name|value", "C1|U1|Exam|7", "C1||Exam|7")
    assert run("sweep").exit_code == 1
    assert data("show", 1)["waiting"][0]["name"] == "Exam"
    put(inbox, "a.colnc", "courseId|name|points", "C1|Exam|10")
    result = run("sweep")
    assert result.exit_code == 0
    assert "1 row that waited went in" in result.stdout
    assert data("show", 1)["rows"]["parked"] == 0


def test_a_row_that_waited_and_is_then_rejected_counts(run: Run, inbox: Path) -> None:
    put(inbox, "a.colncval", "courseId|userId|name|value", "C1|U1|Exam|seven")
    assert run("sweep").exit_code == 0
    put(inbox, "a.colnc", "courseId|name|points", "C1|Exam|10")
    assert run("sweep").exit_code == 1


def test_the_same_bytes_again_are_a_duplicate_and_no_failure(loaded: Run, inbox: Path) -> None:
    put(inbox, "again.colext", "courseId|name", "GJTEST1|GC Final Grade")
    result = loaded("sweep")
    assert result.exit_code == 0
    assert "the same bytes as batch" in result.stdout


@pytest.mark.parametrize("verbose", [False, True])
def test_a_batch_that_fails_is_told_without_its_rows(
    verbose: bool, run: Run, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        msg = "STU000007 has 90"
        raise RuntimeError(msg)

    monkeypatch.setattr(loading, "load", fail)
    put(inbox, "a.colext", "courseId|name", "C1|Exam")
    result = run("sweep", *(["--verbose"] if verbose else []))
    assert result.exit_code == 1
    assert "batch 1 failed with RuntimeError; nothing of it is lost, and it is tried again" in result.stdout
    assert "STU000007" not in result.stdout
    assert "STU000007" not in result.stderr
    assert ("claimed batch 1" in result.stderr) is verbose


def test_json_stays_one_document_when_a_batch_fails(run: Run, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "load", lambda *_: 1 / 0)
    put(inbox, "a.colext", "courseId|name", "C1|Exam")
    result = run("sweep", "--format", "json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["failed"] == [
        "batch 1 failed with ZeroDivisionError; nothing of it is lost, and it is tried again"
    ]


def test_batches_are_listed_newest_first_and_by_what_is_asked(run: Run, data: Data, inbox: Path) -> None:
    assert "no batch yet" in run("batches").stdout
    write_term(inbox, Term(courses=3), mistakes=True)
    run("sweep")

    def listed(*options: object) -> set[str]:
        found = data("batches", *options)["batches"]
        numbers = [item["batch"] for item in found]
        assert numbers == sorted(numbers, reverse=True)
        return {item["file"].removeprefix("term2031_1") for item in found}

    assert len(listed()) == 8
    assert len(listed("--limit", 2)) == 2
    assert listed("--feed", "sch") == {".sch", "_draft.sch"}
    assert listed("--state", "refused") == {"_spreadsheet.colnc", "_draft.sch"}
    assert listed() - listed("--rejects") == {".sch", ".colext"}
    assert listed("--rejects", "--feed", "colncval", "--state", "loaded") == {".colncval"}
    assert [line.split()[0] for line in run("batches").stdout.splitlines()[2:]] == list("87654321")
    assert run("batches", "--feed", "colext", "--state", "refused").stdout == "no such batch\n"


def test_a_batch_is_shown_with_its_sum_its_reasons_and_its_files(run: Run, data: Data, inbox: Path) -> None:
    write_term(inbox, Term(courses=3), mistakes=True)
    run("sweep")
    [number] = [item["batch"] for item in data("batches", "--feed", "colncval")["batches"]]
    shown = run("show", number)
    assert shown.exit_code == 0
    assert "in 613 = applied 602 + unchanged 1 + rejected 9 + parked 1" in shown.stdout
    for told in (
        "SYMBOL_UNKNOWN",
        "Attendance",
        f"rejects-{number}.colncval",
        "... and 1 more",
        "write a decimal point",
    ):
        assert told in shown.stdout
    assert shown.stdout.startswith("603 of 613 rows loaded, 9 need your attention, 1 waits for a grade column.\n- Open")
    document = data("show", number)
    assert document["balanced"] is True
    assert len(document["findings"]) == 10
    assert document["findings_total"] == 11
    paths = document["paths"]
    assert all(Path(path).is_file() for path in paths.values())
    assert Path(paths["landed_bytes"]).name == f"B{number:06d}-term2031_1.colncval"


@pytest.mark.parametrize("command", [("show", 9), ("replay", 9), ("replay", 9, "--dry-run")])
def test_a_batch_that_is_not_there_is_said_in_one_line(command: tuple[object, ...], loaded: Run) -> None:
    result = loaded(*command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "gradeway: there is no batch 9; `gradeway batches` lists them\n"


def test_a_rehearsal_tells_what_a_replay_then_does(run: Run, data: Data, inbox: Path) -> None:
    put(inbox, "a.colnc", "courseId|name|points", "C1|Exam|10")
    run("sweep")
    put(inbox, "a.colncval", "courseId|userId|name|value", "C1|U1|Exam|7", "C1|U2|Exam|x", "C1|U3|Quiz|1")
    run("sweep")
    put(inbox, "b.colncval", "courseId|userId|name|value", "C1|U1|Exam|8")
    run("sweep")
    before = data("grades", "C1", "--history")
    told = run("replay", 2, "--dry-run")
    assert told.exit_code == 1
    assert "would give: in 3 = applied 1 + unchanged 0 + rejected 1 + parked 1" in told.stdout
    assert "SYMBOL_UNKNOWN" in told.stdout
    rows = data("replay", 2, "--dry-run")["rows"]
    assert data("grades", "C1", "--history") == before
    assert len(data("batches")["batches"]) == 3
    done = data("replay", 2)
    assert [(item["batch"], item["replay_of"]) for item in done["batches"]] == [(4, 2)]
    assert done["batches"][0]["rows"] == {name: rows[name] for name in ("in", *COUNTS)}
    assert data("grades", "C1")["learners"] == [{"learner": "U1", "grades": {"Exam": "7"}}]


def test_a_replay_releases_what_waited_for_it(
    run: Run, data: Data, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(inbox, "a.colnc", "courseId|name|points", "C1|Exam|0")
    assert run("sweep").exit_code == 1
    put(inbox, "a.colncval", "courseId|userId|name|value", "C1|U1|Exam|0")
    assert run("sweep").exit_code == 0
    monkeypatch.setenv("GRADEWAY_ZERO_POINTS", "true")
    done = data("replay", 1)
    assert done["released"] == 1
    assert data("grades", "C1")["learners"] == [{"learner": "U1", "grades": {"Exam": "0"}}]


def test_bytes_that_are_gone_cannot_be_replayed(loaded: Run, home: Path, data: Data) -> None:
    Path(data("show", 2)["paths"]["landed_bytes"]).unlink()
    for options in ([], ["--dry-run"]):
        result = loaded("replay", 2, *options)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "cannot be read again" in result.stderr
    assert len(data("batches")["batches"]) == 6


def test_a_refused_file_is_refused_again_in_a_rehearsal(run: Run, inbox: Path) -> None:
    put(inbox, "a.colnc", "course;name", "C1;Exam")
    run("sweep")
    result = run("replay", 1, "--dry-run")
    assert result.exit_code == 1
    assert result.stderr.startswith("gradeway: DELIMITER_WRONG: ")
