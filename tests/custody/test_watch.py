"""Service mode: one watcher for a folder, that says what a person should know, once, and goes on."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError, OperationalError

from crash.kill import die, fork
from custody.pcs import MakePc, Pc, sent, spoil, unprivileged
from fixtures.sandboxes import Hall
from gradeway.custody import files, ledger, watch
from gradeway.errors import CustodyError, StoreNotReadyError
from gradeway.store.engine import Store
from store.test_migrations import migrate

ONLINE = "online again"
FULL = OperationalError("", {}, Exception("database or disk is full"))


@dataclass
class Watcher:
    """A watcher in a thread, and what it said."""

    pc: Pc
    said: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    seconds: float = 0.02

    def __post_init__(self) -> None:
        self.passes = 0
        self.custody = self.pc.custody
        self._go_on = self.custody.go_on
        self.custody.go_on = self._counted  # type: ignore[method-assign]
        self.thread = threading.Thread(
            target=watch.watch, args=(self.custody, self.pc.folder, self.seconds, self.stop, self.said.append)
        )

    def _counted(self, before: list[files.Seen]) -> object:
        try:
            return self._go_on(before)
        finally:
            self.passes += 1

    def until(self, is_so: Callable[[], object]) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + 20
        while not is_so():
            assert time.monotonic() < deadline, self.said
            assert self.thread.is_alive(), self.said
            time.sleep(0.01)

    def some_passes(self, number: int = 3) -> None:
        """Let some more passes go by from their start to their end."""
        after = self.passes + number + 1
        self.until(lambda: self.passes >= after)


@contextmanager
def watching(pc: Pc, **given: float) -> Iterator[Watcher]:
    """Watch the folder of a PC while the block lasts."""
    watcher = Watcher(pc, **given)
    watcher.thread.start()
    try:
        yield watcher
    finally:
        watcher.stop.set()
        watcher.thread.join(20)
        assert not watcher.thread.is_alive()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a watcher try again soon."""
    monkeypatch.setattr(watch, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(watch, "LONGEST_WAIT", 0.02)


def test_it_follows_an_exam_to_its_end(one_pc: Pc, hall: Hall, sitting: str, hasty: None) -> None:
    with watching(one_pc) as watcher:
        contents = [one_pc.play(sitting, "start")]
        watcher.until(lambda: watcher.said == ["1 in progress"])
        contents.append(one_pc.play(sitting, "finish"))
        watcher.until(lambda: len(watcher.said) == 3)
        watcher.some_passes()
    assert watcher.said == ["1 in progress", "1 final", "1 put away"]
    assert (one_pc.names(), sent(hall, *contents)) == (["exam.bak"], [1, 1])


def offline(pc: Pc) -> str:
    """What a watcher says of a server that cannot be reached."""
    return f"offline: {pc.reach().detail}; what waits is sent as soon as the server answers"


def test_offline_and_online_are_said_once(one_pc: Pc, hall: Hall, sitting: str, hasty: None) -> None:
    hall.network(online=False)
    one_pc.play(sitting, "start", "finish")
    with watching(one_pc) as watcher:
        watcher.some_passes(5)
        away = offline(one_pc)
        assert (watcher.said, "cannot be reached at" in away) == ([away], True)
        hall.network()
        watcher.until(lambda: one_pc.names() == ["exam.bak"])
        watcher.some_passes()
    assert watcher.said == [away, ONLINE, "1 final", "1 put away"]


def test_it_asks_less_and_less_often_while_offline(
    one_pc: Pc, hall: Hall, sitting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "FIRST_WAIT", 0.1)
    monkeypatch.setattr(watch, "LONGEST_WAIT", 0.4)
    hall.network(online=False)
    one_pc.play(sitting, "start", "finish")
    rest, waits = watch._rest, list[float]()
    monkeypatch.setattr(watch, "_rest", lambda stop, seconds: waits.append(seconds) or rest(stop, seconds))
    with watching(one_pc, seconds=0.0) as watcher:
        watcher.until(lambda: waits.count(0.4) >= 2)
    assert [wait for wait in waits if wait][:4] == [0.1, 0.2, 0.4, 0.4]


def test_it_ends_at_once_when_told_to(one_pc: Pc, hall: Hall, sitting: str) -> None:
    hall.network(online=False)
    one_pc.play(sitting, "start")
    with watching(one_pc) as watcher:
        watcher.until(lambda: watcher.said and watcher.said == [offline(one_pc)])  # and now it waits for seconds
        begun = time.monotonic()
        watcher.stop.set()
        watcher.thread.join()
    assert time.monotonic() - begun < watch.FIRST_WAIT / 2


def test_a_folder_has_one_watcher(one_pc: Pc, make_pc: MakePc, sqlite_store: str, hasty: None) -> None:
    with watching(one_pc) as watcher:
        watcher.some_passes(1)
        other = make_pc(sqlite_store)
        with pytest.raises(CustodyError, match=r"another process watches .*exams already; end it first"):
            watch.watch(other.custody, other.folder, 0, threading.Event(), print)
        assert watcher.thread.is_alive()
        elsewhere = make_pc(sqlite_store, "elsewhere")
        with watching(elsewhere) as second:
            second.some_passes(1)
    with watch.only_watcher(one_pc.folder):
        pass


def test_a_watcher_that_was_killed_does_not_count(one_pc: Pc) -> None:
    gate, opener = os.pipe()

    def work() -> None:
        with watch.only_watcher(one_pc.folder):
            os.write(opener, b"!")
            signal.pause()
        die()

    child = fork(work)
    os.read(gate, 1)
    with pytest.raises(CustodyError, match="another process"), watch.only_watcher(one_pc.folder):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with watch.only_watcher(one_pc.folder):
        pass
    for end in (gate, opener):
        os.close(end)


def test_a_folder_that_is_not_there_yet_is_waited_for(one_pc: Pc, hall: Hall, sitting: str, hasty: None) -> None:
    one_pc.folder.rmdir()
    with watching(one_pc) as watcher:
        watcher.until(lambda: watcher.said)
        assert watcher.said == [f"{one_pc.folder} is not there yet: waiting for it"]
        one_pc.play(sitting, "start", "finish")
        watcher.until(lambda: one_pc.names() == ["exam.bak"])


def test_it_ends_when_told_to_while_it_waits_for_the_folder(one_pc: Pc) -> None:
    one_pc.folder.rmdir()
    with watching(one_pc, seconds=1000) as watcher:
        watcher.until(lambda: watcher.said)
    assert not one_pc.folder.exists()


def test_a_signal_is_heard_within_a_second_however_long_it_waits() -> None:
    class Stop(threading.Event):
        waits: ClassVar[list[float]] = []

        def wait(self, timeout: float | None = None) -> bool:
            self.waits.append(timeout or 0)
            if len(self.waits) == 3:
                self.set()
            return self.is_set()

    assert watch._rest(Stop(), 3600)
    assert Stop.waits == [1, 1, 1]


def test_the_store_of_an_older_version_is_brought_to_that_of_the_program(tmp_path: Path) -> None:
    store = Store(url := f"sqlite:///{tmp_path / 'store.db'}")
    store.upgrade()
    migrate(store, "0003")
    store.engine.dispose()
    ready = watch.ready_store(url, threading.Event(), print)
    assert ready is not None
    assert ready.version()[0] == ready.version()[1]


def test_the_store_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    store = Store(url := f"sqlite:///{tmp_path / 'store.db'}")
    store.upgrade()
    with store.writing() as session:
        session.execute(text("UPDATE gradeway_version SET version_num = '9999'"))
    with pytest.raises(StoreNotReadyError, match="version 9999"):
        watch.ready_store(url, threading.Event(), print)


def test_a_store_that_is_damaged_is_named_and_can_be_moved_away(tmp_path: Path, hasty: None) -> None:
    path, said = tmp_path / "store.db", list[str]()
    path.write_bytes(b"garbage" * 1000)

    def say(what: str) -> None:
        said.append(what)
        path.unlink()

    assert watch.ready_store(f"sqlite:///{path}", threading.Event(), say)
    assert said == [f"the store {path} is damaged: put a backup in its place, or move it away; trying again"]


def test_a_store_that_is_damaged_while_it_watches(one_pc: Pc, hasty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = sqlite3.DatabaseError("database disk image is malformed")
    broken.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    damaged = DatabaseError("", {}, broken)

    def fail(*_: object) -> None:
        raise damaged

    monkeypatch.setattr(ledger, "note", fail)
    with watching(one_pc) as watcher:
        watcher.until(lambda: watcher.said)
    assert "the store is damaged: move its file away and start again" in watcher.said[0]
    assert "Gradeway no longer deletes the .bak files" in watcher.said[0]


def test_a_folder_that_is_a_file(one_pc: Pc) -> None:
    one_pc.folder.rmdir()
    one_pc.folder.write_text("")
    with pytest.raises(CustodyError, match="cannot be watched: Not a directory"):
        watch.watch(one_pc.custody, one_pc.folder, 0, threading.Event(), print)


def test_a_folder_that_is_read_only(one_pc: Pc, folder: Path) -> None:
    with (
        unprivileged(folder, one_pc.folder),
        pytest.raises(
            CustodyError, match=r"cannot be watched: Permission denied; .*may rename files, or use `gradeway"
        ),
    ):
        watch.watch(one_pc.custody, one_pc.folder, 0, threading.Event(), print)


def test_a_trouble_with_a_file_is_said_once(
    one_pc: Pc, hall: Hall, sitting: str, hasty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    one_pc.play(sitting, "start", "finish")
    with watching(one_pc) as watcher:
        with monkeypatch.context() as locked:
            locked.setattr(Path, "rename", read_only)
            watcher.until(lambda: len(watcher.said) == 2)
            watcher.some_passes(5)
            assert watcher.said[0] == "1 final"
            assert "cannot be put away: Permission denied" in watcher.said[1]
            assert len(watcher.said) == 2
        watcher.until(lambda: one_pc.names() == ["exam.bak"])
        watcher.until(lambda: watcher.said[2:] == ["1 put away"])


def test_a_trouble_that_comes_back_is_said_again(one_pc: Pc, hasty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with watching(one_pc) as watcher:
        for number in (1, 2):
            with monkeypatch.context() as broken:
                broken.setattr(ledger, "note", _fail)
                watcher.until(lambda number=number: len(watcher.said) == number)
                watcher.some_passes()
            watcher.some_passes()
    assert len(watcher.said) == 2
    assert set(watcher.said) == {
        "the store cannot be used (Exception: is the disk full?); nothing is lost, trying again"
    }


def _fail(*_: object, **__: object) -> None:
    raise FULL


@pytest.mark.parametrize("when", ["note", "claim", "ended", "kept", "to_purge"])
def test_it_survives_a_store_that_cannot_be_used(
    make_pc: MakePc, empty_store: str, hall: Hall, sitting: str, hasty: None, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    pc = make_pc(empty_store, given={"aqr_grace_seconds": 0.1})
    content = pc.play(sitting, "start", "finish")
    with watching(pc) as watcher:
        with monkeypatch.context() as broken:
            broken.setattr(ledger, when, _fail)
            watcher.until(lambda: any("the store cannot be used" in said for said in watcher.said))
        watcher.until(lambda: pc.names() == ["exam.bak"])
        watcher.until(lambda: pc.row().state == "kept")
    assert sent(hall, content) == [1]


def test_it_survives_a_folder_that_goes_and_comes(one_pc: Pc, hall: Hall, sitting: str, hasty: None) -> None:
    away = one_pc.folder.with_name("away")
    with watching(one_pc) as watcher:
        watcher.some_passes(1)
        one_pc.folder.rename(away)
        watcher.until(lambda: watcher.said)
        watcher.some_passes()
        away.rename(one_pc.folder)
        one_pc.play(sitting, "start", "finish")
        watcher.until(lambda: one_pc.names() == ["exam.bak"])
    assert "exams cannot be read: No such file or directory" in watcher.said[0]
    assert [said for said in watcher.said if "cannot be read" in said] == watcher.said[:1]


def test_it_survives_an_account_that_is_refused(
    make_pc: MakePc, sqlite_store: str, hall: Hall, sitting: str, hasty: None
) -> None:
    pc = make_pc(sqlite_store, password="another")
    content = pc.play(sitting, "start", "finish")
    with watching(pc) as watcher:
        watcher.until(lambda: watcher.said)
        watcher.some_passes(5)
    assert len(watcher.said) == 1
    assert "401" in watcher.said[0]
    assert "check the login and password" in watcher.said[0]
    with watching(make_pc(sqlite_store)) as watcher:
        watcher.until(lambda: pc.names() == ["exam.bak"])
    assert sent(hall, content)[0] >= 1


def test_it_starts_where_the_last_one_ended(one_pc: Pc, make_pc: MakePc, hall: Hall, sitting: str, hasty: None) -> None:
    content = one_pc.play(sitting, "start")
    for _ in range(3):
        pc = make_pc(one_pc.store.url)
        with watching(pc) as watcher:
            watcher.until(lambda pc=pc: pc.states() == {"sent": 1})
            watcher.some_passes()
    assert sent(hall, content) == [1]


def test_the_watchers_own_file_is_never_sent(one_pc: Pc, hall: Hall, sitting: str, hasty: None) -> None:
    before = len(hall.log())
    with watching(one_pc) as watcher:
        watcher.some_passes()
    assert [path.name for path in one_pc.folder.iterdir()] == [watch.LOCK]
    assert not [entry for entry in hall.log()[before:] if entry["method"] == "POST"]


def test_it_survives_an_error_that_nobody_thought_of(
    one_pc: Pc, hall: Hall, sitting: str, hasty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OverflowError(one_pc.folder)

    with watching(one_pc) as watcher:
        with monkeypatch.context() as broken:
            broken.setattr(ledger, "note", fail)
            watcher.until(lambda: watcher.said)
            watcher.some_passes()
        one_pc.play(sitting, "start", "finish")
        watcher.until(lambda: one_pc.names() == ["exam.bak"])
    assert watcher.said[0] == "OverflowError; trying again"


def test_a_server_that_asks_for_patience_is_left_alone(one_pc: Pc, hall: Hall, sitting: str, hasty: None) -> None:
    content = one_pc.play(sitting, "start", "finish")
    spoil(hall, "status", status=429, retry_after=2)
    begun = time.monotonic()
    with watching(one_pc) as watcher:
        watcher.until(lambda: one_pc.names() == ["exam.bak"])
    assert time.monotonic() - begun >= 2
    assert sent(hall, content) == [2]


def test_a_store_on_a_full_disk_is_waited_for(
    one_pc: Pc, hasty: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url, said = f"sqlite:///{tmp_path / 'new' / 'store.db'}", list[str]()
    room = iter([0, 0, 1 << 30])

    def upgrade(_store: Store) -> None:
        if not next(room):
            raise FULL

    monkeypatch.setattr(Store, "upgrade", upgrade)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=8192))
    store = watch.ready_store(url, threading.Event(), said.append)
    assert (store and store.url, said) == (
        url,
        [f"the disk of the store is full: make room for {tmp_path / 'new'}; trying again"],
    )


def test_it_ends_when_told_to_while_it_waits_for_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    monkeypatch.setattr(Store, "upgrade", _fail)
    assert watch.ready_store(f"sqlite:///{tmp_path / 'store.db'}", stop, lambda _: stop.set()) is None
