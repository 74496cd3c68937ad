"""Metrics: what began and ended, how long runs, steps and queues took."""

import threading

import pytest

import litewf


def test_workflows_are_counted_once_however_often_they_run(launch, stage, registry, scope):
    @registry.step(name="step", max_retries=1, base_interval=0)
    def step(fails):
        if fails:
            raise OSError("no")

    @registry.workflow(name="flow")
    def flow(fails):
        step(fails)
        litewf.sleep(60)

    engine = launch()
    handle = engine.start_workflow(flow, False)
    stage.asleep(handle)
    stage.clock.move(60)
    handle.get_result()
    with pytest.raises(litewf.StepRetriesExceededError):
        engine.run_workflow(flow, True)
    engine.shutdown()
    assert scope.metric("litewf.workflow.started") == {("flow",): 2}
    assert scope.metric("litewf.workflow.ended") == {("flow", "SUCCESS"): 1, ("flow", "ERROR"): 1}
    assert scope.metric("litewf.workflow.active") == {("flow",): 0}
    assert scope.metric("litewf.step.duration") == {("step", "returned", "flow"): 1, ("step", "raised", "flow"): 2}
    runs = scope.metric("litewf.workflow.run.duration")
    assert runs[("flow", "parked")] >= 1
    assert runs[("flow", "returned")] == 1


def test_a_cancelled_workflow_is_counted_where_it_runs(launch, registry, scope):
    inside, go_on = threading.Event(), threading.Event()

    @registry.step(name="step")
    def step():
        inside.set()
        go_on.wait(20)

    @registry.workflow(name="flow")
    def flow():
        step()
        step()

    engine = launch()
    handle = engine.start_workflow(flow)
    inside.wait(20)
    assert scope.metric("litewf.workflow.active") == {("flow",): 1}
    handle.cancel()
    go_on.set()
    engine.shutdown()
    assert scope.metric("litewf.workflow.ended") == {("flow", "CANCELLED"): 1}
    assert len(scope.spans("step step")) == 1


def test_the_wait_in_a_queue_is_measured(launch, registry, scope):
    litewf.Queue("q", registry=registry)

    @registry.workflow(name="flow")
    def flow():
        pass

    engine = launch()
    litewf.Engine.enqueue(engine, "q", flow).get_result()
    engine.shutdown()
    assert scope.metric("litewf.queue.wait") == {("q", "flow"): 1}
