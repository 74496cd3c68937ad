"""G1, G2, G10: no more run than the limits allow, no fewer either, and slots are counted, never leaked."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

import litewf
from tests.queues.lab import Lab
from tests.stage import Stage


def ids(handles: list[Any]) -> list[str]:
    return [handle.workflow_id for handle in handles]


@pytest.mark.parametrize("kind", ["global_concurrency", "worker_concurrency"])
def test_no_more_run_than_the_limit_and_each_end_lets_one_start(lab: Lab, kind: str) -> None:
    lab.engine.create_queue("q", **{kind: 2})
    jobs = ids([lab.enqueue("q") for _ in range(5)])
    for at in range(5):
        assert lab.running == set(jobs[at : at + 2])
        lab.release(jobs[at])
    assert lab.slots() == set()


def test_leaked_slots__after_a_crash_the_queue_is_not_frozen(lab: Lab) -> None:
    lab.engine.create_queue("q", global_concurrency=2)
    jobs = ids([lab.enqueue("q") for _ in range(4)])
    for _ in range(3):
        lab.crash()
        assert lab.running == lab.slots() == set(jobs[:2])
    for job in jobs:
        lab.release(job)
    assert lab.slots() == set()


def test_limit_exceeded_after_killing_one__in_the_first_instant_after_recovery_too(lab: Lab) -> None:
    lab.engine.create_queue("q", worker_concurrency=1)
    first, second = ids([lab.enqueue("q") for _ in range(2)])
    lab.crash()
    assert lab.begun == [first, first]
    lab.release(first)
    assert lab.running == {second}


def test_a_lowered_limit_ends_nothing_and_lets_nothing_start_until_there_is_room(lab: Lab) -> None:
    lab.engine.create_queue("q", global_concurrency=3)
    jobs = ids([lab.enqueue("q") for _ in range(5)])
    lab.engine.update_queue("q", global_concurrency=1)
    lab.rest()
    assert lab.running == set(jobs[:3])
    lab.release(jobs[0])
    lab.release(jobs[1])
    assert lab.running == {jobs[2]}
    lab.release(jobs[2])
    assert lab.running == {jobs[3]}


def test_a_raised_limit_counts_at_once(lab: Lab) -> None:
    lab.engine.create_queue("q", global_concurrency=1)
    jobs = ids([lab.enqueue("q") for _ in range(3)])
    lab.engine.update_queue("q", global_concurrency=None)
    lab.rest()
    assert lab.running == set(jobs)


def test_a_cancelled_workflow_whose_body_runs_keeps_its_slot_until_the_body_has_ended(lab: Lab) -> None:
    lab.engine.create_queue("q", global_concurrency=1)
    first, second = ids([lab.enqueue("q") for _ in range(2)])
    lab.engine.cancel_workflow(first)
    lab.rest()
    assert lab.running == lab.slots() == {first}
    lab.release(first)
    assert lab.running == lab.slots() == {second}


@pytest.mark.parametrize("undo", ["resume_workflow", "rewind_workflow"])
def test_leaked_slots__a_cancel_undone_while_the_body_runs_frees_the_slot_when_it_ends(lab: Lab, undo: str) -> None:
    """The workflow goes on outside its queue; its former body holds the slot, and no longer."""
    lab.engine.create_queue("q", global_concurrency=1)
    first, second = ids([lab.enqueue("q") for _ in range(2)])
    lab.engine.cancel_workflow(first)
    getattr(lab.engine, undo)(first)
    lab.rest()
    assert lab.slots() == {first}
    lab.release(first)
    assert second in lab.running
    assert lab.slots() == {second}


def test_leaked_slots__a_dead_lettered_workflow_gives_its_slot_up(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab()

    @lab.registry.workflow(name="deadly", max_recovery_attempts=1)
    async def deadly() -> None:
        lab.bodies.clear()
        await lab.job.fn("h", "q")

    lab.engine.create_queue("q", global_concurrency=1)
    doomed = lab.engine.enqueue("q", deadly)
    waiting = lab.enqueue("q")
    for _ in range(2):
        lab.crash()
    status = lab.engine.retrieve_workflow(doomed.workflow_id).get_status()
    assert status.status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED"
    assert lab.slots() == {waiting.workflow_id}


def test_a_held_workflow_gives_its_slot_up_and_takes_it_again(path: Any) -> None:
    def engine(*names: str) -> litewf.Engine:
        registry = litewf.Registry()
        for name in names:
            registry.workflow(name=name)(lambda name=name: name)
        return litewf.Engine(path, registry=registry)

    with engine("b") as one:
        one.create_queue("q", global_concurrency=1)
        unknown, known = one.enqueue("q", "a"), one.enqueue("q", "b")
        assert known.get_result(timeout=20) == "b"
        with pytest.raises(litewf.WorkflowHeldError, match="no workflow named 'a'"):
            unknown.get_result(timeout=20)
        status = unknown.get_status()
        assert (status.queue_name, status.started_at) == ("q", None)
    with engine("a", "b") as other:
        assert other.retrieve_workflow(unknown.workflow_id).get_result(timeout=20) == "a"


def test_what_was_held_goes_back_to_its_place_and_counts_as_a_start_when_it_starts(make_lab: Any) -> None:
    lab = make_lab()
    lab.engine.create_queue("q", rate_limit=litewf.RateLimit(1, 60), priority_enabled=True)
    held = [lab.engine.enqueue("q", "later") for _ in range(3)]
    lab.rest()
    assert all(handle.get_status().held for handle in held)
    first = lab.enqueue("q", "")
    assert first.get_status().status == "SUCCESS"  # those who are held used none of the rate
    second = lab.enqueue("q", "")
    started = []
    lab.registry.workflow(name="later")(lambda: started.append(lab.clock.now_us()))
    lab.options["application_version"] = "2"
    lab.crash()
    assert started == []
    for at in range(4):
        lab.rest(60)
        assert len(started) == min(at + 1, 3)
    assert lab.engine.retrieve_workflow(second.workflow_id).get_status().status == "SUCCESS"


def test_many_starts_in_one_look_when_something_woken_goes_first(lab: Lab) -> None:
    """With max_tasks_per_iteration the rest is looked at again, whatever else a look took."""
    lab.engine.create_queue("q", max_tasks_per_iteration=2)
    asleep = lab.enqueue("q", "s")
    lab.engine.pause_queue("q")
    jobs = ids([lab.enqueue("q") for _ in range(9)])
    lab.rest(9)
    lab.engine.resume_queue("q")
    lab.rest(1)
    assert lab.running == set(jobs)
    assert lab.engine.retrieve_workflow(asleep.workflow_id).get_status().status == "SUCCESS"


# --- several engines ----------------------------------------------------------------------------------------------


class Gate:
    """Counts the bodies that run, by engine, and lets them end."""

    def __init__(self, registry: litewf.Registry) -> None:
        self.open = threading.Semaphore(0)
        self.running = 0
        self.most = 0
        self._lock = threading.Lock()
        registry.workflow(name="gated")(self._run)

    def _run(self) -> None:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            assert self.open.acquire(timeout=20)
        finally:
            with self._lock:
                self.running -= 1


def test_worker_concurrency_is_for_each_engine_and_global_concurrency_for_all(stage: Stage) -> None:
    gate = Gate(stage.registry)
    litewf.Queue("worker", worker_concurrency=2, registry=stage.registry)
    litewf.Queue("global", global_concurrency=3, registry=stage.registry)
    with stage.engine(executor_id="one") as one, stage.engine(executor_id="two"):
        worker = one.enqueue_many("worker", [("gated",) for _ in range(6)])
        stage.until(lambda: len(one.list_workflows(queue_name="worker", status="PENDING")) == 4)
        running = one.list_workflows(queue_name="worker", status="PENDING")
        assert sorted(status.executor_id or "" for status in running) == ["one", "one", "two", "two"]
        for _ in range(6):
            gate.open.release()
        for handle in worker:
            handle.get_result(timeout=20)
        gate.most = 0
        rest = one.enqueue_many("global", [("gated",) for _ in range(12)])
        for _ in range(12):
            gate.open.release()
        for handle in rest:
            handle.get_result(timeout=20)
        assert gate.most <= 3
        assert one.query("SELECT count(*) FROM task WHERE slot = 1") == [(0,)]


def test_no_queue_is_starved_by_a_large_backlog_of_another(stage: Stage) -> None:
    order: list[str] = []

    @stage.registry.workflow(name="note")
    def note(queue: str) -> None:
        order.append(queue)

    with stage.engine(max_threads=4) as engine:
        for name in ("big", "small"):
            engine.pause_queue(name)
        big = engine.enqueue_many("big", [(note, "big") for _ in range(3000)])
        small = engine.enqueue_many("small", [(note, "small") for _ in range(20)])
        for name in ("big", "small"):
            engine.resume_queue(name)
        for handle in small:
            handle.get_result(timeout=20)
        assert order.count("big") < 2500
        for handle in big:
            handle.get_result(timeout=20)
