"""Events: values that a workflow shows under a name, for anyone to read or to wait for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from litewf.engine.durable import durable
from litewf.engine.execution import Execution, StepFrame
from litewf.engine.receiving import Convert, converted
from litewf.engine.recording import opened, recorded, replay, row, write
from litewf.engine.requests import Flow, Read, Wait
from litewf.engine.results import TIMED_OUT, Limit, Target, arrived, not_found
from litewf.records import TERMINAL
from litewf.store import events, managing
from litewf.store.endings import owned
from litewf.store.operations import Turn, Tx
from litewf.store.readers import Reader
from litewf.store.waits import event_key, workflow_key

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime


class Seen(NamedTuple):
    """What a look at an event found: its value, or None when the workflow has ended without setting it."""

    value: str | None


# --- setting ------------------------------------------------------------------------------------------------------


def put(execution: Execution, number: str, name: str, value: str | None) -> Flow[None]:
    """Show a value from now on."""
    yield from durable(execution, number, "litewf.set_event", _putting(execution, number, name, value))


def put_in_step(frame: StepFrame, name: str, value: str | None) -> Flow[None]:
    """Show a value from inside a step: it commits at once."""
    execution = frame.execution
    execution.check()
    change = _putting(execution, frame.number, name, value)

    def turn(tx: Tx) -> bool | None:
        if not owned(tx, execution.key, execution.fence):
            return None
        change(tx)
        return True

    if not (yield from write(execution, Turn(turn))):  # alone: what is buffered belongs to the workflow's own task
        execution.end("lost")


def _putting(execution: Execution, step: str, name: str, value: str | None) -> Callable[[Tx], None]:
    assert value is not None

    def change(tx: Tx) -> None:
        events.put(tx, execution.key, execution.id, name, value, step, execution.runtime.now_us())

    return change


# --- getting ------------------------------------------------------------------------------------------------------


def target(workflow_id: str, name: str) -> Target:
    """An event, or the end of the workflow that would set it."""

    def look(reader: Reader) -> Seen | None:
        workflow = managing.find(reader, workflow_id)
        if workflow is None:
            raise not_found(workflow_id)
        value = events.latest(reader, workflow.key, name)
        return Seen(value) if value is not None or workflow.status in TERMINAL else None

    return Target((event_key(workflow_id, name), workflow_key(workflow_id)), look)


def get_outside(runtime: Runtime, workflow_id: str, name: str, limit: Limit, convert: Convert) -> Flow[Any]:
    """The latest value of an event, for callers who are no workflow."""
    wanted = target(workflow_id, name)
    due_us = None if limit.timeout_us is None else runtime.now_us() + limit.timeout_us
    seen: Seen | None = yield Read(wanted.look, brief=True)
    if seen is None:
        seen = yield Wait(wanted.keys, due_us, wanted.look)
    if seen is None:
        return limit.reached(f"workflow {workflow_id!r} did not set event {name!r}")
    if seen.value is None:
        return limit.missed(f"workflow {workflow_id!r} ended without setting event {name!r}")
    return convert(runtime.serializer.decode_lenient(seen.value))


def get(execution: Execution, number: str, workflow_id: str, name: str, limit: Limit, convert: Convert) -> Flow[Any]:
    """The latest value of an event, recorded: a later one does not change a replay."""
    call = "litewf.get_event"
    missing = f"workflow {workflow_id!r} did not set event {name!r} in time, or ended without it"  # as in a replay
    record = recorded(execution, number, call)
    if record is not None and record.completed_us is not None:
        value = yield from replay(execution, record)
        return limit.missed(missing) if record.output is TIMED_OUT else value
    started_us, seen = yield from arrived(execution, number, call, limit, record, target(workflow_id, name))
    if seen is None or seen.value is None:
        execution.buffer(row(execution, number, call, started_us, TIMED_OUT))
        return limit.missed(missing)
    output, error = converted(execution, convert, opened(execution, number, call, seen.value, None))
    execution.buffer(row(execution, number, call, started_us, output, error))
    return opened(execution, number, call, output, error)


def all_latest(decode: Callable[[str], object], workflow_id: str) -> Callable[[Reader], dict[str, Any]]:
    """Every event of a workflow with its latest value."""

    def look(reader: Reader) -> dict[str, Any]:
        workflow = managing.find(reader, workflow_id)
        if workflow is None:
            raise not_found(workflow_id)
        return {name: decode(value) for name, value in events.all_latest(reader, workflow.key).items()}

    return look
