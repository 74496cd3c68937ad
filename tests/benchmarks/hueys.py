"""A task queue on SQLite: huey, with its defaults, which sync each commit. Its tasks have a result and no steps."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from huey import SqliteHuey

if TYPE_CHECKING:
    from pathlib import Path


def _open(path: Path) -> tuple[SqliteHuey, Any]:
    huey = SqliteHuey(filename=str(path))
    [(synchronous,)] = huey.storage.sql("pragma synchronous", results=True)
    if synchronous != 2:
        raise RuntimeError(f"huey opens files with synchronous={synchronous}, not FULL")

    @huey.task()
    def nothing(number: int) -> int:
        return number

    return huey, nothing


def enqueue(path: Path, workflows: int = 10_000, threads: int = 8) -> dict[str, float]:
    """Tasks a second that some threads enqueue one by one."""
    _, nothing = _open(path)

    def work() -> None:
        for number in range(workflows // threads):
            nothing(number)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return _rate(workflows, time.perf_counter() - began)


def drain(path: Path, workflows: int = 5_000, concurrency: int = 10) -> dict[str, float]:
    """Tasks a second that its consumer runs, from start to the last result."""
    huey, nothing = _open(path)
    results = [nothing(number) for number in range(workflows)]
    consumer = huey.create_consumer(workers=concurrency, worker_type="thread", initial_delay=0.01, backoff=1.0)
    began = time.perf_counter()
    consumer.start()
    for result in results[-concurrency:]:
        result.get(blocking=True, backoff=1.0, max_delay=0.01)
    seconds = time.perf_counter() - began
    consumer.stop(graceful=True)
    return _rate(workflows, seconds)


def _rate(workflows: int, seconds: float) -> dict[str, float]:
    return {"rate": workflows / seconds, "seconds": seconds, "workflows": workflows}
