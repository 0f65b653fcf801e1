"""What lies in an inbox and is no plain readable file is refused unread, and stops no other."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.intakes import Site
from fixtures.landed import HEADER, SECRET, claim_now, copies_of_the_secret, schema, titles
from gradeway.errors import LandingError
from gradeway.landing import claim


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path may have about a hundred characters
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


def _device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # /dev/zero never ends
    except PermissionError:
        pytest.skip("only a privileged user makes devices")


SPECIAL: dict[str, Callable[[Path, Path], object]] = {
    "link to a file": lambda path, outside: path.symlink_to(outside / "secret"),
    "relative link": lambda path, outside: path.symlink_to(os.path.relpath(outside / "secret", path.parent)),
    "link to a folder": lambda path, outside: path.symlink_to(outside),
    "dangling link": lambda path, outside: path.symlink_to(outside / "nothing"),
    "link to itself": lambda path, _: path.symlink_to(path),
    "link to a device": lambda path, _: path.symlink_to("/dev/zero"),
    "link to a pipe": lambda path, outside: path.symlink_to(outside / "pipe"),
    "hard link": lambda path, outside: path.hardlink_to(outside / "secret"),
    "pipe": lambda path, _: os.mkfifo(path),
    "socket": lambda path, _: _socket(path),
    "device": lambda path, _: _device(path),
}


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of somebody else, with a file that looks like a good feed file."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_bytes(HEADER + SECRET + b"|A=50:F=0|\n")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.mark.parametrize("kind", SPECIAL)
def test_an_entry_that_is_no_plain_file_is_refused_unread(site: Site, outside: Path, kind: str) -> None:
    SPECIAL[kind](site.inbox / "special.sch", outside)
    was = (site.inbox / "special.sch").lstat()
    site.drop("fine.sch", schema("Fine"))
    batches = site.sweep()
    special = batches["special.sch"]
    assert (special.state, special.reasons, special.rows_in) == ("refused", {"FILE_UNSAFE": 1}, 0)
    assert (batches["fine.sch"].state, titles(site)) == ("loaded", ["Fine"])
    assert list(site.inbox.iterdir()) == []
    kept = site.kept(special)
    assert kept.is_relative_to(site.zone.root / "quarantine")
    assert (kept.lstat().st_ino, stat.S_IFMT(kept.lstat().st_mode)) == (was.st_ino, stat.S_IFMT(was.st_mode))
    assert SECRET in (outside / "secret").read_bytes()
    assert copies_of_the_secret(site) == []
    assert site.report(special)["findings"][0]["code"] == "FILE_UNSAFE"


@pytest.mark.parametrize("kind", ["link to a file", "hard link", "pipe", "dangling link"])
def test_what_was_refused_unread_is_not_read_by_a_replay_either(site: Site, outside: Path, kind: str) -> None:
    SPECIAL[kind](site.inbox / "special.sch", outside)
    batch = site.sweep()["special.sch"]
    with pytest.raises(LandingError):
        site.intake.replay(batch.id)
    site.intake.sweep()
    assert titles(site) == []
    assert copies_of_the_secret(site) == []


@pytest.mark.parametrize("kind", ["link to a file", "dangling link", "hard link", "pipe", "socket"])
def test_an_entry_on_another_file_system_that_is_no_plain_file_is_told_and_not_read(
    across: Site, outside: Path, kind: str
) -> None:
    SPECIAL[kind](across.inbox / "special.sch", outside)
    across.drop("fine.sch", schema("Fine"))
    across.sweep()
    assert titles(across) == ["Fine"]
    assert copies_of_the_secret(across) == []
    told = {batch.file_name: (batch.state, batch.reasons) for batch in across.batches()}
    assert told.get("special.sch") == ("refused", {"FILE_UNSAFE": 1})


def test_a_file_swapped_for_a_link_after_it_was_claimed_is_not_followed(site: Site, outside: Path) -> None:
    site.drop("one.sch", schema("One"))
    (number,) = claim_now(site)
    (batch,) = site.batches()
    path = claim.content(site.zone.root / batch.place)
    path.unlink()
    path.symlink_to(outside / "secret")
    site.intake.process(number)
    assert titles(site) == []
    assert site.batches()[0].state == "refused"


def test_a_file_changed_after_it_was_claimed_is_refused(site: Site) -> None:
    site.drop("one.sch", schema("One"))
    (number,) = claim_now(site)
    (batch,) = site.batches()
    claim.content(site.zone.root / batch.place).write_bytes(schema("Two"))
    site.intake.process(number)
    (batch,) = site.batches()
    assert (batch.state, batch.reasons, titles(site)) == ("refused", {"FILE_CHANGED": 1}, [])


def test_a_file_that_may_not_be_read_is_refused_and_stops_no_other(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    opener = claim._open

    def refuse(path: str, flags: int) -> int:
        if os.fspath(path).endswith("private.sch"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opener(path, flags)

    monkeypatch.setattr(claim, "_open", refuse)
    site.drop("private.sch", schema("Private"))
    site.drop("fine.sch", schema("Fine"))
    batches = site.sweep()
    assert titles(site) == ["Fine"]
    assert (batches["private.sch"].state, batches["private.sch"].reasons) == ("refused", {"FILE_UNSAFE": 1})


@pytest.mark.parametrize("problem", [errno.EACCES, errno.EPERM, errno.EBUSY, errno.EIO])
def test_a_file_that_cannot_be_moved_stays_and_stops_no_other(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, problem: int
) -> None:
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name == "stuck.sch":
            raise OSError(problem, os.strerror(problem))
        return rename(self, target)

    site.drop("stuck.sch", schema("Stuck"))
    os.utime(site.inbox / "stuck.sch", (1, 1))
    site.drop("fine.sch", schema("Fine"))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        site.sweep()
        assert titles(site) == ["Fine"]
    assert (site.inbox / "stuck.sch").exists()
    assert [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}], "nobody would know"
    site.sweep()
    assert titles(site) == ["Fine", "Stuck"]


def test_claimed_bytes_that_somebody_deleted_stop_no_other(site: Site) -> None:
    site.drop("gone.sch", schema("Gone"))
    claim_now(site)
    claim.content(site.zone.root / site.batches()[0].place).unlink()
    site.drop("fine.sch", schema("Fine"))
    for _ in range(site.settings.attempts):
        site.intake.sweep()
    assert titles(site) == ["Fine"]
    assert {batch.file_name: batch.state for batch in site.batches()} == {"gone.sch": "refused", "fine.sch": "loaded"}
