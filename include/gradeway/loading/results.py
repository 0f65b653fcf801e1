"""Results into the store: each becomes a value of the column that takes it, and from there is a value like any."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pandas as pd
from sqlalchemy import delete, insert

from gradeway.feeds import cells
from gradeway.feeds.results import parse_maximum, parse_score
from gradeway.loading.base import Job, Waiting, chunks, park
from gradeway.loading.declared import Named, Taker, takers
from gradeway.loading.values import ValueLoader
from gradeway.reasons import Finding, Reason
from gradeway.store.exams import ResultRow
from gradeway.store.ledger import Tally
from gradeway.store.models import RESULT

PLACES = 5
NAME_LIMIT = 333
# What a row says of where its value comes from.
OF_ATTEMPT = ("system", "session", "assessment", "schedule", "attempt", "rule")
# What a finding on a value is called in a file of results.
OWN_COLUMNS = {"name": "session", "value": "score"}

Cells = dict[str, str]


def value_of(score: Decimal, maximum: Decimal, points: Decimal) -> str:
    """Return the value that a score is in a column worth so many points: exact, then half up to 5 places."""
    if maximum == points:
        return format(cells.canonical(score), "f")
    scaled = Fraction(score) * Fraction(points) / Fraction(maximum) * 10**PLACES
    whole, rest = divmod((2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator), 10**PLACES)
    return format(cells.canonical(Decimal(f"{whole}.{rest:0{PLACES}}")), "f")


class ResultLoader:
    """Loads .results rows."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._values = ValueLoader(job)
        self._ready: dict[int, Cells] = {}
        self._takers: dict[Named, list[Taker]] = {}
        self._waiting: dict[int, Cells] = {}
        self._ambiguous: set[int] = set()
        # by grade the rows that are for it, and what they say: sessions may share a column
        self._said: dict[tuple[str, str, str], dict[int, str]] = defaultdict(dict)

    def add(self, frame: pd.DataFrame) -> None:
        """Find the column of each row of a slice, and its value there."""
        rows = {int(str(line)): {str(name): str(cell) for name, cell in row.items()} for line, row in _by_line(frame)}
        self._find_takers({_named(row) for row in rows.values()})
        self._ready |= {line: value for line, row in rows.items() if (value := self._value(line, row))}

    def _find_takers(self, wanted: Collection[Named]) -> None:
        new = [named for named in wanted if named not in self._takers]
        if new:
            self._takers |= takers(self._job.connection, self._job.settings, new)

    def _value(self, line: int, row: Cells) -> Cells | None:
        """Return a row as a row of values; its own cells stay with it."""
        found = self._takers[_named(row)]
        if not found:
            self._waiting[line] = row
        elif len(found) > 1:
            self._ambiguous.add(line)
        if len(found) != 1:
            return None
        [taker] = found
        value = value_of(parse_score(row["score"]), parse_maximum(row["maximum"]), taker.points)
        self._said[*taker.place, row["learner"]][line] = value
        return row | {
            "courseId": taker.place.course,
            "userId": row["learner"],
            "name": taker.place.name,
            "value": value,
        }

    def drop(self, lines: Collection[int]) -> None:
        """Forget rows, and what was found on them."""
        self._ambiguous.difference_update(lines)
        for line in lines:
            self._waiting.pop(line, None)
            self._ready.pop(line, None)
        for said in self._said.values():
            for line in lines & said.keys():
                del said[line]

    def finish(self) -> Tally:
        """Write the values that differ."""
        repeated, contradicted = self._judge()
        told = {finding.line for finding in (*repeated, *contradicted)}
        ready = {line: row for line, row in self._ready.items() if line not in told}
        if ready:
            self._values.add(pd.DataFrame.from_dict(ready, orient="index", dtype=object))
            self._remember(ready)
        park(self._job, [self._parked(line, row) for line, row in self._waiting.items()])
        tally = self._values.finish()
        ambiguous = [Finding(Reason.COLUMN_AMBIGUOUS, line, OWN_COLUMNS["name"]) for line in sorted(self._ambiguous)]
        tally.rejected += len(ambiguous) + len(contradicted)
        tally.duplicates += len(repeated)
        tally.unchanged += len(repeated)
        tally.parked += len(self._waiting)
        tally.findings = [*_own(tally.findings), *ambiguous, *contradicted, *repeated]
        return tally

    def _remember(self, ready: Mapping[int, Cells]) -> None:
        """Keep which attempts the rows tell, which the values alone do not say."""
        rows = [
            {"batch_id": self._job.batch_id, "line": line} | {name: row.get(name, "") for name in OF_ATTEMPT}
            for line, row in ready.items()
        ]
        for some in chunks(rows):
            lines = [row["line"] for row in some]
            known = (ResultRow.batch_id == self._job.batch_id, ResultRow.line.in_(lines))
            self._job.session.execute(delete(ResultRow).where(*known))
            self._job.session.execute(insert(ResultRow), list(some))

    def _judge(self) -> tuple[list[Finding], list[Finding]]:
        """Return what is found on rows for the same grade: those that repeat, those that contradict."""
        repeated: list[Finding] = []
        contradicted: list[Finding] = []
        for said in self._said.values():
            first, *others = sorted(said) or [0]
            if len(set(said.values())) > 1:
                places = ", ".join(str(line) for line in (first, *others[:4]))
                detail = f"lines {places} are for the same grade"
                contradicted += [Finding(Reason.DUPLICATE_CONFLICT, line, "", detail) for line in (first, *others)]
            else:
                detail = f"the same as line {first}"
                repeated += [Finding(Reason.DUPLICATE_COLLAPSED, line, "", detail) for line in others]
        return repeated, contradicted

    def _parked(self, line: int, row: Cells) -> Waiting:
        settings, named = self._job.settings, _named(row)
        keys = (settings.results_session_key, settings.results_assessment_key)
        name = " or ".join(f"{key}={text}" for key, text in zip(keys, named, strict=True) if text)
        return Waiting(line, row, RESULT, name[:NAME_LIMIT])


def _by_line(frame: pd.DataFrame) -> Iterable[tuple[object, Mapping[object, object]]]:
    return frame.to_dict("index").items()


def _named(row: Cells) -> Named:
    return Named(row["session"], row["assessment"])


def _own(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings on values as findings on results; that a score is above its maximum was told already."""
    kept = (finding for finding in findings if finding.reason is not Reason.VALUE_ABOVE)
    return [replace(finding, column=OWN_COLUMNS.get(finding.column, finding.column)) for finding in kept]
