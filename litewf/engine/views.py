"""What callers see of workflows and steps: rows of the store with their values decoded.

Where a class is unknown the value is shown as `Opaque`, an error as `RemoteError`: looking never fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

from litewf.engine.filters import conditions, page_of
from litewf.engine.results import given_id, not_found
from litewf.errors import RemoteError, SerializationError
from litewf.records import Status, StepInfo, Waiting, WorkflowFilter, WorkflowInput, WorkflowStatus
from litewf.serialization import Opaque, Serializer
from litewf.store import checkpoints, managing, reading
from litewf.store.checkpoints import number_order
from litewf.store.readers import Reader, damaged
from litewf.store.reading import StatusRow
from litewf.store.waits import Awaited, describe, target_of, workflow_key
from litewf.world import moment, moment_if

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime

Look = Callable[[Reader], Any]
J = TypeVar("J", list[Any], dict[str, Any])


def status(runtime: Runtime, workflow_id: str) -> Look:
    """One workflow."""
    given_id(workflow_id)

    def look(connection: Reader) -> WorkflowStatus:
        found = reading.status_of(connection, workflow_id)
        if found is None:
            raise not_found(workflow_id)
        waits = reading.waits_of(connection, [found.key]) if found.phase == "parked" else {}
        return _status(runtime.serializer, found, waits.get(found.key, ()))

    return look


def exists(workflow_id: str) -> Look:
    """The id, if there is such a workflow."""
    given_id(workflow_id)

    def look(connection: Reader) -> str:
        if managing.find(connection, workflow_id) is None:
            raise not_found(workflow_id)
        return workflow_id

    return look


def workflows(runtime: Runtime, chosen: WorkflowFilter) -> Look:
    """The workflows that match a filter, in the order of their creation."""
    where, page = conditions(chosen), page_of(chosen)

    def look(connection: Reader) -> list[WorkflowStatus]:
        rows = reading.list_workflows(connection, where, page)
        waits = reading.waits_of(connection, [row.key for row in rows if row.phase == "parked"])
        return [_status(runtime.serializer, row, waits.get(row.key, ())) for row in rows]

    return look


def steps(runtime: Runtime, workflow_id: str) -> Look:
    """The steps of a workflow, in the order of their numbers."""
    given_id(workflow_id)

    def look(connection: Reader) -> list[StepInfo]:
        workflow = managing.find(connection, workflow_id)
        if workflow is None:
            raise not_found(workflow_id)
        rows = checkpoints.steps_of(connection, [workflow.key])[workflow.key].values()
        with damaged(f"a step of workflow {workflow_id!r}"):
            return [_step(runtime.serializer, row) for row in sorted(rows, key=lambda row: number_order(row.step))]

    return look


def _status(serializer: Serializer, row: StatusRow, waits: Sequence[Awaited]) -> WorkflowStatus:
    with damaged(f"workflow {row.id!r}"):
        return WorkflowStatus(
            workflow_id=row.id,
            name=row.name,
            status=cast("Status", row.status),
            held=row.held,
            waiting_on=_waiting_on(waits),
            input=_input(serializer, row.input),
            output=_value(serializer, row.output),
            error=_error(serializer, row.error),
            created_at=moment(row.created_us),
            updated_at=moment(row.updated_us),
            started_at=moment_if(row.started_us),
            completed_at=moment_if(row.completed_us),
            deadline=moment_if(row.deadline_us),
            timeout=_duration(row.timeout_us),
            executor_id=row.executor,
            application_version=row.application_version,
            attempts=row.recoveries + 1,
            generation=row.generation,
            queue_name=row.queue,
            priority=row.priority or None,
            deduplication_id=row.deduplication_id,
            partition_key=row.partition,
            parent_id=row.parent_id,
            forked_from=row.forked_from,
            authenticated_user=row.authenticated_user,
            authenticated_roles=tuple(_json(row.authenticated_roles, list)),
            attributes=_json(row.attributes, dict),
        )


def _waiting_on(waits: Sequence[Awaited]) -> tuple[Waiting, ...]:
    """What ends the waits; a wait for an event or a stream also ends with their workflow, which goes without saying."""
    main = [wait for wait in waits if not (wait.waits or "").startswith("workflow:")]
    also = {(wait.step, workflow_key(target_of(wait))) for wait in main}
    return tuple(
        Waiting(wait.step, describe(wait), moment_if(wait.due_us))
        for wait in waits
        if (wait.step, wait.waits) not in also
    )


def _input(serializer: Serializer, text: str | None) -> WorkflowInput | None:
    given = _value(serializer, text)
    if not isinstance(given, dict):
        return None
    args, kwargs = given.get("args"), given.get("kwargs")
    return WorkflowInput(tuple(args), kwargs) if isinstance(args, list) and isinstance(kwargs, dict) else None


def _value(serializer: Serializer, text: str | None) -> Any:
    if text is None:
        return None
    try:
        return serializer.decode_lenient(text)
    except SerializationError as error:
        return Opaque(type(error).__name__, text)


def _error(serializer: Serializer, text: str | None) -> BaseException | None:
    if text is None:
        return None
    try:
        return serializer.decode_error_lenient(text)
    except SerializationError as error:
        return RemoteError(type(error).__name__, str(error))


def _json(text: str | None, kind: type[J]) -> J:
    """What litewf has written itself; nothing where somebody else has written over it."""
    try:
        found = json.loads(text) if text else None
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, kind) else kind()


def _duration(us: int | None) -> timedelta | None:
    return None if us is None else timedelta(microseconds=us)


def _step(serializer: Serializer, row: checkpoints.StepRow) -> StepInfo:
    settled = row.completed_us is not None
    error = _error(serializer, row.error) if settled else None
    output = _value(serializer, row.output) if settled else None
    started, completed = moment(row.started_us), moment_if(row.completed_us)
    return StepInfo(row.step, row.name, output, error, row.attempts, row.child, started, completed)
