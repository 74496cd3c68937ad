"""Runs the workloads: contestants take turns within a round, each in a process of its own, on a new file."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from litewf.cli import processes
from litewf.cli.benchmarks import worker
from litewf.cli.benchmarks.catalog import Call, Workload

PATIENCE = 900.0
LAST_WORDS = 6

Figures = dict[str, float]


class MeasurementError(Exception):
    """A measurement ended without figures: the last lines it wrote."""


@dataclass(slots=True)
class Measured:
    """Every round of one workload: each contestant's figures in order, or why there are none."""

    workload: Workload
    rounds: dict[str, list[Figures]] = field(default_factory=lambda: defaultdict(list))
    failures: dict[str, str] = field(default_factory=dict)

    def values(self, contestant: str, figure: str) -> list[float]:
        """One figure of every round that the contestant ended."""
        return [figures[figure] for figures in self.rounds.get(contestant, [])]


def measure(
    workloads: Iterable[Workload], rounds: int, directory: Path | None, say: Callable[[str], None]
) -> list[Measured]:
    """Measure each workload in turn; a contestant that fails is left out of the workload's later rounds."""
    with tempfile.TemporaryDirectory(prefix="litewf-bench-", dir=directory) as scratch:
        turns = Turns(Path(scratch))
        return [_measure(workload, rounds, turns, say) for workload in workloads]


def _measure(workload: Workload, rounds: int, turns: Turns, say: Callable[[str], None]) -> Measured:
    measured = Measured(workload)
    count = min(rounds, workload.most_rounds or rounds)
    for number in range(1, count + 1):
        for contestant, call in workload.calls.items():
            if contestant in measured.failures:
                continue
            say(f"{workload.name}: round {number} of {count}, {contestant}")
            try:
                measured.rounds[contestant].append(turns.take(call))
            except MeasurementError as error:
                measured.failures[contestant] = str(error)
    return measured


class Turns:
    """One measurement after the other, on new files or on those that take too long to build for every round."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._built: dict[tuple[str, str], Path] = {}

    def take(self, call: Call) -> Figures:
        """Make one measurement."""
        if call.fixture is not None:
            return run(call, self._fixture(call.fixture))
        with tempfile.TemporaryDirectory(dir=self._scratch) as directory:
            return run(call, Path(directory) / "file.db")

    def _fixture(self, call: Call) -> Path:
        name = (call.module, call.function)
        if name not in self._built:
            path = self._scratch / f"{call.function}.db"
            run(call, path)
            self._built[name] = path
        return self._built[name]


def run(call: Call, path: Path) -> Figures:
    """Make one measurement in a process of its own and return its figures."""
    try:
        done = subprocess.run(  # noqa: S603 - this very program's own modules
            worker.command(call.module, call.function, path, call.sizes),
            capture_output=True, text=True, timeout=PATIENCE, check=False, env=processes.environment(),
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise MeasurementError(f"{call.module}.{call.function}: no figures within {error.timeout:.0f} s") from error
    if done.returncode:
        raise MeasurementError("\n".join((done.stderr or done.stdout).splitlines()[-LAST_WORDS:]))
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures
