"""Resume: what was stopped goes on from its last recorded step; nothing that is recorded runs again (B1)."""

import threading

import pytest

import litewf
from tests.stage import Stage


@pytest.fixture
def sleeper(registry):
    """Counts its first step, sleeps, counts its second."""
    runs = []

    @registry.step
    def work(what):
        runs.append(what)
        return what

    @registry.workflow
    def sleeper():
        first = work("first")
        litewf.sleep(1000)
        return first, work("second")

    sleeper.runs = runs
    return sleeper


def test_a_cancelled_workflow_goes_on_from_its_last_step(stage: Stage, sleeper):
    with stage.engine() as engine:
        handle = engine.start_workflow(sleeper)
        stage.parked(handle)
        handle.cancel()
        assert engine.resume_workflow(handle.workflow_id) == handle
        stage.parked(handle)
        assert (handle.get_status().status, handle.get_status().error) == ("PENDING", None)
        stage.clock.move(1000)
        assert handle.get_result() == ("first", "second")
    assert sleeper.runs == ["first", "second"]


def test_a_resumed_sleep_keeps_its_first_wake_time(stage: Stage, sleeper):
    """H4: the deadline of a wait is fixed at the first call."""
    with stage.engine() as engine:
        handle = engine.start_workflow(sleeper)
        stage.parked(handle)
        handle.cancel()
        stage.clock.move(1000)
        assert engine.resume_workflow(handle.workflow_id).get_result() == ("first", "second")


def test_resume_clears_the_deadline(stage: Stage, sleeper):
    with stage.engine() as engine:
        handle = engine.start_workflow(sleeper.with_options(timeout=60))
        stage.parked(handle)
        stage.clock.move(60)
        with pytest.raises(litewf.WorkflowTimeoutError):
            handle.get_result()
        engine.resume_workflow(handle.workflow_id)
        assert handle.get_status().deadline is None
        stage.parked(handle)
        stage.clock.move(1000)
        assert handle.get_result() == ("first", "second")


def test_resume_takes_the_children_that_the_same_cancel_stopped(stage: Stage, registry, sleeper):
    @registry.workflow
    def parent():
        handles = [litewf.start_workflow(sleeper) for _ in range(3)]
        return litewf.wait_all(handles)

    with stage.engine() as engine:
        handle = engine.start_workflow(parent.with_options(workflow_id="p"))
        stage.parked(handle)
        for number in (1, 2, 3):
            stage.parked(engine.retrieve_workflow(f"p~{number}"))
        engine.cancel_workflow("p~2")  # a cancel of its own
        stage.until(lambda: handle.get_status().waiting_on)
        engine.cancel_workflow("p")
        engine.resume_workflow("p")
        statuses = {one.workflow_id: one.status for one in engine.list_workflows()}
        assert statuses == {"p": "PENDING", "p~1": "PENDING", "p~2": "CANCELLED", "p~3": "PENDING"}
        engine.resume_workflow("p~2")
        assert engine.retrieve_workflow("p~2").get_status().status == "PENDING"


def test_a_child_may_be_resumed_alone(stage: Stage, registry, sleeper):
    @registry.workflow
    def parent():
        return sleeper()

    with stage.engine() as engine:
        handle = engine.start_workflow(parent.with_options(workflow_id="p"))
        stage.until(lambda: engine.list_workflows(workflow_ids=["p~1"]))
        stage.parked(engine.retrieve_workflow("p~1"))
        handle.cancel()
        engine.resume_workflow("p~1")
        stage.clock.move(1000)
        assert engine.retrieve_workflow("p~1").get_result() == ("first", "second")
        assert handle.get_status().status == "CANCELLED"
        assert engine.resume_workflow("p").get_result() == ("first", "second")


@pytest.mark.parametrize("ending", ["SUCCESS", "ERROR"])
def test_a_finished_workflow_cannot_be_resumed_and_rewind_is_named(engine, registry, ending):
    @registry.workflow
    def ends():
        if ending == "ERROR":
            raise ValueError("bad")

    handle = engine.start_workflow(ends)
    handle.as_future().exception(10)
    with pytest.raises(litewf.WorkflowStateError, match=f"{ending}.*rewind_workflow"):
        engine.resume_workflow(handle.workflow_id)


def test_resuming_a_workflow_that_runs_leaves_it_alone(stage: Stage, sleeper):
    with stage.engine() as engine:
        handle = engine.start_workflow(sleeper.with_options(timeout=5000))
        stage.parked(handle)
        before = handle.get_status()
        engine.resume_workflow(handle.workflow_id)
        assert handle.get_status() == before


@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_resume_while_the_old_body_still_runs_waits_for_it(stage: Stage, registry, how):
    """B3: two executions of one step never overlap."""
    started, go_on, running, most, runs = threading.Event(), threading.Event(), [], [], []

    @registry.step
    def body():
        runs.append(1)
        running.append(1)
        most.append(len(running))
        started.set()
        assert go_on.wait(10)
        running.pop()
        return len(runs)

    if how == "sync":

        @registry.workflow(name="w")
        def workflow():
            return body()
    else:

        @registry.workflow(name="w")
        async def workflow():
            return await litewf.run_step_async(body)

    with stage.engine() as engine:
        handle = engine.start_workflow(workflow)
        assert started.wait(10)
        for _ in range(3):
            handle.cancel()
            engine.resume_workflow(handle.workflow_id)
            assert handle.get_status().status == "PENDING"
        assert engine.query("SELECT phase FROM workflow") == [("stopping",)]
        go_on.set()
        assert handle.get_result() == 1
    assert runs == [1]
    assert most == [1]


def test_a_cancel_while_a_resume_waits_for_the_old_body_counts(stage: Stage, registry):
    started, go_on, runs = threading.Event(), threading.Event(), []

    @registry.step
    def body():
        runs.append(1)
        started.set()
        assert go_on.wait(10)

    @registry.workflow
    def workflow():
        body()
        body()

    with stage.engine() as engine:
        handle = engine.start_workflow(workflow)
        assert started.wait(10)
        handle.cancel()
        engine.resume_workflow(handle.workflow_id)
        handle.cancel()
        go_on.set()
        stage.until(lambda: engine.query("SELECT 1 FROM workflow WHERE owner IS NULL"))
        assert handle.get_status().status == "CANCELLED"
    assert runs == [1]


def test_a_resume_by_another_engine_waits_for_the_body_in_this_one(stage: Stage, registry):
    started, go_on, runs = threading.Event(), threading.Event(), []

    @registry.step
    def body():
        runs.append(1)
        started.set()
        assert go_on.wait(10)
        return "once"

    @registry.workflow
    def workflow():
        return body()

    with stage.engine() as one, stage.engine() as two:
        handle = one.start_workflow(workflow)
        assert started.wait(10)
        two.cancel_workflow(handle.workflow_id)
        again = two.resume_workflow(handle.workflow_id)
        go_on.set()
        assert again.get_result() == "once"
    assert runs == [1]


def test_a_held_workflow_is_tried_again_on_resume(stage: Stage):
    old, new = litewf.Registry(), litewf.Registry()

    def one(number):
        return number

    for registry, names in ((old, ["a", "b"]), (new, ["b", "a"])):

        @registry.workflow(name="w")
        def workflow(names=names, registry=registry):
            first = registry.step(name=names[0])(one)(1)
            litewf.sleep(10)
            return first + registry.step(name=names[1])(one)(2)

    with stage.engine(registry=old, application_version="1", recover="compatible") as engine:
        handle = engine.start_workflow(litewf.Workflow(old.workflows["w"], old).with_options(workflow_id="w"))
        stage.parked(handle)
    stage.clock.move(10)
    with stage.engine(registry=new, application_version="2", recover="compatible") as engine:
        stage.until(lambda: engine.retrieve_workflow("w").get_status().held)
        with pytest.raises(litewf.NonDeterminismError, match="step 1 is recorded as 'a'"):
            engine.retrieve_workflow("w").get_result()
        engine.resume_workflow("w")
        stage.until(lambda: engine.retrieve_workflow("w").get_status().held)
    with stage.engine(registry=old, application_version="3", recover="compatible") as engine:
        assert engine.retrieve_workflow("w").get_result() == 3
