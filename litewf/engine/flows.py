"""Durable operations, each written once as a flow: what is recorded, what is written, what is waited for.

Every flow begins with the record of its number, if there is one. Outcomes that the next commit may carry (`now`, the
end of a sleep, a child's result) are buffered; they are durable before the next body starts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NoReturn, TypeVar

from litewf.definitions import StepDefinition
from litewf.engine.execution import Execution, StepFrame
from litewf.engine.requests import REPLAYED, Blocking, Flow, Read, Wait
from litewf.engine.signals import Unwind
from litewf.errors import (
    EngineClosedError,
    SerializationError,
    StepRetriesExceededError,
    StepUncertainError,
    StoreError,
    StoreFullError,
    UnknownTypeError,
    UsageError,
)
from litewf.store.checkpoints import Checkpoint, Promise, Promising, SettledRow, StepRow, settle
from litewf.store.endings import Awaited
from litewf.store.operations import Operation, Turn, Tx

R = TypeVar("R")
LOG = logging.getLogger("litewf")
AGAIN_US = 100_000  # between attempts to write what could not be written
INTENT = '"intent"'  # the output of an unsettled step whose body may have begun


class NotDone:
    """What a probe of an uncertain step returns when the body has to run."""

    def __repr__(self) -> str:
        return "litewf.NOT_DONE"


NOT_DONE = NotDone()


# --- records ------------------------------------------------------------------------------------------------------


def recorded(execution: Execution, number: str, name: str) -> StepRow | None:
    """What is recorded under a number; the name must be the one that the code calls now."""
    record = execution.records.get(number)
    if record is None:
        if execution.replaying:
            execution.caught_up()
        if f"{number}.1" in execution.records:
            execution.end("held", f"step {number}.1 is recorded, but the code now calls {name!r} as step {number}")
    elif record.name != name:
        execution.end("held", f"step {number} is recorded as {record.name!r}, but the code now calls {name!r}")
    return record


def replay(execution: Execution, record: StepRow) -> Flow[Any]:
    """The outcome of a settled step."""
    yield REPLAYED
    execution.check()
    return opened(execution, record.step, record.name, record.output, record.error)


def opened(execution: Execution, number: str, name: str, output: str | None, error: str | None) -> object:
    """A recorded outcome as the workflow gets it: the value, or the error raised."""
    serializer = execution.runtime.serializer
    try:
        if error is None:
            return None if output is None else serializer.decode(output)
        failure = serializer.decode_error(error)
    except UnknownTypeError as unknown:
        execution.end("held", f"step {number} ({name}) cannot be decoded: {unknown}")
    raise failure


def row(
    execution: Execution, number: str, name: str, started_us: int, output: str | None, error: str | None = None
) -> SettledRow:
    """A settled step of this execution."""
    now_us = execution.now_us()
    return (execution.key, execution.fence, number, name, output, error, 1, started_us, now_us)


def write(execution: Execution, request: Operation | Blocking | Read | Wait) -> Flow[Any]:
    """Write or read something for this execution; a store that cannot ends it, without an outcome."""
    try:
        return (yield request)
    except (StoreError, EngineClosedError) as error:
        return (yield from write_again(execution, request, error))


def write_again(
    execution: Execution, request: Operation | Blocking | Read | Wait, error: StoreError | EngineClosedError
) -> Flow[Any]:
    """Keep what was to be written until it can be: a body that has run must not run again for want of room.

    Only where that is safe: nothing was written, or it is the record of a step, which may be written twice.
    """
    runtime = execution.runtime
    LOG.warning("%s could not be written: %s", execution.label, error)
    while isinstance(request, Operation) and (isinstance(error, StoreFullError) or type(request) is Checkpoint):
        try:
            yield Wait((), runtime.now_us() + AGAIN_US)
            request.error = request.mailbox = None
            return (yield request)
        except (StoreError, EngineClosedError) as again:
            error = again
            if runtime.closed:
                break
    execution.end("store", str(error))


def flush(execution: Execution) -> Flow[None]:
    """Make durable what is buffered, before a body starts."""
    rows = execution.take_buffered()
    if not (yield from write(execution, Checkpoint(rows))):
        execution.end("lost")
    execution.confirm(rows)
    execution.check()


def settled_turn(
    execution: Execution, change: Callable[[Tx], R], committed: Callable[[], None] | None = None
) -> Flow[R]:
    """Write what is buffered together with a change of this execution.

    `committed` is called after the commit, even if the task that waited for it was cancelled meanwhile.
    """
    rows = execution.take_buffered()

    def turn(tx: Tx) -> R | None:
        if rows and not settle(tx, rows):
            return None
        return change(tx)

    operation = Turn(turn)
    try:
        result = yield from write(execution, operation)
    finally:
        if committed is not None and operation.error is None and operation.result is not None:
            committed()
    if result is None:
        execution.end("lost")
    execution.confirm(rows)
    return result  # type: ignore[no-any-return]  # what `change` returned


def promised(execution: Execution, promises: Sequence[Promise]) -> Flow[None]:
    """Fix the deadlines of waits, the count of attempts or an intent."""

    rows = execution.take_buffered()
    if not (yield from write(execution, Promising(execution.key, execution.fence, promises, rows))):
        execution.end("lost")
    execution.confirm(rows)


# --- values -------------------------------------------------------------------------------------------------------


def value(execution: Execution, number: str, name: str, make: Callable[[], object]) -> object:
    """A value that replay sees again; it is not a flow, because it never waits."""
    record = recorded(execution, number, name)
    serializer = execution.runtime.serializer
    if record is not None and record.output is not None:
        return serializer.decode(record.output)
    text, copy = serializer.encode(make())
    execution.buffered.append(row(execution, number, name, execution.now_us(), text))
    return copy


# --- steps --------------------------------------------------------------------------------------------------------


def step(
    execution: Execution, number: str, definition: StepDefinition, args: Sequence[Any], kwargs: dict[str, Any]
) -> Flow[Any]:
    """Run a body unless its outcome is recorded; record the outcome."""
    record = recorded(execution, number, definition.name) if execution.records else None
    if record is not None and record.completed_us is not None:
        return (yield from replay(execution, record))
    if execution.buffered or execution.unconfirmed:
        yield from flush(execution)
    if not definition.once or record is not None:
        return (yield from Attempts(execution, number, definition, args, kwargs, record).run())
    frame = StepFrame(execution, number, definition, 1, args, kwargs)
    result: Any = None
    try:
        result = yield frame
        output, result = execution.runtime.serializer.encode(result)
        error, failure = None, None
    except Exception as raised:  # noqa: BLE001 - the outcome of user code
        output = None
        error, failure = execution.runtime.serializer.encode_error(raised)
    except BaseException as raised:  # noqa: BLE001 - the outcome of user code
        output = None
        error, failure = execution.runtime.serializer.encode_error(not_an_outcome(execution, frame, raised))
    checkpoint = settled_step(execution, frame, output, error, 1)
    try:
        kept = yield checkpoint  # not through write(): a frame less
    except (StoreError, EngineClosedError) as refusal:
        kept = yield from write_again(execution, checkpoint, refusal)
    if not kept:
        execution.end("lost")
    if execution.unconfirmed:
        execution.confirm(checkpoint.rows)
    if failure is not None:
        raise failure
    return result


def settled_step(
    execution: Execution, frame: StepFrame, output: str | None, error: str | None, attempts: int
) -> Checkpoint:
    """The record of a step, with what is buffered."""
    now_us = execution.now_us()
    settled = (
        execution.key, execution.fence, frame.number, frame.name, output, error, attempts, frame.started_us, now_us,
    )  # fmt: skip
    return Checkpoint((*execution.take_buffered(), settled) if execution.buffered else (settled,))


def settle_step(
    execution: Execution, frame: StepFrame, output: str | None, error: str | None, attempts: int
) -> Flow[None]:
    """Record the outcome of a step."""
    checkpoint = settled_step(execution, frame, output, error, attempts)
    if not (yield from write(execution, checkpoint)):
        execution.end("lost")
    execution.confirm(checkpoint.rows)


def not_an_outcome(execution: Execution, frame: StepFrame, raised: BaseException) -> BaseException:
    """A body that raised SystemExit and the like failed; the end of the execution itself passes through."""
    execution.check()
    if isinstance(raised, Unwind) or execution.runtime.loops.is_cancelling(raised):
        raise raised
    error = UsageError(
        f"step {frame.number} ({frame.name}) of {execution.label} raised {type(raised).__name__}, which is no"
        " outcome of a step; raise an Exception instead"
    )
    error.__cause__ = raised
    return error


class Attempts:
    """A step with retries, a timeout, or a body that must not run twice unasked."""

    def __init__(
        self,
        execution: Execution,
        number: str,
        definition: StepDefinition,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        record: StepRow | None,
    ) -> None:
        self.execution = execution
        self.number = number
        self.definition = definition
        self.args = args
        self.kwargs = kwargs
        self.serializer = execution.runtime.serializer
        self.started_us = execution.now_us() if record is None else record.started_us
        self.done = 0 if record is None else record.attempts
        self.due_us = None if record is None else record.due_us
        self.uncertain = record is not None and record.output == INTENT
        self.exhausted = False
        self.errors: list[BaseException] = []
        if record is not None and record.error is not None:
            texts = self.serializer.decode(record.error)
            assert isinstance(texts, list)
            self.errors = [self.serializer.decode_error_lenient(text) for text in texts]

    def run(self) -> Flow[Any]:
        """Attempt until it succeeds or may not be tried again."""
        while True:
            yield from self._wait_until_due()
            failure: BaseException
            try:
                result = yield from self._attempt()
            except Exception as raised:  # noqa: BLE001 - the outcome of user code
                failure = raised
            except BaseException as raised:  # noqa: BLE001 - the outcome of user code
                failure = not_an_outcome(self.execution, self._frame(), raised)
            else:
                return (yield from self._succeed(result))
            self.done += 1
            self.errors.append(failure)
            if not self._may_retry(failure):
                yield from self._fail(self._final(failure))
            self._schedule_retry()
            yield from promised(self.execution, [self._promise(INTENT if self.uncertain else None)])

    def _frame(self) -> StepFrame:
        return self._frame_of(self.definition)

    def _frame_of(self, definition: StepDefinition) -> StepFrame:
        frame = StepFrame(self.execution, self.number, definition, self.done + 1, self.args, self.kwargs)
        frame.started_us = self.started_us
        return frame

    def _attempt(self) -> Flow[Any]:
        if self.uncertain:
            result = yield from self._ask_what_happened()
            self.uncertain = False
            if result is not NOT_DONE:
                return result
        if self.definition.on_uncertain != "rerun":
            yield from promised(self.execution, [self._promise(INTENT)])
        self.execution.check()
        return (yield self._frame())

    def _ask_what_happened(self) -> Flow[Any]:
        probe = self.definition.on_uncertain
        if callable(probe):
            asking = replace(self.definition, fn=probe, is_async=self.execution.runtime.is_async(probe))
            return (yield self._frame_of(asking))
        if probe == "rerun":
            return NOT_DONE
        raise StepUncertainError(
            f"step {self.number} ({self.definition.name}) of {self.execution.label}: the process died inside the"
            " body, so it may have happened; find out, then fork or rewind the workflow from this step, or give"
            " on_uncertain a probe"
        )

    def _succeed(self, result: object) -> Flow[Any]:
        try:
            output, copy = self.serializer.encode(result)
        except SerializationError as refused:  # the body has done its work: it must not run again for this
            self.done += 1
            yield from self._fail(refused)
        yield from settle_step(self.execution, self._frame(), output, None, self.done + 1)
        return copy

    def _may_retry(self, failure: BaseException) -> bool:
        """Whether to try again; `exhausted` tells whether it is only for want of retries that not."""
        policy = self.definition.policy
        if not policy.max_retries or not isinstance(failure, Exception) or isinstance(failure, StepUncertainError):
            return False
        try:
            accepted = policy.accepts(failure)
        except Exception as broken:  # noqa: BLE001 - a predicate is user code
            broken.__cause__ = broken.__cause__ or failure
            self.errors[-1] = broken
            return False
        self.exhausted = accepted and self.done > policy.max_retries
        return accepted and not self.exhausted

    def _schedule_retry(self) -> None:
        runtime = self.execution.runtime
        delay_us = self.definition.policy.delay_us(self.done, runtime.world.entropy.random())
        self.due_us = runtime.now_us() + delay_us

    def _promise(self, output: str | None = None) -> Promise:
        encode_error = self.serializer.encode_error
        errors = self.serializer.encode([encode_error(error)[0] for error in self.errors])[0] if self.errors else None
        return Promise(self.number, self.definition.name, self.started_us, self.due_us, self.done, errors, output)

    def _wait_until_due(self) -> Flow[None]:
        if self.due_us is not None:
            yield from until(self.execution, self._promise(), self.due_us)
        self.due_us = None

    def _final(self, failure: BaseException) -> BaseException:
        """What the workflow gets when there is no further attempt."""
        if not self.exhausted:
            return self.errors[-1]
        exceeded = StepRetriesExceededError(
            f"step {self.number} ({self.definition.name}) of {self.execution.label} failed on each of its"
            f" {self.done} attempts; the last error was {type(failure).__name__}: {failure}",
            list(self.errors),
        )
        exceeded.__cause__ = failure
        return exceeded

    def _fail(self, failure: BaseException) -> Flow[NoReturn]:
        error, copy = self.serializer.encode_error(failure)
        yield from settle_step(self.execution, self._frame(), None, error, self.done)
        raise copy


# --- waits --------------------------------------------------------------------------------------------------------


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
    execution.buffered.append(row(execution, number, name, kept.started_us, None))


def as_promise(record: StepRow) -> Promise:
    """An unsettled step as it is to be written when the execution parks again."""
    return Promise(
        record.step, record.name, record.started_us, record.due_us, record.attempts, record.error, record.output,
    )  # fmt: skip
