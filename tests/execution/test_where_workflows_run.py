"""Where workflows run: on the caller's loop, beside tasks of its own; and what an engine's methods mean inside one."""

import asyncio
import decimal
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

import litewf

from .support import LONG, Flavor, names

Launch = Callable[..., litewf.Engine]


VARIABLE = ContextVar("VARIABLE", default="untouched")


def seen() -> tuple[str, int]:
    return VARIABLE.get(), decimal.getcontext().prec


def change(*_: Any) -> None:
    VARIABLE.set("changed")
    decimal.getcontext().prec = 3


@pytest.mark.parametrize("by", ["step", "function", "transaction", "body"])
def test_what_a_workflow_sets_in_its_context_no_other_workflow_sees(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, by: str
) -> None:
    step, transaction = flavor.step(registry)(change), registry.transaction("t")(change)
    calls: dict[str, Callable[[Any], Any]] = {
        "step": lambda do: do(step),
        "function": lambda do: do.run_step(change),
        "transaction": lambda do: do(transaction.run_async if flavor.is_async else transaction),
        "body": lambda do: do(change),
    }

    @flavor.workflow(registry)
    def one(do: Any) -> Any:
        yield calls[by](do)

    @registry.workflow
    def other() -> list[Any]:
        return [*seen(), *litewf.run_step(seen)]

    @registry.transaction
    def query(_conn: litewf.Connection) -> list[Any]:
        return list(seen())

    @flavor.workflow(registry)
    def third(do: Any) -> Any:
        return (yield do(query.run_async if flavor.is_async else query))

    engine = launch(max_threads=1)
    engine.run_workflow(one)
    assert engine.run_workflow(other) == ["untouched", 28] * 2
    assert engine.run_workflow(third) == ["untouched", 28]


@pytest.mark.parametrize("options", [{}, {"timeout": LONG}])
def test_a_body_in_a_worker_thread_sees_the_context_of_its_workflow(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, options: Any
) -> None:
    body = registry.step(**options)(seen)

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        yield do(change)
        return (yield do.run_step(body))

    assert launch().run_workflow(flow) == ("changed", 3)


def test_async_workflows_run_on_the_callers_loop_and_number_only_their_own_tasks(
    path: Path, registry: litewf.Registry
) -> None:
    loops = []

    @registry.step(name="s")
    async def s(x: int) -> int:
        await asyncio.sleep(0)
        return x

    async def branch(x: int) -> int:
        return await s(x) + await s(x)

    @registry.workflow
    async def flow() -> tuple[int, int]:
        loops.append(asyncio.get_running_loop())
        first, second = await asyncio.gather(branch(1), branch(2))
        await litewf.sleep_async(0.02)
        return first, second

    async def plain() -> str:
        await asyncio.sleep(0)
        return "plain"

    async def main() -> list[tuple[str, str]]:
        made: list[str] = []

        def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> "asyncio.Task[Any]":
            made.append(coro.__name__)
            return asyncio.Task(coro, loop=loop, **options)

        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        async with litewf.Engine(path, registry=registry, linger=0) as engine:
            handle = await engine.start_workflow_async(flow.with_options(workflow_id="w"))
            task = asyncio.create_task(plain())
            assert await handle.get_result_async() == (2, 4)
            assert await task == "plain"
            steps = await engine.list_steps_async("w")
        assert loops[0] is loop
        assert loop.get_task_factory() is factory
        assert made.count("plain") == 1
        assert made.count("branch") >= 2
        return [(step.step_id, step.name) for step in steps]

    assert asyncio.run(main()) == [("1.1", "s"), ("1.2", "s"), ("2.1", "s"), ("2.2", "s"), ("3", "litewf.sleep")]


def test_sync_workflows_run_in_threads_beside_the_callers_loop(path: Path, registry: litewf.Registry) -> None:
    same: list[str] = []
    loops: list[object] = []

    @registry.workflow
    def flow() -> str:
        litewf.sleep(0.02)
        same.append(litewf.run_step(lambda: "in thread"))
        return litewf.run_step(identify)

    async def identify() -> str:
        return "yes" if asyncio.get_running_loop() is loops[0] else "no"

    async def main() -> str:
        loops.append(asyncio.get_running_loop())
        async with litewf.Engine(path, registry=registry, linger=0) as engine:
            return await engine.run_workflow_async(flow)

    assert asyncio.run(main()) == "yes"
    assert same == ["in thread"]


def test_an_engine_in_its_own_workflow_makes_durable_calls_and_in_a_step_plain_ones(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    @flavor.workflow(registry)
    def child(do: Any) -> Any:
        yield do(print, end="")
        return litewf.workflow_id()

    @registry.step(name="plain")
    def plain() -> str:
        return engine.start_workflow(child.with_options(workflow_id="free")).workflow_id

    @flavor.workflow(registry)
    def parent(do: Any) -> Any:
        handle = yield do.on(engine, "start_workflow", child)
        found = [handle.workflow_id, (yield do.on(handle, "get_result")), (yield do.run_step(plain))]
        found.append(len((yield do.on(engine, "list_workflows", parent_id="p"))))
        return found

    engine = launch()
    handle = engine.start_workflow(parent.with_options(workflow_id="p"))
    assert handle.get_result() == ["p~1", "p~1", "free", 1]
    assert names(engine, "p") == [
        ("1", "litewf.start:child"), ("2", "litewf.get_result"), ("3", "plain"), ("4", "litewf.list_workflows"),
    ]  # fmt: skip
    assert engine.retrieve_workflow("free").get_status().parent_id is None
