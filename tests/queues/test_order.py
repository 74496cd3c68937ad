"""G4: who comes first; partitions, each with its own limit."""

import pytest

import litewf
from tests.queues.lab import Lab


def ids(*handles: litewf.WorkflowHandle[str]) -> list[str]:
    return [handle.workflow_id for handle in handles]


def run_all(lab: Lab) -> list[str]:
    """Release whatever runs, one by one; the order in which bodies began."""
    while lab.running:
        lab.release(next(iter(lab.running)))
    return lab.begun


def test_no_priority_comes_first_then_one_two_three_and_in_each_the_oldest(lab: Lab) -> None:
    lab.engine.create_queue("q", global_concurrency=1, priority_enabled=True)
    lab.engine.pause_queue("q")
    wanted = [(2, "e"), (1, "c"), (None, "a"), (2**31 - 1, "g"), (1, "d"), (2, "f"), (None, "b")]
    for priority, name in wanted:
        lab.enqueue("q", priority=priority, workflow_id=name)
    lab.engine.resume_queue("q")
    lab.rest()
    assert run_all(lab) == list("abcdefg")


def test_the_order_holds_across_kinds_of_workflows_and_versions(lab: Lab) -> None:
    lab.engine.create_queue("q", global_concurrency=1)
    order: list[str] = []

    @lab.registry.workflow(name="another")
    async def another(name: str) -> None:
        order.append(name)

    @lab.registry.workflow(name="a third")
    async def third(name: str) -> None:
        order.append(name)

    lab.engine.pause_queue("q")
    for number in range(9):
        kind = [another, third, another.with_options(application_version="old")][number % 3]
        lab.engine.enqueue("q", kind, str(number))
    lab.engine.resume_queue("q")
    lab.rest()
    assert order == [str(number) for number in range(9)]


def test_what_this_engine_cannot_run_holds_up_nothing_behind_it(lab: Lab) -> None:
    """The cost of a look does not depend on how much of that there is in front."""
    lab.options["recover"] = "matching"
    lab.crash()
    lab.engine.create_queue("q", global_concurrency=1)
    lab.engine.pause_queue("q")
    other = lab.job.with_options(application_version="2")
    with litewf.Engine(lab.path, registry=lab.registry, application_version="2", queues=[]):
        lab.engine.enqueue_many("q", [(other, "h", "q")] * 50)
        mine = lab.enqueue("q")
        lab.engine.resume_queue("q")
        lab.rest()
        assert lab.running == set(ids(mine))
        assert len(lab.engine.list_workflows(status="ENQUEUED")) == 50


def test_a_partition_has_its_own_limit_and_holds_up_no_other(lab: Lab) -> None:
    lab.engine.create_queue("q", partition_concurrency=1)
    x = ids(*[lab.enqueue("q", partition_key="x") for _ in range(3)])
    y = ids(*[lab.enqueue("q", partition_key="y") for _ in range(2)])
    free = ids(*[lab.enqueue("q") for _ in range(2)])
    assert lab.running == {x[0], y[0], *free}
    lab.release(x[0])
    assert lab.running == {x[1], y[0], *free}
    lab.engine.cancel_workflow(x[2])
    lab.release(x[1])
    lab.release(y[0])
    assert lab.running == {y[1], *free}


def test_a_partition_with_a_large_backlog_does_not_starve_a_small_one(lab: Lab) -> None:
    lab.engine.create_queue("q", partition_concurrency=1, global_concurrency=2)
    lab.engine.enqueue_many("q", [(lab.job.with_options(partition_key="big"), "h", "q", "big")] * 300)
    small = lab.enqueue("q", partition_key="small")
    assert small.workflow_id in lab.running


def test_priority_counts_within_a_partition(lab: Lab) -> None:
    lab.engine.create_queue("q", partition_concurrency=1, priority_enabled=True)
    first = lab.enqueue("q", partition_key="x", workflow_id="a").workflow_id
    for priority, name in [(3, "d"), (2, "c"), (None, "b")]:
        lab.enqueue("q", partition_key="x", priority=priority, workflow_id=name)
    assert lab.running == {first}
    assert run_all(lab) == list("abcd")


@pytest.mark.parametrize("limit", [2, None])
def test_the_limit_of_partitions_is_raised_and_lowered_at_run_time(lab: Lab, limit: int | None) -> None:
    lab.engine.create_queue("q", partition_concurrency=1)
    jobs = ids(*[lab.enqueue("q", partition_key="x") for _ in range(5)])
    lab.engine.update_queue("q", partition_concurrency=limit)
    lab.rest()
    assert lab.running == set(jobs[: limit or 5])
    lab.engine.update_queue("q", partition_concurrency=1)
    lab.rest()
    while lab.running:
        before = lab.running
        lab.release(min(before))
        assert len(lab.running) == max(len(before) - 1, min(1, len(lab.engine.list_workflows(status="PENDING"))))
    assert lab.slots() == set()


def test_a_deleted_queue_lets_its_partitions_go(lab: Lab) -> None:
    lab.engine.create_queue("q", partition_concurrency=1, global_concurrency=1)
    jobs = ids(*[lab.enqueue("q", partition_key="x") for _ in range(3)])
    lab.engine.delete_queue("q")
    lab.rest()
    assert lab.running == set(jobs)


def test_a_returning_parent_in_a_full_partition_holds_up_no_other_parent(lab: Lab) -> None:
    lab.engine.create_queue("q", partition_concurrency=1, global_concurrency=3)
    x, y = (lab.enqueue("q", "c", partition_key=name, workflow_id=name) for name in ("x", "y"))
    lab.enqueue("q", partition_key="x", workflow_id="x-blocks")
    lab.release("x~1")
    assert lab.running == {"x-blocks", "y~1"} or lab.running == {"y~1"}
    assert y.get_status().status == "PENDING"
    lab.release("y~1")
    assert y.get_status().status == "SUCCESS"
    run_all(lab)
    assert x.get_status().status == "SUCCESS"
