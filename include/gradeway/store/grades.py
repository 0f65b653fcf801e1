"""Many grades in one piece: as arrays, and as records of COPY's binary format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gradeway.words import Cells

Ints = npt.NDArray[np.int32]
Keys = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

ROW = np.dtype([("column", "i4"), ("learner", "i4"), ("line", "i4"), ("code", "i4")])
KEY = 1 << 32  # a grade's key in one number: its column times this, and its learner
PIECE = 8192  # rows
# records are laid out at the width of the longest value among them, so a long value must not widen all
WIDTHS = (8, 32, 128, 512, 2048, 1 << 20)


@dataclass(frozen=True)
class Grades:
    """Some grades: for each its ids, its line, and the place of its value among the texts."""

    rows: npt.NDArray[Any]
    texts: Sequence[str]

    @classmethod
    def of(cls, columns: Ints, learners: Ints, lines: Ints, codes: npt.NDArray[Any], texts: Sequence[str]) -> Grades:
        """Put grades together from one array for each of their parts."""
        rows = np.empty(len(lines), dtype=ROW)
        rows["column"], rows["learner"], rows["line"], rows["code"] = columns, learners, lines, codes
        return cls(rows, texts)

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, wanted: Mask) -> Grades:
        """Return some of the grades."""
        return Grades(self.rows[wanted], self.texts)

    def sorted(self) -> Grades:
        """Return the grades in the order of their keys, in which an index takes them fastest."""
        return Grades(self.rows[np.argsort(self.keys, kind="stable")], self.texts)

    @property
    def keys(self) -> Keys:
        """One number for each grade that says which it is; numbers go up as columns and learners do."""
        keys: Keys = self.rows["column"].astype(np.int64) * KEY + self.rows["learner"]
        return keys

    def values(self) -> Iterator[str]:
        """Yield each grade's value."""
        return map(self.texts.__getitem__, self.rows["code"].tolist())

    def same_as(self, keys: Keys, values: bytes) -> Mask:
        """Tell which grades are among those given by their keys and, a line each, their values."""
        nothing: Mask = np.zeros(len(self), dtype=np.bool_)
        if not len(keys):
            return nothing
        codes, texts = Cells.of_lines(values).distinct(0)
        if len(codes) != len(keys):  # a value is more than one line: nothing can be told
            return nothing
        order, wanted = np.argsort(keys, kind="stable"), self.keys
        keys = keys[order]
        numbers: dict[str, int] = {}
        ours = np.array([numbers.setdefault(text, len(numbers)) for text in self.texts])[self.rows["code"]]
        theirs = np.array([numbers.get(text, -1) for text in texts])[codes[order]]
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        same: Mask = (keys[at] == wanted) & (theirs[at] == ours)
        return same

    def records(self, *numbers: int) -> Iterator[bytes]:
        """Yield the grades in COPY's binary format: ids, the given numbers, line, value.

        The pieces are small, so that the next is made while the database is busy with the last.
        """
        encoded = [text.encode() for text in self.texts]
        lengths = np.array([len(text) for text in encoded], dtype=np.int32)
        of_row = lengths[self.rows["code"]]
        for low, high in zip((-1, *WIDTHS), WIDTHS, strict=False):
            rows = self.rows[(low < of_row) & (of_row <= high)]
            values = np.array([text if len(text) <= high else b"" for text in encoded], dtype=np.bytes_)
            for start in range(0, len(rows), PIECE):
                some = rows[start : start + PIECE]
                yield _records(some, numbers, values[some["code"]], lengths[some["code"]])


def _records(rows: npt.NDArray[Any], numbers: Sequence[int], values: npt.NDArray[np.bytes_], lengths: Ints) -> bytes:
    """Return records of unlike lengths: laid out at one width, a mask then drops the padding."""
    fields = [rows["column"], rows["learner"], *numbers, rows["line"]]
    width = values.dtype.itemsize
    layout = [("count", ">i2"), *((f"{what}{place}", ">i4") for place in range(len(fields)) for what in ("size", "of"))]
    records = np.empty(len(rows), dtype=np.dtype([*layout, ("length", ">i4"), ("value", f"S{width}")]))
    records["count"], records["length"], records["value"] = len(fields) + 1, lengths, values
    for place, field in enumerate(fields):
        records[f"size{place}"], records[f"of{place}"] = 4, field
    flat = records.view(np.uint8).reshape(len(rows), -1)
    wanted: Mask = np.arange(flat.shape[1]) < (flat.shape[1] - width + lengths)[:, None]
    return flat[wanted].tobytes()
