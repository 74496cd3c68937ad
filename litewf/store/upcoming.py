"""When something may be started from a queue, for those who want to know before they look again."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from litewf.store import rates
from litewf.store.queues import QueueRow, find, slots_free
from litewf.store.wide import texts


def waits_for(connection: apsw.Connection, queue: str, workflows: Sequence[str]) -> bool:
    """Whether a workflow with one of these names waits for its turn."""
    row = connection.execute(
        "SELECT 1 FROM task WHERE queue = ? AND state = 'waiting' AND name IN (SELECT value FROM carray(?)) LIMIT 1",
        (queue, texts(workflows)),
    ).fetchone()
    return row is not None


def next_start_us(connection: apsw.Connection, name: str, now_us: int) -> int | None:
    """When the limits of a queue allow its next start; None: not before something else has ended or was changed."""
    queue = find(connection, name) or QueueRow(name)
    if queue.paused or slots_free(connection, queue) <= 0:
        return None
    return now_us if queue.rate is None else rates.next_us(connection, queue.rate, now_us)
