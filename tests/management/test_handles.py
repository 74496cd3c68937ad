"""Handles: waiting for a result, looking, callbacks, futures, and handles as values."""

import asyncio
import threading
from concurrent.futures import Future

import pytest

import litewf
from tests.stage import Stage


@pytest.fixture
def gate(registry):
    """A workflow that waits for `gate.open`, in memory, and returns its argument."""
    opened = threading.Event()

    @registry.step
    def pass_gate(value):
        assert opened.wait(10)
        return value

    @registry.workflow
    def gated(value):
        return pass_gate(value)

    gated.open = opened
    yield gated
    opened.set()


def test_get_result_returns_what_the_workflow_returned(engine, registry):
    @registry.workflow
    def double(number):
        return {"twice": number * 2}

    assert engine.start_workflow(double, 4).get_result() == {"twice": 8}


def test_get_result_raises_the_error_as_its_own_type(engine, registry):
    @registry.workflow
    def fail():
        raise LookupError("no such sku")

    with pytest.raises(LookupError, match="no such sku"):
        engine.start_workflow(fail).get_result()


def test_get_result_takes_its_timeout_by_place_and_raises_when_it_is_reached(engine, gate):
    handle = engine.start_workflow(gate, 1)
    with pytest.raises(litewf.WaitTimeoutError, match=handle.workflow_id) as raised:
        handle.get_result(0.001)
    assert isinstance(raised.value, TimeoutError)
    gate.open.set()
    assert handle.get_result() == 1


def test_get_result_returns_its_default_when_the_timeout_is_reached(engine, gate):
    handle = engine.start_workflow(gate, 1)
    assert handle.get_result(timeout=0.001, default=None) is None
    assert handle.get_result(timeout=0, default="not yet") == "not yet"
    gate.open.set()
    assert handle.get_result(default="not yet") == 1


def test_a_timeout_of_zero_looks_once(engine, registry):
    @registry.workflow
    def quick():
        return "done"

    handle = engine.start_workflow(quick)
    handle.get_result()
    assert handle.get_result(timeout=0) == "done"


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), 1e300])
def test_a_timeout_that_is_no_duration_is_refused(engine, gate, timeout):
    handle = engine.start_workflow(gate, 1)
    with pytest.raises(ValueError, match="timeout"):
        handle.get_result(timeout=timeout)


@pytest.mark.parametrize("timeout", ["5", True, [1]])
def test_a_timeout_of_another_type_is_refused(engine, gate, timeout):
    handle = engine.start_workflow(gate, 1)
    with pytest.raises(TypeError, match="timeout"):
        handle.get_result(timeout=timeout)


def test_get_status_follows_the_workflow_from_start_to_end(stage: Stage, registry, gate):
    with stage.engine() as engine:
        handle = engine.start_workflow(gate.with_options(workflow_id="order-1"), 5)
        before = handle.get_status()
        assert (before.workflow_id, before.name, before.status) == ("order-1", gate.name, "PENDING")
        assert before.input == litewf.WorkflowInput((5,), {})
        assert before.started_at == before.created_at == stage.clock.now
        assert (before.completed_at, before.output, before.error) == (None, None, None)
        assert before.executor_id == engine.executor_id
        stage.clock.move(3)
        gate.open.set()
        handle.get_result()
        after = handle.get_status()
        assert (after.status, after.output, after.error) == ("SUCCESS", 5, None)
        assert (after.completed_at - after.created_at).total_seconds() == 3


def test_a_done_callback_is_called_once_with_the_handle_after_the_end(engine, gate):
    handle = engine.start_workflow(gate, 1)
    called: Future[litewf.WorkflowHandle] = Future()
    handle.add_done_callback(called.set_result)
    assert not called.done()
    gate.open.set()
    assert called.result(10) == handle
    assert handle.get_status().status == "SUCCESS"


def test_a_done_callback_of_a_finished_workflow_is_called_at_once(engine, registry):
    @registry.workflow
    def quick():
        return 1

    handle = engine.start_workflow(quick)
    handle.get_result()
    called: Future[litewf.WorkflowHandle] = Future()
    handle.add_done_callback(called.set_result)
    assert called.result(10) == handle


def test_a_future_brings_the_result(engine, gate):
    future = engine.start_workflow(gate, 7).as_future()
    assert not future.done()
    gate.open.set()
    assert future.result(10) == 7


def test_a_future_brings_the_error(engine, registry):
    @registry.workflow
    def fail():
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        engine.start_workflow(fail).as_future().result(10)


def test_a_future_that_was_cancelled_stays_so_in_silence_when_the_workflow_ends(engine, gate, caplog):
    handle = engine.start_workflow(gate, 7)
    future, told = handle.as_future(), handle.as_future()
    assert future.cancel()
    gate.open.set()
    assert told.result(10) == 7
    engine.shutdown()  # every thread has done its work
    assert future.cancelled()
    assert [record.getMessage() for record in caplog.records] == []


def test_a_future_of_a_held_workflow_raises_instead_of_waiting_for_ever(path):
    code, without = litewf.Registry(), litewf.Registry()

    @code.workflow(name="gone")
    def gone():
        litewf.sleep(1000)

    with litewf.Engine(path, registry=code, linger=0) as engine:
        handle = engine.start_workflow(gone.with_options(workflow_id="g", timeout=100_000))
        handle.cancel()
    with litewf.Engine(path, registry=without) as engine:
        future = engine.resume_workflow("g").as_future()
        with pytest.raises(litewf.WorkflowHeldError, match="gone"):
            future.result(10)


def test_a_future_ends_when_the_engine_closes(path, registry, gate):
    with litewf.Engine(path, registry=registry) as engine:
        future = engine.start_workflow(gate, 1).as_future()
        engine.shutdown(0)
        with pytest.raises(litewf.EngineClosedError):
            future.result(10)


def test_a_waiting_caller_is_told_that_the_engine_closes(path, registry, gate):
    engine = litewf.Engine(path, registry=registry)
    engine.launch()
    waiting, outcome = threading.Event(), Future()
    handle = engine.start_workflow(gate, 1)

    def wait():
        waiting.set()
        try:
            outcome.set_result(handle.get_result())
        except BaseException as error:
            outcome.set_exception(error)

    thread = threading.Thread(target=wait)
    thread.start()
    waiting.wait()
    engine.shutdown(0)
    with pytest.raises(litewf.EngineClosedError):
        outcome.result(10)
    thread.join()


def test_a_future_can_be_awaited(path, registry):
    @registry.workflow
    async def answer():
        return 42

    async def main():
        async with litewf.Engine(path, registry=registry) as engine:
            handle = await engine.start_workflow_async(answer)
            return await asyncio.wrap_future(handle.as_future())

    assert asyncio.run(main()) == 42


def test_the_async_twins_of_a_handle_do_the_same(path, registry):
    @registry.workflow
    async def answer():
        return 42

    @registry.workflow
    async def forever():
        await litewf.sleep_async(10_000)

    async def main():
        async with litewf.Engine(path, registry=registry) as engine:
            handle = await engine.start_workflow_async(answer)
            assert await handle.get_result_async() == 42
            assert (await handle.get_status_async()).status == "SUCCESS"
            stopped = await engine.start_workflow_async(forever)
            assert await stopped.get_result_async(timeout=0, default="later") == "later"
            await stopped.cancel_async()
            with pytest.raises(litewf.WorkflowCancelledError):
                await stopped.get_result_async()

    asyncio.run(main())


def test_a_blocking_call_on_a_loop_names_its_twin(path, registry):
    @registry.workflow
    async def answer():
        return 42

    async def main():
        async with litewf.Engine(path, registry=registry) as engine:
            handle = await engine.start_workflow_async(answer)
            with pytest.raises(litewf.BlockingCallError, match="get_result_async"):
                handle.get_result()
            await handle.get_result_async()

    asyncio.run(main())


def test_handles_compare_by_id(engine, registry):
    @registry.workflow
    def quick():
        return 1

    first = engine.start_workflow(quick.with_options(workflow_id="a"))
    again, other = engine.retrieve_workflow("a"), engine.start_workflow(quick)
    assert first == again
    assert len({first, again, other}) == 2
    assert first != other
    assert first != "a"


def test_a_handle_may_be_an_argument_and_a_result(engine, registry):
    @registry.workflow
    def leaf():
        return "leaf"

    @registry.workflow
    def starts():
        return litewf.start_workflow(leaf)

    @registry.workflow
    def waits(handle):
        return handle.get_result(), handle

    leaf_handle = engine.run_workflow(starts)
    assert isinstance(leaf_handle, litewf.WorkflowHandle)
    result, same = engine.run_workflow(waits, leaf_handle)
    assert result == "leaf"
    assert same == leaf_handle


def test_a_handle_that_came_out_of_a_value_says_how_to_use_it_outside(engine, registry):
    @registry.workflow
    def leaf():
        return "leaf"

    @registry.workflow
    def starts():
        return litewf.start_workflow(leaf)

    handle = engine.run_workflow(starts)
    with pytest.raises(litewf.UsageError, match="retrieve_workflow"):
        handle.get_result()
    assert engine.retrieve_workflow(handle.workflow_id).get_result() == "leaf"


@pytest.mark.parametrize("what", ["as_future", "add_done_callback"])
def test_what_is_not_recorded_is_refused_inside_a_workflow(engine, registry, what):
    @registry.workflow
    def leaf():
        return "leaf"

    @registry.workflow
    def unrecorded():
        handle = litewf.start_workflow(leaf)
        return handle.as_future() if what == "as_future" else handle.add_done_callback(print)

    with pytest.raises(litewf.UsageError, match=what):
        engine.run_workflow(unrecorded)
