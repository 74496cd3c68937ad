"""What workflows wait for: the keys by which a change finds those who wait for it.

A key is a text, the same for waits in memory and for parked ones. Who changes something touches the key, for the waits
in memory, and wakes the parked workflows in the same transaction.
"""

from collections.abc import Sequence
from typing import NamedTuple

import apsw

from litewf.store.operations import Tx
from litewf.store.wide import Wide, texts

ELSEWHERE = "elsewhere"  # in memory only: any commit of another process, for answers that change without a new row
PART = "\n"  # between the parts of a key: no id and no name holds it
KEYS_AT_ONCE = 500
ENDS = "workflow:"  # what the keys of the ends of workflows begin with


class Awaited(NamedTuple):
    """One thing that a parked workflow waits for."""

    step: str
    name: str
    waits: str | None = None
    due_us: int | None = None
    detail: str | None = None


def workflow_key(workflow_id: str) -> str:
    """The end of a workflow."""
    return f"{ENDS}{workflow_id}"


def message_key(workflow_id: str, topic: str | None) -> str:
    """A message to a workflow on a topic, or on none."""
    return f"message:{workflow_id}" if topic is None else f"message:{workflow_id}{PART}{topic}"


def event_key(workflow_id: str, name: str) -> str:
    """An event that a workflow sets."""
    return f"event:{workflow_id}{PART}{name}"


def stream_key(workflow_id: str, name: str) -> str:
    """Something new in a stream, or its close."""
    return f"stream:{workflow_id}{PART}{name}"


def target_of(awaited: Awaited) -> str:
    """The workflow that a wait is about; for a CloudEvent, its type."""
    return (awaited.waits or "").partition(":")[2].partition(PART)[0]


def describe(awaited: Awaited) -> str:
    """What a wait is for, in words."""
    if awaited.waits is None:
        return "a time" if awaited.name.startswith("litewf.") else f"the next attempt of {awaited.name}"
    kind, _, rest = awaited.waits.partition(":")
    target, _, name = rest.partition(PART)
    if kind == "message":
        return f"a message on topic {name!r}" if name else "a message"
    if kind == "event":
        return f"event {name!r} of workflow {target}"
    if kind == "stream":
        return f"stream {name!r} of workflow {target}"
    if kind == "cloud":
        return f"a CloudEvent of type {target!r}"
    return f"the end of workflow {target}"


WAIT = Wide(
    "workflow, fence, step, name, waits, due_us, detail",
    """
    INSERT INTO wait (workflow, step, name, waits, due_us, detail)
    SELECT v.workflow, v.step, v.name, v.waits, v.due_us, v.detail FROM {v}
    WHERE EXISTS (SELECT 1 FROM workflow
                  WHERE workflow.key = v.workflow AND workflow.fence = v.fence AND workflow.phase = 'parked')
    """,
)


def wake(connection: apsw.Connection, keys: Sequence[str]) -> bool:
    """Make the parked workflows ready that wait for one of these; whether there were any: then touch "ready"."""
    woken = 0
    if keys and _anyone_waits(connection, keys[0]):
        for start in range(0, len(keys), KEYS_AT_ONCE):
            connection.execute(
                "UPDATE workflow SET phase = 'ready', due_us = NULL WHERE phase = 'parked' AND key IN"
                " (SELECT workflow FROM wait WHERE waits IN (SELECT value FROM carray(?)))",
                (texts(tuple(keys[start : start + KEYS_AT_ONCE])),),
            )
            woken += connection.changes()
    return woken > 0


def announce(tx: Tx, key: str) -> None:
    """Wake all who wait for this, in memory or parked."""
    tx.touch(key)
    if wake(tx.connection, [key]):
        tx.touch("ready")


def _anyone_waits(connection: apsw.Connection, key: str) -> bool:
    """Whether somebody parked waits for a thing of this kind: mostly nobody does, and that is known at once."""
    kind = key.partition(":")[0]
    found = connection.execute("SELECT 1 FROM wait WHERE waits >= ? AND waits < ?", (f"{kind}:", f"{kind};"))
    return found.fetchone() is not None
