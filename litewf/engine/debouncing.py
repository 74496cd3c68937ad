"""Debouncing: many calls become one workflow, which starts when there was no call for a while.

It is a delayed workflow that each further call puts off and gives its own input. Once it waits for its turn its key is
free, so no call is lost: the next one makes a new workflow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from litewf.engine import starting
from litewf.engine.durable import durable
from litewf.engine.execution import Execution
from litewf.engine.requests import Flow
from litewf.engine.starting import Batch, StartRequest
from litewf.store import queues
from litewf.store.operations import Turn, Tx
from litewf.store.queues import NO_LIMIT

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime

QUEUE = "litewf.debounced"  # for workflows that ask for no other


def debounced(request: StartRequest, key: str, period_us: int, max_delay_us: int | None) -> StartRequest:
    """The start that the first call makes."""
    options = request.options._replace(
        queue=request.options.queue or QUEUE,
        deduplication_id=f"{request.definition.name} {key}",
        delay_us=period_us,
        max_delay_us=max_delay_us,
    )
    return request._replace(options=options)


def outside(runtime: Runtime, request: StartRequest) -> Flow[str]:
    """Debounce from outside; the id of the one workflow."""
    workflow_id: str = yield Turn(_bounce(runtime, _prepared(runtime, request)))
    return workflow_id


def inside(execution: Execution, number: str, request: StartRequest) -> Flow[str]:
    """Debounce from a workflow, recorded."""
    runtime = execution.runtime
    child = starting.child_id(execution, number)
    change = _bounce(runtime, _prepared(runtime, request, execution, child))
    name = f"litewf.debounce:{request.definition.name}"
    workflow_id: str = yield from durable(execution, number, name, change, child=child)
    return workflow_id


def _prepared(
    runtime: Runtime, request: StartRequest, parent: Execution | None = None, child_id: str | None = None
) -> Batch:
    batch = starting.prepare(runtime, [request], starting.trace_of(runtime, [request]), parent, [child_id])
    [new], most_us = batch.new, request.options.max_delay_us
    assert new.task is not None
    latest_us = NO_LIMIT if most_us is None else new.created_us + most_us
    due_us = min(new.created_us + (request.options.delay_us or 0), latest_us)
    return batch._replace(new=[new._replace(task=new.task._replace(due_us=due_us, latest_us=latest_us))])


def _bounce(runtime: Runtime, batch: Batch) -> Callable[[Tx], str]:
    [new], [options] = batch.new, batch.options
    task, period_us = new.task, options.delay_us or 0

    def change(tx: Tx) -> str:
        assert task is not None
        assert task.deduplication_id is not None
        due_us = runtime.now_us() + period_us
        waiting = queues.put_off(tx, task.queue, task.deduplication_id, new.input, due_us)
        if waiting is not None:
            return waiting
        [workflow_id] = starting.start_many_turn(batch, [])(tx)  # it waits for its turn: nothing begins here
        return workflow_id

    return change
