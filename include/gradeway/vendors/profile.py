"""The profile of an assessmentQ: how its API is to be spoken to, from the extra of its Connection.

Televic tells the details of the API to its customers only, so nothing of it stands in the code.
A path is below the Connection's host; keys of an answer are written with dots between levels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from gradeway.errors import SettingsError, VendorAnswerError
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.odata import NEXT_LINKS, VALUE, instant
from gradeway.vendors.pages import Paging

# What else the extra may hold.
NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
OTHERS = {"allow_http", "calls_per_second"}
SECTIONS = {"result_fields", "sitting_fields"}
SHA256 = "{sha256}"
PLACE = r"[^\s\\#?{}:/][^\s\\#?{}:]*(\?[^\s\\#?{}]+)?"
FRAMING = {"host", "content-length", "content-type", "transfer-encoding", "connection", "accept", "user-agent"}
# They have a meaning for every call; that a file was final before must then be told by the body.
GENERAL = {400, 401, 403, 404, 405, 406, 407, 408, 429}


def _place(text: str) -> str:
    if not re.fullmatch(PLACE, text):
        msg = "no path"
        raise ValueError(msg)
    return text


def _asking(text: str) -> str:
    if SHA256 not in text:
        msg = "no hash in it"
        raise ValueError(msg)
    return text if _place(text.replace(SHA256, "x")) else ""


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error:
        text = ""
    else:
        return text
    msg = "no regular expression"
    raise ValueError(msg)


Place = Annotated[str, AfterValidator(_place)]
Keys = Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+)*$")]
Token = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
Values = list[str | int | bool]
Unset = Literal[""]
# What cannot be a verdict on a file: the account, the time and the pace.
FileStatus = Annotated[int, Field(ge=400, le=499), AfterValidator(lambda status: _not(status, {401, 403, 408, 429}))]
FinalStatus = Annotated[int, Field(ge=400, le=599), AfterValidator(lambda status: _not(status, {401, 408, 429}))]


def _not(status: int, others: set[int]) -> int:
    if status in others:
        msg = "no verdict on a file"
        raise ValueError(msg)
    return status


class Part(BaseModel):
    """Base of the parts of a profile."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class ResultFields(Part):
    """Where in a row of the results our fields are."""

    id: Keys
    sitting: Keys
    exam: Keys
    learner: Keys
    state: Keys
    score: Keys
    maximum: Keys | Unset = ""
    finished_at: Keys | Unset = ""
    modified_at: Keys | Unset = ""


class SittingFields(Part):
    """Where in a row of the sittings our fields are."""

    id: Keys
    exam: Keys
    learner: Keys
    access_code: Keys | Unset = ""
    state: Keys | Unset = ""
    due_at: Keys | Unset = ""
    last_upload_at: Keys | Unset = ""


class Profile(Part):
    """How one assessmentQ is spoken to; each field's description is what a wrong one is answered with."""

    auth: Literal["none", "basic", "bearer", "header"] = Field(description="none, basic, bearer or header")
    auth_header: Token | Unset = Field("", description="the header that carries the password, with auth header")
    upload_path: Place = Field(description="the path that takes files, such as api/uploads")
    upload_method: Literal["POST", "PUT"] = Field("POST", description="POST or PUT")
    upload_field: str = Field(
        pattern=r'^[^\x00-\x1f"]*$',
        description='the name of the form\'s part that is the file, or "" for the bare bytes',
    )
    final_key: Keys | Unset = Field(
        description='the key of an upload\'s answer that says how far the exam is, or "" if none does'
    )
    final_values: Values = Field(description="the list of its values that mean finished")
    sitting_key: Keys | Unset = Field("", description='the key of an upload\'s answer that names the sitting, or ""')
    already_final_status: list[FinalStatus] = Field(
        description="the list of statuses that refuse a file because its finished exam was received before, "
        "such as [409]; with already_final_pattern if they mean other things too"
    )
    already_final_pattern: Annotated[str, AfterValidator(_pattern)] = Field(
        "", description='a regular expression that is in the body of such an answer, or "" for any'
    )
    refused_status: list[FileStatus] = Field(
        [400, 413, 415, 422], description="the list of statuses, from 400 to 499, that refuse a file for good"
    )
    forbidden_pattern: Annotated[str, AfterValidator(_pattern)] = Field(
        "",
        description="a regular expression that is in the body of a 403 which refuses a file for good, "
        'such as that of a locked session, and not the account; or ""',
    )
    incomplete_pattern: Annotated[str, AfterValidator(_pattern)] = Field(
        "",
        description="a regular expression that is in the body of a refusal of what did not arrive whole, "
        'which may be sent again; or ""',
    )
    received_path: Annotated[str, AfterValidator(_asking)] | Unset = Field(
        "", description='the path with {sha256} that lists what was received with that hash, or ""'
    )
    results_path: Place = Field(description="the path that lists results, such as api/results")
    results_since: Annotated[str, Field(pattern=r"^\S*$")] = Field(
        "", description='the query parameter that selects results by their time of change, or ""'
    )
    next_link_keys: list[Annotated[str, Field(min_length=1)]] = Field(
        list(NEXT_LINKS), description="the list of keys that may carry the link to a list's next page"
    )
    value_key: str = Field(VALUE, min_length=1, description="the key under which an answer carries a list")
    result_fields: ResultFields = Field(
        description="the keys of id, sitting, exam, learner, state and score, and if they exist maximum, finished_at "
        "and modified_at, which results_since needs"
    )
    result_final_values: Values = Field(min_length=1, description="the list of result states that mean finished")
    sittings_path: Place | Unset = Field("", description='the path that lists sittings, or ""')
    sitting_fields: SittingFields | None = Field(
        None,
        description="the keys of id, exam and learner, and if they exist access_code, state, due_at and "
        "last_upload_at; with sittings_path",
    )

    @property
    def tells_ends(self) -> bool:
        """Whether the end of an exam can be known: by an upload's answer, or the results of the sitting it names."""
        return bool(self.final_key or self.sitting_key)

    @property
    def paging(self) -> Paging:
        """How its lists are read."""
        return Paging(self.value_key, tuple(self.next_link_keys))


def read_profile(endpoint: Endpoint) -> Profile:
    """Read the profile in a Connection's extra.

    Raises:
        SettingsError: fields are not set or wrong; the message names them all, never a value.
    """
    try:
        profile = Profile.model_validate({name: value for name, value in endpoint.extra.items() if name not in OTHERS})
    except ValidationError as error:
        problems = dict(_problems(error))
    else:
        problems = dict.fromkeys(_conflicts(profile), "is missing or wrong")
        if not problems:
            return profile
    told = "; ".join(_told(name, problem) for name, problem in problems.items())
    msg = f"connection {endpoint.connection}: correct the profile in its extra: {told}"
    raise SettingsError(msg)


def _problems(error: ValidationError) -> Iterator[tuple[str, str]]:
    kinds = {"missing": "is not set", "extra_forbidden": "is no field of a profile"}
    for each in error.errors(include_input=False, include_url=False, include_context=False):
        # Below the fields pydantic goes on with places in lists and kinds of values.
        place = each["loc"][: 2 if each["loc"][0] in SECTIONS else 1]
        name = ".".join(map(str, place))
        yield name if re.fullmatch(r"[a-z_.]{1,64}", name) else "a field", kinds.get(each["type"], "is wrong")


def _told(name: str, problem: str) -> str:
    field = Profile.model_fields.get(name.partition(".")[0])
    return f"{name} {problem}" + (f" (give {field.description})" if field else "")


def _conflicts(profile: Profile) -> Iterator[str]:
    """Yield the fields that do not go together with another."""
    if profile.auth == "header" and (not profile.auth_header or profile.auth_header.lower() in FRAMING):
        yield "auth_header"
    if profile.final_key and not profile.final_values:
        yield "final_values"
    plain = GENERAL | set(profile.refused_status)
    if not profile.already_final_pattern and any(
        status in plain or status >= 500 for status in profile.already_final_status
    ):
        yield "already_final_pattern"
    if profile.results_since and not profile.result_fields.modified_at:
        yield "result_fields.modified_at"
    if profile.sittings_path and profile.sitting_fields is None:
        yield "sitting_fields"


def text(value: object) -> str:
    """Return a value of JSON as it is compared and shown: true, not True."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def at(row: object, keys: str) -> tuple[bool, Any]:
    """Return whether a row has these keys, and its value there."""
    for key in keys.split("."):
        if not isinstance(row, Mapping) or key not in row:
            return False, None
        row = row[key]
    return True, row


@dataclass(frozen=True)
class Row:
    """A row of an answer, read by the profile; ``section`` is where in the profile its keys stand."""

    row: object
    call: str
    keys: Mapping[str, str]
    section: str = ""

    def text(self, name: str, *, needed: bool = False) -> str:
        """Return a value as text, empty if there is none.

        Raises:
            VendorAnswerError: it is no plain value, or is needed and not there.
        """
        value = self._value(name, needed=needed)
        if value is None:
            return ""
        if not isinstance(value, str | int | Decimal):
            raise self._unexplained(name, "finds no plain value")
        return text(value)

    def number(self, name: str) -> Decimal | None:
        """Return a number, exactly, or None if there is none.

        Raises:
            VendorAnswerError: it is no number.
        """
        value = self._value(name)
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return Decimal(value)
        if isinstance(value, str) and NUMBER.fullmatch(value):
            return Decimal(value)
        if value is not None:
            raise self._unexplained(name, "finds something that is no number")
        return None

    def time(self, name: str) -> datetime | None:
        """Return a time, or None if there is none.

        Raises:
            VendorAnswerError: it is no time.
        """
        value = self._value(name)
        try:
            return None if value is None else instant(value)
        except ValueError:
            pass
        raise self._unexplained(name, "finds something that is no time")

    def _value(self, name: str, *, needed: bool = False) -> Any:  # noqa: ANN401
        is_there, value = at(self.row, self.keys[name]) if self.keys[name] else (False, None)
        if needed and value is None:
            raise self._unexplained(name, "is empty in" if is_there else "is not in")
        return value

    def _unexplained(self, name: str, what: str) -> VendorAnswerError:
        return VendorAnswerError(self.call, f"{self.section}{name} of the profile {what} the answer: correct it")


def holds(row: object, wanted: str) -> bool:
    """Whether a row shows a text anywhere."""
    if isinstance(row, Mapping):
        return any(holds(value, wanted) for value in row.values())
    return isinstance(row, str) and row.lower() == wanted
