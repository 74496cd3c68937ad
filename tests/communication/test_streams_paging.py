"""Reading streams from any offset, a page at a time, with and without a limit."""

import asyncio
import threading

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


# --- offsets and pages --------------------------------------------------------------------------------------------


def test_a_reader_resumes_at_an_offset_f2(stage: Stage, relay, reader):
    with stage.engine() as engine:
        start(engine, relay, "w")
        for value in (*"abcde", "close"):
            engine.send("w", value)
        items = engine.read_stream_items("w", "k")
        assert [next(items).value, next(items).value] == ["a", "b"]
        resumed = Collector(engine.read_stream_items("w", "k", offset=2))
        assert [(one.offset, one.value) for one in resumed.ended()] == [(2, "c"), (3, "d"), (4, "e")]
        assert start(engine, reader, "r", 3).get_result() == [(3, "d"), (4, "e")]
        assert start(engine, reader, "r beyond", 99).get_result() == []


def test_a_reader_ahead_of_the_writer_waits_for_its_offset_f2(stage: Stage, relay):
    with stage.engine() as engine:
        start(engine, relay, "w")
        reading = Collector(engine.read_stream_items("w", "k", offset=2))
        for value in (*"abcd", "end"):
            engine.send("w", value)
        assert [(one.offset, one.value) for one in reading.ended()] == [(2, "c"), (3, "d")]


def test_a_long_stream_is_read_in_pages_by_all_kinds_of_readers(stage: Stage, registry):
    """10,000 values: a workflow records a hundred at a time."""
    count = 10_000

    @registry.workflow
    async def writer():
        for at in range(0, count, 500):
            await asyncio.gather(*(litewf.write_stream_async("k", n) for n in range(at, at + 500)))

    @registry.workflow
    def reader():
        return sum(1 for at, value in enumerate(litewf.read_stream("w", "k")) if at == value)

    with stage.engine() as engine:
        start(engine, writer, "w").get_result()
        assert list(engine.read_stream("w", "k")) == list(range(count))
        assert list(engine.read_stream("w", "k", follow=False, offset=9_950)) == list(range(9_950, count))
        assert start(engine, reader, "r").get_result() == count
        assert len(engine.list_steps("r")) == count // 100


def test_without_follow_a_reader_gets_what_is_there_now_and_ends(stage: Stage, relay, registry):
    """Also when there is nothing, or more than a page of values that are not on record."""
    go_on = threading.Event()

    @registry.step(max_retries=1, base_interval=0)
    def step():
        for n in range(150):
            litewf.write_stream("k", n)
        if litewf.attempt() == 1:
            raise ValueError
        go_on.wait(20)

    @registry.workflow
    def writer():
        for n in range(120):
            litewf.write_stream("k", n)
        step()

    @registry.workflow
    def reader(recorded_only):
        return len(list(litewf.read_stream("w", "k", follow=False, recorded_only=recorded_only)))

    with stage.engine() as engine:
        start(engine, relay, "empty")
        assert list(engine.read_stream("empty", "k", follow=False)) == []
        handle = start(engine, writer, "w")
        stage.until(lambda: len(list(engine.read_stream("w", "k", follow=False))) == 420)
        assert len(list(engine.read_stream("w", "k", follow=False, recorded_only=True))) == 120
        assert engine.run_workflow(reader, recorded_only=False) == 420
        assert engine.run_workflow(reader, recorded_only=True) == 120
        go_on.set()
        handle.get_result()
        assert len(list(engine.read_stream("w", "k", follow=False, recorded_only=True))) == 270
        assert engine.run_workflow(reader, recorded_only=True) == 270


# --- limits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["outside", "sync", "async"])
def test_the_timeout_is_for_each_value(stage: Stage, registry, relay, where):
    """C3: 10 s for each of them, however long it takes in all; a parked reader times out too."""

    @registry.workflow
    def sync_reader():
        seen = []
        try:
            for value in litewf.read_stream("w", "k", timeout=10):
                seen.append(value)
        except litewf.WaitTimeoutError as error:
            return seen, "'k'" in str(error)

    @registry.workflow
    async def async_reader():
        seen = []
        try:
            async for value in litewf.read_stream_async("w", "k", timeout=10):
                seen.append(value)
        except litewf.WaitTimeoutError as error:
            return seen, "'k'" in str(error)

    with stage.engine() as engine:
        start(engine, relay, "w")
        if where == "outside":
            reading = Collector(engine.read_stream("w", "k", timeout=10))
        else:
            handle = start(engine, sync_reader if where == "sync" else async_reader, "r")
        for n in range(3):
            if where == "outside":
                reading.has(n)
            else:
                stage.until(lambda n=n: len(engine.list_steps("r")) == n + 1)
            stage.clock.move(8)
            engine.send("w", n)
            stage.until(lambda n=n: len(list(engine.read_stream("w", "k", follow=False))) == n + 1)
        if where == "outside":
            reading.has(3)
            while reading._thread.is_alive():
                stage.clock.move(10)
            assert (reading.ended(), type(reading.error)) == ([0, 1, 2], litewf.WaitTimeoutError)
            return
        stage.until(lambda: len(engine.list_steps("r")) == 4)
        stage.clock.move(10)
        assert handle.get_result(timeout=20) == ([0, 1, 2], True)


def test_an_unknown_workflow_is_an_error_at_the_first_value_and_recorded(stage: Stage, registry):
    @registry.workflow
    def reader():
        with pytest.raises(litewf.WorkflowNotFoundError):
            next(litewf.read_stream("nobody", "k"))
        litewf.sleep(1)

    with stage.engine() as engine:
        with pytest.raises(litewf.WorkflowNotFoundError):
            next(engine.read_stream("nobody", "k"))
        handle = start(engine, reader, "r")
        stage.asleep(handle)
        stage.clock.move(1)
        handle.get_result()
        assert [type(step.error) for step in engine.list_steps("r")] == [litewf.WorkflowNotFoundError, type(None)]
