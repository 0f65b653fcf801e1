"""Starting data: the sandbox's own, all made up, or a seed.

Learn's administrators make courses and memberships, and this sandbox has no API for that: so a
seed says who is in which course, and the rest is made by API or by playing a teacher.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from gradeway.errors import SettingsError
from gradeway.sandbox.documents import Document, Documents
from gradeway.sandbox.learn import columns, contents, people, schemas
from gradeway.sandbox.learn.access import ENTITLEMENTS
from gradeway.sandbox.learn.forms import own_key, primary, stamp
from gradeway.sandbox.learn.model import membership_of, next_key
from gradeway.sandbox.names import PEOPLE, person

ACCOUNT = "gradeway"
Kind = Literal["Undecided", "Classic", "Ultra", "Ultrapreview"]


def _entitlement(text: str) -> str:
    if text not in ENTITLEMENTS:
        msg = f"'{text}' is no entitlement of this sandbox; there are {', '.join(ENTITLEMENTS)}"
        raise ValueError(msg)
    return text


Entitlements = list[Annotated[str, AfterValidator(_entitlement)]]
Name = Annotated[str, Field(min_length=1, max_length=256)]


class Entity(BaseModel):
    """An entity in a seed."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class Account(Entity):
    """The user on whose behalf the application asks, and what it may do in all courses."""

    user_name: Name = ACCOUNT
    entitlements: Entitlements = list(ENTITLEMENTS)


class Available(Entity):
    """Whether a course or a membership is available."""

    available: people.Available = "Yes"


class Course(Entity):
    """A course; ``parent_id`` is the courseId of its parent, ``entitlements`` what the account may do here."""

    course_id: Name
    external_id: str = ""
    name: str = ""
    ultra_status: Kind = "Classic"
    closed_complete: bool = False
    availability: Available = Available()
    parent_id: str = ""
    entitlements: Entitlements | None = None


class PersonName(Entity):
    """A person's name."""

    given: str = ""
    family: str = ""


class User(Entity):
    """A user."""

    user_name: Name
    external_id: str = ""
    student_id: str | None = None
    name: PersonName = PersonName()


class Membership(Entity):
    """Who is in which course; ``populated``: whether there are rows for grades yet."""

    course_id: Name
    user_name: Name
    course_role_id: people.Role = "Student"
    availability: Available = Available()
    populated: bool = True


class Notation(Entity):
    """A grade notation of a course."""

    course_id: Name
    code: Name
    description: str


SEEDED: Mapping[str, type[Entity]] = {
    "Accounts": Account,
    "Courses": Course,
    "Users": User,
    "Memberships": Membership,
    "Notations": Notation,
}


def courses(kinds: Mapping[str, str], learners: Mapping[str, Iterable[str]]) -> dict[str, list[Document]]:
    """Return a seed of courses with learners.

    Args:
        kinds: each course's courseId, and whether it is Classic or Ultra.
        learners: the user names of each course's learners.
    """
    members = [(course, name) for course, names in learners.items() for name in names]
    return {
        "Courses": [{"courseId": course, "ultraStatus": kind} for course, kind in kinds.items()],
        "Users": [{"userName": name} for name in sorted({name for _, name in members})],
        "Memberships": [{"courseId": course, "userName": name} for course, name in members],
    }


def start() -> dict[str, list[Document]]:
    """Return the sandbox's own starting data, as a seed: a small faculty."""
    logins = [person(number).login for number in range(PEOPLE)]
    classes = {"ANA101": logins[:20], "STA201": logins[10:], "PHY300-A": logins[:10]}
    seed = courses({"ANA101": "Classic", "STA201": "Ultra", "PHY300": "Classic", "PHY300-A": "Classic"}, classes)
    names = {"ANA101": "Anatomy", "STA201": "Statics", "PHY300": "Physiology", "PHY300-A": "Physiology, section A"}
    seed["Courses"] = [course | {"name": names[course["courseId"]]} for course in seed["Courses"]]
    seed["Courses"][-1]["parentId"] = "PHY300"
    seed["Users"] = [_user(number) for number in range(PEOPLE)] + [{"userName": "t.brandt"}]
    seed["Memberships"][18] |= {"populated": False}
    seed["Memberships"][19] |= {"availability": {"available": "Disabled"}}
    seed["Memberships"] += [
        {"courseId": course, "userName": "t.brandt", "courseRoleId": "Instructor"} for course in ("ANA101", "STA201")
    ]
    return seed


def _user(number: int) -> Document:
    login, given, family = person(number)
    return {"userName": login, "studentId": str(510001 + number), "name": {"given": given, "family": family}}


def load(documents: Documents, seed: Mapping[str, list[Document]], now: datetime) -> None:
    """Load a seed.

    Raises:
        SettingsError: it holds what Learn does not have, something twice, or leads to what is not there.
    """
    unknown = sorted(seed.keys() - SEEDED.keys())
    if unknown:
        msg = f"the seed has an unknown entity set {unknown[0]}; there are {', '.join(SEEDED)}"
        raise SettingsError(msg)
    _Loading(documents, stamp(now)).load(seed)


class _Loading:
    """What has been loaded so far, by the names that a seed uses."""

    def __init__(self, documents: Documents, at: str) -> None:
        self._documents = documents
        self._at = at
        self._courses: dict[str, Document] = {}
        self._users: dict[str, Document] = {}

    def load(self, seed: Mapping[str, list[Document]]) -> None:
        """Load all entity sets, each after those it leads to."""
        adders = (self._account, self._course, self._user, self._membership, self._notation)
        for (name, kind), add in zip(SEEDED.items(), adders, strict=True):
            entries = seed.get(name) or ([{}] if kind is Account else [])
            for number, entry in enumerate(entries, 1):
                add(_entity(kind, entry, f"{name}[{number}]"), f"{name}[{number}]")

    def _account(self, account: Entity, place: str) -> None:
        if self._documents.count("Accounts"):
            msg = f"the seed's {place}: there is one account only"
            raise SettingsError(msg)
        self._documents.put("Accounts", 1, account.model_dump(by_alias=True) | {"uuid": uuid.uuid4().hex})

    def _course(self, course: Entity, place: str) -> None:
        values = course.model_dump(by_alias=True)
        name, parent = values["courseId"], values.pop("parentId")
        _once(name, self._courses, place)
        above = _found(parent, self._courses, "Courses", place) if parent else None
        values |= {"externalId": values["externalId"] or name, "name": values["name"] or name}
        values["_entitlements"] = values.pop("entitlements")
        values["availability"]["duration"] = {"type": "Continuous"}
        made = people.add_course(self._documents, values, above, self._at)
        self._courses[name] = made
        schemas.give(self._documents, made)
        columns.give(self._documents, made, self._at)
        contents.give(self._documents, made, self._at)

    def _user(self, user: Entity, place: str) -> None:
        values = user.model_dump(by_alias=True)
        _once(values["userName"], self._users, place)
        values["externalId"] = values["externalId"] or values["userName"]
        self._users[values["userName"]] = people.add_user(self._documents, values, self._at)

    def _membership(self, membership: Entity, place: str) -> None:
        values = membership.model_dump(by_alias=True)
        course = _found(values["courseId"], self._courses, "Courses", place)
        user = _found(values["userName"], self._users, "Users", place)
        if membership_of(self._documents, course, user):
            msg = f"the seed's {place}: '{values['userName']}' is a member of '{values['courseId']}' already"
            raise SettingsError(msg)
        how = {"role": values["courseRoleId"], "populated": values["populated"], **values["availability"]}
        people.enrol(self._documents, course, user, self._at, **how)

    def _notation(self, notation: Entity, place: str) -> None:
        values = notation.model_dump(by_alias=True)
        course = _found(values.pop("courseId"), self._courses, "Courses", place)
        key = next_key(self._documents, "Notations")
        made = {"id": primary(key), "_course": own_key(course)}
        self._documents.put("Notations", key, made | values)


def _entity(kind: type[Entity], entry: Document, place: str) -> Entity:
    try:
        return kind.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        msg = f"the seed's {'.'.join([place, *map(str, first['loc'])])}: {first['msg']}"
        raise SettingsError(msg) from None


def _once(name: str, known: Mapping[str, Document], place: str) -> None:
    if name in known:
        msg = f"the seed's {place} is there twice"
        raise SettingsError(msg)


def _found(name: str, known: Mapping[str, Document], where: str, place: str) -> Document:
    if name not in known:
        msg = f"the seed's {place} leads to '{name}', which is not among the {where} before it"
        raise SettingsError(msg)
    return known[name]
