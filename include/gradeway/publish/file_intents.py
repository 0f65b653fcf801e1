"""The store's side of publishing by flat files: which rows are to be written, in which file they are, what follows.

An intent that was sent has the name of its file as ``remote_id`` and its line there as ``seen_index``.
Files can have many rows of grades: what is done for each of them is done by the database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, exists, func, insert, literal, or_, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from gradeway import clock
from gradeway.outcomes import Outcome
from gradeway.publish import intents
from gradeway.publish.intents import Ended
from gradeway.publish.ours import UNDER_WAY
from gradeway.publish.plan import Values
from gradeway.publish.rows import Cells, of_grade
from gradeway.publish.stands import stands
from gradeway.store.engine import Store
from gradeway.store.exams import Plan
from gradeway.store.models import Course, Grade, Instant, Learner
from gradeway.store.publish import FILES, Action, GradeReceipt, Kind, PublishedItem, PublishIntent, State

NO_COURSE = 0  # schemas stand in none: their files name no course
FEED = "feed"  # the name under which a plan says which file a column is for
MARK: Values = {"external": True}  # what makes a column its course's external one, by a file of its own
NO_COLUMN = "its column was not written"
OUTCOMES = {Action.CREATE: Outcome.CREATED.value, Action.UPDATE: Outcome.UPDATED.value}
SLICE = 500
IS_OURS = PublishIntent.plan_id.in_(select(Plan.id).where(Plan.system == FILES))
IS_OPEN = and_(IS_OURS, PublishIntent.state == State.OPEN)


@dataclass(frozen=True)
class Row:
    """A row that is to be written, and the intent that it is of."""

    intent_id: int
    cells: Cells


@dataclass(frozen=True)
class Schemas:
    """What was written of schemas, by title, and the changes of them that plans of other courses have."""

    told: Mapping[str, PublishedItem]
    elsewhere: Collection[tuple[int, str | None]]


def read_schemas(session: Session, course_id: int) -> Schemas:
    """Read what is known of schemas, apart from what a course has planned itself."""
    changes = (PublishIntent.kind == Kind.SCHEMA, PublishIntent.action == Action.UPDATE)
    live = (PublishIntent.state.in_((State.PLANNED, *UNDER_WAY)), PublishIntent.course_id != course_id)
    planned = select(PublishIntent.entity_id, PublishIntent.value).where(IS_OURS, *changes, *live)
    return Schemas(told_schemas(session), set(session.execute(planned).tuples()))


def told_schemas(session: Session) -> dict[str, PublishedItem]:
    """Return what was written last of each schema, by title."""
    same = (PublishedItem.target == FILES, PublishedItem.course_id == NO_COURSE, PublishedItem.kind == Kind.SCHEMA)
    items = session.scalars(select(PublishedItem).where(*same).order_by(PublishedItem.told_at, PublishedItem.entity_id))
    return {item.told["title"]: item for item in items}


def is_known(store: Store) -> bool:
    """Return whether files were ever written."""
    written = exists().where(PublishedItem.target == FILES)
    sent = exists().where(IS_OURS, PublishIntent.state == State.SENT)
    with store.session() as session:
        return bool(session.scalar(select(or_(written, sent))))


def is_under_way(store: Store) -> bool:
    """Return whether there are rows to write, or files of which it is not known whether they were placed."""
    with store.session() as session:
        return bool(session.scalar(select(exists().where(IS_OURS, PublishIntent.state.in_(UNDER_WAY)))))


def count_open(store: Store) -> int:
    """Return how many rows are to be written."""
    with store.session() as session:
        return session.scalar(select(func.count()).select_from(PublishIntent).where(IS_OPEN)) or 0


def sent_files(store: Store) -> list[str]:
    """Return the names of the files of which it is not known whether they were placed."""
    with store.session() as session:
        sent = select(PublishIntent.remote_id).distinct().where(IS_OURS, PublishIntent.state == State.SENT)
        return list(session.scalars(sent.order_by(PublishIntent.remote_id)))


# items


def open_items(session: Session) -> list[tuple[PublishIntent, Values]]:
    """Return the intents about schemas and columns that are to be written, and what was written before of the same."""
    same = (PublishedItem.course_id == PublishIntent.course_id, PublishedItem.entity_id == PublishIntent.entity_id)
    told = and_(PublishedItem.target == FILES, PublishedItem.kind == PublishIntent.kind, *same)
    wanted = select(PublishIntent, PublishedItem.told).outerjoin(PublishedItem, told)
    wanted = wanted.where(IS_OPEN, PublishIntent.kind != Kind.GRADE).order_by(PublishIntent.id)
    schemas = {title: item.told for title, item in told_schemas(session).items()}
    return [
        (intent, (schemas.get(intent.name) if intent.kind == Kind.SCHEMA else known) or {})
        for intent, known in session.execute(wanted).tuples()
    ]


def hindered_items(session: Session, names: Collection[str]) -> set[int]:
    """Return the intents about schemas and columns of which an earlier row is in one of some files."""
    hindered = select(PublishIntent.id).where(IS_OPEN, PublishIntent.kind != Kind.GRADE, _is_in(names))
    return set(session.scalars(hindered)) if names else set()


def _is_in(names: Collection[str]) -> ColumnElement[bool]:
    earlier = aliased(PublishIntent)
    same = (earlier.kind == PublishIntent.kind, earlier.entity_id == PublishIntent.entity_id)
    whose = earlier.learner_id == PublishIntent.learner_id
    return exists().where(*same, whose, earlier.remote_id.in_(names), earlier.id != PublishIntent.id)


def items_ended(store: Store, ended: Sequence[Ended]) -> None:
    """Note how intents about schemas and columns ended."""
    for some in _slices(ended):
        with store.writing() as session:
            schemas = {title: item.told for title, item in told_schemas(session).items()}
            intents.end(session, FILES, some)
            for each in some:
                if each.state == State.DONE:
                    stands(session, FILES, each.intent, each.intent.remote_id)
                    if each.intent.kind == Kind.SCHEMA and not each.was_there:
                        _schema_stands(session, each.intent, schemas.get(each.intent.name, {}))


def _schema_stands(session: Session, intent: PublishIntent, told: Values) -> None:
    session.merge(
        PublishedItem(
            target=FILES,
            course_id=NO_COURSE,
            kind=Kind.SCHEMA,
            entity_id=intent.entity_id,
            remote_id=intent.remote_id,
            told=told | intent.after,
            stamp="",
            told_at=clock.now(),
        )
    )


# grades


def drop_late_grades(store: Store, approval_hours: int) -> int:
    """Leave the grades to the next plan that have changed since, or whose approval is too old; return how many."""
    same = (Grade.column_id == PublishIntent.entity_id, Grade.learner_id == PublishIntent.learner_id)
    is_as_planned = exists().where(*same, Grade.value == PublishIntent.value)
    of_grades = (IS_OPEN, PublishIntent.kind == Kind.GRADE)
    is_expired = PublishIntent.approved_at <= intents.expired_by(approval_hours)
    with store.writing() as session:
        overtaken = _drop(session, intents.CHANGED_HERE, *of_grades, ~is_as_planned)
        return overtaken + _drop(session, intents.EXPIRED, *of_grades, is_expired)


def drop_lost_grades(store: Store) -> int:
    """Leave the grades to the next plan whose columns were not written; return how many."""
    column = (PublishedItem.target == FILES, PublishedItem.kind == Kind.COLUMN)
    is_there = exists().where(*column, PublishedItem.entity_id == PublishIntent.entity_id)
    with store.writing() as session:
        return _drop(session, NO_COLUMN, IS_OPEN, PublishIntent.kind == Kind.GRADE, ~is_there)


def _drop(session: Session, why: str, *which: ColumnElement[bool]) -> int:
    ended = {"state": State.DROPPED, "outcome": Outcome.SKIPPED, "detail": why, "ended_at": clock.now()}
    dropped = session.execute(update(PublishIntent).where(*which).values(ended))
    return int(dropped.rowcount)  # type: ignore[attr-defined]


def open_grades(session: Session, names: Collection[str], most: int) -> list[Row]:
    """Return the grades that are to be written, those that are due first.

    Grades of which an earlier row is in one of some files are left for later.
    """
    wanted = (
        select(PublishIntent.id, PublishIntent.entity_id, PublishIntent.value, Course.source_id, Learner.source_id)
        .join(Course, Course.id == PublishIntent.course_id)
        .join(Learner, Learner.id == PublishIntent.learner_id)
        .where(IS_OPEN, PublishIntent.kind == Kind.GRADE)
        .order_by(func.coalesce(PublishIntent.due, date.max), PublishIntent.id)
        .limit(most)
    )
    wanted = wanted.where(~_is_in(names)) if names else wanted
    columns = _names_of_columns(session)
    return [
        Row(key, of_grade(course, learner, columns[column_id], value or ""))
        for key, column_id, value, course, learner in session.execute(wanted).tuples()
    ]


def _names_of_columns(session: Session) -> dict[int, str]:
    """Return the names under which columns were written that have grades to be written."""
    of_column = (PublishedItem.target == FILES, PublishedItem.kind == Kind.COLUMN)
    needed = select(PublishIntent.entity_id).where(IS_OPEN, PublishIntent.kind == Kind.GRADE)
    wanted = select(PublishedItem.entity_id, PublishedItem.told).where(*of_column, PublishedItem.entity_id.in_(needed))
    return {key: told["name"] for key, told in session.execute(wanted).tuples()}


def get(store: Store, keys: Sequence[int]) -> Iterator[PublishIntent]:
    """Yield some intents."""
    for some in _slices(keys):
        with store.session() as session:
            yield from session.scalars(select(PublishIntent).where(PublishIntent.id.in_(some)))


def _grades_written(session: Session, name: str) -> Counter[str]:
    of_file = (PublishIntent.remote_id == name, PublishIntent.state == State.SENT, PublishIntent.kind == Kind.GRADE)
    now = clock.now()
    counted = session.execute(select(PublishIntent.action, func.count()).where(*of_file).group_by(PublishIntent.action))
    ended = Counter({OUTCOMES[Action(action)]: count for action, count in counted.tuples()})
    replaced = select(PublishIntent.entity_id, PublishIntent.learner_id).where(*of_file)
    same = tuple_(GradeReceipt.column_id, GradeReceipt.learner_id).in_(replaced)
    session.execute(delete(GradeReceipt).where(GradeReceipt.target == FILES, same))
    said = {
        "target": literal(FILES),
        "column_id": PublishIntent.entity_id,
        "learner_id": PublishIntent.learner_id,
        "value": PublishIntent.value,
        "change_index": PublishIntent.seen_index,
        "intent_id": PublishIntent.id,
        "at": literal(now, Instant()),
    }
    session.execute(insert(GradeReceipt).from_select(list(said), select(*said.values()).where(*of_file)))
    is_new = (PublishIntent.action == Action.CREATE, OUTCOMES[Action.CREATE])
    outcome = case(is_new, else_=OUTCOMES[Action.UPDATE])
    done = {"state": State.DONE, "outcome": outcome, "ended_at": now}
    session.execute(update(PublishIntent).where(*of_file).values(done))
    return ended


# both


def sent(store: Store, name: str, rows: Sequence[Row]) -> None:
    """Note that rows are in a file, line by line, that is about to be placed."""
    about = {"state": State.SENT, "sent_at": clock.now(), "remote_id": name}
    with store.writing() as session:
        for some in _slices([about | {"id": row.intent_id, "seen_index": line} for line, row in enumerate(rows, 2)]):
            session.execute(update(PublishIntent), some)


def written(store: Store, name: str) -> Counter[str]:
    """Note that a file was placed; return how many rows of it ended how."""
    of_file = (PublishIntent.remote_id == name, PublishIntent.state == State.SENT, PublishIntent.kind != Kind.GRADE)
    with store.session() as session:
        ended = [Ended(each, State.DONE) for each in session.scalars(select(PublishIntent).where(IS_OURS, *of_file))]
    items_ended(store, ended)
    with store.writing() as session:
        return _grades_written(session, name) + Counter(str(each.outcome) for each in ended)


def _slices(some: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (some[start : start + SLICE] for start in range(0, len(some), SLICE))
