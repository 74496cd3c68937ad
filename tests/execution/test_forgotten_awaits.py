"""A durable call that is dropped before it was awaited did not run: the log says so, or a warning outside workflows."""

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest

import litewf

from .support import NAP

Launch = Callable[..., litewf.Engine]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "never awaited" in record.getMessage()]


@pytest.mark.parametrize("what", ["step", "sleep", "send"])
def test_a_call_that_is_dropped_is_named(
    launch: Launch, registry: litewf.Registry, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    @registry.step
    async def step() -> None: ...

    calls: dict[str, Callable[[], Any]] = {
        "step": step,
        "sleep": lambda: litewf.sleep_async(1),
        "send": lambda: litewf.send_async("nobody", 1),
    }

    @registry.workflow(name="flow")
    async def flow() -> str:
        await step()
        calls[what]()
        return "done"

    engine = launch()
    assert engine.run_workflow(flow.with_options(workflow_id="w")) == "done"
    assert said(caplog) == ["call 2 of workflow 'w' (flow) was never awaited, so it did not run: await it"]


def test_calls_that_are_awaited_withdrawn_offered_or_cancelled_are_no_slip(
    launch: Launch, registry: litewf.Registry, caplog: pytest.LogCaptureFixture
) -> None:
    @registry.step
    async def step() -> None: ...

    @registry.workflow
    async def flow() -> None:
        await litewf.wait_first_async([litewf.sleep_async(1), litewf.sleep_async(NAP)])
        await litewf.wait_first_async([litewf.sleep_async(NAP)], timeout=1, default=None)
        await asyncio.gather(step(), step())
        task = asyncio.create_task(step())
        task.cancel()
        await litewf.sleep_async(NAP)

    launch().run_workflow(flow)
    gc.collect()
    assert said(caplog) == []


def test_an_operation_outside_that_is_dropped_is_a_warning(launch: Launch, registry: litewf.Registry) -> None:
    @registry.workflow
    async def flow() -> None: ...

    engine = launch()

    async def forget() -> None:
        engine.start_workflow_async(flow)

    with pytest.warns(RuntimeWarning, match=r"start_workflow_async\(\) was never awaited, so nothing was done"):
        asyncio.run(forget())
    assert engine.list_workflows() == []
