"""Cancelling workflows, with their children, and resuming what a cancel stopped."""

from typing import Any, NamedTuple

import apsw

from litewf.store import queues
from litewf.store.managing import forget_deleted_children
from litewf.store.operations import Tx
from litewf.store.waits import wake, workflow_key


class Cancelled(NamedTuple):
    """A workflow that a cancel stopped; `owner` is the engine that still has it in memory."""

    key: int
    id: str
    owner: int | None
    queue: str | None


TREE = """
    WITH RECURSIVE tree (key) AS (
        SELECT key FROM workflow WHERE key = ?1 AND completed_us IS NULL
        UNION
        SELECT child.key FROM tree JOIN workflow AS child ON child.parent = tree.key
        WHERE child.completed_us IS NULL AND NOT child.detached
    )
"""


def cancel(tx: Tx, key: int, error: str, now_us: int) -> list[Cancelled]:
    """Cancel an unfinished workflow and its unfinished children; the owners keep what they run until they let go."""
    rows: list[Any] = tx.connection.execute(
        TREE + "UPDATE workflow SET status = 'CANCELLED', phase = NULL, due_us = NULL, held = NULL, cancelled_by = ?1,"
        " completed_us = max(?2, updated_us), updated_us = max(?2, updated_us)"
        " WHERE key IN (SELECT key FROM tree) RETURNING key, id, owner, queue",
        (key, now_us),
    ).fetchall()
    cancelled = [Cancelled(*row) for row in rows]
    for one in cancelled:
        tx.connection.execute("INSERT OR REPLACE INTO outcome (workflow, error) VALUES (?, ?)", (one.key, error))
        tx.connection.execute("DELETE FROM wait WHERE workflow = ?", (one.key,))
        tx.touch(workflow_key(one.id))
        if one.queue is not None:
            tx.touch(queues.touched(one.queue))
        if one.owner is not None:
            tx.touch(f"stop:{one.key}")
    if wake(tx.connection, [workflow_key(one.id) for one in cancelled]):
        tx.touch("ready")
    return cancelled


class Overdue(NamedTuple):
    """An unfinished workflow whose deadline has passed."""

    key: int
    id: str
    name: str
    deadline_us: int


def overdue(connection: apsw.Connection, now_us: int, limit: int) -> list[Overdue]:
    rows = connection.execute(
        "SELECT key, id, name, deadline_us FROM workflow WHERE completed_us IS NULL AND deadline_us IS NOT NULL"
        " AND deadline_us <= ? ORDER BY deadline_us, key LIMIT ?",
        (now_us, limit),
    )
    return [Overdue(*row) for row in rows]


RESUME = """
    UPDATE workflow
    SET status = 'PENDING', phase = iif(owner IS NULL, 'ready', 'stopping'), deadline_us = NULL, completed_us = NULL,
        recoveries = 0, cancelled_by = NULL, held = NULL, held_versions = NULL,
        updated_us = max(updated_us, ?2), queue = NULL
"""


def resume(tx: Tx, key: int, now_us: int) -> None:
    """Let an unfinished or stopped workflow go on, with the children that the same cancel stopped."""
    stopped: list[Any] = tx.connection.execute(
        "WITH RECURSIVE tree (key) AS (SELECT ?1 UNION"
        " SELECT child.key FROM tree JOIN workflow AS child ON child.parent = tree.key"
        " WHERE child.cancelled_by = (SELECT cancelled_by FROM workflow WHERE key = ?1) AND NOT child.detached)"
        " SELECT key FROM tree",
        (key,),
    ).fetchall()
    for (one,) in stopped:
        tx.connection.execute(RESUME + "WHERE key = ?1", (one, now_us))
        tx.connection.execute("DELETE FROM outcome WHERE workflow = ?", (one,))
        queues.leave(tx, one)
        forget_deleted_children(tx, one)
    tx.touch("ready")
