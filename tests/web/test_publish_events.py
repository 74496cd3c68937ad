"""`publish_events`, which the HTTP side stands on: whole CloudEvents, several in one commit."""

from datetime import UTC, datetime

import pytest

import litewf
from litewf import CloudEvent
from tests.stage import Stage


def stored(engine):
    return [found for (found,) in engine.query("SELECT id FROM cloud_event ORDER BY key")]


def test_each_is_told_whether_it_was_new(engine):
    events = [CloudEvent("paid", "shop", at, id=name) for at, name in enumerate(["1", "2", "1"])]
    assert engine.publish_events(events) == [True, True, False]
    assert engine.publish_events(events) == [False, False, False]
    assert engine.publish_events([]) == []
    assert stored(engine) == ["1", "2"]


def test_without_an_id_each_is_new(engine):
    assert engine.publish_events([CloudEvent("paid", "shop", 1)] * 3) == [True] * 3


def test_everything_of_an_event_arrives(engine, registry):
    @registry.workflow
    def received():
        return litewf.wait_event("paid", timeout=20)

    handle = engine.start_workflow(received)
    time = datetime(2030, 1, 1, tzinfo=UTC)
    engine.publish_events([CloudEvent("paid", "shop", b"\0", "s", "1", time, "a/b", "urn:x", {"x": 1, "y": True})])
    assert handle.get_result() == litewf.ReceivedEvent(
        "paid", "shop", "1", time, "s", "a/b", "urn:x", {"x": 1, "y": True}, b"\0"
    )


WRONG = [
    "paid", CloudEvent("", "shop", 1), CloudEvent("paid", " ", 1), CloudEvent("paid", "shop", 1, id="x" * 2_049),
    CloudEvent("paid", "shop", object()), CloudEvent("paid", "shop", 1, time=datetime(2030, 1, 1)),  # noqa: DTZ001 - wrong
    CloudEvent("paid", "shop", 1, time="2030"), CloudEvent("paid", "shop", 1, subject=""),
    CloudEvent("paid", "shop", 1, dataschema="a\n"), CloudEvent("paid", "shop", 1, datacontenttype=7),
    CloudEvent("paid", "shop", 1, extensions={"Upper": 1}), CloudEvent("paid", "shop", 1, extensions={"x": 1.5}),
    CloudEvent("paid", "shop", 1, extensions={1: "x"}),
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=range(len(WRONG)))
def test_one_that_is_wrong_refuses_all(wrong, engine):
    with pytest.raises((TypeError, ValueError)):
        engine.publish_events([CloudEvent("paid", "shop", 1), wrong])
    assert stored(engine) == []


def test_a_workflow_publishes_each_once_however_often_it_is_replayed(path, registry):
    @registry.workflow
    def publisher():
        new = litewf.publish_events([CloudEvent("paid", "shop", at) for at in range(2)])
        litewf.recv()
        return new

    stage = Stage(path, registry)
    with stage.engine() as engine:
        handle = engine.start_workflow(publisher.with_options(workflow_id="w"))
        stage.parked(handle)
    with stage.engine() as engine:
        engine.send("w", "go on")
        assert engine.retrieve_workflow("w").get_result() == [True, True]
        assert len(set(stored(engine))) == len(stored(engine)) == 2
