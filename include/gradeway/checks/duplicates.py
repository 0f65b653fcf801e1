"""Rows of one file that share a key: the same row twice, or two rows that contradict.

The first pass keeps eight bytes a row, a hash of its key. Only when two hashes meet is the file
read again, and then the rows behind those hashes are compared exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
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
        self._seen: list[Hashes] = []

    def watch(self, frame: pd.DataFrame) -> None:
        """Remember the keys of a slice."""
        self._seen.append(np.sort(self._hash(frame)))

    def suspects(self) -> Hashes:
        """Return the hashes that more than one row has."""
        # the stable sort takes the sorted slices as they are and merges them
        every = np.sort(np.concatenate(self._seen), kind="stable") if self._seen else np.empty(0, dtype=np.uint64)
        return np.unique(every[1:][every[1:] == every[:-1]])

    def compare(self, frames: Iterable[pd.DataFrame], suspects: Hashes) -> list[Finding]:
        """Return what is found on the rows behind suspect hashes, reading the slices again."""
        groups: dict[tuple[str, ...], dict[int, Any]] = {}
        for frame in frames:
            alike = frame.loc[np.isin(self._hash(frame), suspects)]
            for line, row in alike.to_dict("index").items():
                key = tuple(row[name] for name in self._key)
                groups.setdefault(key, {})[int(str(line))] = self._values(row)
        return [finding for group in groups.values() for finding in _judge(group)]

    def _hash(self, frame: pd.DataFrame) -> Hashes:
        return pd.util.hash_pandas_object(frame[self._key], index=False).to_numpy()

    def _values(self, row: dict[Any, str]) -> dict[str, Any]:
        return {
            name: self._columns[name].metadata["parser"](cell) if cell else None
            for name, cell in row.items()
            if name not in self._key
        }


def _judge(group: dict[int, Any]) -> list[Finding]:
    first, *others = group
    if all(group[line] == group[first] for line in others):
        return [Finding(Reason.DUPLICATE_COLLAPSED, line, "", f"the same as line {first}") for line in others]
    places = ", ".join(str(line) for line in list(group)[:5])
    return [Finding(Reason.DUPLICATE_CONFLICT, line, "", f"lines {places}") for line in group]
