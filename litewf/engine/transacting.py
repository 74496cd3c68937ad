"""`@transaction`: the SQL of a function commits together with the record of its outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from litewf.definitions import StepDefinition, TransactionDefinition
from litewf.engine.carrying import carried, uncarried
from litewf.engine.execution import FRAME, Execution, TransactionFrame
from litewf.engine.failures import as_failure, say_whose_result
from litewf.engine.recording import flush, recorded, replay, write
from litewf.engine.requests import Blocking, Flow
from litewf.engine.steps import settle_step
from litewf.store.checkpoints import settle
from litewf.store.operations import Tx
from litewf.store.transactions import Connection, Lost


def transaction(
    execution: Execution, number: str, definition: TransactionDefinition, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Flow[Any]:
    """Run a function with a connection of its own; its effect and its record are one commit, and happen once."""
    record = recorded(execution, number, definition.name)
    if record is not None and record.completed_us is not None:
        return (yield from replay(execution, record))
    if execution.buffered or execution.unconfirmed:
        yield from flush(execution)
    runtime = execution.runtime
    fn = definition.fn if runtime.watch is None else runtime.watch.body(definition.fn, is_async=False)
    as_step = StepDefinition(definition.name, definition.module, fn, is_async=False)
    frame = TransactionFrame(execution, number, as_step, 1, args, kwargs)

    def body(connection: Connection) -> tuple[str, object]:
        token = FRAME.set(frame)
        try:
            result = frame.body(connection, *args, **kwargs)
        finally:
            FRAME.reset(token)
        try:
            return runtime.serializer.encode(result)
        except Exception as refusal:
            say_whose_result(refusal, frame)
            raise

    def seal(tx: Tx, result: tuple[str, object]) -> bool:
        now_us = execution.now_us()
        row = (execution.key, execution.fence, number, frame.name, result[0], None, 1, frame.started_us, now_us)
        return settle(tx, [row])

    label = f"step {number} ({definition.name}) of {execution.label}"
    log_fields = execution.log_fields(number, 1)

    def run() -> tuple[str, object]:
        return runtime.store.transactions.run(body, seal, label, log_fields)

    try:
        _, copy = yield from write_blocking(execution, run)
    except Lost:
        execution.end("lost")
    except BaseException as raised:  # noqa: BLE001 - the outcome of user code, whose SQL is undone
        execution.check()
        error, failure = as_failure(execution, frame, uncarried(raised))
    else:
        return copy
    yield from settle_step(execution, frame, None, error, 1)
    raise carried(failure)  # not `from None`, which would take its cause away


def write_blocking(execution: Execution, run: Any) -> Flow[Any]:
    """Run a transaction where it may block; a store that cannot write ends the execution."""
    return (yield from write(execution, Blocking(run)))
