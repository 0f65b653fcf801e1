"""What stands in a target's course for our schemas and columns: as it is known, and as intents about them end."""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, exists, select, update
from sqlalchemy.orm import Session

from gradeway import clock
from gradeway.feeds.cells import NUMBER
from gradeway.publish.intents import Ended, decision, end
from gradeway.publish.ours import UNSEEN
from gradeway.publish.plan import REGRADING
from gradeway.publish.reasons import PublishReason
from gradeway.store.engine import Store
from gradeway.store.models import GradeColumn
from gradeway.store.publish import Action, GradeReceipt, Kind, PublishedItem, PublishIntent, PublishProblem, State


def items(store: Store, target: str, course_id: int, kind: Kind) -> dict[int, PublishedItem]:
    """Return what stands in a target's course for our schemas or columns, by our ids."""
    wanted = select(PublishedItem).where(
        PublishedItem.target == target, PublishedItem.course_id == course_id, PublishedItem.kind == kind
    )
    with store.session() as session:
        return {item.entity_id: item for item in session.scalars(wanted)}


def item_ended(store: Store, target: str, ended: Ended, remote_id: str = "", content_id: str = "") -> None:
    """Note how an intent about a schema, folder or column ended, and what stands there now.

    What stands there though the intent is not done may be somebody else's: it is as one that was there before.
    """
    with store.writing() as session:
        end(session, target, [ended])
        if ended.intent.kind == Kind.FOLDER:
            return
        if ended.state != State.UNKNOWN:  # what had no effect by its answer may have had it before
            _look_again(session, target, ended.intent)
        if ended.state == State.DONE:
            stands(session, target, ended.intent, remote_id, content_id)
        elif remote_id:
            session.merge(_item_of(target, ended.intent, remote_id, content_id, told={}, stamp="", made=False))
        else:  # the next plan looks at it again
            same = _item(target, ended.intent)
            session.execute(update(PublishedItem).where(*same).values(stamp=""))


def _look_again(session: Session, target: str, intent: PublishIntent) -> None:
    """Let the grades be looked at that may be shown otherwise now, and those be sent again that were refused.

    These are texts: the target keeps the score that they stood for, and a number is the same under any schema.
    """
    if intent.action != Action.UPDATE or REGRADING.isdisjoint(intent.after):
        return
    is_meant = GradeColumn.id if intent.kind == Kind.COLUMN else GradeColumn.schema_id
    columns = list(
        session.scalars(
            select(GradeColumn.id).where(GradeColumn.course_id == intent.course_id, is_meant == intent.entity_id)
        )
    )
    key = (GradeReceipt.target, GradeReceipt.column_id, GradeReceipt.learner_id)
    of_columns = (GradeReceipt.target == target, GradeReceipt.column_id.in_(columns), GradeReceipt.score.is_not(None))
    rows = session.execute(select(*key, GradeReceipt.value).where(*of_columns)).mappings()
    unseen = [{**row, "text": UNSEEN} for row in rows if not NUMBER.fullmatch(row["value"])]
    if unseen:
        session.execute(update(GradeReceipt), unseen)
    of_grades = (PublishProblem.kind == Kind.GRADE, PublishProblem.entity_id.in_(columns))
    refused = (PublishProblem.target == target, PublishProblem.code == PublishReason.GRADE_REFUSED.value)
    session.execute(delete(PublishProblem).where(*refused, *of_grades))


def _item(target: str, intent: PublishIntent) -> tuple[ColumnElement[bool], ...]:
    of_course = (PublishedItem.target == target, PublishedItem.course_id == intent.course_id)
    return *of_course, PublishedItem.kind == intent.kind, PublishedItem.entity_id == intent.entity_id


def stands(session: Session, target: str, intent: PublishIntent, remote_id: str, content_id: str = "") -> None:
    """Note what stands there now for a schema or column, once its intent is done."""
    item = session.get(PublishedItem, (target, intent.course_id, intent.kind, intent.entity_id))
    if item and item.insist:
        said = {"id": intent.id, "detail": decision(item.decided_by, item.reason)}
        session.execute(update(PublishIntent), [said])
    is_new = intent.action != Action.UPDATE
    if is_new and intent.kind == Kind.COLUMN:  # what was known of grades in one that is gone means nothing now
        of_column = (GradeReceipt.target == target, GradeReceipt.column_id == intent.entity_id)
        session.execute(delete(GradeReceipt).where(*of_column))
    if intent.action == Action.DELETE:
        session.execute(delete(PublishedItem).where(*_item(target, intent)))
        return
    content_id = content_id or (item.content_id if item else "")
    told = (item.told if item and not is_new else {}) | intent.after
    mark = "" if _has_more(session, intent) else intent.value or ""
    made = is_new or bool(item and item.made)
    session.merge(_item_of(target, intent, remote_id, content_id, told=told, stamp=mark, made=made))


def _item_of(target: str, intent: PublishIntent, remote_id: str, content_id: str, **known: object) -> PublishedItem:
    about = {"course_id": intent.course_id, "kind": intent.kind, "entity_id": intent.entity_id}
    ids = {"remote_id": remote_id, "content_id": content_id}
    return PublishedItem(target=target, insist=False, told_at=clock.now(), **about, **ids, **known)


def _has_more(session: Session, intent: PublishIntent) -> bool:
    """Return whether the same thing has a later intent that is not done: its next plan must see to that."""
    later = exists().where(
        PublishIntent.course_id == intent.course_id,
        PublishIntent.kind == intent.kind,
        PublishIntent.entity_id == intent.entity_id,
        PublishIntent.id > intent.id,
        PublishIntent.state != State.DONE,
    )
    return bool(session.scalar(select(later)))
