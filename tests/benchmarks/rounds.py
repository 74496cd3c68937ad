"""Runs the workloads: contestants take turns within a round, each in a process of its own, on a new file."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.benchmarks import worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.benchmarks.catalog import Call, Workload

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 900.0
LAST_WORDS: Final = 6

Figures = dict[str, float]


class MeasurementError(Exception):
    """A measurement ended without figures: the last lines it wrote."""


@dataclass(slots=True)
class Measured:
    """Every round of one workload: each contestant's figures in order, or why there are none."""

    workload: Workload
    rounds: dict[str, list[Figures]] = field(default_factory=lambda: defaultdict(list))
    failures: dict[str, str] = field(default_factory=dict)


def measure(
    workloads: Iterable[Workload], rounds: int, directory: Path | None, say: Callable[[str], None]
) -> list[Measured]:
    """Measure each workload in turn; a contestant that fails is left out of the workload's later rounds."""
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=directory) as scratch:
        fixtures = Fixtures(Path(scratch))
        return [_measure(workload, rounds, fixtures, Path(scratch), say) for workload in workloads]


def _measure(
    workload: Workload, rounds: int, fixtures: Fixtures, scratch: Path, say: Callable[[str], None]
) -> Measured:
    measured = Measured(workload)
    count = min(rounds, workload.most_rounds or rounds)
    for number in range(1, count + 1):
        for contestant, call in workload.calls.items():
            if contestant in measured.failures:
                continue
            say(f"{workload.name}: round {number} of {count}, {contestant}")
            try:
                measured.rounds[contestant].append(_take_turn(call, fixtures, scratch))
            except MeasurementError as error:
                measured.failures[contestant] = str(error)
    return measured


def _take_turn(call: Call, fixtures: Fixtures, scratch: Path) -> Figures:
    if call.fixture is not None:
        return run(call.module, call.function, fixtures.path(call.fixture), call.sizes)
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        return run(call.module, call.function, Path(directory) / "file.db", call.sizes)


class Fixtures:
    """Files that are too large to build for every round: built at their first use, used again as they are."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._built: dict[str, Path] = {}

    def path(self, name: str) -> Path:
        if name not in self._built:
            path = self._scratch / f"{name}.db"
            path.unlink(missing_ok=True)
            run("history", name, path, {})
            self._built[name] = path
        return self._built[name]


def run(module: str, function: str, path: Path, sizes: dict[str, int]) -> Figures:
    """Make one measurement in a process of its own and return its figures."""
    try:
        done = subprocess.run(
            worker.command(module, function, path, sizes),
            cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise MeasurementError(f"{module}.{function}: no figures within {error.timeout:.0f} s") from error
    if done.returncode:
        raise MeasurementError("\n".join((done.stderr or done.stdout).splitlines()[-LAST_WORDS:]))
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def say_on_terminal(message: str) -> None:
    """Progress goes to the error stream, and only where somebody watches."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{message}", end="", file=sys.stderr, flush=True)
