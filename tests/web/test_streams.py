"""Streams as server-sent events: every value once, from any offset, to the end, and no longer than somebody reads."""

import asyncio
import json
from typing import NamedTuple

import pytest

import litewf
from litewf.web import asgi_app
from tests.stage import Stage
from tests.web.visits import Site, Visitor


class Event(NamedTuple):
    """A server-sent event as a browser sees it."""

    kind: str
    id: str
    data: object


def parsed(text):
    """The events of a body; comments are left out."""
    events = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if fields:
            events.append(Event(fields.get("event", "message"), fields.get("id", ""), json.loads(fields["data"])))
    return events


END = Event("end", "end", None)


@pytest.fixture
def writer(registry):
    """Writes what it is sent, until it is sent None."""

    @registry.workflow(name="writer")
    def writer():
        while (value := litewf.recv(timeout=3600)) is not None:
            litewf.write_stream("log", value)

    return writer


@pytest.fixture
def handle(engine, writer):
    return engine.start_workflow(writer.with_options(workflow_id="w"))


def write(engine, *values):
    for value in values:
        engine.send("w", value)


def finished(engine, handle, *values):
    write(engine, *values, None)
    handle.get_result(timeout=20)


VALUES = ["text", 1, {"a": [None, True]}, "two\nlines\n\n", "data: x", "\N{SNOWMAN}", "\r\n: comment"]


def test_each_value_comes_with_its_offset_and_the_end_is_told(engine, handle, site):
    finished(engine, handle, *VALUES)
    reply = site.get("/workflows/w/streams/log")
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert "content-length" not in reply.headers
    assert parsed(reply.text) == [Event("message", str(at), value) for at, value in enumerate(VALUES)] + [END]


@pytest.mark.parametrize(
    ("query", "headers", "first"),
    [("?offset=3", {}, 3), ("", {"last-event-id": "3"}, 4), ("?offset=1", {"last-event-id": "5"}, 6), ("?offset=99", {}, 7)],
)  # fmt: skip
def test_reading_goes_on_where_it_ended(query, headers, first, engine, handle, site):
    finished(engine, handle, *VALUES)
    events = parsed(site.get(f"/workflows/w/streams/log{query}", headers=headers).text)
    assert events == [Event("message", str(at), VALUES[at]) for at in range(first, len(VALUES))] + [END]


def test_who_has_seen_the_end_is_told_not_to_come_back(engine, handle, site):
    finished(engine, handle, 1)
    reply = site.get("/workflows/w/streams/log", headers={"last-event-id": "end"})
    assert (reply.status_code, reply.content) == (204, b"")


def test_without_following_it_ends_with_what_is_there(engine, handle, site):
    write(engine, 1, 2)
    assert list(zip(range(2), engine.read_stream("w", "log"), strict=False)) == [(0, 1), (1, 2)]
    events = parsed(site.get("/workflows/w/streams/log?follow=false").text)
    assert [event.data for event in events] == [1, 2, None]


def test_a_stream_of_more_than_a_page_is_read_whole(engine, registry, site):
    @registry.workflow(name="many")
    def many():
        for at in range(250):
            litewf.write_stream("log", at)

    engine.run_workflow(many.with_options(workflow_id="m"))
    events = parsed(site.get("/workflows/m/streams/log").text)
    assert [event.data for event in events] == [*range(250), None]


def test_attempts_that_are_not_on_record_can_be_left_out(engine, registry, site):
    @registry.step(max_retries=1, base_interval=0)
    def body():
        litewf.write_stream("log", litewf.attempt())
        if litewf.attempt() == 1:
            raise ValueError

    @registry.workflow(name="twice")
    def twice():
        body()

    engine.run_workflow(twice.with_options(workflow_id="t"))
    assert [event.data for event in parsed(site.get("/workflows/t/streams/log").text)] == [1, 2, None]
    only = site.get("/workflows/t/streams/log?recorded_only=true")
    assert [event.data for event in parsed(only.text)] == [2, None]


def test_values_come_while_the_workflow_writes(engine, handle, site):
    async def follow():
        visitor = Visitor(site.app, "GET", "/workflows/w/streams/log")
        assert await visitor.status() == 200
        for at in range(3):
            await asyncio.to_thread(write, engine, at)
            assert parsed(await visitor.text()) == [Event("message", str(at), at)]
        await asyncio.to_thread(write, engine, None)
        assert parsed(await visitor.rest()) == [END]
        await visitor.over()

    asyncio.run(follow())


def test_a_reader_that_goes_away_is_forgotten_at_once(engine, handle, site):
    async def visit():
        visitor = Visitor(site.app, "GET", "/workflows/w/streams/log")
        await visitor.status()
        while not engine._running().waiting._outside:  # noqa: ASYNC110 - the engine tells nobody that somebody waits
            await asyncio.sleep(0)
        visitor.leave()
        await visitor.over()
        assert not engine._running().waiting._outside
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(visit())


def test_a_request_that_the_server_cancels_is_forgotten_too(engine, handle, site):
    async def visit():
        visitor = Visitor(site.app, "GET", "/workflows/w/streams/log")
        await visitor.status()
        while not engine._running().waiting._outside:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
        visitor.task.cancel()
        await asyncio.wait([visitor.task])
        assert not engine._running().waiting._outside
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(visit())


def test_a_shutdown_ends_every_reader_without_telling_the_end(engine, handle, site):
    write(engine, 1)

    async def follow():
        visitor = Visitor(site.app, "GET", "/workflows/w/streams/log")
        await visitor.status()
        first = parsed(await visitor.text())
        await engine.shutdown_async()
        return first + parsed(await visitor.rest())

    assert [event.data for event in asyncio.run(follow())] == [1]


def test_an_idle_stream_sends_comments_on_a_timer(engine, handle):
    site = Site(asgi_app(engine, keep_alive=0.01))

    async def follow():
        visitor = Visitor(site.app, "GET", "/workflows/w/streams/log")
        await visitor.status()
        comments = [await visitor.text() for _ in range(3)]
        visitor.leave()
        await visitor.over()
        return comments

    assert asyncio.run(follow()) == [": nothing new\n\n"] * 3


def test_a_stream_that_breaks_off_says_why(engine, handle, site, monkeypatch):
    async def broken(*_, **__):
        yield litewf.StreamItem(0, "first", 1, recorded=True)
        raise litewf.WorkflowNotFoundError("deleted meanwhile")

    monkeypatch.setattr(litewf.Engine, "read_stream_items_async", broken)
    first, last = parsed(site.get("/workflows/w/streams/log").text)
    assert (first.data, last.kind) == ("first", "error")
    assert last.data == {"error": "deleted meanwhile", "error_type": "WorkflowNotFoundError", "retryable": False}


@pytest.mark.parametrize("keep_alive", [0, -1, "1"])
def test_a_timer_that_never_waits_is_refused(keep_alive, engine):
    with pytest.raises((ValueError, TypeError)):
        asgi_app(engine, keep_alive=keep_alive)


def test_a_head_request_gets_no_values(engine, handle, site):
    reply = site("HEAD", "/workflows/w/streams/log")
    assert (reply.status_code, reply.content) == (200, b"")


@pytest.mark.parametrize("headers", [{"last-event-id": value} for value in ("x", "-1", "1e3", "9" * 30)])
def test_an_id_that_no_value_has_is_refused(headers, handle, site):
    assert site.get("/workflows/w/streams/log", headers=headers).status_code == 400


@pytest.mark.parametrize(
    "query", ["offset=-1", "offset=x", "follow=maybe", "recorded_only=1", "offset=99999999999999999999"]
)
def test_a_stream_is_asked_for_in_words_that_mean_something(query, handle, site):
    assert site.get(f"/workflows/w/streams/log?{query}").status_code == 400


def test_a_thousand_readers_hold_no_thread(path, registry, writer):
    stage = Stage(path, registry)
    with stage.engine(max_threads=4) as engine:
        engine.start_workflow(writer.with_options(workflow_id="w"))
        site = Site(asgi_app(engine))

        async def follow():
            visitors = [Visitor(site.app, "GET", "/workflows/w/streams/log") for _ in range(1_000)]
            for visitor in visitors:
                await visitor.status()
            await engine.send_async("w", "news")
            news = [parsed(await visitor.text())[0].data for visitor in visitors]
            for visitor in visitors:
                visitor.leave()
            await asyncio.gather(*(visitor.over() for visitor in visitors))
            return news

        assert asyncio.run(follow()) == ["news"] * 1_000
