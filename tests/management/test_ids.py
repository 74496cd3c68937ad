"""Ids are idempotency keys: one id is one workflow (B10), bad ids are refused before anything is written."""

import asyncio
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

import litewf


@pytest.fixture
def counted(registry):
    """A workflow that counts how often its step body runs."""
    runs = []

    @registry.step
    def work(value):
        runs.append(value)
        return value

    @registry.workflow
    def counted(value):
        return work(value)

    counted.runs = runs
    return counted


@pytest.fixture
def other(registry):
    @registry.workflow
    def other(value):
        return value

    return other


def rows(engine):
    return engine.query("SELECT count(*) FROM workflow")[0][0]


def test_a_second_start_attaches_and_its_arguments_are_ignored(engine, counted):
    named = counted.with_options(workflow_id="order-1")
    first = engine.start_workflow(named, 1)
    second = engine.start_workflow(named, 2)
    assert first == second
    assert second.get_result() == 1
    assert engine.start_workflow(named, 3).get_result() == 1
    assert counted.runs == [1]
    assert rows(engine) == 1


def test_a_start_attaches_to_a_cancelled_workflow_too(engine, registry):
    @registry.workflow
    def sleeper(value):
        litewf.sleep(10_000)

    named = sleeper.with_options(workflow_id="s")
    engine.start_workflow(named, 1).cancel()
    again = engine.start_workflow(named, 2)
    assert again.get_status().status == "CANCELLED"
    assert again.get_status().input.args == (1,)


def test_a_start_attaches_to_a_failed_workflow_too(engine, registry):
    @registry.workflow
    def fails(value):
        raise ValueError(value)

    named = fails.with_options(workflow_id="f")
    for value in (1, 2):
        with pytest.raises(ValueError, match="^1$"):
            engine.run_workflow(named, value)


def test_reject_raises_when_the_id_exists(engine, counted):
    engine.run_workflow(counted.with_options(workflow_id="a", on_existing_id="reject"), 1)
    with pytest.raises(litewf.DuplicateWorkflowError, match="'a'"):
        engine.start_workflow(counted.with_options(workflow_id="a", on_existing_id="reject"), 2)
    assert counted.runs == [1]


@pytest.mark.parametrize("mode", ["attach", "reject"])
def test_another_workflow_with_the_same_id_is_a_conflict(engine, counted, other, mode):
    engine.run_workflow(counted.with_options(workflow_id="a"), 1)
    with pytest.raises(litewf.WorkflowConflictError, match="'a'.*counted"):
        engine.start_workflow(other.with_options(workflow_id="a", on_existing_id=mode), 2)
    assert rows(engine) == 1


def test_concurrent_starters_with_one_id_run_it_once(engine, counted):
    """B10; another engine ran a workflow several times when starts with one id met."""
    named, barrier = counted.with_options(workflow_id="same"), threading.Barrier(16)

    def start(value):
        barrier.wait()
        return engine.start_workflow(named, value)

    with ThreadPoolExecutor(16) as threads:
        handles = list(threads.map(start, range(16)))
    assert len(set(handles)) == 1
    assert len({handle.get_result() for handle in handles}) == 1
    assert len(counted.runs) == 1
    assert rows(engine) == 1


def test_concurrent_async_starters_with_one_id_run_it_once(path, registry):
    runs = []

    @registry.step
    async def work(value):
        runs.append(value)
        return value

    @registry.workflow
    async def counted(value):
        return await work(value)

    async def main():
        async with litewf.Engine(path, registry=registry) as engine:
            named = counted.with_options(workflow_id="same")
            handles = await asyncio.gather(*(engine.start_workflow_async(named, value) for value in range(50)))
            assert len(set(handles)) == 1
            assert len({await handle.get_result_async() for handle in handles}) == 1

    asyncio.run(main())
    assert len(runs) == 1


def test_two_engines_on_one_file_start_an_id_once(path, registry, counted):
    with litewf.Engine(path, registry=registry) as one, litewf.Engine(path, registry=registry) as two:
        named = counted.with_options(workflow_id="same")
        assert one.start_workflow(named, 1) == two.start_workflow(named, 2)
        assert two.retrieve_workflow("same").get_result() == one.retrieve_workflow("same").get_result() == 1
    assert counted.runs == [1]


BAD_TEXTS = {
    "empty": "",
    "a space": " ",
    "too long": "x" * 256,
    "a megabyte": "x" * 1_000_000,
    "a NUL": "a\0b",
    "a lone surrogate": "a\ud800b",
    "a newline": "a\nb",
    "a bidi mark": "a\u202eb",
    "a blank at its end": "order-1 ",
    "a blank at its start": " order-1",
    "the mark of children": "order~1",
}


@pytest.mark.parametrize("bad", BAD_TEXTS.values(), ids=BAD_TEXTS.keys())
def test_a_bad_id_is_refused_before_anything_is_written(engine, counted, bad):
    with pytest.raises(ValueError, match="workflow id"):
        engine.start_workflow(counted.with_options(workflow_id=bad), 1)
    assert rows(engine) == 0


@pytest.mark.parametrize("bad", [7, uuid.UUID(int=1), b"order-1", ["a"]], ids=["int", "UUID", "bytes", "list"])
def test_an_id_that_is_no_text_is_refused(engine, counted, bad):
    with pytest.raises(TypeError, match="workflow id is text"):
        engine.start_workflow(counted.with_options(workflow_id=bad), 1)
    assert rows(engine) == 0


@pytest.mark.parametrize(
    "strange",
    ["x", "x" * 255, "007", "../../etc/passwd", "'; DROP TABLE workflow; --", "100%_", "🛒-1", "caf\u00e9", "*?[a]"],
)
def test_a_strange_id_is_kept_as_it_is(engine, counted, strange):
    handle = engine.start_workflow(counted.with_options(workflow_id=strange), 1)
    assert handle.get_result() == 1
    assert engine.retrieve_workflow(strange).get_status().workflow_id == strange
    assert [found.workflow_id for found in engine.list_workflows(workflow_ids=[strange])] == [strange]


@pytest.mark.parametrize(("one", "two"), [("caf\u00e9", "cafe\u0301"), ("Order", "order"), ("7", "07")])
def test_twins_that_only_look_alike_are_two_workflows(engine, counted, one, two):
    assert engine.run_workflow(counted.with_options(workflow_id=one), 1) == 1
    assert engine.run_workflow(counted.with_options(workflow_id=two), 2) == 2


def test_generated_ids_are_uuids_that_sort_by_their_time(stage, registry):
    @registry.workflow
    def quick():
        return 1

    with stage.engine() as engine:
        ids = []
        for _ in range(5):
            ids.append(engine.start_workflow(quick).workflow_id)
            stage.clock.move(1)
    assert ids == sorted(ids)
    assert {uuid.UUID(one).version for one in ids} == {7}


@pytest.mark.parametrize("option", [{"on_existing_id": "replace"}, {"on_existing_id": None}])
def test_an_unknown_mode_for_existing_ids_is_refused(counted, option):
    with pytest.raises(ValueError, match="on_existing_id"):
        counted.with_options(**option)


UNKNOWN = {
    "retrieve_workflow": lambda engine, unknown: engine.retrieve_workflow(unknown),
    "list_steps": lambda engine, unknown: engine.list_steps(unknown),
    "cancel_workflow": lambda engine, unknown: engine.cancel_workflow(unknown),
    "resume_workflow": lambda engine, unknown: engine.resume_workflow(unknown),
    "fork_workflow": lambda engine, unknown: engine.fork_workflow(unknown),
    "rewind_workflow": lambda engine, unknown: engine.rewind_workflow(unknown),
    "delete_workflow": lambda engine, unknown: engine.delete_workflow(unknown),
    "update_attributes": lambda engine, unknown: engine.update_attributes(unknown, {"a": 1}),
}


@pytest.mark.parametrize("unknown", ["nobody", "", "a\0b", "\ud800", "nobody~1"])
@pytest.mark.parametrize("call", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_an_unknown_id_raises_at_once(engine, call, unknown):
    with pytest.raises(litewf.WorkflowNotFoundError):
        call(engine, unknown)


@pytest.mark.parametrize("call", UNKNOWN.values(), ids=UNKNOWN.keys())
@pytest.mark.parametrize("wrong", [None, 7, b"x"])
def test_an_id_of_the_wrong_type_is_refused_everywhere(engine, call, wrong):
    with pytest.raises(TypeError, match="workflow id"):
        call(engine, wrong)


@pytest.mark.parametrize(
    "use",
    [
        lambda handle: handle.get_result(),
        lambda handle: handle.get_status(),
        lambda handle: handle.cancel(),
        lambda handle: handle.as_future(),
        lambda handle: handle.add_done_callback(print),
    ],
    ids=["get_result", "get_status", "cancel", "as_future", "add_done_callback"],
)
def test_the_handle_of_a_deleted_workflow_raises_at_once(engine, counted, use):
    handle = engine.start_workflow(counted, 1)
    handle.get_result()
    engine.delete_workflow(handle.workflow_id)
    with pytest.raises(litewf.WorkflowNotFoundError, match=handle.workflow_id):
        use(handle)


def test_an_unknown_id_inside_a_workflow_is_an_error_that_replays_the_same(stage, registry, counted):
    seen = []

    @registry.workflow
    def curious():
        for look in (litewf.retrieve_workflow, litewf.cancel_workflow):
            try:
                look("later")
            except litewf.WorkflowNotFoundError as error:
                seen.append(str(error))
        litewf.sleep(10)
        return "ended"

    with stage.engine() as engine:
        handle = engine.start_workflow(curious)
        stage.parked(handle)
        engine.run_workflow(counted.with_options(workflow_id="later"), 1)  # now it exists
        stage.clock.move(10)
        assert handle.get_result() == "ended"
    assert len(seen) == 4
    assert seen[:2] == seen[2:]


def test_several_starts_are_one_commit(stage, registry, counted):
    with stage.engine() as engine:
        before = stage.commits
        handles = engine.start_workflows([(counted.with_options(workflow_id=f"w{n}"), n) for n in range(20)])
        assert sorted(handle.get_result() for handle in handles) == list(range(20))
        assert [handle.workflow_id for handle in handles] == [f"w{n}" for n in range(20)]
        created = {one.created_at for one in engine.list_workflows()}
        assert len(created) == 1
        assert stage.commits > before


def test_of_several_starts_all_or_none_happen(engine, counted, other):
    engine.run_workflow(counted.with_options(workflow_id="taken"), 0)
    starts = [
        (counted.with_options(workflow_id="a"), 1),
        (other.with_options(workflow_id="taken"), 2),
        (counted.with_options(workflow_id="b"), 3),
    ]
    with pytest.raises(litewf.WorkflowConflictError):
        engine.start_workflows(starts)
    assert [one.workflow_id for one in engine.list_workflows()] == ["taken"]
    assert counted.runs == [0]


def test_a_repeated_id_among_several_starts_is_refused_only_on_request(engine, counted):
    twice = [(counted.with_options(workflow_id="a"), 1), (counted.with_options(workflow_id="a"), 2)]
    assert [handle.get_result() for handle in engine.start_workflows(twice)] == [1, 1]
    rejecting = counted.with_options(workflow_id="b", on_existing_id="reject")
    with pytest.raises(litewf.DuplicateWorkflowError):
        engine.start_workflows([(rejecting, 1), (rejecting, 2)])
    assert [one.workflow_id for one in engine.list_workflows()] == ["a"]


def test_no_starts_at_all_is_no_error(engine):
    assert engine.start_workflows([]) == []


@pytest.mark.parametrize("bad", ["checkout", (), 7, ("checkout", 1)], ids=str)
def test_what_is_no_start_is_refused(engine, bad):
    with pytest.raises(litewf.UsageError, match="start_workflows"):
        engine.start_workflows([bad])


def test_wrong_arguments_are_refused_before_anything_is_written(engine, counted):
    with pytest.raises(TypeError, match="value"):
        engine.start_workflow(counted)
    with pytest.raises(TypeError, match="counted"):
        engine.start_workflows([(counted, 1), (counted, 1, 2)])
    assert rows(engine) == 0


def test_a_start_whose_caller_is_cancelled_still_runs_or_never_was(path, registry):
    """A task that is cancelled while its start commits must not leave a workflow that nobody runs."""

    @registry.workflow
    async def quick():
        return 1

    async def main():
        async with litewf.Engine(path, registry=registry) as engine:
            for turn in range(20):
                task = asyncio.ensure_future(engine.start_workflow_async(quick))
                for _ in range(turn % 4):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
            for found in await engine.list_workflows_async():
                handle = await engine.retrieve_workflow_async(found.workflow_id)
                assert await handle.get_result_async(timeout=10) == 1

    asyncio.run(main())
