"""A client of Blackboard Learn's public API as far as Gradeway uses it: the gradebooks of courses.

One client belongs to one thread; its siblings, for other threads, share its token and its pace.
Source: Blackboard's description of the Learn public API; Basic Authentication; Gradebook.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Self, TypeVar

from requests.auth import AuthBase, HTTPBasicAuth

from gradeway.errors import VendorError, VendorRefusedError
from gradeway.vendors import learn_values
from gradeway.vendors.connection import Endpoint, calls_per_second, whole_number, wrong
from gradeway.vendors.learn_records import (
    FOLDER,
    TOLD_NAMES,
    Assignment,
    Attempt,
    Column,
    Content,
    Course,
    Grade,
    LastChanged,
    Membership,
    Record,
    Schema,
)
from gradeway.vendors.learn_values import (
    AssignmentValues,
    ColumnKey,
    ColumnValues,
    CourseKey,
    Key,
    SchemaKey,
    SchemaValues,
    UserKey,
)
from gradeway.vendors.oauth import Bearer, Token
from gradeway.vendors.pace import Manners, Pace
from gradeway.vendors.pages import Paging
from gradeway.vendors.transport import Answer, Transport

R = TypeVar("R", bound=Record)

CONNECTION = "gradeway_learn"
API = "learn/api/public/"
DAILY_CALLS = 10_000
RESERVE = 500
PAGING = Paging("results", ("nextPage",), "paging")
OAUTH = "v1/oauth2/token"
VERSION = "v1/system/version"
COURSE = "v3/courses/{course}"
USERS = "v1/courses/{course}/users"
CONTENTS = "v1/courses/{course}/contents"
SCHEMAS = "v1/courses/{course}/gradebook/schemas"
COLUMNS = "v2/courses/{course}/gradebook/columns"
COLUMN = f"{COLUMNS}/{{column}}"
GRADES = f"{COLUMN}/users"
GRADE = f"{GRADES}/{{user}}"
ATTEMPTS = f"{COLUMN}/attempts"


def service_root(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint of the public API of the site that the Connection names."""
    site = endpoint.url.partition(f"/{API}")[0].rstrip("/")
    return replace(endpoint, url=f"{site}/{API}")


def make_pace(endpoint: Endpoint, *, used_today: int = 0, manners: Manners | None = None) -> Pace:
    """Return the pace of all who call this site; ``used_today`` is how many calls were made today before.

    Raises:
        SettingsError: the Connection's extra names a pace or a budget that is none.
    """
    daily, reserve = whole_number(endpoint, "daily_calls", DAILY_CALLS), whole_number(endpoint, "reserve", RESERVE)
    if reserve >= daily:
        raise wrong(endpoint.connection, "reserve", f"give a number below the daily calls, which are {daily}")
    manners = manners or Manners(interval=1 / calls_per_second(endpoint))
    return Pace(manners, daily_calls=daily, reserve=reserve, used_today=used_today)


class Learn:
    """One Blackboard Learn site; for one thread."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        manners: Manners | None = None,
        pace: Pace | None = None,
        token: Token | None = None,
        urgent: bool = False,
    ) -> None:
        """Prepare for calls; nothing is sent yet.

        Calls of an ``urgent`` client may use the reserve of the budget: those that find out what
        became of a write, or that a person waits for.

        Raises:
            SettingsError: the Connection lacks something.
        """
        self._endpoint, self._manners = service_root(endpoint), manners
        account = HTTPBasicAuth(*endpoint.basic(("key of the application", "secret of the application")))
        pace = pace or make_pace(endpoint, manners=manners)
        self._token = token or Token(self._transport(account, pace, urgent=True), OAUTH)
        self._owns_token = token is None
        bearer = Bearer(self._token)
        self.transport = self._transport(bearer, pace, urgent=urgent, renew=bearer.renew)

    def _transport(
        self, auth: AuthBase, pace: Pace, *, urgent: bool, renew: Callable[[], None] | None = None
    ) -> Transport:
        names, manners = TOLD_NAMES, self._manners
        return Transport(self._endpoint, auth, manners=manners, names=names, pace=pace, urgent=urgent, renew=renew)

    def sibling(self, *, urgent: bool = False) -> Self:
        """Return a client for another thread, or for calls that may use the reserve; with our token and pace."""
        pace, token = self.transport.pace, self._token
        return type(self)(self._endpoint, manners=self._manners, pace=pace, token=token, urgent=urgent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.transport.__exit__(*details)
        if self._owns_token:
            self._token.__exit__(*details)

    def probe(self) -> str:
        """See that the site takes our account; return the site's version, or nothing if it does not tell.

        Raises:
            VendorError: as the transport's ``call``.
        """
        answer = self._unless_missing(VERSION)
        version = answer.data.get("learn") if answer and isinstance(answer.data, Mapping) else None
        parts = [version.get(name) for name in ("major", "minor", "patch")] if isinstance(version, Mapping) else []
        return ".".join(str(part) for part in parts if isinstance(part, int))

    def course(self, course: CourseKey) -> Course | None:
        """Return a course, or None if there is none, or none that we may see.

        Raises:
            VendorError: as the transport's ``call``.
        """
        return self._one(Course, COURSE, {"fields": Course.wanted()}, course=course)

    def memberships(self, course: CourseKey) -> Iterator[Membership]:
        """Yield who is in a course, with their logins.

        Raises:
            VendorError: as the transport's ``call``.
        """
        return self._all(Membership, USERS, {"expand": "user", "fields": Membership.wanted()}, course=course)

    def membership(self, course: CourseKey, user: UserKey) -> Membership | None:
        """Return how someone is in a course, or None if they are not.

        Raises:
            VendorError: as the transport's ``call``.
        """
        query = {"expand": "user", "fields": Membership.wanted()}
        return self._one(Membership, f"{USERS}/{{user}}", query, course=course, user=user)

    def schemas(self, course: CourseKey) -> Iterator[Schema]:
        """Yield the grade schemas of a course.

        Raises:
            VendorError: as the transport's ``call``.
        """
        return self._all(Schema, SCHEMAS, {"fields": Schema.wanted()}, course=course)

    def columns(self, course: CourseKey) -> Iterator[Column]:
        """Yield the columns of a course's gradebook.

        Raises:
            VendorError: as the transport's ``call``.
        """
        return self._all(Column, COLUMNS, {"fields": Column.wanted()}, course=course)

    def column(self, course: CourseKey, column: ColumnKey) -> Column | None:
        """Return a column, or None if there is none.

        Raises:
            VendorError: as the transport's ``call``.
        """
        return self._one(Column, COLUMN, {"fields": Column.wanted()}, course=course, column=column)

    def contents(self, course: CourseKey, parent_id: str | None = None) -> Iterator[Content]:
        """Yield what is at the top of a course's contents, or just below one of them.

        Raises:
            VendorError: as the transport's ``call``.
        """
        if parent_id is None:
            return self._all(Content, CONTENTS, {"fields": Content.wanted()}, course=course)
        return self._all(Content, f"{CONTENTS}/{{parent}}/children", course=course, parent=Key("id", parent_id))

    def grades(
        self,
        course: CourseKey,
        column: ColumnKey,
        *,
        changed_after: int | None = None,
        include_disabled: bool = False,
    ) -> Iterator[Grade]:
        """Yield the grades in a column, those with a change index above ``changed_after`` if that is given.

        Learn leaves out those of disabled memberships unless told otherwise.

        Raises:
            VendorError: as the transport's ``call``.
        """
        query = {} if changed_after is None else {"changeIndex": str(changed_after)}
        if include_disabled:
            query["includeDisabledMemberships"] = "true"
        return self._all(Grade, GRADES, query, course=course, column=column)

    def grade(self, course: CourseKey, column: ColumnKey, user: UserKey) -> Grade | None:
        """Return someone's grade in a column, or None if they are not in the course, or have no grade row yet.

        Raises:
            VendorError: as the transport's ``call``.
        """
        return self._one(Grade, GRADE, course=course, column=column, user=user)

    def last_changed(self, course: CourseKey, column: ColumnKey) -> int:
        """Return the highest change index in a column; 0 if nothing was changed, and of calculated columns.

        Raises:
            VendorError: as the transport's ``call``.
        """
        answer = self._unless_missing(f"{GRADES}/lastChanged", course=course, column=column)
        return LastChanged.read(answer.data or {}).change_index if answer else 0

    def has_attempts(self, course: CourseKey, column: ColumnKey) -> bool:
        """Return whether a column has attempts, graded or not.

        Raises:
            VendorError: as the transport's ``call``.
        """
        query = {"fields": Attempt.wanted(), "limit": "1"}
        return any(True for _ in self._all(Attempt, ATTEMPTS, query, course=course, column=column))

    def create_schema(self, course: CourseKey, values: SchemaValues) -> Schema:
        """Make a tabular grade schema; only in Classic courses.

        Raises:
            ValueError: it has no title or no symbols.
            UnknownOutcomeError: it may have been made; look for its title among the schemas.
            VendorError: as the transport's ``call``.
        """
        return self._write("POST", Schema, SCHEMAS, learn_values.new_schema(values), course=course)

    def patch_schema(self, course: CourseKey, schema: SchemaKey, values: SchemaValues) -> Schema:
        """Change a tabular grade schema; its symbols, if given, to just these.

        Raises:
            ValueError: there is nothing to change, or no symbol would be left.
            UnknownOutcomeError: it may have been changed or not.
            VendorError: as the transport's ``call``.
        """
        body = learn_values.schema_changes(values)
        return self._write("PATCH", Schema, f"{SCHEMAS}/{{schema}}", body, course=course, schema=schema)

    def create_column(self, course: CourseKey, values: ColumnValues) -> Column:
        """Make a column for grades that are set by hand.

        Raises:
            ValueError: it has no name, or no external id to find it by.
            UnknownOutcomeError: it may have been made; look for its external id.
            VendorError: as the transport's ``call``; refused with a conflict if there is one with that id.
        """
        return self._write("POST", Column, COLUMNS, learn_values.new_column(values), course=course)

    def patch_column(self, course: CourseKey, column: ColumnKey, values: ColumnValues) -> Column:
        """Change only these properties of a column.

        Raises:
            ValueError: there is nothing to change.
            UnknownOutcomeError: they may have been changed or not.
            VendorError: as the transport's ``call``.
        """
        body = learn_values.column_changes(values)
        return self._write("PATCH", Column, COLUMN, body, course=course, column=column)

    def delete_column(self, course: CourseKey, column: ColumnKey) -> None:
        """Delete a column with all its grades, for good; if it is gone already, that is well.

        Raises:
            UnknownOutcomeError: it may have been deleted or not.
            VendorError: as the transport's ``call``.
        """
        self._delete(COLUMN, course=course, column=column)

    def delete_assignment(self, course: CourseKey, content_id: str) -> None:
        """Delete an assignment with its column, all its grades and attempts, for good; as ``delete_column``.

        Raises:
            UnknownOutcomeError: it may have been deleted or not.
            VendorError: as the transport's ``call``; an Ultra course refuses it once there are attempts.
        """
        query, content = {"deleteGrades": "true"}, Key("id", content_id)
        self._delete(f"{CONTENTS}/{{content}}", query, course=course, content=content)

    def create_folder(self, course: CourseKey, title: str, parent_id: str | None = None) -> Content:
        """Make a folder at the top of a course's contents, or in another.

        Raises:
            UnknownOutcomeError: it may have been made; look for its title among the contents.
            VendorError: as the transport's ``call``.
        """
        body = {"title": title, "contentHandler": {"id": FOLDER}}
        if parent_id is None:
            return self._write("POST", Content, CONTENTS, body, course=course)
        template, parent = f"{CONTENTS}/{{parent}}/children", Key("id", parent_id)
        return self._write("POST", Content, template, body, course=course, parent=parent)

    def create_assignment(self, course: CourseKey, values: AssignmentValues) -> Assignment:
        """Make an assignment: a content for learners to hand in to, with a column for its grades.

        Raises:
            ValueError: it has no title.
            UnknownOutcomeError: it may have been made; look for its title among the contents.
            VendorError: as the transport's ``call``.
        """
        template, body = f"{CONTENTS}/createAssignment", learn_values.new_assignment(values)
        return self._write("POST", Assignment, template, body, course=course)

    def patch_grade(
        self,
        course: CourseKey,
        column: ColumnKey,
        user: UserKey,
        *,
        score: Decimal | None = None,
        text: str | None = None,
        clear: bool = False,
        without: Collection[str] = (),
        exempt: bool = False,
    ) -> Grade:
        """Set someone's grade to a score or a text, or clear what was set; it is posted at once.

        ``without``: what else was set there is taken away with it, ``exempt`` or ``notation``. ``exempt``: that
        is set with it.

        Raises:
            ValueError: it is not just one of score, text and clear, or none that can be sent.
            UnknownOutcomeError: it may have been set or not.
            VendorRefusedError: missing if they are not in the course, or have no grade row yet.
            VendorError: as the transport's ``call``.
        """
        body = learn_values.grade(score, text, clear=clear, without=without, exempt=exempt)
        return self._write("PATCH", Grade, GRADE, body, course=course, column=column, user=user)

    def _delete(self, template: str, query: Mapping[str, str] | None = None, **keys: Key) -> None:
        try:
            # Not repeated blindly either: somebody may have given a grade meanwhile.
            self.transport.call("DELETE", template, _paths(**keys), query=query)
        except VendorError as error:
            if error.status != 404:
                raise

    def _one(self, kind: type[R], template: str, query: Mapping[str, str] | None = None, **keys: Key) -> R | None:
        answer = self._unless_missing(template, query, **keys)
        return kind.read(answer.data) if answer else None

    def _unless_missing(self, template: str, query: Mapping[str, str] | None = None, **keys: Key) -> Answer | None:
        try:
            return self.transport.call("GET", template, _paths(**keys), query=query)
        except VendorRefusedError as error:
            if error.is_missing:
                return None
            raise

    def _all(self, kind: type[R], template: str, query: Mapping[str, str] | None = None, **keys: Key) -> Iterator[R]:
        answer = self.transport.call("GET", template, _paths(**keys), query=query)
        yield from map(kind.read, PAGING.unfold(self.transport, answer.data, template))

    def _write(self, method: str, kind: type[R], template: str, body: object, **keys: Key) -> R:
        # Not even a PATCH is repeated blindly: somebody may have set something else meanwhile.
        answer = self.transport.call(method, template, _paths(**keys), body=body)
        return kind.made(answer.data, self.transport.name(method, template), answer.status)


def _paths(**keys: Key) -> dict[str, str]:
    return {name: key.path for name, key in keys.items()}
