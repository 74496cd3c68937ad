"""wait_first and wait_all: who was first is recorded, losers are withdrawn, one number each."""

import asyncio
import threading

import pytest

import litewf
from tests.stage import NOON, Stage


@pytest.fixture
def sleeper(registry):
    @registry.workflow
    def sleeper(seconds):
        litewf.sleep(seconds)
        return seconds

    return sleeper


@pytest.fixture
def fails(registry):
    @registry.workflow
    def fails(seconds):
        litewf.sleep(seconds)
        raise ValueError(seconds)

    return fails


def asleep(stage, engine, handle, count):
    """Wait until a workflow and `count` children of it have parked."""
    stage.until(
        lambda: (
            engine.query("SELECT count(*) FROM workflow WHERE phase = 'parked'") == [(count + 1,)]
            and handle.get_status().waiting_on
        )
    )


@pytest.mark.parametrize("restart", [False, True])
def test_the_first_is_recorded_and_replays_the_same(stage: Stage, registry, sleeper, restart):
    log = []

    @registry.workflow
    def race():
        handles = [litewf.start_workflow(sleeper, seconds) for seconds in (30, 10, 20)]
        first = litewf.wait_first(handles)
        log.append(handles.index(first))
        litewf.sleep(100)
        log.append(handles.index(first))
        return first.get_result()

    with stage.engine() as engine:
        handle = engine.start_workflow(race.with_options(workflow_id="r"))
        asleep(stage, engine, handle, 3)
        assert {wait.what for wait in handle.get_status().waiting_on} == {
            f"the end of workflow r~{n}" for n in (1, 2, 3)
        }
        stage.clock.move(10)
        stage.until(lambda: any(wait.what == "a time" for wait in handle.get_status().waiting_on))
        if restart:
            engine.shutdown()
    stage.clock.move(200)  # now all of them have ended
    with stage.engine() as engine:
        assert engine.retrieve_workflow("r").get_result() == 10
        children = [engine.retrieve_workflow(f"r~{number}") for number in (1, 2, 3)]
        assert [child.get_result() for child in children] == [30, 10, 20]  # the losers went on
    assert set(log) == {1}


def test_wait_first_times_out_with_an_error_or_a_default(stage: Stage, registry, sleeper):
    @registry.workflow
    def race():
        handles = [litewf.start_workflow(sleeper, 1000)]
        try:
            litewf.wait_first(handles, timeout=10)
        except litewf.WaitTimeoutError:
            return litewf.wait_first(handles, timeout=10, default="nobody"), litewf.now()

    with stage.engine() as engine:
        handle = engine.start_workflow(race)
        for _ in range(2):
            asleep(stage, engine, handle, 1)
            stage.clock.move(10)
            stage.until(lambda: all(wait.until > stage.clock.now for wait in handle.get_status().waiting_on))
        result, moment = handle.get_result()
    assert result == "nobody"
    assert (moment - NOON).total_seconds() == 20


@pytest.mark.parametrize("linger", [0, None])
def test_an_event_for_one_that_was_chosen_cannot_be_taken_by_another(stage: Stage, registry, linger):
    @registry.workflow
    async def worker():
        job, quitting = litewf.wait_event_async("job", delivery="one"), litewf.sleep_async(60)
        if await litewf.wait_first_async([job, quitting]) is quitting:
            return "nothing"
        return (await job).data

    with stage.engine(linger=linger) as engine:
        handles = [engine.start_workflow(worker) for _ in range(5)]
        for handle in handles:
            stage.until(lambda handle=handle: engine.list_steps(handle.workflow_id))
        engine.publish_event("job", "J1")
        stage.until(lambda: engine.query("SELECT count(*) FROM workflow WHERE status = 'SUCCESS'") == [(1,)])
        stage.clock.move(60)
        assert sorted(handle.get_result() for handle in handles) == ["J1", *["nothing"] * 4]


@pytest.mark.parametrize("linger", [0, None])
def test_a_message_that_was_chosen_cannot_be_taken_by_another_branch(stage: Stage, registry, linger):
    @registry.step(name="note")
    async def note(what):
        return what

    async def one():
        message, clock = litewf.recv_async("t"), litewf.sleep_async(60)
        first = await litewf.wait_first_async([message, clock])
        await note("chosen")  # there is time for the other one
        return "nothing" if first is clock else await message

    @registry.workflow
    async def both():
        return await asyncio.gather(one(), one())

    with stage.engine(linger=linger) as engine:
        handle = engine.start_workflow(both)
        stage.until(lambda: len(engine.list_steps(handle.workflow_id)) == 2)  # the sleeps
        engine.send(handle.workflow_id, "hello", topic="t")
        stage.until(lambda: "note" in {step.name for step in engine.list_steps(handle.workflow_id)})
        stage.clock.move(60)
        assert sorted(handle.get_result()) == ["hello", "nothing"]


@pytest.mark.parametrize("linger", [0, None])
def test_an_async_race_between_a_child_and_a_sleep(stage: Stage, registry, sleeper, linger):
    @registry.workflow
    async def race(limit):
        child = await litewf.start_workflow_async(sleeper, 50)
        nap = litewf.sleep_async(limit)
        first = await litewf.wait_first_async([child, nap])
        if first is nap:
            await nap
            return "too slow", litewf.now()
        return await first.get_result_async(), litewf.now()

    with stage.engine(linger=linger) as engine:
        handles = {limit: engine.start_workflow(race, limit) for limit in (20, 80)}
        for handle in handles.values():
            stage.until(lambda handle=handle: len(engine.list_steps(handle.workflow_id)) >= 2)
            child = engine.list_steps(handle.workflow_id)[0].child_workflow_id
            stage.until(lambda child=child: engine.list_steps(child))
        stage.clock.move(20)
        result, moment = handles[20].get_result()
        assert (result, (moment - NOON).total_seconds()) == ("too slow", 20)  # the sleep was not slept again
        stage.clock.move(30)
        result, moment = handles[80].get_result()
        assert (result, (moment - NOON).total_seconds()) == (50, 50)


@pytest.mark.parametrize("linger", [0, None])
def test_a_wait_for_a_result_counts_as_over_when_its_own_timeout_is(stage: Stage, registry, sleeper, linger):
    @registry.workflow
    async def race():
        child = await litewf.start_workflow_async(sleeper, 1000)
        bounded = child.get_result_async(timeout=10, default="gave up")
        patient = litewf.sleep_async(500)
        first = await litewf.wait_first_async([patient, bounded])
        return first is bounded, await first, litewf.now()

    with stage.engine(linger=linger) as engine:
        handle = engine.start_workflow(race)
        stage.until(lambda: len(engine.list_steps(handle.workflow_id)) >= 3)
        stage.clock.move(10)
        bounded, result, moment = handle.get_result()
    assert (bounded, result) == (True, "gave up")
    assert (moment - NOON).total_seconds() == 10


@pytest.mark.parametrize("linger", [0, None])
def test_the_timeout_of_a_race_between_sleeps_counts(stage: Stage, registry, linger):
    @registry.workflow
    async def race():
        naps = [litewf.sleep_async(100), litewf.sleep_async(200)]
        return await litewf.wait_first_async(naps, timeout=10, default="nobody"), litewf.now()

    with stage.engine(linger=linger) as engine:
        handle = engine.start_workflow(race)
        stage.until(lambda: len(engine.list_steps(handle.workflow_id)) >= 3)
        if linger == 0:
            stage.parked(handle)
            assert {wait.what for wait in handle.get_status().waiting_on} == {"a time"}
        stage.clock.move(10)
        result, moment = handle.get_result()
    assert (result, (moment - NOON).total_seconds()) == ("nobody", 10)


def test_a_loser_is_withdrawn_and_says_so(stage: Stage, registry):
    @registry.workflow
    async def race():
        short, long = litewf.sleep_async(1), litewf.sleep_async(1000)
        first = await litewf.wait_first_async([long, short])
        await first
        try:
            await long
        except litewf.UsageError as error:
            return str(error)

    with stage.engine() as engine:
        handle = engine.start_workflow(race)
        stage.parked(handle)
        stage.clock.move(1)
        assert "another wait was first" in handle.get_result()
        assert stage.clock.now < NOON.replace(hour=13)


def test_the_error_of_the_first_is_raised_where_it_is_awaited(stage: Stage, registry, fails, sleeper):
    @registry.workflow
    def race():
        handles = [litewf.start_workflow(sleeper, 100), litewf.start_workflow(fails, 1)]
        first = litewf.wait_first(handles)
        try:
            first.get_result()
        except ValueError as error:
            return error.args

    with stage.engine() as engine:
        handle = engine.start_workflow(race)
        asleep(stage, engine, handle, 2)
        stage.clock.move(1)
        assert handle.get_result() == (1,)


def test_when_several_have_ended_the_first_in_the_list_is_chosen(stage: Stage, registry, sleeper):
    @registry.workflow
    def race():
        handles = [litewf.start_workflow(sleeper, 0) for _ in range(5)]
        for handle in reversed(handles):
            handle.get_result()
        return handles.index(litewf.wait_first(handles))

    with stage.engine() as engine:
        assert engine.run_workflow(race) == 0


def test_wait_all_takes_one_number_and_returns_results_in_order(stage: Stage, registry, sleeper):
    @registry.workflow
    def gather():
        handles = [litewf.start_workflow(sleeper, seconds) for seconds in (30, 10, 20)]
        return litewf.wait_all(handles)

    with stage.engine() as engine:
        handle = engine.start_workflow(gather)
        asleep(stage, engine, handle, 3)
        stage.clock.move(30)
        assert handle.get_result() == [30, 10, 20]
        assert [step.name for step in engine.list_steps(handle.workflow_id)][3:] == ["litewf.wait_all"]


def test_wait_all_raises_the_first_error_in_the_list(stage: Stage, registry, sleeper, fails):
    @registry.workflow
    async def gather():
        handles = [
            await litewf.start_workflow_async(one, seconds)
            for one, seconds in ((sleeper, 30), (fails, 20), (fails, 10))
        ]
        try:
            await litewf.wait_all_async(handles)
        except ValueError as error:
            return error.args

    with stage.engine() as engine:
        handle = engine.start_workflow(gather)
        asleep(stage, engine, handle, 3)
        stage.clock.move(30)
        assert handle.get_result() == (20,)


def test_wait_all_times_out_as_a_whole(stage: Stage, registry, sleeper):
    @registry.workflow
    def gather():
        handles = [litewf.start_workflow(sleeper, seconds) for seconds in (10, 1000)]
        return litewf.wait_all(handles, timeout=50, default="not all")

    with stage.engine() as engine:
        handle = engine.start_workflow(gather)
        asleep(stage, engine, handle, 2)
        stage.clock.move(49)
        assert handle.get_result(timeout=0, default="waits") == "waits"
        stage.clock.move(1)
        assert handle.get_result() == "not all"


def test_no_children_at_all_are_all_there(stage: Stage, registry):
    @registry.workflow
    def nothing():
        return litewf.wait_all([])

    with stage.engine() as engine:
        assert engine.run_workflow(nothing) == []


@pytest.mark.parametrize("missing", ["wait_first", "wait_all", "get_result"])
def test_a_wait_for_a_workflow_that_does_not_exist_is_an_error_that_replays_the_same(
    stage: Stage, registry, sleeper, missing
):
    seen = []

    @registry.workflow
    def lost(handle):
        waits = {
            "wait_first": lambda: litewf.wait_first([handle]),
            "wait_all": lambda: litewf.wait_all([handle]),
            "get_result": handle.get_result,
        }
        try:
            waits[missing]()
        except litewf.WorkflowNotFoundError as error:
            seen.append(str(error))
        litewf.sleep(10)
        return "ended"

    with stage.engine() as engine:
        gone = engine.start_workflow(sleeper.with_options(workflow_id="gone"), 0)
        gone.get_result()
        engine.delete_workflow("gone")
        handle = engine.start_workflow(lost, gone)
        stage.parked(handle)
        engine.run_workflow(sleeper.with_options(workflow_id="gone"), 0)  # now it exists
        stage.clock.move(10)
        assert handle.get_result() == "ended"
    assert len(seen) == 2
    assert len(set(seen)) == 1


def test_waits_that_mean_nothing_are_refused(stage: Stage, registry, sleeper):
    refused = []

    @registry.workflow
    async def wrong():
        handle = await litewf.start_workflow_async(sleeper, 0)
        for waits, error in (
            ([], ValueError),
            ([handle, handle], ValueError),
            ([7], TypeError),
            ([asyncio.sleep], TypeError),
        ):
            try:
                await litewf.wait_first_async(waits)
            except error as raised:
                refused.append(type(raised))

    with stage.engine() as engine:
        engine.run_workflow(wrong)
    assert refused == [ValueError, ValueError, TypeError, TypeError]


@pytest.mark.parametrize("linger", [0, 0.2])
def test_races_among_many_children_lose_nobody(path, registry, linger):
    """E5: all the winners are gathered one by one, many times over."""
    turns = threading.Barrier(1)

    @registry.workflow
    def child(number):
        turns.wait()
        return number

    @registry.workflow
    def parent():
        left = [litewf.start_workflow(child, number) for number in range(6)]
        results = []
        while left:
            first = litewf.wait_first(left)
            left.remove(first)
            results.append(first.get_result())
        return sorted(results)

    with litewf.Engine(path, registry=registry, linger=linger) as engine:
        handles = engine.start_workflows([(parent,)] * 12)
        assert [handle.get_result(timeout=20) for handle in handles] == [list(range(6))] * 12
