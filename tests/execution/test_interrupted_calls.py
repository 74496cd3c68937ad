"""Signals that arrive while the main thread is in a blocking call: whatever the call has started runs."""

import dis
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

import litewf
from litewf.store import writer
from litewf.store.transactions import Connection
from litewf.world import World

Launch = Callable[..., litewf.Engine]

LONG = 20.0
PACKAGE = str(Path(litewf.__file__).parent)


class Alarmed(BaseException):
    """What the handler of the signal raises, as that of Ctrl-C raises KeyboardInterrupt."""


class Interrupting(World):
    """Sends its process a signal, once, while a commit is being written that the main thread waits behind."""

    def __init__(self) -> None:
        super().__init__(reach=self._reached)
        self.at = ""
        self.met = threading.Event()
        self.raised = threading.Event()

    def handler(self, _number: int, _frame: object) -> None:
        if not self.raised.is_set():
            self.raised.set()
            raise Alarmed

    def _reached(self, point: str) -> None:
        if self.at == point:
            self.at = ""
            self.met.set()
            deadline = time.monotonic() + LONG
            while not main_thread_waits_for_its_commit():
                assert time.monotonic() < deadline
                time.sleep(0.001)  # nobody tells that a thread blocks
            while not self.raised.wait(0.01):  # one that comes just before the thread blocks, Python keeps for later
                assert time.monotonic() < deadline
                os.kill(os.getpid(), signal.SIGUSR1)


def main_thread_waits_for_its_commit() -> bool:
    code = sys._current_frames()[threading.main_thread().ident or 0].f_code
    return code.co_filename == writer.__file__ and code.co_name in {"commit", "_wait"}


@pytest.fixture
def world() -> Iterator[Interrupting]:
    world = Interrupting()
    before = signal.signal(signal.SIGUSR1, world.handler)
    yield world
    signal.signal(signal.SIGUSR1, before)


pytestmark = pytest.mark.skipif(
    not hasattr(signal, "SIGUSR1") or threading.current_thread() is not threading.main_thread(),
    reason="handlers run in the main thread, and Windows has no such signal",
)
Job = Any  # a workflow
Start = Callable[[litewf.Engine, Job, str], object]
STARTS: dict[str, Start] = {
    "start_workflow": lambda engine, job, name: engine.start_workflow(job.with_options(workflow_id=name), 1),
    "run_workflow": lambda engine, job, name: engine.run_workflow(job.with_options(workflow_id=name), 1),
    "start_workflows": lambda engine, job, name: engine.start_workflows([(job.with_options(workflow_id=name), 1)]),
    "enqueue": lambda engine, job, name: engine.enqueue("line", job.with_options(workflow_id=name), 1),
    "enqueue with a delay": lambda engine, job, name: engine.enqueue(
        "line", job.with_options(workflow_id=name, delay=0.05), 1
    ),
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
@pytest.mark.parametrize("at", ["commit.before", "commit.after"])
def test_what_is_written_of_an_interrupted_start_runs_as_if_it_had_returned(
    launch: Launch, registry: litewf.Registry, world: Interrupting, start: Start, at: str
) -> None:
    @registry.workflow
    def job(number: int) -> int:
        return number

    engine = launch(world=world, clock=None)
    engine.run_workflow(job.with_options(workflow_id="first"), 0)
    world.at = at
    with pytest.raises(Alarmed):
        start(engine, job, "w")
    engine.update_attributes("first", {"written": "after it"})
    assert engine.retrieve_workflow("w").get_result(timeout=LONG) == 1


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_an_interrupted_start_that_nobody_has_begun_to_write_has_not_happened(
    launch: Launch, registry: litewf.Registry, world: Interrupting, start: Start
) -> None:
    @registry.workflow
    def job(number: int) -> int:
        return number

    engine = launch(world=world, clock=None)
    engine.run_workflow(job.with_options(workflow_id="first"), 0)
    world.at = "commit.before"
    other = threading.Thread(target=engine.update_attributes, args=("first", {"busy": True}))
    other.start()
    assert world.met.wait(LONG)
    with pytest.raises(Alarmed):
        start(engine, job, "w")
    other.join()
    assert [one.workflow_id for one in engine.list_workflows()] == ["first"]
    start(engine, job, "w")
    assert engine.retrieve_workflow("w").get_result(timeout=LONG) == 1


class Interruptions:
    """Raises where the handler of a signal may raise in this thread: at the n-th such place of what is called.

    Python calls handlers where a function begins, after a call, and where a loop begins again. What one raises there
    comes from that instruction; here it comes from the next one, so those at the border of a `try` are left out.
    """

    def __init__(self, at: int) -> None:
        self._left = at
        self._last: dict[FrameType, int] = {}  # the offset of the last instruction
        self.place = ""

    def call(self, function: Callable[[], object]) -> bool:
        """Whether it was interrupted, instead of coming to its end before."""
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            function()
        except Alarmed:
            return True
        finally:
            sys.settrace(before)
        return False

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.startswith((PACKAGE, threading.__file__)):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            last, self._last[frame] = self._last.get(frame, -1), frame.f_lasti
            if last >= 0 and may_be_interrupted(frame.f_code, last, frame.f_lasti):
                self._left -= 1
                if not self._left:
                    self.place = f"{frame.f_code.co_qualname}, line {frame.f_lineno}"
                    raise Alarmed
        elif event == "return":
            self._last.pop(frame, None)
        return self._trace


@cache
def may_be_interrupted(code: CodeType, last: int, following: int) -> bool:
    """Whether handlers are called after the last instruction, and what they raise meets the same `except` as here."""
    table = dis.Bytecode(code).exception_entries  # type: ignore[attr-defined]  # typeshed does not know it
    handlers = [[entry.target for entry in table if entry.start <= at < entry.end] for at in (last, following)]
    name = dis.opname[code.co_code[last]]
    return name.startswith(("RESUME", "CALL", "JUMP_BACKWARD")) and handlers[0] == handlers[1]


def make_the_table(connection: Connection) -> None:
    connection.execute("CREATE TABLE note (text)")


def write_a_note(connection: Connection) -> None:
    connection.execute("INSERT INTO note VALUES (1)")


def write_and_fail(connection: Connection) -> None:
    write_a_note(connection)
    raise KeyError


def transact_and_fail(engine: litewf.Engine, _job: Job) -> None:
    with pytest.raises(KeyError):
        engine.transact(write_and_fail)


CALLS: dict[str, Callable[[litewf.Engine, Job], object]] = {
    "transact": lambda engine, _job: engine.transact(write_a_note),
    "transact, and fail": transact_and_fail,
    "query": lambda engine, _job: engine.query("SELECT * FROM note"),
    "get_status": lambda engine, _job: engine.retrieve_workflow("first").get_status(),
    "start_workflow": lambda engine, job: engine.start_workflow(job, 1),
    "start_workflows": lambda engine, job: engine.start_workflows([(job, 1)]),
    "enqueue": lambda engine, job: engine.enqueue("line", job, 1),
    "run_workflow": lambda engine, job: engine.run_workflow(job, 1),
    "send": lambda engine, _job: engine.send("first", 1),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_an_engine_works_and_forgets_nothing_wherever_a_call_was_interrupted(
    launch: Launch, registry: litewf.Registry, call: Callable[[litewf.Engine, Job], object]
) -> None:
    @registry.workflow
    def job(number: int) -> int:
        return number

    engine = launch(clock=None)
    engine.run_workflow(job.with_options(workflow_id="first"), 0)
    engine.transact(make_the_table)
    call(engine, job)  # what happens the first time only, such as opening a connection, has its own places
    interrupted, at = True, 0
    while interrupted:
        at += 1
        interruptions = Interruptions(at)
        interrupted = interruptions.call(lambda: call(engine, job))
        works = launched(engine, job)
        assert works.wait(LONG), f"interrupted at {interruptions.place}, it works no more"
    for one in engine.list_workflows(limit=None):
        engine.retrieve_workflow(one.workflow_id).get_result(timeout=LONG)
    assert at > 20


def launched(engine: litewf.Engine, job: Job) -> threading.Event:
    """Set once another thread has written and read."""
    works = threading.Event()

    def work() -> None:
        engine.transact(write_a_note)
        engine.run_workflow(job, 2)
        works.set()

    threading.Thread(target=work, daemon=True).start()
    return works
