"""An engine that lost its workflow without noticing writes nothing more (B4).

The first engine hangs in the workflow's code while its lock is lost. A second one takes the workflow over, and hangs in it
too. Then the first goes on, and whatever it tries, the file must stay as it is.
"""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import litewf
from litewf.testing import VirtualClock
from litewf.testing.places import workplace
from tests.crash.invariants import Image
from tests.crash.ledger import Ledger
from tests.crash.life import Life

pytestmark = pytest.mark.usefixtures("silent_logs")


class Gate:
    """Where the first engine hangs."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()

    def pass_through(self) -> None:
        if not self._open.is_set():
            self.reached.set()
            assert self._open.wait(20)

    def open(self) -> None:
        self._open.set()


class Deeds:
    """What a workflow may do once the gate is open."""

    def __init__(self, registry: litewf.Registry, run: str) -> None:
        @registry.step
        def plain() -> str:
            return run

        @registry.step(max_retries=2, base_interval=3600)
        def flaky() -> str:
            raise ValueError(run)

        @registry.step(on_uncertain="fail")
        def uncertain() -> str:
            return run

        @registry.transaction
        def deposit(conn: litewf.Connection) -> str:
            conn.execute("INSERT INTO deposit VALUES (?)", (run,))
            return run

        @registry.workflow
        def child() -> str:
            return run

        self.record_a_step = plain
        self.schedule_a_retry = flaky
        self.write_an_intent = uncertain
        self.commit_a_transaction = deposit
        self.run_a_child = child
        self.start_children = lambda: litewf.start_workflows([(child,), (child,)])
        self.sleep = lambda: litewf.sleep(3600)
        self.receive_a_message = lambda: litewf.recv(timeout=0, default="nothing")
        self.send_a_message = lambda: litewf.send("w", run)
        self.show_an_event = lambda: litewf.set_event("k", run)
        self.return_something = lambda: run
        self.record_what_was_buffered = lambda: (litewf.random(), litewf.uuid(), plain())

    def fail(self) -> None:
        raise ValueError("the end")


DEEDS = [
    "record_a_step", "schedule_a_retry", "write_an_intent", "commit_a_transaction", "run_a_child", "start_children",
    "sleep", "receive_a_message", "send_a_message", "show_an_event", "return_something", "record_what_was_buffered",
    "fail",
]  # fmt: skip


@pytest.fixture
def folder() -> Iterator[Any]:
    with workplace() as folder:
        yield folder


def _engine(
    folder: Any, clock: VirtualClock, run: str, deed: str, gate: Callable[[], None], crash_at: int | None = None
) -> tuple[Life, Any]:
    life = Life(folder / "flows.db", clock, Ledger(), crash_at=crash_at, linger=0)
    deeds = Deeds(life.registry, run)

    @life.registry.step
    def before() -> str:
        return run

    @life.workflow
    def main() -> Any:
        before()
        gate()
        return getattr(deeds, deed)()

    return life, main


class Hung:
    """An engine that stopped in the middle of a workflow, and lost its lock meanwhile."""

    def __init__(self, folder: Any, clock: VirtualClock, deed: str) -> None:
        self._gate = Gate()
        life, main = _engine(folder, clock, "first", deed, self._gate.pass_through)
        self._engine = life.engine
        self._engine.launch()
        self._engine.transact(lambda conn: conn.execute("CREATE TABLE deposit (run TEXT)"))
        self._engine.start_workflow(main.with_options(workflow_id="w"))
        self._engine.send("w", "for whoever owns it")
        assert self._gate.reached.wait(20)
        self._runtime = self._engine._running()
        self._runtime.dispatcher.stop(20)  # it hangs as a whole: it notices nothing, and claims nothing
        assert self._runtime.store.lock is not None
        self._runtime.store.lock.drop()

    @property
    def executor(self) -> int:
        return self._runtime.able.executor

    def go_on(self) -> None:
        """Try everything that it has not done yet."""
        self._gate.open()
        with self._runtime._none_active:
            assert self._runtime._none_active.wait_for(lambda: not self._runtime._active, 20)

    def look_for_work(self) -> None:
        """Do once what its dispatcher does all the time."""
        self._runtime.dispatcher._stopping = False
        self._runtime.dispatcher.look_for_ready()
        self._runtime.dispatcher.run_once()

    def shutdown(self) -> None:
        self._engine.shutdown()


@pytest.mark.parametrize("deed", DEEDS)
def test_an_engine_that_lost_its_workflow_cannot(deed: str, folder: Any) -> None:
    clock, gate = VirtualClock(mode="driven"), Gate()
    first = Hung(folder, clock, deed)
    second, _ = _engine(folder, clock, "second", deed, gate.pass_through)
    second.engine.launch()
    assert gate.reached.wait(20), "the second engine did not take it over"
    before = _rows(folder)
    first.go_on()
    assert _rows(folder) == before

    gate.open()
    second.settle()
    assert not any("first" in str(row) for row in _rows(folder)["outcome"])
    second.engine.shutdown()
    first.shutdown()


def test_an_engine_that_lost_its_workflow_writes_nothing_from_that_moment_on() -> None:
    """The second engine dies at one point after the other: before, at and after the commit that takes over."""
    taken_over = []
    for crash_at in range(1, 12):
        with workplace() as folder:
            clock = VirtualClock(mode="driven")
            first = Hung(folder, clock, "record_a_step")
            second, _ = _engine(folder, clock, "second", "record_a_step", lambda: None, crash_at=crash_at)
            assert second.run(second.drive_to_rest)
            before = _rows(folder)
            taken_over.append(before["workflow"][0][6] != first.executor)
            first.go_on()
            assert (_rows(folder) == before) is taken_over[-1], f"the second engine died at point {crash_at}"
            if taken_over[-1]:
                first.look_for_work()
                assert _rows(folder) == before, "what it claims now, nobody takes back"
            first.shutdown()
    assert {True, False} == set(taken_over)


def _rows(folder: Any) -> dict[str, Any]:
    """All that a workflow can write."""
    image = Image.of(folder / "flows.db")
    tables = ("workflow", "request", "outcome", "step", "wait", "message", "event", "deposit")
    rows = {table: image.rows(f"SELECT * FROM {table}") for table in tables}
    image.close()
    return rows
