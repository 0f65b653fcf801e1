"""The service's actions: what may be done, the link that does it, and the result to report.

Also ``play``, our control that stands for a participant; it goes through the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gradeway.sandbox.documents import Document, Documents
from gradeway.sandbox.frame import Refused
from gradeway.sandbox.questionmark import delivery, edm
from gradeway.sandbox.questionmark.delivery import FINISHED, Seat
from gradeway.sandbox.questionmark.feeds import Feed, One, Resource
from gradeway.sandbox.questionmark.lobby import Lobby
from gradeway.sandbox.questionmark.schedules import KEY_LENGTH, VALUE_LENGTH

ACTIONABLE = "QM.DeliveryODataService.DTO.ActionableSchedule"
QUIT, LAST_STATUS = 5, 9


@dataclass(frozen=True)
class Asked:
    """One call of an action: on what, with which parameters, when, and by which origin."""

    documents: Documents
    lobby: Lobby
    resource: Resource
    parameters: Document
    now: datetime
    origin: str


def perform(name: str, asked: Asked) -> Document:
    """Do an action and return its answer.

    Raises:
        Refused: the service would not do it.
    """
    bound_to, run = ACTIONS[name]
    kind = One if name != COLLECTION_BOUND else Feed
    if asked.resource.entity_set.name != bound_to or not isinstance(asked.resource, kind):
        raise Refused(404, f"Resource not found for the segment '{name}'.")
    return run(asked)


def _actionable_schedules(asked: Asked) -> Document:
    return _listed(asked, _entity(asked))


def _for_participant(asked: Asked) -> Document:
    return _listed(asked, _participant(asked.documents, asked.parameters))


def _listed(asked: Asked, participant: Document) -> Document:
    hidden = _parameter(asked.parameters, "ShowHidden", bool, default=True)
    now = edm.ticks_of(asked.now)
    found = (seat.actionable(now) for seat in delivery.seats(asked.documents, participant))
    kept = [item for item in found if item["Actions"] and (hidden or not item["Hidden"])]
    return {"odata.metadata": f"$metadata#Collection({ACTIONABLE})", "value": kept}


def _actionable_schedule(asked: Asked) -> Document:
    seat = _seat(asked.documents, asked.parameters, _entity(asked))
    found = seat.actionable(edm.ticks_of(asked.now)) if seat else {"Actions": []}
    if not found["Actions"]:
        raise Refused(404, "There are no actions available.")
    return {"odata.metadata": f"$metadata#{ACTIONABLE}", **found}


def _invoke(asked: Asked) -> Document:
    participant = _participant(asked.documents, asked.parameters)
    action = _parameter(asked.parameters, "Action", str)
    observer = _parameter(asked.parameters, "ObserverID", int, default=None)
    if observer is not None and not asked.documents.get("Administrators", observer):
        raise Refused(400, "The parameter 'ObserverID' must be the ID of an existing Administrator.")
    seat = delivery.seat(asked.documents, _entity(asked), participant)
    if not seat or action not in seat.actions(edm.ticks_of(asked.now), observed=observer is not None):
        raise Refused(400, f"The action '{action}' is not available.")
    purpose = {"scheduleid": seat.schedule["ID"], "participantid": participant["ID"], "action": action}
    url = asked.lobby.launch_url(asked.origin, asked.now, purpose, _metadata(asked.parameters))
    return {"odata.metadata": "$metadata#Edm.String", "value": url}


def _metadata(parameters: Document) -> Document:
    pairs = _parameter(parameters, "AttemptMetadata", list, default=[])
    limits = {"Key": KEY_LENGTH, "Value": VALUE_LENGTH}
    for pair in pairs:
        right = isinstance(pair, dict) and pair.keys() == limits.keys()
        if not right or not all(isinstance(pair[name], str) and len(pair[name]) <= limits[name] for name in limits):
            raise Refused(400, "The parameter 'AttemptMetadata' must be a list of Key and Value.")
    return {pair["Key"]: pair["Value"] for pair in pairs}


def _reported_result(asked: Asked) -> Document:
    participant = _participant(asked.documents, asked.parameters)
    seat = delivery.seat(asked.documents, _entity(asked), participant)
    result = delivery.reported(seat) if seat else None
    if result is None:
        raise Refused(404, "There is no result available.")
    return {"odata.metadata": "$metadata#Results/@Element", **result}


COLLECTION_BOUND = "ActionableSchedulesForParticipant"
ACTIONS: Mapping[str, tuple[str, Callable[[Asked], Document]]] = {
    "ActionableSchedules": ("Participants", _actionable_schedules),
    "ActionableSchedule": ("Participants", _actionable_schedule),
    "InvokeAction": ("Schedules", _invoke),
    "GetReportedResult": ("Schedules", _reported_result),
    # Not in the reference, but in the tutorial.
    COLLECTION_BOUND: ("Schedules", _for_participant),
}


def open_link(documents: Documents, lobby: Lobby, query: str, now: datetime) -> str:
    """Open a signed URL as its participant would; return what the page says.

    Raises:
        Refused: the link is wrong, expired or used, or the action is no longer available.
    """
    purpose = lobby.read(query, now)
    if "action" not in purpose:
        return f"The lobby of attempt {purpose['attemptid']}."
    metadata = lobby.use(purpose)
    seat = _seat_by_keys(documents, int(purpose["scheduleid"]), int(purpose["participantid"]))
    attempt = delivery.launch(documents, seat, purpose["action"], metadata, now)
    return f"Attempt {attempt['AttemptNumber']}: {purpose['action']}."


def play(documents: Documents, body: Document, now: datetime) -> Document:
    """Do what a participant does: start, resume, finish, quit or abandon; return the attempt and its result.

    Raises:
        Refused: the schedule does not allow it now, or there is no unfinished attempt.
    """
    keys = [_parameter(body, name, int) for name in ("ScheduleID", "ParticipantID")]
    seat = _seat_by_keys(documents, *keys)
    what = _parameter(body, "do", str)
    if what in {"start", "resume"}:
        attempt = delivery.launch(documents, seat, what, {}, now)
    elif what in {"finish", "quit", "abandon"}:
        attempt = _left(documents, seat, body, what, now)
    else:
        raise Refused(400, "'do' must be start, resume, finish, quit or abandon.")
    return {"Attempt": attempt, "Result": documents.get("Results", attempt["ResultID"])}


def _left(documents: Documents, seat: Seat, body: Document, what: str, now: datetime) -> Document:
    attempt, result = seat.current or ({}, None)
    if result is None:
        raise Refused(409, "There is no unfinished attempt.")
    if what != "abandon":  # a client that is gone tells nobody: the result stays in progress
        status = _parameter(body, "status", int, default=FINISHED if what == "finish" else QUIT)
        points, maximum = (_parameter(body, name, int, default=zero) for name, zero in (("score", 0), ("max", 100)))
        if not 0 <= status <= LAST_STATUS:
            raise Refused(400, "'status' must be from 0 to 9.")
        documents.put("Results", result["ID"], delivery.score(result, status, points, maximum, now))
    return documents.put("Attempts", attempt["ID"], attempt | {"LastModifiedDateTime": edm.stamp(now)})


def _entity(asked: Asked) -> Document:
    return asked.resource.document if isinstance(asked.resource, One) else {}


def _participant(documents: Documents, parameters: Document) -> Document:
    found = documents.get("Participants", _parameter(parameters, "ParticipantID", int))
    if found is None:
        raise Refused(400, "The parameter 'ParticipantID' must be the ID of an existing Participant.")
    return found


def _seat(documents: Documents, parameters: Document, participant: Document) -> Seat | None:
    schedule = documents.get("Schedules", _parameter(parameters, "ScheduleID", int))
    return delivery.seat(documents, schedule, participant) if schedule else None


def _seat_by_keys(documents: Documents, schedule_id: int, participant_id: int) -> Seat:
    schedule, participant = documents.get("Schedules", schedule_id), documents.get("Participants", participant_id)
    found = delivery.seat(documents, schedule, participant) if schedule and participant else None
    if found is None:
        raise Refused(404, "This participant has no such schedule.")
    return found


def _parameter(parameters: Document, name: str, kind: type, **default: object) -> Any:  # noqa: ANN401  (JSON)
    value = parameters.get(name)
    if value is None and "default" in default:
        return default["default"]
    right = edm.is_int32(value) if kind is int else isinstance(value, kind)
    if not right:
        raise Refused(400, f"The parameter '{name}' is missing or not of type {kind.__name__}.")
    return value
