"""New workflows: from outside in groups, as children inside their parent's change.

An id is a key: the first start with it creates the workflow, any later one finds it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, NamedTuple, Self, cast

import apsw

from litewf.store import queues
from litewf.store.operations import Operation
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
    """The workflows that have the ids now: their keys, and by place the names of those that were there before."""

    keys: Sequence[int]
    found: Mapping[int, str]

    def part(self, start: int, count: int) -> "Started":
        """The same of some of them."""
        places = range(start, start + count) if self.found else ()
        return Started(
            self.keys[start : start + count], {at - start: self.found[at] for at in places if at in self.found}
        )


WORKFLOW = Wide(
    "key, id, name, owner, parent, detached, deadline_us, application_version, created_us, status, queue",
    """
    INSERT INTO workflow (key, id, name, owner, parent, detached, deadline_us, application_version, created_us,
                          updated_us, status, queue, phase, fence, started_us)
    SELECT key, id, name, owner, parent, detached, deadline_us, application_version, created_us, created_us, status,
           queue, iif(status = 'PENDING', iif(owner IS NULL, 'ready', 'running'), NULL), owner IS NOT NULL,
           iif(owner IS NULL, NULL, created_us)
    FROM {v} WHERE key IS NOT NULL
    ON CONFLICT (id) DO NOTHING
    """,
)

REQUEST = Wide(
    "workflow, input, timeout_us, forked_from, authenticated_user, authenticated_roles, attributes, trace",
    """
    INSERT INTO request (workflow, input, timeout_us, forked_from, authenticated_user, authenticated_roles, attributes,
                         trace)
    SELECT v.* FROM {v} WHERE EXISTS (SELECT 1 FROM workflow WHERE workflow.key = v.workflow)
    """,
)
FIRST_FENCE = 1  # of a workflow that starts in its starter's memory


class Start(Operation):
    """Starts workflows; `result` is what became of them."""

    __slots__ = ("then", "workflows")
    rank: ClassVar[int] = 0

    def __init__(self, workflows: Sequence[NewWorkflow], then: Callable[[Started], None] | None = None) -> None:
        super().__init__()
        self.workflows = workflows
        self.then = then

    def started(self) -> Started:
        """What was committed; nothing if it failed or was withdrawn."""
        return cast("Started", self.result) if self.error is None and self.result is not None else Started((), {})

    @classmethod
    def apply(cls, connection: apsw.Connection, operations: Sequence[Self]) -> None:
        all_new = [new for operation in operations for new in operation.workflows]
        started = insert_workflows(connection, all_new)
        at = 0
        for operation in operations:
            count = len(operation.workflows)
            operation.result = started.part(at, count)
            at += count


def insert_workflows(connection: apsw.Connection, workflows: Sequence[NewWorkflow]) -> Started:
    """Insert those whose id is new; keys are given here so that a whole group needs no answer from SQL."""
    first = _next_key(connection)
    rows: list[Value] = []
    requests: list[Value] = []
    for key, new in enumerate(workflows, first):
        rows += (key, *new[:8], new.status, None if new.task is None else new.task.queue)
        requests += (key, *new[8:15])
    inserted = WORKFLOW.run(connection, rows)
    REQUEST.run(connection, requests)
    keys: Sequence[int] = range(first, first + len(workflows))
    found = {} if inserted == len(workflows) else _found(connection, workflows, keys)
    newcomers = [
        Newcomer(key, new.name, new.application_version, new.task)
        for at, (key, new) in enumerate(zip(keys, workflows, strict=True))
        if new.task is not None and at not in found
    ]
    if newcomers:
        queues.add(connection, newcomers)
    if found:
        keys = [found[at][0] if at in found else key for at, key in enumerate(keys)]
    return Started(keys, {at: name for at, (_, name) in found.items()})


def _next_key(connection: apsw.Connection) -> int:
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'workflow'").fetchone()
    return 1 if row is None else row[0] + 1


def _found(
    connection: apsw.Connection, workflows: Sequence[NewWorkflow], keys: Sequence[int]
) -> dict[int, tuple[int, str]]:
    """Key and name of those that had the id before, by place."""
    before = {}
    for at, (new, mine) in enumerate(zip(workflows, keys, strict=True)):
        row = connection.execute("SELECT key, name FROM workflow WHERE id = ?", (new.id,)).fetchone()
        assert row is not None, "if the insert did nothing, the id is there"
        key, name = row
        if key != mine:
            before[at] = (key, name)
    return before
