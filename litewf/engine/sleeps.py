"""Waiting for a time, and for nothing else."""

from __future__ import annotations

from collections.abc import Callable

from litewf.engine.execution import Execution
from litewf.engine.recording import as_promise, promised, recorded, replay, row, write
from litewf.engine.requests import Flow, Wait
from litewf.store.checkpoints import Promise
from litewf.store.waits import Awaited


def until(execution: Execution, kept: Promise, due_us: int) -> Flow[None]:
    """Wait until a time that is written in the file already."""
    while execution.runtime.now_us() < due_us:
        yield from write(execution, Wait((), due_us, None, execution, (Awaited(kept.step, kept.name, None, due_us),)))
        execution.check()


def sleep(execution: Execution, number: str, due: Callable[[int], int]) -> Flow[None]:
    """Sleep; the absolute wake time is stored first, so a restart does not lengthen it."""
    name = "litewf.sleep"
    record = recorded(execution, number, name)
    if record is not None and record.completed_us is not None:
        yield from replay(execution, record)
        return
    now_us = execution.runtime.now_us()
    kept = Promise(number, name, execution.now_us(), due(now_us)) if record is None else as_promise(record)
    assert kept.due_us is not None
    if record is None and kept.due_us > now_us:
        yield from promised(execution, [kept])
        execution.check()
    yield from until(execution, kept, kept.due_us)
    execution.buffer(row(execution, number, name, kept.started_us, None))
