"""What an import costs beyond the bare interpreter, and what it drags in."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from litewf.cli import processes

FOREIGN = (
    "fastapi", "flask", "hypothesis", "opentelemetry", "pydantic", "pytest", "rich", "starlette", "typer", "uvicorn",
)  # fmt: skip


def apsw(path: Path, runs: int = 15) -> dict[str, float]:  # noqa: ARG001 - as every measurement
    """The least that litewf can cost."""
    return cost("apsw", runs)


def litewf(path: Path, runs: int = 15) -> dict[str, float]:  # noqa: ARG001 - as every measurement
    return cost("litewf", runs, use="litewf.workflow")


def cost(package: str, runs: int, use: str = "None") -> dict[str, float]:
    """Milliseconds beyond the bare interpreter until `use` is there, and how many foreign packages are loaded."""
    loaded = _foreign(package, use)  # also compiles the package, so that no timed run does
    bare, imported = [], []
    for _ in range(runs):
        bare.append(_time("pass"))
        imported.append(_time(f"import {package}; {use}"))
    beyond = 1_000 * (statistics.median(imported) - statistics.median(bare))
    return {"milliseconds": beyond, "foreign": len(loaded), **dict.fromkeys(loaded, 1.0)}


def _time(code: str) -> float:
    began = time.perf_counter()
    _run(code)
    return time.perf_counter() - began


def _foreign(package: str, use: str) -> list[str]:
    """Which of them the import loads; a mere directory of that name, which has no `__file__`, is an error."""
    code = (
        f"import {package}, sys; {use}; {package}.__file__.strip(); print(*sorted(set({FOREIGN!r}) & set(sys.modules)))"
    )
    return _run(code).split()


def _run(code: str) -> str:
    arguments = [sys.executable, "-P", "-c", code]
    return subprocess.check_output(arguments, text=True, env=processes.environment())  # noqa: S603 - code from here
