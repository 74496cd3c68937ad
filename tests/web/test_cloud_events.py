"""CloudEvents over HTTP: every mode, nothing lost on the way, nothing delivered twice."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cloudevents.core.bindings import http as sdk
from cloudevents.core.v1.event import CloudEvent as SdkEvent

import litewf
from litewf.web import asgi_app
from tests.web.visits import BATCHED, STRUCTURED, Site, whole

DATA = [
    {"order": "o-1", "items": [1, 2.5, None, True]}, [1, "two", {"three": 3}], [], {}, "text", "", 0, -7, 1.5, True,
    False, None, 2**63, {"$bytes": "no tag"}, {"$dict": [[1, 2]]}, "\N{GRINNING FACE}", "a\0b", {"": {"a.b": 1}},
]  # fmt: skip


@pytest.mark.parametrize("route", ["/", "/events"])
def test_an_event_wakes_the_workflow_that_waits_for_it(route, engine, site, received):
    handle = engine.start_workflow(received)
    reply = site.publish(path=route, data={"amount": 99.99})
    assert (reply.status_code, reply.json()) == (202, {"status": "accepted"})
    assert handle.get_result(timeout=20).data == {"amount": 99.99}


@pytest.mark.parametrize("data", DATA, ids=lambda data: json.dumps(data)[:20])
@pytest.mark.parametrize("mode", ["structured", "binary", "batched"])
def test_data_arrives_as_it_was_sent(mode, data, engine, site, received):
    handle = engine.start_workflow(received)
    if mode == "structured":
        site.publish(data=data)
    elif mode == "batched":
        site.post("/events", content=json.dumps([whole(data=data)]), headers={"content-type": BATCHED})
    else:
        headers = {f"ce-{name}": value for name, value in whole().items()} | {"content-type": "application/json"}
        site.post("/events", content=json.dumps(data), headers=headers)
    event = handle.get_result(timeout=20)
    assert event.data == data
    assert type(event.data) is type(data)


@pytest.mark.parametrize("data", [b"\x00\xff\xfe", b"", b"plain"])
def test_bytes_arrive_as_bytes(data, engine, site, received):
    first = engine.start_workflow(received, "encoded")
    site.publish(type="encoded", data_base64=base64.b64encode(data).decode(), datacontenttype="image/png")
    assert first.get_result(timeout=20).data == data

    second = engine.start_workflow(received, "raw")
    headers = {f"ce-{name}": value for name, value in whole(type="raw", id="2").items()}
    site.post("/events", content=data, headers={**headers, "content-type": "application/octet-stream"})
    assert second.get_result(timeout=20).data == (data or None)


def test_text_arrives_as_text_in_its_charset(engine, site, received):
    handle = engine.start_workflow(received)
    headers = {f"ce-{name}": value for name, value in whole().items()}
    headers["content-type"] = "text/plain; charset=ISO-8859-1"
    site.post("/events", content="Grüße".encode("latin-1"), headers=headers)
    event = handle.get_result(timeout=20)
    assert (event.data, event.datacontenttype) == ("Grüße", "text/plain; charset=ISO-8859-1")


def test_every_attribute_is_kept_in_structured_mode(engine, site, received):
    handle = engine.start_workflow(received)
    site.publish(
        subject="a/b c", time="2030-01-31T12:00:00.5+09:00", dataschema="https://here/schema#1",
        datacontenttype="application/vnd.shop+json", traceparent="00-1", sampled=True, count=-3, empty="", gone=None,
        data={},
    )  # fmt: skip
    assert handle.get_result(timeout=20) == litewf.ReceivedEvent(
        type="paid", source="shop", id="1", subject="a/b c", data={},
        time=datetime(2030, 1, 31, 12, 0, 0, 500_000, timezone(timedelta(hours=9))),
        datacontenttype="application/vnd.shop+json", dataschema="https://here/schema#1",
        extensions={"traceparent": "00-1", "sampled": True, "count": -3, "empty": ""},
    )  # fmt: skip


def test_every_attribute_is_kept_in_binary_mode(engine, site, received):
    handle = engine.start_workflow(received)
    headers = {
        "ce-specversion": "1.0", "CE-Type": "paid", "ce-source": "shop", "ce-id": "1", "content-type": "text/xml",
        "ce-subject": "Euro %E2%82%AC %f0%9f%98%80 100%25", "ce-time": "2030-01-31T12:00:00Z",
        "ce-dataschema": "urn:x", "ce-one": '"a \\"quoted\\" value"', "ce-two": "%2525",
    }  # fmt: skip
    assert site.post("/", content="<a/>", headers=headers).status_code == 202
    assert handle.get_result(timeout=20) == litewf.ReceivedEvent(
        type="paid", source="shop", id="1", subject="Euro € \N{GRINNING FACE} 100%", data="<a/>",
        time=datetime(2030, 1, 31, 12, tzinfo=UTC), datacontenttype="text/xml", dataschema="urn:x",
        extensions={"one": 'a "quoted" value', "two": "%25"},
    )  # fmt: skip


def test_what_was_not_given_is_not_made_up(engine, site, received):
    handle = engine.start_workflow(received)
    site.publish()
    event = handle.get_result(timeout=20)
    assert (event.time, event.subject, event.datacontenttype, event.dataschema, event.extensions, event.data) == (
        None, None, None, None, {}, None,
    )  # fmt: skip


@pytest.mark.parametrize("mode", [sdk.to_structured_event, sdk.to_binary_event], ids=["structured", "binary"])
@pytest.mark.parametrize("datacontenttype", [None, "application/json"])
def test_the_official_sdk_is_understood(mode, datacontenttype, engine, site, received):
    handle = engine.start_workflow(received)
    attributes = {"type": "paid", "source": "/shop/1", "subject": "Grüße", "note": "100 % \N{SNOWMAN}"}
    sent = SdkEvent(attributes | ({"datacontenttype": datacontenttype} if datacontenttype else {}), {"amount": 1})
    message = mode(sent)
    assert site.post("/events", content=message.body, headers=message.headers).status_code == 202
    event = handle.get_result(timeout=20)
    assert (event.id, event.source, event.time, event.subject) == (
        sent.get_id(), "/shop/1", sent.get_time(), "Grüße",
    )  # fmt: skip
    assert (event.extensions, event.data) == ({"note": "100 % \N{SNOWMAN}"}, {"amount": 1})


def test_a_duplicate_is_answered_alike_and_delivered_once(engine, site, received):
    first, second = site.publish(data="first"), site.publish(data="other")
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert engine.query("SELECT data FROM cloud_event") == [('"first"',)]
    assert site.publish(source="elsewhere", data="another").status_code == 202
    assert engine.query("SELECT count(*) FROM cloud_event") == [(2,)]


def test_the_same_event_from_many_clients_at_once_is_stored_once(engine, site):
    async def all_at_once():
        asks = [site.ask("POST", "/", json=whole(data=at), headers={"content-type": STRUCTURED}) for at in range(50)]
        return {(reply.status_code, reply.content) for reply in await asyncio.gather(*asks)}

    assert len(asyncio.run(all_at_once())) == 1
    assert engine.query("SELECT count(*) FROM cloud_event") == [(1,)]


def test_a_large_event_goes_another_way_with_the_same_result(engine, received):
    site, large = Site(asgi_app(engine)), ["x" * 1_000] * 200
    handle = engine.start_workflow(received)
    assert [site.publish(data=large).status_code for _ in range(2)] == [202, 202]
    assert handle.get_result(timeout=20).data == large
    assert engine.query("SELECT count(*) FROM cloud_event") == [(1,)]
    for bad in ({"id": "a\0"}, {"specversion": "2.0"}, {"source": None}):
        refused = site.publish(data=large, **bad)
        assert (refused.status_code, refused.json()["error_type"]) == (400, "InvalidCloudEvent")


def test_a_batch_is_one_commit_in_its_order(engine, site):
    batch = [whole(id=str(at), data=at) for at in (3, 1, 2, 1)]
    reply = site.post("/events", content=json.dumps(batch), headers={"content-type": f"{BATCHED}; charset=UTF-8"})
    assert (reply.status_code, reply.json()) == (202, {"status": "accepted"})
    assert engine.query("SELECT id FROM cloud_event ORDER BY key") == [("3",), ("1",), ("2",)]


def test_an_empty_batch_is_accepted(engine, site):
    assert site.post("/events", content="[]", headers={"content-type": BATCHED}).status_code == 202
    assert engine.query("SELECT count(*) FROM cloud_event") == [(0,)]


@pytest.mark.parametrize(
    "bad", [{}, None, [], "x", whole(specversion="2.0"), whole(id="x" * 3000), whole(data_base64=1)]
)
def test_one_bad_event_refuses_the_whole_batch_and_is_named(bad, engine, site):
    batch = [whole(id="good"), bad]
    reply = site.post("/events", content=json.dumps(batch), headers={"content-type": BATCHED})
    assert reply.status_code == 400
    assert engine.query("SELECT count(*) FROM cloud_event") == [(0,)]


def test_a_large_batch_is_taken_whole(engine):
    batch = [whole(id=str(at), data={"n": at}) for at in range(2_000)]
    reply = Site(asgi_app(engine)).post("/events", content=json.dumps(batch), headers={"content-type": BATCHED})
    assert reply.status_code == 202
    assert engine.query("SELECT count(*) FROM cloud_event") == [(2_000,)]


def test_an_event_of_the_seed_is_accepted_where_the_seed_sends_it(engine, site, received):
    """The body and the path of the curl command in the document on waiting for events."""
    handle = engine.start_workflow(received, "payment.completed")
    body = """{
      "specversion": "1.0", "type": "payment.completed", "source": "payment-service", "id": "event-123",
      "datacontenttype": "application/json",
      "data": {"order_id": "ORD-123", "transaction_id": "TXN-456", "amount": 99.99, "status": "success"}
    }"""
    reply = site.post("/", content=body, headers={"content-type": STRUCTURED})
    assert (reply.status_code, reply.json()) == (202, {"status": "accepted"})
    assert handle.get_result(timeout=20).data["transaction_id"] == "TXN-456"
