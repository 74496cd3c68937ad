"""litewf, through its public interface alone; each function makes one measurement on the file at `path`."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import litewf
from litewf.cli.benchmarks import footprint, interrupted
from litewf.cli.benchmarks.raw import REPEATS

SLEEP = 3_600.0
BATCH = 1_000

registry = litewf.Registry()


@registry.step
async def nothing_async() -> None:
    """Do nothing: what is measured is the record."""


@registry.step
def nothing_sync() -> None:
    """Do nothing: what is measured is the record."""


@registry.workflow
async def steps_in_turn_async(steps: int) -> None:
    for _ in range(steps):
        await nothing_async()


@registry.workflow
def steps_in_turn_sync(steps: int) -> None:
    for _ in range(steps):
        nothing_sync()


@registry.step
async def last_step() -> None:
    await interrupted.pass_or_hang()


@registry.workflow
async def steps_and_one_more(steps: int) -> None:
    for _ in range(steps):
        await nothing_async()
    await last_step()


_fell_asleep = threading.Semaphore(0)


@registry.workflow
async def sleeper() -> None:
    _fell_asleep.release()
    await litewf.sleep_async(SLEEP)


def async_steps(path: Path, workflows: int = 5_000, steps: int = 5) -> dict[str, float]:
    """Steps a second of async workflows started at once."""
    return _median_rate(path, steps_in_turn_async, workflows, steps)


def sync_steps(path: Path, workflows: int = 5_000, steps: int = 5) -> dict[str, float]:
    """Steps a second of sync workflows started at once."""
    return _median_rate(path, steps_in_turn_sync, workflows, steps)


def _median_rate(path: Path, workflow: Any, workflows: int, steps: int) -> dict[str, float]:
    """The median of as many runs in one process as the raw contestant has."""
    seconds = []
    for _ in range(REPEATS):
        with litewf.Engine(path, registry=registry) as engine:
            began = time.perf_counter()
            _wait_for(engine.start_workflows([(workflow, steps)] * workflows))
            seconds.append(time.perf_counter() - began)
    return _rate(workflows * steps, statistics.median(seconds))


def sequence_async(path: Path, steps: int = 2_000) -> dict[str, float]:
    """Steps a second of one async workflow."""
    return async_steps(path, 1, steps)


def sequence_sync(path: Path, steps: int = 2_000) -> dict[str, float]:
    """Steps a second of one sync workflow."""
    return sync_steps(path, 1, steps)


def recovery(path: Path, workflows: int = 1_000, steps: int = 10) -> dict[str, float]:
    """Seconds from launch until every workflow of a killed process is done."""
    interrupted.leave_unfinished(__name__, "unfinished", path, {"workflows": workflows, "steps": steps})
    engine = litewf.Engine(path, registry=registry)
    began = time.perf_counter()
    with engine:
        handles = [engine.retrieve_workflow(_numbered(number)) for number in range(workflows)]
        _wait_for(handles)
        return {"seconds": time.perf_counter() - began}


def unfinished(path: Path, workflows: int, steps: int) -> dict[str, float]:
    """Bring every workflow to its last step and hang there, to be killed."""
    interrupted.hang_after(workflows)
    with litewf.Engine(path, registry=registry) as engine:
        numbered = [steps_and_one_more.with_options(workflow_id=_numbered(number)) for number in range(workflows)]
        engine.start_workflows([(workflow, steps) for workflow in numbered])
        threading.Event().wait()
    return {}


def asleep(path: Path, workflows: int = 100_000, warm_up: int = 50_000, rest: int = 10) -> dict[str, float]:
    """Memory, threads and CPU of sleeping workflows; CPU is counted over `rest` seconds.

    The first ones are not counted for each: they fill SQLite's cache of the file, which has a fixed size and nothing
    to do with who sleeps, and they leave behind what the most that are ever awake at a time need.
    """
    with litewf.Engine(path, registry=registry) as engine:
        _send_to_sleep(engine, warm_up)
        before = footprint.settled()
        _send_to_sleep(engine, workflows)
        return footprint.at_rest(before, workflows, rest)


def _send_to_sleep(engine: litewf.Engine, workflows: int) -> None:
    """Start them in batches and keep no handle: what remains in memory is the engine's, until the last have parked."""
    for _ in range(workflows // BATCH):
        engine.start_workflows([(sleeper,)] * BATCH)
        for _ in range(BATCH):
            _fell_asleep.acquire()


def _wait_for(handles: Sequence[litewf.WorkflowHandle[None]]) -> None:
    for handle in handles:
        handle.get_result()


def _rate(steps: int, seconds: float) -> dict[str, float]:
    return {"rate": steps / seconds, "seconds": seconds, "steps": steps}


def _numbered(number: int) -> str:
    return f"unfinished-{number}"
