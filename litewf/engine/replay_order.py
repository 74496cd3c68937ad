"""Replay of failures in branches: one after the other, as they were recorded, and nothing new begins before they came.

A task that fails may have others cancelled, as in a TaskGroup, each of them at some call. On replay it must not find
them at an earlier call, because records are answered at once, nor at a later one, because a new body has run meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from litewf.engine.idleness import is_runnable

if TYPE_CHECKING:
    from litewf.engine.execution import Execution
    from litewf.store.checkpoints import StepRow

QUIET_CYCLES = 3  # of the loop in which no task of the workflow can run: what follows from a failure has happened
MOST_CYCLES = 10_000  # after which the next may begin all the same: a task that spins never comes to rest


def load(execution: Execution, records: Mapping[str, StepRow]) -> None:
    """Let an execution replay these records."""
    execution.load(records)
    if any("." in number for number in records):
        failures = [row for row in records.values() if row.error is not None and row.completed_us is not None]
        if failures:
            failures.sort(key=lambda row: row.completed_us or 0)
            execution.order = ReplayOrder(execution, {row.step: at for at, row in enumerate(failures)})


class ReplayOrder:
    """Lets the durable calls of one execution begin, as long as failures are to be replayed."""

    def __init__(self, execution: Execution, failures: dict[str, int]) -> None:
        self._execution = execution
        self._failures = failures  # what has not come yet, with its place
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._looking = False
        self._cycles = 0  # of the loop, since one was let begin

    def turn_of(self, number: str, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None] | None:
        """What a call has to wait for; nothing if it is recorded and did not fail."""
        if self.is_recorded(number) and number not in self._failures:
            return None
        self._waiting[number] = turn = loop.create_future()
        if not self._looking:
            self._looking = True
            loop.call_soon(self._look, loop, 0)
        return turn

    def is_recorded(self, number: str) -> bool:
        """Whether the outcome is known, so that the call was answered."""
        record = self._execution.records.get(number)
        return record is not None and record.completed_us is not None

    def _look(self, loop: asyncio.AbstractEventLoop, quiet: int) -> None:
        """In each cycle of the loop while somebody waits: let the next begin as soon as nobody else can go on."""
        execution = self._execution
        self._waiting = {number: turn for number, turn in self._waiting.items() if not turn.done()}
        if not self._waiting:
            self._looking = False
            return
        self._cycles += 1
        moving = any(is_runnable(task) for task in (execution.task, *execution.branches))
        if execution.over is not None or self._cycles > MOST_CYCLES or (not moving and quiet >= QUIET_CYCLES):
            quiet = self._cycles = 0
            self._let_begin()
        loop.call_soon(self._look, loop, 0 if moving else quiet + 1)

    def _let_begin(self) -> None:
        """The failure that was recorded first; if none waits, all that is new."""
        failing = min(self._waiting.keys() & self._failures.keys(), key=self._failures.__getitem__, default=None)
        if failing is not None:
            del self._failures[failing]
            self._waiting.pop(failing).set_result(None)
            return
        for turn in self._waiting.values():
            turn.set_result(None)
        self._execution.order = None
