"""One measurement in a process of its own: `python -m litewf.cli.benchmarks.worker MODULE FUNCTION PATH SIZES`.

Prints one line of JSON, the figures. So no contestant's threads, caches or signal handlers disturb another's.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

from litewf.cli import processes


def command(module: str, function: str, path: Path, sizes: dict[str, int]) -> list[str]:
    """The command line that makes this measurement, with `processes.environment()`."""
    return processes.command("litewf.cli.benchmarks.worker", module, function, str(path), json.dumps(sizes))


def main() -> None:
    module, function, path, sizes = sys.argv[1:]
    measure = getattr(importlib.import_module(module), function)
    figures: dict[str, float] = measure(Path(path), **json.loads(sizes))
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the figures are out: no contestant's shutdown may hold up the rounds


if __name__ == "__main__":
    main()
