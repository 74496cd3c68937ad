"""litewf's queues; each function makes one measurement on the file at `path`."""

from __future__ import annotations

import threading
import time
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue

import litewf
from litewf.cli.benchmarks import footprint
from litewf.cli.benchmarks.talking import spread

BATCH = 1_000
WIDE_OPEN = "open"

registry = litewf.Registry()
for _width in (10, 100):
    litewf.Queue(f"at {_width}", worker_concurrency=_width, registry=registry)
_started: SimpleQueue[float] = SimpleQueue()


@registry.workflow
async def nothing(number: int) -> int:
    return number


@registry.workflow
async def say_started() -> None:
    _started.put(time.monotonic())


def enqueue(path: Path, workflows: int = 10_000, threads: int = 8) -> dict[str, float]:
    """Workflows a second that some threads enqueue one by one, each a commit that its caller waits for."""
    with litewf.Engine(path, registry=registry, queues=[]) as engine:

        def work() -> None:
            for number in range(workflows // threads):
                engine.enqueue(WIDE_OPEN, nothing, number)

        workers = [threading.Thread(target=work) for _ in range(threads)]
        began = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return _rate(workflows, time.perf_counter() - began)


def enqueue_batches(path: Path, workflows: int = 50_000) -> dict[str, float]:
    """Workflows a second that one thread enqueues, a thousand in a commit."""
    with litewf.Engine(path, registry=registry, queues=[]) as engine:
        began = time.perf_counter()
        _fill(engine, WIDE_OPEN, workflows)
        return _rate(workflows, time.perf_counter() - began)


def _fill(engine: litewf.Engine, queue: str, workflows: int) -> list[litewf.WorkflowHandle[int]]:
    last: list[litewf.WorkflowHandle[int]] = []
    for first in range(0, workflows, BATCH):
        last = engine.enqueue_many(queue, [(nothing, number) for number in range(first, min(first + BATCH, workflows))])
    return last


def drain(path: Path, workflows: int = 50_000, concurrency: int = 10) -> dict[str, float]:
    """Workflows a second that one engine runs off a queue, from launch to the last result."""
    queue = f"at {concurrency}"
    with litewf.Engine(path, registry=registry, queues=[]) as engine:
        last = _fill(engine, queue, workflows)
    began = time.perf_counter()
    with litewf.Engine(path, registry=registry) as engine:
        for handle in last:
            engine.retrieve_workflow(handle.workflow_id).get_result()
        return _rate(workflows, time.perf_counter() - began)


def waiting(path: Path, workflows: int = 1_000_000, run: int = 5_000) -> dict[str, float]:
    """Workflows a second off a queue on which very many wait."""
    with litewf.Engine(path, registry=registry, queues=[]) as engine:
        _fill(engine, "at 100", workflows)
        first = engine.list_workflows(queue_name="at 100", limit=run, load_input=False, load_output=False)
    with litewf.Engine(path, registry=registry) as engine:
        engine.retrieve_workflow(first[run // 10].workflow_id).get_result()  # under way
        began = time.perf_counter()
        engine.retrieve_workflow(first[-1].workflow_id).get_result()
        return _rate(run - run // 10, time.perf_counter() - began)


def start_latency(path: Path, workflows: int = 200) -> dict[str, float]:
    """From the call of enqueue until the workflow runs, on an engine with nothing else to do."""
    with litewf.Engine(path, registry=registry) as engine:

        def latency() -> float:
            began = time.monotonic()
            engine.enqueue("at 10", say_started)
            return _started.get() - began

        return spread(latency() for _ in range(workflows))


def idle(path: Path, queues: int = 100, rest: int = 10) -> dict[str, float]:
    """What an engine with many queues and as many schedules costs while nothing happens."""
    own = litewf.Registry()

    @own.workflow
    def yearly(_scheduled_at: datetime, _actual_at: datetime) -> None:
        """Nothing; its time does not come."""

    for number in range(queues):
        litewf.Queue(f"queue {number}", worker_concurrency=2, global_concurrency=4, registry=own)
    with litewf.Engine(path, registry=own) as engine:
        for number in range(queues):
            engine.create_schedule(f"schedule {number}", yearly, "0 0 29 2 *", jitter=float(number))
        before = footprint.settled()
        return footprint.at_rest(before, queues, rest)


def _rate(workflows: int, seconds: float) -> dict[str, float]:
    return {"rate": workflows / seconds, "seconds": seconds, "workflows": workflows}
