"""A file is taken when it has stopped changing, and not a moment before."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gradeway.landing.scan import PATIENCE, TRANSFER_ENDINGS, look, settled

SETTLE = 2.0


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return tmp_path


class Wait:
    """A wait that takes no time, but in which something may happen."""

    def __init__(self, happens: Callable[[], object] = lambda: None) -> None:
        self.seconds: list[float] = []
        self._happens = happens

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        time.sleep(0.02)  # longer than the grain of a file system's clock
        self._happens()


def taken(inbox: Path, *, age: float = 0.0, wait: Wait | None = None) -> list[str]:
    """Return the names that are settled ``age`` seconds from now."""
    found = settled(inbox, SETTLE, sleep=wait or Wait(), clock=lambda: time.time() + age)
    return [entry.name for entry in found]


def test_an_empty_inbox_costs_no_wait(inbox: Path) -> None:
    wait = Wait()
    assert taken(inbox, wait=wait) == []
    assert wait.seconds == []


def test_a_file_that_is_old_enough_is_taken_at_once(inbox: Path) -> None:
    (inbox / "old.sch").write_bytes(b"a\n")
    wait = Wait()
    assert taken(inbox, age=SETTLE + 1, wait=wait) == ["old.sch"]
    assert wait.seconds == []


def test_a_fresh_file_is_taken_after_the_settle_time(inbox: Path) -> None:
    (inbox / "fresh.sch").write_bytes(b"a\n")
    wait = Wait()
    assert taken(inbox, wait=wait) == ["fresh.sch"]
    assert wait.seconds == [SETTLE]


@pytest.mark.parametrize("content", [b"a|b", b"", b"a|b\nhalf a li"], ids=["no line end", "empty", "half a line"])
def test_a_file_that_looks_cut_off_is_given_more_time(inbox: Path, content: bytes) -> None:
    (inbox / "stalled.sch").write_bytes(content)
    wait = Wait()
    assert taken(inbox, age=SETTLE + 1, wait=wait) == ["stalled.sch"]
    assert wait.seconds == [SETTLE * PATIENCE]
    assert taken(inbox, age=SETTLE * PATIENCE + 1, wait=Wait(pytest.fail)) == ["stalled.sch"]


def test_a_slow_writer_is_left_alone_until_it_is_done(inbox: Path) -> None:
    path = inbox / "slow.sch"
    path.write_bytes(b"one\n")

    def write() -> None:
        with path.open("ab") as file:
            file.write(b"another\n")

    assert taken(inbox, wait=Wait(write)) == []
    assert taken(inbox, wait=Wait(write)) == []
    assert taken(inbox) == ["slow.sch"]


def test_a_slow_writer_does_not_keep_others_waiting(inbox: Path) -> None:
    (inbox / "done.sch").write_bytes(b"a\n")
    (inbox / "slow.sch").write_bytes(b"a\n")
    assert taken(inbox, wait=Wait(lambda: (inbox / "slow.sch").write_bytes(b"a\nb\n"))) == ["done.sch"]


def test_a_file_rewritten_with_its_old_size_and_time_has_changed(inbox: Path) -> None:
    path = inbox / "same.sch"
    path.write_bytes(b"one\n")
    before = path.stat()

    def rewrite() -> None:
        path.write_bytes(b"two\n")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert taken(inbox, wait=Wait(rewrite)) == []
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_another_file_moved_over_it_is_another_file(inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = inbox / "same.sch"
    path.write_bytes(b"one\n")
    other = tmp_path_factory.mktemp("sender") / "x"
    other.write_bytes(b"two\n")
    os.utime(other, ns=(0, path.stat().st_mtime_ns))
    assert taken(inbox, wait=Wait(lambda: other.rename(path))) == []


def test_a_file_taken_back_while_waiting_is_gone(inbox: Path) -> None:
    path = inbox / "back.sch"
    path.write_bytes(b"one\n")
    assert taken(inbox, wait=Wait(path.unlink)) == []


def test_a_file_that_arrives_while_waiting_has_its_own_wait(inbox: Path) -> None:
    (inbox / "first.sch").write_bytes(b"one\n")
    assert taken(inbox, wait=Wait(lambda: (inbox / "second.sch").write_bytes(b"two\n"))) == ["first.sch"]


@pytest.mark.parametrize("year", [1990, 2099])
def test_the_senders_clock_decides_nothing_but_the_order(inbox: Path, year: int) -> None:
    path = inbox / "skewed.sch"
    path.write_bytes(b"a\n")
    os.utime(path, ((year - 1970) * 31_556_952,) * 2)
    wait = Wait()
    assert taken(inbox, wait=wait) == ["skewed.sch"]
    assert wait.seconds == [SETTLE], "a fresh file waits, however old it says it is"
    assert taken(inbox, age=SETTLE + 1, wait=Wait(pytest.fail)) == ["skewed.sch"]


def test_a_clock_that_was_set_back_does_not_hold_files_for_ever(inbox: Path) -> None:
    (inbox / "ahead.sch").write_bytes(b"a\n")
    assert taken(inbox, age=-100_000) == ["ahead.sch"]


def test_files_come_in_the_order_of_their_times_and_then_names(inbox: Path) -> None:
    for name, second in (("b.sch", 2), ("a.sch", 2), ("c.sch", 1)):
        (inbox / name).write_bytes(b"a\n")
        os.utime(inbox / name, (second, second))
    assert taken(inbox) == ["c.sch", "a.sch", "b.sch"]


@pytest.mark.parametrize("ending", TRANSFER_ENDINGS)
def test_a_running_transfer_is_not_seen(inbox: Path, ending: str) -> None:
    for name in (f"a.sch{ending}", f"a.sch{ending.upper()}", f".a.sch{ending}"):
        (inbox / name).write_bytes(b"a\n")
    assert look(inbox) == []


@pytest.mark.parametrize("name", [".a.sch", ".hidden", "..sch", "...", ".nfs0001"])
def test_a_hidden_name_is_not_seen(inbox: Path, name: str) -> None:
    (inbox / name).write_bytes(b"a\n")
    assert look(inbox) == []


def test_folders_and_what_is_in_them_are_not_seen(inbox: Path) -> None:
    (inbox / "folder.sch").mkdir()
    (inbox / "folder.sch" / "inside.sch").write_bytes(b"a\n")
    assert look(inbox) == []


def test_a_link_is_seen_as_itself_and_never_its_target(inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    target = tmp_path_factory.mktemp("outside") / "secret"
    target.write_bytes(b"x" * 999)
    (inbox / "link.sch").symlink_to(target)
    (inbox / "twin.sch").hardlink_to(target)
    seen = {entry.name: (entry.plain, entry.size == 999) for entry in look(inbox)}
    assert seen == {"link.sch": (False, False), "twin.sch": (False, True)}
    assert sorted(taken(inbox, age=SETTLE + 1, wait=Wait(pytest.fail))) == ["link.sch", "twin.sch"]


def test_a_pipe_does_not_hold_the_look_up(inbox: Path) -> None:
    os.mkfifo(inbox / "pipe.sch")
    assert taken(inbox) == ["pipe.sch"]
