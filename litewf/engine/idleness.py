"""Whether an engine has come to rest: nothing more happens before the next due time or a call from outside.

Asked by the dispatcher's clock, so that virtual time jumps only when everything that can happen now has happened.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from litewf.engine import firing
from litewf.engine.execution import Execution

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime


class Idleness:
    """An engine as its clock sees it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @property
    def closed(self) -> bool:
        """Whether nothing happens here any more."""
        return self._runtime.closed or self._runtime.dispatcher.is_stopping

    @property
    def activity(self) -> int:
        """Transactions and pieces of threads' work so far: as many at two looks means that nothing was done between."""
        runtime = self._runtime
        return runtime.groups + runtime.pool.done + runtime.reading.done

    def is_idle(self, *, despite_bodies: bool = False) -> bool:
        """Whether nobody commits, no thread works, and every execution in memory waits.

        An async body that waits for something which is not the engine's, as for a socket, keeps it busy unless
        `despite_bodies`.
        """
        runtime = self._runtime
        if not runtime.store.writer.idle:
            return False
        in_threads = 0
        for execution in runtime.executions():
            if not execution.definition.is_async:
                in_threads += 1
                if not _asleep(execution):
                    return False
            elif not _suspended(execution, despite_bodies=despite_bodies):
                return False
        return (
            runtime.pool.at_work == in_threads
            and not runtime.reading.at_work
            and runtime.loops.idle
            and runtime.store.writer.idle
        )

    def is_awaited(self) -> bool:
        """Whether somebody who is no workflow waits for something here."""
        return self._runtime.waiting.is_awaited

    def next_due_us(self) -> int | None:
        """When the next thing is due, asked of the file: what the dispatcher remembers may have come to nothing."""
        runtime = self._runtime
        times = [runtime.alarms.next_us()]
        if runtime.settings.serves:
            times.append(firing.next_due_us(runtime))
        return min((time_us for time_us in times if time_us is not None), default=None)

    def poke(self) -> None:
        self._runtime.dispatcher.poke()

    def labels(self) -> list[str]:
        return self._runtime.labels()


def _asleep(execution: Execution) -> bool:
    waits = list(execution.waits)
    return bool(waits) and all(wait.asleep and wait.waiter.empty() for wait in waits)  # type: ignore[attr-defined]  # a SimpleQueue


def _suspended(execution: Execution, *, despite_bodies: bool) -> bool:
    if any(is_runnable(task) for task in (execution.task, *execution.branches)):
        return False
    return despite_bodies or (bool(execution.waits) and not execution.busy)


def is_runnable(task: asyncio.Task[Any] | None) -> bool:
    """Whether a task will run in the next cycle; asyncio keeps what it waits for in a private attribute."""
    if task is None:
        return True  # about to be created
    waiter = getattr(task, "_fut_waiter", None)
    return not task.done() and (waiter is None or waiter.done())
