"""Events: values that a workflow shows under a name with `set_event`, and that anyone gets."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from litewf.api.actions import (
    Action,
    Operations,
    awaiting,
    blocking,
    emit,
    emit_async,
    keep,
    perform,
    perform_async,
    reading,
)
from litewf.durations import Duration, optional_duration_us
from litewf.engine import events
from litewf.engine.durable import recorded_read
from litewf.engine.results import MISSING, Limit, Spec, given_id
from litewf.registry import check_name
from litewf.serialization.conversion import T, TypeForm, converter


class Events(Operations):
    """Reading the events of workflows."""

    def get_event(
        self,
        workflow_id: str,
        key: str,
        *,
        timeout: Duration | None = None,
        default: Any = MISSING,
        as_type: TypeForm[T] | None = None,
    ) -> T:
        """The latest value of an event; waits until it is set, at most for `timeout`.

        Raises WaitTimeoutError, unless a default is given: at once if the workflow has ended without setting it. Raises
        PayloadError if the value does not fit `as_type`.
        """
        found: T = perform(self._running(), _getting(workflow_id, key, timeout, default, as_type))
        return found

    def get_event_async(
        self,
        workflow_id: str,
        key: str,
        *,
        timeout: Duration | None = None,
        default: Any = MISSING,
        as_type: TypeForm[T] | None = None,
    ) -> Awaitable[T]:
        """The latest value of an event; see get_event."""
        return perform_async(self._running(), _getting(workflow_id, key, timeout, default, as_type))

    def _get_all_events(self, workflow_id: str) -> Action[dict[str, Any]]:
        """Every event that a workflow has set, with its latest value."""
        given_id(workflow_id)
        return Action(
            "get_all_events",
            lambda runtime: reading(events.all_latest(runtime.serializer.decode_lenient, workflow_id)),
            lambda execution, number: recorded_read(
                execution,
                number,
                "litewf.get_all_events",
                events.all_latest(execution.runtime.serializer.decode, workflow_id),
            ),
            keep,
        )

    get_all_events = blocking(_get_all_events)
    get_all_events_async = awaiting(_get_all_events)


def _getting(workflow_id: str, key: str, timeout: Duration | None, default: Any, as_type: Any) -> Action[Any]:
    given_id(workflow_id)
    check_name(key, "an event's key")
    convert = converter(as_type)
    limit = Limit(optional_duration_us(timeout, "timeout"), default)
    return Action(
        "get_event",
        lambda runtime: events.get_outside(runtime, workflow_id, key, limit, convert),
        lambda execution, number: events.get(execution, number, workflow_id, key, limit, convert),
        keep,
        lambda: Spec("litewf.get_event", limit.due, lambda _execution, _number: events.target(workflow_id, key)),
    )


def set_event(key: str, value: Any) -> None:
    """Show a value under a key, for anyone to get or to wait for; in a workflow exactly once, in a step at once."""
    check_name(key, "an event's key")
    emit("set_event", events.put, events.put_in_step, key, value)


def set_event_async(key: str, value: Any) -> Awaitable[None]:
    """Show a value under a key; see set_event."""
    check_name(key, "an event's key")
    return emit_async("set_event_async", events.put, events.put_in_step, key, value)
