"""litewf, through its public interface alone; each function makes one measurement on the file at `path`."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

import litewf
from tests.benchmarks import footprint, interrupted

if TYPE_CHECKING:
    from pathlib import Path

SLEEP: Final = 3_600.0
BATCH: Final = 1_000


@litewf.step
async def nothing_async() -> None:
    """Do nothing: what is measured is the record."""


@litewf.step
def nothing_sync() -> None:
    """Do nothing: what is measured is the record."""


@litewf.workflow
async def steps_in_turn_async(steps: int) -> None:
    for _ in range(steps):
        await nothing_async()


@litewf.workflow
def steps_in_turn_sync(steps: int) -> None:
    for _ in range(steps):
        nothing_sync()


@litewf.step
async def last_step() -> None:
    await interrupted.pass_or_hang()


@litewf.workflow
async def steps_and_one_more(steps: int) -> None:
    for _ in range(steps):
        await nothing_async()
    await last_step()


_fell_asleep = threading.Semaphore(0)


@litewf.workflow
async def sleeper() -> None:
    _fell_asleep.release()
    await litewf.sleep_async(SLEEP)


def async_steps(path: Path, workflows: int = 5_000, steps: int = 5) -> dict[str, float]:
    """Steps a second of async workflows started at once."""
    with litewf.Engine(path) as engine:
        began = time.perf_counter()
        _wait_for(engine.start_workflows(steps_in_turn_async, [(steps,)] * workflows))
        return _rate(workflows * steps, time.perf_counter() - began)


def sync_steps(path: Path, workflows: int = 5_000, steps: int = 5) -> dict[str, float]:
    """Steps a second of sync workflows started at once."""
    with litewf.Engine(path) as engine:
        began = time.perf_counter()
        _wait_for(engine.start_workflows(steps_in_turn_sync, [(steps,)] * workflows))
        return _rate(workflows * steps, time.perf_counter() - began)


def sequence_async(path: Path, steps: int = 2_000) -> dict[str, float]:
    """Steps a second of one async workflow."""
    return async_steps(path, 1, steps)


def sequence_sync(path: Path, steps: int = 2_000) -> dict[str, float]:
    """Steps a second of one sync workflow."""
    return sync_steps(path, 1, steps)


def recovery(path: Path, workflows: int = 1_000, steps: int = 10) -> dict[str, float]:
    """Seconds from launch until every workflow of a killed process is done."""
    interrupted.leave_unfinished("ours", "unfinished", path, {"workflows": workflows, "steps": steps})
    engine = litewf.Engine(path)
    began = time.perf_counter()
    with engine:
        handles = [engine.retrieve_workflow(_numbered(number)) for number in range(workflows)]
        _wait_for(handles)
        return {"seconds": time.perf_counter() - began}


def unfinished(path: Path, workflows: int, steps: int) -> dict[str, float]:
    """Bring every workflow to its last step and hang there, to be killed."""
    interrupted.hang_after(workflows)
    with litewf.Engine(path) as engine:
        for number in range(workflows):
            engine.start_workflow(steps_and_one_more.with_options(workflow_id=_numbered(number)), steps)
        threading.Event().wait()
    return {}


def asleep(path: Path, workflows: int = 100_000) -> dict[str, float]:
    """Memory, threads and CPU of sleeping workflows."""
    with litewf.Engine(path) as engine:
        _send_to_sleep(engine)
        before = footprint.settled()
        for _ in range(workflows // BATCH):
            _send_to_sleep(engine)
        return footprint.at_rest(before, workflows)


def _send_to_sleep(engine: litewf.Engine) -> None:
    """Start one batch and keep no handle: what remains in memory is the engine's."""
    engine.start_workflows(sleeper, [()] * BATCH)
    for _ in range(BATCH):
        _fell_asleep.acquire()


def _wait_for(handles: list[litewf.WorkflowHandle[None]]) -> None:
    for handle in handles:
        handle.get_result()


def _rate(steps: int, seconds: float) -> dict[str, float]:
    return {"rate": steps / seconds, "seconds": seconds, "steps": steps}


def _numbered(number: int) -> str:
    return f"unfinished-{number}"
