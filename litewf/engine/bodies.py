"""Runs the bodies of steps, the only place where user code of a step is called."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextvars import copy_context
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

from litewf.engine.execution import FRAME, StepFrame
from litewf.engine.loops import EXITS
from litewf.engine.mail import post
from litewf.errors import StepTimeoutError

if TYPE_CHECKING:
    from litewf.engine.mail import LoopMailbox
    from litewf.engine.runtime import Runtime


def call_in_thread(runtime: Runtime, frame: StepFrame) -> object:
    """Run a body for a workflow that has a thread of its own."""
    if frame.definition.is_async:
        return _on_engine_loop(runtime, frame)
    if frame.definition.timeout_us is not None:
        return _in_other_thread(runtime, frame)
    return _plainly(frame)


def call_on_loop(runtime: Runtime, frame: StepFrame, mailbox: LoopMailbox) -> Generator[Any, Any, object]:
    """Run a body for a workflow that is a task."""
    if not frame.definition.is_async:
        return (yield from _in_pool(runtime, frame, mailbox))
    if frame.definition.in_task:
        return (yield from _awaited(frame).__await__())
    return (yield from _as_task(runtime, frame, mailbox))


def _plainly(frame: StepFrame) -> object:
    token = FRAME.set(frame)
    try:
        return frame.body(*frame.args, **frame.kwargs)
    finally:
        FRAME.reset(token)


def _in_other_thread(runtime: Runtime, frame: StepFrame) -> object:
    """A sync body cannot be stopped, so it gets a thread that may outlive its timeout."""
    outcome: SimpleQueue[tuple[bool, Any]] = SimpleQueue()
    context = copy_context()

    def work() -> None:
        try:
            outcome.put((True, context.run(_plainly, frame)))
        except BaseException as error:  # noqa: BLE001 - it belongs to the workflow
            outcome.put((False, error))

    alarm = runtime.alarm(frame.definition.timeout_us, lambda: outcome.put((False, timed_out(frame))))
    runtime.pool.submit(work, extra=True)
    done, value = outcome.get()
    runtime.silence(alarm)
    if done:
        return value
    raise value


def _on_engine_loop(runtime: Runtime, frame: StepFrame) -> object:
    """An async body of a sync workflow runs on the engine's loop."""
    outcome: SimpleQueue[tuple[bool, Any]] = SimpleQueue()
    mailbox = runtime.loops.engine_mailbox()

    async def work() -> None:
        try:
            outcome.put((True, await _Body(runtime, frame, mailbox)))
        except BaseException as error:  # noqa: BLE001 - it belongs to the workflow
            ending = runtime.loops.is_cancelling(error)  # the caller's loop, and nobody has waited for its tasks
            outcome.put((False, frame.execution.stop("closing") if ending else error))

    token = FRAME.set(frame)  # the task inherits it, and so is none that the workflow started
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

    def __init__(self, runtime: Runtime, frame: StepFrame, mailbox: LoopMailbox) -> None:
        self._driver = call_on_loop(runtime, frame, mailbox)

    def __await__(self) -> Generator[Any, Any, object]:
        return self._driver


def _in_pool(runtime: Runtime, frame: StepFrame, mailbox: LoopMailbox) -> Generator[Any, Any, object]:
    """A sync body of an async workflow runs in a pool thread."""
    context = copy_context()
    body = mailbox.in_thread(runtime.pool, lambda: context.run(call_in_thread, runtime, frame))
    return (yield from body)


def _as_task(runtime: Runtime, frame: StepFrame, mailbox: LoopMailbox) -> Generator[Any, Any, object]:
    """A body that may be stopped runs as a task, and is waited for until it has really ended."""
    loop = mailbox.loop
    token = FRAME.set(frame)
    try:
        task = loop.create_task(_contained(frame))
    finally:
        FRAME.reset(token)
    timed: list[bool] = []

    def stop() -> None:
        if not task.done():
            timed.append(True)
            task.cancel()

    alarm = None
    if frame.definition.timeout_us is not None:
        alarm = runtime.alarm(frame.definition.timeout_us, lambda: post(loop, stop))
    execution = frame.execution
    if frame.definition.cancellable:
        execution.let_stop(task)
    try:
        result = yield from task
        if type(result) is Exit:
            raise result.raised
        return result
    except asyncio.CancelledError:
        if not task.done():
            task.cancel()  # the workflow's own task is being stopped
        elif timed:
            raise timed_out(frame) from None
        execution.check()
        raise
    finally:
        execution.stoppable = {other for other in execution.stoppable if other is not task}
        runtime.silence(alarm)


class Exit(NamedTuple):
    """What a body raised, as a value: out of a task, asyncio would raise it out of the whole loop."""

    raised: BaseException


async def _contained(frame: StepFrame) -> object:
    try:
        return await _awaited(frame)
    except EXITS as raised:
        return Exit(raised)


async def _awaited(frame: StepFrame) -> object:
    token = FRAME.set(frame)
    try:
        return await frame.body(*frame.args, **frame.kwargs)
    finally:
        FRAME.reset(token)


def timed_out(frame: StepFrame) -> StepTimeoutError:
    """The error of an attempt that took too long."""
    seconds = (frame.definition.timeout_us or 0) / 1_000_000
    return StepTimeoutError(
        f"step {frame.number} ({frame.name}) of {frame.execution.label}: attempt {frame.attempt} took longer than"
        f" its timeout of {seconds:g} s; give it more time or let the body give up earlier"
    )
