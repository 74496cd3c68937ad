"""Queues while everything runs: created, changed, paused, deleted; and what is on them: listed, resumed, forked."""

from pathlib import Path
from typing import Any

import pytest

import litewf
from tests.queues.lab import Lab
from tests.stage import Stage


def test_a_paused_queue_starts_nothing_and_what_was_started_goes_on(lab: Lab) -> None:
    lab.enqueue("q", "hsh", workflow_id="started")
    lab.engine.pause_queue("q")
    lab.enqueue("q", workflow_id="waiting")
    lab.release("started")
    lab.rest(10)
    lab.crash()
    assert lab.running == {"started"}
    lab.engine.resume_queue("q")
    lab.rest()
    assert lab.running == {"started", "waiting"}


def test_queues_are_created_changed_listed_and_deleted_at_run_time(lab: Lab) -> None:
    lab.engine.create_queue("b", global_concurrency=2, rate_limit=litewf.RateLimit(3, 1.5))
    lab.engine.create_queue("a")
    lab.engine.update_queue("b", global_concurrency=None, priority_enabled=True)
    lab.engine.pause_queue("c")
    found = {queue.name: queue for queue in lab.engine.list_queues()}
    assert list(found) == ["a", "b", "c"]
    b = found["b"]
    assert (b.global_concurrency, b.rate_limit, b.priority_enabled) == (None, litewf.RateLimit(3, 1.5), True)
    assert [name for name, queue in found.items() if queue.paused] == ["c"]
    for name in found:
        lab.engine.delete_queue(name)
    assert lab.engine.list_queues() == []


def test_limits_that_the_program_defines_replace_those_of_the_file_at_launch(lab: Lab, caplog: Any) -> None:
    lab.engine.create_queue("q", global_concurrency=5)
    lab.engine.pause_queue("q")
    litewf.Queue("q", worker_concurrency=2, registry=lab.registry)
    with caplog.at_level("INFO", "litewf"):
        lab.crash()
    [queue] = lab.engine.list_queues()
    assert (queue.worker_concurrency, queue.global_concurrency, queue.paused) == (2, None, True)
    assert "limits of queue 'q' change" in caplog.text


def test_what_is_defined_after_the_launch_does_not_undo_what_was_changed_since(stage: Stage) -> None:
    litewf.Queue("first", global_concurrency=1, registry=stage.registry)
    with stage.engine() as engine:
        engine.update_queue("first", global_concurrency=7)
        litewf.Queue("second", registry=stage.registry)
        stage.registry.workflow(name="new")(lambda: None)
        stage.until(lambda: len(engine.list_queues()) == 2)
        assert engine.list_queues()[0].global_concurrency == 7


def test_a_queue_that_no_engine_serves_waits_visibly(lab: Lab) -> None:
    lab.options["queues"] = ["mail", litewf.Queue("print", registry=lab.registry)]
    lab.crash()
    lab.enqueue("elsewhere", workflow_id="w", deduplication_id="d")
    lab.enqueue("mail", workflow_id="v")
    lab.enqueue("print", workflow_id="u")
    lab.engine.start_workflow(lab.job.with_options(workflow_id="plain"), "", "q")
    lab.rest(3600)
    assert lab.running == {"v", "u"}
    status = lab.engine.retrieve_workflow("w").get_status()
    assert (status.status, status.queue_name, status.held) == ("ENQUEUED", "elsewhere", None)
    found = {
        "queue": lab.engine.list_workflows(queue_name="elsewhere"),
        "queues": lab.engine.list_workflows(queue_name=["elsewhere", "nowhere"]),
        "id": lab.engine.list_workflows(deduplication_id="d"),
        "status": lab.engine.list_workflows(status="ENQUEUED"),
    }
    assert {what: [one.workflow_id for one in several] for what, several in found.items()} == dict.fromkeys(
        found, ["w"]
    )
    assert {one.workflow_id for one in lab.engine.list_workflows(queues_only=True)} == {"w", "v", "u"}
    lab.options["queues"] = None
    lab.crash()
    assert "w" in lab.running


def test_resume_lets_it_run_outside_of_its_queue(lab: Lab) -> None:
    lab.engine.create_queue("q", global_concurrency=1, rate_limit=litewf.RateLimit(1, 3600))
    lab.engine.pause_queue("q")
    jobs = [lab.enqueue("q").workflow_id for _ in range(3)]
    for job in jobs[1:]:
        lab.engine.resume_workflow(job)
    lab.rest()
    assert lab.running == set(jobs[1:])
    assert lab.slots() == set()
    lab.engine.resume_queue("q")
    lab.rest()
    assert lab.running == set(jobs)


def test_a_fork_may_wait_on_a_queue(lab: Lab) -> None:
    source = lab.enqueue("q", "hh")
    lab.release(source.workflow_id)
    queue = litewf.Queue("forks", global_concurrency=1, registry=lab.registry)
    lab.crash()
    forks = [lab.engine.fork_workflow(source.workflow_id, 2, queue=queue) for _ in range(2)]
    lab.rest()
    assert lab.running == {source.workflow_id, forks[0].workflow_id}
    waiting = forks[1].get_status()
    assert (waiting.status, waiting.queue_name, waiting.forked_from) == ("ENQUEUED", "forks", source.workflow_id)
    assert lab.running == {source.workflow_id, forks[0].workflow_id}
    assert len(lab.engine.list_steps(forks[1].workflow_id)) == 1
    with pytest.raises(ValueError):
        lab.engine.fork_workflow(source.workflow_id, queue="litewf.own")


def test_a_large_batch_is_there_at_once_with_a_handle_for_each(stage: Stage) -> None:
    job = stage.registry.workflow(name="job")(lambda number: number)
    with stage.engine(queues=[]) as engine:
        handles = engine.enqueue_many("q", [(job, number) for number in range(700)])
        assert len(engine.list_workflows(status="ENQUEUED")) == 700
        assert len({handle.workflow_id for handle in handles}) == 700
        assert engine.enqueue_many("q", []) == []


def test_nothing_is_committed_while_nothing_changes(lab: Lab) -> None:
    lab.engine.create_queue("q", global_concurrency=1)
    for _ in range(3):
        lab.enqueue("q")
    before = lab.engine.points
    for _ in range(20):
        lab.rest(60)
    assert lab.engine.points == before


def test_a_client_that_has_no_code_enqueues_by_name(path: Path) -> None:
    registry = litewf.Registry()
    registry.workflow(name="add")(lambda one, two=0: one + two)
    with litewf.Engine(path, registry=registry, application_version="7") as engine:
        litewf_client = litewf.Client(path, registry=litewf.Registry())
        with litewf_client as client:
            handle = client.enqueue("q", "add", 1, two=2)
            assert handle.get_result(timeout=20) == 3
            batch = client.enqueue_many("q", [("add", number) for number in range(5)])
            assert [one.get_result(timeout=20) for one in batch] == list(range(5))
            client.pause_queue("q")
            waiting = client.enqueue("q", "add", 1)
            assert waiting.get_status().status == "ENQUEUED"
            client.cancel_workflow(waiting.workflow_id)
            client.resume_queue("q")
        assert engine.query("SELECT count(*) FROM task WHERE slot = 1") == [(0,)]
