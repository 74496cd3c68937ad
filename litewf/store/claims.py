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

from litewf.store.executors import is_registered
from litewf.store.operations import Tx
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


CLAIM = """
    UPDATE workflow SET phase = 'running', owner = ?, fence = fence + 1, due_us = NULL, updated_us = ?,
                        started_us = coalesce(started_us, max(?, created_us))
    WHERE key IN (SELECT key FROM workflow WHERE phase = 'ready'
                      AND key NOT IN (SELECT value FROM carray(?)) AND name NOT IN (SELECT value FROM carray(?))
                      AND (name IN (SELECT value FROM carray(?))
                               AND (NOT ? OR application_version IS NULL OR application_version = ?)
                           OR name NOT IN (SELECT value FROM carray(?))
                               AND name || char(10) || application_version NOT IN (SELECT value FROM carray(?)))
                  ORDER BY key LIMIT ?)
    RETURNING key, id, name, fence, generation, created_us, deadline_us, application_version, held_versions
"""


class Claim(NamedTuple):
    """What a claim brought: workflows to run, ids that are held now, and whether more may be ready."""

    workflows: list[Claimed]
    held: list[tuple[str, str]]
    more: bool


class Room(NamedTuple):
    """How much an engine takes on: not those whose last execution still runs here, nor those without a free thread."""

    limit: int
    busy_keys: Collection[int]
    busy_names: Collection[str]


def claim(tx: Tx, able: Capability, room: Room, now_us: int) -> Claim:
    """Take up to `room.limit` ready workflows: those this engine can run and, to hold them, those that none can."""
    if not is_registered(tx.connection, able.executor):
        return Claim([], [], more=False)  # taken for dead: what it claims now, nobody would ever take back
    busy = (integers(room.busy_keys), texts(tuple(room.busy_names)))
    mine_to_run = (texts(tuple(able.names)), able.only_version, able.version)
    parameters = (able.executor, now_us, now_us, *busy, *mine_to_run, *_left_to_others(tx, able.executor), room.limit)
    rows: list[Any] = tx.connection.execute(CLAIM, parameters).fetchall()
    taken = integers(row[0] for row in rows)
    tx.connection.execute("DELETE FROM wait WHERE workflow IN (SELECT value FROM carray(?))", (taken,))
    mine: list[Claimed] = []
    held: list[tuple[str, str]] = []
    for row in rows:
        workflow = Claimed(*row)
        obstacle = able.obstacle(workflow.name, workflow.application_version)
        if obstacle is None:
            mine.append(workflow)
        else:
            _hold(tx, workflow, obstacle, able.version)
            held.append((workflow.id, obstacle))
    return Claim(mine, held, more=len(rows) == room.limit)


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
    """When the next parked workflow or deadline is due; one look at the head of two indexes."""
    row = connection.execute(
        "SELECT min(x) FROM (SELECT * FROM"
        " (SELECT due_us AS x FROM workflow WHERE phase = 'parked' AND due_us IS NOT NULL ORDER BY due_us LIMIT 1)"
        " UNION ALL SELECT * FROM (SELECT deadline_us FROM workflow"
        " WHERE completed_us IS NULL AND deadline_us IS NOT NULL ORDER BY deadline_us LIMIT 1))"
    ).fetchone()
    return None if row is None else row[0]


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
