"""Workflows over HTTP: start, look, wait, talk, steer."""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from uuid import UUID

import pytest

import litewf
from litewf.web import asgi_app
from tests.web.visits import Site, Visitor

JSON = {"content-type": "application/json"}


class Colour(Enum):
    RED = "r"


@dataclass
class Money:
    amount: int
    currency: str


@pytest.fixture
def flows(registry):
    """A few workflows: one that answers, one that waits, one that fails, one that talks."""

    @registry.workflow(name="add")
    def add(a: int, b: int = 1) -> int:
        return a + b

    @registry.workflow(name="echo")
    def echo(*args, **kwargs):
        return [args, kwargs]

    @registry.workflow(name="wait")
    def wait():
        return litewf.recv("topic", timeout=3600)

    @registry.workflow(name="fail")
    def fail():
        raise KeyError("nothing")

    @registry.workflow(name="show")
    def show():
        litewf.set_event("a/b", {"url": "/pay"})
        litewf.set_event("none", None)

    return {"add": add, "wait": wait, "show": show}


@pytest.fixture
def site(flows, site):
    return site


def test_a_started_workflow_is_durable_and_can_be_found(site, engine):
    reply = site.post("/workflows/add?workflow_id=sum-1", json={"a": 2})
    assert (reply.status_code, reply.json()) == (202, {"workflow_id": "sum-1"})
    assert engine.retrieve_workflow("sum-1").get_result(timeout=20) == 3
    found = site.get(reply.headers["location"]).json()
    assert (found["name"], found["status"], found["output"]) == ("add", "SUCCESS", 3)
    assert found["input"] == {"args": [], "kwargs": {"a": 2}}


SHOP = litewf.Registry()


class Shop:
    @SHOP.workflow(name="method")
    def method(self, a: int = 0):
        return a

    @SHOP.workflow(name="of the class")
    @classmethod
    def of_the_class(cls, a: int = 0):
        return a

    @staticmethod
    @SHOP.workflow(name="static")
    def static(a: int = 0):
        return a


SHOP.instance("eu", Shop())
METHODS = [("method", 404), ("method?instance=eu", 200), ("method?instance=us", 404), ("static?instance=eu", 404),
           ("of%20the%20class", 200), ("static", 200)]  # fmt: skip


@pytest.mark.parametrize(("name", "status"), METHODS, ids=[name for name, _ in METHODS])
def test_a_method_is_started_by_its_name_and_that_of_its_object(name, status, path):
    with litewf.Engine(path, registry=SHOP) as engine:
        url = f"/workflows/{name}{'&' if '?' in name else '?'}wait=20"
        assert Site(asgi_app(engine)).post(url, json={"args": [1]}).status_code == status


ARGUMENTS = [
    ({"a": 1}, [[], {"a": 1}]),
    ({"args": [1, 2]}, [[1, 2], {}]),
    ({"kwargs": {"args": 1}}, [[], {"args": 1}]),
    ({"args": [1], "kwargs": {"x": 2}}, [[1], {"x": 2}]),
    ({"args": 1}, [[], {"args": 1}]),
    ({"args": [], "more": 1}, [[], {"args": [], "more": 1}]),
    ({}, [[], {}]),
]


@pytest.mark.parametrize(("body", "expected"), ARGUMENTS, ids=[json.dumps(row[0]) for row in ARGUMENTS])
def test_arguments_come_by_name_or_by_position(body, expected, site):
    assert site.post("/workflows/echo?wait=20", json=body).json()["output"] == expected


def test_without_a_body_there_are_no_arguments(site):
    assert site.post("/workflows/echo?wait=20").json()["output"] == [[], {}]


@pytest.mark.parametrize("ask", [{"params": {"wait": "20"}}, {"headers": {"prefer": "respond-async, wait=20"}},
                                 {"headers": {"Prefer": "wait"}}])  # fmt: skip
def test_the_result_comes_with_the_start_if_it_is_waited_for(ask, site):
    reply = site.post("/workflows/add", json={"a": 2, "b": 5}, **ask)
    said = reply.json()
    assert (reply.status_code, said["status"], said["output"], said["error"]) == (200, "SUCCESS", 7, None)
    assert reply.headers["location"] == f"/workflows/{said['workflow_id']}"


def test_a_result_that_takes_longer_is_promised(site):
    reply = site.post("/workflows/wait?wait=0.01&workflow_id=w")
    assert (reply.status_code, reply.json()["status"], reply.headers["retry-after"]) == (202, "PENDING", "1")
    assert site.get("/workflows/w/result").status_code == 202


def test_starting_again_attaches_and_another_workflow_conflicts(site):
    ask = {"headers": {"workflow-id": "one", "workflow-timeout": "60"}}
    first, second = site.post("/workflows/wait", **ask), site.post("/workflows/wait", **ask)
    assert first.json() == second.json() == {"workflow_id": "one"}
    conflict = site.post("/workflows/add?workflow_id=one", json={"a": 1})
    assert (conflict.status_code, conflict.json()["error_type"]) == (409, "WorkflowConflictError")
    assert site.get("/workflows/one").json()["timeout"] == 60


def test_how_a_workflow_failed_is_a_result_too(site):
    said = site.post("/workflows/fail?wait=20").json()
    assert (said["status"], said["output"], said["error"]) == (
        "ERROR", None, {"type": "KeyError", "message": "'nothing'"},
    )  # fmt: skip


def test_a_message_that_utf_8_cannot_hold_is_escaped(registry, site, caplog):
    caplog.set_level("CRITICAL", "litewf")  # its traceback could not be written to a report either

    @registry.workflow(name="surrogate")
    def surrogate():
        raise ValueError("\ud800")

    assert site.post("/workflows/surrogate?wait=20").json()["error"]["message"] == "\ud800"


@pytest.mark.parametrize(
    ("status", "route", "options"),
    [
        (404, "/workflows/nothing", {}),
        (404, "/workflows/add/", {"json": {"a": 1}}),
        (422, "/workflows/add", {}),
        (422, "/workflows/add", {"json": {"c": 1}}),
        (422, "/workflows/add", {"json": [1]}),
        (422, "/workflows/echo", {"content": '{"a":' + "[" * 200 + "]" * 200 + "}", "headers": JSON}),
        (400, "/workflows/add", {"content": b"{", "headers": JSON}),
        (400, "/workflows/add", {"content": b'{"a":1,"a":2}', "headers": JSON}),
        (415, "/workflows/add", {"content": b'{"a":1}', "headers": {"content-type": "text/plain"}}),
        (415, "/workflows/add", {"data": {"a": "1"}}),
        (413, "/workflows/echo", {"json": {"a": "x" * 20_000}}),
        (400, "/workflows/echo?workflow_id=a~b", {}),
        (400, "/workflows/echo?workflow_id=", {}),
        (400, "/workflows/echo?workflow_id=a&workflow_id=b", {}),
        (400, "/workflows/echo?workflow_id=a", {"headers": {"workflow-id": "b"}}),
        (400, "/workflows/echo?workflow_id=%ff%00", {}),
        (400, "/workflows/echo?timeout=-1", {}),
        (400, "/workflows/echo?timeout=nan", {}),
        (400, "/workflows/echo?wait=1e999", {}),
        (400, "/workflows/echo?wait=soon", {}),
        (400, "/workflows/echo", {"headers": {"prefer": "wait=-1"}}),
        (400, "/workflows/echo?wiat=1", {}),
    ],
)
def test_what_cannot_be_started_is_refused(status, route, options, engine, site):
    reply = site.post(route, **options)
    assert reply.status_code == status, reply.text
    assert reply.json()["retryable"] is False
    assert engine.list_workflows() == []


UNKNOWN = [
    ("GET", "/workflows/none"), ("GET", "/workflows/none/steps"), ("GET", "/workflows/none/result"),
    ("POST", "/workflows/none/cancel"), ("POST", "/workflows/none/resume"), ("POST", "/workflows/none/messages"),
    ("GET", "/workflows/none/events"), ("GET", "/workflows/none/events/k"), ("GET", "/workflows/none/streams/k"),
    ("GET", "/workflows/%F0%9F%98%80%00/steps"), ("GET", f"/workflows/{'x' * 5000}"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "route"), UNKNOWN, ids=[f"{row[0]} {row[1][:30]}" for row in UNKNOWN])
def test_a_workflow_that_there_is_not_is_not_found(method, route, site):
    reply = site(method, route, **({"json": 1} if method == "POST" else {}))
    assert (reply.status_code, reply.json()["error_type"]) == (404, "WorkflowNotFoundError")


def test_messages_are_received_once_on_their_topic(engine, flows, site):
    handle = engine.start_workflow(flows["wait"])
    route = f"/workflows/{handle.workflow_id}/messages?topic=topic"
    for message in ("first", "again"):
        reply = site.post(route, json=message, headers={"idempotency-key": "k-1"})
        assert (reply.status_code, reply.json()) == (202, {"status": "accepted"})
    assert handle.get_result(timeout=20) == "first"


@pytest.mark.parametrize(
    ("status", "options"),
    [
        (400, {"params": {"topic": ""}, "json": 1}),
        (400, {"params": {"topic": "x" * 300}, "json": 1}),
        (400, {"json": 1, "headers": {"idempotency-key": " "}}),
        (400, {"content": b"", "headers": JSON}),
        (400, {"content": b"NaN", "headers": JSON}),
        (415, {"content": b"1"}),
        (413, {"json": "x" * 20_000}),
    ],
)
def test_a_message_that_is_none_is_refused(status, options, engine, flows, site):
    handle = engine.start_workflow(flows["wait"])
    assert site.post(f"/workflows/{handle.workflow_id}/messages", **options).status_code == status


def test_a_large_body_goes_another_way_with_the_same_result(engine, registry, flows):
    site, large = Site(asgi_app(engine)), "x" * 200_000
    assert site.post("/workflows/echo?wait=20", json={"a": large}).json()["output"] == [[], {"a": large}]
    assert site.post("/workflows/add?wait=20", json={"b": large}).status_code == 422
    site.post("/workflows/wait?workflow_id=w")
    site.post("/workflows/w/messages?topic=topic", json=large)
    assert engine.retrieve_workflow("w").get_result(timeout=20) == large
    assert site.post("/workflows/nobody/messages", json=large).status_code == 404


def test_events_are_shown_and_waited_for(engine, flows, site):
    handle = engine.start_workflow(flows["show"])
    handle.get_result(timeout=20)
    base = f"/workflows/{handle.workflow_id}/events"
    assert site.get(base).json() == {"events": {"a/b": {"url": "/pay"}, "none": None}}
    assert site.get(f"{base}/a%2Fb?timeout=20").json() == {"value": {"url": "/pay"}}
    missing = site.get(f"{base}/other?timeout=20")
    assert (missing.status_code, missing.json()["error_type"], missing.json()["retryable"]) == (
        404, "WaitTimeoutError", True,
    )  # fmt: skip


def test_cancel_and_resume(engine, flows, site):
    handle = engine.start_workflow(flows["wait"].with_options(workflow_id="order/1 100%"))
    route = "/workflows/order%2F1%20100%25"
    assert site.post(f"{route}/cancel").json() == {"workflow_id": "order/1 100%", "status": "CANCELLED"}
    assert site.get(f"{route}/result").json()["error"]["type"] == "litewf.errors.WorkflowCancelledError"
    assert site.post(f"{route}/resume").json()["status"] == "PENDING"
    engine.send(handle.workflow_id, "go", topic="topic")
    assert handle.get_result(timeout=20) == "go"
    again = site.post(f"{route}/resume")
    assert (again.status_code, again.json()["error_type"]) == (409, "WorkflowStateError")
    assert [step["name"] for step in site.get(f"{route}/steps").json()["steps"]] == ["litewf.recv"]


def test_a_held_workflow_has_no_result(path, registry, engine, flows, site):
    """Its code is gone; whoever waits for its result learns it at once."""
    handle = engine.start_workflow(flows["wait"].with_options(workflow_id="w"))
    engine.shutdown()
    del handle, registry.workflows["wait"]
    engine.launch()
    reply = site.get("/workflows/w/result?timeout=20")
    assert (reply.status_code, reply.json()["error_type"]) == (409, "WorkflowHeldError")


def test_the_listing_filters_and_pages(engine, flows, site):
    for at in range(5):
        engine.run_workflow(flows["add"].with_options(workflow_id=f"a-{at}", attributes={"n": at}), at)
    engine.start_workflow(flows["wait"].with_options(workflow_id="w"))

    def ids(query):
        return [one["workflow_id"] for one in site.get(f"/workflows?{query}").json()["workflows"]]

    assert ids("") == ["a-0", "a-1", "a-2", "a-3", "a-4", "w"]
    assert ids("limit=2&offset=1") == ["a-1", "a-2"]
    assert ids("sort_desc=true&limit=1") == ["w"]
    assert ids("status=PENDING&status=CANCELLED") == ["w"]
    assert ids("name=add&name=nothing&workflow_id_prefix=a-3") == ["a-3"]
    assert ids("workflow_ids=w&workflow_ids=a-1") == ["a-1", "w"]
    assert ids('attributes={"n":4}') == ["a-4"]
    assert ids("start_time=2999-01-01T00:00:00Z") == []
    loaded = site.get("/workflows?workflow_ids=a-1&load_input=true&load_output=true").json()["workflows"][0]
    assert (loaded["input"], loaded["output"]) == ({"args": [1], "kwargs": {}}, 2)
    assert site.get("/workflows?workflow_ids=a-1").json()["workflows"][0]["output"] is None


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1", "limit=1001", "limit=", "limit=1&limit=2", "limit=\u0663", "offset=1e3", "status=DONE", "held=yes",
        "start_time=yesterday", "start_time=2030-01-01", "end_time=0001-01-01T00:00:00%2B23:59", "attributes=1",
        "attributes={", 'attributes={"a":[]}', 'attributes={"a":"\\ud800"}', "unknown=1",
    ],
)  # fmt: skip
def test_a_filter_that_means_nothing_is_refused(query, site):
    reply = site.get(f"/workflows?{query}")
    assert (reply.status_code, reply.json()["error_type"]) == (400, "InvalidRequest")


def test_values_are_shown_as_plain_json(engine, registry, site):
    """A dataclass as its fields, a datetime as text, and what no text can hold as its escape."""

    @registry.workflow(name="values")
    def values():
        return {
            "money": Money(7, "EUR"), "at": datetime(2030, 1, 1, tzinfo=UTC), "on": date(2030, 1, 1), "tuple": (1, 2),
            "id": UUID(int=1), "bytes": b"\x00\xff", "colour": Colour.RED, "nan": float("nan"), "surrogate": "\ud800",
            1: {"$tag": None}, "lost": litewf.Opaque("gone:Class", {"field": 1}),
        }  # fmt: skip

    shown = site.post("/workflows/values?wait=20").json()["output"]
    assert shown == {
        "money": {"amount": 7, "currency": "EUR"}, "at": "2030-01-01T00:00:00+00:00", "on": "2030-01-01",
        "tuple": [1, 2], "id": "00000000-0000-0000-0000-000000000001", "bytes": "AP8=", "colour": "RED", "nan": "nan",
        "surrogate": "\\ud800", "1": {"$tag": None}, "lost": {"field": 1},
    }  # fmt: skip


def test_a_client_that_goes_away_ends_its_wait(engine, flows, site):
    """Nothing of the request is left in memory."""
    engine.start_workflow(flows["wait"].with_options(workflow_id="w"))

    async def visit():
        visitors = [
            Visitor(site.app, "GET", "/workflows/w/result?timeout=3600"),
            Visitor(site.app, "GET", "/workflows/w/events/k?timeout=3600"),
            Visitor(site.app, "POST", "/workflows/wait?wait=3600"),
        ]
        while len(engine._running().waiting._outside) < 3:  # noqa: ASYNC110 - the engine tells nobody that somebody waits
            await asyncio.sleep(0)
        for visitor in visitors:
            visitor.leave()
        for visitor in visitors:
            await visitor.over()
        assert not engine._running().waiting._outside
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(visit())


def test_who_waits_learns_of_the_shutdown_at_once(engine, flows, site):
    engine.start_workflow(flows["wait"].with_options(workflow_id="w"))

    async def visit():
        visitor = Visitor(site.app, "GET", "/workflows/w/result?timeout=3600")
        while not engine._running().waiting._outside:  # noqa: ASYNC110 - the engine tells nobody that somebody waits
            await asyncio.sleep(0)
        await engine.shutdown_async()
        return await visitor.status()

    assert asyncio.run(visit()) == 503
