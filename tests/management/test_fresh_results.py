"""Results that are asked for right after the end: from memory, and still what the file says."""

import pytest

import litewf


def test_two_callers_do_not_share_the_parts_of_a_result(engine, registry):
    @registry.workflow
    def numbers():
        return [1, [2]]

    handle = engine.start_workflow(numbers)
    handle.get_result()[1].append(3)
    assert handle.get_result() == [1, [2]]


def test_the_result_of_a_workflow_that_was_rewound_is_the_new_one(engine, registry):
    runs = []

    @registry.step
    def count():
        runs.append(1)
        return len(runs)

    @registry.workflow
    def counted():
        return count()

    handle = engine.start_workflow(counted)
    assert handle.get_result() == 1
    assert engine.rewind_workflow(handle.workflow_id, 1).get_result() == 2
    assert handle.get_result() == 2


def test_a_workflow_that_another_engine_deleted_is_gone_after_the_next_commit(engine, path, registry):
    @registry.workflow
    def one():
        return 1

    handle = engine.start_workflow(one)
    assert handle.get_result() == 1
    with litewf.Engine(path, registry=registry) as other:
        other.delete_workflow(handle.workflow_id)
    engine.run_workflow(one)
    with pytest.raises(litewf.WorkflowNotFoundError):
        handle.get_result()


def test_a_long_result_is_read_from_the_file(engine, registry):
    @registry.workflow
    def long():
        return "x" * 10_000

    assert engine.run_workflow(long) == "x" * 10_000
