"""Changes to finished or foreign workflows: fork, rewind, delete, attributes, pruning."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import apsw

from litewf.store import communication, queues
from litewf.store.operations import Tx
from litewf.store.starts import NewWorkflow, insert_workflows
from litewf.store.wide import integers, texts

# The number of a step in the workflow's own sequence: '4.1' happened inside call number 4.
NUMBER = "CAST(step AS INTEGER)"


class Found(NamedTuple):
    """A workflow as commands see it."""

    key: int
    id: str
    name: str
    status: str
    phase: str | None
    fence: int
    owner: int | None
    generation: int


def find(connection: apsw.Connection, workflow_id: str) -> Found | None:
    row = connection.execute(
        "SELECT key, id, name, status, phase, fence, owner, generation FROM workflow WHERE id = ?", (workflow_id,)
    ).fetchone()
    return None if row is None else Found(*row)


def fork(tx: Tx, source: Found, start_step: int, new: NewWorkflow) -> int:
    """A new workflow with the request of `source` and its settled steps before `start_step`; its key."""
    [key], found = insert_workflows(tx.connection, [new])
    if found:
        return key
    tx.connection.execute(
        "UPDATE request SET (input, authenticated_user, authenticated_roles, attributes) ="
        " (SELECT input, authenticated_user, authenticated_roles, attributes FROM request WHERE workflow = ?)"
        " WHERE workflow = ?",
        (source.key, key),
    )
    tx.connection.execute(
        "INSERT INTO step (workflow, step, name, output, error, attempts, child, started_us, completed_us)"
        " SELECT ?, step, name, output, error, attempts, child, started_us, completed_us FROM step"
        f" WHERE workflow = ? AND completed_us IS NOT NULL AND {NUMBER} < ? ORDER BY key",
        (key, source.key, start_step),
    )
    communication.copy(tx, source.key, key, start_step)
    tx.touch("ready" if new.task is None else queues.touched(new.task.queue))
    return key


def first_failed_step(connection: apsw.Connection, key: int) -> int:
    """The number of the first step with an error; after the last one if none failed."""
    row = connection.execute(
        f"SELECT coalesce(min(iif(error IS NOT NULL, {NUMBER}, NULL)), max({NUMBER}) + 1, 1) FROM record"
        " WHERE workflow = ?",
        (key,),
    ).fetchone()
    assert row is not None
    number: int = row[0]
    return number


def last_step(connection: apsw.Connection, key: int) -> int:
    """The number of the last step on record, 0 if there is none."""
    row = connection.execute(f"SELECT max({NUMBER}) FROM record WHERE workflow = ?", (key,)).fetchone()
    assert row is not None
    return row[0] or 0


def starts_from(connection: apsw.Connection, key: int, start_step: int, several: str) -> list[tuple[str | None, str]]:
    """What the steps from `start_step` on started: the child's id, or the output of a step named `several`."""
    rows = connection.execute(
        "SELECT child, output FROM step WHERE workflow = ? AND error IS NULL AND completed_us IS NOT NULL"
        f" AND (child IS NOT NULL OR name = ?) AND {NUMBER} >= ?",
        (key, several, start_step),
    )
    return [(row[0], row[1]) for row in rows]


def own_children(connection: apsw.Connection, key: int, ids: Sequence[str]) -> list[str]:
    """Which of these are unfinished children of the workflow, neither detached nor others that it attached to."""
    rows = connection.execute(
        "SELECT id FROM workflow WHERE parent = ? AND completed_us IS NULL AND NOT detached"
        " AND id IN (SELECT value FROM carray(?))",
        (key, texts(ids)),
    )
    return [row[0] for row in rows]


def rewind(tx: Tx, key: int, start_step: int, now_us: int) -> None:
    """Put a finished workflow back before `start_step`, as its next generation."""
    tx.connection.execute(
        f"DELETE FROM step WHERE workflow = ? AND (completed_us IS NULL OR {NUMBER} >= ?)",
        (key, start_step),
    )
    forget_deleted_children(tx, key)
    communication.cut(tx, key, start_step)
    tx.connection.execute("DELETE FROM outcome WHERE workflow = ?", (key,))
    queues.leave(tx, key)
    tx.connection.execute(
        "UPDATE workflow SET status = 'PENDING', phase = iif(owner IS NULL, 'ready', 'stopping'), completed_us = NULL,"
        " deadline_us = NULL, queue = NULL, generation = generation + 1, recoveries = 0, progress = 0,"
        " cancelled_by = NULL, fence = fence + 1,"
        " updated_us = max(updated_us, ?) WHERE key = ?",  # a body that still runs records nothing here
        (now_us, key),
    )
    tx.touch("ready")


def forget_deleted_children(tx: Tx, key: int) -> None:
    """A workflow that had ended goes on: what was deleted meanwhile is no child of it any more.

    A fork has the records of another's children.
    """
    tx.connection.execute(
        "UPDATE step SET child = NULL WHERE workflow = ?1 AND child IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM workflow WHERE workflow.id = step.child AND workflow.parent = ?1)"
        " AND (SELECT forked_from FROM request WHERE request.workflow = ?1) IS NULL",
        (key,),
    )


def delete(tx: Tx, key: int) -> None:
    """Remove a workflow with everything that belongs to it; its children stay, without a parent."""
    tx.connection.execute(
        "UPDATE step SET child = NULL WHERE (workflow, child) = (SELECT parent, id FROM workflow WHERE key = ?)", (key,)
    )
    tx.connection.execute("UPDATE workflow SET parent = NULL WHERE parent = ?", (key,))
    tx.connection.execute("DELETE FROM workflow WHERE key = ?", (key,))


def forked_from(connection: apsw.Connection, key: int) -> str | None:
    row = connection.execute("SELECT forked_from FROM request WHERE workflow = ?", (key,)).fetchone()
    return None if row is None else row[0]


def attributes_of(connection: apsw.Connection, key: int) -> str | None:
    row = connection.execute("SELECT attributes FROM request WHERE workflow = ?", (key,)).fetchone()
    return None if row is None else row[0]


def set_attributes(tx: Tx, key: int, attributes: str, now_us: int) -> None:
    tx.connection.execute("UPDATE request SET attributes = ? WHERE workflow = ?", (attributes, key))
    tx.connection.execute("UPDATE workflow SET updated_us = max(updated_us, ?) WHERE key = ?", (now_us, key))


def prunable(connection: apsw.Connection, before_us: int, limit: int, after_key: int) -> Sequence[int]:
    """Finished workflows older than `before_us` that nobody runs and no unfinished parent may still ask about."""
    rows = connection.execute(
        "SELECT key FROM workflow WHERE key > ? AND completed_us < ? AND owner IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM workflow AS above WHERE above.key = workflow.parent AND above.completed_us IS NULL)"
        " ORDER BY key LIMIT ?",
        (after_key, before_us, limit),
    )
    return [row[0] for row in rows]


def prune(tx: Tx, keys: Sequence[int], before_us: int) -> int:
    """Delete those that are still finished, unowned and without an unfinished parent; how many."""
    deleted: list[Any] = tx.connection.execute(
        "DELETE FROM workflow WHERE key IN (SELECT value FROM carray(?)) AND completed_us < ? AND owner IS NULL"
        " AND NOT EXISTS"
        " (SELECT 1 FROM workflow AS above WHERE above.key = workflow.parent AND above.completed_us IS NULL)"
        " RETURNING key",
        (integers(keys), before_us),
    ).fetchall()
    if deleted:
        gone = integers(key for (key,) in deleted)
        tx.connection.execute(
            "UPDATE workflow SET parent = NULL WHERE parent IN (SELECT value FROM carray(?))", (gone,)
        )
    return len(deleted)
