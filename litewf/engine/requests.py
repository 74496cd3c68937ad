"""What a flow may ask of the one who drives it.

A flow is a generator: each durable operation is written once, as the requests that it makes. An `Operation` of the
store is a request too: write it and go on after the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from litewf.engine.alarms import Alarm
from litewf.store.operations import Mailbox, Operation
from litewf.store.readers import Reader
from litewf.store.waits import Awaited

if TYPE_CHECKING:
    from litewf.engine.execution import Execution, StepFrame

R = TypeVar("R")


class Read:
    """Ask the file; a `brief` question reads a few rows and calls nothing of users, so it may hold up a commit."""

    __slots__ = ("brief", "query")

    def __init__(self, query: Callable[[Reader], object], *, brief: bool = False) -> None:
        self.query = query
        self.brief = brief


class Wait:
    """Wait until `look` finds something, looking again whenever a commit touches one of `keys`, or until `due_us`.

    The answer is what was found, or None when the time has passed. The wait is registered before its first look, so
    nothing is missed in between. Within an execution it may end in parking, and `awaited` is what the file then says.
    """

    __slots__ = (
        "alarm",
        "asleep",
        "awaited",
        "brief",
        "due_us",
        "execution",
        "hurried",
        "idle",
        "keys",
        "look",
        "mailbox",
        "waiter",
        "woken",
    )

    def __init__(
        self,
        keys: Sequence[str],
        due_us: int | None,
        look: Callable[[Reader], object] | None = None,
        execution: Execution | None = None,
        awaited: Sequence[Awaited] = (),
        *,
        brief: bool = True,
    ) -> None:
        self.keys = keys
        self.brief = brief  # as of Read, its look
        self.due_us = due_us
        self.look = look
        self.execution = execution
        self.awaited = awaited
        self.mailbox: Mailbox | None = None
        self.waiter: object = None
        self.woken = True  # look once before waiting
        self.idle = False  # its linger has passed, but something else kept the execution in memory
        self.asleep = False  # its thread blocks until the bell rings
        self.hurried = False  # a thread is needed: do not linger
        self.alarm: Alarm | None = None


class Replayed:
    """Let other branches of the workflow go first, as they would have while the step ran."""

    __slots__ = ()


class InOrder:
    """Let a call of a workflow wait for the failures that are to be replayed before it."""

    __slots__ = ("execution", "number")

    def __init__(self, execution: Execution, number: str) -> None:
        self.execution = execution
        self.number = number


class Flushed:
    """Wait until it is known what became of the commit that carries what this execution had buffered.

    Only branches of an async workflow ask for it: a thread knows what became of its own commits.
    """

    __slots__ = ("execution",)

    def __init__(self, execution: Execution) -> None:
        self.execution = execution


class Blocking:
    """Run a function that may block: in place, or in a thread when a loop is driving."""

    __slots__ = ("fn",)

    def __init__(self, fn: Callable[[], object]) -> None:
        self.fn = fn


REPLAYED = Replayed()
Request: TypeAlias = "Operation | StepFrame | Read | Wait | Replayed | InOrder | Flushed | Blocking"
Flow = Generator["Request", Any, R]


def in_order(execution: Execution, number: str, flow: Flow[R]) -> Flow[R]:
    """A durable call that begins when it is its turn."""
    return flow if execution.order is None else _in_order(execution, number, flow)


def _in_order(execution: Execution, number: str, flow: Flow[R]) -> Flow[R]:
    yield InOrder(execution, number)
    return (yield from flow)
