"""A launch for a task: what is built in another thread meanwhile is taken, or ended if the task was cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime


class Building:
    """A runtime on its way from the thread that builds it to the task that wants it."""

    def __init__(self, build: Callable[[], Runtime]) -> None:
        self._build = build
        self._lock = threading.Lock()
        self._built: Runtime | None = None
        self._wanted = True

    async def taken(self) -> Runtime:
        """Build it without blocking the loop. A thread cannot be stopped, and a cancelled task does not wait for it."""
        try:
            return await asyncio.to_thread(self._run)
        except asyncio.CancelledError:
            asyncio.get_running_loop().run_in_executor(None, self._decline)
            raise

    def _run(self) -> Runtime:
        built = self._build()
        with self._lock:
            self._built = built
            if self._wanted:
                return built
        built.shutdown(0)
        return built

    def _decline(self) -> None:
        with self._lock:
            self._wanted = False
            built = self._built
        if built is not None:
            built.shutdown(0)
