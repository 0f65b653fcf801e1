"""Files to upload: what they hold, and how they change while they are being sent."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any, BinaryIO

from fixtures.scripted_server import Asked

CONTENT = b"Quagga-secret\x00\r\n--" + bytes(range(256)) * 2000


@dataclass(frozen=True)
class File:
    """A file as it was seen before it was sent."""

    path: Path
    size: int
    sha256: str

    @classmethod
    def of(cls, path: Path, content: bytes = CONTENT) -> File:
        path.write_bytes(content)
        return cls(path, len(content), hashlib.sha256(content).hexdigest())

    def open(self) -> BinaryIO:
        return self.path.open("rb")


class Meddled:
    """An open file to which something happens after some bytes of it were read."""

    def __init__(self, file: BinaryIO, after: int, deed: Callable[[], object]) -> None:
        self._file, self._after, self._deed = file, after, deed

    def __enter__(self) -> Meddled:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, count: int) -> bytes:
        if self._deed and self._file.tell() >= self._after:
            deed, self._deed = self._deed, None
            deed()
        return self._file.read(count)


def meddled(file: File, deed: Callable[[Path], object], after: int = 100_000) -> Callable[[], Any]:
    """Open a file to which something happens on the way."""
    return lambda: Meddled(file.path.open("rb", buffering=0), after, lambda: deed(file.path))


def grow(path: Path) -> None:
    with path.open("ab") as stream:
        stream.write(b"more")


def shrink(path: Path) -> None:
    os.truncate(path, 200_000)


def overwrite(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.seek(300_000)
        stream.write(b"changed")


def part(asked: Asked) -> Message:
    """Return the one part of a form, by a reader that is not ours."""
    head = f"Content-Type: {asked.headers['Content-Type']}\r\n\r\n".encode()
    form = message_from_bytes(head + asked.body)
    assert form.is_multipart()
    (only,) = form.get_payload()
    assert isinstance(only, Message)
    return only
