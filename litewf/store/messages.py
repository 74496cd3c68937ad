"""The inbox of a workflow: messages in the order in which they were accepted, each taken once."""

from typing import NamedTuple

import apsw

from litewf.store.operations import Tx
from litewf.store.waits import announce, message_key


class NewMessage(NamedTuple):
    """A message on its way."""

    workflow_id: str
    topic: str | None
    idempotency_key: str | None
    value: str
    trace: str | None = None  # the trace context of the sender


class Unread(NamedTuple):
    """The next message of a topic."""

    key: int
    value: str
    trace: str | None


def put(tx: Tx, receiver: int, message: NewMessage, now_us: int) -> None:
    """Keep a message for its receiver; one whose idempotency key has come before is not kept again."""
    tx.connection.execute(
        "INSERT INTO message (workflow, topic, idempotency_key, value, trace, sent_us) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (workflow, idempotency_key) DO NOTHING",
        (receiver, message.topic, message.idempotency_key, message.value, message.trace, now_us),
    )
    if tx.connection.changes():
        announce(tx, message_key(message.workflow_id, message.topic))


def first_unread(connection: apsw.Connection, receiver: int, topic: str | None) -> Unread | None:
    row = connection.execute(
        "SELECT key, value, trace FROM message WHERE workflow = ? AND topic IS ? AND taken_by IS NULL"
        " ORDER BY key LIMIT 1",
        (receiver, topic),
    ).fetchone()
    return None if row is None else Unread(*row)


def take(tx: Tx, key: int, step: str) -> bool:
    """Mark a message as received by a step; False if another branch of the workflow was faster."""
    tx.connection.execute("UPDATE message SET taken_by = ? WHERE key = ? AND taken_by IS NULL", (step, key))
    return tx.connection.changes() == 1
