"""Sending the schemas, folders and columns of a plan to Blackboard Learn, one call after the other.

What is made there is never made twice: before each call it is looked at what is there, and a call
without an answer is settled by reading before anything is sent again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from gradeway.errors import UnknownOutcomeError, VendorError, VendorRefusedError
from gradeway.publish import intents
from gradeway.publish.away import Away
from gradeway.publish.in_time import USABLE, good_until, in_time
from gradeway.publish.intents import Ended, Target
from gradeway.publish.item_calls import NOTHING, THERE_ALREADY, ChangedThereError, ItemCalls, Stands
from gradeway.publish.reasons import PublishReason
from gradeway.publish.stands import item_ended
from gradeway.publish.survey import Survey
from gradeway.publish.wanted import RefusedError
from gradeway.settings import Settings
from gradeway.store.engine import Store
from gradeway.store.publish import LEARN, Action, Kind, PublishIntent, State
from gradeway.vendors.learn import Learn

MOST_UNKNOWN = 3  # in a row, after which it is the service and not a call


class ItemSender:
    """Sends the intents about schemas, folders and columns; ``tell`` hears how each ended.

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
        self._calls = ItemCalls(store, client, settings)
        self._surveys: dict[int, tuple[float, Survey]] = {}
        self._unknown = 0

    def settle(self, targets: Mapping[int, Target]) -> None:
        """Find out what became of the calls of earlier runs.

        Raises:
            VendorError: as ``send_all``.
        """
        for intent in intents.of_items(self._store, targets.keys(), State.SENT, State.UNKNOWN):
            try:
                self._settle(intent, self._look(self._asking, targets[intent.plan_id]))
            except RefusedError as refused:
                self._end(Ended(intent, State.FAILED, reason=refused.reason, detail=refused.detail))
            except VendorRefusedError as error:
                if error.is_for_all:
                    raise
                reason = PublishReason.COURSE_FORBIDDEN if error.is_forbidden else PublishReason.REFUSED
                self._stay_unknown(intent, reason, str(error))
            except VendorError as error:
                self._away.leave(intent.course_id, error)

    def _settle(self, intent: PublishIntent, survey: Survey) -> None:
        if stands := self._calls.effect(intent, survey):
            self._found(intent, stands)
        elif intents.is_over(intent, self._settings.publish_grace_seconds):
            self._over(intent, ", ".join(self._calls.may_be(intent, survey)))
        elif intent.state == State.SENT:
            self._stay_unknown(intent, PublishReason.OUTCOME_UNKNOWN, intents.KILLED)

    def _found(self, intent: PublishIntent, stands: Stands) -> None:
        """End a call whose effect was read; what is not as it makes it may be somebody's: the next plan compares it."""
        if stands.differing:
            self._end(Ended(intent, State.DROPPED, detail=THERE_ALREADY), stands)
        else:
            self._end(Ended(intent, State.DONE), stands)

    def _over(self, intent: PublishIntent, found: str) -> None:
        """Let a call that had no effect be made again, or ask a person whether something ``found`` is its effect."""
        if not found:
            intents.not_sent(self._store, LEARN, [intent])
        else:
            self._stay_unknown(intent, PublishReason.ASSIGNMENT_LOST, found)

    def _stay_unknown(self, intent: PublishIntent, reason: PublishReason, detail: str) -> None:
        for each in intents.stay_unknown(self._store, LEARN, [intent], reason, detail):
            self._tell(each)

    def send_all(self, targets: Mapping[int, Target]) -> None:
        """Send what is open.

        Raises:
            VendorAwayError: the service is away, or allows no further calls; the rest stays open.
            VendorRefusedError: it refuses the account.
            VendorAnswerError: its answer to a look is not usable.
            UnknownOutcomeError: several calls in a row got no answer.
        """
        for intent in intents.of_items(self._store, targets.keys(), State.OPEN):
            if intent.course_id not in self._away:
                self._send(intent, targets[intent.plan_id])

    def _look(self, client: Learn, target: Target) -> Survey:
        return Survey.again(client, target.remote_id, is_ultra=target.is_ultra, settings=self._settings)

    def _send(self, intent: PublishIntent, target: Target) -> None:
        try:
            self._write_in_time(intent, target)
        except ChangedThereError as error:
            self._end(Ended(intent, State.DROPPED, detail=str(error)))
        except RefusedError as refused:
            self._end(Ended(intent, State.FAILED, reason=refused.reason, detail=refused.detail))
        except UnknownOutcomeError as error:
            self._find_out(intent, target, error)
        except VendorError as error:
            if not isinstance(error, VendorRefusedError) or error.is_for_all:
                intents.not_sent(self._store, LEARN, [intent])
                self._away.leave(intent.course_id, error)
            else:
                self._refused(intent, error)

    def _write_in_time(self, intent: PublishIntent, target: Target) -> None:
        """Make a call, soon after a look.

        Raises:
            ChangedThereError: it would not do what was planned.
            VendorError: it may have had its effect, or had none.
        """
        transport = self._client.transport

        def attempt(is_last: bool) -> None:
            began, survey = self._survey(intent.plan_id, target)
            call = self._calls.prepared(intent, survey)
            _, late = intents.send(self._store, LEARN, [intent], self._settings.publish_approval_hours)
            if late:
                self._tell(late[0])
                return
            with transport.sending_until(math.inf if is_last else good_until(began, transport.now())):
                stands = call()
            self._done(intent, stands)

        in_time(transport, attempt, lambda: self._surveys.pop(intent.plan_id, None))

    def _survey(self, plan_id: int, target: Target) -> tuple[float, Survey]:
        """Return what is there in a course, but for what was made just now, and since when it is read."""
        now = self._client.transport.now()
        began, survey = self._surveys.get(plan_id, (-math.inf, None))
        if survey is None or now > began + USABLE:
            began, survey = now, self._look(self._client, target)
            self._surveys[plan_id] = began, survey
        return began, survey

    def _went_well(self, intent: PublishIntent) -> None:
        self._unknown = 0
        self._away.went_well(intent.course_id)
        if intent.kind != Kind.COLUMN:
            self._surveys.pop(intent.plan_id, None)  # what comes next needs to find it

    def _done(self, intent: PublishIntent, stands: Stands) -> None:
        self._went_well(intent)
        reason = PublishReason.ANSWER_DIFFERS if stands.differing else None
        self._end(Ended(intent, State.DONE, reason=reason, detail=", ".join(stands.differing)), stands)

    def _refused(self, intent: PublishIntent, error: VendorRefusedError) -> None:
        if error.is_conflict and intent.action == Action.CREATE:
            self._end(Ended(intent, State.DROPPED, detail=THERE_ALREADY))  # the next plan finds it
            return
        reason = PublishReason.COURSE_FORBIDDEN if error.is_forbidden else PublishReason.REFUSED
        self._end(Ended(intent, State.FAILED, reason=reason, detail=str(error)))

    def _find_out(self, intent: PublishIntent, target: Target, error: UnknownOutcomeError) -> None:
        """Read what became of a call that got no answer; stop after several of which that is not known so far."""
        try:
            stands = self._calls.effect(intent, self._look(self._asking, target))
        except (RefusedError, VendorError):
            stands = None
        if stands:
            self._went_well(intent)
            self._found(intent, stands)
            return
        self._end(Ended(intent, State.UNKNOWN, reason=PublishReason.OUTCOME_UNKNOWN, detail=str(error)))
        self._unknown += 1
        if self._unknown >= MOST_UNKNOWN:
            self._unknown = 0
            self._away.leave(intent.course_id, error)

    def _end(self, ended: Ended, stands: Stands = NOTHING) -> None:
        item_ended(self._store, LEARN, ended, stands.remote_id, stands.content_id)
        self._tell(ended)
