"""Streams: values that a workflow appends, to be read from any offset while it goes on writing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from litewf.engine.execution import Execution, StepFrame
from litewf.engine.receiving import Convert
from litewf.engine.recording import carrying, opened, recorded, replay, row, to_carry, write, write_again
from litewf.engine.requests import Flow, Read, Wait
from litewf.engine.results import TIMED_OUT, Limit, Target, arrived, not_found
from litewf.errors import EngineClosedError, PayloadError, SerializationError, StoreError, StreamClosedError
from litewf.records import StreamItem
from litewf.store import managing, streams
from litewf.store.readers import Reader
from litewf.store.streams import Append, Appended, Item
from litewf.store.waits import ELSEWHERE, stream_key, workflow_key

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime

PAGE = 100  # values that one call of a workflow reads and records


# --- writing ------------------------------------------------------------------------------------------------------


def append(execution: Execution, number: str, name: str, value: str | None) -> Flow[None]:
    """Append a value, or close the stream with None; a closed stream refuses, and the refusal is recorded."""
    call = "litewf.close_stream" if value is None else "litewf.write_stream"
    record = recorded(execution, number, call) if execution.records or execution.replaying else None
    if record is not None and record.completed_us is not None:
        yield from replay(execution, record)
        return
    now_us = execution.now_us()
    item = Item(execution.key, execution.fence, name, value, number, 0, 1, now_us)
    if execution.buffered or execution.unconfirmed:
        rows = yield from to_carry(execution)
        appended = yield from carrying(execution, rows, Append(execution.id, item, rows))
    else:
        operation = Append(execution.id, item)
        try:
            appended = yield operation  # not through write(): a frame less
        except (StoreError, EngineClosedError) as refusal:
            appended = yield from write_again(execution, operation, refusal)
    if appended != "appended":
        _refused(execution, appended, item, call)


def _refused(execution: Execution, why: Appended, item: Item, call: str) -> None:
    """The stream is closed, which the record says; closing it once more is no error."""
    if why == "lost":
        execution.end("lost")
    if item.value is None:
        execution.buffer(row(execution, item.step, call, item.written_us, None))
        return
    error, refusal = execution.runtime.serializer.encode_error(_closed(execution, item.name))
    execution.buffer(row(execution, item.step, call, item.written_us, None, error))
    raise refusal


def append_in_step(frame: StepFrame, name: str, value: str | None) -> Flow[None]:
    """Append a value from inside a step: it commits at once, and carries the attempt."""
    execution = frame.execution
    execution.check()
    item = Item(execution.key, execution.fence, name, value, frame.number, frame.attempt, None, execution.now_us())
    frame.streams = frame.streams | {name}
    appended = yield from write(execution, Append(execution.id, item))
    if appended == "lost":
        execution.end("lost")
    if appended == "closed" and value is not None:
        raise _closed(execution, name)


def _closed(execution: Execution, name: str) -> StreamClosedError:
    return StreamClosedError(
        f"stream {name!r} of {execution.label} is closed; write before close_stream(), or to a stream of another name"
    )


# --- reading ------------------------------------------------------------------------------------------------------


class Reading(NamedTuple):
    """Which values to read, from which offset on."""

    workflow_id: str
    name: str
    recorded_only: bool
    convert: Convert
    timeout_us: int | None  # for each look

    @property
    def keys(self) -> tuple[str, ...]:
        ending = (stream_key(self.workflow_id, self.name), workflow_key(self.workflow_id))
        return (*ending, ELSEWHERE) if self.recorded_only else ending

    @property
    def missing(self) -> str:
        return f"nothing came in stream {self.name!r} of workflow {self.workflow_id!r}"


class Batch(NamedTuple):
    """What one look brought: values, where to go on, and whether there is nothing left to come."""

    items: list[StreamItem[Any]]
    next_offset: int
    ended: bool
    converted: bool = False  # to the type that was asked for


def looking(runtime: Runtime, reading: Reading, offset: int, *, follow: bool) -> Callable[[Reader], Batch | None]:
    """What is there from an offset on; None if there is nothing yet and more may come."""

    def look(reader: Reader) -> Batch | None:
        workflow = managing.find(reader, reading.workflow_id)
        if workflow is None:
            raise not_found(reading.workflow_id)
        page = streams.page(reader, workflow.key, reading.name, offset, PAGE)
        batch = _batch(runtime, reading, page, offset)
        if not follow and (not page.more or batch.next_offset == offset):
            return batch._replace(ended=True)
        return batch if batch.items or batch.ended or batch.next_offset > offset else None

    return look


def _batch(runtime: Runtime, reading: Reading, page: streams.Page, offset: int) -> Batch:
    items: list[StreamItem[Any]] = []
    for found in page.rows:
        if reading.recorded_only and found.recorded is None:
            return Batch(items, offset, ended=False)
        offset = found.offset + 1
        if found.recorded or not reading.recorded_only:
            assert found.value is not None
            value = runtime.serializer.decode_lenient(found.value)
            items.append(StreamItem(found.offset, value, found.attempt or 1, bool(found.recorded)))
    return Batch(items, offset, page.ended)


def read_outside(runtime: Runtime, reading: Reading, offset: int, *, follow: bool) -> Flow[Batch]:
    """The next values of a stream, for readers who are no workflow."""
    look = looking(runtime, reading, offset, follow=follow)
    batch: Batch | None = yield Read(look)
    if batch is None:
        limit = Limit(reading.timeout_us)
        batch = yield Wait(reading.keys, limit.due(runtime.now_us()), look, brief=False)
        if batch is None:
            return cast("Batch", limit.reached(reading.missing))
    return batch


def read(execution: Execution, number: str, reading: Reading, offset: int, *, follow: bool) -> Flow[Batch]:
    """The next values of a stream, recorded."""
    call = "litewf.read_stream"
    limit = Limit(reading.timeout_us)
    record = recorded(execution, number, call)
    if record is not None and record.completed_us is not None:
        value = yield from replay(execution, record)
        return cast("Batch", limit.reached(reading.missing)) if record.output is TIMED_OUT else _as_batch(value)
    look = looking(execution.runtime, reading, offset, follow=follow)
    target = Target(reading.keys, look, brief=False)  # it decodes values of users
    started_us, batch = yield from arrived(execution, number, call, limit, record, target)
    if batch is None:
        execution.buffer(row(execution, number, call, started_us, TIMED_OUT))
        return cast("Batch", limit.reached(reading.missing))
    output, error = _recorded_as(execution, reading, batch)
    execution.buffer(row(execution, number, call, started_us, output, error))
    return _as_batch(opened(execution, number, call, output, error))


def _recorded_as(execution: Execution, reading: Reading, batch: Batch) -> tuple[str | None, str | None]:
    """A batch as text, up to the first value that does not fit; if it begins with that, the refusal."""
    serializer = execution.runtime.serializer
    converted: list[StreamItem[Any]] = []
    for item in batch.items:
        try:
            value = reading.convert(item.value)
            if value is not item.value:
                serializer.encode(value)  # what no record can hold is refused at its place
        except (PayloadError, SerializationError) as refusal:
            if not converted:
                return None, serializer.encode_error(refusal)[0]
            batch = Batch(converted, item.offset, ended=False)
            break
        converted.append(StreamItem(item.offset, value, item.attempt, item.recorded))
    values = [[item.offset, item.value, item.attempt, item.recorded] for item in converted]
    return serializer.encode([values, batch.next_offset, batch.ended])[0], None


def _as_batch(value: Any) -> Batch:
    items, next_offset, ended = value
    return Batch([StreamItem(*item) for item in items], next_offset, ended, converted=True)
