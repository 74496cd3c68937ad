"""What a workflow calls: waits, values that replay, patches, and what it may know of itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from litewf.api.handle import WorkflowHandle
from litewf.api.workflow import check_arguments
from litewf.durations import Duration, duration_us, moment_us, optional_duration_us
from litewf.engine import calls, patches, recording, results, sleeps, starting
from litewf.engine.calls import DurableCall, FlowCall
from litewf.engine.execution import FRAME, Branch, Execution, StepFrame
from litewf.engine.requests import Flow
from litewf.engine.results import MISSING, Candidate, Limit
from litewf.engine.signals import ContinueAsNew
from litewf.errors import NotInWorkflowError, UsageError
from litewf.registry import check_name
from litewf.store.checkpoints import Promise
from litewf.world import moment

if TYPE_CHECKING:
    from uuid import UUID

T = TypeVar("T")
R = TypeVar("R")


# --- waits --------------------------------------------------------------------------------------------------------


def sleep(duration: Duration) -> None:
    """Sleep for seconds or a timedelta; the wake time is stored first, and nothing is held while waiting."""
    us = duration_us(duration, "the duration of a sleep")
    calls.blocking("sleep", sleeps.sleep, lambda now_us: now_us + us)


def sleep_until(time: datetime) -> None:
    """Sleep until an aware datetime; a past one returns at once."""
    us = moment_us(time, "the time to sleep until")
    calls.blocking("sleep_until", sleeps.sleep, lambda _: us)


def sleep_async(duration: Duration) -> Awaitable[None]:
    """Sleep for seconds or a timedelta; the wake time is stored first, and nothing is held while waiting."""
    us = duration_us(duration, "the duration of a sleep")
    return _sleep_async("sleep_async", lambda now_us: now_us + us)


def sleep_until_async(time: datetime) -> Awaitable[None]:
    """Sleep until an aware datetime; a past one returns at once."""
    us = moment_us(time, "the time to sleep until")
    return _sleep_async("sleep_until_async", lambda _: us)


def _sleep_async(what: str, due: Callable[[int], int]) -> DurableCall[None]:
    fixed = results.Due(due)  # by the sleep itself or by the wait_first that it is part of, whichever begins first
    return calls.awaitable(what, sleeps.sleep, fixed, candidate=results.Spec("litewf.sleep", fixed))


def wait_first(waits: Sequence[WorkflowHandle[Any]], *, timeout: Duration | None = None, default: Any = MISSING) -> Any:
    """The handle whose workflow ends first; the choice is recorded. The other workflows go on."""
    limit = Limit(optional_duration_us(timeout, "timeout"), default)
    candidates = [_handle_candidate(wait) for wait in _some(waits, "wait_first")]
    chosen = calls.blocking("wait_first", results.first, candidates, limit)
    return waits[chosen] if isinstance(chosen, results.Chosen) else chosen


def wait_first_async(
    waits: Sequence[WorkflowHandle[Any] | Awaitable[Any]], *, timeout: Duration | None = None, default: Any = MISSING
) -> Awaitable[Any]:
    """The element whose wait is over first: a handle, or a durable wait that was not awaited yet.

    The choice is recorded, a message or event is taken with it; await the element for what it brings. The other waits
    are withdrawn, workflows go on.
    """
    limit = Limit(optional_duration_us(timeout, "timeout"), default)
    _some(waits, "wait_first_async")

    def flow(execution: Execution, number: str) -> Flow[Any]:
        candidates = [_candidate(execution, wait) for wait in waits]
        chosen = yield from results.first(execution, number, candidates, limit)
        if not isinstance(chosen, results.Chosen):
            return chosen
        for at, wait in enumerate(waits):
            if at != chosen and isinstance(wait, DurableCall):
                wait.withdraw()
        return waits[chosen]

    return calls.awaitable("wait_first_async", flow)


def wait_all(
    handles: Sequence[WorkflowHandle[R]], *, timeout: Duration | None = None, default: Any = MISSING
) -> list[R]:
    """The results of several workflows, in the order of their handles; raises the first error among them."""
    limit = Limit(optional_duration_us(timeout, "timeout"), default)
    return cast("list[R]", calls.blocking("wait_all", results.every, _ids(handles, "wait_all"), limit))


def wait_all_async(
    handles: Sequence[WorkflowHandle[R]], *, timeout: Duration | None = None, default: Any = MISSING
) -> Awaitable[list[R]]:
    """The results of several workflows, in the order of their handles; raises the first error among them."""
    limit = Limit(optional_duration_us(timeout, "timeout"), default)
    return calls.awaitable("wait_all_async", results.every, _ids(handles, "wait_all_async"), limit)


def _ids(handles: Sequence[object], what: str) -> list[str]:
    ids = [handle.workflow_id for handle in handles if isinstance(handle, WorkflowHandle)]
    if len(ids) != len(handles):
        wrong = next(handle for handle in handles if not isinstance(handle, WorkflowHandle))
        raise TypeError(f"{what} takes handles of workflows, not {type(wrong).__name__}")
    return ids


def _some(waits: Sequence[T], what: str) -> Sequence[T]:
    if not waits:
        raise ValueError(f"{what} needs at least one thing to wait for")
    if len({id(wait) for wait in waits}) != len(waits):
        raise ValueError(f"{what} was given the same wait twice")
    return waits


def _handle_candidate(wait: object) -> Candidate:
    if not isinstance(wait, WorkflowHandle):
        raise TypeError(f"wait_first takes handles in a sync workflow, not {type(wait).__name__}")
    return Candidate(results.end_of(wait.workflow_id))


def _candidate(execution: Execution, wait: object) -> Candidate:
    if isinstance(wait, WorkflowHandle):
        return Candidate(results.end_of(wait.workflow_id))
    if not isinstance(wait, FlowCall) or wait.candidate is None:
        raise TypeError(
            f"wait_first_async takes handles and waits such as sleep_async() that were not awaited, not"
            f" {type(wait).__name__}; start a child workflow for anything else"
        )
    wait.offered = True
    spec: results.Spec = wait.candidate
    target = None if spec.target is None else spec.target(execution, wait.number)
    record = execution.records.get(wait.number)
    if record is not None:
        return Candidate(target, recording.as_promise(record), spec.take)
    now_us = execution.runtime.now_us()
    kept = Promise(wait.number, spec.name, execution.now_us(), spec.due(now_us))
    return Candidate(target, kept, spec.take)


# --- values -------------------------------------------------------------------------------------------------------


def _value(name: str, make: Callable[[Execution], T]) -> T:
    branch = calls.any_branch(name)
    execution = branch.execution
    execution.check()
    found = recording.value(execution, branch.next_number(), f"litewf.{name}", lambda: make(execution))
    return cast("T", found)


def now() -> datetime:
    """The time in UTC; replay sees the same."""
    return _value("now", lambda execution: moment(execution.now_us()))


def random() -> float:
    """A random number in [0, 1); replay sees the same."""
    return _value("random", lambda execution: execution.runtime.world.entropy.random())


def uuid() -> UUID:
    """A random UUID; replay sees the same."""
    return _value("uuid", lambda execution: execution.runtime.world.entropy.uuid4())


# --- changing code ------------------------------------------------------------------------------------------------


def patch(name: str) -> bool:
    """Whether this workflow takes the new way: True unless it had passed this point before the patch existed.

    Decided once for each workflow and name, at the first call.
    """
    return patches.patch(_patching(name, "patch"), name)


def deprecate_patch(name: str) -> None:
    """Leave where `patch(name)` was once only the new way is in the code; workflows on the old way are held."""
    patches.deprecate_patch(_patching(name, "deprecate_patch"), name)


def _patching(name: str, what: str) -> Branch:
    check_name(name, "a patch's name")
    branch = calls.any_branch(what)
    branch.execution.check()
    return branch


def continue_as_new(*args: Any, **kwargs: Any) -> NoReturn:
    """End this run of the workflow and begin it anew with these arguments, under the same id and handle.

    The history is emptied, so a workflow that goes on for ever stays small. Never returns.
    """
    branch = calls.any_branch("continue_as_new")
    execution = branch.execution
    execution.check()
    check_arguments(execution.definition.fn, args, kwargs, bound=execution.about.receiver is not None)
    text, *arguments = starting.encode_input(execution.runtime, execution.about.receiver, args, kwargs)
    if branch is execution.main:
        execution.check_all_replayed()
        execution.check()
    raise execution.stop_with(ContinueAsNew(text, cast("tuple[Sequence[Any], Mapping[str, Any]]", tuple(arguments))))


# --- context ------------------------------------------------------------------------------------------------------


def _execution(what: str) -> Execution:
    frame = FRAME.get()
    if frame is None:
        raise NotInWorkflowError(f"{what}() was called outside a workflow and its steps")
    return frame.execution


def workflow_id() -> str:
    """The id of the workflow that runs here."""
    return _execution("workflow_id").id


def step_id() -> str | None:
    """The number of the step that runs here; None in the workflow itself."""
    frame = FRAME.get()
    _execution("step_id")
    return frame.number if isinstance(frame, StepFrame) else None


def attempt() -> int:
    """Which attempt of the step this is, from 1; outside a workflow always 1."""
    frame = FRAME.get()
    return frame.attempt if isinstance(frame, StepFrame) else 1


def idempotency_key() -> str:
    """A key for the outside world: the same for every attempt and recovery of this step, and for no other step."""
    frame = FRAME.get()
    if frame is None:
        import uuid as uuids  # noqa: PLC0415 - outside workflows only

        return str(uuids.uuid4())
    if not isinstance(frame, StepFrame):
        raise UsageError("idempotency_key() belongs to a step; call it inside one, or use litewf.uuid()")
    return frame.idempotency_key


def cancelled() -> bool:
    """Whether the workflow was cancelled; lets a long step body end early."""
    over = _execution("cancelled").over
    return over is not None and over.why == "cancelled"


def authenticated_user() -> str | None:
    """The user for whom the workflow was started."""
    return _execution("authenticated_user").about.user


def authenticated_roles() -> tuple[str, ...]:
    """The roles with which the workflow was started."""
    return _execution("authenticated_roles").about.roles
