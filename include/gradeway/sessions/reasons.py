"""The words of a plan: what a write does, and why a session is not told, or not all of it.

As with the reasons of findings, a code is a contract: codes are added but never renamed.
"""

from __future__ import annotations

from enum import StrEnum

from gradeway.outcomes import Outcome, OutcomeReason


class Action(StrEnum):
    """What a write does to a session's schedule."""

    CREATE = "create"
    UPDATE = "update"
    DISABLE = "disable"
    ENABLE = "enable"
    METADATA = "metadata"


class SyncReason(OutcomeReason):
    """Why a session is not told, or not all of it."""

    NOT_PERMITTED = (
        "NOT_PERMITTED",
        Outcome.REJECTED,
        "the configured administrator may not schedule this assessment for this group",
        "let the administrator own the group's top-level group, and associate the assessment with it",
    )
    GROUP_UNKNOWN = (
        "GROUP_UNKNOWN",
        Outcome.REJECTED,
        "no group there has this name",
        "create the group there, or correct group_name",
    )
    GROUP_AMBIGUOUS = (
        "GROUP_AMBIGUOUS",
        Outcome.REJECTED,
        "several groups there have this name",
        "give each group a name of its own",
    )
    ASSESSMENT_UNKNOWN = (
        "ASSESSMENT_UNKNOWN",
        Outcome.REJECTED,
        "no assessment there has this ID or name",
        "correct the delivery's name in the session file, or map it in the file of GRADEWAY_SESSIONS_DELIVERIES_FILE",
    )
    ASSESSMENT_AMBIGUOUS = (
        "ASSESSMENT_AMBIGUOUS",
        Outcome.REJECTED,
        "several assessments there have this name",
        "name its ID in the file of GRADEWAY_SESSIONS_DELIVERIES_FILE",
    )
    BATTERY_UNMAPPED = (
        "BATTERY_UNMAPPED",
        Outcome.REJECTED,
        "the delivery system has no batteries, and none of its assessments is set for this one",
        "add the battery to the file of GRADEWAY_SESSIONS_DELIVERIES_FILE",
    )
    NOT_SCHEDULABLE = (
        "NOT_SCHEDULABLE",
        Outcome.REJECTED,
        "the assessment does not save its answers, and so must not be scheduled",
        "turn saving of answers on for the assessment, or use another",
    )
    NEEDS_SECURE = (
        "NEEDS_SECURE",
        Outcome.REJECTED,
        "the assessment needs the secure browser, and the monitoring type does not require it",
        "ask for requireFullscreen and set GRADEWAY_QUESTIONMARK_MONITORING_SECURE to a type that does",
    )
    NEEDS_TEST_CENTER = (
        "NEEDS_TEST_CENTER",
        Outcome.REJECTED,
        "the monitoring type needs a test center, and the group has no active one by default",
        "give the group a default test center, or set another monitoring type",
    )
    MONITORING_UNKNOWN = (
        "MONITORING_UNKNOWN",
        Outcome.REJECTED,
        "no monitoring type there has the name that is set",
        "correct GRADEWAY_QUESTIONMARK_MONITORING, _MONITORING_AUTHORIZATION or _MONITORING_SECURE",
    )
    MONITORING_DISABLED = (
        "MONITORING_DISABLED",
        Outcome.REJECTED,
        "the monitoring type is disabled there: nobody could start",
        "enable the monitoring type there, or set another",
    )
    IMMUTABLE_CHANGE = (
        "IMMUTABLE_CHANGE",
        Outcome.CONFLICT,
        "the assessment or the group is not the schedule's, and neither can be changed once it is made",
        "take the change back, or withdraw the session and give the new one another name",
    )
    DUPLICATE_SCHEDULE = (
        "DUPLICATE_SCHEDULE",
        Outcome.CONFLICT,
        "several schedules there stand for this session",
        "clear the ExternalID of all of them but one",
    )
    OUTCOME_UNKNOWN = (
        "OUTCOME_UNKNOWN",
        Outcome.UNKNOWN,
        "an earlier write got no answer, and may still take effect",
        "plan again once GRADEWAY_SESSIONS_GRACE_SECONDS are over; it is never sent twice before",
    )
    NOT_ENFORCED = (
        "NOT_ENFORCED",
        Outcome.SKIPPED,
        "the delivery system has nothing like it: it is written to the schedule's metadata, with no effect",
        "see to it by other means",
    )
    METADATA_FIXED = (
        "METADATA_FIXED",
        Outcome.SKIPPED,
        "the schedule's metadata has another value, and cannot be changed once written",
        "nothing needs to be done: it has no effect on the exam",
    )
    METADATA_TOO_LONG = (
        "METADATA_TOO_LONG",
        Outcome.SKIPPED,
        "the value is longer than the 4000 characters that the schedule's metadata holds",
        "nothing needs to be done: it has no effect on the exam",
    )
