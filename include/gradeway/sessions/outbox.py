"""The store's side of the sync: sessions, plans with their approvals, and the intents of a run.

An intent is committed before its call is made, and its outcome together with what the store
learns from it: which schedule stands for the session, and what it was told.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gradeway import clock
from gradeway.errors import UnknownPlanError, UnknownSessionError
from gradeway.sessions.plan import Plan
from gradeway.sessions.reasons import Action, Outcome
from gradeway.sessions.wanted import WITHDRAWN, Subject
from gradeway.store import exams
from gradeway.store.engine import Store
from gradeway.store.exams import QUESTIONMARK, ExamSession, Intent, IntentState, SessionGroup, SessionSchedule

UNSETTLED = (IntentState.OPEN, IntentState.SENT, IntentState.UNKNOWN)
ENDED = (IntentState.DONE, IntentState.FAILED, IntentState.DROPPED)
BY_A_PERSON = 0  # stands for the batch where no batch said it


def subjects(store: Store) -> list[Subject]:
    """Return every session with its group, its schedule, and its writes of unknown outcome."""
    query = (
        select(ExamSession, SessionGroup, SessionSchedule)
        .join(SessionGroup, ExamSession.group_id == SessionGroup.id)
        .outerjoin(SessionSchedule, SessionSchedule.session_id == ExamSession.id)
    )
    with store.session() as session:
        pending = defaultdict[str, set[str]](set)
        for intent in _unsettled(session):
            pending[intent.subject].add(intent.action)
        return [
            Subject(each, group, link, frozenset(pending[each.name])) for each, group, link in session.execute(query)
        ]


def unsettled(store: Store) -> list[Intent]:
    """Return the intents that have not ended, oldest first."""
    with store.session() as session:
        return list(_unsettled(session))


def _unsettled(session: Session) -> Iterable[Intent]:
    query = select(Intent).where(Intent.system == QUESTIONMARK, Intent.state.in_(UNSETTLED))
    return session.scalars(query.order_by(Intent.id))


def keep(store: Store, plan: Plan) -> None:
    """Keep a plan, so that it can be approved and begun by its digest."""
    content = {
        "changes": [change.document() for change in plan.changes],
        "counts": plan.counts,
        "risky": [_mark(change.session, change.body) for change in plan.risky.changes],
        "existing": plan.brake.existing,
    }
    values = {"content": content, "made_at": clock.now()}
    try:
        with store.writing() as session:
            session.add(exams.Plan(system=QUESTIONMARK, digest=plan.digest, **values))
    except IntegrityError:
        with store.writing() as session:
            session.execute(update(exams.Plan).where(*_of(plan.digest)).values(values))


def _plan(session: Session, digest: str) -> exams.Plan | None:
    return session.scalar(select(exams.Plan).where(*_of(digest)))


def _of(digest: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return exams.Plan.system == QUESTIONMARK, exams.Plan.digest == digest


def approve(store: Store, digest: str, who: str, reason: str) -> None:
    """Approve a plan that the brake holds.

    Raises:
        UnknownPlanError: there is no plan of that digest.
    """
    with store.writing() as session:
        row = _plan(session, digest)
        if row is None:
            raise UnknownPlanError(digest)
        row.approved_at, row.approved_by, row.reason = clock.now(), who, reason


def is_approved(store: Store, plan: Plan, hours: int) -> bool:
    """Whether every risky change of a plan was approved and not made since.

    So an approval also holds for what a run that died has left over, and for nothing twice.
    """
    with store.session() as session:
        recent = exams.Plan.approved_at > clock.now() - timedelta(hours=hours)
        rows = session.scalars(select(exams.Plan).where(exams.Plan.system == QUESTIONMARK, recent))
        approved = set().union(*(_left_of(session, row) for row in rows))
    return approved.issuperset(_mark(change.session, change.body) for change in plan.risky.changes)


def _left_of(session: Session, row: exams.Plan) -> set[str]:
    done = select(Intent.subject, Intent.body).where(
        Intent.system == QUESTIONMARK, Intent.state == IntentState.DONE, Intent.ended_at >= row.approved_at
    )
    return set(row.content["risky"]) - {_mark(subject, body) for subject, body in session.execute(done)}


def _mark(subject: str, body: Mapping[str, Any]) -> str:
    return json.dumps([subject, body], sort_keys=True, ensure_ascii=False)


def begin(store: Store, plan: Plan) -> list[Intent]:
    """Commit the intents of a whole plan and return them in its order."""
    with store.writing() as session:
        row = _plan(session, plan.digest)
        if row is None:
            raise UnknownPlanError(plan.digest)
        intents = [
            Intent(
                system=QUESTIONMARK,
                plan_id=row.id,
                subject=change.session,
                action=change.action,
                target=str(change.schedule_id or ""),
                body=change.body,
                state=IntentState.OPEN,
                outcome="",
                detail="",
            )
            for change in plan.changes
        ]
        session.add_all(intents)
        session.flush()
        return intents


def sent(store: Store, intent: Intent, target: str) -> None:
    """Note that an intent is about to be sent, and to which schedule."""
    intent.target = target
    _set(store, intent, state=IntentState.SENT, sent_at=clock.now(), target=target)


def unknown(store: Store, intent: Intent, detail: str) -> None:
    """Note that an intent was sent and got no answer."""
    _end(store, intent, IntentState.UNKNOWN, Outcome.UNKNOWN, detail)


def failed(store: Store, intent: Intent, detail: str) -> None:
    """Note that the delivery system refused an intent."""
    _end(store, intent, IntentState.FAILED, Outcome.REJECTED, detail)


def dropped(store: Store, intent: Intent, detail: str) -> None:
    """Note that an intent did not take effect; a later plan has it again if it is still wanted."""
    _end(store, intent, IntentState.DROPPED, Outcome.SKIPPED, detail)


def _end(store: Store, intent: Intent, state: IntentState, outcome: Outcome, detail: str) -> None:
    _set(store, intent, state=state, outcome=outcome, ended_at=clock.now(), detail=detail)


def _set(store: Store, intent: Intent, **values: object) -> None:
    with store.writing() as session:
        session.execute(update(Intent).where(Intent.id == intent.id).values(values))


def done(store: Store, intent: Intent, schedule_id: int) -> Outcome:
    """Note that an intent took effect, and what its schedule was told by it; return its outcome."""
    is_new = intent.action in {Action.CREATE, Action.METADATA}
    outcome = Outcome.CREATED if is_new else Outcome.UPDATED
    part = "metadata" if intent.action == Action.METADATA else "schedule"
    values = {"state": IntentState.DONE, "outcome": outcome, "ended_at": clock.now(), "target": str(schedule_id)}
    with store.writing() as session:
        session.execute(update(Intent).where(Intent.id == intent.id).values(values))
        _link(session, intent.subject, schedule_id, {part: intent.body}, anew=intent.action == Action.CREATE)
    return outcome


def link(store: Store, name: str, schedule_id: int, metadata: Mapping[str, str]) -> None:
    """Note that a schedule that was found stands for a session."""
    with store.writing() as session:
        _link(session, name, schedule_id, {"metadata": metadata}, anew=True)


def _link(session: Session, name: str, schedule_id: int, told: Mapping[str, Mapping[str, Any]], *, anew: bool) -> None:
    """Note what a session's schedule was told, beside what it was told before unless it is a new one."""
    query = select(ExamSession.id, SessionSchedule).outerjoin(SessionSchedule).where(ExamSession.name == name)
    row = session.execute(query).first()
    if row is None:
        return
    session_id, found = row
    if found is None and not anew:
        return  # what else the schedule was told is forgotten; the next run reads it
    before = found.told if found and not anew else {}
    if found is None or found.schedule_id != schedule_id:
        session.execute(delete(SessionSchedule).where(SessionSchedule.schedule_id == schedule_id))
    after = before | {part: before.get(part, {}) | dict(values) for part, values in told.items()}
    session.merge(SessionSchedule(session_id=session_id, schedule_id=schedule_id, told=after, synced_at=clock.now()))


def applied(store: Store, plan: Plan) -> None:
    """Note that a plan was carried out to its end."""
    with store.writing() as session:
        session.execute(update(exams.Plan).where(*_of(plan.digest)).values(applied_at=clock.now()))


def withdraw(store: Store, name: str, *, undo: bool = False) -> None:
    """Take a session back, or undo that; the next plan disables or enables its schedule.

    Raises:
        UnknownSessionError: there is no such session.
    """
    with store.writing() as session:
        found = session.scalar(select(ExamSession).where(ExamSession.name == name).with_for_update())
        if found is None:
            raise UnknownSessionError(name)
        found.withdrawn = not undo
        found.given = found.given | {WITHDRAWN: BY_A_PERSON}


def purge(store: Store, before: datetime) -> int:
    """Delete the intents that ended before an instant, and the plans that have none left; return how many intents."""
    over = (Intent.system == QUESTIONMARK, Intent.ended_at < before, Intent.state.in_(ENDED))
    with store.writing() as session:
        gone = session.execute(delete(Intent).where(*over)).rowcount  # type: ignore[attr-defined]
        kept = exists().where(Intent.plan_id == exams.Plan.id)
        session.execute(delete(exams.Plan).where(exams.Plan.system == QUESTIONMARK, exams.Plan.made_at < before, ~kept))
    return int(gone)
