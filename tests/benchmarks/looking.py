"""What it takes to look at a file from the command line, beyond the start of the interpreter."""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from litewf.cli import processes

MIDDLE = 500_000


def commands(path: Path, runs: int = 15) -> dict[str, float]:
    """Milliseconds of `litewf list` and of `litewf show`, as medians beyond those of a bare interpreter."""
    listed = json.loads(
        _run("-m", "litewf", "list", "--db", str(path), "--json", "--limit", "1", "--offset", str(MIDDLE))
    )
    looks = {
        "bare": ("-c", "pass"),
        "list": ("-m", "litewf", "list", "--db", str(path)),
        "show": ("-m", "litewf", "show", listed[0]["workflow_id"], "--db", str(path)),
    }
    times: dict[str, list[float]] = {name: [] for name in looks}
    for _ in range(runs):
        for name, arguments in looks.items():
            began = time.perf_counter()
            _run(*arguments)
            times[name].append(1_000 * (time.perf_counter() - began))
    bare = statistics.median(times.pop("bare"))
    return {name: statistics.median(taken) - bare for name, taken in times.items()}


def _run(*arguments: str) -> str:
    return subprocess.check_output([sys.executable, "-P", *arguments], text=True, env=processes.environment())
