"""How those who wait hear of it: threads through a bell each, event loops with one call for a whole group."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Generator, Sequence
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from litewf.engine.carrying import carried
from litewf.store.checkpoints import Checkpoint
from litewf.store.operations import Operation
from litewf.store.wide import Value

if TYPE_CHECKING:
    from litewf.engine.pool import Pool
    from litewf.engine.requests import Wait

R = TypeVar("R")
task_of: Callable[[asyncio.AbstractEventLoop], object] = asyncio.current_task
if sys.version_info < (3, 12):  # where it is not in C yet, but a Python function around this dict
    task_of = asyncio.tasks._current_tasks.get  # type: ignore[attr-defined]  # noqa: SLF001 - it costs a third


class BellMailbox:
    """For waits in threads: each has a queue to listen at, and looks again whenever it rings."""

    def deliver(self, waits: list[Wait]) -> None:
        for wait in waits:
            wait.asleep = False  # first: from Python 3.13 on what is put may be in neither queue nor thread for a while
            wait.waiter.put(None)  # type: ignore[attr-defined]  # a SimpleQueue, put there by the driver


WAITERS = BellMailbox()


class Errand:
    """For a wait that nobody sits at: something is done each time it rings."""

    def __init__(self, errand: Callable[[], None]) -> None:
        self._errand = errand

    def deliver(self, _waits: list[object]) -> None:
        self._errand()


class Awaited:
    """What a task waits on while its operation is written: a future, as far as asyncio can tell.

    Settling it runs the waiting task at once. A real future would queue the task's wake-up in the loop first, which
    costs as much as the rest of a step. It has no method `get_loop`, as a task then reads `_loop`, and no `result`, as
    the task is shown a real future instead, into which C looks by itself: each a call less.
    """

    if not TYPE_CHECKING:  # to mypy it would mean that there are no attributes
        __slots__ = ()
    _asyncio_future_blocking: bool  # True from the start, as a future's `__await__` sets it: it is to be yielded
    callback: Callable[[Any], object]  # lets the task go on; set when the task is told to wait
    context: Context  # of the task; set with it
    is_done: bool
    _loop: asyncio.AbstractEventLoop

    def __await__(self) -> Generator[Any, None, None]:
        if not self.is_done:
            self._asyncio_future_blocking = True
            yield self

    __iter__ = __await__

    # --- what a task asks of a future -------------------------------------------------------------------------

    def done(self) -> bool:
        return self.is_done

    def add_done_callback(self, callback: Callable[[Any], object], *, context: Context) -> None:
        self.callback, self.context = callback, context

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002 - a future's signature
        """The task was cancelled: it goes on in the loop's next cycle, to find out what became of its operation."""
        if self.is_done:
            return False
        self.is_done = True
        cancelled = self._loop.create_future()
        cancelled.cancel()
        self._loop.call_soon(self.callback, cancelled, context=self.context)
        return True


PROTOCOL = ("_asyncio_future_blocking", "_loop", "callback", "context", "is_done")


class Ticket(Awaited):
    """What a task waits on for any operation."""

    __slots__ = PROTOCOL

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._asyncio_future_blocking = True
        self.is_done = False


class AwaitedCheckpoint(Awaited, Checkpoint):
    """A checkpoint and what a task waits on for it in one: the hot path has an object less to make and to collect."""

    __slots__ = PROTOCOL

    def __init__(self, mailbox: LoopMailbox, values: tuple[Value, ...]) -> None:
        self._loop = mailbox.loop
        self._asyncio_future_blocking = True
        self.is_done = False
        self.mailbox = mailbox
        self.waiter = self
        self.error = None
        self.touched = ()
        self.result = True
        self.values = values


class LoopMailbox:
    """For operations that tasks of one loop wait for."""

    Cancelled = asyncio.CancelledError

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.thread = 0  # that runs the loop
        self.current_task = partial(task_of, loop)  # which loop runs here takes longer to find out
        self.waits = LoopWaits(loop)
        self._settled: asyncio.Future[None] = loop.create_future()
        self._settled.set_result(None)

    def deliver(self, operations: list[Operation]) -> None:
        operations.reverse()
        post(self.loop, self._settle, operations)

    def _settle(self, backwards: list[Operation]) -> None:
        """Let the tasks go on; each operation goes as its successor comes, so that no more are in memory than wait."""
        settled = self._settled
        try:
            while backwards:
                operation = backwards.pop()
                operation.mailbox = None  # the outcome is known
                awaited: Awaited = operation.waiter  # type: ignore[assignment]  # put there by the driver
                operation.waiter = None  # it may be the operation itself
                if not awaited.is_done:
                    awaited.is_done = True
                    awaited.context.run(awaited.callback, settled)
        finally:
            if backwards:  # a task raised SystemExit or the like, which ends the loop's cycle
                self.loop.call_soon(self._settle, backwards)

    def in_thread(self, pool: Pool, fn: Callable[[], R]) -> Generator[Any, Any, R]:
        """Run a function in a pool thread; a task cancelled meanwhile leaves it to end by itself."""
        future: asyncio.Future[R] = self.loop.create_future()

        def work() -> None:
            try:
                result = fn()
            except BaseException as error:  # noqa: BLE001 - it belongs to the task
                post(self.loop, _fail, future, error)
            else:
                post(self.loop, _resolve, future, result)

        pool.submit(work)
        return (yield from future)


class LoopWaits:
    """For waits of tasks of one loop; a wait may be woken many times."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def deliver(self, waits: list[Wait]) -> None:
        if asyncio._get_running_loop() is self._loop:  # noqa: SLF001 - does not raise without one
            self._settle(waits)
        else:
            post(self._loop, self._settle, waits)

    def _settle(self, waits: Sequence[Wait]) -> None:
        for wait in waits:
            future = wait.waiter
            if isinstance(future, asyncio.Future) and not future.done():
                future.set_result(None)


def _resolve(future: asyncio.Future[R], result: R) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(carried(error))


def post(loop: asyncio.AbstractEventLoop, fn: Callable[..., object], *args: Any) -> bool:
    """Call a function on a loop, unless it is closed: then nobody is left there who waits."""
    try:
        loop.call_soon_threadsafe(fn, *args)
    except RuntimeError:
        if not loop.is_closed():
            raise
        return False
    return True
