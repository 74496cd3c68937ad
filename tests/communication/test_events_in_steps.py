"""set_event inside a step commits at once; an execution that lost its workflow sets nothing."""

import threading

import pytest

import litewf
from tests.communication.acting import rows, start
from tests.stage import PATIENCE_S, Stage


class Gate:
    """Where a body waits for the test."""

    def __init__(self):
        self.reached = threading.Event()
        self.open = threading.Event()

    def pass_through(self):
        self.reached.set()
        assert self.open.wait(PATIENCE_S)


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def slow(registry, gate):
    """A workflow whose step shows 1, waits at the gate, and shows 2."""

    @registry.step
    def body():
        litewf.set_event("k", 1)
        gate.pass_through()
        litewf.set_event("k", 2)
        return "done"

    @registry.workflow
    def slow():
        return body()

    return slow


def test_it_is_visible_while_the_step_still_runs(stage: Stage, slow, gate):
    with stage.engine() as engine:
        handle = start(engine, slow, "w")
        assert engine.get_event("w", "k", timeout=60) == 1
        assert handle.get_status().status == "PENDING"
        gate.open.set()
        assert handle.get_result() == "done"
        assert engine.get_event("w", "k") == 2


def test_it_is_no_step_of_its_own(stage: Stage, slow, gate):
    gate.open.set()
    with stage.engine() as engine:
        start(engine, slow, "w").get_result()
        assert len(engine.list_steps("w")) == 1


def test_each_attempt_sets_its_own(stage: Stage, registry):
    @registry.step(max_retries=2, base_interval=0)
    def body():
        litewf.set_event("attempt", litewf.attempt())
        if litewf.attempt() < 3:
            raise ValueError

    @registry.workflow
    def main():
        body()

    with stage.engine() as engine:
        start(engine, main, "w").get_result()
        assert engine.get_event("w", "attempt") == 3
        assert rows(engine, "event") == 3


def test_an_async_step_sets_with_the_async_form(stage: Stage, registry):
    @registry.step
    async def body():
        with pytest.raises(litewf.BlockingCallError, match="set_event_async"):
            litewf.set_event("k", 1)
        await litewf.set_event_async("k", 2)

    @registry.workflow
    async def main():
        await body()

    with stage.engine() as engine:
        start(engine, main, "w").get_result()
        assert engine.get_event("w", "k") == 2


def test_what_the_workflow_did_before_is_durable_with_it(stage: Stage, registry, gate):
    @registry.step
    def body(moment):
        litewf.set_event("since", moment.isoformat())
        gate.pass_through()

    @registry.workflow
    def main():
        body(litewf.now())

    with stage.engine() as engine:
        start(engine, main, "w")
        since = engine.get_event("w", "since")
        assert engine.list_steps("w")[0].output.isoformat() == since
        gate.open.set()


@pytest.mark.parametrize("how", ["cancel", "cancel and resume"])
def test_after_a_cancel_it_sets_nothing(stage: Stage, slow, gate, how):
    """C1, B4."""
    with stage.engine() as engine:
        handle = start(engine, slow, "w")
        assert gate.reached.wait(PATIENCE_S)
        handle.cancel()
        before = rows(engine, "event")
        gate.open.set()
        stage.until(lambda: handle.get_status().executor_id is None)
        assert rows(engine, "event") == before == 1
        assert engine.get_event("w", "k") == 1
        with pytest.raises(litewf.WorkflowCancelledError):
            handle.get_result()
        if how == "cancel and resume":
            engine.resume_workflow("w")
            assert handle.get_result() == "done"
            assert engine.get_event("w", "k") == 2


def test_after_the_workflow_was_taken_over_it_sets_nothing(stage: Stage, slow, gate, registry):
    """B4."""
    other_gate = Gate()
    theirs = litewf.Registry()

    @theirs.step
    def body():
        litewf.set_event("k", "theirs")
        other_gate.pass_through()

    @theirs.workflow(name=next(iter(registry.workflows)))
    def again():
        body()

    first = stage.engine()
    first.launch()
    start(first, slow, "w")
    assert gate.reached.wait(PATIENCE_S)
    runtime = first._running()
    runtime.dispatcher.stop(PATIENCE_S)  # it hangs as a whole, and its lock is lost
    runtime.store.lock.drop()
    with stage.engine(registry=theirs) as second:
        assert other_gate.reached.wait(PATIENCE_S)
        before = rows(second, "event")
        gate.open.set()
        with runtime._none_active:
            assert runtime._none_active.wait_for(lambda: not runtime._active, PATIENCE_S)
        assert rows(second, "event") == before
        assert second.get_event("w", "k") == "theirs"
        other_gate.open.set()
    first.shutdown()


def test_a_step_may_read_events_with_the_engine_unrecorded(stage: Stage, registry):
    engine = stage.engine()

    @registry.step
    def body():
        litewf.set_event("k", 1)
        return engine.get_event(litewf.workflow_id(), "k"), engine.get_all_events(litewf.workflow_id())

    @registry.workflow
    def main():
        return body()

    with engine:
        assert start(engine, main, "w").get_result() == (1, {"k": 1})
        assert len(engine.list_steps("w")) == 1
