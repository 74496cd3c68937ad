"""Changes that a workflow makes: the effect and the record of it commit together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litewf.engine.execution import Execution
from litewf.engine.recording import opened, recorded, replay, row, settled_turn, write
from litewf.engine.requests import Flow, Read
from litewf.errors import LitewfError, UnknownTypeError
from litewf.store.checkpoints import settle
from litewf.store.endings import owned
from litewf.store.operations import Tx


def durable(
    execution: Execution,
    number: str,
    name: str,
    change: Callable[[Tx], object],
    *,
    child: str | None = None,
    committed: Callable[[], None] | None = None,
) -> Flow[Any]:
    """Apply a change once, however often the workflow is replayed; a refusal is recorded as its outcome."""
    record = recorded(execution, number, name)
    if record is not None and record.completed_us is not None:
        return (yield from replay(execution, record))
    serializer, started_us = execution.runtime.serializer, execution.now_us()

    def turn(tx: Tx) -> Any:
        if not owned(tx, execution.key, execution.fence):
            return None
        output, error, made = None, None, None
        before = tx.connection.total_changes()
        try:
            made = change(tx)
            output = serializer.encode(made)[0]
        except LitewfError as refusal:
            if tx.connection.total_changes() != before:
                raise
            error = serializer.encode_error(refusal)[0]
        is_new = child is not None and made == child and tx.connection.total_changes() != before
        settle(tx, [row(execution, number, name, started_us, output, error)])
        if is_new:  # else it attached to what was there
            tx.connection.execute(
                "UPDATE step SET child = ? WHERE workflow = ? AND step = ?", (child, execution.key, number)
            )
        return output, error

    try:
        output, error = yield from settled_turn(execution, turn, committed)
    except LitewfError as refusal:  # after its first write, so all was undone
        output, error = None, serializer.encode_error(refusal)[0]
        execution.buffer(row(execution, number, name, started_us, None, error))
    return opened(execution, number, name, output, error)


def recorded_read(execution: Execution, number: str, name: str, query: Callable[..., object]) -> Flow[Any]:
    """Ask the file once: replay sees the same answer."""
    record = recorded(execution, number, name)
    if record is not None and record.completed_us is not None:
        return (yield from replay(execution, record))
    started_us = execution.now_us()
    serializer = execution.runtime.serializer
    try:
        answer = yield from write(execution, Read(query))
    except UnknownTypeError as unknown:
        execution.end("held", f"the answer to step {number} ({name}) cannot be decoded: {unknown}")
    except LitewfError as refusal:
        error, refusal_copy = serializer.encode_error(refusal)
        execution.buffer(row(execution, number, name, started_us, None, error))
        raise refusal_copy from None
    text, copy = serializer.encode(answer)
    execution.buffer(row(execution, number, name, started_us, text))
    return copy
