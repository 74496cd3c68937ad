"""One workflow with all that belongs to it, and what engines and versions there are, for those who look from outside.

Read connections only; every query follows an index, except `versions`, which walks the table of workflows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import apsw

from litewf.store import checkpoints, reading
from litewf.store.checkpoints import StepRow, number_order
from litewf.store.readers import damaged
from litewf.store.reading import StatusRow
from litewf.store.waits import Awaited

MOST_CHILDREN = 1_000


class Child(NamedTuple):
    """A workflow below another one; `parent` is the key of the one right above it."""

    key: int
    parent: int
    id: str
    name: str
    status: str
    held: str | None
    created_us: int
    started_us: int | None
    completed_us: int | None


class StreamEnd(NamedTuple):
    """A stream as it is now."""

    name: str
    values: int
    closed: bool


class Detail(NamedTuple):
    """A workflow with all that belongs to it."""

    status: StatusRow
    waits: list[Awaited]
    steps: list[StepRow]
    children: list[Child]
    events: dict[str, str]
    streams: list[StreamEnd]
    unread: int


def detail(connection: apsw.Connection, workflow_id: str) -> Detail | None:
    """Everything of one workflow, its children down to the last of the first thousand."""
    status = reading.status_of(connection, workflow_id)
    if status is None:
        return None
    steps = checkpoints.steps_of(connection, [status.key])[status.key].values()
    return Detail(
        status,
        reading.waits_of(connection, [status.key]).get(status.key, []) if status.phase == "parked" else [],
        _in_order(steps, workflow_id),
        children_of(connection, status.key),
        _events_of(connection, status.key),
        _streams_of(connection, status.key),
        _unread(connection, status.key),
    )


def _in_order(steps: Iterable[StepRow], workflow_id: str) -> list[StepRow]:
    with damaged(f"a step of workflow {workflow_id!r}"):
        return sorted(steps, key=lambda step: number_order(step.step))


def children_of(connection: apsw.Connection, key: int) -> list[Child]:
    """The workflows below one, those of each level in the order of their creation."""
    rows = connection.execute(
        "WITH RECURSIVE below (key, parent, level) AS ("
        " SELECT key, parent, 1 FROM workflow WHERE parent = ?1 AND parent IS NOT NULL"
        " UNION ALL SELECT w.key, w.parent, level + 1 FROM below CROSS JOIN workflow AS w"
        " ON w.parent = below.key AND w.parent IS NOT NULL ORDER BY 3, 1 LIMIT ?2)"
        " SELECT w.key, w.parent, id, name, status, held, created_us, started_us, completed_us"
        " FROM below CROSS JOIN workflow AS w ON w.key = below.key ORDER BY level, w.key",  # CROSS: in this order
        (key, MOST_CHILDREN),
    )
    return [Child(*row) for row in rows]


def _events_of(connection: apsw.Connection, key: int) -> dict[str, str]:
    rows = connection.execute("SELECT name, value, max(key) FROM event WHERE workflow = ? GROUP BY name", (key,))
    return {row[0]: row[1] for row in rows}


def _streams_of(connection: apsw.Connection, key: int) -> list[StreamEnd]:
    rows = connection.execute(
        "SELECT name, count(value), count(*) > count(value) FROM stream WHERE workflow = ? GROUP BY name", (key,)
    )
    return [StreamEnd(name, count, bool(closed)) for name, count, closed in rows]


def _unread(connection: apsw.Connection, key: int) -> int:
    row: Any = connection.execute(
        "SELECT count(*) FROM message WHERE workflow = ? AND taken_by IS NULL", (key,)
    ).fetchone()
    return int(row[0])


def data_version(connection: apsw.Connection) -> int:
    """A number that changes, for this connection, when another one has committed."""
    row: Any = connection.execute("PRAGMA data_version").fetchone()
    return int(row[0])


class VersionCount(NamedTuple):
    """How many unfinished workflows are of a version; None: any version may run them."""

    version: str | None
    unfinished: int
    held: int


def versions(connection: apsw.Connection) -> list[VersionCount]:
    """The versions that unfinished workflows are of."""
    rows = connection.execute(
        "SELECT application_version, count(*), count(held) FROM workflow WHERE completed_us IS NULL GROUP BY 1"
    )
    return [VersionCount(*row) for row in rows]


class EngineRow(NamedTuple):
    """An engine as it registered."""

    key: int
    label: str
    lock_name: str
    pid: int
    application_version: str
    only_version: int
    names: str
    started_us: int
    owned: int


def engines(connection: apsw.Connection) -> list[EngineRow]:
    """The engines on the file, dead or alive, with how many workflows each has in memory."""
    rows = connection.execute(
        "SELECT key, label, lock_name, pid, application_version, only_version, names, started_us,"
        " (SELECT count(*) FROM workflow WHERE owner = executor.key AND owner IS NOT NULL) FROM executor ORDER BY key"
    )
    return [EngineRow(*row) for row in rows]


class QueueState(NamedTuple):
    """How much stands on a queue."""

    queue: str
    waiting: int
    started: int
    delayed: int


def queue_states(connection: apsw.Connection) -> dict[str, QueueState]:
    """What stands on each queue now; ended tasks are passed over by the indexes that know only the others."""
    found: dict[str, list[int]] = {}
    for at, where in enumerate(("state = 'waiting'", "slot = 1", "state = 'delayed'", "state = 'behind'")):
        for queue, count in connection.execute(f"SELECT queue, count(*) FROM task WHERE {where} GROUP BY queue"):
            found.setdefault(queue, [0, 0, 0, 0])[at] = count
    return {
        queue: QueueState(queue, waiting + behind, started, delayed)
        for queue, (waiting, started, delayed, behind) in found.items()
    }


def ended_before(connection: apsw.Connection, before_us: int) -> int:
    """How many workflows ended before a time; walks the table."""
    row: Any = connection.execute("SELECT count(*) FROM workflow WHERE completed_us < ?", (before_us,)).fetchone()
    return int(row[0])
