"""What may be asked of a file with workflows: start, wait, look, steer. An engine is this, and runs workflows too.

Each operation is one method that returns an action; the blocking method and its `_async` twin are derived from it.
Inside a workflow the same methods are durable calls.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypedDict, TypeVar, Unpack

from litewf.api.actions import Action, awaiting, blocking, change, keep, perform, perform_async, query
from litewf.api.cloud_events import CloudEvents
from litewf.api.events import Events
from litewf.api.handle import WorkflowHandle
from litewf.api.messages import Messages
from litewf.api.queues import Queue, Queues, name_of
from litewf.api.schedules import Schedules
from litewf.api.starts import many_here, request_of, run, start, start_many
from litewf.api.streams import Streams
from litewf.api.workflow import BaseWorkflow
from litewf.durations import Duration, duration_us
from litewf.engine import commands, histories, maintenance, views
from litewf.engine.requests import Blocking, Flow
from litewf.histories import History
from litewf.records import Status, StepInfo, WorkflowFilter, WorkflowStatus
from litewf.redaction import Redaction, secrets
from litewf.store import queries
from litewf.store.transactions import Connection, Parameters

if TYPE_CHECKING:
    from datetime import datetime

    from litewf.engine.runtime import Runtime

P = ParamSpec("P")
R = TypeVar("R")


class FilterOptions(TypedDict, total=False):
    """The fields of WorkflowFilter, as keywords."""

    workflow_ids: Sequence[str] | None
    workflow_id_prefix: str | None
    status: Status | Sequence[Status] | None
    held: bool | None
    name: str | Sequence[str] | None
    start_time: datetime | None
    end_time: datetime | None
    completed_after: datetime | None
    completed_before: datetime | None
    user: str | None
    application_version: str | None
    executor_id: str | None
    queue_name: str | Sequence[str] | None
    deduplication_id: str | None
    queues_only: bool
    attributes: Mapping[str, object] | None
    parent_id: str | None
    forked_from: str | None
    limit: int | None
    offset: int
    sort_desc: bool
    load_input: bool
    load_output: bool


class WorkflowOperations(Queues, Schedules, Messages, Events, Streams, CloudEvents):
    """The operations; the subclass says on which running engine."""

    # --- starting ---------------------------------------------------------------------------------------------

    def start_workflow(self, workflow: BaseWorkflow[P, R], /, *args: P.args, **kwargs: P.kwargs) -> WorkflowHandle[R]:
        """Start a workflow; it is durable on return. `workflow.with_options(workflow_id=...)` makes it idempotent."""
        return perform(self._running(), start("start_workflow", request_of(workflow, args, kwargs)))

    def start_workflow_async(
        self, workflow: BaseWorkflow[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, WorkflowHandle[R]]:
        """Start a workflow; it is durable once awaited."""
        return perform_async(self._running(), start("start_workflow", request_of(workflow, args, kwargs)))

    def run_workflow(self, workflow: BaseWorkflow[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Start a workflow and wait for its result."""
        handle: WorkflowHandle[R] = self.start_workflow(workflow, *args, **kwargs)
        return handle.get_result()

    def run_workflow_async(
        self, workflow: BaseWorkflow[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, R]:
        """Start a workflow and wait for its result."""
        runtime = self._running()
        action: Action[R] = run(request_of(workflow, args, kwargs))
        return perform_async(runtime, action)

    def _start_workflows(self, starts: Sequence[Sequence[Any]]) -> Action[list[WorkflowHandle[Any]]]:
        """Start several workflows in one commit, all or none: [(checkout, order), (refund, order, "late")]."""
        return start_many("start_workflows", lambda: many_here(starts))

    start_workflows = blocking(_start_workflows)
    start_workflows_async = awaiting(_start_workflows)

    # --- looking ----------------------------------------------------------------------------------------------

    def _retrieve_workflow(self, id: str) -> Action[WorkflowHandle[Any]]:
        """The handle of a workflow that exists."""
        return query(
            "retrieve_workflow",
            lambda _: views.exists(id),
            lambda runtime, found: WorkflowHandle(found, runtime),
        )

    def _list_workflows(
        self, chosen: WorkflowFilter | None = None, /, **filters: Unpack[FilterOptions]
    ) -> Action[list[WorkflowStatus]]:
        """The workflows that match a WorkflowFilter, or its fields as keywords, in the order of their creation."""
        if chosen is not None and filters:
            raise TypeError("give list_workflows a WorkflowFilter or keywords, not both")
        found = WorkflowFilter(**filters) if chosen is None else chosen
        return query("list_workflows", lambda runtime: views.workflows(runtime, found))

    def _list_steps(self, id: str) -> Action[list[StepInfo]]:
        """What a workflow has recorded, in the order of its calls."""
        return query("list_steps", lambda runtime: views.steps(runtime, id))

    def _export_workflow(self, id: str, *, redact: Redaction = None) -> Action[History]:
        """A run with all that it has recorded, to replay elsewhere; `redact` says which values are replaced.

        It is a pattern of paths such as "input.args.0.card" or "*.email", several, or a function of path and value
        that returns whether to replace it. "*" replaces every text and number. A replaced value keeps its type.
        """
        is_secret = secrets(redact)
        return query("export_workflow", lambda _: histories.export(id, is_secret))

    retrieve_workflow = blocking(_retrieve_workflow)
    retrieve_workflow_async = awaiting(_retrieve_workflow)
    list_workflows = blocking(_list_workflows)
    list_workflows_async = awaiting(_list_workflows)
    list_steps = blocking(_list_steps)
    list_steps_async = awaiting(_list_steps)
    export_workflow = blocking(_export_workflow)
    export_workflow_async = awaiting(_export_workflow)

    # --- steering ---------------------------------------------------------------------------------------------

    def _cancel_workflow(self, id: str) -> Action[None]:
        """Cancel an unfinished workflow and its children; a step body that runs is not interrupted."""
        return change("cancel_workflow", lambda runtime: commands.cancel(runtime, id))

    def _resume_workflow(self, id: str) -> Action[WorkflowHandle[Any]]:
        """Let a cancelled, given up or held workflow go on from its last recorded step."""
        return change(
            "resume_workflow",
            lambda runtime: commands.resume(runtime, id),
            lambda runtime, _: WorkflowHandle(id, runtime),
        )

    def _fork_workflow(
        self,
        id: str,
        start_step: int = 1,
        *,
        workflow_id: str | None = None,
        application_version: str | None = None,
        queue: Queue | str | None = None,
    ) -> Action[WorkflowHandle[Any]]:
        """Start a copy of workflow `id` that has recorded the steps before `start_step`, under `workflow_id`.

        On a `queue` the copy waits for its turn.
        """
        on = None if queue is None else name_of(queue)
        return change(
            "fork_workflow",
            lambda runtime: commands.fork(runtime, id, start_step, workflow_id, application_version, on),
            lambda runtime, found: WorkflowHandle(found, runtime),
        )

    def _rewind_workflow(self, id: str, start_step: int | None = None) -> Action[WorkflowHandle[Any]]:
        """Run a finished workflow again from a step, under its own id; None: from the first step that failed."""
        return change(
            "rewind_workflow",
            lambda runtime: commands.rewind(runtime, id, start_step),
            lambda runtime, _: WorkflowHandle(id, runtime),
        )

    def _delete_workflow(self, id: str) -> Action[None]:
        """Remove a finished workflow with all that it recorded."""
        return change("delete_workflow", lambda runtime: commands.delete(runtime, id))

    def _update_attributes(self, id: str, attributes: Mapping[str, object]) -> Action[None]:
        """Merge attributes into those of a workflow; None removes one."""
        return change("update_attributes", lambda runtime: commands.update_attributes(runtime, id, attributes))

    cancel_workflow = blocking(_cancel_workflow)
    cancel_workflow_async = awaiting(_cancel_workflow)
    resume_workflow = blocking(_resume_workflow)
    resume_workflow_async = awaiting(_resume_workflow)
    fork_workflow = blocking(_fork_workflow)
    fork_workflow_async = awaiting(_fork_workflow)
    rewind_workflow = blocking(_rewind_workflow)
    rewind_workflow_async = awaiting(_rewind_workflow)
    delete_workflow = blocking(_delete_workflow)
    delete_workflow_async = awaiting(_delete_workflow)
    update_attributes = blocking(_update_attributes)
    update_attributes_async = awaiting(_update_attributes)

    # --- the file ---------------------------------------------------------------------------------------------

    def _transact(
        self, function: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> Action[R]:
        """Run `function(conn, ...)` on the user's own tables of this file, in one durable transaction."""

        def run(runtime: Runtime) -> Flow[Any]:
            return (
                yield Blocking(lambda: runtime.store.transactions.run(lambda conn: function(conn, *args, **kwargs)))
            )

        return outside_only("transact", run)

    def _query(self, sql: str, parameters: Parameters = ()) -> Action[list[tuple[Any, ...]]]:
        """The rows of a read-only query on this file."""
        return query("query", lambda _: lambda connection: queries.query(connection, sql, parameters))

    def _backup(self, path: str | Path) -> Action[Path]:
        """Copy the file as it is now to `path`, which must not exist, while everything goes on."""
        return outside_only("backup", lambda _: maintenance.backup(path))

    def _prune(self, *, older_than: Duration) -> Action[int]:
        """Delete workflows that ended longer ago than `older_than`, in small batches; how many.

        Spares those whose parent is unfinished.
        """
        age_us = duration_us(older_than, "older_than")
        return outside_only("prune", lambda runtime: maintenance.prune(runtime, age_us))

    def transact(self, function: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `function(conn, ...)` on the user's own tables of this file, in one durable transaction."""
        action: Action[R] = self._transact(function, *args, **kwargs)
        return perform(self._running(), action)

    def transact_async(
        self, function: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, R]:
        """Run `function(conn, ...)` in a worker thread, in one durable transaction."""
        return perform_async(self._running(), self._transact(function, *args, **kwargs))

    query = blocking(_query)
    query_async = awaiting(_query)
    backup = blocking(_backup)
    backup_async = awaiting(_backup)
    prune = blocking(_prune)
    prune_async = awaiting(_prune)


def outside_only(what: str, outside: Callable[[Runtime], Flow[Any]]) -> Action[Any]:
    """An action that takes a while and that no workflow may use."""
    return Action(what, outside, None, keep)
