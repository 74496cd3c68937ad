"""How those who wait hear of it: threads through a bell each, event loops with one call for a whole group."""

import asyncio
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from litewf.store.operations import Operation

if TYPE_CHECKING:
    from litewf.engine.requests import Wait
    from litewf.engine.runtime import Runtime

R = TypeVar("R")


class BellMailbox:
    """For waits in threads: each has a queue to listen at, and looks again whenever it rings."""

    def deliver(self, waits: Sequence["Wait"]) -> None:
        for wait in waits:
            wait.waiter.put(None)  # type: ignore[attr-defined]  # a SimpleQueue, put there by the driver


WAITERS = BellMailbox()


class Errand:
    """For a wait that nobody sits at: something is done each time it rings."""

    def __init__(self, errand: Callable[[], None]) -> None:
        self._errand = errand

    def deliver(self, _waits: Sequence[object]) -> None:
        self._errand()


class LoopMailbox:
    """For operations that tasks of one loop wait for."""

    Cancelled = asyncio.CancelledError

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.waits = LoopWaits(loop)

    def deliver(self, operations: Sequence[Operation]) -> None:
        _post(self.loop, self._settle, operations)

    def _settle(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            operation.mailbox = None  # the outcome is known
            future: asyncio.Future[None] = operation.waiter  # type: ignore[assignment]  # put there by the driver
            if not future.done():
                future.set_result(None)

    def in_thread(self, runtime: "Runtime", fn: Callable[[], R]) -> Generator[Any, Any, R]:
        """Run a function in a pool thread; a task cancelled meanwhile leaves it to end by itself."""
        future: asyncio.Future[R] = self.loop.create_future()

        def work() -> None:
            try:
                result = fn()
            except BaseException as error:  # noqa: BLE001 - it belongs to the task
                _post(self.loop, _fail, future, error)
            else:
                _post(self.loop, _resolve, future, result)

        runtime.pool.submit(work)
        return (yield from future)


class LoopWaits:
    """For waits of tasks of one loop; a wait may be woken many times."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def deliver(self, waits: Sequence["Wait"]) -> None:
        _post(self._loop, self._settle, waits)

    def _settle(self, waits: Sequence["Wait"]) -> None:
        for wait in waits:
            future = wait.waiter
            if isinstance(future, asyncio.Future) and not future.done():
                future.set_result(None)


def _resolve(future: asyncio.Future[R], result: R) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        if isinstance(error, StopIteration):  # a future refuses it
            error = RuntimeError(f"StopIteration: {error}")
        future.set_exception(error)


def _post(loop: asyncio.AbstractEventLoop, fn: Callable[..., None], *args: Any) -> None:
    try:
        loop.call_soon_threadsafe(fn, *args)
    except RuntimeError:
        if not loop.is_closed():
            raise  # a closed loop has nobody left who waits
