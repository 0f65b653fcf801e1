"""An inbox on another file system: a file is taken whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fixtures.intakes import Site
from fixtures.landed import Killed, claim_now, files_below, kill, schema, titles


def test_a_file_is_moved_between_file_systems(across: Site) -> None:
    batch = across.send("one.sch", schema("One"))
    assert (batch.state, titles(across)) == ("loaded", ["One"])
    assert files_below(across.inbox) == []
    assert across.kept(batch).read_bytes() == schema("One")


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder on another file system than the tests' own, where this machine has one."""
    for candidate in (Path("/dev/shm"), Path("/run/shm"), Path("/run/user") / str(os.getuid())):  # noqa: S108
        if candidate.is_dir() and candidate.stat().st_dev != Path(tempfile.gettempdir()).stat().st_dev:
            with tempfile.TemporaryDirectory(dir=candidate) as folder:
                yield Path(folder)
            return
    pytest.skip("there is one file system only")


def test_an_inbox_that_is_really_on_another_file_system_works(site: Site, elsewhere: Path) -> None:
    site.inbox.rmdir()
    site.inbox.symlink_to(elsewhere)
    batch = site.send("one.sch", schema("One"))
    assert (batch.state, titles(site), list(elsewhere.iterdir())) == ("loaded", ["One"], [])


def _at_copy(monkeypatch: pytest.MonkeyPatch, happens: Callable[[Path, Path], object]) -> None:
    """Let something happen instead of the next copy of a file."""
    copyfile = shutil.copyfile

    def once(source: Path, target: Path) -> object:
        monkeypatch.setattr(shutil, "copyfile", copyfile)
        return happens(Path(source), Path(target))

    monkeypatch.setattr(shutil, "copyfile", once)


def test_a_copy_cut_off_by_a_kill_is_never_taken_for_the_file(across: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:-4])
        raise Killed

    across.drop("one.sch", schema("One"))
    _at_copy(monkeypatch, half)
    with pytest.raises(Killed):
        across.intake.sweep()
    across.sweep()
    assert [(batch.state, batch.size, batch.created) for batch in across.batches()] == [
        ("loaded", len(schema("One")), 1)
    ]
    assert list(across.zone.claimed.iterdir()) == []


def test_a_kill_between_copy_and_removal_loads_the_file_once(across: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    across.drop("one.sch", schema("One"))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", kill)
        with pytest.raises(Killed):
            across.intake.sweep()
    across.sweep()
    assert [batch.state for batch in across.batches()] == ["loaded", "duplicate"]
    assert across.rows("SELECT count(*) FROM change") == [(1,)]
    assert files_below(across.inbox) == []


def test_a_file_rewritten_while_it_is_copied_is_left_for_the_next_time(
    across: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = across.drop("one.sch", schema("One"))

    def rewrite(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes())
        time.sleep(0.02)
        path.write_bytes(schema("Other"))

    _at_copy(monkeypatch, rewrite)
    assert claim_now(across) == []
    assert list(across.zone.claimed.iterdir()) == []
    across.sweep()
    assert titles(across) == ["Other"]


def test_a_file_taken_back_while_it_is_copied_stops_no_other(across: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    path = across.drop("back.sch", schema("Back"))
    os.utime(path, (1, 1))
    across.drop("fine.sch", schema("Fine"))

    def take_back(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes())
        path.unlink()

    _at_copy(monkeypatch, take_back)
    across.sweep()
    assert "Fine" in titles(across)


def test_a_full_disk_costs_no_file(across: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_source: Path, target: Path) -> None:
        target.write_bytes(b"titl")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    across.drop("one.sch", schema("One"))
    _at_copy(monkeypatch, full)
    across.drop("two.sch", schema("Two"))
    across.sweep()
    assert [batch.file_name for batch in across.batches()] == ["two.sch"]
    across.sweep()
    assert ([batch.state for batch in across.batches()], sorted(titles(across))) == (["loaded"] * 2, ["One", "Two"])
