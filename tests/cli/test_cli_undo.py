"""`gradeway undo`: what it tells, what it returns, and what the other commands say of an undone batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from gradeway.demo import samples

Run = Callable[..., Result]
Data = Callable[..., dict[str, Any]]
VALUES = "courseId|userId|name|value"
COLUMNS = "courseId|name|points|optionalData"


def put(inbox: Path, name: str, *lines: str) -> Path:
    return samples.write(inbox / name, (line + "\n" for line in lines))


@pytest.fixture
def wrong(run: Run, inbox: Path) -> Run:
    """Like run, on a store to which batch 3 gave wrong grades, one of which a newer batch has replaced."""
    put(inbox, "c.colnc", COLUMNS, "C1|Exam|100|", "C1|Quiz|10|SESSION=Quiz 1")
    run("sweep")
    put(inbox, "v.colncval", VALUES, "C1|U1|Exam|7", "C1|U2|Exam|8")
    run("sweep")
    put(inbox, "w.colncval", VALUES, "C1|U1|Exam|70", "C1|U2|Exam|80", "C1|U3|Exam|90", "C1|U4|Late|1", "C1|U5|Exam|?")
    run("sweep")
    put(inbox, "x.colncval", VALUES, "C1|U2|Exam|9")
    run("sweep")
    return run


def test_an_undo_tells_what_it_did(wrong: Run, data: Data) -> None:
    done = wrong("undo", 3)
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "batch 3 (w.colncval) is undone by batch 5"
    assert lines[1] == "rows: in 5 = applied 3 + unchanged 2 + rejected 0 + parked 0"
    assert [line.split() for line in lines if line.startswith("grades")] == [["grades", "1", "1", "1"]]
    assert lines[-2:] == ["1 row that waited: forgotten", "`gradeway replay 3` loads it again"]
    grades = {item["learner"]: item["grades"] for item in data("grades", "C1")["learners"]}
    assert grades == {"U1": {"Exam": "7"}, "U2": {"Exam": "9"}}


def test_a_dry_run_tells_the_same_and_changes_nothing(wrong: Run, data: Data) -> None:
    before = data("grades", "C1", "--history"), data("batches")
    told = wrong("undo", 3, "--dry-run")
    assert told.exit_code == 0
    assert told.stdout.startswith("batch 3 (w.colncval) would be undone like this; nothing was changed now\n")
    assert "replay" not in told.stdout
    document = data("undo", 3, "--dry-run")
    assert (data("grades", "C1", "--history"), data("batches")) == before
    assert (document["dry_run"], document["undone_by"]) == (True, None)
    done = data("undo", 3)
    assert (done["dry_run"], done["undone_by"]) == (False, 5)
    assert {name: document[name] for name in document.keys() - {"dry_run", "undone_by"}} == {
        name: done[name] for name in done.keys() - {"dry_run", "undone_by"}
    }
    assert done["grades"] == {"restored": 1, "removed": 1, "kept": 1}
    assert (done["forgotten"], done["failed"], done["kept"]) == (1, None, [])
    assert done["rows"]["in"] == done["rows"]["applied"] + done["rows"]["unchanged"] == 5


def test_what_is_kept_is_listed_with_its_name_and_why(wrong: Run, data: Data) -> None:
    kept = data("undo", 1, "--dry-run")["kept"]
    assert kept == [
        {"line": 2, "what": "column", "name": "Exam", "course": "C1", "why": "grades of batch 4 are there",
         "code": "UNDO_KEPT"},
        {"line": 3, "what": "column", "name": "Quiz", "course": "C1", "why": "it takes results of exams",
         "code": "UNDO_KEPT"},
    ]  # fmt: skip
    told = wrong("undo", 1).stdout
    assert "Kept" in told
    assert [line.split()[0:4] for line in told.splitlines() if "Exam" in line] == [["2", "column", "Exam", "C1"]]
    shown = wrong("show", 5).stdout
    assert "UNDO_KEPT" in shown
    assert "grades of batch 4 are there: undo what needs it" in shown


def test_many_kept_things_are_cut_in_the_text_and_whole_in_json(run: Run, data: Data, inbox: Path) -> None:
    put(inbox, "c.colnc", COLUMNS, *(f"C{n}|Quiz|10|SESSION=Quiz {n}" for n in range(30)))
    run("sweep")
    assert "... and 10 more (--format json lists all)" in run("undo", 1, "--dry-run").stdout
    assert len(data("undo", 1, "--dry-run")["kept"]) == 30


def test_a_newer_batch_that_may_have_said_the_same_is_told(wrong: Run, data: Data, inbox: Path) -> None:
    put(inbox, "y.colncval", VALUES, "C1|U3|Exam|90", "")
    wrong("sweep")
    (note,) = data("undo", 3, "--dry-run")["notes"]
    assert (note["code"], note["remedy"]) == (
        "UNDO_SAID_AGAIN",
        "batch 5: replay that batch if it was right about them",
    )
    assert "batch 5: replay that batch if it was right about them" in wrong("undo", 3).stdout


@pytest.mark.parametrize(
    ("commands", "told"),
    [
        ([("undo", 9)], "there is no batch 9; `gradeway batches` lists them"),
        ([("undo", 3), ("undo", 3)], "batch 3 was undone by batch 5; `gradeway replay 3` loads it again"),
        ([("undo", 3), ("undo", 5)], "batch 5 is itself an undo; `gradeway replay 3` loads batch 3 again"),
        (
            [("undo", 3), ("replay", 5)],
            "batch 5 is the undo of batch 3 and has no bytes: replay batch 3",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(wrong: Run, commands: list[tuple[object, ...]], told: str) -> None:
    *first, last = commands
    for command in first:
        assert wrong(*command).exit_code == 0
    result = wrong(*last)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"gradeway: {told}\n")


def test_the_list_and_the_reports_say_undo_of_and_undone_by(wrong: Run, data: Data) -> None:
    wrong("undo", 3)
    lines = {line.split()[0]: line for line in wrong("batches").stdout.splitlines()[2:]}
    assert "undo of batch 3" in lines["5"]
    assert "undone by batch 5" in lines["3"]
    items = {item["batch"]: (item["state"], item["undo_of"], item["undone_by"]) for item in data("batches")["batches"]}
    assert (items[5], items[3], items[2]) == (("loaded", 3, None), ("loaded", None, 5), ("loaded", None, None))
    undo, undone = wrong("show", 5).stdout, wrong("show", 3).stdout
    assert undo.startswith("Batch 3 is undone: 3 of its 5 rows were taken back, 1 stays, because newer batches gave")
    assert "undo of batch 3" in undo
    assert data("show", 5)["paths"]["landed_bytes"] is None
    assert undone.startswith("Batch 5 has undone this file: what it brought is taken back.")
    assert "undone by batch 5" in undone
    assert Path(data("show", 3)["paths"]["landed_bytes"]).is_file()
    assert "undone by batch 5" in wrong("status").stdout


def test_the_same_file_again_is_told_to_be_undone(wrong: Run, inbox: Path) -> None:
    wrong("undo", 3)
    put(inbox, "again.colncval", VALUES, "C1|U1|Exam|70", "C1|U2|Exam|80", "C1|U3|Exam|90", "C1|U4|Late|1",
        "C1|U5|Exam|?")  # fmt: skip
    told = wrong("sweep").stdout
    assert "the same bytes as batch 3, which was undone: `gradeway replay 3` loads it again" in told
    shown = wrong("show", 6).stdout
    assert shown.startswith("The same file was here before as batch 3, which batch 5 has undone, so it was not loaded")


def test_an_undone_batch_is_loaded_again_by_a_replay(wrong: Run, data: Data) -> None:
    wrong("undo", 3)
    done = data("replay", 3)
    assert [(item["batch"], item["replay_of"]) for item in done["batches"]] == [(6, 3)]
    assert {item["learner"]: item["grades"]["Exam"] for item in data("grades", "C1")["learners"]} == {
        "U1": "70", "U2": "80", "U3": "90",
    }  # fmt: skip
    assert data("undo", 6)["grades"] == {"restored": 2, "removed": 1, "kept": 0}


def test_the_history_tells_of_the_undo(wrong: Run, data: Data) -> None:
    wrong("undo", 3)
    first, second, third = data("grades", "C1", "--history")["learners"]
    undone = {"batch": 3, "file": "w.colncval", "replaced_by": {"batch": 5, "line": 2, "undo_of": 3}}
    assert first["history"]["Exam"]["before"][0] == {"value": "70", "line": 2} | undone
    assert (first["history"]["Exam"]["value"], first["history"]["Exam"]["batch"]) == ("7", 2)
    assert "undo_of" not in second["history"]["Exam"]["before"][0]["replaced_by"]
    # what was removed has a past and no present
    assert (third["learner"], third["grades"]) == ("U3", {})
    assert third["history"]["Exam"] | {"before": []} == {
        "value": None, "batch": None, "line": None, "file": None, "before": [],
    }  # fmt: skip
    assert [old["value"] for old in third["history"]["Exam"]["before"]] == ["90"]
    table = wrong("grades", "C1", "--history", "--learner", "U3", "--format", "csv").stdout.splitlines()
    assert table == [
        "learner,column,value,batch,line,file,replaced by",
        'U3,Exam,90,3,4,w.colncval,"batch 5, undo of batch 3"',
    ]
    assert [item["learner"] for item in data("grades", "C1")["learners"]] == ["U1", "U2"]


def test_a_course_whose_columns_are_gone_is_gone(run: Run, data: Data, inbox: Path) -> None:
    put(inbox, "c.colnc", COLUMNS, "C1|Exam|100|")
    run("sweep")
    put(inbox, "d.colnc", COLUMNS, "C2|Exam|100|")
    run("sweep")
    run("undo", 2)
    assert [item["course"] for item in data("grades")["courses"]] == ["C1"]
    assert run("grades", "C2").stderr == "gradeway: the store has no course C2; `gradeway grades` lists the courses\n"


def test_reports_that_cannot_be_written_are_told_and_come_with_the_next_sweep(
    wrong: Run, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("gradeway.intake.write_report", lambda *_: 1 / 0)
        done = wrong("undo", 3)
    assert done.exit_code == 1
    assert done.stdout.startswith("batch 3 (w.colncval) is undone by batch 5")
    assert "reports could not be written and are tried again: batch 3: ZeroDivisionError" in done.stdout
    assert data("show", 5)["paths"]["report"] is None
    wrong("sweep")
    assert data("show", 5)["paths"]["report"]


def test_no_learner_is_named(wrong: Run, data: Data, home: Path) -> None:
    told = wrong("undo", 3, "--verbose")
    pages = [path.read_text() for path in (home / "landing/reports").rglob("report.*") if "B000005" in str(path)]
    assert len(pages) == 2
    assert "U3" not in told.stdout + told.stderr + "".join(pages)
