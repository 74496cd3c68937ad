"""Gives workflows back that the file says are here although no execution in memory runs them.

An execution whose last write failed leaves such a workflow, and so does a commit that came true although it raised. The
dispatcher comes here now and then; until the file can be written, everything is kept.
"""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from litewf.errors import LitewfError
from litewf.store import endings, reading

if TYPE_CHECKING:
    from litewf.engine.execution import Execution
    from litewf.engine.runtime import Runtime


class GivingBack:
    """What this engine holds in the file, but not in memory."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._waiting: list[tuple[int, int]] = []  # key and fence
        self._disowned: set[tuple[int, int]] = set()  # given back before their starter came to run them
        self._lock = threading.Lock()
        self._agreed = 0  # how often the file had been opened again when memory last agreed with it

    def keep(self, key: int, fence: int) -> None:
        """Give a workflow back as soon as the file can be written."""
        self._waiting.append((key, fence))

    def admit(self, executions: "Sequence[Execution]", active: "dict[int, Execution]") -> "Sequence[Execution]":
        """Add executions to those in memory, but not those whose workflows were given back meanwhile."""
        with self._lock:
            if self._disowned:
                executions = [one for one in executions if (one.key, one.fence) not in self._disowned]
            active.update((one.key, one) for one in executions)
            return executions

    def refuse(self, executions: "Sequence[Execution]") -> None:
        """Give back what cannot run here after all."""
        for execution in executions:
            self.keep(execution.key, execution.fence)
            self._runtime.ended(execution)

    def run_once(self) -> None:
        """Give back what waits for it."""
        if self._agreed != self._runtime.store.writer.reopened:
            self._reconcile()
        waiting, self._waiting = self._waiting, []
        for at, (key, fence) in enumerate(waiting):
            executor, now_us = self._runtime.able.executor, self._runtime.now_us()
            try:
                self._runtime.store.writer.turn(lambda tx: endings.release(tx, key, fence, executor, now_us))  # noqa: B023 - run before the next round
            except LitewfError:
                self._waiting += waiting[at:]
                return

    def _reconcile(self) -> None:
        """After commits of unknown outcome: find what the file says is here and memory does not know."""
        runtime = self._runtime
        reopened, agreed = runtime.store.writer.reopened, True
        executor = runtime.able.executor
        for key, fence in runtime.store.read(lambda connection: reading.owned_by(connection, executor)):
            with self._lock:
                execution = runtime.in_memory(key)
                if execution is None:
                    self._disowned.add((key, fence))
                    self._waiting.append((key, fence))
                elif execution.fence != fence:
                    agreed = False  # it is about to end: look again then
        if agreed:
            self._agreed = reopened
