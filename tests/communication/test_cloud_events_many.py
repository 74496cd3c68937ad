"""Many waiting workflows, and the plan of each statement behind messages, events, streams and CloudEvents."""

import re

import apsw
import pytest

import litewf
from tests.stage import Stage
from tests.store.test_plans import plan, statements

__all__ = ["statements"]
TABLES = ("message", "event", "stream", "cloud_event", "taking", "workflow", "step", "wait", "outcome", "request")


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.nightly)])
def test_of_many_parked_waiters_one_publish_wakes_the_one_it_concerns(stage: Stage, registry, count):
    """One type, another `where` each: count who runs, not how long it takes."""
    ran = []

    @registry.workflow
    async def main(n):
        ran.append(n)
        return (await litewf.wait_event_async("paid", where={"order.id": n, "kind": ["a", "b"]})).data["kind"]

    with stage.engine() as engine:
        starts = [(main.with_options(workflow_id=f"w{n}"), n) for n in range(count)]
        for at in range(0, count, 500):
            engine.start_workflows(starts[at : at + 500])
        parked = "SELECT count(*) FROM workflow WHERE phase = 'parked'"
        stage.until(lambda: len(ran) == count)
        stage.until(lambda: engine.query(parked) == [(count,)])
        del ran[:]
        engine.publish_event("paid", {"order": {"id": 471}, "kind": "b"})
        assert engine.retrieve_workflow("w471").get_result(timeout=20) == "b"
        engine.publish_event("paid", {"order": {"id": count}, "kind": "b"})
        engine.publish_event("other", {"order": {"id": 1}, "kind": "b"})
        assert ran == [471]
        assert engine.query(parked) == [(count - 1,)]


def talk(path, registry):
    """Everything that one can say."""

    @registry.step(max_retries=1, base_interval=0)
    def step():
        litewf.write_stream("k", 1)
        litewf.set_event("in step", 1)
        if litewf.attempt() == 1:
            raise ValueError

    @registry.workflow
    def main():
        litewf.write_stream("k", 0)
        step()
        litewf.set_event("e", 1)
        litewf.publish_event("t", {"a": 1})
        litewf.recv(timeout=0, default=None)
        litewf.recv("topic")
        litewf.wait_event("t", where={"a": 1}, source="litewf")
        litewf.wait_event("u", delivery="one", subject="s", timeout=20)
        litewf.close_stream("k")

    @registry.workflow
    def listener():
        list(litewf.read_stream("w", "k", recorded_only=True))
        litewf.get_all_events("w")
        return litewf.get_event("w", "e")

    @registry.workflow
    def again(left):
        litewf.write_stream("k", left)
        if left:
            litewf.continue_as_new(left - 1)

    with (
        litewf.Engine(path, registry=registry, linger=0) as engine,
        litewf.Engine(path, registry=litewf.Registry(), linger=0) as other,
    ):
        handle = engine.start_workflow(main.with_options(workflow_id="w"))
        listening = engine.start_workflow(listener)
        other.send("w", 1, topic="topic", idempotency_key="i")
        other.publish_event("u", 1, subject="s", id="1")
        other.publish_event("u", 1, subject="s", id="1")
        list(other.read_stream("w", "k"))
        other.get_event("w", "e", timeout=20)
        handle.get_result(timeout=20)
        listening.get_result(timeout=20)
        engine.run_workflow(again, 1)
        engine.fork_workflow("w", 5)
        other.publish_event("u", 1, subject="s", id="2")
        engine.rewind_workflow("w", 8).get_result(timeout=20)
        engine.delete_workflow("w")


def test_no_statement_about_communication_scans_a_table(path, registry, statements):  # noqa: F811 - the fixture
    talk(path, registry)
    heard = {sql for sql in statements if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)", sql)}
    about = {sql for sql in heard if re.search(r"\b(message|event|stream|cloud_event|taking|wait)\b", sql)}
    assert len(about) > 30
    connection = apsw.Connection(str(path))
    scans = [(detail, sql) for sql in about for detail in plan(connection, sql) if is_scan(detail)]
    connection.close()
    assert scans == []


def is_scan(detail):
    found = re.match(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", detail)
    return found is not None and found.group(1) in TABLES and found.group(2) is None


QUESTIONS = {
    "the next message": (
        "SELECT key FROM message WHERE workflow = 1 AND topic IS ? AND taken_by IS NULL ORDER BY key LIMIT 1",
        "message_unread",
    ),
    "an event": ("SELECT value FROM event WHERE workflow = 1 AND name = 'k' ORDER BY key DESC LIMIT 1", "event_name"),
    "the end of a stream": (
        "SELECT value FROM stream WHERE workflow = 1 AND name = 'k' ORDER BY offset DESC LIMIT 1", "stream_offset",
    ),
    "what a step left open": (
        "SELECT key FROM stream WHERE workflow = 1 AND step = '1' AND recorded IS NULL", "stream_undecided",
    ),
    "events of a type": ("SELECT key FROM cloud_event WHERE type = 't' AND key > 5 ORDER BY key", "cloud_event_type"),
    "old events": ("SELECT key FROM cloud_event WHERE accepted_us < 5 LIMIT 50", "cloud_event_accepted"),
    "a duplicate": ("SELECT 1 FROM cloud_event WHERE source = 's' AND id = 'i'", "cloud_event_once"),
    "who took an event": ("SELECT 1 FROM taking WHERE event = 5", "taking_event"),
    "who waits": ("SELECT workflow FROM wait WHERE waits = 'cloud:t'", "wait_waits"),
}  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_question_about_communication_has_an_index(path, question):
    sql, index = QUESTIONS[question]
    with litewf.Engine(path, registry=litewf.Registry()):
        pass
    connection = apsw.Connection(str(path))
    details = plan(connection, sql)
    connection.close()
    assert any(f"INDEX {index}" in detail for detail in details), details
    assert not any("TEMP B-TREE" in detail for detail in details), details
