"""What is no CloudEvent is refused with a clear reply, and leaves nothing behind."""

import asyncio
import gzip
import json

import pytest

from tests.web.visits import BATCHED, STRUCTURED, Visitor, whole

JSON = {"content-type": STRUCTURED}
HEADERS = {f"ce-{name}": value for name, value in whole().items()}
TOO_DEEP = b"[" * 200_000

# name, status, error_type, body, headers
REFUSED = [
    *((f"without {name}", 400, "InvalidCloudEvent", {k: v for k, v in whole().items() if k != name}, JSON)
      for name in whole()),
    *((f"{name} is null", 400, "InvalidCloudEvent", whole(**{name: None}), JSON) for name in whole()),
    *((f"{name} is empty", 400, "InvalidCloudEvent", whole(**{name: ""}), JSON) for name in whole()),
    *((f"{name} is a number", 400, "InvalidCloudEvent", whole(**{name: 1}), JSON) for name in whole()),
    *((f"no header ce-{name}", 400, "InvalidCloudEvent", b"", {k: v for k, v in HEADERS.items() if k != f"ce-{name}"})
      for name in whole()),
    ("specversion 2.0", 400, "InvalidCloudEvent", whole(specversion="2.0"), JSON),
    ("specversion 0.3", 400, "InvalidCloudEvent", whole(specversion="0.3"), JSON),
    ("specversion 2.0 in a header", 400, "InvalidCloudEvent", b"", HEADERS | {"ce-specversion": "2.0"}),
    ("a doubled attribute", 400, "InvalidJson", json.dumps(whole())[:-1].encode() + b', "id": "2"}', JSON),
    ("a doubled header", 400, "InvalidCloudEvent", b"", [*HEADERS.items(), ("ce-id", "2")]),
    ("a doubled content type", 400, "InvalidRequest", b"", [*HEADERS.items(), ("content-type", "text/plain"),
                                                           ("content-type", "text/xml")]),
    ("broken JSON", 400, "InvalidJson", b'{"specversion": "1.0",', JSON),
    ("nothing", 400, "InvalidJson", b"", JSON),
    ("NaN", 400, "InvalidJson", json.dumps(whole(data=float("nan"))).encode(), JSON),
    ("a number out of range", 400, "InvalidJson", json.dumps(whole(data=0)).encode()[:-2] + b"1e999}", JSON),
    ("too many digits", 400, "InvalidJson", json.dumps(whole(data=0)).encode()[:-2] + b"9" * 5000 + b"}", JSON),
    ("invalid UTF-8", 400, "InvalidJson", b'{"id": "\xff"}', JSON),
    ("a byte order mark", 400, "InvalidJson", b"\xef\xbb\xbf{}", JSON),
    ("a list", 400, "InvalidCloudEvent", [whole()], JSON),
    ("a text", 400, "InvalidCloudEvent", "event", JSON),
    ("data and data_base64", 400, "InvalidCloudEvent", whole(data=1, data_base64="AA=="), JSON),
    ("broken Base64", 400, "InvalidCloudEvent", whole(data_base64="AA=A"), JSON),
    ("Base64 with other letters", 400, "InvalidCloudEvent", whole(data_base64="A\u00c4=="), JSON),
    ("Base64 that is a number", 400, "InvalidCloudEvent", whole(data_base64=7), JSON),
    ("an id of 1 MB", 413, "PayloadTooLarge", whole(id="x" * 1_000_000), JSON),
    ("a long id", 400, "InvalidCloudEvent", whole(id="x" * 2_049), JSON),
    ("an id with a control character", 400, "InvalidCloudEvent", whole(id="a\0b"), JSON),
    ("a lone surrogate", 400, "InvalidCloudEvent", whole(subject="\ud800"), JSON),
    ("an upper-case attribute", 400, "InvalidCloudEvent", whole(Extension="x"), JSON),
    ("an attribute with a line break", 400, "InvalidCloudEvent", whole(**{"x\n": "x"}), JSON),
    ("an attribute without a name", 400, "InvalidCloudEvent", whole(**{"": "x"}), JSON),
    ("an attribute that is a list", 400, "InvalidCloudEvent", whole(extension=[1]), JSON),
    ("an attribute that is a fraction", 400, "InvalidCloudEvent", whole(extension=1.5), JSON),
    ("an attribute of 33 bits", 400, "InvalidCloudEvent", whole(extension=2**31), JSON),
    ("a time without a zone", 400, "InvalidCloudEvent", whole(time="2030-01-01T00:00:00"), JSON),
    ("a time that is no time", 400, "InvalidCloudEvent", whole(time="2030-02-31T00:00:00Z"), JSON),
    ("a time that is a number", 400, "InvalidCloudEvent", whole(time=1), JSON),
    ("a header with a broken time", 400, "InvalidCloudEvent", b"", HEADERS | {"ce-time": "yesterday"}),
    ("a datacontenttype that is none", 400, "InvalidCloudEvent", whole(datacontenttype="json"), JSON),
    ("a broken percent", 400, "InvalidCloudEvent", b"", HEADERS | {"ce-subject": "100%"}),
    ("a percent without digits", 400, "InvalidCloudEvent", b"", HEADERS | {"ce-subject": "%zz"}),
    ("percent-encoded Latin-1", 400, "InvalidCloudEvent", b"", HEADERS | {"ce-subject": "%E4"}),
    ("an overlong encoding", 400, "InvalidCloudEvent", b"", HEADERS | {"ce-subject": "%C0%A0"}),
    ("a raw Latin-1 header", 400, "InvalidCloudEvent", b"", [*HEADERS.items(), ("ce-subject", b"\xe4")]),
    ("a header named ce-", 400, "InvalidCloudEvent", b"", HEADERS | {"ce-": "x"}),
    ("a header named ce-data", 400, "InvalidCloudEvent", b"", HEADERS | {"ce-data": "x"}),
    ("a datacontenttype beside Content-Type", 400, "InvalidCloudEvent", b"", HEADERS | {"ce-datacontenttype": "a/b"}),
    ("binary JSON that is none", 400, "InvalidJson", b"{", HEADERS | {"content-type": "application/json"}),
    ("binary text that is none", 400, "InvalidCloudEvent", b"\xff", HEADERS | {"content-type": "text/plain"}),
    ("an unknown charset", 415, "UnsupportedMediaType", b"x", HEADERS | {"content-type": "text/plain; charset=zip"}),
    ("JSON that is not UTF-8", 415, "UnsupportedMediaType", whole(), {"content-type": f"{STRUCTURED}; charset=utf-16"}),
    ("a batch that is none", 400, "InvalidCloudEvent", whole(), {"content-type": BATCHED}),
    ("an unknown event format", 415, "UnsupportedMediaType", whole(), {"content-type": "application/cloudevents+avro"}),
    ("plain JSON", 415, "UnsupportedMediaType", whole(), {"content-type": "application/json"}),
    ("a form", 415, "UnsupportedMediaType", b"a=b", {"content-type": "application/x-www-form-urlencoded"}),
    ("no media type", 415, "UnsupportedMediaType", whole(), {}),
    ("a compressed body", 415, "UnsupportedMediaType", gzip.compress(b" " * 10_000_000), JSON | {"content-encoding": "gzip"}),
    ("nested without end", 413, "PayloadTooLarge", TOO_DEEP, JSON),
    ("nested deep", 400, "InvalidJson", TOO_DEEP[:9_000], JSON),
    ("data nested deeper than litewf records", 422, "SerializationError",
     json.dumps(whole(data=1)).replace('"data": 1', '"data": ' + "[" * 300 + "]" * 300).encode(), JSON),
]  # fmt: skip


@pytest.mark.parametrize(("status", "error_type", "body", "headers"), [row[1:] for row in REFUSED],
                         ids=[row[0] for row in REFUSED])  # fmt: skip
def test_it_is_refused(status, error_type, body, headers, engine, site):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = site.post("/events", content=content, headers=headers)
    assert reply.status_code == status, reply.text
    said = reply.json()
    assert said.keys() == {"error", "error_type", "retryable"}
    assert (said["error_type"], said["retryable"]) == (error_type, False)
    assert "Traceback" not in reply.text
    assert engine.query("SELECT count(*) FROM cloud_event") == [(0,)]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("route", ["/", "/events"])
def test_only_post_publishes(route, method, site):
    reply = site(method, route)
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")


EVENT = json.dumps(whole()).encode()
LENGTHS = [
    ("right", [("content-length", str(len(EVENT)))], [EVENT[:9], EVENT[9:]], 202),
    ("not declared", [], [EVENT[:9], EVENT[9:]], 202),
    ("declared too long", [("content-length", "10001")], [EVENT], 413),
    ("declared short, sent long", [("content-length", "2")], [b"x" * 6_000, b"x" * 6_000], 413),
    ("not declared, sent long", [], [b"x" * 6_000] * 1_000, 413),
    ("declared long, sent short", [("content-length", "9000")], [EVENT], 400),
    ("declared short, sent more", [("content-length", "2")], [EVENT], 400),
    ("declared as text", [("content-length", "many")], [EVENT], 400),
    ("declared below zero", [("content-length", "-1")], [EVENT], 400),
    ("declared in other digits", [("content-length", "\u00b2")], [EVENT], 400),
]


@pytest.mark.parametrize(("headers", "parts", "status"), [row[1:] for row in LENGTHS], ids=[row[0] for row in LENGTHS])
def test_the_length_that_comes_counts_whatever_is_declared(headers, parts, status, site):
    async def send() -> int:
        visitor = Visitor(site.app, "POST", "/events", [("content-type", STRUCTURED), *headers], parts)
        return await visitor.status()

    assert asyncio.run(send()) == status


def test_a_client_that_goes_away_while_it_sends_is_let_go(engine, site):
    async def send() -> None:
        visitor = Visitor(site.app, "POST", "/events", [("content-type", STRUCTURED)], [])
        visitor.leave()
        await visitor.over()

    asyncio.run(send())
    assert engine.query("SELECT count(*) FROM cloud_event") == [(0,)]
