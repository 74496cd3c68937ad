"""An engine ends when it is asked to, whatever the code that it runs does."""

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from traces import settled, threads_beside

import litewf

GRACE_S = 2.5  # beyond its timeout, for what a shutdown still has to do


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """What bodies wait for that never end; it comes after the test."""
    event = threading.Event()
    yield event
    event.set()


def in_time(engine: litewf.Engine, timeout: float) -> bool:
    began = time.monotonic()
    engine.shutdown(timeout=timeout)
    return time.monotonic() - began < timeout + GRACE_S


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_shutdown_returns_in_time_with_a_sync_step_that_never_ends(
    path: Path, registry: litewf.Registry, never: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    running = threading.Event()

    @registry.step
    def stuck() -> None:
        running.set()
        never.wait(60)

    @registry.workflow
    def flow() -> None:
        stuck()

    engine = litewf.Engine(path, registry=registry)
    engine.launch()
    handle = engine.start_workflow(flow)
    assert running.wait(20)
    assert in_time(engine, 0.2)
    assert "still running" in caplog.text
    assert handle.workflow_id in caplog.text


@pytest.mark.parametrize("swallow", [asyncio.CancelledError, BaseException])
def test_shutdown_returns_in_time_with_an_async_body_that_swallows_its_cancellation(
    path: Path, registry: litewf.Registry, never: threading.Event, swallow: type[BaseException]
) -> None:
    running = threading.Event()

    @registry.step
    async def stubborn() -> None:
        while not never.is_set():
            try:
                running.set()
                await asyncio.sleep(0.01)  # a body that takes its time
            except swallow:
                if never.is_set():
                    raise

    @registry.workflow
    async def flow() -> None:
        await stubborn()

    engine = litewf.Engine(path, registry=registry)
    engine.launch()
    engine.start_workflow(flow)
    assert running.wait(20)
    assert in_time(engine, 0.2)
    never.set()


def test_shutdown_returns_in_time_with_an_async_body_that_blocks_the_loop(
    path: Path, registry: litewf.Registry, never: threading.Event
) -> None:
    running = threading.Event()

    @registry.step
    async def blocking() -> None:
        running.set()
        never.wait(60)

    @registry.workflow
    async def flow() -> None:
        await blocking()

    engine = litewf.Engine(path, registry=registry)
    engine.launch()
    engine.start_workflow(flow)
    assert running.wait(20)
    assert in_time(engine, 0.2)


def test_shutdown_lets_a_running_body_end_and_records_its_outcome(path: Path, registry: litewf.Registry) -> None:
    running, go_on = threading.Event(), threading.Event()
    bodies: list[str] = []

    @registry.step
    def slow() -> str:
        bodies.append("slow")
        running.set()
        assert go_on.wait(20)
        return "slow"

    @registry.step
    def after() -> str:
        bodies.append("after")
        return "after"

    @registry.workflow
    def flow() -> str:
        return slow() + after()

    engine = litewf.Engine(path, registry=registry)
    engine.launch()
    handle = engine.start_workflow(flow)
    assert running.wait(20)
    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(engine.shutdown, timeout=20)
        with pytest.raises(litewf.EngineClosedError):
            handle.get_result(timeout=20)
        assert not ending.done()
        go_on.set()
        ending.result(20)
    assert bodies == ["slow"]
    with litewf.Engine(path, registry=registry) as engine:
        assert engine.retrieve_workflow(handle.workflow_id).get_result(timeout=20) == "slowafter"
    assert bodies == ["slow", "after"]


def test_shutdown_does_not_wait_for_workflows(path: Path, registry: litewf.Registry) -> None:
    @registry.workflow
    def asleep() -> None:
        litewf.sleep(3600)

    @registry.workflow
    async def async_asleep() -> None:
        await litewf.sleep_async(3600)

    engine = litewf.Engine(path, registry=registry, linger=None)
    engine.launch()
    for flow in (asleep, async_asleep):
        engine.start_workflow(flow)
    began = time.monotonic()
    engine.shutdown(timeout=30)
    assert time.monotonic() - began < 5


def test_everyone_who_waits_gets_engine_closed(path: Path, registry: litewf.Registry) -> None:
    @registry.workflow
    def asleep() -> None:
        litewf.sleep(3600)

    engine = litewf.Engine(path, registry=registry)
    engine.launch()
    handle = engine.start_workflow(asleep)
    entered = threading.Barrier(4)

    def wait() -> None:
        entered.wait(20)
        handle.get_result()

    async def wait_async() -> None:
        entered.wait(20)
        await handle.get_result_async()

    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(wait), pool.submit(wait), pool.submit(lambda: asyncio.run(wait_async()))]
        entered.wait(20)
        engine.shutdown(timeout=1)
        for one in waiting:
            with pytest.raises(litewf.EngineClosedError):
                one.result(20)
    with pytest.raises(litewf.EngineClosedError):
        engine.start_workflow(asleep)
    with pytest.raises(litewf.EngineClosedError):
        handle.get_status()


def test_shutting_down_twice_is_harmless(path: Path, registry: litewf.Registry) -> None:
    engine = litewf.Engine(path, registry=registry)
    engine.shutdown()
    engine.launch()
    engine.shutdown()
    engine.shutdown()


def test_shutting_down_from_many_threads_at_once_ends_it_once(path: Path, registry: litewf.Registry) -> None:
    engine = litewf.Engine(path, registry=registry)
    engine.launch()
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(engine.shutdown, timeout=5) for _ in range(8)]:
            done.result(20)
    assert {file.name for file in path.parent.iterdir()} == {
        f"{path.name}{suffix}" for suffix in ("", "-next", "-turn")
    }


def test_shutting_down_inside_a_step_ends_the_engine_in_time(path: Path, registry: litewf.Registry) -> None:
    others = threading.enumerate()
    over = threading.Event()

    @registry.step
    def ends_it() -> None:
        engine.shutdown(timeout=0.2)
        over.set()

    @registry.workflow
    def flow() -> None:
        ends_it()

    engine = litewf.Engine(path, registry=registry)
    engine.launch()
    handle = engine.start_workflow(flow)
    with pytest.raises(litewf.EngineClosedError):
        handle.get_result(timeout=20)
    assert over.wait(5)
    assert settled(lambda: threads_beside(others), set())


def test_shutting_down_inside_an_async_step_ends_the_engine_in_time(path: Path, registry: litewf.Registry) -> None:
    others = threading.enumerate()
    over = threading.Event()

    @registry.step
    async def ends_it() -> None:
        await engine.shutdown_async(timeout=0.2)
        over.set()

    @registry.workflow
    async def flow() -> None:
        await ends_it()

    engine = litewf.Engine(path, registry=registry)
    engine.launch()
    engine.start_workflow(flow)
    assert settled(lambda: engine._live is not None and engine._live.closed, True)
    assert settled(lambda: threads_beside(others), set())
    assert not over.is_set()  # its own loop has ended under it


def test_a_shutdown_on_a_loop_that_would_block_is_refused(path: Path, registry: litewf.Registry) -> None:
    async def main() -> None:
        async with litewf.Engine(path, registry=registry) as engine:
            with pytest.raises(litewf.BlockingCallError, match="shutdown_async"):
                engine.shutdown()

    asyncio.run(main())


# --- a loop that ends before its engine ---------------------------------------------------------------------------


@pytest.fixture
def litter() -> Iterator[None]:
    """Tasks of a loop that was closed under them complain when they are collected: here, not in some other test."""
    yield
    gc.collect()


def under_a_closed_loop(test: Callable[..., None]) -> Callable[..., None]:
    """For a test that leaves such tasks."""
    ignored = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    return pytest.mark.usefixtures("litter")(ignored(test))


def locks(path: Path) -> list[Path]:
    return list(path.parent.glob(f"{path.name}-lock-*"))


@under_a_closed_loop
def test_an_engine_whose_loop_has_ended_still_runs_sync_workflows_and_shuts_down(
    path: Path, registry: litewf.Registry, caplog: pytest.LogCaptureFixture
) -> None:
    @registry.workflow
    async def asleep() -> str:
        await litewf.sleep_async(0.01)
        return "async"

    @registry.workflow
    def plain() -> str:
        litewf.sleep(0.01)
        return "sync"

    engine = litewf.Engine(path, registry=registry)

    async def main() -> list[litewf.WorkflowHandle[str]]:
        await engine.launch_async()
        return [await engine.start_workflow_async(flow) for flow in (asleep, asleep, plain)]

    started = asyncio.run(main())
    assert started[2].get_result(timeout=20) == "sync"
    started += [engine.start_workflow(asleep), engine.start_workflow(asleep)]
    assert engine.run_workflow(plain) == "sync"
    assert in_time(engine, 20)
    assert caplog.text.count("the event loop that async workflows ran on was closed") == 1
    assert locks(path) == []
    with litewf.Engine(path, registry=registry) as engine:
        for handle in started:
            assert engine.retrieve_workflow(handle.workflow_id).get_result(timeout=20) in ("async", "sync")


@under_a_closed_loop
def test_what_starts_after_the_end_of_its_loop_is_for_another_engine(path: Path, registry: litewf.Registry) -> None:
    @registry.workflow
    async def flow() -> str:
        return "done"

    first = litewf.Engine(path, registry=registry)
    asyncio.run(first.launch_async())
    handles = [first.start_workflow(flow), first.start_workflow(flow)]
    with litewf.Engine(path, registry=registry) as second:
        for handle in handles:
            assert second.retrieve_workflow(handle.workflow_id).get_result(timeout=20) == "done"
            assert handle.get_result(timeout=20) == "done"
    first.shutdown()


@under_a_closed_loop
def test_a_loop_that_is_closed_under_a_running_body_keeps_no_engine_from_ending(
    path: Path, registry: litewf.Registry
) -> None:
    @registry.step(cancellable=True, timeout=0.05)
    async def stuck() -> None:
        running.set()
        await asyncio.Event().wait()

    @registry.workflow
    async def flow() -> None:
        await stuck()

    async def main() -> str:
        await engine.launch_async()
        handle = await engine.start_workflow_async(flow)
        await running.wait()
        return handle.workflow_id

    engine, running = litewf.Engine(path, registry=registry), asyncio.Event()
    loop = asyncio.new_event_loop()
    workflow_id = loop.run_until_complete(main())
    loop.close()  # without a word to its tasks
    engine.cancel_workflow(workflow_id)
    assert in_time(engine, 20)
    assert locks(path) == []


@under_a_closed_loop
def test_an_async_body_of_a_sync_workflow_that_ends_with_its_loop_has_not_failed(
    path: Path, registry: litewf.Registry
) -> None:
    bodies: list[asyncio.Event] = []

    @registry.step
    async def body() -> str:
        if not bodies:
            bodies.append(asyncio.Event())
            running.set()
            await bodies[0].wait()
        return "done"

    @registry.workflow
    def flow() -> str:
        return litewf.run_step(body)

    async def main() -> None:
        await engine.launch_async()
        await engine.start_workflow_async(flow.with_options(workflow_id="w"))
        await running.wait()

    async def end() -> None:
        """As asyncio.run does."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.wait(others)

    engine, running = litewf.Engine(path, registry=registry), asyncio.Event()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.run_until_complete(end())
    engine.shutdown(timeout=0.2)
    loop.close()
    with litewf.Engine(path, registry=registry) as engine:
        assert engine.retrieve_workflow("w").get_result(timeout=20) == "done"
