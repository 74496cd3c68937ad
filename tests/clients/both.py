"""One script for two kinds of client: `ask` awaits what an AsyncClient gives, and passes on what a Client gives."""

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import litewf

Ask = Callable[[Any], Awaitable[Any]]
Script = Callable[[Any, Ask], Coroutine[Any, Any, Any]]


async def awaiting(given: Any) -> Any:
    """For an AsyncClient."""
    if inspect.isasyncgen(given):
        return [item async for item in given]
    return await given


async def passing(given: Any) -> Any:
    """For a Client."""
    return list(given) if isinstance(given, Iterator) else given


def run_blocking(script: Script, client: litewf.Client) -> Any:
    """Run a script that never suspends, without an event loop."""
    coroutine = script(client, passing)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("a script for a Client has nothing to wait for")


async def outcome(script: Script, client: Any, ask: Ask) -> Any:
    """What it returns, or what it raises."""
    try:
        return await script(client, ask)
    except Exception as error:  # both kinds must fail alike
        return type(error).__name__, str(error)
