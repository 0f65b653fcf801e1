"""Events around publishing, drawn at random: what files, people and faults do, one after the other.

They are drawn from a number, as Hypothesis begins with what is simple, and simple events seldom meet in one grade.
"""

from __future__ import annotations

import random
from typing import Any

Event = tuple[Any, ...]
LEARNERS = ("ann", "bob", "cy")
LATER = "dee"  # comes into a course some time, or never
SHORTEST, LONGEST = 8, 18  # tales, in events
QUIET = ("none", None)
BEGUN: list[Event] = [
    ("schema", "A=90:B=80:F=0"),
    ("column", 0, "Oral", 20, "", ""),
    ("grades", 0, "Oral", {"ann": "7", "bob": "8"}),
    ("publish", "", QUIET),
]
LETTERED: list[Event] = [
    ("schema", "A=90:B=80:F=0"),
    ("column", 0, "Oral", 20, "Letters", ""),
    ("grades", 0, "Oral", {"ann": "A", "bob": "B"}),
    ("publish", "", QUIET),
]
# How often something happens, beside the others.
WEIGHTS = {
    "grades": 4,
    "column": 2,
    "schema": 1,
    "assignment": 1,
    "undo": 1,
    "withdraw": 2,
    "say": 3,
    "teach": 3,
    "enrol": 2,
    "publish": 4,
    "clash": 2,
    "plan": 1,
    "apply": 1,
    "dispute": 3,
    "insist": 1,
    "approve": 1,
    "wait": 1,
}
FAULTS: list[dict[str, Any]] = [
    *[{"kind": "drop"}, {"kind": "drop_after"}, {"kind": "status_after", "status": 500}] * 2,
    *({"kind": "status", "status": status} for status in (400, 401, 403, 500, 503)),
    *({"kind": "status", "status": 429, "retry_after": seconds} for seconds in (0, 99_999)),
]
CALLS = ("* *", "GET *", "PATCH *", "PATCH */users/*", "POST *", "DELETE *")


class Tale:
    """Draws the events of one tale; there is a method for each that has details."""

    def __init__(self, number: int) -> None:
        self._random = random.Random(number)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of what kind the courses are."""
        return self._pick(("Classic",), ("Classic",), ("Ultra",), ("Classic", "Ultra"))  # type: ignore[no-any-return]

    @property
    def events(self) -> list[Event]:
        """What happens."""
        names = self._random.choices([*WEIGHTS], [*WEIGHTS.values()], k=self._random.randint(SHORTEST, LONGEST))
        return [*self._pick([], BEGUN, BEGUN, LETTERED), *((name, *getattr(self, f"_{name}")()) for name in names)]

    def _pick(self, *choices: Any) -> Any:  # noqa: ANN401
        return self._random.choice(choices)

    # parts of events

    @property
    def _place(self) -> int:
        return int(self._pick(0, 0, 0, 1))

    @property
    def _name(self) -> str:
        return str(self._pick("Oral", "Oral", "Oral", "Essay"))

    @property
    def _learner(self) -> str:
        return str(self._pick("ann", "ann", "bob", LATER))

    @property
    def _value(self) -> str:
        return str(self._pick("7", "8", "12.5", "0", "A", "B"))

    @property
    def _how(self) -> str:
        return str(self._pick("", "", "again", "everything"))

    @property
    def _said(self) -> Event:
        grade = ("grade", {"score": self._pick(7, 8, 5, 0)})
        return self._pick(grade, grade, ("clear", {}), ("exempt", {"exempt": self._pick(True, False)}))  # type: ignore[no-any-return]

    @property
    def _trouble(self) -> Event:
        limit = {"style": self._pick("bucket", "window"), "calls": self._random.randint(1, 20), "seconds": 100_000}
        faults = ("faults", [self._fault for _ in range(self._random.randint(1, 3))])
        kill, budget = ("kill", self._random.randint(1, 30)), ("budget", self._random.randint(0, 20))
        return self._pick(QUIET, QUIET, faults, faults, kill, budget, ("limit", limit))  # type: ignore[no-any-return]

    @property
    def _fault(self) -> dict[str, Any]:
        where = {"match": self._pick(*CALLS), "after": self._random.randint(0, 9), "times": self._pick(1, 2, 4, 8)}
        return where | self._pick(*FAULTS)

    # events

    def _schema(self) -> Event:
        return (self._pick("A=90:B=80:F=0", "A=95:B=90:F=0", "A=90:B=50:F=0"),)

    def _column(self) -> Event:
        points, schema, due = self._pick(20, 20, 50), self._pick("", "Letters"), self._pick("", "2026-12-01")
        return self._place, self._name, points, schema, due

    def _assignment(self) -> Event:
        return self._place, self._pick(20, 40)

    def _grades(self) -> Event:
        learners = {self._learner for _ in range(self._random.randint(1, 3))}
        return (
            self._place,
            self._pick(self._name, self._name, "Project"),
            {who: self._value for who in sorted(learners)},
        )

    def _undo(self) -> Event:
        return (self._random.randint(0, 9),)

    def _withdraw(self) -> Event:
        return self._place, self._name

    def _say(self) -> Event:
        return self._place, self._pick(self._name, "Project"), self._learner, self._said

    def _teach(self) -> Event:
        do, more = self._pick(
            ("rename", {"name": self._pick("Renamed", "Oral", "Essay")}),
            ("points", {"possible": self._pick(20, 30, 50)}),
            ("schema", {"schema": self._pick("Percentage", "Letters", "Score")}),
            ("delete", {}),
            ("add", {"name": self._pick("Oral", "Essay", "Project"), "possible": 20}),
        )
        return self._place, self._random.randint(0, 2), do, more

    def _enrol(self) -> Event:
        late, old = (LATER, {}), (self._learner, {})
        who = {
            "enrol": (LATER, {"populated": self._pick(True, False)}),
            "populate": late,
            "disable": old,
            "enable": old,
        }
        do = self._pick(*who)
        return self._place, do, *who[do]

    def _publish(self) -> Event:
        return self._how, self._trouble

    def _clash(self) -> Event:
        return self._place, self._learner, self._value, self._said, self._how

    def _plan(self) -> Event:
        return (self._how,)

    def _apply(self) -> Event:
        return (self._random.randint(0, 9),)

    def _dispute(self) -> Event:
        after = self._pick(("",), ("file", self._value), self._said)
        return self._place, self._learner, self._said, self._pick("keep", "take", "take"), after

    def _insist(self) -> Event:
        return self._place, self._name

    def _approve(self) -> Event:
        return (self._random.randint(0, 9),)

    def _wait(self) -> Event:
        return (self._pick(61, 90_000),)
