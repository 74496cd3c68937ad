"""Waiting on behalf of a client, for as long as it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

R = TypeVar("R")


async def while_there(request: Request, work: Coroutine[Any, Any, R]) -> R:
    """The outcome of some work; when the client goes away, the work ends and ClientDisconnect is raised."""
    working, leaving = asyncio.ensure_future(work), asyncio.create_task(left(request.receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        await withdraw(working, leaving)


async def left(receive: Receive) -> None:
    """Return when the client has gone away; what else it sends is not looked at."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def withdraw(*tasks: asyncio.Future[Any]) -> None:
    """Cancel what is not done, and see it end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
