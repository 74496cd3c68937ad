"""CloudEvents: published once, kept, and taken by the workflows that wait for their like, now or later."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from litewf.engine.execution import Execution
from litewf.engine.receiving import Convert, Inbox
from litewf.engine.results import Target
from litewf.matching import Conditions, meets, most_telling
from litewf.records import CloudEvent, ReceivedEvent
from litewf.serialization import JsonSerializer
from litewf.serialization.plain import plain
from litewf.store import cloud_events
from litewf.store.cloud_events import CloudEventRow, NewCloudEvent, Selection, cloud_key, keys_of
from litewf.store.operations import Tx
from litewf.store.readers import Reader
from litewf.store.waits import ELSEWHERE

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime

Delivery = Literal["all", "one"]


def codec(runtime: Runtime) -> JsonSerializer:
    """How data is read and written: as JSON, whatever else the file holds, for the programs that send it."""
    own = runtime.serializer
    return own if isinstance(own, JsonSerializer) else JsonSerializer(runtime.registry.types)


# --- publishing ---------------------------------------------------------------------------------------------------


def publish(runtime: Runtime, event: CloudEvent, data: str, id: str) -> Callable[[Tx], bool]:
    """Keep an event and wake whom it concerns, in one commit; False if its source has sent this id before.

    `data` is that of the event as text.
    """
    attributes = {
        "time": None if event.time is None else event.time.isoformat(),
        "datacontenttype": event.datacontenttype,
        "dataschema": event.dataschema,
        "extensions": dict(event.extensions or {}),
    }
    keys = keys_of(event.type, event.source, event.subject, data)
    new = NewCloudEvent(event.source, id, event.type, event.subject, json.dumps(attributes), data, keys)
    keep_us = runtime.settings.event_retention_us
    return lambda tx: cloud_events.accept(tx, new, runtime.now_us(), keep_us)


def publish_all(runtime: Runtime, events: Sequence[tuple[CloudEvent, str, str]]) -> Callable[[Tx], list[bool]]:
    """Keep several events, all or none; each comes with its data as text and its id."""
    changes = [publish(runtime, *each) for each in events]
    return lambda tx: [change(tx) for change in changes]


# --- waiting ------------------------------------------------------------------------------------------------------


class Wanted(NamedTuple):
    """Which events a workflow waits for."""

    type: str
    source: str | None
    subject: str | None
    where: Conditions
    since_us: int | None
    delivery: Delivery


def inbox(execution: Execution, number: str, wanted: Wanted) -> Inbox:
    """Where wait_event receives from."""
    runtime, selection = execution.runtime, _selection(execution, wanted)
    return Inbox(
        name="litewf.wait_event",
        missing=f"no CloudEvent of type {wanted.type!r} came for {execution.label}",
        target=target(execution, number, wanted),
        read=lambda row: _received(row, codec(runtime).decode(row.data)),
        take=lambda tx, key, step: cloud_events.take(tx, selection, key, step),
        where=wanted.type,
        trace=_trace,
    )


def _trace(row: CloudEventRow) -> str | None:
    """The trace context that the sender gave it, by the CloudEvents extension for distributed tracing."""
    extensions = json.loads(row.attributes)["extensions"] or {}
    traceparent = extensions.get("traceparent")
    return f"{traceparent} {extensions.get('tracestate', '')}".rstrip() if isinstance(traceparent, str) else None


def target(execution: Execution, number: str, wanted: Wanted) -> Target:
    """The oldest event that the wait may take; each look begins where the last one ended."""
    selection = _selection(execution, wanted)
    record = execution.records.get(number)
    began = int(record.output) if record is not None and record.completed_us is None and record.output else None
    seen = 0 if began is None or selection.sole else began

    def look(reader: Reader) -> CloudEventRow | None:
        nonlocal began, seen
        newest = cloud_events.newest(reader)
        found = cloud_events.oldest_match(reader, selection, seen, began)
        if found is None and not reader.in_transaction:  # what is not committed may be undone
            began = newest if began is None else began
            seen = 0 if selection.sole else max(seen, newest)  # what somebody took alone may come back
        return found

    key = cloud_key(wanted.type, *most_telling(wanted.where, wanted.source, wanted.subject))
    return Target((key, ELSEWHERE) if selection.sole else (key,), look)


def _selection(execution: Execution, wanted: Wanted) -> Selection:
    def matches(row: CloudEventRow) -> bool:
        return not wanted.where or meets(plain(row.data), wanted.where)

    return Selection(
        execution.key, wanted.type, wanted.source, wanted.subject, wanted.delivery == "one", wanted.since_us, matches
    )


def _received(row: CloudEventRow, data: object) -> ReceivedEvent[Any]:
    attributes = json.loads(row.attributes)
    time = attributes["time"]
    return ReceivedEvent(
        type=row.type,
        source=row.source,
        id=row.id,
        time=None if time is None else datetime.fromisoformat(time),
        subject=row.subject,
        datacontenttype=attributes["datacontenttype"],
        dataschema=attributes["dataschema"],
        extensions=attributes["extensions"],
        data=data,
    )


def with_data(convert: Convert) -> Convert:
    """Convert the data of an event, and leave the rest."""

    def converted(event: ReceivedEvent[Any]) -> ReceivedEvent[Any]:
        return replace(event, data=convert(event.data))

    return converted
