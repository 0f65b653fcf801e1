"""A plan: every call that makes a course's gradebook what the store says, and what a person must allow first.

A plan is of one course. Its digest stands for exactly these calls, each with what is there before
and after it; a person approves, and a run applies, a digest.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from gradeway.errors import VendorError
from gradeway.publish.reasons import PublishReason
from gradeway.publish.wanted import plain
from gradeway.store.publish import Action, GradeConflict, GradeReceipt, Kind, PublishedItem, PublishProblem

Values = dict[str, Any]
LineKey = tuple[str, str, int, int, str]
BLANK = (None, "")
RANKS = {kind: rank for rank, kind in enumerate(Kind)}
NEVER_DUE = date.max
# What of a column or schema changes how learners see all their grades in it.
REGRADING = frozenset({"possible", "schema", "symbols"})


class Risk:
    """What a brake counts, by the names that the settings have."""

    DELETIONS, DECREASES, BLANKS, CHANGES, UNMATCHED = "deletions", "decreases", "blanks", "changes", "unmatched"
    SCHEMAS = "schemas"  # every change of one that is in use: it changes what learners see of all their grades


@dataclass(frozen=True)
class Line:
    """One call: what it is about, what is there before it, and after it.

    ``before`` is None where there is nothing yet. ``value`` is our grade's, None where we have it no
    more; of schemas and columns it is which row of ours it follows from. ``seen_index`` is the change
    index of what is there. ``due`` is when what is graded is due: the earlier, the more important.
    """

    kind: Kind
    action: Action
    name: str
    entity_id: int
    after: Values
    before: Values | None = None
    remote_id: str = ""
    learner: str = field(default="", repr=False)
    learner_id: int = 0
    user_id: str = field(default="", repr=False)
    value: str | None = field(default=None, repr=False)
    seen_index: int = 0
    due: date | None = None
    risks: frozenset[str] = frozenset()

    @cached_property
    def mark(self) -> str:
        """What it does, as text: the same for the same call, whenever it is planned."""
        said = [self.kind, self.action, self.name, self.remote_id, self.learner, self.before, self.after]
        return as_text(said)

    @property
    def key(self) -> LineKey:
        """What it does, by our own ids."""
        return self.kind, self.action, self.entity_id, self.learner_id, as_text(self.after)

    @property
    def in_words(self) -> str:
        """What it changes, from what to what."""
        return in_words(self.before, self.after, self.value)


def importance(line: Line) -> tuple[int, bool, date]:
    """Return by what lines are ordered: what others need first, then grades by the date that is due."""
    return RANKS[line.kind], line.action == Action.DELETE, (line.due if line.kind == Kind.GRADE else None) or NEVER_DUE


def in_words(known: Values | None, after: Values, value: str | None = None) -> str:
    """Say what a call changes, from what to what; of a score also what was rounded, which is a ``value`` of ours."""
    before = known or {}
    changed = [
        f"{name} {readable(before[name])} -> {readable(value)}" if name in before else f"{name} {readable(value)}"
        for name, value in after.items()
        if name in before or value not in BLANK
    ]
    if value and "score" in after and Decimal(value) != Decimal(after["score"]):
        changed.append(f"rounded from {value}")
    return ", ".join(changed)


def grade_in_words(values: Values) -> str:
    """Return a grade as people write it: its text if it has one, else its score, and what is set beside it."""
    text, score = values.get("text"), values.get("score")
    shown = str(text or "")
    if score is not None:
        score = plain(Decimal(score))
        shown = f"{score} ({text})" if text and text != score else score
    return ", ".join(filter(None, (shown, *values.get("marks", ()))))


def as_text(value: object) -> str:
    """Return values as text, the same for the same values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def readable(value: object) -> str:
    """Return a value of a plan as people read it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, list):
        return str(value)
    # the symbols of a schema are lists themselves, of which the file has text and lower bound
    return "/".join(each if isinstance(each, str) else "=".join(each[:2]) for each in value)


@dataclass(frozen=True)
class Brake:
    """A limit that a plan exceeds: of what kind, where (a column's name, or the course), how many of how many.

    ``column`` is ours, 0 of the whole course. Of a schema ``where`` is its title, and counted are our
    grades that it shows, and the columns that these are in.
    """

    risk: str
    where: str
    count: int
    of: int
    column: int = 0

    @property
    def in_words(self) -> str:
        """What is too much."""
        if self.risk == Risk.SCHEMAS:
            shown = f"{self.count:,} of our grades in {self.of:,} columns" if self.of else "the grades of others"
            return f"the schema {self.where} would show {shown} otherwise"
        return (
            f"{self.count} of {self.of} {self.risk} in {self.where}"
            if self.where
            else f"{self.count} of {self.of} {self.risk}"
        )


@dataclass(frozen=True)
class Hold:
    """What held a call first: a brake, with its numbers and words of then, and since when."""

    risk: str
    column: int
    count: int
    of: int
    words: str
    since: str

    @classmethod
    def by(cls, brake: Brake, since: datetime) -> Hold:
        """Return that a brake holds a call."""
        return cls(brake.risk, brake.column, brake.count, brake.of, brake.in_words, moment(since))

    @property
    def in_words(self) -> str:
        """Since when and for what it waits."""
        return f"some of it waits for approval since {self.since}, when this was too much: {self.words}"


def moment(when: datetime) -> str:
    """Return an instant as people read it."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


@dataclass(frozen=True)
class Part:
    """Some calls of a plan, in the order in which they are made."""

    course: str
    lines: Sequence[Line]

    @cached_property
    def digest(self) -> str:
        """The sha256 of the calls."""
        found = hashlib.sha256(json.dumps(self.course).encode())
        for line in self.lines:
            found.update(f"\n{line.mark}".encode())
        return found.hexdigest()

    @property
    def counts(self) -> dict[str, int]:
        """How many calls there are of each kind and action."""
        return dict(sorted(Counter(f"{line.kind} {line.action}" for line in self.lines).items()))


@dataclass
class Made:
    """What comparing a course came to.

    ``remote_id`` is the course in the target, blank if it was not found. ``found`` are receipts of
    what was there already, ``links`` are things of ours that were found there. ``inherited``
    are columns that we have no more, and those that stand for the same now. ``forgotten`` is what the
    store need not remember any more: items, and receipts by column and learner. ``settled``
    are grades that are as they should be, so that no conflict about them is open any more. ``unmatched``
    counts by column the grades of learners who are not found there, but for those that were told before, and
    those that a person knows of. ``failure`` is why the course could not be compared at all.
    """

    course_id: int
    course: str
    remote_id: str = ""
    is_ultra: bool = False
    lines: list[Line] = field(default_factory=list)
    problems: list[PublishProblem] = field(default_factory=list)
    conflicts: list[GradeConflict] = field(default_factory=list)
    found: list[GradeReceipt] = field(default_factory=list)
    links: list[PublishedItem] = field(default_factory=list)
    inherited: dict[int, int] = field(default_factory=dict)
    forgotten_items: list[tuple[str, int]] = field(default_factory=list)
    forgotten_grades: list[tuple[int, int]] = field(default_factory=list)
    settled: list[tuple[int, int]] = field(default_factory=list)
    unmatched: Counter[int] = field(default_factory=Counter)
    failure: VendorError | None = None
    unchanged: int = 0

    def problem(
        self,
        kind: str,
        entity_id: int,
        reason: PublishReason,
        *,
        name: str = "",
        detail: str = "",
        learner_id: int = 0,
        value: str = "",
    ) -> None:
        """Note something that is not published, or not all of it."""
        self.problems.append(
            PublishProblem(
                course_id=self.course_id,
                kind=kind,
                entity_id=entity_id,
                learner_id=learner_id,
                code=reason.value,
                name=name,
                value=value,
                detail=detail,
            )
        )
