"""Made-up data of one term in the six file kinds, of any size, the same for the same seed.

Nothing in it is anyone's: courses are subjects with a number, learners are STU000123.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gradeway.demo.samples import HEADERS, write

SUBJECTS = ("ART", "BIO", "CHE", "ECO", "GEO", "HIS", "LAW", "MAT", "MUS", "PHI", "PHY", "SOC")
COURSES_OF_A_LEARNER = 6
SCHEMAS = {
    "Letters": "A=90:B=80:C=70:D=60:F=0",
    "Honours": "First=70:Upper second=60:Lower second=50:Third=40:Fail=0",
    "Pass or fail": "P=50:F=0",
}
FINAL, TOTAL = "Final grade", "Course total"


@dataclass(frozen=True)
class Kind:
    """A kind of column that takes values: the feed that makes it and the values it gets."""

    name: str
    feed: str
    points: int
    schema: str
    values: tuple[str, ...]


def _tenths(low: int, high: int) -> tuple[str, ...]:
    return tuple(f"{tenth // 10}.{tenth % 10}" for tenth in range(low * 10, high * 10 + 1))


def _symbols(schema: str) -> tuple[str, ...]:
    return tuple(symbol.partition("=")[0] for symbol in SCHEMAS[schema].split(":"))


KINDS = (
    Kind(FINAL, "colnc", 100, "Letters", _tenths(25, 100)),
    Kind("Essay", "asg", 100, "Honours", _symbols("Honours")),
    Kind("Midterm exam", "colnc", 20, "", tuple(f"{half // 2}{'.5' * (half % 2)}" for half in range(41))),
    Kind("Project", "asg", 10, "", _tenths(0, 10)),
    Kind("Laboratory", "colnc", 100, "Pass or fail", _symbols("Pass or fail")),
)


@dataclass(frozen=True)
class Term:
    """A made-up term; it has ``courses * learners * columns`` values.

    Attributes:
        name: start of the files' names.
        seed: the same seed gives the same bytes.
        courses: number of courses.
        learners: learners in each course.
        columns: columns with values in each course.
    """

    name: str = "term2031_1"
    seed: int = 1
    courses: int = 24
    learners: int = 40
    columns: int = 5

    @classmethod
    def of_rows(cls, rows: int, seed: int = 1) -> Term:
        """Return a term with this many values, rounded up to the next thousand."""
        return cls(name=f"term_{rows}", seed=seed, courses=-(-rows // 1000), learners=200, columns=5)

    @property
    def rows(self) -> int:
        """Number of values."""
        return self.courses * self.learners * self.columns

    @property
    def course_ids(self) -> list[str]:
        """The courses' identifiers."""
        return [f"{SUBJECTS[n % len(SUBJECTS)]}{101 + n // len(SUBJECTS)}" for n in range(self.courses)]

    @property
    def kinds(self) -> list[Kind]:
        """The columns with values of every course."""
        further = (Kind(f"Quiz {n}", "colnc", 10, "", _tenths(0, 10)) for n in range(1, self.columns))
        return [*KINDS, *further][: self.columns]


def write_term(folder: Path, term: Term, *, mistakes: bool = False) -> list[Path]:
    """Write the files of a term into a folder; return their paths.

    With mistakes, each kind has a few rows that are rejected, parked or warned about, and two
    further files are of no use as a whole.
    """
    rows = {"sch": _schemas(), "asg": _columns(term, "asg"), "col": _totals(term), "colnc": _columns(term, "colnc")}
    rows |= {"colext": _finals(term), "colncval": value_rows(term)}
    files = [
        write(folder / f"{term.name}.{feed}", _file(feed, lines, MISTAKES.get(feed, "") if mistakes else ""))
        for feed, lines in rows.items()
    ]
    if mistakes:
        files += [write(folder / f"{term.name}_{name}", [text]) for name, text in USELESS.items()]
    return files


def write_values(path: Path, term: Term, *, changed_every: int = 0) -> Path:
    """Write only the values of a term, however many; memory stays that of one course.

    With ``changed_every`` each n-th value is another one than without it.
    """
    return write(path, _file("colncval", value_rows(term, changed_every=changed_every), ""))


def _file(feed: str, rows: Iterator[str], mistakes: str) -> Iterator[str]:
    yield HEADERS[feed] + "\n"
    yield from rows
    yield mistakes


def value_rows(term: Term, *, changed_every: int = 0) -> Iterator[str]:
    """Yield the lines of the values, one column of a course at a time."""
    crowd = range(1, max(term.learners, term.courses * term.learners // COURSES_OF_A_LEARNER) + 1)
    before = 0
    for course in term.course_ids:
        dice = random.Random(f"{term.seed}/{course}")  # noqa: S311  (made-up data)
        learners = [f"STU{number:06d}" for number in sorted(dice.sample(crowd, term.learners))]
        for kind in term.kinds:
            values = dice.choices(kind.values, k=term.learners)
            if changed_every:
                for place in range(-before % changed_every, term.learners, changed_every):
                    values[place] = _another(kind, values[place])
            yield "".join([f"{course}|{who}|{kind.name}|{what}\n" for who, what in zip(learners, values, strict=True)])
            before += term.learners


def members(term: Term) -> dict[str, list[str]]:
    """Return the learners of each course."""
    found: dict[str, dict[str, None]] = {course: {} for course in term.course_ids}
    for rows in value_rows(term):
        for row in rows.splitlines():
            course, learner, _ = row.split("|", 2)
            found[course][learner] = None
    return {course: list(learners) for course, learners in found.items()}


def _another(kind: Kind, value: str) -> str:
    return kind.values[(kind.values.index(value) + 1) % len(kind.values)]


def _schemas() -> Iterator[str]:
    return (f"{title}|{symbols}|\n" for title, symbols in SCHEMAS.items())


def _columns(term: Term, feed: str) -> Iterator[str]:
    for course in term.course_ids:
        for place, kind in enumerate(term.kinds):
            if kind.feed == feed:
                due = f"2031-{place % 9 + 1:02d}-28"
                extra = f"SOURCE={course}-{place}:TERM={term.name}"
                yield _assignment(course, kind, due, extra) if feed == "asg" else _column(course, kind, due, extra)


def _assignment(course: str, kind: Kind, due: str, extra: str) -> str:
    return (
        f"{course}|{kind.name}|Hand in your {kind.name.lower()} as a résumé of the reading|N|N|Assignments|Y|"
        f"|1|N|2031-01-06|{due}|{due}|{kind.points}|{kind.schema}|{extra}\n"
    )


def _column(course: str, kind: Kind, due: str, extra: str) -> str:
    return f"{course}|{kind.name}|{kind.name} of {course}|{due}|{kind.points}|{kind.schema}|{extra}\n"


def _totals(term: Term) -> Iterator[str]:
    return (f"{course}|{TOTAL}||2031-12-19|100|Letters|TERM={term.name}\n" for course in term.course_ids)


def _finals(term: Term) -> Iterator[str]:
    return (f"{course}|{FINAL}\n" for course in term.course_ids)


# What is wrong, line by line, since the files themselves have no comments:
# asg: the end before the start, no yes or no, an impossible number of attempts
# col: a decimal comma, a date that does not exist
# colnc: the name of an assignment, points of 0, optionalData that is no pairs, a schema that never came
# colext: a column that never came
# colncval: comma, unknown symbol, above the points, below 0, twice the same, two that contradict,
# a calculated column, a cell too few, no learner, a formula, a column that never came
MISTAKES = {
    "asg": """\
ART101|Portfolio||N|N|Assignments|Y||1|N|2031-05-02|2031-04-02|2031-05-02|100||
ART101|Sketchbook||maybe|N|Assignments|Y||1|N|2031-05-02|2031-06-02|2031-06-02|100||
ART101|Exhibition||N|N|Assignments|Y||0|N|2031-05-02|2031-06-02|2031-06-02|100||
""",
    "col": """\
ART101|Weighted total||2031-12-19|99,5|Letters|
BIO101|Weighted total||2031-02-30|100|Letters|
""",
    "colnc": """\
ART101|Essay||2031-06-28|100|Honours|
ART101|Attendance||2031-06-28|0||
BIO101|Attendance||2031-06-28|10||TERM
CHE101|Attendance||2031-06-28|10|Attendance marks|
""",
    "colext": """\
XYZ999|Final grade
""",
    "colncval": """\
ART101|STU900001|Final grade|87,5
ART101|STU900002|Final grade|E
ART101|STU900003|Final grade|100.5
ART101|STU900004|Final grade|-1
ART101|STU900005|Final grade|66
ART101|STU900005|Final grade|66
ART101|STU900006|Final grade|54
ART101|STU900006|Final grade|45
ART101|STU900007|Course total|70
ART101|STU900008|71
ART101||Final grade|72
ART101|STU900009|Final grade|=70+3
ART101|STU900010|Attendance|10
""",
}
USELESS = {
    "draft.sch": "title|symbols|optionalData\nDraft letters|A=90:B=80|\nDraft marks|P=50:F=0|\n",
    "spreadsheet.colnc": "courseId;name;points\nART101;Bonus;10\n",
}
