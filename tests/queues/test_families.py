"""Parents and children on one queue never wait for each other's slots; who waits for anything else keeps its slot."""

import pytest

import litewf
from tests.queues.lab import Lab
from tests.stage import Stage


def test_parents_and_children_on_a_queue_of_one(lab: Lab) -> None:
    lab.engine.create_queue("q", global_concurrency=1, worker_concurrency=1, partition_concurrency=1)
    for name in ("a", "b"):
        lab.enqueue("q", "hch", workflow_id=name, partition_key="x")
    for _ in range(6):
        assert len(lab.running) == 1
        lab.release(min(lab.running))
    assert {one.status for one in lab.engine.list_workflows()} == {"SUCCESS"}
    assert lab.slots() == set()


@pytest.mark.parametrize("linger", [0, 0.2])
def test_grandchildren_of_sync_workflows_too(stage: Stage, linger: float) -> None:
    litewf.Queue("q", global_concurrency=1, registry=stage.registry)

    @stage.registry.workflow(name="nested")
    def nested(depth: int) -> int:
        return 1 + sum(nested_on_queue(depth - 1) for _ in range(2)) if depth else 1

    nested_on_queue = nested.with_options(queue="q")
    with stage.engine(linger=linger, max_threads=2) as engine:
        assert engine.run_workflow(nested_on_queue, 3) == 15
        assert engine.query("SELECT count(*) FROM task WHERE slot = 1") == [(0,)]


def test_a_parent_goes_on_ahead_of_anything_enqueued(lab: Lab) -> None:
    lab.engine.create_queue("q", global_concurrency=1)
    lab.enqueue("q", "ch", workflow_id="parent")
    lab.enqueue("q", workflow_id="waiting")
    lab.release("parent~1")
    assert lab.running == {"parent"}


@pytest.mark.parametrize("script", ["s", "r"])
def test_who_waits_for_time_or_a_message_keeps_its_slot_and_frees_its_worker(lab: Lab, script: str) -> None:
    lab.engine.create_queue("q", global_concurrency=2, worker_concurrency=1)
    lab.enqueue("q", script + "h", workflow_id="parked")
    lab.enqueue("q", workflow_id="second")
    lab.enqueue("q", workflow_id="third")
    assert lab.running == {"second"}
    assert lab.slots() == {"parked", "second"}
    lab.engine.send("parked", "hello")
    lab.rest(10)
    lab.release("second")
    assert lab.running == {"parked"}


def test_who_waits_for_a_cloud_event_keeps_its_slot(lab: Lab) -> None:
    @lab.registry.workflow(name="listener")
    async def listener() -> str:
        return (await litewf.wait_event_async("ping")).type

    lab.engine.create_queue("q", global_concurrency=1)
    handle = lab.engine.enqueue("q", listener)
    lab.enqueue("q", workflow_id="waiting")
    assert lab.slots() == {handle.workflow_id}
    lab.engine.publish_event("ping", None)
    lab.rest()
    assert handle.get_result(timeout=0) == "ping"
    assert lab.running == {"waiting"}


def test_who_waits_for_the_event_of_its_child_on_a_queue_of_one_does_not_block_it(lab: Lab) -> None:
    @lab.registry.workflow(name="child")
    async def child() -> None:
        await litewf.set_event_async("ready", "yes")

    @lab.registry.workflow(name="parent")
    async def parent() -> str:
        handle = await litewf.enqueue_async("q", child)
        return await litewf.get_event_async(handle.workflow_id, "ready")

    lab.engine.create_queue("q", global_concurrency=1)
    handle = lab.engine.enqueue("q", parent)
    lab.rest()
    assert handle.get_result(timeout=0) == "yes"


def test_generations_keep_the_slot(lab: Lab) -> None:
    @lab.registry.workflow(name="generations")
    async def generations(left: int) -> int:
        await litewf.sleep_async(1)
        if left:
            litewf.continue_as_new(left - 1)
        return left

    lab.engine.create_queue("q", global_concurrency=1, rate_limit=litewf.RateLimit(1, 1))
    handle = lab.engine.enqueue("q", generations, 3)
    lab.rest()
    lab.enqueue("q", workflow_id="next")
    lab.rest(3.9)
    assert lab.slots() == {handle.workflow_id}
    lab.rest(0.1)
    assert lab.running == {"next"}


def test_children_that_are_enqueued_in_a_batch_are_recorded_as_one_call(stage: Stage) -> None:
    litewf.Queue("q", global_concurrency=1, registry=stage.registry)

    @stage.registry.workflow(name="child")
    def child(number: int) -> int:
        return number

    @stage.registry.workflow(name="parent")
    def parent() -> list[int]:
        return litewf.wait_all(litewf.enqueue_many("q", [(child, number) for number in range(5)]))

    with stage.engine() as engine:
        assert engine.run_workflow(parent.with_options(queue="q")) == list(range(5))


def test_a_step_of_another_module_may_enqueue_by_name(lab: Lab) -> None:
    @lab.registry.workflow(name="parent")
    async def parent() -> str:
        return await (await litewf.enqueue_async("q", "job", "", "q")).get_result_async()

    handle = lab.engine.start_workflow(parent)
    lab.rest()
    assert handle.get_result(timeout=0) == ""


def test_a_recorded_enqueue_is_not_checked_again_at_replay(lab: Lab) -> None:
    """What a queue is like now says nothing of what it was like then."""

    @lab.registry.workflow(name="parent")
    async def parent() -> str:
        try:
            await litewf.enqueue_async("q", lab.job.with_options(priority=1), "", "q")
        except litewf.QueuePriorityError:
            return "refused"
        await litewf.recv_async()
        return "accepted"

    for enabled, expected in ((True, "accepted"), (False, "refused")):
        lab.engine.create_queue("q", priority_enabled=enabled)
        handle = lab.engine.start_workflow(parent)
        lab.rest()
        lab.engine.update_queue("q", priority_enabled=not enabled)
        lab.engine.send(handle.workflow_id, "go on")
        lab.rest()
        assert handle.get_result(timeout=0) == expected
