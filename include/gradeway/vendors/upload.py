"""A file as the body of one request: streamed, and complete only if it is the file that was meant.

The last piece of the file leaves only after all of it was found to have the size and the hash
that were announced. So a service never gets a whole request with other bytes, even if the file
is written to, cut or deleted while it is being sent.
"""

from __future__ import annotations

import errno
import hashlib
import secrets
from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeVar

from urllib3.fields import format_multipart_header_param

from gradeway.errors import FileChangedError

T = TypeVar("T")

PIECE = 16384
OCTETS = "application/octet-stream"


class FileBody:
    """A file as the body of one request: one part of a form, or the bare bytes if ``field`` is empty.

    ``is_complete`` tells whether the service may have got all of it. ``beat`` is called with each piece.
    """

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        size: int,
        sha256: str,
        field: str = "",
        beat: Callable[[], object] = lambda: None,
    ) -> None:
        """Prepare to send; nothing is read yet.

        Raises:
            ValueError: there is nothing to send.
        """
        if size < 1:
            msg = "an empty file cannot be sent"
            raise ValueError(msg)
        self.is_complete = False
        self._file, self._size, self._sha256 = file, size, sha256.lower()
        self._head = self._tail = b""
        self._beat = beat
        self.content_type = OCTETS
        if field:
            boundary = secrets.token_hex(16)
            self.content_type = f"multipart/form-data; boundary={boundary}"
            self._head = _part_header(boundary, field, name)
            self._tail = f"\r\n--{boundary}--\r\n".encode()

    def __len__(self) -> int:
        """Return how many bytes the whole body has."""
        return len(self._head) + self._size + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body piece by piece.

        Raises:
            FileChangedError: the file is not what was announced; then its end was held back.
        """
        digest, left, held = hashlib.sha256(), self._size, self._head
        while left and (piece := self._read(min(PIECE, left))):
            digest.update(piece)
            left -= len(piece)
            yield held
            self._beat()
            held = piece
        if msg := self._difference(left, digest.hexdigest()):
            raise FileChangedError(msg)
        self.is_complete = True
        yield held + self._tail

    def _difference(self, left: int, found: str) -> str:
        if left:
            return "the file is shorter than it was"
        if self._read(1):
            return "the file is longer than it was"
        return "" if found == self._sha256 else "the file holds other bytes than it did"

    def _read(self, count: int) -> bytes:
        return _unless_gone(lambda: self._file.read(count))


def opened(open_file: Callable[[], BinaryIO]) -> BinaryIO:
    """Open a file that is to be sent.

    Raises:
        FileChangedError: it is gone or cannot be read.
    """
    return _unless_gone(open_file)


def _unless_gone(action: Callable[[], T]) -> T:
    try:
        return action()
    except FileNotFoundError:
        msg = "the file is gone"
    except OSError as error:  # urllib3 would take it for one of the connection
        msg = f"the file cannot be read ({errno.errorcode.get(error.errno or 0, 'no code')})"
    raise FileChangedError(msg)


def _part_header(boundary: str, field: str, name: str) -> bytes:
    names = f"{format_multipart_header_param('name', field)}; {format_multipart_header_param('filename', name)}"
    lines = (f"--{boundary}", f"Content-Disposition: form-data; {names}", f"Content-Type: {OCTETS}", "", "")
    return "\r\n".join(lines).encode("utf-8", "replace")
