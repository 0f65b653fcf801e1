"""What the delivery system holds now, read once for a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from gradeway.vendors.delivery import Assessment, Group, MonitoringType, Schedule, TestCenter
from gradeway.vendors.questionmark import Questionmark

T = TypeVar("T")


@dataclass(frozen=True)
class Tenant:
    """The delivery system's side of a plan; ``permitted`` are pairs of group and assessment."""

    schedules: Mapping[int, Schedule]
    groups: Mapping[int, Group]
    assessments: Mapping[str, Assessment]
    monitoring_types: Mapping[int, MonitoringType]
    test_centers: Mapping[int, TestCenter]
    permitted: frozenset[tuple[int, str]]

    def schedules_of(self, external_id: str) -> list[Schedule]:
        """Return the schedules of groups with an ExternalID."""
        return self._schedules_by_external.get(external_id, [])

    def groups_named(self, name: str) -> list[Group]:
        """Return the groups of a name."""
        return self._groups_by_name.get(name, [])

    def assessments_called(self, text: str) -> list[Assessment]:
        """Return the assessment of that ID, or those of that name."""
        found = self.assessments.get(text)
        return [found] if found else self._assessments_by_name.get(text, [])

    def monitoring_named(self, name: str) -> MonitoringType | None:
        """Return the monitoring type of a symbolic name."""
        return next((each for each in self.monitoring_types.values() if each.name == name), None)

    def may_schedule(self, group: Group, assessment_id: str) -> bool:
        """Whether the administrator may schedule an assessment for a group.

        Administrators own top-level groups, and with them the groups inside (Questionmark,
        Delivery OData API: Administrator).
        """
        return not self.permitted.isdisjoint({(group.id, assessment_id), (group.root_group_id, assessment_id)})

    @cached_property
    def _schedules_by_external(self) -> dict[str | None, list[Schedule]]:
        # An exception to a schedule belongs to one participant, whatever ExternalID it was given.
        standing = (each for each in self.schedules.values() if each.participant_id is None)
        return _grouped(standing, lambda each: each.external_id)

    @cached_property
    def _groups_by_name(self) -> dict[str | None, list[Group]]:
        return _grouped(self.groups.values(), lambda each: each.name)

    @cached_property
    def _assessments_by_name(self) -> dict[str | None, list[Assessment]]:
        return _grouped(self.assessments.values(), lambda each: each.name)


def _grouped(entities: Iterable[T], name: Callable[[T], str | None]) -> dict[str | None, list[T]]:
    found: dict[str | None, list[T]] = {}
    for entity in entities:
        found.setdefault(name(entity), []).append(entity)
    return found


def read_tenant(client: Questionmark, administrator: int) -> Tenant:
    """Read what a plan compares with; only reads.

    Raises:
        VendorError: as the client's calls.
    """
    return Tenant(
        schedules={each.id: each for each in client.find(Schedule)},
        groups={each.id: each for each in client.find(Group)},
        assessments={each.id: each for each in client.find(Assessment)},
        monitoring_types={each.id: each for each in client.find(MonitoringType)},
        test_centers={each.id: each for each in client.find(TestCenter)},
        permitted=frozenset((group.id, each.id) for group, each in client.schedulable(administrator)),
    )
