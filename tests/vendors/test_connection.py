"""Endpoints from Airflow Connections: the forms, what may be left out, and how a mistake is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.models.connection import Connection as StoredConnection
from airflow.sdk import Connection as TaskConnection

from gradeway.errors import SettingsError
from gradeway.vendors import connection as connection_module
from gradeway.vendors.connection import EXTRAS, Endpoint, from_environment, from_fields

ID = "gradeway_questionmark"
PACKAGE = Path(connection_module.__file__).parents[1]
VARIABLE = "AIRFLOW_CONN_GRADEWAY_QUESTIONMARK"
ODD = "p@ss:w/rd?#%25 é+&=[ü]"


def read(text: str) -> Endpoint:
    return from_environment(ID, {VARIABLE: text})


CONNECTIONS: list[dict[str, Any]] = [
    {"conn_type": "http", "host": "ondemand.example.com", "schema": "https", "login": "svc", "password": ODD},
    {"conn_type": "https", "host": "ondemand.example.com", "login": "svc@example.com", "password": ODD, "port": 8443},
    {"conn_type": "http", "host": "https://ondemand.example.com/deliveryodata/123456", "login": "s", "password": ODD},
    {"conn_type": "https", "host": "https://ondemand.example.com/deliveryodata/1a", "login": "s", "password": ODD},
    {"conn_type": "https", "host": "ondemand.example.com", "schema": "deliveryodata/123456", "password": ODD},
    {"conn_type": "http", "host": "http://127.0.0.1", "port": 8080, "login": "sandbox", "password": "sandbox"},
    {"conn_type": "https", "host": "h", "login": "s", "password": ODD, "extra": json.dumps({"area": "123456"})},
    {"conn_type": "https", "host": "h", "login": "s", "password": ODD, "extra": json.dumps({"a": 1, "b": {"c": []}})},
    {"conn_type": "https", "host": "h", "schema": "https", "extra": json.dumps({"area": "12", "b": "?&="})},
    {"conn_type": "my_vendor", "host": "h", "login": "s", "password": ODD},
]


@pytest.mark.parametrize("fields", CONNECTIONS, ids=range(len(CONNECTIONS)))
@pytest.mark.parametrize("kind", [StoredConnection, TaskConnection], ids=["stored", "task"])
@pytest.mark.parametrize("form", ["get_uri", "as_json"])
def test_airflows_own_forms_are_read_as_airflow_means_them(fields: dict[str, Any], kind: type, form: str) -> None:
    found = read(getattr(kind(conn_id=ID, **fields), form)())
    assert found == from_fields(ID, **fields)
    assert found.password == fields.get("password", "")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://svc:pw@host/deliveryodata/123456", "https://host/deliveryodata/123456/"),
        ("http://svc:pw@127.0.0.1:8080/deliveryodata/123456/", "http://127.0.0.1:8080/deliveryodata/123456/"),
        ("http://svc:pw@localhost:1/", "http://localhost:1/"),
        ("http://svc:pw@[::1]:1/x", "http://[::1]:1/x/"),
        ("http://svc:pw@host:443/https", "https://host:443/"),
        ("http://svc:pw@sandbox:8080/?allow_http=true", "http://sandbox:8080/"),
        ('{"conn_type": "http", "host": "sandbox", "extra": {"allow_http": true}}', "http://sandbox/"),
        ('  {"host": "HOST.example.org/a b/"}\n', "https://HOST.example.org/a%20b/"),
    ],
)
def test_forms_that_people_write(text: str, url: str) -> None:
    assert read(text).url == url


def test_a_password_shows_nowhere() -> None:
    shown = repr(read('{"host": "h", "login": "s", "password": "Zebra1", "extra": {"token": "Zebra2"}}'))
    assert "https://h/" in shown
    assert "Zebra" not in shown


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", VARIABLE),
        ("Zebra", VARIABLE),
        ('{"host": "Zebra"', VARIABLE),
        ("https://[Zebra", VARIABLE),
        ("https://svc:Zebra/pw@host/", "port"),
        ("https://svc:pw@host:Zebra/", "port"),
        ('{"host": "h", "port": 70000}', "port"),
        ('{"login": "s"}', "host"),
        ('{"host": "https://svc:Zebra@host"}', "host"),
        ('{"host": "ftp://host"}', "host"),
        ('{"host": "a host"}', "host"),
        ('{"host": ["Zebra"]}', "host"),
        ('{"host": "h", "password": {"Zebra": 1}}', "password"),
        ('{"host": "h", "extra": "{Zebra"}', "extra"),
        ('{"host": "h", "extra": ["Zebra"]}', "extra"),
        ("http://svc:Zebra@host/", "schema"),
        ('{"host": "http://host", "password": "Zebra"}', "schema"),
    ],
)
def test_a_mistake_is_told_by_connection_and_field_only(text: str, field: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(text)
    assert field in str(caught.value)
    assert "gradeway_questionmark" in str(caught.value).lower()
    assert "Zebra" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("login", "password", "field"), [("", "x", "login"), ("a:b", "x", "login"), ("a", "", "password")]
)
def test_basic_authentication_needs_both(login: str, password: str, field: str) -> None:
    with pytest.raises(SettingsError, match=f"the {field} is missing or wrong"):
        Endpoint(ID, "https://h/", login, password).basic()


def test_basic_authentication_is_utf8() -> None:
    assert Endpoint(ID, "https://h/", "é", "ü").basic() == ("é".encode(), "ü".encode())


def test_an_unknown_key_of_the_extra_is_told_with_the_nearest_known_one(caplog: pytest.LogCaptureFixture) -> None:
    extra = {"daily_call": 100, "reserve": 5, "calls_per_second": 1, "color": "Zebra", "p=Zebra&": ""}
    found = from_fields("gradeway_learn", host="https://h", extra=extra)
    assert found.extra == extra
    assert caplog.messages == [
        "connection gradeway_learn: color in its extra is not known and is ignored",
        "connection gradeway_learn: daily_call in its extra is not known and is ignored; did you mean daily_calls?",
        "connection gradeway_learn: a key in its extra is not known and is ignored",
    ]


@pytest.mark.parametrize("connection", EXTRAS)
def test_every_known_key_of_an_extra_is_used_somewhere(connection: str, caplog: pytest.LogCaptureFixture) -> None:
    from_fields(connection, host="https://h", extra=dict.fromkeys(EXTRAS[connection], 1))
    assert caplog.messages == []
    code = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py") if path.name != "connection.py")
    code += (PACKAGE / "vendors" / "connection.py").read_text(encoding="utf-8").partition("FIELDS = (")[2]
    assert [key for key in EXTRAS[connection] if f'"{key}"' not in code] == []
