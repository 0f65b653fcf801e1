"""A client of Questionmark's Delivery OData API, version 3, as far as Gradeway uses it.

What is sent is spelled as the vendor spells it; what comes back is typed. Lists are streamed
page by page along the service's own links. ``$select`` and ``$format`` are not supported by the
service and never sent, nor is a filter that it does not document.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import Any, Self, TypeVar, get_type_hints

from requests.auth import HTTPBasicAuth

from gradeway.errors import VendorAnswerError, VendorRefusedError
from gradeway.vendors.connection import Endpoint, wrong
from gradeway.vendors.delivery import (
    FIXED,
    REQUIRED,
    ActionableSchedule,
    Assessment,
    Attempt,
    Group,
    LaunchUrl,
    Membership,
    Participant,
    Permission,
    Result,
    Schedule,
    ScheduleMetadata,
    ScheduleValues,
    told_names,
)
from gradeway.vendors.odata import Clause, Entity, int64, next_link, rows, wire
from gradeway.vendors.pace import Manners
from gradeway.vendors.pages import Paging
from gradeway.vendors.transport import Answer, Effect, Transport

log = logging.getLogger(__name__)

E = TypeVar("E", bound=Entity)

CONNECTION = "gradeway_questionmark"
SERVICE = "deliveryodata"
AREA = re.compile(r"[A-Za-z0-9]{1,32}")
PAGE = 100
PAGING = Paging()
HEADERS = {"MaxDataServiceVersion": "3.0"}
SETTABLE = frozenset(get_type_hints(ScheduleValues))


def service_root(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint of the Delivery service, whose area is in its path or in the extra.

    Raises:
        SettingsError: the area is missing or malformed.
    """
    base, found, rest = endpoint.url.partition(f"/{SERVICE}/")
    area = rest.strip("/") if found else str(endpoint.extra.get("area", ""))
    if not AREA.fullmatch(area):
        raise wrong(
            endpoint.connection, "area", 'add it to the extra as {"area": "123456"}, up to 32 letters or digits'
        )
    return replace(endpoint, url=f"{base.rstrip('/')}/{SERVICE}/{area}/")


def _warn(hours: int) -> None:
    log.warning("results start %+d hours off their attempts: check the time zone set for Questionmark's results", hours)


class Questionmark:
    """One Questionmark area, seen through its Delivery API; for one thread."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        zone: tzinfo = UTC,
        doubt_zone: Callable[[int], None] = _warn,
        manners: Manners | None = None,
    ) -> None:
        """Prepare for calls; nothing is sent yet.

        ``zone`` is that of the times of results, which carry none. ``doubt_zone`` is called once
        with a number of hours when the times suggest another one.

        Raises:
            SettingsError: the Connection lacks something.
        """
        root = service_root(endpoint)
        auth = HTTPBasicAuth(*root.basic())
        self.transport = Transport(root, auth, manners=manners, headers=HEADERS, names=told_names())
        self._zone = zone
        self._doubt_zone: Callable[[int], None] | None = doubt_zone

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.transport.__exit__(*details)

    def find(self, kind: type[E], *clauses: Clause) -> Iterator[E]:
        """Yield the entities of a feed that meet all clauses, such as ``("GroupID", "eq", 5)``.

        Raises:
            ValueError: Questionmark does not document a filter on that property.
            VendorError: as the transport's ``call``.
        """
        return (kind.read(row, self._zone) for row in self._pages(kind.FEED, query=kind.where(clauses)))

    def get(self, kind: type[E], key: int | str) -> E | None:
        """Return the entity with that key, or None if there is none.

        Raises:
            VendorError: as the transport's ``call``.
        """
        if kind.FILTERS.get("ID") == "Edm.Int64":  # how such a key is written in a path is not documented
            return next(self.find(kind, ("ID", "eq", key)), None)
        answer = self._unless_missing("GET", f"{kind.FEED}({{id}})", {"id": int(key)})
        return kind.read(answer.data, self._zone) if answer else None

    def members(self, group_id: int) -> Iterator[Participant]:
        """Yield the participants of a group."""
        return map(Participant.read, self._pages("Groups({id})/Participants", {"id": int(group_id)}))

    def schedulable(self, administrator_id: int) -> list[Permission]:
        """Return what an administrator may schedule, for which group: each pair once.

        Questionmark, Scheduled Delivery: permission comes from the groups an administrator owns
        and the assessments associated with those groups.
        """
        found = self._administered(administrator_id, "SchedulableAssessments", Assessment)
        return list({(group.id, each.id): Permission(group, each) for group, each in found}.values())

    def reachable(self, administrator_id: int) -> list[Membership]:
        """Return the participants an administrator is associated with, through which group: each pair once."""
        found = self._administered(administrator_id, "Participants", Participant)
        return list({(group.id, each.id): Membership(group, each) for group, each in found}.values())

    def create_schedule(self, values: ScheduleValues) -> Schedule:
        """Create a schedule and return it.

        Raises:
            ValueError: a required property is missing, or one is unknown.
            UnknownOutcomeError: it may have been created; look for it among its group's schedules.
            VendorError: as the transport's ``call``.
        """
        missing = [name for name in REQUIRED if not values.get(name)]
        if missing or (values.get("GroupID") is None and values.get("ParticipantID") is None):
            msg = f"a schedule needs {', '.join(missing) or 'GroupID or ParticipantID'}"
            raise ValueError(msg)
        return self._created(Schedule, "Schedules", _sendable(values))

    def patch_schedule(self, schedule_id: int, values: ScheduleValues) -> None:
        """Change only these properties of a schedule; its values are absolute, so it may be repeated.

        Raises:
            ValueError: a property cannot be changed, or is unknown.
            UnknownOutcomeError: they may have been changed or not.
            VendorError: as the transport's ``call``.
        """
        if not values or FIXED & values.keys():
            msg = f"nothing to change, or one of {', '.join(sorted(FIXED))}, which are fixed once a schedule is made"
            raise ValueError(msg)
        body, keys = _sendable(values), {"id": int(schedule_id)}
        self.transport.call("PATCH", "Schedules({id})", keys, body=body, effect=Effect.ABSOLUTE)

    def metadata(self, schedule_id: int) -> Iterator[ScheduleMetadata]:
        """Yield the metadata of a schedule."""
        return map(ScheduleMetadata.read, self._pages("Schedules({id})/ScheduleMetadata", {"id": int(schedule_id)}))

    def add_metadata(self, schedule_id: int, key: str, value: str) -> ScheduleMetadata:
        """Add a key and value to a schedule and return them.

        Raises:
            ValueError: either is empty or too long.
            UnknownOutcomeError: it may have been added; look among the schedule's metadata.
            VendorError: as the transport's ``call``.
        """
        if not 0 < len(key) <= ScheduleMetadata.KEY_LENGTH or not 0 < len(value) <= ScheduleMetadata.VALUE_LENGTH:
            msg = "a key has 1 to 200 characters, a value 1 to 4000"
            raise ValueError(msg)
        body = {"ScheduleID": int(schedule_id), "Key": key, "Value": value}
        return self._created(ScheduleMetadata, "ScheduleMetadata", body)

    def attempts(self, schedule_id: int) -> Iterator[Attempt]:
        """Yield the attempts on a schedule, each with its result if there is one."""
        query = Attempt.where((("ScheduleID", "eq", int(schedule_id)),)) | {"$expand": "Result"}
        return map(self.attempt, self._pages("Attempts", query=query))

    def attempt(self, row: object) -> Attempt:
        """Read an attempt, and tell once if its result seems to be in another zone than set."""
        attempt = Attempt.read(row, self._zone)
        if self._doubt_zone and attempt.hours_off:
            self._doubt_zone(attempt.hours_off)
            self._doubt_zone = None
        return attempt

    def reported_result(self, schedule_id: int, participant_id: int) -> Result | None:
        """Return the result that counts for a participant by the schedule's own rule, or None."""
        keys, body = {"id": int(schedule_id)}, {"ParticipantID": int(participant_id)}
        answer = self._unless_missing("POST", "Schedules({id})/GetReportedResult", keys, body)
        return Result.read(answer.data, self._zone) if answer else None

    def actionable(self, participant_id: int, *, show_hidden: bool | None = None) -> list[ActionableSchedule]:
        """Return what a participant may do now; hidden schedules as the service's release has it, unless told."""
        template, keys = "Participants({id})/ActionableSchedules", {"id": int(participant_id)}
        body = {} if show_hidden is None else {"ShowHidden": show_hidden}
        return list(map(ActionableSchedule.read, self._pages(template, keys, body=body)))

    def actionable_schedule(self, participant_id: int, schedule_id: int) -> ActionableSchedule | None:
        """Return what a participant may do now with one schedule, or None.

        The answer may be about another schedule: the one that is this participant's exception.
        """
        keys, body = {"id": int(participant_id)}, {"ScheduleID": int(schedule_id)}
        answer = self._unless_missing("POST", "Participants({id})/ActionableSchedule", keys, body)
        return ActionableSchedule.read(answer.data) if answer else None

    def invoke(
        self, schedule_id: int, action: str, participant_id: int, metadata: Mapping[str, str] | None = None
    ) -> LaunchUrl:
        """Return the link with which a participant's browser takes an action; ``metadata`` goes to the attempt.

        Raises:
            VendorError: as the transport's ``call``; refused if the action is not possible now.
        """
        body: dict[str, object] = {"Action": action, "ParticipantID": int(participant_id)}
        if metadata:
            body["AttemptMetadata"] = [{"Key": key, "Value": value} for key, value in metadata.items()]
        template = "Schedules({id})/InvokeAction"
        # Asking for a link again only makes another link.
        answer = self.transport.call("POST", template, {"id": int(schedule_id)}, body=body, effect=Effect.READ)
        url = answer.data.get("value") if isinstance(answer.data, Mapping) else None
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise VendorAnswerError(self.transport.name("POST", template), "the answer holds no link")
        return LaunchUrl(url)

    def _unless_missing(
        self, method: str, template: str, keys: Mapping[str, object], body: object = None
    ) -> Answer | None:
        try:
            return self.transport.call(method, template, keys, body=body, effect=Effect.READ)
        except VendorRefusedError as error:
            if error.status == 404:
                return None
            raise

    def _created(self, kind: type[E], template: str, body: object) -> E:
        answer = self.transport.call("POST", template, body=body)
        return kind.made(answer.data, self.transport.name("POST", template), answer.status)

    def _administered(self, administrator_id: int, navigation: str, kind: type[E]) -> Iterator[tuple[Group, E]]:
        template, keys = "Administrators({id})/Groups", {"id": int(administrator_id)}
        for row in self._pages(template, keys, {"$expand": navigation}):
            group = Group.read(row)
            for child in self._children(row, group, navigation):
                yield group, kind.read(child)

    def _children(self, row: Mapping[str, Any], group: Group, navigation: str) -> Iterator[Any]:
        """Yield all that belongs under a row, of which the service expands no more than a page."""
        template = f"Groups({{id}})/{navigation}"
        if next_link(row, navigation) or len(rows(row, navigation) or []) < PAGE:
            return PAGING.unfold(self.transport, row, template, navigation)
        return self._pages(template, {"id": group.id})

    def _pages(
        self,
        template: str,
        keys: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
        body: object = None,
    ) -> Iterator[Any]:
        method = "GET" if body is None else "POST"
        answer = self.transport.call(method, template, keys, query=query, body=body, effect=Effect.READ)
        yield from PAGING.unfold(self.transport, answer.data, template)


def _sendable(values: ScheduleValues) -> dict[str, object]:
    if unknown := values.keys() - SETTABLE:
        msg = f"a schedule has no property {', '.join(sorted(unknown))} that can be set"
        raise ValueError(msg)
    return {name: int64(value) if name == "AssessmentID" else wire(value) for name, value in values.items()}
