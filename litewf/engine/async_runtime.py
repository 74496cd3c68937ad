"""What an `AsyncClient` runs on: a client's runtime with the file open through aiosqlite and no thread of its own.

The flows, their driver and the waits are those of every other runtime. Only who answers a read, and what looks for
commits of others, is different: both belong to the caller's event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, TypeVar, cast

from litewf.engine.dispatcher import Dispatcher
from litewf.engine.loops import Loops
from litewf.engine.mail import LoopMailbox
from litewf.engine.pool import Pool
from litewf.engine.requests import Wait
from litewf.engine.runtime import NO_EXECUTOR, Runtime, Settings
from litewf.engine.waiting import Waiting
from litewf.errors import EngineClosedError, UsageError
from litewf.store import arrivals
from litewf.store.async_store import AsyncStore
from litewf.store.claims import Capability

R = TypeVar("R")


class AsyncRuntime(Runtime):
    """The runtime of one AsyncClient, on the loop that it was opened in."""

    def __init__(self, settings: Settings, store: AsyncStore, seen: arrivals.Seen) -> None:
        self._opened = store
        self.loop = asyncio.get_running_loop()
        super().__init__(settings, store, LoopDispatcher)
        store.on_commit = self._after_commit
        self._seen = seen
        self.loops = OneLoop(Threads(store, self.reading))
        self.waiting = LoopWaiting(self)
        self._closing: asyncio.Task[None] | None = None
        self._guard = self._until_the_loop_ends()
        _open.add(self)  # collected as garbage it would close its connections in any order

    @classmethod
    async def open(cls, settings: Settings) -> AsyncRuntime:
        """Open the file."""
        store = AsyncStore(settings.path, settings.durability, settings.world)
        await store.open()
        try:
            runtime = cls(settings, store, await store.watch(lambda: store.read(arrivals.newest)))
        except BaseException:
            await store.close_async()
            raise
        await anext(runtime._guard)
        return runtime

    def _register(self) -> Capability:
        return Capability(NO_EXECUTOR, (), self.version, False)

    def raise_if_foreign(self) -> None:
        """Refuse another event loop: aiosqlite's answers come to the one that it was opened in."""
        if asyncio.get_running_loop() is not self.loop:
            raise UsageError(
                f"the AsyncClient on {self.settings.path} was opened in another event loop; create one in each loop"
            )

    # --- ending -----------------------------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Write what is queued and close the file; callers that wait get EngineClosedError."""
        if self._closing is None:
            self._closing = self.loop.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        self.closed = True
        self.waiting.wake_outside()
        self.dispatcher.stop(0)
        try:
            await self._opened.close_async()
        finally:
            _open.discard(self)
        await self._guard.aclose()

    async def _until_the_loop_ends(self) -> AsyncGenerator[None]:
        """Close what was forgotten: `asyncio.run` ends such generators, and aiosqlite's threads would outlive it."""
        try:
            yield
        finally:
            if self._closing is None:
                await self._end_with_the_loop()

    async def _end_with_the_loop(self) -> None:
        self._closing = self.loop.create_task(self._opened.close_async())
        self.closed = True
        self.closed_because = EngineClosedError(f"the AsyncClient on {self.settings.path} was closed with its loop")
        try:
            await self._closing
        finally:
            _open.discard(self)


_open: set[AsyncRuntime] = set()


class Threads(LoopMailbox):
    """The way from the loop to aiosqlite's threads and back; what may block, a user's transaction, writes."""

    def __init__(self, store: AsyncStore, reading: Pool) -> None:
        super().__init__(asyncio.get_running_loop())
        self._store = store
        self._reading = reading

    def in_thread(self, pool: Pool, fn: Callable[[], R]) -> Generator[Any, Any, R]:
        """Run a function on the thread of a connection; a task cancelled meanwhile leaves it to end by itself."""
        run = self._store.ask if pool is self._reading else self._store.write
        return run(fn).__await__()


class OneLoop(Loops):
    """The loop that an AsyncClient belongs to."""

    def __init__(self, mailbox: LoopMailbox) -> None:
        super().__init__()
        self._mailbox = mailbox

    def mailbox(self) -> LoopMailbox:
        """The mailbox of the loop that runs in this thread."""
        return self._mailbox


class LoopWaiting(Waiting):
    """The waits of an AsyncClient: while there are any, somebody looks whether others have committed."""

    def __init__(self, runtime: AsyncRuntime) -> None:
        super().__init__(runtime)
        self._watcher = cast("LoopDispatcher", runtime.dispatcher)

    def begin(self, wait: Wait) -> int:
        """Register a wait."""
        until_us = super().begin(wait)
        self._watcher.watch()
        return until_us

    @property
    def nobody(self) -> bool:
        """Whether there is nothing to look for."""
        return not self._outside


class LoopDispatcher(Dispatcher):
    """A dispatcher that is a task of the caller's loop, and only while somebody waits."""

    def __init__(self, runtime: AsyncRuntime) -> None:
        super().__init__(runtime)
        self._async = runtime
        self._task: asyncio.Task[None] | None = None
        self._bell = asyncio.Event()

    def watch(self) -> None:
        """Somebody waits: look for them until nobody does."""
        if self._task is None:
            self._task = self._async.loop.create_task(self._look_out())

    def poke(self) -> None:
        """Come back at once."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._async.loop.call_soon_threadsafe(self._bell.set)

    def stop(self, timeout_s: float) -> None:  # noqa: ARG002 - a thread would take its time
        """Look no more."""
        self._stopping = True
        self.poke()

    async def _look_out(self) -> None:
        waiting = cast("LoopWaiting", self._async.waiting)
        try:
            while not (waiting.nobody or self._stopping or self._async.closed):
                until_us = await self._async._opened.watch(self._attempt)  # noqa: SLF001 - two halves of one thing
                pause_s = self._pause_s()
                if until_us is not None:
                    pause_s = min(pause_s, max(until_us - self._async.now_us(), 0) / 1_000_000)
                self._bell.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._bell.wait(), pause_s)
        finally:
            self._task = None
