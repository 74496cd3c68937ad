"""Taking workflows that are ready, and making ready what is due.

One rule decides for recovery, wake-up and first start alike: an engine runs what it has the code for, in the version it
accepts; what nobody can run is held, visibly.
"""

import json
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import apsw

from litewf.store import queues, rates
from litewf.store.executors import is_registered
from litewf.store.operations import Tx
from litewf.store.queues import Kind, QueueRow
from litewf.store.waits import workflow_key
from litewf.store.wide import integers, texts


class Capability(NamedTuple):
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
    latest_us: int  # no time of this workflow is before that, whatever the clock says
    deadline_us: int | None
    application_version: str | None  # None: any; it is the claimer's from now on
    held_versions: str | None
    queue: str | None = None


# What an engine takes: not those whose last execution still runs here; those that it can run, and those that none can.
MINE = """
    key NOT IN (SELECT value FROM carray(?)) AND workflow.name NOT IN (SELECT value FROM carray(?))
    AND (workflow.name IN (SELECT value FROM carray(?))
             AND (NOT ? OR application_version IS NULL OR application_version = ?)
         OR workflow.name NOT IN (SELECT value FROM carray(?))
             AND workflow.name || char(10) || coalesce(application_version, '') NOT IN (SELECT value FROM carray(?)))
"""
TAKEN = "key, id, name, fence, generation, updated_us, deadline_us, application_version, held_versions, queue"
CLAIM = f"""
    UPDATE workflow SET phase = 'running', owner = ?, fence = fence + 1, due_us = NULL, updated_us = max(updated_us, ?),
                        started_us = coalesce(started_us, max(?, created_us))
    WHERE key IN (SELECT key FROM workflow WHERE phase = 'ready' AND queue IS NULL AND {MINE} ORDER BY key LIMIT ?)
    RETURNING {TAKEN}
"""
DEADLINE = "?2 + min(timeout_us, 1 << 62)"  # more would leave SQLite's integers
# The time of a queued workflow begins to run when it is claimed for the first time.
CLAIM_KEYS = f"""
    UPDATE workflow SET phase = 'running', held = NULL, owner = ?1, fence = fence + 1, due_us = NULL,
                        updated_us = max(updated_us, ?2),
                        started_us = coalesce(started_us, max(?2, created_us)), status = 'PENDING',
                        deadline_us = iif(status = 'PENDING', deadline_us, coalesce(
                            min(deadline_us, {DEADLINE}), deadline_us, {DEADLINE}))
    FROM request WHERE request.workflow = key AND key IN (SELECT value FROM carray(?3))
    RETURNING {TAKEN}
"""
# Who begins what was started for any version: from then on it is of that version.
PIN = "UPDATE workflow SET application_version = ? WHERE key IN (SELECT value FROM carray(?))"
# What waits for its turn, but no engine can run it.
HOLD_WAITING = """
    UPDATE workflow SET status = 'PENDING', phase = 'held', updated_us = max(updated_us, ?), held = ?
    WHERE key IN (SELECT value FROM carray(?)) RETURNING id
"""
WOKEN = f"""
    SELECT key FROM workflow CROSS JOIN task ON task.workflow = key
    WHERE phase = 'ready' AND workflow.queue = ? AND slot = ? AND {MINE} ORDER BY key
"""


class Room(NamedTuple):
    """How much an engine takes on: not those whose last execution still runs here, nor those without a free thread."""

    limit: int
    busy_keys: Collection[int]
    busy_names: Collection[str]


HELD_AT_ONCE = 1000  # of one kind that no engine can run


class FromQueue(NamedTuple):
    """What one look at a queue brought."""

    taken: int = 0
    next_us: int | None = None  # when the rate limit allows the next start
    is_more: bool = False  # whether a bound of this very look left something behind


class Claimer:
    """One round of claims, in one transaction: for whom, with how much room."""

    def __init__(self, tx: Tx, able: Capability, room: Room, now_us: int) -> None:
        self._tx = tx
        self._able = able
        self._now_us = now_us
        self._busy_names = room.busy_names
        self._others = _left_to_others(tx, able.executor)
        self.is_known = is_registered(tx.connection, able.executor)  # else nobody would take back what it claims now
        self.left = room.limit if self.is_known else 0
        busy = (integers(room.busy_keys), texts(tuple(room.busy_names)))
        mine_to_run = (texts(tuple(able.names)), able.only_version, able.version)
        self._mine = (*busy, *mine_to_run, *self._others.as_tables())
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

    def queue(self, queue: QueueRow, room: int, share: int) -> FromQueue:
        """Take from a queue, those ahead that were started before: up to `room`, and of that no more than `share`."""
        most = min(room, share, self.left)
        taken = self._take_keys(self._woken(queue, 1, most))
        free = queues.slots_free(self._tx.connection, queue)
        again = self._take_keys(self._take_slots_again(queue, min(most - taken, free)))
        taken, free = taken + again, free - again
        if queue.paused:
            return FromQueue(taken, is_more=taken == share)
        wanted = min(most - taken, free, queue.max_tasks_per_iteration or most)
        started = self._start(queue, wanted)
        taken += started.taken
        is_more = taken == share or 0 < started.taken == queue.max_tasks_per_iteration
        return FromQueue(taken, started.next_us, is_more)

    def _woken(self, queue: QueueRow, slot: int, limit: int) -> list[int]:
        """Workflows that were started from a queue, have waited, and may go on."""
        rows = self._tx.connection.execute(WOKEN + " LIMIT ?", (queue.name, slot, *self._mine, max(limit, 0)))
        return [row[0] for row in rows]

    def _take_slots_again(self, queue: QueueRow, most: int) -> list[int]:
        """Those that gave up their slot while they waited for another workflow take it again, where there is one."""
        if most <= 0:
            return []
        limit = most if queue.partition_concurrency is None else queues.NO_LIMIT  # some partitions may be full
        kept: list[int] = []
        for key in self._woken(queue, 0, limit):
            if len(kept) < most and queues.take_slot_again(self._tx, queue, key):
                kept.append(key)
        return kept

    def _start(self, queue: QueueRow, wanted: int) -> FromQueue:
        """Start those whose turn it is, as many as the rate limit of the queue allows."""
        if wanted <= 0:
            return FromQueue()
        keys, next_us = self._next(queue.name, wanted), None
        if keys and queue.rate is not None:
            starts, next_us = rates.allows(self._tx, queue.rate, len(keys), self._now_us)
            keys = keys[:starts]
            rates.count_starts(self._tx, queue.rate, starts, self._now_us)
        queues.take_slots(self._tx, keys)
        return FromQueue(self._take_keys(keys), next_us)

    def _next(self, queue: str, limit: int) -> list[int]:
        """Those of a queue that this engine can run, in their order; those that no engine can run are held."""
        mine: list[tuple[int, int]] = []
        for kind in list(queues.kinds(self._tx.connection, queue)):
            obstacle = self._able.obstacle(*kind)
            if obstacle is None and kind.name not in self._busy_names:
                mine += queues.first_of(self._tx.connection, queue, kind, limit)
            elif obstacle is not None and not self._others.run(kind):
                self._hold_kind(queue, kind, obstacle)
        return [key for _, key in sorted(mine)[:limit]]

    def _hold_kind(self, queue: str, kind: Kind, obstacle: str) -> None:
        keys = [key for _, key in queues.first_of(self._tx.connection, queue, kind, HELD_AT_ONCE)]
        queues.set_aside(self._tx, keys)
        parameters = (self._now_us, obstacle, integers(keys))
        held: list[Any] = self._tx.connection.execute(HOLD_WAITING, parameters).fetchall()
        for (workflow_id,) in held:
            self.held.append((workflow_id, obstacle))
            self._tx.touch(workflow_key(workflow_id))
        self._tx.touch(queues.touched(queue))  # there may be more

    def _take_keys(self, keys: Sequence[int]) -> int:
        if keys:
            parameters = (self._able.executor, self._now_us, integers(keys))
            rows = {row[0]: row for row in self._tx.connection.execute(CLAIM_KEYS, parameters)}
            if len(rows) < len(keys):  # edited by hand: places on a queue whose workflows are gone, or are elsewhere
                queues.forget(self._tx, [key for key in keys if key not in rows])
            self._take([rows[key] for key in keys if key in rows])
        return len(keys)

    def _take(self, rows: Sequence[Any]) -> None:
        taken = integers(row[0] for row in rows)
        self._tx.connection.execute("DELETE FROM wait WHERE workflow IN (SELECT value FROM carray(?))", (taken,))
        self.left -= len(rows)
        of_any_version: list[int] = []
        for row in rows:
            workflow = Claimed(*row)
            obstacle = self._able.obstacle(workflow.name, workflow.application_version)
            if obstacle is None:
                self.workflows.append(workflow)
                if workflow.application_version is None:
                    of_any_version.append(workflow.key)
            else:
                _hold(self._tx, workflow, obstacle)
                self.held.append((workflow.id, obstacle))
        if of_any_version:
            self._tx.connection.execute(PIN, (self._able.version, integers(of_any_version)))


class Others(NamedTuple):
    """What the other engines can run: names in any version, and names with the one version in which they do."""

    in_any: Collection[str]
    in_one: Collection[str]

    def run(self, kind: Kind) -> bool:
        return kind.name in self.in_any or f"{kind.name}\n{kind.version or ''}" in self.in_one

    def as_tables(self) -> tuple[object, object]:
        return texts(tuple(self.in_any)), texts(tuple(self.in_one))


def _left_to_others(tx: Tx, executor: int) -> Others:
    in_any: set[str] = set()
    in_one: set[str] = set()
    rows: list[Any] = tx.connection.execute(
        "SELECT names, only_version, application_version FROM executor WHERE key <> ?", (executor,)
    ).fetchall()
    for names, only_version, version in rows:
        if only_version:
            in_one.update(f"{name}\n{one}" for name in json.loads(names) for one in (version, ""))
        else:
            in_any.update(json.loads(names))
    return Others(in_any, in_one)


def _hold(tx: Tx, workflow: Claimed, obstacle: str) -> None:
    """Hold what was not even tried: any engine that has the code may, whatever its version."""
    tx.connection.execute(
        "UPDATE workflow SET phase = 'held', owner = NULL, held = ? WHERE key = ?", (obstacle, workflow.key)
    )
    tx.touch(workflow_key(workflow.id))
    if workflow.queue is not None:
        tx.touch(queues.touched(workflow.queue))  # it has given up its slot


UNTRIED = """
    WHERE phase = 'held' AND name IN (SELECT value FROM carray(?1))
      AND (NOT ?2 OR application_version IS NULL OR application_version = ?3)
      AND NOT EXISTS (SELECT 1 FROM json_each(iif(json_valid(held_versions), held_versions, '[]')) WHERE value = ?3)
"""


def retry_held(tx: Tx, able: Capability) -> int:
    """Make ready what other versions hold and this one has not tried; what was never started waits for its turn."""
    if not tx.connection.execute("SELECT EXISTS (SELECT 1 FROM workflow WHERE phase = 'held')").get:
        return 0  # as nearly always; what follows is compiled with all triggers
    parameters = (texts(tuple(able.names)), able.only_version, able.version)
    rows: list[Any] = tx.connection.execute(
        "UPDATE workflow SET phase = NULL, held = NULL, status = 'ENQUEUED'"
        + UNTRIED
        + " AND queue IS NOT NULL AND started_us IS NULL RETURNING key",
        parameters,
    ).fetchall()
    if rows:
        queues.take_back(tx, [row[0] for row in rows])
    tx.connection.execute("UPDATE workflow SET phase = 'ready', held = NULL" + UNTRIED, parameters)
    return tx.connection.changes() + len(rows)


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


def something_waits(connection: apsw.Connection) -> bool:
    """Whether anything is ready, or waits on a queue for its turn."""
    sql = (
        "SELECT EXISTS (SELECT 1 FROM workflow WHERE phase = 'ready')"
        " OR (SELECT min(queue) FROM task WHERE state = 'waiting') IS NOT NULL"
    )
    return bool(connection.execute(sql).get)


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
