"""New workflows: from outside in groups, as children inside their parent's change.

An id is a key: the first start with it creates the workflow, any later one finds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Self, cast

import apsw

from litewf.store import queues
from litewf.store.operations import Operation, Tx
from litewf.store.queues import Newcomer, NewTask
from litewf.store.wide import Value, Wide


class NewWorkflow(NamedTuple):
    """What a start writes, in the order of the statement's parameters."""

    id: str
    name: str
    owner: int | None  # None: ready for whoever claims it
    parent: int | None
    detached: bool
    deadline_us: int | None
    application_version: str | None
    created_us: int
    input: str
    timeout_us: int | None = None
    forked_from: str | None = None
    authenticated_user: str | None = None
    authenticated_roles: str | None = None
    attributes: str | None = None
    trace: str | None = None  # the trace context of whoever starts it
    task: NewTask | None = None  # where it stands in its queue, if it waits for its turn

    @property
    def status(self) -> str:
        if self.task is None:
            return "PENDING"
        return "ENQUEUED" if self.task.due_us is None else "DELAYED"


class Started(NamedTuple):
    """The workflow that has the id now; `created` tells whether this start made it."""

    key: int
    name: str
    created: bool


WORKFLOW = Wide(
    11,
    """
    WITH v (key, id, name, owner, parent, detached, deadline_us, application_version, created_us, status, queue)
        AS (VALUES {rows})
    INSERT INTO workflow (key, id, name, owner, parent, detached, deadline_us, application_version, created_us,
                          updated_us, status, queue, phase, fence, started_us)
    SELECT key, id, name, owner, parent, detached, deadline_us, application_version, created_us, created_us, status,
           queue, iif(status = 'PENDING', iif(owner IS NULL, 'ready', 'running'), NULL), owner IS NOT NULL,
           iif(owner IS NULL, NULL, created_us)
    FROM v WHERE key IS NOT NULL
    ON CONFLICT (id) DO NOTHING
    """,
)

REQUEST = Wide(
    8,
    """
    WITH v (workflow, input, timeout_us, forked_from, authenticated_user, authenticated_roles, attributes, trace)
        AS (VALUES {rows})
    INSERT INTO request (workflow, input, timeout_us, forked_from, authenticated_user, authenticated_roles, attributes,
                         trace)
    SELECT v.* FROM v WHERE EXISTS (SELECT 1 FROM workflow WHERE workflow.key = v.workflow)
    """,
)
FIRST_FENCE = 1  # of a workflow that starts in its starter's memory


class Start(Operation):
    """Starts workflows; `result` is a list of Started, one for each."""

    __slots__ = ("workflows",)
    rank: ClassVar[int] = 0

    def __init__(self, workflows: Sequence[NewWorkflow]) -> None:
        super().__init__()
        self.workflows = workflows

    def started(self) -> list[Started]:
        """What was committed; nothing if it failed or was withdrawn."""
        return cast("list[Started]", self.result) if self.error is None and self.result is not None else []

    @classmethod
    def apply(cls, connection: apsw.Connection, operations: Sequence[Self]) -> None:
        all_new = [new for operation in operations for new in operation.workflows]
        started = insert_workflows(connection, all_new)
        at = 0
        for operation in operations:
            count = len(operation.workflows)
            operation.result = started[at : at + count]
            at += count


def start(tx: Tx, new: NewWorkflow) -> Started:
    """Start one workflow inside a larger change."""
    return insert_workflows(tx.connection, [new])[0]


def insert_workflows(connection: apsw.Connection, workflows: Sequence[NewWorkflow]) -> list[Started]:
    """Insert those whose id is new; keys are given here so that a whole group needs no answer from SQL."""
    first = _next_key(connection)
    rows: list[Value] = []
    requests: list[Value] = []
    for key, new in enumerate(workflows, first):
        rows += (key, *new[:8], new.status, None if new.task is None else new.task.queue)
        requests += (key, *new[8:15])
    inserted = WORKFLOW.run(connection, rows)
    REQUEST.run(connection, requests)
    if inserted == len(workflows):
        started = [Started(key, new.name, created=True) for key, new in enumerate(workflows, first)]
    else:
        started = [_find(connection, new.id, key) for key, new in enumerate(workflows, first)]
    newcomers = [
        Newcomer(one.key, new.name, new.application_version, new.task)
        for one, new in zip(started, workflows, strict=True)
        if new.task is not None and one.created
    ]
    if newcomers:
        queues.add(connection, newcomers)
    return started


def _next_key(connection: apsw.Connection) -> int:
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'workflow'").fetchone()
    return 1 if row is None else row[0] + 1


def _find(connection: apsw.Connection, workflow_id: str, mine: int) -> Started:
    row = connection.execute("SELECT key, name FROM workflow WHERE id = ?", (workflow_id,)).fetchone()
    assert row is not None, "the insert did nothing, so the id is there"
    key, name = row
    return Started(key, name, created=key == mine)
