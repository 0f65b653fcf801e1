"""`gradeway check`: the verdicts, the exit codes, and files that nobody should have sent."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from gradeway.demo import samples
from gradeway.demo.term import Term, write_term, write_values

Run = Callable[..., Result]
Data = Callable[..., dict[str, Any]]
VALUES = "courseId|userId|name|value\n"


def put(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_right_files_are_ok_without_touching_the_installation(run: Run, home: Path, tmp_path: Path) -> None:
    files = samples.drop(tmp_path)
    result = run("check", *files)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) == 6
    assert all(": OK, " in line and "1 row = 1 good + 0 rejected" in line for line in lines)
    assert not home.exists()


def test_a_rejected_row_is_told_with_its_place_its_code_and_its_remedy(run: Run, tmp_path: Path) -> None:
    path = put(tmp_path, "a.colnc", "courseId|name|points\nC1|One|10\nC1|Two|9,5\n")
    result = run("check", path)
    assert result.exit_code == 1
    assert f"{path}: REJECTS, Grade columns (.colnc): 2 rows = 1 good + 1 rejected" in result.stdout
    [row] = [line for line in result.stdout.splitlines() if "NUMBER_COMMA" in line]
    assert row.split()[:2] == ["3", "points"]
    assert row.endswith("write a decimal point and no thousands separator")


def test_warnings_alone_are_no_failure(run: Run, data: Data, tmp_path: Path) -> None:
    path = put(tmp_path, "a.colncval", VALUES + "C1|U1|N|9\nC1|U1|N|9\n")
    assert run("check", path).exit_code == 0
    [found] = data("check", path)["files"]
    assert found["verdict"] == "warnings"
    assert found["rows"] == {"in": 2, "good": 2, "rejected": 0, "repeated": 1}
    assert found["reasons"] == {"DUPLICATE_COLLAPSED": 1}


def test_one_bad_row_of_a_whole_file_feed_refuses_all_its_rows(run: Run, data: Data, tmp_path: Path) -> None:
    path = put(tmp_path, "a.sch", "title|symbols|optionalData\nGood|A=50:F=0|\nBad|A=50|\n")
    assert run("check", path).exit_code == 1
    [found] = data("check", path)["files"]
    assert found["verdict"] == "refused"
    assert found["rows"] == {"in": 2, "good": 0, "rejected": 2, "repeated": 0}
    assert [(item["line"], item["code"]) for item in found["findings"]] == [(3, "SYMBOL_BOUNDS")]


def test_the_feed_option_goes_before_the_ending(run: Run, data: Data, tmp_path: Path) -> None:
    path = put(tmp_path, "values.txt", VALUES + "C1|U1|N|9\n")
    assert data("check", path)["files"][0]["reasons"] == {"FILE_UNKNOWN": 1}
    assert data("check", "--feed", "COLNCVAL", path)["ok"] is True
    wrong = run("check", "--feed", "colnx", path)
    assert wrong.exit_code == 2
    assert "sch, asg, col, colnc, colext, colncval" in wrong.stderr


def test_the_limit_counts_findings_of_each_file(run: Run, data: Data, tmp_path: Path) -> None:
    path = put(tmp_path, "a.colncval", VALUES + "C1||N|9\n" * 30)
    assert run("check", path).stdout.count("REQUIRED") == 20
    assert "... and 10 more (--limit 0 shows all)" in run("check", path).stdout
    assert run("check", "--limit", "0", path).stdout.count("REQUIRED") == 30
    [found] = data("check", "--limit", "3", path)["files"]
    assert (len(found["findings"]), found["findings_total"]) == (3, 30)


def missing(folder: Path) -> Path:
    return folder / "missing.sch"


def directory(folder: Path) -> Path:
    (folder / "d.sch").mkdir()
    return folder / "d.sch"


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "f.col")
    return folder / "f.col"


def link(folder: Path) -> Path:
    (folder / "l.sch").symlink_to(samples.write(folder / "real.sch", [samples.SAMPLES["term2023_01.sch"]]))
    return folder / "l.sch"


def endless(_folder: Path) -> Path:
    return Path("/dev/zero")


def binary(folder: Path) -> Path:
    return put(folder, "b.colncval", bytes(range(256)) * 5000)


def no_name(folder: Path) -> Path:
    return folder / "\udcff.sch"


@pytest.mark.parametrize(
    ("make", "verdict", "reason"),
    [
        (missing, "unreadable", None),
        (no_name, "unreadable", None),
        (directory, "unreadable", None),
        (fifo, "refused", "FILE_UNSAFE"),
        (link, "refused", "FILE_UNSAFE"),
        (endless, "refused", "FILE_UNSAFE"),
        (binary, "refused", "HEADER_UNREADABLE"),
    ],
)
def test_no_file_stops_the_check_of_the_others(
    make: Callable[[Path], Path], verdict: str, reason: str | None, run: Run, data: Data, tmp_path: Path
) -> None:
    bad = make(tmp_path)
    good = put(tmp_path, "good.colext", "courseId|name\nC1|N\n")
    found = data("check", "--feed", "sch", bad, good)["files"] if bad.parent == Path("/dev") else None
    found = found or data("check", bad, good)["files"]
    assert (found[0]["verdict"], list(found[0]["reasons"])) == (verdict, [reason] if reason else [])
    assert bool(found[0]["error"]) is (verdict == "unreadable")
    assert found[1]["verdict"] in {"ok", "refused"}
    result = run("check", bad, good)
    assert result.exit_code == 1
    assert verdict.upper() in result.stdout
    assert f"{good}: OK" in result.stdout


def test_a_file_name_cannot_command_the_terminal(run: Run, tmp_path: Path) -> None:
    path = put(tmp_path, "\x1b[31m\u202e[bold]x.colext", "courseId|name\nC1|N\n")
    result = run("check", path)
    assert result.exit_code == 0
    assert "?[31m?[bold]x.colext: OK" in result.stdout


def test_no_cell_is_ever_printed(run: Run, tmp_path: Path) -> None:
    write_term(tmp_path, Term(courses=2), mistakes=True)
    result = run("check", "--limit", "0", *sorted(tmp_path.glob("term*")))
    assert result.exit_code == 1
    assert "STU9" not in result.stdout + result.stderr


def test_the_check_finds_what_the_sweep_then_rejects(run: Run, data: Data, inbox: Path, tmp_path: Path) -> None:
    files = write_term(tmp_path, Term(courses=3), mistakes=True)
    write_term(inbox, Term(courses=3), mistakes=True)
    checked = {Path(item["file"]).name: item for item in data("check", "--limit", "0", *files)["files"]}
    swept = {item["file"]: item["batch"] for item in data("sweep")["batches"]}
    assert swept.keys() == checked.keys()
    for name, found in checked.items():
        told = {(item["line"], item["code"]) for item in found["findings"]}
        assert told <= {(item["line"], item["code"]) for item in data("show", "--limit", "0", swept[name])["findings"]}


def test_a_pipe_gets_neither_colour_nor_folding_nor_progress(home: Path, tmp_path: Path) -> None:
    name = "n" * 150
    path = put(tmp_path, f"{name}.sch", "title|symbols\nA|x=1\n")
    done = subprocess.run(
        [sys.executable, "-m", "gradeway.cli", "check", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert name in done.stdout.splitlines()[0]
    assert "\x1b" not in done.stdout
    assert done.stderr == ""
    assert all(line == line.rstrip() for line in done.stdout.splitlines())


def test_a_terminal_sees_the_progress_of_a_long_file_on_stderr(home: Path, tmp_path: Path) -> None:
    path = write_values(tmp_path / "long.colncval", Term.of_rows(300_000))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "gradeway.cli", "check", "--format", "json", str(path)]
    done = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=os.environ | {"TERM": "xterm"})
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:
        pass  # Linux's way to say that the other end was closed
    assert done.stdout
    assert json.loads(done.stdout.read())["ok"] is True
    assert done.wait() == 0
    assert b"long.colncval" in shown
    os.close(ours)
