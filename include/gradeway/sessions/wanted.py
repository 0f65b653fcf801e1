"""What a session should be in the delivery system, as far as its files ever said.

Values are in the form in which they travel (JSON), by the vendor's names, so that they can be
compared, hashed, kept and sent as they are. Source of the rules: Questionmark, Delivery OData
API: Scheduled Delivery, Schedule, Assessment and Monitoring Type.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gradeway.sessions.deliveries import Deliveries
from gradeway.sessions.reasons import SyncReason
from gradeway.sessions.tenant import Tenant
from gradeway.settings import Resume, Settings
from gradeway.store.exams import ExamSession, SessionGroup, SessionSchedule
from gradeway.vendors.delivery import Assessment, Group, MonitoringType, Schedule, ScheduleMetadata
from gradeway.vendors.odata import wire

PREFIX = "gw-"
WITHDRAWN = "withdrawn"
FULLSCREEN, AUTHORIZATION = "requireFullscreen", "requireAuthorization"
SUBMISSION = "tao.submissionDate"
TIME_ZONE = "tao.timezone"
# What the delivery system has no counterpart for: the session's field, and its metadata key there.
WITHOUT_COUNTERPART = (
    ("security", "tao.securitySettings"),
    ("review", "tao.reviewSettings"),
    ("accessibility", "tao.testRunnerAccessibilityPlugins"),
    ("plugins", "tao.testRunnerSessionPlugins"),
    ("report", "tao.reportSettings"),
    ("read_aloud", "tao.readAloud"),
    ("waiting_at", "tao.waitingPageDate"),
    ("time_zone", TIME_ZONE),
)


@dataclass(frozen=True)
class Subject:
    """A session with all the store knows of it; ``pending`` are its writes whose outcome is not known yet."""

    session: ExamSession
    group: SessionGroup
    link: SessionSchedule | None = None
    pending: frozenset[str] = frozenset()

    def told(self, schedule: Schedule | None, part: str) -> Mapping[str, Any]:
        """Return what its schedule was told, as far as we know: its properties or its metadata."""
        is_linked = self.link and schedule and self.link.schedule_id == schedule.id
        return self.link.told.get(part, {}) if self.link and is_linked else {}

    def gives(self, name: str) -> bool:
        """Whether a file, or a person, ever said anything about a field."""
        return name in self.session.given


@dataclass(frozen=True)
class Note:
    """Something that a session asks for and the delivery system will not do."""

    session: str
    reason: SyncReason
    key: str
    value: str


@dataclass(frozen=True)
class Wanted:
    """What a session should be: its properties, its metadata still to be added, and what is not enforced."""

    values: Mapping[str, object]
    metadata: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


class RefusedError(Exception):
    """A session cannot be told to the delivery system; caught where the plan is made."""

    def __init__(self, reason: SyncReason, detail: str = "") -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.detail = detail


def external_id(name: str) -> str:
    """Return the ExternalID by which a session's schedule is known."""
    return PREFIX + hashlib.sha256(name.encode()).hexdigest()[:32]


def schedule_of(subject: Subject, tenant: Tenant) -> Schedule | None:
    """Return the schedule that stands for a session: it has its ExternalID, or if none has, was linked and lost it.

    Raises:
        RefusedError: there are several.
    """
    found = list(tenant.schedules_of(external_id(subject.session.name)))
    if len(found) > 1:
        numbers = ", ".join(str(each.id) for each in sorted(found, key=lambda each: each.id))
        raise RefusedError(SyncReason.DUPLICATE_SCHEDULE, f"schedules {numbers}")
    linked = tenant.schedules.get(subject.link.schedule_id) if subject.link else None
    if not found and linked and not (linked.external_id or "").startswith(PREFIX):
        return linked
    return found[0] if found else None


def wanted(
    subject: Subject, schedule: Schedule | None, tenant: Tenant, settings: Settings, deliveries: Deliveries
) -> Wanted:
    """Return what a session should be; of a withdrawn one, only that it is disabled.

    Raises:
        RefusedError: it cannot be, for a reason that can be seen before any call.
    """
    if subject.session.withdrawn:
        return _withdrawn(schedule, tenant)
    group, assessment = _group(subject, tenant), _assessment(subject, tenant, deliveries)
    _check_fixed(schedule, group, assessment)
    _check_permission(tenant, group, assessment.id)
    if assessment.save_answers is False:
        raise RefusedError(SyncReason.NOT_SCHEDULABLE, assessment.name or assessment.id)
    name = subject.session.name
    monitoring = None if schedule and not subject.gives("security") else _monitoring(subject, tenant, settings)
    values = {
        **{"Name": name, "ExternalID": external_id(name), "AssessmentID": assessment.id, "GroupID": group.id},
        **(_watch(monitoring, assessment, group, schedule, tenant) if monitoring else {}),
        **_window(subject, schedule, settings),
        **_disabled(subject),
    }
    return Wanted(values, *_metadata(subject, schedule, monitoring, settings))


def _withdrawn(schedule: Schedule | None, tenant: Tenant) -> Wanted:
    if not schedule:
        return Wanted({})
    _check_permission(tenant, tenant.groups.get(schedule.group_id or 0), schedule.assessment_id)
    return Wanted({"Disabled": True})


def _group(subject: Subject, tenant: Tenant) -> Group:
    found = tenant.groups_named(subject.group.name)
    if len(found) != 1:
        raise RefusedError(SyncReason.GROUP_AMBIGUOUS if found else SyncReason.GROUP_UNKNOWN, subject.group.name)
    return found[0]


def _assessment(subject: Subject, tenant: Tenant, deliveries: Deliveries) -> Assessment:
    battery, delivery = subject.session.battery, subject.session.delivery
    if battery and battery not in deliveries.battery:
        raise RefusedError(SyncReason.BATTERY_UNMAPPED, battery)
    called = deliveries.battery[battery] if battery else deliveries.delivery.get(delivery, delivery)
    found = tenant.assessments_called(called)
    if len(found) != 1:
        raise RefusedError(SyncReason.ASSESSMENT_AMBIGUOUS if found else SyncReason.ASSESSMENT_UNKNOWN, called)
    return found[0]


def _check_fixed(schedule: Schedule | None, group: Group, assessment: Assessment) -> None:
    if schedule and (schedule.group_id, schedule.assessment_id) != (group.id, assessment.id):
        what = "assessment" if schedule.group_id == group.id else "group"
        raise RefusedError(SyncReason.IMMUTABLE_CHANGE, f"the {what} of schedule {schedule.id}")


def _check_permission(tenant: Tenant, group: Group | None, assessment_id: str) -> None:
    if not group or not tenant.may_schedule(group, assessment_id):
        raise RefusedError(SyncReason.NOT_PERMITTED, f"assessment {assessment_id} for {group.name if group else '?'}")


def _monitoring(subject: Subject, tenant: Tenant, settings: Settings) -> MonitoringType:
    name = next(
        (name for option, name in _enforcing(settings) if name and option in (subject.session.security or ())),
        settings.questionmark_monitoring,
    )
    found = tenant.monitoring_named(name)
    if not found or found.disabled:
        raise RefusedError(SyncReason.MONITORING_DISABLED if found else SyncReason.MONITORING_UNKNOWN, name)
    return found


def _enforcing(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Return which security option is enforced by which monitoring type; the first that applies is taken."""
    return (
        (FULLSCREEN, settings.questionmark_monitoring_secure),
        (AUTHORIZATION, settings.questionmark_monitoring_authorization),
    )


def _watch(
    monitoring: MonitoringType, assessment: Assessment, group: Group, schedule: Schedule | None, tenant: Tenant
) -> dict[str, object]:
    if assessment.is_secure and not monitoring.require_qsb:
        raise RefusedError(SyncReason.NEEDS_SECURE, f"{assessment.name or assessment.id}, {monitoring.name}")
    values: dict[str, object] = {"MonitoringTypeID": monitoring.id}
    if monitoring.require_test_center and not (schedule and schedule.test_center_id):
        center = tenant.test_centers.get(group.default_test_center_id or 0)
        if not center or center.active is False:
            raise RefusedError(SyncReason.NEEDS_TEST_CENTER, f"{group.name}, {monitoring.name}")
        values["TestCenterID"] = center.id
    return values


def _window(subject: Subject, schedule: Schedule | None, settings: Settings) -> dict[str, object]:
    session, values = subject.session, dict[str, object]()
    if subject.gives("start_at"):
        values["StartFrom"] = wire(session.start_at)
    if subject.gives("end_at"):
        values["StartTo"] = wire(session.end_at)
    if subject.gives("submission_at") or not schedule:
        values |= _resume(wire(session.submission_at), settings.sessions_resume)
    return values


def _resume(until: object, policy: Resume) -> dict[str, object]:
    if policy is Resume.NEVER:
        return {"ResumeAllowed": False}
    return {"ResumeAllowed": policy is Resume.ALWAYS or until is not None, "ResumeTo": until}


def _disabled(subject: Subject) -> dict[str, object]:
    if not subject.gives(WITHDRAWN) and "active" not in subject.group.given:
        return {}
    return {"Disabled": subject.group.active is False}


def _metadata(
    subject: Subject, schedule: Schedule | None, monitoring: MonitoringType | None, settings: Settings
) -> tuple[dict[str, str], tuple[Note, ...]]:
    """Return the metadata still to be added, and what the delivery system will not do."""
    texts = dict(_texts(subject, settings))
    told = subject.told(schedule, "metadata")
    add: dict[str, str] = {}
    notes = [_note(subject, SyncReason.METADATA_FIXED, key) for key in told.keys() - texts.keys()]
    for key, text in texts.items():
        if told.get(key, text) != text:
            notes.append(_note(subject, SyncReason.METADATA_FIXED, key, text))
        elif len(text) > ScheduleMetadata.VALUE_LENGTH:
            notes.append(_note(subject, SyncReason.METADATA_TOO_LONG, key))
        else:
            add |= {} if key in told else {key: text}
            notes += _unenforced(subject, key, text, monitoring, settings)
    return add, tuple(sorted(notes, key=lambda note: note.key))


def _texts(subject: Subject, settings: Settings) -> Iterator[tuple[str, str]]:
    more = (("submission_at", SUBMISSION),) if settings.sessions_resume is Resume.NEVER else ()
    for name, key in (*WITHOUT_COUNTERPART, *more):
        value = getattr(subject.session, name) if subject.gives(name) else None
        if value:
            yield key, ",".join(value) if isinstance(value, list | tuple) else str(wire(value))


def _unenforced(
    subject: Subject, key: str, text: str, monitoring: MonitoringType | None, settings: Settings
) -> list[Note]:
    if key == TIME_ZONE:
        return []  # the dates were read in it
    enforced = {option for option, name in _enforcing(settings) if monitoring and monitoring.name == name}
    left = ",".join(part for part in text.split(",") if part not in enforced)
    return [_note(subject, SyncReason.NOT_ENFORCED, key, left)] if left else []


def _note(subject: Subject, reason: SyncReason, key: str, value: str = "") -> Note:
    return Note(subject.session.name, reason, key, value)
