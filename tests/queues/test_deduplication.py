"""G5: at most one unfinished workflow for each deduplication id of a queue; it is free in the commit that ends it."""

import threading
from typing import Any

import pytest

import litewf
from tests.queues.lab import Lab
from tests.stage import Stage


def test_a_second_one_is_refused_or_finds_the_first(lab: Lab) -> None:
    first = lab.enqueue("q", deduplication_id="d")
    with pytest.raises(litewf.DuplicateWorkflowError, match=f"{first.workflow_id}.*return_existing"):
        lab.enqueue("q", deduplication_id="d")
    assert lab.enqueue("q", deduplication_id="d", on_duplicate="return_existing") == first
    assert lab.enqueue("other", deduplication_id="d") != first
    assert len(lab.engine.list_workflows()) == 2


def _succeed(lab: Lab, job: str) -> None:
    lab.release(job)


def _cancel(lab: Lab, job: str) -> None:
    lab.engine.cancel_workflow(job)


def _resume(lab: Lab, job: str) -> None:
    lab.engine.cancel_workflow(job)
    lab.engine.resume_workflow(job)


@pytest.mark.parametrize("script", ["h", "hx"])
@pytest.mark.parametrize("end", [_succeed, _cancel, _resume])
def test_the_id_is_free_once_its_holder_has_ended_or_left_the_queue(lab: Lab, end: Any, script: str) -> None:
    first = lab.enqueue("q", script, deduplication_id="d")
    end(lab, first.workflow_id)
    second = lab.enqueue("q", deduplication_id="d")
    assert second != first
    assert second.get_status().deduplication_id == "d"


@pytest.mark.parametrize("options", [{}, {"delay": 60}])
def test_who_is_resumed_shows_no_id_any_more_since_it_left_the_queue_on_which_it_held_it(
    lab: Lab, options: dict[str, Any]
) -> None:
    lab.engine.pause_queue("q")
    first = lab.enqueue("q", deduplication_id="d", **options)
    assert [one.workflow_id for one in lab.engine.list_workflows(deduplication_id="d")] == [first.workflow_id]
    lab.engine.resume_workflow(first.workflow_id)
    status = first.get_status()
    assert (status.status, status.queue_name, status.deduplication_id) == ("PENDING", "q", None)
    second = lab.enqueue("q", deduplication_id="d")
    assert [one.workflow_id for one in lab.engine.list_workflows(deduplication_id="d")] == [second.workflow_id]


@pytest.mark.parametrize("options", [{"delay": 60}, {}, {"partition_key": "x"}])
def test_the_id_is_held_while_its_holder_is_delayed_waits_or_is_behind(lab: Lab, options: dict[str, Any]) -> None:
    lab.engine.create_queue("q", global_concurrency=1, partition_concurrency=1)
    lab.enqueue("q", partition_key="x")
    waiting = lab.enqueue("q", deduplication_id="d", **options)
    assert waiting.get_status().status in ("DELAYED", "ENQUEUED")
    with pytest.raises(litewf.DuplicateWorkflowError):
        lab.enqueue("q", deduplication_id="d")
    lab.engine.cancel_workflow(waiting.workflow_id)
    lab.enqueue("q", deduplication_id="d")


def test_within_one_batch_too_and_a_refused_batch_leaves_nothing(lab: Lab) -> None:
    once = lab.job.with_options(deduplication_id="d")
    batch = [(lab.job, "h", "q"), (once, "h", "q"), (once, "h", "q")]
    with pytest.raises(litewf.DuplicateWorkflowError):
        lab.engine.enqueue_many("q", batch)
    assert lab.engine.list_workflows() == []
    shared = once.with_options(on_duplicate="return_existing")
    handles = lab.engine.enqueue_many("q", [(shared, "h", "q"), (lab.job, "h", "q"), (shared, "h", "q")])
    assert handles[0] == handles[2] != handles[1]
    assert len(lab.engine.list_workflows()) == 2


def test_an_id_that_is_started_again_attaches_whatever_its_deduplication_id(lab: Lab) -> None:
    first = lab.enqueue("q", workflow_id="w", deduplication_id="d")
    assert lab.enqueue("q", workflow_id="w", deduplication_id="d") == first


def test_a_refusal_inside_a_workflow_is_recorded(stage: Stage) -> None:
    @stage.registry.workflow(name="child")
    def child() -> None:
        litewf.recv()

    @stage.registry.workflow(name="parent")
    def parent() -> list[str]:
        once = child.with_options(deduplication_id="d")
        first = litewf.enqueue("q", once)
        try:
            litewf.enqueue("q", once)
        except litewf.DuplicateWorkflowError as error:
            said = type(error).__name__
        second = litewf.enqueue("q", once.with_options(on_duplicate="return_existing"))
        litewf.recv()
        return [first.workflow_id, said, second.workflow_id]

    with stage.engine() as engine:
        handle = engine.start_workflow(parent.with_options(workflow_id="p"))
        stage.parked(handle)
        engine.cancel_workflow("p~1")  # the holder is gone, and the replay does not notice
        engine.send("p", "go on")
        assert handle.get_result(timeout=20) == ["p~1", "DuplicateWorkflowError", "p~1"]
        assert [step.child_workflow_id for step in engine.list_steps("p")] == ["p~1", None, None, None]


def test_same_id_enqueued_from_many_threads_is_one_workflow(stage: Stage) -> None:
    @stage.registry.workflow(name="job")
    def job() -> None:
        pass

    found, refused, begin = [], [], threading.Barrier(8)

    def enqueue(engine: litewf.Engine) -> None:
        begin.wait()
        try:
            found.append(engine.enqueue("q", job.with_options(deduplication_id="d")))
        except litewf.DuplicateWorkflowError as error:
            refused.append(error)

    with stage.engine() as one, stage.engine() as two:
        one.pause_queue("q")
        threads = [threading.Thread(target=enqueue, args=([one, two][n % 2],)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert (len(found), len(refused)) == (1, 7)
