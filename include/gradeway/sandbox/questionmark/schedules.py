"""Writing schedules: create, change, add metadata; each checked as the vendor's documents say.

Source: Questionmark, Delivery OData API: Scheduled Delivery, and Schedule. The documents leave
some cases open. Decided here: beside the assessment also group, participant and parent are fixed
on creation, and a second metadata record of the same key is a conflict (409).

What the documents warn of but do not refuse is accepted: a secure assessment with a monitoring
type that does not require the secure browser, and a disabled monitoring type (its schedules are
inactive).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gradeway.sandbox.documents import Document, Documents, Where
from gradeway.sandbox.frame import Refused
from gradeway.sandbox.questionmark import edm
from gradeway.sandbox.questionmark.entities import SCHEDULE_METADATA, SCHEDULES
from gradeway.sandbox.questionmark.model import EntitySet, Reference

KEY_LENGTH, VALUE_LENGTH = 200, 4000
SERVICE_SET = {"ID", "Created", "CreatedBy", "Modified", "ModifiedBy"}
FIXED = ("AssessmentID", "GroupID", "ParticipantID", "ParentScheduleID")
REQUIRED = ("Name", "AssessmentID", "MonitoringTypeID")
REPORTED = ("First", "Last", "Best", "Worst")


def create(documents: Documents, body: Document, login: str, now: datetime) -> Document:
    """Create a schedule and return it.

    Raises:
        Refused: the service would not create it.
    """
    values = read(SCHEDULES, body)
    at = edm.stamp(now)
    for name in REQUIRED:
        if values.get(name) in {None, ""}:
            raise Refused(400, f"The property '{name}' is required.")
    values |= {"Created": at, "CreatedBy": login, "Modified": at, "ModifiedBy": login}
    values["ID"] = documents.next_key(SCHEDULES.name)
    schedule = SCHEDULES.complete({"ReportedResult": "Last"} | values, at)
    _check(documents, schedule)
    return documents.put(SCHEDULES.name, schedule["ID"], schedule)


def change(documents: Documents, schedule: Document, body: Document, login: str, now: datetime) -> None:
    """Change the given properties of a schedule.

    Raises:
        Refused: the service would not change it so.
    """
    values = read(SCHEDULES, body)
    for name in FIXED:
        if values.get(name, schedule[name]) != schedule[name]:
            raise Refused(400, f"The property '{name}' is fixed on creation and cannot be changed.")
    changed = schedule | values | {"Modified": edm.stamp(now), "ModifiedBy": login}
    _check(documents, changed)
    documents.put(SCHEDULES.name, schedule["ID"], changed)


def add_metadata(documents: Documents, body: Document) -> Document:
    """Add a key and value to a schedule and return the record.

    Raises:
        Refused: the service would not add it.
    """
    values = read(SCHEDULE_METADATA, body)
    for name, length in (("Key", KEY_LENGTH), ("Value", VALUE_LENGTH)):
        if name not in values or not len(values[name]) <= length:
            raise Refused(400, f"The property '{name}' is required and has at most {length} characters.")
    if "ScheduleID" not in values or not documents.get(SCHEDULES.name, values["ScheduleID"]):
        raise Refused(400, "The property 'ScheduleID' must be the ID of an existing Schedule.")
    if any(record["Key"] == values["Key"] for record in metadata_of(documents, values["ScheduleID"])):
        raise Refused(409, "The Schedule already has metadata with this Key.")
    values["ID"] = documents.next_key(SCHEDULE_METADATA.name)
    return documents.put(SCHEDULE_METADATA.name, values["ID"], SCHEDULE_METADATA.complete(values, ""))


def metadata_of(documents: Documents, schedule_id: int) -> list[Document]:
    """Return the metadata records of a schedule."""
    return documents.find(SCHEDULE_METADATA.name, Where('"ScheduleID" = ?', (schedule_id,)))


def read(entity_set: EntitySet, body: Mapping[str, Any]) -> Document:
    """Return the properties of a body, checked by type; what only the service sets is ignored.

    Raises:
        Refused: a property does not exist, or its value is not of its type.
    """
    values: Document = {}
    for name, value in body.items():
        item = entity_set.properties.get(name)
        if item is None:
            raise Refused(400, f"The property '{name}' does not exist on type '{entity_set.entity}'.")
        if value is None and not item.nullable and name not in SERVICE_SET:
            raise Refused(400, f"The property '{name}' must not be null.")
        if name not in SERVICE_SET:
            values[name] = None if value is None else _converted(name, item.kind, value)
    return values


def _converted(name: str, kind: edm.Edm, value: object) -> Any:  # noqa: ANN401  (JSON)
    try:
        return edm.canonical(kind, value)
    except ValueError as error:
        raise Refused(400, f"The property '{name}': {error}") from None


def _check(documents: Documents, schedule: Document) -> None:
    if schedule["GroupID"] is None and schedule["ParticipantID"] is None:
        raise Refused(400, "One of the properties 'GroupID' and 'ParticipantID' is required.")
    if schedule["ReportedResult"] not in {None, *REPORTED}:
        raise Refused(400, f"The property 'ReportedResult' must be one of {', '.join(REPORTED)}.")
    found = _referenced(documents, schedule)
    if not found["Assessment"]["SaveAnswers"]:
        raise Refused(400, "An Assessment that does not save answers must not be scheduled.")
    if found["MonitoringType"]["RequireTestCenter"] and schedule["TestCenterID"] is None:
        raise Refused(400, "The MonitoringType requires a TestCenterID.")
    if "ParentSchedule" in found:
        _check_exception(schedule, found["ParentSchedule"])


def _referenced(documents: Documents, schedule: Document) -> dict[str, Document]:
    found = {}
    for name, way in SCHEDULES.navigations.items():
        if isinstance(way, Reference) and schedule[way.property] is not None:
            target = documents.get(way.target, int(schedule[way.property]))
            if target is None:
                raise Refused(400, f"The property '{way.property}' must be the ID of an existing {name}.")
            found[name] = target
    return found


def _check_exception(schedule: Document, parent: Document) -> None:
    if schedule["ParticipantID"] is None:
        raise Refused(400, "A Schedule with a ParentScheduleID needs a ParticipantID.")
    if parent["GroupID"] is None or parent["ParticipantID"] is not None:
        raise Refused(400, "The parent must be a Schedule of a Group without a ParticipantID.")
    if schedule["AssessmentID"] != parent["AssessmentID"]:
        raise Refused(400, "An exception must be for the Assessment of its parent.")
