"""Sending the grades of a plan to Blackboard Learn: several calls at a time, across columns and courses.

What somebody changed there since the plan is read before the grades of a column are written, and
again from time to time while they are; the API has no write that depends on what is there.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from queue import SimpleQueue
from threading import Lock
from typing import Any, Self

from gradeway.errors import UnknownOutcomeError, VendorError, VendorRefusedError
from gradeway.publish import intents
from gradeway.publish.away import Away, reason_of
from gradeway.publish.in_time import good_until, in_time
from gradeway.publish.intents import Ended, Target
from gradeway.publish.ours import UNDER_WAY
from gradeway.publish.reasons import PublishReason
from gradeway.publish.stands import items
from gradeway.publish.survey import EXEMPT, There, ungradable
from gradeway.publish.wanted import rounded
from gradeway.settings import Settings
from gradeway.store.engine import Store
from gradeway.store.publish import LEARN, Kind, PublishIntent, State
from gradeway.vendors.learn import Learn
from gradeway.vendors.learn_values import ColumnKey, CourseKey, UserKey

CHUNK = 40  # grades that are on their way at a time; as many are looked for after a kill
MOST_VAIN = 3  # calls without an answer, or without the right, after which it is not a single grade
SERVICE = 0  # where calls get lost that are not about one course
NO_COLUMN = "its column is not there"
NOT_AS_PLANNED = "its column or schema is not as it was to be"


@dataclass(eq=False)
class Column:
    """A column in Learn, and what somebody changed in it since the plan.

    ``seen`` is the lowest change index that the plan knew of a grade that is written: what a person
    did while the plan read the column is above it. ``good_until`` is how long what was read of what
    came after may be relied on, and ``refusal`` is why it could not be read.
    """

    course_id: int
    course: CourseKey
    key: ColumnKey
    seen: int
    changed: Mapping[str, There] = field(default_factory=dict)
    good_until: float = -math.inf
    refusal: VendorRefusedError | None = None
    lock: Lock = field(default_factory=Lock)

    def forget(self) -> None:
        """Let what was changed be read again."""
        self.good_until = -math.inf


Call = tuple[Column, PublishIntent]


class GradeSender:
    """Sends the intents about grades, with some threads; ``tell`` hears how each ended.

    ``asking`` is the client that finds out what became of calls, ``away`` are the courses that are left alone.
    """

    def __init__(
        self,
        store: Store,
        client: Learn,
        asking: Learn,
        settings: Settings,
        tell: Callable[[Ended], None],
        away: Away,
    ) -> None:
        self._store, self._client, self._asking = store, client, asking
        self._settings, self._tell, self._away = settings, tell, away
        self._stack = ExitStack()
        self._idle: SimpleQueue[Learn] = SimpleQueue()
        self._stops: list[VendorError] = []
        self._unknown: Counter[int] = Counter()
        self._forbidden: Counter[CourseKey] = Counter()

    def __enter__(self) -> Self:
        threads = self._settings.publish_threads
        for _ in range(threads):
            self._idle.put(self._stack.enter_context(self._client.sibling()))
        self._pool = self._stack.enter_context(ThreadPoolExecutor(threads, "publish"))
        self._stack.callback(self._pool.shutdown, cancel_futures=True)
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()

    def settle(self, targets: Mapping[int, Target]) -> None:
        """Find out what became of the calls of earlier runs, with one read a column.

        Raises:
            VendorError: Learn could not be asked.
        """
        states = (State.SENT, State.UNKNOWN)
        for of_column in intents.columns_of_grades(self._store, targets.keys(), *states):
            some = intents.of_grades(self._store, of_column, *states)
            target = targets[some[0].plan_id]
            column = self._column(target, some)
            try:
                there = _read(self._asking, column) if column else {}
            except VendorRefusedError as error:
                if error.is_for_all:
                    raise
                # That nobody may look does not tell that they had no effect.
                self._finish([_unknown(intent, str(error)) for intent in some if intent.state == State.SENT])
            except VendorError as error:
                self._away.leave(target.course_id, error)
            else:
                self._settle(some, there)

    def _settle(self, some: Sequence[PublishIntent], there: Mapping[str, There]) -> None:
        ended, no_effect = [], []
        for intent in some:
            now = _now(intent, there)
            if is_done(intent, now):
                ended.append(Ended(intent, State.DONE, now))
            elif not intents.is_over(intent, self._settings.publish_grace_seconds):
                ended += [_unknown(intent, intents.KILLED)] if intent.state == State.SENT else []
            elif now.change_index > intent.seen_index:  # even if it is as before: we may have been taken back
                ended.append(Ended(intent, State.DROPPED, now, PublishReason.CHANGED_THERE))
            else:
                no_effect.append(intent)
        self._finish(ended)
        intents.not_sent(self._store, LEARN, no_effect)

    def send_all(self, targets: Mapping[int, Target]) -> None:
        """Send what is open, columns that are due first before others.

        Raises:
            VendorAwayError: the service is away, or allows no further calls; the rest stays open.
            VendorRefusedError: it refuses the account.
            VendorAnswerError: its answer to a look is not usable.
            UnknownOutcomeError: several calls got no answer.
        """
        calls = self._open(targets)
        while chunk := list(islice(calls, CHUNK)):
            self._send(chunk)

    def _open(self, targets: Mapping[int, Target]) -> Iterator[Call]:
        for of_column in intents.columns_of_grades(self._store, targets.keys(), State.OPEN):
            target = targets[of_column[0]]
            if target.course_id in self._away:
                continue
            changes = intents.regrading(self._store, targets.keys(), of_column[0], of_column[1])
            if not changes.isdisjoint(UNDER_WAY):
                continue  # its grades are meant for what comes of that
            some = intents.of_grades(self._store, of_column, State.OPEN)
            column = self._column(target, some)
            if column and changes <= {State.DONE}:
                yield from ((column, intent) for intent in some)
            else:
                detail = NOT_AS_PLANNED if column else NO_COLUMN
                self._finish([Ended(intent, State.DROPPED, detail=detail) for intent in some])

    def _column(self, target: Target, some: Sequence[PublishIntent]) -> Column | None:
        """Return the column of some intents, if it is there."""
        item = items(self._store, LEARN, target.course_id, Kind.COLUMN).get(some[0].entity_id)
        remote_id = item.remote_id if item else some[0].remote_id
        seen = min(intent.seen_index for intent in some)
        course = CourseKey("id", target.remote_id)
        return Column(target.course_id, course, ColumnKey("id", remote_id), seen) if remote_id else None

    def _send(self, chunk: Sequence[Call]) -> None:
        """Send some grades at a time."""
        self._look(chunk)
        chunk = [(column, intent) for column, intent in chunk if column.course_id not in self._away]
        ended = {intent.id: found for column, intent in chunk if (found := _overtaken(intent, column))}
        self._finish(list(ended.values()))
        left = [intent for _, intent in chunk if intent.id not in ended]
        sending, late = intents.send(self._store, LEARN, left, self._settings.publish_approval_hours)
        for each in late:
            self._tell(each)
        columns = {intent.id: column for column, intent in chunk}
        self._make([(columns[intent.id], intent) for intent in sending])

    def _look(self, chunk: Sequence[Call]) -> None:
        """Read what was changed in the columns of some grades, where that was not just done."""
        list(self._pool.map(self._look_at, {column for column, _ in chunk}))

    def _look_at(self, column: Column) -> None:
        client = self._idle.get()
        try:
            if column.course_id not in self._away:
                _read_again(client, column)
                self._away.went_well(column.course_id)
        except VendorRefusedError:
            raise
        except VendorError as error:
            self._away.leave(column.course_id, error)
        finally:
            self._idle.put(client)

    def _make(self, calls: Sequence[Call]) -> None:
        """Make some calls, and note how each ended: it had its effect, or surely none, or that has to be found out."""
        self._unknown.clear()
        results = list(zip(calls, self._pool.map(self._one, calls), strict=True))
        lost = [(*call, str(result)) for call, result in results if isinstance(result, UnknownOutcomeError)]
        self._finish([result for _, result in results if isinstance(result, Ended)] + self._found_out(lost))
        intents.not_sent(self._store, LEARN, [intent for (_, intent), result in results if result is None])
        if self._stops:
            raise self._stops[0]

    def _one(self, call: Call) -> Ended | UnknownOutcomeError | None:
        """Make one call on a thread of its own; return None if it had no effect and others would have none either."""
        column, intent = call
        if self._stops or column.course_id in self._away:
            return None
        if self._forbidden[column.course] >= MOST_VAIN:
            return Ended(intent, State.FAILED, reason=PublishReason.COURSE_FORBIDDEN)
        client = self._idle.get()
        try:
            ended = self._write_in_time(client, column, intent)
        except UnknownOutcomeError as error:
            where = column.course_id if reason_of(error) else SERVICE
            self._unknown[where] += 1
            if self._unknown[where] >= MOST_VAIN:
                self._leave(column, error)
            return error
        except VendorError as error:
            self._leave(column, error)
            return None
        else:
            self._away.went_well(column.course_id)
            return ended
        finally:
            self._idle.put(client)

    def _leave(self, column: Column, error: VendorError) -> None:
        """Send nothing more to a course, or to any if it is the service."""
        try:
            self._away.leave(column.course_id, error)
        except VendorError:
            self._stops.append(error)

    def _write_in_time(self, client: Learn, column: Column, intent: PublishIntent) -> Ended:
        """Write one grade, soon after a look.

        Raises:
            VendorError: as ``_write``.
        """

        def attempt(is_last: bool) -> Ended:
            until = _read_again(client, column)
            return _overtaken(intent, column) or self._write(client, column, intent, math.inf if is_last else until)

        return in_time(client.transport, attempt, column.forget)

    def _write(self, client: Learn, column: Column, intent: PublishIntent, until: float) -> Ended:
        """Write one grade, unless it is too late for that.

        Raises:
            UnknownOutcomeError: it may have been written.
            VendorError: it was not, and it is not about this grade.
        """
        try:
            user = UserKey("id", intent.user_id)
            with client.transport.sending_until(until):
                grade = client.patch_grade(column.course, column.key, user, **_said(intent))
        except VendorRefusedError as error:
            if error.is_for_all:
                raise
            self._forbidden[column.course] += error.is_forbidden
            return _missing(client, column, intent) if error.is_missing else _refused(intent, error)
        except ValueError as error:
            return Ended(intent, State.FAILED, reason=PublishReason.GRADE_REFUSED, detail=str(error))
        now = There.of(grade)
        if is_done(intent, now):
            return Ended(intent, State.DONE, now)
        is_ours = intent.value is not None
        reason = PublishReason.GRADE_DIFFERS if is_ours else PublishReason.ANSWER_DIFFERS
        return Ended(intent, State.FAILED, now, reason)

    def _found_out(self, lost: Sequence[tuple[Column, PublishIntent, str]]) -> list[Ended]:
        """Read what became of calls that got no answer."""
        by_column: dict[Column, list[tuple[PublishIntent, str]]] = defaultdict(list)
        for column, intent, error in lost:
            by_column[column].append((intent, error))
        ended = []
        for column, some in by_column.items():
            try:
                there = _read(self._asking, column)
            except VendorError:
                there = {}
            for intent, error in some:
                now = _now(intent, there)
                ended.append(Ended(intent, State.DONE, now) if is_done(intent, now) else _unknown(intent, error))
        return ended

    def _finish(self, ended: Sequence[Ended]) -> None:
        if ended:
            intents.grades_ended(self._store, LEARN, ended)
        for each in ended:
            self._tell(each)


def _read_again(client: Learn, column: Column) -> float:
    """Read what was changed in a column, where that was not just done; return how long that may be relied on."""
    with column.lock:
        began = client.transport.now()
        if began > column.good_until and not column.refusal:
            try:
                column.changed = _read(client, column)
            except VendorRefusedError as error:
                if error.is_for_all:
                    raise
                column.refusal = error
            # From its begin on: people can change what an earlier page showed.
            column.good_until = good_until(began, client.transport.now())
        return column.good_until


def _read(client: Learn, column: Column) -> dict[str, There]:
    """Return the grades that were changed since the plan, by the learners' ids; all of them if it knew none."""
    found = client.grades(column.course, column.key, changed_after=column.seen or None)
    return {grade.user_id: There.of(grade) for grade in found}


def _overtaken(intent: PublishIntent, column: Column) -> Ended | None:
    """Say how an intent ends that somebody was faster than, there."""
    if column.refusal:
        return _refused(intent, column.refusal)
    now = column.changed.get(intent.user_id)
    if now is None or now.change_index <= intent.seen_index or now.is_same(There.of_values(intent.before or {})):
        return None
    if is_done(intent, now):
        return Ended(intent, State.DONE, now, was_there=True)
    return Ended(intent, State.DROPPED, now, PublishReason.CHANGED_THERE)


def _now(intent: PublishIntent, changed: Mapping[str, There]) -> There:
    """Return a grade as it is; what was not changed is as it was planned."""
    return changed.get(intent.user_id, There.of_values(intent.before or {}))


def _said(intent: PublishIntent) -> dict[str, Any]:
    after = intent.after
    said: dict[str, Any] = {name: after[name] for name in ("text", "without") if name in after}
    said |= {"score": Decimal(after["score"])} if "score" in after else {}
    return said | {"clear": "cleared" in after, "exempt": EXEMPT in after.get("marks", ())}


def _unknown(intent: PublishIntent, detail: str) -> Ended:
    return Ended(intent, State.UNKNOWN, reason=PublishReason.OUTCOME_UNKNOWN, detail=detail)


def _refused(intent: PublishIntent, error: VendorRefusedError) -> Ended:
    """Say how an intent ends that is refused, or whose column is."""
    if error.is_missing:
        return Ended(intent, State.DROPPED, detail=NO_COLUMN)
    reason = PublishReason.COURSE_FORBIDDEN if error.is_forbidden else PublishReason.GRADE_REFUSED
    return Ended(intent, State.FAILED, reason=reason, detail=str(error))


def _missing(client: Learn, column: Column, intent: PublishIntent) -> Ended:
    """Find out what is not there: a learner who can be graded, the column, or only their place for grades in it."""
    if reason := ungradable(client.membership(column.course, UserKey("id", intent.user_id))):
        return Ended(intent, State.DROPPED, reason=reason)
    if client.column(column.course, column.key) is None:
        return Ended(intent, State.DROPPED, detail=NO_COLUMN)
    return Ended(intent, State.DROPPED, reason=PublishReason.NOT_POPULATED)


def is_done(intent: PublishIntent, now: There) -> bool:
    """Return whether a grade is just what an intent makes it; cleared is one that nobody set, as an attempt's is."""
    if list(now.marks) != intent.after.get("marks", []):
        return False
    if "cleared" in intent.after:
        return now.as_set.is_empty
    if "score" in intent.after:
        return now.score is not None and rounded(now.score) == Decimal(intent.after["score"])
    return now.text == str(intent.after["text"])
