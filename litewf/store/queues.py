"""Queues in the file: their limits, who is next, and what the limits still allow.

Everything here runs inside the transaction that claims, enqueues or changes limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import apsw

from litewf.store.operations import Tx
from litewf.store.wide import Value, Wide, integers, texts

NO_LIMIT = 1 << 62
SCHEDULED = "litewf.scheduled"  # the queue of ticks that need one although their schedule names none


class QueueRow(NamedTuple):
    """The limits of a queue, None where there is none."""

    name: str
    worker_concurrency: int | None = None
    global_concurrency: int | None = None
    partition_concurrency: int | None = None
    rate_limit: int | None = None
    rate_period_us: int | None = None
    priority_enabled: int = 0
    max_tasks_per_iteration: int | None = None
    paused: int = 0


class NewTask(NamedTuple):
    """Where a new workflow stands in its queue."""

    queue: str
    priority: int = 0
    partition: str | None = None
    deduplication_id: str | None = None
    due_us: int | None = None
    latest_us: int | None = None


COLUMNS = ", ".join(QueueRow._fields)


# --- limits -------------------------------------------------------------------------------------------------------


def find(connection: apsw.Connection, name: str) -> QueueRow | None:
    row = connection.execute(f"SELECT {COLUMNS} FROM queue WHERE name = ?", (name,)).fetchone()
    return None if row is None else QueueRow(*row)


def all_queues(connection: apsw.Connection) -> list[QueueRow]:
    """The queues of users: those that begin with 'litewf.' are the engine's own."""
    rows = connection.execute(f"SELECT {COLUMNS} FROM queue WHERE name NOT LIKE 'litewf.%' ORDER BY name")
    return [QueueRow(*row) for row in rows]


def put(tx: Tx, queue: QueueRow, now_us: int) -> None:
    """Set the limits of a queue; those that it has are replaced."""
    before = find(tx.connection, queue.name)
    changes = ", ".join(f"{column} = excluded.{column}" for column in (*QueueRow._fields[1:], "updated_us"))
    tx.connection.execute(
        f"INSERT INTO queue ({COLUMNS}, updated_us) VALUES ({', '.join('?' * len(QueueRow._fields))}, ?)"
        f" ON CONFLICT (name) DO UPDATE SET {changes}",
        (*queue, now_us),
    )
    if before is not None and before.rate_limit != queue.rate_limit:
        _resize_ring(tx, queue)
    if (before or QueueRow(queue.name)).partition_concurrency != queue.partition_concurrency:
        _place_partitions(tx, queue)
    tx.touch(touched(queue.name))


def remove(tx: Tx, name: str) -> bool:
    """Forget the limits of a queue; what is on it stays."""
    tx.connection.execute("DELETE FROM queue WHERE name = ?", (name,))
    if not tx.connection.changes():
        return False
    tx.connection.execute("DELETE FROM started WHERE queue = ?", (name,))
    _place_partitions(tx, QueueRow(name))
    tx.touch(touched(name))
    return True


def touched(queue: str) -> str:
    """The notifier's key of a queue: something may be started from it."""
    return f"queue:{queue}"


def _resize_ring(tx: Tx, queue: QueueRow) -> None:
    """Keep the latest starts that the new limit still counts."""
    latest = tx.connection.execute(
        "SELECT started_us FROM started WHERE queue = ? ORDER BY started_us DESC LIMIT ?",
        (queue.name, queue.rate_limit or 0),
    ).fetchall()
    tx.connection.execute("DELETE FROM started WHERE queue = ?", (queue.name,))
    for place, (started_us,) in enumerate(reversed(latest)):
        tx.connection.execute("INSERT INTO started VALUES (?, ?, ?)", (queue.name, place, started_us))
    tx.connection.execute("UPDATE queue SET starts = ? WHERE name = ?", (len(latest), queue.name))


# --- partitions ---------------------------------------------------------------------------------------------------


def _place_partitions(tx: Tx, queue: QueueRow) -> None:
    """The limit of a queue's partitions has changed: let as many come forward as it says."""
    rows = tx.connection.execute(
        "SELECT DISTINCT partition FROM task WHERE queue = ? AND partition IS NOT NULL"
        " AND (state = 'waiting' OR state = 'behind')",
        (queue.name,),
    ).fetchall()
    for (partition,) in rows:
        place_partition(tx, queue, str(partition))


def place_partition(tx: Tx, queue: QueueRow, partition: str) -> None:
    """Let the first of a partition wait for their turn, as many as its limit leaves room for, the others behind."""
    limit = NO_LIMIT if queue.partition_concurrency is None else queue.partition_concurrency
    here = (queue.name, partition)
    free = max(limit - _count(tx, here), 0)
    waiting: list[Any]
    behind: list[Any]
    waiting, behind = (
        tx.connection.execute(
            "SELECT priority, workflow FROM task WHERE queue = ? AND partition = ?"
            f" AND state = '{state}' ORDER BY priority, workflow LIMIT ?",
            (*here, free if state == "behind" else NO_LIMIT),
        ).fetchall()
        for state in ("waiting", "behind")
    )
    first = set(sorted([*waiting, *behind])[:free])
    _set_state(tx, "behind", [row[1] for row in waiting if row not in first])
    _set_state(tx, "waiting", [row[1] for row in behind if row in first])


def _set_state(tx: Tx, state: str, keys: Sequence[int]) -> None:
    if keys:
        tx.connection.execute(
            "UPDATE task SET state = ? WHERE workflow IN (SELECT value FROM carray(?))", (state, integers(keys))
        )


def _count(tx: Tx, here: tuple[str, str]) -> int:
    """The slots of a partition that are taken."""
    row: Any = tx.connection.execute(
        "SELECT count(*) FROM task WHERE queue = ? AND partition = ? AND slot = 1", here
    ).fetchone()
    return int(row[0])


# --- enqueueing ---------------------------------------------------------------------------------------------------

TASK = Wide(
    8,
    """
    WITH v (workflow, queue, priority, partition, deduplication_id, due_us, latest_us, state) AS (VALUES {rows})
    INSERT INTO task (workflow, queue, priority, partition, deduplication_id, due_us, latest_us, state)
    SELECT v.* FROM v WHERE EXISTS (SELECT 1 FROM workflow WHERE workflow.key = v.workflow)
    """,
)


def add(connection: apsw.Connection, tasks: Sequence[tuple[int, NewTask]]) -> None:
    """Put new workflows on their queues; who cannot start at once in its partition stands behind."""
    limited = {
        name: found for name in {task.queue for _, task in tasks} if (found := _limits_partitions(connection, name))
    }
    values: list[Value] = []
    crowded: set[tuple[str, str]] = set()
    for workflow, task in tasks:
        state = "delayed" if task.due_us is not None else "waiting"
        if task.partition is not None and task.due_us is None and task.queue in limited:
            state = "behind"
            crowded.add((task.queue, task.partition))
        values += (workflow, *task, state)
    TASK.run(connection, values)
    for name, partition in crowded:
        place_partition(Tx(connection), limited[name], partition)


def _limits_partitions(connection: apsw.Connection, name: str) -> QueueRow | None:
    queue = find(connection, name)
    return None if queue is None or queue.partition_concurrency is None else queue


def holder(connection: apsw.Connection, queue: str, deduplication_id: str) -> tuple[int, str, str] | None:
    """Key, id and name of the workflow that has a deduplication id now."""
    row = connection.execute(
        "SELECT workflow.key, workflow.id, workflow.name FROM task JOIN workflow ON workflow.key = task.workflow"
        " WHERE task.queue = ? AND deduplication_id = ? AND deduplication_id IS NOT NULL AND state <> 'ended'",
        (queue, deduplication_id),
    ).fetchone()
    return None if row is None else (row[0], row[1], row[2])


def wake_delayed(tx: Tx, now_us: int, limit: int) -> None:
    """Let delayed workflows wait for their turn whose time has come."""
    rows: list[Any] = tx.connection.execute(
        "SELECT workflow, queue, partition FROM task WHERE state = 'delayed' AND due_us <= ? ORDER BY due_us LIMIT ?",
        (now_us, limit),
    ).fetchall()
    if not rows:
        return
    keys = integers(row[0] for row in rows)
    tx.connection.execute(
        "UPDATE task SET due_us = NULL, state = iif(partition IS NULL, 'waiting', 'behind')"
        " WHERE workflow IN (SELECT value FROM carray(?))",
        (keys,),
    )
    tx.connection.execute(
        "UPDATE workflow SET status = 'ENQUEUED', updated_us = ? WHERE key IN (SELECT value FROM carray(?))",
        (now_us, keys),
    )
    for name, partition in {(str(row[1]), row[2]) for row in rows}:
        if partition is not None:
            place_partition(tx, find(tx.connection, name) or QueueRow(name), str(partition))
        tx.touch(touched(name))


# --- starting -----------------------------------------------------------------------------------------------------


def busy(connection: apsw.Connection) -> list[str]:
    """The queues on which something waits for its turn; a hop from one name to the next."""
    return _hop(connection, "task", "state = 'waiting'")


def woken(connection: apsw.Connection) -> list[str]:
    """The queues of workflows that were started, have waited, and may go on."""
    return _hop(connection, "workflow", "phase = 'ready' AND queue IS NOT NULL")


def _hop(connection: apsw.Connection, table: str, condition: str) -> list[str]:
    rows = connection.execute(
        f"WITH RECURSIVE found (name) AS (SELECT min(queue) FROM {table} WHERE {condition} UNION ALL"
        f" SELECT (SELECT min(queue) FROM {table} WHERE {condition} AND queue > found.name) FROM found"
        " WHERE found.name IS NOT NULL) SELECT name FROM found WHERE name IS NOT NULL"
    )
    return [row[0] for row in rows]


def slots_free(connection: apsw.Connection, queue: QueueRow) -> int:
    """How many more workflows may hold a slot of the queue."""
    if queue.global_concurrency is None:
        return NO_LIMIT
    row: Any = connection.execute("SELECT count(*) FROM task WHERE queue = ? AND slot = 1", (queue.name,)).fetchone()
    return max(queue.global_concurrency - row[0], 0)


def take_slots(tx: Tx, keys: Sequence[int]) -> None:
    """Start these: each holds a slot of its queue and of its partition from now on."""
    if keys:
        tx.connection.execute(
            "UPDATE task SET state = 'started', slot = 1 WHERE workflow IN (SELECT value FROM carray(?))",
            (integers(keys),),
        )


def take_slot_again(tx: Tx, queue: QueueRow, key: int) -> bool:
    """Let a started workflow hold its slots again, unless its partition is full; who waits there steps behind."""
    row = tx.connection.execute("SELECT partition FROM task WHERE workflow = ?", (key,)).fetchone()
    partition = None if row is None else row[0]
    limit = queue.partition_concurrency
    if partition is not None and limit is not None and _count(tx, (queue.name, str(partition))) >= limit:
        return False
    tx.connection.execute("UPDATE task SET slot = 1 WHERE workflow = ?", (key,))
    if partition is not None:
        place_partition(tx, queue, str(partition))
    return True


def give_up_slots(connection: apsw.Connection, keys: Sequence[int]) -> list[str]:
    """These wait for other workflows, which may need their slots; the queues that have more room now.

    A run of a schedule keeps its slot: it is there so that the next one does not begin before this one has ended.
    """
    rows: list[Any] = connection.execute(
        "UPDATE task SET slot = 0 WHERE slot = 1 AND queue <> ? AND workflow IN (SELECT value FROM carray(?))"
        " RETURNING queue",
        (SCHEDULED, integers(keys)),
    ).fetchall()
    return sorted({row[0] for row in rows})


def waits_for(connection: apsw.Connection, name: str, workflows: Sequence[str]) -> bool:
    """Whether a workflow with one of these names waits for its turn."""
    row = connection.execute(
        "SELECT 1 FROM task CROSS JOIN workflow ON key = task.workflow"
        " WHERE task.queue = ? AND state = 'waiting' AND name IN (SELECT value FROM carray(?)) LIMIT 1",
        (name, texts(workflows)),
    ).fetchone()
    return row is not None


def next_start_us(connection: apsw.Connection, name: str, now_us: int) -> int | None:
    """When the limits of a queue allow its next start; None: not before something else has ended or was changed."""
    queue = find(connection, name) or QueueRow(name)
    if queue.paused or slots_free(connection, queue) <= 0:
        return None
    if queue.rate_limit is None or queue.rate_period_us is None:
        return now_us
    past = connection.execute(
        "SELECT started_us FROM started JOIN queue ON queue.name = queue"
        " WHERE queue = ? AND place = starts % rate_limit",
        (name,),
    ).fetchone()
    return now_us if past is None else max(now_us, min(past[0], now_us) + queue.rate_period_us)


class Allowance(NamedTuple):
    """How many starts a rate limit allows now, and when the next one if it stops there."""

    starts: int
    next_us: int | None


def rate_allows(tx: Tx, queue: QueueRow, wanted: int, now_us: int) -> Allowance:
    """What the rate limit allows of so many starts: each needs the one `rate_limit` before it to be a period old."""
    if queue.rate_limit is None or queue.rate_period_us is None:
        return Allowance(wanted, None)
    row = tx.connection.execute("SELECT starts FROM queue WHERE name = ?", (queue.name,)).fetchone()
    assert row is not None
    tx.connection.execute(  # a clock that was set back: what lies in the future counts as now
        "UPDATE started SET started_us = ? WHERE queue = ? AND started_us > ?", (now_us, queue.name, now_us)
    )
    for ahead in range(wanted):
        place = (row[0] + ahead) % queue.rate_limit
        if ahead >= queue.rate_limit:
            return Allowance(ahead, now_us + queue.rate_period_us)
        past = tx.connection.execute(
            "SELECT started_us FROM started WHERE queue = ? AND place = ?", (queue.name, place)
        ).fetchone()
        if past is not None and past[0] + queue.rate_period_us > now_us:
            return Allowance(ahead, past[0] + queue.rate_period_us)
    return Allowance(wanted, None)


def count_starts(tx: Tx, queue: QueueRow, starts: int, now_us: int) -> None:
    """Note in the ring of a rate limit that so many were started now."""
    if queue.rate_limit is None or not starts:
        return
    row = tx.connection.execute(
        "UPDATE queue SET starts = starts + ? WHERE name = ? RETURNING starts", (starts, queue.name)
    ).fetchone()
    assert row is not None
    for number in range(row[0] - starts, row[0]):
        tx.connection.execute(
            "INSERT OR REPLACE INTO started VALUES (?, ?, ?)", (queue.name, number % queue.rate_limit, now_us)
        )
