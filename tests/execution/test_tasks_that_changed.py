"""Tasks of a workflow that make other calls than are recorded of them hold it, however deep they are."""

import asyncio
from collections.abc import Callable

import pytest

import litewf

from .support import NAP

Launch = Callable[..., litewf.Engine]


def test_a_step_in_place_of_a_task_whose_own_tasks_made_the_calls_holds_the_workflow(
    launch: Launch, registry: litewf.Registry
) -> None:
    @registry.step(name="a")
    async def a() -> None:
        pass

    runs = 0

    @registry.workflow
    async def flow() -> None:
        nonlocal runs
        runs += 1

        async def outer() -> None:
            await asyncio.gather(inner())

        async def inner() -> None:
            await a()

        await (asyncio.create_task(outer()) if runs == 1 else a())
        await litewf.sleep_async(NAP)

    with pytest.raises(litewf.NonDeterminismError, match=r"step 1\.1\.1 is recorded, but the code now calls 'a'"):
        launch().run_workflow(flow)


def test_a_task_that_ends_before_its_records_holds_the_workflow(launch: Launch, registry: litewf.Registry) -> None:
    @registry.step(name="a")
    async def a() -> None:
        pass

    runs = 0

    @registry.workflow
    async def flow() -> None:
        nonlocal runs
        runs += 1

        async def branch(calls: int) -> None:
            for _ in range(calls):
                await a()

        await asyncio.gather(branch(2 if runs == 1 else 1), branch(1))
        await litewf.sleep_async(NAP)

    with pytest.raises(litewf.NonDeterminismError, match=r"step 1\.2 is recorded, but the code now ends"):
        launch().run_workflow(flow)


def test_a_task_that_is_cancelled_while_it_replays_may_end_before_its_records(
    launch: Launch, registry: litewf.Registry
) -> None:
    """How far it comes until then is a matter of the loop."""

    @registry.step(name="a")
    async def a() -> None:
        pass

    @registry.step(name="fail")
    async def fail() -> None:
        await asyncio.sleep(0.01)  # so that the other branch has recorded its calls by then
        raise ValueError("no")

    @registry.workflow
    async def flow() -> str:
        async def patient() -> None:
            try:
                for _ in range(3):
                    await a()
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return

        async def failing() -> None:
            await fail()

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(failing())
                group.create_task(patient())
        except ExceptionGroup:
            pass
        await litewf.sleep_async(NAP)
        return "done"

    assert launch().run_workflow(flow) == "done"
