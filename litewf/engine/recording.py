"""What every durable call does with the file: find its record, write a new one, keep a promise.

Outcomes that the next commit may carry (`now`, the end of a sleep, a child's result) are buffered; they are durable
before the next body starts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from litewf.engine.carrying import carried
from litewf.engine.execution import Execution
from litewf.engine.requests import REPLAYED, Blocking, Flow, Flushed, Read, Wait
from litewf.engine.signals import Diverged, Undecodable
from litewf.errors import (
    EngineClosedError,
    SerializationError,
    StoreError,
    StoreFullError,
)
from litewf.serialization.exceptions import described
from litewf.store.checkpoints import Checkpoint, Promise, Promising, SettledRow, StepRow, flat, settle
from litewf.store.operations import Operation, Turn, Tx

R = TypeVar("R")
LOG = logging.getLogger("litewf")
AGAIN_US = 100_000  # between attempts to write what could not be written


def recorded(execution: Execution, number: str, name: str) -> StepRow | None:
    """What is recorded under a number; the name must be the one that the code calls now."""
    record = execution.records.get(number)
    if record is None:
        if f"{number}." in execution.last_recorded:
            inner = next(each for each in execution.records if each.startswith(f"{number}."))
            detail = f"step {inner} is recorded, but the code now calls {name!r} as step {number}"
            raise execution.stop_with(Diverged(detail, number, None, name))
        if execution.replaying:
            execution.caught_up(number, name)
    elif record.name != name:
        detail = f"step {number} is recorded as {record.name!r}, but the code now calls {name!r}"
        raise execution.stop_with(Diverged(detail, number, record.name, name))
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
    except Exception as refusal:  # noqa: BLE001 - a class that this program lacks, no value, or a key that is wrong
        reason = refusal if isinstance(refusal, SerializationError) else described(refusal)
        detail = f"step {number} ({name}) cannot be decoded: {reason}"
        raise execution.stop_with(Undecodable(detail, number)) from None
    raise carried(failure)


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
    LOG.warning("%s could not be written: %s", execution.label, error, extra=execution.log_fields())
    while isinstance(request, Operation) and (isinstance(error, StoreFullError) or isinstance(request, Checkpoint)):
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
    rows = yield from to_carry(execution)
    if rows and not (yield from carrying(execution, rows, Checkpoint(flat(rows)))):
        execution.end("lost")
    execution.check()


def to_carry(execution: Execution) -> Flow[Sequence[SettledRow]]:
    """What the commit that comes now has to carry: everything that is not in the file when this returns.

    Writing beside the commit of another branch that carries would not do: that one may fail, or be withdrawn.
    """
    known = execution.known
    while execution.unconfirmed:
        yield Flushed(execution)
        if execution.carried >= known:
            return ()  # what was buffered later is no concern of who asked before
    return execution.take_buffered()


def carrying(execution: Execution, rows: Sequence[SettledRow], operation: Operation) -> Flow[Any]:
    """Write an operation that carries these rows; only a lost workflow, or an error, means that it did not."""
    if not rows:
        return (yield from write(execution, operation))
    try:
        answer = yield from write(execution, operation)
    except BaseException:
        execution.give_back()
        raise
    execution.confirm()
    return answer


def settled_turn(
    execution: Execution, change: Callable[[Tx], R], committed: Callable[[], None] | None = None
) -> Flow[R]:
    """Write what is buffered together with a change of this execution.

    `committed` is called after the commit, even if the task that waited for it was cancelled meanwhile.
    """
    rows = yield from to_carry(execution)

    def turn(tx: Tx) -> R | None:
        if rows and not settle(tx, rows):
            return None
        return change(tx)

    operation = Turn(turn)
    try:
        result = yield from carrying(execution, rows, operation)
    finally:
        if committed is not None and operation.error is None and operation.result is not None:
            committed()
    if result is None:
        execution.end("lost")
    return result  # type: ignore[no-any-return]  # what `change` returned


def promised(execution: Execution, promises: Sequence[Promise]) -> Flow[None]:
    """Fix the deadlines of waits, the count of attempts or an intent."""
    rows = yield from to_carry(execution)
    if not (yield from carrying(execution, rows, Promising(execution.key, execution.fence, promises, rows))):
        execution.end("lost")


# --- values -------------------------------------------------------------------------------------------------------


def value(execution: Execution, number: str, name: str, make: Callable[[], object]) -> object:
    """A value that replay sees again; it is not a flow, because it never waits."""
    record = recorded(execution, number, name)
    if record is not None and record.output is not None:
        return opened(execution, number, name, record.output, None)
    text, copy = execution.runtime.serializer.encode(make())
    execution.buffer(row(execution, number, name, execution.now_us(), text))
    return copy


def as_promise(record: StepRow) -> Promise:
    """An unsettled step as it is to be written when the execution parks again."""
    return Promise(
        record.step, record.name, record.started_us, record.due_us, record.attempts, record.error, record.output,
    )  # fmt: skip
