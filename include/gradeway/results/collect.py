"""Collecting: the attempts on our schedules into the store's table, and what changed to the results' inbox.

The table is written after the file is safely in the inbox. Whoever dies between hands the same
results over once more, and the same results change nothing.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from gradeway import clock
from gradeway.errors import SyncBusyError, VendorAnswerError, VendorRefusedError
from gradeway.feeds.results import FINAL, REVIEW, SPEC
from gradeway.landing.zone import Zone
from gradeway.results import attempts, handover
from gradeway.results.attempts import Values
from gradeway.results.handover import Row
from gradeway.results.learners import Learners
from gradeway.results.overview import may_still_end
from gradeway.results.rule import LAST, counting, is_final
from gradeway.settings import Settings
from gradeway.store import tenants
from gradeway.store.engine import Store
from gradeway.store.exams import QUESTIONMARK, Attempt, ExamSession, SessionSchedule
from gradeway.store.lock import COLLECT, alone
from gradeway.vendors import delivery
from gradeway.vendors.delivery import Schedule
from gradeway.vendors.questionmark import Questionmark

log = logging.getLogger(__name__)

ACCOUNT_TROUBLES = {401, 403}
BAND_SIZE = 2000

PATIENCE = 30  # seconds to wait for another run
NIGHT = 3  # the hour (UTC) from which on everything is read once more


@dataclass
class Collected:
    """What a collection read and did; ``failed`` names the schedules that could not be read, and why.

    ``withdrawn`` are results that were handed over and count no longer: their grades are still there.
    """

    schedules: int = 0
    attempts: int = 0
    changed: int = 0
    handed_over: int = 0
    for_review: int = 0
    withdrawn: int = 0
    without_learner: int = 0
    hours_off: int = 0
    file: str = ""
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Family:
    """One of our schedules, the exceptions to it for single participants, and the name of its session."""

    schedule: Schedule
    exceptions: tuple[Schedule, ...]
    session: str

    @property
    def all(self) -> tuple[Schedule, ...]:
        """The schedule and its exceptions: a participant's attempts on any of them count together."""
        return (self.schedule, *self.exceptions)

    def rule_for(self, participant: int) -> str | None:
        """Return which attempt of a participant counts, as the vendor says it."""
        own = (each.reported_result for each in self.exceptions if each.participant_id == participant)
        return next(filter(None, own), self.schedule.reported_result)


def collect(store: Store, client: Questionmark, settings: Settings, *, full: bool = False) -> Collected:
    """Read the attempts on our schedules and hand over what changed.

    Unless ``full``, only schedules that can still change are read, and learners known already are
    not asked for again; the first time after the night's hour, everything is read.

    Raises:
        VendorError: the delivery system is away or lets us read nothing; what was read till then is
            handed over.
    """
    inbox = Zone(settings.landing).inbox(SPEC.inbox)
    inbox.mkdir(parents=True, exist_ok=True)
    # Two that read at the same time could hand over in the other order.
    with alone(store, COLLECT, PATIENCE) as held:
        if not held:
            msg = "another run is collecting results; try again when it is done"
            raise SyncBusyError(msg)
        tenants.hold(store, QUESTIONMARK, client.transport.endpoint.url)
        begun = clock.now()
        full = full or tenants.is_due(store, QUESTIONMARK, NIGHT)
        collector = _Collector(store, client, settings, full=full)
        try:
            collector.read()
        finally:
            done = collector.finish(inbox)
        if full:
            tenants.note_read(store, QUESTIONMARK, begun)
    log.info("collected %d attempts on %d schedules: %d results", done.attempts, done.schedules, done.handed_over)
    return done


class _Collector:
    def __init__(self, store: Store, client: Questionmark, settings: Settings, *, full: bool) -> None:
        self._store, self._client, self._settings, self._full = store, client, settings, full
        self._now = clock.now()
        self._done = Collected()
        self._rows: list[Row] = []
        self._new: list[Values] = []
        self._changed: list[Values] = []
        self._learners = Learners(client, settings, {} if full else self._known_learners())

    def read(self) -> None:
        """Read the schedules that are due, one after the other; one that is refused keeps no other back."""
        for family in self._due():
            try:
                self._read(family)
            except (VendorRefusedError, VendorAnswerError) as error:
                if error.status in ACCOUNT_TROUBLES:
                    raise
                self._done.failed.append(f"schedule {family.schedule.id}: {error}")

    def finish(self, inbox: Path) -> Collected:
        """Hand over what is due, and only then remember what was read."""
        if self._rows:
            self._done.file = handover.hand_over(inbox, self._rows, self._now)
        self._done.handed_over = len(self._rows)
        self._done.for_review = sum(row.state == REVIEW for row in self._rows)
        self._done.changed = len(self._new) + len(self._changed)
        attempts.write(self._store, self._new, self._changed)
        return self._done

    def _known_learners(self) -> dict[int, str]:
        wanted = select(Attempt.participant, Attempt.learner).where(Attempt.system == QUESTIONMARK).distinct()
        with self._store.session() as session:
            return {int(participant): learner for participant, learner in session.execute(wanted)}

    def _due(self) -> Iterator[Family]:
        with self._store.session() as session:
            ours = select(SessionSchedule.schedule_id, ExamSession.name)
            names = dict(session.execute(ours.join(ExamSession)).tuples().all())
            open_ended = set(session.scalars(may_still_end(self._settings)))
        for family in self._families(names):
            if self._full or family.schedule.id in open_ended or any(map(self._may_change, family.all)):
                yield family

    def _families(self, names: Mapping[int, str]) -> list[Family]:
        """Return our schedules with their exceptions, for which the vendor documents no filter."""
        ours: dict[int, Schedule] = {}
        exceptions: dict[int | None, list[Schedule]] = defaultdict(list)
        for schedule in self._client.find(Schedule) if names else ():
            if schedule.id in names:
                ours[schedule.id] = schedule
            elif schedule.parent_schedule_id in names:
                exceptions[schedule.parent_schedule_id].append(schedule)
        return [Family(ours[key], tuple(exceptions[key]), names[key]) for key in sorted(ours)]

    def _may_change(self, schedule: Schedule) -> bool:
        if schedule.start_from and schedule.start_from > self._now:
            return False
        ends = [schedule.start_to, schedule.resume_to if schedule.resume_allowed else None]
        last = max(filter(None, ends), default=None) if schedule.start_to else None
        return last is None or self._now - last <= timedelta(days=self._settings.results_days)

    def _read(self, family: Family) -> None:
        found = [attempt for each in family.all for attempt in self._client.attempts(each.id)]
        self._learners.ask({attempt.participant_id for attempt in found}, family.schedule.group_id)
        known = attempts.known(self._store, QUESTIONMARK, [str(attempt.id) for attempt in found])
        taken: dict[int, list[delivery.Attempt]] = defaultdict(list)
        for attempt in found:
            taken[attempt.participant_id].append(attempt)
            self._done.hours_off = self._done.hours_off or attempt.hours_off
        for participant, theirs in taken.items():
            self._take(family, participant, theirs, known)
        self._done.schedules += 1
        self._done.attempts += len(found)

    def _take(
        self, family: Family, participant: int, taken: list[delivery.Attempt], known: Mapping[str, Attempt]
    ) -> None:
        learner = self._learners[participant]
        handed = {key: known[key].exported for attempt in taken if (key := str(attempt.id)) in known}
        chosen = counting(taken, family.rule_for(participant), self._settings)
        if chosen:
            row = self._row(family, chosen, learner)
            self._hand_over(row, handed.get(row.attempt, ""))
            handed = {row.attempt: row.digest}
        elif any(handed.values()):
            self._done.withdrawn += 1
        for attempt in taken:
            values = _values(family, attempt, learner)
            self._note(known.get(values["attempt"]), values | {"exported": handed.get(values["attempt"], "")})

    def _row(self, family: Family, attempt: delivery.Attempt, learner: str) -> Row:
        values = _values(family, attempt, learner)
        return Row(
            system=QUESTIONMARK,
            session=family.session,
            assessment=family.schedule.assessment_id,
            schedule=str(family.schedule.id),
            attempt=values["attempt"],
            learner=learner,
            state=FINAL if is_final(values["status"], self._settings) and not values["disabled"] else REVIEW,
            score=values["total"] or "",
            maximum=values["maximum"] or "",
            band=values["band"].replace("|", "/"),  # the feed takes no text with its separator
            rule=family.rule_for(attempt.participant_id) or LAST,
            finished_at=handover.instant(values["finished_at"]),
        )

    def _hand_over(self, row: Row, handed: str) -> None:
        if row.digest != handed:
            self._rows.append(row)
            self._done.without_learner += not row.learner

    def _note(self, before: Attempt | None, values: Values) -> None:
        if before is None:
            self._new.append(values | {"seen_at": self._now})
        elif attempts.differs(before, values):
            self._changed.append(values | {"seen_at": self._now})


def _values(family: Family, attempt: delivery.Attempt, learner: str) -> Values:
    """Return an attempt as the store keeps it: on our schedule, even if on an exception to it."""
    result = attempt.result
    return {
        "system": QUESTIONMARK,
        "attempt": str(attempt.id),
        "schedule_id": family.schedule.id,
        "participant": str(attempt.participant_id),
        "learner": learner,
        "number": attempt.attempt_number,
        "status": result.status if result else None,
        "total": attempts.text(result.total_score) if result else None,
        "maximum": attempts.text(result.max_score) if result else None,
        "band": ((result.score_band_title if result else None) or "")[:BAND_SIZE],
        "started_at": result.when_started if result else None,
        "finished_at": result.when_finished if result else None,
        "disabled": bool(attempt.disabled),
    }
