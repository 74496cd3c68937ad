"""How an execution lets go of its workflow: finished, parked, held, or given back.

Each checks the fence: an execution that lost the workflow changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar, NamedTuple, Self

import apsw

from litewf.store.checkpoints import SettledRow, settle_all
from litewf.store.operations import Operation, Tx
from litewf.store.wide import Value, Wide, texts


class Ending(NamedTuple):
    """The outcome of a workflow, in the order of the statement's parameters."""

    key: int
    fence: int
    status: str
    completed_us: int
    id: str
    output: str | None
    error: str | None


FINISH = Wide(
    4,
    """
    WITH v (key, fence, status, completed_us) AS (VALUES {rows})
    UPDATE workflow
    SET status = v.status, phase = NULL, owner = NULL, updated_us = v.completed_us, completed_us = v.completed_us
    FROM v
    WHERE workflow.key = v.key AND workflow.fence = v.fence AND workflow.phase = 'running'
    """,
)

OUTCOME = Wide(
    4,
    """
    WITH v (workflow, fence, output, error) AS (VALUES {rows})
    INSERT INTO outcome (workflow, output, error)
    SELECT v.workflow, v.output, v.error FROM v
    WHERE EXISTS (SELECT 1 FROM workflow
                  WHERE workflow.key = v.workflow AND workflow.fence = v.fence AND workflow.owner IS NULL
                    AND workflow.status IN ('SUCCESS', 'ERROR'))
    """,
)


class Finish(Operation):
    """Ends a workflow with its outcome; `result` is False if it was cancelled or lost before."""

    __slots__ = ("ending", "rows")
    rank: ClassVar[int] = 30

    def __init__(self, ending: Ending, rows: Sequence[SettledRow] = ()) -> None:
        super().__init__()
        self.ending = ending
        self.rows = rows  # records that were still buffered

    @classmethod
    def apply(cls, connection: apsw.Connection, operations: Sequence[Self]) -> None:
        settle_all(connection, operations)
        endings: list[Value] = []
        outcomes: list[Value] = []
        for operation in operations:
            ending: Ending = operation.ending
            endings += ending[:4]
            outcomes += (ending.key, ending.fence, ending.output, ending.error)
            operation.result = True
            operation.touched = (workflow_key(ending.id),)
        finished = FINISH.run(connection, endings)
        if finished != len(operations):
            for operation in operations:
                operation.result = _ended_so(connection, operation.ending)
        OUTCOME.run(connection, outcomes)
        if wake_waiters(connection, [operation.ending.id for operation in operations if operation.result]):
            operations[0].touched = (*operations[0].touched, "ready")


def _ended_so(connection: apsw.Connection, ending: Ending) -> bool:
    found = connection.execute(
        "SELECT 1 FROM workflow WHERE key = ? AND fence = ? AND status = ? AND completed_us = ? AND owner IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM outcome WHERE workflow = key)",
        ending[:4],
    ).fetchone()
    return found is not None


def workflow_key(workflow_id: str) -> str:
    """What those wait for who wait for a workflow's end: the notifier's key and the value in wait.waits."""
    return f"workflow:{workflow_id}"


def wake_waiters(connection: apsw.Connection, ids: Sequence[str]) -> bool:
    """Make the parked workflows ready that wait for one of these; whether there were any: then touch "ready"."""
    woken = 0
    if connection.execute("SELECT 1 FROM wait WHERE waits >= 'workflow:' AND waits < 'workflow;'").fetchone():
        waits = tuple(workflow_key(workflow_id) for workflow_id in ids)
        for start in range(0, len(waits), 500):
            woken += _wake(connection, waits[start : start + 500])
    return woken > 0


def _wake(connection: apsw.Connection, waits: tuple[str, ...]) -> int:
    connection.execute(
        "UPDATE workflow SET phase = 'ready', due_us = NULL WHERE phase = 'parked' AND key IN"
        " (SELECT workflow FROM wait WHERE waits IN (SELECT value FROM carray(?)))",
        (texts(waits),),
    )
    return connection.changes()


class Awaited(NamedTuple):
    """One thing that a parked workflow waits for."""

    step: str
    name: str
    waits: str | None = None
    due_us: int | None = None


PARK = Wide(
    4,
    """
    WITH v (key, fence, due_us, now_us) AS (VALUES {rows})
    UPDATE workflow SET phase = 'parked', owner = NULL, due_us = v.due_us, updated_us = v.now_us FROM v
    WHERE workflow.key = v.key AND workflow.fence = v.fence AND workflow.phase = 'running'
    """,
)

WAIT = Wide(
    6,
    """
    WITH v (workflow, fence, step, name, waits, due_us) AS (VALUES {rows})
    INSERT INTO wait (workflow, step, name, waits, due_us)
    SELECT v.workflow, v.step, v.name, v.waits, v.due_us FROM v
    WHERE EXISTS (SELECT 1 FROM workflow
                  WHERE workflow.key = v.workflow AND workflow.fence = v.fence AND workflow.phase = 'parked')
    """,
)


class Park(Operation):
    """Leaves memory until one of the waits is over.

    `result` is False if one is over already, and None if the workflow is lost. The check and the registration are one
    transaction, so no wake-up is lost in between.
    """

    __slots__ = ("fence", "key", "now_us", "rows", "waits")
    rank: ClassVar[int] = 25

    def __init__(self, key: int, fence: int, now_us: int, rows: Sequence[SettledRow], waits: Sequence[Awaited]) -> None:
        super().__init__()
        self.key = key
        self.fence = fence
        self.now_us = now_us
        self.rows = rows
        self.waits = waits

    @classmethod
    def apply(cls, connection: apsw.Connection, operations: Sequence[Self]) -> None:
        over = _ended_among(connection, {wait.waits for park in operations for wait in park.waits if wait.waits})
        leaving = []
        for park in operations:
            park.result = not any(wait.waits in over for wait in park.waits)
            if park.result:
                leaving.append(park)
        if leaving:
            settle_all(connection, leaving)
            _leave(connection, leaving)


def _ended_among(connection: apsw.Connection, waits: Collection[str]) -> set[str]:
    """Which of these waits are over: the workflow has ended, or is gone."""
    if not waits:
        return set()
    ids = [wait.partition(":")[2] for wait in waits]
    rows = connection.execute(
        "SELECT awaited.value FROM carray(?) AS awaited LEFT JOIN workflow ON workflow.id = awaited.value"
        " WHERE workflow.key IS NULL OR workflow.completed_us IS NOT NULL",
        (texts(ids),),
    )
    return {workflow_key(str(row[0])) for row in rows}


def _leave(connection: apsw.Connection, parks: Sequence[Park]) -> None:
    rows: list[Value] = []
    waits: list[Value] = []
    dues = []
    for park in parks:
        due_us = min((wait.due_us for wait in park.waits if wait.due_us is not None), default=None)
        rows += (park.key, park.fence, due_us, park.now_us)
        for wait in park.waits:
            waits += (park.key, park.fence, *wait)
        if due_us is not None:
            dues.append(due_us)
    if PARK.run(connection, rows) != len(parks):
        for park in parks:
            park.result = True if _is_parked(connection, park) else None
    WAIT.run(connection, waits)
    if dues:
        parks[0].touched = (f"due:{min(dues)}",)


def _is_parked(connection: apsw.Connection, park: Park) -> bool:
    row = connection.execute(
        "SELECT 1 FROM workflow WHERE key = ? AND fence = ? AND phase = 'parked'", (park.key, park.fence)
    ).fetchone()
    return row is not None


def release(tx: Tx, key: int, fence: int, executor: int, now_us: int) -> bool:
    """Give a workflow back: what is unfinished becomes ready, what was cancelled is free to be resumed.

    A workflow that is 'stopping' waits for its owner, whichever fence the owner's execution was given.
    """
    tx.connection.execute(
        "UPDATE workflow SET owner = NULL, updated_us = iif(phase IS NULL, updated_us, ?),"
        " phase = iif(phase IN ('running', 'stopping'), 'ready', phase)"
        " WHERE key = ? AND (fence = ? OR phase = 'stopping') AND owner = ?",
        (now_us, key, fence, executor),
    )
    tx.touch("ready")
    return tx.connection.changes() == 1


def hold(tx: Tx, key: int, workflow_id: str, fence: int, reason: str, version: str) -> bool:
    """Keep a workflow that this code cannot go on with; engines of other versions may try."""
    tx.connection.execute(
        "UPDATE workflow SET phase = 'held', owner = NULL, due_us = NULL, held = ?,"
        " held_versions = json_insert(coalesce(held_versions, '[]'), '$[#]', ?)"
        " WHERE key = ? AND fence = ? AND phase = 'running'",
        (reason, version, key, fence),
    )
    tx.touch(workflow_key(workflow_id))
    return tx.connection.changes() == 1


def owned(tx: Tx, key: int, fence: int) -> bool:
    """Whether the execution with this fence may still start things."""
    row = tx.connection.execute(
        "SELECT 1 FROM workflow WHERE key = ? AND fence = ? AND phase = 'running'", (key, fence)
    ).fetchone()
    return row is not None


def continue_as_new(tx: Tx, key: int, fence: int, input: str, now_us: int) -> bool:
    """Begin the next generation with an empty history, under the same owner with the next fence."""
    tx.connection.execute(
        "UPDATE workflow SET generation = generation + 1, fence = fence + 1, recoveries = 0, progress = 0,"
        " updated_us = ?"
        " WHERE key = ? AND fence = ? AND phase = 'running'",
        (now_us, key, fence),
    )
    if tx.connection.changes() != 1:
        return False
    tx.connection.execute("DELETE FROM step WHERE workflow = ?", (key,))
    tx.connection.execute("UPDATE request SET input = ? WHERE workflow = ?", (input, key))
    return True
