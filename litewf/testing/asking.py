"""What a test asks of an engine: was this started, what does that wait for, and let everything happen that can.

All three look at what is durable, so they say the same of an engine that has just recovered.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from litewf.api.engine import Engine
from litewf.api.handle import WorkflowHandle
from litewf.api.workflow import BaseWorkflow
from litewf.errors import UsageError
from litewf.testing.clock import VirtualClock

if TYPE_CHECKING:
    from litewf.records import Waiting, WorkflowStatus

Which = WorkflowHandle[Any] | str
NAMED = 10  # workflows that a message lists at most


def drain(engine: Engine, until: datetime | None = None) -> None:
    """Let everything happen that happens by itself, each thing at its time, as `VirtualClock.drain` does."""
    clock_of(engine).drain(until)


def assert_started(
    engine: Engine,
    workflow: BaseWorkflow[Any, Any] | str,
    *args: object,
    count: int | None = None,
    queue: str | None = None,
    parent: Which | None = None,
) -> list[WorkflowStatus]:
    """Check that a workflow was started, or put on a queue, and return what was.

    Given arguments must be its positional ones. `count` is how often, 0 for never; unless given, once or more.
    `parent` is the workflow that started it.
    """
    name = workflow if isinstance(workflow, str) else workflow.name
    all_of_it = engine.list_workflows(name=name, parent_id=None if parent is None else _id(parent), queue_name=queue)
    found = [status for status in all_of_it if not args or (status.input is not None and status.input.args == args)]
    if count is None and found:
        return found
    if count != len(found):
        what = f"{name}({', '.join(map(repr, args))})" if args else name
        where = f" on queue {queue!r}" if queue else ""
        often = "at all" if count is None else "once" if count == 1 else f"{count} times"
        raise AssertionError(
            f"{what} was not started {often}{where}, but {len(found)} times; of {name} there are: {_listed(all_of_it)}"
        )
    return found


def assert_waiting(engine: Engine, workflow: Which, for_: str = "", *, until: datetime | None = None) -> Waiting:
    """Check that a workflow waits, after everything has happened that can happen now, and return what it waits for.

    `for_` is a part of how the wait is described, such as a topic: "a message on topic 'payment'", "event 'url' of
    workflow order-1", "a CloudEvent of type 'paid'", "the end of workflow order-1~2", "a time".
    """
    workflow_id = _id(workflow)
    clock = clock_of(engine)
    clock.drain(clock.now)
    status = engine.retrieve_workflow(workflow_id).get_status()
    for wait in status.waiting_on:
        if for_ in wait.what and until in (None, wait.until):
            return wait
    if status.waiting_on:
        waits = "; ".join(f"{one.what}{f' until {one.until}' if one.until else ''}" for one in status.waiting_on)
        wanted = f"{for_ or 'anything'}{f' until {until}' if until else ''}"
        raise AssertionError(f"workflow {workflow_id!r} does not wait for {wanted}, but for {waits}")
    steps = [f"{step.step_id} {step.name}" for step in engine.list_steps(workflow_id)]
    state = f"held: {status.held}" if status.held else status.status
    raise AssertionError(
        f"workflow {workflow_id!r} does not wait, it is {state};"
        f" its steps: {', '.join(steps) or 'none'} (a wait that lingers is not seen: give the engine linger=0)"
    )


def clock_of(engine: Engine) -> VirtualClock:
    """The virtual clock of an engine."""
    clock = engine.clock
    if not isinstance(clock, VirtualClock):
        raise UsageError("this engine runs on real time; give it clock=litewf.testing.VirtualClock()")
    return clock


def _id(workflow: Which) -> str:
    return workflow if isinstance(workflow, str) else workflow.workflow_id


def _listed(found: list[WorkflowStatus]) -> str:
    lines = [f"{one.workflow_id} {one.status} {one.input.args if one.input else '?'}" for one in found[:NAMED]]
    more = [f"and {len(found) - NAMED} more"] if len(found) > NAMED else []
    return "; ".join(lines + more) or "none"
