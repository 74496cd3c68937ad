"""`continue_as_new`: the same id and handle, an empty history, the next generation."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import litewf

from .support import NAP, Flavor, Gate, names, until

Launch = Callable[..., litewf.Engine]


def test_the_handle_gets_the_result_of_the_last_generation(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    keys = []

    @flavor.step(registry)
    def work(x: int) -> int:
        keys.append(litewf.idempotency_key())
        return x + 1

    @flavor.workflow(registry)
    def loop(do: Any, x: int, *, most: int) -> Any:
        x = yield do(work, x)
        if x < most:
            litewf.continue_as_new(x, most=most)
        yield do.sleep(NAP)
        return x

    engine = launch()
    handle = engine.start_workflow(loop.with_options(workflow_id="w"), 0, most=3)
    assert handle.get_result() == 3
    status = handle.get_status()
    assert (status.generation, status.status) == (3, "SUCCESS")
    assert status.input == litewf.WorkflowInput((2,), {"most": 3})
    assert names(engine, "w") == [("1", "work"), ("2", "litewf.sleep")]
    assert keys == ["w:1", "w~@2:1", "w~@3:1"]


def test_many_generations_leave_memory_and_come_back(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    @flavor.workflow(registry)
    def loop(do: Any, x: int) -> Any:
        yield do.sleep(NAP)
        if x == 0:
            return "end"
        litewf.continue_as_new(x - 1)

    engine = launch()
    handle = engine.start_workflow(loop, 20)
    assert handle.get_result() == "end"
    assert handle.get_status().generation == 21


def test_children_carry_over_and_their_ids_hold_the_generation(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    @flavor.workflow(registry)
    def child(do: Any, x: int) -> Any:
        yield do.sleep(10)
        return x

    @flavor.workflow(registry)
    def parent(do: Any, handles: list[Any]) -> Any:
        handles.append((yield do.start_workflow(child, len(handles))))
        if len(handles) < 3:
            litewf.continue_as_new(handles)
        return (yield do.wait_all(handles))

    engine = launch()
    handle = engine.start_workflow(parent.with_options(workflow_id="p"), [])
    assert handle.get_result() == [0, 1, 2]
    children = engine.list_workflows(parent_id="p")
    assert [one.workflow_id for one in children] == ["p~1", "p~1@2", "p~1@3"]


def test_the_next_generation_survives_a_restart(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    gate = Gate()

    @registry.step
    def stop() -> str:
        gate.wait()
        return litewf.idempotency_key()

    @flavor.workflow(registry)
    def loop(do: Any, x: int) -> Any:
        if x:
            litewf.continue_as_new(x - 1)
        return (yield do.run_step(stop))

    first = launch()
    first.start_workflow(loop.with_options(workflow_id="w"), 2)
    gate.await_reached()
    first.shutdown(timeout=0)
    gate.open()
    assert launch().retrieve_workflow("w").get_result() == "w~@3:1"


def test_options_of_the_start_stay(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    @flavor.workflow(registry)
    def loop(do: Any, x: int) -> Any:
        yield do.sleep(NAP)
        if x:
            litewf.continue_as_new(0)
        return litewf.authenticated_user(), litewf.authenticated_roles()

    engine = launch()
    handle = engine.start_workflow(
        loop.with_options(authenticated_user="ann", authenticated_roles=["r"], attributes={"a": 1}, timeout=1e6), 1
    )
    before = handle.get_status().deadline
    assert handle.get_result() == ("ann", ("r",))
    after = handle.get_status()
    assert (after.deadline, after.attributes) == (before, {"a": 1})


def test_wrong_arguments_are_refused_and_change_nothing(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    class Local:
        pass

    def strict(x: int) -> list[str]:
        texts = []
        for args, kwargs in (((), {}), ((1, 2), {}), ((), {"y": 1}), ((Local(),), {})):
            try:
                litewf.continue_as_new(*args, **kwargs)
            except (TypeError, litewf.SerializationError) as error:
                texts.append(str(error))
        return texts

    async def strict_async(x: int) -> list[str]:
        return strict(x)

    engine = launch()
    flow: Any = registry.workflow(strict_async if flavor.is_async else strict)
    handle = engine.start_workflow(flow, 1)
    assert len(handle.get_result()) == 4
    assert handle.get_status().generation == 1


def test_a_task_may_continue_as_new_while_others_wait(launch: Launch, registry: litewf.Registry) -> None:
    ended = []

    async def waiter() -> None:
        try:
            await litewf.sleep_async(1e6)
        finally:
            ended.append("waiter")

    async def decider() -> None:
        await litewf.sleep_async(1)
        litewf.continue_as_new(0)

    @registry.workflow
    async def loop(x: int) -> str:
        if x:
            await asyncio.gather(waiter(), decider())
        return "end"

    engine = launch()
    handle = engine.start_workflow(loop, 1)
    assert handle.get_result() == "end"
    assert handle.get_status().generation == 2
    until(lambda: len(ended) == 2)  # once for the park, once for the end of the generation


def test_what_comes_after_continue_as_new_never_runs(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, caplog: pytest.LogCaptureFixture
) -> None:
    nothing = flavor.step(registry, name="nothing")(lambda: None)
    seen = []

    @flavor.workflow(registry)
    def loop(do: Any, x: int) -> Any:
        if not x:
            return "end"
        try:
            litewf.continue_as_new(x - 1)
        except Exception:
            seen.append("caught")
        except BaseException:
            seen.append("swallowed")
        try:
            yield do(nothing)
        except BaseException as error:
            seen.append(type(error).__name__)
        return "ignored"

    engine = launch()
    handle = engine.start_workflow(loop.with_options(workflow_id="w"), 1)
    assert handle.get_result() == "end"
    assert seen == ["swallowed", "ContinueAsNew"]
    assert engine.list_steps("w") == []
    assert "what it did after is discarded" in caplog.text
