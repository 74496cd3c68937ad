"""Code that asks the whole program to end, in a step or in a task: that is an error of its workflow, and no more."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import litewf

from .support import LONG, Flavor, Gate

Launch = Callable[..., litewf.Engine]
KINDS = [SystemExit, KeyboardInterrupt]


def locks(path: Path) -> list[Path]:
    return list(path.parent.glob(f"{path.name}-lock-*"))


def goes_on(engine: litewf.Engine, registry: litewf.Registry, path: Path) -> None:
    """Other async workflows run, and the engine ends as always."""

    @registry.workflow
    async def healthy() -> str:
        await litewf.sleep_async(0.001)
        return "fine"

    assert engine.start_workflow(healthy).get_result(timeout=LONG) == "fine"
    engine.shutdown()
    assert locks(path) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{"timeout": LONG}, {"cancellable": True}], ids=str)
def test_a_body_with_a_task_of_its_own_that_exits_fails_as_any_other(
    launch: Launch, registry: litewf.Registry, path: Path, flavor: Flavor, kind: type[BaseException], options: Any
) -> None:
    @registry.step(name="exits", **options)
    async def exits() -> None:
        raise kind("no config")

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        yield do.run_step(exits)

    engine = launch()
    handle = engine.start_workflow(flow)
    with pytest.raises(litewf.UsageError, match=rf"step 1 \(exits\) .* raised {kind.__name__}") as info:
        handle.get_result(timeout=LONG)
    assert isinstance(info.value.__cause__, kind)
    assert engine.list_steps(handle.workflow_id)[0].error is not None
    goes_on(engine, registry, path)


async def gathered(branch: Callable[[], Any]) -> None:
    await asyncio.gather(branch(), asyncio.sleep(0))


async def created(branch: Callable[[], Any]) -> None:
    await asyncio.create_task(branch())


async def grouped(branch: Callable[[], Any]) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(branch())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("start", [gathered, created, grouped])
def test_a_task_that_exits_fails_its_workflow_and_no_other(
    launch: Launch, registry: litewf.Registry, path: Path, start: Callable[..., Any], kind: type[BaseException]
) -> None:
    async def branch() -> None:
        raise kind("no config")

    @registry.workflow
    async def catches() -> str:
        try:
            await start(branch)
        except kind as error:
            return f"caught {error}"
        return "nothing"

    @registry.workflow
    async def ends() -> None:
        await start(branch)

    engine = launch()
    assert engine.start_workflow(catches).get_result(timeout=LONG) == "caught no config"
    with pytest.raises(litewf.UsageError, match=f"raised {kind.__name__}, which is no outcome of a workflow"):
        engine.start_workflow(ends).get_result(timeout=LONG)
    goes_on(engine, registry, path)


def test_tasks_that_exit_when_they_are_cancelled_keep_no_engine_from_ending(
    launch: Launch, registry: litewf.Registry, path: Path
) -> None:
    gate = Gate()
    background: list[asyncio.Task[None]] = []

    async def unruly() -> None:
        try:
            gate.reached.set()
            await asyncio.Event().wait()
        finally:
            raise SystemExit

    @registry.step
    async def begins() -> None:
        background.extend(asyncio.create_task(unruly()) for _ in range(3))  # asyncio's, not the workflow's

    @registry.workflow
    async def flow() -> None:
        await begins()

    engine = launch()
    engine.run_workflow(flow)
    gate.await_reached()
    engine.shutdown()
    assert locks(path) == []
    assert all(isinstance(task.exception(), SystemExit) for task in background)


def test_on_the_callers_loop_a_step_that_exits_fails_and_the_program_goes_on(
    path: Path, registry: litewf.Registry
) -> None:
    @registry.step(timeout=LONG)
    async def exits() -> None:
        raise SystemExit

    @registry.workflow
    async def flow() -> None:
        await exits()

    async def main() -> None:
        async with litewf.Engine(path, registry=registry) as engine:
            with pytest.raises(litewf.UsageError, match="no outcome of a step"):
                await engine.run_workflow_async(flow)

    asyncio.run(main())


def test_a_task_that_exits_ends_the_callers_loop_as_any_task_does_and_the_workflow_is_given_back(
    path: Path, registry: litewf.Registry
) -> None:
    exits = [SystemExit(3)]

    async def branch() -> str:
        if exits:
            raise exits.pop()
        return "done"

    @registry.workflow
    async def flow() -> str:
        return await asyncio.create_task(branch())

    async def main() -> None:
        async with litewf.Engine(path, registry=registry) as engine:
            await engine.run_workflow_async(flow.with_options(workflow_id="w"))

    with pytest.raises(SystemExit):
        asyncio.run(main())
    assert locks(path) == []
    with litewf.Engine(path, registry=registry) as engine:
        assert engine.retrieve_workflow("w").get_result(timeout=LONG) == "done"
