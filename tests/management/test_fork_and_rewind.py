"""Fork: a new workflow from a step on. Rewind: the same one, as its next generation (B8)."""

import threading

import pytest

import litewf
from tests.stage import Stage


@pytest.fixture
def three(registry):
    """Three steps that note their runs; the second fails while `three.broken`."""
    runs = []

    @registry.step
    def work(number):
        runs.append(number)
        if number == 2 and three.broken:
            raise ConnectionError("down")
        return number * 10

    @registry.workflow
    def three(factor=1):
        return [work(number) * factor for number in (1, 2, 3)]

    three.runs, three.broken = runs, False
    return three


def step_ids(engine, workflow_id):
    return [step.step_id for step in engine.list_steps(workflow_id)]


@pytest.mark.parametrize(("start", "ran"), [(1, [1, 2, 3]), (2, [2, 3]), (3, [3]), (4, [])])
def test_a_fork_copies_the_records_before_its_start(engine, three, start, ran):
    source = engine.start_workflow(three, 2)
    assert source.get_result() == [20, 40, 60]
    three.runs.clear()
    forked = engine.fork_workflow(source.workflow_id, start)
    assert forked.workflow_id != source.workflow_id
    assert forked.get_result() == [20, 40, 60]
    assert three.runs == ran
    assert source.get_result() == [20, 40, 60]


def test_a_fork_starts_at_the_beginning_unless_told_otherwise(engine, three):
    source = engine.start_workflow(three)
    source.get_result()
    engine.fork_workflow(source.workflow_id).get_result()
    assert three.runs == [1, 2, 3] * 2


def test_a_fork_has_the_request_of_its_source_and_a_history_of_its_own(engine, three):
    options = {"authenticated_user": "ann", "authenticated_roles": ["clerk"], "attributes": {"shop": "eu"}}
    source = engine.start_workflow(three.with_options(workflow_id="s", timeout=1000, **options), 3)
    source.get_result()
    forked = engine.fork_workflow("s", 2, workflow_id="f", application_version="next")
    forked.get_result()
    status = forked.get_status()
    assert status.workflow_id == "f"
    assert status.forked_from == "s"
    assert status.application_version == "next"
    assert status.input == source.get_status().input
    assert (status.authenticated_user, status.authenticated_roles) == ("ann", ("clerk",))
    assert status.attributes == {"shop": "eu"}
    assert (status.deadline, status.parent_id, status.generation) == (None, None, 1)
    assert source.get_status().forked_from is None


@pytest.mark.parametrize("how", ["running", "parked", "cancelled", "held", "failed"])
def test_a_workflow_can_be_forked_whatever_its_status(stage: Stage, registry, how):
    started, go_on, runs = threading.Event(), threading.Event(), []

    @registry.step
    def work(number):
        runs.append(number)
        if number == 2 and how == "running" and len(runs) == 2:
            started.set()
            assert go_on.wait(10)
        if number == 2 and how == "failed" and len(runs) == 2:
            raise ConnectionError("down")
        return number

    @registry.workflow
    def workflow():
        first = work(1)
        if how in {"parked", "cancelled", "held"}:
            litewf.sleep(10)
        return first, work(2)

    with stage.engine() as engine:
        source = engine.start_workflow(workflow.with_options(workflow_id="s"))
        if how == "running":
            assert started.wait(10)
            engine.fork_workflow("s", 2, workflow_id="f")
            go_on.set()
        elif how == "failed":
            source.as_future().exception(10)
        else:
            stage.parked(source)
        if how == "cancelled":
            source.cancel()
        if how == "held":
            engine.shutdown()
    if how == "held":
        stage.clock.move(10)
        with stage.engine(registry=litewf.Registry()) as engine:
            stage.until(lambda: engine.retrieve_workflow("s").get_status().held)
            engine.fork_workflow("s", 2, workflow_id="f")
        stage.clock.move(-10)
    with stage.engine() as engine:
        if how not in {"held", "running"}:
            engine.fork_workflow("s", 2, workflow_id="f")
        forked = engine.retrieve_workflow("f")
        if how in {"parked", "cancelled", "held"}:
            stage.parked(forked)
        stage.clock.move(10)
        assert forked.get_result() == (1, 2)
    assert runs.count(1) == 1


def test_a_fork_does_not_share_the_children_of_its_source(stage: Stage, registry):
    @registry.workflow
    def child(value):
        litewf.sleep(10)
        return value

    @registry.workflow
    def parent():
        handle = litewf.start_workflow(child, "of the source")
        other = litewf.start_workflow(child, "new")
        return handle.get_result(), other.get_result()

    with stage.engine() as engine:
        stage.parked(engine.start_workflow(parent.with_options(workflow_id="s")))
        forked = engine.fork_workflow("s", 2, workflow_id="f")
        stage.parked(forked)
        assert [one.workflow_id for one in engine.list_workflows(parent_id="f")] == ["f~2"]
        forked.cancel()
        assert engine.retrieve_workflow("s~1").get_status().status == "PENDING"
        assert engine.retrieve_workflow("f~2").get_status().status == "CANCELLED"


def test_the_same_fork_asked_for_again_is_the_same_fork(engine, three):
    """A6: repeating a call with the same id has no further effect and gives the same answer."""
    engine.start_workflow(three.with_options(workflow_id="s")).get_result()
    forks = [engine.fork_workflow("s", 2, workflow_id="f") for _ in range(2)]
    assert [fork.get_result() for fork in forks] == [[10, 20, 30]] * 2
    assert three.runs == [1, 2, 3, 2, 3]


def test_a_fork_to_an_id_that_exists_is_a_conflict(engine, three):
    for taken in ("s", "other"):
        engine.run_workflow(three.with_options(workflow_id=taken))
    for taken in ("s", "other"):
        with pytest.raises(litewf.WorkflowConflictError, match=f"'{taken}'"):
            engine.fork_workflow("s", workflow_id=taken)
    assert len(engine.list_workflows()) == 2


@pytest.mark.parametrize("bad", ["", "a~b", "x" * 256, "a\nb"])
def test_a_fork_to_a_bad_id_is_refused(engine, three, bad):
    engine.run_workflow(three.with_options(workflow_id="s"))
    with pytest.raises(ValueError, match="workflow id"):
        engine.fork_workflow("s", workflow_id=bad)
    assert len(engine.list_workflows()) == 1


@pytest.mark.parametrize("call", ["fork_workflow", "rewind_workflow"])
@pytest.mark.parametrize(
    ("start", "error"), [(0, ValueError), (-1, ValueError), ("2", TypeError), (True, TypeError), (1.0, TypeError)]
)
def test_a_start_step_that_is_no_number_of_a_step_is_refused(engine, three, call, start, error):
    engine.run_workflow(three.with_options(workflow_id="s"))
    with pytest.raises(error, match="start_step"):
        getattr(engine, call)("s", start)


@pytest.mark.parametrize("call", ["fork_workflow", "rewind_workflow"])
@pytest.mark.parametrize("start", [5, 99, 1 << 40])
def test_a_start_step_beyond_the_records_is_refused_before_anything_is_written(engine, three, call, start):
    engine.run_workflow(three.with_options(workflow_id="s"))
    with pytest.raises(litewf.UsageError, match=f"start_step {start} .*'s'.* at most 4"):
        getattr(engine, call)("s", start)
    [left] = engine.list_workflows()
    assert (left.workflow_id, left.status, left.generation) == ("s", "SUCCESS", 1)


def test_a_rewind_runs_again_from_a_step_under_the_same_id(engine, three):
    handle = engine.start_workflow(three)
    handle.get_result()
    three.runs.clear()
    assert engine.rewind_workflow(handle.workflow_id, 2) == handle
    assert handle.get_result() == [10, 20, 30]
    assert three.runs == [2, 3]
    assert handle.get_status().generation == 2
    assert step_ids(engine, handle.workflow_id) == ["1", "2", "3"]


def test_a_rewind_without_a_step_begins_at_the_first_that_failed(engine, three):
    three.broken = True
    handle = engine.start_workflow(three)
    with pytest.raises(ConnectionError):
        handle.get_result()
    three.broken = False
    three.runs.clear()
    engine.rewind_workflow(handle.workflow_id)
    assert handle.get_result() == [10, 20, 30]
    assert three.runs == [2, 3]


def test_a_rewind_of_a_workflow_that_failed_itself_runs_only_its_own_code(engine, registry):
    runs, broken = [], [True]

    @registry.step
    def work():
        runs.append(1)

    @registry.workflow
    def workflow():
        work()
        if broken:
            raise ValueError("a bug")
        return "repaired"

    handle = engine.start_workflow(workflow)
    with pytest.raises(ValueError, match="a bug"):
        handle.get_result()
    broken.clear()
    assert engine.rewind_workflow(handle.workflow_id).get_result() == "repaired"
    assert runs == [1]


def test_an_unfinished_workflow_cannot_be_rewound(stage: Stage, registry):
    @registry.workflow
    def sleeper():
        litewf.sleep(1000)

    with stage.engine() as engine:
        handle = engine.start_workflow(sleeper)
        with pytest.raises(litewf.WorkflowStateError, match="PENDING.*cancel"):
            engine.rewind_workflow(handle.workflow_id, 1)


def test_a_rewind_clears_the_deadline_and_the_outcome(stage: Stage, registry):
    @registry.workflow
    def sleeper():
        litewf.sleep(100)
        return "slept"

    with stage.engine() as engine:
        handle = engine.start_workflow(sleeper.with_options(timeout=60))
        stage.parked(handle)
        stage.clock.move(60)
        with pytest.raises(litewf.WorkflowTimeoutError):
            handle.get_result()
        engine.rewind_workflow(handle.workflow_id, 1)
        stage.parked(handle)
        status = handle.get_status()
        assert (status.status, status.error, status.deadline, status.completed_at) == ("PENDING", None, None, None)
        stage.clock.move(100)
        assert handle.get_result() == "slept"


def test_a_rewind_cancels_the_children_that_were_started_there_and_starts_new_ones(stage: Stage, registry):
    @registry.workflow
    def child(value):
        litewf.sleep(1000)
        return value

    @registry.workflow
    def other():
        litewf.sleep(1000)

    @registry.workflow
    def parent():
        litewf.start_workflow(child, "kept")
        litewf.start_workflow(child, "dropped")
        litewf.start_workflows([(child, "dropped"), (child.with_options(workflow_id="named"), "dropped")])
        litewf.start_workflow(other.with_options(workflow_id="foreign"))
        if litewf.now() < stage.clock.now.replace(hour=13):
            raise ValueError("too early")
        return "late enough"

    with stage.engine() as engine:
        stage.parked(engine.start_workflow(other.with_options(workflow_id="foreign")))
        handle = engine.start_workflow(parent.with_options(workflow_id="p"))
        with pytest.raises(ValueError, match="too early"):
            handle.get_result()
        stage.clock.move(3600 - 1)
        engine.rewind_workflow("p", 2)
        handle.as_future().exception(10)
        statuses = {one.workflow_id: one.status for one in engine.list_workflows(name=[child.name, other.name])}
    assert statuses.pop("foreign") in {"PENDING", "SUCCESS"}  # it was there before
    assert statuses.pop("p~1") in {"PENDING", "SUCCESS"}
    assert [statuses.pop(one) for one in ("p~2", "p~3.1", "named")] == ["CANCELLED"] * 3
    assert set(statuses) == {"p~2@2", "p~3.1@2"}


def test_a_rewind_drops_the_late_outcome_of_a_body_that_still_ran(stage: Stage, registry):
    """What a body of the former generation returns is no record of this one."""
    started, go_on, runs = threading.Event(), threading.Event(), []

    @registry.step
    def work(number):
        runs.append(number)
        if number == 2 and runs.count(2) == 1:
            started.set()
            assert go_on.wait(10)
            return "late"
        return number

    @registry.workflow
    def workflow():
        return [work(1), work(2)]

    with stage.engine() as engine:
        handle = engine.start_workflow(workflow)
        assert started.wait(10)
        handle.cancel()
        engine.rewind_workflow(handle.workflow_id, 1)
        go_on.set()
        assert handle.get_result() == [1, 2]
    assert runs == [1, 2, 1, 2]


def test_a_rewound_workflow_can_be_rewound_again(engine, three):
    handle = engine.start_workflow(three)
    handle.get_result()
    for generation in (2, 3, 4):
        engine.rewind_workflow(handle.workflow_id, 3)
        assert handle.get_result() == [10, 20, 30]
        assert handle.get_status().generation == generation
    assert three.runs == [1, 2, 3, 3, 3, 3]


def test_observers_of_the_former_end_keep_what_they_saw(stage: Stage, registry, three):
    """B8: a result that a parent recorded does not change when the child is rewound."""
    seen = []

    @registry.workflow
    def parent():
        seen.append(litewf.retrieve_workflow("c").get_result())
        litewf.sleep(10)
        return seen

    with stage.engine() as engine:
        engine.run_workflow(three.with_options(workflow_id="c"), 1)
        handle = engine.start_workflow(parent)
        stage.parked(handle)
        three.broken = True
        engine.rewind_workflow("c", 2)
        engine.retrieve_workflow("c").as_future().exception(10)
        stage.clock.move(10)
        assert handle.get_result() == [[10, 20, 30], [10, 20, 30]]


def test_no_two_executions_have_an_idempotency_key_in_common(engine, registry):
    """A rewound child is another than the child of its rewound parent, and than a workflow with such an id."""
    keys = []

    @registry.step
    def pay():
        keys.append(litewf.idempotency_key())

    @registry.workflow
    def child():
        pay()

    @registry.workflow
    def parent():
        pay()
        litewf.start_workflow(child).get_result()

    for workflow_id in ("p", "p@2"):
        engine.run_workflow(parent.with_options(workflow_id=workflow_id))
    for rewound in ("p~2", "p", "p~2"):
        engine.rewind_workflow(rewound, 1).get_result()
    assert len(keys) == len(set(keys)) == 4 + 1 + 2 + 1
