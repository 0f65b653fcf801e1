"""Finding the distinct texts of a column of cells without making an object for each cell.

A cell is read as a few machine words straight from the block of bytes that holds it, and cells are
told apart by these numbers. Only the distinct texts, few as a rule, become strings.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

Longs = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]

NEWLINE = 10
WORD = 8
LONGEST = 8 * WORD  # longer cells are rare, and many words cost more than objects
MIX, SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(29)
# what is kept of a word of which only the first n bytes belong to the cell
KEEP = np.array([(1 << 8 * n) - 1 for n in range(WORD + 1)], dtype=np.uint64)


class Cells:
    """The cells of a block of plain lines: so many to a line, every one ended by one byte.

    ``ends`` has where each cell ends, one row for each line. No cell holds a NUL byte.
    """

    @classmethod
    def of_lines(cls, block: bytes) -> Cells:
        """Return lines that are one cell each."""
        return cls(block, np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == NEWLINE)[:, None])

    def __init__(self, block: bytes, ends: Longs) -> None:
        self._block = block
        self._ends = ends
        self._starts = np.concatenate(([0], ends.ravel()[:-1] + 1)).reshape(ends.shape)
        padded = np.frombuffer(block + bytes(WORD), dtype=np.uint8)
        # every place in the block seen as a word that begins there
        self._words: Words = np.ndarray(len(block), dtype="<u8", buffer=padded, strides=(1,))

    def distinct(self, column: int) -> tuple[Longs, list[str]]:
        """Return each line's place among the distinct texts of a column, and those texts."""
        starts, ends = self._starts[:, column].copy(), self._ends[:, column].copy()
        found = None if (ends - starts).max() > LONGEST else self._codes(starts, ends - starts)
        if found is None:
            return self._by_object(starts, ends)
        codes, first = found
        return codes, self._texts(starts[first], ends[first])

    def _codes(self, starts: Longs, lengths: Longs) -> tuple[Longs, Longs] | None:
        """Return the cells' codes and where each code stands first; None if two digests met."""
        words = [self._word(starts, lengths, place) for place in range(0, max(int(lengths.max()), 1), WORD)]
        digest = words[0]
        for word in words[1:]:
            digest = (digest * MIX) ^ (digest >> SHIFT) ^ word
        codes, distinct = pd.factorize(digest.view(np.int64))
        first = np.empty(len(distinct), dtype=np.int64)
        first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # of equal places the last written stays
        # a single word is the cell itself, several could have met in one digest
        exact = len(words) == 1 or all((word == word[first][codes]).all() for word in words)
        return (codes, first) if exact else None

    def _word(self, starts: Longs, lengths: Longs, offset: int) -> Words:
        word = self._words[np.minimum(starts + offset, len(self._words) - 1)]
        word &= KEEP[np.clip(lengths - offset, 0, WORD)]
        return word

    def _by_object(self, starts: Longs, ends: Longs) -> tuple[Longs, list[str]]:
        seen: dict[bytes, int] = {}
        spans = zip(starts.tolist(), ends.tolist(), strict=True)
        codes = [seen.setdefault(self._block[start:end], len(seen)) for start, end in spans]
        return np.array(codes, dtype=np.int64), [text.decode() for text in seen]

    def _texts(self, starts: Longs, ends: Longs) -> list[str]:
        spans = zip(starts.tolist(), ends.tolist(), strict=True)
        return [self._block[start:end].decode() for start, end in spans]
