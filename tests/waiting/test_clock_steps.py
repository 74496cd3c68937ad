"""A clock that steps: nothing is early by it, nothing is repeated, stored times never decrease (H3, H4, H5)."""

import pytest

import litewf
from litewf.store.invariants import ALWAYS
from tests.stage import NOON, Stage


@pytest.fixture
def busy(registry):
    """Steps, sleeps and values, with a note of every run of a body."""
    runs = []

    @registry.step
    def work(number):
        runs.append(number)
        return number

    @registry.workflow
    def child(number):
        return work(number)

    @registry.workflow
    def busy():
        moments = [litewf.now()]
        for number in range(3):
            work(number)
            litewf.sleep(10)
            moments.append(litewf.now())
            child(number + 10)
        return moments

    busy.runs = runs
    return busy


def sleeping(stage, engine, handle, number):
    """Wait until the workflow is in its sleep number `number`, from 0."""
    stage.until(
        lambda: (
            [wait.step_id for wait in handle.get_status().waiting_on if wait.what == "a time"] == [str(3 + 5 * number)]
        )
    )


def times_of(engine, workflow_id):
    rows = engine.query(
        "SELECT step.started_us, step.completed_us FROM step JOIN workflow ON workflow.key = step.workflow"
        " WHERE workflow.id = ? ORDER BY CAST(step AS INTEGER)",
        (workflow_id,),
    )
    [(created, started, completed)] = engine.query(
        "SELECT created_us, started_us, completed_us FROM workflow WHERE id = ?", (workflow_id,)
    )
    return [created, started, *(moment for row in rows for moment in row), completed]


@pytest.mark.parametrize("step_s", [-0.001, -3600, -86400 * 3650])
@pytest.mark.parametrize("linger", [0, None])
def test_after_a_step_back_nothing_is_early_nothing_is_repeated_and_no_time_decreases(
    stage: Stage, busy, step_s, linger
):
    """H3, H4, H5."""
    with stage.engine(linger=linger) as engine:
        handle = engine.start_workflow(busy.with_options(workflow_id="b"))
        stage.until(lambda: len(engine.list_steps("b")) >= 3)
        stage.clock.move(step_s)
        stage.clock.move(9.9)
        assert handle.get_result(timeout=0, default="asleep") == "asleep"
        for _ in range(3):
            stage.clock.move(-step_s + 10)
            stage.until(lambda: True)
        while handle.get_result(timeout=0, default="asleep") == "asleep":
            stage.clock.move(10)
        moments = handle.get_result()
        times = times_of(engine, "b")
    assert busy.runs == [0, 10, 1, 11, 2, 12]
    assert moments == sorted(moments)
    assert times == sorted(times)


@pytest.mark.parametrize("step_s", [0.001, 3600, 86400 * 3650])
def test_after_a_step_forward_each_timer_fires_once(stage: Stage, busy, step_s):
    """H3: no stampede beyond what is due."""
    with stage.engine() as engine:
        handle = engine.start_workflow(busy.with_options(workflow_id="b"))
        for number in range(3):
            sleeping(stage, engine, handle, number)
            stage.clock.move(step_s)
            if step_s < 10:
                assert handle.get_status().waiting_on
                stage.clock.move(10)
        handle.get_result()
        times = times_of(engine, "b")
    assert busy.runs == [0, 10, 1, 11, 2, 12]
    assert times == sorted(times)


def test_a_step_back_while_no_engine_runs_repeats_nothing(stage: Stage, busy):
    with stage.engine() as engine:
        handle = engine.start_workflow(busy.with_options(workflow_id="b"))
        sleeping(stage, engine, handle, 0)
        stage.clock.move(10)
        sleeping(stage, engine, handle, 1)
    stage.clock.move(-3600)
    with stage.engine() as engine:
        handle = engine.retrieve_workflow("b")
        assert handle.get_result(timeout=0, default="asleep") == "asleep"
        stage.clock.move(3600 + 10)
        sleeping(stage, engine, handle, 2)
        stage.clock.move(10)
        handle.get_result()
        times = times_of(engine, "b")
    assert busy.runs == [0, 10, 1, 11, 2, 12]
    assert times == sorted(times)


def test_a_cancel_after_a_step_back_is_not_recorded_before_the_start(stage: Stage, busy):
    """H5."""
    with stage.engine() as engine:
        handle = engine.start_workflow(busy)
        sleeping(stage, engine, handle, 0)
        stage.clock.move(-3600)
        handle.cancel()
        status = handle.get_status()
    assert status.created_at <= status.started_at <= status.completed_at <= status.updated_at


def test_what_a_workflow_sees_of_the_time_never_goes_back(stage: Stage, registry):
    @registry.workflow
    def watch():
        before = litewf.now()
        stage.clock.move(-60)
        return before, litewf.now()

    with stage.engine() as engine:
        before, after = engine.run_workflow(watch)
    assert before == after == NOON


def test_a_workflow_that_parks_or_continues_as_new_after_a_step_back_keeps_the_time_that_it_has_seen(
    stage: Stage, registry
):
    """H5: each life begins with the time at which the last one ended."""
    rests = "SELECT phase IS NULL OR phase = 'parked' FROM workflow WHERE NOT EXISTS (SELECT 1 FROM message"

    @registry.workflow
    def again(left, earlier):
        litewf.recv()
        now = litewf.now()
        litewf.recv()
        if left:
            litewf.continue_as_new(left - 1, [*earlier, now])
        return [*earlier, now]

    with stage.engine() as engine:
        handle = engine.start_workflow(again.with_options(workflow_id="w"), 2, [])
        updates = []
        for life in range(7):
            stage.until(lambda: engine.query(f"{rests} WHERE taken_by IS NULL)") == [(1,)])
            updates.append(handle.get_status().updated_at)
            assert not any(engine.query(query) for name, query in ALWAYS.items() if name.startswith("H5"))
            if life < 6:
                stage.clock.move(-3600 if life % 2 else 10)
                engine.send("w", None)
        moments = handle.get_result()
    assert moments == sorted(moments)
    assert updates == sorted(updates)


def test_a_delay_that_ends_after_a_step_back_keeps_the_time_of_the_last_update(stage: Stage, registry):
    @registry.workflow
    def late():
        pass

    with stage.engine():
        pass  # it makes the file
    with litewf.Client(stage.path, registry=registry, clock=stage.clock) as client:
        handle = client.enqueue("q", late.with_options(delay=10))
        client.pause_queue("q")
        stage.clock.move(60)
        client.update_attributes(handle.workflow_id, {"seen": True})
        before = handle.get_status().updated_at
    stage.clock.move(-30)
    with stage.engine() as engine:
        again = engine.retrieve_workflow(handle.workflow_id)
        stage.until(lambda: again.get_status().status == "ENQUEUED")
        assert again.get_status().updated_at == before
