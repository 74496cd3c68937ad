"""What other processes have brought since the last look: keys only go up, so it is a range of each table."""

from __future__ import annotations

from collections.abc import Mapping

import apsw

from litewf.store.cloud_events import keys_of
from litewf.store.waits import event_key, message_key, stream_key

TO_WORKFLOWS = {
    "message": ("topic", message_key),
    "event": ("name", event_key),
    "stream": ("name", stream_key),
}
Seen = Mapping[str, int]


def newest(connection: apsw.Connection) -> Seen:
    """The highest key of each table."""
    return {row[0]: row[1] for row in connection.execute("SELECT name, seq FROM sqlite_sequence")}


def keys_since(connection: apsw.Connection, seen: Seen, until: Seen) -> list[str]:
    """The keys of all waits that what came in between may end."""
    keys: list[str] = []
    for table, (column, key_of) in TO_WORKFLOWS.items():
        if until.get(table, 0) > seen.get(table, 0):
            rows = connection.execute(
                f"SELECT DISTINCT workflow.id, new.{column} FROM {table} AS new"
                " JOIN workflow ON workflow.key = new.workflow WHERE new.key > ? AND new.key <= ?",
                (seen.get(table, 0), until[table]),
            )
            keys += [key_of(workflow_id, name) for workflow_id, name in rows]
    if until.get("cloud_event", 0) > seen.get("cloud_event", 0):
        rows = connection.execute(
            "SELECT type, source, subject, data FROM cloud_event WHERE key > ? AND key <= ?",
            (seen.get("cloud_event", 0), until["cloud_event"]),
        )
        for row in rows:
            keys += keys_of(*row)
    return keys
