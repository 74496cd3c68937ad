"""Signals that arrive while the main thread is in a blocking call: whatever the call has started runs."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

import litewf
from litewf.store import writer
from litewf.world import World

Launch = Callable[..., litewf.Engine]

LONG = 20.0


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
Start = Callable[[litewf.Engine, "litewf.Workflow[[int], int]", str], object]
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
