"""The operations inside workflows: each is a durable call, done once and replayed the same."""

import asyncio
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import litewf
from tests.stage import Stage


@pytest.fixture
def child(registry):
    @registry.workflow(name="child")
    def child(value):
        return value

    return child


@pytest.fixture
def sleeper(registry):
    @registry.workflow(name="sleeper")
    def sleeper(seconds=1000):
        litewf.sleep(seconds)
        return "slept"

    return sleeper


OPERATIONS = {
    "start_workflow": lambda engine, child: engine.start_workflow(child, 1).workflow_id,
    "start_workflows": lambda engine, child: [one.workflow_id for one in engine.start_workflows([(child, 1)])],
    "run_workflow": lambda engine, child: engine.run_workflow(child, 1),
    "retrieve_workflow": lambda engine, child: engine.retrieve_workflow("target").workflow_id,
    "get_result": lambda engine, child: engine.retrieve_workflow("done").get_result(),
    "get_status": lambda engine, child: engine.retrieve_workflow("target").get_status().status,
    "list_workflows": lambda engine, child: [one.workflow_id for one in engine.list_workflows(name="sleeper")],
    "list_steps": lambda engine, child: [(one.name, one.error) for one in engine.list_steps("failed")],
    "cancel": lambda engine, child: engine.retrieve_workflow("target").cancel(),
    "cancel_workflow": lambda engine, child: engine.cancel_workflow("target"),
    "resume_workflow": lambda engine, child: engine.resume_workflow("target").workflow_id,
    "fork_workflow": lambda engine, child: len(engine.fork_workflow("done").workflow_id),
    "rewind_workflow": lambda engine, child: engine.rewind_workflow("done", 1).workflow_id,
    "delete_workflow": lambda engine, child: engine.delete_workflow("failed"),
    "update_attributes": lambda engine, child: engine.update_attributes("target", {"seen": True}),
    "query": lambda engine, child: engine.query("SELECT count(*) FROM workflow WHERE name = 'sleeper'"),
}
OUTCOMES = {
    "start_workflow": "w~1",
    "start_workflows": ["w~1.1"],
    "run_workflow": 1,
    "retrieve_workflow": "target",
    "get_result": 7,
    "get_status": "PENDING",
    "list_workflows": ["target"],
    "cancel": None,
    "cancel_workflow": None,
    "resume_workflow": "target",
    "fork_workflow": 36,
    "rewind_workflow": "done",
    "delete_workflow": None,
    "update_attributes": None,
    "query": [(1,)],
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_inside_a_workflow_is_recorded_and_replays_the_same(stage: Stage, registry, child, sleeper, name):
    seen = []

    @registry.step
    def fails():
        raise ValueError("bad")

    @registry.workflow
    def failing():
        fails()

    with stage.engine() as engine:

        @registry.workflow
        def workflow():
            seen.append(OPERATIONS[name](engine, child))
            litewf.sleep(10)
            return seen[-1]

        stage.parked(engine.start_workflow(sleeper.with_options(workflow_id="target")))
        engine.run_workflow(child.with_options(workflow_id="done"), 7)
        engine.start_workflow(failing.with_options(workflow_id="failed")).as_future().exception(10)
        handle = engine.start_workflow(workflow.with_options(workflow_id="w"))
        stage.asleep(handle)  # not merely parked: it may wait for a child before
        engine.start_workflow(sleeper.with_options(workflow_id="another"))  # an answer now would be another one
        stage.clock.move(10)
        handle.get_result()
        names = [step.name for step in engine.list_steps("w")]
    assert len(seen) == 2
    assert str(seen[0]) == str(seen[1])
    if name in OUTCOMES:
        assert seen[0] == OUTCOMES[name]
    assert names[-1] == "litewf.sleep"
    assert all(step.startswith("litewf.") for step in names)


def test_the_async_forms_do_the_same(path, registry):
    @registry.workflow(name="child")
    async def child(value):
        return value

    @registry.workflow(name="sleeper")
    async def sleeper():
        await litewf.sleep_async(1000)

    @registry.workflow
    async def workflow():
        one = await litewf.start_workflow_async(child, 1)
        two, three = await litewf.start_workflows_async([(child, 2), (child, 3)])
        nap = await litewf.start_workflow_async(sleeper)
        await litewf.cancel_workflow_async(nap.workflow_id)
        again = await litewf.retrieve_workflow_async(one.workflow_id)
        listed = await litewf.list_workflows_async(name="sleeper")
        results = await asyncio.gather(again.get_result_async(), two.get_result_async(), three.get_result_async())
        return (
            results,
            await litewf.run_workflow_async(child, 4),
            listed[0].status,
            (await nap.get_status_async()).status,
        )

    async def main():
        async with litewf.Engine(path, registry=registry, linger=0) as engine:
            return await engine.run_workflow_async(workflow)

    assert asyncio.run(main()) == ([1, 2, 3], 4, "CANCELLED", "CANCELLED")


def test_an_operation_inside_a_step_is_a_plain_call(engine, registry, child):
    @registry.step
    def start():
        return engine.start_workflow(child.with_options(workflow_id="free"), 5).get_result()

    @registry.workflow
    def workflow():
        return start()

    assert engine.run_workflow(workflow.with_options(workflow_id="w")) == 5
    assert engine.retrieve_workflow("free").get_status().parent_id is None
    assert len(engine.list_steps("w")) == 1


def test_another_engine_inside_a_workflow_is_refused_and_run_step_is_named(stage: Stage, registry, child):
    with stage.engine() as one, stage.engine() as two:

        @registry.workflow
        def workflow():
            two.start_workflow(child, 1)

        with pytest.raises(litewf.UsageError, match="run_step"):
            one.run_workflow(workflow)


def test_an_engine_that_is_closed_or_was_never_launched_says_so(path, registry, child):
    engine = litewf.Engine(path, registry=registry)
    with pytest.raises(litewf.EngineClosedError, match="launch"):
        engine.start_workflow(child, 1)
    with engine:
        handle = engine.start_workflow(child, 1)
        handle.get_result()
    for call in (lambda: engine.start_workflow(child, 1), handle.get_result, handle.as_future, engine.list_workflows):
        with pytest.raises(litewf.EngineClosedError):
            call()


CRASHING = """
    import os, sys
    import litewf

    @litewf.workflow(name="child", max_recovery_attempts=1)
    def child():
        os._exit(9)

    @litewf.workflow(name="parent")
    def parent():
        return litewf.start_workflow(child.with_options(workflow_id="c")).get_result()

    with litewf.Engine(sys.argv[1], linger=0) as engine:
        engine.start_workflow(parent.with_options(workflow_id="p"))
        engine.retrieve_workflow("c").get_result() if len(sys.argv) > 2 else engine.retrieve_workflow("p").get_result()
"""


def test_a_parent_sees_that_its_child_was_given_up(path, registry):
    """B12, D3: a child that kills its process is given up, and its parent gets that error."""

    @registry.workflow(name="child", max_recovery_attempts=1)
    def child():
        return "alive"

    @registry.workflow(name="parent")
    def parent():
        try:
            return litewf.start_workflow(child.with_options(workflow_id="c")).get_result()
        except litewf.MaxRecoveryAttemptsExceededError as error:
            return "given up", "'c'" in str(error)

    for _ in range(2):
        command = [sys.executable, "-c", textwrap.dedent(CRASHING), str(path)]
        process = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(Path.cwd())}, check=False, timeout=60)
        assert process.returncode == 9
    with litewf.Engine(path, registry=registry, linger=0) as engine:
        assert engine.retrieve_workflow("p").get_result(timeout=20) == ("given up", True)
        assert engine.retrieve_workflow("c").get_status().status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED"
        assert engine.resume_workflow("c").get_result(timeout=20) == "alive"
