"""What a run has left behind, without its times and owners: two runs that did the same leave the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import apsw

from litewf.store.events import all_latest
from litewf.store.readers import snapshot
from litewf.store.transactions import OWN_TABLES


@dataclass(frozen=True, slots=True)
class Trace:
    """One workflow; values are text as recorded."""

    id: str
    name: str
    status: str
    held: str | None
    parent: str | None
    generation: int
    output: str | None
    error: str | None
    events: dict[str, str]
    streams: dict[str, list[str | None]]  # what is on record; None: the close
    received: list[tuple[str | None, str]] = field(default_factory=list)  # topic and value, in the order of sending
    unread: list[tuple[str | None, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Remains:
    """A whole file."""

    workflows: dict[str, Trace]
    cloud_events: list[tuple[str, str, str]]  # source, type, data
    tables: dict[str, list[tuple[Any, ...]]]  # the user's own


def remains(connection: apsw.Connection) -> Remains:
    """Read everything, as of one moment."""
    with snapshot(connection):
        rows: list[Any] = connection.execute(
            "SELECT w.key, w.id, w.name, w.status, w.held, parent.id, w.generation, o.output, o.error"
            " FROM workflow AS w LEFT JOIN workflow AS parent ON parent.key = w.parent"
            " LEFT JOIN outcome AS o ON o.workflow = w.key ORDER BY w.id"
        ).fetchall()
        workflows = {row[1]: _trace(connection, row) for row in rows}
        events: list[Any] = connection.execute(
            "SELECT source, type, data FROM cloud_event ORDER BY source, type, data"
        ).fetchall()
        return Remains(workflows, events, _tables(connection))


def _trace(connection: apsw.Connection, row: Sequence[Any]) -> Trace:
    key = row[0]
    streams: defaultdict[str, list[str | None]] = defaultdict(list)
    for stream, value in connection.execute(
        "SELECT name, value FROM stream WHERE workflow = ? AND (attempt = 0 OR recorded = 1) ORDER BY offset", (key,)
    ):
        streams[stream].append(value)
    _, workflow_id, name, status, held, parent, generation, output, error = row
    events = all_latest(connection, key)
    trace = Trace(workflow_id, name, status, held, parent, generation, output, error, events, dict(streams))
    for topic, value, taken in connection.execute(
        "SELECT topic, value, taken_by FROM message WHERE workflow = ? ORDER BY key", (key,)
    ):
        (trace.unread if taken is None else trace.received).append((topic, value))
    return trace


def _tables(connection: apsw.Connection) -> dict[str, list[tuple[Any, ...]]]:
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*'")
    mine = sorted(name for (name,) in names if name not in OWN_TABLES)
    quoted = {name: name.replace('"', '""') for name in mine}
    return {name: sorted(connection.execute(f'SELECT * FROM "{quoted[name]}"').fetchall(), key=repr) for name in mine}
