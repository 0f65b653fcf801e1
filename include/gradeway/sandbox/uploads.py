"""Files in the body of a request (multipart/form-data).

Source: RFC 7578, and RFC 2046, section 5.1, for the delimiters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from hashlib import sha256


class CutShortError(ValueError):
    """The body ends before its end."""


@dataclass(frozen=True)
class Part:
    """One part of a form; ``filename`` is None where it is no file."""

    name: str
    filename: str | None
    content: bytes

    @property
    def sha256(self) -> str:
        """The digest of the content."""
        return sha256(self.content).hexdigest()


def parts(content_type: str, body: bytes) -> list[Part]:
    """Return the parts of a form; none if the body is no form.

    Raises:
        CutShortError: the closing delimiter is missing.
        ValueError: it is not what its type says.
    """
    kind = Message()
    kind["Content-Type"] = content_type
    boundary = kind.get_boundary()
    if kind.get_content_type() != "multipart/form-data" or not boundary:
        return []
    return list(_split(boundary.encode(), body))


def _split(boundary: bytes, body: bytes) -> Iterator[Part]:
    _, *pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if not pieces or not pieces[-1].startswith(b"--"):
        msg = "the closing delimiter is missing"
        raise CutShortError(msg)
    for piece in pieces[:-1]:
        head, blank, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = BytesHeaderParser().parsebytes(head)
        name = headers.get_param("name", header="content-disposition")
        if not blank or not isinstance(name, str):
            msg = "a part has no name"
            raise ValueError(msg)
        yield Part(name, headers.get_filename(), content)
