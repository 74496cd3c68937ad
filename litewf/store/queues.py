"""Queues in the file: their limits, who is next, and what the limits still allow.

Everything here runs inside the transaction that claims, enqueues or changes limits.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import apsw

from litewf.store import rates
from litewf.store.operations import Tx
from litewf.store.rates import Rate
from litewf.store.wide import Value, Wide, integers

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

    @property
    def rate(self) -> Rate | None:
        if self.rate_limit is None or self.rate_period_us is None:
            return None
        return Rate(self.name, self.rate_limit, self.rate_period_us)


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
    before = before or QueueRow(queue.name)
    if before.rate != queue.rate:
        rates.change(tx, queue.name, before.rate, queue.rate)
    if before.partition_concurrency != queue.partition_concurrency:
        _place_partitions(tx, queue)
    tx.touch(touched(queue.name))


def remove(tx: Tx, name: str) -> bool:
    """Forget the limits of a queue; what is on it stays."""
    tx.connection.execute("DELETE FROM queue WHERE name = ?", (name,))
    if not tx.connection.changes():
        return False
    rates.forget(tx, name)
    _place_partitions(tx, QueueRow(name))
    tx.touch(touched(name))
    return True


def touched(queue: str) -> str:
    """The notifier's key of a queue: something may be started from it."""
    return f"queue:{queue}"


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
    waiting = _in_order(tx, here, "waiting", NO_LIMIT)
    behind = _in_order(tx, here, "behind", free)
    first = set(sorted([*waiting, *behind])[:free])
    _set_state(tx, "behind", [key for priority, key in waiting if (priority, key) not in first])
    _set_state(tx, "waiting", [key for priority, key in behind if (priority, key) in first])


def _in_order(tx: Tx, here: tuple[str, str], state: str, limit: int) -> list[tuple[int, int]]:
    rows: list[Any] = tx.connection.execute(
        "SELECT priority, workflow FROM task WHERE queue = ? AND partition = ?"
        f" AND state = '{state}' ORDER BY priority, workflow LIMIT ?",
        (*here, limit),
    ).fetchall()
    return rows


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
    "workflow, name, version, queue, priority, partition, deduplication_id, due_us, latest_us, state",
    """
    INSERT INTO task (workflow, name, version, queue, priority, partition, deduplication_id, due_us, latest_us, state)
    SELECT v.* FROM {v} WHERE EXISTS (SELECT 1 FROM workflow WHERE workflow.key = v.workflow)
    """,
)


class Newcomer(NamedTuple):
    """A new workflow that goes on a queue."""

    workflow: int
    name: str
    version: str | None
    task: NewTask


def add(connection: apsw.Connection, newcomers: Sequence[Newcomer]) -> None:
    """Put new workflows on their queues; who cannot start at once in its partition stands behind."""
    limited = _limiting_partitions(connection, {new.task.queue for new in newcomers})
    values: list[Value] = []
    crowded: set[tuple[str, str]] = set()
    for workflow, name, version, task in newcomers:
        state = "delayed" if task.due_us is not None else "waiting"
        if task.partition is not None and task.due_us is None and task.queue in limited:
            state = "behind"
            crowded.add((task.queue, task.partition))
        values += (workflow, name, version or "", *task, state)
    TASK.run(connection, values)
    for queue, partition in crowded:
        place_partition(Tx(connection), limited[queue], partition)


def _limiting_partitions(connection: apsw.Connection, names: Collection[str]) -> dict[str, QueueRow]:
    """Those of the queues that have a limit for each partition."""
    found = [find(connection, name) for name in names]
    return {queue.name: queue for queue in found if queue is not None and queue.partition_concurrency is not None}


def holder(connection: apsw.Connection, queue: str, deduplication_id: str) -> tuple[int, str, str] | None:
    """Key, id and name of the workflow that has a deduplication id now."""
    row = connection.execute(
        "SELECT workflow.key, workflow.id, workflow.name FROM task JOIN workflow ON workflow.key = task.workflow"
        " WHERE task.queue = ? AND deduplication_id = ? AND deduplication_id IS NOT NULL AND state <> 'ended'",
        (queue, deduplication_id),
    ).fetchone()
    return None if row is None else (row[0], row[1], row[2])


def put_off(tx: Tx, queue: str, deduplication_id: str, input: str, due_us: int) -> str | None:
    """Give a debounced workflow that has not come due another input and more time; its id, None if there is none."""
    row: Any = tx.connection.execute(
        "UPDATE task SET due_us = min(?, latest_us) WHERE queue = ? AND deduplication_id = ?"
        " AND deduplication_id IS NOT NULL AND state <> 'ended' AND state = 'delayed' AND latest_us IS NOT NULL"
        " RETURNING workflow, due_us",
        (due_us, queue, deduplication_id),
    ).fetchone()
    if row is None:
        return None
    tx.connection.execute("UPDATE request SET input = ? WHERE workflow = ?", (input, row[0]))
    tx.touch(f"due:{row[1]}")
    found: Any = tx.connection.execute("SELECT id FROM workflow WHERE key = ?", (row[0],)).fetchone()
    return str(found[0])


def wake_delayed(tx: Tx, now_us: int, limit: int) -> None:
    """Let delayed workflows wait for their turn whose time has come."""
    rows: list[Any] = tx.connection.execute(
        "UPDATE task SET state = 'waiting',"
        " deduplication_id = iif(latest_us IS NULL, deduplication_id, NULL)"  # the next call makes another one
        " WHERE workflow IN (SELECT workflow FROM task WHERE state = 'delayed' AND due_us <= ? ORDER BY due_us LIMIT ?)"
        " RETURNING workflow, queue, partition",
        (now_us, limit),
    ).fetchall()
    if rows:
        tx.connection.execute(
            "UPDATE workflow SET status = 'ENQUEUED', updated_us = max(updated_us, ?)"
            " WHERE key IN (SELECT value FROM carray(?))",
            (now_us, integers(row[0] for row in rows)),
        )
        _let_wait(tx, rows)


def take_back(tx: Tx, keys: Sequence[int]) -> None:
    """Let held workflows that were never started wait for their turn again, each in its place."""
    rows: list[Any] = tx.connection.execute(
        "UPDATE task SET state = 'waiting' WHERE state = 'held' AND workflow IN (SELECT value FROM carray(?))"
        " RETURNING workflow, queue, partition",
        (integers(keys),),
    ).fetchall()
    _let_wait(tx, rows)


def _let_wait(tx: Tx, rows: Sequence[tuple[int, str, str | None]]) -> None:
    """These wait for their turn from now on; a partition that limits how many may sends some behind."""
    limited = _limiting_partitions(tx.connection, {queue for _, queue, _ in rows})
    for queue, partition in {(queue, partition) for _, queue, partition in rows}:
        if partition is not None and queue in limited:
            place_partition(tx, limited[queue], partition)
        tx.touch(touched(queue))


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


class Kind(NamedTuple):
    """Workflows of one name and one version (None: any)."""

    name: str
    version: str | None


# The next version of the same name, or the first of the next name; a comparison of both at once would go through all.
NEXT_KIND = """
    SELECT * FROM (SELECT name, version FROM task WHERE queue = ?1 AND state = 'waiting' AND name = ?2 AND version > ?3
                   ORDER BY version LIMIT 1)
    UNION ALL SELECT * FROM (SELECT name, version FROM task WHERE queue = ?1 AND state = 'waiting' AND name > ?2
                             ORDER BY name, version LIMIT 1)
    LIMIT 1
"""


def kinds(connection: apsw.Connection, queue: str) -> Iterator[Kind]:
    """What waits on a queue: a hop from one name and version to the next, however many there are of each."""
    last = ("", "")
    while row := connection.execute(NEXT_KIND, (queue, *last)).fetchone():
        last = (row[0], row[1])
        yield Kind(last[0], last[1] or None)


def first_of(connection: apsw.Connection, queue: str, kind: Kind, limit: int) -> list[tuple[int, int]]:
    """Priority and key of those of one kind that come first."""
    rows: list[Any] = connection.execute(
        "SELECT priority, workflow FROM task WHERE queue = ? AND state = 'waiting' AND name = ? AND version = ?"
        " ORDER BY priority, workflow LIMIT ?",
        (queue, kind.name, kind.version or "", limit),
    ).fetchall()
    return rows


def set_aside(tx: Tx, keys: Sequence[int]) -> None:
    """No engine can run these: they let others pass."""
    _set_state(tx, "held", keys)


def slots_free(connection: apsw.Connection, queue: QueueRow) -> int:
    """How many more workflows may hold a slot of the queue."""
    if queue.global_concurrency is None:
        return NO_LIMIT
    row: Any = connection.execute("SELECT count(*) FROM task WHERE queue = ? AND slot = 1", (queue.name,)).fetchone()
    return max(queue.global_concurrency - int(row[0]), 0)


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


def forget(tx: Tx, keys: Sequence[int]) -> None:
    """Places on a queue of workflows that are not there to be started: whoever edited the file has left them behind."""
    tx.connection.execute(
        "UPDATE task SET state = 'ended', slot = 0 WHERE workflow IN (SELECT value FROM carray(?))", (integers(keys),)
    )


def leave(tx: Tx, key: int) -> None:
    """A workflow goes on outside its queue; a body of it that still runs holds its slot until it ends.

    It holds its deduplication id no more, and does not show it: another one of the queue may have it.
    """
    row = tx.connection.execute(
        "UPDATE task SET state = 'ended', deduplication_id = NULL,"
        " slot = iif((SELECT owner FROM workflow WHERE key = ?1) IS NULL, 0, slot)"
        " WHERE workflow = ?1 RETURNING queue",
        (key,),
    ).fetchone()
    if row is not None:
        tx.touch(touched(str(row[0])))


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
