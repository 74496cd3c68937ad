"""Whether an engine has come to rest: nothing more happens before the next due time or a call from outside.

Asked by the dispatcher's clock, so that virtual time jumps only when everything that can happen now has happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from litewf.engine.execution import Execution

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime


def is_idle(runtime: Runtime, executions: Collection[Execution]) -> bool:
    """Whether nobody commits, no thread works, and every execution in memory waits."""
    if not runtime.store.writer.idle:
        return False
    in_threads = 0
    for execution in executions:
        if not execution.definition.is_async:
            in_threads += 1
            if not _asleep(execution):
                return False
        elif any(is_runnable(task) for task in (execution.task, *execution.branches)):
            return False
    return (
        runtime.pool.at_work == in_threads
        and not runtime.reading.at_work
        and runtime.loops.idle
        and runtime.store.writer.idle
    )


def _asleep(execution: Execution) -> bool:
    waits = list(execution.waits)
    return bool(waits) and all(wait.asleep and wait.waiter.empty() for wait in waits)  # type: ignore[attr-defined]  # a SimpleQueue


def is_runnable(task: asyncio.Task[Any] | None) -> bool:
    """Whether a task will run in the next cycle; asyncio keeps what it waits for in a private attribute."""
    if task is None:
        return True  # about to be created
    waiter = getattr(task, "_fut_waiter", None)
    return not task.done() and (waiter is None or waiter.done())
