"""Writing an execution down so that it can leave memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from litewf.store.endings import Parking, park

if TYPE_CHECKING:
    from litewf.engine.execution import Execution
    from litewf.store.operations import Tx


def parking_turn(execution: Execution, now_us: int) -> Callable[[Tx], bool | None]:
    """The change that parks an execution with everything it waits for now."""
    waits = [awaited for wait in execution.waits for awaited in wait.awaited]
    parking = Parking(execution.key, execution.fence, now_us, tuple(execution.buffered), waits)
    return lambda tx: park(tx, parking)


def parked(execution: Execution, answer: bool | None) -> None:
    """End an execution that has left memory, or that lost its workflow before it could."""
    if answer is not False:
        execution.end("lost" if answer is None else "parked")
