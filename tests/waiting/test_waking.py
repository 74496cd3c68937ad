"""Waking: on time, never early, once, and never lost (H4)."""

import asyncio
import logging
import threading
from datetime import UTC, datetime, timedelta

import pytest

import litewf
from tests.stage import NOON, Stage


@pytest.fixture
def sleeper(registry):
    @registry.workflow
    def sleeper(seconds):
        litewf.sleep(seconds)
        return litewf.now()

    return sleeper


@pytest.mark.parametrize("linger", [0, 5, None])
def test_a_sleep_ends_on_time_and_never_early(stage: Stage, sleeper, linger):
    """H4."""
    with stage.engine(linger=linger) as engine:
        handle = engine.start_workflow(sleeper, 10)
        stage.until(lambda: engine.list_steps(handle.workflow_id))
        stage.clock.move(9.999_999)
        assert handle.get_result(timeout=0, default="asleep") == "asleep"
        stage.clock.move(0.000_001)
        assert handle.get_result() == NOON + timedelta(seconds=10)


@pytest.mark.parametrize("linger", [0, None])
def test_sleep_until_ends_at_its_moment(stage: Stage, registry, linger):
    @registry.workflow
    def until(moment):
        litewf.sleep_until(moment)
        return litewf.now()

    with stage.engine(linger=linger) as engine:
        moment = NOON + timedelta(hours=1)
        handle = engine.start_workflow(until, moment)
        stage.until(lambda: engine.list_steps(handle.workflow_id))
        stage.clock.move(3600)
        assert handle.get_result() == moment
        assert engine.run_workflow(until, NOON) == moment  # a moment that has passed


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (-1, ValueError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        ("5", TypeError),
        (True, TypeError),
        (None, TypeError),
    ],
)
def test_a_sleep_that_is_no_duration_is_refused_before_it_takes_a_number(stage: Stage, registry, wrong, error):
    @registry.workflow
    def workflow():
        with pytest.raises(error):
            litewf.sleep(wrong)
        litewf.sleep(0)

    with stage.engine() as engine:
        handle = engine.start_workflow(workflow)
        handle.get_result()
        assert [step.step_id for step in engine.list_steps(handle.workflow_id)] == ["1"]


@pytest.mark.parametrize("moment", [NOON.replace(tzinfo=None), datetime(1, 1, 1, tzinfo=UTC)])
def test_a_moment_without_a_zone_or_out_of_range_is_refused(engine, registry, moment):
    @registry.workflow
    def workflow():
        litewf.sleep_until(moment)

    with pytest.raises(ValueError, match="time to sleep until"):
        engine.run_workflow(workflow)


def test_a_restart_does_not_lengthen_a_sleep(stage: Stage, sleeper):
    """H4: the wake time is fixed at the first call, however often the engine restarts."""
    with stage.engine() as engine:
        handle = engine.start_workflow(sleeper.with_options(workflow_id="s"), 100)
        stage.parked(handle)
    for _ in range(3):
        stage.clock.move(30)
        with stage.engine() as engine:
            assert engine.retrieve_workflow("s").get_status().waiting_on[0].until == NOON + timedelta(seconds=100)
    stage.clock.move(10)
    with stage.engine() as engine:
        assert engine.retrieve_workflow("s").get_result() == NOON + timedelta(seconds=100)


def test_a_restart_does_not_lengthen_the_timeout_of_a_wait(stage: Stage, registry, sleeper):
    @registry.workflow
    def parent():
        handle = litewf.start_workflow(sleeper, 1000)
        try:
            return handle.get_result(timeout=100)
        except litewf.WaitTimeoutError as error:
            return litewf.now(), isinstance(error, TimeoutError)

    with stage.engine() as engine:
        stage.parked(engine.start_workflow(parent.with_options(workflow_id="p")))
    stage.clock.move(60)
    with stage.engine() as engine:
        handle = engine.retrieve_workflow("p")
        assert handle.get_status().waiting_on[0].until == NOON + timedelta(seconds=100)
        stage.clock.move(40)
        assert handle.get_result() == (NOON + timedelta(seconds=100), True)


def test_a_default_is_not_recorded_but_that_the_wait_timed_out_is(stage: Stage, registry, sleeper):
    """The record says "timed out", never the default: a replay with another default returns that one."""
    defaults = iter(["first", "second", "third"])
    seen = []

    @registry.workflow
    def parent():
        handle = litewf.start_workflow(sleeper, 1000)
        seen.append(handle.get_result(timeout=5, default=next(defaults)))
        seen.append(litewf.wait_all([handle], timeout=5, default="all"))
        seen.append(litewf.wait_first([handle], timeout=0, default="first of all"))
        litewf.sleep(10)

    with stage.engine(linger=None) as engine:
        handle = engine.start_workflow(parent.with_options(workflow_id="p"))
        for count, seconds in ((2, 5), (3, 5), (5, 10)):
            stage.until(lambda count=count: len(engine.list_steps("p")) >= count)
            stage.clock.move(seconds)
        stage.until(lambda: handle.get_status().status == "SUCCESS")
    assert seen == ["first", "all", "first of all"]
    with stage.engine() as engine:
        outputs = {step.name: step.output for step in engine.list_steps("p")}
        assert outputs["litewf.get_result"] is None
        engine.rewind_workflow("p", 5)
        stage.parked(engine.retrieve_workflow("p"))
    assert seen[3:] == ["second", "all", "first of all"]


@pytest.mark.parametrize("linger", [0, 0.2])
@pytest.mark.parametrize("how", ["sync", "async"])
def test_no_wake_up_is_lost_when_many_children_end_at_once(path, registry, how, linger):
    """E5: the check, the registration and the parking are one commit."""
    if how == "sync":

        @registry.workflow(name="child")
        def child(number):
            return number

        @registry.workflow(name="parent")
        def parent(number):
            handles = [litewf.start_workflow(child, one) for one in range(6)]
            return sum(handle.get_result() for handle in handles)
    else:

        @registry.workflow(name="child")
        async def child(number):
            return number

        @registry.workflow(name="parent")
        async def parent(number):
            return sum(await asyncio.gather(*(child(one) for one in range(6))))

    with litewf.Engine(path, registry=registry, linger=linger) as engine:
        for _ in range(3):
            handles = engine.start_workflows([(parent, number) for number in range(12)])
            assert [handle.get_result(timeout=20) for handle in handles] == [15] * 12


def test_no_wake_up_is_lost_when_one_child_has_many_parents(path, registry):
    release = threading.Event()

    @registry.step
    def wait():
        assert release.wait(10)

    @registry.workflow
    def child():
        wait()
        return "ended"

    @registry.workflow
    def parent():
        return litewf.retrieve_workflow("c").get_result()

    with litewf.Engine(path, registry=registry, linger=0) as engine:
        engine.start_workflow(child.with_options(workflow_id="c"))
        handles = engine.start_workflows([(parent,)] * 300)
        release.set()
        assert {handle.get_result(timeout=20) for handle in handles} == {"ended"}


def test_no_wake_up_is_lost_between_two_engines(path, registry):
    """A child that ends in one engine wakes its parent in the other."""

    @registry.workflow
    def child(number):
        return number

    @registry.workflow
    def parent(ids):
        return [litewf.retrieve_workflow(one).get_result() for one in ids]

    with litewf.Engine(path, registry=registry, linger=0) as one, litewf.Engine(path, registry=registry) as two:
        for turn in range(10):
            ids = [f"c-{turn}-{number}" for number in range(5)]
            for name in ids:
                one.start_workflow(child.with_options(workflow_id=name), 1)
            assert two.start_workflow(parent, ids).get_result(timeout=20) == [1] * 5


def test_thousands_that_are_due_at_once_all_wake(stage: Stage, registry):
    @registry.workflow
    async def sleeper():
        await litewf.sleep_async(10)
        return 1

    with stage.engine() as engine:
        handles = engine.start_workflows([(sleeper,)] * 2500)
        stage.until(lambda: engine.query("SELECT count(*) FROM workflow WHERE phase = 'parked'") == [(2500,)])
        stage.clock.move(10)
        assert sum(handle.get_result() for handle in handles) == 2500


def test_what_came_before_the_deadline_counts_even_if_it_is_seen_after(stage: Stage, registry):
    """E4, for a child: it ended in time, though the engine slept through both."""

    @registry.workflow
    def child():
        litewf.sleep(50)
        return "in time"

    @registry.workflow
    def parent():
        litewf.start_workflow(child)
        return litewf.retrieve_workflow("p~1").get_result(timeout=100, default="too late")

    with stage.engine() as engine:
        handle = engine.start_workflow(parent.with_options(workflow_id="p"))
        stage.parked(handle)
        stage.until(lambda: engine.retrieve_workflow("p~1").get_status().waiting_on)
        stage.clock.move(50)
        engine.retrieve_workflow("p~1").get_result()
        stage.clock.move(50)
        assert handle.get_result() == "in time"


def in_step(stage, handle, step):
    """Wait until a workflow waits in this step."""
    stage.until(lambda: [wait.step_id for wait in handle.get_status().waiting_on] == [str(step)])


def test_a_long_history_is_mentioned_once_and_continue_as_new_is_named(stage: Stage, registry, caplog):
    @registry.workflow
    def loop(rounds):
        for _ in range(rounds):
            litewf.now()
        for _ in range(3):
            litewf.sleep(10)

    with caplog.at_level(logging.WARNING, "litewf"), stage.engine() as engine:
        for rounds in (990, 1000):
            caplog.clear()
            handle = engine.start_workflow(loop, rounds)
            for step in range(rounds + 1, rounds + 4):
                in_step(stage, handle, step)
                stage.clock.move(10)
            handle.get_result()
            messages = [record.getMessage() for record in caplog.records]
            if rounds < 1000:
                assert messages == []
            else:
                assert len(messages) == 1
                assert "continue_as_new" in messages[0]
                assert handle.workflow_id in messages[0]


def test_replayed_retries_keep_their_times_and_attempts(stage: Stage, registry):
    """B5, H3: attempt numbers and next-attempt times never go back."""
    attempts = []

    @registry.step(max_retries=3, base_interval=10, backoff_factor=2, max_interval=1000)
    def flaky():
        attempts.append((litewf.attempt(), (stage.clock.now - NOON).total_seconds()))
        if len(attempts) < 4:
            raise ConnectionError("down")
        return "up"

    @registry.workflow
    def workflow():
        return flaky()

    with stage.engine() as engine:
        handle = engine.start_workflow(workflow.with_options(workflow_id="w"))
        stage.parked(handle)
    for seconds in (10, 20):
        stage.clock.move(seconds)
        with stage.engine() as engine:
            due = stage.clock.now + timedelta(seconds=2 * seconds)
            stage.until(
                lambda engine=engine, due=due: (
                    [wait.until for wait in engine.retrieve_workflow("w").get_status().waiting_on] == [due]
                )
            )
    stage.clock.move(40)
    with stage.engine() as engine:
        assert engine.retrieve_workflow("w").get_result() == "up"
        assert engine.list_steps("w")[0].attempts == 4
    assert attempts == [(1, 0), (2, 10), (3, 30), (4, 70)]
