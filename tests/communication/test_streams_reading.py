"""Reading streams live: blocking and async, in workflows and outside, in the same engine and in another process."""

import asyncio
import threading

import pytest

import litewf
from tests.communication.acting import start
from tests.communication.streams_support import Collector, define_async_reader, define_reader, define_relay
from tests.ownership.children import Child
from tests.stage import Stage


@pytest.fixture
def relay(registry):
    return define_relay(registry)


@pytest.fixture
def reader(registry):
    return define_reader(registry)


@pytest.fixture
def async_reader(registry):
    return define_async_reader(registry)


ENDS = {
    "the close": lambda engine: engine.send("w", "close"),
    "success": lambda engine: engine.send("w", "end"),
    "an error": lambda engine: engine.send("w", "fail"),
    "a cancel": lambda engine: engine.cancel_workflow("w"),
}


# --- live ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("elsewhere", [False, True], ids=["same engine", "other engine"])
def test_a_reader_gets_each_value_at_once_and_ends_with_the_stream_drained(stage: Stage, relay, end, elsewhere):
    """F2, A4: it is woken by each write, and by the close or by the end of the writer."""
    with stage.engine() as engine, stage.engine(registry=litewf.Registry()) as other:
        start(engine, relay, "w")
        reading = Collector((other if elsewhere else engine).read_stream("w", "k"))
        for n in range(3):
            engine.send("w", n)
            assert reading.has(n + 1) == list(range(n + 1))
        stage.parked(engine.retrieve_workflow("w"))
        ENDS[end](engine)
        assert reading.ended() == [0, 1, 2]
        assert reading.error is None
        if end == "the close":
            assert engine.retrieve_workflow("w").get_status().status == "PENDING"


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("linger", [0, None])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["same engine", "other engine"])
@pytest.mark.parametrize("flavor", ["sync", "async"])
def test_a_workflow_that_reads_is_woken_by_each_end(
    stage: Stage, registry, relay, reader, async_reader, end, linger, elsewhere, flavor
):
    """F2, E5: parked, or in memory; in this engine, or woken by another that has no code of the reader."""
    writers = litewf.Registry()
    writers.add(registry.workflows["relay"])
    with (
        stage.engine(linger=linger) as engine,
        stage.engine(registry=writers if elsewhere else registry, linger=linger) as other,
    ):
        start(other, relay, "w")
        handle = start(engine, reader if flavor == "sync" else async_reader, "r")
        for n in range(3):
            other.send("w", n)
            stage.until(lambda n=n: len(list(engine.read_stream("w", "k", follow=False))) == n + 1)
        stage.until(lambda: sum(step.completed_at is None for step in engine.list_steps("w")) == 0 or linger == 0)
        ENDS[end](other)
        assert handle.get_result(timeout=20) == [(0, 0), (1, 1), (2, 2)]


def test_async_readers_get_each_value_at_once(stage: Stage, relay):
    """Many on one loop, and the loop is never blocked."""

    async def main(engine):
        async def read():
            return [value async for value in engine.read_stream_async("w", "k")]

        readers = [asyncio.create_task(read()) for _ in range(20)]
        for n in range(5):
            await engine.send_async("w", n)
        await engine.send_async("w", "end")
        assert await asyncio.gather(*readers) == [list(range(5))] * 20

    with stage.engine() as engine:
        start(engine, relay, "w")
        asyncio.run(main(engine))


def test_a_reader_in_another_process_gets_each_value_and_the_end(stage: Stage, relay, path):
    code = """
with litewf.Client(path) as client:
    say("ready")
    for item in client.read_stream_items("w", "k", offset=1):
        say(item.offset, item.value)
say("ended")
"""
    with stage.engine() as engine:
        start(engine, relay, "w")
        child = Child(code, path)
        try:
            assert child.hear() == "ready"
            for n in range(3):
                engine.send("w", n * 10)
            assert child.hear() == "1 10"
            assert child.hear() == "2 20"
            engine.send("w", "end")
            assert child.hear() == "ended"
        finally:
            child.close()


def test_of_a_step_that_died_and_ran_again_only_the_run_on_record_counts_f4(stage: Stage, registry, path):
    """The attempt number is the same, the process is not; readers of recorded values go on as soon as it is known."""
    code = """
registry = litewf.Registry()
@registry.step(name="step")
def step():
    litewf.write_stream("k", "dead")
    say("written")
    hear()
@registry.workflow(name="main")
def main():
    litewf.write_stream("k", "before")
    step()
    litewf.write_stream("k", "after")
with litewf.Engine(path, registry=registry) as engine:
    engine.start_workflow(main.with_options(workflow_id="w"))
    hear()
"""

    @registry.step(name="step")
    def step():
        litewf.write_stream("other", "alive")

    @registry.workflow(name="main")
    def main():
        litewf.write_stream("k", "before")
        step()
        litewf.write_stream("k", "after")

    child = Child(code, path)
    try:
        assert child.hear() == "written"
        with stage.engine(registry=litewf.Registry()) as outside:
            reading = Collector(outside.read_stream_items("w", "k", recorded_only=True))
            assert reading.has(1)[0].value == "before"
            child.kill()
            with stage.engine() as engine:
                engine.retrieve_workflow("w").get_result(timeout=20)
                assert [one.value for one in reading.ended()] == ["before", "after"]
                assert [(one.value, one.attempt, one.recorded) for one in engine.read_stream_items("w", "k")] == [
                    ("before", 1, True), ("dead", 1, False), ("after", 1, True),
                ]  # fmt: skip
                assert list(engine.read_stream("w", "other", recorded_only=True)) == ["alive"]
    finally:
        child.close()


def test_a_parked_reader_hears_that_what_a_dead_process_wrote_is_not_on_record(stage: Stage, registry, path):
    """The step that runs again writes nothing more to the stream, and the writer does not end."""
    code = """
import asyncio
registry = litewf.Registry()
written = asyncio.Event()
@registry.step(name="step")
async def step():
    await litewf.write_stream_async("k", "dead")
    written.set()
    await asyncio.Event().wait()
@registry.workflow(name="main")
async def main():
    async def behind():
        await written.wait()
        await litewf.write_stream_async("k", "behind")
    await asyncio.gather(step(), behind())
@registry.workflow(name="reader")
def reader():
    return next(iter(litewf.read_stream("w", "k", recorded_only=True)))
with litewf.Engine(path, registry=registry, linger=0) as engine:
    engine.start_workflow(main.with_options(workflow_id="w"))
    while len(list(engine.read_stream("w", "k", follow=False))) < 2: pass
    handle = engine.start_workflow(reader.with_options(workflow_id="r"))
    while not handle.get_status().waiting_on: pass
    say("parked")
    hear()
"""

    @registry.step(name="step")
    async def step():
        pass

    @registry.workflow(name="main")
    async def main():
        async def behind():
            await litewf.write_stream_async("k", "behind")

        await asyncio.gather(step(), behind())
        await litewf.recv_async()

    @registry.workflow(name="reader")
    def reader():
        return next(iter(litewf.read_stream("w", "k", recorded_only=True)))

    child = Child(code, path)
    try:
        assert child.hear() == "parked"
        child.kill()
        with stage.engine(recover="compatible") as engine:
            assert engine.retrieve_workflow("r").get_result(timeout=20) == "behind"
            assert engine.retrieve_workflow("w").get_status().status == "PENDING"
    finally:
        child.close()


@pytest.mark.parametrize("linger", [0, None])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["same engine", "other engine"])
def test_a_workflow_that_reads_recorded_values_hears_when_a_step_is_settled(stage: Stage, registry, linger, elsewhere):
    """That adds no row to the stream: another process must look again all the same."""
    go_on = threading.Event()
    readers = litewf.Registry()

    @registry.step
    def step():
        litewf.write_stream("k", 1)
        go_on.wait(20)

    @registry.workflow
    def writer():
        step()
        litewf.recv()

    @(readers if elsewhere else registry).workflow
    def reader():
        return next(iter(litewf.read_stream("w", "k", recorded_only=True)))

    with stage.engine() as engine, stage.engine(registry=readers, linger=linger) as other:
        start(engine, writer, "w")
        stage.until(lambda: list(engine.read_stream("w", "k", follow=False)))
        handle = start(other if elsewhere else engine, reader, "r")
        if linger == 0:
            stage.parked(handle)
        outside = Collector(other.read_stream("w", "k", recorded_only=True))
        while len(other._live.notifier.awaited()) < 3:  # the stream, the end of its workflow, and any other commit
            outside._thread.join(0.001)  # private: nothing signals that somebody waits
        go_on.set()
        assert handle.get_result(timeout=20) == 1
        assert outside.has(1) == [1]
        engine.cancel_workflow("w")
        outside.ended()
