"""The peer: DBOS Transact on SQLite, configured as it comes, driven through its public interface.

With `wal=0` the file is as DBOS creates it (rollback journal); with `wal=1` it was set to WAL before DBOS saw it, which
DBOS does not do itself but which is faster. `synchronous` is FULL, SQLite's default, in both.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from dbos import DBOS

from litewf.cli.benchmarks import footprint, interrupted
from litewf.cli.benchmarks import importing as imports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLEEP: Final = 3_600.0
BATCH: Final = 100
UNFINISHED: Final = "SELECT count(*) FROM workflow_status WHERE status <> 'SUCCESS'"


@DBOS.step()
async def nothing_async() -> None:
    """Do nothing: what is measured is the record."""


@DBOS.step()
def nothing_sync() -> None:
    """Do nothing: what is measured is the record."""


@DBOS.workflow()
async def steps_in_turn_async(steps: int) -> None:
    for _ in range(steps):
        await nothing_async()


@DBOS.workflow()
def steps_in_turn_sync(steps: int) -> None:
    for _ in range(steps):
        nothing_sync()


@DBOS.step()
async def last_step() -> None:
    await interrupted.pass_or_hang()


@DBOS.workflow()
async def steps_and_one_more(steps: int) -> None:
    for _ in range(steps):
        await nothing_async()
    await last_step()


_fell_asleep = threading.Semaphore(0)


@DBOS.workflow()
async def sleeper() -> None:
    _fell_asleep.release()
    await DBOS.sleep_async(SLEEP)


def async_steps(path: Path, workflows: int = 100, steps: int = 5, wal: int = 0) -> dict[str, float]:
    """Steps a second of async workflows started at once."""
    with configured(path, wal):
        return asyncio.run(_run_async(workflows, steps))


def sync_steps(path: Path, workflows: int = 100, steps: int = 5, wal: int = 0) -> dict[str, float]:
    """Steps a second of sync workflows started at once, each in its thread."""
    with configured(path, wal):
        return _run_sync(workflows, steps)


def sequence_async(path: Path, steps: int = 2_000, wal: int = 0) -> dict[str, float]:
    """Steps a second of one async workflow."""
    return async_steps(path, 1, steps, wal)


def sequence_sync(path: Path, steps: int = 2_000, wal: int = 0) -> dict[str, float]:
    """Steps a second of one sync workflow."""
    return sync_steps(path, 1, steps, wal)


def recovery(path: Path, workflows: int = 1_000, steps: int = 10, wal: int = 0) -> dict[str, float]:
    """Seconds from launch until every workflow of a killed process is done."""
    interrupted.leave_unfinished(__name__, "unfinished", path, {"workflows": workflows, "steps": steps, "wal": wal})
    with configured(path, wal):
        began = time.perf_counter()
        DBOS.launch()
        _wait_until_finished(path)
        return {"seconds": time.perf_counter() - began}


def unfinished(path: Path, workflows: int, steps: int, wal: int) -> dict[str, float]:
    """Bring every workflow to its last step and hang there, to be killed."""
    interrupted.hang_after(workflows)

    async def start() -> None:
        DBOS.launch()
        await asyncio.gather(*(DBOS.start_workflow_async(steps_and_one_more, steps) for _ in range(workflows)))
        await asyncio.Event().wait()

    with configured(path, wal):
        asyncio.run(start())
    return {}


def importing(path: Path, runs: int = 15) -> dict[str, float]:
    """Milliseconds beyond the bare interpreter, and the foreign packages that it loads."""
    return imports.cost("dbos", runs)


def asleep(path: Path, workflows: int = 1_000, rest: int = 10, wal: int = 0) -> dict[str, float]:
    """Memory, threads and CPU of sleeping workflows."""

    async def measure() -> dict[str, float]:
        DBOS.launch()
        await _send_to_sleep(BATCH)
        before = await asyncio.to_thread(footprint.settled)
        for _ in range(workflows // BATCH):
            await _send_to_sleep(BATCH)
        return await asyncio.to_thread(footprint.at_rest, before, workflows, rest)

    with configured(path, wal):
        return asyncio.run(measure())


async def _send_to_sleep(workflows: int) -> None:
    await asyncio.gather(*(DBOS.start_workflow_async(sleeper) for _ in range(workflows)))
    await asyncio.to_thread(_wait_until_asleep, workflows)


def _wait_until_asleep(workflows: int) -> None:
    for _ in range(workflows):
        _fell_asleep.acquire()


@contextmanager
def configured(path: Path, wal: int) -> Iterator[None]:
    with closing(sqlite3.connect(path)) as connection:
        if wal:
            connection.execute("PRAGMA journal_mode = wal")
        [synchronous] = connection.execute("PRAGMA synchronous").fetchone()
        if synchronous != 2:
            raise RuntimeError(f"this Python's SQLite opens files with synchronous={synchronous}, not FULL")
    DBOS(
        config={
            "name": "benchmark",
            "system_database_url": f"sqlite:///{path}",
            "log_level": "ERROR",
        }
    )
    try:
        yield
    finally:
        DBOS.destroy()


async def _run_async(workflows: int, steps: int) -> dict[str, float]:
    DBOS.launch()
    began = time.perf_counter()
    handles = await asyncio.gather(*(DBOS.start_workflow_async(steps_in_turn_async, steps) for _ in range(workflows)))
    await asyncio.gather(*(handle.get_result() for handle in handles))
    return _rate(workflows * steps, time.perf_counter() - began)


def _run_sync(workflows: int, steps: int) -> dict[str, float]:
    DBOS.launch()
    began = time.perf_counter()
    handles = [DBOS.start_workflow(steps_in_turn_sync, steps) for _ in range(workflows)]
    for handle in handles:
        handle.get_result()
    return _rate(workflows * steps, time.perf_counter() - began)


def _rate(steps: int, seconds: float) -> dict[str, float]:
    return {"rate": steps / seconds, "seconds": seconds, "steps": steps}


def _wait_until_finished(path: Path) -> None:
    """Look from outside: a handle of DBOS would itself poll only once a second."""
    with closing(sqlite3.connect(path)) as connection:
        while connection.execute(UNFINISHED).fetchone() != (0,):
            time.sleep(0.05)  # DBOS gives no signal; it polls once a second itself
