"""The folder from which an importer of flat files takes them away.

Each file appears whole: it is written beside under a hidden name, and renamed. Whether a file was
placed can be told by its hidden one alone, as the importer may have taken it the next moment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from gradeway.errors import OutgoingError
from gradeway.landing.zone import sync

NAME = re.compile(r"gradeway_\d{8}T\d{6}Z_\d{4,}\.([a-z]+)")
DRAFT = re.compile(rf"\.({NAME.pattern})\.part")
MARKER = ".gradeway"  # shows that this is the folder that was written to before, and no empty mount point
MODE = 0o640  # grades are for the importer's group, and nobody else


class Outgoing:
    """One folder of files for an importer.

    Raises:
        OutgoingError: from each method, when the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def check(self, *, is_known: bool) -> None:
        """See that the folder is there; one that is known from earlier files has to be the same.

        Whoever looked for a file in another folder would take it for one that was taken away.
        """
        marker = self.folder / MARKER
        with self._usable():
            self._entries()  # tells more than whether it exists
            if is_known and not marker.exists():
                msg = (
                    f"{self.folder} is not the folder that files were put into before, as it has no file {MARKER}: "
                    f"see that it is mounted; if it is the right one, make the empty file {marker}"
                )
                raise OutgoingError(msg)

    def prepare(self, *, is_known: bool) -> None:
        """See that the folder is there and the right one, and mark it."""
        self.check(is_known=is_known)
        with self._usable():
            (self.folder / MARKER).touch(MODE)

    def stage(self, name: str, content: bytes) -> None:
        """Write a file under its hidden name, so that it outlives a power cut."""
        with self._usable():
            descriptor = os.open(self._draft(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
            try:
                with os.fdopen(descriptor, "wb") as out:
                    out.write(content)
                    out.flush()
                    os.fsync(out.fileno())
            except OSError:
                self._draft(name).unlink(missing_ok=True)  # a full disk needs the room
                raise
            sync(self.folder)

    def place(self, name: str) -> None:
        """Let a file that was staged appear; does nothing the second time."""
        with self._usable():
            if self._draft(name).exists():
                if os.path.lexists(self.folder / name):
                    msg = f"{self.folder / name} is there already, and not by us: take it away"
                    raise OutgoingError(msg)
                self._draft(name).rename(self.folder / name)
            sync(self.folder)

    def drop_drafts(self, but: Collection[str]) -> None:
        """Delete what earlier runs staged in vain, but for some names."""
        with self._usable():
            for entry in self._entries():
                draft = DRAFT.fullmatch(entry)
                if draft and draft[1] not in but:
                    (self.folder / entry).unlink(missing_ok=True)

    def waiting(self) -> list[str]:
        """Return the names of our files that were not taken away yet, the oldest first."""
        with self._usable():
            return sorted(filter(NAME.fullmatch, self._entries()))

    def _entries(self) -> list[str]:
        return [path.name for path in self.folder.iterdir()]

    def _draft(self, name: str) -> Path:
        return self.folder / f".{name}.part"

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            msg = (
                f"flat files cannot be put into {self.folder}: {error.strerror}; see that it is there, has room and "
                "may be written to (GRADEWAY_PUBLISH_FILES_FOLDER); nothing is lost, and the next run goes on"
            )
            raise OutgoingError(msg) from None


def feed_of(name: str) -> str:
    """Return the feed of one of our files."""
    return name.rpartition(".")[2]
