"""The peer's queues, driven through its public interface; see transact.py."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from dbos import DBOS

from tests.benchmarks.transact import configured

if TYPE_CHECKING:
    from pathlib import Path


@DBOS.workflow()
def nothing(number: int) -> int:
    return number


def enqueue(path: Path, workflows: int = 800, threads: int = 8, wal: int = 0) -> dict[str, float]:
    """Workflows a second that some threads enqueue one by one."""
    with configured(path, wal):
        DBOS.launch()

        def work() -> None:
            for number in range(workflows // threads):
                DBOS.enqueue_workflow("open", nothing, number)

        workers = [threading.Thread(target=work) for _ in range(threads)]
        began = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return _rate(workflows, time.perf_counter() - began)


def drain(path: Path, workflows: int = 200, concurrency: int = 10, wal: int = 0) -> dict[str, float]:
    """Workflows a second off a queue, from the first enqueue to the last result."""
    with configured(path, wal):
        DBOS.launch()
        DBOS.register_queue("at", worker_concurrency=concurrency)
        began = time.perf_counter()
        handles = [DBOS.enqueue_workflow("at", nothing, number) for number in range(workflows)]
        for handle in handles:
            handle.get_result()
        return _rate(workflows, time.perf_counter() - began)


def _rate(workflows: int, seconds: float) -> dict[str, float]:
    return {"rate": workflows / seconds, "seconds": seconds, "workflows": workflows}
