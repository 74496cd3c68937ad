"""Starting workflows: what is asked for, and how that is done outside and as children."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from litewf.api.actions import Action, Inside, keep
from litewf.api.handle import WorkflowHandle
from litewf.api.named import WorkflowName
from litewf.api.workflow import BaseWorkflow, child_result
from litewf.engine import calls, debouncing, results, starting
from litewf.engine.execution import NO_KWARGS, Execution
from litewf.engine.requests import Flow
from litewf.engine.starting import StartRequest
from litewf.errors import UsageError

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime


def start(what: str, request: StartRequest) -> Action[WorkflowHandle[Any]]:
    """Start one workflow."""
    return Action(
        what,
        lambda runtime: starting.start_outside(runtime, request),
        lambda execution, number: starting.start_child(execution, number, request),
        lambda runtime, workflow_id: WorkflowHandle(workflow_id, runtime),
    )


def run(request: StartRequest) -> Action[Any]:
    """Start one workflow and wait for its result; inside a workflow two durable calls, numbered when it is called."""

    def outside(runtime: Runtime) -> Flow[Any]:
        workflow_id = yield from starting.start_outside(runtime, request)
        return (yield from results.result_outside(runtime, workflow_id, results.NO_LIMIT))

    def inside(execution: Execution, number: str) -> Flow[Any]:
        return child_result(execution, number, request, calls.async_branch("run_workflow_async"))

    return Action("run_workflow", outside, inside, keep)


def start_many(what: str, requests: Callable[[], Iterable[StartRequest]]) -> Action[list[WorkflowHandle[Any]]]:
    """Start several workflows in one commit; of thousands, each is looked at when its turn comes."""

    def prepare(_runtime: Runtime) -> Inside:
        children = list(requests())
        return lambda execution, number: starting.start_children(execution, number, children)

    return Action(
        what,
        lambda runtime: starting.start_many_outside(runtime, requests()),
        None,
        lambda runtime, ids: [WorkflowHandle(workflow_id, runtime) for workflow_id in ids],
        prepare=prepare,
    )


# --- what is asked for ------------------------------------------------------------------------------------------------


def request_of(workflow: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> StartRequest:
    """A start of what should be a workflow."""
    if not isinstance(workflow, BaseWorkflow):
        name = f", or its name as litewf.WorkflowName({workflow!r:.80})" if isinstance(workflow, str) else ""
        raise TypeError(f"only a function decorated with @workflow can be started{name}, not {workflow!r:.80}")
    return workflow.request(args, kwargs)


def enqueue_request(queue: str, workflow: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> StartRequest:
    """A workflow, or the name of one that only other programs have, for a queue."""
    if isinstance(workflow, str):
        workflow = WorkflowName(workflow)
    if not isinstance(workflow, BaseWorkflow):
        raise UsageError(f"enqueue takes a function with @workflow, or the name of one, not {workflow!r}")
    return workflow.on_queue(queue).request(args, kwargs)


def debounce_request(
    workflow: Any, key: str, period_us: int, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> StartRequest:
    """The start that the first of several debounced calls makes."""
    if not isinstance(workflow, BaseWorkflow):
        raise UsageError(f"debounce takes a function with @workflow, not {workflow!r}")
    options = workflow.options
    for name in ("workflow_id", "deduplication_id", "delay_us"):
        if getattr(options, name) is not None:
            raise ValueError(f"{name.removesuffix('_us')} has no meaning for debounce, which sets it")
    plain = workflow.on_queue(options.queue or debouncing.QUEUE, max_delay_us=None)
    return debouncing.debounced(plain.request(args, kwargs), key, period_us, options.max_delay_us)


def many_on(queue: str, items: Sequence[Any]) -> Iterator[StartRequest]:
    """The items of `enqueue_many`: tuples of a workflow, or its name, and its arguments."""
    for item in items:
        if not isinstance(item, tuple | list) or not item:
            raise UsageError("enqueue_many takes tuples of a workflow and its arguments: [(render, page), ...]")
        yield enqueue_request(queue, item[0], item[1:], NO_KWARGS)


def many_here(items: Sequence[Any]) -> Iterator[StartRequest]:
    """The items of `start_workflows`: tuples of a workflow and its arguments."""
    for item in items:
        if not isinstance(item, tuple | list) or not item or not isinstance(item[0], BaseWorkflow):
            raise UsageError("start_workflows takes tuples of a workflow and its arguments: [(checkout, order), ...]")
        yield item[0].request(item[1:], NO_KWARGS)
