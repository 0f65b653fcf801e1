"""Finding what is due in a big store, beside one join of all grades with their receipts in the same run.

``make bench`` prints for each database: nothing is due, 1 % of the grades in 1 % of the courses are, all grades are.
The join is what any way to find it costs that looks at each grade once. Seconds depend on the machine; the ratio
is what counts.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from gradeway.publish.due import due_courses
from gradeway.store.engine import Store
from gradeway.store.models import Grade
from gradeway.store.publish import LEARN, GradeReceipt
from publish.big_term import Term

TERM = Term(courses=5_000, columns=10, learners=20)
TIMES = 3
JOINED = (
    select(func.count())
    .select_from(Grade)
    .join(
        GradeReceipt,
        (GradeReceipt.target == LEARN)
        & (GradeReceipt.column_id == Grade.column_id)
        & (GradeReceipt.learner_id == Grade.learner_id),
    )
    .where(GradeReceipt.value != Grade.value)
)
CHANGES = {
    "nothing is due": ("", 0),
    "1 % is due": ("UPDATE grade SET value = '8' WHERE column_id % 100 = 0", 500),
    "all is due": ("UPDATE grade SET value = '9'", 5_000),
}


def seconds(what: Callable[[], object]) -> float:
    """The median of some times that something takes."""
    found = []
    for _ in range(TIMES):
        start = time.perf_counter()
        what()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store with a term of a million grades that is published."""
    if request.param == "sqlite":
        made = Store(f"sqlite:///{tmp_path / 'store.db'}").ready()
    else:
        made = Store(request.getfixturevalue("postgres_db")).ready()
    TERM.fill(made)
    return made


def test_how_long_it_takes_to_find_what_is_due(store: Store) -> None:
    grades = TERM.courses * TERM.columns * TERM.learners
    for name, (change, courses) in CHANGES.items():
        with store.engine.begin() as connection:
            if change:
                connection.execute(text(change))
            connection.execute(text("ANALYZE"))
        with store.session() as session:
            assert len(due_courses(session, LEARN)) == courses
            floor = seconds(lambda session=session: session.scalar(JOINED))
            found = seconds(lambda session=session: due_courses(session, LEARN))
        sys.stdout.write(
            f"\n{store.engine.dialect.name}, {TERM.courses:,} courses, {grades:,} grades, {name}: {found:.2f} s, "
            f"{found / floor:.1f} times the join of {floor:.2f} s"
        )
    store.engine.dispose()
