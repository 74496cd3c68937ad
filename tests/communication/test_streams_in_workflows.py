"""What workflows read is recorded; values are of the type that was asked for; who stops early leaves nothing."""

import asyncio
import gc
import weakref
from dataclasses import dataclass

import pydantic
import pytest

import litewf
from tests.communication.acting import start
from tests.communication.streams_support import Collector, define_reader, define_relay
from tests.stage import Stage


@pytest.fixture
def relay(registry):
    return define_relay(registry)


@pytest.fixture
def reader(registry):
    return define_reader(registry)


# --- in workflows -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flavor", ["sync", "async"])
def test_what_a_workflow_reads_is_recorded_and_replays_the_same(stage: Stage, registry, relay, flavor):
    """E7: the writer is deleted before the replay, and the reader does not notice."""
    seen = []

    @registry.workflow
    def sync_reader():
        seen.append(list(litewf.read_stream("w", "k")))
        litewf.sleep(5)
        return seen[-1]

    @registry.workflow
    async def async_reader():
        seen.append([value async for value in litewf.read_stream_async("w", "k")])
        await litewf.sleep_async(5)
        return seen[-1]

    with stage.engine() as engine:
        start(engine, relay, "w")
        handle = start(engine, sync_reader if flavor == "sync" else async_reader, "r")
        for value in (1, 2):
            engine.send("w", value)
            stage.until(lambda: any(wait.what.startswith("stream") for wait in handle.get_status().waiting_on))
        engine.send("w", "end")
        stage.asleep(handle)
        engine.delete_workflow("w")
    stage.clock.move(5)
    with stage.engine() as engine:
        assert engine.retrieve_workflow("r").get_result(timeout=20) == [1, 2]
    assert seen == [[1, 2]] * 2


def test_a_parked_reader_says_what_it_waits_for(stage: Stage, relay, reader):
    with stage.engine() as engine:
        start(engine, relay, "w")
        handle = start(engine, reader, "r", 0, 60)
        stage.parked(handle)
        (wait, *_) = handle.get_status().waiting_on
        assert wait.what == "stream 'k' of workflow w"
        assert (wait.until - stage.clock.now).total_seconds() == 60


def test_a_workflow_reads_its_own_stream_and_that_of_a_step(stage: Stage, registry):
    @registry.workflow
    def main():
        litewf.write_stream("k", 1)
        return list(litewf.read_stream(litewf.workflow_id(), "k", follow=False))

    with stage.engine() as engine:

        @registry.workflow
        def by_step():
            litewf.write_stream("k", 1)
            return inner()

        @registry.step
        def inner():
            return list(engine.read_stream(litewf.workflow_id(), "k", follow=False))

        assert engine.run_workflow(main) == [1]
        assert engine.run_workflow(by_step) == [1]


# --- types --------------------------------------------------------------------------------------------------------


@dataclass
class Point:
    x: int


class Model(pydantic.BaseModel):
    x: int


@pytest.mark.parametrize("as_type", [Point, Model], ids=["dataclass", "pydantic"])
@pytest.mark.parametrize("where", ["outside", "inside"])
def test_a_value_that_does_not_fit_is_an_error_at_its_place(stage: Stage, registry, as_type, where):
    """The values before it come first; the refusal is recorded; a reader may go on behind it."""

    @registry.workflow
    def writer():
        for value in ({"x": 1}, {"x": 2}, {"y": 3}, {"x": 4}):
            litewf.write_stream("k", value)

    def read(source, offset):
        seen = []
        try:
            for value in source.read_stream("w", "k", offset=offset, as_type=as_type):
                seen.append(value)
        except litewf.PayloadError:
            seen.append("refused")
        return seen

    @registry.workflow
    def reader():
        seen = read(litewf, 0) + read(litewf, 3)
        litewf.sleep(5)
        return seen

    with stage.engine() as engine:
        start(engine, writer, "w").get_result()
        expected = [as_type(x=1), as_type(x=2), "refused", as_type(x=4)]
        if where == "outside":
            assert read(engine, 0) + read(engine, 3) == expected
            return
        handle = start(engine, reader, "r")
        stage.asleep(handle)
        assert [type(step.error) for step in engine.list_steps("r")[:2]] == [type(None), litewf.PayloadError]
        engine.delete_workflow("w")
        stage.clock.move(5)
        assert handle.get_result(timeout=20) == expected


# --- stopping early -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flavor", ["blocking", "async"])
def test_a_reader_that_stops_early_leaves_nothing_behind(stage: Stage, relay, flavor):
    with stage.engine() as engine:
        handle = start(engine, relay, "w")
        for n in range(3):
            engine.send("w", n)
        stage.until(lambda: len(list(engine.read_stream("w", "k", follow=False))) == 3)
        stage.parked(handle)
        if flavor == "blocking":
            items = engine.read_stream_items("w", "k")
            assert next(items).value == 0
            gone = weakref.ref(items)
            del items
            gc.collect()
            assert gone() is None
        else:

            async def main():
                async for _ in engine.read_stream_async("w", "k"):
                    break
                stopped = asyncio.create_task(anext(engine.read_stream_async("w", "k", offset=3)))
                while not engine._live.notifier.awaited():  # noqa: ASYNC110 - nothing signals it
                    await asyncio.sleep(0)
                stopped.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await stopped

            asyncio.run(main())
        assert engine._live.notifier.awaited() == []  # private: nothing is registered any more


def test_readers_end_with_an_error_when_the_engine_shuts_down(stage: Stage, relay):
    with stage.engine() as engine:
        start(engine, relay, "w")
        reading = Collector(engine.read_stream("w", "k"))
        engine.send("w", 1)
        reading.has(1)
    reading.ended()
    assert isinstance(reading.error, litewf.EngineClosedError)
