"""`gradeway aqr`: what the commands print, how they end, and the one small process that watches."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from custody.pcs import age, forbid, spoil
from fixtures.sandboxes import Hall, running_hall
from gradeway import clock
from gradeway.cli import main
from gradeway.custody import watch
from gradeway.custody.custody import Custody
from gradeway.store import lock
from gradeway.store.custody import ResultFile
from gradeway.store.engine import Store
from gradeway.vendors.assessmentq import SANDBOX_PROFILE, AssessmentQ

Run = Callable[..., Result]
SEED = {
    "Exams": [{"id": "1", "name": "Anatomy"}],
    "Participants": [{"id": f"S{number}"} for number in range(1, 4)],
    "Sittings": [{"exam": "1", "participant": f"S{number}", "accessCode": f"CODE{number}"} for number in range(1, 4)],
}
POSIX_ONLY = ("fcntl", "grp", "pwd", "resource", "termios")
WITHOUT_POSIX = f"""
import os, sys
for name in {POSIX_ONLY}:
    sys.modules[name] = None
for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_DIRECTORY", "O_CLOEXEC", "fork", "pread", "geteuid"):
    delattr(os, name)
import types
import gradeway.cli.aqr, gradeway.cli.aqr_commands
from gradeway.cli import main
from gradeway.store import lock
sys.modules["msvcrt"] = types.SimpleNamespace(locking=lambda *_: None, LK_NBLCK=2)
told = ("open", "close", "lseek", "SEEK_SET", "O_RDWR", "O_CREAT")
lock.os = types.SimpleNamespace(name="nt", **{{name: getattr(os, name) for name in told}})
main(sys.argv[1:])
"""


@pytest.fixture
def school(tmp_path: Path) -> Iterator[Hall]:
    """A server of the test's own."""
    with running_hall(tmp_path, SEED) as hall:
        yield hall


@pytest.fixture
def environment(school: Hall, tmp_path: Path) -> dict[str, str]:
    """What an installation is told: where it is, and where the server."""
    connection = {"conn_type": "http", "host": school.url, "login": "sandbox", "password": "sandbox"}
    return {
        "GRADEWAY_HOME": str(tmp_path / "home"),
        "GRADEWAY_AQR_SETTLE_SECONDS": "0",
        "AIRFLOW_CONN_GRADEWAY_ASSESSMENTQ": json.dumps(connection | {"extra": dict(SANDBOX_PROFILE)}),
    }


@pytest.fixture
def run(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, in_haste: None) -> Run:
    """Run a command as a shell would."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return lambda *words: CliRunner().invoke(main, ["aqr", *map(str, words)])


@pytest.fixture
def usb(school: Hall, tmp_path: Path) -> Path:
    """A stick with the files of two computers, of the same name: one exam has ended, one goes on."""
    folder = tmp_path / "usb"
    for number, do in ((1, "finish"), (2, "save")):
        (folder / f"pc{number}").mkdir(parents=True)
        school.play(f"S{number}-1", "start")
        (folder / f"pc{number}" / "exam.aqr").write_bytes(school.play(f"S{number}-1", do, score=7, max=10))
    return folder


def document(result: Result) -> Any:  # noqa: ANN401
    return json.loads(result.stdout)


def test_collected_files_are_sent_once_and_left_where_they_are(run: Run, usb: Path) -> None:
    first = run("upload", usb, "--format", "json")
    assert (first.exit_code, first.stderr) == (0, "")
    [(folder, done)] = document(first).items()
    assert (folder, done["found"], done["uploads"]) == (str(usb), 2, {"final": 1, "in progress": 1})
    again = run("upload", usb)
    assert again.exit_code == 0
    assert "2 result files: nothing to send" in again.stdout
    assert sorted(path.name for path in usb.rglob("*.*")) == ["exam.aqr", "exam.aqr"]


def test_without_a_folder_the_inbox_is_sent_and_archived(run: Run, usb: Path, tmp_path: Path) -> None:
    inbox = tmp_path / "home/landing/inbox/aqr"
    inbox.parent.mkdir(parents=True)
    usb.rename(inbox)
    done = run("upload")
    assert done.exit_code == 0
    assert "1 put away" in done.stdout
    assert [path.parent.name for path in inbox.rglob("*.aqr")] == ["pc2"]
    assert len(list((tmp_path / "home/landing/archive/aqr").rglob("*.aqr"))) == 1


def test_without_a_network_files_wait_and_the_status_says_since_when(run: Run, school: Hall, usb: Path) -> None:
    school.network(online=False)
    away = run("upload", usb)
    assert away.exit_code == 1
    assert (
        "2 result files: 2 still to send; 0 put away; the server cannot be reached (`gradeway aqr status` says why)"
        in away.stdout
    )
    assert [each["waiting"] for each in document(run("upload", usb, "--format", "json")).values()] == [2]
    found = document(run("status", "--format", "json"))
    assert found["seen_at"] >= found["since"]
    assert "cannot be reached" in found["detail"]
    assert (found["files"], found["online"], found["late"]) == ({"waiting": 2}, False, False)
    assert found["waiting_since"]
    shown = run("status")
    assert shown.exit_code == 0
    assert "the oldest unsent bytes wait since" in shown.stdout
    assert re.search("offline since .*, as last seen .*: .* cannot be reached", shown.stdout)
    school.network()
    assert run("upload", usb).exit_code == 0
    assert document(run("status", "--format", "json"))["files"] == {"final": 1, "sent": 1}


def test_a_folder_is_one_however_its_name_is_written(run: Run, school: Hall, usb: Path, tmp_path: Path) -> None:
    run("upload", usb)
    (tmp_path / "link").symlink_to(usb)
    for name in (usb / ".." / "usb", tmp_path / "link"):
        assert "2 result files: nothing to send" in run("upload", name).stdout
    assert document(run("status", "--format", "json"))["files"] == {"final": 1, "sent": 1}


def test_a_lost_answer_is_something_still_to_send(run: Run, school: Hall, usb: Path) -> None:
    spoil(school, "drop_after")
    lost = run("upload", usb)
    assert (lost.exit_code, "1 unknown, 1 still to send" in lost.stdout) == (1, True)
    assert run("upload", usb).exit_code == 0


def test_a_file_that_is_still_being_written_is_told(
    run: Run, school: Hall, usb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(_seconds: float) -> None:
        with (usb / "pc2/exam.aqr").open("ab") as file:
            file.write(b"more")

    monkeypatch.setattr(Custody.once, "__kwdefaults__", {"sleep": write})
    done = run("upload", usb)
    assert (done.exit_code, "1 final, 1 still being written" in done.stdout) == (1, True)
    [told] = document(run("upload", usb, "--format", "json")).values()
    assert (told["still_written"], told["found"]) == (1, 2)


def test_what_lies_in_the_inbox_is_told_though_nobody_took_it_up(
    run: Run, usb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_GRADEWAY_ASSESSMENTQ")
    assert run("status").stdout == "result files: none yet\n"
    inbox = tmp_path / "home/landing/inbox/aqr"
    inbox.parent.mkdir(parents=True)
    usb.rename(inbox)
    (inbox / "empty.aqr").touch()  # of it there is nothing to take up
    fresh = run("status", "--format", "json")
    assert (fresh.exit_code, document(fresh)["files"], document(fresh)["late"]) == (0, {"waiting": 2}, False)
    assert document(fresh)["waiting_since"]
    assert "not taken up" not in CliRunner().invoke(main, ["status"]).stdout
    age([inbox / "pc1/exam.aqr"], -12 * 86_400)
    late = run("status")
    assert late.exit_code == 1
    assert "longer than 10 days" in late.stdout
    assert "in inbox aqr, not taken up for 12 days" in CliRunner().invoke(main, ["status"]).stdout


def test_a_folder_of_the_inbox_that_cannot_be_read_is_told(
    run: Run, usb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = tmp_path / "home/landing/inbox/aqr"
    inbox.parent.mkdir(parents=True)
    usb.rename(inbox)
    forbid(monkeypatch, lambda folder: folder.name == "pc1")
    shown = run("status")
    assert (shown.exit_code, "1 folder in the inbox cannot be read" in shown.stdout) == (1, True)
    assert "1 folder of result files in inbox aqr cannot be read" in CliRunner().invoke(main, ["status"]).stdout


def test_what_was_taken_up_waits_once_and_only_as_long_as_it_does(
    run: Run, usb: Path, school: Hall, tmp_path: Path
) -> None:
    inbox = tmp_path / "home/landing/inbox/aqr"
    inbox.parent.mkdir(parents=True)
    usb.rename(inbox)
    school.network(online=False)
    run("upload")
    assert document(run("status", "--format", "json"))["files"] == {"waiting": 2}
    assert "not taken up" not in CliRunner().invoke(main, ["status"]).stdout
    school.network()
    run("upload")
    assert document(run("status", "--format", "json"))["files"] == {"kept": 1, "sent": 1}
    age([inbox / "pc2/exam.aqr"], -12 * 86_400)  # it was written to after all
    assert document(run("status", "--format", "json"))["files"] == {"kept": 1, "sent": 1, "waiting": 1}


def test_a_file_that_is_refused_is_for_a_person(run: Run, usb: Path) -> None:
    (usb / "holiday.aqr").write_bytes(b"no result file")
    done = run("upload", usb)
    assert done.exit_code == 1
    assert "is refused" in done.stdout
    again = run("upload", usb)
    assert (again.exit_code, "files need a person: `gradeway aqr status`" in again.stdout) == (1, True)
    shown = run("status")
    assert shown.exit_code == 1
    assert "holiday.aqr" in shown.stdout
    assert "`gradeway aqr dismiss NUMBER` takes a file off this list" in shown.stdout
    assert document(run("status", "--format", "json"))["troubles"][0]["state"] == "refused"


def test_who_is_missing(run: Run, usb: Path) -> None:
    run("upload", usb)
    found = run("missing", "--format", "json")
    assert found.exit_code == 1
    told = document(found)
    assert told["sittings"] == {"missing": 1, "received": 1, "unfinished": 1}
    assert [(each["learner"], each["access code"], each["state"]) for each in told["missing"]] == [
        ("S2", "CODE2", "unfinished"),
        ("S3", "CODE3", "missing"),
    ]
    shown = run("missing")
    assert "CODE3" in shown.stdout
    assert "sittings: 1 missing, 1 received, 1 unfinished" in run("status").stdout


def test_who_stayed_away_is_dismissed_with_a_reason_and_expected_again(run: Run, usb: Path) -> None:
    run("upload", usb)
    number = {each["learner"]: each["number"] for each in document(run("missing", "--format", "json"))["missing"]}
    for words in (("--sittings", 1), ("--reason", "x", 1), ("--sittings", "--again", "--reason", "x", 1)):
        assert run("dismiss", *words).exit_code == 2
    done = run("dismiss", "--sittings", "--reason", "stayed away", number["S3"], 999)
    assert (done.exit_code, done.stdout) == (
        1,
        "1 sitting dismissed\nthere is no sitting 999; `gradeway aqr missing` numbers them\n",
    )
    found = document(run("missing", "--format", "json"))
    assert found["sittings"] == {"dismissed": 1, "received": 1, "unfinished": 1}
    assert [each["learner"] for each in found["missing"]] == ["S2"]
    assert run("dismiss", "--sittings", "--reason", "taken ill", number["S2"]).exit_code == 0
    quiet = run("missing", "--all", "--format", "json")
    assert quiet.exit_code == 0
    told = [(each["learner"], each["state"], each["reason"]) for each in document(quiet)["missing"]]
    assert sorted(told) == [("S2", "dismissed", "taken ill"), ("S3", "dismissed", "stayed away")]
    assert run("dismiss", "--sittings", "--again", number["S3"]).stdout == "1 sitting expected again\n"
    again = run("missing", "--format", "json")
    assert (again.exit_code, document(again)["sittings"]["missing"]) == (1, 1)
    assert document(run("status", "--format", "json"))["compared_at"]


def test_a_roster_is_compared_and_files_are_looked_after_without_a_connection(
    run: Run, usb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("upload", usb)
    roster = tmp_path / "roster.csv"
    roster.write_text("exam,learner,until\n1,S3,2020-01-01\n1,S4,2099-01-01\n")
    monkeypatch.setenv("GRADEWAY_AQR_ROSTER_FILE", str(roster))
    monkeypatch.delenv("AIRFLOW_CONN_GRADEWAY_ASSESSMENTQ")
    assert document(run("missing", "--format", "json"))["sittings"] == {"expected": 1, "past": 1}
    unasked = run("verify")
    assert unasked.exit_code == 1
    assert "the files are here\nwhat the server has is not known: there is no connection" in unasked.stdout
    monkeypatch.delenv("GRADEWAY_AQR_ROSTER_FILE")
    nobody = run("missing")
    assert (nobody.exit_code, "GRADEWAY_AQR_ROSTER_FILE" in nobody.stderr) == (2, True)


def test_nobody_is_missing_before_the_exam(run: Run) -> None:
    found = run("missing")
    assert (found.exit_code, found.stdout) == (0, "sittings: 3 expected\n")


def test_what_is_done_with_is_looked_after(run: Run, usb: Path, tmp_path: Path) -> None:
    inbox = tmp_path / "home/landing/inbox/aqr"
    inbox.parent.mkdir(parents=True)
    usb.rename(inbox)
    run("upload")
    good = run("verify")
    assert (good.exit_code, good.stdout) == (0, "all files that are done with are as they should be\n")
    [kept] = (tmp_path / "home/landing/archive/aqr").rglob("*.aqr")
    kept.unlink()
    bad = run("verify", "--format", "json")
    assert bad.exit_code == 1
    assert [each["what"] for each in document(bad)["wrong"]] == [f"{kept} is gone, or has other bytes"]


def test_what_the_server_does_not_know_is_told(
    run: Run, usb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("upload", usb)
    monkeypatch.setattr(AssessmentQ, "received", lambda *_: None)
    bad = run("verify", "--format", "json")
    assert bad.exit_code == 1
    assert [each["what"] for each in document(bad)["wrong"]] == ["the server does not know these bytes"]


def test_a_server_that_cannot_be_asked_is_no_proof_that_all_is_well(
    run: Run, environment: dict[str, str], usb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("upload", usb)
    connection = json.loads(environment["AIRFLOW_CONN_GRADEWAY_ASSESSMENTQ"])
    del connection["extra"]["received_path"]
    monkeypatch.setenv("AIRFLOW_CONN_GRADEWAY_ASSESSMENTQ", json.dumps(connection))
    told = run("verify", "--format", "json")
    assert (told.exit_code, document(told)["wrong"]) == (1, [])
    assert document(told)["unasked"].startswith("received_path is not set in the profile of the Connection")


def test_files_that_end_otherwise_are_counted_and_not_sent(run: Run, usb: Path, tmp_path: Path) -> None:
    (usb / "pc1/exam.aqr").rename(usb / "pc1/exam.bak")
    for name in (".hidden", "half.part", "notes.txt"):
        (usb / name).touch()
    (usb / "link.aqr").symlink_to(usb / "pc2/exam.aqr")
    done = run("upload", usb)
    assert (done.exit_code, f"3 other files in {usb}: only .aqr is sent" in done.stdout) == (0, True)
    assert document(run("upload", usb, "--format", "json"))[str(usb)]["others"] == 3
    inbox = tmp_path / "home/landing/inbox/aqr"
    inbox.parent.mkdir(parents=True)
    usb.rename(inbox)
    assert "3 other files in the inbox: only .aqr is sent" in run("status").stdout
    assert document(run("status", "--format", "json"))["others"] == 3


def test_a_person_dismisses_a_file_or_has_it_sent_again(run: Run, usb: Path) -> None:
    (usb / "holiday.aqr").write_bytes(b"no result file")
    run("upload", usb)
    number = document(run("status", "--format", "json"))["troubles"][0]["file"]
    unknown = run("dismiss", 999)
    assert (unknown.exit_code, "there is no file 999" in unknown.stdout) == (1, True)
    dismissed = run("dismiss", number)
    assert (dismissed.exit_code, dismissed.stdout) == (0, "1 result file dismissed\n")
    assert run("status").exit_code == 0
    assert document(run("dismiss", "--again", number, "--format", "json")) == {"dismissed": 1, "unknown": []}
    assert "is refused" in run("upload", usb).stdout


def test_a_file_whose_exam_ended_elsewhere_is_told_until_a_person_looked(run: Run, usb: Path, school: Hall) -> None:
    late = usb / "pc3" / "exam.aqr"
    late.parent.mkdir()
    late.write_bytes(school.play("S2-1", "save", score=1, max=10))
    school.upload(school.play("S2-1", "finish", score=9, max=10))
    run("upload", late.parent)
    [wrong] = document(run("verify", "--format", "json"))["wrong"]
    assert "ended elsewhere" in wrong["what"]
    assert run("dismiss", wrong["file"]).exit_code == 0
    assert run("verify").exit_code == 0
    assert run("status").exit_code == 0


def test_two_sticks_one_after_the_other_leave_nothing_to_look_at(run: Run, usb: Path, school: Hall) -> None:
    run("upload", usb)
    shutil.rmtree(usb / "pc2")
    (usb / "pc3").mkdir()
    (usb / "pc3" / "exam.aqr").write_bytes(school.play("S2-1", "finish", score=7, max=10))
    assert run("upload", usb).exit_code == 0
    assert run("status").exit_code == 0


def test_a_profile_by_which_no_exam_ever_ends_is_not_watched_with(
    run: Run, environment: dict[str, str], usb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.loads(environment["AIRFLOW_CONN_GRADEWAY_ASSESSMENTQ"])
    connection["extra"] |= {"final_key": "", "final_values": [], "sitting_key": ""}
    monkeypatch.setenv("AIRFLOW_CONN_GRADEWAY_ASSESSMENTQ", json.dumps(connection))
    refused = run("watch", usb)
    assert (refused.exit_code, "give final_key or sitting_key" in refused.stderr) == (2, True)


@pytest.mark.parametrize(("seconds", "pause"), [(0.5, 3), (7, 7)])
def test_two_looks_are_never_nearer_than_a_file_takes_to_settle(
    run: Run, usb: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, pause: float
) -> None:
    monkeypatch.setenv("GRADEWAY_AQR_SETTLE_SECONDS", "3")
    pauses: list[float] = []
    monkeypatch.setattr("gradeway.cli.aqr.watch", lambda _custody, _folder, seconds, *_: pauses.append(seconds))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert run("watch", usb, "--seconds", seconds).exit_code == 0
    assert pauses == [pause]


def test_what_is_wrong_here_is_told_though_the_server_is_away(
    run: Run, usb: Path, school: Hall, tmp_path: Path
) -> None:
    inbox = tmp_path / "home/landing/inbox/aqr"
    inbox.parent.mkdir(parents=True)
    usb.rename(inbox)
    run("upload")
    school.network(online=False)
    unknown = run("verify")
    assert unknown.exit_code == 1
    assert "the files are here\nwhat the server has is not known: " in unknown.stdout
    for kept in (tmp_path / "home/landing/archive/aqr").rglob("*.aqr"):
        kept.unlink()
    bad = run("verify", "--format", "json")
    assert (bad.exit_code, len(document(bad)["wrong"])) == (1, 1)
    assert "cannot be reached" in document(bad)["unasked"]


def test_nothing_is_asked_of_what_was_deleted_long_ago(run: Run, usb: Path, school: Hall, tmp_path: Path) -> None:
    inbox = tmp_path / "home/landing/inbox/aqr"
    inbox.parent.mkdir(parents=True)
    usb.rename(inbox)
    run("upload")
    asked = len(school.log())
    assert run("verify").exit_code == 0
    assert len(school.log()) > asked
    store = Store(f"sqlite:///{tmp_path}/home/gradeway.db")
    with store.writing() as session:
        session.execute(update(ResultFile).values(purged_at=clock.now()))
    store.engine.dispose()
    asked = len(school.log())
    assert run("verify").exit_code == 0
    assert len(school.log()) == asked


def test_results_come_home_as_grades_without_airflow(run: Run, usb: Path, school: Hall, tmp_path: Path) -> None:
    run("upload", usb)
    columns = tmp_path / "home/landing/inbox/grades/c.colnc"
    columns.parent.mkdir(parents=True)
    columns.write_text("courseId|name|points|optionalData\nANAT1|Offline exam|20|ASSESSMENT=1\n")
    age([columns], -60)
    CliRunner().invoke(main, ["sweep"])
    done = run("collect", "--sweep", "--format", "json")
    assert done.exit_code == 0
    told = document(done)
    assert (told["results"], told["handed_over"], [batch["state"] for batch in told["batches"]]) == (2, 1, ["loaded"])
    assert "S1" in CliRunner().invoke(main, ["grades", "ANAT1"]).stdout
    again = run("collect")
    assert (again.exit_code, again.stdout) == (0, "2 results read; none is new\n")


def test_bringing_results_home_tells_what_has_ended_and_whether_the_server_is_there(
    run: Run, usb: Path, school: Hall
) -> None:
    run("upload", usb)
    assert school.upload(school.play("S2-1", "finish", score=1, max=10)).status_code == 201
    school.network(online=False)
    away = run("collect")
    assert away.exit_code != 0
    assert "cannot be reached" in away.stderr
    assert document(run("status", "--format", "json"))["online"] is False
    school.network()
    run("collect")
    found = document(run("status", "--format", "json"))
    assert (found["online"], found["files"]) == (True, {"final": 2})


def test_a_connection_that_lacks_something_is_named(run: Run, usb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_GRADEWAY_ASSESSMENTQ")
    refused = run("upload", usb)
    assert refused.exit_code == 2
    assert "gradeway_assessmentq" in refused.stderr.lower()


def test_the_watcher_is_one_small_process_that_ends_when_told_to(
    environment: dict[str, str], school: Hall, tmp_path: Path
) -> None:
    folder = tmp_path / "exams"
    folder.mkdir()
    school.play("S1-1", "start")
    (folder / "exam.aqr").write_bytes(school.play("S1-1", "finish", score=7, max=10))
    spoil(school, "drop_after")
    words = ["-X", "importtime", "-m", "gradeway.cli", "aqr", "watch", str(folder), "--seconds", "0.1"]
    with (
        (tmp_path / "imports").open("w") as imports,
        subprocess.Popen(
            [sys.executable, *words, "--format", "json"],
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=imports,
            text=True,
        ) as process,
    ):
        assert process.stdout
        try:
            said = [json.loads(process.stdout.readline())["said"] for _ in range(4)]
            assert said == [f"watching {folder}", "1 unknown", "1 final", "1 put away"]
            assert [path.name for path in folder.iterdir() if path.suffix] == ["exam.bak"]
            process.send_signal(signal.SIGTERM)
            assert json.loads(process.stdout.readline())["said"] == "ended"
        finally:
            process.kill()
    imported = {line.rpartition("|")[2].strip() for line in (tmp_path / "imports").read_text().splitlines()}
    assert "gradeway.custody.watch" in imported
    assert not imported & {"pandas", "numpy", "pandera", "airflow", "fastapi", "psycopg"}


def test_files_are_sent_without_anything_that_windows_has_not(
    environment: dict[str, str], usb: Path, school: Hall
) -> None:
    def run(*words: str) -> str:
        command = [sys.executable, "-c", WITHOUT_POSIX, "aqr", *words]
        done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    assert "1 final" in run("upload", str(usb))
    assert len(school.every("offline-results")) == 2
    assert "2 results read" in run("collect")
    assert "forgotten; the next run begins anew" in run("forget", "--yes")


def test_a_folder_has_one_watcher_on_windows_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: set[Path] = set()

    def locking(descriptor: int, mode: int, length: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink()
        assert (mode, length) == (windows.LK_NBLCK, 1)
        if name in taken:
            raise OSError(13, "Permission denied")
        taken.add(name)

    windows = ModuleType("msvcrt")
    windows.locking, windows.LK_NBLCK = locking, 2  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    monkeypatch.setattr(lock, "os", SimpleNamespace(name="nt", lseek=os.lseek, SEEK_SET=os.SEEK_SET))
    with watch.only_watcher(tmp_path), pytest.raises(watch.CustodyError), watch.only_watcher(tmp_path):
        pass
