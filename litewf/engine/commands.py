"""What may be asked for a workflow from anywhere: each a change that refuses before it writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from litewf.engine.attributes import encode_attributes
from litewf.engine.results import given_id, not_found
from litewf.engine.starting import START_MANY, check_workflow_id
from litewf.engine.watching import start_trace
from litewf.errors import UsageError, WorkflowCancelledError, WorkflowConflictError, WorkflowStateError
from litewf.store import cancelling, managing
from litewf.store.managing import Found
from litewf.store.operations import Tx
from litewf.store.queues import NewTask
from litewf.store.starts import NewWorkflow

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime


def found(tx: Tx, workflow_id: str) -> Found:
    """The workflow with this id, or an error."""
    workflow = managing.find(tx.connection, workflow_id)
    if workflow is None:
        raise not_found(workflow_id)
    return workflow


def cancel(runtime: Runtime, workflow_id: str) -> Callable[[Tx], None]:
    """Cancel an unfinished workflow and its children; a finished one is left as it is."""
    given_id(workflow_id)

    def change(tx: Tx) -> None:
        workflow = found(tx, workflow_id)
        error = WorkflowCancelledError(
            f"workflow {workflow_id!r} ({workflow.name}) was cancelled; resume_workflow() lets it go on"
        )
        text = runtime.serializer.encode_error(error)[0]
        cancelling.cancel(tx, workflow.key, text, runtime.now_us())

    return change


RESUMABLE = frozenset({"CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", "ENQUEUED", "DELAYED"})


def resume(runtime: Runtime, workflow_id: str) -> Callable[[Tx], None]:
    """Let a stopped, given up or held workflow go on; one that runs is left alone."""
    given_id(workflow_id)

    def change(tx: Tx) -> None:
        workflow = found(tx, workflow_id)
        if workflow.status in {"SUCCESS", "ERROR"}:
            raise WorkflowStateError(
                f"workflow {workflow_id!r} ({workflow.name}) has ended with {workflow.status}; rewind_workflow() runs"
                " it again from a step"
            )
        if workflow.status in RESUMABLE or workflow.phase == "held":
            cancelling.resume(tx, workflow.key, runtime.now_us())

    return change


def fork(
    runtime: Runtime,
    source_id: str,
    start_step: int,
    forked_id: str | None,
    version: str | None,
    queue: str | None = None,
) -> Callable[[Tx], str]:
    """A new workflow that begins with the records of another, on a queue if one is named."""
    given_id(source_id)
    _check_step(start_step)
    if forked_id is not None:
        check_workflow_id(forked_id)
    new_id = forked_id or runtime.world.workflow_id()
    trace = start_trace(runtime, f"fork of {source_id}", new_id, queue)

    def change(tx: Tx) -> str:
        source = found(tx, source_id)
        if (there := managing.find(tx.connection, new_id)) is not None:
            if managing.forked_from(tx.connection, there.key) != source_id:
                raise WorkflowConflictError(f"workflow id {new_id!r} exists already; fork to another id")
            return new_id  # this very fork, asked for again
        _check_recorded(tx, source, start_step)
        new = NewWorkflow(
            new_id, source.name, None, None, False, None, version or runtime.starts_as, runtime.now_us(), "",
            forked_from=source_id, trace=trace, task=None if queue is None else NewTask(queue),
        )  # fmt: skip
        managing.fork(tx, source, start_step, new)
        return new_id

    return change


def rewind(runtime: Runtime, workflow_id: str, start_step: int | None) -> Callable[[Tx], None]:
    """Run a finished workflow again from a step, as its next generation."""
    given_id(workflow_id)
    if start_step is not None:
        _check_step(start_step)

    def change(tx: Tx) -> None:
        workflow = found(tx, workflow_id)
        if workflow.status in {"PENDING", "ENQUEUED", "DELAYED"}:
            raise WorkflowStateError(
                f"workflow {workflow_id!r} ({workflow.name}) has not ended ({workflow.status}); cancel it first, or"
                " fork it"
            )
        if start_step is not None:
            _check_recorded(tx, workflow, start_step)
        start = managing.first_failed_step(tx.connection, workflow.key) if start_step is None else start_step
        for child in _children_from(runtime, tx, workflow.key, start):
            cancel(runtime, child)(tx)
        managing.rewind(tx, workflow.key, start, runtime.now_us())

    return change


def _children_from(runtime: Runtime, tx: Tx, key: int, start: int) -> list[str]:
    ids: list[str] = []
    for child, output in managing.starts_from(tx.connection, key, start, START_MANY):
        ids += cast("list[str]", runtime.serializer.decode(output)) if child is None else [child]
    return managing.own_children(tx.connection, key, ids)


def _check_step(start_step: int) -> None:
    if isinstance(start_step, bool) or not isinstance(start_step, int):
        raise TypeError(f"start_step is the number of a step, not {type(start_step).__name__}")
    if start_step < 1:
        raise ValueError(f"start_step must be 1 (from the start) or more, not {start_step}")


def _check_recorded(tx: Tx, workflow: Found, start_step: int) -> None:
    """Whoever names a step that was never reached means another workflow, or has miscounted."""
    last = managing.last_step(tx.connection, workflow.key)
    if start_step > last + 1:
        raise UsageError(
            f"start_step {start_step} is beyond what workflow {workflow.id!r} ({workflow.name}) has recorded: its last"
            f" step is {last}, so give at most {last + 1}"
        )


def delete(_runtime: Runtime, workflow_id: str) -> Callable[[Tx], None]:
    """Remove a finished workflow with its records."""
    given_id(workflow_id)

    def change(tx: Tx) -> None:
        workflow = found(tx, workflow_id)
        if workflow.owner is not None and workflow.status == "CANCELLED":
            raise WorkflowStateError(
                f"workflow {workflow_id!r} ({workflow.name}) was cancelled, but a step body of it still runs; delete it"
                " when that has ended"
            )
        if workflow.status in {"PENDING", "ENQUEUED", "DELAYED"} or workflow.owner is not None:
            raise WorkflowStateError(
                f"workflow {workflow_id!r} ({workflow.name}) has not ended ({workflow.status}); cancel it first"
            )
        managing.delete(tx, workflow.key)

    return change


def update_attributes(runtime: Runtime, workflow_id: str, attributes: Mapping[str, object]) -> Callable[[Tx], None]:
    """Merge attributes into those of a workflow; None removes one."""
    given_id(workflow_id)
    encode_attributes(attributes)

    def change(tx: Tx) -> None:
        workflow = found(tx, workflow_id)
        known = json.loads(managing.attributes_of(tx.connection, workflow.key) or "{}")
        merged = {name: value for name, value in {**known, **attributes}.items() if value is not None}
        managing.set_attributes(tx, workflow.key, json.dumps(merged), runtime.now_us())

    return change
