"""Steps in the task of an async workflow: the hottest path, so it is one generator.

`step_in_task` does what `drive_async` does with `steps.step` when nothing is recorded or buffered and the body is tried
once. In all other cases it leaves the call to these two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litewf.definitions import StepDefinition
from litewf.engine.drivers import Suspended, drive_async, until_known
from litewf.engine.execution import FRAME, Execution, StepFrame
from litewf.engine.mail import AwaitedCheckpoint
from litewf.engine.recording import write_again
from litewf.engine.steps import as_failure, step
from litewf.errors import EngineClosedError, StoreError
from litewf.store.checkpoints import flat
from litewf.store.wide import Value


def step_in_task(
    execution: Execution, number: str, definition: StepDefinition, args: Sequence[Any], kwargs: dict[str, Any]
) -> Suspended[Any]:
    """Run the body in this task unless its outcome is recorded; record the outcome."""
    if not definition.plain or not execution.is_plain():
        flow = step(execution, number, definition, args, kwargs)
        return (yield from drive_async(execution.runtime, flow, execution))
    output: str | None
    error: str | None
    failure: BaseException | None
    execution.busy += 1
    try:
        frame = StepFrame(execution, number, definition, 1, args, kwargs)
        token = FRAME.set(frame)
        try:
            try:
                result = yield from definition.fn(*args, **kwargs).__await__()
            finally:
                FRAME.reset(token)
                del token  # what a suspended step holds, the garbage collector visits
            output, result = execution.runtime.serializer.encode(result)
            error = failure = None
        except BaseException as raised:  # noqa: BLE001 - the outcome of user code
            output = result = None
            error, failure = as_failure(execution, frame, raised)
        mailbox = execution.mailbox
        values: tuple[Value, ...] = (
            execution.key, execution.fence, number, definition.name, output, error, 1, frame.started_us,
            execution.now_us(),
        )  # fmt: skip
        if execution.buffered:  # by other tasks, while the body ran
            values = (*flat(execution.take_buffered()), *values)
        checkpoint = AwaitedCheckpoint(mailbox, values)
        del frame  # as above
        execution.runtime.submit(checkpoint)
        try:
            yield checkpoint
        except mailbox.Cancelled:
            yield from until_known(execution.runtime, checkpoint, mailbox)
        if isinstance(checkpoint.error, StoreError | EngineClosedError):
            again = write_again(execution, checkpoint, checkpoint.error)
            yield from drive_async(execution.runtime, again)
        elif checkpoint.error is not None:
            raise checkpoint.error
        if not checkpoint.result:
            execution.end("lost")
        if execution.unconfirmed:
            execution.confirm(checkpoint.rows)
        if failure is not None:
            raise failure
        return result
    finally:
        execution.busy -= 1
        if not execution.busy and (execution.waits or execution.over is not None):
            execution.left_calls()
