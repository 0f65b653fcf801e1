"""What a participant may do with a schedule, and what happens when they do it.

Source: Questionmark, Delivery OData API: Scheduled Delivery, Schedule, Participant, Attempt and
Result. Where the documents are silent: an exception's attempts and its parent's count together,
an exception stands for itself (it inherits nothing from its parent), and test centers are open.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from gradeway.sandbox.documents import Document, Documents, Where, among
from gradeway.sandbox.frame import Refused
from gradeway.sandbox.questionmark import edm
from gradeway.sandbox.questionmark.entities import ATTEMPT_METADATA, ATTEMPTS, MEMBERS, RESULTS, SUB_GROUPS
from gradeway.sandbox.questionmark.model import closure
from gradeway.sandbox.questionmark.schedules import metadata_of

IN_PROGRESS, FINISHED, PAUSED = 1, 2, 6
UNFINISHED = {None, 0, IN_PROGRESS, PAUSED}
FINAL = {2, 3, 4, 5, 7, 9}
PASS_PERCENT = 50
PLACEHOLDER = re.compile(r"%Participant\.(\w+)%")


@dataclass(frozen=True)
class Seat:
    """One participant before one schedule: their attempts, oldest first, with their results."""

    schedule: Document
    participant: Document
    attempts: list[tuple[Document, Document | None]]
    active: bool

    @property
    def current(self) -> tuple[Document, Document | None] | None:
        """The last attempt, if it is not finished."""
        return self.attempts[-1] if self.attempts and _status(self.attempts[-1][1]) in UNFINISHED else None

    @property
    def remaining(self) -> int | None:
        """How many attempts are left; None: no limit."""
        limit = self.schedule["MaxAttempts"]
        return None if limit is None else max(0, limit - len(self.attempts))

    def actions(self, now: int, *, observed: bool = False) -> list[str]:
        """Return what may be done at a time (in ticks): start or resume, never both."""
        barred = self.schedule["Disabled"] or not self.active or any(item["Disabled"] for item, _ in self.attempts)
        if barred or (self.schedule["ObserverInitiated"] and not observed):
            return []
        if self.current and self.schedule["ResumeAllowed"] and _before(now, self.schedule["ResumeTo"]):
            return [] if _status(self.current[1]) == PAUSED else ["resume"]
        opened = self.schedule["StartFrom"] is None or edm.ticks(self.schedule["StartFrom"]) <= now
        return ["start"] if opened and _before(now, self.schedule["StartTo"]) and self.remaining != 0 else []

    def actionable(self, now: int) -> Document:
        """Return the vendor's ActionableSchedule."""
        names = (self.participant["FirstName"], self.participant["LastName"])
        return {
            "ScheduleID": self.schedule["ID"],
            "Name": self.schedule["Name"],
            "ParticipantID": self.participant["ID"],
            "ParticipantName": " ".join(filter(None, names)) or self.participant["Name"],
            "Hidden": self.schedule["Hidden"],
            "AttemptsRemaining": self.remaining,
            "Actions": self.actions(now),
        }


def _status(result: Document | None) -> int | None:
    return result["Status"] if result else None


def _before(now: int, limit: str | None) -> bool:
    return limit is None or now <= edm.ticks(limit)


def seats(documents: Documents, participant: Document) -> list[Seat]:
    """Return a participant's seat before every schedule that is for them, by schedule."""
    own = documents.find("Schedules", Where('"ParticipantID" = ?', (participant["ID"],)))
    replaced = {schedule["ParentScheduleID"] for schedule in own}
    member_of = documents.linked(MEMBERS, participant["ID"], reverse=True)
    groups = closure(documents, SUB_GROUPS, member_of, reverse=True)
    of_groups = documents.find("Schedules", Where('"ParticipantID" IS NULL') & among('"GroupID"', sorted(groups)))
    found = own + [schedule for schedule in of_groups if schedule["ID"] not in replaced]
    return _seated(documents, sorted(found, key=lambda schedule: int(schedule["ID"])), participant)


def _seated(documents: Documents, schedules: list[Document], participant: Document) -> list[Seat]:
    attempts = documents.find("Attempts", Where('"ParticipantID" = ?', (participant["ID"],)))
    disabled = {found["ID"] for found in documents.find("MonitoringTypes") if found["Disabled"]}
    taken: dict[int, list[tuple[Document, Document | None]]] = {}
    for attempt in attempts:
        result = None if attempt["ResultID"] is None else documents.get("Results", attempt["ResultID"])
        taken.setdefault(attempt["ScheduleID"], []).append((attempt, result))
    return [
        Seat(
            schedule,
            participant,
            [pair for key in family(schedule) for pair in taken.get(key, [])],
            active=schedule["MonitoringTypeID"] not in disabled,
        )
        for schedule in schedules
    ]


def family(schedule: Document) -> list[int]:
    """Return the schedules whose attempts count together: the parent, if there is one, before its exception."""
    return [key for key in (schedule["ParentScheduleID"], schedule["ID"]) if key is not None]


def seat(documents: Documents, schedule: Document, participant: Document) -> Seat | None:
    """Return a participant's seat before a schedule or, if they have one, before their exception to it."""
    found = [seat for seat in seats(documents, participant) if schedule["ID"] in family(seat.schedule)]
    return found[-1] if found else None


def launch(documents: Documents, place: Seat, action: str, metadata: Mapping[str, str], now: datetime) -> Document:
    """Start or resume, and return the attempt.

    Raises:
        Refused: the action is not allowed now.
    """
    if action not in place.actions(edm.ticks_of(now), observed=True):
        raise Refused(409, f"The action '{action}' is not available.")
    if action == "resume" and place.current:
        attempt, result = place.current
    else:
        attempt, result = _begin(documents, place, now)
        copied = {record["Key"]: record["Value"] for record in metadata_of(documents, place.schedule["ID"])}
        metadata = {key: _filled(value, place.participant) for key, value in copied.items()} | dict(metadata)
    _tag(documents, attempt, result, metadata)
    attempt["LastModifiedDateTime"] = edm.stamp(now)
    return documents.put("Attempts", attempt["ID"], attempt)


def _begin(documents: Documents, place: Seat, now: datetime) -> tuple[Document, Document]:
    schedule, participant = place.schedule, place.participant
    result_id, at = documents.next_key("Results"), edm.stamp(now)
    attempt = ATTEMPTS.complete(
        {
            "ID": documents.next_key("Attempts"),
            "ExternalAttemptID": uuid.uuid4().hex,
            "ParticipantID": participant["ID"],
            "AssessmentID": schedule["AssessmentID"],
            "ScheduleID": schedule["ID"],
            "AttemptNumber": len(place.attempts) + 1,
            "ResultID": result_id,
            "Language": schedule["Language"],
            # The vendor's tutorial prints the word, not the value.
            "ParticipantSystemCheckUrl": "null",
            "MonitoringTypeID": schedule["MonitoringTypeID"],
        },
        at,
    )
    result = RESULTS.complete(
        {
            "ID": result_id,
            "AssessmentID": schedule["AssessmentID"],
            "ParticipantName": participant["Name"],
            "GroupName": _top_group(documents, schedule),
            "ParticipantDetails": participant["Details"],
            "Status": IN_PROGRESS,
            "WhenStarted": edm.bare_stamp(now),
            "ExtraTime": schedule["ExtraTime"],
            "TestCenterName": _name(documents, "TestCenters", schedule["TestCenterID"]),
            "StillGoing": True,
            "ScheduleName": schedule["Name"],
            "FirstName": participant["FirstName"],
            "LastName": participant["LastName"],
            "AttemptId": attempt["ID"],
        },
        at,
    )
    return attempt, result


def _top_group(documents: Documents, schedule: Document) -> str | None:
    group = None if schedule["GroupID"] is None else documents.get("Groups", schedule["GroupID"])
    return _name(documents, "Groups", group["RootGroupID"]) if group else None


def _name(documents: Documents, collection: str, key: int | None) -> str | None:
    found = None if key is None else documents.get(collection, key)
    return found["Name"] if found else None


def _filled(value: str, participant: Document) -> str:
    """Return a metadata value with its placeholders filled: Primary_Country stands for PrimaryCountry."""
    return PLACEHOLDER.sub(lambda found: participant.get(found[1].replace("_", "")) or "", value)


def _tag(documents: Documents, attempt: Document, result: Document | None, metadata: Mapping[str, str]) -> None:
    before = {
        record["Key"]: record
        for record in documents.find("AttemptMetadata", Where('"AttemptID" = ?', (attempt["ID"],)))
    }
    for key, value in metadata.items():
        number = before[key]["ID"] if key in before else documents.next_key("AttemptMetadata")
        record = ATTEMPT_METADATA.complete({"ID": number, "AttemptID": attempt["ID"], "Key": key, "Value": value}, "")
        documents.put("AttemptMetadata", number, record)
    if result:
        specials = {f"Special{number}": metadata[f"S{number}"] for number in range(1, 11) if f"S{number}" in metadata}
        documents.put("Results", result["ID"], result | specials)


def score(result: Document, status: int, points: int, maximum: int, now: datetime) -> Document:
    """Return a result with a status and a score; only a final one has a band and an end."""
    percentage = Decimal(100 * points) / maximum if maximum else Decimal(0)
    rounded = int(percentage.quantize(Decimal(1), ROUND_HALF_UP))
    final = status in FINAL
    seconds = (edm.ticks_of(now) - edm.ticks(result["WhenStarted"])) // (1_000_000 * edm.TICKS)
    return result | {
        "Status": status,
        "TotalScore": points,
        "MaxScore": maximum,
        "PercentageScore": rounded,
        "ScoreBandTitle": ("Pass" if rounded >= PASS_PERCENT else "Fail") if final else None,
        "WhenFinished": edm.bare_stamp(now) if final else None,
        "StillGoing": status in UNFINISHED,
        "TimeTaken": max(0, seconds),
    }


def reported(place: Seat) -> Document | None:
    """Return the result that the schedule's rule reports, or None while there is no final one."""
    results = [result for _, result in place.attempts if result and result["Status"] in FINAL]
    if not results:
        return None
    rule = place.schedule["ReportedResult"] or "Last"
    if rule in {"First", "Last"}:
        return results[0 if rule == "First" else -1]
    best = max if rule == "Best" else min
    return best(results, key=lambda result: (result["PercentageScore"] or 0, result["TotalScore"] or 0))
