"""Messages: `send` from anywhere, `recv` in a workflow."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

from litewf.api.actions import Action, Operations, awaiting, blocking, change
from litewf.durations import Duration, optional_duration_us
from litewf.engine import calls, messages
from litewf.engine.receiving import Reception
from litewf.engine.results import MISSING, Limit
from litewf.records import Message
from litewf.serialization.conversion import T, TypeForm, converter


class Messages(Operations):
    """Sending messages to workflows."""

    def _send(
        self, workflow_id: str, message: Any, topic: str | None = None, *, idempotency_key: str | None = None
    ) -> Action[None]:
        """Send a message to a workflow; it is durable on return, and received once.

        From a workflow it is sent exactly once. From elsewhere an `idempotency_key` makes it safe to send again: the
        receiver gets the first message with that key. A finished workflow keeps what it is sent.
        """
        ready = [messages.prepared(self._running(), Message(workflow_id, message, topic, idempotency_key))]
        return change("send", lambda runtime: messages.send(runtime, ready))

    def _send_bulk(self, messages_: Sequence[Message]) -> Action[None]:
        """Send several messages in one commit, all or none."""
        ready = [messages.prepared(self._running(), message) for message in messages_]
        return change("send_bulk", lambda runtime: messages.send(runtime, ready))

    send = blocking(_send)
    send_async = awaiting(_send)
    send_bulk = blocking(_send_bulk)
    send_bulk_async = awaiting(_send_bulk)


def recv(
    topic: str | None = None,
    *,
    timeout: Duration | None = None,
    default: Any = MISSING,
    as_type: TypeForm[T] | None = None,
) -> T:
    """The next message on a topic, in the order of sending; without a topic, the next that was sent without one.

    It is consumed in the commit that records it. Raises WaitTimeoutError, unless a default is given, and PayloadError
    if the message does not fit `as_type`.
    """
    found: T = calls.blocking("recv", _reception(topic, timeout, default, as_type).flow)
    return found


def recv_async(
    topic: str | None = None,
    *,
    timeout: Duration | None = None,
    default: Any = MISSING,
    as_type: TypeForm[T] | None = None,
) -> Awaitable[T]:
    """The next message on a topic; see recv."""
    reception = _reception(topic, timeout, default, as_type)
    return calls.awaitable("recv_async", reception.flow, candidate=reception.spec("litewf.recv"))


def _reception(topic: str | None, timeout: Duration | None, default: Any, as_type: Any) -> Reception:
    messages.check_topic(topic)
    limit = Limit(optional_duration_us(timeout, "timeout"), default)
    return Reception(lambda execution, _: messages.inbox(execution, topic), limit, converter(as_type))
