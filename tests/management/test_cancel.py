"""Cancelling: at once, with children, against completion, and bodies that can or cannot be stopped."""

import threading

import pytest

import litewf
from tests.stage import Stage


class Body:
    """A step body that a test holds: it says when it runs and ends when it is told to."""

    def __init__(self):
        self.runs = []
        self.started, self.go_on = threading.Event(), threading.Event()

    def run(self, value="done"):
        self.runs.append(value)
        self.started.set()
        assert self.go_on.wait(10)
        return value


@pytest.fixture
def body():
    held = Body()
    yield held
    held.go_on.set()


@pytest.fixture
def two_steps(registry, body):
    after = []

    @registry.step
    def first():
        return body.run()

    @registry.step
    def second():
        after.append(1)
        return "second"

    @registry.workflow
    def two_steps():
        return first(), second()

    two_steps.after = after
    return two_steps


@pytest.fixture
def sleeper(registry):
    @registry.workflow
    def sleeper():
        litewf.sleep(1000)
        return "slept"

    return sleeper


def test_a_cancel_is_durable_at_once(stage: Stage, two_steps, body):
    with stage.engine() as engine:
        handle = engine.start_workflow(two_steps)
        assert body.started.wait(10)
        handle.cancel()
        assert handle.get_status().status == "CANCELLED"
        with pytest.raises(litewf.WorkflowCancelledError, match=handle.workflow_id):
            handle.get_result()
        body.go_on.set()


def test_no_body_starts_after_an_acknowledged_cancel(stage: Stage, two_steps, body):
    """C1."""
    with stage.engine() as engine:
        handle = engine.start_workflow(two_steps)
        assert body.started.wait(10)
        handle.cancel()
        body.go_on.set()
        stage.until(lambda: engine.list_steps(handle.workflow_id))
    assert two_steps.after == []


def test_the_outcome_of_a_running_body_is_recorded_so_that_resume_does_not_run_it_again(stage: Stage, two_steps, body):
    with stage.engine() as engine:
        handle = engine.start_workflow(two_steps)
        assert body.started.wait(10)
        handle.cancel()
        body.go_on.set()
        stage.until(lambda: engine.list_steps(handle.workflow_id))
        assert engine.resume_workflow(handle.workflow_id).get_result() == ("done", "second")
    assert body.runs == ["done"]
    assert two_steps.after == [1]


def test_the_late_error_of_a_running_body_is_recorded_too(stage: Stage, registry, body):
    @registry.step
    def fails():
        body.run()
        raise ValueError("late")

    @registry.workflow
    def failing():
        try:
            fails()
        except ValueError as error:
            return str(error)

    with stage.engine() as engine:
        handle = engine.start_workflow(failing)
        assert body.started.wait(10)
        handle.cancel()
        body.go_on.set()
        stage.until(lambda: engine.list_steps(handle.workflow_id))
        assert engine.resume_workflow(handle.workflow_id).get_result() == "late"
    assert body.runs == ["done"]


def test_a_parked_workflow_wakes_to_be_cancelled(stage: Stage, sleeper):
    with stage.engine() as engine:
        handle = engine.start_workflow(sleeper)
        stage.parked(handle)
        engine.cancel_workflow(handle.workflow_id)
        with pytest.raises(litewf.WorkflowCancelledError):
            handle.get_result()
        assert handle.get_status().waiting_on == ()
        stage.clock.move(1000)
        assert handle.get_status().status == "CANCELLED"


def test_everything_that_a_cancelled_workflow_waited_for_is_released_with_it(stage: Stage, sleeper):
    """C4: waits and timers are gone in the commit that ends it."""
    with stage.engine() as engine:
        handle = engine.start_workflow(sleeper.with_options(timeout=5000))
        stage.parked(handle)
        handle.cancel()
        assert engine.query("SELECT count(*) FROM wait") == [(0,)]
        assert engine.query("SELECT due_us, phase, owner FROM workflow") == [(None, None, None)]


def test_a_cancel_inside_a_wait_in_memory_ends_the_execution(stage: Stage, registry):
    ended = threading.Event()

    @registry.workflow
    def lingering():
        try:
            litewf.sleep(1000)
        except Exception:
            raise AssertionError("a cancel is no exception of the workflow") from None
        finally:
            ended.set()

    with stage.engine(linger=None) as engine:
        handle = engine.start_workflow(lingering)
        stage.until(lambda: engine.list_steps(handle.workflow_id))
        handle.cancel()
        assert ended.wait(10)


def test_cancelling_twice_or_after_the_end_changes_nothing(stage: Stage, registry, sleeper):
    @registry.workflow
    def quick():
        return 1

    with stage.engine() as engine:
        done = engine.start_workflow(quick)
        done.get_result()
        done.cancel()
        assert done.get_result() == 1
        stopped = engine.start_workflow(sleeper)
        stopped.cancel()
        before = stopped.get_status()
        stage.clock.move(5)
        stopped.cancel()
        after = stopped.get_status()
        assert (after.completed_at, after.updated_at) == (before.completed_at, before.updated_at)


def test_children_are_cancelled_too_and_detached_ones_are_not(stage: Stage, registry, sleeper):
    """C5: each child that is not detached, down to the last generation."""

    @registry.workflow
    def middle():
        sleeper()

    @registry.workflow
    def parent():
        litewf.start_workflow(middle)
        litewf.start_workflow(sleeper.with_options(detached=True))
        litewf.start_workflow(sleeper)
        litewf.sleep(5000)

    with stage.engine() as engine:
        handle = engine.start_workflow(parent.with_options(workflow_id="p"))
        stage.until(lambda: len(engine.list_workflows()) == 5)
        for found in engine.list_workflows():
            stage.parked(engine.retrieve_workflow(found.workflow_id))
        handle.cancel()
        statuses = {found.workflow_id: found.status for found in engine.list_workflows()}
        assert statuses == {
            "p": "CANCELLED",
            "p~1": "CANCELLED",
            "p~1~1": "CANCELLED",
            "p~2": "PENDING",
            "p~3": "CANCELLED",
        }
        stage.clock.move(1000)
        assert engine.retrieve_workflow("p~2").get_result() == "slept"


def test_a_cancel_starts_no_child_that_was_about_to_be_started(stage: Stage, registry, body, sleeper):
    @registry.step
    def first():
        body.run()

    @registry.workflow
    def parent():
        first()
        litewf.start_workflow(sleeper)

    with stage.engine() as engine:
        handle = engine.start_workflow(parent)
        assert body.started.wait(10)
        handle.cancel()
        body.go_on.set()
        stage.until(lambda: engine.list_steps(handle.workflow_id))
        engine.shutdown()
    with stage.engine() as engine:
        assert [found.workflow_id for found in engine.list_workflows()] == [handle.workflow_id]


def test_cancel_against_completion_has_exactly_one_winner_and_all_observers_agree(engine, registry):
    """C2, B8."""
    barrier = threading.Barrier(2)

    @registry.workflow
    def racing():
        barrier.wait()
        return "ended"

    def outcome(handle):
        try:
            return handle.get_result()
        except litewf.WorkflowCancelledError:
            return "cancelled"

    seen = set()
    for _ in range(60):
        handle = engine.start_workflow(racing)
        futures = [handle.as_future() for _ in range(2)]
        barrier.wait()
        handle.cancel()
        first = outcome(handle)
        assert outcome(handle) == first
        for future in futures:
            error = future.exception(10)
            assert ("cancelled" if error is not None else future.result()) == first
        assert handle.get_status().status == {"ended": "SUCCESS", "cancelled": "CANCELLED"}[first]
        seen.add(first)
    assert seen <= {"ended", "cancelled"}


def test_a_workflow_may_cancel_another_and_itself(stage: Stage, registry, sleeper):
    reached = []

    @registry.workflow
    def killer(victim):
        litewf.cancel_workflow(victim)
        litewf.cancel_workflow(litewf.workflow_id())
        litewf.sleep(1)
        reached.append(1)

    with stage.engine() as engine:
        victim = engine.start_workflow(sleeper)
        handle = engine.start_workflow(killer, victim.workflow_id)
        for one in (victim, handle):
            with pytest.raises(litewf.WorkflowCancelledError):
                one.get_result()
    assert reached == []


def test_a_cancel_by_another_engine_on_the_file_stops_the_execution_before_its_next_body(stage: Stage, two_steps, body):
    with stage.engine() as runner, stage.engine() as other:
        handle = runner.start_workflow(two_steps)
        assert body.started.wait(10)
        other.cancel_workflow(handle.workflow_id)
        body.go_on.set()
        stage.until(lambda: other.query("SELECT 1 FROM workflow WHERE owner IS NULL"))
        assert [step.name.rpartition(".")[2] for step in other.list_steps(handle.workflow_id)] == ["first"]
    assert two_steps.after == []


def test_no_warning_is_logged_for_a_body_that_ended_after_a_cancel(stage: Stage, registry, body, caplog):
    @registry.step
    def first():
        return body.run()

    @registry.workflow
    def single():
        return first()

    with stage.engine() as engine:
        handle = engine.start_workflow(single)
        assert body.started.wait(10)
        handle.cancel()
        body.go_on.set()
        stage.until(lambda: engine.query("SELECT 1 FROM workflow WHERE owner IS NULL"))
    assert caplog.records == []
