"""A process that is killed in the middle: its workflows stand in their last step when SIGKILL comes."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

from litewf.cli import processes
from litewf.cli.benchmarks import worker

READY = "ready to be killed"

_still_to_come: int | None = None
_never = asyncio.Event()  # held here: a task that only waits for what nobody holds is garbage


def hang_after(arrivals: int) -> None:
    """Make every `pass_or_hang` of this process hang, and say when so many have arrived."""
    global _still_to_come  # noqa: PLW0603 - the one switch between the process to kill and its successor
    _still_to_come = arrivals


async def pass_or_hang() -> None:
    """The body of a last step: it returns at once, unless this process is the one to be killed."""
    global _still_to_come  # noqa: PLW0603 - as above
    if _still_to_come is None:
        return
    _still_to_come -= 1
    if _still_to_come == 0:
        sys.stdout.write(READY + "\n")
        sys.stdout.flush()
    await _never.wait()


def leave_unfinished(module: str, function: str, path: Path, sizes: dict[str, int]) -> None:
    """Run the function in a process of its own and kill that once all its workflows have arrived."""
    with subprocess.Popen(  # noqa: S603 - this very program's own modules
        worker.command(module, function, path, sizes),
        stdout=subprocess.PIPE, text=True, env=processes.environment(),
    ) as child:  # fmt: skip
        assert child.stdout is not None
        try:
            if not any(line.strip() == READY for line in child.stdout):
                raise RuntimeError(f"{module}.{function} ended before it could be killed")
        finally:
            child.send_signal(signal.SIGKILL)
