"""One workflow in memory: what it has recorded, what it waits for, and who numbers its calls.

An `Execution` lasts from a claim to the moment the workflow ends, parks or is given up. A `Branch` numbers the durable
calls of one task: the workflow's own, or one that the workflow started.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Union

from litewf.definitions import StepDefinition, WorkflowDefinition
from litewf.engine.buffering import NO_ROWS, NOBODY, Buffering
from litewf.engine.signals import Diverged, Unwind, Why
from litewf.serialization.exceptions import described
from litewf.store.checkpoints import StepRow

if TYPE_CHECKING:
    import asyncio

    from litewf.engine.mail import LoopMailbox
    from litewf.engine.replay_order import ReplayOrder
    from litewf.engine.requests import Wait
    from litewf.engine.runtime import Runtime

NO_KWARGS: Mapping[str, Any] = {}  # one for all calls without keywords: an empty dict each would be garbage
NO_RECORDS: Mapping[str, StepRow] = {}
NOTHING: Mapping[str, int] = {}
NO_DECISIONS: Mapping[str, bool] = {}
NO_STREAMS: frozenset[str] = frozenset()
NO_WAITS: dict[Wait, None] = {}  # until there is one
LOG_FIELDS = ("workflow_id", "workflow_name", "step_id", "attempt")  # of a log record


class About(NamedTuple):
    """What an execution has to know of its workflow besides the input; most have nothing of it."""

    receiver: str | None = None  # names the object or class of a method
    deadline_us: int | None = None
    user: str | None = None
    roles: tuple[str, ...] = ()
    trace: str | None = None  # the trace context in which it was started
    queue: str | None = None  # through which it was claimed
    of_any_version: bool = False  # until it was claimed


NOTHING_SPECIAL = About()


class Execution(Buffering):
    """A workflow while an engine runs it."""

    is_rehearsal = False  # whether it only compares the code with what is recorded; see rehearsing.py

    __slots__ = (
        "about",
        "args",
        "branches",
        "busy",
        "decisions",
        "definition",
        "fence",
        "generation",
        "id",
        "key",
        "kwargs",
        "last_recorded",
        "latest_us",
        "loaded_us",
        "mailbox",
        "main",
        "order",
        "over",
        "parking",
        "records",
        "replayed_us",
        "replaying",
        "runtime",
        "stoppable",
        "task",
        "waits",
    )

    def __init__(
        self,
        runtime: Runtime,
        definition: WorkflowDefinition,
        identity: tuple[int, str, int, int],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        about: About = NOTHING_SPECIAL,
    ) -> None:
        self.runtime = runtime
        self.definition = definition
        self.key, self.id, self.fence, self.generation = identity
        self.args = args
        self.kwargs = kwargs
        self.about = about
        self.records = NO_RECORDS
        self.last_recorded = NOTHING  # number of the last recorded call of each branch, by its prefix
        self.replaying = False
        self.buffered, self.unconfirmed, self.carried, self.waiting = NO_ROWS, NO_ROWS, 0, NOBODY
        self.over: Unwind | None = None
        self.busy = 0  # durable calls in flight that are not waits
        self.waits = NO_WAITS  # durable calls in flight that are, in order
        self.parking: asyncio.Future[None] | None = None
        self.order: ReplayOrder | None = None  # while failures of branches are to be replayed
        self.main = Branch(self, "")
        self.mailbox: LoopMailbox | None = None  # of the loop that runs it, if one does; set there
        # Most workflows need none of these three; empty sets and dicts would cost each of them memory and time.
        self.branches: Collection[asyncio.Task[Any]] = ()  # the tasks that the workflow started
        self.task: asyncio.Task[Any] | None = None
        self.stoppable: Collection[asyncio.Task[Any]] = ()  # running bodies that a cancel stops
        self.decisions: Mapping[str, bool] = NO_DECISIONS  # of patches
        self.latest_us = 0  # the last time of this run: from its creation, or recorded
        self.loaded_us = 0
        self.replayed_us = 0  # how long the replay took

    def load(self, records: Mapping[str, StepRow]) -> None:
        """Take over what earlier executions recorded."""
        if records:
            self.records = records
            self.last_recorded = highest_numbers(records)
            self.replaying = True
            self.loaded_us = self.runtime.now_us()
            self.latest_us = max(self.latest_us, *(row.completed_us or row.started_us for row in records.values()))

    def now_us(self) -> int:
        """The time to record: when the clock is set back, the times of one run stand still until it has caught up.

        When something is due is a matter of the clock alone.
        """
        now_us = self.runtime.now_ns() // 1000
        if now_us > self.latest_us:  # noqa: PLR1730 - max() would be a call more for each record
            self.latest_us = now_us
        return self.latest_us

    def caught_up(self, _number: str, _name: str) -> None:
        """The first call that is not recorded: all that was has been replayed."""
        self.replaying = False
        self.replayed_us = max(self.runtime.now_us() - self.loaded_us, 0)

    def end(self, why: Why, detail: str = "") -> NoReturn:
        """This execution is over, from here and from all its other durable calls."""
        raise self.stop(why, detail)

    def stop(self, why: Why, detail: str = "") -> Unwind:
        """End the execution without raising here: its waits wake and raise; the first reason counts."""
        return self.stop_with(Unwind(why, detail))

    def stop_with(self, over: Unwind) -> Unwind:
        """End the execution for this reason, unless there was another before."""
        if self.over is None:
            self.over = over
            self.runtime.stopping(self)
            self.runtime.notifier.wake(list(self.waits))
            if over.why == "cancelled" and self.stoppable:
                from litewf.engine.mail import post  # noqa: PLC0415 - it loads asyncio, which whoever has tasks has

                for task in tuple(self.stoppable):
                    post(task.get_loop(), task.cancel)
        return self.over

    def let_stop(self, task: asyncio.Task[Any]) -> None:
        """Let a cancel of the workflow stop a body that runs now."""
        self.stoppable = {*self.stoppable, task}
        if self.over is not None and self.over.why == "cancelled":
            task.cancel()

    def check_all_replayed(self, failure: BaseException | None = None) -> None:
        """Hold the workflow if its code ends, with a failure or without, although more calls of it are recorded."""
        if self.over is None and not self.main.beyond_records:
            self.stop_with(self.main.ended_early(failure))

    def is_new_to(self, branch: Branch) -> bool:
        """Whether the workflow comes to this point for the first time, so that a patch takes the new way."""
        return branch.beyond_records

    def check(self) -> None:
        """Raise if the execution is over."""
        if self.over is not None:
            raise self.over

    def successor(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Execution:
        """The execution of the next generation, which begins without records."""
        identity = (self.key, self.id, self.fence + 1, self.generation + 1)
        following = Execution(self.runtime, self.definition, identity, args, kwargs, self.about)
        following.latest_us = self.latest_us
        return following

    def dissolve(self) -> None:
        """Let go of what refers back to this, so that its memory is free without a garbage collection."""
        self.main.owner = None
        del self.main
        self.task = self.order = None
        if self.over is not None:
            self.over.__traceback__ = self.over.__context__ = None

    def is_plain(self) -> bool:
        """Whether there is nothing to replay, to write first or to wait for."""
        return not (self.records or self.buffered or self.unconfirmed or self.parking is not None) and self.over is None

    def begin_wait(self, wait: Wait) -> None:
        """A durable call in flight has become a wait."""
        self.busy -= 1
        if self.waits is NO_WAITS:
            self.waits = {}
        self.waits[wait] = None

    def end_wait(self, wait: Wait) -> None:
        self.busy += 1
        self.waits.pop(wait, None)

    def left_calls(self) -> None:
        """The last durable call that was no wait has ended."""
        if self.waits:
            self.poke()
        elif self.over is not None:
            self.runtime.end_stuck(self)

    def poke(self) -> None:
        """Let a wait whose linger has passed look whether the execution may park now."""
        for wait in self.waits:
            if wait.idle:
                self.runtime.notifier.ring([wait])
                return

    def adopt(self, task: asyncio.Task[Any], branch: Branch | None = None) -> None:
        """Take note of a task that the workflow started, until it is done; a durable call is no branch."""
        if not isinstance(self.branches, set):
            self.branches = set()
        self.branches.add(task)
        if branch is not None and self.records:
            task.add_done_callback(lambda done: self._check_branch_replayed(done, branch))
        task.add_done_callback(self._dismiss)

    def _check_branch_replayed(self, task: asyncio.Task[Any], branch: Branch) -> None:
        """Hold the workflow if a task of it ends although more calls of it are recorded, unless it was cancelled."""
        stopped = task.cancelled() or task.cancelling()
        if self.over is None and not stopped and not branch.beyond_records:
            self.stop_with(branch.ended_early(task.exception()))

    def _dismiss(self, task: asyncio.Task[Any]) -> None:
        assert isinstance(self.branches, set)
        self.branches.discard(task)
        if self.over is None and self.waits and not self.busy:
            self.poke()  # this task may have been all that kept the execution in memory
        elif self.over is not None and not task.cancelled():
            task.exception()  # seen: how a task ends with its execution is nobody's concern

    def decide(self, name: str, decision: bool) -> None:
        """Remember which way a patch goes."""
        self.decisions = {**self.decisions, name: decision}

    def key_of(self, number: str) -> str:
        """A text for one call of this generation, the same on every replay and recovery; no other call has it.

        In an id a number follows each '~', and "w@2" may be another workflow: a user's, or, below a '~', a child.
        """
        generation = f"~@{self.generation}" if self.generation > 1 else ""
        return f"{self.id}{generation}:{number}"

    @property
    def label(self) -> str:
        return f"workflow {self.id!r} ({self.definition.name})"

    def log_fields(self, step_id: str | None = None, attempt: int | None = None) -> dict[str, Any]:
        """The attributes of a log record about this workflow."""
        return dict(zip(LOG_FIELDS, (self.id, self.definition.name, step_id, attempt), strict=True))


def highest_numbers(numbers: Iterable[str]) -> Mapping[str, int]:
    """The highest number in each branch: {"": 4, "4.": 2} for 1, 2, 4.1 and 4.2."""
    highest: dict[str, int] = {"": 0}
    for number in numbers:
        if number.isdecimal():
            highest[""] = max(highest[""], int(number))
        elif ":" not in number:  # a decision of a patch takes no number
            prefix = ""
            for part in number.split("."):
                highest[prefix] = max(highest.get(prefix, 0), int(part))
                prefix += f"{part}."
    return highest


class Branch:
    """Numbers the durable calls of one task, in the order in which it makes them."""

    __slots__ = ("count", "execution", "owner", "prefix")

    def __init__(self, execution: Execution, prefix: str) -> None:
        self.execution = execution
        self.prefix = prefix
        self.count = 0
        self.owner: object = None  # the task or the thread whose calls it numbers

    def next_number(self) -> str:
        self.count += 1
        return f"{self.prefix}{self.count}"

    def fork(self) -> Branch:
        """The branch of a task that this one starts now."""
        number = self.next_number()
        record = self.execution.records.get(number)
        if record is not None:
            detail = f"step {number} is recorded as {record.name!r}, but the code now starts a task"
            self.execution.stop_with(Diverged(detail, number, record.name))
        return Branch(self.execution, f"{number}.")

    def ended_early(self, failure: BaseException | None = None) -> Diverged:
        """Why the workflow is held when this branch has made all its calls, and more are recorded."""
        number = f"{self.prefix}{self.count + 1}"
        record = self.execution.records.get(number)
        detail = f"step {number} is recorded, but the code now ends before it makes that call"
        if failure is not None:
            detail += f", with {described(failure)}"
        return Diverged(detail, number, None if record is None else record.name)

    @property
    def beyond_records(self) -> bool:
        """Whether nothing is recorded from the next call of this branch on."""
        return self.count >= self.execution.last_recorded.get(self.prefix, 0)


class StepFrame:
    """The body of a step: the request to run it, and while it runs, what it may know of itself."""

    __slots__ = ("args", "attempt", "definition", "execution", "kwargs", "number", "started_us", "streams")

    def __init__(
        self,
        execution: Execution,
        number: str,
        definition: StepDefinition,
        attempt: int,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> None:
        self.execution = execution
        self.number = number
        self.definition = definition
        self.attempt = attempt
        self.args = args
        self.kwargs = kwargs
        self.started_us = execution.now_us()
        self.streams: frozenset[str] = NO_STREAMS  # that the body has written to

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def body(self) -> Callable[..., Any]:
        """What the user wrote, with whatever a test puts around it."""
        around = self.execution.runtime.around
        return self.definition.fn if around is None else around(self.definition)

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt and every recovery of this step; another one in another generation."""
        return self.execution.key_of(self.number)


class TransactionFrame(StepFrame):
    """The body of a transaction: nothing of the engine may be called there."""

    __slots__ = ()


def rehearsing() -> Runtime | None:
    """What stands for every engine in code that is only rehearsed; None elsewhere."""
    frame = FRAME.get()
    return frame.execution.runtime if type(frame) is Branch and frame.execution.is_rehearsal else None


Frame = Union[Branch, StepFrame, None]  # noqa: UP007 - a runtime alias
FRAME: ContextVar[Frame] = ContextVar("litewf_frame", default=None)
