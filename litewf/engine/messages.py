"""Messages between workflows and from outside: sent in one commit, received in another, each exactly once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from litewf.engine.commands import found
from litewf.engine.execution import Execution
from litewf.engine.receiving import Inbox
from litewf.engine.results import Target, given_id
from litewf.records import Message
from litewf.registry import check_name
from litewf.store import messages
from litewf.store.messages import NewMessage
from litewf.store.operations import Tx
from litewf.store.waits import message_key

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime


def send(runtime: Runtime, ready: Sequence[NewMessage]) -> Callable[[Tx], None]:
    """Send messages, all or none; an id that does not exist refuses them all."""

    def change(tx: Tx) -> None:
        receivers = [found(tx, message.workflow_id).key for message in ready]
        now_us = runtime.now_us()
        for receiver, message in zip(receivers, ready, strict=True):
            messages.put(tx, receiver, message, now_us)

    return change


def prepared(runtime: Runtime, message: Message) -> NewMessage:
    """A message as it will be written; what is wrong with it is refused here, before anything is recorded."""
    if not isinstance(message, Message):
        raise TypeError(f"send_bulk takes a list of litewf.Message, not of {type(message).__name__}")
    workflow_id, value, topic, idempotency_key = message
    given_id(workflow_id)
    check_topic(topic)
    if idempotency_key is not None:
        check_name(idempotency_key, "an idempotency key")
    trace = None if runtime.watch is None else runtime.watch.sends()
    return NewMessage(workflow_id, topic, idempotency_key, runtime.serializer.encode(value)[0], trace)


def check_topic(topic: str | None) -> str | None:
    return None if topic is None else check_name(topic, "a topic")


def inbox(execution: Execution, topic: str | None) -> Inbox:
    """Where recv receives from."""
    serializer = execution.runtime.serializer
    where = "without a topic" if topic is None else f"on topic {topic!r}"
    return Inbox(
        name="litewf.recv",
        missing=f"no message {where} came for {execution.label}",
        target=target(execution, topic),
        read=lambda unread: serializer.decode(unread.value),
        take=messages.take,
        where=topic or "",
        trace=lambda unread: unread.trace,
    )


def target(execution: Execution, topic: str | None) -> Target:
    """The next message on a topic, or without one."""
    receiver = execution.key
    return Target((message_key(execution.id, topic),), lambda reader: messages.first_unread(reader, receiver, topic))
