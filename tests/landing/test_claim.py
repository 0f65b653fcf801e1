"""A landed file has one owner, whoever else reaches for it and wherever its worker dies."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fixtures.intakes import Site
from gradeway.errors import LandingError
from gradeway.landing import claim
from gradeway.store.models import Batch

HEADER = b"title|symbols|optionalData\n"
SECRET = b"Xsecret7"


def schema(title: str) -> bytes:
    return HEADER + f"{title}|A=50:F=0|\n".encode()


def titles(site: Site) -> list[str]:
    return sorted(title for (title,) in site.rows("SELECT title FROM grade_schema"))


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()]


def claim_now(site: Site) -> list[int]:
    return claim.claim_all(site.zone, site.intake.store, site.settings)


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


def kill(*_: object, **__: object) -> None:
    raise Killed


# --- one owner


def test_a_claim_takes_the_file_out_of_the_inbox_into_a_folder_of_ours(site: Site) -> None:
    site.drop("one.sch", schema("One"))
    (number,) = claim_now(site)
    (batch,) = site.batches()
    assert (batch.id, batch.feed, batch.file_name, batch.state) == (number, "sch", "one.sch", "claimed")
    assert (batch.size, batch.rows_in) == (len(schema("One")), 0)
    assert files_below(site.inbox) == []
    assert claim.content(site.zone.root / batch.place).read_bytes() == schema("One")
    assert claim_now(site) == []


def test_many_threads_claim_each_file_once(site: Site) -> None:
    for number in range(40):
        site.drop(f"{number}.sch", schema(f"S{number}"))
    start = threading.Barrier(4)

    def work() -> list[int]:
        start.wait()
        return claim_now(site) + claim_now(site)

    with ThreadPoolExecutor(4) as pool:
        claimed = [number for future in [pool.submit(work) for _ in range(4)] for number in future.result()]
    assert len(claimed) == len(set(claimed)) == 40
    assert sorted(batch.file_name for batch in site.batches()) == sorted(f"{number}.sch" for number in range(40))
    assert {batch.state for batch in site.batches()} == {"claimed"}
    assert files_below(site.inbox) == []


CLAIMER = """
import json, sys, time
from pathlib import Path
from gradeway.landing import claim
from gradeway.landing.zone import Zone
from gradeway.settings import Settings
from gradeway.store.engine import Store

home, me = Path(sys.argv[1]), sys.argv[2]
settings = Settings(home=home, settle_seconds=0)
store, zone = Store(settings.database_url), Zone(settings.landing)
(home / f"ready-{me}").touch()
while not (home / "go").exists():
    time.sleep(0.001)
print(json.dumps(claim.claim_all(zone, store, settings) + claim.claim_all(zone, store, settings)))
"""


def test_two_processes_claim_each_file_once(site: Site) -> None:
    home = site.settings.home
    command = [sys.executable, "-c", CLAIMER, str(home)]
    workers = [subprocess.Popen([*command, me], stdout=subprocess.PIPE) for me in "ab"]
    for number in range(30):
        site.drop(f"{number}.sch", schema(f"S{number}"))
    patience = time.monotonic() + 60
    while len(list(home.glob("ready-*"))) < 2 and time.monotonic() < patience:
        time.sleep(0.01)
    (home / "go").touch()
    claimed = [json.loads(worker.communicate(timeout=60)[0]) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert sorted(claimed[0] + claimed[1]) == list(range(1, 31))
    assert len(site.batches()) == 30
    assert files_below(site.inbox) == []
    site.sweep()
    assert len(titles(site)) == 30


def test_two_workers_load_a_batch_once(site: Site) -> None:
    site.drop("one.sch", schema("One"))
    (number,) = claim_now(site)
    start = threading.Barrier(2)

    def work() -> bool:
        start.wait()
        return site.intake.process(number)

    with ThreadPoolExecutor(2) as pool:
        loaded = [future.result() for future in [pool.submit(work), pool.submit(work)]]
    assert sorted(loaded) == [False, True]
    (batch,) = site.batches()
    assert (batch.state, batch.rows_in, batch.created) == ("loaded", 1, 1)


def test_a_folder_that_another_worker_holds_is_not_adopted(site: Site) -> None:
    folder = site.zone.claimed / "grades-held"
    folder.mkdir()
    (folder / "one.sch").write_bytes(schema("One"))
    with claim.own(folder) as owned:
        assert owned
        assert claim_now(site) == []
    assert len(claim_now(site)) == 1


def test_a_folder_is_owned_by_one_and_only_while_it_is_there(tmp_path: Path) -> None:
    with claim.own(tmp_path) as first, claim.own(tmp_path) as second:
        assert (first, second) == (True, False)
    with claim.own(tmp_path) as again:
        assert again
    with claim.own(tmp_path / "gone") as gone:
        assert not gone


# --- a worker that dies


def test_a_file_claimed_by_a_dead_worker_is_adopted(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.drop("one.sch", schema("One"))
    with monkeypatch.context() as patch:
        patch.setattr(claim.ledger, "enter", kill)
        with pytest.raises(Killed):
            site.intake.sweep()
    assert site.batches() == []
    assert files_below(site.inbox) == []
    batches = site.sweep()
    assert (batches["one.sch"].feed, batches["one.sch"].state, titles(site)) == ("sch", "loaded", ["One"])


def test_a_folder_without_a_file_is_taken_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.drop("one.sch", schema("One"))
    with monkeypatch.context() as patch:
        patch.setattr(claim, "_take", kill)
        with pytest.raises(Killed):
            claim_now(site)
    assert len(list(site.zone.claimed.iterdir())) == 1
    assert len(claim_now(site)) == 1
    assert [batch.place for batch in site.batches()] == [f"claimed/{path.name}" for path in site.zone.claimed.iterdir()]


def test_two_workers_adopt_a_file_once(site: Site) -> None:
    for number in range(20):
        folder = site.zone.claimed / f"grades-{number}"
        folder.mkdir()
        (folder / f"{number}.sch").write_bytes(schema(f"S{number}"))
    with ThreadPoolExecutor(3) as pool:
        adopted = [number for numbers in pool.map(lambda _: claim_now(site), range(3)) for number in numbers]
    assert len(adopted) == len(set(adopted)) == len(site.batches()) == 20


# --- the inbox on another file system


@pytest.fixture
def across(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site whose inbox cannot be renamed out of."""
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.parent == site.inbox:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    return site


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
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        across.intake.sweep()
    across.sweep()
    assert ([batch.state for batch in across.batches()], titles(across)) == (["loaded"], ["One"])


# --- entries that are no plain file


def _holding_the_secret(site: Site) -> list[Path]:
    plain = [path for path in files_below(site.settings.home) if stat.S_ISREG(path.lstat().st_mode)]
    return [path for path in plain if SECRET in path.read_bytes()]


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
    assert [path for path in _holding_the_secret(site) if path.lstat().st_nlink == 1] == []
    assert site.report(special)["findings"][0]["code"] == "FILE_UNSAFE"


@pytest.mark.parametrize("kind", ["link to a file", "hard link", "pipe", "dangling link"])
def test_what_was_refused_unread_is_not_read_by_a_replay_either(site: Site, outside: Path, kind: str) -> None:
    SPECIAL[kind](site.inbox / "special.sch", outside)
    batch = site.sweep()["special.sch"]
    with pytest.raises(LandingError):
        site.intake.replay(batch.id)
    site.intake.sweep()
    assert titles(site) == []
    assert [path for path in _holding_the_secret(site) if path.lstat().st_nlink == 1] == []


@pytest.mark.parametrize("kind", ["link to a file", "dangling link", "hard link", "pipe", "socket"])
def test_an_entry_on_another_file_system_that_is_no_plain_file_is_told_and_not_read(
    across: Site, outside: Path, kind: str
) -> None:
    SPECIAL[kind](across.inbox / "special.sch", outside)
    across.drop("fine.sch", schema("Fine"))
    across.sweep()
    assert titles(across) == ["Fine"]
    assert [path for path in _holding_the_secret(across) if path.lstat().st_nlink == 1] == []
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


# --- names

ODD_NAMES: tuple[bytes, ...] = (
    b"two\nlines.sch",
    b"tab\tbell\x07.sch",
    b"\x1b[31mred.sch",
    b"-rf.sch",
    b"--help.sch",
    b" spaces around .sch",
    b"$(reboot);`id`&|.sch",
    b"<script>alert(1)</script>".replace(b"/", b"") + b".sch",
    b"{{ 7*7 }}%s%d.sch",
    b"'quotes\".sch",
    b"a\\..\\..\\etc.sch",
    b"%2e%2e%2fetc.sch",
    b"C:evil.sch",
    b"CON.sch",
    b"a...sch",
    b"a.sch.sch",
    b"UPPER.SCH",
    b"\xff\xfe\xed\xa0\x80.sch",
    b"x" * 251 + b".sch",
    "\N{GRADUATION CAP}\N{ZERO WIDTH JOINER}\N{VARIATION SELECTOR-16}.sch".encode(),
    "\N{RIGHT-TO-LEFT OVERRIDE}hcs.evil.sch".encode(),
    unicodedata.normalize("NFD", "pe\N{LATIN SMALL LETTER E WITH ACUTE}riode.sch").encode(),
    "\N{CJK UNIFIED IDEOGRAPH-6210}".encode() * 83 + b".sch",
    "\N{NO-BREAK SPACE}.sch".encode(),
)
ODD_ENDINGS: tuple[bytes, ...] = (
    b"grades.csv",
    b"noending",
    b"a.sch ",
    b"a.sch\n",
    b"sch",
    b"a.",
    b"a.sch.gz",
    b"\xff",
)


def test_a_file_of_any_name_is_taken_and_no_name_leaves_the_zone(site: Site, tmp_path: Path) -> None:
    around = {path for path in tmp_path.rglob("*") if not path.is_relative_to(site.settings.home)}
    contents = {schema(f"S{number}"): name for number, name in enumerate(ODD_NAMES)}
    for content, name in contents.items():
        Path(os.fsdecode(os.fsencode(site.inbox) + b"/" + name)).write_bytes(content)
    site.sweep()
    batches = site.batches()
    assert len(batches) == len(ODD_NAMES)
    assert {batch.state for batch in batches} == {"loaded"}
    assert {site.kept(batch).read_bytes() for batch in batches} == set(contents)
    for batch in batches:
        _assert_harmless(site, batch)
    assert len(titles(site)) == len(ODD_NAMES)
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(site.settings.home)} == around
    assert files_below(site.inbox) == []


def _assert_harmless(site: Site, batch: Batch) -> None:
    assert batch.file_name.isprintable()
    assert 0 < len(batch.file_name) <= 255
    for path in (site.kept(batch), site.intake.report_folder(batch)):
        assert path.name.isascii()
        assert path.name.startswith(f"B{batch.id:06d}-")
        assert not set(path.name) & set("/\\ \n\t:;|&$`'\"<>(){}%*?")
        assert path.parent.parent.parent == site.zone.root
    assert (site.intake.report_folder(batch) / "report.html").is_file()


def test_a_file_that_no_feed_takes_is_refused_and_kept(site: Site) -> None:
    for number, name in enumerate(ODD_ENDINGS):
        Path(os.fsdecode(os.fsencode(site.inbox) + b"/" + name)).write_bytes(b"%d" % number)
    site.sweep()
    batches = site.batches()
    assert len(batches) == len(ODD_ENDINGS)
    for batch in batches:
        assert (batch.state, batch.feed, batch.reasons) == ("refused", "", {"FILE_UNKNOWN": 1})
        assert site.kept(batch).is_relative_to(site.zone.root / "quarantine")
        _assert_harmless(site, batch)
    assert {site.kept(batch).read_bytes() for batch in batches} == {b"%d" % n for n in range(len(ODD_ENDINGS))}


def test_names_stay_out_of_the_logs_lines(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    site.drop("x\nCRITICAL forged.sch", schema("One"))
    site.sweep()
    assert titles(site) == ["One"]
    assert "forged" not in "".join(line for line in caplog.text.splitlines() if line.startswith("CRITICAL"))


# --- the same bytes


def test_the_same_bytes_under_two_names_are_loaded_once(site: Site) -> None:
    site.drop("a.sch", schema("One"))
    os.utime(site.inbox / "a.sch", (1, 1))
    site.drop("b.sch", schema("One"))
    batches = site.sweep()
    assert (batches["a.sch"].state, batches["b.sch"].state) == ("loaded", "duplicate")
    again = site.send("c.sch", schema("One"))
    for batch in (batches["b.sch"], again):
        assert (batch.duplicate_of, batch.rows_in, batch.reasons, batch.balanced) == (batches["a.sch"].id, 0, {}, True)
        assert site.kept(batch).read_bytes() == schema("One")
        assert site.report(batch)["duplicate_of"] == batches["a.sch"].id
    assert site.rows("SELECT count(*) FROM change") == [(1,)]


def test_the_same_bytes_for_another_feed_are_another_batch(site: Site) -> None:
    content = b"courseId|name|description|duedate|points|gradeSchema|optionalData\nC1|%s|||||\n"
    site.drop("a.col", content)
    site.drop("a.colnc", content)
    assert {batch.state for batch in site.sweep().values()} == {"loaded"}


def test_the_same_name_with_other_bytes_is_another_batch(site: Site) -> None:
    first, second = site.send("a.sch", schema("One")), site.send("a.sch", schema("Two"))
    assert (first.state, second.state, titles(site)) == ("loaded", "loaded", ["One", "Two"])
    assert site.kept(first) != site.kept(second)


def test_the_same_refused_bytes_are_told_as_such(site: Site) -> None:
    first, second = site.send("a.sch", b"nonsense\n"), site.send("b.sch", b"nonsense\n")
    assert (first.state, second.state, second.duplicate_of) == ("refused", "duplicate", first.id)


def test_the_same_bytes_with_another_line_end_are_other_bytes(site: Site) -> None:
    site.send("a.sch", schema("One"))
    batch = site.send("b.sch", schema("One").replace(b"\n", b"\r\n"))
    assert (batch.state, batch.unchanged, batch.created) == ("loaded", 1, 0)
