"""G6, G9: delays, debounce, and when the time of a queued workflow begins to run."""

import pytest

import litewf
from tests.queues.lab import Lab
from tests.stage import Stage


def status(lab: Lab, workflow_id: str) -> str:
    return lab.engine.retrieve_workflow(workflow_id).get_status().status


def test_nothing_starts_before_its_delay_is_over_whatever_dies_in_between(lab: Lab) -> None:
    late = lab.enqueue("q", delay=60, workflow_id="late")
    lab.rest(59)
    assert late.get_status().status == "DELAYED"
    lab.crash()
    assert lab.running == set()
    lab.rest(1)
    assert lab.running == {"late"}


def test_a_delayed_workflow_takes_its_place_when_it_comes_due(lab: Lab) -> None:
    lab.engine.create_queue("q", global_concurrency=1, priority_enabled=True)
    first = lab.enqueue("q")
    lab.enqueue("q", delay=10, workflow_id="delayed")
    lab.enqueue("q", priority=1, workflow_id="later")
    lab.rest(10)
    assert status(lab, "delayed") == "ENQUEUED"
    lab.release(first.workflow_id)
    assert lab.running == {"delayed"}


def test_a_delayed_workflow_is_resumed_at_once_and_cancelled_for_good(lab: Lab) -> None:
    now, never = (lab.enqueue("q", delay=3600) for _ in range(2))
    lab.engine.resume_workflow(now.workflow_id)
    lab.engine.cancel_workflow(never.workflow_id)
    lab.rest(7200)
    assert lab.running == {now.workflow_id}
    assert never.get_status().status == "CANCELLED"


# --- timeouts -----------------------------------------------------------------------------------------------------


def test_the_timeout_begins_when_the_workflow_is_dequeued(lab: Lab) -> None:
    lab.engine.create_queue("q", global_concurrency=1)
    first = lab.enqueue("q")
    second = lab.enqueue("q", timeout=30)
    lab.rest(3600)
    assert (second.get_status().status, second.get_status().deadline) == ("ENQUEUED", None)
    lab.release(first.workflow_id)
    lab.rest(29)
    assert second.get_status().status == "PENDING"
    lab.rest(1)
    with pytest.raises(litewf.WorkflowTimeoutError):
        second.get_result(timeout=0)


def test_a_recovery_does_not_begin_the_timeout_anew(lab: Lab) -> None:
    job = lab.enqueue("q", timeout=30)
    deadline = job.get_status().deadline
    lab.rest(20)
    lab.crash()
    assert lab.engine.retrieve_workflow(job.workflow_id).get_status().deadline == deadline
    lab.rest(10)
    assert status(lab, job.workflow_id) == "CANCELLED"


def test_an_inherited_deadline_cancels_what_still_waits(lab: Lab) -> None:
    @lab.registry.workflow(name="parent")
    async def parent() -> None:
        child = lab.job.with_options(timeout=3600)
        await (await litewf.enqueue_async("q", child, "h", "q")).get_result_async()

    lab.engine.pause_queue("q")
    lab.engine.start_workflow(parent.with_options(workflow_id="p", timeout=60))
    lab.rest(60)
    assert (status(lab, "p"), status(lab, "p~1")) == ("CANCELLED", "CANCELLED")
    lab.engine.resume_queue("q")
    lab.rest()
    assert lab.running == set()


# --- debounce -----------------------------------------------------------------------------------------------------


def test_many_calls_are_one_run_with_the_last_input(lab: Lab) -> None:
    handles = []
    for script in ("h", "hh", "s", ""):
        handles.append(lab.engine.debounce(lab.job, "key", 10, script, "q"))
        lab.rest(9)
    assert len(set(handles)) == 1
    assert handles[0].get_status().status == "DELAYED"
    lab.rest(1)
    assert handles[0].get_result(timeout=0) == ""
    assert len(lab.ran) == 1


def test_calls_put_it_off_no_longer_than_max_delay(lab: Lab) -> None:
    begin = lab.clock.now_us()
    bounded = lab.job.with_options(max_delay=25)
    for _ in range(5):
        lab.engine.debounce(bounded, "key", 10, "", "q")
        lab.rest(6)
    assert [(time_us - begin) / 1_000_000 for _, time_us in lab.ran] == [25]


def test_the_key_is_free_once_it_waits_for_its_turn(lab: Lab) -> None:
    lab.engine.pause_queue("q")
    queued = lab.job.with_options(queue="q")
    first = lab.engine.debounce(queued, "key", 10, "h", "q")
    lab.rest(10)
    assert first.get_status().status == "ENQUEUED"
    second = lab.engine.debounce(queued, "key", 10, "", "q")
    assert second != first
    lab.engine.resume_queue("q")
    lab.rest(10)
    assert second.get_status().status == "SUCCESS"


def test_keys_and_workflows_do_not_meet(lab: Lab) -> None:
    other = lab.registry.workflow(name="other")(lambda script, queue: script)
    handles = {lab.engine.debounce(flow, key, 10, "", "q") for flow in (lab.job, other) for key in ("a", "b")}
    assert len(handles) == 4


def test_the_debounced_run_even_where_only_named_queues_are_served(lab: Lab) -> None:
    lab.options["queues"] = ["mail"]
    lab.crash()
    handle = lab.engine.debounce(lab.job, "key", 10, "", "q")
    lab.rest(10)
    assert handle.get_status().status == "SUCCESS"


def test_inside_a_workflow_a_debounce_is_recorded(stage: Stage) -> None:
    @stage.registry.workflow(name="job")
    def job(number: int) -> int:
        return number

    @stage.registry.workflow(name="caller")
    def caller(number: int) -> str:
        handle = engine.debounce(job, "key", 10, number)
        litewf.recv()
        return handle.workflow_id

    with stage.engine() as engine:
        callers = [engine.start_workflow(caller, number) for number in range(3)]
        for handle in callers:
            stage.parked(handle)
        stage.clock.move(10)
        for handle in callers:
            engine.send(handle.workflow_id, "go on")
        found = {handle.get_result(timeout=20) for handle in callers}
        assert len(found) == 1
        engine.retrieve_workflow(found.pop()).get_result(timeout=20)
        assert len(engine.list_workflows(name="job")) == 1
