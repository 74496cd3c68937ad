"""A wait holds nothing: after its linger the workflow leaves memory and its thread."""

import asyncio
import gc
import threading
import weakref
from datetime import timedelta

import pytest

import litewf
from tests.stage import NOON, Stage


class Ballast:
    """Something that only a workflow in memory holds."""


def workers():
    return [thread for thread in threading.enumerate() if thread.name == "litewf-worker"]


@pytest.fixture
def kinds(registry):
    """Workflows that hold a ballast and wait, each for something else, sync and async."""
    kinds = {"held": []}

    def hold():
        ballast = Ballast()
        kinds["held"].append(weakref.ref(ballast))
        return ballast

    for name, wait in sync_waits(registry).items():

        @registry.workflow(name=name)
        def workflow(wait=wait):
            ballast = hold()
            wait()
            return type(ballast).__name__

        kinds[name] = workflow
    for name, wait in async_waits(registry).items():

        @registry.workflow(name=name)
        async def workflow_async(wait=wait):
            ballast = hold()
            await wait()
            return type(ballast).__name__

        kinds[name] = workflow_async
    return kinds


def soon():
    return litewf.now() + timedelta(seconds=10)


def sync_waits(registry):
    @registry.workflow(name="long")
    def long():
        litewf.sleep(1000)

    @registry.step(name="flaky", max_retries=1, base_interval=10, max_interval=10)
    def flaky():
        if litewf.attempt() == 1:
            raise ConnectionError("down")

    return {
        "sleep": lambda: litewf.sleep(10),
        "sleep_until": lambda: litewf.sleep_until(soon()),
        "retry": flaky,
        "child": lambda: litewf.start_workflow(long).get_result(timeout=10, default=None),
        "wait_all": lambda: litewf.wait_all([litewf.start_workflow(long)], timeout=10, default=None),
        "wait_first": lambda: litewf.wait_first([litewf.start_workflow(long)], timeout=10, default=None),
    }


def async_waits(registry):
    @registry.step(name="flaky_async", max_retries=1, base_interval=10, max_interval=10)
    async def flaky():
        if litewf.attempt() == 1:
            raise ConnectionError("down")

    async def two_naps():
        await litewf.sleep_async(4)
        await litewf.sleep_async(6)

    return {
        "sleep_async": lambda: litewf.sleep_async(10),
        "sleep_until_async": lambda: litewf.sleep_until_async(soon()),
        "retry_async": flaky,
        "wait_first_async": lambda: litewf.wait_first_async([litewf.sleep_async(10), litewf.sleep_async(1000)]),
        "branches_async": lambda: asyncio.gather(two_naps(), litewf.sleep_async(10), two_naps()),
    }


NAMES = [
    "sleep", "sleep_until", "retry", "child", "wait_all", "wait_first", "sleep_async", "sleep_until_async",
    "retry_async", "wait_first_async", "branches_async",
]  # fmt: skip
WAITS = {
    "sleep": "a time",
    "retry": "the next attempt of flaky",
    "retry_async": "the next attempt of flaky_async",
    "child": "the end of workflow w~1",
    "wait_all": "the end of workflow w~1",
    "wait_first": "the end of workflow w~1",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_parked_workflow_is_a_row_and_nothing_in_memory(stage: Stage, kinds, name):
    with stage.engine(linger=0) as engine:
        handle = engine.start_workflow(kinds[name].with_options(workflow_id="w"))
        stage.parked(handle)
        wait = handle.get_status().waiting_on[0]
        assert wait.what == WAITS.get(name, WAITS["sleep"])
        expected = stage.clock.now + timedelta(seconds=4 if name == "branches_async" else 10)
        assert min(wait.until for wait in handle.get_status().waiting_on if wait.until) == expected
        assert handle.get_status().executor_id is None
        assert engine.query("SELECT phase, owner FROM workflow WHERE id = 'w'") == [("parked", None)]
        collected(kinds["held"])
        if name == "branches_async":
            stage.clock.move(4)
            stage.until(lambda: {"2.2", "3.2"} <= {wait.step_id for wait in handle.get_status().waiting_on})
            stage.clock.move(6)
        else:
            stage.clock.move(10)
        assert handle.get_result() == "Ballast"


def test_tasks_that_end_one_in_another_leave_the_waiting_one_free_to_park(stage: Stage, registry):
    """Each level takes the loop some cycles, and nothing durable happens in them."""

    async def deep(level):
        await (asyncio.gather(deep(level - 1)) if level else litewf.run_step_async(lambda: None))

    @registry.workflow
    async def flow():
        await asyncio.gather(litewf.sleep_async(10), deep(5))

    with stage.engine(linger=0) as engine:
        handle = engine.start_workflow(flow)
        stage.parked(handle)
        stage.clock.move(10)
        handle.get_result()


def collected(references):
    """The workflow's objects are gone as soon as its thread or loop has let go of the last frame."""
    released = threading.Event()
    for _ in range(2000):
        gc.collect()
        if all(reference() is None for reference in references):
            return
        released.wait(0.001)
    raise AssertionError("a parked workflow still holds an object")


@pytest.mark.parametrize("name", NAMES)
def test_without_parking_a_workflow_stays_in_memory(stage: Stage, kinds, name):
    with stage.engine(linger=None) as engine:
        handle = engine.start_workflow(kinds[name].with_options(workflow_id="w"))
        stage.until(lambda: any(step.completed_at is None for step in engine.list_steps("w")))
        gc.collect()
        assert kinds["held"][0]() is not None
        assert handle.get_status().waiting_on == ()
        assert handle.get_status().executor_id == engine.executor_id
        if name == "branches_async":
            stage.clock.move(4)
            stage.until(lambda: {"2.2", "3.2"} <= {step.step_id for step in engine.list_steps("w")})
            stage.clock.move(6)
        else:
            stage.clock.move(10)
        assert handle.get_result() == "Ballast"
        assert len(kinds["held"]) == 1  # it ran once


def test_a_wait_lingers_for_a_while_before_it_parks(stage: Stage, registry):
    runs = []

    @registry.workflow
    def sleeper():
        runs.append(1)
        litewf.sleep(1_000_000)

    with stage.engine(linger=5) as engine:
        handle = engine.start_workflow(sleeper)
        stage.until(lambda: engine.list_steps(handle.workflow_id))
        stage.clock.move(4.9)
        assert engine.query("SELECT phase FROM workflow") == [("running",)]
        while not handle.get_status().waiting_on:  # it may have begun to wait only now
            stage.clock.move(1)
        assert stage.clock.now >= NOON + timedelta(seconds=5)
        stage.clock.move(1_000_000)
        handle.get_result()
    assert runs == [1, 1]


def test_a_wait_that_ends_within_its_linger_is_not_replayed(stage: Stage, kinds):
    with stage.engine(linger=60) as engine:
        handle = engine.start_workflow(kinds["sleep"].with_options(workflow_id="w"))
        stage.until(lambda: engine.list_steps("w"))
        stage.clock.move(10)
        assert handle.get_result() == "Ballast"
        assert len(kinds["held"]) == 1


def test_an_async_workflow_parks_only_when_all_its_branches_wait(stage: Stage, registry):
    go_on = []
    started = threading.Event()

    @registry.step
    async def busy():
        event = asyncio.Event()
        go_on.append((asyncio.get_running_loop(), event))
        started.set()
        await event.wait()

    @registry.workflow
    async def workflow():
        await asyncio.gather(litewf.sleep_async(10), busy())

    with stage.engine(linger=0) as engine:
        handle = engine.start_workflow(workflow)
        assert started.wait(10)
        stage.until(lambda: engine.list_steps(handle.workflow_id))
        assert engine.query("SELECT phase FROM workflow") == [("running",)]
        loop, event = go_on[0]
        loop.call_soon_threadsafe(event.set)
        stage.parked(handle)
        stage.clock.move(10)
        handle.get_result()
    assert len(go_on) == 1


def test_finally_blocks_run_at_every_park_and_except_blocks_never(stage: Stage, registry):
    log = []

    @registry.workflow
    def workflow():
        try:
            litewf.sleep(10)
            log.append("woke")
        except Exception:
            log.append("an exception")
        finally:
            log.append("finally")

    with stage.engine() as engine:
        handle = engine.start_workflow(workflow)
        stage.parked(handle)
        stage.clock.move(10)
        handle.get_result()
    assert log == ["finally", "woke", "finally"]


def test_a_sync_workflow_that_waits_gives_its_thread_to_others(stage: Stage, registry):
    """Two threads, two hundred sleepers: none of them keeps a thread, and work still gets one."""

    @registry.workflow
    def sleeper(number):
        litewf.sleep(1000)
        return number

    @registry.workflow
    def quick():
        return threading.current_thread().name

    with stage.engine(max_threads=2) as engine:
        before = len(workers())
        handles = engine.start_workflows([(sleeper, number) for number in range(200)])
        assert engine.run_workflow(quick) == "litewf-worker"
        stage.until(lambda: engine.query("SELECT count(*) FROM workflow WHERE phase = 'parked'") == [(200,)])
        assert len(workers()) - before <= 2
        stage.clock.move(1000)
        assert [handle.get_result() for handle in handles] == list(range(200))
        assert len(workers()) - before <= 2


def test_a_thousand_sync_sleepers_park_when_others_wait_for_a_thread(stage: Stage, registry):
    """They would linger for a minute, but runnable work waits for a thread."""

    @registry.workflow
    def sleeper():
        litewf.sleep(1000)

    with stage.engine(max_threads=4, linger=60) as engine:
        before = len(workers())
        engine.start_workflows([(sleeper,)] * 1000)
        stage.until(lambda: engine.query("SELECT count(*) >= 996 FROM workflow WHERE phase = 'parked'") == [(1,)])
        assert len(workers()) - before <= 4
        assert engine.query("SELECT count(*) FROM workflow WHERE started_us IS NULL") == [(0,)]


def test_an_async_engine_holds_no_task_of_a_parked_workflow(path, registry):
    @registry.workflow
    async def sleeper():
        await litewf.sleep_async(1000)

    async def main():
        async with litewf.Engine(path, registry=registry, linger=0) as engine:
            for _ in range(20):
                await engine.start_workflow_async(sleeper)
            count = 0
            while count < 20:
                [(count,)] = await engine.query_async("SELECT count(*) FROM workflow WHERE phase = 'parked'")
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            _, left = await asyncio.wait(tasks, timeout=10) if tasks else (set(), set())
            return left

    assert asyncio.run(main()) == set()


def test_two_hundred_sleepers_wake_in_another_engine(stage: Stage, registry):
    @registry.workflow
    async def sleeper(number):
        await litewf.sleep_async(10 + number)
        return number

    with stage.engine() as engine:
        ids = [handle.workflow_id for handle in engine.start_workflows([(sleeper, number) for number in range(200)])]
        stage.until(lambda: engine.query("SELECT count(*) FROM workflow WHERE phase = 'parked'") == [(200,)])
    stage.clock.move(110)
    with stage.engine() as engine:
        assert [engine.retrieve_workflow(one).get_result() for one in ids[:100]] == list(range(100))
        assert engine.retrieve_workflow(ids[-1]).get_status().waiting_on
        stage.clock.move(100)
        assert [engine.retrieve_workflow(one).get_result() for one in ids[100:]] == list(range(100, 200))
