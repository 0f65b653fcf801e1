"""Grade values into the store, checked against the column they are for.

Everything is decided on distinct things: distinct columns, learners and values of a slice, and
distinct pairs of a value and a kind of column. What grows with the rows is array work.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import String, insert, select, type_coerce

from gradeway.feeds import cells
from gradeway.loading.base import Job, Waiting, park
from gradeway.reasons import Finding, Level, Reason
from gradeway.store import ledger
from gradeway.store.bulk import GradeWriter
from gradeway.store.dialects import among, listed
from gradeway.store.grades import Grades
from gradeway.store.ledger import Tally
from gradeway.store.models import COLUMN, ColumnKind, Course, GradeColumn, GradeSchema, Learner

Codes = npt.NDArray[np.intp]

REMEMBERED = 200_000
SPARSE = 8  # possible pairs for each row, from which on a table of them costs more than hashing
SHOWN_SYMBOLS = 20


@dataclass(frozen=True)
class Rules:
    """What a column accepts: numbers up to its points, and the symbols of its schema."""

    points: Decimal = Decimal(0)
    symbols: frozenset[str] | None = None
    refusal: Reason | None = None

    def expected(self, reason: Reason) -> str:
        """Say what the column takes, for a finding's remedy."""
        if reason is Reason.VALUE_ABOVE:
            return f"the points are {format(self.points, 'f')}"
        if reason is not Reason.SYMBOL_UNKNOWN:
            return ""
        if not self.symbols:
            return "the column has no schema and takes numbers only"
        return "the symbols are " + ", ".join(sorted(self.symbols)[:SHOWN_SYMBOLS])


@lru_cache(REMEMBERED)
def judge(rules: Rules, value: str) -> tuple[str, Reason | None]:
    """Return a value as the store keeps it, and what is wrong or odd about it in such a column."""
    if rules.refusal:
        return value, rules.refusal
    try:
        number = cells.canonical(cells.parse_number(value))
    except cells.CellError as error:
        if rules.symbols and value in rules.symbols:
            return value, None
        return value, error.reason if error.reason is Reason.NUMBER_COMMA else Reason.SYMBOL_UNKNOWN
    odd = Reason.VALUE_NEGATIVE if number < 0 else Reason.VALUE_ABOVE if number > rules.points else None
    return format(number, "f"), odd


@dataclass(frozen=True)
class Target:
    """A column that values are for; id 0 where there is none to take them."""

    column_id: int
    rules: Rules


MISSING = Target(0, Rules())
AMBIGUOUS = Target(0, Rules(refusal=Reason.COLUMN_AMBIGUOUS))
CALCULATED = Rules(refusal=Reason.COLUMN_CALCULATED)


class ValueLoader:
    """Loads .colncval rows."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._writer = GradeWriter(job.connection, job.batch_id, confirm=job.confirm, late=job.late)
        self._parked = 0
        self._targets: dict[str, dict[str, Target]] = {}
        self._rules: dict[tuple[str, int | None], Rules] = {}
        self._symbols: dict[int | None, frozenset[str] | None] = {None: None}
        self._learners: dict[str, int] = {}
        self._findings: list[Finding] = []

    def add(self, frame: pd.DataFrame) -> None:
        """Resolve, judge and write a slice of rows."""
        codes, targets = self._find_targets(frame)
        missing = np.array([target is MISSING for target in targets])[codes]
        if missing.any():
            self._park(frame.loc[missing])
            frame, codes = frame.loc[~missing], codes[~missing]
        if frame.empty:
            return
        texts, reasons = self._judge(frame, codes, targets)
        good = np.array([not (reason and reason.level is Level.ROW) for reason in reasons[1]])[reasons[0]]
        if not good.any():
            return
        ids = np.array([target.column_id for target in targets], dtype=np.int32)[codes[good]]
        lines = frame.index.to_numpy(dtype=np.int32)[good]
        learners = self._learner_ids(frame.loc[good, "userId"])
        self._writer.add(Grades.of(ids, learners, lines, reasons[0][good], texts))

    def drop(self, lines: Collection[int]) -> None:
        """Take rows back, and what was found on them."""
        self._writer.drop(lines)
        self._parked -= ledger.forget_parked(self._job.session, self._job.batch_id, sorted(lines))
        self._findings = [finding for finding in self._findings if finding.line not in lines]

    def finish(self) -> Tally:
        """Write the values that differ from those that stood there."""
        merged = self._writer.finish()
        older = [Finding(Reason.SUPERSEDED, line) for line in merged.superseded]
        return Tally(
            created=merged.created,
            updated=merged.updated,
            unchanged=merged.unchanged,
            superseded=len(older),
            rejected=sum(1 for finding in self._findings if finding.reason.level is Level.ROW),
            parked=self._parked,
            findings=self._findings + older,
        )

    def _find_targets(self, frame: pd.DataFrame) -> tuple[Codes, list[Target]]:
        """Return the distinct targets of the rows, and each row's place among them."""
        course_codes, courses = _codes(frame["courseId"])
        name_codes, names = _codes(frame["name"])
        if sum(len(places) for places in self._targets.values()) > REMEMBERED:
            self._targets.clear()
        self._load_targets([course for course in courses if course not in self._targets])
        codes, found = _pairs(course_codes, name_codes, len(names))
        return codes, [self._targets[courses[c]].get(names[n], MISSING) for c, n in found]

    def _load_targets(self, courses: list[str]) -> None:
        self._targets |= {course: {} for course in courses}
        points = type_coerce(GradeColumn.points, String)  # a number is made once for each text
        facts = (GradeColumn.name, GradeColumn.id, GradeColumn.kind, points, GradeColumn.schema_id)
        wanted = select(Course.source_id, *facts).join(GradeColumn, GradeColumn.course_id == Course.id)
        found = self._job.connection.execute(wanted.where(among(self._job.connection, Course.source_id, courses))).all()
        self._load_symbols({row.schema_id for row in found} - self._symbols.keys())
        for course, name, column_id, kind, points, schema_id in found:
            rules = CALCULATED if kind == ColumnKind.CALCULATED else self._rules_of(points, schema_id)
            places = self._targets[course]
            places[name] = AMBIGUOUS if name in places else Target(column_id, rules)

    def _rules_of(self, points: str, schema_id: int | None) -> Rules:
        if (points, schema_id) not in self._rules:
            self._rules[points, schema_id] = Rules(Decimal(points), self._symbols[schema_id])
        return self._rules[points, schema_id]

    def _load_symbols(self, schemas: set[int]) -> None:
        wanted = select(GradeSchema.id, GradeSchema.symbols).where(GradeSchema.id.in_(schemas))
        for schema_id, symbols in self._job.connection.execute(wanted):
            self._symbols[schema_id] = frozenset(symbol[0] for symbol in symbols)

    def _judge(
        self, frame: pd.DataFrame, codes: Codes, targets: list[Target]
    ) -> tuple[list[str], tuple[Codes, list[Reason | None]]]:
        """Return the values as kept and what was found on them, and each row's place in these lists."""
        rule_of = {rules: code for code, rules in enumerate(dict.fromkeys(target.rules for target in targets))}
        rules = list(rule_of)
        rule_codes = np.array([rule_of[target.rules] for target in targets])[codes]
        value_codes, values = _codes(frame["value"])
        inverse, found = _pairs(rule_codes, value_codes, len(values))
        judged = [(rules[rule], values[value]) for rule, value in found]
        verdicts = [judge(rule, value) for rule, value in judged]
        reasons = [reason for _, reason in verdicts]
        self._note(frame.index, inverse, [rule for rule, _ in judged], reasons)
        return [text for text, _ in verdicts], (inverse, reasons)

    def _note(self, lines: pd.Index[Any], codes: Codes, rules: list[Rules], reasons: list[Reason | None]) -> None:
        found = np.flatnonzero(np.array([reason is not None for reason in reasons])[codes])
        if not len(found):
            return
        texts = [rule.expected(reason) if reason else "" for rule, reason in zip(rules, reasons, strict=True)]
        for line, code in zip(lines[found].tolist(), codes[found].tolist(), strict=True):
            if reason := reasons[code]:
                column = "name" if rules[code].refusal else "value"
                self._findings.append(Finding(reason, line, column, texts[code]))

    def _learner_ids(self, users: pd.Series[Any]) -> npt.NDArray[np.int32]:
        codes, names = _codes(users)
        if len(self._learners) > REMEMBERED:
            self._learners.clear()
        ids = list(map(self._learners.get, names))
        if None in ids:
            self._find_learners([name for name, known in zip(names, ids, strict=True) if known is None])
            ids = list(map(self._learners.get, names))
        return np.array(ids, dtype=np.int32)[codes]

    def _find_learners(self, names: list[str]) -> None:
        self._load_learners(names)
        if new := [name for name in names if name not in self._learners]:
            self._make_learners(new)

    def _load_learners(self, names: list[str]) -> None:
        wanted = select(Learner.source_id, Learner.id).where(among(self._job.connection, Learner.source_id, names))
        self._learners |= dict(self._job.connection.execute(wanted).tuples().all())

    def _make_learners(self, names: list[str]) -> None:
        new = listed(self._job.connection, sorted(names))
        made = insert(Learner).from_select(["source_id"], new).returning(Learner.source_id, Learner.id)
        self._learners |= dict(self._job.connection.execute(made).tuples().all())

    def _park(self, frame: pd.DataFrame) -> None:
        self._parked += len(frame)
        rows = ((int(str(line)), _texts(cells)) for line, cells in frame.to_dict("index").items())
        park(self._job, (Waiting(line, row, COLUMN, row["name"], row["courseId"]) for line, row in rows))


def _texts(cells: Mapping[Any, object]) -> dict[str, str]:
    return {str(name): str(cell) for name, cell in cells.items()}


def _pairs(left: Codes, right: Codes, width: int) -> tuple[Codes, list[tuple[int, int]]]:
    """Return each row's place among the distinct pairs of two codes, the right one below a width, and those pairs."""
    numbers = left * width + right
    if (size := int(numbers.max(initial=0)) + 1) > SPARSE * len(numbers):
        codes, pairs = pd.factorize(numbers)
    else:
        places = np.zeros(size, dtype=np.intp)
        places[numbers] = 1
        pairs = np.flatnonzero(places)
        places[pairs] = np.arange(len(pairs))
        codes = places[numbers]
    return codes, [divmod(pair, width) for pair in pairs.tolist()]


def _codes(column: pd.Series[Any]) -> tuple[Codes, list[str]]:
    """Return each row's place among the column's distinct texts, and those texts."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, texts = column.cat.codes.to_numpy(), column.cat.categories
        if np.bincount(codes, minlength=len(texts)).all():
            return codes.astype(np.intp), texts.tolist()
    codes, texts = pd.factorize(column)
    return codes, texts.tolist()
