"""An engine at work: builds the parts, knows every execution in memory, starts and stops everything in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, cast

from litewf.definitions import WorkflowDefinition
from litewf.engine import drivers, loading, runner
from litewf.engine.alarms import Alarm, Alarms
from litewf.engine.announcing import Announcing
from litewf.engine.binding import bound
from litewf.engine.calls import DurableCall
from litewf.engine.dispatcher import Dispatcher
from litewf.engine.ending import Ending
from litewf.engine.execution import NOTHING_SPECIAL, About, Execution
from litewf.engine.giving_back import GivingBack
from litewf.engine.loops import Loops
from litewf.engine.notifier import Notifier
from litewf.engine.plain_steps import StepCall, step_in_thread
from litewf.engine.pool import Pool
from litewf.engine.requests import Flow
from litewf.engine.retention import Pruner
from litewf.engine.signals import Why
from litewf.engine.waiting import Waiting
from litewf.engine.watching import Watch
from litewf.errors import EngineClosedError, LitewfError
from litewf.records import Retention
from litewf.registry import Registry
from litewf.serialization import Serializer
from litewf.store import arrivals, claims, executors, reading
from litewf.store.claims import Capability, Claimed, Room
from litewf.store.database import Durability
from litewf.store.executors import Registration
from litewf.store.mailboxes import deliver
from litewf.store.operations import Operation, Tx
from litewf.store.starts import NewWorkflow
from litewf.store.store import Store
from litewf.store.waits import ELSEWHERE, ENDS, workflow_key
from litewf.world import World, boot_token

R = TypeVar("R")
LOG = logging.getLogger("litewf")
READING = 2  # threads that look at the file for event loops; a look takes microseconds
MOST_ACTIVE = 5_000  # executions in memory
NO_EXECUTOR = 0  # the key of an engine that runs nothing


class Settings(NamedTuple):
    """How an engine was asked to run."""

    path: str | os.PathLike[str]
    registry: Registry
    serializer: Serializer
    world: World
    application_version: str
    executor_id: str
    only_version: bool
    durability: Durability
    max_threads: int
    linger_us: int | None  # None: never park
    event_retention_us: int
    retention: Retention | None = None  # which finished workflows are kept; None: all
    queues: tuple[str, ...] | None = None  # which it serves; None: all
    serves: bool = True  # False: a client, which runs no workflow


class Runtime:
    """Everything of a launched engine."""

    def __init__(self, settings: Settings, store: Store | None = None, duties: type[Dispatcher] = Dispatcher) -> None:
        self.settings = settings
        self.registry = settings.registry
        self.serializer = settings.serializer
        self.world = settings.world
        self.now_us, self.now_ns = settings.world.now_us, settings.world.now_ns
        self.around = settings.world.around
        self.version = settings.application_version
        self.starts_as = self.version if settings.serves else None  # a client's workflows are for any version
        self.closed = False
        self.closed_because: LitewfError | None = None
        self.groups = 0  # transactions so far, of the writer
        self.notifier = Notifier()
        self.alarms = Alarms()
        self.loops = Loops()
        self.waiting = Waiting(self)
        self.reading = Pool(READING)
        self.pool = Pool(settings.max_threads, on_backlog=self.waiting.hurry, on_free=self._thread_is_free)
        self._active: dict[int, Execution] = {}
        self._ending: dict[int, Execution] = {}
        self._on_queue: Counter[str] = Counter()  # executions in memory
        self.giving_back = GivingBack(self)
        self._none_active = threading.Condition()
        self.warned_long: set[int] = set()  # workflows whose long history was mentioned
        self.unreadable_schedules: set[str] = set()  # such as those in time zones that this machine lacks
        self._end = Ending(self)
        self.dispatcher = duties(self)
        self.store = store or Store(
            settings.path, settings.durability, settings.world, self._after_commit, create=settings.serves
        )
        self.store.on_fork = self._end.after_fork
        self.submit = self.store.writer.submit
        try:
            self.able = self._register()
            self.announcing = Announcing(self)
            if settings.serves:
                self.announcing.run_once()
        except Exception as error:
            self.store.fail(error, 1.0)
            raise
        except BaseException as death:
            self.store.crash(death)
            raise

    def _register(self) -> Capability:
        self.store.writer.start()
        if self.settings.serves:
            return self._as_engine()
        self._seen = self.store.writer.turn(lambda tx: arrivals.newest(tx.connection), inline=True)
        return Capability(NO_EXECUTOR, (), self.version, False)

    def _as_engine(self) -> Capability:
        """Become one of the engines of this file, with a lock that says so, in one transaction."""
        settings, names = self.settings, self.registry.workflows.keys()  # a view: what is defined later counts too
        lock_name, now_us = self.store.take_lock(boot_token()), self.now_us()
        mine = Registration(settings.executor_id, lock_name, os.getpid(), self.version, settings.only_version, now_us)

        def join(tx: Tx) -> Capability:
            able = Capability(executors.register(tx, mine, names), names, self.version, settings.only_version)
            claims.retry_held(tx, able)
            self._seen = arrivals.newest(tx.connection)  # of what others have brought
            return able

        return self.store.writer.turn(join, inline=True)

    def start(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Begin to dispatch; async workflows run on `loop`, or on a private one."""
        try:
            if loop is not None:
                self.loops.adopt(loop)
            self.dispatcher.start()
            if self.settings.retention is not None:
                Pruner(self, self.settings.retention).start()
        except BaseException:
            self.shutdown(0)
            raise

    # --- driving flows ----------------------------------------------------------------------------------------

    step_call: Callable[..., DurableCall[Any]] = StepCall
    step_in_thread = staticmethod(step_in_thread)
    function_of = staticmethod(bound)
    is_async = staticmethod(cast("Callable[[Callable[..., Any]], bool]", asyncio.iscoroutinefunction))
    watch: Watch | None = None  # see `observing.py`

    def drive(self, flow: Flow[R], *, inline: bool = False) -> R:
        return drivers.drive(self, flow, inline=inline)

    def drive_async(self, flow: Flow[R], execution: Execution | None = None) -> Generator[Any, Any, R]:
        return drivers.drive_async(self, flow, execution)

    def _after_commit(self, operations: list[Operation]) -> None:
        """Tell everyone what a group has changed: first those whom it stops, last those who waited for the commit.

        So no body starts after a cancel that its caller, here or in another process, knows to be durable.
        """
        self.groups += 1
        if self._active and self.store.writer.take_news():
            with contextlib.suppress(LitewfError):  # the dispatcher looks again
                self._stop_cancelled()
        touched = [key for operation in operations if operation.touched for key in operation.touched]
        if touched:
            self._touch(touched)
        for operation in [one for one in operations if one.then is not None]:
            operation.follow()
        deliver(operations)

    def _touch(self, keys: Sequence[str]) -> None:
        others = []
        for key in keys:
            if key.startswith(ENDS):
                others.append(key)
            elif key == "ready":
                self.dispatcher.look_for_ready()
            elif key.startswith("due:"):
                self.dispatcher.expect_due(int(key[4:]))
            elif key.startswith("queue:"):
                self.dispatcher.look_at_queue(key[6:])
            elif key.startswith("stop:"):
                self.stop_execution(int(key[5:]), "cancelled")
            else:
                others.append(key)
        self.notifier.touch(others)

    # --- executions -------------------------------------------------------------------------------------------

    def admit(self, definition: WorkflowDefinition, version: str | None) -> int | None:
        """Whose memory a new workflow starts in: this engine's if it has room and may run it, else nobody's."""
        if len(self._active) >= MOST_ACTIVE or self.able.obstacle(definition.name, version) is not None:
            return None
        if self.loops.gone if definition.is_async else self.pool.backlog >= 2 * self.pool.most:
            return None
        return self.able.executor

    def begin(self, new: NewWorkflow, execution: Execution | None, key: int) -> None:
        """Run a workflow that was just started, if it starts in this engine's memory."""
        task = new.task
        if task is not None and task.due_us is not None:
            self.dispatcher.expect_due(task.due_us)
        elif task is not None:
            self.dispatcher.look_at_queue(task.queue)
        elif execution is None:
            self.dispatcher.look_for_ready()
        else:
            execution.key = key
            self.launch([execution])

    def launch(self, executions: Sequence[Execution]) -> None:
        """Run executions that own their workflows."""
        on_loop = []
        for execution in self.giving_back.admit(executions, self._active):
            if execution.about is not NOTHING_SPECIAL:
                self._expect(execution.about)
            if execution.definition.is_async:
                on_loop.append(execution)
            else:
                self.pool.submit(lambda execution=execution: runner.run_in_thread(execution))  # type: ignore[misc]  # a default binds it
        if on_loop and not self.loops.run_soon(self._create_tasks, on_loop):
            self.giving_back.refuse(on_loop)

    def _expect(self, about: About) -> None:
        if about.queue is not None:
            self._count_on_queue(about.queue, 1)
        if about.deadline_us is not None:
            self.dispatcher.expect_due(about.deadline_us)

    def _create_tasks(self, executions: Sequence[Execution]) -> None:
        mailbox = self.loops.mailbox()
        for execution in executions:
            runner.begin_on_loop(execution, mailbox)

    def next_generation(self, execution: Execution, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Run the next generation of a workflow that continued as new."""
        self.launch([execution.successor(args, kwargs)])

    def take_over(self, workflows: Sequence[Claimed]) -> None:
        """Run workflows that were claimed: read what they have recorded, and replay it."""
        if not workflows:
            return
        try:
            executions = loading.load(self, workflows)
        except BaseException:
            for workflow in workflows:
                self.giving_back.keep(workflow.key, workflow.fence)
            raise
        self.launch(executions)

    def ended(self, execution: Execution) -> None:
        """An execution has left memory."""
        if self._active.get(execution.key) is execution:
            del self._active[execution.key]
        if (queue := execution.about.queue) is not None:
            self._count_on_queue(queue, -1)
            self.dispatcher.look_at_queue(queue)
        if self._ending.pop(execution.key, None) is not None:
            self.dispatcher.look_for_ready()
        if not self._active:
            with self._none_active:
                self._none_active.notify_all()
        elif len(self._active) == MOST_ACTIVE - 1:
            self.dispatcher.poke()

    def _thread_is_free(self) -> None:
        self.dispatcher.thread_is_free()

    def _count_on_queue(self, queue: str, change: int) -> None:
        with self._none_active:
            self._on_queue[queue] += change

    def running_of(self, queue: str) -> int:
        """How many workflows of a queue are in the memory of this engine."""
        return self._on_queue[queue]

    def stopping(self, execution: Execution) -> None:
        """An execution is over but its code has not ended yet: nobody here may claim its workflow."""
        self._ending[execution.key] = execution
        self.end_stuck(execution)

    def end_stuck(self, execution: Execution) -> None:
        """End the tasks of an execution that is over, also those that no durable call tells of it."""
        if execution.definition.is_async:
            self.loops.run_soon(runner.end_stuck, execution)

    def stop_execution(self, key: int, why: Why) -> None:
        execution = self._active.get(key)
        if execution is not None:
            execution.stop(why)

    def keep_unreleased(self, execution: Execution) -> None:
        """Give the workflow back as soon as the file can be written again."""
        self.giving_back.keep(execution.key, execution.fence)

    def in_memory(self, key: int) -> Execution | None:
        """The execution of a workflow here, also one whose code has yet to end."""
        return self._active.get(key) or self._ending.get(key)

    @property
    def is_empty(self) -> bool:
        """Whether no execution is in memory."""
        return not (self._active or self._ending)

    def room(self, most: int) -> Room:
        """How many workflows to claim now."""
        full = (self.pool.saturated, self.loops.gone)  # for sync ones, for async ones
        known = self.registry.workflows.items() if any(full) else ()
        names = tuple(name for name, definition in known if full[definition.is_async])
        return Room(min(most, MOST_ACTIVE - len(self._active)), tuple(self._ending), names)

    def _stop_cancelled(self) -> None:
        executor = self.able.executor
        for key, _fence in self.store.read(lambda connection: reading.stopped_of(connection, executor)):
            self.stop_execution(key, "cancelled")

    def notice_others(self) -> None:
        """Answer all waits and all running executions with one query each: another process has committed."""
        self._stop_cancelled()
        until = self.store.peek(arrivals.newest)  # first: a wait that begins from now on looks for itself
        awaited = self.notifier.awaited()
        ids = [key.partition(":")[2] for key in awaited if key.startswith("workflow:")]
        if ids:
            ended = self.store.read(lambda connection: reading.ended_among(connection, ids))
            self.notifier.touch([workflow_key(workflow_id) for workflow_id in ended])
        if len(ids) < len(awaited):
            self.notifier.touch([ELSEWHERE])
            self.notifier.touch(self.store.read(lambda connection: arrivals.keys_since(connection, self._seen, until)))
        self._seen = until  # last: what failed before is done again
        if self.store.peek(lambda connection: claims.held_elsewhere(connection, self.able)):
            self.store.writer.turn(lambda tx: claims.retry_held(tx, self.able))
            self.dispatcher.look_for_ready()

    def executions(self) -> list[Execution]:
        """What is in memory."""
        return list(self._active.values())

    # --- alarms -----------------------------------------------------------------------------------------------

    def alarm(self, delay_us: int | None, action: Callable[[], object]) -> Alarm | None:
        """Do something later, in the dispatcher's thread."""
        if delay_us is None:
            return None
        due_us = self.now_us() + delay_us
        alarm = self.alarms.at(due_us, action)
        self.dispatcher.poke_before(due_us)
        return alarm

    def silence(self, alarm: Alarm | None) -> None:
        self.alarms.silence(alarm)

    # --- ending -----------------------------------------------------------------------------------------------

    def raise_if_closed(self) -> None:
        if self.closed:
            raise self.closed_because or EngineClosedError("the engine was shut down; launch it again")

    def lose(self, because: LitewfError) -> None:
        """The file or the lock is not this engine's any more: stop without writing."""
        self._end.lose(because)

    def crash(self, death: BaseException) -> None:
        """End as a killed process would, for tests."""
        self._end.crash(death)

    def shutdown(self, timeout_s: float) -> None:
        """Claim nothing more, let bodies end within the time, give everything back, close the file."""
        self._end.shutdown(timeout_s)

    def stop_all(self, why: Why) -> None:
        """End every execution at its next durable call, and every wait of outside callers."""
        for execution in self.executions():
            execution.stop(why)
        self.waiting.wake_outside()

    def wait_until_empty(self, until: float) -> None:
        """Wait until no execution is in memory that can end, at most until `until` on the monotonic clock."""
        with self._none_active:
            while any(not (self.loops.gone and one.definition.is_async) for one in self.executions()):
                if (left := until - time.monotonic()) <= 0:
                    return
                self._none_active.wait(left)

    def labels(self) -> list[str]:
        """What is in memory, by name."""
        return [execution.label for execution in self.executions()]
