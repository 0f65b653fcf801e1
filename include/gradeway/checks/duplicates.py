"""Rows of one file that share a key: the same row twice, or two rows that contradict.

The first pass keeps eight bytes a row, a hash of its key, and holds back each row whose hash was
seen before. Only when it held some back is the file read again, and then the rows behind those
hashes are compared exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

    def compare(self, frames: Iterable[pd.DataFrame]) -> tuple[list[Finding], Iterator[pd.DataFrame]]:
        """Return what is found on the rows that share a key, and the rows that were held back in vain."""
        if not self._held_back:
            return [], iter(())
        suspects = np.array(list(self._suspects), dtype=np.uint64)
        alike = [frame.loc[np.isin(self._hash(frame), suspects)] for frame in frames]
        groups: dict[tuple[str, ...], dict[int, Any]] = {}
        for frame in alike:
            for line, row in frame.to_dict("index").items():
                key = tuple(row[name] for name in self._key)
                groups.setdefault(key, {})[int(str(line))] = self._values(row)
        findings = [finding for group in groups.values() for finding in _judge(group)]
        in_vain = self._held_back.difference(finding.line for finding in findings if finding.line)
        return findings, (frame.loc[frame.index.isin(list(in_vain))] for frame in alike if in_vain)

    def _hash(self, frame: pd.DataFrame) -> Hashes:
        return pd.util.hash_pandas_object(frame[self._key], index=False).to_numpy()

    def _values(self, row: dict[Any, str]) -> dict[str, Any]:
        return {
            name: self._columns[name].metadata["parser"](cell) if cell else None
            for name, cell in row.items()
            if name not in self._key
        }


def _among(some: Hashes, run: Hashes) -> npt.NDArray[np.bool_]:
    """Tell which of some sorted hashes are in a sorted run."""
    places = np.searchsorted(run, some)
    found: npt.NDArray[np.bool_] = run[np.minimum(places, len(run) - 1)] == some
    return found


def _judge(group: dict[int, Any]) -> list[Finding]:
    first, *others = group
    if all(group[line] == group[first] for line in others):
        return [Finding(Reason.DUPLICATE_COLLAPSED, line, "", f"the same as line {first}") for line in others]
    places = ", ".join(str(line) for line in list(group)[:5])
    return [Finding(Reason.DUPLICATE_CONFLICT, line, "", f"lines {places}") for line in group]
