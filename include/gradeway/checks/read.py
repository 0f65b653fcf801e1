"""Reading one landed file whole: decoded, validated, duplicates judged, every row accounted for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

import pandas as pd

from gradeway.checks.decode import Decoder
from gradeway.checks.duplicates import Duplicates
from gradeway.checks.validate import validate
from gradeway.feeds.spec import FeedSpec
from gradeway.reasons import Finding, Level, Reason
from gradeway.settings import Settings


class CheckedFile:
    """The checked content of one file.

    Iterate `slices` to its end; then ``rows``, ``findings``, ``sha256`` and `excluded` are
    complete. The file is opened a second time only if keys meet.

    Raises:
        FileDefectError: from `slices`, when the file cannot be used as a whole.
    """

    def __init__(self, open_file: Callable[[], BinaryIO], spec: FeedSpec, settings: Settings) -> None:
        self._open = open_file
        self._spec = spec
        self._settings = settings
        self.contract = spec.build(settings)
        self.rows = 0
        self.sha256 = ""
        self.findings: list[Finding] = []
        self.header_line = b""

    def slices(self) -> Iterator[pd.DataFrame]:
        """Yield the rows that keep the contract, with their line numbers as index, no two of one key.

        A row that was yielded can turn out to be contradicted by a later one: see `excluded`.
        """
        duplicates = Duplicates(self._spec, self._settings)
        with self._open() as stream:
            decoder = Decoder(stream, self._spec, self._settings)
            self.header_line = decoder.header_line
            for piece in decoder:
                good, found = validate(piece.frame, self.contract)
                self.rows += piece.rows
                self.findings += piece.findings + found
                yield duplicates.first_of(good)
            self.sha256 = decoder.sha256
            self.findings += decoder.findings
        found, rest = duplicates.compare(self._again)
        self.findings += found
        yield from rest

    def _again(self) -> Iterator[pd.DataFrame]:
        with self._open() as stream:
            for piece in Decoder(stream, self._spec, self._settings):
                yield validate(piece.frame, self.contract)[0]

    @property
    def rejected(self) -> set[int]:
        """Lines that broke a rule."""
        return {f.line for f in self.findings if f.reason.level is Level.ROW and f.line is not None}

    @property
    def repeated(self) -> set[int]:
        """Lines that say again what an earlier line said."""
        return {f.line for f in self.findings if f.reason is Reason.DUPLICATE_COLLAPSED and f.line is not None}

    @property
    def excluded(self) -> set[int]:
        """Lines among the yielded ones that must not be loaded."""
        return {f.line for f in self.findings if f.reason is Reason.DUPLICATE_CONFLICT and f.line is not None}
