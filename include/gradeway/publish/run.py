"""Publishing, and how it goes with Blackboard Learn: plan what is due, ask where it is too much, send the rest.

A run can end at any moment: the next one finds out what became of what was on its way, goes on with
what was begun, and only then plans anew.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from queue import SimpleQueue
from typing import ClassVar

from sqlalchemy import select

from gradeway import clock
from gradeway.errors import BudgetSpentError, SyncBusyError, UnknownCourseError, VendorAwayError, VendorError
from gradeway.publish import intents, outbox
from gradeway.publish.away import Away
from gradeway.publish.calls import Calls, Limit, calls_today, unlimited
from gradeway.publish.compare import compare
from gradeway.publish.due import due_courses, failed_courses, unseen_courses
from gradeway.publish.intents import Ended
from gradeway.publish.ours import Ours, read_ours
from gradeway.publish.outbox import Planned
from gradeway.publish.plan import Made
from gradeway.publish.reasons import PublishReason
from gradeway.publish.send_grades import GradeSender
from gradeway.publish.send_items import ItemSender
from gradeway.settings import Settings
from gradeway.store import tenants
from gradeway.store.engine import Store
from gradeway.store.lock import PLAN, SEND, alone
from gradeway.store.models import Course
from gradeway.store.publish import COURSE, LEARN
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.learn import Learn, make_pace
from gradeway.vendors.pace import Manners

log = logging.getLogger(__name__)

PATIENCE = 30  # seconds to wait for another run
KEPT_FAILURES = 1000
COUNTED_AT_ONCE = 10  # calls
TOLD_AT_ONCE = 100  # calls
AHEAD = 2  # courses a thread that may have been compared and wait to be kept

# Of the calls of a day, one such part at most is for comparing.
MOST_FOR_CHANGES = 2
MOST_FOR_LOOKING = 4

Progress = Callable[[str], object]
Compared = tuple[Made, Ours]


@dataclass(frozen=True)
class Failure:
    """A call that did not do what it should; of a learner only our id is told."""

    course_id: int
    kind: str
    name: str
    outcome: str
    detail: str
    learner_id: int = 0


@dataclass
class Paused:
    """What ended before its time: ``paused`` says why, if it did, and ``resume_at`` when it is worth going on."""

    paused: str = ""
    resume_at: datetime | None = None

    @contextmanager
    def pausing(self) -> Iterator[None]:
        """Take it for a pause, and for no error, if Learn says when it takes calls again, or our budget is spent."""
        try:
            yield
        except BudgetSpentError as error:
            self.paused, self.resume_at = str(error), error.resume_at
        except VendorAwayError as error:
            if error.wait is None:
                raise
            self.paused, self.resume_at = str(error), clock.now() + timedelta(seconds=error.wait)


@dataclass
class Sent(Paused):
    """What a run sent: how many calls ended how, and which failed."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def hear(self, ended: Ended) -> None:
        """Count how a call ended."""
        self.outcomes[ended.outcome] += 1
        if ended.reason and len(self.failures) < KEPT_FAILURES:
            intent, detail = ended.intent, ": ".join(filter(None, (ended.reason.value, ended.detail)))
            about = (intent.course_id, intent.kind, intent.name)
            self.failures.append(Failure(*about, ended.outcome, detail, intent.learner_id))


@dataclass
class Planning(Paused):
    """What a planning came to."""

    planned: list[Planned] = field(default_factory=list)


def open_learn(store: Store, endpoint: Endpoint, manners: Manners | None = None) -> Learn:
    """Return a client of the site that a store is published to; its pace knows what was called today before.

    Raises:
        SettingsError: the Connection lacks something.
    """
    pace = make_pace(endpoint, used_today=calls_today(store, LEARN), manners=manners)
    return Learn(endpoint, manners=manners, pace=pace)


class Publisher(ABC):
    """Publishes a store to one target, which is named by ``target``; ``place`` is its address.

    Raises:
        TenantChangedError: the store knows another place.
    """

    target: ClassVar[str]

    def __init__(self, store: Store, settings: Settings, place: str, patience: int, progress: Progress) -> None:
        self._store, self._settings = store, settings
        self._patience, self._progress = patience, progress
        self._place = place
        self._hold()

    def _hold(self) -> None:
        tenants.hold(self._store, self.target, self._place)

    def plan(self, courses: Sequence[str] = (), *, again: bool = False, everything: bool = False) -> Planning:
        """Plan some courses, or all that are due; sends nothing.

        What is known to be in the way, and what is planned already, is looked at again once it has
        changed on our side, or if ``again``; ``everything`` is all that we ever told, too. What is due
        takes half of the calls of a day at most, so that what is planned can be sent.

        Raises:
            UnknownCourseError: the store has no such course.
            SyncBusyError: another run is planning.
            VendorError: Learn refuses the account, is away, or its answer is not usable; what was planned till
                then is kept.
        """
        done = Planning()
        with self._alone(PLAN), done.pausing():
            outbox.forget_conflicts(self._store, self.target)
            due = self._due(courses, again=again, everything=everything)
            limit = unlimited if courses or again or everything else self._limit(MOST_FOR_CHANGES)
            self._plan_each(done, due, limit, again=again or everything, everything=everything)
        return done

    def look(self, since: datetime) -> Planning:
        """Plan all courses of which not all that we ever told was compared since a time; sends nothing.

        Those come first that never were, or longest ago. It pauses once comparing took a quarter of
        the calls of a day.

        Raises:
            GradewayError: as ``plan``.
        """
        done = Planning()
        with self._alone(PLAN), done.pausing():
            with self._store.session() as session:
                unseen = unseen_courses(session, self.target, since)
            self._plan_each(done, unseen, self._limit(MOST_FOR_LOOKING), again=True, everything=True)
        return done

    def _limit(self, part: int) -> Limit:
        """Return what makes comparing pause once it took such a part of the calls of a day."""
        return unlimited

    def _plan_each(
        self, done: Planning, courses: Sequence[int], limit: Limit, *, again: bool, everything: bool
    ) -> None:
        for number, planned in enumerate(self._plan_all(courses, limit, again=again, everything=everything), 1):
            self._progress(f"planned {number:,} of {len(courses):,} courses")
            done.planned.append(planned)

    def _due(self, courses: Sequence[str], *, again: bool, everything: bool) -> list[int]:
        with self._store.session() as session:
            if not courses and everything:
                return unseen_courses(session, self.target, clock.now())
            if not courses:
                return due_courses(session, self.target, again=again)
            wanted = select(Course.source_id, Course.id).where(Course.source_id.in_(courses))
            known = dict(session.execute(wanted).tuples().all())
        if missing := [course for course in courses if course not in known]:
            raise UnknownCourseError(missing[0])
        return [known[course] for course in courses]

    @abstractmethod
    def _plan_all(self, courses: Sequence[int], limit: Limit, *, again: bool, everything: bool) -> Iterator[Planned]:
        """Compare courses, and keep what comes of each."""

    def _read(self, course_id: int, *, again: bool, everything: bool) -> Ours:
        with self._store.session() as session:
            course = session.get_one(Course, course_id)
            ours = read_ours(session, self.target, course, again=again, everything=everything)
            session.expunge_all()
        return ours

    def _keep(self, compared: Compared, again: Callable[[int], Compared]) -> Planned:
        """Keep what comparing a course came to, compared anew as long as somebody begins what was planned before."""
        if compared[0].failure:
            return outbox.note_failure(self._store, self.target, *compared)
        while (planned := outbox.keep(self._store, self.target, *compared, self._settings)) is None:
            compared = again(compared[0].course_id)
        return planned

    def apply(self, digest: str) -> Sent:
        """Send exactly the calls of a plan, and go on with what was begun before.

        Raises:
            UnknownPlanError: there is no plan of that digest.
            BrakeError: it needs a person's approval.
            SyncBusyError: another run is sending.
            VendorError: Learn refuses the account, is away or does not answer; what was done is in
                the store, and the rest stays open.
            OutgoingError: the folder of the files cannot be used; nothing is lost.
        """
        return self._send(lambda: outbox.begin(self._store, self.target, digest, self._settings))

    def apply_free(self) -> Sent:
        """Send all calls that were planned and need no approval, or have it, and go on with what was begun.

        Raises:
            GradewayError: as ``apply``.
        """
        return self._send(lambda: outbox.begin_free(self._store, self.target, self._settings))

    def _send(self, begin: Callable[[], object]) -> Sent:
        done = Sent()
        with self._alone(SEND):
            begin()
            try:
                with done.pausing():
                    self._send_begun(done)
            finally:
                intents.applied(self._store, self.target)
        return done

    @abstractmethod
    def _send_begun(self, done: Sent) -> None:
        """Send what was begun."""

    @contextmanager
    def _alone(self, what: str) -> Iterator[None]:
        with alone(self._store, what, self._patience) as held:
            if not held:
                msg = "another run is publishing; try again when it is done, or see `gradeway publish status`"
                raise SyncBusyError(msg)
            self._hold()  # somebody may have forgotten it meanwhile
            yield


class LearnPublisher(Publisher):
    """Publishes a store to one Learn site.

    Raises:
        TenantChangedError: the store knows another site.
    """

    target = LEARN

    def __init__(
        self,
        store: Store,
        client: Learn,
        settings: Settings,
        *,
        patience: int = PATIENCE,
        progress: Progress = log.info,
    ) -> None:
        super().__init__(store, settings, client.transport.endpoint.url, patience, progress)
        self._client = client
        self._calls = Calls(store, client.transport.pace)

    def _limit(self, part: int) -> Limit:
        return self._calls.limit(part)

    def _plan_all(self, courses: Sequence[int], limit: Limit, *, again: bool, everything: bool) -> Iterator[Planned]:
        """Compare courses side by side, and keep what comes of each."""
        threads = self._settings.publish_threads
        idle: SimpleQueue[Learn] = SimpleQueue()
        with ExitStack() as stack:
            stack.callback(self._calls.count, are_comparing=True)
            for _ in range(threads):
                idle.put(stack.enter_context(self._client.sibling()))
            pool = stack.enter_context(ThreadPoolExecutor(threads, "plan"))
            stack.callback(pool.shutdown, cancel_futures=True)

            def look(course_id: int) -> Compared:
                limit()
                return self._compare(idle, course_id, again=again, everything=everything)

            coming = (pool.submit(look, course) for course in courses)
            away = self._away(lambda course_id, reason, _: log.warning("course %d: %s", course_id, reason))
            for compared in _ahead(coming, AHEAD * threads):
                yield self._keep(compared, look)
                if error := compared[0].failure:
                    away.leave(compared[0].course_id, error)
                else:
                    away.went_well(compared[0].course_id)
                self._calls.count(COUNTED_AT_ONCE, are_comparing=True)
            away.conclude(self._client.probe)

    def _away(self, tell: Callable[[int, PublishReason, VendorError], None]) -> Away:
        with self._store.session() as session:
            return Away(tell, frozenset(session.scalars(failed_courses(LEARN))))

    def _compare(self, idle: SimpleQueue[Learn], course_id: int, *, again: bool, everything: bool) -> Compared:
        client = idle.get()
        try:
            ours = self._read(course_id, again=again, everything=everything)
            return compare(ours, client, self._settings), ours
        finally:
            idle.put(client)

    def _send_begun(self, done: Sent) -> None:
        targets = intents.targets(self._store, LEARN)
        if not targets:
            return

        def tell(ended: Ended) -> None:
            done.hear(ended)
            self._calls.count(COUNTED_AT_ONCE)
            if done.outcomes.total() % TOLD_AT_ONCE == 0:
                self._progress(f"{done.outcomes.total():,} calls have ended")

        def left(course_id: int, reason: PublishReason, error: VendorError) -> None:
            name = outbox.note_away(self._store, LEARN, course_id, reason, str(error))
            done.failures.append(Failure(course_id, COURSE, name, reason.outcome, f"{reason.value}: {error}"))

        away = self._away(left)
        with self._counted_calls(), self._client.sibling(urgent=True) as asking:
            items = ItemSender(self._store, self._client, asking, self._settings, tell, away)
            with GradeSender(self._store, self._client, asking, self._settings, tell, away) as grades:
                items.settle(targets)
                grades.settle(targets)
                items.send_all(targets)
                grades.send_all(targets)
            away.conclude(self._client.probe)
            if healed := away.healed:
                outbox.forget_away(self._store, LEARN, healed)

    @contextmanager
    def _counted_calls(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._calls.count()


def _ahead(coming: Iterable[Future[Compared]], most: int) -> Iterator[Compared]:
    """Yield results in their order, of which so many at most are worked for ahead: they take memory."""
    waiting: deque[Future[Compared]] = deque()
    for each in coming:
        waiting.append(each)
        if len(waiting) > most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
