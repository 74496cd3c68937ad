"""The two drivers: one runs a flow in a thread, one on an event loop. Nothing else knows which it is.

Both answer a flow's requests one after the other. A wait inside an execution may end in parking: after its linger,
when every durable call in flight is a wait, the execution leaves memory in one transaction that checks once more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from litewf.engine.bodies import call_in_thread, call_on_loop
from litewf.engine.carrying import Carried, carried, in_coroutine
from litewf.engine.execution import FRAME, Branch, Execution, StepFrame
from litewf.engine.mail import WAITERS, LoopMailbox, Ticket
from litewf.engine.parking import parked, parking
from litewf.engine.requests import Blocking, Flow, Flushed, InOrder, Read, Replayed, Request, Wait
from litewf.store.operations import Operation
from litewf.store.readers import Reader

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime

R = TypeVar("R")
Suspended = Generator[Any, Any, R]
QUIET_CYCLES = 3  # of the loop without a runnable branch, before a workflow may park


# --- in a thread --------------------------------------------------------------------------------------------------


def drive(runtime: Runtime, flow: Flow[R], *, inline: bool = False) -> R:
    """Run a flow to its end, blocking this thread; `inline` lets the thread write by itself."""
    try:
        request = next(flow)
        while True:
            try:
                answer = _answer(runtime, request, inline)
            except BaseException as error:  # noqa: BLE001 - the flow decides
                request = flow.throw(carried(error))
            else:
                request = flow.send(answer)
    except StopIteration as stop:
        result: R = stop.value
        return result
    except Carried as carrier:
        failure = carrier.error
    raise failure  # type: ignore[possibly-undefined]  # here, where no error is being handled: it would be its context


def _answer(runtime: Runtime, request: Request, inline: bool) -> object:
    if isinstance(request, Operation):
        return runtime.store.writer.commit(request, inline=inline)
    if type(request) is StepFrame:
        return call_in_thread(runtime, request)
    if type(request) is Wait:
        return _block(runtime, request)
    if type(request) is Read:
        return _ask(runtime, request.query, brief=request.brief)
    return request.fn() if type(request) is Blocking else None


def _ask(runtime: Runtime, query: Callable[[Reader], object], *, brief: bool) -> object:
    return runtime.store.peek(query) if brief else runtime.store.read(query)


def _block(runtime: Runtime, wait: Wait) -> object:
    bell: SimpleQueue[None] = SimpleQueue()
    wait.waiter, wait.mailbox = bell, WAITERS
    execution = wait.execution
    linger_until_us = runtime.waiting.begin(wait)
    try:
        while True:
            expired = runtime.waiting.is_expired(wait)  # asked first: what came before the deadline counts
            if (wait.woken or expired) and (found := _look(runtime, wait)) is not None:
                return found
            if expired or runtime.waiting.is_over(wait):
                return None
            lingers = runtime.waiting.lingers(wait, linger_until_us)
            if execution is not None and not lingers and runtime.waiting.may_park(execution, None):
                parked(execution, runtime.store.writer.commit(parking(execution, execution.now_us()), inline=True))
                wait.woken = True
            elif not wait.woken:
                runtime.waiting.arm(wait, linger_until_us if lingers else 0)
                wait.asleep = True
                bell.get()
                wait.asleep = False
    finally:
        runtime.waiting.end(wait)


def _look(runtime: Runtime, wait: Wait) -> object:
    wait.woken = False
    return None if wait.look is None else _ask(runtime, wait.look, brief=wait.brief)


# --- on an event loop ---------------------------------------------------------------------------------------------


def drive_async(  # noqa: C901, PLR0912 - the hot path: a frame in between would cost each step
    runtime: Runtime, flow: Flow[R], execution: Execution | None = None
) -> Suspended[R]:
    """Run a flow to its end, suspending the current task: the generator behind an `__await__`.

    With an `execution` the flow is a durable call of it. Commits and plain async bodies are answered here.
    """
    if execution is not None:
        if execution.parking is not None:
            yield from execution.parking  # not before it is known whether the execution goes on
        execution.busy += 1
    try:
        if execution is not None and execution.over is not None:
            raise execution.over
        mailbox = None if execution is None else execution.mailbox
        if mailbox is None:
            mailbox = runtime.loops.mailbox()
        request = next(flow)
        while True:
            try:
                if isinstance(request, Operation):
                    request.waiter = ticket = Ticket(mailbox.loop)
                    request.mailbox = mailbox
                    runtime.store.writer.submit(request)
                    try:
                        yield ticket  # not `yield from`: a frame less
                    except mailbox.Cancelled:
                        yield from until_known(runtime, request, mailbox)
                    if request.error is not None:
                        raise request.error
                    answer = request.result
                elif type(request) is StepFrame and request.definition.in_task:
                    token = FRAME.set(request)
                    try:
                        answer = yield from request.body(*request.args, **request.kwargs).__await__()
                    finally:
                        FRAME.reset(token)
                        del token  # what a suspended step holds, the garbage collector visits
                else:
                    answer = yield from _ASYNC[type(request)](runtime, request, mailbox)
            except BaseException as error:  # noqa: BLE001 - the flow decides
                request = flow.throw(carried(error))
            else:
                request = flow.send(answer)
    except StopIteration as stop:
        result: R = stop.value
        return result
    except Carried as carrier:
        raise in_coroutine(carrier.error)  # noqa: B904 - its cause is set
    finally:
        if execution is not None:
            execution.busy -= 1
            if not execution.busy and (execution.waits or execution.over is not None):
                execution.left_calls()


def until_known(runtime: Runtime, operation: Operation, mailbox: LoopMailbox) -> Suspended[None]:
    """A task was cancelled at a commit: withdraw what is not taken yet, otherwise stay until the outcome is known.

    A call of a workflow that is recorded was answered, on a replay too, so there the cancellation comes to the next
    thing that is awaited. Elsewhere it is the answer: who has set a timeout waits for it.
    """
    operation.waiter = None  # it may be the operation itself
    if runtime.store.writer.withdraw(operation):
        raise mailbox.Cancelled
    while operation.mailbox is not None:
        operation.waiter = ticket = Ticket(mailbox.loop)
        try:
            yield from ticket
        except mailbox.Cancelled:
            continue
    if type(FRAME.get()) is not Branch:
        raise mailbox.Cancelled
    _cancel_later()


def _cancel_later() -> None:
    """Let a cancellation that came too early raise at the next thing that the task awaits."""
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()
    task.cancel()


def _call(runtime: Runtime, frame: StepFrame, mailbox: LoopMailbox) -> Suspended[object]:
    return (yield from call_on_loop(runtime, frame, mailbox))


def _read(runtime: Runtime, read: Read, mailbox: LoopMailbox) -> Suspended[object]:
    return (yield from mailbox.in_thread(runtime.reading, lambda: _ask(runtime, read.query, brief=read.brief)))


def _blocking(runtime: Runtime, blocking: Blocking, mailbox: LoopMailbox) -> Suspended[object]:
    return (yield from mailbox.in_thread(runtime.pool, blocking.fn))


def _yield_once(_runtime: Runtime, _request: Replayed, mailbox: LoopMailbox) -> Suspended[None]:
    try:
        yield  # one cycle of the loop
    except mailbox.Cancelled:
        _cancel_later()  # what is recorded was answered


def _in_order(_runtime: Runtime, request: InOrder, mailbox: LoopMailbox) -> Suspended[None]:
    execution, cancelled = request.execution, False
    while (order := execution.order) is not None and (turn := order.turn_of(request.number, mailbox.loop)) is not None:
        try:
            yield from turn
            break
        except mailbox.Cancelled:
            if not order.is_recorded(request.number) or execution.over is not None:
                raise
            cancelled = True
    execution.check()
    if cancelled:
        _cancel_later()


def _until_flushed(_runtime: Runtime, request: Flushed, mailbox: LoopMailbox) -> Suspended[None]:
    known = mailbox.loop.create_future()
    request.execution.wait_for_flush(known)
    yield from known


def _suspend(runtime: Runtime, wait: Wait, mailbox: LoopMailbox) -> Suspended[object]:
    execution = wait.execution
    wait.mailbox = mailbox.waits
    linger_until_us = runtime.waiting.begin(wait)
    try:
        while True:
            expired = runtime.waiting.is_expired(wait)  # asked first: what came before the deadline counts
            if (wait.woken or expired) and wait.look is not None:
                found = yield from mailbox.in_thread(runtime.reading, lambda: _look(runtime, wait))
                if found is not None:
                    return found
            wait.woken = wait.woken and wait.look is not None
            if expired or runtime.waiting.is_over(wait):
                return None
            lingers = runtime.waiting.lingers(wait, linger_until_us)
            if execution is not None and not lingers and (yield from _quiet(runtime, wait, execution)):
                yield from _park(runtime, execution, mailbox)
                wait.woken = True
            elif not wait.woken and not runtime.waiting.is_over(wait):
                runtime.waiting.arm(wait, linger_until_us if lingers else 0)
                wait.idle = not lingers
                wait.waiter = mailbox.loop.create_future()
                yield from wait.waiter
                wait.idle = False
    finally:
        runtime.waiting.end(wait)
        if execution is not None and execution.parking is not None:
            yield from execution.parking  # about to leave memory: do not go on before it is known


def _quiet(runtime: Runtime, wait: Wait, execution: Execution) -> Suspended[bool]:
    """Whether no branch of the workflow can run, now and in the next few cycles of the loop."""
    me = runtime.loops.current_task()
    for _ in range(QUIET_CYCLES):
        yield
        if wait.woken or runtime.waiting.is_expired(wait) or not runtime.waiting.may_park(execution, me):
            return False
    return True


def _park(runtime: Runtime, execution: Execution, mailbox: LoopMailbox) -> Suspended[None]:
    execution.parking = mailbox.loop.create_future()
    try:
        parked(execution, (yield from drive_async(runtime, _commit(parking(execution, execution.now_us())))))
    finally:
        execution.parking.set_result(None)
        execution.parking = None
    execution.check()


def _commit(operation: Operation) -> Flow[Any]:
    return (yield operation)


_ASYNC: dict[type, Callable[[Runtime, Any, LoopMailbox], Suspended[Any]]] = {
    StepFrame: _call,
    Read: _read,
    Wait: _suspend,
    Blocking: _blocking,
    Replayed: _yield_once,
    InOrder: _in_order,
    Flushed: _until_flushed,
}
