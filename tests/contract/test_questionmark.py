"""What the client relies on, asked of a running Questionmark: the sandbox, or a real tenant."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from itertools import islice

import pytest

from gradeway.errors import VendorRefusedError
from gradeway.vendors.delivery import (
    Administrator,
    Assessment,
    Attempt,
    Group,
    MonitoringType,
    Participant,
    Permission,
    Schedule,
    TestCenter,
)
from gradeway.vendors.odata import Entity
from gradeway.vendors.questionmark import PAGE, Questionmark

KINDS = [Administrator, Assessment, Attempt, Group, MonitoringType, Participant, Schedule, TestCenter]


def number(entity: Entity) -> object:
    return entity["ID"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_feed_is_readable_and_pages_without_repeats(tenant: Questionmark, kind: type[Entity]) -> None:
    found = [number(entity) for entity in islice(tenant.find(kind), PAGE + PAGE // 2)]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("kind", KINDS)
def test_an_entity_is_found_by_its_key_both_ways(tenant: Questionmark, kind: type[Entity]) -> None:
    first = next(iter(tenant.find(kind)), None)
    if first is None:
        pytest.skip(f"there are no {kind.FEED}")
    assert [number(entity) for entity in tenant.find(kind, ("ID", "eq", number(first)))] == [number(first)]
    again = tenant.get(kind, first["ID"])  # type: ignore[arg-type]
    assert again is not None
    assert number(again) == number(first)


def test_a_key_that_is_not_there_is_none(tenant: Questionmark) -> None:
    assert tenant.get(Schedule, 2**31 - 1) is None
    assert tenant.get(Assessment, "1") is None


@pytest.mark.parametrize("text", ["ExternalID eq 'x'", "Name eq 'x'"])
def test_schedules_cannot_be_found_by_their_names(tenant: Questionmark, text: str) -> None:
    with pytest.raises(VendorRefusedError):
        tenant.transport.call("GET", "Schedules", query={"$filter": text})


def test_a_64_bit_number_needs_its_suffix(tenant: Questionmark) -> None:
    with pytest.raises(VendorRefusedError):
        tenant.transport.call("GET", "Assessments", query={"$filter": "ID eq 92761000092761"})


def test_select_is_not_supported(tenant: Questionmark) -> None:
    with pytest.raises(VendorRefusedError):
        tenant.transport.call("GET", "MonitoringTypes", query={"$select": "ID"})


def permissions(tenant: Questionmark) -> Iterator[Permission]:
    for administrator in tenant.find(Administrator):
        yield from tenant.schedulable(administrator.id)


def is_plain(assessment: Assessment) -> bool:
    return bool(assessment.save_answers) and not assessment.is_secure


def test_permissions_come_once(tenant: Questionmark) -> None:
    for administrator in islice(tenant.find(Administrator), 5):
        found = [(each.group.id, each.assessment.id) for each in tenant.schedulable(administrator.id)]
        assert len(found) == len(set(found))


def test_attempts_belong_to_their_schedule(tenant: Questionmark) -> None:
    for schedule in islice(tenant.find(Schedule), 5):
        assert {attempt.schedule_id for attempt in tenant.attempts(schedule.id)} <= {schedule.id}


def test_a_schedule_is_made_changed_and_disabled(writable: Questionmark) -> None:
    chosen = next(
        each for each in permissions(writable) if each.assessment.save_answers and not each.assessment.is_secure
    )
    unmonitored = next(iter(writable.find(MonitoringType, ("Name", "eq", "UNMONITORED"))))
    mark = f"gradeway-contract-{uuid.uuid4()}"
    made = writable.create_schedule(
        {
            "Name": "Gradeway contract check",
            "ExternalID": mark,
            "AssessmentID": chosen.assessment.id,
            "GroupID": chosen.group.id,
            "MonitoringTypeID": unmonitored.id,
            "Disabled": True,
            "Hidden": True,
        }
    )
    listed = [each for each in writable.find(Schedule, ("GroupID", "eq", chosen.group.id)) if each.external_id == mark]
    assert [each.id for each in listed] == [made.id]
    writable.patch_schedule(made.id, {"ResumeAllowed": True, "MaxAttempts": 2})
    changed = writable.get(Schedule, made.id)
    assert changed is not None
    assert (changed.resume_allowed, changed.max_attempts, changed.disabled) == (True, 2, True)
    writable.add_metadata(made.id, "gradeway", mark)
    assert [(each.key, each.value) for each in writable.metadata(made.id)] == [("gradeway", mark)]
    assert list(writable.attempts(made.id)) == []
    assert made.assessment_id == chosen.assessment.id
