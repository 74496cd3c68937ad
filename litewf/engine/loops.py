"""Event loops: the engine's own, private or the caller's, and the mailboxes of all loops that wait for something.

Tasks that a workflow starts are numbered when they are created; a task factory sees to that. The engine keeps a
reference to every one of its tasks: asyncio itself keeps only weak ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Collection
from contextvars import copy_context
from typing import Any

from litewf.engine.calls import DurableCall
from litewf.engine.execution import FRAME, Branch
from litewf.engine.mail import LoopMailbox, post
from litewf.errors import EngineClosedError

LOG = logging.getLogger("litewf")
EXITS = (SystemExit, KeyboardInterrupt)  # which asyncio raises out of the loop when a task raises them
CYCLES = 10  # in which what a loop had to do is done, with what comes of it


class Loops:
    """The event loops that an engine has to do with."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mailboxes: dict[asyncio.AbstractEventLoop, LoopMailbox] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._replaced: Any = None
        self._closed = False
        self.gone = False  # whether the caller's loop was found closed: async workflows are for other engines then
        self._came_around = True  # what was left with the loop when it was asked before has run

    def mailbox(self) -> LoopMailbox:
        """The mailbox of the loop that runs in this thread."""
        loop = asyncio.get_running_loop()
        found = self._mailboxes.get(loop) or self._add(loop)
        found.thread = threading.get_ident()
        return found

    def engine_mailbox(self) -> LoopMailbox:
        """The mailbox of the loop that runs async workflows; a private loop is started when there is none."""
        with self._lock:
            if self._closed:  # a body that ends late must not start another loop
                raise EngineClosedError("the engine was shut down; launch it again")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._run, args=(self._loop,), name="litewf-loop", daemon=True)
                self._thread.start()
            loop = self._loop
        found = self._mailboxes.get(loop)
        return self._add(loop) if found is None else found

    def adopt(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run async workflows on the caller's loop."""
        self._loop = loop
        self._replaced = loop.get_task_factory()
        loop.set_task_factory(task_factory(self._replaced))

    @property
    def idle(self) -> bool:
        """Whether the loop waits for something to come.

        asyncio keeps what is to run in a private attribute. A loop without, such as uvloop's, is idle as far as one can
        tell if it has come around a few times since it was asked before.
        """
        loop = self._loop
        if loop is None or loop.is_closed():
            return True
        if (ready := to_run(loop)) is not None:
            return not ready
        came_around, self._came_around = self._came_around, False
        if came_around:
            self.run_soon(self._come_around, loop, CYCLES)
        return came_around

    def _come_around(self, loop: asyncio.AbstractEventLoop, cycles: int) -> None:
        if cycles:
            loop.call_soon(self._come_around, loop, cycles - 1)
        else:
            self._came_around = True

    def run_soon(self, fn: Callable[..., object], *args: object) -> bool:
        """Call a function on the engine's loop; whether it will run, as the loop may have ended."""
        try:
            if post(self.engine_mailbox().loop, fn, *args):
                return True
        except EngineClosedError:
            return False
        if not (self._closed or self.gone):
            self.gone = True
            LOG.warning("the event loop that async workflows ran on was closed, so they wait for another engine; await"
                        " engine.shutdown_async() before the loop ends, or use `async with engine:`")  # fmt: skip
        return False

    def current_task(self) -> asyncio.Task[Any] | None:
        return asyncio.current_task()

    def is_cancelling(self, raised: BaseException) -> bool:
        """Whether this is the cancellation of the current task, rather than something that user code raised."""
        if not isinstance(raised, asyncio.CancelledError | GeneratorExit):
            return False
        try:
            task = asyncio.current_task()
        except RuntimeError:
            return False
        if isinstance(raised, GeneratorExit):
            return task is None  # a coroutine is being closed, by none of the tasks
        return task is not None and task.cancelling() > 0

    def close(self, timeout_s: float) -> None:
        """Stop the private loop, or give the caller's loop back its task factory."""
        with self._lock:
            self._closed = True
            loop, thread = self._loop, self._thread
        if loop is None:
            return
        if thread is None:
            if not loop.is_closed():
                loop.set_task_factory(self._replaced)
        elif thread is not threading.current_thread():
            post(loop, loop.stop)
            thread.join(timeout_s)
        self._loop = self._thread = None
        self._mailboxes.clear()

    def _add(self, loop: asyncio.AbstractEventLoop) -> LoopMailbox:
        with self._lock:
            for known in [known for known in self._mailboxes if known.is_closed()]:
                del self._mailboxes[known]
            return self._mailboxes.setdefault(loop, LoopMailbox(loop))

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        """The thread of a private loop: one task that raises SystemExit must not end all others."""
        asyncio.set_event_loop(loop)
        loop.set_task_factory(task_factory(None))
        while not self._closed:
            with contextlib.suppress(*EXITS):  # whoever awaits the task gets it
                loop.run_forever()
        ending = loop.create_task(_end_tasks(loop))
        while not ending.done():
            with contextlib.suppress(*EXITS):
                loop.run_until_complete(ending)
        loop.close()


async def _end_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what is left and wait for its end: a body that goes on all the same keeps its loop, not its engine."""
    tasks = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    await loop.shutdown_asyncgens()


def task_factory(inner: Any) -> Callable[..., asyncio.Task[Any]]:
    """A factory that numbers the tasks which a workflow starts."""

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        context = options.get("context")
        frame = FRAME.get() if context is None else context.get(FRAME)
        if type(frame) is not Branch:
            return _make(inner, loop, coro, options)
        branch = None
        if not isinstance(coro, DurableCall):
            branch = frame.fork()
            context = copy_context() if context is None else context.copy()
            context.run(FRAME.set, branch)
            options = {**options, "context": context}
        task = _make(inner, loop, coro, options)
        if branch is not None:
            branch.owner = task
        frame.execution.adopt(task, branch)
        return task

    return factory


def _make(inner: Any, loop: asyncio.AbstractEventLoop, coro: Any, options: dict[str, Any]) -> asyncio.Task[Any]:
    if inner is not None:
        task: asyncio.Task[Any] = inner(loop, coro, **options)
        return task
    return asyncio.Task(coro, loop=loop, **options)


def to_run(loop: asyncio.AbstractEventLoop) -> Collection[object] | None:
    """What the loop will run in its next cycle; None if it does not show that."""
    return getattr(loop, "_ready", None)
