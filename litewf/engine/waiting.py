"""Waits in memory: how long they linger, what rings them, and when an execution may leave memory instead.

A wait registers with the notifier first and looks at the file afterwards, so nothing is missed in between. How the two
drivers suspend is theirs; everything else about waiting is here.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from litewf.engine import results
from litewf.engine.execution import Execution
from litewf.engine.idleness import is_runnable
from litewf.engine.mail import WAITERS, Errand
from litewf.engine.requests import Wait
from litewf.store.waits import workflow_key

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime

MOST_LINGERING = 1_000  # waits in memory, before they park without a linger
NEVER_US = 1 << 62
REPLAY_FACTOR = 20  # a wait lingers at least this many times as long as its last replay took


class Waiting:
    """All waits of an engine that are in memory."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lingering: dict[Wait, None] = {}
        self._outside: dict[Wait, None] = {}  # of callers who are no workflow

    @property
    def is_awaited(self) -> bool:
        """Whether a caller who is no workflow has looked, and waits now."""
        return any(_is_asleep(wait) for wait in list(self._outside))

    def wake_outside(self) -> None:
        """Let the callers who are no workflow look again."""
        self._runtime.notifier.wake(list(self._outside))

    def begin(self, wait: Wait) -> int:
        """Register a wait; until when it lingers in memory."""
        self._runtime.notifier.register(wait)
        execution = wait.execution
        if execution is None:
            if self._runtime.closed:
                self._runtime.raise_if_closed()
            self._outside[wait] = None
            return NEVER_US
        execution.begin_wait(wait)
        linger_us = self._linger_us(execution)
        if linger_us is not None and _keeps_a_slot(wait):
            linger_us = 0
        if linger_us is None:
            return NEVER_US
        if linger_us == 0:
            return 0
        self._lingering[wait] = None
        return self._runtime.now_us() + linger_us

    def _linger_us(self, execution: Execution) -> int | None:
        base = self._runtime.settings.linger_us
        if base is None or base == 0:
            return base
        if len(self._lingering) >= MOST_LINGERING or (not execution.definition.is_async and self._runtime.pool.backlog):
            return 0
        return max(base, REPLAY_FACTOR * execution.replayed_us)

    def end(self, wait: Wait) -> None:
        self._runtime.notifier.forget(wait)
        self._runtime.alarms.silence(wait.alarm)
        if wait.execution is None:
            self._outside.pop(wait, None)
        else:
            wait.execution.end_wait(wait)
            self._lingering.pop(wait, None)

    def watch(self, workflow_id: str, action: Callable[[], object]) -> None:
        """Run `action` in a pool thread once a workflow has ended or is held, or the engine closes."""
        self._runtime.raise_if_closed()
        wait = Wait((workflow_key(workflow_id),), None)
        look = results.ended_or_held(workflow_id)
        self._runtime.store.read(look)  # an unknown id is refused here
        done = threading.Lock()

        def check() -> None:
            if (self._runtime.closed or self._runtime.store.read(look) is not None) and done.acquire(blocking=False):
                self.end(wait)
                action()

        wait.mailbox = Errand(lambda: self._runtime.pool.submit(check))
        self.begin(wait)
        self._runtime.pool.submit(check)

    def arm(self, wait: Wait, linger_until_us: int) -> None:
        """Ring the wait when it is due or when its linger has passed."""
        self._runtime.alarms.silence(wait.alarm)
        times = [time_us for time_us in (wait.due_us, linger_until_us) if time_us]
        soonest = min(times, default=NEVER_US)
        if soonest < NEVER_US:
            wait.alarm = self._runtime.alarms.at(soonest, lambda: self._runtime.notifier.ring([wait]))
            self._runtime.dispatcher.poke_before(soonest)

    def is_over(self, wait: Wait) -> bool:
        """Whether there is nobody left who waits: the execution is over, or the engine is closed."""
        if wait.execution is not None:
            return wait.execution.over is not None
        if self._runtime.closed:
            self._runtime.raise_if_closed()
        return False

    def is_expired(self, wait: Wait) -> bool:
        """Whether the time of a wait has passed."""
        return wait.due_us is not None and self._runtime.now_us() >= wait.due_us

    def lingers(self, wait: Wait, linger_until_us: int) -> bool:
        """Whether a wait stays in memory for now."""
        return not wait.hurried and self._runtime.now_us() < linger_until_us

    def may_park(self, execution: Execution, me: asyncio.Task[Any] | None) -> bool:
        """Whether all that the execution does is to wait."""
        if execution.busy or execution.over is not None or execution.parking is not None:
            return False
        if me is None:
            return True
        tasks = [execution.task, *execution.branches]
        return not any(task is not me and task is not None and is_runnable(task) for task in tasks)

    def hurry(self) -> None:
        """Work waits for a thread: let a sync workflow that lingers park at once."""
        for wait in list(self._lingering):
            if wait.mailbox is WAITERS and not wait.hurried:
                wait.hurried = True
                self._runtime.notifier.ring([wait])
                return


def _is_asleep(wait: Wait) -> bool:
    waiter = wait.waiter
    if isinstance(waiter, asyncio.Future):
        return not waiter.done()
    return wait.asleep and waiter.empty()  # type: ignore[attr-defined]  # a SimpleQueue


def _keeps_a_slot(wait: Wait) -> bool:
    """Whether a workflow on a queue waits for another one, which may need the slot that it has while in memory."""
    assert wait.execution is not None
    if wait.execution.about.queue is None:
        return False
    return any((one.waits or "").startswith("workflow:") for one in wait.awaited)
