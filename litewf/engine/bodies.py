"""Runs the bodies of steps, the only place where user code of a step is called."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextvars import copy_context
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from litewf.engine.execution import FRAME
from litewf.engine.requests import Call
from litewf.errors import StepTimeoutError

if TYPE_CHECKING:
    from litewf.engine.mail import LoopMailbox
    from litewf.engine.runtime import Runtime


def call_in_thread(runtime: Runtime, call: Call) -> object:
    """Run a body for a workflow that has a thread of its own."""
    if call.definition.is_async:
        return _on_engine_loop(runtime, call)
    if call.definition.timeout_us is not None:
        return _in_other_thread(runtime, call)
    return _plainly(call)


def call_on_loop(runtime: Runtime, call: Call, mailbox: LoopMailbox) -> Generator[Any, Any, object]:
    """Run a body for a workflow that is a task."""
    if not call.definition.is_async:
        return (yield from _in_pool(runtime, call, mailbox))
    if call.definition.in_task:
        return (yield from _awaited(call).__await__())
    return (yield from _as_task(runtime, call, mailbox))


def _plainly(call: Call) -> object:
    token = FRAME.set(call.frame)
    try:
        return call.definition.fn(*call.args, **call.kwargs)
    finally:
        FRAME.reset(token)


def _in_other_thread(runtime: Runtime, call: Call) -> object:
    """A sync body cannot be stopped, so it gets a thread that may outlive its timeout."""
    outcome: SimpleQueue[tuple[bool, Any]] = SimpleQueue()
    context = copy_context()

    def work() -> None:
        try:
            outcome.put((True, context.run(_plainly, call)))
        except BaseException as error:  # noqa: BLE001 - it belongs to the workflow
            outcome.put((False, error))

    alarm = runtime.alarm(call.definition.timeout_us, lambda: outcome.put((False, timed_out(call))))
    runtime.pool.submit(work, extra=True)
    done, value = outcome.get()
    runtime.silence(alarm)
    if done:
        return value
    raise value


def _on_engine_loop(runtime: Runtime, call: Call) -> object:
    """An async body of a sync workflow runs on the engine's loop."""
    outcome: SimpleQueue[tuple[bool, Any]] = SimpleQueue()
    mailbox = runtime.loops.engine_mailbox()

    async def work() -> None:
        try:
            outcome.put((True, await _Body(runtime, call, mailbox)))
        except BaseException as error:  # noqa: BLE001 - it belongs to the workflow
            outcome.put((False, error))

    token = FRAME.set(call.frame)  # the task inherits it, and so is none that the workflow started
    try:
        asyncio.run_coroutine_threadsafe(work(), mailbox.loop)
    finally:
        FRAME.reset(token)
    done, value = outcome.get()
    if done:
        return value
    raise value


class _Body:
    """A body as something to await."""

    def __init__(self, runtime: Runtime, call: Call, mailbox: LoopMailbox) -> None:
        self._driver = call_on_loop(runtime, call, mailbox)

    def __await__(self) -> Generator[Any, Any, object]:
        return self._driver


def _in_pool(runtime: Runtime, call: Call, mailbox: LoopMailbox) -> Generator[Any, Any, object]:
    """A sync body of an async workflow runs in a pool thread."""
    context = copy_context()
    body = mailbox.in_thread(runtime, lambda: context.run(call_in_thread, runtime, call))
    return (yield from body)


def _as_task(runtime: Runtime, call: Call, mailbox: LoopMailbox) -> Generator[Any, Any, object]:
    """A body that may be stopped runs as a task, and is waited for until it has really ended."""
    loop = mailbox.loop
    token = FRAME.set(call.frame)
    try:
        task = loop.create_task(_awaited(call))
    finally:
        FRAME.reset(token)
    timed: list[bool] = []

    def stop() -> None:
        if not task.done():
            timed.append(True)
            task.cancel()

    alarm = None
    if call.definition.timeout_us is not None:
        alarm = runtime.alarm(call.definition.timeout_us, lambda: loop.call_soon_threadsafe(stop))
    execution = call.frame.execution
    if call.definition.cancellable:
        execution.let_stop(task)
    try:
        return (yield from task)
    except asyncio.CancelledError:
        if not task.done():
            task.cancel()  # the workflow's own task is being stopped
        elif timed:
            raise timed_out(call) from None
        execution.check()
        raise
    finally:
        execution.stoppable = {other for other in execution.stoppable if other is not task}
        runtime.silence(alarm)


async def _awaited(call: Call) -> object:
    token = FRAME.set(call.frame)
    try:
        return await call.definition.fn(*call.args, **call.kwargs)
    finally:
        FRAME.reset(token)


def timed_out(call: Call) -> StepTimeoutError:
    """The error of an attempt that took too long."""
    frame = call.frame
    seconds = (call.definition.timeout_us or 0) / 1_000_000
    return StepTimeoutError(
        f"step {frame.number} ({frame.name}) of {frame.execution.label}: attempt {frame.attempt} took longer than"
        f" its timeout of {seconds:g} s; give it more time or let the body give up earlier"
    )
