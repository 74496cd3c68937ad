"""Rehearses a run: its code is replayed against an exported history, with no file and no effects.

Execution, flows, drivers and runner are those of every engine. Only what they take for an engine is a `Stage`: it lets
through what a replay needs, which is nothing but the records. Whatever else a flow asks for (to run a body, to write,
to read, to wait) means that this branch has come to the end of its records, and there it waits. When all branches do,
the execution parks, as it would in an engine; the one who agrees to that, and to the end of a workflow, is the stage.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from litewf.definitions import WorkflowDefinition
from litewf.engine import drivers, loading, replay_order, runner
from litewf.engine.alarms import Alarms
from litewf.engine.execution import FRAME, Branch, Execution, highest_numbers
from litewf.engine.loops import Loops
from litewf.engine.notifier import Notifier
from litewf.engine.plain_steps import flow_call, flow_in_thread
from litewf.engine.pool import Pool
from litewf.engine.requests import Flow, InOrder, Replayed, Wait
from litewf.engine.runtime import Runtime, Settings
from litewf.engine.signals import Unwind
from litewf.engine.waiting import Waiting
from litewf.errors import EngineClosedError
from litewf.histories import History
from litewf.store.checkpoints import StepRow
from litewf.store.claims import Claimed
from litewf.store.endings import Finish
from litewf.store.mailboxes import deliver
from litewf.store.operations import Operation
from litewf.world import Clock, Entropy, World

if TYPE_CHECKING:
    from litewf.registry import Registry
    from litewf.serialization import Serializer
    from litewf.store.store import Store

R = TypeVar("R")
CLOSE_S = 1.0  # for the loop to end
THREAD = "litewf-rehearsal"


class Rehearsal(Execution):
    """An execution that only compares: it notes what the code asks for beyond the records."""

    __slots__ = ("ahead", "end_of_run", "finished")

    is_rehearsal = True

    def load(self, records: Mapping[str, StepRow]) -> None:
        self.records = records
        self.last_recorded = highest_numbers(records)
        self.replaying = True  # to the end: each call that is not recorded is to be noted
        self.loaded_us = self.runtime.now_us()
        self.ahead: list[tuple[str, str]] = []  # number and name of such calls
        self.end_of_run: Finish | None = None  # how the code ended
        self.finished = False  # whether the run that is rehearsed has come to its end

    def caught_up(self, number: str, name: str) -> None:
        self.ahead.append((number, name))

    def conclude(self, ending: Finish) -> bool:
        """Note how the code ended."""
        self.end_of_run = ending
        return True

    def is_new_to(self, branch: Branch) -> bool:
        return not self.finished and super().is_new_to(branch)


class StandingClock(Clock):
    """It is always the last moment of the history."""

    def __init__(self, now_us: int) -> None:
        self._now_us = now_us

    def now_us(self) -> int:
        return self._now_us


class Yes:
    """In place of the file: agrees to everything, which is to park and to nothing else, and writes nothing."""

    writer = property(lambda self: self)

    def commit(self, operation: Operation, *, inline: bool = False) -> object:  # noqa: ARG002 - a writer's signature
        operation.result = True
        return True

    def submit(self, operation: Operation) -> None:
        operation.result = True
        deliver([operation])


class Stage(Runtime):
    """What an execution takes for its engine during a rehearsal: it has no file, no dispatcher and no other executions.

    What every engine has to be for an execution it is by descent; what would touch the file is replaced.
    """

    def __init__(self, registry: Registry, serializer: Serializer, now_us: int) -> None:  # not that of its class
        self.registry = registry
        self.serializer = serializer
        self.world = World(StandingClock(now_us), Entropy(0))
        self.now_us, self.now_ns = self.world.now_us, self.world.now_ns
        self.version = "rehearsal"
        self.starts_as = None
        self.settings = Settings(
            "", registry, serializer, self.world, self.version, "rehearsal", only_version=False, durability="full",
            max_threads=1, linger_us=0, event_retention_us=0, serves=False,
        )  # fmt: skip
        self.closed = False
        self.closed_because = EngineClosedError("this is a rehearsal, which writes nothing")  # the runner heeds it
        self.notifier = Notifier()
        self.alarms = Alarms()
        self.loops = Loops()
        self.waiting = Waiting(self)
        self.pool = Pool(1)
        self.store = cast("Store", Yes())
        self._over = threading.Event()

    # --- before the rehearsal ---------------------------------------------------------------------------------

    def prepare(self, history: History) -> Rehearsal:
        """The execution of a run; raises what its input raises when it is decoded."""
        latest_us = max(history.created_us, history.updated_us)
        claimed = Claimed(
            0, history.workflow_id, history.name, 0, history.generation, latest_us, history.deadline_us,
            history.application_version, None,
        )  # fmt: skip
        rehearsal = loading.execution_of(self, claimed, history.input, Rehearsal)
        rehearsal.about = rehearsal.about._replace(user=history.user, roles=history.roles)
        replay_order.load(rehearsal, {row.step: StepRow(0, *row) for row in history.steps})
        rehearsal.finished = history.is_finished
        return rehearsal

    def perform(self, rehearsal: Rehearsal, patience_s: float) -> Unwind | None:
        """Run the code until it has replayed all or ends; why its execution is over, None if it came to its end."""
        try:
            if rehearsal.definition.is_async:
                self._on_loop(rehearsal)
            else:
                work = threading.Thread(target=runner.run_in_thread, args=(rehearsal,), name=THREAD, daemon=True)
                work.start()
            if not self._over.wait(patience_s):
                replayed = bool(rehearsal.waits)  # one branch has, and no other goes on
                rehearsal.stop("parked" if replayed else "closing")
            return rehearsal.over
        finally:
            self.loops.close(CLOSE_S)

    def _on_loop(self, rehearsal: Rehearsal) -> None:
        self.loops.run_soon(lambda: runner.begin_on_loop(rehearsal, self.loops.mailbox()))

    # --- what an execution asks of its engine -----------------------------------------------------------------

    def drive(self, flow: Flow[R], *, inline: bool = False) -> R:
        return drivers.drive(self, within_records(flow), inline=inline)

    def drive_async(self, flow: Flow[R], execution: Execution | None = None) -> Generator[Any, Any, R]:
        return drivers.drive_async(self, within_records(flow), execution)

    step_in_thread = staticmethod(flow_in_thread)
    step_call = staticmethod(flow_call)

    def admit(self, _definition: WorkflowDefinition, _version: str | None) -> int | None:
        return None  # no child starts here

    def stopping(self, execution: Execution) -> None:
        self.end_stuck(execution)

    def keep_unreleased(self, execution: Execution) -> None:
        """There is nothing to give back."""

    def ended(self, _execution: Execution) -> None:
        self._over.set()


def within_records(flow: Flow[R]) -> Flow[R]:
    """A flow as far as the records go."""
    answer: object
    try:
        request = next(flow)
        while True:
            try:
                if isinstance(request, Replayed | InOrder):
                    answer = yield request
                elif isinstance(request, Finish):
                    answer = rehearsal().conclude(request)
                else:
                    answer = yield from _end_of_records(rehearsal())
            except BaseException as error:  # noqa: BLE001 - the flow decides
                request = flow.throw(error)
            else:
                request = flow.send(answer)
    except StopIteration as stop:
        result: R = stop.value
        return result


def _end_of_records(execution: Rehearsal) -> Flow[object]:
    """Wait for what never comes, so that the execution may park."""
    while True:
        yield Wait((), None, None, execution)
        execution.check()


def rehearsal() -> Rehearsal:
    """The rehearsal that calls."""
    branch = FRAME.get()
    assert isinstance(branch, Branch)
    assert isinstance(branch.execution, Rehearsal)
    return branch.execution
