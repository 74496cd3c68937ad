"""Starting workflows: from outside, and as children inside a workflow.

An id is an idempotency key: starting again with the same id and workflow attaches to what is there. A child's row and
the parent's record commit together.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import compress, repeat
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from litewf.definitions import WorkflowDefinition
from litewf.engine import queues
from litewf.engine.attributes import encode_attributes
from litewf.engine.durable import durable
from litewf.engine.execution import NO_KWARGS, NOTHING_SPECIAL, About, Execution
from litewf.engine.failures import say_whose
from litewf.engine.requests import Flow
from litewf.engine.watching import start_trace
from litewf.errors import DuplicateWorkflowError, SerializationError, WorkflowConflictError
from litewf.registry import check_name
from litewf.serialization import JsonSerializer
from litewf.store.managing import find
from litewf.store.operations import Turn, Tx
from litewf.store.queues import NewTask, holder, touched
from litewf.store.starts import FIRST_FENCE, NewWorkflow, Start, Started, insert_workflows

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime


class StartOptions(NamedTuple):
    """How one start differs from the default."""

    workflow_id: str | None = None
    timeout_us: int | None = None
    detached: bool = False
    application_version: str | None = None
    authenticated_user: str | None = None
    authenticated_roles: tuple[str, ...] | None = None
    attributes: Mapping[str, object] | None = None
    on_existing_id: Literal["attach", "reject"] = "attach"
    queue: str | None = None
    priority: int | None = None
    deduplication_id: str | None = None
    on_duplicate: Literal["raise", "return_existing"] = "raise"
    partition_key: str | None = None
    delay_us: int | None = None
    max_delay_us: int | None = None  # of debounced starts


DEFAULTS = StartOptions()
START_MANY = "litewf.start_workflows"  # the name of a step that starts several children


class NameOnly(NamedTuple):
    """A workflow of which this program has no more than the name; it can be enqueued."""

    name: str


class StartRequest(NamedTuple):
    """A workflow to start, with its arguments; `receiver` names the object or class of a method."""

    definition: WorkflowDefinition | NameOnly
    options: StartOptions
    receiver: str | None
    args: Sequence[Any]
    kwargs: Mapping[str, Any]


def check_workflow_id(workflow_id: str) -> str:
    """An id given by a user; '~' is kept for the ids of children."""
    check_name(workflow_id, "a workflow id")
    if "~" in workflow_id:
        raise ValueError(f"a workflow id must not contain '~', which marks children: {workflow_id!r}")
    return workflow_id


class Batch(NamedTuple):
    """Starts of one commit with their values encoded; an execution for each that begins in this engine's memory.

    Column by column: an object more for each of thousands is work for the garbage collector.
    """

    options: list[StartOptions]
    new: list[NewWorkflow]
    executions: list[Execution | None]

    def each(self) -> Iterator[tuple[StartOptions, NewWorkflow]]:
        """What was asked for, and the row that comes of it."""
        return zip(self.options, self.new, strict=True)

    def without(self, places: Container[int]) -> Batch:
        """All but those at these places."""
        kept = [at not in places for at in range(len(self.new))]
        return Batch(
            list(compress(self.options, kept)), list(compress(self.new, kept)), list(compress(self.executions, kept))
        )


def prepare(
    runtime: Runtime,
    requests: Iterable[StartRequest],
    trace: str | None,
    parent: Execution | None = None,
    child_ids: Iterable[str | None] = repeat(None),
) -> Batch:
    """Check and encode everything before anything is written."""
    batch, now_us = Batch([], [], []), runtime.now_us()
    for request, child_id in zip(requests, child_ids, strict=False):
        new, execution = _prepared(runtime, request, now_us, trace, parent, child_id)
        batch.options.append(request.options)
        batch.new.append(new)
        batch.executions.append(execution)
    return batch


def _prepared(
    runtime: Runtime,
    request: StartRequest,
    now_us: int,
    trace: str | None,
    parent: Execution | None,
    child_id: str | None,
) -> tuple[NewWorkflow, Execution | None]:
    options = request.options
    try:
        text, args, kwargs = encode_input(runtime, request.receiver, request.args, request.kwargs)
    except Exception as refusal:
        own_id = "" if options.workflow_id is None else f" {options.workflow_id!r}"
        say_whose(refusal, f"an argument of workflow{own_id} ({request.definition.name})")
        raise
    timeout_us = options.timeout_us
    deadline_us = None if timeout_us is None or options.queue is not None else now_us + timeout_us
    user, roles = options.authenticated_user, options.authenticated_roles
    if parent is not None:
        inherited_us = None if options.detached else parent.about.deadline_us
        if inherited_us is not None:
            deadline_us = inherited_us if deadline_us is None else min(deadline_us, inherited_us)
        user = parent.about.user if user is None else user
        roles = parent.about.roles if roles is None else roles
    new = NewWorkflow(
        options.workflow_id or child_id or runtime.world.workflow_id(),
        request.definition.name,
        _owner(runtime, request),
        None if parent is None else parent.key,
        options.detached,
        deadline_us,
        options.application_version or (None if isinstance(request.definition, NameOnly) else runtime.starts_as),
        now_us,
        text,
        timeout_us,
        None,
        user,
        json.dumps(roles) if roles else None,
        None if options.attributes is None else encode_attributes(options.attributes),
        trace,
        _task(options, now_us),
    )
    return new, None if new.owner is None else _first_execution(runtime, request, new, args, kwargs)


def trace_of(runtime: Runtime, requests: Sequence[StartRequest]) -> str | None:
    """The trace context of starts that are made together."""
    if runtime.watch is None or not requests:
        return None
    definition, options = requests[0].definition, requests[0].options
    own_id = options.workflow_id if len(requests) == 1 else None
    return start_trace(runtime, definition.name, own_id, options.queue)


def _owner(runtime: Runtime, request: StartRequest) -> int | None:
    """In whose memory a workflow starts; one on a queue waits for its turn."""
    if request.options.queue is not None or isinstance(request.definition, NameOnly):
        return None
    return runtime.admit(request.definition, request.options.application_version)


def _task(options: StartOptions, now_us: int) -> NewTask | None:
    if options.queue is None:
        return None
    due_us = None if not options.delay_us else now_us + options.delay_us
    return NewTask(options.queue, options.priority or 0, options.partition_key, options.deduplication_id, due_us)


def encode_input(
    runtime: Runtime, receiver: str | None, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[str, Sequence[Any], Mapping[str, Any]]:
    """The input as text, and the arguments as a replay would see them."""
    serializer = runtime.serializer
    if receiver is None and not kwargs and type(serializer) is JsonSerializer:
        try:  # without `suppress`, which takes as long as a third of the rest
            encoded = [serializer.encode(value) for value in args]
            texts = ",".join([text for text, _ in encoded])
            return f'{{"args":[{texts}],"kwargs":{{}}}}', tuple([copy for _, copy in encoded]), NO_KWARGS
        except SerializationError:
            pass  # said below, with the whole path of what is refused
    given: dict[str, Any] = {"args": list(args), "kwargs": dict(kwargs)}
    if receiver is not None:
        given["self"] = receiver
    text, copy = serializer.encode(given)
    assert isinstance(copy, dict)
    # A tuple of plain values the garbage collector leaves alone, and most workflows take no keywords.
    return text, tuple(copy["args"]), copy["kwargs"] or NO_KWARGS


def start_outside(runtime: Runtime, request: StartRequest) -> Flow[str]:
    """Start one workflow; its id. Starts of many callers share a commit."""
    if request.options.deduplication_id is not None or request.options.priority is not None:
        [workflow_id] = yield from start_many_outside(runtime, [request])
        return workflow_id
    batch = prepare(runtime, [request], trace_of(runtime, [request]))
    [new], [execution] = batch.new, batch.executions

    def begin(started: Started) -> None:
        if not started.found:
            runtime.begin(new, execution, started.keys[0])

    operation = Start([new], begin)
    yield operation
    _check_existing(new, request.options, operation.started().found.get(0))
    return new.id


def start_many_outside(runtime: Runtime, requests: Iterable[StartRequest]) -> Flow[list[str]]:
    """Start several workflows in one commit; their ids."""
    trace = None if runtime.watch is None else trace_of(runtime, requests := list(requests))
    begun: list[Execution] = []
    change = start_many_turn(prepare(runtime, requests, trace), begun)
    ids: list[str] = yield Turn(change, lambda _ids: runtime.launch(begun))
    return ids


def start_many_turn(batch: Batch, begun: list[Execution]) -> Callable[[Tx], list[str]]:
    """Start all of them or none; their ids. Once that is durable, what is in `begun` is to be launched."""

    def change(tx: Tx) -> list[str]:
        there = _there_already(tx, batch)  # refuses before anything is written
        rest = batch.without(there) if there else batch
        keys, found = insert_workflows(tx.connection, rest.new)
        for at, name in found.items():
            _check_existing(rest.new[at], rest.options[at], name)
        begun.clear()  # the last attempt of the turn counts
        for at, (execution, key) in enumerate(zip(rest.executions, keys, strict=True)):
            if execution is not None and at not in found:
                execution.key = key
                begun.append(execution)
        touch_all(tx, rest.new)
        return [there.get(at, new.id) for at, new in enumerate(batch.new)] if there else [new.id for new in batch.new]

    return change


def touch_all(tx: Tx, workflows: Iterable[NewWorkflow]) -> None:
    """Tell the dispatchers what new workflows give them to do."""
    for reason in {_reason(new) for new in workflows} - {None}:
        tx.touch(cast("str", reason))


def _reason(new: NewWorkflow) -> str | None:
    if new.task is None:
        return "ready" if new.owner is None else None
    return touched(new.task.queue) if new.task.due_us is None else f"due:{new.task.due_us}"


def _there_already(tx: Tx, batch: Batch) -> dict[int, str]:
    """Which of these are found instead of started: by a deduplication id that is taken now."""
    there: dict[int, str] = {}
    mine: dict[tuple[str, str], str] = {}  # deduplication ids of this very batch
    for queue in {new.task.queue for options, new in batch.each() if new.task and options.priority is not None}:
        queues.check_priority(tx.connection, queue)
    for at, (options, new) in enumerate(batch.each()):
        task = new.task
        found = find(tx.connection, new.id) if options.workflow_id else None
        if found is not None:
            _check_existing(new, options, found.name)
        elif task is not None and task.deduplication_id is not None:
            name = (task.queue, task.deduplication_id)
            taken = holder(tx.connection, *name)
            other = mine.setdefault(name, new.id) if taken is None else taken[1]
            if other != new.id:
                there[at] = _duplicate(options, name, other)
    return there


def _duplicate(options: StartOptions, name: tuple[str, str], other: str) -> str:
    if options.on_duplicate == "return_existing":
        return other
    queue, deduplication_id = name
    raise DuplicateWorkflowError(
        f"workflow {other!r} on queue {queue!r} has the deduplication id {deduplication_id!r} and has not ended; wait"
        ' for it, or enqueue with on_duplicate="return_existing" to get its handle'
    )


def start_child(execution: Execution, number: str, request: StartRequest) -> Flow[str]:
    """Start a child; its id."""
    runtime = execution.runtime
    batch = prepare(runtime, [request], trace_of(runtime, [request]), execution, [child_id(execution, number)])
    begun: list[Execution] = []
    change = start_many_turn(batch, begun)
    name = f"litewf.start:{request.definition.name}"
    workflow_id: str = yield from durable(
        execution, number, name, lambda tx: change(tx)[0], child=batch.new[0].id,
        committed=lambda: runtime.launch(begun),
    )  # fmt: skip
    return workflow_id


def start_children(execution: Execution, number: str, requests: Sequence[StartRequest]) -> Flow[list[str]]:
    """Start several children as one call; their ids."""
    runtime = execution.runtime
    own_ids = [child_id(execution, f"{number}.{at}") for at, _ in enumerate(requests, 1)]
    batch = prepare(runtime, requests, trace_of(runtime, requests), execution, own_ids)
    begun: list[Execution] = []
    change = start_many_turn(batch, begun)
    ids: list[str] = yield from durable(execution, number, START_MANY, change, committed=lambda: runtime.launch(begun))
    return ids


def child_id(execution: Execution, number: str) -> str:
    """The id of the child that call `number` starts."""
    generation = f"@{execution.generation}" if execution.generation > 1 else ""
    return f"{execution.id}~{number}{generation}"


def _check_existing(new: NewWorkflow, options: StartOptions, found: str | None) -> None:
    """Refuse what the caller cannot have meant; `found` is the name of the workflow that had the id before."""
    if found is None:
        return
    workflow_id, name = new.id, new.name
    if found != name:
        raise WorkflowConflictError(
            f"workflow id {workflow_id!r} belongs to a run of {found!r}; start {name!r} with another id"
        )
    if options.on_existing_id == "reject":
        raise DuplicateWorkflowError(
            f"workflow {workflow_id!r} ({name}) exists already; retrieve_workflow() gives its handle"
        )


NO_SPECIALS = NOTHING_SPECIAL[:5]


def _first_execution(
    runtime: Runtime, request: StartRequest, new: NewWorkflow, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Execution:
    """The execution of a workflow that starts here, without reading it back; its key is known once it has started."""
    assert isinstance(request.definition, WorkflowDefinition), "what runs here has code here"
    roles = tuple(json.loads(new.authenticated_roles)) if new.authenticated_roles else ()
    special = (request.receiver, new.deadline_us, new.authenticated_user, roles, new.trace)
    about = NOTHING_SPECIAL if special == NO_SPECIALS else About(*special)
    execution = Execution(runtime, request.definition, (0, new.id, FIRST_FENCE, 1), args, kwargs, about)
    execution.latest_us = new.created_us
    return execution
