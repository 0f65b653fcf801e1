"""The plan, worked out without any call: what is told, what is not, and why."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gradeway.sessions.deliveries import Deliveries
from gradeway.sessions.plan import Plan, make_plan
from gradeway.sessions.reasons import Action, SyncReason
from gradeway.sessions.tenant import read_tenant
from gradeway.sessions.wanted import Subject, external_id
from gradeway.store.exams import ExamSession, SessionGroup, SessionSchedule
from sessions.exams import START, group, hours, session, settings
from sessions.tenants import ADMINISTRATOR, FOREIGN, MIDTERM, TWIN_B, MemoryTenant

MAPPED = Deliveries({"D-1": "Midterm", "D-2": TWIN_B}, {"B-1": "Midterm", "B-2": "Nothing"})
OURS = {"Name": "Exam", "ExternalID": external_id("Exam"), "AssessmentID": MIDTERM, "GroupID": 2, "MonitoringTypeID": 1}
RESUMED = {"ResumeAllowed": True, "ResumeTo": "2026-05-04T11:00:00Z"}
QSB = {"questionmark_monitoring_secure": "QSB"}
QSB_FOR_ALL = QSB | {"questionmark_monitoring_authorization": "QSB"}
PROCTORED = {"questionmark_monitoring_authorization": "PROCTORED"}
WINDOW = {"StartFrom": "2026-05-04T08:00:00Z", "StartTo": "2026-05-04T10:00:00Z"}


def planned(
    folder: Path,
    tenant: MemoryTenant,
    of: ExamSession | None = None,
    *,
    by: SessionGroup | None = None,
    told: dict[str, Any] | None = None,
    schedule: int = 1,
    pending: tuple[str, ...] = (),
    **given: object,
) -> Plan:
    """The plan of one session."""
    link = None if told is None else SessionSchedule(schedule_id=schedule, told=told)
    subject = Subject(of or session(), by or group(), link, frozenset(pending))
    return make_plan([subject], read_tenant(tenant, ADMINISTRATOR), settings(folder, **given), MAPPED)  # type: ignore[arg-type]


def told(plan: Plan, action: Action) -> list[dict[str, Any]]:
    return [change.body for change in plan.changes if change.action is action]


def why(plan: Plan) -> list[SyncReason]:
    assert plan.changes == ()
    return [problem.reason for problem in plan.problems]


def has(tenant: MemoryTenant, **more: object) -> None:
    """Let the tenant have the schedule of the session."""
    key = len(tenant.schedules) + 1
    tenant.schedules[key] = {"ID": key, "Disabled": False, "ResumeAllowed": False} | OURS | WINDOW | more


def test_a_new_session_is_created_with_what_was_given(tmp_path: Path, tenant: MemoryTenant) -> None:
    plan = planned(tmp_path, tenant)
    assert told(plan, Action.CREATE) == [OURS | WINDOW]
    assert (plan.problems, plan.notes, plan.unchanged) == ((), (), 0)
    assert tenant.asked == []


def test_the_external_id_is_made_of_the_name() -> None:
    assert external_id("Exam") == "gw-02044af3237c651d22884eb0b319d4a9"
    assert len(external_id("é" * 255)) == 35


def test_a_schedule_that_is_as_wanted_is_left_alone(tmp_path: Path, tenant: MemoryTenant) -> None:
    has(tenant, StartFrom="2026-05-04T08:00:00.0000000Z")
    plan = planned(tmp_path, tenant)
    assert (plan.changes, plan.unchanged, plan.brake.existing) == ((), 1, 1)


@pytest.mark.parametrize(
    ("fields", "before", "after"),
    [
        ({"start_at": hours(1)}, {}, {"StartFrom": "2026-05-04T09:00:00Z"}),
        ({"end_at": None}, {}, {"StartTo": None}),
        ({"submission_at": hours(3)}, {}, RESUMED),
        ({"submission_at": None}, RESUMED, {"ResumeAllowed": False, "ResumeTo": None}),
        ({}, {"Name": "Renamed there"}, {"Name": "Exam"}),
        ({"security": ["requireFullscreen"]}, {"MonitoringTypeID": 1}, {"MonitoringTypeID": 2}),
        ({"security": []}, {"MonitoringTypeID": 2}, {"MonitoringTypeID": 1}),
    ],
)  # fmt: skip
def test_only_what_differs_is_told(
    tmp_path: Path, tenant: MemoryTenant, fields: dict[str, Any], before: dict[str, Any], after: dict[str, Any]
) -> None:
    has(tenant, **before)
    plan = planned(
        tmp_path, tenant, session(**fields), told={"metadata": {"tao.securitySettings": "requireFullscreen"}},
        questionmark_monitoring_secure="QSB",
    )  # fmt: skip
    assert told(plan, Action.UPDATE) == [after]
    assert plan.changes[0].values == {name: (tenant.schedules[1].get(name), value) for name, value in after.items()}


@pytest.mark.parametrize("absent", ["start_at", "end_at", "submission_at", "security"])
def test_what_no_file_ever_named_is_left_to_the_tenant(tmp_path: Path, tenant: MemoryTenant, absent: str) -> None:
    has(tenant, ResumeAllowed=True, ResumeTo="2030-01-01T00:00:00Z", MonitoringTypeID=2, Disabled=True)
    tenant.schedules[1] |= {"start_at": {"StartFrom": None}, "end_at": {"StartTo": None}}.get(absent, {})
    given = [name for name in ("delivery", "start_at", "end_at") if name != absent]
    assert planned(tmp_path, tenant, session(given=given)).changes == ()


@pytest.mark.parametrize(
    ("policy", "until", "body"),
    [
        ("submission", hours(3), RESUMED),
        ("submission", None, {}),
        ("always", hours(3), RESUMED),
        ("always", None, {"ResumeAllowed": True}),
        ("never", hours(3), {}),
    ],
)
def test_resuming_follows_the_policy(
    tmp_path: Path, tenant: MemoryTenant, policy: str, until: datetime | None, body: dict[str, Any]
) -> None:
    plan = planned(tmp_path, tenant, session(submission_at=until), sessions_resume=policy)
    assert told(plan, Action.CREATE) == [OURS | WINDOW | body]
    unheeded = [(note.key, note.value) for note in plan.notes]
    assert unheeded == ([("tao.submissionDate", "2026-05-04T11:00:00Z")] if policy == "never" else [])


@pytest.mark.parametrize(
    ("active", "given", "withdrawn", "action"),
    [
        (False, {"active": 1}, False, Action.DISABLE),
        (False, {}, False, None),
        (True, {"active": 1}, False, None),
        (True, {}, True, Action.DISABLE),
    ],
)
def test_a_schedule_is_disabled_with_its_group_or_when_withdrawn(
    tmp_path: Path, tenant: MemoryTenant, active: bool, given: dict[str, int], withdrawn: bool, action: Action | None
) -> None:
    has(tenant)
    plan = planned(
        tmp_path, tenant, session(**{"withdrawn": True} if withdrawn else {}), by=group(active=active, given=given)
    )
    assert [(change.action, change.body) for change in plan.changes] == (
        [(action, {"Disabled": True})] if action else []
    )


@pytest.mark.parametrize("by", [group(given={"active": 1}), group()])
def test_a_withdrawal_that_was_taken_back_enables(tmp_path: Path, tenant: MemoryTenant, by: SessionGroup) -> None:
    has(tenant, Disabled=True)
    plan = planned(tmp_path, tenant, session(given=["delivery", "withdrawn"]), by=by)
    assert told(plan, Action.ENABLE) == [{"Disabled": False}]


def test_a_withdrawn_session_is_not_made(tmp_path: Path, tenant: MemoryTenant) -> None:
    plan = planned(tmp_path, tenant, session(withdrawn=True, delivery="Nothing"))
    assert (plan.changes, plan.problems, plan.unchanged) == ((), (), 1)


def test_a_session_of_an_inactive_group_is_made_disabled(tmp_path: Path, tenant: MemoryTenant) -> None:
    plan = planned(tmp_path, tenant, by=group(active=False, given={"active": 1}))
    assert told(plan, Action.CREATE) == [OURS | WINDOW | {"Disabled": True}]


def test_withdrawing_is_the_way_out_of_a_conflict(tmp_path: Path, tenant: MemoryTenant) -> None:
    has(tenant)
    assert why(planned(tmp_path, tenant, session(delivery="Final"))) == [SyncReason.IMMUTABLE_CHANGE]
    plan = planned(tmp_path, tenant, session(delivery="Final", withdrawn=True))
    assert told(plan, Action.DISABLE) == [{"Disabled": True}]


@pytest.mark.parametrize(
    ("fields", "of", "given", "reason"),
    [
        ({}, "Nobody", {}, SyncReason.GROUP_UNKNOWN),
        ({}, "Twins", {}, SyncReason.GROUP_AMBIGUOUS),
        ({}, "class a", {}, SyncReason.GROUP_UNKNOWN),
        ({}, "Strangers", {}, SyncReason.NOT_PERMITTED),
        ({"delivery": "Foreign"}, "Class A", {}, SyncReason.NOT_PERMITTED),
        ({"delivery": "9999"}, "Class A", {}, SyncReason.ASSESSMENT_UNKNOWN),
        ({"delivery": ""}, "Class A", {}, SyncReason.ASSESSMENT_UNKNOWN),
        ({"delivery": "Twin"}, "Class A", {}, SyncReason.ASSESSMENT_AMBIGUOUS),
        ({"battery": "B-9"}, "Class A", {}, SyncReason.BATTERY_UNMAPPED),
        ({"battery": "B-2"}, "Class A", {}, SyncReason.ASSESSMENT_UNKNOWN),
        ({"delivery": "Practice"}, "Class A", {}, SyncReason.NOT_SCHEDULABLE),
        ({"delivery": "Final"}, "Class A", {}, SyncReason.NEEDS_SECURE),
        ({"delivery": "Final", "security": ["requireAuthorization"]}, "Class A", PROCTORED, SyncReason.NEEDS_SECURE),
        ({}, "Class B", {"questionmark_monitoring": "PROCTORED"}, SyncReason.NEEDS_TEST_CENTER),
        ({}, "Class C", {"questionmark_monitoring": "PROCTORED"}, SyncReason.NEEDS_TEST_CENTER),
        ({}, "Class A", {"questionmark_monitoring": "RETIRED"}, SyncReason.MONITORING_DISABLED),
        ({}, "Class A", {"questionmark_monitoring": "unmonitored"}, SyncReason.MONITORING_UNKNOWN),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_any_call(
    tmp_path: Path, tenant: MemoryTenant, fields: dict[str, Any], of: str, given: dict[str, str], reason: SyncReason
) -> None:
    assert why(planned(tmp_path, tenant, session(**fields), by=group(of), **given)) == [reason]


def test_every_reason_says_what_to_do() -> None:
    assert all(reason.value == reason.name and reason.meaning and reason.remedy for reason in SyncReason)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"delivery": MIDTERM}, MIDTERM),
        ({"delivery": "D-1"}, MIDTERM),
        ({"delivery": "D-2"}, TWIN_B),
        ({"battery": "B-1", "delivery": ""}, MIDTERM),
    ],
)
def test_the_assessment_is_found_by_file_id_or_name(
    tmp_path: Path, tenant: MemoryTenant, fields: dict[str, Any], expected: str
) -> None:
    plan = planned(tmp_path, tenant, session(**fields))
    assert [body["AssessmentID"] for body in told(plan, Action.CREATE)] == [expected]


def test_the_top_group_permits_for_the_groups_inside(tmp_path: Path, tenant: MemoryTenant) -> None:
    tenant.permitted = [(2, MIDTERM), (3, FOREIGN)]
    assert planned(tmp_path, tenant).problems == ()
    assert why(planned(tmp_path, tenant, by=group("Class B"))) == [SyncReason.NOT_PERMITTED]
    assert why(planned(tmp_path, tenant, by=group("Faculty"))) == [SyncReason.NOT_PERMITTED]


def test_a_type_that_needs_a_test_center_gets_that_of_the_group(tmp_path: Path, tenant: MemoryTenant) -> None:
    plan = planned(tmp_path, tenant, questionmark_monitoring="PROCTORED")
    assert told(plan, Action.CREATE) == [OURS | WINDOW | {"MonitoringTypeID": 3, "TestCenterID": 71}]


@pytest.mark.parametrize(
    ("security", "given", "type_id", "left"),
    [
        ([], {}, 1, None),
        (["requireFullscreen", "preventScreenshot"], {}, 1, "requireFullscreen,preventScreenshot"),
        (["requireFullscreen", "preventScreenshot"], QSB, 2, "preventScreenshot"),
        (["requireFullscreen"], QSB, 2, None),
        (["requireAuthorization"], QSB, 1, "requireAuthorization"),
        (["requireAuthorization", "requireFullscreen"], QSB | PROCTORED, 2, "requireAuthorization"),
        (["requireAuthorization", "requireFullscreen"], QSB_FOR_ALL, 2, None),
    ],
)  # fmt: skip
def test_security_chooses_how_it_is_watched(
    tmp_path: Path, tenant: MemoryTenant, security: list[str], given: dict[str, str], type_id: int, left: str | None
) -> None:
    plan = planned(tmp_path, tenant, session(security=security), **given)
    assert [body["MonitoringTypeID"] for body in told(plan, Action.CREATE)] == [type_id]
    assert [note.value for note in plan.notes] == ([left] if left else [])
    assert told(plan, Action.METADATA) == ([{"tao.securitySettings": ",".join(security)}] if security else [])


def test_what_has_no_counterpart_becomes_metadata_and_is_listed(tmp_path: Path, tenant: MemoryTenant) -> None:
    plan = planned(
        tmp_path, tenant,
        session(review=["enableTTReview"], plugins=["print"], report=["studentReport"], accessibility=["zoom", "font"],
                read_aloud="always-enabled", waiting_at=hours(1), time_zone="Europe/Brussels"),
    )  # fmt: skip
    assert plan.changes[0].action is Action.CREATE
    expected = {
        "tao.readAloud": "always-enabled",
        "tao.reportSettings": "studentReport",
        "tao.reviewSettings": "enableTTReview",
        "tao.testRunnerAccessibilityPlugins": "zoom,font",
        "tao.testRunnerSessionPlugins": "print",
        "tao.timezone": "Europe/Brussels",
        "tao.waitingPageDate": "2026-05-04T09:00:00Z",
    }
    assert told(plan, Action.METADATA) == [{key: text} for key, text in expected.items()]
    del expected["tao.timezone"]  # the dates were read in it
    assert {note.key: note.value for note in plan.notes} == expected
    assert {note.reason for note in plan.notes} == {SyncReason.NOT_ENFORCED}


def test_metadata_is_added_once_and_never_changed(tmp_path: Path, tenant: MemoryTenant) -> None:
    has(tenant)
    before = {"metadata": {"tao.readAloud": "always-enabled", "tao.timezone": "UTC"}}
    plan = planned(tmp_path, tenant, session(read_aloud="content-based", plugins=["print"]), told=before)
    assert told(plan, Action.METADATA) == [{"tao.testRunnerSessionPlugins": "print"}]
    assert [(note.reason.value, note.key) for note in plan.notes] == [
        ("METADATA_FIXED", "tao.readAloud"),
        ("NOT_ENFORCED", "tao.testRunnerSessionPlugins"),
        ("METADATA_FIXED", "tao.timezone"),
    ]


def test_metadata_that_does_not_fit_is_not_sent(tmp_path: Path, tenant: MemoryTenant) -> None:
    plan = planned(tmp_path, tenant, session(accessibility=["x" * 4001]))
    assert told(plan, Action.METADATA) == []
    assert [note.reason for note in plan.notes] == [SyncReason.METADATA_TOO_LONG]


def test_two_schedules_for_one_session_are_a_conflict(tmp_path: Path, tenant: MemoryTenant) -> None:
    has(tenant)
    has(tenant)
    assert why(planned(tmp_path, tenant)) == [SyncReason.DUPLICATE_SCHEDULE]
    tenant.schedules[1]["ExternalID"] = None  # as the remedy says, although it is the one we knew
    healed = planned(tmp_path, tenant, told={})
    assert (why(healed), healed.changes, healed.unchanged) == ([], (), 1)


def test_an_exception_for_one_participant_is_no_second_schedule(tmp_path: Path, tenant: MemoryTenant) -> None:
    has(tenant)
    has(tenant, ParentScheduleID=1, ParticipantID=5)
    assert planned(tmp_path, tenant).unchanged == 1


def test_a_schedule_that_lost_its_external_id_gets_it_back(tmp_path: Path, tenant: MemoryTenant) -> None:
    has(tenant, ExternalID=None)
    plan = planned(tmp_path, tenant, told={})
    assert told(plan, Action.UPDATE) == [{"ExternalID": external_id("Exam")}]


def test_a_schedule_that_has_another_sessions_id_is_not_ours(tmp_path: Path, tenant: MemoryTenant) -> None:
    has(tenant, ExternalID=external_id("Another"))
    assert [change.action for change in planned(tmp_path, tenant, told={}).changes] == [Action.CREATE]


def test_a_schedule_that_is_gone_is_made_again_with_its_metadata(tmp_path: Path, tenant: MemoryTenant) -> None:
    plan = planned(
        tmp_path, tenant, session(plugins=["print"]), told={"metadata": {"tao.testRunnerSessionPlugins": "print"}}
    )
    assert [change.action for change in plan.changes] == [Action.CREATE, Action.METADATA]
    assert (plan.changes[0].drifted, plan.brake.risky, plan.brake.existing) == (("ID",), 1, 1)


@pytest.mark.parametrize("is_there", [True, False])
def test_nothing_is_told_while_a_creation_is_unknown(tmp_path: Path, tenant: MemoryTenant, is_there: bool) -> None:
    if is_there:
        has(tenant, StartFrom=None)
    assert why(planned(tmp_path, tenant, pending=("create",))) == [SyncReason.OUTCOME_UNKNOWN]


def test_metadata_of_unknown_outcome_does_not_hold_back_the_rest(tmp_path: Path, tenant: MemoryTenant) -> None:
    has(tenant, StartFrom=None)
    plan = planned(tmp_path, tenant, session(plugins=["print"]), pending=("metadata",))
    assert [change.action for change in plan.changes] == [Action.UPDATE]
    assert [problem.reason for problem in plan.problems] == [SyncReason.OUTCOME_UNKNOWN]


def test_what_somebody_else_changed_is_marked(tmp_path: Path, tenant: MemoryTenant) -> None:
    has(tenant, StartFrom="2026-05-04T12:00:00Z", Name="Renamed there")
    plan = planned(tmp_path, tenant, told={"schedule": {"StartFrom": "2026-05-04T08:00:00Z"}})
    assert plan.changes[0].drifted == ("StartFrom",)


def test_the_digest_is_that_of_the_writes(tmp_path: Path, tenant: MemoryTenant) -> None:
    first = planned(tmp_path, tenant)
    assert planned(tmp_path, tenant, session(start_at=START)).digest == first.digest
    assert planned(tmp_path, tenant, session(start_at=hours(1))).digest != first.digest
    has(tenant, StartFrom=None)
    from_none = planned(tmp_path, tenant)
    tenant.schedules[1]["StartFrom"] = "2026-05-04T12:00:00Z"
    assert planned(tmp_path, tenant).digest != from_none.digest, "it says from what, too"


@pytest.mark.parametrize(
    ("moved", "existing", "percent", "count", "is_on"),
    [(3, 10, 20, 2, True), (3, 10, 30, 2, False), (3, 10, 20, 3, False), (0, 10, 0, 0, False), (1, 10, 0, 0, True)],
)
def test_the_brake_needs_both_limits_to_be_crossed(
    tmp_path: Path, tenant: MemoryTenant, moved: int, existing: int, percent: int, count: int, is_on: bool
) -> None:
    subjects = []
    for number in range(existing):
        name = f"Exam {number:02}"
        has(tenant, Name=name, ExternalID=external_id(name))
        subjects.append(Subject(session(name, start_at=hours(1 if number < moved else 0)), group()))
    given = settings(tmp_path, sessions_brake_percent=percent, sessions_brake_count=count)
    plan = make_plan(subjects, read_tenant(tenant, ADMINISTRATOR), given, Deliveries())  # type: ignore[arg-type]
    assert (plan.brake.risky, plan.brake.existing, plan.brake.is_on) == (moved, existing, is_on)
    assert plan.counts["update"] == moved
    assert plan.counts["unchanged"] == existing - moved


@pytest.mark.parametrize(
    ("before", "fields", "is_risky"),
    [
        ({"StartFrom": None}, {}, True),
        ({"StartTo": None}, {}, True),
        ({"ResumeTo": None}, {"submission_at": hours(3)}, True),
        ({}, {"withdrawn": True}, True),
        ({"Name": "x"}, {}, False),
        ({"Disabled": True}, {"given": ["withdrawn"]}, False),
    ],
)
def test_what_takes_away_or_moves_is_risky(
    tmp_path: Path, tenant: MemoryTenant, before: dict[str, Any], fields: dict[str, Any], is_risky: bool
) -> None:
    has(tenant, **before)
    plan = planned(tmp_path, tenant, session(**fields))
    assert [change.is_risky for change in plan.changes] == [is_risky]


def test_creating_is_not_risky(tmp_path: Path, tenant: MemoryTenant) -> None:
    assert not any(change.is_risky for change in planned(tmp_path, tenant).changes)
