"""One execution from its first call to its end: run → judge → let go.

The pipeline is the same for threads and loops; only the line that calls the user's function differs.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from litewf.engine.execution import FRAME, Execution
from litewf.engine.failures import say_whose
from litewf.engine.idleness import is_runnable
from litewf.engine.recording import write
from litewf.engine.requests import Flow
from litewf.engine.signals import ContinueAsNew, Unwind
from litewf.errors import UsageError
from litewf.store import endings
from litewf.store.endings import Finish
from litewf.store.operations import Turn, Tx

if TYPE_CHECKING:
    from litewf.engine.mail import LoopMailbox
    from litewf.engine.runtime import Runtime

LOG = logging.getLogger("litewf")
END_TURNS = 20  # of the loop, in which the tasks of an execution that is over may end by themselves
END_TURN_S = 0.05  # of each further turn, while one of them has something left to do


# --- run ----------------------------------------------------------------------------------------------------------


def run_in_thread(execution: Execution) -> None:
    """Run a sync workflow in this pool thread."""
    runtime = execution.runtime
    token = FRAME.set(execution.main)
    execution.main.owner = threading.get_ident()
    result, failure = None, None
    try:
        try:
            result = runtime.function_of(execution)(*execution.args, **execution.kwargs)
        except BaseException as raised:  # noqa: BLE001 - judged below
            failure = raised
        runtime.drive(judge(execution, result, failure), inline=True)
    except Unwind:
        runtime.keep_unreleased(execution)
    except BaseException as lost:  # noqa: BLE001 - the thread is the engine's
        _not_recorded(execution, lost)
    finally:
        del failure  # its traceback holds this frame
        FRAME.reset(token)
        runtime.ended(execution)
        execution.dissolve()


def begin_on_loop(execution: Execution, mailbox: LoopMailbox) -> None:
    """Run an async workflow in a task; not through the loop's factory, as the workflow did not start this one."""
    execution.mailbox = mailbox
    execution.task = asyncio.Task(run_on_loop(execution), loop=mailbox.loop, name=execution.id)


async def run_on_loop(execution: Execution) -> None:
    """Run an async workflow in this task."""
    runtime = execution.runtime
    main = execution.main
    FRAME.set(main)  # in the task's own context
    main.owner = execution.task
    result, failure = None, None
    try:
        try:
            result = await runtime.function_of(execution)(*execution.args, **execution.kwargs)
        except BaseException as raised:  # noqa: BLE001 - judged below
            failure = raised
        execution.task = None  # from here on this task is the engine's
        if execution.branches and execution.over is None:
            _withdraw(execution)
        await _Driven(runtime, judge(execution, result, failure))
        if execution.branches:
            await _end_branches(execution)
    except Unwind:
        runtime.keep_unreleased(execution)
    except BaseException as lost:
        _not_recorded(execution, lost)
        if not isinstance(lost, Exception):
            raise  # its loop may be ending
    finally:
        del failure  # its traceback holds this frame
        runtime.ended(execution)
        execution.dissolve()


class _Driven:
    """A flow as something to await."""

    __slots__ = ("_driver",)

    def __init__(self, runtime: Runtime, flow: Flow[None]) -> None:
        self._driver = runtime.drive_async(flow)

    def __await__(self) -> Generator[Any, Any, None]:
        return self._driver


# --- judge --------------------------------------------------------------------------------------------------------


def judge(execution: Execution, result: object, failure: BaseException | None) -> Flow[None]:
    """Decide what the end of the user's function means; the flow writes it."""
    if execution.over is None and isinstance(failure, Unwind):
        execution.over = failure
    if execution.over is None and failure is not None and execution.runtime.loops.is_cancelling(failure):
        execution.stop("closing")  # the caller's loop is ending
    execution.check_all_replayed(failure)
    if execution.over is None:
        return _finish(execution, result, failure)
    raised = execution.over.__traceback__ is not None
    if raised and not isinstance(failure, Unwind) and not _carries_signal(failure):
        LOG.warning("%s caught the end of its execution (%s); what it did after is discarded", execution.label,
                    execution.over, extra=execution.log_fields())  # fmt: skip
    return _let_go(execution, execution.over)


def _carries_signal(failure: BaseException | None) -> bool:
    """Whether a TaskGroup or a cancellation hides the signal."""
    if isinstance(failure, BaseExceptionGroup):
        return any(_carries_signal(inner) for inner in failure.exceptions)
    return isinstance(failure, Unwind | asyncio.CancelledError)


def _finish(execution: Execution, result: object, failure: BaseException | None) -> Flow[None]:
    serializer = execution.runtime.serializer
    output = error = None
    if failure is None:
        try:
            output = serializer.encode(result)[0]
        except Exception as refused:  # noqa: BLE001 - a serializer of the user's may raise anything
            say_whose(refused, f"the result of {execution.label}")
            failure = refused
    elif not isinstance(failure, Exception):
        kind = type(failure).__name__
        refusal = UsageError(f"{execution.label} raised {kind}, which is no outcome of a workflow; raise an Exception")
        refusal.__cause__, failure = failure, refusal
    if failure is not None:
        error = serializer.encode_error(failure)[0]
    status = "SUCCESS" if failure is None else "ERROR"
    finish = Finish(
        execution.key, execution.fence, execution.id, status, execution.now_us(), output, error,
        execution.unwritten,
    )  # fmt: skip
    if not (yield from write(execution, finish)):
        yield from _release(execution)
        return
    if failure is not None:
        LOG.error("%s failed", execution.label, exc_info=failure, extra=execution.log_fields())
    if (watch := execution.runtime.watch) is not None:
        watch.ended(execution, status)


# --- let go -------------------------------------------------------------------------------------------------------


def _let_go(execution: Execution, over: Unwind) -> Flow[None]:
    if over.why == "parked" or execution.runtime.closed_because is not None:
        return
    if over.why == "held":
        yield from _hold(execution, over.detail)
    elif isinstance(over, ContinueAsNew):
        yield from _continue(execution, over)
    elif over.why == "store":
        LOG.warning("%s stopped because the file could not be written: %s; it goes on once that works",
                    execution.label, over.detail, extra=execution.log_fields())  # fmt: skip
        execution.runtime.keep_unreleased(execution)
    else:
        yield from _release(execution)


def _hold(execution: Execution, reason: str) -> Flow[None]:
    key, workflow_id, fence = execution.key, execution.id, execution.fence
    version, of_any = execution.runtime.version, execution.about.of_any_version

    def hold(tx: Tx) -> bool:
        return endings.hold(tx, key, workflow_id, fence, reason, version, of_any_version=of_any)

    yield from write(execution, Turn(hold))
    LOG.warning("%s is held: %s", execution.label, reason, extra=execution.log_fields())


def _release(execution: Execution) -> Flow[None]:
    key, fence, runtime = execution.key, execution.fence, execution.runtime
    executor, now_us = runtime.able.executor, runtime.now_us()
    yield from write(execution, Turn(lambda tx: endings.release(tx, key, fence, executor, now_us)))


def _continue(execution: Execution, new: ContinueAsNew) -> Flow[None]:
    key, fence, now_us = execution.key, execution.fence, execution.now_us()
    turn = Turn(lambda tx: endings.continue_as_new(tx, key, fence, new.text, now_us))
    if (yield from write(execution, turn)):
        execution.runtime.next_generation(execution, *new.arguments)
    else:
        yield from _release(execution)


def _not_recorded(execution: Execution, lost: BaseException) -> None:
    """The outcome got lost, for whatever reason: nobody's workflow stays here without anything that runs it."""
    if not isinstance(lost, asyncio.CancelledError | GeneratorExit):  # the end of its loop
        LOG.error("the outcome of %s could not be recorded; it runs again", execution.label, exc_info=lost,
                  extra=execution.log_fields())  # fmt: skip
    execution.stop("lost")  # before it is free, so that none here takes it until this one has left
    execution.runtime.keep_unreleased(execution)


# --- tasks --------------------------------------------------------------------------------------------------------


def _withdraw(execution: Execution) -> None:
    """The workflow returned while tasks that it started are still running: they end here."""
    left = [task for task in execution.branches if not task.done()]
    if left:
        LOG.warning("%s returned while %d of its tasks were running; they are cancelled: await every task before"
                    " returning", execution.label, len(left), extra=execution.log_fields())  # fmt: skip
        for task in left:
            task.cancel()


def end_stuck(execution: Execution, seen: Mapping[asyncio.Task[Any], object] | None = None, turns: int = 0) -> None:
    """Cancel the tasks of an execution that is over which wait for something else than a durable call.

    All others get to know by themselves, so it looks for some turns of the loop who is not moved by that.
    """
    task = execution.task
    if task is None or task.done() or execution.busy or execution.waits or execution.parking is not None:
        return  # it is called again when the last durable call ends
    tasks = [one for one in (task, *execution.branches) if not one.done() and not is_runnable(one)]
    waiting = {one: getattr(one, "_fut_waiter", None) for one in tasks}
    stuck = {one: waiter for one, waiter in waiting.items() if seen is None or seen.get(one) is waiter}
    if not stuck:
        return
    alive = sum(not one.done() for one in (task, *execution.branches))
    if turns < END_TURNS:
        asyncio.get_running_loop().call_soon(end_stuck, execution, stuck, turns + 1)
    elif len(stuck) < alive and turns < 2 * END_TURNS:  # one that cleans up may move the others yet
        asyncio.get_running_loop().call_later(END_TURN_S, end_stuck, execution, stuck, turns + 1)
    else:
        for one in stuck:
            one.cancel()


async def _end_branches(execution: Execution) -> None:
    """No task of the workflow outlives its execution."""
    left = [task for task in execution.branches if not task.done()]
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left)
