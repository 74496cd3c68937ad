"""Deadlines: absolute, fixed at the start, durable, and the end of whatever the workflow is doing (C3)."""

import asyncio
import threading
from datetime import timedelta

import pytest

import litewf
from tests.stage import Stage


@pytest.fixture
def sleeper(registry):
    @registry.workflow
    def sleeper(seconds):
        litewf.sleep(seconds)
        return "slept"

    return sleeper


def test_a_passed_deadline_cancels_and_says_so(stage: Stage, sleeper):
    with stage.engine() as engine:
        handle = engine.start_workflow(sleeper.with_options(timeout=60), 1000)
        stage.parked(handle)
        stage.clock.move(60)
        with pytest.raises(litewf.WorkflowTimeoutError, match=handle.workflow_id) as raised:
            handle.get_result()
        assert isinstance(raised.value, litewf.WorkflowCancelledError)
        assert isinstance(raised.value, TimeoutError)
        status = handle.get_status()
        assert (status.status, status.timeout) == ("CANCELLED", timedelta(seconds=60))
        assert status.deadline == status.created_at + timedelta(seconds=60)


def test_a_deadline_never_ends_a_workflow_early(stage: Stage, sleeper):
    """C3: never early by the engine's clock."""
    with stage.engine() as engine:
        handle = engine.start_workflow(sleeper.with_options(timeout=timedelta(minutes=1)), 59.999_998)
        stage.parked(handle)
        stage.clock.move(59.999_999)
        assert handle.get_result() == "slept"


def test_a_restart_does_not_extend_a_deadline(stage: Stage, sleeper):
    """C3: never extended by restart."""
    with stage.engine() as engine:
        handle = engine.start_workflow(sleeper.with_options(workflow_id="s", timeout=60), 1000)
        stage.parked(handle)
        deadline = handle.get_status().deadline
    stage.clock.move(50)
    with stage.engine() as engine:
        handle = engine.retrieve_workflow("s")
        assert handle.get_status().deadline == deadline
        assert handle.get_result(timeout=0, default="goes on") == "goes on"
        stage.clock.move(10)
        with pytest.raises(litewf.WorkflowTimeoutError):
            handle.get_result()


def test_a_deadline_that_passed_while_no_engine_ran_counts_at_launch(stage: Stage, sleeper):
    with stage.engine() as engine:
        stage.parked(engine.start_workflow(sleeper.with_options(workflow_id="s", timeout=60), 1000))
    stage.clock.move(2000)  # its sleep is over too, but the deadline came first
    with stage.engine() as engine, pytest.raises(litewf.WorkflowTimeoutError):
        engine.retrieve_workflow("s").get_result()


def test_a_workflow_that_lingers_in_memory_ends_at_its_deadline(stage: Stage, registry):
    ended = threading.Event()

    @registry.workflow
    def lingering():
        try:
            litewf.sleep(1000)
        finally:
            ended.set()

    with stage.engine(linger=None) as engine:
        handle = engine.start_workflow(lingering.with_options(timeout=60))
        stage.until(lambda: engine.list_steps(handle.workflow_id))
        stage.clock.move(60)
        with pytest.raises(litewf.WorkflowTimeoutError):
            handle.get_result()
        assert ended.wait(10)


def test_an_async_workflow_that_lingers_in_memory_ends_at_its_deadline(stage: Stage, registry):
    ended = threading.Event()

    @registry.workflow
    async def lingering():
        try:
            await asyncio.gather(litewf.sleep_async(1000), litewf.sleep_async(2000))
        finally:
            ended.set()

    with stage.engine(linger=None) as engine:
        handle = engine.start_workflow(lingering.with_options(timeout=60))
        stage.until(lambda: len(engine.list_steps(handle.workflow_id)) == 2)
        stage.clock.move(60)
        with pytest.raises(litewf.WorkflowTimeoutError):
            handle.get_result()
        assert ended.wait(10)


def test_no_body_starts_after_the_deadline_and_a_running_one_is_recorded(stage: Stage, registry):
    started, go_on, second = threading.Event(), threading.Event(), []

    @registry.step
    def first():
        started.set()
        assert go_on.wait(10)
        return "first"

    @registry.step
    def never():
        second.append(1)

    @registry.workflow
    def busy():
        first()
        never()

    with stage.engine() as engine:
        handle = engine.start_workflow(busy.with_options(timeout=60))
        assert started.wait(10)
        stage.clock.move(60)
        with pytest.raises(litewf.WorkflowTimeoutError):
            handle.get_result()
        go_on.set()
        stage.until(lambda: engine.list_steps(handle.workflow_id))
        assert [step.output for step in engine.list_steps(handle.workflow_id)] == ["first"]
    assert second == []


def test_a_deadline_ends_a_parent_and_the_child_that_it_waits_for(stage: Stage, registry, sleeper):
    @registry.workflow
    def parent():
        return sleeper(1000)

    with stage.engine() as engine:
        handle = engine.start_workflow(parent.with_options(workflow_id="p", timeout=60))
        stage.until(lambda: handle.get_status().waiting_on and engine.list_workflows(workflow_ids=["p~1"]))
        stage.clock.move(60)
        for workflow_id in ("p", "p~1"):
            with pytest.raises(litewf.WorkflowTimeoutError):
                engine.retrieve_workflow(workflow_id).get_result()


def test_a_parent_outlives_the_shorter_deadline_of_its_child(stage: Stage, registry, sleeper):
    @registry.workflow
    def parent():
        try:
            sleeper.with_options(timeout=5)(1000)
        except litewf.WorkflowTimeoutError:
            return "the child took too long"

    with stage.engine() as engine:
        handle = engine.start_workflow(parent.with_options(timeout=60, workflow_id="p"))
        stage.until(lambda: engine.list_workflows(workflow_ids=["p~1"]))
        stage.parked(engine.retrieve_workflow("p~1"))
        stage.clock.move(5)
        assert handle.get_result() == "the child took too long"


def test_a_detached_child_outlives_the_deadline_of_its_parent(stage: Stage, registry, sleeper):
    @registry.workflow
    def parent():
        return sleeper.with_options(detached=True)(100)

    with stage.engine() as engine:
        handle = engine.start_workflow(parent.with_options(workflow_id="p", timeout=60))
        stage.parked(handle)
        stage.parked(engine.retrieve_workflow("p~1"))
        stage.clock.move(60)
        with pytest.raises(litewf.WorkflowTimeoutError):
            handle.get_result()
        stage.clock.move(40)
        assert engine.retrieve_workflow("p~1").get_result() == "slept"


def test_a_retry_that_waits_ends_at_the_deadline(stage: Stage, registry):
    @registry.step(max_retries=5, base_interval=1000, max_interval=1000)
    def fails():
        raise ConnectionError("down")

    @registry.workflow
    def retries():
        fails()

    with stage.engine() as engine:
        handle = engine.start_workflow(retries.with_options(timeout=60))
        stage.parked(handle)
        stage.clock.move(60)
        with pytest.raises(litewf.WorkflowTimeoutError):
            handle.get_result()


def test_a_deadline_that_passed_before_the_end_was_written_loses(stage: Stage, registry):
    """C2: a workflow that ends first keeps its result, whatever the clock says later."""

    @registry.workflow
    def quick():
        return 1

    with stage.engine() as engine:
        handle = engine.start_workflow(quick.with_options(timeout=60))
        assert handle.get_result() == 1
        stage.clock.move(1000)
        assert handle.get_result() == 1
        assert handle.get_status().status == "SUCCESS"


def test_a_thousand_deadlines_at_one_moment_all_count(stage: Stage, sleeper):
    with stage.engine() as engine:
        handles = engine.start_workflows([(sleeper.with_options(timeout=60), 1000)] * 1200)
        stage.until(lambda: engine.query("SELECT count(*) FROM workflow WHERE phase = 'parked'")[0][0] == 1200)
        stage.clock.move(60)
        stage.until(lambda: len(engine.list_workflows(status="CANCELLED", load_input=False)) == 1200)
        with pytest.raises(litewf.WorkflowTimeoutError):
            handles[-1].get_result()


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), -0.1, timedelta(days=-1), 1e12])
def test_a_timeout_that_is_no_duration_is_refused(sleeper, timeout):
    with pytest.raises(ValueError, match="timeout"):
        sleeper.with_options(timeout=timeout)


@pytest.mark.parametrize("timeout", ["60", True, [60]])
def test_a_timeout_of_another_type_is_refused(sleeper, timeout):
    with pytest.raises(TypeError, match="timeout"):
        sleeper.with_options(timeout=timeout)
