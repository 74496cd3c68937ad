"""CloudEvents: `publish_event` from anywhere, `wait_event` in a workflow."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from litewf.api.actions import Action, Operations, awaiting, blocking, keep
from litewf.durations import Duration, moment_us, optional_duration_us
from litewf.engine import calls, cloud_events
from litewf.engine.cloud_events import Wanted
from litewf.engine.durable import durable
from litewf.engine.execution import Execution
from litewf.engine.receiving import Reception
from litewf.engine.requests import Flow
from litewf.engine.results import MISSING, Limit
from litewf.matching import as_conditions
from litewf.records import CloudEvent, ReceivedEvent
from litewf.registry import check_name
from litewf.serialization.conversion import T, TypeForm, converter
from litewf.store.operations import Turn

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime


class CloudEvents(Operations):
    """Publishing CloudEvents."""

    def _publish_event(
        self, type: str, data: Any, *, source: str = "litewf", subject: str | None = None, id: str | None = None
    ) -> Action[bool]:
        """Publish a CloudEvent to every workflow that waits for its like, or will; it is durable on return.

        False if `source` has published this `id` before. From a workflow the default id is the same on every replay, so
        the event is published exactly once.
        """
        return publishing(self._running(), checked(CloudEvent(type, source, data, subject, id)))

    def _publish_events(self, events: Sequence[CloudEvent]) -> Action[list[bool]]:
        """Publish several CloudEvents in one commit, all or none; for each, whether it was new. See publish_event."""
        return publishing_all(self._running(), [checked(event) for event in events])

    publish_event = blocking(_publish_event)
    publish_event_async = awaiting(_publish_event)
    publish_events = blocking(_publish_events)
    publish_events_async = awaiting(_publish_events)


ATTRIBUTE_LIMIT = 2_048  # characters: the subject may be a path, the source a URI
EXTENSION = re.compile(r"[a-z0-9]+")


def checked(event: CloudEvent) -> CloudEvent:
    """An event whose attributes can be stored and found again."""
    if not isinstance(event, CloudEvent):
        raise TypeError(f"publish_events takes a list of litewf.CloudEvent, not of {type(event).__name__}")
    check_name(event.type, "the type of a CloudEvent", ATTRIBUTE_LIMIT)
    check_name(event.source, "the source of a CloudEvent", ATTRIBUTE_LIMIT)
    for name in ("subject", "id", "datacontenttype", "dataschema"):
        value = getattr(event, name)
        if value is not None:
            check_name(value, f"the {name} of a CloudEvent", ATTRIBUTE_LIMIT)
    time: object = event.time
    if time is not None and (not isinstance(time, datetime) or time.utcoffset() is None):
        raise ValueError(f"the time of a CloudEvent is an aware datetime, not {time!r}")
    for name, value in (event.extensions or {}).items():
        _check_extension(name, value)
    return event


def _check_extension(name: object, value: object) -> None:
    if not isinstance(name, str) or not EXTENSION.fullmatch(name):
        raise ValueError(f"an extension of a CloudEvent has a name of lower-case letters and digits, not {name!r:.80}")
    if not isinstance(value, str | bool | int):
        raise TypeError(f"extension {name!r} of a CloudEvent is text, a bool or a whole number, not {value!r:.80}")


def publishing(runtime: Runtime, event: CloudEvent) -> Action[bool]:
    """Keep an event and wake whom it concerns; data that cannot be recorded is refused before that takes a number."""
    data = cloud_events.codec(runtime).encode(event.data)[0]

    def outside(runtime: Runtime) -> Flow[Any]:
        return (yield Turn(cloud_events.publish(runtime, event, data, event.id or runtime.world.workflow_id())))

    def inside(execution: Execution, number: str) -> Flow[Any]:
        change = cloud_events.publish(execution.runtime, event, data, event.id or execution.key_of(number))
        return (yield from durable(execution, number, "litewf.publish_event", change))

    return Action("publish_event", outside, inside, keep)


def publishing_all(runtime: Runtime, events: Sequence[CloudEvent]) -> Action[list[bool]]:
    """Keep several events in one commit, and wake whom they concern; see publishing."""
    encode = cloud_events.codec(runtime).encode
    texts = [encode(event.data)[0] for event in events]

    def outside(runtime: Runtime) -> Flow[Any]:
        ids = [event.id or runtime.world.workflow_id() for event in events]
        return (yield Turn(cloud_events.publish_all(runtime, list(zip(events, texts, ids, strict=True)))))

    def inside(execution: Execution, number: str) -> Flow[Any]:
        ids = [event.id or f"{execution.key_of(number)}:{at}" for at, event in enumerate(events)]
        given = list(zip(events, texts, ids, strict=True))
        change = cloud_events.publish_all(execution.runtime, given)
        return (yield from durable(execution, number, "litewf.publish_events", change))

    return Action("publish_events", outside, inside, keep)


Delivery = Literal["all", "one"]


def wait_event(
    type: str,
    *,
    source: str | None = None,
    subject: str | None = None,
    where: Mapping[str, object] | None = None,
    since: datetime | None = None,
    timeout: Duration | None = None,
    default: Any = MISSING,
    as_type: TypeForm[T] | None = None,
    delivery: Delivery = "all",
) -> ReceivedEvent[T]:
    """The oldest matching CloudEvent accepted since `since` that no earlier wait of this workflow took.

    `since` defaults to the start of the workflow, so an event that comes before the wait is not missed. `where`
    compares fields of the data: {"order.id": "o-1", "status": ["paid", "failed"]}. `delivery="one"` takes an event that
    no other such wait gets. Raises WaitTimeoutError, unless a default is given, and PayloadError, with the event taken,
    if its data does not fit `as_type`.
    """
    wanted = _wanted(type, source, subject, where, since, delivery)
    return calls.blocking("wait_event", _reception(wanted, timeout, default, as_type).flow)


def wait_event_async(
    type: str,
    *,
    source: str | None = None,
    subject: str | None = None,
    where: Mapping[str, object] | None = None,
    since: datetime | None = None,
    timeout: Duration | None = None,
    default: Any = MISSING,
    as_type: TypeForm[T] | None = None,
    delivery: Delivery = "all",
) -> Awaitable[ReceivedEvent[T]]:
    """The oldest matching CloudEvent; see wait_event."""
    wanted = _wanted(type, source, subject, where, since, delivery)
    reception = _reception(wanted, timeout, default, as_type)
    return calls.awaitable("wait_event_async", reception.flow, candidate=reception.spec("litewf.wait_event"))


def _wanted(
    type: str,
    source: str | None,
    subject: str | None,
    where: Mapping[str, object] | None,
    since: datetime | None,
    delivery: Delivery,
) -> Wanted:
    checked(CloudEvent(type, source if source is not None else "any", None, subject))
    if delivery not in ("all", "one"):
        raise ValueError(f'delivery is "all" or "one", not {delivery!r}')
    since_us = None if since is None else moment_us(since, "since")
    return Wanted(type, source, subject, as_conditions(where), since_us, delivery)


def _reception(wanted: Wanted, timeout: Duration | None, default: Any, as_type: Any) -> Reception:
    limit = Limit(optional_duration_us(timeout, "timeout"), default)
    convert = cloud_events.with_data(converter(as_type))
    return Reception(lambda execution, number: cloud_events.inbox(execution, number, wanted), limit, convert)
