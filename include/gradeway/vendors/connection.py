"""Where an outside system is and who we are there, from an Airflow Connection.

The same Connection serves inside and outside Airflow: inside, its fields are handed over; outside,
``AIRFLOW_CONN_<ID>`` is read here in Airflow's own URI or JSON form. As in Airflow's HTTP
connections, the host may carry ``https://`` and a path, and the schema may say ``https``.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from gradeway.errors import SettingsError
from gradeway.settings import nearest

log = logging.getLogger(__name__)

CALLS_PER_SECOND = 5
LONGEST = 40  # letters of the name of a key
FASTEST = 100  # calls a second
WEB = ("http", "https")
EXTRA_KEY = "__extra__"
YES = {"true", "1", "yes"}
ANY = frozenset({"allow_http", "calls_per_second"})
# What the extra of a Connection may hold; that of assessmentQ has a profile, which checks itself.
EXTRAS = {
    "gradeway_questionmark": ANY | {"area", "administrator"},
    "gradeway_learn": ANY | {"daily_calls", "reserve"},
}
FIELDS = ("conn_type", "host", "schema", "port", "login", "password", "extra")
ADDRESS = r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"


@dataclass(frozen=True)
class Endpoint:
    """One outside system's address and our account there; ``url`` ends in a slash."""

    connection: str
    url: str
    login: str = ""
    password: str = field(default="", repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def basic(
        self, called: tuple[str, str] = ("service account's name", "service account's password")
    ) -> tuple[bytes, bytes]:
        """Return login and password, which the service calls so, for HTTP Basic authentication, as UTF-8.

        Raises:
            SettingsError: either is missing, or cannot be sent.
        """
        if not self.login or ":" in self.login:
            raise wrong(self.connection, "login", f"give the {called[0]}, which has no colon in it")
        if not self.password:
            raise wrong(self.connection, "password", f"give the {called[1]}")
        return self.login.encode(), self.password.encode()


def wrong(connection: str, part: str, remedy: str) -> SettingsError:
    """Return the error that tells which field of a Connection to correct, and how."""
    return SettingsError(f"connection {connection}: the {part} is missing or wrong; {remedy}")


def calls_per_second(endpoint: Endpoint) -> float:
    """Return how many calls a second the Connection allows.

    Raises:
        SettingsError: it names a pace that is none.
    """
    given = endpoint.extra.get("calls_per_second", CALLS_PER_SECOND)
    try:
        pace = float(given)
    except (TypeError, ValueError):
        pace = 0
    if not 0 < pace <= FASTEST:
        raise wrong(endpoint.connection, "calls_per_second", f"give a number up to {FASTEST} in the extra, or none")
    return pace


def whole_number(endpoint: Endpoint, name: str, default: int) -> int:
    """Return a whole number that the Connection's extra may name.

    Raises:
        SettingsError: it names none.
    """
    text = str(endpoint.extra.get(name, default))
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise wrong(endpoint.connection, name, f"give a whole number in the extra, or none for {default}")
    return int(text)


def variable(connection: str) -> str:
    """Return the name of the environment variable that holds a Connection."""
    return f"AIRFLOW_CONN_{connection.upper()}"


def is_set(connection: str) -> bool:
    """Return whether the environment has a Connection."""
    return bool(os.environ.get(variable(connection), "").strip())


def from_environment(connection: str, environment: Mapping[str, str] | None = None) -> Endpoint:
    """Read an endpoint from its ``AIRFLOW_CONN_…`` variable.

    Raises:
        SettingsError: the variable is not set, or a field of it is wrong.
    """
    env = os.environ if environment is None else environment
    text = env.get(variable(connection), "").strip()
    if not text:
        msg = f"connection {connection} is not set; put it into {variable(connection)} as a URI or JSON"
        raise SettingsError(msg)
    try:
        fields = json.loads(text) if text.startswith("{") else _uri_fields(text)
    except ValueError:  # its text would quote the password
        fields = None
    if fields is None:
        msg = f"{variable(connection)} is wrong: neither a connection's URI, with reserved signs as %xx, nor its JSON"
        raise SettingsError(msg)
    for name in FIELDS[:-1]:
        if not isinstance(fields.get(name), str | int | None):
            raise wrong(connection, name, "give text")
    return from_fields(connection, **{name: fields.get(name) for name in FIELDS})


def from_fields(
    connection: str,
    *,
    conn_type: str | None = None,
    host: str | None = None,
    schema: str | None = None,
    port: int | str | None = None,
    login: str | None = None,
    password: str | None = None,
    extra: str | Mapping[str, Any] | None = None,
) -> Endpoint:
    """Make an endpoint of an Airflow Connection's fields.

    Raises:
        SettingsError: a field is missing or wrong; the message names it, never its value.
    """
    extras = _extras(connection, extra)
    _tell_unknown(connection, extras)
    scheme, name, path = _place(connection, str(host or ""), str(schema or ""), conn_type or "")
    number = _port(connection, port)
    address = f"{name}:{number}" if number else name
    try:
        server = urlsplit(f"{scheme}://{address}").hostname if re.fullmatch(ADDRESS, address) else None
    except ValueError:
        server = None
    if not server:
        raise wrong(connection, "host", "give the server's name and nothing secret, such as https://example.org")
    if scheme == "http" and not _is_loopback(server) and str(extras.get("allow_http")).lower() not in YES:
        raise wrong(connection, "schema", 'say https (or "allow_http": true in the extra, on a network of your own)')
    base = f"{scheme}://{address}/{quote(path, safe='/')}"
    return Endpoint(connection, base.rstrip("/") + "/", str(login or ""), str(password or ""), extras)


def _place(connection: str, host: str, schema: str, kind: str) -> tuple[str, str, str]:
    """Return the scheme, the server's name and the path."""
    given, separator, rest = host.strip().rpartition("://")
    name, _, path = rest.partition("/")
    scheme = given.lower() if separator else ""
    if schema.lower() in WEB:
        scheme = scheme or schema.lower()
    else:
        path = "/".join(part.strip("/") for part in (path, schema) if part.strip("/"))
    # Airflow's own HTTP connections are plain unless they say otherwise.
    scheme = scheme or ("http" if kind.lower() == "http" else "https")
    if scheme not in WEB:
        raise wrong(connection, "host", "start it with https://")
    if name.count(":") > 1 and not name.startswith("["):
        name = f"[{name}]"
    return scheme, name, path.strip("/")


def _port(connection: str, port: int | str | None) -> int | None:
    if port in {None, "", 0}:
        return None
    if str(port).isascii() and str(port).isdecimal() and int(str(port)) <= 65535:
        return int(str(port))
    raise wrong(connection, "port", "give a number up to 65535, or none; a URI has / : @ # of a password as %xx")


def _extras(connection: str, extra: str | Mapping[str, Any] | None) -> Mapping[str, Any]:
    try:
        found = json.loads(extra) if isinstance(extra, str) and extra.strip() else extra or {}
    except ValueError:
        found = None
    if not isinstance(found, Mapping):
        raise wrong(connection, "extra", 'give a JSON object, such as {"area": "123456"}')
    return dict(found)


def _tell_unknown(connection: str, extras: Mapping[str, Any]) -> None:
    known = EXTRAS.get(connection, frozenset(extras))
    for key in sorted(extras.keys() - known):
        name = key if key.isidentifier() and len(key) <= LONGEST else "a key"  # which may be part of a secret
        hint = nearest(key, known)
        log.warning("connection %s: %s in its extra is not known and is ignored%s", connection, name, hint)


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _uri_fields(text: str) -> dict[str, Any]:
    """Split a Connection's URI as Airflow does; the host may follow a protocol of its own."""
    kind, separator, rest = text.partition("://")
    if not separator:
        msg = "no URI"
        raise ValueError(msg)
    protocol = ""
    if re.match(r"[a-z][a-z0-9+.-]*://", rest, re.IGNORECASE):
        protocol, _, rest = rest.partition("://")
        protocol += "://"
    parts = urlsplit(f"//{rest}")
    account, _, place = parts.netloc.rpartition("@")
    login, _, password = account.partition(":")
    colon = place.find(":", place.find("]") + 1)
    host, port = (place, "") if colon < 0 else (place[:colon], place[colon + 1 :])
    extra = dict(parse_qsl(parts.query, keep_blank_values=True))
    return {
        "conn_type": kind.replace("-", "_"),
        "host": protocol + unquote(host),
        "schema": unquote(parts.path[1:]),
        "port": port,
        "login": unquote(login),
        "password": unquote(password),
        "extra": extra.get(EXTRA_KEY, extra),
    }
