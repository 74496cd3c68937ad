"""Writing an execution down so that it can leave memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litewf.store.endings import Park

if TYPE_CHECKING:
    from litewf.engine.execution import Execution


def parking(execution: Execution, now_us: int) -> Park:
    """Park an execution with everything that it waits for now."""
    waits = [awaited for wait in execution.waits for awaited in wait.awaited]
    looks = [wait.look for wait in execution.waits if wait.look is not None]
    return Park(execution.key, execution.fence, now_us, execution.unwritten, waits, looks)


def parked(execution: Execution, answer: object) -> None:
    """End an execution that has left memory, or that lost its workflow before it could."""
    if answer is not False:
        execution.end("lost" if answer is None else "parked")
