"""How an execution lets go of its workflow: finished, parked, held, or given back.

Each checks the fence: an execution that lost the workflow changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Self

import apsw

from litewf.errors import LitewfError
from litewf.store import communication, queues
from litewf.store.checkpoints import SettledRow, settle_all
from litewf.store.operations import Operation, Tx
from litewf.store.waits import WAIT, Awaited, wake, workflow_key
from litewf.store.wide import Value, Wide

Look = Callable[[apsw.Connection], object]  # finds what a wait is for, or None


FINISH = Wide(
    "key, fence, status, completed_us",
    """
    UPDATE workflow
    SET status = v.status, phase = NULL, owner = NULL, updated_us = v.completed_us, completed_us = v.completed_us
    FROM {v}
    WHERE workflow.key = v.key AND workflow.fence = v.fence AND workflow.phase = 'running'
    """,
)

OUTCOME = Wide(
    "workflow, fence, output, error",
    """
    INSERT INTO outcome (workflow, output, error)
    SELECT v.workflow, v.output, v.error FROM {v}
    WHERE EXISTS (SELECT 1 FROM workflow
                  WHERE workflow.key = v.workflow AND workflow.fence = v.fence AND workflow.owner IS NULL
                    AND workflow.status IN ('SUCCESS', 'ERROR'))
    """,
)


class Finish(Operation):
    """Ends a workflow with its outcome; `result` is False if it was cancelled or lost before."""

    __slots__ = ("completed_us", "failure", "fence", "id", "key", "output", "rows", "status")
    rank: ClassVar[int] = 30

    def __init__(
        self,
        key: int,
        fence: int,
        id: str,
        status: str,
        completed_us: int,
        output: str | None,
        failure: str | None,
        rows: Sequence[SettledRow] = (),
    ) -> None:
        super().__init__()
        self.key = key
        self.fence = fence
        self.id = id
        self.status = status
        self.completed_us = completed_us
        self.output = output
        self.failure = failure
        self.rows = rows  # records that were still buffered

    @classmethod
    def apply(cls, connection: apsw.Connection, operations: Sequence[Self]) -> None:
        settle_all(connection, operations)
        endings: list[Value] = []
        outcomes: list[Value] = []
        for operation in operations:
            endings += (operation.key, operation.fence, operation.status, operation.completed_us)
            outcomes += (operation.key, operation.fence, operation.output, operation.failure)
            operation.result = True
            operation.touched = (workflow_key(operation.id),)
        finished = FINISH.run(connection, endings)
        if finished != len(operations):
            for operation in operations:
                operation.result = _ended_so(connection, operation)
        OUTCOME.run(connection, outcomes)
        if wake(connection, [operation.touched[0] for operation in operations if operation.result]):
            operations[0].touched = (*operations[0].touched, "ready")


def _ended_so(connection: apsw.Connection, finish: Finish) -> bool:
    found = connection.execute(
        "SELECT 1 FROM workflow WHERE key = ? AND fence = ? AND status = ? AND completed_us = ? AND owner IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM outcome WHERE workflow = key)",
        (finish.key, finish.fence, finish.status, finish.completed_us),
    ).fetchone()
    return found is not None


PARK = Wide(
    "key, fence, due_us, now_us",
    """
    UPDATE workflow SET phase = 'parked', owner = NULL, due_us = v.due_us,
                        updated_us = max(workflow.updated_us, v.now_us) FROM {v}
    WHERE workflow.key = v.key AND workflow.fence = v.fence AND workflow.phase = 'running'
    """,
)


class Park(Operation):
    """Leaves memory until one of the waits is over.

    `result` is False if one is over already, and None if the workflow is lost. The check and the registration are one
    transaction, so no wake-up is lost in between.
    """

    __slots__ = ("fence", "key", "looks", "now_us", "rows", "waits")
    rank: ClassVar[int] = 25

    def __init__(
        self,
        key: int,
        fence: int,
        now_us: int,
        rows: Sequence[SettledRow],
        waits: Sequence[Awaited],
        looks: Sequence[Look] = (),
    ) -> None:
        super().__init__()
        self.key = key
        self.fence = fence
        self.now_us = now_us
        self.rows = rows
        self.waits = waits
        self.looks = looks

    @classmethod
    def apply(cls, connection: apsw.Connection, operations: Sequence[Self]) -> None:
        leaving = []
        for park in operations:
            park.result = not any(_finds(look, connection) for look in park.looks)
            if park.result:
                leaving.append(park)
        if leaving:
            settle_all(connection, leaving)
            _leave(connection, leaving)


def _finds(look: Look, connection: apsw.Connection) -> bool:
    """Whether a wait is over; a refusal is for the waiting execution to hear, when it looks by itself."""
    try:
        return look(connection) is not None
    except LitewfError:
        return True


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
    touched = [f"due:{min(dues)}"] if dues else []
    yielding = [park.key for park in parks if any((one.waits or "").startswith("workflow:") for one in park.waits)]
    if yielding:  # for other workflows, which may need the very slot that it has
        touched += [queues.touched(name) for name in queues.give_up_slots(connection, yielding)]
    parks[0].touched = touched


def _is_parked(connection: apsw.Connection, park: Park) -> bool:
    row = connection.execute(
        "SELECT 1 FROM workflow WHERE key = ? AND fence = ? AND phase = 'parked'", (park.key, park.fence)
    ).fetchone()
    return row is not None


def release(tx: Tx, key: int, fence: int, executor: int, now_us: int) -> bool:
    """Give a workflow back: what is unfinished becomes ready, what was cancelled is free to be resumed.

    Unless it runs, its owner is whoever has its last execution in memory, with whichever fence: a rewind raises it.
    """
    tx.connection.execute(
        "UPDATE workflow SET owner = NULL, updated_us = iif(phase IS NULL, updated_us, max(updated_us, ?)),"
        " phase = iif(phase IN ('running', 'stopping'), 'ready', phase)"
        " WHERE key = ? AND (fence = ? OR phase IS NOT 'running') AND owner = ?",
        (now_us, key, fence, executor),
    )
    tx.touch("ready")
    return tx.connection.changes() == 1


def hold(
    tx: Tx, key: int, workflow_id: str, fence: int, reason: str, version: str, *, of_any_version: bool = False
) -> bool:
    """Keep a workflow that this code cannot go on with; engines of other versions may try.

    One that was claimed as of any version, and has recorded nothing yet, is of any version again.
    """
    tx.connection.execute(
        "UPDATE workflow SET phase = 'held', owner = NULL, due_us = NULL, held = ?,"
        " held_versions = json_insert(iif(json_valid(held_versions), held_versions, '[]'), '$[#]', ?),"
        " application_version = iif(? AND NOT EXISTS (SELECT 1 FROM record WHERE record.workflow = workflow.key), NULL,"
        " application_version)"
        " WHERE key = ? AND fence = ? AND phase = 'running'",
        (reason, version, of_any_version, key, fence),
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
        " updated_us = max(updated_us, ?)"
        " WHERE key = ? AND fence = ? AND phase = 'running'",
        (now_us, key, fence),
    )
    if tx.connection.changes() != 1:
        return False
    tx.connection.execute("DELETE FROM step WHERE workflow = ?", (key,))
    communication.seal(tx, key)
    tx.connection.execute("UPDATE request SET input = ? WHERE workflow = ?", (input, key))
    return True
