"""Writing and closing streams: exactly once from a workflow, at each attempt from a step, nothing after the close."""

import asyncio
import contextvars
import threading

import pytest

import litewf
from tests.communication.acting import start
from tests.stage import Stage


def read(engine, workflow_id, key="k", **options):
    return [(item.offset, item.value) for item in engine.read_stream_items(workflow_id, key, follow=False, **options)]


# --- writing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("linger", [0, None])
def test_what_a_workflow_writes_is_there_once_however_often_it_is_replayed_f1(stage: Stage, registry, linger):
    @registry.workflow
    def writer():
        for n in range(3):
            litewf.write_stream("k", n)
            litewf.sleep(10)

    with stage.engine(linger=linger) as engine:
        handle = start(engine, writer, "w")
        for n in (2, 4, 6):
            stage.until(lambda n=n: len(engine.list_steps("w")) == n)
            stage.clock.move(10)
        handle.get_result()
        assert read(engine, "w") == [(0, 0), (1, 1), (2, 2)]
        assert [step.name for step in engine.list_steps("w")] == ["litewf.write_stream", "litewf.sleep"] * 3


def test_every_kind_of_value_comes_back_as_it_went_in(stage: Stage, registry):
    """None is a value: only close_stream closes."""
    values = [None, True, 1, 1.5, "ä\n\0", b"\x00", [], {}, {"$x": 1}, (1, 2), {3}, {None: 1}]

    @registry.workflow
    def writer():
        for value in values:
            litewf.write_stream("k", value)

    with stage.engine() as engine:
        start(engine, writer, "w").get_result()
        assert list(engine.read_stream("w", "k")) == values


def test_a_value_that_cannot_be_recorded_is_refused_before_it_takes_a_number(stage: Stage, registry):
    @registry.step
    def step():
        with pytest.raises(litewf.SerializationError):
            litewf.write_stream("k", object())

    @registry.workflow
    def writer():
        with pytest.raises(litewf.SerializationError):
            litewf.write_stream("k", [object()])
        step()

    with stage.engine() as engine:
        start(engine, writer, "w").get_result()
        assert read(engine, "w") == []
        assert [(one.step_id, one.name.rpartition(".")[2]) for one in engine.list_steps("w")] == [("1", "step")]


def test_many_branches_write_one_stream_without_a_gap_f1(stage: Stage, registry):
    @registry.step
    async def inside(name, n):
        await litewf.write_stream_async("k", [name, n, "step"])

    @registry.workflow
    async def writer():
        async def branch(name):
            for n in range(5):
                await litewf.write_stream_async("k", [name, n, "workflow"])
                await inside(name, n)

        await asyncio.gather(*(branch(name) for name in range(40)))

    with stage.engine() as engine:
        start(engine, writer, "w").get_result()
        found = read(engine, "w")
        assert [offset for offset, _ in found] == list(range(400))
        for name in range(40):
            mine = [value[1:] for _, value in found if value[0] == name]
            assert mine == [[n, who] for n in range(5) for who in ("workflow", "step")]


def test_many_threads_of_a_step_write_one_stream_without_a_gap_f1(stage: Stage, registry):
    @registry.step
    def step():
        def work(name):
            for n in range(20):
                litewf.write_stream("k", [name, n])

        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(work, name), daemon=True) for name in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    @registry.workflow
    def writer():
        step()

    with stage.engine() as engine:
        start(engine, writer, "w").get_result()
        found = read(engine, "w", recorded_only=True)
        assert [offset for offset, _ in found] == list(range(160))
        for name in range(8):
            assert [n for _, (who, n) in found if who == name] == list(range(20))


def test_streams_of_many_workflows_and_names_do_not_mix(stage: Stage, registry):
    @registry.workflow
    async def writer(name):
        for n in range(4):
            await litewf.write_stream_async("a", [name, n])
            await litewf.write_stream_async("b", [name, -n])

    with stage.engine() as engine:
        for handle in engine.start_workflows([(writer.with_options(workflow_id=f"w{n}"), n) for n in range(30)]):
            handle.get_result()
        for n in range(30):
            assert read(engine, f"w{n}", "a") == [(at, [n, at]) for at in range(4)]
            assert read(engine, f"w{n}", "b") == [(at, [n, -at]) for at in range(4)]


# --- from steps ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True])
def test_each_attempt_of_a_step_writes_and_the_last_is_on_record_f4(stage: Stage, registry, is_async):
    @registry.step(max_retries=2, base_interval=0)
    def sync_step():
        litewf.write_stream("k", f"try {litewf.attempt()}")
        if litewf.attempt() < 3:
            raise ValueError

    @registry.step(max_retries=2, base_interval=0)
    async def async_step():
        await litewf.write_stream_async("k", f"try {litewf.attempt()}")
        if litewf.attempt() < 3:
            raise ValueError

    @registry.workflow
    def sync_writer():
        sync_step()

    @registry.workflow
    async def async_writer():
        await async_step()

    with stage.engine() as engine:
        start(engine, async_writer if is_async else sync_writer, "w").get_result()
        items = list(engine.read_stream_items("w", "k"))
        assert items == [
            litewf.StreamItem(0, "try 1", 1, recorded=False),
            litewf.StreamItem(1, "try 2", 2, recorded=False),
            litewf.StreamItem(2, "try 3", 3, recorded=True),
        ]
        assert list(engine.read_stream_items("w", "k", recorded_only=True)) == items[2:]


def test_of_a_step_that_failed_for_good_the_last_attempt_is_on_record_f4(stage: Stage, registry):
    @registry.step(max_retries=1, base_interval=0)
    def step():
        litewf.write_stream("k", litewf.attempt())
        raise ValueError

    @registry.step
    def once():
        litewf.write_stream("k", "once")
        raise KeyError

    @registry.workflow
    def writer():
        with pytest.raises(litewf.StepRetriesExceededError):
            step()
        with pytest.raises(KeyError):
            once()

    with stage.engine() as engine:
        start(engine, writer, "w").get_result()
        assert [(one.value, one.recorded) for one in engine.read_stream_items("w", "k")] == [
            (1, False), (2, True), ("once", True),
        ]  # fmt: skip


def test_an_attempt_that_timed_out_and_writes_on_is_not_on_record_f4(stage: Stage, registry):
    """B4: its thread cannot be stopped, but what it writes counts for nothing."""
    go_on, written = threading.Event(), threading.Event()

    @registry.step(max_retries=1, base_interval=0, timeout=5)
    def slow():
        first = litewf.attempt() == 1
        litewf.write_stream("k", f"begin {litewf.attempt()}")
        if first:
            go_on.wait(20)
            litewf.write_stream("k", "too late")
            written.set()

    @registry.workflow
    def writer():
        slow()
        litewf.recv()

    with stage.engine(linger=None) as engine:
        handle = start(engine, writer, "w")
        stage.until(lambda: read(engine, "w"))
        stage.clock.move(5)
        stage.until(lambda: len(list(engine.read_stream("w", "k", recorded_only=True, follow=False))) == 1)
        go_on.set()
        assert written.wait(20)
        engine.send("w", "end")
        handle.get_result()
        assert list(engine.read_stream("w", "k")) == ["begin 1", "begin 2", "too late"]
        assert list(engine.read_stream("w", "k", recorded_only=True)) == ["begin 2"]


def test_a_reader_of_recorded_values_hears_when_the_step_is_settled(stage: Stage, registry):
    """Liveness: also when the attempt on record wrote nothing to that stream, and nobody writes any more."""
    tried, go_on = threading.Event(), threading.Event()

    @registry.step(max_retries=1, base_interval=0)
    def step():
        if litewf.attempt() == 1:
            litewf.write_stream("k", "first try")
            raise ValueError
        tried.set()
        go_on.wait(20)

    @registry.workflow
    async def writer():
        async def write_behind():
            while not tried.is_set():  # noqa: ASYNC110 - set by the thread of the step
                await asyncio.sleep(0)
            await litewf.write_stream_async("k", "behind")

        await asyncio.gather(litewf.run_step_async(step), write_behind())
        await litewf.recv_async()

    with stage.engine() as engine:
        handle = start(engine, writer, "w")
        assert tried.wait(20)
        stage.until(lambda: len(read(engine, "w")) == 2)
        found = []
        reader = engine.read_stream("w", "k", recorded_only=True)
        thread = threading.Thread(target=lambda: found.append(next(reader)), daemon=True)
        thread.start()
        while not engine._live.notifier.awaited():
            thread.join(0.001)  # private: nothing signals that somebody waits
        assert read(engine, "w", recorded_only=True) == []
        go_on.set()
        thread.join(20)
        assert found == ["behind"]
        handle.cancel()
        assert list(reader) == []


# --- closing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("linger", [0, None])
def test_nothing_is_written_after_the_close_and_the_refusal_is_recorded_f3(stage: Stage, registry, linger):
    refusals = []

    @registry.step
    def step():
        with pytest.raises(litewf.StreamClosedError):
            litewf.write_stream("k", "from a step")
        litewf.close_stream("k")

    @registry.workflow
    def writer():
        litewf.write_stream("k", 1)
        litewf.close_stream("k")
        try:
            litewf.write_stream("k", 2)
        except litewf.StreamClosedError as error:
            refusals.append(str(error))
        litewf.close_stream("k")
        step()
        litewf.sleep(5)
        litewf.write_stream("other", 3)

    with stage.engine(linger=linger) as engine:
        handle = start(engine, writer, "w")
        stage.until(lambda: len(engine.list_steps("w")) == 6)
        stage.clock.move(5)
        handle.get_result()
        assert read(engine, "w") == [(0, 1)]
        assert read(engine, "w", "other") == [(0, 3)]
        assert len(set(refusals)) == 1 and "'k'" in refusals[0] and "'w'" in refusals[0]
        steps = engine.list_steps("w")
        assert [type(step.error) for step in steps] == [
            type(None), type(None), litewf.StreamClosedError, *[type(None)] * 4,
        ]  # fmt: skip


def test_a_refused_write_does_not_disturb_the_writes_of_others_in_the_same_commit(stage: Stage, registry):
    """A named bug: one write to a closed stream made the statement about the whole group fail."""

    @registry.workflow
    async def writer():
        await litewf.close_stream_async("closed")
        writes = [litewf.write_stream_async("closed" if n % 3 == 0 else f"s{n % 3}", n) for n in range(30)]
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        return [isinstance(one, litewf.StreamClosedError) for one in outcomes]

    with stage.engine() as engine:
        assert start(engine, writer, "w").get_result() == [n % 3 == 0 for n in range(30)]
        assert read(engine, "w", "closed") == []
        assert [value for _, value in read(engine, "w", "s1")] == list(range(1, 30, 3))
        assert [value for _, value in read(engine, "w", "s2")] == list(range(2, 30, 3))


def test_a_close_from_a_step_ends_the_stream(stage: Stage, registry):
    @registry.step
    def step():
        litewf.write_stream("k", 1)
        litewf.close_stream("k")

    @registry.workflow
    def writer():
        step()
        with pytest.raises(litewf.StreamClosedError):
            litewf.write_stream("k", 2)
        litewf.recv()

    with stage.engine() as engine:
        start(engine, writer, "w")
        assert list(engine.read_stream("w", "k")) == [1]
