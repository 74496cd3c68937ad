"""CloudEvents: `publish_event` from anywhere, `wait_event` in a workflow."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from litewf.api.actions import Action, Operations, awaiting, blocking, keep
from litewf.durations import Duration, moment_us, optional_duration_us
from litewf.engine import calls, cloud_events, receiving
from litewf.engine.cloud_events import CloudEvent, Wanted
from litewf.engine.durable import durable
from litewf.engine.execution import Execution
from litewf.engine.requests import Flow
from litewf.engine.results import MISSING, Limit, Spec
from litewf.matching import as_conditions
from litewf.records import ReceivedEvent
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
        return publishing(checked(CloudEvent(type, source, data, subject, id)))

    publish_event = blocking(_publish_event)
    publish_event_async = awaiting(_publish_event)


def checked(event: CloudEvent) -> CloudEvent:
    """An event whose attributes can be stored and found again."""
    check_name(event.type, "the type of a CloudEvent")
    check_name(event.source, "the source of a CloudEvent")
    if event.subject is not None:
        check_name(event.subject, "the subject of a CloudEvent")
    if event.id is not None:
        check_name(event.id, "the id of a CloudEvent")
    return event


def publishing(event: CloudEvent) -> Action[bool]:
    """Keep an event and wake whom it concerns."""

    def outside(runtime: Runtime) -> Flow[Any]:
        return (yield Turn(cloud_events.publish(runtime, event, event.id or runtime.world.workflow_id())))

    def inside(execution: Execution, number: str) -> Flow[Any]:
        change = cloud_events.publish(execution.runtime, event, event.id or execution.key_of(number))
        return (yield from durable(execution, number, "litewf.publish_event", change))

    return Action("publish_event", outside, inside, keep)


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
    receive, limit = _receiving(wanted, timeout, default, as_type)
    return calls.blocking("wait_event", receive, limit)


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
    receive, limit = _receiving(wanted, timeout, default, as_type)
    spec = Spec(
        "litewf.wait_event", limit.due, lambda execution, number: cloud_events.target(execution, number, wanted)
    )
    return calls.awaitable("wait_event_async", receive, limit, candidate=spec)


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


def _receiving(wanted: Wanted, timeout: Duration | None, default: Any, as_type: Any) -> tuple[Any, Limit]:
    convert = cloud_events.with_data(converter(as_type))

    def receive(execution: Execution, number: str, limit: Limit) -> Flow[Any]:
        return receiving.receive(execution, number, cloud_events.inbox(execution, number, wanted), limit, convert)

    return receive, Limit(optional_duration_us(timeout, "timeout"), default)
