"""Entering the engine from a workflow: who calls, whether the call has a meaning there, and which number it takes.

A blocking call runs its flow at once. An async call is numbered at once and runs when it is awaited.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from litewf.definitions import StepDefinition
from litewf.engine.execution import FRAME, Branch, Execution, StepFrame
from litewf.engine.requests import Flow, in_order
from litewf.errors import BlockingCallError, NotInWorkflowError, UsageError

R = TypeVar("R")
LOG = logging.getLogger("litewf")
AWAITED = "awaited already"


def blocking(what: str, flow: Callable[..., Flow[R]], *args: Any) -> R:
    """A durable call of a sync workflow."""
    branch = sync_branch(what)
    execution = branch.execution
    execution.check()
    number = branch.next_number()
    execution.busy = 1
    try:
        return execution.runtime.drive(flow(execution, number, *args), inline=True)
    finally:
        execution.busy = 0


def blocking_step(what: str, definition: StepDefinition, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """A step of a sync workflow."""
    branch = sync_branch(what)
    execution = branch.execution
    if execution.over is not None:
        raise execution.over
    branch.count += 1
    number = f"{branch.prefix}{branch.count}"
    execution.busy = 1
    try:
        return execution.runtime.step_in_thread(execution, number, definition, args, kwargs)
    finally:
        execution.busy = 0


class DurableCall(Coroutine[Any, Any, R]):
    """A durable call of an async workflow: numbered when it is made, run when it is awaited.

    To asyncio it is a coroutine, so it can be awaited, gathered, or handed to a TaskGroup.
    """

    if not TYPE_CHECKING:  # to mypy it would mean that there are no attributes
        __slots__ = ()
    execution: Execution
    number: str
    candidate: Any = None  # what wait_first needs to know of it, if it is a wait
    _driver: Generator[Any, Any, R] | None
    _gone: str | None  # why it cannot be awaited any more

    def withdraw(self) -> None:
        """Make it an error to await this call: another one was first."""
        if self._gone is None:
            self._gone = "withdrawn: another wait was first"

    def take(self) -> None:
        """Take it: it can be awaited once."""
        if self._gone is not None:
            raise UsageError(f"call {self.number} of {self.execution.label} was {self._gone}")
        self._gone = AWAITED

    def __del__(self) -> None:
        if self._gone is None and self.execution.over is None:
            self._warn()

    def _warn(self) -> None:
        """It has a number and nothing else: to drop it is a slip, as it is with a coroutine."""
        LOG.warning("call %s of %s was never awaited, so it did not run: await it", self.number, self.execution.label,
                    extra=self.execution.log_fields(self.number))  # fmt: skip

    def send(self, value: Any) -> Any:
        return self._begun().send(value)

    def throw(self, *error: Any) -> Any:
        driver = self._begun()
        self._gone = self._gone or "cancelled"  # it may not have begun
        return driver.throw(*error)

    def close(self) -> None:
        self._gone = self._gone or "closed"
        if self._driver is not None:
            self._driver.close()

    def _begun(self) -> Generator[Any, Any, R]:
        if self._driver is None:
            self._driver = self.__await__()
        return self._driver


class FlowCall(DurableCall[R]):
    """A durable call that a flow describes."""

    __slots__ = ("_driver", "_flow", "_gone", "candidate", "execution", "number", "offered")

    def __init__(self, execution: Execution, number: str, flow: Flow[R], candidate: Any = None) -> None:
        self.execution = execution
        self.number = number
        self.candidate = candidate
        self.offered = False  # to a wait_first, which is a use of it
        self._flow = flow
        self._driver = None
        self._gone = None

    def _warn(self) -> None:
        if not self.offered:
            super()._warn()

    def __await__(self) -> Generator[Any, Any, R]:
        self.take()
        execution = self.execution
        return execution.runtime.drive_async(in_order(execution, self.number, self._flow), execution)


def awaitable(what: str, flow: Callable[..., Flow[R]], *args: Any, candidate: Any = None) -> DurableCall[R]:
    """A durable call of an async workflow."""
    execution, number = numbered(what)
    return FlowCall(execution, number, flow(execution, number, *args), candidate)


def awaitable_step(
    what: str, branch: Branch, definition: StepDefinition, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> DurableCall[Any]:
    """A step of an async workflow."""
    execution = branch.execution
    mailbox = execution.mailbox
    if mailbox is None or branch.owner is not mailbox.current_task() or threading.get_ident() != mailbox.thread:
        async_branch(what)  # looks more closely; raises, and says why
    if execution.over is not None:
        raise execution.over
    branch.count += 1
    number = f"{branch.prefix}{branch.count}"
    return execution.runtime.step_call(execution, number, definition, args, kwargs)


def numbered(what: str) -> tuple[Execution, str]:
    """Give a durable call of an async workflow its number."""
    branch = FRAME.get()
    if type(branch) is not Branch or branch.owner is not _current_task():
        branch = async_branch(what)  # raises, and says why
    execution = branch.execution
    if execution.over is not None:
        raise execution.over
    return execution, branch.next_number()


def sync_branch(what: str) -> Branch:
    """The caller, if it may block for a durable call."""
    branch = _branch(what)
    if branch.execution.definition.is_async and _current_task() is not None:
        raise BlockingCallError(f"{what}() would block the event loop of {branch.execution.label}: {_advice(what)}")
    if branch.owner != threading.get_ident():
        raise UsageError(
            f"{what}() was called in a thread that {branch.execution.label} started: such calls have no order that"
            " a replay could follow; call it from the workflow's own thread, or put the threads inside a step"
        )
    return branch


def _advice(what: str) -> str:
    kind, _, name = what.rpartition(" ")
    if kind == "transaction":
        return f"await {name}.run_async(...) instead"
    return f"await litewf.run_{kind}_async({name}, ...) instead" if kind else f"await {what}_async() instead"


def _advice_in_thread(what: str) -> str:
    kind, _, name = what.rpartition(" ")
    if kind == "transaction":
        return f"{name}(...)"
    return f"litewf.run_{kind}({name}, ...)" if kind else f"{what.removesuffix('_async')}()"


def async_branch(what: str) -> Branch:
    """The caller, if it is a task of an async workflow."""
    branch = _branch(what)
    if not branch.execution.definition.is_async:
        wrong = TypeError if " " in what else UsageError
        raise wrong(f"{what} is async and {branch.execution.label} is not: call {_advice_in_thread(what)} instead")
    if branch.owner is not _current_task():
        raise UsageError(
            f"{what}() was called outside the tasks of {branch.execution.label}; call it in the workflow or in a task"
            " that it starts with asyncio"
        )
    return branch


def any_branch(what: str) -> Branch:
    """The caller of something that never waits."""
    branch = _branch(what)
    return async_branch(what) if branch.execution.definition.is_async else sync_branch(what)


def _branch(what: str) -> Branch:
    frame = FRAME.get()
    if type(frame) is Branch:
        return frame
    if isinstance(frame, StepFrame):
        raise UsageError(
            f"{what}() was called inside step {frame.number} ({frame.name}) of {frame.execution.label}; only a"
            " workflow may do that: return from the step first"
        )
    raise NotInWorkflowError(f"{what}() was called outside a workflow; start one with engine.run_workflow(...)")


def _current_task() -> object:
    asyncio = sys.modules["asyncio"]  # an async workflow runs, so it is loaded
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None  # no loop runs in this thread


def refuse_on_loop(what: str, advice: str | None = None) -> None:
    """Refuse a blocking call where an event loop runs; the advice is its async twin."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:  # noqa: SLF001 - does not raise without one
        advice = advice or _advice(what)
        raise BlockingCallError(f"{what}() would block the event loop that runs in this thread: {advice}")
