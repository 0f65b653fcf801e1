"""Settings, from the environment, typed and checked once.

Every setting is an environment variable ``GRADEWAY_<FIELD>``. A wrong one stops the program at
its start with the variable's name and what is expected; nothing is read at import.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from gradeway.errors import SettingsError
from gradeway.store_url import STORE_CONNECTION, url_of_connection

log = logging.getLogger(__name__)

PREFIX = "GRADEWAY_"
ALIKE = 0.75  # of 1, from where on a name can be meant by another
PROJECT = Path(__file__).resolve().parents[2]


class Provisioning(StrEnum):
    """How a row finds the column or assignment it is about.

    The four checks of the Grades Journey incoming settings: update what has the same name,
    update what has the same metadata value, add once and never touch again, or always add.
    """

    NAME = "name"
    METADATA = "metadata"
    ONCE = "once"
    ALWAYS = "always"


class Target(StrEnum):
    """Where grades are published: a Blackboard Learn site, or files for its own importer."""

    LEARN = "learn"
    FILES = "files"


class Resume(StrEnum):
    """Whether an exam that was begun may be resumed, and until when.

    Until the session's submission date if it has one, always, or never.
    """

    SUBMISSION = "submission"
    ALWAYS = "always"
    NEVER = "never"


def _words(value: object) -> object:
    return frozenset(value.replace(",", " ").split()) if isinstance(value, str) else value


@dataclass(frozen=True)
class Limit:
    """How many, and how many percent, may be done without approval: too much is what exceeds both.

    Of a small column all may be too much, though that is no more than the number allows.
    """

    count: int
    percent: int


BRAKES: Mapping[str, Limit] = {
    "deletions": Limit(0, 0),
    "decreases": Limit(5, 10),
    "blanks": Limit(5, 10),
    "changes": Limit(20, 50),
    "unmatched": Limit(5, 20),
}
BRAKE = re.compile(r"([a-z]+)=(\d{1,7})/(\d{1,2}|100)", re.ASCII)


def _brakes(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = [BRAKE.fullmatch(word) for word in value.split()]
    given = {match[1]: Limit(int(match[2]), int(match[3])) for match in found if match}
    if len(given) < len(found) or not given.keys() <= BRAKES.keys():
        msg = f"write kind=count/percent, as in decreases=5/10, for any of {', '.join(BRAKES)}"
        raise ValueError(msg)
    return {**BRAKES, **given}


def _absolute(value: object) -> object:
    return Path(value).expanduser().absolute() if isinstance(value, (str, Path)) else value


Folder = Annotated[Path, BeforeValidator(_absolute)]
Words = Annotated[frozenset[str], BeforeValidator(_words)]
Brakes = Annotated[Mapping[str, Limit], BeforeValidator(_brakes)]
Days = Annotated[int, Field(ge=1, le=36500)]
Statuses = Annotated[frozenset[Annotated[str, Field(pattern="^[0-9]$")]], BeforeValidator(_words)]
Key = Annotated[str, Field(pattern=r'^[^:=|"\s]{1,100}$')]


class Settings(BaseModel):
    """All settings of one installation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Folder = Field(PROJECT / ".gradeway", description="folder of the embedded default")
    database_url: str = Field("", description="SQLAlchemy URL of the store; SQLite in the home unless set")
    landing: Folder = Field(Path(), description="root of the landing zone; `landing` in the home unless set")
    settle_seconds: float = Field(2.0, ge=0, le=3600, description="seconds a file must be unchanged to be taken")
    delimiter: str = Field(
        "|", pattern=r"^[|;,\t~#!\^]$", description="separator of the grade files: | ; , ~ ^ # ! or tab"
    )
    lenient_header: bool = Field(
        False, description="read a file whose header names a column twice, where rows say nothing contrary in it"
    )
    fallback_encoding: str = Field("", pattern="^(|cp1252)$", description="read non-UTF-8 lines as this (cp1252)")
    date_pattern: str = Field("yyyy-MM-dd", description="pattern of dates in the grade files")
    zero_points: bool = Field(False, description="allow columns worth 0 points")
    whole_file_feeds: Words = Field(frozenset({"sch"}), description="feeds refused whole if one row is rejected")
    column_provisioning: Provisioning = Field(Provisioning.NAME, description="how .col and .colnc rows find a column")
    assignment_provisioning: Provisioning = Field(Provisioning.NAME, description="how .asg rows find an assignment")
    metadata_key: str = Field("Type", min_length=1, description="optionalData key for provisioning by metadata")
    attempts: int = Field(3, ge=1, le=100, description="failures of one batch before it goes to quarantine")
    parked_days: Days = Field(30, description="days a row waits for its schema or column")
    archive_days: Days = Field(400, description="days archived files are kept")
    quarantine_days: Days = Field(90, description="days refused files are kept")
    report_days: Days = Field(400, description="days reports, reject files and calls to outside systems are kept")
    sessions_time_zone: str = Field("UTC", description="zone of a session's dates that name none")
    time_zone: str = Field("UTC", description="zone in which reports and pages show times")
    sessions_deliveries_file: str = Field(
        "", description="CSV file delivery,assessment (and battery): which assessment stands for a delivery or battery"
    )
    sessions_resume: Resume = Field(
        Resume.SUBMISSION, description="whether an exam may be resumed: submission (until that date), always or never"
    )
    sessions_grace_seconds: float = Field(
        60, ge=0, le=86400, description="seconds in which a write without an answer may still take effect"
    )
    sessions_brake_percent: int = Field(
        20, ge=0, le=100, description="percent of our schedules that a plan may disable or move without approval"
    )
    sessions_brake_count: int = Field(
        1, ge=0, description="number of schedules that a plan may disable or move without approval, in any case"
    )
    sessions_approval_hours: int = Field(24, ge=1, le=8760, description="hours for which an approval holds")
    questionmark_administrator: int | None = Field(
        None, ge=1, description="ID of the administrator in whose name we schedule; else the connection's extra has it"
    )
    questionmark_monitoring: str = Field(
        "UNMONITORED", min_length=1, description="symbolic name of the monitoring type of a session"
    )
    questionmark_monitoring_secure: str = Field(
        "", description="monitoring type of a session with requireFullscreen; not enforced unless set"
    )
    questionmark_monitoring_authorization: str = Field(
        "", description="monitoring type of a session with requireAuthorization; not enforced unless set"
    )
    questionmark_learner: str = Field(
        "Name",
        pattern=r"^(Name|SsoId|Details([1-9]|1[0-9]|20))$",
        description="property of a Questionmark participant that identifies the learner: Name, SsoId or Details1 to 20",
    )
    questionmark_results_time_zone: str = Field("UTC", description="zone of the times of Questionmark's results")
    results_publish: Statuses = Field(frozenset("249"), description="Questionmark's result statuses that become grades")
    results_review: Statuses = Field(frozenset("357"), description="result statuses that a person decides on first")
    results_days: Days = Field(14, description="days after a schedule's end in which its results are still read")
    results_stale_days: Days = Field(7, description="days after which an unfinished attempt is told as stale")
    aqr_settle_seconds: float = Field(2.0, ge=0, le=600, description="seconds an .aqr file must be still to be sent")
    aqr_grace_seconds: float = Field(
        90, ge=0, le=86400, description="seconds in which an upload without an answer may still take effect"
    )
    aqr_restless_seconds: float = Field(
        30, ge=1, le=3600, description="seconds after which a result file that never stands still is sent as it is"
    )
    aqr_backup_days: int = Field(14, ge=14, le=36500, description="days until a .bak file is deleted, at least 14")
    aqr_alert_days: int = Field(10, ge=1, le=36500, description="days after which a missing or unsent result is told")
    aqr_past_days: Days = Field(90, validate_default=True, description="days after which a missing result is let go")
    aqr_roster_file: str = Field(
        "", description="CSV file exam,learner (and access_code, sitting, until): who sits offline exams"
    )
    results_session_key: Key = Field("SESSION", description="optionalData key that names the session a column is for")
    results_assessment_key: Key = Field(
        "ASSESSMENT", description="optionalData key that names the assessment a column is for"
    )
    results_file: str = Field(
        "", description="CSV file session,assessment,courseId,name: which column takes which results; it wins"
    )
    publish_target: Target = Field(Target.LEARN, description="where grades are published: learn, or files")
    publish_course_id: str = Field(
        "externalId",
        pattern="^(externalId|courseId)$",
        description="what courseId in the files is in Learn: externalId (the batch UID) or courseId",
    )
    publish_learner_id: str = Field(
        "userName",
        pattern="^(userName|externalId)$",
        description="what userId in the files is in Learn: userName (the login) or externalId (the batch UID)",
    )
    publish_columns_visible: bool = Field(True, description="whether learners see columns that are made in Learn")
    publish_brakes: Brakes = Field(
        BRAKES,
        description=(
            "what a plan may do to a course, and to a column, without approval: kind=count/percent for deletions, "
            "decreases, blanks, changes and unmatched; it is held where both are exceeded, of the first three also "
            "where it is all of a column's grades and more than two"
        ),
    )
    publish_approval_hours: int = Field(24, ge=1, le=8760, description="hours for which an approval holds")
    publish_grace_seconds: float = Field(
        60, ge=0, le=86400, description="seconds in which a call to Learn without an answer may still take effect"
    )
    publish_threads: int = Field(4, ge=1, le=16, description="calls to Learn that are under way at a time")
    publish_files_folder: str = Field(
        "", validate_default=True, description="folder into which Grades Journey files are put"
    )
    publish_files_wait: bool = Field(
        True, description="put columns there only when the schemas were taken away, and grades after columns"
    )

    @field_validator("time_zone", "sessions_time_zone", "questionmark_results_time_zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            msg = "not an IANA time zone such as Europe/Brussels"
            raise ValueError(msg) from None
        return value

    @field_validator("date_pattern")
    @classmethod
    def _names_a_day(cls, value: str) -> str:
        letters = sorted(match.group() for match in re.finditer(r"([A-Za-z])\1*", value))
        if len(letters) != 3 or letters[0] not in {"M", "MM"} or letters[1] not in {"d", "dd"} or letters[2] != "yyyy":
            msg = "name yyyy, MM or M, and dd or d, once each, such as dd/MM/yyyy"
            raise ValueError(msg)
        return value

    @field_validator("publish_files_folder")
    @classmethod
    def _is_given_for_files(cls, value: str, info: ValidationInfo) -> str:
        if not value.strip() and info.data.get("publish_target") is Target.FILES:
            msg = "name the folder of the importer, as GRADEWAY_PUBLISH_TARGET is files"
            raise ValueError(msg)
        return value

    @field_validator("aqr_alert_days")
    @classmethod
    def _is_told_in_time(cls, value: int, info: ValidationInfo) -> int:
        if value >= info.data.get("aqr_backup_days", value + 1):
            msg = "it must be shorter than GRADEWAY_AQR_BACKUP_DAYS: after that the exam's own computer has no copy"
            raise ValueError(msg)
        return value

    @field_validator("aqr_past_days")
    @classmethod
    def _is_told_at_all(cls, value: int, info: ValidationInfo) -> int:
        if value <= info.data.get("aqr_alert_days", 0):
            msg = "it must be longer than GRADEWAY_AQR_ALERT_DAYS: after it a missing result is told no more"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _waits_end_first(self) -> Self:
        if self.archive_days <= self.parked_days:
            msg = "it must be longer than GRADEWAY_PARKED_DAYS: a row that waits is given back from its file"
            raise ValueError(msg)
        return self

    def model_post_init(self, _context: object, /) -> None:
        """Derive what depends on the home."""
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{self.home / 'gradeway.db'}")
        if self.landing == Path():
            object.__setattr__(self, "landing", self.home / "landing")

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone in which times are shown."""
        return ZoneInfo(self.time_zone)

    @cached_property
    def results_zone(self) -> ZoneInfo:
        """The zone of the times of Questionmark's results."""
        return ZoneInfo(self.questionmark_results_time_zone)

    @cached_property
    def sessions_zone(self) -> ZoneInfo:
        """The zone of a session's dates that name none."""
        return ZoneInfo(self.sessions_time_zone)


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: a variable is wrong or unknown; the message names it.
    """
    env = os.environ if environment is None else environment
    # a tab is a value, other blank variables are as good as unset
    given = {
        key[len(PREFIX) :].lower(): value for key, value in env.items() if key.startswith(PREFIX) and value.strip(" \n")
    }
    for unknown in sorted(given.keys() - Settings.model_fields.keys()):
        known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
        name = f"{PREFIX}{unknown.upper()}"
        log.warning("%s is no setting of Gradeway and is ignored%s", name, nearest(name, known))
        del given[unknown]
    if "database_url" not in given and (connection := env.get(f"AIRFLOW_CONN_{STORE_CONNECTION.upper()}")):
        given["database_url"] = url_of_connection(connection)
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = f"{PREFIX}{str((first['loc'] or ('archive_days',))[0]).upper()}"
        expected = first["msg"].removeprefix("Value error, ")
        if first["type"] == "string_pattern_mismatch":
            expected = f"it is the {Settings.model_fields[str(first['loc'][0])].description}"
        msg = f"{name} is wrong: {expected}"
        raise SettingsError(msg) from None


def nearest(name: str, known: Iterable[str]) -> str:
    """Ask whether the known name that is most like an unknown one was meant; nothing where none is like it."""
    found = difflib.get_close_matches(name, list(known), 1, ALIKE)
    return f"; did you mean {found[0]}?" if found else ""
