"""Streams: values that a workflow appends with `write_stream`, and that anyone reads while they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Any

from litewf.api.actions import NO_VALUE, Action, Operations, emit, emit_async, perform, perform_async, refuse_here
from litewf.durations import Duration, optional_duration_us
from litewf.engine import streams
from litewf.engine.results import given_id
from litewf.engine.streams import Batch, Reading
from litewf.records import StreamItem
from litewf.registry import check_name
from litewf.serialization.conversion import T, TypeForm, converter


class Streams(Operations):
    """Reading the streams of workflows."""

    def read_stream(
        self,
        workflow_id: str,
        key: str,
        *,
        offset: int = 0,
        follow: bool = True,
        timeout: Duration | None = None,
        as_type: TypeForm[T] | None = None,
        recorded_only: bool = False,
    ) -> Iterator[T]:
        """The values of a stream from an offset on, as they come; ends at its close or when the workflow has ended.

        `timeout` is for each value: WaitTimeoutError. `follow=False` reads what is there now. `recorded_only=True`
        leaves out what attempts of a step wrote that are not the one on record. In a workflow what is read is recorded,
        up to 100 values at a time.
        """
        items = self.read_stream_items(
            workflow_id, key, offset=offset, follow=follow, timeout=timeout, as_type=as_type,
            recorded_only=recorded_only,
        )  # fmt: skip
        return (item.value for item in items)

    def read_stream_async(
        self,
        workflow_id: str,
        key: str,
        *,
        offset: int = 0,
        follow: bool = True,
        timeout: Duration | None = None,
        as_type: TypeForm[T] | None = None,
        recorded_only: bool = False,
    ) -> AsyncIterator[T]:
        """The values of a stream, for `async for`; see read_stream."""
        items = self.read_stream_items_async(
            workflow_id, key, offset=offset, follow=follow, timeout=timeout, as_type=as_type,
            recorded_only=recorded_only,
        )  # fmt: skip
        return _values(items)

    def read_stream_items(
        self,
        workflow_id: str,
        key: str,
        *,
        offset: int = 0,
        follow: bool = True,
        timeout: Duration | None = None,
        as_type: TypeForm[T] | None = None,
        recorded_only: bool = False,
    ) -> Iterator[StreamItem[T]]:
        """The values of a stream with their offsets, to go on from later; see read_stream."""
        reading = _reading(workflow_id, key, timeout, as_type, recorded_only)
        runtime = self._running()
        refuse_here(runtime, _page(reading, _checked_offset(offset), follow), blocking=True)

        def items(at: int) -> Iterator[StreamItem[T]]:
            while True:
                batch = perform(runtime, _page(reading, at, follow))
                yield from _fitted(reading, batch)
                at = batch.next_offset
                if batch.ended:
                    return

        return items(offset)

    def read_stream_items_async(
        self,
        workflow_id: str,
        key: str,
        *,
        offset: int = 0,
        follow: bool = True,
        timeout: Duration | None = None,
        as_type: TypeForm[T] | None = None,
        recorded_only: bool = False,
    ) -> AsyncIterator[StreamItem[T]]:
        """The values of a stream with their offsets, for `async for`; see read_stream."""
        reading = _reading(workflow_id, key, timeout, as_type, recorded_only)
        runtime = self._running()
        refuse_here(runtime, _page(reading, _checked_offset(offset), follow), blocking=False)

        async def items(at: int) -> AsyncIterator[StreamItem[T]]:
            while True:
                batch = await perform_async(runtime, _page(reading, at, follow))
                for item in _fitted(reading, batch):
                    yield item
                at = batch.next_offset
                if batch.ended:
                    return

        return items(offset)


async def _values(items: AsyncIterator[StreamItem[T]]) -> AsyncIterator[T]:
    async for item in items:
        yield item.value


def _reading(workflow_id: str, key: str, timeout: Duration | None, as_type: Any, recorded_only: bool) -> Reading:
    given_id(workflow_id)
    check_name(key, "a stream's key")
    return Reading(workflow_id, key, recorded_only, converter(as_type), optional_duration_us(timeout, "timeout"))


def _checked_offset(offset: int) -> int:
    if isinstance(offset, bool) or not isinstance(offset, int):
        raise TypeError(f"offset is a whole number, not {type(offset).__name__}")
    if not 0 <= offset < 1 << 62:
        raise ValueError(f"offset must be 0 or more, not {offset}")
    return offset


def _page(reading: Reading, offset: int, follow: bool) -> Action[Batch]:
    return Action(
        "read_stream",
        lambda runtime: streams.read_outside(runtime, reading, offset, follow=follow),
        lambda execution, number: streams.read(execution, number, reading, offset, follow=follow),
        lambda _runtime, batch: batch,
    )


def _fitted(reading: Reading, batch: Batch) -> Iterator[StreamItem[Any]]:
    for item in batch.items:
        value = item.value if batch.converted else reading.convert(item.value)
        yield item if value is item.value else StreamItem(item.offset, value, item.attempt, item.recorded)


def write_stream(key: str, value: Any) -> None:
    """Append a value to a stream of this workflow: in a workflow exactly once, in a step at once, at each attempt.

    Raises StreamClosedError after close_stream.
    """
    check_name(key, "a stream's key")
    emit("write_stream", streams.append, streams.append_in_step, key, value)


def write_stream_async(key: str, value: Any) -> Awaitable[None]:
    """Append a value to a stream of this workflow; see write_stream."""
    check_name(key, "a stream's key")
    return emit_async("write_stream_async", streams.append, streams.append_in_step, key, value)


def close_stream(key: str) -> None:
    """End a stream: its readers end too. It ends by itself when the workflow does."""
    check_name(key, "a stream's key")
    emit("close_stream", streams.append, streams.append_in_step, key, NO_VALUE)


def close_stream_async(key: str) -> Awaitable[None]:
    """End a stream: its readers end too; see close_stream."""
    check_name(key, "a stream's key")
    return emit_async("close_stream_async", streams.append, streams.append_in_step, key, NO_VALUE)
