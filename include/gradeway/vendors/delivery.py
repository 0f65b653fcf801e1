"""The records of Questionmark's Delivery OData API, as far as Gradeway uses them.

Names, types and the properties that may be filtered on are those of Questionmark's documentation
of the Delivery OData API, page by page of its reference. An optional property is one that some
release, or some example of the vendor, leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Literal, NamedTuple, TypedDict

from gradeway.vendors.odata import Entity, Int64

IDS = {"ID": "Edm.Int32"}
NAMED = {**IDS, "Name": "Edm.String"}
ReportedResult = Literal["First", "Last", "Best", "Worst"]
QUERY_WORDS = (
    "$filter",
    "$expand",
    "$orderby",
    "$top",
    "$skip",
    "Edm.Int32",
    "Edm.Int64",
    "Edm.String",
    "Edm.DateTime",
)
CLOSE = timedelta(seconds=2)


@dataclass(frozen=True, repr=False)
class Administrator(Entity):
    """Someone who may schedule what the groups they own may be given."""

    FEED: ClassVar[str] = "Administrators"
    FILTERS: ClassVar[Mapping[str, str]] = NAMED

    id: int
    name: str | None = None


@dataclass(frozen=True, repr=False)
class Group(Entity):
    """A group of participants; of a root group, both numbers are the same."""

    FEED: ClassVar[str] = "Groups"
    FILTERS: ClassVar[Mapping[str, str]] = NAMED | {"RootGroupID": "Edm.Int32"}

    id: int
    root_group_id: int
    name: str | None = None
    description: str | None = None
    default_test_center_id: int | None = None


@dataclass(frozen=True, repr=False)
class Assessment(Entity):
    """An assessment; one that does not save its answers must not be scheduled."""

    FEED: ClassVar[str] = "Assessments"
    FILTERS: ClassVar[Mapping[str, str]] = {"ID": "Edm.Int64", "Name": "Edm.String"}

    id: Int64
    revision: int
    name: str | None = None
    language: str | None = None
    time_limit: int | None = None
    is_secure: bool | None = None
    save_answers: bool | None = None


@dataclass(frozen=True, repr=False)
class Participant(Entity):
    """A learner; ``name`` is the login name."""

    FEED: ClassVar[str] = "Participants"
    FILTERS: ClassVar[Mapping[str, str]] = NAMED

    id: int
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    sso_id: str | None = None
    details1: str | None = None
    details2: str | None = None
    details3: str | None = None
    details4: str | None = None
    details5: str | None = None
    details6: str | None = None
    details7: str | None = None
    details8: str | None = None
    details9: str | None = None
    details10: str | None = None
    details11: str | None = None
    details12: str | None = None
    details13: str | None = None
    details14: str | None = None
    details15: str | None = None
    details16: str | None = None
    details17: str | None = None
    details18: str | None = None
    details19: str | None = None
    details20: str | None = None


@dataclass(frozen=True, repr=False)
class MonitoringType(Entity):
    """How an assessment is watched; ``name`` is symbolic, such as UNMONITORED."""

    FEED: ClassVar[str] = "MonitoringTypes"
    FILTERS: ClassVar[Mapping[str, str]] = NAMED

    id: int
    name: str | None = None
    require_qsb: bool | None = None
    require_device_events: bool | None = None
    require_test_center: bool | None = None
    disabled: bool | None = None


@dataclass(frozen=True, repr=False)
class TestCenter(Entity):
    """A place where monitored assessments are taken."""

    FEED: ClassVar[str] = "TestCenters"
    FILTERS: ClassVar[Mapping[str, str]] = NAMED
    __test__: ClassVar[bool] = False  # no test class, in spite of its name

    id: int
    label: str | None = None
    name: str | None = None
    active: bool | None = None
    time_zone: str | None = None


@dataclass(frozen=True, repr=False)
class Schedule(Entity):
    """What a group or a participant may take, when and how."""

    FEED: ClassVar[str] = "Schedules"
    FILTERS: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("ID", "ParticipantID", "GroupID", "MonitoringTypeID", "TestCenterID"), "Edm.Int32"),
        **dict.fromkeys(("StartFrom", "StartTo"), "Edm.DateTime"),
    }

    id: int
    assessment_id: Int64
    monitoring_type_id: int | None = None
    name: str | None = None
    parent_schedule_id: int | None = None
    external_id: str | None = None
    language: str | None = None
    group_id: int | None = None
    participant_id: int | None = None
    disabled: bool = False
    hidden: bool = False
    start_from: datetime | None = None
    start_to: datetime | None = None
    resume_allowed: bool = False
    resume_to: datetime | None = None
    report_from: datetime | None = None
    report_to: datetime | None = None
    report_template_name: str | None = None
    reported_result: str | None = None
    extra_time: int | None = None
    max_attempts: int | None = None
    observer_initiated: bool = False
    observer_id: int | None = None
    test_center_id: int | None = None
    rules_of_conduct_id: int | None = None
    created: datetime | None = None
    modified: datetime | None = None


class ScheduleValues(TypedDict, total=False):
    """The properties of a schedule that a client may set, by the vendor's names."""

    Name: str
    AssessmentID: Int64
    GroupID: int | None
    ParticipantID: int | None
    MonitoringTypeID: int
    ParentScheduleID: int | None
    ExternalID: str | None
    Language: str | None
    Disabled: bool
    Hidden: bool
    StartFrom: datetime | None
    StartTo: datetime | None
    ResumeAllowed: bool
    ResumeTo: datetime | None
    ReportFrom: datetime | None
    ReportTo: datetime | None
    ReportTemplateName: str | None
    ReportedResult: ReportedResult | None
    ExtraTime: int | None
    MaxAttempts: int | None
    ObserverInitiated: bool
    ObserverID: int | None
    TestCenterID: int | None
    RulesOfConductID: int | None


REQUIRED = ("Name", "AssessmentID", "MonitoringTypeID")
# AssessmentID is documented to be fixed, the others are in effect: for whom a schedule is.
FIXED = frozenset({"AssessmentID", "GroupID", "ParticipantID", "ParentScheduleID"})


@dataclass(frozen=True, repr=False)
class ScheduleMetadata(Entity):
    """A key and value that travel with a schedule, and on to its attempts."""

    FEED: ClassVar[str] = "ScheduleMetadata"
    KEY_LENGTH: ClassVar[int] = 200
    VALUE_LENGTH: ClassVar[int] = 4000

    id: int
    schedule_id: int
    key: str
    value: str


@dataclass(frozen=True, repr=False)
class ActionableSchedule(Entity):
    """What a participant may do with a schedule right now; never to be kept."""

    schedule_id: int
    participant_id: int
    hidden: bool
    name: str | None = None
    participant_name: str | None = None
    attempts_remaining: int | None = None
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Result(Entity):
    """The outcome of one attempt; its times are printed without a zone."""

    FEED: ClassVar[str] = "Results"
    FILTERS: ClassVar[Mapping[str, str]] = IDS | {
        "AssessmentID": "Edm.Int64",
        "ParticipantName": "Edm.String",
        "GroupName": "Edm.String",
        "WhenFinished": "Edm.DateTime",
    }
    LOCAL_TIMES: ClassVar[bool] = True

    id: int
    assessment_id: Int64
    participant_name: str | None = None
    group_name: str | None = None
    status: int | None = None
    max_score: Decimal | None = None
    total_score: Decimal | None = None
    percentage_score: Decimal | None = None
    score_band_title: str | None = None
    when_started: datetime | None = None
    when_finished: datetime | None = None
    still_going: bool | None = None
    time_taken: int | None = None


@dataclass(frozen=True, repr=False)
class Attempt(Entity):
    """One participant's try at an assessment, with its result once there is one."""

    FEED: ClassVar[str] = "Attempts"
    FILTERS: ClassVar[Mapping[str, str]] = dict.fromkeys(("ID", "ScheduleID", "AttemptListID"), "Edm.Int32") | {
        "ExternalAttemptID": "Edm.String"
    }

    id: int
    participant_id: int
    assessment_id: Int64
    external_attempt_id: str | None = None
    schedule_id: int | None = None
    attempt_number: int | None = None
    monitoring_type_id: int | None = None
    result_id: int | None = None
    last_modified_date_time: datetime | None = None
    disabled: bool | None = None
    result: Result | None = None

    @property
    def hours_off(self) -> int:
        """Hours by which the result's start differs from the attempt's time, if they are whole hours.

        Other than 0, they suggest that results are not printed in the zone they were read in.
        """
        started, changed = self.result and self.result.when_started, self.last_modified_date_time
        if not started or not changed:
            return 0
        hours = round((started - changed) / timedelta(hours=1))
        is_whole = abs(started - changed - timedelta(hours=hours)) <= CLOSE
        return hours if is_whole and abs(hours) <= 14 else 0


class Permission(NamedTuple):
    """An assessment that members of a group may be given by an administrator."""

    group: Group
    assessment: Assessment


class Membership(NamedTuple):
    """A participant whom an administrator reaches through a group."""

    group: Group
    participant: Participant


@dataclass(frozen=True)
class LaunchUrl:
    """A signed link for one participant's browser: hand it on at once, keep it nowhere."""

    _url: str = field(repr=False)

    def reveal(self) -> str:
        """Return the link itself."""
        return self._url


def told_names() -> frozenset[str]:
    """Return the service's own names with which its error messages may be told."""
    kinds = Entity.__subclasses__()
    names = {kind.__name__ for kind in kinds} | {kind.FEED for kind in kinds}
    return frozenset(names.union(QUERY_WORDS, ScheduleValues.__annotations__, *(kind.FILTERS for kind in kinds)))
