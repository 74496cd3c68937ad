"""Records of steps: the hot path. A checkpoint is written only by the execution that owns the workflow.

`Checkpoint` settles steps, many executions in one statement. `Promising` writes what is not settled yet: waits
with their deadline, failed attempts, intents.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import ClassVar, NamedTuple, Protocol, Self, cast

import apsw

from litewf.store.operations import Operation, Tx
from litewf.store.wide import Value, Wide, integers

# workflow key, fence, step, name, output, error, attempts, started_us, completed_us
SettledRow = tuple[int, int, str, str, str | None, str | None, int, int, int]

STATEMENT_ROWS = 512  # checkpoints that one statement writes

SETTLE = Wide(
    "workflow, fence, step, name, output, error, attempts, started_us, completed_us",
    """
    INSERT INTO step (workflow, step, name, output, error, attempts, started_us, completed_us)
    SELECT v.workflow, v.step, v.name, v.output, v.error, v.attempts, v.started_us, v.completed_us FROM {v}
    WHERE EXISTS (SELECT 1 FROM workflow WHERE workflow.key = v.workflow AND workflow.fence = v.fence)
    ON CONFLICT (workflow, step) DO UPDATE
    SET output = excluded.output, error = excluded.error, attempts = excluded.attempts, due_us = NULL,
        completed_us = excluded.completed_us
    WHERE step.completed_us IS NULL
    """,
)


class Checkpoint(Operation):
    """Settles steps of one execution; `result` is True once they are recorded, False if it lost the workflow.

    `values` are the rows one after the other, as the statement takes them.
    """

    __slots__ = ("values",)
    rank: ClassVar[int] = 10

    def __init__(self, values: tuple[Value, ...]) -> None:
        self.mailbox = None
        self.error = None
        self.touched = ()
        self.result = True
        self.values = values

    @property
    def rows(self) -> list[SettledRow]:
        starts = range(0, len(self.values), SETTLE.width)
        return [cast("SettledRow", self.values[start : start + SETTLE.width]) for start in starts]

    @classmethod
    def apply(cls, connection: apsw.Connection, operations: Sequence[Self]) -> None:
        write_checkpoints(connection, operations, values_of(operations))


VALUES: Callable[[Checkpoint], tuple[Value, ...]] = attrgetter("values")


def flat(rows: Iterable[SettledRow]) -> tuple[Value, ...]:
    """The values of a checkpoint that settles these."""
    return tuple(itertools.chain.from_iterable(rows))


def are_checkpoints(operations: Sequence[Operation]) -> bool:
    """Whether nothing else is among them."""
    return all(issubclass(kind, Checkpoint) for kind in set(map(type, operations)))


def values_of(checkpoints: Iterable[Checkpoint]) -> list[Value]:
    """Their rows one after the other, as the statement takes them."""
    return list(itertools.chain.from_iterable(map(VALUES, checkpoints)))


def write_checkpoints(connection: apsw.Connection, checkpoints: Sequence[Checkpoint], values: list[Value]) -> None:
    """Write their values; unless all of that was written, look for each what became of it."""
    if SETTLE.run(connection, values) * SETTLE.width == len(values):
        return
    for checkpoint in checkpoints:
        checkpoint.result = all(_recorded(connection, row) for row in checkpoint.rows)


def for_one_statement(group: Sequence[Operation]) -> list[Value] | None:
    """The values of a group that is checkpoints which one statement can write; None if it is not."""
    if len(group) > STATEMENT_ROWS or not are_checkpoints(group):
        return None
    values = values_of(cast("Sequence[Checkpoint]", group))
    return values if len(values) <= STATEMENT_ROWS * SETTLE.width else None


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
    if SETTLE.run(tx.connection, values) == len(rows):
        return True
    return all(_recorded(tx.connection, row) for row in rows)


class Promise(NamedTuple):
    """A step that is not settled: until when it waits, and what its attempts came to so far."""

    step: str
    name: str
    started_us: int
    due_us: int | None = None
    attempts: int = 0
    error: str | None = None
    output: str | None = None


PROMISE = Wide(
    "workflow, fence, step, name, started_us, due_us, attempts, error, output",
    """
    INSERT INTO step (workflow, step, name, started_us, due_us, attempts, error, output)
    SELECT v.workflow, v.step, v.name, v.started_us, v.due_us, v.attempts, v.error, v.output FROM {v}
    WHERE EXISTS (SELECT 1 FROM workflow WHERE workflow.key = v.workflow AND workflow.fence = v.fence)
    ON CONFLICT (workflow, step) DO UPDATE
    SET due_us = excluded.due_us, attempts = excluded.attempts, error = excluded.error, output = excluded.output
    WHERE step.completed_us IS NULL
    """,
)


class Promising(Operation):
    """Writes unsettled steps of one execution, after what it still has to record; `result` is False if it lost."""

    __slots__ = ("fence", "key", "promises", "rows")
    rank: ClassVar[int] = 12

    def __init__(self, key: int, fence: int, promises: Sequence[Promise], rows: Sequence[SettledRow]) -> None:
        super().__init__()
        self.key = key
        self.fence = fence
        self.promises = promises
        self.rows = rows

    @classmethod
    def apply(cls, connection: apsw.Connection, operations: Sequence[Self]) -> None:
        settle_all(connection, operations)
        values: list[Value] = []
        for operation in operations:
            operation.result = True
            for promise in operation.promises:
                values += (operation.key, operation.fence, *promise)
        if PROMISE.run(connection, values) * PROMISE.width != len(values):
            for operation in operations:
                operation.result = has_fence(connection, operation.key, operation.fence)


class HasRows(Protocol):
    """Something that carries settled steps."""

    @property
    def rows(self) -> Sequence[SettledRow]: ...


def settle_all(connection: apsw.Connection, operations: Sequence[HasRows]) -> None:
    """Settle what operations carry; those that lost their workflow are found out by the operation itself."""
    values = [value for operation in operations for row in operation.rows for value in row]
    if values:
        SETTLE.run(connection, values)


def has_fence(connection: apsw.Connection, key: int, fence: int) -> bool:
    """Whether the execution with this fence may still record."""
    row = connection.execute("SELECT 1 FROM workflow WHERE key = ? AND fence = ?", (key, fence)).fetchone()
    return row is not None


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


def number_order(step: str) -> tuple[tuple[int, str], ...]:
    """Sorts the numbers of steps: '4.10' after '4.9'."""
    parts = step.replace(":", ".").split(".")
    return tuple((int(part), "") if part.isdecimal() else (0, part) for part in parts)


COLUMNS = "workflow, step, name, output, error, attempts, child, due_us, started_us, completed_us"


def steps_of(connection: apsw.Connection, workflows: Sequence[int]) -> dict[int, dict[str, StepRow]]:
    """The steps of several workflows, by workflow and number."""
    found: dict[int, dict[str, StepRow]] = {key: {} for key in workflows}
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM record WHERE workflow IN (SELECT value FROM carray(?))",
        (integers(workflows),),
    )
    for row in rows:
        step = StepRow(*row)
        found[step.workflow][step.step] = step
    return found
