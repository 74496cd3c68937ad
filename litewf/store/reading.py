"""What callers ask of the file: status, listings, outcomes. Read connections only."""

from collections.abc import Sequence
from typing import NamedTuple

import apsw

from litewf.store.waits import Awaited
from litewf.store.wide import integers, texts


class StatusRow(NamedTuple):
    """One workflow with its request and outcome, values still as text."""

    key: int
    id: str
    name: str
    status: str
    phase: str | None
    held: str | None
    generation: int
    recoveries: int
    deadline_us: int | None
    created_us: int
    updated_us: int
    started_us: int | None
    completed_us: int | None
    application_version: str | None
    executor: str | None
    queue: str | None
    priority: int | None
    deduplication_id: str | None
    partition: str | None
    parent_id: str | None
    timeout_us: int | None
    forked_from: str | None
    authenticated_user: str | None
    authenticated_roles: str | None
    attributes: str | None
    input: str | None
    output: str | None
    error: str | None


BASE = """
    SELECT w.key, w.id, w.name, w.status, w.phase, w.held, w.generation, w.recoveries, w.deadline_us, w.created_us,
           w.updated_us, w.started_us, w.completed_us, w.application_version, e.label, t.queue, t.priority,
           t.deduplication_id, t.partition, parent.id, r.timeout_us, r.forked_from, r.authenticated_user,
           r.authenticated_roles, r.attributes, {input}, {output}, o.error
    FROM workflow AS w
    JOIN request AS r ON r.workflow = w.key
    LEFT JOIN outcome AS o ON o.workflow = w.key
    LEFT JOIN executor AS e ON e.key = w.owner
    LEFT JOIN task AS t ON t.workflow = w.key
    LEFT JOIN workflow AS parent ON parent.key = w.parent
"""


class Where:
    """Conditions that must all hold, with their parameters."""

    def __init__(self) -> None:
        self.conditions: list[str] = []
        self.values: list[object] = []

    def add(self, condition: str, *values: object) -> None:
        self.conditions.append(condition)
        self.values += values

    def among(self, column: str, values: Sequence[str] | None) -> None:
        if values is not None:
            self.add(f"{column} IN (SELECT value FROM carray(?))", texts(values))

    def compare(self, column_and_operator: str, value: object) -> None:
        if value is not None:
            self.add(f"{column_and_operator} ?", value)

    def sql(self) -> str:
        return " WHERE " + " AND ".join(self.conditions) if self.conditions else ""


class Page(NamedTuple):
    """Which part of a listing, in which order, with which values."""

    limit: int | None = None
    offset: int = 0
    descending: bool = False
    load_input: bool = True
    load_output: bool = True


def list_workflows(connection: apsw.Connection, where: Where, page: Page) -> list[StatusRow]:
    """Workflows in the order in which they were created."""
    direction = "DESC" if page.descending else "ASC"
    sql = (
        BASE.format(input="r.input" if page.load_input else "NULL", output="o.output" if page.load_output else "NULL")
        + where.sql()
        + f" ORDER BY w.key {direction} LIMIT ? OFFSET ?"
    )
    limit = -1 if page.limit is None else page.limit
    rows = connection.execute(sql, (*where.values, limit, page.offset))
    return [StatusRow(*row) for row in rows]


def status_of(connection: apsw.Connection, workflow_id: str) -> StatusRow | None:
    where = Where()
    where.add("w.id = ?", workflow_id)
    return next(iter(list_workflows(connection, where, Page())), None)


def waits_of(connection: apsw.Connection, workflows: Sequence[int]) -> dict[int, list[Awaited]]:
    """What parked workflows wait for."""
    rows = connection.execute(
        "SELECT workflow, step, name, waits, due_us, detail FROM wait WHERE workflow IN (SELECT value FROM carray(?))"
        " ORDER BY key",
        (integers(workflows),),
    )
    found: dict[int, list[Awaited]] = {}
    for workflow, *awaited in rows:
        found.setdefault(workflow, []).append(Awaited(*awaited))
    return found


class Outcome(NamedTuple):
    """Where a workflow stands for those who wait for its end."""

    status: str
    name: str
    held: str | None
    output: str | None
    error: str | None


def outcome_of(connection: apsw.Connection, workflow_id: str) -> Outcome | None:
    row = connection.execute(
        "SELECT w.status, w.name, w.held, o.output, o.error FROM workflow AS w"
        " LEFT JOIN outcome AS o ON o.workflow = w.key WHERE w.id = ?",
        (workflow_id,),
    ).fetchone()
    return None if row is None else Outcome(*row)


def ended_among(connection: apsw.Connection, ids: Sequence[str]) -> list[str]:
    """Which of these have ended, are held, or are gone."""
    rows = connection.execute(
        "SELECT value FROM carray(?) LEFT JOIN workflow ON workflow.id = value"
        " WHERE workflow.key IS NULL OR completed_us IS NOT NULL OR phase = 'held'",
        (texts(ids),),
    )
    return [row[0] for row in rows]


def stopped_of(connection: apsw.Connection, executor: int) -> list[tuple[int, int]]:
    """Key and fence of what this engine has in memory although it was cancelled, resumed or taken elsewhere."""
    rows = connection.execute(
        "SELECT key, fence FROM workflow WHERE owner = ?1 AND owner IS NOT NULL AND phase IS NULL"
        " UNION ALL SELECT key, fence FROM workflow WHERE owner = ?1 AND phase = 'stopping'",
        (executor,),
    )
    return [(row[0], row[1]) for row in rows]


def owned_by(connection: apsw.Connection, executor: int) -> list[tuple[int, int]]:
    """Key and fence of everything that an engine holds."""
    rows = connection.execute("SELECT key, fence FROM workflow WHERE owner = ?", (executor,))
    return [(row[0], row[1]) for row in rows]


class Given(NamedTuple):
    """What a workflow was started with."""

    input: str
    authenticated_user: str | None
    authenticated_roles: str | None
    trace: str | None


def inputs_of(connection: apsw.Connection, keys: Sequence[int]) -> dict[int, Given]:
    """What several workflows were started with."""
    rows = connection.execute(
        "SELECT workflow, input, authenticated_user, authenticated_roles, trace FROM request"
        " WHERE workflow IN (SELECT value FROM carray(?))",
        (integers(keys),),
    )
    return {row[0]: Given(*row[1:]) for row in rows}


class Queued(NamedTuple):
    """How long a workflow stood in its queue."""

    key: int
    queue: str
    since_us: int
    until_us: int


def queued(connection: apsw.Connection, keys: Sequence[int]) -> list[Queued]:
    """Since when workflows that were started from a queue had waited there; a delay is no wait."""
    rows = connection.execute(
        "SELECT workflow.key, task.queue, max(created_us, coalesce(task.due_us, 0)), started_us FROM workflow"
        " JOIN task ON task.workflow = workflow.key"
        " WHERE workflow.key IN (SELECT value FROM carray(?)) AND started_us IS NOT NULL",
        (integers(keys),),
    )
    return [Queued(*row) for row in rows]
