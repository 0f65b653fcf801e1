"""An exam PC: its folder of result files, its store, and the custody of them, against a running sandbox."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from fixtures.sandboxes import Hall
from gradeway.custody import files
from gradeway.custody.custody import Custody, Pass
from gradeway.custody.keep import Keeper
from gradeway.settings import Settings
from gradeway.store.custody import ASSESSMENTQ, Reach, ResultFile, ResultUpload
from gradeway.store.engine import Store
from gradeway.vendors.assessmentq import CONNECTION, AssessmentQ
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.transport import Manners
from vendors.profiles import profile

UPLOAD = "POST */offline-results"
ASK = "GET */offline-results"
STEADY = [time.monotonic]  # what a test may put another in the place of
CALM: dict[str, Any] = {"interval": 0, "sleep": lambda _: None, "monotonic": lambda: STEADY[-1]()}
HASTY = Manners(connect=5, read=0.5, **CALM)
PATIENT = Manners(connect=5, read=20, **CALM)


def client_of(hall: Hall, manners: Manners = HASTY, password: str = "sandbox", **changed: object) -> AssessmentQ:  # noqa: S107
    """A client of a sandbox, with the sandbox's profile changed."""
    return AssessmentQ(Endpoint(CONNECTION, hall.url, "sandbox", password, profile(**changed)), manners=manners)


def sha(content: bytes) -> str:
    """The digest of some bytes."""
    return hashlib.sha256(content).hexdigest()


@dataclass
class Pc:
    """A folder of result files under custody."""

    hall: Hall
    store: Store
    folder: Path
    client: AssessmentQ
    keeper: Keeper = field(default_factory=Keeper.as_backup)
    given: Mapping[str, Any] = field(default_factory=dict)
    changed: Mapping[str, Any] = field(default_factory=dict)  # in the client's profile

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def settings(self) -> Settings:
        return Settings.model_validate({"home": self.folder.parent, "aqr_settle_seconds": 0, **self.given})

    @property
    def custody(self) -> Custody:
        return Custody(self.store, self.client, self.settings, self.folder, self.keeper)

    def go_on(self) -> Pass:
        """One pass over what is there now."""
        return self.custody.go_on(files.look(self.folder))

    def note(self) -> None:
        """Only note what is there now."""
        self.custody.note(files.look(self.folder))

    def path(self, place: str = "exam.aqr") -> Path:
        return self.folder / place

    def write(self, content: bytes, place: str = "exam.aqr") -> bytes:
        """Write a file as another program does."""
        path = self.path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return content

    def play(self, sitting: str, *dos: str, place: str = "exam.aqr", **more: object) -> bytes:
        """Do what a participant does here, and write the file as it is then."""
        content = [self.hall.play(sitting, do, **{"size": 500} | more) for do in dos][-1]
        return self.write(content, place)

    def row(self, place: str = "exam.aqr") -> ResultFile:
        """The newest row of a file."""
        wanted = select(ResultFile).where(ResultFile.folder == str(self.folder), ResultFile.place == place)
        with self.store.session() as session:
            return session.scalars(wanted.order_by(ResultFile.id.desc()).limit(1)).one()

    def states(self) -> Counter[str]:
        """How many files the store has in which state."""
        with self.store.session() as session:
            return Counter(session.scalars(select(ResultFile.state).where(ResultFile.folder == str(self.folder))))

    def uploads(self, content: bytes) -> list[ResultUpload]:
        """What the store has of an upload, if it has one."""
        with self.store.session() as session:
            return list(session.scalars(select(ResultUpload).where(ResultUpload.sha256 == sha(content))))

    def reach(self) -> Reach:
        """What the store has of the network."""
        with self.store.session() as session:
            return session.get_one(Reach, ASSESSMENTQ)

    def names(self) -> list[str]:
        """The files in the folder, but for the watcher's own."""
        found = (path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file())
        return sorted(name for name in found if not name.startswith("."))


MakePc = Callable[..., Pc]


def sent(hall: Hall, *contents: bytes) -> list[int]:
    """How often each of these was sent, whether it had an effect or not."""
    log = Counter(entry["sha256"] for entry in hall.log() if entry["method"] == "POST")
    return [log[sha(content)] for content in contents]


def taken(hall: Hall, *contents: bytes) -> list[int]:
    """How often the server took each of these."""
    return [len(hall.get(f"offline-results?sha256={sha(content)}")["value"]) for content in contents]


def spoil(hall: Hall, kind: str, match: str = UPLOAD, **more: object) -> None:
    """Have the sandbox do something wrong with the next such request."""
    hall.act("faults", [{"match": match, "kind": kind, **more}])


def scores(hall: Hall, sitting: str) -> list[float]:
    """What the server has as the score of a sitting."""
    return [result["score"] for result in hall.every("results") if result["sitting"] == sitting]


def two_copies(hall: Hall, sitting: str) -> tuple[bytes, bytes]:
    """An older and a newer state of an exam, with the scores 2 and 9."""
    hall.play(sitting, "start")
    older, newer = (hall.play(sitting, "save", score=score, max=10) for score in (2, 9))
    return older, newer


def put_older(pc: Pc, content: bytes, place: str = "exam.aqr") -> None:
    """Write a copy that was made a day before."""
    pc.write(content, place)
    age([pc.path(place)], -86_400)


def age(paths: Iterable[Path], seconds: float) -> None:
    """Make files look changed at another time."""
    for path in paths:
        status = path.stat()
        os.utime(path, (status.st_atime, status.st_mtime + seconds))


def forbid(monkeypatch: pytest.MonkeyPatch, is_forbidden: Callable[[Path], bool]) -> None:
    """Let some folders not be read, as those of others are not; also for root, who reads all."""
    real = os.scandir

    def scandir(folder: str = ".") -> Any:  # noqa: ANN401
        if is_forbidden(Path(folder)):
            raise PermissionError(errno.EACCES, "Permission denied", folder)
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)


@contextmanager
def unprivileged(home: Path, *read_only: Path, mode: int = 0o555) -> Iterator[None]:
    """Be nobody special, as root is, and let some folders be for reading only."""
    for path in (home, *home.rglob("*")):
        path.chmod(0o777)
    for path in read_only:
        path.chmod(mode)
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)
        for path in read_only:
            path.chmod(0o755)
