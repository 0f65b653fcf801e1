"""A result file's custody from the first look to its end: against the sandbox, on each kind of database."""

from __future__ import annotations

import errno
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import gettempdir
from typing import Any, BinaryIO
from uuid import uuid4

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from custody.conftest import TwoClocks
from custody.pcs import (
    PATIENT,
    MakePc,
    Pc,
    age,
    forbid,
    put_older,
    scores,
    sent,
    sha,
    spoil,
    taken,
    two_copies,
    unprivileged,
)
from fixtures.sandboxes import Hall
from gradeway.custody import files, ledger, order, reach
from gradeway.custody.custody import Pass
from gradeway.custody.keep import Keeper, LeftAlone
from gradeway.custody.moving import our_name
from gradeway.custody.overview import doubts
from gradeway.errors import CustodyError, TenantChangedError, VendorAnswerError, VendorAwayError, VendorRefusedError
from gradeway.results.offline import collect
from gradeway.store import tenants
from gradeway.store.custody import ASSESSMENTQ
from gradeway.vendors.assessmentq import AssessmentQ
from loading.installations import BOTH_KINDS
from sessions.exams import Clock
from vendors.profiles import DROPPED

GRACE, DAY = 90, 86_400
OPEN_FILES = Path("/proc/self/fd")
FULL = OperationalError("", {}, Exception("database or disk is full"))


# --- the life of a file on an exam PC ---


@BOTH_KINDS
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
    pc.write(b"", "about to be written.aqr")
    pc.custody.once(sleep=waited.append)
    assert len(waited) == 4


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
    assert (done.found, done.outcomes, len(done.troubles)) == (2, {"final": 1}, 1)
    assert f"file {pc.row('empty.aqr').id} is empty" in done.troubles[0]
    assert sent(hall, upper, backup, elsewhere, b"") == [1, 0, 0, 0]
    assert pc.names() == ["EXAM.bak", "empty.aqr", "link.aqr", "notes.txt", "old.bak"]


def test_a_name_that_is_no_unicode(pc: Pc, hall: Hall, sitting: str) -> None:
    place = os.fsdecode(b"m\xfcller \xe2\x82\xac.aqr")
    ended = pc.play(sitting, "start", "finish", place=place)
    assert pc.go_on().kept == 1
    assert pc.names() == [place.replace(".aqr", ".bak")]
    assert (pc.row(place).state, taken(hall, ended)) == ("kept", [1])


@pytest.mark.parametrize("told", ["by the results", "by another collection that died"])
def test_an_exam_whose_end_no_upload_told(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, passing: Clock, told: str
) -> None:
    pc = make_pc(empty_store, final_key="", final_values=[])
    content = pc.play(sitting, "start", "finish")
    custody = pc.custody
    custody._learn_at += 0 if told == "by the results" else 1e9
    assert custody.go_on(files.look(pc.folder)).outcomes == {"in progress": 1}
    if told == "by the results":
        passing.pass_by(299)
    else:
        collect(pc.store, pc.client, pc.settings)
    before = custody.go_on(files.look(pc.folder)).kept
    passing.pass_by(1)
    custody.go_on(files.look(pc.folder))
    assert (before, pc.names()) == (told != "by the results", ["exam.bak"])
    assert sent(hall, content) == [1]


def test_an_end_that_nobody_tells_is_told_to_a_person(pc: Pc, hall: Hall, sitting: str, passing: Clock) -> None:
    pc.play(sitting, "start")
    pc.go_on()
    passing.pass_by(10 * DAY)
    assert pc.go_on().troubles == []
    passing.pass_by(1)
    for fresh in (1, 0):
        done = pc.go_on()
        assert (len(done.troubles), done.fresh) == (1, fresh)
    assert "more than 10 days ago" in pc.row().detail
    ledger.dismiss(pc.store, pc.row().id, again=False)
    done = pc.go_on()
    assert (done.troubles, done.fresh, pc.row().detail) == ([], 0, "")
    pc.play(sitting, "save")
    pc.go_on()
    passing.pass_by(11 * DAY)
    assert (pc.go_on().fresh, "more than 10 days ago" in pc.row().detail) == (1, True)  # these are other bytes
    pc.play(sitting, "finish")
    assert (pc.go_on().kept, pc.row().detail) == (1, "")


def test_the_results_are_asked_for_only_now_and_then(pc: Pc, hall: Hall, sitting: str, passing: Clock) -> None:
    def asked() -> int:
        return sum(entry["path"].endswith("/results") for entry in hall.log())

    custody = pc.custody
    pc.play(sitting, "start")
    before = asked()
    for number in range(120):
        if number < 60 and not number % 6:
            pc.play(sitting, "save")  # the exam goes on
        custody.go_on(files.look(pc.folder))
        passing.pass_by(10)
    assert asked() - before == 2


def test_an_account_that_may_not_read_results_asks_for_them_once_a_day(
    pc: Pc, hall: Hall, sitting: str, passing: Clock
) -> None:
    custody = pc.custody
    pc.play(sitting, "start")
    spoil(hall, "status", "GET */results", status=403, times=1000)
    told = []
    for _ in range(48):
        told += custody.go_on(files.look(pc.folder)).troubles
        passing.pass_by(3600)
    assert len(told) == 2
    assert "the results cannot be read" in told[0]


def test_a_server_that_answers_again_is_online_again_though_nothing_is_sent(
    pc: Pc, hall: Hall, sitting: str, passing: Clock
) -> None:
    custody = pc.custody
    pc.play(sitting, "start")
    custody.go_on(files.look(pc.folder))
    for online in (False, True):
        hall.network(online=online)
        passing.pass_by(600)
        assert (custody.go_on(files.look(pc.folder)).online, pc.reach().online) == (online, online)


def test_a_copy_of_what_has_ended_by_the_results_has_ended_too(
    pc: Pc, hall: Hall, sitting: str, passing: Clock
) -> None:
    content = pc.play(sitting, "start")
    pc.go_on()
    assert hall.upload(hall.play(sitting, "finish")).status_code == 201
    passing.pass_by(600)
    for _ in range(2):
        pc.go_on()
    assert pc.names() == ["exam.bak"]
    pc.write(content, "found again.aqr")
    done = pc.go_on()
    assert (done.outcomes, done.kept, pc.names()) == ({"final before": 1}, 1, ["exam.bak", "found again.bak"])
    assert sent(hall, content) == [1]


def test_what_another_service_put_away_is_no_trouble_any_more_once_its_exam_has_ended(
    pc: Pc, hall: Hall, sitting: str, passing: Clock
) -> None:
    pc.play(sitting, "start")
    pc.go_on()
    assert hall.upload(hall.play(sitting, "finish")).status_code == 201
    pc.path().rename(pc.path("exam.bak"))
    passing.pass_by(600)
    pc.go_on()
    assert (pc.row().state, pc.row().detail) == ("gone", "")


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
    ledger.claim(pc.store, pc.row(), sha(content), timedelta(seconds=GRACE))  # and then it died
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
    assert pc.reach().online
    assert "answered 401" in pc.reach().detail
    assert make_pc(empty_store).go_on().outcomes == {"final": 1}
    assert taken(hall, content) == [1]
    assert pc.reach().detail == ""


def test_who_asked_for_so_long_that_another_worker_took_the_bytes_over_does_not_send_them_too(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, folder: Path, passing: TwoClocks
) -> None:
    slow, other = collecting(make_pc, empty_store, folder), make_pc(empty_store, "stick", keeper=LeftAlone())
    content = slow.play(sitting, "start", "finish")
    other.write(content)
    real = slow.client.received

    def received(sha256: str) -> Any:  # noqa: ANN401
        found = real(sha256)
        passing.pass_by(95)
        assert other.go_on().outcomes == {"final": 1}
        return found

    slow.client.received = received  # type: ignore[method-assign]
    assert slow.go_on().outcomes == {}
    assert sent(hall, content) == taken(hall, content) == [1]


def test_a_refused_account_that_only_asked_leaves_the_file_free_for_the_right_one(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, folder: Path
) -> None:
    keeper = Keeper.as_archive(folder / "archive")
    pc = make_pc(empty_store, "collected", keeper=keeper, password="another")
    content = pc.play(sitting, "start", "finish")
    with pytest.raises(VendorRefusedError, match="401"):
        pc.go_on()
    assert make_pc(empty_store, "collected", keeper=keeper).go_on().outcomes == {"final": 1}
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
    with pytest.raises(TenantChangedError, match="gradeway aqr forget"):
        pc.go_on()
    assert pc.states() == {"sent": 1}
    tenants.forget(pc.store, ASSESSMENTQ)
    assert pc.states() == {"waiting": 1}
    assert pc.go_on().outcomes == {"in progress": 1}


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


@pytest.mark.parametrize(("is_collected", "number"), [(False, 1), (True, 1), (True, 2)], ids=["copied", "read", "sent"])
@pytest.mark.parametrize("meddle", [rewrite, Path.unlink, replace_by_folder, replace_by_link, replace_by_pipe])
def test_a_file_that_changes_while_it_is_read_or_sent(
    make_pc: MakePc,
    empty_store: str,
    folder: Path,
    hall: Hall,
    sittings: Iterator[str],
    monkeypatch: pytest.MonkeyPatch,
    meddle: Callable[[Path], object],
    is_collected: bool,
    number: int,
) -> None:
    pc = collecting(make_pc, empty_store, folder) if is_collected else make_pc(empty_store)
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


@pytest.mark.parametrize("is_collected", [False, True])
def test_a_file_that_grows_while_it_is_sent(
    make_pc: MakePc, empty_store: str, folder: Path, hall: Hall, sitting: str, is_collected: bool
) -> None:
    pc = collecting(make_pc, empty_store, folder) if is_collected else make_pc(empty_store)
    content = pc.play(sitting, "start", size=300_000)
    real = pc.client.upload

    def upload(open_file: Callable[[], BinaryIO], *rest: Any) -> Any:  # noqa: ANN401
        pc.play(sitting, "save", size=400_000)
        return real(open_file, *rest)

    pc.client.upload = upload  # type: ignore[method-assign]
    assert pc.go_on().outcomes == ({} if is_collected else {"in progress": 1})
    del pc.client.upload
    newer = pc.path().read_bytes()
    assert pc.go_on().outcomes == {"in progress": 1}
    assert (taken(hall, content, newer), pc.names()) == ([not is_collected, 1], ["exam.aqr"])


def test_a_file_is_not_held_open_while_it_is_sent_so_that_its_player_can_replace_it(
    pc: Pc, hall: Hall, sitting: str
) -> None:
    content = pc.play(sitting, "start", "finish", size=300_000)
    real, held = pc.client.upload, []

    def upload(open_file: Callable[[], BinaryIO], *rest: Any) -> Any:  # noqa: ANN401
        return real(lambda: seen(open_file()), *rest)

    def seen(stream: BinaryIO) -> BinaryIO:
        held.extend(each for each in OPEN_FILES.iterdir() if each.resolve() == pc.path().resolve())
        return stream

    pc.client.upload = upload  # type: ignore[method-assign]
    assert pc.go_on().outcomes == {"final": 1}
    assert (held, taken(hall, content)) == ([], [1])


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


def meddling(monkeypatch: pytest.MonkeyPatch, meddle: Callable[[Path, Path], object]) -> None:
    """Have somebody do something right after a file that is put away was first renamed."""
    real, renamed = Path.rename, list[Path]()

    def rename(source: Path, target: Path) -> Path:
        done = real(source, target)
        if not renamed:
            renamed.append(source)
            meddle(source, Path(target))
        return done

    monkeypatch.setattr(Path, "rename", rename)


def contents(pc: Pc) -> list[bytes]:
    """What is in all files of the folder, those under names of Gradeway's own too."""
    return sorted(path.read_bytes() for path in pc.folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_that_is_written_to_while_it_is_put_away_is_sent_and_not_swept_away(
    pc: Pc, hall: Hall, sittings: Iterator[str], monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    ended, more = (pc.play(next(sittings), "start", "finish") for _ in range(2))
    pc.write(ended)
    if not has_links:
        monkeypatch.setattr(os, "link", read_only)
    meddling(monkeypatch, lambda _source, ours: ours.write_bytes(more))
    assert (pc.go_on().kept, pc.names()) == (0, ["exam.aqr"])
    assert pc.go_on().kept == 1
    assert (taken(hall, ended, more), contents(pc)) == ([1, 1], [more])


@pytest.mark.parametrize("has_links", [True, False])
def test_two_files_of_one_name_after_one_was_written_to_while_it_was_put_away(
    pc: Pc, hall: Hall, sittings: Iterator[str], monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    ended, more, new = (pc.play(next(sittings), "start", "finish") for _ in range(3))
    pc.write(ended)
    if not has_links:
        monkeypatch.setattr(os, "link", read_only)
    meddling(monkeypatch, lambda source, ours: (ours.write_bytes(more), source.write_bytes(new)))
    assert (pc.go_on().kept, pc.names()) == (0, [f"exam-{sha(more)[:12]}.aqr", "exam.aqr"])
    assert pc.go_on().kept == 2
    assert (taken(hall, ended, more, new), contents(pc)) == ([1, 1, 1], sorted([more, new]))


def test_the_next_exam_begins_while_the_last_one_is_put_away(
    pc: Pc, hall: Hall, sittings: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, new = (pc.play(next(sittings), "start", "finish") for _ in range(2))
    pc.write(ended)
    meddling(monkeypatch, lambda source, _ours: source.write_bytes(new))
    assert (pc.go_on().kept, pc.names()) == (1, ["exam.aqr", "exam.bak"])
    assert pc.go_on().kept == 1
    assert (taken(hall, ended, new), contents(pc)) == ([1, 1], sorted([ended, new]))


def test_a_name_of_gradeways_own_that_a_dead_run_left_is_taken_up_although_the_next_exam_has_begun(
    pc: Pc, hall: Hall, sittings: Iterator[str]
) -> None:
    ended = pc.play(next(sittings), "start", "finish")
    pc.note()
    pc.custody.send(pc.row(), Pass())
    pc.path().rename(our_name(pc.path(), sha(ended)))
    new = pc.play(next(sittings), "start", "finish", size=900)
    for _ in range(3):
        pc.go_on()
    assert (taken(hall, ended, new), contents(pc)) == ([1, 1], sorted([ended, new]))
    assert pc.states() == {"kept": 2}


def test_other_bytes_of_the_same_size_and_date_are_not_put_away_and_are_sent(pc: Pc, hall: Hall, sitting: str) -> None:
    ended = pc.play(sitting, "start", "finish")
    pc.note()
    pc.custody.send(pc.row(), Pass())
    status = pc.path().stat()
    other = pc.write(ended[::-1])
    os.utime(pc.path(), ns=(status.st_atime_ns, status.st_mtime_ns))
    for _ in range(2):
        pc.go_on()
    assert (sent(hall, ended, other), contents(pc)) == ([1, 1], [other])


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


class FullDisk:
    """A copy for which there is no room."""

    def __init__(self, _size: int) -> None:
        self.write, self.close = no_space, no_space
        self.seek = self.truncate = lambda *_: None

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_where_there_is_no_room_for_a_copy_the_file_itself_is_sent(
    pc: Pc, hall: Hall, sitting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = pc.play(sitting, "start", "finish")
    monkeypatch.setattr("gradeway.custody.custody.SpooledTemporaryFile", FullDisk)
    done = pc.go_on()
    assert (done.outcomes, done.troubles, taken(hall, content)) == ({"final": 1}, [], [1])


def test_where_there_is_no_room_for_a_copy_of_a_file_that_never_stands_still_that_is_told(
    pc: Pc, hall: Hall, sitting: str, passing: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    custody = pc.custody
    pc.play(sitting, "start")
    monkeypatch.setattr("gradeway.custody.custody.SpooledTemporaryFile", FullDisk)
    for second in (1, 2):
        before = files.look(pc.folder)
        age([pc.path()], second)
        done = custody.go_on(before)
        passing.pass_by(60)
    assert done.troubles == [f"file {pc.row().id} finds no room for a copy in {gettempdir()}; make room there"]


# --- files that are not like the others ---


@pytest.mark.parametrize("status", [400, 403, 404])
def test_one_file_that_is_not_taken_holds_up_no_other(
    pc: Pc, hall: Hall, sittings: Iterator[str], passing: Clock, status: int
) -> None:
    locked = pc.play(next(sittings), "start", "finish", place="a.aqr")
    age([pc.path("a.aqr")], -60)
    for number in range(4):
        pc.play(next(sittings), "start", "finish", place=f"b{number}.aqr")
    spoil(hall, "status", status=status)
    done = pc.go_on()
    assert (done.outcomes, done.kept, len(done.troubles), done.fresh) == ({"final": 4}, 4, 1, 1)
    assert str(status) in done.troubles[0]
    assert (pc.row("a.aqr").state, pc.row("a.aqr").detail in done.troubles[0]) == ("waiting", True)
    passing.pass_by(GRACE)
    assert pc.go_on().outcomes == {"final": 1}
    assert (sent(hall, locked), taken(hall, locked), pc.row("a.aqr").detail) == ([2], [1], "")


def test_an_account_that_gets_no_file_through_is_an_error_and_files_are_put_away(
    pc: Pc, hall: Hall, sittings: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pc.play(next(sittings), "start", "finish", place="a.aqr")
    with monkeypatch.context() as held_open:
        held_open.setattr(Path, "rename", read_only)
        pc.go_on()
    contents = [pc.play(next(sittings), "start", "finish", place=f"b{number}.aqr") for number in range(5)]
    spoil(hall, "status", status=403, times=5)
    with pytest.raises(VendorRefusedError, match="403"):
        pc.go_on()
    assert "a.bak" in pc.names()
    assert sum(sent(hall, *contents)) == 3  # then it is no matter of the file


def test_a_file_that_is_not_taken_five_times_waits_for_a_person(
    pc: Pc, hall: Hall, sitting: str, passing: Clock
) -> None:
    content = pc.play(sitting, "start")
    spoil(hall, "status", status=403, times=1000)
    with pytest.raises(VendorRefusedError, match="403"):
        pc.go_on()
    for _ in range(64):
        passing.pass_by(GRACE)
        assert pc.go_on().fresh == 0
    assert (sent(hall, content), pc.row().state, "403" in pc.row().detail) == ([5], "refused", True)
    hall.act("faults", method="DELETE", status=204)
    assert ledger.dismiss(pc.store, pc.row().id, again=True)
    assert (pc.go_on().outcomes, pc.row().detail) == ({"in progress": 1}, "")


def test_files_that_an_account_gets_not_through_are_not_left_to_a_person_one_by_one(
    pc: Pc, hall: Hall, sittings: Iterator[str], passing: Clock
) -> None:
    for number in range(2):
        pc.play(next(sittings), "start", place=f"{number}.aqr")
    spoil(hall, "status", status=403, times=1000)
    for _ in range(7):
        with pytest.raises(VendorRefusedError, match="403"):
            pc.go_on()
        passing.pass_by(6 * 3600)
    assert pc.states() == {"waiting": 2}
    hall.act("faults", method="DELETE", status=204)
    assert pc.go_on().outcomes == {"in progress": 2}


def test_bytes_that_get_no_answer_are_sent_less_and_less_often_and_a_person_is_told(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, passing: Clock
) -> None:
    pc = make_pc(empty_store, received_path=DROPPED)
    content = pc.play(sitting, "start")
    spoil(hall, "drop_after", times=1000)
    for _ in range(64):
        pc.go_on()
        passing.pass_by(GRACE)
    assert sent(hall, content) == [7]  # after 0, 1, 3, 7, 15, 31 and 63 times the first pause
    assert pc.row().state == "waiting"
    assert "5 times or more" in pc.row().detail
    assert pc.go_on().troubles == [f"file {pc.row().id} {pc.row().detail}; it is tried again, less and less often"]
    passing.pass_by(DAY)
    before = sent(hall, content)[0]
    for _ in range(4):
        pc.go_on()
        passing.pass_by(6 * 3600)
    assert sent(hall, content) == [before + 4]
    hall.act("faults", method="DELETE", status=204)
    pc.go_on()
    assert (pc.row().state, pc.row().detail) == ("sent", "")


def test_an_answer_that_was_lost_is_not_forgotten_while_the_server_is_away(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, passing: Clock
) -> None:
    pc = make_pc(empty_store, received_path=DROPPED)
    content = pc.play(sitting, "start")
    for _ in range(64):
        spoil(hall, "drop_after")
        pc.go_on()
        hall.act("faults", method="DELETE", status=204)
        hall.network(online=False)
        passing.pass_by(GRACE / 2)
        pc.go_on()
        hall.network()
        passing.pass_by(GRACE / 2)
    assert sent(hall, content) == [7]  # as often as if the server had been there all the time
    assert [upload.tries for upload in pc.uploads(content)] == [7]
    assert "5 times or more" in pc.row().detail


def test_an_empty_file_is_told_until_it_is_written(pc: Pc, hall: Hall, sitting: str) -> None:
    pc.write(b"")
    for fresh in (1, 0):
        done = pc.go_on()
        assert (len(done.troubles), done.fresh) == (1, fresh)
    assert "is empty" in pc.row().detail
    pc.play(sitting, "start")
    assert (pc.go_on().troubles, pc.row().state, pc.row().detail) == ([], "sent", "")


def test_a_file_that_waits_and_will_not_come_back_is_dismissed(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str
) -> None:
    pc = make_pc(empty_store, keeper=LeftAlone())
    pc.write(b"")
    pc.go_on()
    pc.path().unlink()
    assert (pc.go_on().troubles, pc.row().state) == ([], "waiting")
    assert ledger.dismiss(pc.store, pc.row().id, again=False)
    assert (pc.row().state, pc.row().detail, pc.row().waiting_since) == ("gone", "", None)
    pc.play(sitting, "start")
    assert (pc.go_on().outcomes, pc.row().state) == ({"in progress": 1}, "sent")


def test_a_folder_that_cannot_be_read_is_told_and_its_files_are_not_gone(
    pc: Pc, hall: Hall, sittings: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pc.play(next(sittings), "start", place="room/a.aqr")
    pc.go_on()
    other = pc.play(next(sittings), "start", place="b.aqr")
    pc.path("System Volume Information").mkdir()
    for outcomes, fresh in (({"in progress": 1}, 1), ({}, 0)):
        with monkeypatch.context() as denied:
            forbid(denied, lambda folder: folder != pc.folder)
            done = pc.go_on()
        assert (done.outcomes, len(done.troubles), done.fresh) == (outcomes, 1, fresh)
        assert "1 folders in" in done.troubles[0]
    assert pc.go_on().troubles == []
    assert (pc.row("room/a.aqr").state, sent(hall, other)) == ("sent", [1])


def test_a_folder_that_may_be_listed_but_not_entered_is_one_that_cannot_be_read(
    one_pc: Pc, hall: Hall, sittings: Iterator[str], folder: Path
) -> None:
    one_pc.play(next(sittings), "start", place="room/a learner's name.aqr")
    one_pc.go_on()
    other = one_pc.play(next(sittings), "start", place="b.aqr")
    with unprivileged(folder, one_pc.path("room"), mode=0o444):
        done = one_pc.go_on()
    assert (done.outcomes, done.fresh, one_pc.states()) == ({"in progress": 1}, 1, {"sent": 2})
    assert ("1 folders in" in done.troubles[0], "learner" in done.troubles[0]) == (True, False)
    assert sent(hall, other) == [1]


@pytest.mark.parametrize("year", [1, 2300])
def test_a_date_that_no_database_takes(pc: Pc, hall: Hall, sitting: str, year: int) -> None:
    content = pc.play(sitting, "start", "finish")
    moment = (datetime(year, 1, 2, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    os.utime(pc.path(), (moment, moment))
    assert pc.go_on().outcomes == {"final": 1}
    assert (pc.names(), sent(hall, content)) == (["exam.bak"], [1])


def test_an_error_that_nobody_thought_of_is_one_files_own(
    pc: Pc, hall: Hall, sittings: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = pc.play(next(sittings), "start", "finish", place="a.aqr")
    pc.play(next(sittings), "start", "finish", place="b.aqr")
    real = files.digest

    def digest(folder: Path, seen: files.Seen, *more: Any) -> str:  # noqa: ANN401
        if seen.place == "a.aqr":
            raise OverflowError(odd)
        return real(folder, seen, *more)

    with monkeypatch.context() as broken:
        broken.setattr(files, "digest", digest)
        done = pc.go_on()
    assert (done.outcomes, done.kept) == ({"final": 1}, 1)
    assert [trouble.partition(" ")[2].partition(" ")[2] for trouble in done.troubles] == [
        "cannot be dealt with: OverflowError; the next pass tries again"
    ]
    assert pc.go_on().outcomes == {"final": 1}


def test_other_bytes_of_the_same_size_and_date_are_sent_in_the_end(
    pc: Pc, hall: Hall, sitting: str, passing: Clock
) -> None:
    custody = pc.custody
    first = pc.play(sitting, "start", size=600)
    custody.go_on(files.look(pc.folder))
    status = pc.path().stat()
    second = pc.play(sitting, "save", size=600)
    second = pc.write(second[: len(first)].ljust(len(first), b" "))
    os.utime(pc.path(), ns=(status.st_atime_ns, status.st_mtime_ns))
    for seconds in (0, 3599):
        passing.pass_by(seconds)
        pc.go_on()  # each a process of its own
        assert sent(hall, first, second) == [1, 0]
    passing.pass_by(1)
    pc.go_on()
    assert sent(hall, first, second) == [1, 1]


# --- a file that never stands still ---


def test_a_file_that_never_stands_still_is_sent_as_it_is_now_and_then(
    pc: Pc, hall: Hall, sitting: str, passing: Clock
) -> None:
    custody, contents = pc.custody, [pc.play(sitting, "start")]
    for second in range(125):
        before = files.look(pc.folder)
        contents.append(pc.play(sitting, "save"))
        age([pc.path()], second)
        passing.pass_by(1)
        custody.go_on(before)
    assert (sum(sent(hall, *contents)), sum(taken(hall, *contents))) == (4, 4)  # every half a minute
    assert pc.row().state == "sent"
    ended = pc.play(sitting, "finish")
    done = custody.go_on(files.look(pc.folder))
    assert (done.outcomes, pc.names(), sent(hall, ended)) == ({"final": 1}, ["exam.bak"], [1])


def test_a_file_that_waited_and_is_written_to_now_is_left_until_it_stands_still(
    pc: Pc, hall: Hall, sitting: str
) -> None:
    custody = pc.custody
    hall.network(online=False)
    pc.play(sitting, "start")
    custody.go_on(files.look(pc.folder))
    hall.network()
    before = files.look(pc.folder)
    content = pc.play(sitting, "save", size=900)
    assert custody.go_on(before).outcomes == {}
    assert custody.go_on(files.look(pc.folder)).outcomes == {"in progress": 1}
    assert sent(hall, content) == [1]


def test_a_copy_of_a_file_is_one_state_of_it(
    pc: Pc, hall: Hall, sitting: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pc.write(b"old" * 9)

    def write_unnoticed(path: Path) -> None:
        status = path.stat()
        path.write_bytes(b"new" * 9)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    opening(monkeypatch, 2, write_unnoticed)
    with (tmp_path / "copy").open("w+b") as copy:
        seen, sha256 = files.copy(pc.folder, "exam.aqr", copy)
        copy.seek(0)
        assert (copy.read(), sha256, seen.size) == (b"new" * 9, sha(b"new" * 9), 27)
        monkeypatch.undo()
        real = files.open_file
        monkeypatch.setattr(files, "open_file", lambda path: (age([path], 5), real(path))[1])
        with pytest.raises(files.ChangedError):
            files.copy(pc.folder, "exam.aqr", copy)


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


def test_a_file_that_was_never_sent_and_is_gone_is_told_until_a_person_looked(
    pc: Pc, hall: Hall, sittings: Iterator[str]
) -> None:
    hall.network(online=False)
    for place in ("a.aqr", "b.aqr"):
        pc.play(next(sittings), "start", place=place)
    pc.write(b"", "empty.aqr")
    pc.go_on()
    for place in ("a.aqr", "empty.aqr"):
        pc.path(place).unlink()
    hall.network()
    told = f"file {pc.row('a.aqr').id} was never sent and is gone; look for a copy of it"
    for outcomes, fresh in (({"in progress": 1}, 1), ({}, 0)):
        done = pc.go_on()
        assert (done.outcomes, done.fresh, done.troubles) == (outcomes, fresh, [told])
    assert (pc.row("a.aqr").state, pc.row("a.aqr").detail) == ("gone", "was never sent and is gone")
    assert ledger.dismiss(pc.store, pc.row("a.aqr").id, again=False)
    pc.path("b.aqr").unlink()  # which was sent
    done = pc.go_on()
    assert (done.troubles, done.fresh, "took it away" in pc.row("b.aqr").detail) == ([], 0, True)


def test_a_file_that_is_moved_in_its_folder_before_it_is_sent_is_not_gone(pc: Pc, hall: Hall, sitting: str) -> None:
    hall.network(online=False)
    pc.play(sitting, "start", place="a.aqr")
    pc.go_on()
    pc.path("room 1").mkdir()
    pc.path("a.aqr").rename(pc.path("room 1/a.aqr"))
    hall.network()
    done = pc.go_on()
    assert (done.outcomes, done.fresh, done.troubles) == ({"in progress": 1}, 0, [])


def test_what_was_taken_away_is_no_trouble_any_more_once_its_exam_has_ended(pc: Pc, hall: Hall, sitting: str) -> None:
    pc.play(sitting, "start", place="pc1/exam.aqr")
    pc.go_on()
    shutil.rmtree(pc.path("pc1"))
    pc.play(sitting, "finish", place="pc2/exam.aqr")
    assert pc.go_on().outcomes == {"final": 1}
    assert (pc.row("pc1/exam.aqr").state, pc.row("pc1/exam.aqr").detail) == ("gone", "")


def test_a_stick_that_is_taken_away_is_no_loss(make_pc: MakePc, empty_store: str, sittings: Iterator[str]) -> None:
    pc = make_pc(empty_store, keeper=LeftAlone())
    pc.play(next(sittings), "start", place="pc1/exam.aqr")
    pc.go_on()
    shutil.rmtree(pc.path("pc1"))
    pc.play(next(sittings), "start", place="pc2/exam.aqr")
    pc.go_on()
    assert pc.states() == {"sent": 2}


@pytest.mark.parametrize("again", [False, True])
def test_a_person_decides_about_a_file_that_is_refused(pc: Pc, hall: Hall, sitting: str, again: bool) -> None:
    refused = pc.write(f"no result file, {uuid4()}".encode())
    pc.go_on()
    assert not ledger.dismiss(pc.store, pc.row().id + 1, again=again)
    assert ledger.dismiss(pc.store, pc.row().id, again=again)
    assert (pc.row().state, pc.row().detail) == ("waiting" if again else "refused", "")
    pc.go_on()
    assert (pc.row().state, bool(pc.row().detail), sent(hall, refused)) == ("refused", again, [1 + again])


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
    with pc.store.engine.connect() as connection:
        connection.connection.execute("VACUUM")  # else the row finds a free page in the file
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


def test_an_archive_that_is_not_mounted_when_its_time_is_over_is_tidied_later(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, folder: Path, passing: Clock
) -> None:
    pc = collecting(make_pc, empty_store, folder)
    pc.given = {"archive_days": 90}
    pc.play(sitting, "start", "finish")
    pc.go_on()
    passing.pass_by(91 * DAY)
    (folder / "archive").rename(folder / "unmounted")
    assert (pc.go_on().purged, pc.row().purged_at) == (0, None)
    (folder / "unmounted").rename(folder / "archive")
    assert (pc.go_on().purged, archived(folder)) == (1, {})


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
    assert (done.outcomes, done.kept, done.troubles) == ({"in progress": 1, "final": 1}, 2, [])
    assert (taken(hall, older, final), pc.names()) == ([1, 1], [])


def test_bytes_that_the_server_did_not_take_because_the_exam_had_ended_are_told_and_kept(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, folder: Path, passing: Clock
) -> None:
    pc = collecting(make_pc, empty_store, folder)
    other, final = hall.play(sitting, "start"), pc.play(sitting, "finish", place="a.aqr")
    assert pc.go_on().kept == 1
    pc.write(other, "b.aqr")
    done = pc.go_on()
    assert (done.outcomes, done.kept, done.fresh, taken(hall, other)) == ({"already final": 1}, 1, 1, [0])
    assert (pc.row("b.aqr").state, "not these bytes" in pc.row("b.aqr").detail) == ("kept", True)
    assert [(doubt.file.place, doubt.what) for doubt in doubts(pc.store, pc.client)] == [
        ("b.aqr", pc.row("b.aqr").detail)
    ]
    passing.pass_by(500 * DAY)
    assert (pc.go_on().purged, list(archived(folder).values())) == (1, [other])  # a person may still want it
    assert ledger.dismiss(pc.store, pc.row("b.aqr").id, again=False)
    assert (pc.row("b.aqr").detail, pc.go_on().purged) == ("", 1)
    assert sent(hall, final) == [1]


@pytest.mark.parametrize("wrong", ["the network", "the answer"])
def test_whether_the_server_has_the_bytes_of_an_exam_that_had_ended_is_asked_until_it_says_so(
    make_pc: MakePc,
    empty_store: str,
    hall: Hall,
    sitting: str,
    passing: Clock,
    monkeypatch: pytest.MonkeyPatch,
    wrong: str,
) -> None:
    pc = make_pc(empty_store)
    pc.play(sitting, "start")
    assert hall.upload(hall.play(sitting, "finish")).status_code == 201
    asked, real = [0, 0], AssessmentQ.received

    def received(client: AssessmentQ, sha256: str) -> object:
        if asked:
            asked.pop()
            raise VendorAwayError("GET", "away") if wrong == "the network" else VendorAnswerError("GET", "odd")
        return real(client, sha256)

    monkeypatch.setattr(AssessmentQ, "received", received)
    for _ in range(2):
        with suppress(VendorAnswerError):
            assert "already final" not in pc.go_on().outcomes
        assert (pc.names(), pc.states()) == (["exam.aqr"], {"waiting": 1})
    passing.pass_by(GRACE)
    done = pc.go_on()
    assert (done.outcomes, done.fresh, pc.names()) == ({"already final": 1}, 1, ["exam.bak"])
    assert "not these bytes" in pc.row().detail


def test_where_the_server_cannot_be_asked_a_person_is_told_of_an_exam_that_had_ended(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, passing: Clock
) -> None:
    pc = make_pc(empty_store, received_path=DROPPED)
    other = pc.play(sitting, "start")
    assert hall.upload(hall.play(sitting, "finish")).status_code == 201
    done = pc.go_on()
    assert (done.outcomes, done.fresh, pc.names()) == ({"already final": 1}, 1, ["exam.bak"])
    assert "cannot be asked whether with these bytes" in pc.row().detail
    passing.pass_by(500 * DAY)
    assert (pc.go_on().purged, pc.path("exam.bak").read_bytes()) == (0, other)  # a person may still want it


def test_what_the_server_lost_is_no_exam_that_ended_elsewhere(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pc = collecting(make_pc, empty_store, folder)
    pc.play(sitting, "start", "finish")
    pc.go_on()
    assert list(doubts(pc.store, pc.client)) == []
    monkeypatch.setattr(AssessmentQ, "received", lambda *_: None)
    assert [doubt.what for doubt in doubts(pc.store, pc.client)] == ["the server does not know these bytes"]


def test_of_two_copies_of_an_exam_the_server_has_the_newer_one_in_the_end(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, folder: Path
) -> None:
    pc = collecting(make_pc, empty_store, folder)
    older = pc.play(sitting, "start", "save", score=2, max=10, place="z-monday/exam.aqr")
    newer = pc.play(sitting, "save", score=9, max=10, place="a-tuesday/exam.aqr")
    age([pc.path("z-monday/exam.aqr")], -DAY)
    assert pc.go_on().outcomes == {"in progress": 2}
    assert (scores(hall, sitting), sent(hall, older, newer)) == ([9], [1, 1])


def test_a_newer_copy_is_sent_again_after_an_older_one_that_came_later(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, folder: Path
) -> None:
    pc = collecting(make_pc, empty_store, folder)
    older = hall.play(sitting, "start") and hall.play(sitting, "save", score=2, max=10)
    newer = pc.play(sitting, "save", score=9, max=10, place="a-tuesday/exam.aqr")
    pc.go_on()
    put_older(pc, older, "z-monday/exam.aqr")
    assert pc.go_on().outcomes == {"in progress": 2}
    for _ in range(3):
        pc.go_on()
    assert (scores(hall, sitting), sent(hall, older, newer)) == ([9], [1, 2])
    assert pc.states() == {"sent": 2}


def two_sticks(make_pc: MakePc, store: str, older: bytes, newer: bytes) -> tuple[Pc, Pc]:
    """One with the newer copy, which was sent, and another with the older one, which was not."""
    one, two = (make_pc(store, name, keeper=LeftAlone()) for name in ("stick 1", "stick 2"))
    one.write(newer)
    one.go_on()
    put_older(two, older)
    return one, two


def test_a_newer_copy_on_another_stick_is_asked_for_and_sent_from_there(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str
) -> None:
    older, newer = two_copies(hall, sitting)
    one, two = two_sticks(make_pc, empty_store, older, newer)
    for fresh in (1, 0):
        done = two.go_on()
        assert (done.fresh, len(done.troubles)) == (fresh, 1)
        assert f"file {one.row().id} {order.REPLACED}; have it sent from {one.folder} again" in done.troubles
    assert (one.row().detail, sent(hall, older, newer)) == (order.REPLACED, [1, 1])
    assert one.go_on().outcomes == {"in progress": 1}
    assert (scores(hall, sitting), sent(hall, older, newer), one.row().detail) == ([9], [1, 2], "")
    assert (two.go_on().troubles, one.states(), two.states()) == ([], {"sent": 1}, {"sent": 1})


def test_a_newer_copy_that_is_gone_is_asked_for_and_sent_when_it_comes_back(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, folder: Path
) -> None:
    older, newer = two_copies(hall, sitting)
    pc = collecting(make_pc, empty_store, folder)
    pc.write(newer, "a.aqr")
    pc.go_on()
    pc.path("a.aqr").unlink()
    put_older(pc, older, "b.aqr")
    done = pc.go_on()
    assert (pc.row("a.aqr").state, pc.row("a.aqr").detail, done.fresh) == ("gone", order.REPLACED, 1)
    pc.write(newer, "found again.aqr")
    assert pc.go_on().outcomes == {"in progress": 1}
    assert (scores(hall, sitting), sent(hall, older, newer), pc.row("a.aqr").detail) == ([9], [1, 2], "")
    assert pc.go_on().troubles == []


def test_a_newer_copy_that_is_gone_is_asked_for_only_until_its_exam_has_ended(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, folder: Path
) -> None:
    older, newer = two_copies(hall, sitting)
    pc = collecting(make_pc, empty_store, folder)
    pc.write(newer, "a.aqr")
    pc.go_on()
    pc.path("a.aqr").unlink()
    put_older(pc, older, "b.aqr")
    assert len(pc.go_on().troubles) == 1
    pc.write(hall.play(sitting, "finish", score=10, max=10), "c.aqr")
    for _ in range(2):
        assert pc.go_on().troubles == []
    assert (pc.row("a.aqr").detail, pc.states()) == ("", {"gone": 1, "kept": 2})


def test_a_newer_copy_that_is_sent_while_an_older_one_ends_is_sent_again(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, newer = two_copies(hall, sitting)
    pc, other = (collecting(make_pc, empty_store, folder) for _ in range(2))
    pc.write(newer, "a.aqr")
    put_older(pc, older, "b.aqr")
    pc.note()
    upload, second = AssessmentQ.upload, [pc.row("b.aqr")]

    def slow(client: AssessmentQ, *told: Any) -> Any:  # noqa: ANN401
        received = upload(client, *told)
        if second:
            other.custody.send(second.pop(), Pass())
        return received

    monkeypatch.setattr(AssessmentQ, "upload", slow)
    pc.custody.send(pc.row("a.aqr"), Pass())
    assert scores(hall, sitting) == [2]
    pc.custody.put_away(Pass())
    for _ in range(3):
        pc.go_on()
    assert (scores(hall, sitting), sent(hall, older, newer)) == ([9], [1, 2])


def test_a_newer_copy_whose_second_sending_gets_no_answer_is_sent_until_one_comes(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, folder: Path, passing: Clock
) -> None:
    older, newer = two_copies(hall, sitting)
    pc = collecting(make_pc, empty_store, folder)
    pc.write(newer, "a.aqr")
    pc.go_on()
    put_older(pc, older, "b.aqr")
    pc.note()
    pc.custody.send(pc.row("b.aqr"), Pass())
    spoil(hall, "drop")
    assert pc.go_on().outcomes == {"unknown": 1}
    assert scores(hall, sitting) == [2]
    for _ in range(4):
        passing.pass_by(GRACE)
        pc.go_on()  # that the server has these bytes is no answer: it had them before
    assert (scores(hall, sitting), sent(hall, older, newer), pc.states()) == ([9], [1, 3], {"sent": 2})


def test_copies_that_others_sent_are_not_sent_again(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, folder: Path
) -> None:
    older, newer = two_copies(hall, sitting)
    assert [hall.upload(content).status_code for content in (older, newer)] == [201, 201]
    pc = collecting(make_pc, empty_store, folder)
    pc.write(newer, "a.aqr")
    pc.go_on()
    put_older(pc, older, "b.aqr")
    for _ in range(3):
        pc.go_on()
    assert (scores(hall, sitting), sent(hall, older, newer), pc.states()) == ([9], [1, 1], {"sent": 2})


def test_a_collected_file_that_changes_is_asked_about_before_it_is_sent(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, folder: Path, passing: Clock
) -> None:
    older, newer = two_copies(hall, sitting)
    pc = collecting(make_pc, empty_store, folder)
    pc.write(older)
    pc.go_on()
    passing.pass_by(60)
    assert hall.upload(newer).status_code == 201  # by the exam's own computer
    pc.write(newer)
    age([pc.path()], 90)
    for _ in range(3):
        pc.go_on()
    assert (scores(hall, sitting), sent(hall, older, newer), pc.states()) == ([9], [1, 1], {"sent": 1})


def test_a_copy_made_later_does_not_make_its_bytes_newer(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, folder: Path
) -> None:
    older, newer = two_copies(hall, sitting)
    pc = collecting(make_pc, empty_store, folder)
    put_older(pc, older, "b.aqr")
    pc.write(newer, "a.aqr")
    pc.go_on()
    pc.write(older, "copy of b.aqr")
    age([pc.path("copy of b.aqr")], DAY)
    for _ in range(3):
        pc.go_on()
    assert (scores(hall, sitting), sent(hall, older, newer)) == ([9], [1, 1])


def test_an_exam_that_ended_has_no_copy_to_be_sent_again(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str
) -> None:
    older, newer = two_copies(hall, sitting)
    one, two = two_sticks(make_pc, empty_store, older, newer)
    two.go_on()
    assert hall.upload(hall.play(sitting, "finish", score=10, max=10)).status_code == 201
    ledger.sittings_ended(two.store, [sitting])
    assert (two.go_on().troubles, one.go_on().outcomes, one.states()) == ([], {}, {"final": 1})
    assert sent(hall, older, newer) == [1, 1]


def test_what_the_exams_own_computer_sent_is_not_sent_again_from_a_copy(
    make_pc: MakePc, sqlite_store: str, postgres_store: str, hall: Hall, sitting: str, folder: Path
) -> None:
    content = (pc := make_pc(sqlite_store)).play(sitting, "start", "finish")
    pc.go_on()
    collected = collecting(make_pc, postgres_store, folder)
    collected.write(content)
    done = collected.go_on()
    assert (done.outcomes, done.kept, sent(hall, content)) == ({"final": 1}, 1, [1])


@pytest.fixture
def another_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file can be renamed from one folder to another."""
    real = Path.rename

    def rename(source: Path, target: Path) -> Path:
        if source.parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return real(source, target)

    monkeypatch.setattr(Path, "rename", rename)


@pytest.mark.usefixtures("another_disk")
def test_a_copy_on_another_disk_is_seen_to_be_whole_before_the_file_goes(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pc = collecting(make_pc, empty_store, folder)
    content = pc.play(sitting, "start", "finish")
    with monkeypatch.context() as failing:
        failing.setattr(shutil, "copy2", lambda source, target: Path(target).write_bytes(source.read_bytes()[:-1]))
        done = pc.go_on()
    assert (done.kept, pc.names(), content in archived(folder).values()) == (0, ["exam.aqr"], False)
    assert "the copy has other bytes" in done.troubles[0]
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(Path(f"/proc/self/fd/{number}").readlink().suffix))
    monkeypatch.setattr(Path, "unlink", lambda path, real=Path.unlink: (synced.append("gone"), real(path)))
    assert pc.go_on().kept == 1
    assert synced == [".part", "", "gone"]
    assert list(archived(folder).values()) == [content]


@pytest.mark.usefixtures("another_disk")
def test_the_archive_is_on_another_disk_that_is_full(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pc = collecting(make_pc, empty_store, folder)
    content = pc.play(sitting, "start", "finish")

    def copy(source: Path, target: Path) -> None:
        Path(target).write_bytes(Path(source).read_bytes()[:100])
        no_space()

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


@pytest.mark.parametrize("step", [1, 2])
def test_two_workers_put_the_same_file_away(
    make_pc: MakePc, empty_store: str, sitting: str, folder: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    pc, other = (collecting(make_pc, empty_store, folder) for _ in range(2))
    ended = pc.play(sitting, "start", "finish")
    pc.note()
    pc.custody.send(pc.row(), Pass())
    real, steps = Path.rename, iter([1, 2])

    def rename(source: Path, target: Path) -> Path:
        if next(steps, 0) == step:
            other.custody.put_away(Pass())
        return real(source, target)

    monkeypatch.setattr(Path, "rename", rename)
    done = Pass()
    pc.custody.put_away(done)
    assert (done.troubles, done.fresh, pc.row().detail) == ([], 0, "")
    pc.go_on()
    assert (pc.states(), list(archived(folder).values()), contents(pc)) == ({"kept": 1}, [ended], [])


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
    passing.jump(jump)
    assert pc.go_on().outcomes == {"final": 1}
    assert (sent(hall, content), taken(hall, content), pc.names()) == ([2], [1], ["exam.bak"])


@pytest.mark.parametrize("jump", [-400 * DAY, -3600, 3600, 400 * DAY])
def test_a_wrong_clock_deletes_no_backup_too_early(
    pc: Pc, hall: Hall, sitting: str, passing: TwoClocks, jump: float
) -> None:
    begun = pc.play(sitting, "start")
    pc.go_on()
    passing.jump(jump)
    assert not pc.go_on().outcomes
    ended = pc.play(sitting, "finish")
    age([pc.path()], jump)
    assert pc.go_on().kept == 1
    passing.jump(-jump)
    assert (pc.go_on().purged, pc.names()) == (0, ["exam.bak"])
    passing.pass_by(14 * DAY)
    passing.jump(400 * DAY)
    assert (pc.go_on().purged, pc.names()) == (0, ["exam.bak"])
    passing.pass_by(1)
    assert (pc.go_on().purged, pc.names()) == (1, [])
    assert sent(hall, begun, ended) == [1, 1]


def test_what_was_put_away_at_an_unknown_time_is_kept_from_when_the_time_is_known(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, passing: TwoClocks
) -> None:
    pc = make_pc(empty_store)
    pc.play(sitting, "start", "finish")
    pc.note()
    pc.custody.send_waiting(Pass())
    restarted = make_pc(empty_store)  # has not heard from the server yet, and cannot
    hall.network(online=False)
    assert (restarted.go_on().kept, restarted.row().kept_at) == (1, None)
    passing.pass_by(30 * DAY)
    assert (restarted.go_on().purged, restarted.row().kept_at) == (0, None)
    hall.network()
    assert (restarted.go_on().purged, restarted.row().kept_at) == (0, passing.now())
    passing.pass_by(14 * DAY)
    assert restarted.go_on().purged == 0
    passing.pass_by(1)
    assert (restarted.go_on().purged, restarted.names()) == (1, [])


LONG_AGO = {"now": "2000-01-01T00:00:00+00:00"}


def test_the_time_of_something_that_answers_in_the_servers_place_is_not_believed(
    pc: Pc, hall: Hall, sittings: Iterator[str], passing: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pc.play(next(sittings), "start", "finish", place="a.aqr")
    with monkeypatch.context() as held_open:
        held_open.setattr(Path, "rename", read_only)
        assert pc.go_on().outcomes == {"final": 1}
    pc.play(next(sittings), "start", place="b.aqr")
    hall.act("clock", LONG_AGO)
    spoil(hall, "status", status=503)
    assert pc.go_on().kept == 1
    assert pc.row("a.aqr").kept_at == passing.now()


def test_a_backup_stays_until_our_clock_too_says_that_its_time_is_over(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, passing: Clock
) -> None:
    hall.act("clock", LONG_AGO)  # the server's own clock is wrong for a while
    pc = make_pc(empty_store)
    pc.play(sitting, "start", "finish")
    assert pc.go_on().kept == 1
    passing.pass_by(14 * DAY)
    assert (make_pc(empty_store).go_on().purged, pc.names()) == (0, ["exam.bak"])
    passing.pass_by(1)
    assert (make_pc(empty_store).go_on().purged, pc.names()) == (1, [])


@pytest.mark.parametrize("kind", ["status", "timeout_before"])
def test_one_file_that_is_put_off_each_time_holds_up_no_other(
    pc: Pc, hall: Hall, sittings: Iterator[str], passing: Clock, kind: str
) -> None:
    unlucky = [pc.play(next(sittings), "start", place=f"a{number}.aqr") for number in range(3)]
    spoil(hall, kind, times=3)
    assert not pc.go_on().online
    lucky = [pc.play(next(sittings), "start", place=f"b{number}.aqr") for number in range(3)]
    assert pc.go_on().outcomes["in progress"] >= 3
    assert sent(hall, *lucky) == [1, 1, 1]
    passing.pass_by(GRACE)
    pc.go_on()
    assert taken(hall, *unlucky, *lucky) == [1] * 6


def test_a_server_that_asks_for_patience_gets_it(pc: Pc, hall: Hall, sittings: Iterator[str], passing: Clock) -> None:
    contents = [pc.play(next(sittings), "start", place=f"{number}.aqr") for number in range(2)]
    spoil(hall, "status", status=429, retry_after=40)
    done = pc.go_on()
    assert (done.online, done.wait, sent(hall, *contents)) == (False, 40, [1, 0])
    with pytest.raises(VendorAwayError, match="asked to be left alone for 40 seconds more"), reach.noted(pc.store):
        pass
    passing.pass_by(39)
    done = pc.go_on()  # another process, that remembers nothing
    assert (done.online, done.wait, sent(hall, *contents)) == (False, 1, [1, 0])
    passing.pass_by(1)
    assert pc.go_on().outcomes == {"in progress": 2}


def test_a_silent_server_costs_a_few_waits_and_not_one_a_file(pc: Pc, hall: Hall, sittings: Iterator[str]) -> None:
    contents = [pc.play(next(sittings), "start", place=f"{number}.aqr") for number in range(6)]
    spoil(hall, "timeout_before", times=6)
    assert not pc.go_on().online
    assert sum(sent(hall, *contents)) == 3


def test_an_upload_that_takes_long_is_not_sent_again_by_another_worker(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, passing: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pc, other = make_pc(empty_store), make_pc(empty_store)
    content = pc.play(sitting, "start", size=100_000)
    pc.note()
    opened, upload = files.open_file, AssessmentQ.upload

    class Slow:
        """A file that takes longer to be sent than an upload without an answer is left alone."""

        def __init__(self, path: Path) -> None:
            self._file = opened(path)

        def read(self, size: int) -> bytes:
            passing.pass_by(GRACE / 3)
            assert not other.go_on().outcomes
            return self._file.read(size)

        def __enter__(self) -> Slow:
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()

    monkeypatch.setattr(AssessmentQ, "upload", lambda self, _open, *told: upload(self, partial(Slow, pc.path()), *told))
    assert pc.go_on().outcomes == {"in progress": 1}
    assert sent(hall, content) == [1]


def test_a_worker_that_died_before_the_clock_was_set_back(pc: Pc, hall: Hall, sitting: str, passing: Clock) -> None:
    content = pc.play(sitting, "start", "finish")
    pc.note()
    ledger.claim(pc.store, pc.row(), sha(content), timedelta(seconds=GRACE))
    passing.pass_by(-5 * DAY)
    assert pc.go_on().outcomes == {"final": 1}
    assert sent(hall, content) == [1]
