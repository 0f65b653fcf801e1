"""The part of `gradeway vendors check` that looks at Blackboard Learn: the account, and what it may do in a course."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gradeway.cli import out
from gradeway.errors import SettingsError, VendorAnswerError, VendorAwayError, VendorError
from gradeway.vendors.connection import from_environment
from gradeway.vendors.learn import CONNECTION, Learn
from gradeway.vendors.learn_values import CourseKey

MODIFY = "give the role of the application's user the entitlement course.gradebook.MODIFY"
ROSTER = "give the role of the application's user the entitlement course.user.VIEW"
LOGINS = "give the role of the application's user the entitlement system.courseuserlist.VIEW"
RIGHTS = "give the role of the application's user the right to see courses"


@dataclass
class Found:
    """What a check found; ``left`` and ``quota`` count calls, if the site tells them."""

    connection: str = CONNECTION
    ok: bool = False
    url: str = ""
    version: str = ""
    left: int | None = None
    quota: int | None = None
    course: dict[str, Any] | None = None
    problems: list[dict[str, str]] = field(default_factory=list)

    def facts(self) -> list[tuple[str, object]]:
        """Return what is told of it."""
        pairs: list[tuple[str, object]] = [
            ("connection", self.connection),
            ("service", self.url),
            ("version", self.version or "not told"),
            ("calls left", "not told" if self.left is None else f"{self.left:,} of {self.quota:,}"),
        ]
        if self.course:
            may = "may be changed" if self.course["may_modify"] else "may not be changed"
            kind = "Ultra" if self.course["is_ultra"] else "Classic"
            pairs += [
                ("course", f"{self.course['course_id']} ({self.course['id']}), {kind}"),
                ("gradebook", f"{may}, {out.count(self.course['columns'], 'column')}"),
            ]
            if self.course["parent_id"]:
                pairs.append(("cross-listed", f"under {self.course['parent_id']}, which has the grades"))
        return pairs


def check_learn(course: str) -> Found:
    """See what the account may do, if a course is named also there; only reads."""
    found = Found()
    try:
        client = Learn(from_environment(CONNECTION), urgent=True)
    except SettingsError as error:
        _refuse(found, "the connection cannot be used", str(error))
        return found
    with client:
        found.url = client.transport.endpoint.url
        _try(found, lambda: _look(client, course, found), RIGHTS)
        found.left, found.quota = client.transport.pace.told_quota or (None, None)
    found.ok = not found.problems
    return found


def _refuse(found: Found, what: str, remedy: str) -> None:
    found.problems.append({"what": what, "remedy": remedy})


def _try(found: Found, step: Callable[[], None], rights: str) -> None:
    """Take a step; ``rights`` is the remedy if the account may not."""
    try:
        step()
    except VendorError as error:
        _refuse(found, str(error), _remedy(error, rights))


def _remedy(error: VendorError, rights: str) -> str:
    if error.status in {400, 401}:
        return (
            "correct login and password: the key and the secret of an application that is registered with Blackboard "
            "and integrated with this site"
        )
    if error.status == 403:
        return rights
    if isinstance(error, VendorAwayError):
        return "see that host and port are right and reachable from here; if they are, try again later"
    if isinstance(error, VendorAnswerError):
        return "see that the host is that of the site and nothing stands between"
    if error.status is None:
        return "see that the host's name is right; a private authority's certificate goes into REQUESTS_CA_BUNDLE"
    return "see that the host is that of the site"


def _look(client: Learn, course: str, found: Found) -> None:
    found.version = client.probe()
    if not course:
        return
    key = CourseKey.parse(course)
    seen = client.course(key)
    if seen is None:
        _refuse(
            found,
            "there is no such course that the account may see",
            f"name it by its batch UID, as courseId:… or by an id such as _12_1; or {RIGHTS}",
        )
        return
    found.course = facts = {
        "id": seen.id,
        "course_id": seen.course_id,
        "external_id": seen.external_id,
        "is_ultra": seen.is_ultra,
        "ultra_status": seen.ultra_status,
        "parent_id": seen.parent_id,
        "columns": 0,
        "may_modify": False,
    }
    if seen.closed_complete:
        _refuse(found, "the course is marked as complete: it takes no changes", "open it in Learn again")
    _try(found, lambda: _look_at_gradebook(client, key, found, facts), MODIFY)
    _try(found, lambda: _look_at_members(client, key, found), ROSTER)


def _look_at_gradebook(client: Learn, key: CourseKey, found: Found, facts: dict[str, Any]) -> None:
    facts["columns"] = sum(1 for _ in client.columns(key))
    # Who is only enrolled sees columns too, but of the schemas no titles.
    facts["may_modify"] = all(schema.title for schema in client.schemas(key))
    if not facts["may_modify"]:
        _refuse(found, "the account may read the gradebook, but not change it", MODIFY)


def _look_at_members(client: Learn, key: CourseKey, found: Found) -> None:
    first = next(client.memberships(key), None)
    if first and not first.user_name:
        _refuse(found, "the account sees who is in the course, but not their logins", LOGINS)
