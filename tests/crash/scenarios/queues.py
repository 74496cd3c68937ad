"""Queues: limits, order, children on the queue of their parent, rates, partitions, debounce, cancel and resume."""

from typing import Any

import litewf
from tests.crash.explorer import Drive
from tests.crash.life import Life
from tests.crash.scenarios.writing import scenario

MINUTE_S = 60.0


def _alone(life: Life, queue: str, most: int = 1) -> None:
    """G1: no more than so many bodies of a queue run."""
    running = [key for key in life.ledger.open if key.startswith(queue)]
    if len(running) > most:
        life.ledger.fail(f"G1 {running} run at once")


def _work(life: Life, queue: str, most: int = 1) -> Any:
    @life.step
    def work(what: str) -> str:
        _alone(life, queue, most)
        return what

    return work


def _all_ended(life: Life, engine: litewf.Engine, **expected: Any) -> None:
    life.settle()
    for workflow_id, result in expected.items():
        found = engine.retrieve_workflow(workflow_id).get_result(timeout=0)
        assert found == result, f"{workflow_id}: {found!r}, not {result!r}"


@scenario()
def a_queue_of_one(life: Life) -> Drive:
    """One after the other, in the order of their enqueue; one of them fails."""
    queue = litewf.Queue("q", global_concurrency=1, registry=life.registry)
    work = _work(life, "q")
    order = life.ledger.effects

    @life.workflow
    def main(n: int) -> int:
        if str(n) not in order:
            order.append(str(n))
        work(f"{n} begins")
        if n == 1:
            raise ValueError("no")
        work(f"{n} ends")
        return n

    def drive(engine: litewf.Engine) -> None:
        for n in range(3):
            life.start(main, f"q{n}", n, queue=queue.name)
        _all_ended(life, engine, q0=0, q2=2)
        if order != sorted(order):
            life.ledger.fail(f"G4 started as {order}")

    return drive


@scenario(linger=0)
def a_parent_and_its_children_on_a_queue_of_one(life: Life) -> Drive:
    litewf.Queue("q", global_concurrency=1, registry=life.registry)
    work = _work(life, "q")

    @life.workflow
    def child(n: int) -> str:
        litewf.sleep(MINUTE_S)
        return work(f"child {n}")

    @life.workflow
    def main(name: str) -> list[str]:
        work(f"{name} begins")
        handles = [litewf.enqueue("q", child, n) for n in range(2)]
        results = [life.note(f"child {n}", handle.get_result()) for n, handle in enumerate(handles)]
        work(f"{name} ends")
        return results

    def drive(engine: litewf.Engine) -> None:
        life.start(main, "qa", "a", queue="q")
        life.start(main, "qb", "b", queue="q")
        _all_ended(life, engine, qa=["child 0", "child 1"], qb=["child 0", "child 1"])

    return drive


@scenario(linger=0)
def async_parents_and_children_in_partitions_of_one(life: Life) -> Drive:
    litewf.Queue("q", partition_concurrency=1, global_concurrency=2, registry=life.registry)

    @life.step
    async def work(what: str) -> str:
        _alone(life, "q", 2)
        return what

    @life.workflow
    async def child(n: int) -> str:
        return await work(f"child {n}")

    @life.workflow
    async def main(name: str) -> str:
        await work(f"{name} begins")
        result = await child.with_options(queue="q", partition_key=name)(1)
        await litewf.sleep_async(MINUTE_S)
        return await work(f"{name} after {result}")

    def drive(engine: litewf.Engine) -> None:
        for name in ("a", "b"):
            for n in range(2):
                life.start(main, f"q{name}{n}", name, queue="q", partition_key=name)
        _all_ended(life, engine, **{f"q{name}{n}": f"{name} after child 1" for name in ("a", "b") for n in range(2)})

    return drive


@scenario(downtime_s=(0.0, 5.0, 3600.0))
def a_rate_of_two_a_minute(life: Life) -> Drive:
    litewf.Queue("q", rate_limit=litewf.RateLimit(2, MINUTE_S), registry=life.registry)
    work = _work(life, "q", 2)

    @life.workflow
    def main(n: int) -> str:
        return work(f"{n}")

    def drive(engine: litewf.Engine) -> None:
        for n in range(5):
            life.start(main, f"q{n}", n, queue="q")
        _all_ended(life, engine, **{f"q{n}": f"{n}" for n in range(5)})
        started = sorted(status.started_at.timestamp() for status in engine.list_workflows() if status.started_at)
        for earlier, later in zip(started, started[2:], strict=False):
            if later - earlier < MINUTE_S - 0.000_001:
                life.ledger.fail(f"G3 three starts within {later - earlier} s: {started}")

    return drive


@scenario()
def a_deduplication_id_is_free_when_its_holder_has_ended(life: Life) -> Drive:
    queue = litewf.Queue("q", priority_enabled=True, registry=life.registry)
    work = _work(life, "q", 3)

    @life.workflow
    def main(n: int) -> str:
        return work(f"{n}")

    def drive(engine: litewf.Engine) -> None:
        life.start(main, "q0", 0, queue="q", deduplication_id="d", delay=MINUTE_S)
        try:
            again = main.with_options(deduplication_id="d", on_duplicate="return_existing")
            if (
                life.clock.now_us()
                < engine.retrieve_workflow("q0").get_status().created_at.timestamp() * 1_000_000 + 30e6
            ):
                assert engine.enqueue(queue, again, 1).workflow_id == "q0"
            life.settle()
            life.start(main, "q2", 2, queue="q", deduplication_id="d")
        except litewf.DuplicateWorkflowError as error:
            life.ledger.fail(f"G5 {error}")
        _all_ended(life, engine, q0="0", q2="2")

    return drive


@scenario()
def a_batch_is_there_as_a_whole_or_not_at_all(life: Life) -> Drive:
    queue = litewf.Queue("q", global_concurrency=2, registry=life.registry)
    work = _work(life, "", 2)

    @life.workflow
    def main(n: int) -> str:
        return work(f"{n}")

    def drive(engine: litewf.Engine) -> None:
        count = len(engine.list_workflows())
        if count % 3:
            life.ledger.fail(f"A2 {count} of a batch of three are there")
        if not count:
            engine.enqueue_many(queue, [(main, n) for n in range(3)])
        life.settle()
        assert sorted(one.output for one in engine.list_workflows()) == ["0", "1", "2"]

    return drive


@scenario(downtime_s=(0.0,))
def a_debounced_workflow_runs_once_with_the_last_input(life: Life) -> Drive:
    work = _work(life, "")
    calls: list[str] = life.ledger.effects

    @life.workflow
    def main(n: int) -> str:
        return work(f"{n}")

    def drive(engine: litewf.Engine) -> None:
        for n in range(3):
            if f"called {n}" not in calls:
                engine.debounce(main, "key", MINUTE_S, n)
                calls.append(f"called {n}")
            life.settle(life.clock.now_us() + 20_000_000)
        life.settle()
        outputs = [one.output for one in engine.list_workflows()]
        if outputs[-1:] != ["2"] or (life.ledger.life == 0 and outputs != ["2"]):
            life.ledger.fail(f"G9 the debounced runs gave {outputs}")

    return drive


@scenario(linger=0)
def generations_keep_their_slot(life: Life) -> Drive:
    litewf.Queue("q", global_concurrency=1, registry=life.registry)
    work = _work(life, "q")

    @life.workflow
    def main(name: str, left: int) -> str:
        work(f"{name} {left}")
        litewf.sleep(MINUTE_S)
        if left:
            litewf.continue_as_new(name, left - 1)
        return name

    def drive(engine: litewf.Engine) -> None:
        for name in ("qa", "qb"):
            life.start(main, name, name, 1, queue="q")
        _all_ended(life, engine, qa="qa", qb="qb")

    return drive


QUEUED = ("q0", "q1", "q2")


@scenario(downtime_s=(0.0,), resumable=frozenset(QUEUED), linger=0)
def what_was_cancelled_on_a_queue_is_resumed_outside_of_it(life: Life) -> Drive:
    litewf.Queue("q", global_concurrency=1, registry=life.registry)
    work = _work(life, "", 4)

    @life.workflow
    def main(n: int) -> str:
        litewf.sleep(MINUTE_S)
        return work(f"{n}")

    def drive(engine: litewf.Engine) -> None:
        for n in range(3):
            life.start(main, f"q{n}", n, queue="q")
        if "cancelled" not in life.ledger.acknowledged:
            life.settle(life.clock.now_us() + 1_000_000)
            for workflow_id in ("q0", "q1"):
                engine.cancel_workflow(workflow_id)
            life.ledger.acknowledged.add("cancelled")
        life.ledger.acknowledge("resumed", lambda: engine.resume_workflow("q1"))
        life.settle()
        assert engine.retrieve_workflow("q0").get_status().status in ("CANCELLED", "SUCCESS")
        _all_ended(life, engine, q1="1", q2="2")

    return drive


@scenario()
def a_paused_queue_starts_nothing(life: Life) -> Drive:
    work = _work(life, "q", 2)

    @life.workflow
    def main(n: int) -> str:
        return work(f"{n}")

    def drive(engine: litewf.Engine) -> None:
        life.ledger.acknowledge("paused", lambda: engine.pause_queue("q"))
        for n in range(2):
            life.start(main, f"q{n}", n, queue="q")
        life.settle()
        if "resuming" not in life.ledger.acknowledged and life.ledger.runs:
            life.ledger.fail("G8 a paused queue started something")
        life.ledger.acknowledged.add("resuming")
        life.ledger.acknowledge("resumed", lambda: engine.resume_queue("q"))
        _all_ended(life, engine, q0="0", q1="1")

    return drive
