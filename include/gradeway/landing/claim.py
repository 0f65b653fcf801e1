"""Taking files out of the inbox, so that exactly one worker owns each.

A claim is a rename into a folder of our own, held by a lock that the kernel drops when its
process dies, and then a row in the ledger. A kill between any two of these leaves either a file
in the inbox or a folder that the next sweep adopts.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from gradeway import clock, feeds
from gradeway.errors import FileDefectError
from gradeway.landing.scan import Entry, settled
from gradeway.landing.zone import Zone, shown, sync
from gradeway.reasons import Finding, Reason
from gradeway.settings import Settings
from gradeway.store import ledger
from gradeway.store.engine import Store
from gradeway.store.models import Batch, BatchState

log = logging.getLogger(__name__)

UNREAD = "unread-"  # in place of the digest of what must not be read
HEADER_LIMIT = 1 << 16
DRAFT = ".copy"  # no inbox yields a name with a leading dot


def content(folder: Path) -> Path:
    """Return the one file in a claimed folder; a copy still being made is none.

    Raises:
        FileNotFoundError: there is none.
    """
    for path in folder.iterdir():
        if path.name != DRAFT:
            return path
    raise FileNotFoundError(errno.ENOENT, "nothing was claimed", str(folder))


@contextmanager
def own(folder: Path) -> Iterator[bool]:
    """Try to own a claimed folder; yields whether this process does until the end."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):  # another worker is done with it
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield folder.exists()
    finally:
        os.close(descriptor)


def claim_all(zone: Zone, family: str, store: Store, settings: Settings) -> list[int]:
    """Claim every settled file of an inbox; return the new batches' numbers.

    Files claimed by a run that died before it could write the ledger are adopted.
    """
    batches = [batch for folder in _folders(zone, family) if (batch := _adopt(folder, zone, store))]
    for entry in settled(zone.inbox(family), settings.settle_seconds):
        batch = _try_to_claim(entry, family, zone, store)
        batches += [batch] if batch else []
    return batches


def _try_to_claim(entry: Entry, family: str, zone: Zone, store: Store) -> int | None:
    """Claim a file; a full disk leaves it to a later sweep and keeps no other from loading."""
    try:
        return _claim(entry, family, zone, store)
    except OSError as error:
        log.error("a file of %s is left to the next sweep: %s", zone.inbox(family), error.strerror)
        return None


def _folders(zone: Zone, family: str) -> list[Path]:
    return sorted(path for path in zone.claimed.iterdir() if path.is_dir() and path.name.startswith(f"{family}-"))


def _adopt(folder: Path, zone: Zone, store: Store) -> int | None:
    if ledger.knows_place(store, _place(folder, zone)):
        return None
    with own(folder) as owned:
        if not owned or ledger.knows_place(store, _place(folder, zone)):
            return None
        try:
            return _enter(folder, zone, store)
        except FileNotFoundError:
            shutil.rmtree(folder, ignore_errors=True)
            return None


def _claim(entry: Entry, family: str, zone: Zone, store: Store) -> int | None:
    folder = zone.claimed / f"{family}-{uuid.uuid4().hex}"
    folder.mkdir()
    with own(folder) as owned:
        if not owned or not _take(entry, folder / entry.name):
            shutil.rmtree(folder, ignore_errors=True)
            return None
        sync(folder)
        sync(entry.path.parent)
        return _enter(folder, zone, store)


def _take(entry: Entry, target: Path) -> bool:
    try:
        entry.path.rename(target)
    except FileNotFoundError:
        return False  # another worker was first, or its sender took it back
    except OSError as error:
        if error.errno == errno.EXDEV:
            return _take_across(entry, target)
        log.warning("a file stays in %s, it cannot be moved: %s", entry.path.parent, error.strerror)
        return False
    return True


def _take_across(entry: Entry, target: Path) -> bool:
    """Move between file systems: complete and durable there before it goes here."""
    try:
        if entry.plain:
            copy(entry.path, target)
        else:
            target.symlink_to(entry.path)  # stands for what must not be read; nothing follows it
        if entry.path.lstat().st_mtime_ns != entry.modified_ns:
            return False
        entry.path.unlink()
    except FileNotFoundError:
        return False  # its sender took it back
    return True


def copy(source: Path, target: Path) -> None:
    """Copy a file so that it appears under its name only when it is whole and durable."""
    draft = target.with_name(DRAFT)
    shutil.copyfile(source, draft)
    with draft.open("rb") as copied:
        os.fsync(copied.fileno())
    draft.rename(target)
    sync(target.parent)


def _enter(folder: Path, zone: Zone, store: Store) -> int:
    """Write the ledger row of a claimed file; same bytes as before become a duplicate."""
    path = content(folder)
    batch = Batch(
        feed="",
        file_name=shown(path.name),
        place=_place(folder, zone),
        claimed_at=clock.now(),
        state=BatchState.CLAIMED,
        reasons={},
    )
    findings: list[Finding] = []
    try:
        batch.sha256, batch.size = fingerprint(path)
        spec = feeds.of_file(path.name, first_line(path), folder.name.rpartition("-")[0])
        batch.feed = spec.name if spec else ""
        findings = [] if spec else [Finding(Reason.FILE_UNKNOWN)]
    except FileDefectError as defect:
        batch.sha256, batch.size = f"{UNREAD}{uuid.uuid4().hex}", 0
        findings = [Finding(defect.reason, None, "", defect.detail)]
    batch_id = ledger.enter(store, batch, findings)
    log.info("claimed batch %d (%s)", batch_id, batch.feed or "no feed")
    return batch_id


def _place(folder: Path, zone: Zone) -> str:
    return str(folder.relative_to(zone.root))


def first_line(path: Path) -> str:
    """Return the first line of a plain file, by which feeds of one ending are told apart.

    Raises:
        FileDefectError: see `open_plain`.
    """
    with open_plain(path) as stream:
        return stream.readline(HEADER_LIMIT).decode("utf-8-sig", errors="replace").strip()


def fingerprint(path: Path) -> tuple[str, int]:
    """Return the sha256 and size in bytes of a plain file.

    Raises:
        FileDefectError: see `open_plain`.
    """
    with open_plain(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest(), stream.tell()


def open_plain(path: Path, *, kept: bool = False) -> BufferedReader:
    """Open a plain file for reading, following no link and waiting for no device.

    A kept file may have second names, as backups make them; a landed one could change under them.

    Raises:
        FileDefectError: it is a link, a device, unreadable, or a landed file with a second name.
    """
    try:
        stream = open(path, "rb", opener=_open)  # noqa: SIM115  the caller closes it
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO, errno.EMLINK, errno.EOPNOTSUPP}:
            raise FileDefectError(Reason.FILE_UNSAFE, "a link or a device") from None
        if error.errno in {errno.EACCES, errno.EPERM}:
            raise FileDefectError(Reason.FILE_UNSAFE, "no permission to read it") from None
        raise
    status = os.fstat(stream.fileno())
    if stat.S_ISREG(status.st_mode) and (kept or status.st_nlink == 1):
        return stream
    stream.close()
    raise FileDefectError(Reason.FILE_UNSAFE, "not a plain file with one name")


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
