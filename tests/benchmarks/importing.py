"""What an import costs beyond the bare interpreter, and what it drags in."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

FOREIGN: Final = (
    "fastapi",
    "flask",
    "hypothesis",
    "opentelemetry",
    "pydantic",
    "pytest",
    "rich",
    "starlette",
    "typer",
    "uvicorn",
)


def apsw(path: Path, runs: int = 15) -> dict[str, float]:
    """The least that litewf can cost."""
    return _import("apsw", runs)


def litewf(path: Path, runs: int = 15) -> dict[str, float]:
    return _import("litewf", runs)


def dbos(path: Path, runs: int = 15) -> dict[str, float]:
    return _import("dbos", runs)


def _import(package: str, runs: int) -> dict[str, float]:
    loaded = _foreign(package)  # also compiles the package, so that no timed run does
    bare, imported = [], []
    for _ in range(runs):
        bare.append(_run("pass"))
        imported.append(_run(f"import {package}"))
    beyond = 1_000 * (statistics.median(imported) - statistics.median(bare))
    return {"milliseconds": beyond, "foreign": len(loaded), **dict.fromkeys(loaded, 1.0)}


def _run(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began


def _foreign(package: str) -> list[str]:
    """Which of them the import loads; a mere directory of that name, which has no `__file__`, is an error."""
    code = f"import {package}, sys; {package}.__file__.strip(); print(*sorted(set({FOREIGN!r}) & set(sys.modules)))"
    return subprocess.check_output([sys.executable, "-c", code], text=True).split()
