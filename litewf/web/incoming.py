"""CloudEvents as HTTP carries them, in structured, binary and batched mode, read with the official SDK.

The SDK makes up what is missing, and keeps what it cannot read as text. Here that is refused first: what is no
CloudEvent 1.0 raises a Refusal, and nothing of a request is accepted.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast
from urllib.parse import quote, unquote

from cloudevents.core.base import BaseCloudEvent, EventFactory
from cloudevents.core.bindings.http import HTTPMessage, from_binary, from_structured
from cloudevents.core.exceptions import BaseCloudEventException
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent as SdkEvent
from starlette.datastructures import Headers

from litewf.records import CloudEvent
from litewf.web.bodies import MediaType, json_of, media_type
from litewf.web.failures import Refusal

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
REQUIRED = ("specversion", "id", "source", "type")
STANDARD = frozenset((*REQUIRED, "time", "subject", "datacontenttype", "dataschema"))
UTF_8 = (None, "utf-8", "utf8", "us-ascii")
CHARSETS = frozenset(("utf-8", "ascii", "iso8859-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be"))
NAME = re.compile(r"[a-z0-9]+")
MEDIA_TYPE = re.compile(r"[!#$%&'*+.^_`|~\w-]+/[!#$%&'*+.^_`|~\w-]+[ \t]*(;.*)?", re.ASCII)
TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
LARGEST = 1 << 31  # the attribute type Integer has 32 bits


def events_of(headers: Headers, body: bytes) -> list[CloudEvent]:
    """The events that a request carries."""
    media = media_type(headers)
    if media.name in (STRUCTURED, BATCHED):
        if media.charset not in UTF_8:
            raise _unusable(f"JSON is UTF-8, not {media.charset:.40}")
        return _batch(body) if media.name == BATCHED else [_structured(body)]
    if media.name.startswith("application/cloudevents"):
        raise _unusable(f"{media.name:.80} is not understood here; send {STRUCTURED} or {BATCHED}")
    if not any(name.startswith("ce-") for name in headers):
        raise _unusable(f"send {STRUCTURED} or {BATCHED}, or the attributes as ce-* headers")
    return [_binary(headers, media, body)]


def invalid(message: str) -> Refusal:
    """What is no CloudEvent."""
    return Refusal(400, "InvalidCloudEvent", message)


def _unusable(message: str) -> Refusal:
    return Refusal(415, "UnsupportedMediaType", message)


# --- structured and batched ---------------------------------------------------------------------------------------


class StrictJson(JSONFormat):
    """The SDK's JSON format, without its guesses."""

    def read(self, event_factory: EventFactory | None, data: str | bytes) -> BaseCloudEvent:
        return self.read_object(event_factory or event_of, json_of(data.encode() if isinstance(data, str) else data))

    def read_object(self, event_factory: EventFactory, found: object) -> BaseCloudEvent:
        """An event as a JSON object, already taken apart."""
        if not isinstance(found, dict):
            raise invalid("a CloudEvent is a JSON object")
        if "data" in found and "data_base64" in found:
            raise invalid("an event has data or data_base64, not both")
        attributes = {name: value for name, value in found.items() if value is not None}  # null is as good as absent
        data = attributes.pop("data", None)
        if (encoded := attributes.pop("data_base64", None)) is not None:
            data = _from_base64(encoded)
        if "time" in attributes:
            attributes["time"] = _moment(attributes["time"])
        return event_factory(attributes, data)

    def read_data(self, body: bytes, datacontenttype: str | None) -> Any:
        """The data of binary mode: JSON by its value, text as text, anything else as bytes."""
        if not body:
            return None
        media = media_type(Headers({} if datacontenttype is None else {"content-type": datacontenttype}))
        if media.is_json:
            return json_of(_decoded(body, media).encode())
        if media.name.startswith("text/"):
            return _decoded(body, media)
        if media.name:
            return body
        try:
            return json_of(body)  # as the SDK sends an event without datacontenttype
        except Refusal:
            return body


STRICT = StrictJson()


def _structured(body: bytes) -> CloudEvent:
    return _taken(from_structured(HTTPMessage({}, body), STRICT, event_of))


def _batch(body: bytes) -> list[CloudEvent]:
    found = json_of(body)
    if not isinstance(found, list):
        raise invalid("a batch is a JSON array of CloudEvents")
    events = []
    for at, one in enumerate(found):
        try:
            events.append(_taken(STRICT.read_object(event_of, one)))
        except Refusal as refusal:
            raise invalid(f"event {at} of the batch: {refusal}") from None
    return events


def _from_base64(text: object) -> bytes:
    try:
        return base64.b64decode(cast("str", text), validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise invalid("data_base64 is no Base64") from None


# --- binary -------------------------------------------------------------------------------------------------------


def _binary(headers: Headers, media: MediaType, body: bytes) -> CloudEvent:
    given: dict[str, str] = {}
    for name, value in headers.items():
        if name.startswith("ce-"):
            if name in given:
                raise invalid(f"the header {name} stands twice")
            given[name] = quote(_attribute(name, value), safe="")
    if "ce-datacontenttype" in given:
        raise invalid("in binary mode Content-Type is the datacontenttype; leave ce-datacontenttype out")
    if media.name:
        given["content-type"] = headers["content-type"]
    return _taken(from_binary(HTTPMessage(given, body), STRICT, event_of))


def _attribute(name: str, value: str) -> str:
    """The value of a header: without quotes, and percent-decoded once."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    if not value.isascii() or PERCENT.search(value):
        raise invalid(f"the header {name} holds what is not percent-encoded")
    try:
        text = unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise invalid(f"the header {name} is not UTF-8 once it is percent-decoded") from None
    return _moment(text).isoformat() if name == "ce-time" else text


def _decoded(body: bytes, media: MediaType) -> str:
    try:
        charset = codecs.lookup(media.charset or "utf-8").name
    except (LookupError, ValueError):
        charset = ""
    if charset not in CHARSETS:
        raise _unusable(f"the charset {media.charset!r:.40} is not understood here; send UTF-8")
    try:
        return body.decode(charset)
    except UnicodeDecodeError:
        raise invalid(f"the body is not {charset}") from None


# --- what both have in common -------------------------------------------------------------------------------------


def event_of(attributes: dict[str, Any], data: Any) -> SdkEvent:
    """The SDK's event; it checks the attributes, but would make up an id, a time and a specversion."""
    for name in REQUIRED:
        if name not in attributes:
            raise invalid(f"the attribute {name} is missing")
    untimed = "time" not in attributes
    try:
        event = SdkEvent(attributes, data)
    except BaseCloudEventException as refusal:
        raise invalid(str(refusal)) from None
    if untimed:
        del attributes["time"]
    if not MEDIA_TYPE.fullmatch(attributes.get("datacontenttype", "text/plain")):
        raise invalid("datacontenttype is no media type")
    return event


def _taken(found: BaseCloudEvent) -> CloudEvent:
    return CloudEvent(
        found.get_type(),
        found.get_source(),
        found.get_data(),
        subject=found.get_subject(),
        id=found.get_id(),
        time=found.get_time(),
        datacontenttype=found.get_datacontenttype(),
        dataschema=found.get_dataschema(),
        extensions=_extensions(found.get_attributes()),
    )


def _extensions(attributes: Mapping[str, object]) -> dict[str, object]:
    extensions = {name: value for name, value in attributes.items() if name not in STANDARD}
    for name, value in extensions.items():
        if not NAME.fullmatch(name):
            raise invalid(f"an attribute's name is lower-case letters and digits, not {name!r:.80}")
        if isinstance(value, int) and not -LARGEST <= value < LARGEST:
            raise invalid(f"the attribute {name} has more than 32 bits")
        if not isinstance(value, str | bool | int):
            raise invalid(f"the attribute {name} is neither text nor true, false or a whole number")
    return extensions


def _moment(text: object) -> datetime:
    if isinstance(text, str) and TIME.fullmatch(text):
        try:
            return datetime.fromisoformat(text.upper())
        except ValueError:
            pass
    raise invalid(f"the time {text!r:.80} is no RFC 3339 timestamp")
