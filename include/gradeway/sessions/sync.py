"""Carrying a plan out: one run at a time, every write committed as an intent before it is sent.

A run that died, or a write without an answer, is settled by reading. What was created may only
be sent again when it is not there after a grace time, in which a slow service could still do it.
Source: Questionmark, Delivery OData API: Schedule (its ExternalID cannot be filtered by, and a
POST is not idempotent).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from gradeway import clock
from gradeway.errors import (
    BrakeError,
    PlanStaleError,
    SettingsError,
    SyncBusyError,
    UnknownOutcomeError,
    VendorAwayError,
    VendorRefusedError,
)
from gradeway.outcomes import Outcome
from gradeway.sessions import outbox
from gradeway.sessions.deliveries import read_deliveries
from gradeway.sessions.plan import Plan, make_plan
from gradeway.sessions.reasons import Action
from gradeway.sessions.tenant import Tenant, read_tenant
from gradeway.sessions.wanted import RefusedError, Subject, schedule_of
from gradeway.settings import Settings
from gradeway.store import tenants
from gradeway.store.engine import Store
from gradeway.store.exams import QUESTIONMARK, Intent, IntentState
from gradeway.store.lock import SYNC, alone
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.delivery import Schedule, ScheduleValues
from gradeway.vendors.odata import wire
from gradeway.vendors.questionmark import Questionmark

log = logging.getLogger(__name__)

PATIENCE = 30  # seconds to wait for another run
UNKNOWN_IN_A_ROW = 3


class Failure(NamedTuple):
    """A write that was not made, or may not have been."""

    session: str
    action: str
    outcome: Outcome
    detail: str


@dataclass
class Applied:
    """What a run did: the plan it carried out, how many writes ended how, and what failed.

    ``held`` is what it left for a person to approve.
    """

    plan: Plan
    held: Plan | None = None
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)


def administrator(settings: Settings, endpoint: Endpoint) -> int:
    """Return the administrator in whose name we schedule.

    Raises:
        SettingsError: neither the setting nor the Connection names one.
    """
    found = settings.questionmark_administrator or endpoint.extra.get("administrator")
    if str(found).isascii() and str(found).isdecimal() and int(str(found)):
        return int(str(found))
    msg = (
        "no administrator is named: set GRADEWAY_QUESTIONMARK_ADMINISTRATOR to the ID of the one in whose name "
        f'to schedule, or add {{"administrator": ID}} to the extra of connection {endpoint.connection}'
    )
    raise SettingsError(msg)


class Sync:
    """The sessions of one store, and one tenant of the delivery system; ``progress`` is told how far a run is.

    Raises:
        SettingsError: no administrator is named.
    """

    def __init__(
        self,
        store: Store,
        client: Questionmark,
        settings: Settings,
        *,
        patience: int = PATIENCE,
        progress: Callable[[str], object] | None = None,
    ) -> None:
        self._progress = progress
        self.store = store
        self.client = client
        self.settings = settings
        self._administrator = administrator(settings, client.transport.endpoint)
        self._patience = patience

    def plan(self) -> Plan:
        """Work out what applying would do now; sends nothing.

        While another run is applying, what it has not settled yet counts as unknown.

        Raises:
            SettingsError: the file of deliveries is wrong.
            VendorError: the delivery system could not be read.
        """
        with alone(self.store, SYNC) as held:
            return self._plan(settle=held)

    def held(self, plan: Plan) -> Plan | None:
        """Return the part of a plan that waits for a person: it takes away or moves too much, and nobody approved."""
        return outbox.held(self.store, plan, self.settings.sessions_approval_hours)

    def apply(self, digest: str) -> Applied:
        """Carry out exactly the plan of a digest, or what a run of it that died left over.

        Raises:
            PlanStaleError: there is something else to do by now; nothing was sent.
            BrakeError: the plan needs approval; nothing was sent.
            SyncBusyError: another run is applying.
            SettingsError: the file of deliveries is wrong.
            VendorError: the delivery system is away or refuses the account, so that the run could
                not go on; what it did is in the store, and the next plan has the rest.
        """
        return self._run(digest)

    def apply_now(self) -> Applied:
        """Plan and carry it out in one go, but for what the brake holds.

        Raises:
            GradewayError: as ``apply``.
        """
        return self._run(None)

    def _run(self, digest: str | None) -> Applied:
        with self._alone():
            plan = self._plan(settle=True)
            held = self.held(plan)
            if digest is None:
                return self._all_but(held, plan)
            part = outbox.left_of(self.store, digest, plan)
            if part is None:
                raise PlanStaleError(plan.digest)
            if held and len(part.but(held).changes) < len(part.changes):
                raise BrakeError(held.digest, f"would disable or move {held.brake.risky} of {held.brake.existing}")
            return self._carry_out(part, digest)

    def _all_but(self, held: Plan | None, plan: Plan) -> Applied:
        rest = plan.but(held)
        applied = self._carry_out(rest, rest.digest)
        applied.held = held
        return applied

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with alone(self.store, SYNC, self._patience) as held:
            if not held:
                msg = "another run is applying a plan; try again when it is done"
                raise SyncBusyError(msg)
            yield

    def _plan(self, *, settle: bool) -> Plan:
        tenants.hold(self.store, QUESTIONMARK, self.client.transport.endpoint.url)
        if settle:
            self._settle_all()
        deliveries = read_deliveries(self.settings.sessions_deliveries_file)
        tenant = read_tenant(self.client, self._administrator)
        if settle:
            self._link_found(tenant)
        plan = make_plan(outbox.subjects(self.store), tenant, self.settings, deliveries)
        outbox.keep(self.store, plan)
        if held := self.held(plan):
            outbox.keep(self.store, held, held=True)
            outbox.keep(self.store, plan.but(held))
        return plan

    def _settle_all(self) -> None:
        """Find out what became of the intents of earlier runs."""
        asked = clock.now()
        for intent in outbox.unsettled(self.store):
            if intent.state == IntentState.OPEN:
                outbox.dropped(self.store, intent, "its run ended before it was sent")
            else:
                self._settle(intent, asked)

    def _settle(self, intent: Intent, asked: datetime) -> Outcome:
        """Find out by reading what became of an intent, asked for at a time."""
        schedule_id = _effect(self.client, intent)
        if schedule_id is not None:
            return outbox.done(self.store, intent, schedule_id)
        since = intent.ended_at or intent.sent_at or asked
        is_over = asked - since >= timedelta(seconds=self.settings.sessions_grace_seconds)
        # What sets values may be sent again at any time.
        if is_over or intent.action not in {Action.CREATE, Action.METADATA}:
            outbox.dropped(self.store, intent, "it had no effect")
            return Outcome.SKIPPED
        return Outcome.UNKNOWN

    def _link_found(self, tenant: Tenant) -> None:
        """Take over schedules that are ours by their ExternalID and that the store does not know."""
        for subject in outbox.subjects(self.store):
            schedule = None if Action.CREATE in subject.pending else _found(subject, tenant)
            if schedule and not (subject.link and subject.link.schedule_id == schedule.id):
                metadata = {each.key: each.value for each in self.client.metadata(schedule.id)}
                outbox.link(self.store, subject.session.name, schedule.id, metadata)

    def _carry_out(self, plan: Plan, digest: str) -> Applied:
        run = _Run(self.store, self.client, Applied(plan))
        # a schedule without its metadata is an exam; metadata alone is nothing
        intents = sorted(
            outbox.begin(self.store, digest, plan.changes), key=lambda each: each.action == Action.METADATA
        )
        for number, intent in enumerate(intents, 1):
            if self._progress:
                self._progress(f"write {number:,} of {len(intents):,}")
            run.send(intent)
        outbox.applied(self.store, digest)
        return run.applied


class _Run:
    """The sending of one plan's intents, in order."""

    def __init__(self, store: Store, client: Questionmark, applied: Applied) -> None:
        self.applied = applied
        self._store, self._client = store, client
        self._made: dict[str, int] = {}
        self._unknown = 0

    def send(self, intent: Intent) -> None:
        target = intent.target or str(self._made.get(intent.subject, ""))
        if intent.action != Action.CREATE and not target:
            outbox.dropped(self._store, intent, "its schedule was not made")
            self._count(intent, Outcome.SKIPPED, "its schedule was not made")
            return
        outbox.sent(self._store, intent, target)
        try:
            schedule_id = _call(self._client, intent)
        except VendorAwayError:
            outbox.dropped(self._store, intent, "the service was away")
            raise
        except VendorRefusedError as error:
            self._refused(intent, error)
        except UnknownOutcomeError as error:
            self._look(intent, error)
        else:
            self._succeeded(intent, schedule_id)

    def _succeeded(self, intent: Intent, schedule_id: int) -> None:
        self._made[intent.subject] = schedule_id
        self._unknown = 0
        self._count(intent, outbox.done(self._store, intent, schedule_id))

    def _refused(self, intent: Intent, error: VendorRefusedError) -> None:
        outbox.failed(self._store, intent, str(error))
        if error.status is None or error.status < 400 or error.status in {401, 403, 405}:
            raise error  # it would refuse everything else too
        self._count(intent, Outcome.REJECTED, str(error))

    def _look(self, intent: Intent, error: UnknownOutcomeError) -> None:
        """Read what became of a write that got no answer; stop after several that had no effect so far."""
        outbox.unknown(self._store, intent, str(error))
        schedule_id = _effect(self._client, intent)
        if schedule_id is not None:
            self._succeeded(intent, schedule_id)
            return
        self._unknown += 1
        if self._unknown >= UNKNOWN_IN_A_ROW:
            raise error
        self._count(intent, Outcome.UNKNOWN, str(error))

    def _count(self, intent: Intent, outcome: Outcome, detail: str = "") -> None:
        log.info("session %s: %s: %s", intent.subject, intent.action, outcome)
        self.applied.outcomes[outcome] += 1
        if detail:
            self.applied.failures.append(Failure(intent.subject, intent.action, outcome, detail))


def _found(subject: Subject, tenant: Tenant) -> Schedule | None:
    try:
        return schedule_of(subject, tenant)
    except RefusedError:
        return None


def _call(client: Questionmark, intent: Intent) -> int:
    """Make an intent's call and return the schedule it was about."""
    if intent.action == Action.CREATE:
        return client.create_schedule(cast(ScheduleValues, intent.body)).id
    target = int(intent.target)
    if intent.action == Action.METADATA:
        ((key, text),) = intent.body.items()
        client.add_metadata(target, key, text)
    else:
        client.patch_schedule(target, cast(ScheduleValues, intent.body))
    return target


def _effect(client: Questionmark, intent: Intent) -> int | None:
    """Read whether an intent took effect: return the schedule it was about, or None."""
    if intent.action == Action.CREATE:
        of_group = client.find(Schedule, ("GroupID", "eq", intent.body["GroupID"]))
        wanted = intent.body["ExternalID"], None  # an exception for one participant is another schedule
        return next((each.id for each in of_group if (each.external_id, each.participant_id) == wanted), None)
    schedule = client.get(Schedule, int(intent.target))
    if schedule is None:
        return None
    if intent.action == Action.METADATA:
        is_there = any(each.key in intent.body for each in client.metadata(schedule.id))
    else:
        is_there = _has(schedule, intent.body)
    return schedule.id if is_there else None


def _has(schedule: Schedule, values: dict[str, Any]) -> bool:
    return all(wire(schedule[name]) == value for name, value in values.items())
