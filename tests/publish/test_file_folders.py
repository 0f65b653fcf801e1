"""The folder of the files in trouble, runs at once, and what cannot be asked of files: told clearly, nothing lost."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gradeway import settings
from gradeway.cli import main
from gradeway.errors import OutgoingError, SettingsError, SyncBusyError, TenantChangedError
from gradeway.publish.files import FilesPublisher
from gradeway.publish.outgoing import MARKER, Outgoing
from gradeway.publish.run import SEND
from gradeway.store import tenants
from gradeway.store.lock import alone
from gradeway.store.publish import FILES, PublishIntent
from publish.file_scene import FileScene

ROWS = ["colnc: ANA101|Oral|||20||", "colncval: ANA101|ann|Oral|7"]
NAME = "gradeway_20260301T020000Z_0001.sch"


@pytest.fixture
def oral(plain_files: FileScene) -> FileScene:
    """A store with a column and a grade to publish."""
    plain_files.column()
    plain_files.grades(ann=7)
    return plain_files


def fails(scene: FileScene, match: str) -> None:
    with pytest.raises(OutgoingError, match=match):
        scene.publish()


def states(scene: FileScene) -> list[str]:
    return [each.state for each in scene.rows(PublishIntent)]


def test_a_missing_folder_is_told_and_nothing_is_lost(oral: FileScene) -> None:
    oral.folder.rmdir()
    fails(oral, f"cannot be put into {oral.folder}: No such file.*GRADEWAY_PUBLISH_FILES_FOLDER")
    assert states(oral) == []
    oral.folder.mkdir()
    oral.plan()
    oral.folder.rmdir()
    with oral.publisher() as publisher, pytest.raises(OutgoingError, match="cannot be put into"):
        publisher.apply_free()
    assert states(oral) == ["open"] * 2
    oral.folder.mkdir()
    oral.publish()
    assert oral.carry_away() == ROWS


def test_a_folder_that_is_a_file_is_told(oral: FileScene) -> None:
    oral.folder.rmdir()
    oral.folder.touch()
    fails(oral, "Not a directory")


def test_an_empty_mount_point_is_not_taken_for_the_folder(oral: FileScene) -> None:
    oral.publish()
    oral.grades(ann=8)
    mounted = oral.folder.rename(oral.folder.with_name("mounted"))
    oral.folder.mkdir()
    fails(oral, f"not the folder that files were put into before, as it has no file {MARKER}: see that it is mounted")
    oral.folder.rmdir()
    mounted.rename(oral.folder)
    assert oral.carry_away() == ROWS
    oral.publish()
    assert oral.carry_away() == ["colncval: ANA101|ann|Oral|8"]
    (oral.folder / MARKER).unlink()
    oral.grades(ann=9)
    fails(oral, "make the empty file")
    (oral.folder / MARKER).touch()
    oral.publish()
    assert oral.carry_away() == ["colncval: ANA101|ann|Oral|9"]


def test_a_full_disk_is_told_and_leaves_no_half_of_a_file(oral: FileScene, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("gradeway.publish.outgoing.os.fsync", _no_space)
        fails(oral, "No space left on device; see that it is there, has room")
    assert (states(oral), oral.names(), oral.hidden()) == (["open"] * 2, [], [])
    oral.publish()
    assert oral.carry_away() == ROWS


def _no_space(*_: object, **__: object) -> None:
    raise OSError(28, os.strerror(28))


def test_a_rename_that_is_refused_is_done_by_the_next_run(oral: FileScene, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", _no_space)
        fails(oral, "No space left")
    assert (states(oral), oral.names(), len(oral.hidden())) == (["sent", "open"], [], 1)
    oral.publish()
    assert (oral.carry_away(), oral.hidden()) == (ROWS, [])


def test_a_file_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    outgoing = Outgoing(tmp_path)
    outgoing.stage(NAME, b"ours\n")
    (tmp_path / NAME).write_text("theirs\n")
    with pytest.raises(OutgoingError, match="is there already, and not by us"):
        outgoing.place(NAME)
    assert (tmp_path / NAME).read_text() == "theirs\n"
    (tmp_path / NAME).unlink()
    outgoing.place(NAME)
    outgoing.place(NAME)
    assert (tmp_path / NAME).read_text() == "ours\n"


def test_only_our_own_files_are_looked_at(tmp_path: Path) -> None:
    outgoing = Outgoing(tmp_path)
    for name in ("other.sch", ".other.sch.part", "gradeway_x.sch", f".{NAME}.part", f".{NAME}.part.bak", NAME):
        (tmp_path / name).touch()
    assert outgoing.waiting() == [NAME]
    outgoing.drop_drafts(but=[NAME])
    assert (tmp_path / f".{NAME}.part").exists()
    outgoing.drop_drafts(but=[])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f".{NAME}.part.bak",
        ".other.sch.part",
        NAME,
        "gradeway_x.sch",
        "other.sch",
    ]


def test_another_folder_is_another_site(oral: FileScene, tmp_path: Path) -> None:
    oral.publish()
    store, elsewhere = oral.world.intake.store, str(tmp_path / "elsewhere")
    named = oral.settings.model_copy(update={"publish_files_folder": elsewhere})
    with pytest.raises(TenantChangedError) as refused:
        FilesPublisher(store, named)
    known = tenants.known(store, FILES)
    assert known is not None
    assert str(oral.folder).lower() == known.place
    assert str(refused.value) == (
        f"GRADEWAY_PUBLISH_FILES_FOLDER names {elsewhere.lower()}, but what the store knows of files is about "
        f"{known.place}: correct GRADEWAY_PUBLISH_FILES_FOLDER, or run `gradeway publish forget` to begin anew with "
        f"{elsewhere.lower()}"
    )


@pytest.mark.parametrize("mistyped", ["nowhere", "a file", "another folder"])
def test_a_plan_into_a_mistyped_folder_binds_the_store_to_nothing(oral: FileScene, mistyped: str) -> None:
    store, folder = oral.world.intake.store, oral.folder.with_name("mistyped")
    if mistyped == "a file":
        folder.touch()
    if mistyped == "another folder":
        folder.mkdir()
    named = oral.settings.model_copy(update={"publish_files_folder": str(folder)})
    publisher = FilesPublisher(store, named, patience=0)
    if folder.is_dir():
        publisher.plan()
    else:
        with pytest.raises(OutgoingError, match="GRADEWAY_PUBLISH_FILES_FOLDER"):
            publisher.plan()
    assert tenants.known(store, FILES) is None
    oral.publish()
    assert oral.carry_away() == ROWS


def test_two_runs_at_once_do_not_write_both(oral: FileScene) -> None:
    oral.plan()
    with alone(oral.world.intake.store, SEND) as held, oral.publisher() as publisher:
        assert held
        with pytest.raises(SyncBusyError):
            publisher.apply_free()
    assert oral.names() == []


def test_files_without_a_folder_are_refused_at_the_start() -> None:
    with pytest.raises(SettingsError, match=r"^GRADEWAY_PUBLISH_FILES_FOLDER is wrong: name the folder"):
        settings.load({"GRADEWAY_PUBLISH_TARGET": "files"})
    with pytest.raises(SettingsError, match="GRADEWAY_PUBLISH_FILES_FOLDER"):
        settings.load({"GRADEWAY_PUBLISH_TARGET": "files", "GRADEWAY_PUBLISH_FILES_FOLDER": " "})
    assert settings.load({}).publish_files_folder == ""


# --- the command line

Run = Callable[..., Result]


@pytest.fixture
def run(oral: FileScene, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.delenv("AIRFLOW_CONN_GRADEWAY_LEARN", raising=False)
    given = oral.world.settings
    monkeypatch.setenv("GRADEWAY_HOME", str(given.home))
    monkeypatch.setenv("GRADEWAY_DATABASE_URL", given.database_url)
    monkeypatch.setenv("GRADEWAY_PUBLISH_TARGET", "files")
    monkeypatch.setenv("GRADEWAY_PUBLISH_FILES_FOLDER", given.publish_files_folder)
    return lambda *words: CliRunner().invoke(main, list(words))


def document(result: Result) -> dict[str, Any]:
    assert result.stderr == ""
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_the_commands_need_no_connection(run: Run, oral: FileScene) -> None:
    shown = run("publish", "plan", "ANA101")
    assert shown.exit_code == 0, shown.output
    [planned] = document(run("publish", "plan", "--format", "json"))["courses"]
    assert [(call["kind"], call["action"], call["learner"]) for call in planned["calls"]] == [
        ("column", "create", ""),
        ("grade", "create", "ann"),
    ]
    assert oral.names() == []
    waits = document(run("publish", "apply", planned["hash"], "--format", "json"))
    [column] = oral.names()
    assert waits["outcomes"] == {"CREATED": 1}
    assert waits["paused"] == f"1 row waits until the importer has taken {column} from its folder"
    assert run("publish", "apply", "--now").exit_code == 1
    oral.carry_away()
    done = run("publish", "apply", "--now")
    assert (done.exit_code, done.stdout) == (0, "1 row created\n")
    calls = document(run("publish", "show", planned["hash"][:12], "--format", "json"))["calls"]
    assert {call["state"] for call in calls} == {"done"}
    assert document(run("publish", "status", "--format", "json"))["receipts"] == 1
    told = document(run("why", "ANA101", "ann", "Oral", "--format", "json"))
    assert told["published"] == "7"
    assert told["events"][-1]["detail"] == f"7 written to {oral.names()[0]}, line 2"
    assert run("check", *(str(oral.folder / name) for name in oral.names())).exit_code == 0


@pytest.mark.parametrize(
    "words",
    [("reconcile", "ANA101"), ("resolve", "ANA101", "--column", "Oral", "--take", "--reason", "so")],
)
def test_what_needs_a_gradebook_that_can_be_read_is_refused(run: Run, words: tuple[str, ...]) -> None:
    refused = run("publish", *words)
    assert refused.exit_code == 2
    assert f"`gradeway publish {words[0]}` needs a gradebook that can be read" in refused.stderr
    assert "`gradeway why`" in refused.stderr


def test_a_folder_in_trouble_is_told_in_one_line(run: Run, oral: FileScene) -> None:
    oral.folder.rmdir()
    told = run("publish", "apply", "--now")
    assert (told.exit_code, told.stdout) == (2, "")
    assert "nothing is lost, and the next run goes on" in told.stderr


@pytest.fixture
def check(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in ("QUESTIONMARK", "ASSESSMENTQ"):
        monkeypatch.delenv(f"AIRFLOW_CONN_GRADEWAY_{name}", raising=False)
    return lambda *words: run("vendors", "check", *words)


def test_a_check_looks_at_the_folder_and_says_what_is_not_set(check: Run, oral: FileScene) -> None:
    oral.publish()
    well = check()
    assert well.exit_code == 0, well.output
    for part in (str(oral.folder), "to flat files", "All is well", "gradeway_questionmark  not set: it is for exam"):
        assert part in well.stdout
    assert "gradeway_learn" not in well.stdout
    found = document(check("--format", "json"))
    assert (found["files"]["known"], found["files"]["waiting"]) == (True, 2)
    assert found["not_set"] == ["gradeway_questionmark", "gradeway_assessmentq"]


def test_a_check_tells_of_a_folder_that_is_not_there(check: Run, oral: FileScene) -> None:
    oral.folder.rmdir()
    told = check()
    assert told.exit_code == 1
    assert "correct GRADEWAY_PUBLISH_FILES_FOLDER, or make the folder" in told.stdout
    assert not oral.folder.exists()


def test_a_check_without_anything_set_names_each_connection_with_its_use(
    check: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRADEWAY_PUBLISH_TARGET")
    told = check()
    assert (told.exit_code, told.stdout) == (2, "")
    for name, use in (("QUESTIONMARK", "exam sessions"), ("ASSESSMENTQ", "offline exams"), ("LEARN", "the gradebook")):
        assert f"AIRFLOW_CONN_GRADEWAY_{name} for {use}" in told.stderr
