"""A result file's custody from the first look to its end: against the sandbox, on each kind of database."""

from __future__ import annotations

import errno
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from custody.pcs import PATIENT, MakePc, Pc, age, sent, sha, spoil, taken, unprivileged
from fixtures.sandboxes import Hall
from gradeway.custody import files, ledger
from gradeway.custody.custody import Pass
from gradeway.custody.keep import Keeper, LeftAlone
from gradeway.errors import CustodyError, TenantChangedError, VendorAnswerError, VendorRefusedError
from sessions.exams import Clock
from vendors.profiles import DROPPED

GRACE, DAY = 60, 86_400
OPEN_FILES = Path("/proc/self/fd")
FULL = OperationalError("", {}, Exception("database or disk is full"))


# --- the life of a file on an exam PC ---


def test_the_life_of_a_file(pc: Pc, hall: Hall, sitting: str, passing: Clock) -> None:
    begun = pc.play(sitting, "start")
    assert pc.go_on().outcomes == {"in progress": 1}
    assert (pc.row().state, pc.row().sitting, pc.row().waiting_since) == ("sent", sitting, None)
    for _ in range(3):
        passing.pass_by(60)
        assert not pc.go_on().outcomes
    saved = pc.play(sitting, "save")
    assert pc.go_on().outcomes == {"in progress": 1}
    ended = pc.play(sitting, "finish", score=7.5, max=10)
    done = pc.go_on()
    assert (done.outcomes, done.kept, done.troubles) == ({"final": 1}, 1, [])
    assert (pc.names(), pc.path("exam.bak").read_bytes()) == (["exam.bak"], ended)
    row = pc.row()
    assert (row.state, row.kept_as, row.sha256) == ("kept", str(pc.path("exam.bak")), sha(ended))
    for _ in range(3):
        assert pc.go_on().found == 0
    assert sent(hall, begun, saved, ended) == taken(hall, begun, saved, ended) == [1, 1, 1]
    [result] = [each for each in hall.every("results") if each["sitting"] == sitting]
    assert (result["state"], result["score"]) == ("finished", 7.5)


def test_a_file_that_only_looks_changed_is_not_sent_again(pc: Pc, hall: Hall, sitting: str) -> None:
    content = pc.play(sitting, "start")
    pc.go_on()
    for seconds in (5, -DAY, 40 * 365 * DAY):
        age([pc.path()], seconds)
        assert pc.go_on().outcomes == {"in progress before": 1}
        assert pc.row().state == "sent"
    assert sent(hall, content) == [1]


def test_what_was_once_sent_is_not_sent_when_it_comes_back(pc: Pc, hall: Hall, sitting: str) -> None:
    first = pc.play(sitting, "start")
    pc.go_on()
    second = pc.play(sitting, "save")
    pc.go_on()
    pc.write(first)
    assert pc.go_on().outcomes == {"in progress before": 1}
    assert sent(hall, first, second) == [1, 1]


def test_a_file_that_is_still_being_written_is_left_until_it_stands_still(pc: Pc, hall: Hall, sitting: str) -> None:
    custody = pc.custody
    pc.play(sitting, "start")
    looks = []
    for _ in range(4):
        looks.append(files.look(pc.folder))
        content = pc.play(sitting, "save")
        age([pc.path()], len(looks))
        done = custody.go_on(looks[-1])
        assert (done.found, done.outcomes) == (1, {})
    assert custody.once(sleep=lambda _: None).outcomes == {"in progress": 1}
    assert sent(hall, content) == [1]


def test_once_waits_only_for_what_is_new(pc: Pc, sitting: str) -> None:
    waited: list[float] = []
    pc.given = {"aqr_settle_seconds": 2}
    pc.custody.once(sleep=waited.append)
    assert waited == []
    for number, do in enumerate(("start", "save", "finish"), 1):
        pc.play(sitting, do)
        for _ in range(3):
            pc.custody.once(sleep=waited.append)
        assert waited == [2] * number


def test_a_final_result_that_came_by_another_route(pc: Pc, hall: Hall, sitting: str) -> None:
    pc.play(sitting, "start")
    pc.go_on()
    ended = pc.play(sitting, "finish")
    assert hall.upload(ended).status_code == 201  # a supervisor's copy
    done = pc.go_on()
    assert (done.outcomes, done.kept, pc.names()) == ({"already final": 1}, 1, ["exam.bak"])
    assert taken(hall, ended) == [1]


def test_the_server_knows_by_itself_that_an_exam_has_ended(pc: Pc, hall: Hall, sitting: str) -> None:
    first = pc.play(sitting, "start")
    pc.go_on()
    assert hall.upload(hall.play(sitting, "finish")).status_code == 201
    assert ledger.sittings_ended(pc.store, ["another", sitting]) == 1
    assert pc.go_on().kept == 1
    assert (pc.names(), sent(hall, first)) == (["exam.bak"], [1])


def test_bytes_that_were_not_sent_yet_are_not_ended_by_that(pc: Pc, hall: Hall, sitting: str) -> None:
    pc.play(sitting, "start")
    pc.go_on()
    ended = pc.play(sitting, "finish")
    pc.note()
    assert ledger.sittings_ended(pc.store, [sitting]) == 0
    assert pc.go_on().outcomes == {"final": 1}
    assert taken(hall, ended) == [1]


def test_upper_case_and_links_and_other_files(pc: Pc, hall: Hall, sittings: Iterator[str]) -> None:
    upper = pc.play(next(sittings), "start", "finish", place="EXAM.AQR")
    backup = pc.play(next(sittings), "start", "finish", place="old.bak")
    pc.write(b"", "empty.aqr")
    pc.write(b"notes", "notes.txt")
    elsewhere = pc.play(next(sittings), "start", "finish", place="../elsewhere.aqr")
    pc.path("link.aqr").symlink_to(pc.path("../elsewhere.aqr"))
    pc.path("folder.aqr").mkdir()
    os.mkfifo(pc.path("pipe.aqr"))
    done = pc.go_on()
    assert (done.found, done.outcomes, done.troubles) == (2, {"final": 1}, [])
    assert sent(hall, upper, backup, elsewhere, b"") == [1, 0, 0, 0]
    assert pc.names() == ["EXAM.bak", "empty.aqr", "link.aqr", "notes.txt", "old.bak"]


def test_a_name_that_is_no_unicode(pc: Pc, hall: Hall, sitting: str) -> None:
    place = os.fsdecode(b"m\xfcller \xe2\x82\xac.aqr")
    ended = pc.play(sitting, "start", "finish", place=place)
    assert pc.go_on().kept == 1
    assert pc.names() == [place.replace(".aqr", ".bak")]
    assert (pc.row(place).state, taken(hall, ended)) == ("kept", [1])


# --- the network ---


def test_offline_is_no_error_and_loses_nothing(pc: Pc, hall: Hall, sittings: Iterator[str], passing: Clock) -> None:
    hall.network(online=False)
    since = passing.now()
    contents = [pc.play(next(sittings), "start", "finish", place=f"{number}.aqr") for number in range(4)]
    for _ in range(5):
        done = pc.go_on()
        assert (done.online, done.outcomes, done.troubles, done.found) == (False, {}, [], 4)
        passing.pass_by(3600)
    assert pc.states() == {"waiting": 4}
    assert {pc.row(f"{number}.aqr").waiting_since for number in range(4)} == {since}
    reach = pc.reach()
    assert (reach.online, reach.since, reach.seen_at) == (False, since, since + timedelta(hours=4))
    assert "cannot be reached" in reach.detail
    hall.network()
    done = pc.go_on()
    assert (done.online, done.outcomes, done.kept) == (True, {"final": 4}, 4)
    reach = pc.reach()
    assert (reach.online, reach.since, reach.detail) == (True, passing.now(), "")
    assert sent(hall, *contents) == [1] * 4


def test_it_keeps_waiting_since_the_first_unsent_bytes(pc: Pc, hall: Hall, sitting: str, passing: Clock) -> None:
    hall.network(online=False)
    since = passing.now()
    pc.play(sitting, "start")
    for _ in range(3):
        pc.go_on()
        passing.pass_by(600)
        pc.play(sitting, "save")
    assert pc.row().waiting_since == since


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 429}, {"kind": "short"}], ids=str)
def test_what_surely_had_no_effect_is_simply_sent_later(
    pc: Pc, hall: Hall, sitting: str, fault: dict[str, Any]
) -> None:
    content = pc.play(sitting, "start", "finish", size=60_000)
    hall.act("faults", [{"match": "POST */offline-results"} | fault])
    pc.go_on()
    for _ in range(2):
        pc.go_on()
    assert (taken(hall, content), pc.states()) == ([1], {"kept": 1})


@pytest.mark.parametrize("meddle", [lambda path: path.write_bytes(b""), Path.unlink], ids=["emptied", "deleted"])
def test_a_file_that_is_written_anew_has_waited_all_the_time(
    pc: Pc, hall: Hall, sitting: str, passing: Clock, meddle: Callable[[Path], object]
) -> None:
    hall.network(online=False)
    since = passing.now()
    pc.play(sitting, "start")
    for _ in range(2):
        pc.go_on()
        meddle(pc.path())
        passing.pass_by(60)
        pc.go_on()
        pc.play(sitting, "save")
    pc.go_on()
    assert (pc.row().state, pc.row().waiting_since) == ("waiting", since)


# --- unknown outcomes ---

LOST = ("timeout_before", "drop")
DONE = ("timeout_after", "drop_after", "status_after")


@pytest.mark.parametrize("kind", DONE)
def test_an_upload_that_arrived_is_found_by_asking(pc: Pc, hall: Hall, sitting: str, kind: str) -> None:
    content = pc.play(sitting, "start", "finish")
    spoil(hall, kind)
    done = pc.go_on()
    assert (done.outcomes, done.kept, pc.names()) == ({"unknown": 1}, 0, ["exam.aqr"])
    done = pc.go_on()
    assert (done.outcomes, done.kept) == ({"final": 1}, 1)
    assert sent(hall, content) == taken(hall, content) == [1]


@pytest.mark.parametrize("kind", LOST)
def test_an_upload_that_did_not_arrive_is_sent_again_after_a_while(
    pc: Pc, hall: Hall, sitting: str, passing: Clock, kind: str
) -> None:
    content = pc.play(sitting, "start", "finish")
    spoil(hall, kind)
    for _ in range(3):
        assert pc.go_on().outcomes == {"unknown": 1}
        passing.pass_by(GRACE / 4)
    assert sent(hall, content) == [1]
    passing.pass_by(GRACE)
    assert pc.go_on().outcomes == {"final": 1}
    assert (sent(hall, content), taken(hall, content)) == ([2], [1])
    assert (pc.uploads(content)[0].tries, pc.uploads(content)[0].state) == (2, "final")


@pytest.mark.parametrize("kind", [*LOST, *DONE])
def test_where_the_server_cannot_be_asked_it_is_sent_again(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, passing: Clock, kind: str
) -> None:
    pc = make_pc(empty_store, received_path=DROPPED)
    content = pc.play(sitting, "start", "finish")
    spoil(hall, kind)
    for _ in range(2):
        assert pc.go_on().outcomes == {"unknown": 1}
    passing.pass_by(GRACE)
    assert pc.go_on().outcomes == {"already final" if kind in DONE else "final": 1}
    assert (sent(hall, content), taken(hall, content), pc.names()) == ([2], [1], ["exam.bak"])


def test_half_an_upload(pc: Pc, hall: Hall, sitting: str, passing: Clock) -> None:
    content = pc.play(sitting, "start", "finish", size=300_000)
    spoil(hall, "cut")
    pc.go_on()
    assert (taken(hall, content), pc.names()) == ([0], ["exam.aqr"])
    passing.pass_by(GRACE)
    assert pc.go_on().outcomes == {"final": 1}
    assert taken(hall, content) == [1]


def test_offline_while_an_outcome_is_unknown(pc: Pc, hall: Hall, sitting: str, passing: Clock) -> None:
    content = pc.play(sitting, "start", "finish")
    spoil(hall, "drop_after")
    pc.go_on()
    hall.network(online=False)
    for _ in range(2):
        passing.pass_by(3600)
        assert not pc.go_on().online
    hall.network()
    assert pc.go_on().outcomes == {"final": 1}
    assert sent(hall, content) == [1]


def test_the_exam_goes_on_while_an_outcome_is_unknown(pc: Pc, hall: Hall, sitting: str) -> None:
    first = pc.play(sitting, "start")
    spoil(hall, "drop")
    pc.go_on()
    second = pc.play(sitting, "finish")
    assert pc.go_on().outcomes == {"final": 1}
    assert (sent(hall, first, second), pc.names()) == ([1, 1], ["exam.bak"])


def test_an_upload_that_another_worker_may_be_at_is_left_to_it(
    pc: Pc, hall: Hall, sitting: str, passing: Clock
) -> None:
    content = pc.play(sitting, "start", "finish")
    spoil(hall, "drop")
    pc.note()
    ledger.claim(pc.store, pc.row(), sha(content), pc.custody._grace)  # and then it died
    assert not pc.go_on().outcomes
    passing.pass_by(GRACE - 1)
    assert not pc.go_on().outcomes
    assert sent(hall, content) == [0]
    hall.act("faults", method="DELETE", status=204)
    passing.pass_by(1)
    assert pc.go_on().outcomes == {"final": 1}
    assert sent(hall, content) == [1]


# --- what the server does not take ---


def test_a_refused_file_is_told_and_not_sent_again_until_it_changes(
    pc: Pc, hall: Hall, sittings: Iterator[str]
) -> None:
    refused = pc.write(f"no result file, {uuid4()}".encode())
    other = pc.play(next(sittings), "start", "finish", place="z.aqr")
    done = pc.go_on()
    assert (done.outcomes, len(done.troubles)) == ({"refused": 1, "final": 1}, 1)
    assert f"file {pc.row().id} is refused" in done.troubles[0]
    assert (pc.row().state, pc.names()) == ("refused", ["exam.aqr", "z.bak"])
    assert "422" in pc.row().detail
    assert not pc.go_on().outcomes
    age([pc.path()], 9)
    assert pc.go_on().outcomes == {"refused before": 1}
    assert sent(hall, refused, other) == [1, 1]
    pc.play(next(sittings), "start", "finish")
    assert (pc.go_on().outcomes, pc.row().detail) == ({"final": 1}, "")


def test_a_refused_account_is_an_error_and_loses_nothing(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str
) -> None:
    pc = make_pc(empty_store, password="another")
    content = pc.play(sitting, "start", "finish")
    for _ in range(2):
        with pytest.raises(VendorRefusedError, match="401"):
            pc.go_on()
    assert (pc.states(), pc.names(), pc.uploads(content)) == ({"waiting": 1}, ["exam.aqr"], [])
    assert make_pc(empty_store).go_on().outcomes == {"final": 1}
    assert taken(hall, content) == [1]


def test_an_answer_that_the_profile_does_not_explain(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str
) -> None:
    content = (pc := make_pc(empty_store, final_key="nothing.here")).play(sitting, "start", "finish")
    with pytest.raises(VendorAnswerError, match="final_key"):
        pc.go_on()
    assert pc.names() == ["exam.aqr"]
    assert [upload.state for upload in pc.uploads(content)] == ["unknown"]
    with pytest.raises(VendorAnswerError, match="final_key"):
        pc.go_on()
    assert make_pc(empty_store).go_on().outcomes == {"final": 1}  # the profile is corrected
    assert sent(hall, content) == taken(hall, content) == [1]


def test_a_refusal_that_the_profile_does_not_explain(pc: Pc, hall: Hall, sitting: str, passing: Clock) -> None:
    content = pc.play(sitting, "start", "finish")
    spoil(hall, "status", status=404)
    with pytest.raises(VendorAnswerError, match="upload_path"):
        pc.go_on()
    passing.pass_by(GRACE)
    assert pc.go_on().outcomes == {"final": 1}
    assert taken(hall, content) == [1]


def test_another_server_is_not_given_the_files_of_this_one(pc: Pc, hall: Hall, sitting: str) -> None:
    pc.play(sitting, "start")
    pc.go_on()
    object.__setattr__(pc.client.transport.endpoint, "url", hall.url.replace("127.0.0.1", "localhost"))
    with pytest.raises(TenantChangedError):
        pc.go_on()


# --- files that do not stand still ---


def opening(monkeypatch: pytest.MonkeyPatch, number: int, meddle: Callable[[Path], object]) -> None:
    """Have somebody do something right before a file is opened for the n-th time."""
    real, opened = files.open_file, Counter[str]()

    def open_file(path: Path) -> BinaryIO:
        opened["all"] += 1
        if opened["all"] == number:
            meddle(path)
        return real(path)

    monkeypatch.setattr(files, "open_file", open_file)


def rewrite(path: Path) -> None:
    path.write_bytes(b"other bytes of the player")


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_link(path: Path) -> None:
    other = path.with_name("other")
    path.rename(other)
    path.symlink_to(other)


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("number", [1, 2], ids=["read", "sent"])
@pytest.mark.parametrize("meddle", [rewrite, Path.unlink, replace_by_folder, replace_by_link, replace_by_pipe])
def test_a_file_that_changes_while_it_is_read_or_sent(
    pc: Pc,
    hall: Hall,
    sittings: Iterator[str],
    monkeypatch: pytest.MonkeyPatch,
    meddle: Callable[[Path], object],
    number: int,
) -> None:
    content = pc.play(next(sittings), "start", "finish", place="a.aqr")
    opening(monkeypatch, number, meddle)
    done = pc.go_on()
    assert (done.outcomes, done.troubles, done.online) == ({}, [], True)
    monkeypatch.undo()
    assert sent(hall, content) == [0]
    assert pc.uploads(content) == []
    assert pc.row("a.aqr").state == "waiting"
    path = pc.path("a.aqr")
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    assert pc.go_on().found == 0
    assert pc.row("a.aqr").state == "gone"
    pc.write(content, "a.aqr")
    assert pc.go_on().outcomes == {"final": 1}
    assert sent(hall, content) == taken(hall, content) == [1]


def test_a_file_that_grows_while_it_is_sent(pc: Pc, hall: Hall, sitting: str) -> None:
    content = pc.play(sitting, "start", size=300_000)
    real = pc.client.upload

    def upload(open_file: Callable[[], BinaryIO], *rest: Any) -> Any:  # noqa: ANN401
        pc.play(sitting, "save", size=400_000)
        return real(open_file, *rest)

    pc.client.upload = upload  # type: ignore[method-assign]
    assert not pc.go_on().outcomes
    del pc.client.upload
    newer = pc.path().read_bytes()
    assert pc.go_on().outcomes == {"in progress": 1}
    assert (taken(hall, content, newer), pc.names()) == ([0, 1], ["exam.aqr"])


def test_a_file_is_written_to_between_the_answer_and_its_end(pc: Pc, hall: Hall, sitting: str) -> None:
    ended = pc.play(sitting, "start", "finish")
    custody = pc.custody
    pc.note()
    custody.send(pc.row(), Pass())
    pc.write(ended + b"?")
    done = Pass()
    custody.put_away(done)
    assert (done.kept, done.troubles, pc.names()) == (0, [], ["exam.aqr"])
    pc.write(ended)
    assert pc.go_on().kept == 1
    assert sent(hall, ended) == [1]


def test_a_final_file_that_becomes_a_folder_leaks_nothing(pc: Pc, sitting: str) -> None:
    pc.play(sitting, "start", "finish")
    custody = pc.custody
    pc.note()
    custody.send(pc.row(), Pass())
    replace_by_folder(pc.path())
    before = len(list(OPEN_FILES.iterdir()))
    for _ in range(5):
        assert pc.go_on().kept == 0
    assert len(list(OPEN_FILES.iterdir())) <= before


def test_a_file_that_cannot_be_read_is_told_and_does_not_stop_the_others(
    pc: Pc, hall: Hall, sittings: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = pc.play(next(sittings), "start", "finish", place="a.aqr")
    pc.play(next(sittings), "start", "finish", place="b.aqr")

    def deny(_path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    opening(monkeypatch, 1, deny)
    done = pc.go_on()
    assert (done.outcomes, len(done.troubles)) == ({"final": 1}, 1)
    assert "cannot be read: Permission denied" in done.troubles[0]
    assert pc.go_on().outcomes == {"final": 1}
    assert taken(hall, locked) == [1]


# --- the ending of a file ---


def test_a_backup_that_is_there_already_is_not_replaced(pc: Pc, sitting: str) -> None:
    pc.write(b"of another exam", "exam.bak")
    ended = pc.play(sitting, "start", "finish")
    assert pc.go_on().kept == 1
    spare = f"exam-{sha(ended)[:12]}.bak"
    assert (pc.names(), pc.path("exam.bak").read_bytes()) == ([spare, "exam.bak"], b"of another exam")
    assert pc.path(spare).read_bytes() == ended


def test_a_backup_of_the_same_bytes_is_enough(pc: Pc, hall: Hall, sitting: str) -> None:
    ended = pc.play(sitting, "start", "finish")
    pc.write(ended, "exam.bak")
    assert pc.go_on().kept == 1
    assert (pc.names(), sent(hall, ended)) == (["exam.bak"], [1])


def test_a_backup_that_gets_its_old_ending_back_is_not_sent_again(pc: Pc, hall: Hall, sitting: str) -> None:
    ended = pc.play(sitting, "start", "finish")
    pc.go_on()
    pc.path("exam.bak").rename(pc.path())
    done = pc.go_on()
    assert (done.outcomes, done.kept, pc.names()) == ({"final before": 1}, 1, ["exam.bak"])
    assert sent(hall, ended) == [1]


def test_two_exams_with_the_same_file_name_one_after_the_other(
    pc: Pc, hall: Hall, sittings: Iterator[str], passing: Clock
) -> None:
    contents = []
    for _ in range(3):
        contents.append(pc.play(next(sittings), "start", "finish"))
        assert pc.go_on().kept == 1
    assert {sha(pc.path(name).read_bytes()) for name in pc.names()} == {sha(content) for content in contents}
    assert taken(hall, *contents) == [1, 1, 1]
    passing.pass_by(15 * DAY)
    assert (pc.go_on().purged, pc.names()) == (3, [])


def test_somebody_takes_a_file_away(pc: Pc, sittings: Iterator[str]) -> None:
    pc.play(next(sittings), "start")
    pc.go_on()
    pc.path().unlink()
    assert pc.go_on().found == 0
    assert (pc.row().state, pc.row().detail != "") == ("gone", True)
    pc.play(next(sittings), "start", "finish", place="b.aqr")
    custody = pc.custody
    pc.note()
    custody.send(pc.row("b.aqr"), Pass())
    pc.path("b.aqr").unlink()
    assert pc.go_on().kept == 0
    assert (pc.row("b.aqr").state, pc.row("b.aqr").kept_as) == ("gone", "")


def test_a_folder_that_is_not_there_is_told_and_loses_nothing(pc: Pc, sitting: str) -> None:
    pc.play(sitting, "start")
    pc.go_on()
    away = pc.folder.with_name("away")
    pc.folder.rename(away)
    with pytest.raises(CustodyError, match="cannot be read: No such file"):
        pc.go_on()
    away.rename(pc.folder)
    pc.go_on()
    assert pc.row().state == "sent"


def test_an_empty_mount_point_and_the_disk_again(pc: Pc, hall: Hall, sitting: str) -> None:
    content = pc.play(sitting, "start")
    pc.go_on()
    away = pc.folder.with_name("away")
    pc.folder.rename(away)
    pc.folder.mkdir()
    pc.go_on()
    pc.folder.rmdir()
    away.rename(pc.folder)
    pc.go_on()
    assert (pc.row().state, sent(hall, content)) == ("sent", [1])


# --- disks that are full, folders that cannot be written to ---


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def read_only(*_: object) -> None:
    raise PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize(("wrong", "said"), [(no_space, "No space left on device"), (read_only, "Permission denied")])
def test_a_file_that_cannot_be_renamed_is_told_and_not_sent_again(
    pc: Pc, hall: Hall, sitting: str, monkeypatch: pytest.MonkeyPatch, wrong: Callable[..., None], said: str
) -> None:
    ended = pc.play(sitting, "start", "finish")
    monkeypatch.setattr(Path, "rename", wrong)
    for _ in range(3):
        done = pc.go_on()
        assert (done.kept, len(done.troubles)) == (0, 1)
        assert f"cannot be put away: {said}; it was received and is not sent again" in done.troubles[0]
        assert (pc.row().state, pc.names()) == ("final", ["exam.aqr"])
        assert said in pc.row().detail
    monkeypatch.undo()
    done = pc.go_on()
    assert (done.kept, done.troubles, pc.names(), pc.row().detail) == (1, [], ["exam.bak"], "")
    assert sent(hall, ended) == [1]


def test_a_folder_that_is_really_read_only(one_pc: Pc, hall: Hall, sitting: str, folder: Path) -> None:
    pc, ended = one_pc, one_pc.play(sitting, "start", "finish")
    with unprivileged(folder, pc.folder):
        done = pc.go_on()
        assert (done.outcomes, done.kept) == ({"final": 1}, 0)
        assert "cannot be put away: Permission denied" in done.troubles[0]
        assert "let Gradeway write there" in done.troubles[0]
    assert (pc.go_on().kept, sent(hall, ended)) == (1, [1])


@pytest.mark.parametrize("when", ["claim", "ended", "kept", "note"])
def test_a_store_that_cannot_be_written(
    pc: Pc, hall: Hall, sitting: str, passing: Clock, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    ended = pc.play(sitting, "start", "finish")

    def full(*_: object, **__: object) -> None:
        raise FULL

    with monkeypatch.context() as disk:
        disk.setattr(ledger, when, full)
        with pytest.raises(OperationalError):
            pc.go_on()
    assert sent(hall, ended) == [when in {"ended", "kept"}]
    passing.pass_by(GRACE)
    pc.go_on()
    assert (pc.states(), pc.names()) == ({"kept": 1}, ["exam.bak"])
    assert sent(hall, ended) == taken(hall, ended) == [1]


def test_a_sqlite_file_on_a_full_disk(one_pc: Pc, hall: Hall, sitting: str) -> None:
    pc, place = one_pc, "/".join(["f" * 250] * 12) + "/exam.aqr"  # so long that its row needs a page of its own
    ended = pc.play(sitting, "start", "finish", place=place)
    limits = iter([1, 1_000_000])
    event.listen(pc.store.engine, "connect", lambda raw, _: raw.execute(f"PRAGMA max_page_count={next(limits)}"))
    for full in (True, False):
        pc.store.engine.dispose()
        with pytest.raises(OperationalError, match="full") if full else nullcontext():
            pc.go_on()
        assert sent(hall, ended) == [not full]
    assert pc.row(place).state == "kept"


# --- files that a supervisor collected ---


def collecting(make_pc: MakePc, store: str, folder: Path) -> Pc:
    return make_pc(store, "collected", keeper=Keeper.as_archive(folder / "archive"))


def archived(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder / "archive").as_posix(): path.read_bytes() for path in folder.rglob("archive/*/*")}


def test_many_folders_with_the_same_names(
    make_pc: MakePc, empty_store: str, hall: Hall, sittings: Iterator[str], folder: Path
) -> None:
    pc = collecting(make_pc, empty_store, folder)
    places = [f"room {number % 3}/pc{number}/exam.aqr" for number in range(12)]
    contents = [pc.play(next(sittings), "start", "finish", place=place) for place in places]
    pc.play(next(sittings), "start", place="room 1/still going.aqr")
    done = pc.go_on()
    assert (done.found, done.outcomes, done.kept) == (13, {"final": 12, "in progress": 1}, 12)
    assert pc.names() == ["room 1/still going.aqr"]
    assert archived(folder) == {f"{sha(each)[:2]}/{sha(each)}.aqr": each for each in contents}
    assert sent(hall, *contents) == [1] * 12


def test_copies_of_the_same_bytes_are_sent_once(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, folder: Path, passing: Clock
) -> None:
    pc = collecting(make_pc, empty_store, folder)
    content = pc.play(sitting, "start", "finish")
    for place in ("a/exam.aqr", "b/exam.aqr", "copy of exam.AQR"):
        pc.write(content, place)
    done = pc.go_on()
    assert (done.outcomes, done.kept, pc.names()) == ({"final": 1, "final before": 3}, 4, [])
    assert (len(archived(folder)), sent(hall, content)) == (1, [1])
    pc.given = {"archive_days": 90}
    passing.pass_by(91 * DAY)
    assert (pc.go_on().purged, archived(folder), pc.go_on().purged) == (1, {}, 0)


def test_an_older_copy_of_an_exam_that_has_ended(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, folder: Path
) -> None:
    pc = collecting(make_pc, empty_store, folder)
    older, final = pc.play(sitting, "start", place="b.aqr"), pc.play(sitting, "finish", place="a.aqr")
    done = pc.go_on()
    assert (done.outcomes, done.kept) == ({"final": 1, "already final": 1}, 2)
    assert (taken(hall, older, final), pc.names()) == ([0, 1], [])


def test_the_archive_is_on_another_disk_that_is_full(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pc = collecting(make_pc, empty_store, folder)
    content = pc.play(sitting, "start", "finish")
    real = Path.rename

    def rename(source: Path, target: Path) -> Path:
        if source.parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return real(source, target)

    def copy(source: Path, target: Path) -> None:
        Path(target).write_bytes(Path(source).read_bytes()[:100])
        no_space()

    monkeypatch.setattr(Path, "rename", rename)
    with monkeypatch.context() as full:
        full.setattr(shutil, "copy2", copy)
        for _ in range(2):
            done = pc.go_on()
            assert (done.kept, pc.names()) == (0, ["exam.aqr"])
            assert "No space left on device" in done.troubles[0]
    assert (pc.go_on().kept, pc.names(), sent(hall, content)) == (1, [], [1])
    assert list(archived(folder).values()) == [content]


def test_an_archive_within_the_folder_loses_nothing(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, folder: Path
) -> None:
    pc = make_pc(empty_store, "collected", keeper=Keeper.as_archive(folder / "collected" / "archive"))
    content = pc.play(sitting, "start", "finish")
    for _ in range(4):
        pc.go_on()
    assert [pc.path(name).read_bytes() for name in pc.names()] == [content]
    assert sent(hall, content) == [1]


def test_files_that_are_left_alone(
    make_pc: MakePc, empty_store: str, hall: Hall, sittings: Iterator[str], passing: Clock
) -> None:
    pc = make_pc(empty_store, keeper=LeftAlone())
    contents = [pc.play(next(sittings), "start", "finish", place=f"{number}.aqr") for number in range(2)]
    assert pc.go_on().outcomes == {"final": 2}
    for _ in range(2):
        passing.pass_by(100 * DAY)
        done = pc.go_on()
        assert (done.outcomes, done.kept, done.purged, pc.states()) == ({}, 0, 0, {"final": 2})
    assert (pc.names(), sent(hall, *contents)) == (["0.aqr", "1.aqr"], [1, 1])
    assert make_pc(empty_store).go_on().kept == 2  # whose folder it is may put them away later


# --- several workers ---


def test_workers_at_the_same_folder_send_everything_once(
    make_pc: MakePc, empty_store: str, hall: Hall, sittings: Iterator[str]
) -> None:
    workers = [make_pc(empty_store, manners=PATIENT) for _ in range(4)]
    contents = [workers[0].play(next(sittings), "start", "finish", place=f"{number}.aqr") for number in range(12)]
    with ThreadPoolExecutor(len(workers)) as pool:
        done = [each.result() for each in [pool.submit(worker.go_on) for worker in workers]]
    workers[0].go_on()
    assert sent(hall, *contents) == [1] * 12
    assert workers[0].names() == [f"{number}.bak" for number in sorted(range(12), key=str)]
    assert sum(each.outcomes["final"] for each in done) == 12


# --- time ---


def test_exactly_the_confirmed_backups_go_after_two_weeks(
    pc: Pc, hall: Hall, sittings: Iterator[str], passing: Clock
) -> None:
    for name in ("a", "b", "changed", "gone"):
        pc.play(next(sittings), "start", "finish", place=f"{name}.aqr")
    pc.play(next(sittings), "start", place="going on.aqr")
    pc.write(b"no result file of this server", "refused.aqr")
    pc.write(b"somebody's own", "own.bak")
    assert pc.go_on().kept == 4
    passing.pass_by(7 * DAY)
    pc.play(next(sittings), "start", "finish", place="later.aqr")
    assert pc.go_on().kept == 1
    pc.write(b"somebody wrote here", "changed.bak")
    pc.path("gone.bak").unlink()
    passing.pass_by(7 * DAY)
    assert pc.go_on().purged == 0  # two weeks, and not a moment more
    passing.pass_by(1)
    assert pc.go_on().purged == 2
    assert pc.names() == ["changed.bak", "going on.aqr", "later.bak", "own.bak", "refused.aqr"]
    passing.pass_by(7 * DAY)
    assert pc.go_on().purged == 1
    passing.pass_by(900 * DAY)
    assert pc.go_on().purged == 0
    assert pc.names() == ["changed.bak", "going on.aqr", "own.bak", "refused.aqr"]


def test_a_backup_that_cannot_be_deleted_is_deleted_later(
    pc: Pc, sitting: str, passing: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pc.play(sitting, "start", "finish")
    pc.go_on()
    passing.pass_by(15 * DAY)
    for where in ((Path, "unlink"), (files, "open_file")):
        with monkeypatch.context() as locked:
            locked.setattr(*where, read_only)
            assert (pc.go_on().purged, pc.names()) == (0, ["exam.bak"])
    assert (pc.go_on().purged, pc.names()) == (1, [])


@pytest.mark.parametrize("jump", [-400 * DAY, -3600, 3600, 400 * DAY])
def test_the_clock_jumps_while_an_outcome_is_unknown(
    pc: Pc, hall: Hall, sitting: str, passing: Clock, jump: float
) -> None:
    content = pc.play(sitting, "start", "finish")
    spoil(hall, "drop")
    pc.go_on()
    passing.pass_by(jump)
    assert pc.go_on().outcomes == {"final": 1}
    assert (sent(hall, content), taken(hall, content), pc.names()) == ([2], [1], ["exam.bak"])


@pytest.mark.parametrize("jump", [-13 * DAY, -3600, 3600, 400 * DAY])
def test_the_clock_jumps_between_passes(pc: Pc, hall: Hall, sitting: str, passing: Clock, jump: float) -> None:
    begun = pc.play(sitting, "start")
    pc.go_on()
    passing.pass_by(jump)
    assert not pc.go_on().outcomes
    ended = pc.play(sitting, "finish")
    age([pc.path()], jump)
    assert pc.go_on().kept == 1
    passing.pass_by(-jump)
    assert (pc.go_on().purged, pc.names()) == (0, ["exam.bak"])
    assert sent(hall, begun, ended) == [1, 1]


def test_a_worker_that_died_before_the_clock_was_set_back(pc: Pc, hall: Hall, sitting: str, passing: Clock) -> None:
    content = pc.play(sitting, "start", "finish")
    pc.note()
    ledger.claim(pc.store, pc.row(), sha(content), pc.custody._grace)
    passing.pass_by(-5 * DAY)
    assert pc.go_on().outcomes == {"final": 1}
    assert sent(hall, content) == [1]
