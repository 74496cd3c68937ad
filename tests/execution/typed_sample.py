"""What a type checker must find in ordinary code; checked by test_typing.py, never run."""

from collections.abc import Awaitable, Coroutine
from typing import Any, assert_type

import litewf

registry = litewf.Registry()


@litewf.step
def length(text: str) -> int:
    return len(text)


@litewf.step(max_retries=3, timeout=5)
async def fetch(url: str, *, depth: int = 1) -> bytes:
    return url.encode() * depth


@litewf.workflow
def count(text: str, times: int = 1) -> list[int]:
    assert_type(length(text), int)
    assert_type(litewf.run_step(length.fn, text), Any)
    assert_type(litewf.run_step(len, text), int)
    assert_type(litewf.run_step(fetch, "x", depth=2), bytes)
    assert_type(length.with_options(max_retries=1)(text), int)
    assert_type(other(5), str)
    assert_type(litewf.start_workflow(other, 5), litewf.WorkflowHandle[str])
    assert_type(litewf.start_workflow(other, 5).get_result(), str)
    assert_type(litewf.run_workflow(fetch_all, ["a"]), bytes)
    assert_type(litewf.wait_all([litewf.start_workflow(other, 5)]), list[str])
    return [length(text)] * times


@registry.workflow(name="other", max_recovery_attempts=3)
def other(x: int) -> str:
    return str(x)


@litewf.workflow()
async def fetch_all(urls: list[str]) -> bytes:
    assert_type(await assert_type(fetch("x"), Coroutine[Any, Any, bytes]), bytes)
    assert_type(await fetch("x", depth=3), bytes)
    assert_type(await litewf.run_step_async(len, "x"), int)
    assert_type(await litewf.run_step_async(fetch, "x"), bytes)
    assert_type(litewf.run_step_async(len, "x"), Awaitable[int])
    assert_type(await fetch_all(["x"]), bytes)
    handle = await litewf.start_workflow_async(count, "x", times=2)
    assert_type(handle, litewf.WorkflowHandle[list[int]])
    assert_type(await handle.get_result_async(), list[int])
    assert_type(await litewf.run_workflow_async(other, 1), str)
    return b""


class Shop:
    @registry.workflow
    def order(self, item: str) -> float:
        assert_type(self.price(item), float)
        return self.price(item)

    @registry.workflow
    async def order_later(self, item: str) -> float:
        return await self.price_later(item)

    @registry.step
    def price(self, item: str) -> float:
        return float(len(item))

    @registry.step
    async def price_later(self, item: str) -> float:
        return float(len(item))

    @staticmethod
    @registry.workflow
    def close(reason: str) -> int:
        return len(reason)


def use(engine: litewf.Engine) -> None:
    assert_type(engine.run_workflow(count, "x", times=2), list[int])
    assert_type(engine.run_workflow(fetch_all, ["x"]), bytes)
    assert_type(engine.start_workflow(count.with_options(workflow_id="w"), "x").get_result(timeout=5), list[int])
    assert_type(engine.start_workflow(other, 5).workflow_id, str)
    shop = registry.instance("eu", Shop())
    assert_type(shop, Shop)
    assert_type(engine.run_workflow(shop.order, "x"), float)
    assert_type(engine.run_workflow(shop.order_later, "x"), float)
    assert_type(engine.run_workflow(Shop.close, "x"), int)


def by_name(client: litewf.Client) -> None:
    assert_type(client.enqueue("q", "count", "x"), litewf.WorkflowHandle[Any])  # and not of Never: what follows is read
    named = litewf.WorkflowName("Shop.order", instance="eu").with_options(workflow_id="w")
    assert_type(client.start_workflow(named, "x"), litewf.WorkflowHandle[Any])
    assert_type(client.enqueue("q", count, "x"), litewf.WorkflowHandle[list[int]])


async def with_async_client(client: litewf.AsyncClient) -> None:
    assert_type((await client.enqueue("q", "count", "x")), litewf.AsyncWorkflowHandle[Any])
    assert_type(await client.get_event("w", "key", as_type=int), int)
    async for value in client.read_stream("w", "key", as_type=bytes):
        assert_type(value, bytes)
    async for item in client.read_stream_items("w", "key"):
        assert_type(item, litewf.StreamItem[Any])


async def use_async(engine: litewf.Engine) -> None:
    assert_type(await engine.run_workflow_async(count, "x"), list[int])
    handle = await engine.start_workflow_async(fetch_all, ["x"])
    assert_type(handle, litewf.WorkflowHandle[bytes])
    assert_type(await handle.get_status_async(), litewf.WorkflowStatus)


def mistakes(engine: litewf.Engine) -> None:
    """Each must be found; an unused ignore is an error."""
    engine.start_workflow(count)  # type: ignore[call-arg]
    engine.start_workflow(count, 5)  # type: ignore[arg-type]
    engine.run_workflow(count, "x", tims=2)  # type: ignore[call-arg]
    engine.run_workflow(length, "x")  # type: ignore[arg-type]
    engine.start_workflow(Shop().order, 5)  # type: ignore[arg-type]
    length(5)  # type: ignore[arg-type]
    other("x")  # type: ignore[arg-type]
    litewf.run_step(len, 5)  # type: ignore[call-overload]
    length.with_options(max_retry=3)  # type: ignore[call-arg]
    litewf.step(on_uncertain="maybe")  # type: ignore[call-overload]
    count.with_options(on_existing_id="replace")  # type: ignore[arg-type]
