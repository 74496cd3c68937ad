"""Bodies that run while their workflow is cancelled: asked, stopped, or left alone."""

import asyncio
import threading

import pytest

import litewf
from tests.stage import Stage


def test_a_body_may_ask_whether_its_workflow_was_cancelled(stage: Stage, registry):
    started, noticed, again = threading.Event(), threading.Event(), threading.Event()

    @registry.step
    def patient():
        assert not litewf.cancelled()
        started.set()
        assert again.wait(10)
        if litewf.cancelled():
            noticed.set()

    @registry.workflow
    def asking():
        patient()

    with stage.engine() as engine:
        handle = engine.start_workflow(asking)
        assert started.wait(10)
        handle.cancel()
        again.set()
        assert noticed.wait(10)


@pytest.mark.parametrize("how", ["async workflow", "sync workflow"])
def test_a_cancellable_body_is_stopped(stage: Stage, registry, how):
    started, stopped, runs = threading.Event(), threading.Event(), []

    async def endless(forever=True):
        runs.append(1)
        started.set()
        try:
            if forever and len(runs) == 1:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.set()
            raise
        return "ended"

    step = registry.step(cancellable=True)(endless)
    if how == "async workflow":

        @registry.workflow(name="w")
        async def workflow():
            return await step()
    else:

        @registry.workflow(name="w")
        def workflow():
            return litewf.run_step(step)

    with stage.engine() as engine:
        handle = engine.start_workflow(workflow)
        assert started.wait(10)
        handle.cancel()
        assert stopped.wait(10)
        stage.until(lambda: engine.query("SELECT 1 FROM workflow WHERE owner IS NULL"))
        assert engine.list_steps(handle.workflow_id) == []  # it never ended, so it runs again
        assert engine.resume_workflow(handle.workflow_id).get_result() == "ended"
    assert len(runs) == 2


def test_a_cancellable_body_that_ends_in_spite_of_the_cancel_is_recorded(stage: Stage, registry):
    started, runs = threading.Event(), []

    @registry.step(cancellable=True)
    async def stubborn():
        runs.append(1)
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "cleaned up"

    @registry.workflow
    async def workflow():
        return await stubborn()

    with stage.engine() as engine:
        handle = engine.start_workflow(workflow)
        assert started.wait(10)
        handle.cancel()
        stage.until(lambda: engine.list_steps(handle.workflow_id))
        assert engine.resume_workflow(handle.workflow_id).get_result() == "cleaned up"
    assert runs == [1]


def test_a_body_that_is_not_cancellable_is_left_alone(stage: Stage, registry):
    started, go_on = threading.Event(), asyncio.Event()
    loops = []

    @registry.step
    async def patient():
        loops.append(asyncio.get_running_loop())
        started.set()
        await go_on.wait()
        return "ended"

    @registry.workflow
    async def workflow():
        return await patient()

    with stage.engine() as engine:
        handle = engine.start_workflow(workflow)
        assert started.wait(10)
        handle.cancel()
        loops[0].call_soon_threadsafe(go_on.set)
        stage.until(lambda: engine.list_steps(handle.workflow_id))
        assert engine.list_steps(handle.workflow_id)[0].output == "ended"


def test_only_async_bodies_can_be_cancellable(registry):
    with pytest.raises(ValueError, match="async"):

        @registry.step(cancellable=True)
        def sync():
            pass
