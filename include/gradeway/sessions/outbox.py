"""The store's side of the sync: sessions, plans with their approvals, and the intents of a run.

An intent is committed before its call is made, and its outcome together with what the store
learns from it: which schedule stands for the session, and what it was told.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gradeway import clock
from gradeway.errors import UnknownPlanError, UnknownSessionError
from gradeway.outcomes import Outcome
from gradeway.sessions.plan import Change, Plan
from gradeway.sessions.reasons import Action
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


def keep(store: Store, plan: Plan, *, held: bool = False) -> None:
    """Keep a plan, so that it can be approved and begun by its digest; ``held`` if it waits for a person."""
    content = {
        "changes": [change.document() | {"mark": change.mark} for change in plan.changes],
        "counts": plan.counts,
        "risky": [_mark(change.session, change.body) for change in plan.risky.changes],
        "existing": plan.brake.existing,
    }
    now = clock.now()
    values = {"content": content, "made_at": now}
    try:
        with store.writing() as session:
            session.add(exams.Plan(system=QUESTIONMARK, digest=plan.digest, held_at=now if held else None, **values))
    except IntegrityError:
        if held:
            values["held_at"] = func.coalesce(exams.Plan.held_at, now)
        with store.writing() as session:
            session.execute(update(exams.Plan).where(*_of(plan.digest)).values(values))


def _plan(session: Session, digest: str) -> exams.Plan | None:
    return session.scalar(select(exams.Plan).where(*_of(digest)))


def _of(digest: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return exams.Plan.system == QUESTIONMARK, exams.Plan.digest == digest


def approve(store: Store, digest: str, who: str, reason: str) -> None:
    """Approve a plan that waits; to approve again what was carried out, if only in part, changes nothing.

    Raises:
        UnknownPlanError: there is no plan of that digest.
    """
    with store.writing() as session:
        row = _plan(session, digest)
        if row is None:
            raise UnknownPlanError(digest)
        if row.applied_at and row.applied_at >= row.made_at:
            return
        is_new = row.approved_at is None or row.approved_at < row.made_at
        if not is_new and _left_of(session, row, row.approved_at) != set(row.content["risky"]):
            return
        row.approved_at, row.approved_by, row.reason = clock.now(), who, reason


def held(store: Store, plan: Plan, hours: int) -> Plan | None:
    """Return the part of a plan that waits for a person: what the brake counts, and nobody approved and saw done.

    What waited once goes on waiting although the brake is off by now: exams that were added, or
    that are refused today, are no approval of the others.
    """
    since = clock.now() - timedelta(hours=hours)
    ours = exams.Plan.system == QUESTIONMARK
    is_approved = exams.Plan.approved_at > since
    waits = exams.Plan.held_at.is_not(None), or_(exams.Plan.approved_at.is_(None), ~is_approved)
    with store.session() as session:
        approved = session.scalars(select(exams.Plan).where(ours, is_approved))
        said_yes = set().union(*(_left_of(session, row, row.approved_at) for row in approved))
        held_back = session.scalars(select(exams.Plan).where(ours, *waits))
        waiting = set().union(*(_left_of(session, row, row.held_at) for row in held_back))
    marks = [(change, _mark(change.session, change.body)) for change in plan.risky.changes]
    held = [change for change, mark in marks if mark not in said_yes and (plan.brake.is_on or mark in waiting)]
    return plan.part(held) if held else None


def _left_of(session: Session, row: exams.Plan, since: datetime | None) -> set[str]:
    """Return the risky changes of a plan that were not made since an instant."""
    done = select(Intent.subject, Intent.body).where(
        Intent.system == QUESTIONMARK, Intent.state == IntentState.DONE, Intent.ended_at >= since
    )
    return set(row.content["risky"]) - {_mark(subject, body) for subject, body in session.execute(done)}


def _mark(subject: str, body: Mapping[str, Any]) -> str:
    return json.dumps([subject, body], sort_keys=True, ensure_ascii=False)


def left_of(store: Store, digest: str, now: Plan) -> Plan | None:
    """Return what is left to do of a plan that was kept, or None if by now it would be something else.

    So the digest of a plan also stands for what a run of it that died has left over.
    """
    with store.session() as session:
        row = _plan(session, digest)
        if row is None:
            return None
        done = select(Intent.subject, Intent.action, Intent.body).where(
            Intent.plan_id == row.id, Intent.state == IntentState.DONE, Intent.ended_at >= row.made_at
        )
        made = {_write(subject, action, body) for subject, action, body in session.execute(done)}
    there = {change.mark for change in now.changes}
    wanted = {
        each["mark"]: _write(each["session"], each["action"], _body(each["values"])) for each in row.content["changes"]
    }
    if any(mark not in there and write not in made for mark, write in wanted.items()):
        return None
    return now.part(change for change in now.changes if change.mark in wanted)


def _body(values: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    return {name: after for name, (_, after) in values.items()}


def _write(subject: str, action: str, body: Mapping[str, Any]) -> str:
    return json.dumps([subject, action, body], sort_keys=True, ensure_ascii=False)


def begin(store: Store, digest: str, changes: Sequence[Change]) -> list[Intent]:
    """Commit the intents of changes that a kept plan has, and return them in their order."""
    with store.writing() as session:
        row = _plan(session, digest)
        if row is None:
            raise UnknownPlanError(digest)
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
            for change in changes
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


def applied(store: Store, digest: str) -> None:
    """Note that a plan was carried out to its end."""
    with store.writing() as session:
        session.execute(update(exams.Plan).where(*_of(digest)).values(applied_at=clock.now()))


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
