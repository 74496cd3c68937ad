"""Streams: values that workflows append under a name, at offsets without a gap; a hot path of its own.

A value written by the workflow itself is its own record. One written inside a step commits at once and is
undecided until the step is settled: another attempt may write it again.
"""

from collections.abc import Collection, Sequence
from typing import ClassVar, Literal, NamedTuple, Self

import apsw

from litewf.store.checkpoints import SettledRow, settle_all
from litewf.store.operations import Operation, Tx
from litewf.store.waits import announce, stream_key, wake
from litewf.store.wide import Value, Wide, integers


class Item(NamedTuple):
    """What is appended, in the order of the statement's parameters; a value of None closes the stream.

    Attempt 0 is the workflow itself.
    """

    workflow: int
    fence: int
    name: str
    value: str | None
    step: str
    attempt: int
    recorded: int | None
    written_us: int


# The last row of a stream says where the next one goes. If it has no value the stream is closed: the next one, which
# gets no offset, is ignored.
APPEND = Wide(
    "workflow, fence, name, value, step, attempt, recorded, written_us",
    """
    INSERT OR IGNORE INTO stream (workflow, name, offset, value, step, attempt, fence, recorded, written_us)
    SELECT v.workflow, v.name,
           nullif(coalesce((SELECT iif(s.value IS NULL, -1, s.offset + 1) FROM stream AS s
                            WHERE s.workflow = v.workflow AND s.name = v.name ORDER BY s.offset DESC LIMIT 1), 0), -1),
           v.value, v.step, v.attempt, v.fence, v.recorded, v.written_us
    FROM {v}
    WHERE EXISTS (SELECT 1 FROM workflow WHERE workflow.key = v.workflow AND workflow.fence = v.fence
                      AND workflow.phase = 'running')
    """,
)

Appended = Literal["appended", "closed", "lost"]


class Append(Operation):
    """Appends to a stream; `result` says whether it was appended, the stream was closed, or the workflow was lost.

    `rows` were buffered before; they are written unless it was lost.
    """

    __slots__ = ("item", "rows", "workflow_id")
    rank: ClassVar[int] = 15

    def __init__(self, workflow_id: str, item: Item, rows: Sequence[SettledRow] = ()) -> None:
        super().__init__()
        self.workflow_id = workflow_id
        self.item = item
        self.rows = rows

    @classmethod
    def apply(cls, connection: apsw.Connection, operations: Sequence[Self]) -> None:
        left = list(operations)
        while left:  # one statement gives each stream one offset, so a stream takes part in it once
            first = {(one.item.workflow, one.item.name): one for one in reversed(left)}
            _append(connection, list(first.values()))
            left = [one for one in left if first[one.item.workflow, one.item.name] is not one]
        appended = [one for one in operations if one.result == "appended"]
        for one in appended:
            one.touched = (stream_key(one.workflow_id, one.item.name),)
        settle_all(connection, [one for one in operations if one.result != "lost"])
        if wake(connection, [one.touched[0] for one in appended]):
            appended[0].touched = (*appended[0].touched, "ready")


def _append(connection: apsw.Connection, operations: Sequence[Append]) -> None:
    values: list[Value] = []
    for one in operations:
        values += one.item
    if APPEND.run(connection, values) == len(operations):
        for one in operations:
            one.result = "appended"
    else:
        for one in operations:
            one.result = _appended(connection, one.item)


def _appended(connection: apsw.Connection, item: Item) -> Appended:
    """What became of an item in a group of which some were refused."""
    row = connection.execute(
        "SELECT workflow.phase IS 'running' AND workflow.fence = ?, s.value, s.step, s.attempt, s.fence, s.written_us"
        " FROM workflow JOIN stream AS s ON s.workflow = workflow.key AND s.name = ? WHERE workflow.key = ?"
        " ORDER BY s.offset DESC LIMIT 1",
        (item.fence, item.name, item.workflow),
    ).fetchone()
    if row is None or not row[0]:
        return "lost"
    mine = (item.value, item.step, item.attempt, item.fence, item.written_us)
    return "appended" if row[1:] == mine else "closed"


def decide(tx: Tx, workflow: int, fence: int, step: str, attempt: int) -> Collection[str]:
    """A step is settled: what this attempt of this execution wrote is on record, what others wrote is not.

    Returns the streams in which that was open.
    """
    decided = tx.connection.execute(
        "UPDATE stream SET recorded = (fence = ? AND attempt = ?) WHERE workflow = ? AND step = ? AND recorded IS NULL"
        " RETURNING name",
        (fence, attempt, workflow, step),
    )
    return {name for (name,) in decided}


class Stale(NamedTuple):
    """A stream with values that no execution will put on record."""

    workflow: int
    workflow_id: str
    name: str


def stale(connection: apsw.Connection, workflows: Sequence[int]) -> Collection[Stale]:
    """What earlier executions of these workflows wrote in steps that they did not settle."""
    rows = connection.execute(
        "SELECT DISTINCT workflow.key, workflow.id, stream.name FROM stream"
        " JOIN workflow ON workflow.key = stream.workflow"
        " WHERE stream.recorded IS NULL AND stream.workflow IN (SELECT value FROM carray(?))"
        " AND stream.fence < workflow.fence",
        (integers(workflows),),
    )
    return [Stale(*row) for row in rows]


def disown(tx: Tx, found: Collection[Stale]) -> None:
    """Decide that these values are not on record: each execution decides about its own only."""
    for workflow in {one.workflow for one in found}:
        tx.connection.execute(
            "UPDATE stream SET recorded = 0 WHERE workflow = ?1 AND recorded IS NULL"
            " AND fence < (SELECT fence FROM workflow WHERE key = ?1)",
            (workflow,),
        )
    for one in found:
        announce(tx, stream_key(one.workflow_id, one.name))


class StreamRow(NamedTuple):
    """One value of a stream; `recorded` is None while its step may still be attempted again."""

    offset: int
    value: str | None
    attempt: int
    recorded: int | None


class Page(NamedTuple):
    """Some values of a stream, whether nothing more can follow them, and whether more are there already."""

    rows: list[StreamRow]
    ended: bool
    more: bool


CLOSE = """
    SELECT offset < ?3 AND value IS NULL FROM stream WHERE workflow = ?1 AND name = ?2 ORDER BY offset DESC LIMIT 1
"""


def _closed_before(connection: apsw.Connection, workflow: int, name: str, offset: int) -> bool:
    """Whether a reader begins behind the close."""
    return bool(offset) and connection.execute(CLOSE, (workflow, name, offset)).fetchone() == (1,)


def page(connection: apsw.Connection, workflow: int, name: str, offset: int, limit: int) -> Page:
    """What is in a stream from an offset on. The writer is looked at first: what it wrote before its end is there."""
    found = connection.execute("SELECT completed_us IS NOT NULL FROM workflow WHERE key = ?", (workflow,)).fetchone()
    finished = found is None or bool(found[0]) or _closed_before(connection, workflow, name, offset)
    rows = connection.execute(
        "SELECT offset, value, attempt, iif(recorded IS NULL AND (? OR EXISTS (SELECT 1 FROM step AS of"
        " WHERE of.workflow = stream.workflow AND of.step = stream.step AND completed_us IS NOT NULL)), 0, recorded)"
        " FROM stream WHERE workflow = ? AND name = ? AND offset >= ? ORDER BY offset LIMIT ?",
        (finished, workflow, name, offset, limit + 1),
    )
    read = [StreamRow(*row) for row in rows]
    values = [row for row in read[:limit] if row.value is not None]
    more = len(read) > limit
    return Page(values, ended=len(values) < len(read[:limit]) or (finished and not more), more=more)
