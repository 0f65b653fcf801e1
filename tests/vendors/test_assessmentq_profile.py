"""The profile of an assessmentQ: every field that is unset or wrong is named, and never its value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.scripted_server import PASSWORD
from gradeway.errors import SettingsError
from gradeway.vendors.assessmentq import SANDBOX_PROFILE, AssessmentQ
from gradeway.vendors.connection import Endpoint, from_environment
from gradeway.vendors.profile import Profile, read_profile
from vendors.profiles import DROPPED, profile

HOME = Endpoint("c", "https://h/api/", "service", PASSWORD)
NEEDED = [name for name, field in Profile.model_fields.items() if field.is_required()]
MUST_NOT_BE_SHOWN = "Zebra"


def test_the_document_explains_every_field_and_shows_the_stand_ins() -> None:
    document = (Path(__file__).resolve().parents[2] / "docs/offline-exams.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_]+)` \| (.+) \| ?(?:`(.+)` )?\|$", document, re.MULTILINE)
    assert [name for name, *_ in rows] == list(Profile.model_fields)
    assert {name: json.loads(value) for name, _, value in rows if value} == SANDBOX_PROFILE


def refusal(**changed: object) -> str:
    with pytest.raises(SettingsError) as caught:
        AssessmentQ(replace(HOME, extra=profile(**changed)))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert MUST_NOT_BE_SHOWN not in str(caught.value)
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


def test_the_sandboxs_profile_is_one() -> None:
    assert read_profile(replace(HOME, extra=SANDBOX_PROFILE)).final_values == ["finished"]


def test_it_may_come_from_the_environment() -> None:
    extra = dict(SANDBOX_PROFILE) | {"calls_per_second": 50, "allow_http": True}
    fields = {"conn_type": "http", "host": "https://h/api", "login": "a", "password": "b", "extra": extra}
    endpoint = from_environment("c", {"AIRFLOW_CONN_C": json.dumps(fields)})
    with AssessmentQ(endpoint) as client:
        assert client.transport.manners.interval == pytest.approx(0.02)
        assert (client.can_ask, client.can_list_sittings) == (True, True)


def test_without_a_profile_all_that_is_needed_is_named() -> None:
    with pytest.raises(SettingsError) as caught:
        AssessmentQ(HOME)
    assert len(NEEDED) == 9
    for name in NEEDED:
        assert f"{name} is not set (give " in str(caught.value)
    assert "received_path" not in str(caught.value)


@pytest.mark.parametrize("name", NEEDED)
def test_each_field_that_is_not_set_is_named(name: str) -> None:
    told = refusal(**{name: DROPPED})
    assert told.startswith(f"connection c: correct the profile in its extra: {name} is not set (give ")
    assert ";" not in told.partition("(give")[0]


@pytest.mark.parametrize("name", ["id", "sitting", "exam", "learner", "state", "score"])
def test_each_key_of_a_result_that_is_not_set_is_named(name: str) -> None:
    assert f"result_fields.{name} is not set" in refusal(**{f"result_fields__{name}": DROPPED})


@pytest.mark.parametrize("name", ["id", "exam", "learner"])
def test_each_key_of_a_sitting_that_is_not_set_is_named(name: str) -> None:
    assert f"sitting_fields.{name} is not set" in refusal(**{f"sitting_fields__{name}": DROPPED})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("auth", "oauth-Zebra"),
        ("auth", None),
        ("auth_header", "Zebra Key"),
        ("auth_header", "X:\r\nZebra"),
        ("upload_path", ""),
        ("upload_path", "/Zebra"),
        ("upload_path", "https://zebra.example/Zebra"),
        ("upload_path", "a b Zebra"),
        ("upload_path", "Zebra/{sha256}"),
        ("upload_path", 7),
        ("upload_method", "GET"),
        ("upload_method", "post"),
        ("upload_field", 'Zebra"'),
        ("upload_field", None),
        ("final_key", "Zebra..x"),
        ("final_key", 5),
        ("final_values", "Zebra"),
        ("final_values", [1.5]),
        ("final_values", []),
        ("sitting_key", "Zebra."),
        ("already_final_status", 409),
        ("already_final_status", ["409"]),
        ("already_final_status", [200]),
        ("already_final_status", [401]),
        ("already_final_status", [429]),
        ("already_final_status", [409.0]),
        ("already_final_pattern", "Zebra("),
        ("already_final_pattern", None),
        ("refused_status", [500]),
        ("refused_status", [401]),
        ("refused_status", [403]),
        ("refused_status", "Zebra"),
        ("incomplete_pattern", "[Zebra"),
        ("received_path", "Zebra"),
        ("received_path", "Zebra/{sha256}/{0}"),
        ("received_path", "/{sha256}"),
        ("results_path", ""),
        ("results_path", "/Zebra"),
        ("results_since", "Zebra since"),
        ("next_link_keys", "Zebra"),
        ("next_link_keys", [""]),
        ("value_key", ""),
        ("value_key", 1),
        ("result_fields", "Zebra"),
        ("result_fields__score", "Zebra."),
        ("result_fields__maximum", 5),
        ("result_final_values", []),
        ("result_final_values", "Zebra"),
        ("sittings_path", "/Zebra"),
        ("sitting_fields", ["Zebra"]),
        ("sitting_fields__state", "."),
    ],
)
def test_each_field_that_is_wrong_is_named(name: str, value: object) -> None:
    told = refusal(**{name: value})
    assert f"extra: {name.replace('__', '.')} is " in told
    assert "wrong (give " in told


@pytest.mark.parametrize("name", ["upload_pth", "result_fields__marks", "sitting_fields__code"])
def test_a_field_that_is_none_is_named(name: str) -> None:
    assert f"{name.replace('__', '.')} is no field of a profile" in refusal(**{name: "Zebra"})


def test_a_key_that_is_no_name_is_not_shown() -> None:
    assert "a field is no field of a profile" in refusal(**{"https://Zebra": "x"})


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"auth": "header"}, "auth_header"),
        ({"auth": "header", "auth_header": "Content-Length"}, "auth_header"),
        ({"already_final_pattern": "", "already_final_status": [404]}, "already_final_pattern"),
        ({"already_final_pattern": "", "already_final_status": [409, 500]}, "already_final_pattern"),
        ({"already_final_pattern": "", "already_final_status": [422]}, "already_final_pattern"),
        ({"result_fields__modified_at": DROPPED}, "result_fields.modified_at"),
        ({"sitting_fields": DROPPED}, "sitting_fields"),
    ],
)
def test_fields_that_do_not_go_together_are_named(changed: dict[str, object], named: str) -> None:
    assert f"extra: {named} is missing or wrong (give " in refusal(**changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"already_final_pattern": ""},
        {"already_final_status": []},
        {"already_final_status": [404, 422, 500]},
        {"final_key": "", "final_values": []},
        {"final_key": "a.b.@c", "final_values": [True, 5, "x"]},
        {"upload_field": "", "upload_method": "PUT"},
        {"upload_path": "v1/things('x')/upload?mode=raw&x=a:b"},
        {"received_path": DROPPED, "sittings_path": DROPPED, "sitting_fields": DROPPED},
        {"received_path": "uploads/{sha256}"},
        {"results_since": "", "result_fields__modified_at": ""},
    ],
)
def test_what_is_right_is_taken(changed: dict[str, object]) -> None:
    AssessmentQ(replace(HOME, extra=profile(**changed)))


def test_all_that_is_wrong_is_told_at_once() -> None:
    told = refusal(auth=DROPPED, upload_path="/x", result_fields__id=DROPPED)
    assert [name for name in ("auth", "upload_path", "result_fields.id") if f"{name} is " in told] == [
        "auth",
        "upload_path",
        "result_fields.id",
    ]


@pytest.mark.parametrize("auth", ["bearer", "header"])
@pytest.mark.parametrize("password", ["", "Zebra\r\nX: y", " Zebra", "Zebré"])
def test_a_key_that_cannot_be_sent_is_told(auth: str, password: str) -> None:
    extra = profile(auth=auth, auth_header="X-Api-Key")
    with pytest.raises(SettingsError, match="the password is missing or wrong") as caught:
        AssessmentQ(replace(HOME, password=password, extra=extra))
    assert "Zebr" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "named"), [(lambda e: replace(e, login=""), "login"), (lambda e: replace(e, password=""), "password")]
)
def test_a_basic_account_needs_both(change: Callable[[Endpoint], Endpoint], named: str) -> None:
    with pytest.raises(SettingsError, match=f"the {named} is"):
        AssessmentQ(change(replace(HOME, extra=SANDBOX_PROFILE)))


def test_a_pace_that_is_none_is_named() -> None:
    assert "calls_per_second" in refusal(calls_per_second="fast-Zebra")
