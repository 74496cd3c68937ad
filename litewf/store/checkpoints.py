"""Records of steps: the hot path. A checkpoint is written only by the execution that owns the workflow.

`Checkpoint` settles steps, many executions in one statement. `promise` writes what is not settled yet: waits with
their deadline, failed attempts, intents.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

import apsw

from litewf.store.operations import Operation, Tx
from litewf.store.wide import Value, Wide, integers

# workflow key, fence, step, name, output, error, attempts, started_us, completed_us
SettledRow = tuple[int, int, str, str, str | None, str | None, int, int, int]

SETTLE = Wide(
    9,
    """
    WITH v (workflow, fence, step, name, output, error, attempts, started_us, completed_us) AS (VALUES {rows})
    INSERT INTO step (workflow, step, name, output, error, attempts, started_us, completed_us)
    SELECT v.workflow, v.step, v.name, v.output, v.error, v.attempts, v.started_us, v.completed_us FROM v
    WHERE EXISTS (SELECT 1 FROM workflow WHERE workflow.key = v.workflow AND workflow.fence = v.fence)
    ON CONFLICT (workflow, step) DO UPDATE
    SET output = excluded.output, error = excluded.error, attempts = excluded.attempts, due_us = NULL,
        completed_us = excluded.completed_us
    WHERE step.completed_us IS NULL
    """,
)


class Checkpoint(Operation):
    """Settles steps of one execution; `result` is True once they are recorded, False if it lost the workflow."""

    __slots__ = ("rows",)
    rank: ClassVar[int] = 10

    def __init__(self, rows: Sequence[SettledRow]) -> None:
        self.mailbox = None
        self.error = None
        self.touched = ()
        self.result = True
        self.rows = rows

    @classmethod
    def apply(cls, connection: apsw.Connection, operations: Sequence[Operation]) -> None:
        values: list[Value] = []
        for operation in operations:
            for row in operation.rows:  # type: ignore[attr-defined]  # the writer gathers by class
                values += row
        if SETTLE.run(connection, values) * 9 == len(values):
            return
        for operation in operations:
            operation.result = all(_recorded(connection, row) for row in operation.rows)  # type: ignore[attr-defined]


def _recorded(connection: apsw.Connection, row: SettledRow) -> bool:
    """Whether this very row is in the file and its execution still owns the workflow."""
    found = connection.execute(
        "SELECT 1 FROM workflow JOIN step ON step.workflow = workflow.key"
        " WHERE workflow.key = ? AND workflow.fence = ? AND step.step = ? AND step.name = ? AND step.output IS ?"
        " AND step.error IS ? AND step.completed_us = ?",
        (row[0], row[1], row[2], row[3], row[4], row[5], row[8]),
    ).fetchone()
    return found is not None


def settle(tx: Tx, rows: Sequence[SettledRow]) -> bool:
    """Settle steps inside a larger change; False if the execution lost the workflow."""
    values = [value for row in rows for value in row]
    return SETTLE.run(tx.connection, values) == len(rows)


class Promise(NamedTuple):
    """A step that is not settled: until when it waits, and what its attempts came to so far."""

    step: str
    name: str
    started_us: int
    due_us: int | None = None
    attempts: int = 0
    error: str | None = None
    output: str | None = None


PROMISE = """
    INSERT INTO step (workflow, step, name, started_us, due_us, attempts, error, output)
    SELECT ?1, ?3, ?4, ?5, ?6, ?7, ?8, ?9
    WHERE EXISTS (SELECT 1 FROM workflow WHERE key = ?1 AND fence = ?2)
    ON CONFLICT (workflow, step) DO UPDATE
    SET due_us = excluded.due_us, attempts = excluded.attempts, error = excluded.error,
        output = excluded.output
    WHERE step.completed_us IS NULL
"""


def promise(tx: Tx, workflow: int, fence: int, promises: Iterable[Promise]) -> bool:
    """Write unsettled steps; False if the execution lost the workflow."""
    kept = True
    for row in promises:
        tx.connection.execute(PROMISE, (workflow, fence, *row))
        kept = kept and tx.connection.changes() == 1
    return kept


class StepRow(NamedTuple):
    """One recorded step, as replay needs it."""

    workflow: int
    step: str
    name: str
    output: str | None
    error: str | None
    attempts: int
    child: str | None
    due_us: int | None
    started_us: int
    completed_us: int | None


COLUMNS = "workflow, step, name, output, error, attempts, child, due_us, started_us, completed_us"


def steps_of(connection: apsw.Connection, workflows: Sequence[int]) -> dict[int, dict[str, StepRow]]:
    """The steps of several workflows, by workflow and number."""
    found: dict[int, dict[str, StepRow]] = {key: {} for key in workflows}
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM step WHERE workflow IN (SELECT value FROM carray(?))",
        (integers(workflows),),
    )
    for row in rows:
        step = StepRow(*row)
        found[step.workflow][step.step] = step
    return found
