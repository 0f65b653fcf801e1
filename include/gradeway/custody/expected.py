"""Expected against received: whose result of an offline exam has not come in, and since when.

Who is expected, a roster file says, or the assessment system itself. A result is missing once its
exam is over, or once another result of the same exam came in: how long an access code is valid says
little about when the exam is. One that began is unfinished until its end came in, whatever the day.
Source: Televic, Uploading the result files: the exam's own computer deletes a file two weeks after
it was received, so what is missing has to be looked for before that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, case, func, select, update
from sqlalchemy.orm import Session

from gradeway import clock
from gradeway.custody import reach
from gradeway.errors import SettingsError
from gradeway.mappings import MappingFile
from gradeway.settings import Settings
from gradeway.store.custody import ASSESSMENTQ, ExpectedSitting, ResultUpload, SittingState, UploadState
from gradeway.store.engine import Store
from gradeway.store.exams import Attempt
from gradeway.vendors.assessmentq import AssessmentQ, Sitting

ROSTER = ("exam", "learner")
ROSTER_MORE = ("access_code", "sitting", "until")
ENDED = (UploadState.FINAL, UploadState.ALREADY_FINAL)
RECEIVED = (*ENDED, UploadState.IN_PROGRESS)
LACKING = (SittingState.MISSING, SittingState.UNFINISHED)
ENDLESS = (*LACKING, SittingState.PAST, SittingState.DISMISSED)
UNNAMED = "no sitting"
LATECOMERS = timedelta(days=2)  # after the first result of an exam that has more days
UNHEARD = timedelta(days=20)  # of an exam nobody says when it is; lists are made weeks before
NOBODY = (
    "nobody says whose results are expected: name a roster in GRADEWAY_AQR_ROSTER_FILE, "
    "or set sittings_path in the profile of the Connection"
)

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Sign:
    """A sign of life: when something came in, and whether it was the finished exam."""

    at: datetime
    is_final: bool = False


class Signs:
    """What came in, by sitting and by exam and learner, and when the first of each exam did.

    ``days_are_sure`` says that the day on which a sitting is due is that of its exam.
    """

    def __init__(self, *, days_are_sure: bool = False) -> None:
        self._days_are_sure = days_are_sure
        self._of: dict[object, Sign] = {}
        self._first: dict[str, datetime] = {}

    def add(self, sign: Sign, sitting: str, exam: str = "", learner: str = "") -> None:
        """Note a sign."""
        unnamed = () if sitting else ((exam, learner, UNNAMED),)
        for key in filter(all, ((sitting,), (exam, learner), *unnamed)):
            known = self._of.get(key, sign)
            self._of[key] = Sign(max(known.at, sign.at), known.is_final or sign.is_final)
        if exam:
            self._first[exam] = min(self._first.get(exam, sign.at), sign.at)

    def of(self, sitting: Sitting) -> Sign | None:
        """Return the sign of a sitting: by what it is called, else by exam and learner.

        A learner may sit an exam twice: what came of one sitting says nothing about the other.
        """
        if not sitting.id:
            return self._of.get((sitting.exam, sitting.learner))
        return self._of.get((sitting.id,)) or self._of.get((sitting.exam, sitting.learner, UNNAMED))

    def judge(self, sitting: Sitting, now: datetime, listed: datetime) -> tuple[SittingState, datetime | None]:
        """Return what came of a sitting, and since when it lacks its end, or will; ``listed`` is since when it is."""
        if sign := self.of(sitting):
            return (SittingState.RECEIVED, None) if sign.is_final else (SittingState.UNFINISHED, sign.at)
        over = self._over(sitting, listed) or listed + UNHEARD
        return SittingState.EXPECTED if over > now else SittingState.MISSING, over

    def _over(self, sitting: Sitting, listed: datetime) -> datetime | None:
        """Return when a sitting should be over, if anything tells."""
        due, first = sitting.due_at, self._first.get(sitting.exam)
        first = first and max(first, listed)  # others may have sat the same exam in another year
        if due is None or first is None:
            return due or first
        return due if self._days_are_sure else min(due, first + LATECOMERS)


def compare(store: Store, client: AssessmentQ | None, settings: Settings) -> Counter[str]:
    """Find out what came of everybody who is expected; return how many there are of each state.

    Raises:
        SettingsError: nobody says who is expected, or the roster cannot be read.
        VendorError: the assessment system could not be asked.
    """
    roster = read_roster(settings.aqr_roster_file, settings.sessions_zone)
    if roster:
        sittings = roster
    elif client and client.can_list_sittings:
        with reach.noted(store):
            sittings = list(client.sittings())
    else:
        raise SettingsError(NOBODY)
    signs = Signs(days_are_sure=bool(roster))
    with store.writing() as session:
        _fill(signs, session, sittings)
        _write(session, signs, {_key(sitting): sitting for sitting in sittings}, is_sure=bool(roster))
        return counts(session, settings)


def can_compare(client: AssessmentQ | None, settings: Settings) -> bool:
    """Return whether anybody says who is expected."""
    return bool(settings.aqr_roster_file) or bool(client and client.can_list_sittings)


def read_roster(path: str, zone: ZoneInfo) -> list[Sitting]:
    """Read the CSV file ``exam,learner`` and, if it has them, ``access_code``, ``sitting`` and ``until``.

    ``until`` is the exam's last day in that zone, such as 2026-06-30, or an instant with its zone.

    Raises:
        SettingsError: it cannot be read; the message names the line.
    """
    file = MappingFile("aqr_roster_file", path)
    listed = [
        Sitting(
            id=cells["sitting"],
            exam=cells["exam"],
            learner=cells["learner"],
            access_code=cells["access_code"],
            due_at=_until(file, cells, zone),
        )
        for cells in _complete(file)
    ]
    if path and not listed:
        file.refuse("it names nobody")
    return listed


def _complete(file: MappingFile) -> Iterator[dict[str, str]]:
    header = f"the columns {' and '.join(ROSTER)}, and may name {', '.join(ROSTER_MORE)}"
    for cells in file.rows(header, ROSTER, ROSTER_MORE):
        if not all(cells[name] for name in ROSTER):
            file.refuse(f"line {cells['line']} must name an exam and a learner")
        yield cells


def _until(file: MappingFile, cells: Mapping[str, str], zone: ZoneInfo) -> datetime | None:
    text = cells["until"]
    if not text:
        return None
    try:
        if len(text) == len("2026-06-30"):
            return datetime.combine(date.fromisoformat(text), time.max, zone).astimezone(UTC)
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min  # noqa: DTZ901  no zone, like what is no time at all
    if moment.tzinfo is None:
        file.refuse(f"line {cells['line']} must have a day like 2026-06-30 in until, or 2026-06-30T12:00:00Z")
    return moment.astimezone(UTC)


def _key(sitting: Sitting) -> Key:
    return sitting.exam, sitting.learner, sitting.id


def _write(session: Session, signs: Signs, sittings: Mapping[Key, Sitting], *, is_sure: bool) -> None:
    """Write what came of the sittings; each keeps its number, since when it is listed, and what a person said of it.

    Those that are not listed any more are forgotten, by a server's list only if nothing lacks of them: that may
    leave one out.
    """
    now = clock.now()
    gone = set(session.scalars(select(ExpectedSitting).order_by(ExpectedSitting.id).with_for_update()))
    known = {(row.exam, row.learner, row.sitting): row for row in gone}
    for key, sitting in sittings.items():
        row = known.get(key)
        if row is None:
            row = ExpectedSitting(exam=sitting.exam, learner=sitting.learner, sitting=sitting.id, listed_at=now)
            session.add(row)
        else:
            gone.remove(row)
        _note(row, *signs.judge(sitting, now, min(row.listed_at, now)))
        row.access_code, row.compared_at = sitting.access_code, now
    for row in gone:
        if is_sure:
            session.delete(row)
            continue
        _judge_on(row, signs, now)
        if sittings and row.state not in LACKING and not row.dismissed_at:
            session.delete(row)


def _judge_on(row: ExpectedSitting, signs: Signs, now: datetime) -> None:
    """Judge a sitting that is not listed any more by what is known of it."""
    due_at = row.since if row.state in {SittingState.EXPECTED, SittingState.MISSING} else None
    sitting = Sitting(id=row.sitting, exam=row.exam, learner=row.learner, access_code=row.access_code, due_at=due_at)
    if due_at or signs.of(sitting):
        _note(row, *signs.judge(sitting, now, min(row.listed_at, now)))
    row.compared_at = now


def _note(row: ExpectedSitting, state: SittingState, since: datetime | None) -> None:
    """Note what came of a sitting; if that is news, a person who dismissed it did not know of it."""
    is_more = state is SittingState.UNFINISHED and (row.state, row.since) != (state, since)
    if is_more or state is SittingState.RECEIVED:
        row.dismissed_at, row.reason = None, ""
    row.state, row.since = state, since


def _fill(found: Signs, session: Session, sittings: Iterable[Sitting]) -> None:
    """Add what is known to have come in: by our uploads, by the results, and by what the system says."""
    uploads = select(ResultUpload).where(ResultUpload.system == ASSESSMENTQ, ResultUpload.state.in_(RECEIVED))
    listed = session.scalars(select(ExpectedSitting))  # before; one may be left out now
    whose = {row.sitting: (row.exam, row.learner) for row in listed if row.sitting}
    whose |= {sitting.id: (sitting.exam, sitting.learner) for sitting in sittings if sitting.id}
    for upload in session.scalars(uploads.where(ResultUpload.sitting != "")):
        is_final = upload.state in ENDED
        of_whom = whose.get(upload.sitting, ("", ""))
        found.add(Sign(upload.ended_at or upload.sent_at, is_final), upload.sitting, *of_whom)
    for attempt in session.scalars(select(Attempt).where(Attempt.system == ASSESSMENTQ)):
        at = attempt.finished_at or attempt.seen_at
        found.add(Sign(at, bool(attempt.exported)), attempt.sitting, attempt.exam, attempt.learner)
    for sitting in sittings:
        if sitting.last_upload_at:
            found.add(Sign(sitting.last_upload_at), sitting.id, sitting.exam, sitting.learner)


def state_now(settings: Settings) -> ColumnElement[str]:
    """Return what is to be said of a sitting by now: its day may have come since it was compared."""
    each, now = ExpectedSitting, clock.now()
    is_missing = and_(each.state == SittingState.EXPECTED, each.since <= now)
    return case(
        (each.state == SittingState.RECEIVED, each.state),
        (each.dismissed_at.is_not(None), SittingState.DISMISSED.value),
        (each.since < now - timedelta(days=settings.aqr_past_days), SittingState.PAST.value),
        (is_missing, SittingState.MISSING.value),
        else_=each.state,
    )


def counts(session: Session, settings: Settings) -> Counter[str]:
    """Return how many sittings there are of each state by now."""
    counted = select(state_now(settings).label("by_now"), func.count()).group_by("by_now")
    return Counter(dict(session.execute(counted).tuples().all()))


def lacking(
    session: Session, settings: Settings, limit: int | None = None, states: Iterable[SittingState] = LACKING
) -> list[tuple[ExpectedSitting, str]]:
    """Return the sittings of which the finished exam is missing, each with its state by now, longest missing first."""
    state = state_now(settings)
    order = (ExpectedSitting.since, ExpectedSitting.exam, ExpectedSitting.learner)
    wanted = select(ExpectedSitting, state).where(state.in_(list(states))).order_by(*order).limit(limit)
    return list(session.execute(wanted).tuples())


def dismiss(store: Store, number: int, reason: str) -> bool:
    """Note why a person awaits no more of a sitting, or by no reason that it is awaited again.

    What comes of it later, although not its end, has it looked for again.

    Returns:
        Whether there is such a sitting that lacks its end.
    """
    dismissed_at = clock.now() if reason else None
    its = (ExpectedSitting.id == number, ExpectedSitting.state != SittingState.RECEIVED)
    with store.writing() as session:
        done = session.execute(update(ExpectedSitting).where(*its).values(dismissed_at=dismissed_at, reason=reason))
        return bool(done.rowcount)  # type: ignore[attr-defined]
