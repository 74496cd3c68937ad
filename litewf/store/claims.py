"""Taking workflows that are ready, and making ready what is due.

One rule decides for recovery, wake-up and first start alike: an engine runs what it has the code for, in the version it
accepts; what nobody can run is held, visibly.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import apsw

from litewf.store import queues
from litewf.store.executors import is_registered
from litewf.store.operations import Tx
from litewf.store.queues import QueueRow
from litewf.store.waits import workflow_key
from litewf.store.wide import integers, texts


@dataclass(frozen=True, slots=True)
class Capability:
    """Which workflows an engine can run."""

    executor: int
    names: Collection[str]
    version: str
    only_version: bool  # recover="matching": no other version than its own

    def obstacle(self, name: str, version: str | None) -> str | None:
        """Why this engine cannot run the workflow, if so."""
        if name not in self.names:
            return f"no workflow named {name!r} is registered in this program"
        if self.only_version and version is not None and version != self.version:
            return f"it belongs to application version {version!r}; this engine runs only {self.version!r}"
        return None


class Claimed(NamedTuple):
    """A workflow that now belongs to the claimer."""

    key: int
    id: str
    name: str
    fence: int
    generation: int
    created_us: int
    deadline_us: int | None
    application_version: str | None
    held_versions: str | None
    queue: str | None = None


# What an engine takes: not those whose last execution still runs here; those that it can run, and those that none can.
MINE = """
    key NOT IN (SELECT value FROM carray(?)) AND name NOT IN (SELECT value FROM carray(?))
    AND (name IN (SELECT value FROM carray(?))
             AND (NOT ? OR application_version IS NULL OR application_version = ?)
         OR name NOT IN (SELECT value FROM carray(?))
             AND name || char(10) || application_version NOT IN (SELECT value FROM carray(?)))
"""
TAKEN = "key, id, name, fence, generation, created_us, deadline_us, application_version, held_versions, queue"
CLAIM = f"""
    UPDATE workflow SET phase = 'running', owner = ?, fence = fence + 1, due_us = NULL, updated_us = ?,
                        started_us = coalesce(started_us, max(?, created_us))
    WHERE key IN (SELECT key FROM workflow WHERE phase = 'ready' AND queue IS NULL AND {MINE} ORDER BY key LIMIT ?)
    RETURNING {TAKEN}
"""
# The time of a queued workflow begins to run when it is claimed for the first time.
CLAIM_KEYS = f"""
    UPDATE workflow SET phase = 'running', owner = ?1, fence = fence + 1, due_us = NULL, updated_us = ?2,
                        started_us = coalesce(started_us, max(?2, created_us)), status = 'PENDING',
                        deadline_us = iif(status = 'PENDING', deadline_us, coalesce(
                            min(deadline_us, ?2 + timeout_us), deadline_us, ?2 + timeout_us))
    FROM request WHERE request.workflow = key AND key IN (SELECT value FROM carray(?3))
    RETURNING {TAKEN}
"""
WOKEN = f"""
    SELECT key FROM workflow CROSS JOIN task ON task.workflow = key
    WHERE phase = 'ready' AND workflow.queue = ? AND slot = ? AND {MINE} ORDER BY key LIMIT ?
"""
NEXT = f"""
    SELECT key FROM task CROSS JOIN workflow ON key = task.workflow
    WHERE task.queue = ? AND state = 'waiting' AND {MINE} ORDER BY task.priority, task.workflow LIMIT ?
"""


class Room(NamedTuple):
    """How much an engine takes on: not those whose last execution still runs here, nor those without a free thread."""

    limit: int
    busy_keys: Collection[int]
    busy_names: Collection[str]


class Claimer:
    """One round of claims, in one transaction: for whom, with how much room."""

    def __init__(self, tx: Tx, able: Capability, room: Room, now_us: int) -> None:
        self._tx = tx
        self._able = able
        self._now_us = now_us
        alive = is_registered(tx.connection, able.executor)  # else nobody would ever take back what it claims now
        self.left = room.limit if alive else 0
        busy = (integers(room.busy_keys), texts(tuple(room.busy_names)))
        mine_to_run = (texts(tuple(able.names)), able.only_version, able.version)
        self._mine = (*busy, *mine_to_run, *_left_to_others(tx, able.executor))
        self.workflows: list[Claimed] = []
        self.held: list[tuple[str, str]] = []

    @property
    def full(self) -> bool:
        """Whether there is no room for more."""
        return self.left <= 0

    def ready(self) -> bool:
        """Take workflows that are on no queue: those this engine can run and, to hold them, those that none can.

        Tells whether more may be ready.
        """
        if self.full:
            return False
        parameters = (self._able.executor, self._now_us, self._now_us, *self._mine, self.left)
        self._take(self._tx.connection.execute(CLAIM, parameters).fetchall())
        return self.full

    def queue(self, queue: QueueRow, most: int) -> int | None:
        """Take up to `most` from a queue, ahead of all those that were started before; when its rate allows the next."""
        connection, most = self._tx.connection, min(most, self.left)
        most -= self._take_keys(self._keys(WOKEN, queue.name, 1, most))
        free = queues.slots_free(connection, queue)
        again = self._take_slots_again(queue, self._keys(WOKEN, queue.name, 0, min(most, free)))
        most, free = most - again, free - again
        if queue.paused or min(most, free) <= 0:
            return None
        wanted = min(most, free, queue.max_tasks_per_iteration or most)
        allowed = queues.rate_allows(self._tx, queue, wanted, self._now_us)
        keys = self._keys(NEXT, queue.name, None, allowed.starts)
        queues.take_slots(self._tx, keys)
        self._take_keys(keys)
        queues.count_starts(self._tx, queue, len(keys), self._now_us)
        return allowed.next_us if len(keys) == allowed.starts else None

    def _keys(self, select: str, queue: str, slot: int | None, limit: int) -> list[int]:
        if limit <= 0:
            return []
        which = (queue,) if slot is None else (queue, slot)
        rows = self._tx.connection.execute(select, (*which, *self._mine, limit))
        return [row[0] for row in rows]

    def _take_slots_again(self, queue: QueueRow, keys: Sequence[int]) -> int:
        """Those that gave up their slot while they waited for another workflow take it again, if there is one."""
        kept = [key for key in keys if queues.take_slot_again(self._tx, queue, key)]
        return self._take_keys(kept)

    def _take_keys(self, keys: Sequence[int]) -> int:
        if keys:
            parameters = (self._able.executor, self._now_us, integers(keys))
            rows = {row[0]: row for row in self._tx.connection.execute(CLAIM_KEYS, parameters)}
            self._take([rows[key] for key in keys])
        return len(keys)

    def _take(self, rows: Sequence[Any]) -> None:
        taken = integers(row[0] for row in rows)
        self._tx.connection.execute("DELETE FROM wait WHERE workflow IN (SELECT value FROM carray(?))", (taken,))
        self.left -= len(rows)
        for row in rows:
            workflow = Claimed(*row)
            obstacle = self._able.obstacle(workflow.name, workflow.application_version)
            if obstacle is None:
                self.workflows.append(workflow)
            else:
                _hold(self._tx, workflow, obstacle, self._able.version)
                self.held.append((workflow.id, obstacle))


def _left_to_others(tx: Tx, executor: int) -> tuple[Any, Any]:
    """Names that other engines run in any version, and names with the one version in which they do."""
    in_any: set[str] = set()
    in_one: set[str] = set()
    rows: list[Any] = tx.connection.execute(
        "SELECT names, only_version, application_version FROM executor WHERE key <> ?", (executor,)
    ).fetchall()
    for names, only_version, version in rows:
        if only_version:
            in_one.update(f"{name}\n{version}" for name in json.loads(names))
        else:
            in_any.update(json.loads(names))
    return texts(tuple(in_any)), texts(tuple(in_one))


def _hold(tx: Tx, workflow: Claimed, obstacle: str, version: str) -> None:
    tx.connection.execute(
        "UPDATE workflow SET phase = 'held', owner = NULL, held = ?,"
        " held_versions = json_insert(coalesce(held_versions, '[]'), '$[#]', ?) WHERE key = ?",
        (obstacle, version, workflow.key),
    )
    tx.touch(workflow_key(workflow.id))


UNTRIED = """
    WHERE phase = 'held' AND name IN (SELECT value FROM carray(?1))
      AND (NOT ?2 OR application_version IS NULL OR application_version = ?3)
      AND NOT EXISTS (SELECT 1 FROM json_each(held_versions) WHERE value = ?3)
"""


def retry_held(tx: Tx, able: Capability) -> int:
    """Make ready what other versions hold and this one has not tried."""
    tx.connection.execute(
        "UPDATE workflow SET phase = 'ready', held = NULL" + UNTRIED,
        (texts(tuple(able.names)), able.only_version, able.version),
    )
    return tx.connection.changes()


def wake_due(tx: Tx, now_us: int, limit: int) -> int:
    """Make parked workflows ready whose time has come."""
    tx.connection.execute(
        "UPDATE workflow SET phase = 'ready', due_us = NULL WHERE key IN"
        " (SELECT key FROM workflow WHERE phase = 'parked' AND due_us <= ? ORDER BY due_us LIMIT ?)",
        (now_us, limit),
    )
    return tx.connection.changes()


def next_due_us(connection: apsw.Connection) -> int | None:
    """When the next parked or delayed workflow or deadline is due; one look at the heads of three indexes."""
    row = connection.execute(
        "SELECT min(x) FROM (SELECT * FROM"
        " (SELECT due_us AS x FROM workflow WHERE phase = 'parked' AND due_us IS NOT NULL ORDER BY due_us LIMIT 1)"
        " UNION ALL SELECT * FROM (SELECT due_us FROM task WHERE state = 'delayed' ORDER BY due_us LIMIT 1)"
        " UNION ALL SELECT * FROM (SELECT deadline_us FROM workflow"
        " WHERE completed_us IS NULL AND deadline_us IS NOT NULL ORDER BY deadline_us LIMIT 1))"
    ).fetchone()
    return None if row is None else row[0]


def something_is_ready(connection: apsw.Connection, able: Capability | None) -> bool:
    """Whether a workflow may go on now or is in memory: one of this engine, or of any, which may have died."""
    ready, owned = "", "owner IS NOT NULL"
    parameters: tuple[Any, ...] = ()
    if able is not None:
        ready, owned = "AND name IN (SELECT value FROM carray(?))", "owner = ?"
        parameters = (texts(tuple(able.names)), able.executor)
    row: Any = connection.execute(
        f"SELECT EXISTS (SELECT 1 FROM workflow WHERE phase = 'ready' {ready})"
        f" OR EXISTS (SELECT 1 FROM workflow WHERE {owned})",
        parameters,
    ).fetchone()
    return bool(row[0])


def held_elsewhere(connection: apsw.Connection, able: Capability) -> bool:
    """Whether something is held that this engine has not tried."""
    row = connection.execute(
        "SELECT 1 FROM workflow" + UNTRIED + " LIMIT 1",
        (texts(tuple(able.names)), able.only_version, able.version),
    ).fetchone()
    return row is not None


class HeldCount(NamedTuple):
    """How many workflows are held for one reason."""

    name: str
    reason: str
    workflows: int


def held_summary(connection: apsw.Connection) -> Sequence[HeldCount]:
    rows = connection.execute(
        "SELECT name, held, count(*) FROM workflow WHERE phase = 'held' GROUP BY name, held ORDER BY name"
    )
    return [HeldCount(*row) for row in rows]
