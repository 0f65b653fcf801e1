"""`gradeway grades`: the gradebook in its three forms, and where each value came from."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from gradeway.cli.out import guarded
from gradeway.demo import samples
from gradeway.demo.term import Term, write_term

Run = Callable[..., Result]
Data = Callable[..., dict[str, Any]]


def put(inbox: Path, name: str, *lines: str) -> Path:
    return samples.write(inbox / name, (line + "\n" for line in lines))


def test_the_samples_give_exactly_this_gradebook(loaded: Run, data: Data) -> None:
    pairs = {"MOD_CODE": "2023MOD1", "SESSION": "8W1"}
    same = {"description": "", "schema": "Schema1", "optional_data": pairs}
    bounds = {"A": "90", "B": "80", "C": "70", "D": "60", "F": "0"}
    assert data("grades", "GJTEST1") == {
        "course": "GJTEST1",
        "schemas": {
            "Schema1": {
                "symbols": [{"symbol": symbol, "lower_bound": lower} for symbol, lower in bounds.items()],
                "optional_data": {},
            }
        },
        "columns": [
            same
            | {
                "label": "Assignment 2",
                "name": "Assignment 2",
                "kind": "assignment",
                "points": "100",
                "external": False,
                "due_date": "2023-10-31",
                "instructions": "assignment instructions",
                "anonymous": False,
                "group": False,
                "content_area": "Assignments",
                "available": True,
                "colour": "",
                "attempts": 1,
                "tracked": False,
                "start_date": "2023-10-17",
                "end_date": "2023-10-31",
            },
            same
            | {
                "label": "GC Calculated Grade",
                "name": "GC Calculated Grade",
                "kind": "calculated",
                "points": "10",
                "external": False,
                "due_date": "2023-10-30",
            },
            same
            | {
                "label": "GC Final Grade",
                "name": "GC Final Grade",
                "kind": "manual",
                "points": "100",
                "external": True,
                "due_date": "2023-12-30",
            },
        ],
        "learners": [{"learner": "User001", "grades": {"GC Final Grade": "90"}}],
    }


def test_the_table_names_columns_schemas_and_values(loaded: Run) -> None:
    result = loaded("grades", "GJTEST1")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["GC", "Final", "Grade", "manual", "100", "Schema1", "2023-12-30", "yes"] in lines
    assert ["User001", "90"] in lines
    assert "schema Schema1: A from 90, B from 80, C from 70, D from 60, F from 0" in result.stdout


def test_the_gradebook_does_not_tell_the_order_of_arrival(
    run: Run, data: Data, inbox: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = []
    for number, order in enumerate((list(samples.SAMPLES), list(reversed(samples.SAMPLES)))):
        monkeypatch.setenv("GRADEWAY_HOME", str(home / str(number)))
        folder = home / str(number) / "landing/inbox/grades"
        folder.mkdir(parents=True)
        for name in order:
            samples.write(folder / name, [samples.SAMPLES[name]])
            assert run("sweep").exit_code == 0
        books.append(data("grades", "GJTEST1"))
    assert books[0] == books[1]


def test_courses_are_listed(loaded: Run, data: Data, inbox: Path) -> None:
    put(inbox, "b.colnc", "courseId|name|points", "AAA|Exam|10", "AAA|Quiz|10")
    loaded("sweep")
    assert data("grades") == {
        "courses": [{"course": "AAA", "columns": 2, "grades": 0}, {"course": "GJTEST1", "columns": 3, "grades": 1}]
    }
    assert loaded("grades", "--format", "csv").stdout == "course,columns,grades\nAAA,2,0\nGJTEST1,3,1\n"
    assert [line.split() for line in loaded("grades").stdout.splitlines()[2:]] == [
        ["AAA", "2", "0"],
        ["GJTEST1", "3", "1"],
    ]


def test_an_empty_store_has_no_course(run: Run) -> None:
    assert run("grades").stdout == "the store has no course yet\n"


def test_what_is_not_there_is_said_in_one_line(loaded: Run) -> None:
    course = loaded("grades", "gjtest1")
    assert (course.exit_code, course.stdout) == (1, "")
    assert course.stderr == "gradeway: the store has no course gjtest1; `gradeway grades` lists the courses\n"
    learner = loaded("grades", "GJTEST1", "--learner", "User002", "--format", "json")
    assert (learner.exit_code, learner.stdout) == (1, "")
    assert "no value for this learner" in learner.stderr


@pytest.fixture
def twins(run: Run, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A course with columns Exam, Exam and Exam (2), the first of which got a value before the second came."""
    monkeypatch.setenv("GRADEWAY_COLUMN_PROVISIONING", "always")
    put(inbox, "a.colnc", "courseId|name|points", "C1|Exam|10", "C1|Exam (2)|30")
    put(inbox, "a.colncval", "courseId|userId|name|value", "C1|U1|Exam|7", "C1|U1|Exam (2)|9")
    run("sweep")
    put(inbox, "b.colnc", "courseId|name|points", "C1|Exam|20")
    run("sweep")
    return run


def test_two_columns_of_one_name_lose_neither(twins: Run, data: Data) -> None:
    book = data("grades", "C1")
    assert [(column["label"], column["name"], column["points"]) for column in book["columns"]] == [
        ("Exam", "Exam", "10"),
        ("Exam (3)", "Exam", "20"),
        ("Exam (2)", "Exam (2)", "30"),
    ]
    assert book["learners"] == [{"learner": "U1", "grades": {"Exam": "7", "Exam (2)": "9"}}]
    assert twins("grades", "C1", "--format", "csv").stdout == "learner,Exam,Exam (3),Exam (2)\nU1,7,,9\n"


@pytest.fixture
def changed(loaded: Run, inbox: Path) -> Run:
    """The samples, then two other values for User001, another learner, and other points."""
    for name, value in (("b", "85.50"), ("c", "A")):
        put(inbox, f"{name}.colncval", "courseId|userId|name|value", f"GJTEST1|User001|GC Final Grade|{value}")
        loaded("sweep")
    put(inbox, "d.colncval", "courseId|userId|name|value", "GJTEST1|User002|GC Final Grade|1")
    put(inbox, "d.colnc", "courseId|name|points", "GJTEST1|GC Final Grade|50")
    loaded("sweep")
    return loaded


def test_history_tells_where_each_value_came_from(changed: Run, data: Data) -> None:
    first, second = data("grades", "GJTEST1", "--history")["learners"]
    number = {item["file"]: item["batch"] for item in data("batches")["batches"]}
    b, c, sample = number["b.colncval"], number["c.colncval"], number["term2023_01.colncval"]
    assert first["grades"] == {"GC Final Grade": "A"}
    assert first["history"]["GC Final Grade"] == {
        "value": "A",
        "batch": c,
        "line": 2,
        "file": "c.colncval",
        "before": [
            {"value": "85.5", "batch": b, "line": 2, "file": "b.colncval", "replaced_by": {"batch": c, "line": 2}},
            {
                "value": "90",
                "batch": sample,
                "line": 2,
                "file": "term2023_01.colncval",
                "replaced_by": {"batch": b, "line": 2},
            },
        ],
    }
    assert second["history"]["GC Final Grade"]["before"] == []


def test_history_tells_what_a_column_was(changed: Run, data: Data) -> None:
    column = data("grades", "GJTEST1", "--history")["columns"][-1]
    number = {item["file"]: item["batch"] for item in data("batches")["batches"]}
    assert column["points"] == "50"
    assert (column["batch"], column["external_batch"]) == (number["d.colnc"], number["term2017_01.colext"])
    assert [(change["batch"], change["before"]) for change in column["changes"]] == [
        (number["d.colnc"], {"points": "100"}),
        (number["term2017_01.colext"], {"external": False}),
        (number["term2023_01.colnc"], None),
    ]


def test_history_of_one_learner_as_table_and_csv(changed: Run) -> None:
    options = ("grades", "GJTEST1", "--history", "--learner", "User001")
    table = changed(*options).stdout
    assert "1 learner" in table
    assert "User002" not in table
    rows = list(csv.reader(io.StringIO(changed(*options, "--format", "csv").stdout)))
    assert rows[0] == ["learner", "column", "value", "batch", "line", "file", "replaced by"]
    assert [row[2] for row in rows[1:]] == ["A", "85.5", "90"]
    assert [row[6] for row in rows[1:]] == ["", f"batch {rows[1][3]} line 2", f"batch {rows[2][3]} line 2"]


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-", "@SUM(A1)", "\tx", "-1+2", "=HYPERLINK(x)", "+1e3"])
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ["90", "-1", "+2.5", "-.5", "0", "A+", "A-", "", "User=1", "x@y"])
def test_numbers_and_harmless_texts_stay_as_they_are(text: str) -> None:
    assert guarded(text) == text


def test_csv_guards_names_and_learners_too(run: Run, inbox: Path) -> None:
    put(inbox, "a.colnc", "courseId|name|points", "C1|=Exam|10")
    put(inbox, "a.colncval", "courseId|userId|name|value", "C1|@learner, one|=Exam|7.50")
    assert run("sweep").exit_code == 0
    rows = list(csv.reader(io.StringIO(run("grades", "C1", "--format", "csv").stdout)))
    assert rows == [["learner", "'=Exam"], ["'@learner, one", "7.5"]]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_narrow_terminal_gets_several_tables_and_no_cut_cell(
    width: int, run: Run, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_term(inbox, Term(courses=1, learners=3, columns=12))
    assert run("sweep").exit_code == 0
    whole = run("grades", "ART101").stdout
    monkeypatch.setitem(os.environ, "COLUMNS", str(width))
    narrow = run("grades", "ART101").stdout
    tables = narrow.partition("3 learners")[2]
    assert all(len(line) <= width for line in tables.splitlines())

    def values(text: str) -> set[str]:
        return {word for word in text.partition("3 learners")[2].split() if word.startswith("STU") or "." in word}

    assert len(values(whole)) > 10
    assert values(narrow) == values(whole)
    assert "…" not in narrow
