"""The folders of the landing zone: the only module that knows their names.

inbox/<family>/      outsiders drop files here
claimed/<token>/     one folder a claimed file, ours alone
archive/<day>/       files that were read
archive/aqr/         result files of offline exams that were received
quarantine/<day>/    files that were refused whole
reports/<day>/<batch>/   report.json, report.html and the reject file of a batch
"""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from gradeway.errors import LandingError

RESULT_FILES = "aqr"  # the family of the result files of offline exams
SAFE = re.compile(r"[^A-Za-z0-9._-]+")
NAME_LIMIT = 80
SHOWN_LIMIT = 255


@dataclass(frozen=True)
class Zone:
    """The landing zone below one root folder."""

    root: Path

    @property
    def claimed(self) -> Path:
        """Folder of the files being worked on."""
        return self.root / "claimed"

    @property
    def reports(self) -> Path:
        """Folder of the reports and reject files."""
        return self.root / "reports"

    def inbox(self, family: str) -> Path:
        """Folder where the files of a family of feeds land."""
        return self.root / "inbox" / family

    def kept(self, batch_id: int, name: str, day: date, *, refused: bool) -> Path:
        """Path under which a batch's bytes are kept until their retention ends."""
        folder = self.root / ("quarantine" if refused else "archive") / day.isoformat()
        return folder / label(batch_id, name)

    @property
    def received(self) -> Path:
        """Folder of the result files whose exam has ended and was received; they are kept by their digests."""
        return self.root / "archive" / RESULT_FILES

    def report(self, batch_id: int, name: str, day: date) -> Path:
        """Folder of a batch's report and reject file."""
        return self.reports / day.isoformat() / label(batch_id, name)

    def prepare(self, families: tuple[str, ...]) -> None:
        """Make the folders that do not exist.

        Raises:
            LandingError: a folder cannot be made or written to; names it.
        """
        for folder in (*(self.inbox(family) for family in families), self.claimed, self.reports):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                msg = f"the landing zone cannot be used: {folder}: {error.strerror}; check GRADEWAY_LANDING"
                raise LandingError(msg) from None
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                msg = f"the landing zone cannot be used: no permission to read and write {folder}"
                raise LandingError(msg)


def label(batch_id: int, name: str) -> str:
    """Return the file-system name of a batch: its number and a harmless form of its file's name."""
    stem, dot, ending = name.rpartition(".")
    safe = SAFE.sub("_", stem if dot else name)[:NAME_LIMIT].strip("._") or "file"
    return f"B{batch_id:06d}-{safe}{dot}{SAFE.sub('_', ending)[:16]}" if dot else f"B{batch_id:06d}-{safe}"


def shown(name: str) -> str:
    """Return a sender's file name fit to be stored and shown: NFC, no control or broken characters."""
    text = unicodedata.normalize("NFC", name.encode(errors="replace").decode())
    return "".join(mark if mark.isprintable() else "?" for mark in text)[:SHOWN_LIMIT]


def sync(folder: Path) -> None:
    """Make the folder's entries durable, so that a rename outlives a power cut."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows opens no folders
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
