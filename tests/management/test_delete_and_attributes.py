"""Deleting workflows and changing their attributes."""

import threading

import pytest

import litewf
from tests.stage import Stage


@pytest.fixture
def quick(registry):
    @registry.workflow
    def quick(value=1):
        return value

    return quick


def test_a_deleted_workflow_leaves_nothing_behind(engine, registry, quick):
    @registry.step
    def work():
        return 1

    @registry.workflow
    def workflow():
        work()
        return quick()

    handle = engine.start_workflow(workflow.with_options(workflow_id="w"))
    handle.get_result()
    engine.delete_workflow("w")
    engine.delete_workflow("w~2")
    for table in ("workflow", "request", "outcome", "step", "wait"):
        assert engine.query(f"SELECT count(*) FROM {table}") == [(0,)], table


def test_the_id_of_a_deleted_workflow_is_free(engine, quick):
    named = quick.with_options(workflow_id="w", on_existing_id="reject")
    assert engine.run_workflow(named, 1) == 1
    engine.delete_workflow("w")
    assert engine.run_workflow(named, 2) == 2


def test_a_deleted_parent_leaves_its_children(engine, registry, quick):
    @registry.workflow
    def parent():
        return quick()

    engine.run_workflow(parent.with_options(workflow_id="p"))
    engine.delete_workflow("p")
    assert engine.retrieve_workflow("p~1").get_status().parent_id is None


def test_an_unfinished_workflow_cannot_be_deleted(stage: Stage, registry):
    @registry.workflow
    def sleeper():
        litewf.sleep(1000)

    with stage.engine() as engine:
        handle = engine.start_workflow(sleeper)
        with pytest.raises(litewf.WorkflowStateError, match="cancel"):
            engine.delete_workflow(handle.workflow_id)
        stage.parked(handle)
        handle.cancel()
        engine.delete_workflow(handle.workflow_id)
        assert engine.list_workflows() == []


def test_a_cancelled_workflow_whose_body_still_runs_cannot_be_deleted_yet(stage: Stage, registry):
    started, go_on = threading.Event(), threading.Event()

    @registry.step
    def body():
        started.set()
        assert go_on.wait(10)

    @registry.workflow
    def workflow():
        body()

    with stage.engine() as engine:
        handle = engine.start_workflow(workflow)
        assert started.wait(10)
        handle.cancel()
        with pytest.raises(litewf.WorkflowStateError, match="still runs"):
            engine.delete_workflow(handle.workflow_id)
        go_on.set()
        stage.until(lambda: engine.query("SELECT 1 FROM workflow WHERE owner IS NULL"))
        engine.delete_workflow(handle.workflow_id)


def test_attributes_are_merged_and_none_removes_one(engine, quick):
    handle = engine.start_workflow(quick.with_options(attributes={"shop": "eu", "tries": 1}))
    handle.get_result()
    engine.update_attributes(handle.workflow_id, {"tries": 2, "vip": True, "rate": 0.5})
    assert handle.get_status().attributes == {"shop": "eu", "tries": 2, "vip": True, "rate": 0.5}
    engine.update_attributes(handle.workflow_id, {"shop": None, "unknown": None})
    assert handle.get_status().attributes == {"tries": 2, "vip": True, "rate": 0.5}


BAD_ATTRIBUTES = [
    ({"list": [1]}, TypeError),
    ({1: "a"}, TypeError),
    (["a"], TypeError),
    ({"": "a"}, ValueError),
    ({"a\nb": "c"}, ValueError),
    ({"a": float("nan")}, ValueError),
    ({"a": "\ud800"}, ValueError),
]


@pytest.mark.parametrize(("bad", "error"), BAD_ATTRIBUTES, ids=ascii)
def test_attributes_that_sql_cannot_search_are_refused(engine, quick, bad, error):
    handle = engine.start_workflow(quick)
    handle.get_result()
    with pytest.raises(error):
        engine.update_attributes(handle.workflow_id, bad)
    with pytest.raises(error):
        quick.with_options(attributes=bad)
    assert handle.get_status().attributes == {}
