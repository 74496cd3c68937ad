"""Blocking forms where a loop runs, and functions of the other kind: refused, naming what to call instead."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

import litewf

from .support import NAP, Flavor, caught, names, plus, plus_async

Launch = Callable[..., litewf.Engine]


# --- an event loop runs here --------------------------------------------------------------------------------------

ON_A_LOOP: dict[str, Callable[[litewf.Engine, Any], Any]] = {
    "start_workflow": lambda engine, wf: engine.start_workflow(wf, 1),
    "start_workflows": lambda engine, wf: engine.start_workflows([(wf, 1)]),
    "list_workflows": lambda engine, _: engine.list_workflows(),
    "list_steps": lambda engine, _: engine.list_steps("w"),
    "retrieve_workflow": lambda engine, _: engine.retrieve_workflow("w"),
    "cancel_workflow": lambda engine, _: engine.cancel_workflow("w"),
    "query": lambda engine, _: engine.query("SELECT 1"),
    "launch": lambda engine, _: engine.launch(),
    "shutdown": lambda engine, _: engine.shutdown(),
}


@pytest.mark.parametrize("what", ON_A_LOOP)
def test_a_blocking_form_on_a_loop_is_refused_and_names_the_async_one(
    launch: Launch, registry: litewf.Registry, what: str
) -> None:
    workflow, engine = registry.workflow(plus), launch()

    async def main() -> str:
        return caught(lambda: ON_A_LOOP[what](engine, workflow))

    assert asyncio.run(main()).startswith("BlockingCallError: ")
    assert f"await {what}_async()" in asyncio.run(main())


def test_the_blocking_forms_of_a_handle_are_refused_on_a_loop(launch: Launch, registry: litewf.Registry) -> None:
    handle = launch().start_workflow(registry.workflow(plus), 1)

    async def main() -> list[str]:
        return [caught(handle.get_result), caught(handle.get_status), caught(handle.cancel)]

    for text, what in zip(asyncio.run(main()), ("get_result", "get_status", "cancel_workflow"), strict=True):
        assert text.startswith("BlockingCallError")
        assert f"{what}_async()" in text


def test_blocking_durable_calls_in_an_async_workflow_are_refused_and_name_the_async_form(
    launch: Launch, registry: litewf.Registry
) -> None:
    child = registry.workflow(plus)
    handle = litewf.WorkflowHandle[int]("w")

    @registry.workflow
    async def parent() -> list[str]:
        calls = [
            lambda: litewf.sleep(1), lambda: litewf.run_step(plus, 1), lambda: litewf.start_workflow(child, 1),
            lambda: litewf.wait_first([handle]), lambda: litewf.wait_all([handle]), handle.get_result,
            litewf.list_workflows, lambda: child(1),
        ]  # fmt: skip
        return [caught(call) for call in calls]

    engine = launch()
    started = engine.start_workflow(parent)
    wanted = [
        "sleep_async", "run_step_async", "start_workflow_async", "wait_first_async", "wait_all_async",
        "get_result_async", "list_workflows_async", "run_workflow_async(plus, ...)",
    ]  # fmt: skip
    for text, name in zip(started.get_result(), wanted, strict=True):
        assert text.startswith("BlockingCallError"), text
        assert f"await {name}" in text.replace("litewf.", ""), text
    assert engine.list_steps(started.workflow_id) == []


# --- the other kind of function -----------------------------------------------------------------------------------


def test_an_async_step_in_a_sync_workflow_is_refused_and_names_run_step(
    launch: Launch, registry: litewf.Registry
) -> None:
    step = registry.step(plus_async)

    @registry.workflow
    def mistaken() -> str:
        return caught(lambda: step(1))

    text = launch().run_workflow(mistaken)
    assert text.startswith("TypeError")
    assert "litewf.run_step(" in text


def test_a_sync_step_in_an_async_workflow_is_refused_and_names_run_step_async(
    launch: Launch, registry: litewf.Registry
) -> None:
    step = registry.step(plus)

    @registry.workflow
    async def mistaken() -> str:
        return caught(lambda: step(1))

    text = launch().run_workflow(mistaken)
    assert text.startswith("BlockingCallError")
    assert "await litewf.run_step_async(" in text


def test_an_async_child_in_a_sync_workflow_is_refused_and_names_run_workflow(
    launch: Launch, registry: litewf.Registry
) -> None:
    child = registry.workflow(name="stepping")(plus_async)

    @registry.workflow
    def mistaken() -> list[Any]:
        return [caught(lambda: child(1)), litewf.run_workflow(child, 1)]

    text, result = launch().run_workflow(mistaken)
    assert text.startswith("TypeError")
    assert "litewf.run_workflow(plus_async, ...)" in text
    assert result == 2


def test_async_forms_in_a_sync_workflow_are_refused(launch: Launch, registry: litewf.Registry) -> None:
    @registry.workflow
    def mistaken() -> list[str]:
        return [caught(lambda: litewf.sleep_async(1)), caught(litewf.list_workflows_async)]

    for text, name in zip(launch().run_workflow(mistaken), ("sleep()", "list_workflows()"), strict=True):
        assert text.startswith("UsageError")
        assert f"call {name} instead" in text


@pytest.mark.parametrize("options", [{}, {"timeout": 20}, {"max_retries": 1}])
def test_run_step_runs_functions_of_the_other_kind(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, options: dict[str, Any]
) -> None:
    """An async one of a sync workflow on the engine's loop, a sync one of an async workflow in a thread."""
    threads = []

    def in_thread(x: int) -> int:
        threads.append((threading.current_thread().name, asyncio._get_running_loop() is not None))
        return x + 1

    async def on_loop(x: int) -> int:
        await asyncio.sleep(0)
        await asyncio.create_task(asyncio.sleep(0))
        return in_thread(x)

    step = registry.step(**options)(in_thread if flavor.is_async else on_loop)

    @flavor.workflow(registry)
    def mixed(do: Any) -> Any:
        first = yield do.run_step(step, 1)
        yield do.sleep(NAP)
        return first, (yield do.run_step(in_thread if flavor.is_async else on_loop, first))

    engine = launch()
    handle = engine.start_workflow(mixed)
    assert handle.get_result() == (2, 3)
    assert [number for number, _ in names(engine, handle.workflow_id)] == ["1", "2", "3"]
    assert all(not on_loop if flavor.is_async else on_loop for _, on_loop in threads)
    assert len(threads) == 2
