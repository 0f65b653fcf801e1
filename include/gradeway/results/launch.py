"""Launching: the link with which a participant takes a schedule now, or the reasons why there is none."""

from __future__ import annotations

from gradeway import clock
from gradeway.errors import LaunchError
from gradeway.vendors.delivery import LaunchUrl, Participant, Schedule
from gradeway.vendors.questionmark import Questionmark

RESUME = "resume"
ID_DIGITS = 9


def launch(client: Questionmark, schedule_id: int, learner: str) -> LaunchUrl:
    """Return a participant's link to start or resume a schedule; hand it on at once, keep it nowhere.

    The participant is found by login name, else by ID.

    Raises:
        LaunchError: there is no such participant or schedule, or nothing can be done with it now.
        VendorError: as the client's calls.
    """
    participant = _participant(client, learner)
    possible = client.actionable_schedule(participant.id, schedule_id)
    if possible is None or not possible.actions:
        raise LaunchError(_why_not(client.get(Schedule, schedule_id)))
    action = RESUME if RESUME in possible.actions else possible.actions[0]
    return client.invoke(possible.schedule_id, action, participant.id)


def _participant(client: Questionmark, learner: str) -> Participant:
    found = list(client.find(Participant, ("Name", "eq", learner)))
    if not found and learner.isascii() and learner.isdecimal() and len(learner) <= ID_DIGITS:
        found = [each for each in [client.get(Participant, int(learner))] if each]
    if len(found) != 1:
        msg = "several participants have that name: give the ID" if found else "no participant has that name or ID"
        raise LaunchError(msg)
    return found[0]


def _why_not(schedule: Schedule | None) -> str:
    """Say why a participant has no action; what does not apply to the schedule applies to them."""
    if schedule is None:
        return "there is no such schedule"
    now = clock.now()
    reasons = {
        "it is disabled": schedule.disabled,
        "it has not opened yet": schedule.start_from and schedule.start_from > now,
        "it is over": schedule.start_to and schedule.start_to < now,
        "only an observer can start it": schedule.observer_initiated,
    }
    found = [reason for reason, applies in reasons.items() if applies]
    others = "it is not for this participant, no attempts are left, or the last one cannot be resumed"
    return f"nothing can be done with schedule {schedule.id} now: {' and '.join(found) or others}"
