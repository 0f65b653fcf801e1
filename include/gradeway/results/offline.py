"""Collecting results of offline exams from assessmentQ: what is new or changed goes to the results' inbox.

From the inbox on they are results like any: one file, one contract, one loader. The table of attempts
is written after the file is safely there, so that whoever dies between hands the same over once more,
which changes nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from gradeway import clock
from gradeway.errors import SyncBusyError
from gradeway.feeds.results import FINAL, SPEC
from gradeway.landing.zone import Zone
from gradeway.results import attempts, handover
from gradeway.results.attempts import Values
from gradeway.results.handover import Row
from gradeway.settings import Settings
from gradeway.store import tenants
from gradeway.store.custody import ASSESSMENTQ
from gradeway.store.engine import Store
from gradeway.store.exams import Attempt
from gradeway.store.lock import COLLECT, alone
from gradeway.vendors.assessmentq import AssessmentQ, OfflineResult

log = logging.getLogger(__name__)

PATIENCE = 30  # seconds to wait for another run
OVERLAP = timedelta(hours=1)  # longer than a reading takes
NIGHT = 4  # the hour (UTC) from which on everything is read once more


@dataclass
class Collected:
    """What a collection read and did; ``ended`` are the sittings that the server knows to have ended."""

    results: int = 0
    handed_over: int = 0
    without_learner: int = 0
    file: str = ""
    ended: frozenset[str] = frozenset()


def collect(store: Store, client: AssessmentQ, settings: Settings, *, full: bool = False) -> Collected:
    """Read the results that changed since all were last read, or all, and hand over what is new or changed.

    All are read the first time after the night's hour, so that nothing is lost for good, whatever a clock said.

    Raises:
        SyncBusyError: another run is collecting.
        VendorError: the system is away, or its answer is not what the profile says; what was handed
            over before stays so.
    """
    with alone(store, f"{COLLECT}-{ASSESSMENTQ}", PATIENCE) as held:
        if not held:
            msg = "another run is collecting results of offline exams; try again when it is done"
            raise SyncBusyError(msg)
        tenants.hold(store, ASSESSMENTQ, client.transport.endpoint.url)
        begun = clock.now()
        last = None if full or tenants.is_due(store, ASSESSMENTQ, NIGHT) else tenants.read_at(store, ASSESSMENTQ)
        found = list(client.results(last - OVERLAP if last else None))
        done = _hand_over(store, settings, found, begun)
        if last is None:
            # Changes have the server's time; ours may be ahead of it.
            tenants.note_read(store, ASSESSMENTQ, min(begun, client.service_time or begun))
    log.info("read %d results of offline exams: %d handed over", done.results, done.handed_over)
    return done


def _hand_over(store: Store, settings: Settings, found: list[OfflineResult], now: datetime) -> Collected:
    known = attempts.known(store, ASSESSMENTQ, [result.id for result in found])
    rows: list[Row] = []
    new: list[Values] = []
    changed: list[Values] = []
    for result in found:
        before = known.get(result.id)
        row = _row(result) if result.is_final else None
        values = _values(result, row, before)
        if row and row.digest != (before.exported if before else ""):
            rows.append(row)
        if before is None:
            new.append(values | {"seen_at": now})
        elif attempts.differs(before, values):
            changed.append(values | {"seen_at": now})
    done = Collected(len(found), len(rows), sum(not row.learner for row in rows))
    done.ended = frozenset(result.sitting for result in found if result.is_final and result.sitting)
    if rows:
        inbox = Zone(settings.landing).inbox(SPEC.inbox)
        inbox.mkdir(parents=True, exist_ok=True)
        done.file = handover.hand_over(inbox, rows, now)
    attempts.write(store, new, changed)
    return done


def _row(result: OfflineResult) -> Row:
    """Return a result as it is handed over; without a score it will be rejected, and so be seen."""
    return Row(
        system=ASSESSMENTQ,
        session="",
        assessment=result.exam,
        schedule="",
        attempt=result.id,
        learner=result.learner,
        state=FINAL,
        score=attempts.text(result.score) or "",
        maximum=attempts.text(result.maximum) or "",
        band="",
        rule="",
        finished_at=handover.instant(result.finished_at),
    )


def _values(result: OfflineResult, row: Row | None, before: Attempt | None) -> Values:
    return {
        "system": ASSESSMENTQ,
        "attempt": result.id,
        "schedule_id": 0,
        "exam": result.exam,
        "sitting": result.sitting,
        "participant": result.learner,
        "learner": result.learner,
        "number": None,
        "status": None,
        "total": attempts.text(result.score),
        "maximum": attempts.text(result.maximum),
        "band": "",
        "started_at": None,
        "finished_at": result.finished_at,
        "disabled": False,
        "exported": row.digest if row else before.exported if before else "",
    }
