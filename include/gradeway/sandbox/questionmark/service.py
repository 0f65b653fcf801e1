"""The Delivery service: who may ask, what a request means, and the forms of its answers and errors."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from xml.sax.saxutils import escape

from gradeway.errors import SettingsError
from gradeway.sandbox.documents import Document, Documents
from gradeway.sandbox.frame import Answer, Call, Control, Refused, Shape
from gradeway.sandbox.questionmark import actions, schedules
from gradeway.sandbox.questionmark.actions import ACTIONS, Asked
from gradeway.sandbox.questionmark.entities import ATTEMPTS, SCHEDULE_METADATA, SCHEDULES, SETS
from gradeway.sandbox.questionmark.feeds import Feed, One, Reader, Resource, resolve
from gradeway.sandbox.questionmark.lobby import Lobby
from gradeway.sandbox.questionmark.query import OPTIONS, read_options

AREA = re.compile(r"[A-Za-z0-9]{1,32}", re.ASCII)
JSON = "application/json;odata=minimalmetadata;streaming=true;charset=utf-8"
VERSION = {"DataServiceVersion": "3.0;"}
XML_ERROR = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<m:error xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
    '<m:code /><m:message xml:lang="en-US">{}</m:message></m:error>'
)


def _dump(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def _in_json(name: str, wrap: Callable[[str], object]) -> Shape:
    return lambda refused: (JSON, _dump({name: {"code": "", "message": wrap(refused.message)}}))


def _with_language(message: str) -> object:
    return {"lang": "en-US", "value": message}


# What the vendor's errors look like is not documented: OData v3 as its platform writes it comes
# first, the other forms are those that its documents, OData v2 and a proxy before it may bring.
SHAPES: Mapping[str, Shape] = {
    "odata.error": _in_json("odata.error", _with_language),
    "error": _in_json("error", _with_language),
    "error_text": _in_json("error", str),
    "xml": lambda refused: ("application/xml;charset=utf-8", XML_ERROR.format(escape(refused.message)).encode()),
    "text": lambda refused: ("text/plain;charset=utf-8", refused.message.encode()),
    "empty": lambda _refused: ("text/plain;charset=utf-8", b""),
}


class Questionmark:
    """The service of one area, for one service account.

    Raises:
        SettingsError: no area can have that name.
    """

    shapes = SHAPES

    def __init__(self, documents: Documents, area: str, login: str, password: str) -> None:
        if not AREA.fullmatch(area):
            msg = f"the area '{area}' is wrong: it has up to 32 ASCII letters and digits"
            raise SettingsError(msg)
        self.documents = documents
        self.path = f"/deliveryodata/{area}/"
        self.lobby = Lobby(documents, area)
        self.controls: Mapping[str, Control] = {"play": lambda body, now: actions.play(documents, body, now)}
        self._login = login
        self._password = password

    def answer(self, call: Call) -> Answer:
        """Answer a request.

        Raises:
            Refused: the service would answer an error.
        """
        if call.path == self.lobby.path:
            _only(call, "GET")
            page = actions.open_link(self.documents, self.lobby, call.query, call.now)
            return Answer(body=page.encode(), media_type="text/plain;charset=utf-8")
        if not f"{call.path}/".startswith(self.path):
            raise Refused(404, "Resource not found.")
        self._authenticate(call)
        _negotiate(call)
        return self._serve(call, call.path[len(self.path) :].rstrip("/"))

    def _authenticate(self, call: Call) -> None:
        scheme, _, coded = call.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(coded, validate=True) if scheme.lower() == "basic" else b""
        except binascii.Error:
            given = b""
        if not hmac.compare_digest(given, f"{self._login}:{self._password}".encode()):
            raise Refused(401, "Authorization has been denied.", WWW_Authenticate='Basic realm="deliveryodata"')

    def _serve(self, call: Call, path: str) -> Answer:
        reader = Reader(self.documents, call.origin + self.path)
        head, _, last = path.rpartition("/")
        if not path:
            return _service_document(call)
        if path == "$metadata":
            raise Refused(501, "$metadata is not part of this sandbox.")
        if last in ACTIONS and head:
            return self._perform(call, head, last)
        if last == "$count":
            return self._count(call, resolve(self.documents, head))
        resource = resolve(self.documents, path)
        return self._read(call, reader, resource) if call.method == "GET" else self._write(call, reader, resource)

    def _perform(self, call: Call, head: str, name: str) -> Answer:
        resource = resolve(self.documents, head)
        _only(call, "POST")
        asked = Asked(self.documents, self.lobby, resource, _body(call, empty=True), call.now, call.origin)
        return _json(actions.perform(name, asked))

    def _count(self, call: Call, resource: Resource) -> Answer:
        if not isinstance(resource, Feed) or not resource.base:
            raise Refused(400, "$count is supported on base feeds only.")
        _only(call, "GET")
        options = read_options(call.query, resource.entity_set, {"$filter"})
        number = self.documents.count(resource.entity_set.name, options.where)
        return Answer(body=str(number).encode(), media_type="text/plain;charset=utf-8", headers=VERSION)

    def _read(self, call: Call, reader: Reader, resource: Resource) -> Answer:
        if isinstance(resource, Feed):
            return _json(reader.feed(resource, read_options(call.query, resource.entity_set, OPTIONS)))
        options = read_options(call.query, resource.entity_set, {"$expand"})
        return _json(reader.entity(resource, options.expand) | self._links(call, resource))

    def _links(self, call: Call, one: One) -> Document:
        """Return the signed links of an attempt: they are in no collection, only in the entity itself."""
        if one.entity_set is not ATTEMPTS:
            return {}
        roles = {"ParticipantFacingQMLobbyUrl": "participant", "ProctorFacingQMControlsWidgetUrl": "proctor"}
        attempt = one.document["ID"]
        return {name: self.lobby.url(call.origin, call.now, role, attemptid=attempt) for name, role in roles.items()}

    def _write(self, call: Call, reader: Reader, resource: Resource) -> Answer:
        entity_set = resource.entity_set
        verb = "PATCH" if isinstance(resource, One) else "POST" if resource.base else ""
        if call.method != verb or verb not in entity_set.verbs:
            if call.method in entity_set.absent:
                raise Refused(501, f"{call.method} of {entity_set.name} is documented, but not part of this sandbox.")
            raise _not_allowed(*["GET", verb][: 1 + (verb in entity_set.verbs)])
        body = _body(call)
        if isinstance(resource, One):
            schedules.change(self.documents, resource.document, body, self._login, call.now)
            return Answer(204, headers=VERSION)
        if entity_set is SCHEDULES:
            made = One(SCHEDULES, schedules.create(self.documents, body, self._login, call.now))
        else:
            made = One(SCHEDULE_METADATA, schedules.add_metadata(self.documents, body))
        return _json(reader.entity(made, {}), 201, Location=reader.url_of(made))


def _json(document: Document, status: int = 200, **headers: str) -> Answer:
    return Answer(status, _dump(document), JSON, VERSION | headers)


def _service_document(call: Call) -> Answer:
    _only(call, "GET")
    return _json({"odata.metadata": "$metadata", "value": [{"name": name, "url": name} for name in SETS]})


def _not_allowed(*verbs: str) -> Refused:
    return Refused(405, "The requested resource does not support this method.", Allow=", ".join(verbs))


def _only(call: Call, verb: str) -> None:
    if call.method != verb:
        raise _not_allowed(verb)


def _negotiate(call: Call) -> None:
    accepted = call.headers.get("accept", "*/*")
    if not any(form in accepted for form in ("json", "*/*", "application/*")) or "odata=verbose" in accepted:
        raise Refused(406, "This sandbox answers JSON light only.")


def _body(call: Call, *, empty: bool = False) -> Document:
    if empty and not call.body:
        return {}
    if "json" not in call.headers.get("content-type", ""):
        raise Refused(415, "The body must be application/json.")
    try:
        content: Any = json.loads(call.body)
        _dump(content)  # an unpaired surrogate is JSON, but no text that could be kept
    except (ValueError, RecursionError):
        raise Refused(400, "The body is not valid JSON.") from None
    if not isinstance(content, dict):
        raise Refused(400, "The body must be a JSON object.")
    return content
