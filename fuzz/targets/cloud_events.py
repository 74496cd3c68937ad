"""CloudEvents as they should not be: answered in good order, and accepted only once they are in the file.

The event that a case begins with is whole; each of its parts may then be spoiled. After a 202 a copy of the file, which
is what a killed process leaves behind, must hold every event of the request; after a refusal, none.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from typing import Any

from fuzz.case import Case
from fuzz.site import MAX_BODY, Site, served

REQUESTS = 25
STRUCTURED, BATCHED = "application/cloudevents+json", "application/cloudevents-batch+json"
MEDIA = (STRUCTURED, BATCHED, f"{STRUCTURED}; charset=UTF-8", f"{STRUCTURED}; charset=utf-16", "application/cloudevents+avro", "",
         "application/json", "text/plain", "text/plain; charset=latin-1", "text/plain; charset=zip", "image/png", ";", "/", "a/b;c",
         "APPLICATION/CLOUDEVENTS+JSON", "application/cloudevents-batch", "multipart/form-data; boundary=x")  # fmt: skip
ODD: tuple[Any, ...] = ("", " ", "a", "\0", "\ud800", "é", "\U0001f600", "x" * 3_000, "../..", "%", "%C3%A4", '"q"', "\r\nce-id: 2",
                        0, 1, -1, 2**31, 2**63, 10**400, 1.5, True, False, None, [], {}, {"a": 1}, ["x"], "2030-01-31T12:00:00Z",
                        "2030-02-31T12:00:00Z", "0000-00-00T00:00:00Z", "9999-12-31T23:59:60Z", "2030-01-01", "1.0", "2.0", "01.0")  # fmt: skip
NAMES = ("specversion", "id", "source", "type", "time", "subject", "datacontenttype", "dataschema", "data", "data_base64", "myext",
         "MyExt", "my-ext", "my_ext", "x" * 50, "", "$dict", "\0", "é")  # fmt: skip
DATA: tuple[Any, ...] = (
    None,
    0,
    "text",
    [1, 2.5, None],
    {"a": {"$bytes": "x"}},
    {"$error": {}},
    {"": ""},
    "\ud800",
    10**30,
    True,
)
Event = dict[str, Any]


def run(case: Case) -> None:
    """Requests one after the other to one engine."""
    with served(case) as site:
        for number in range(REQUESTS):
            _request(case, site, f"{case.number}-{number}")


def _request(case: Case, site: Site, unique: str) -> None:
    chance = case.chance
    mode = chance.choice(list(MODES))
    headers, body = MODES[mode](chance, unique)
    spoilt = [name for name, spoil in SPOILERS.items() if chance.random() < 0.12]
    for name in spoilt:
        headers, body = SPOILERS[name](chance, headers, body)
    before = site.copied("SELECT max(key) FROM cloud_event")
    encoded = [(name.encode("utf-8", "replace"), value.encode("utf-8", "replace")) for name, value in headers]
    answer = site.ask("POST", chance.choice(["/", "/events"]), encoded, _in_parts(chance, body))
    after = site.copied("SELECT max(key) FROM cloud_event")
    if answer.status == 202:
        assert json.loads(answer.text) == {"status": "accepted"}
        _all_there(site, mode, encoded, body)
    else:
        assert after == before, f"{answer.status} {answer.text}, but something of {encoded!r} {body!r} was accepted"
    kinds = [f"spoilt: {name}" for name in spoilt] or ["not spoilt"]
    case.met(f"{mode}, answered {answer.status}", *kinds)


def _all_there(site: Site, mode: str, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Everything that was accepted is in what a killed process leaves."""
    stored = set(site.copied("SELECT source, id FROM cloud_event"))
    media = dict(headers).get(b"content-type", b"").partition(b";")[0].strip().lower()
    if media in (STRUCTURED.encode(), BATCHED.encode()):
        found = json.loads(body)
        for event in found if isinstance(found, list) else [found]:
            assert (event["source"], event["id"]) in stored, f"{event} was accepted, but {stored} is there"
    else:
        assert stored, f"an event in {mode} mode was accepted, but nothing is there"


def _in_parts(chance: random.Random, body: bytes) -> list[bytes]:
    parts = [body]
    for _ in range(chance.choice([0, 0, 1, 3])):
        last = parts.pop()
        at = chance.randint(0, len(last))
        parts += [last[:at], last[at:]]
    return parts


# --- events that are whole, or nearly -----------------------------------------------------------------------------


def _event(chance: random.Random, unique: str) -> Event:
    event: Event = {"specversion": "1.0", "type": "paid", "source": "shop", "id": unique, "data": chance.choice(DATA)}
    for _ in range(chance.choice([0, 0, 0, 1, 2])):
        event[chance.choice(NAMES)] = chance.choice(ODD)
    for _ in range(chance.choice([0, 0, 0, 0, 1])):
        event.pop(chance.choice(sorted(event)))
    if chance.random() < 0.1:
        event["data_base64"] = chance.choice([base64.b64encode(b"\xff\0").decode(), "!", "", 7])
    return event


def _structured(chance: random.Random, unique: str) -> tuple[list[tuple[str, str]], bytes]:
    return [("content-type", STRUCTURED)], json.dumps(_event(chance, unique)).encode()


def _batched(chance: random.Random, unique: str) -> tuple[list[tuple[str, str]], bytes]:
    events = [_event(chance, f"{unique}-{at}") for at in range(chance.choice([0, 1, 2, 20]))]
    if events and chance.random() < 0.3:
        events.append(events[0])
    return [("content-type", BATCHED)], json.dumps(events).encode()


def _binary(chance: random.Random, unique: str) -> tuple[list[tuple[str, str]], bytes]:
    event = _event(chance, unique)
    data = event.pop("data", None)
    headers = [(f"ce-{name}", _header(value)) for name, value in event.items()]
    media = chance.choice(["application/json", "text/plain", "application/octet-stream", None])
    return headers + ([("content-type", media)] if media else []), json.dumps(data).encode()


def _header(value: object) -> str:
    return "".join(each for each in str(value)[:9_000] if each not in "\r\n\0")  # no server lets these through


MODES: dict[str, Callable[[random.Random, str], tuple[list[tuple[str, str]], bytes]]] = {
    "structured": _structured, "batched": _batched, "binary": _binary,
}  # fmt: skip

# --- what may be wrong with a request -----------------------------------------------------------------------------

Request = tuple[list[tuple[str, str]], bytes]


def _doubled_header(chance: random.Random, headers: list[tuple[str, str]], body: bytes) -> Request:
    name, value = chance.choice(headers) if headers else ("ce-id", "x")
    return [*headers, (chance.choice([name, name.upper()]), chance.choice([value, "other"]))], body


def _another_media_type(chance: random.Random, headers: list[tuple[str, str]], body: bytes) -> Request:
    return [*(one for one in headers if one[0] != "content-type"), ("content-type", chance.choice(MEDIA))], body


def _broken_percent(chance: random.Random, headers: list[tuple[str, str]], body: bytes) -> Request:
    return [
        *headers,
        ("ce-note", chance.choice(["%", "%zz", "%E4", "%C0%A0", "%00", "%0D%0A", "\u00e4", '"', '"\\"'])),
    ], body


def _wrong_length(chance: random.Random, headers: list[tuple[str, str]], body: bytes) -> Request:
    said = chance.choice(
        ["0", "-1", str(len(body) + 1), str(MAX_BODY + 1), "many", "1e3", "\u00b2", "9" * 30, "", " 1"]
    )
    return [*headers, ("content-length", said)], body


def _compressed(chance: random.Random, headers: list[tuple[str, str]], body: bytes) -> Request:
    return [*headers, ("content-encoding", chance.choice(["gzip", "br", "identity", "", "identity, gzip"]))], body


def _edited_body(chance: random.Random, headers: list[tuple[str, str]], body: bytes) -> Request:
    at = chance.randint(0, len(body))
    put = chance.choice(
        [
            b"",
            b"\xff",
            b"\0",
            b"{",
            b"]",
            b'"',
            b"\xef\xbb\xbf",
            b",",
            b"NaN",
            b"1e999",
            b"[" * chance.choice([3_000, 90_000]),
            b"1" * 5_000,
        ]
    )
    return headers, body[:at] + put + body[at + chance.choice([0, 1, 5]) :]


def _large(_chance: random.Random, headers: list[tuple[str, str]], body: bytes) -> Request:
    return headers, body + b" " * (8 * MAX_BODY)


SPOILERS: dict[str, Callable[[random.Random, list[tuple[str, str]], bytes], Request]] = {
    "a doubled header": _doubled_header, "another media type": _another_media_type, "a broken header": _broken_percent,
    "a wrong length": _wrong_length, "an encoding": _compressed, "an edited body": _edited_body, "too large": _large,
}  # fmt: skip
