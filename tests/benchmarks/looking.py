"""What it takes to look at a file from the command line, beyond the start of the interpreter."""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from litewf.cli import processes

MIDDLE = 500_000


def commands(path: Path, runs: int = 15) -> dict[str, float]:
    """Milliseconds of `litewf list` and of `litewf show` beyond those of a bare interpreter.

    Of each the fastest run: what else the machine does only adds to it.
    """
    listed = json.loads(
        _run("-m", "litewf", "list", "--db", str(path), "--json", "--limit", "1", "--offset", str(MIDDLE))
    )
    looks = {
        "bare": ("-c", "pass"),
        "list": ("-m", "litewf", "list", "--db", str(path)),
        "show": ("-m", "litewf", "show", listed[0]["workflow_id"], "--db", str(path)),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in looks}
    for _ in range(runs):
        for name, arguments in looks.items():
            taken[name].append(_cost(*arguments))
    least = {name: [min(times) for times in zip(*pairs, strict=True)] for name, pairs in taken.items()}
    wall, processor = least.pop("bare")
    return {
        **{name: figures[0] - wall for name, figures in least.items()},
        **{f"{name}_cpu": figures[1] - processor for name, figures in least.items()},
    }


def _cost(*arguments: str) -> tuple[float, float]:
    """Milliseconds that a run takes, and that it has a processor."""
    before, began = _processor(), time.perf_counter()
    _run(*arguments)
    return 1_000 * (time.perf_counter() - began), 1_000 * (_processor() - before)


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(*arguments: str) -> str:
    settings = {name: value for name, value in processes.environment().items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.check_output([sys.executable, "-P", *arguments], text=True, env=settings)
