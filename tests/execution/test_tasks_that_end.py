"""Tasks and the end of an execution: those that a workflow started, and callers that are cancelled while they wait."""

import asyncio
import gc
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

import litewf
from litewf.world import World

from .support import LONG, NAP, Flavor, Gate, until

Launch = Callable[..., litewf.Engine]


def test_a_task_group_passes_the_signal_on(launch: Launch, registry: litewf.Registry) -> None:
    seen = []

    async def branch(seconds: float) -> float:
        try:
            await litewf.sleep_async(seconds)
        except Exception:
            seen.append("branch")
        return seconds

    @registry.workflow
    async def flow() -> list[float]:
        tasks: list[asyncio.Task[float]] = []
        try:
            async with asyncio.TaskGroup() as group:
                tasks += [group.create_task(branch(seconds)) for seconds in (10, 20)]
        except* Exception:
            seen.append("group")
        return [task.result() for task in tasks]

    assert launch().run_workflow(flow) == [10, 20]
    assert seen == []


def test_nothing_is_logged_about_tasks_that_end_with_their_execution(
    launch: Launch, registry: litewf.Registry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def branch() -> None:
        await litewf.sleep_async(NAP)

    @registry.workflow
    async def flow() -> None:
        task = asyncio.create_task(branch())
        await litewf.sleep_async(NAP)
        await task

    engine = launch()
    engine.run_workflow(flow)
    engine.shutdown()
    gc.collect()  # asyncio complains when a task is collected
    assert [record for record in caplog.records if record.name.startswith(("asyncio", "litewf"))] == []


def test_tasks_that_still_run_when_the_workflow_returns_are_cancelled_with_a_warning(
    launch: Launch, registry: litewf.Registry, caplog: pytest.LogCaptureFixture
) -> None:
    ended = []

    @registry.step
    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("body")
            raise

    async def branch() -> None:
        try:
            await forever()
        finally:
            ended.append("task")

    @registry.workflow
    async def flow() -> str:
        asyncio.create_task(branch())  # noqa: RUF006 - the mistake
        asyncio.create_task(forever())  # noqa: RUF006 - as above
        await asyncio.sleep(0)
        return "early"

    engine = launch()
    assert engine.run_workflow(flow) == "early"
    engine.shutdown()
    assert sorted(ended) == ["body", "body", "task"]
    assert "returned while 2 of its tasks were running; they are cancelled" in caplog.text


def test_a_workflow_that_waits_for_something_plain_can_still_be_ended(
    launch: Launch, registry: litewf.Registry
) -> None:
    ended = []

    @registry.workflow
    async def stuck() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    engine = launch()
    cancelled, left = engine.start_workflow(stuck), engine.start_workflow(stuck)
    until(lambda: left.get_status().started_at)
    cancelled.cancel()
    until(lambda: len(ended) == 1)
    engine.shutdown()
    assert len(ended) == 2
    assert launch().retrieve_workflow(left.workflow_id).get_status().status == "PENDING"


def test_plain_cleanup_that_awaits_is_not_cut_off(launch: Launch, registry: litewf.Registry) -> None:
    closed = []

    async def branch() -> None:
        try:
            await litewf.sleep_async(NAP)
        finally:
            for _ in range(100):
                await asyncio.sleep(0)
            closed.append("branch")

    @registry.workflow
    async def flow() -> None:
        try:
            await asyncio.gather(branch(), branch())
        finally:
            await asyncio.sleep(0.01)  # plain cleanup that takes a while
            closed.append("flow")

    launch().run_workflow(flow)
    assert closed == ["branch", "branch", "flow"] * 2


def test_cancelling_a_caller_that_awaits_a_result_does_not_harm_the_workflow(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    gate = Gate()

    @registry.step
    def stop() -> str:
        gate.wait()
        return "done"

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        return (yield do.run_step(stop))

    engine = launch()

    async def main() -> str:
        handle = await engine.start_workflow_async(flow)
        waiter = asyncio.create_task(handle.get_result_async())
        await asyncio.to_thread(gate.await_reached)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await handle.get_result_async()
        gate.open()
        return str(await handle.get_result_async())

    assert asyncio.run(main()) == "done"


class CancelAtCommit(World):
    """Cancels a task, once, while a commit that it waits for is being written."""

    def __init__(self) -> None:
        super().__init__(reach=self._reached)
        self.task: asyncio.Task[Any] | None = None

    def _reached(self, point: str) -> None:
        task = self.task
        if task is not None and point == "commit.before":
            self.task = None
            cancelled = threading.Event()
            loop = task.get_loop()
            loop.call_soon_threadsafe(task.cancel)
            loop.call_soon_threadsafe(cancelled.set)
            assert cancelled.wait(LONG)


def test_cancelling_a_caller_that_starts_a_workflow_leaves_a_running_one_if_it_is_written(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        yield do.run_step(print, end="")
        return "done"

    world = CancelAtCommit()
    engine = launch(world=world)

    async def start(make: Callable[[], Any]) -> None:
        task = world.task = asyncio.create_task(make())
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(start(lambda: engine.start_workflow_async(flow)))
    engine.retrieve_workflow(engine.list_workflows()[0].workflow_id).get_result()
    asyncio.run(start(lambda: engine.start_workflows_async([(flow,), (flow,)])))
    started = engine.list_workflows()
    assert len(started) == 3
    for status in started:
        assert engine.retrieve_workflow(status.workflow_id).get_result() == "done"


def test_cancelling_a_task_that_starts_a_child_leaves_a_running_one_if_it_is_written(
    launch: Launch, registry: litewf.Registry
) -> None:
    world = CancelAtCommit()

    @registry.workflow(name="child")
    async def child() -> str:
        return "done"

    async def branch() -> None:
        await litewf.start_workflow_async(child)

    @registry.workflow
    async def parent() -> str:
        task = world.task = asyncio.create_task(branch())
        await asyncio.wait([task])
        return "cancelled" if task.cancelled() else "not"

    engine = launch(world=world)
    assert engine.run_workflow(parent) == "cancelled"
    (status,) = engine.list_workflows(name="child")
    assert engine.retrieve_workflow(status.workflow_id).get_result() == "done"
