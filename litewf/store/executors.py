"""Which engines live on the file, and taking back what dead ones left.

An engine is alive while its lock file is locked; nothing here measures time. Taking back is one transaction: fences go
up, unfinished workflows become ready, the row goes; the lock file is unlinked after the commit.
"""

import json
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import apsw

from litewf.errors import MaxRecoveryAttemptsExceededError
from litewf.store.operations import Tx
from litewf.store.waits import wake, workflow_key

ErrorEncoder = Callable[[BaseException], str]


class Executor(NamedTuple):
    """One engine on the file."""

    key: int
    label: str
    lock_name: str
    pid: int
    application_version: str


class Registration(NamedTuple):
    """What an engine says of itself, in the order of the statement's parameters."""

    label: str
    lock_name: str
    pid: int
    application_version: str
    only_version: bool
    started_us: int


def register(tx: Tx, new: Registration, names: Collection[str]) -> int:
    """Add an engine whose lock file is locked already; its key."""
    tx.connection.execute(
        "INSERT INTO executor (label, lock_name, pid, application_version, only_version, started_us, names)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*new, json.dumps(list(names))),
    )
    executor = tx.connection.last_insert_rowid()
    if _any(tx, STRAY):
        tx.connection.execute(STRAYS)
    return executor


# What an engine wrote after it had been taken for dead belongs to nobody: no row says that its owner may die.
STRAY = "FROM workflow WHERE owner IS NOT NULL AND NOT EXISTS (SELECT 1 FROM executor WHERE key = workflow.owner)"
STRAYS = f"""
    UPDATE workflow SET owner = NULL, fence = fence + 1, phase = iif(phase IS NULL, NULL, 'ready')
    WHERE key IN (SELECT key {STRAY})
"""


def _any(tx: Tx, source: str, *parameters: object) -> bool:
    """Whether an update has anything to do: it is compiled with all triggers, which takes much longer than to ask."""
    return bool(tx.connection.execute(f"SELECT EXISTS (SELECT 1 {source})", parameters).get)


def announce(tx: Tx, executor: int, names: Collection[str]) -> None:
    """Say which workflows an engine has the code of now."""
    tx.connection.execute("UPDATE executor SET names = ? WHERE key = ?", (json.dumps(list(names)), executor))


def unregister(tx: Tx, executor: int, now_us: int) -> None:
    """Remove an engine that ends in order; whatever it still holds becomes ready, which is no recovery."""
    if _any(tx, "FROM workflow WHERE owner = ?", executor):
        tx.connection.execute(
            "UPDATE workflow SET fence = fence + 1, owner = NULL,"
            " updated_us = iif(phase IS NULL, updated_us, max(updated_us, ?)),"
            " phase = iif(phase IS NULL, NULL, 'ready') WHERE owner = ?",
            (now_us, executor),
        )
    tx.connection.execute("DELETE FROM executor WHERE key = ?", (executor,))
    tx.touch("ready")


def others(connection: apsw.Connection, executor: int) -> list[Executor]:
    """All engines on the file but this one, dead or alive."""
    rows = connection.execute(
        "SELECT key, label, lock_name, pid, application_version FROM executor WHERE key <> ?", (executor,)
    )
    return [Executor(*row) for row in rows]


def is_registered(connection: apsw.Connection, executor: int) -> bool:
    return connection.execute("SELECT 1 FROM executor WHERE key = ?", (executor,)).fetchone() is not None


class Recovery(NamedTuple):
    """What was taken back from a dead engine."""

    ready: int
    given_up: list[str]


def recover(tx: Tx, executor: int, now_us: int, limits: dict[str, int], encode_error: ErrorEncoder) -> Recovery:
    """Take back the workflows of a dead engine.

    A workflow whose process died `limits[name]` times in a row without a new record is given up.
    """
    tx.connection.execute("DELETE FROM executor WHERE key = ?", (executor,))
    if tx.connection.changes() == 0:
        return Recovery(0, [])  # another engine was first
    if _any(tx, "FROM workflow WHERE owner = ? AND phase IS NOT 'running'", executor):
        tx.connection.execute(
            "UPDATE workflow SET owner = NULL, fence = fence + 1 WHERE owner = ? AND phase IS NULL", (executor,)
        )
        tx.connection.execute(
            "UPDATE workflow SET owner = NULL, fence = fence + 1, phase = 'ready'"
            " WHERE owner = ? AND phase = 'stopping'",
            (executor,),
        )
    rows: list[Any] = tx.connection.execute(RECOVER, (now_us, executor)).fetchall()
    tx.touch("ready")
    given_up = []
    for key, workflow_id, name, recoveries in rows:
        if recoveries > limits.get(name, recoveries):
            _give_up(tx, key, workflow_id, encode_error(_too_often(workflow_id, name, recoveries)), now_us)
            given_up.append(workflow_id)
    return Recovery(len(rows) - len(given_up), given_up)


# not through the view `record`: SQLite would read all of it for each workflow
PROGRESS = (
    "((SELECT count(*) + coalesce(sum(attempts), 0) FROM step WHERE step.workflow = workflow.key)"
    " + (SELECT 2 * count(*) FROM stream WHERE stream.workflow = workflow.key AND attempt = 0))"
)
RECOVER = f"""
    UPDATE workflow SET owner = NULL, fence = fence + 1, phase = 'ready', updated_us = max(updated_us, ?),
        recoveries = iif(progress = {PROGRESS}, recoveries + 1, 1), progress = {PROGRESS}
    WHERE owner = ? AND phase = 'running'
    RETURNING key, id, name, recoveries
"""


def _too_often(workflow_id: str, name: str, recoveries: int) -> MaxRecoveryAttemptsExceededError:
    return MaxRecoveryAttemptsExceededError(
        f"workflow {workflow_id!r} ({name}): its process died {recoveries} times in a row without a new step; "
        "find out what kills it, then resume_workflow() tries again"
    )


def _give_up(tx: Tx, key: int, workflow_id: str, error: str, now_us: int) -> None:
    tx.connection.execute(
        "UPDATE workflow SET status = 'MAX_RECOVERY_ATTEMPTS_EXCEEDED', phase = NULL,"
        " completed_us = max(updated_us, ?), updated_us = max(updated_us, ?)"
        " WHERE key = ?",
        (now_us, now_us, key),
    )
    tx.connection.execute("INSERT OR REPLACE INTO outcome (workflow, error) VALUES (?, ?)", (key, error))
    if wake(tx.connection, [workflow_key(workflow_id)]):
        tx.touch("ready")
    tx.touch(workflow_key(workflow_id))
