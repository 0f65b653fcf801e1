"""Rows of one file that share a key: the same row twice, or two rows that contradict.

The first pass keeps eight bytes a row, a hash of its key, and holds back each row whose hash was
seen before. Only when it held some back is the file read again, and then the rows behind those
hashes are compared exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gradeway.feeds.spec import FeedSpec
from gradeway.reasons import Finding, Reason
from gradeway.settings import Settings

Hashes = npt.NDArray[Any]


class Duplicates:
    """Watches the keys of one file's valid rows."""

    def __init__(self, spec: FeedSpec, settings: Settings) -> None:
        self._key = list(spec.key)
        self._columns = spec.build(settings).columns
        self._runs: list[Hashes] = []  # sorted, each longer than the next
        self._suspects: set[int] = set()
        self._held_back: set[int] = set()

    def first_of(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a slice whose keys were not seen before; the others are held back."""
        hashes = self._hash(frame)
        run = np.sort(hashes)
        met = [run[_among(run, earlier)] for earlier in self._runs]
        self._remember(run)
        if (run[1:] != run[:-1]).all() and not any(map(len, met)):
            return frame
        again = pd.Series(hashes).duplicated().to_numpy() | np.isin(hashes, np.concatenate([*met, run[:0]]))
        self._suspects.update(hashes[again].tolist())
        self._held_back.update(frame.index[again].tolist())
        return frame.loc[~again]

    def _remember(self, run: Hashes) -> None:
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            # the stable sort takes sorted runs as they are and merges them
            run = np.sort(np.concatenate((self._runs.pop(), run)), kind="stable")
        if len(run):
            self._runs.append(run)

    def compare(self, again: Callable[[], Iterable[pd.DataFrame]]) -> tuple[list[Finding], Iterator[pd.DataFrame]]:
        """Return what is found on the rows that share a key, and the rows that were held back in vain.

        ``again`` yields the slices once more.
        """
        if not self._held_back:
            return [], iter(())
        suspects = np.sort(np.fromiter(self._suspects, dtype=np.uint64))
        groups: dict[tuple[str, ...], _Group] = {}
        for frame in again():
            alike = frame.loc[_among(self._hash(frame), suspects)]
            names = [name for name in alike.columns if name not in self._key]
            texts = {name: alike[name].to_numpy(dtype=object) for name in alike.columns}
            keys = zip(*(texts[name] for name in self._key), strict=True)
            rows = zip(*(texts[name] for name in names), strict=True) if names else repeat(())
            for line, key, cells in zip(alike.index.tolist(), keys, rows, strict=False):
                group = groups.setdefault(key, _Group(cells))
                group.lines.append(line)
                group.agree = group.agree and (cells == group.cells or self._agree(names, cells, group.cells))
        findings = [finding for group in groups.values() for finding in group.judge()]
        in_vain = list(self._held_back.difference(finding.line for finding in findings if finding.line))
        return findings, (frame.loc[frame.index.isin(in_vain)] for frame in (again() if in_vain else ()))

    def _agree(self, names: Sequence[str], some: tuple[str, ...], others: tuple[str, ...]) -> bool:
        """Tell whether cells say the same, however they are written."""
        return all(
            cell == other or (cell and other and self._value(name, cell) == self._value(name, other))
            for name, cell, other in zip(names, some, others, strict=True)
        )

    def _value(self, name: str, cell: str) -> object:
        return self._columns[name].metadata["parser"](cell)

    def _hash(self, frame: pd.DataFrame) -> Hashes:
        return pd.util.hash_pandas_object(frame[self._key], index=False).to_numpy()


def _among(some: Hashes, run: Hashes) -> npt.NDArray[np.bool_]:
    """Tell which of some hashes are in a sorted run."""
    places = np.searchsorted(run, some)
    found: npt.NDArray[np.bool_] = run[np.minimum(places, len(run) - 1)] == some
    return found


@dataclass(slots=True)
class _Group:
    """The rows of one key: the cells of the first, all lines, and whether they say the same."""

    cells: tuple[str, ...]
    lines: list[int] = field(default_factory=list)
    agree: bool = True

    def judge(self) -> Iterator[Finding]:
        first, *others = self.lines
        if self.agree:
            yield from (Finding(Reason.DUPLICATE_COLLAPSED, line, "", f"the same as line {first}") for line in others)
        else:
            places = ", ".join(str(line) for line in self.lines[:5])
            yield from (Finding(Reason.DUPLICATE_CONFLICT, line, "", f"lines {places}") for line in self.lines)
