"""Steps where nothing is recorded or buffered and the body is tried once: the hottest path, without a flow.

Each function does for its world what a driver does with `steps.step`; in all other cases it leaves the call to those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from litewf.definitions import StepDefinition
from litewf.engine.calls import AWAITED, DurableCall, FlowCall
from litewf.engine.drivers import Suspended, drive, drive_async, until_known
from litewf.engine.execution import FRAME, NO_STREAMS, Execution, StepFrame
from litewf.engine.failures import as_failure, say_whose_result
from litewf.engine.mail import AwaitedCheckpoint
from litewf.engine.recording import write_again
from litewf.engine.requests import in_order
from litewf.engine.steps import settle_streamed, settled_values, step
from litewf.errors import EngineClosedError, StoreError
from litewf.store.checkpoints import Checkpoint


def step_in_thread(
    execution: Execution, number: str, definition: StepDefinition, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """A step of a sync workflow, with a sync body."""
    runtime = execution.runtime
    if not definition.once or not execution.is_plain():
        return drive(runtime, step(execution, number, definition, args, kwargs), inline=True)
    output: str | None
    error: str | None
    failure: BaseException | None
    frame = StepFrame(execution, number, definition, 1, args, kwargs)
    try:
        token = FRAME.set(frame)
        try:
            result = (definition.fn if runtime.around is None else runtime.around(definition))(*args, **kwargs)
        finally:
            FRAME.reset(token)
        try:
            output, result = runtime.serializer.encode(result)
        except Exception as unfit:
            say_whose_result(unfit, frame)
            raise
        error = failure = None
    except BaseException as raised:  # noqa: BLE001 - the outcome of user code
        output = result = None
        error, failure = as_failure(execution, frame, raised)
    checkpoint = Checkpoint(settled_values(execution, frame, output, error, 1))
    if frame.streams:
        drive(runtime, settle_streamed(execution, frame, checkpoint), inline=True)
        return _concluded(execution, checkpoint, result, failure)
    try:
        runtime.store.writer.commit(checkpoint, inline=True)
    except (StoreError, EngineClosedError) as refusal:
        drive(runtime, write_again(execution, checkpoint, refusal), inline=True)
    return _concluded(execution, checkpoint, result, failure)


class StepCall(StepFrame, DurableCall[Any]):
    """A step of an async workflow, with an async body: the call, and while the body runs, its frame."""

    __slots__ = ("_driver", "_gone")

    def __init__(
        self,
        execution: Execution,
        number: str,
        definition: StepDefinition,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> None:
        # What its base does, but for the time: the body begins when the call is awaited.
        self.execution = execution
        self.number = number
        self.definition = definition
        self.attempt = 1
        self.args = args
        self.kwargs = kwargs
        self.streams = NO_STREAMS
        self._driver = None
        self._gone = None

    def __await__(self) -> Suspended[Any]:  # noqa: C901, PLR0915 - the hot path: a frame more would cost each step
        if self._gone is not None:
            self.take()  # raises, and says why
        self._gone = AWAITED
        execution, definition = self.execution, self.definition
        runtime = execution.runtime
        if not definition.once or not execution.is_plain():
            flow = step(execution, self.number, definition, self.args, self.kwargs)
            flow = in_order(execution, self.number, flow)
            del self
            return (yield from drive_async(runtime, flow, execution))
        output: str | None
        error: str | None
        failure: BaseException | None
        execution.busy += 1
        try:
            self.started_us = execution.now_us()
            try:
                token = FRAME.set(self)
                try:
                    # not a name for it: what a suspended step holds, the garbage collector visits
                    result = yield from (definition.fn if runtime.around is None else runtime.around(definition))(
                        *self.args, **self.kwargs
                    ).__await__()
                finally:
                    FRAME.reset(token)
                    del token  # as above
                try:
                    output, result = runtime.serializer.encode(result)
                except Exception as unfit:
                    say_whose_result(unfit, self)
                    raise
                error = failure = None
            except BaseException as raised:  # noqa: BLE001 - the outcome of user code
                output = result = None
                error, failure = as_failure(execution, self, raised)
            mailbox = execution.mailbox
            assert mailbox is not None, "it runs on a loop"
            checkpoint = AwaitedCheckpoint(mailbox, settled_values(execution, self, output, error, 1))
            if self.streams:
                yield from drive_async(runtime, settle_streamed(execution, self, checkpoint))
                return _concluded(execution, checkpoint, result, failure)
            del self, definition  # as above
            runtime.submit(checkpoint)
            try:
                yield checkpoint
            except mailbox.Cancelled:
                yield from until_known(runtime, checkpoint, mailbox)
            refusal = checkpoint.error
            if refusal is not None:
                if not isinstance(refusal, StoreError | EngineClosedError):
                    raise refusal
                yield from drive_async(runtime, write_again(execution, checkpoint, refusal))
            if failure is None and checkpoint.result:
                return result  # without another call
            return _concluded(execution, checkpoint, result, failure)
        finally:
            execution.busy -= 1
            if not execution.busy and (execution.waits or execution.over is not None):
                execution.left_calls()


def flow_in_thread(
    execution: Execution, number: str, definition: StepDefinition, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """Any step of a sync workflow, as its flow says."""
    return execution.runtime.drive(step(execution, number, definition, args, kwargs), inline=True)


def flow_call(
    execution: Execution, number: str, definition: StepDefinition, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> DurableCall[Any]:
    """Any step of an async workflow, as its flow says."""
    return FlowCall(execution, number, step(execution, number, definition, args, kwargs))


def _concluded(execution: Execution, checkpoint: Checkpoint, result: Any, failure: BaseException | None) -> Any:
    """What the workflow gets once the record is durable."""
    if not checkpoint.result:
        execution.end("lost")
    if failure is not None:
        raise failure
    return result
