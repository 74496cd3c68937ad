"""An operation that users may call anywhere: what it is outside, and what it is inside a workflow.

Outside, or inside a step, an action is done at once. In a workflow it is a durable call, recorded under a number. The
blocking method and its `_async` twin are derived from one method that returns the action.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Coroutine, Generator
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from litewf.engine import calls
from litewf.engine.durable import durable, recorded_read
from litewf.engine.execution import FRAME, Branch, Execution, StepFrame, TransactionFrame
from litewf.engine.requests import Flow, Read
from litewf.engine.results import NOT_YET
from litewf.errors import NotInWorkflowError, UsageError
from litewf.store.operations import Turn, Tx
from litewf.store.transactions import in_transaction

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime
    from litewf.store.readers import Reader

P = ParamSpec("P")
R = TypeVar("R")
V = TypeVar("V")


Inside = Callable[[Execution, str], Flow[Any]]


class Action(Generic[R]):
    """One operation; `inside` is None where a workflow may not use it.

    `prepare` makes it instead, where it can refuse what is wrong before the call takes a number. `at_once` may answer
    in place of `outside` where the caller may block, or NOT_YET.
    """

    __slots__ = ("at_once", "candidate", "finish", "inside", "outside", "prepare", "what")

    def __init__(
        self,
        what: str,
        outside: Callable[[Runtime], Flow[Any]],
        inside: Inside | None,
        finish: Callable[[Runtime, Any], R],
        candidate: Callable[[], object] = lambda: None,
        at_once: Callable[[Runtime], Any] | None = None,
        prepare: Callable[[Runtime], Inside] | None = None,
    ) -> None:
        self.what = what
        self.outside = outside
        self.inside = inside
        self.finish = finish
        self.candidate = candidate  # gives what wait_first needs to know of it, if it is a wait
        self.at_once = at_once
        self.prepare = prepare

    def inside_of(self, runtime: Runtime) -> Inside:
        """What it is inside a workflow."""
        if self.prepare is not None:
            return self.prepare(runtime)
        assert self.inside is not None, "asked for where no workflow may use it"
        return self.inside


def keep(_runtime: Runtime, value: V) -> V:
    return value


def change(
    what: str, make: Callable[[Runtime], Callable[[Tx], Any]], finish: Callable[[Runtime, Any], R] = keep
) -> Action[R]:
    """An action that writes: its effect and the record of it commit together."""

    def outside(runtime: Runtime) -> Flow[Any]:
        return (yield Turn(make(runtime)))

    def prepare(runtime: Runtime) -> Inside:
        effect = make(runtime)
        return lambda execution, number: durable(execution, number, f"litewf.{what}", effect)

    return Action(what, outside, None, finish, prepare=prepare)


def query(
    what: str,
    ask: Callable[[Runtime], Callable[[Reader], Any]],
    finish: Callable[[Runtime, Any], R] = keep,
) -> Action[R]:
    """An action that reads: a workflow's answer is recorded."""

    def outside(runtime: Runtime) -> Flow[Any]:
        return reading(ask(runtime))

    def prepare(runtime: Runtime) -> Inside:
        question = ask(runtime)
        return lambda execution, number: recorded_read(execution, number, f"litewf.{what}", question)

    return Action(what, outside, None, finish, prepare=prepare)


def reading(question: Callable[[Reader], object]) -> Flow[Any]:
    """Ask the file, without a record."""
    return (yield Read(question))


class HasRuntime(Protocol):
    """Something whose methods are actions."""

    def _running(self) -> Runtime: ...


class Operations:
    """A part of what may be asked of a file; the subclass says on which running engine."""

    def _running(self) -> Runtime:
        raise TypeError(f"{type(self).__name__} has no file")


InWorkflow = Callable[[Execution, str, str, str | None], Flow[None]]
InStep = Callable[[StepFrame, str, str | None], Flow[None]]
NO_VALUE: Any = object()


def emit(what: str, in_workflow: InWorkflow, in_step: InStep, key: str, value: object) -> None:
    """Show or write something under a key: recorded in a workflow, done at once inside its steps."""
    frame = FRAME.get()
    if isinstance(frame, Branch):
        return calls.blocking(what, in_workflow, key, _text(frame, value))
    return perform(*_emission(what, frame, in_step, key, value))


def emit_async(
    what: str, in_workflow: InWorkflow, in_step: InStep, key: str, value: object
) -> Coroutine[Any, Any, None]:
    """Show or write something under a key; see emit."""
    frame = FRAME.get()
    if isinstance(frame, Branch):
        return calls.awaitable(what, in_workflow, key, _text(frame, value))
    return perform_async(*_emission(what, frame, in_step, key, value))


def _text(frame: Branch | StepFrame, value: object) -> str | None:
    return None if value is NO_VALUE else frame.execution.runtime.serializer.encode(value)[0]


def _emission(
    what: str, frame: StepFrame | None, in_step: InStep, key: str, value: object
) -> tuple[Runtime, Action[None]]:
    if frame is None:
        raise NotInWorkflowError(f"{what}() was called outside a workflow and its steps")
    text = _text(frame, value)
    return frame.execution.runtime, Action(what, lambda _: in_step(frame, key, text), None, keep)


def _frame(runtime: Runtime, action: Action[Any]) -> Branch | None:
    frame = FRAME.get()
    if type(frame) is TransactionFrame or in_transaction():
        raise UsageError(f"{action.what}() was called inside a transaction, which may only use its connection")
    if type(frame) is not Branch:
        return None
    if frame.execution.runtime is not runtime:
        raise UsageError(
            f"{action.what}() of another engine was called inside {frame.execution.label}, where it would not be"
            " recorded; call it through litewf.run_step(...)"
        )
    if action.inside is None and action.prepare is None:
        raise UsageError(f"{action.what}() was called inside {frame.execution.label}; call it from outside a workflow")
    return frame


def refuse_here(runtime: Runtime, action: Action[Any], *, blocking: bool) -> None:
    """Refuse an action that cannot be done where it is asked for."""
    if _frame(runtime, action) is None and blocking:
        calls.refuse_on_loop(action.what)
    runtime.raise_if_closed()


def perform(runtime: Runtime, action: Action[R]) -> R:
    """Do it, blocking."""
    if _frame(runtime, action) is not None:
        return action.finish(runtime, calls.blocking(action.what, action.inside_of(runtime)))
    calls.refuse_on_loop(action.what)
    runtime.raise_if_closed()
    answer = NOT_YET if action.at_once is None else action.at_once(runtime)
    return action.finish(runtime, runtime.drive(action.outside(runtime)) if answer is NOT_YET else answer)


def perform_async(runtime: Runtime, action: Action[R]) -> calls.DurableCall[R] | Outside[R]:
    """Do it, as something to await."""
    if _frame(runtime, action) is None:
        runtime.raise_if_closed()
        return Outside(runtime, action)
    inside = action.inside_of(runtime)

    def flow(execution: Execution, number: str) -> Flow[R]:
        return finished(inside(execution, number))  # made now, where it may take more numbers, and run when awaited

    def finished(recorded: Flow[Any]) -> Flow[R]:
        return action.finish(runtime, (yield from recorded))

    name = f"{action.what.removesuffix('_async')}_async"
    return calls.awaitable(name, flow, candidate=action.candidate())


class Outside(Coroutine[Any, Any, R]):
    """An action outside a workflow, done when it is awaited."""

    __slots__ = ("_driver", "_forgotten")

    def __init__(self, runtime: Runtime, action: Action[R]) -> None:
        self._forgotten: str | None = action.what  # until it is awaited
        self._driver = self._run(runtime, action)

    def __del__(self) -> None:
        if self._forgotten is not None:
            name = f"{self._forgotten.removesuffix('_async')}_async"
            warnings.warn(f"{name}() was never awaited, so nothing was done: await it", RuntimeWarning, stacklevel=2)

    @staticmethod
    def _run(runtime: Runtime, action: Action[R]) -> Generator[Any, Any, R]:
        return action.finish(runtime, (yield from runtime.drive_async(action.outside(runtime))))

    def __await__(self) -> Generator[Any, Any, R]:
        self._forgotten = None
        return self._driver

    def send(self, value: Any) -> Any:
        self._forgotten = None
        return self._driver.send(value)

    def throw(self, *error: Any) -> Any:
        self._forgotten = None
        return self._driver.throw(*error)

    def close(self) -> None:
        self._forgotten = None
        self._driver.close()


S = TypeVar("S", bound=HasRuntime)


def blocking(method: Callable[Concatenate[S, P], Action[R]]) -> Callable[Concatenate[S, P], R]:
    """The blocking method of an action."""
    _name_as_users_do(method)

    @wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return perform(self._running(), method(self, *args, **kwargs))

    return call


def awaiting(
    method: Callable[Concatenate[S, P], Action[R]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, R]]:
    """The async twin of an action."""
    _name_as_users_do(method)

    @wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        return perform_async(self._running(), method(self, *args, **kwargs))

    call.__name__ += "_async"
    call.__qualname__ += "_async"
    return call


def _name_as_users_do(method: Callable[..., Any]) -> None:
    """Let help() and Python's own errors say what is called, and what it gives: not the action in between."""
    name = method.__name__.lstrip("_")
    method.__qualname__ = method.__qualname__.replace(method.__name__, name)
    method.__name__ = name
    returned = method.__annotations__["return"]
    if returned.startswith("Action["):
        method.__annotations__["return"] = returned[len("Action[") : -1]
